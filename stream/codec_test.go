package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
	"signalbox/stream/eventspb"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
)

// encodeRecord writes an input as the door does, in one record.
func encodeRecord(tb testing.TB, at time.Time, in itsm.Input) []byte {
	tb.Helper()
	b := appendTime(nil, at)
	if in.Adopt != nil {
		b = appendAdopt(b, in.Adopt)
	}
	var err error
	for i := range in.Changes {
		if b, err = appendChange(b, &in.Changes[i]); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range in.Alerts {
		before := len(b)
		b = appendAlert(b, &in.Alerts[i])
		if got, want := len(b)-before, alertSize(&in.Alerts[i]); got != want+1+uvarintLen(want) {
			tb.Fatalf("an alert of %d bytes has size %d", got, want)
		}
	}
	for i := range in.Commands {
		if b, err = appendCommand(b, &in.Commands[i]); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range in.Silences {
		if b, err = appendSilence(b, &in.Silences[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

// random builds values of which every field is set, or each with an even chance.
type random struct {
	*rand.Rand
	full bool
}

func (r random) some() bool { return r.full || r.IntN(2) == 0 }

func (r random) text() string {
	if !r.some() {
		return ""
	}
	words := []string{"disk", "ß", "日本", "\n", "\x00", `"`, "<&>", "\u2028", strings.Repeat("long", 50), " ", "x"}
	return words[r.IntN(len(words))] + words[r.IntN(len(words))]
}

// word is a text that is not empty.
func (r random) word() string { return fmt.Sprintf("w%d", r.IntN(1000)) + r.text() }

func (r random) time() time.Time {
	if !r.some() {
		return time.Time{}
	}
	span := itsm.MaxTime().Sub(itsm.MinTime())
	return itsm.MinTime().Add(time.Duration(r.Int64N(max(1, int64(span))))).UTC()
}

func (r random) timeOrNil() *time.Time {
	if t := r.time(); !t.IsZero() {
		return &t
	}
	return nil
}

func (r random) labels(atLeast int) itsm.Labels {
	m := map[string]string{}
	for range atLeast + r.IntN(6) {
		m[r.word()] = r.text()
	}
	if len(m) == 0 {
		return nil
	}
	return itsm.NewLabels(m)
}

func (r random) alert() itsm.Alert {
	a := itsm.Alert{
		Labels: r.labels(1), Annotations: r.labels(0), Status: itsm.StatusFiring, StartsAt: r.time(), EndsAt: r.time(),
		GeneratorURL: r.text(), Source: r.text(), GroupKey: r.text(), Resend: r.some(), ObservedAt: r.time(), Suppressed: r.text(),
	}
	if r.IntN(2) == 0 {
		a.Status = itsm.StatusResolved
	}
	a.Fingerprint = a.Labels.Fingerprint()
	return a
}

func (r random) change() itsm.Change {
	c := itsm.Change{
		ID: r.word(), Kind: r.word(), Labels: r.labels(0), Title: r.text(), Status: r.text(), StartsAt: r.time(), EndsAt: r.timeOrNil(),
		By: r.text(), URL: r.text(),
	}
	for range r.IntN(3) {
		c.Items = append(c.Items, r.word())
	}
	return c
}

func (r random) incident() itsm.IncidentRef {
	if r.IntN(2) == 0 {
		return itsm.IncidentRef{ID: r.word()}
	}
	return itsm.IncidentRef{Alert: itsm.Fingerprint(r.Uint64() | 1)}
}

func (r random) silence() itsm.Silence {
	return itsm.Silence{
		ID: "s" + r.text(), StartsAt: r.time(), EndsAt: r.time(), UpdatedAt: r.time(), CreatedBy: r.text(), Comment: r.text(),
		Matchers: []itsm.Matcher{{Name: "a" + r.text(), Value: "b" + r.text(), IsEqual: true}, {Name: "c", Value: "x.*", IsRegex: true, IsEqual: r.IntN(2) == 0}},
	}
}

func (r random) command() itsm.Command {
	c := itsm.Command{
		ID: r.word(), Action: itsm.Actions()[r.IntN(len(itsm.Actions()))], Incident: r.incident(), By: r.text(), Comment: r.text(),
		Text: r.text(), Public: r.some(), Reason: r.text(), Until: r.timeOrNil(), Code: r.text(), Notes: r.text(), Item: r.text(), Change: r.text(),
		Problem: r.text(), FixedAt: r.timeOrNil(),
	}
	if r.some() {
		n := r.IntN(100)
		c.Revision, c.Entry = &n, &n
		c.Team, c.Person, c.Priority = itsm.Some(r.word()), itsm.Optional[string]{Set: true}, itsm.Some(n)
		into, to := r.incident(), r.incident()
		c.Into, c.To = &into, &to
		c.Alerts = []itsm.Fingerprint{1, itsm.Fingerprint(r.Uint64())}
	}
	return c
}

func (r random) input() itsm.Input {
	var in itsm.Input
	if r.some() {
		in.Adopt = &itsm.Adopt{Estate: &itsm.Version{ID: r.word()}, Rules: &itsm.Version{ID: r.word()}}
		if !r.some() {
			in.Adopt.Estate = nil
		}
	}
	for range r.IntN(4) {
		in.Changes = append(in.Changes, r.change())
	}
	for range r.IntN(6) {
		in.Alerts = append(in.Alerts, r.alert())
	}
	for range r.IntN(4) {
		in.Commands = append(in.Commands, r.command())
	}
	for range r.IntN(3) {
		in.Silences = append(in.Silences, r.silence())
	}
	return in
}

// TestCodecRoundTrip: any input comes back as it was.
func TestCodecRoundTrip(t *testing.T) {
	for seed := range uint64(500) {
		r := random{Rand: rand.New(rand.NewPCG(seed, 1))}
		at, want := time.Unix(0, r.Int64()).UTC(), r.input()
		gotAt, got, err := decodeRecord(encodeRecord(t, at, want))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got); diff != "" || !gotAt.Equal(at) {
			t.Fatalf("seed %d: at %s, want %s: %s", seed, gotAt, at, diff)
		}
	}
}

// TestCodecKnowsEveryField fails when itsm gains a field that a record loses.
func TestCodecKnowsEveryField(t *testing.T) {
	r := random{Rand: rand.New(rand.NewPCG(1, 2)), full: true}
	a, ch, cmd := r.alert(), r.change(), r.command()
	a.Status = itsm.StatusResolved
	ch.Items = []string{"i"}
	ch.Labels, a.Annotations = r.labels(2), r.labels(2)
	want := itsm.Input{
		Adopt:   &itsm.Adopt{Estate: &itsm.Version{ID: "e"}, Rules: &itsm.Version{ID: "r"}, Patterns: &itsm.Version{ID: "p"}},
		Changes: []itsm.Change{ch}, Alerts: []itsm.Alert{a}, Commands: []itsm.Command{cmd}, Silences: []itsm.Silence{r.silence()},
	}
	// The bytes of a version and the line of an events file are not recorded, by intent.
	elsewhere := map[string]bool{"Line": true}
	for _, v := range []reflect.Value{
		reflect.ValueOf(want), reflect.ValueOf(*want.Adopt), reflect.ValueOf(a), reflect.ValueOf(ch), reflect.ValueOf(cmd),
	} {
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !elsewhere[name] {
				t.Errorf("the test does not set %s.%s", v.Type(), name)
			}
		}
	}
	_, got, err := decodeRecord(encodeRecord(t, time.Unix(1, 2), want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// message is an input in generated types.
func message(t *testing.T, at time.Time, in itsm.Input) *eventspb.Record {
	t.Helper()
	m := &eventspb.Record{TimeNs: at.UnixNano()}
	if in.Adopt != nil {
		m.Adopt = &eventspb.Adopt{}
		if in.Adopt.Estate != nil {
			m.Adopt.Estate = in.Adopt.Estate.ID
		}
		if in.Adopt.Rules != nil {
			m.Adopt.Rules = in.Adopt.Rules.ID
		}
		if in.Adopt.Patterns != nil {
			m.Adopt.Patterns = in.Adopt.Patterns.ID
		}
	}
	raw := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for i := range in.Changes {
		m.Changes = append(m.Changes, raw(&in.Changes[i]))
	}
	for i := range in.Silences {
		m.Silences = append(m.Silences, raw(&in.Silences[i]))
	}
	for i := range in.Commands {
		m.Commands = append(m.Commands, raw(&in.Commands[i]))
	}
	labels := func(ls itsm.Labels) (out []*eventspb.Label) {
		for _, l := range ls {
			out = append(out, &eventspb.Label{Name: l.Name, Value: l.Value})
		}
		return out
	}
	ns := func(at time.Time) *int64 {
		if at.IsZero() {
			return nil
		}
		return new(at.UnixNano())
	}
	for i := range in.Alerts {
		a := &in.Alerts[i]
		status := eventspb.Status_STATUS_FIRING
		if a.Status == itsm.StatusResolved {
			status = eventspb.Status_STATUS_RESOLVED
		}
		m.Alerts = append(m.Alerts, &eventspb.Alert{
			Fingerprint: uint64(a.Fingerprint), Labels: labels(a.Labels), Annotations: labels(a.Annotations), Status: status,
			StartsAtNs: ns(a.StartsAt), EndsAtNs: ns(a.EndsAt), GeneratorUrl: a.GeneratorURL, Source: a.Source, GroupKey: a.GroupKey,
			Resend: a.Resend, ObservedAtNs: ns(a.ObservedAt), Suppressed: a.Suppressed,
		})
	}
	return m
}

// TestCodecIsProtobuf: the codec by hand and the generated one write the same bytes, and each
// reads the other's.
func TestCodecIsProtobuf(t *testing.T) {
	for seed := range uint64(200) {
		r := random{Rand: rand.New(rand.NewPCG(seed, 3))}
		at, in := time.Unix(0, 1+r.Int64N(1<<62)).UTC(), r.input()
		m := message(t, at, in)
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		ours := encodeRecord(t, at, in)
		if !bytes.Equal(want, ours) {
			t.Fatalf("seed %d: %x, want %x", seed, ours, want)
		}
		var back eventspb.Record
		if err := proto.Unmarshal(ours, &back); err != nil || !proto.Equal(m, &back) {
			t.Fatalf("seed %d: the generated codec reads something else, %v", seed, err)
		}
	}
}

// TestCodecMerges: two records after each other are one with the lists of both; that is how the
// batcher makes one of many.
func TestCodecMerges(t *testing.T) {
	r := random{Rand: rand.New(rand.NewPCG(7, 7))}
	one, two := itsm.Input{Alerts: []itsm.Alert{r.alert(), r.alert()}}, itsm.Input{Alerts: []itsm.Alert{r.alert()}, Changes: []itsm.Change{r.change()}}
	_, got, err := decodeRecord(append(encodeRecord(t, time.Unix(1, 0), one), encodeRecord(t, time.Unix(2, 0), two)...))
	if err != nil {
		t.Fatal(err)
	}
	want := itsm.Input{Alerts: slices.Concat(one.Alerts, two.Alerts), Changes: two.Changes}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestCodecRefuses: what no door lets in is not an input, and what a newer version writes is read
// as far as it is understood.
func TestCodecRefuses(t *testing.T) {
	at := appendTime(nil, time.Unix(1, 0))
	good := itsm.Alert{Labels: itsm.Labels{{Name: "a", Value: "b"}}, Status: itsm.StatusFiring}
	with := func(change func(*itsm.Alert)) []byte {
		a := good
		change(&a)
		return appendAlert(slices.Clone(at), &a)
	}
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"tick":               {at, true},
		"alert":              {with(func(*itsm.Alert) {}), true},
		"unknown field":      {append(slices.Clone(at), 0xfa, 0x7f, 1, 'x'), true},
		"unknown number":     {append(slices.Clone(at), 15<<3|wireFixed32, 1, 2, 3, 4), true},
		"nothing":            {nil, false},
		"no time":            {appendAlert(nil, &good), false},
		"no labels":          {with(func(a *itsm.Alert) { a.Labels = nil }), false},
		"no status":          {with(func(a *itsm.Alert) { a.Status = "" }), false},
		"labels unsorted":    {with(func(a *itsm.Alert) { a.Labels = itsm.Labels{{Name: "b"}, {Name: "a"}} }), false},
		"label twice":        {with(func(a *itsm.Alert) { a.Labels = itsm.Labels{{Name: "a"}, {Name: "a"}} }), false},
		"not UTF-8":          {with(func(a *itsm.Alert) { a.Labels = itsm.Labels{{Name: "a", Value: "\xff"}} }), false},
		"source not UTF-8":   {with(func(a *itsm.Alert) { a.Source = "\xff" }), false},
		"change not JSON":    {appendBytes(slices.Clone(at), tagChange, []byte("{")), false},
		"command not JSON":   {appendBytes(slices.Clone(at), tagCommand, nil), false},
		"cut off":            {at[:5], false},
		"length beyond":      {append(slices.Clone(at), tagAlert, 100), false},
		"group":              {append(slices.Clone(at), 1<<3|3), false},
		"endless number":     {append(slices.Clone(at), bytes.Repeat([]byte{0xff}, 20)...), false},
		"half an alert":      {append(slices.Clone(at), tagAlert, 1, tagLabel), false},
		"half a label":       {append(slices.Clone(at), tagAlert, 4, tagLabel, 2, tagName, 9), false},
		"half an adoption":   {append(slices.Clone(at), tagAdopt, 1, tagEstate), false},
		"negative time":      {appendTime(nil, time.Unix(-1, 0)), true},
		"time twice is fine": {append(slices.Clone(at), at...), true},
	} {
		_, _, err := decodeRecord(c.data)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, errUndecodable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecodeInput: no bytes make the decoder panic, and what it accepts it would write and read
// as the same again.
func FuzzDecodeInput(f *testing.F) {
	r := random{Rand: rand.New(rand.NewPCG(9, 9))}
	for range 10 {
		f.Add(encodeRecord(f, time.Unix(1, 0), r.input()))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		at, in, err := decodeRecord(data)
		if err != nil {
			return
		}
		again, got, err := decodeRecord(encodeRecord(t, at, in))
		if err != nil {
			t.Fatalf("not readable again: %v", err)
		}
		if diff := cmp.Diff(in, got, cmpopts.EquateEmpty()); diff != "" || !again.Equal(at) {
			t.Errorf("at %s, then %s: %s", at, again, diff)
		}
	})
}

// FuzzReadBatch: no bytes from a broker make the reader panic.
func FuzzReadBatch(f *testing.F) {
	var b batch
	b.add([]byte("key"), []byte("value"))
	b.add(nil, nil)
	f.Add(slices.Clone(b.seal(anonymous(), time.Unix(1, 0))[frameHead:]), true)
	f.Fuzz(func(t *testing.T, data []byte, repair bool) {
		if repair { // let the fuzzer past the checksum
			data = slices.Clone(data)
			if len(data) >= batchHeader {
				resum(data)
			}
		}
		records := 0
		info, n, err := readBatch(data, func(entry) error { records++; return nil })
		if err == nil && (n < 0 || n > len(data)) {
			t.Errorf("%d bytes of %d, %+v", n, len(data), info)
		}
		set, _ := wholeBatches(data, 0)
		if len(set) > len(data) {
			t.Errorf("%d bytes of %d", len(set), len(data))
		}
	})
}
