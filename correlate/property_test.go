package correlate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/itsm"
)

// eachHistory tries a property on random histories.
func eachHistory(t *testing.T, property func(t *testing.T, records []itsm.Record)) {
	t.Helper()
	for seed := range uint64(*histories) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			property(t, newHistory(rand.NewPCG(seed, 3), 200))
		})
	}
}

// TestInvariants holds what is true at every moment of every history, in the engine and on its topics.
func TestInvariants(t *testing.T) { eachHistory(t, checkHistory) }

func checkHistory(t *testing.T, records []itsm.Record) {
	t.Helper()
	w := newWorld(t, newEngine(t))
	for i := range records {
		w.where = fmt.Sprintf("record %d", i)
		w.take(w.e.Apply(records[i].Time, records[i].Input))
		checkInvariants(t, w.e)
		if i%20 == 0 || i == len(records)-1 {
			w.compareWithTopics()
		}
	}
}

// TestTwiceIsOnce holds that a record that comes twice changes nothing the second time, as long as it does not say
// different things of one alert.
func TestTwiceIsOnce(t *testing.T) { eachHistory(t, checkTwice) }

func checkTwice(t *testing.T, records []itsm.Record) {
	t.Helper()
	once, twice := newEngine(t), newEngine(t)
	for i := range records {
		r := records[i]
		r.Input.Alerts = eachOnce(r.Input.Alerts)
		once.Apply(r.Time, r.Input)
		once.Advance(r.Time) // what falls due with the record itself
		twice.Apply(r.Time, r.Input)
		twice.Apply(r.Time, r.Input)
		twice.Advance(r.Time)
		if i%8 != 0 && i < len(records)-1 {
			continue
		}
		for fp, a := range once.alerts {
			if b := twice.alerts[fp]; b == nil || !bytes.Equal(a.encode(), b.encode()) {
				t.Fatalf("record %d: alert %s: once %+v, twice %+v", i, fp, a, b)
			}
		}
		if want, got := asJSON(t, once.Incidents()), asJSON(t, twice.Incidents()); got != want {
			t.Fatalf("up to record %d %s:\n%s", i, asJSON(t, r.Input), diff(want, got))
		}
	}
}

// eachOnce leaves the first of each identity.
func eachOnce(alerts []itsm.Alert) []itsm.Alert {
	var out []itsm.Alert
	for _, a := range alerts {
		if !slices.ContainsFunc(out, func(o itsm.Alert) bool { return o.Fingerprint == a.Fingerprint }) {
			out = append(out, a)
		}
	}
	return out
}

// TestIndependentEstates holds that what happens in one estate is the same whatever happens in another one that shares
// no item, name or source with it.
func TestIndependentEstates(t *testing.T) {
	for seed := range uint64(*histories) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			var alone []string
			both := newEngine(t)
			var estate strings.Builder
			var records []itsm.Record
			for i, name := range []string{"a", "b"} {
				h := &history{rand: rand.New(rand.NewPCG(seed, uint64(i))), at: start()} //nolint:gosec // a repeatable test
				for len(h.records) < 100 {
					h.step()
				}
				estate.WriteString(plantOf(name))
				engine := newEngine(t)
				engine.Apply(start(), itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v", Data: estateOf(plantOf(name))}}})
				for j := range h.records {
					rename(&h.records[j].Input, name)
				}
				applyAll(engine, h.records)
				engine.Advance(start().AddDate(0, 0, 20))
				records = append(records, h.records...)
				alone = append(alone, essence(engine)...)
			}
			slices.SortStableFunc(records, func(a, b itsm.Record) int { return a.Time.Compare(b.Time) })
			both.Apply(start(), itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v", Data: estateOf(estate.String())}}})
			applyAll(both, records)
			both.Advance(start().AddDate(0, 0, 20))
			slices.Sort(alone)
			if d := cmp.Diff(alone, essence(both)); d != "" {
				t.Errorf("(-alone +together):\n%s", d)
			}
		})
	}
}

func applyAll(e *Engine, records []itsm.Record) {
	for i := range records {
		e.Apply(records[i].Time, records[i].Input)
	}
}

