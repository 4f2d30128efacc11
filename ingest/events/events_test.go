package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/ingest/ingesttest"
	"signalbox/itsm"
)

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// readAll reads a file to its end.
func readAll(r *Reader) ([]itsm.Record, error) {
	var out []itsm.Record
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, rec)
	}
}

func newReader(text string) *Reader {
	return NewReader(strings.NewReader(text), ReaderOptions{Name: "f.jsonl", IgnoreLabels: []string{"__replica__"}})
}

func body(alerts ...string) []byte {
	var b bytes.Buffer
	for _, a := range alerts {
		fmt.Fprintf(&b, "{\"at\":\"2026-01-02T10:00:00Z\",\"alert\":%s}\r\n\n", a)
	}
	return b.Bytes()
}

func TestDecodeBody_conforms(t *testing.T) {
	ingesttest.Run(t, ingesttest.Suite{
		Decode: DecodeBody, Body: body, Valid: map[string][]byte{"from CI": file(t, "body_from_ci.jsonl")},
		Foreign: map[string][]byte{
			"a list":      []byte(`[{"alert":{"status":"firing","labels":{"a":"b"}}}]`),
			"blank lines": []byte("\n\n \n"),
			"text lines":  []byte("one\ntwo\n"),
			"words":       []byte("null\ntrue\n\"x\"\n"),
		},
	})
}

func TestDecodeBody(t *testing.T) {
	b, err := DecodeBody(file(t, "body_from_ci.jsonl"), ingesttest.Arrival())
	if err != nil || len(b.Changes) != 2 || len(b.Alerts) != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	if got := b.Changes[0].StartsAt; !got.Equal(ingesttest.Arrival().At) {
		t.Errorf("a change without times begins at %s", got)
	}
	if got, want := b.Changes[1].StartsAt, time.Date(2026, 1, 2, 9, 58, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("a change that is over begins at %s", got)
	}
	trap, over := b.Alerts[0], b.Alerts[1]
	if trap.Source != "snmptrapd" || !trap.ObservedAt.Equal(time.Date(2026, 1, 2, 8, 59, 59, 0, time.UTC)) || !trap.EndsAt.Equal(trap.StartsAt) {
		t.Errorf("got %+v", trap)
	}
	if over.Source != "" || !over.ObservedAt.IsZero() || over.Status != itsm.StatusResolved {
		t.Errorf("got %+v", over)
	}
	b, err = DecodeBody([]byte(`{"at":"2026-01-02T09:00:00+01:00","alert":{"status":"firing","labels":{"a":"b"}}}`), ingesttest.Arrival())
	if want := time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC); err != nil || !b.Alerts[0].ObservedAt.Equal(want) {
		t.Errorf("at is not kept as the time of observation: %+v, %v", b, err)
	}
}

