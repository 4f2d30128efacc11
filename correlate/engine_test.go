package correlate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// bench is an engine with the few words that most tests need.
type bench struct {
	t testing.TB
	e *Engine
	n int
}

func start() time.Time { return time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC) }

func newBench(t testing.TB, estate string) *bench {
	t.Helper()
	e, err := New(Options{Shards: 1, Config: DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, e: e}
	if estate != "" {
		updates := e.Apply(start(), itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v1", Data: []byte(estate)}}})
		for _, u := range updates {
			if u.Adopted != nil && u.Adopted.Fault != "" {
				t.Fatal(u.Adopted.Fault)
			}
		}
	}
	return b
}

// labelSet reads "alertname key=value …".
func labelSet(text string) itsm.Labels {
	fields := strings.Fields(text)
	m := map[string]string{"alertname": fields[0]}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return itsm.NewLabels(m)
}

func alertOf(status itsm.Status, text string, at time.Time) itsm.Alert {
	ls := labelSet(text)
	a := itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: status, StartsAt: at}
	if status == itsm.StatusResolved {
		a.StartsAt, a.EndsAt = time.Time{}, at
	}
	return a
}

func (b *bench) fire(after time.Duration, texts ...string) []itsm.Update {
	in := itsm.Input{}
	for _, text := range texts {
		in.Alerts = append(in.Alerts, alertOf(itsm.StatusFiring, text, start().Add(after)))
	}
	return b.e.Apply(start().Add(after), in)
}

func (b *bench) resolve(after time.Duration, texts ...string) []itsm.Update {
	in := itsm.Input{}
	for _, text := range texts {
		in.Alerts = append(in.Alerts, alertOf(itsm.StatusResolved, text, start().Add(after)))
	}
	return b.e.Apply(start().Add(after), in)
}

func (b *bench) live() []itsm.Incident {
	var out []itsm.Incident
	for _, inc := range b.e.Incidents() {
		if inc.MergedInto == nil {
			out = append(out, inc)
		}
	}
	return out
}

func (b *bench) dump() string {
	var s strings.Builder
	for _, inc := range b.e.Incidents() {
		j, _ := json.Marshal(inc.Causes)
		fmt.Fprintf(&s, "%s %s %q P%d %s alerts %+v causes %s\n", inc.Number, inc.State, inc.Title, inc.Priority, inc.Items, inc.AlertCounts, j)
	}
	return s.String()
}

const switches = `
items:
  - {id: mon, class: host, vantage: true}
  - {id: core, class: switch, name: Core switch, criticality: 1}
  - {id: sw-1, class: switch}
  - {id: sw-2, class: switch}
  - {id: sw-3, class: switch}
  - {id: h11, class: host, identifiers: [{host: h11}]}
  - {id: h12, class: host, identifiers: [{host: h12}]}
  - {id: h13, class: host, identifiers: [{host: h13}]}
  - {id: h21, class: host, identifiers: [{host: h21}]}
  - {id: h22, class: host, identifiers: [{host: h22}]}
  - {id: h23, class: host, identifiers: [{host: h23}]}
  - {id: h31, class: host, identifiers: [{host: h31}]}
  - {id: h32, class: host, identifiers: [{host: h32}]}
  - {id: h33, class: host, identifiers: [{host: h33}]}
relations:
  - {from: mon, type: connects_to, to: core}
  - {from: sw-1, type: connects_to, to: core}
  - {from: sw-2, type: connects_to, to: core}
  - {from: sw-3, type: connects_to, to: core}
  - {from: h11, type: connects_to, to: sw-1}
  - {from: h12, type: connects_to, to: sw-1}
  - {from: h13, type: connects_to, to: sw-1}
  - {from: h21, type: connects_to, to: sw-2}
  - {from: h22, type: connects_to, to: sw-2}
  - {from: h23, type: connects_to, to: sw-2}
  - {from: h31, type: connects_to, to: sw-3}
  - {from: h32, type: connects_to, to: sw-3}
  - {from: h33, type: connects_to, to: sw-3}
`

func TestSilentSwitch(t *testing.T) {
	b := newBench(t, switches)
	b.fire(time.Second, "HostDown host=h11")
	b.fire(2*time.Second, "HostDown host=h12")
	b.fire(3*time.Second, "HostDown host=h13")
	t.Log(b.dump())
	if n := len(b.live()); n != 1 {
		t.Fatalf("%d incidents, want 1", n)
	}
	if c := b.live()[0].Causes[0]; c.Item != "sw-1" || c.Reporting {
		t.Errorf("cause %+v", c)
	}
}

func TestTwoSwitches(t *testing.T) {
	b := newBench(t, switches)
	b.fire(time.Second, "HostDown host=h11", "HostDown host=h12", "HostDown host=h13", "HostDown host=h21", "HostDown host=h22", "HostDown host=h23")
	t.Log(b.dump())
	if n := len(b.live()); n != 2 {
		t.Fatalf("%d incidents, want 2", n)
	}
}

func TestCoreSwitch(t *testing.T) {
	b := newBench(t, switches)
	for i, h := range []string{"h11", "h21", "h31", "h12", "h22", "h32", "h13", "h23", "h33"} {
		b.fire(time.Duration(i)*time.Second, "HostDown host="+h)
	}
	t.Log(b.dump())
	if n := len(b.live()); n != 1 {
		t.Fatalf("%d incidents, want 1", n)
	}
	if c := b.live()[0].Causes[0]; c.Item != "core" {
		t.Errorf("cause %+v", c)
	}
}