// plantOf is an estate whose items begin with a name.
func plantOf(name string) string {
	return strings.ReplaceAll(`
item $mon host
item $core switch criticality=1
item $sw-[1-3] switch
relation $sw-[1-3] connects_to $core
item $h[1-3][1-3] host
relation $h1[1-3] connects_to $sw-1
relation $h2[1-3] connects_to $sw-2
relation $h3[1-3] connects_to $sw-3
item $p[1-3][1-3] pod
relation $p[1-3][1-3] runs_on $h1[=]
item $web service
relation $p1[1-3] member_of $web
item $db database
item $[cart,mail] service
relation $[cart,mail,web] depends_on $db
`, "$", name)
}

// rename makes everything in an input a matter of one estate.
func rename(in *itsm.Input, name string) {
	for i := range in.Alerts {
		a := &in.Alerts[i]
		m := a.Labels.Map()
		for k, v := range m {
			switch {
			case k == "severity", v == "Watchdog":
			case k == "alertname":
				m[k] = v + "-" + name
			default:
				m[k] = name + v
			}
		}
		a.Labels = itsm.NewLabels(m)
		a.Fingerprint, a.Source = a.Labels.Fingerprint(), name+a.Source
	}
	for i := range in.Changes {
		c := &in.Changes[i]
		for j := range c.Items {
			c.Items[j] = name + c.Items[j]
		}
		c.ID = name + c.ID
	}
}

// essence is what incidents are but for their numbers.
func essence(e *Engine) []string {
	var out []string
	for _, inc := range e.Incidents() {
		if inc.MergedInto != nil {
			continue
		}
		sets := make([]itsm.Labels, len(inc.Alerts))
		for i := range inc.Alerts {
			sets[i] = inc.Alerts[i].Labels
		}
		causes := make([]string, len(inc.Causes))
		for i := range inc.Causes {
			causes[i] = fmt.Sprintf("%s %.3f", causeText(&inc.Causes[i]), inc.Causes[i].Score)
		}
		out = append(out, fmt.Sprintf("%s %s %q P%d %+v causes %v: %s", inc.OpenedAt, inc.State, inc.Title, inc.Priority, inc.AlertCounts,
			causes, textsOf(sets)))
	}
	slices.Sort(out)
	return out
}

// bytesSource draws random numbers from bytes, so that a fuzzer can change single decisions, and from rest when
// there are no more.
type bytesSource struct {
	data []byte
	rest rand.PCG
}

func (s *bytesSource) Uint64() uint64 {
	if len(s.data) < 2 {
		return s.rest.Uint64()
	}
	v := uint64(binary.LittleEndian.Uint16(s.data))
	s.data = s.data[2:]
	return v<<48 | v<<16 | math.MaxUint16 // rand takes the upper or the lower bits
}

// FuzzEngine tries histories that a fuzzer invents on everything that is promised of all histories.
func FuzzEngine(f *testing.F) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 4)) //nolint:gosec // repeatable
		data := make([]byte, 800)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		records := newHistory(&bytesSource{data: data}, min(30, 2+len(data)/30))
		checkHistory(t, records)
		checkTwice(t, records)
		checkRestore(t, records, rand.New(rand.NewPCG(uint64(len(data)), 5)), 6) //nolint:gosec // repeatable
	})
}

