package alertmanager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// fakeSilences keeps silences as Alertmanager's silence.Silences does: what it has silenced so far stays true.
type fakeSilences struct {
	list []Silence
	next int
}

func (f *fakeSilences) at(now time.Time) []Silence {
	out := slices.Clone(f.list)
	for i := range out {
		out[i].Status.State = out[i].State(now)
	}
	return out
}

func (f *fakeSilences) find(id string) *Silence {
	i := slices.IndexFunc(f.list, func(s Silence) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return &f.list[i]
}

func (f *fakeSilences) put(now time.Time, s itsm.Silence) error {
	if _, err := itsm.CompileMatchers(s.Matchers); err != nil || !s.EndsAt.After(s.StartsAt) || s.EndsAt.Before(now) {
		return &StatusError{400, "invalid silence"}
	}
	if s.ID != "" {
		before := f.find(s.ID)
		if before == nil {
			return &StatusError{404, "silence not found"}
		}
		state := before.State(now)
		if slices.Equal(before.Matchers, s.Matchers) && (state == itsm.SilenceActive && s.StartsAt.Equal(before.StartsAt) || state == itsm.SilencePending && !s.StartsAt.Before(now)) {
			before.Silence = s
			return nil
		}
		f.expire(now, s.ID)
	}
	f.next++
	s.ID = fmt.Sprintf("silence-%d", f.next)
	if s.StartsAt.Before(now) {
		s.StartsAt = now
	}
	f.list = append(f.list, Silence{Silence: s})
	return nil
}

func (f *fakeSilences) expire(now time.Time, id string) {
	if s := f.find(id); s.State(now) != itsm.SilenceExpired {
		s.StartsAt = earlier(s.StartsAt, now)
		s.EndsAt = now
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// apply does what a plan says.
func (f *fakeSilences) apply(tb testing.TB, now time.Time, p *writeThrough) {
	tb.Helper()
	for _, s := range p.put {
		if err := f.put(now, s); err != nil {
			tb.Errorf("%+v: %v", s, err)
		}
	}
	for _, id := range p.expire {
		f.expire(now, id)
	}
}

// active lists the silences that are not expired: matchers, who made them, and the minutes to their beginning and end.
func (f *fakeSilences) active(now time.Time) []string {
	out := []string{}
	for _, s := range f.at(now) {
		if s.Status.State != itsm.SilenceExpired {
			begins := max(0, s.StartsAt.Sub(now))
			out = append(out, fmt.Sprintf("%s %s %s in %v for %v", s.ID, strings.TrimSuffix(matcherKey(s.Matchers), ","), s.CreatedBy, begins, s.EndsAt.Sub(now)-begins))
		}
	}
	return out
}

const testLength = 15 * time.Minute

func planFor(f *fakeSilences, now time.Time, holds []Hold, listed []itsm.Labels) *writeThrough {
	alerts := newUpstreamAlerts(holds, []string{"replica"})
	for _, l := range listed {
		alerts.take(l)
	}
	ours := slices.DeleteFunc(f.at(now), func(s Silence) bool { return !ourSilence(&s, "here") })
	return newPlanner("here", now, testLength, alerts, ours).plan(holds)
}

func labelSet(pairs ...string) itsm.Labels {
	m := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		m[name] = value
	}
	return itsm.NewLabels(m)
}

func held(sets ...itsm.Labels) []HeldAlert {
	var out []HeldAlert
	for _, l := range sets {
		l = l.Without([]string{"replica"})
		out = append(out, HeldAlert{l.Fingerprint(), func() itsm.Labels { return l }})
	}
	return out
}

func testStart() time.Time { return time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC) }

func TestWriteThrough_plan(t *testing.T) {
	start := testStart()
	a, b := labelSet("alertname=Down", "instance=a"), labelSet("alertname=Down", "instance=b")
	wide := labelSet("alertname=Down", "instance=a", "port=1")
	replicas := []itsm.Labels{labelSet("alertname=Down", "instance=a", "replica=1"), labelSet("alertname=Down", "instance=a", "replica=2")}
	acknowledged := func(sets ...itsm.Labels) Hold {
		return Hold{Kind: HoldAcknowledged, ID: "id-1", Name: "INC-000001", By: "maria", Alerts: held(sets...)}
	}
	maintenance := func(from, to time.Duration, ids ...itsm.Labels) Hold {
		return Hold{Kind: HoldMaintenance, ID: "chg-[1]", Name: "New disks", StartsAt: start.Add(from), EndsAt: start.Add(to), Identifiers: ids}
	}
	type step struct {
		after  time.Duration // since the one before
		holds  []Hold
		listed []itsm.Labels
		want   []string
	}
	for name, steps := range map[string][]step{
		"an alert, and one that joins": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a, b}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
			{0, []Hold{acknowledged(a, b)}, []itsm.Labels{a, b}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`, `silence-2 alertname="Down",instance="b" maria in 0s for 15m0s`}},
			{time.Minute, []Hold{acknowledged(b)}, []itsm.Labels{a, b}, []string{`silence-2 alertname="Down",instance="b" maria in 0s for 14m0s`}},
			{0, nil, []itsm.Labels{a, b}, []string{}},
		},
		"prolonged under its id": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
			{5 * time.Minute, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 10m0s`}},
			{time.Second, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
		},
		"made anew when it has ended, or was ended by hand": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
			{time.Hour, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-2 alertname="Down",instance="a" maria in 0s for 15m0s`}},
		},
		"what the Alertmanager does not know is not silenced there": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{b}, []string{}},
		},
		"an Alertmanager that was just started lists no alerts": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
			{6 * time.Minute, []Hold{acknowledged(a)}, nil, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
			{0, nil, nil, []string{}},
		},
		"each replica as the Alertmanager knows it": {
			{0, []Hold{acknowledged(a)}, replicas, []string{`silence-1 alertname="Down",instance="a",replica="1" maria in 0s for 15m0s`, `silence-2 alertname="Down",instance="a",replica="2" maria in 0s for 15m0s`}},
			{6 * time.Minute, []Hold{acknowledged(a)}, nil, []string{`silence-1 alertname="Down",instance="a",replica="1" maria in 0s for 15m0s`, `silence-2 alertname="Down",instance="a",replica="2" maria in 0s for 15m0s`}},
		},
		"an alert with more labels is another one": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a, wide}, []string{`silence-1 alertname="Down",instance="a",port="" maria in 0s for 15m0s`}},
			{0, []Hold{acknowledged(a, wide)}, []itsm.Labels{a, wide}, []string{`silence-2 alertname="Down",instance="a" maria in 0s for 15m0s`, `silence-3 alertname="Down",instance="a",port="1" maria in 0s for 15m0s`}},
		},
		"another person": {
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
			{0, []Hold{{Kind: HoldAcknowledged, ID: "id-1", Name: "INC-000001", Alerts: held(a)}}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" signalbox in 0s for 15m0s`}},
		},
		"a window, which is moved, made longer and shorter": {
			{0, []Hold{maintenance(time.Minute, time.Hour, labelSet("instance=a"))}, nil, []string{`silence-1 instance="a" signalbox in 1m0s for 59m0s`}},
			{0, []Hold{maintenance(30*time.Second, time.Hour, labelSet("instance=a"))}, nil, []string{`silence-1 instance="a" signalbox in 30s for 59m30s`}},
			{time.Minute, []Hold{maintenance(30*time.Second, 2*time.Hour, labelSet("instance=a"))}, nil, []string{`silence-1 instance="a" signalbox in 0s for 1h59m0s`}},
			{time.Minute, []Hold{maintenance(30*time.Second, 10*time.Minute, labelSet("instance=a"))}, nil, []string{`silence-1 instance="a" signalbox in 0s for 8m0s`}},
			{8 * time.Minute, nil, nil, []string{}},
		},
		"a window without an end": {
			{0, []Hold{{Kind: HoldMaintenance, ID: "chg-1", Name: "x", By: "lea", StartsAt: start, Identifiers: []itsm.Labels{labelSet("instance=a")}}}, nil, []string{`silence-1 instance="a" lea in 0s for 15m0s`}},
		},
		"no silence for everything": {
			{0, []Hold{maintenance(0, time.Hour, nil, labelSet("instance="), labelSet("=a"), labelSet("instance=a", "job="))}, []itsm.Labels{a}, []string{}},
		},
		"maintenance of what has no identifiers holds what fires": {
			{
				0,
				[]Hold{{Kind: HoldMaintenance, ID: "chg-1", Name: "x", StartsAt: start, EndsAt: start.Add(time.Hour), Alerts: held(a, b), Identifiers: []itsm.Labels{labelSet("instance=a")}}},
				[]itsm.Labels{a, b},
				[]string{`silence-1 instance="a" signalbox in 0s for 1h0m0s`, `silence-2 alertname="Down",instance="b" signalbox in 0s for 1h0m0s`},
			},
		},
		"two reasons for one silence": {
			{0, []Hold{maintenance(0, time.Hour, a), acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" signalbox in 0s for 1h0m0s`}},
			{0, []Hold{acknowledged(a)}, []itsm.Labels{a}, []string{`silence-1 alertname="Down",instance="a" maria in 0s for 15m0s`}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, now := &fakeSilences{}, start
			for i, s := range steps {
				now = now.Add(s.after)
				f.apply(t, now, planFor(f, now, s.holds, s.listed))
				if diff := gocmp.Diff(s.want, f.active(now)); diff != "" {
					t.Errorf("step %d (-want +got):\n%s", i, diff)
				}
				if p := planFor(f, now, s.holds, s.listed); len(p.put)+len(p.expire) > 0 {
					t.Errorf("step %d: a second time there is still to do %+v", i, p)
				}
			}
		})
	}
}

