package simulate

import (
	"math/rand/v2"
	"testing"
	"time"

	"signalbox/correlate/score"
	"signalbox/itsm"
)

// TestStorm_Group groups five alerts by hand: a and b are related, c stands alone.
func TestStorm_Group(t *testing.T) {
	w := &world{classes: map[string][]int32{}}
	for _, id := range []string{"a", "b", "c"} {
		w.add(unit{item: itsm.Item{ID: id, Class: "host"}, labels: map[string]string{"job": "node"}, checks: []check{{name: "Down"}, {name: "Full"}}})
	}
	w.relate(rand.New(rand.NewPCG(1, 1)), 0, itsm.RunsOn, 1)
	at := func(s int, unit, check int32, resolved bool) event {
		d := time.Duration(s) * time.Second
		return event{at: d, start: d, unit: unit, check: check, fault: 1, resolved: resolved}
	}
	s := &Storm{world: w, Estate: w.written(0, rand.New(rand.NewPCG(1, 1))), Causes: []Cause{{Fault: "f0001", Items: []string{"a"}}}, events: []event{
		at(0, 0, 0, false), at(26, 1, 0, false), at(28, 2, 0, false), at(100, 0, 1, false), at(101, 0, 0, false), // the last: a re-send
		at(200, 0, 0, true), at(200, 1, 0, true), at(200, 2, 0, true), at(490, 1, 0, false),
	}}
	for b, want := range map[Baseline][]string{
		BaselineLabels: {"x", "x", "x", "y", "x", "x"}, // within five minutes after the end it is the same group
		BaselineGap:    {"x", "y", "z", "x", "x", "v"},
		BaselineALEC:   {"x", "x", "y", "z", "x", "v"}, // 26 s to a neighbour links, 100 s on one item does not
	} {
		in := s.Group(b)
		names := map[string]string{}
		for i, a := range in.Assignments {
			if names[want[i]] == "" {
				names[want[i]] = a.Incident
			}
			if names[want[i]] != a.Incident {
				t.Errorf("%s: line %d is in %s, want that of %s, %s", b, a.Line, a.Incident, want[i], names[want[i]])
			}
		}
		distinct := map[string]bool{}
		for _, incident := range names {
			distinct[incident] = true
		}
		if len(distinct) != len(names) || len(in.Incidents) != len(names) {
			t.Errorf("%s: %d groups, want %d", b, len(in.Incidents), len(names))
		}
		if _, err := score.Compute(in); err != nil {
			t.Error(err)
		}
	}
}