// checkInvariants holds what is true of every engine at every moment.
func checkInvariants(t *testing.T, e *Engine) {
	t.Helper()
	covered := e.coverage()
	for fp, a := range e.alerts {
		if want, got := settled(e, silencedBy(e, a)), settled(e, a.silences); !slices.Equal(want, got) {
			t.Fatalf("alert %s %v is silenced by %v, want %v", fp, a.labels, got, want)
		}
		if want := covered[a.node]; a.window != want {
			t.Fatalf("alert %s %v is under %v, want %v", fp, a.labels, a.window, want)
		}
		if !a.open && a.mark != (mark{}) {
			t.Fatalf("alert %s %v has ended and is still suppressed by %v", fp, a.labels, a.mark)
		}
		if !a.open || a.quiet {
			continue
		}
		held := 0
		for _, m := range a.members {
			if m.inc != nil && m.inc.row.MergedInto == nil && m == a.current() {
				held++
				if !slices.Contains(m.inc.list, m) {
					t.Fatalf("alert %s: its incident does not list it", fp)
				}
			}
		}
		if held != 1 {
			t.Fatalf("alert %s is in %d incidents", fp, held)
		}
	}
	for _, inc := range e.Incidents() {
		if clocks, _ := e.targets.Clocks(e.ids[inc.ID].phases, e.clock); inc.State.Open() && !cmp.Equal(clocks, inc.SLA, cmpopts.EquateEmpty()) {
			t.Fatalf("%s at %s: %s", inc.Number, e.clock, cmp.Diff(clocks, inc.SLA))
		}
		suppressed := 0
		for _, a := range inc.Alerts {
			marked := a.Status == itsm.StatusFiring && e.alerts[a.Fingerprint].mark.reason != ""
			if (a.Suppressed != nil) != (len(a.SilencedBy) > 0 || marked || a.Maintenance != nil) || a.Suppressed != nil && a.Status != itsm.StatusFiring {
				t.Fatalf("%s: alert %+v", inc.Number, a)
			}
			if a.Suppressed != nil {
				suppressed++
			}
		}
		if suppressed != inc.AlertCounts.Suppressed {
			t.Fatalf("%s: %d alerts are suppressed, counted %+v", inc.Number, suppressed, inc.AlertCounts)
		}
		if got := len(inc.Alerts); got != inc.AlertCounts.Total {
			t.Fatalf("%s lists %d alerts and counts %+v", inc.Number, got, inc.AlertCounts)
		}
		if len([]rune(inc.Title)) > maxTitle || inc.Title == "" {
			t.Fatalf("%s: title %q", inc.Number, inc.Title)
		}
		for i, c := range inc.Causes {
			if c.Score < 0 || c.Score > 1 || i > 0 && c.Score > inc.Causes[i-1].Score {
				t.Fatalf("%s: cause scores %v", inc.Number, inc.Causes)
			}
			checkEvidence(t, c.Evidence)
		}
		for _, a := range inc.Alerts {
			checkEvidence(t, a.Evidence)
			if a.Count < 1 {
				t.Fatalf("%s: alert %s counts %d periods", inc.Number, a.Fingerprint, a.Count)
			}
		}
	}
}

// silencedBy is the naive twin of marking: every silence against every alert, with what holds now.
func silencedBy(e *Engine, a *alert) []*silence {
	group := map[string]string{}
	if cur := a.current(); cur != nil && cur.inc != nil {
		row := cur.inc.row
		group["incident"], group["priority"] = row.Number, strconv.Itoa(row.Priority)
		if len(row.Causes) > 0 {
			group["cause"] = row.Causes[0].Item
		}
	}
	var out []*silence
	for _, id := range sortedKeys(e.silences.all) {
		s := e.silences.all[id]
		holds := !e.clock.Before(s.StartsAt) && e.clock.Before(s.EndsAt)
		named := slices.ContainsFunc(s.Matchers, func(m itsm.Matcher) bool { return m.Name == "incident" && m.IsEqual && !m.IsRegex && m.Value != "" })
		for _, m := range s.Matchers {
			value, own := a.labels.Get(m.Name), a.labels.Has(m.Name)
			if !own {
				value = group[m.Name]
			}
			matches := value == m.Value
			if m.IsRegex {
				matches = regexp.MustCompile("^(" + m.Value + ")$").MatchString(value)
			}
			describes := named && !own && (m.Name == "cause" || m.Name == "priority") && m.IsEqual && !m.IsRegex && m.Value != ""
			holds = holds && (describes || matches == m.IsEqual)
		}
		if holds {
			out = append(out, s)
		}
	}
	return out
}

// settled leaves out the silences that follow an incident's cause or priority while they still have to.
func settled(e *Engine, list []*silence) []*silence {
	if !slices.ContainsFunc(e.timers.list, func(t timer) bool { return t.kind == timerRegroup }) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(s *silence) bool { return s.moving })
}

func checkEvidence(t *testing.T, list []itsm.Evidence) {
	t.Helper()
	sum := 0.0
	for _, e := range list {
		if e.Weight < 0 {
			t.Fatalf("negative weight: %+v", list)
		}
		sum += e.Weight
	}
	if sum < 0.99 || sum > 1.01 {
		t.Fatalf("weights sum to %v: %+v", sum, list)
	}
}