// TestWriteThrough_others: silences of people and of other installations are none of ours, and one that
// was made twice is there once.
func TestWriteThrough_others(t *testing.T) {
	now := testStart()
	a := labelSet("alertname=Down", "instance=a")
	h := Hold{Kind: HoldAcknowledged, ID: "id-1", Name: "INC-000001", By: "maria", Alerts: held(a)}
	f := &fakeSilences{}
	for _, comment := range []string{"by hand", "copied [signalbox here]", h.comment("there"), h.comment("here"), h.comment("here")} {
		if err := f.put(now, itsm.Silence{Matchers: equal(a), StartsAt: now, EndsAt: now.Add(testLength), CreatedBy: "maria", Comment: comment}); err != nil {
			t.Fatal(err)
		}
	}
	p := planFor(f, now, []Hold{h}, []itsm.Labels{a})
	if len(p.put) != 0 || !slices.Equal(p.expire, []string{"silence-5"}) {
		t.Errorf("got %+v", p)
	}
	if p := planFor(f, now, nil, []itsm.Labels{a}); len(p.put) != 0 || !slices.Equal(p.expire, []string{"silence-4", "silence-5"}) {
		t.Errorf("got %+v", p)
	}
}

func TestWriteThrough_bound(t *testing.T) {
	now := testStart()
	var sets []itsm.Labels
	for i := range maxSilences + 7 {
		sets = append(sets, labelSet("alertname=Down", fmt.Sprintf("instance=%d", i)))
	}
	p := planFor(&fakeSilences{}, now, []Hold{{Kind: HoldAcknowledged, ID: "id-1", Name: "INC-000001", Alerts: held(sets...)}}, sets)
	if len(p.put) != maxSilences || p.wanted != maxSilences+7 || p.beyond != 7 || p.held["id-1"] != maxSilences {
		t.Errorf("%d silences of %d wanted, %d beyond, %v", len(p.put), p.wanted, p.beyond, p.held)
	}
}