func TestDecodeBody_refusesEachLineAlone(t *testing.T) {
	const good = `{"alert":{"status":"firing","labels":{"a":"b"}}}`
	for _, tc := range []struct{ line, field, reason string }{
		{`{"at":"2026-01-02T10:00:00Z"}`, "", "an alert or a change is expected"},
		{`{}`, "", "an alert or a change is expected"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"sourc":"x"}`, "sourc", "is not a field of an events file"},
		{`{"Alert":{"status":"firing","labels":{"a":"b"}}}`, "Alert", "is not a field of an events file"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"source":7}`, "source", "a string is expected"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"source":"` + strings.Repeat("s", 1025) + `"}`, "source", "longer than"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"resend":"yes"}`, "resend", "true or false is expected"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"record":1.5}`, "record", "a whole number is expected"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"at":"noon"}`, "at", "a time such as"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"at":5}`, "at", "a time such as"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"at":"1950-01-01T00:00:00Z"}`, "at", "1970"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"observedAt":"2400-01-01T00:00:00Z"}`, "observedAt", "2262"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"change":{"id":"c","kind":"deploy","items":["i"]}}`, "", "one of alert, silence, change"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"source":"a","source":"b"}`, "source", "stands twice"},
		{"{\"alert\":{\"status\":\"firing\",\"labels\":{\"a\":\"b\"}},\"source\":\"\xff\"}", "source", "UTF-8"},
		{`{"change":{"kind":"deploy","items":["i"]}}`, "id", "is missing"},
		{`{"change":{"id":"c","kind":"release","items":["i"]}}`, "kind", "must be one of"},
		{`{"change":{"id":"c","kind":"deploy","items":["i"],"author":"x"}}`, "author", "is not a field here"},
		{`{"change":{"ID":"c","id":"c","kind":"deploy","items":["i"]}}`, "ID", "is not a field here"},
		{`{"change":{"id":"c","id":"d","kind":"deploy","items":["i"]}}`, "id", "stands twice"},
		{`{"change":{"id":"c","kind":"deploy","items":"i"}}`, "items", "a list is expected"},
		{`{"change":{"id":"c","kind":"deploy","items":[1]}}`, "items", "a string is expected"},
		{`{"change":{"id":"c","kind":"deploy","labels":{"a":1}}}`, "labels", "labels.a: a string is expected"},
		{`{"change":{"id":"c","kind":"deploy","items":["i"],"startsAt":"now"}}`, "startsAt", "a time such as"},
		{`{"change":{"id":"c","kind":"deploy","items":["i"],"startsAt":"2300-01-01T00:00:00Z"}}`, "startsAt", "2262"},
		{"{\"change\":{\"id\":\"c\xff\",\"kind\":\"deploy\",\"items\":[\"i\"]}}", "change", "UTF-8"},
		{`{"change":[]}`, "", "an object is expected"},
		{`{"change":{"id":"c","kind":"deploy","items":["i"]},"source":"x"}`, "source", "belongs to an alert"},
		{`{"change":{"id":"c","kind":"deploy","items":["i"]},"suppressed":"x"}`, "suppressed", "belongs to an alert"},
		{`{"alert":{"status":"firing","labels":{"a":"b"}},"suppressed":"` + strings.Repeat("x", maxSource+1) + `"}`, "suppressed", "is longer than"},
		{`{"change":{"id":"c","kind":"deploy","items":["i"],"by":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`, "by", "a string is expected"},
		{`{"alert":{"status":"firing","labels":{"a":"b"},"new":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`, "", "nested deeper than 64"},
		{`{"command":{"id":"k","action":"close","incident":"INC-000001"}}`, "command", "/api/v1/incidents"},
		{`{"adopt":{"estate":{}}}`, "adopt", "/api/v1/estate"},
		{`{"alert":5}`, "alert", "an object is expected"},
		{`{"alert":{"status":"firing"`, "", "is expected at byte"},
		{`hello`, "", "is expected at byte"},
		{good + good, "", "the end of the text is expected"},
	} {
		b, err := DecodeBody([]byte(good+"\n"+tc.line+"\n"+good+"\n"), ingesttest.Arrival())
		if err != nil || len(b.Alerts) != 2 || b.RefusedCount != 1 {
			t.Errorf("%.200s: %d accepted, %d refused, %v", tc.line, b.Accepted(), b.RefusedCount, err)
			continue
		}
		ingesttest.CheckBatch(t, &b)
		found := false
		for _, r := range b.Refused {
			found = found || r.Index == 1 && r.Field == tc.field && strings.Contains(r.Reason, tc.reason)
		}
		if !found {
			t.Errorf("%.200s: got %+v, want %q: %q", tc.line, b.Refused, tc.field, tc.reason)
		}
	}
}

func TestReader_everyKind(t *testing.T) {
	r := newReader(string(file(t, "every_kind.jsonl")))
	records, err := readAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, rec := range records {
		if rec.Offset != int64(i) {
			t.Errorf("record %d has offset %d", i, rec.Offset)
		}
		in := rec.Input
		var kind strings.Builder
		fmt.Fprintf(&kind, "%s %d changes %d alerts %d commands", rec.Time.Format("15:04"), len(in.Changes), len(in.Alerts), len(in.Commands))
		if in.Adopt != nil {
			kind.WriteString(" adopt " + string(in.Adopt.Estate.Data))
		}
		for _, a := range in.Alerts {
			fmt.Fprintf(&kind, " line %d", a.Line)
		}
		got = append(got, kind.String())
	}
	want := []string{
		"09:58 1 changes 0 alerts 0 commands",
		"10:00 0 changes 1 alerts 0 commands line 2",
		"10:00 0 changes 2 alerts 0 commands line 3 line 4",
		"10:01 0 changes 0 alerts 1 commands",
		`10:02 0 changes 0 alerts 0 commands adopt {"items":[{"id":"sw-1","class":"switch"}]}`,
		"10:05 0 changes 1 alerts 0 commands line 8",
		"10:06 0 changes 0 alerts 0 commands",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	two := records[2].Input.Alerts
	if !two[0].Resend || two[1].Resend || two[1].GroupKey != `{}:{alertname="HostDown"}` {
		t.Errorf("got %+v", two)
	}
	if a := records[1].Input.Alerts[0]; a.Source != "prom-a" || a.Annotations.Get("magnitude") != "3.5" {
		t.Errorf("got %+v", a)
	}
}

func TestReader_saysLineAndField(t *testing.T) {
	const tick = `{"at":"2026-01-02T10:00:00Z"}` + "\n"
	for _, tc := range []struct{ name, text, want string }{
		{"no at", tick + `{"alert":{"status":"firing","labels":{"a":"b"}}}`, "f.jsonl:2: at: is missing"},
		{"not JSON", tick + "\n" + `{"at":`, "f.jsonl:3: a value is expected at byte 6, where the text ends"},
		{"not an object", tick + `[]`, "f.jsonl:2: an object is expected at byte 0, where '[' stands"},
		{"own field", tick + `{"at":"2026-01-02T10:00:00Z","kind":"x"}`, "f.jsonl:2: kind: is not a field of an events file"},
		{"field of a change", tick + `{"at":"2026-01-02T10:00:00Z","change":{"id":"c","kind":"deploy","items":["i"],"titel":"x"}}`, "f.jsonl:2: change: titel: is not a field here"},
		{"field of a command", tick + `{"at":"2026-01-02T10:00:00Z","command":{"id":"k","action":"close","incident":"i","why":"x"}}`, "f.jsonl:2: command: why: is not a field here"},
		{"command needs", tick + `{"at":"2026-01-02T10:00:00Z","command":{"id":"k","action":"merge","incident":"i"}}`, "f.jsonl:2: command: into: is missing for merge"},
		{"reference", tick + `{"at":"2026-01-02T10:00:00Z","command":{"id":"k","action":"close","incident":5}}`, "f.jsonl:2: command: incident: an incident is an id"},
		{"field of adopt", tick + `{"at":"2026-01-02T10:00:00Z","adopt":{"estat":{}}}`, "f.jsonl:2: adopt: estat: is not a field here"},
		{"empty adopt", tick + `{"at":"2026-01-02T10:00:00Z","adopt":{}}`, "f.jsonl:2: adopt: estate, rules or patterns is expected"},
		{"alert", tick + `{"at":"2026-01-02T10:00:00Z","alert":{"status":"firing","labels":{"a":1}}}`, "f.jsonl:2: alert: labels.a: a string is expected"},
		{"two faults", tick + `{"at":"2026-01-02T10:00:00Z","alert":{"status":"odd","labels":{"a":"b"},"startsAt":"x"}}`, "startsAt: a time such as"},
		{"own and inner", tick + `{"at":"2026-01-02T10:00:00Z","x":1,"alert":{"labels":{"a":"b"}}}`, `f.jsonl:2: x: is not a field of an events file; alert: status: must be firing or resolved, got ""`},
		{"two things", tick + `{"at":"2026-01-02T10:00:00Z","alert":{"status":"firing","labels":{"a":"b"}},"adopt":{"estate":{}}}`, "f.jsonl:2: one of alert, silence, change, command and adopt"},
		{"unordered", tick + `{"at":"2026-01-02T09:59:59.999999999Z"}`, "f.jsonl:2: at: 2026-01-02T09:59:59.999999999Z is before the line above (2026-01-02T10:00:00Z); the file must be ordered by at"},
		{"unordered later", tick + `{"at":"2026-01-02T10:00:00Z","record":1}` + "\n" + `{"at":"2026-01-01T10:00:00Z","record":1}`, "f.jsonl:3: at: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := readAll(newReader(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "f.jsonl:") {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestReader_unknownFieldsOfForeignObjects(t *testing.T) {
	r := newReader(`{"at":"2026-01-02T10:00:00Z","alert":{"status":"firing","labels":{"a":"b","__replica__":"1"},"new":{},"newer":[]}}` + "\n")
	records, err := readAll(r)
	if err != nil || len(records) != 1 || r.Unknown != 2 {
		t.Fatalf("%+v, unknown %d, %v", records, r.Unknown, err)
	}
	if got := records[0].Input.Alerts[0].Labels.String(); got != `{a="b"}` {
		t.Errorf("got %s", got)
	}
}

func TestReader_records(t *testing.T) {
	line := func(at, rest string) string { return `{"at":"2026-01-02T10:00:0` + at + `Z"` + rest + "}\n" }
	for _, tc := range []struct {
		name, text string
		want       int
	}{
		{"none", line("0", "") + line("0", ""), 2},
		{"one", line("0", `,"record":1`) + line("0", `,"record":1`), 1},
		{"two", line("0", `,"record":1`) + line("0", `,"record":2`), 2},
		{"apart", line("0", `,"record":1`) + line("0", "") + line("0", `,"record":1`), 3},
		{"of other times", line("0", `,"record":1`) + line("1", `,"record":1`), 2},
		{"null", line("0", `,"record":null`) + line("0", `,"record":null`), 2},
		{"no newline at the end", strings.TrimSpace(line("0", "")), 1},
		{"blank lines", "\n" + line("0", `,"record":1`) + " \r\n" + line("0", `,"record":1`) + "\n", 1},
		{"empty", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			records, err := readAll(newReader(tc.text))
			if err != nil || len(records) != tc.want {
				t.Errorf("got %d records, %v, want %d", len(records), err, tc.want)
			}
		})
	}
}

func TestReader_changeWithoutTimes(t *testing.T) {
	records, err := readAll(newReader(`{"at":"2026-01-02T10:00:00Z","change":{"id":"c","kind":"deploy","items":["i"]}}`))
	if err != nil || len(records) != 1 || !records[0].Input.Changes[0].StartsAt.Equal(records[0].Time) {
		t.Errorf("%+v, %v", records, err)
	}
}

func TestReader_longLine(t *testing.T) {
	value := strings.Repeat("v", 3<<18) // beyond the reader's buffer
	text := `{"at":"2026-01-02T10:00:00Z","adopt":{"estate":{"items":["` + value + `"]}}}` + "\n"
	records, err := readAll(newReader(text + text))
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for _, r := range records {
		if got := string(r.Input.Adopt.Estate.Data); got != `{"items":["`+value+`"]}` {
			t.Errorf("%d bytes came back", len(got))
		}
	}
}

func TestReader_failsWithItsSource(t *testing.T) {
	broken := errors.New("disk on fire")
	r := NewReader(io.MultiReader(strings.NewReader(`{"at":"2026-01-02T10:00:00Z"}`+"\n"), failing{broken}), ReaderOptions{Name: "f.jsonl"})
	records, err := readAll(r)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") || len(records) != 1 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// random makes inputs of every kind.
type random struct{ *rand.Rand }

func (r random) text() string {
	texts := []string{"a", "x y", `"`, `\`, "<&>", "ü温度😀", "\t\n\r", "\u2028", "\x00", "null", "{}", "\x7f", "\ufffd"}
	return texts[r.IntN(len(texts))] + texts[r.IntN(len(texts))]
}

func (r random) time() time.Time { return time.Unix(r.Int64N(9e9), r.Int64N(1e9)).UTC() }

func (r random) labels(least int) itsm.Labels {
	m := map[string]string{}
	for i := range least + r.IntN(4) {
		m[fmt.Sprint("l", i, r.text())] = r.text()
	}
	return itsm.NewLabels(m)
}

func (r random) alert() itsm.Alert {
	a := itsm.Alert{Labels: r.labels(1), Annotations: r.labels(0), Status: itsm.StatusFiring, Resend: r.IntN(3) == 0}
	if r.IntN(2) == 0 {
		a.Status = itsm.StatusResolved
	}
	for _, s := range []*string{&a.GeneratorURL, &a.Source, &a.GroupKey, &a.Suppressed} {
		if r.IntN(2) == 0 {
			*s = r.text()
		}
	}
	if r.IntN(2) == 0 {
		a.StartsAt = r.time()
		a.EndsAt = a.StartsAt.Add(time.Duration(r.IntN(3)) * time.Minute)
	}
	if r.IntN(2) == 0 {
		a.ObservedAt = r.time()
	}
	a.Fingerprint = a.Labels.Fingerprint()
	return a
}

func (r random) change() itsm.Change {
	kinds, statuses := itsm.ChangeKinds(), itsm.ChangeStatuses()
	c := itsm.Change{
		ID: r.text(), Kind: kinds[r.IntN(len(kinds))], Labels: r.labels(1), Title: r.text(), Status: statuses[r.IntN(len(statuses))],
		StartsAt: r.time(), By: r.text(), URL: r.text(),
	}
	for range r.IntN(3) {
		c.Items = append(c.Items, r.text())
	}
	if r.IntN(2) == 0 {
		end := c.StartsAt.Add(time.Hour)
		c.EndsAt = &end
	}
	return c
}

func (r random) silence() itsm.Silence {
	return itsm.Silence{
		ID: "s" + r.text(), StartsAt: r.time(), EndsAt: itsm.MaxTime().Add(-time.Hour), UpdatedAt: r.time(), CreatedBy: r.text(), Comment: r.text(),
		Matchers: []itsm.Matcher{{Name: "a" + r.text(), Value: "b" + r.text(), IsEqual: true}, {Name: "c", Value: "x.*", IsRegex: true, IsEqual: r.IntN(2) == 0}},
	}
}

func (r random) command() itsm.Command {
	until, entry, revision, other := r.time(), r.IntN(9), r.IntN(9), itsm.IncidentRef{Alert: 77}
	commands := []itsm.Command{
		{Action: itsm.ActionAcknowledge},
		{Action: itsm.ActionAssign, Team: itsm.Some(r.text()), Person: itsm.Optional[string]{Set: true}},
		{Action: itsm.ActionComment, Text: r.text(), Public: true},
		{Action: itsm.ActionPriority, Priority: itsm.Some(2), Reason: r.text()},
		{Action: itsm.ActionPriority, Priority: itsm.Optional[int]{Set: true}},
		{Action: itsm.ActionHold, Reason: r.text(), Until: &until},
		{Action: itsm.ActionSnooze, Until: &until},
		{Action: itsm.ActionResolve, Code: r.text(), Notes: r.text()},
		{Action: itsm.ActionMerge, Into: &other},
		{Action: itsm.ActionMove, To: &other, Alerts: []itsm.Fingerprint{1, 1<<64 - 1}},
		{Action: itsm.ActionConfirmCause, Item: r.text()},
		{Action: itsm.ActionRejectCause, Change: r.text()},
		{Action: itsm.ActionUndo, Entry: &entry},
	}
	c := commands[r.IntN(len(commands))]
	c.ID, c.Incident, c.By, c.Comment = r.text(), itsm.IncidentRef{ID: r.text()}, r.text(), r.text()
	if r.IntN(2) == 0 {
		c.Revision = &revision
	}
	return c
}

func (r random) adopt() *itsm.Adopt {
	doc := func() *itsm.Version {
		b, err := json.Marshal(map[string]any{"items": []any{map[string]any{"id": r.text(), "criticality": r.IntN(5)}}, "x": nil})
		if err != nil {
			panic(err)
		}
		return version(b)
	}
	a := &itsm.Adopt{}
	if r.IntN(2) == 0 {
		a.Rules = doc()
	}
	if r.IntN(2) == 0 {
		a.Patterns = doc()
	}
	if a.Rules == nil || r.IntN(2) == 0 {
		a.Estate = doc()
	}
	return a
}

func (r random) input() itsm.Input {
	var in itsm.Input
	if r.IntN(4) == 0 {
		in.Adopt = r.adopt()
	}
	for range max(0, r.IntN(6)-3) {
		in.Silences = append(in.Silences, r.silence())
	}
	for range max(0, r.IntN(6)-3) {
		in.Changes = append(in.Changes, r.change())
	}
	for range max(0, r.IntN(8)-3) {
		in.Alerts = append(in.Alerts, r.alert())
	}
	for range max(0, r.IntN(6)-3) {
		in.Commands = append(in.Commands, r.command())
	}
	return in
}

func TestWriter_readsBackAsItWas(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 8))}
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	for range 300 {
		var want []itsm.Record
		var out bytes.Buffer
		w := NewWriter(&out)
		offset := r.Int64N(1000)
		for i := range 1 + r.IntN(8) {
			rec := itsm.Record{Offset: offset, Time: at, Input: r.input()}
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
			offset += 1 + r.Int64N(3)                   // bookkeeping of the log lies between
			at = at.Add(time.Duration(r.Int64N(3) * 7)) // several records in one moment too
			rec.Offset = int64(i)
			want = append(want, rec)
		}
		got, err := readAll(NewReader(&out, ReaderOptions{Name: "f.jsonl"}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(itsm.Alert{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestWriter_refusesWhatWouldNotReadBack(t *testing.T) {
	for _, data := range []string{"{\n}", " {}", "{} ", "items: []", "{}\r", ""} {
		w := NewWriter(io.Discard)
		err := w.Write(itsm.Record{Offset: 4, Input: itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v", Data: []byte(data)}}}})
		if err == nil || !strings.Contains(err.Error(), "record 4") {
			t.Errorf("%q: %v", data, err)
		}
	}
	broken := errors.New("disk full")
	if err := NewWriter(full{broken}).Write(itsm.Record{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func FuzzEvents(f *testing.F) {
	for _, name := range []string{"every_kind.jsonl", "body_from_ci.jsonl"} {
		for line := range bytes.Lines(file(f, name)) {
			f.Add(line)
		}
		f.Add(file(f, name))
	}
	f.Add(body(ingesttest.Good("a"), `{"labels":{"x":"\ud83d"},"status":"firing"}`, `null`))
	f.Add([]byte("{\"change\":{\"id\":\"\xff\"}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := DecodeBody(text, ingesttest.Arrival())
		if err == nil {
			ingesttest.CheckBatch(t, &b)
			checkLines(t, text, b.RefusedCount)
		}
		checkFile(t, text)
	})
}

// checkLines makes sure that as many lines are refused as are no JSON, at least.
func checkLines(t *testing.T, text []byte, refused int) {
	t.Helper()
	bad := 0
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !json.Valid(line) {
			bad++
		}
	}
	if bad > refused {
		t.Fatalf("%d lines are no JSON, %d are refused", bad, refused)
	}
}

// checkFile reads a text as a file; what can be read is written and read back as it was.
func checkFile(t *testing.T, text []byte) {
	t.Helper()
	records, err := readAll(newReader(string(text)))
	if err != nil {
		if !strings.HasPrefix(err.Error(), "f.jsonl:") {
			t.Fatalf("%v does not name the line", err)
		}
		return
	}
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	again, err := readAll(newReader(out.String()))
	if err != nil {
		t.Fatalf("%s: %v", out.String(), err)
	}
	if diff := cmp.Diff(records, again, cmpopts.IgnoreFields(itsm.Alert{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
}