// TestWriteThrough_random: whatever is acknowledged, listed and under maintenance in turn, what is listed
// and held is silent, what is not is not, and to plan again gives nothing to do.
func TestWriteThrough_random(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // to be seen again.
		f, now := &fakeSilences{}, testStart()
		var universe []itsm.Labels
		for range 1 + r.IntN(12) {
			universe = append(universe, randomSet(r))
		}
		for range 6 {
			now = now.Add(time.Duration(r.IntN(600)) * time.Second)
			listed := slices.Clone(universe[:r.IntN(len(universe)+1)])
			holds := randomHolds(r, now, universe)
			f.apply(t, now, planFor(f, now, holds, listed))
			checkSilent(t, f, now, holds, listed)
			if p := planFor(f, now, holds, listed); len(p.put)+len(p.expire) > 0 {
				t.Errorf("a second time there is still to do %+v", p)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// randomSet is a set of few labels and values, so that many contain each other.
func randomSet(r *rand.Rand) itsm.Labels {
	m := map[string]string{"x": "0"}
	for _, name := range []string{alertname, "b", "c", "replica"} {
		if r.IntN(2) == 0 {
			m[name] = strconv.Itoa(r.IntN(2))
		}
	}
	return itsm.NewLabels(m)
}

func randomHolds(r *rand.Rand, now time.Time, universe []itsm.Labels) []Hold {
	var out []Hold
	if r.IntN(3) == 0 {
		h := Hold{Kind: HoldMaintenance, ID: "chg", Name: "x", StartsAt: now.Add(-time.Minute), Identifiers: []itsm.Labels{labelSet("b=1")}}
		if r.IntN(2) == 0 {
			h.EndsAt = now.Add(time.Duration(1+r.IntN(60)) * time.Minute)
		}
		out = append(out, h)
	}
	for id := range r.IntN(3) {
		h := Hold{Kind: HoldAcknowledged, ID: strconv.Itoa(id), Name: strconv.Itoa(id), By: []string{"maria", "jonas"}[r.IntN(2)]}
		for _, l := range universe {
			if r.IntN(3) == 0 {
				h.Alerts = append(h.Alerts, held(l)...)
			}
		}
		out = append(out, h)
	}
	return out
}

func checkSilent(t *testing.T, f *fakeSilences, now time.Time, holds []Hold, listed []itsm.Labels) {
	t.Helper()
	for _, l := range listed {
		want := false
		for _, h := range holds {
			fp := l.Without([]string{"replica"}).Fingerprint()
			want = want || slices.ContainsFunc(h.Alerts, func(a HeldAlert) bool { return a.Fingerprint == fp }) ||
				slices.ContainsFunc(h.Identifiers, func(id itsm.Labels) bool { return contains(l, id) })
		}
		got := false
		for _, s := range f.at(now) {
			ms, err := itsm.CompileMatchers(s.Matchers)
			if err != nil {
				t.Fatal(err)
			}
			got = got || s.Status.State == itsm.SilenceActive && ms.Match(l.Get)
		}
		if got != want {
			t.Errorf("%v is silenced: %v, want %v; silences %v", l, got, want, f.active(now))
		}
	}
}

func TestParseOwner(t *testing.T) {
	for _, o := range []owner{{"x", HoldAcknowledged, "id"}, {"x", HoldMaintenance, "an id of words"}, {"x", "y", ""}} {
		if got, ok := parseOwner("[a] comment " + o.String()); !ok || got != o {
			t.Errorf("%+v: got %+v %v", o, got, ok)
		}
	}
	for _, comment := range []string{"", "[]", "]", "[signalbox x acknowledge id", "[signalbox x acknowledge]", "[other x acknowledge id]", "[signalbox x acknowledge id] and more"} {
		if got, ok := parseOwner(comment); ok {
			t.Errorf("%q: got %+v", comment, got)
		}
	}
}

// FuzzSilences: whatever an Alertmanager answers, we read it or say that we cannot, and what is planned
// then is never a silence for everything.
func FuzzSilences(f *testing.F) {
	h := Hold{Kind: HoldAcknowledged, ID: "id-1", Name: "INC-000001", By: "maria", Alerts: held(labelSet("alertname=Down"))}
	var seed []Silence
	for _, ms := range [][]itsm.Matcher{equal(labelSet("alertname=Down")), {{Name: alertname, Value: "D.*", IsRegex: true}}, nil} {
		var s Silence
		s.ID, s.Matchers, s.StartsAt, s.EndsAt, s.CreatedBy, s.Comment = "s", ms, testStart(), testStart().Add(time.Hour), "maria", h.comment("here")
		s.Status.State = itsm.SilenceActive
		seed = append(seed, s)
	}
	body, err := json.Marshal(seed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`[{"id":"x","status":{"state":"expired"},"matchers":[{"name":"a","value":"b","isRegex":false}]}]`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var ours []Silence
		err := decodeArray(bytes.NewReader(body), func(s Silence) error {
			if ourSilence(&s, "here") {
				ours = append(ours, s)
			}
			return nil
		})
		if err != nil {
			return
		}
		alerts := newUpstreamAlerts([]Hold{h}, nil)
		p := newPlanner("here", testStart(), testLength, alerts, ours).plan([]Hold{h})
		for _, s := range p.put {
			if len(s.Matchers) == 0 || !slices.ContainsFunc(s.Matchers, func(m itsm.Matcher) bool { return m.IsEqual && !m.IsRegex && m.Value != "" }) {
				t.Errorf("planned: %+v", s)
			}
		}
	})
}
