package cmdb

import (
	"slices"
	"testing"
	"time"
)

// TestGraph_impactOfSeveral loses members of a group together, and passes on how badly what fails is hurt.
func TestGraph_impactOfSeveral(t *testing.T) {
	g := graphOf(t, `
		service web redundancy=2
		service shop
		host w1
		host w2
		host w3
		w1 member_of web
		w2 member_of web
		w3 member_of web
		shop depends_on web`)
	for _, tc := range []struct {
		name string
		fail map[string]Degradation
		want []string
	}{
		{"one of three", map[string]Degradation{"w1": Down}, []string{"web at_risk"}},
		{"two of three", map[string]Degradation{"w1": Down, "w2": Down}, []string{"shop down", "web down"}},
		{"what fails is no effect of the others", map[string]Degradation{"w1": Down, "w2": Down, "web": Down}, []string{"shop down", "w3 down"}},
		{"degraded is passed on", map[string]Degradation{"web": Degraded}, []string{"shop degraded", "w1 degraded", "w2 degraded", "w3 degraded"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var failures []Failure
			for _, id := range []string{"w1", "w2", "w3", "web"} {
				if d := tc.fail[id]; d != "" {
					n, _ := g.Node(id)
					failures = append(failures, Failure{n, d})
				}
			}
			var got []string
			for _, e := range g.ImpactOf(failures, time.Time{}, DefaultLimits()).Effects {
				got = append(got, g.Item(e.Node).ID+" "+string(e.Degradation))
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestGraph_steady knows the moments at which relations begin or end, and is as good backwards.
func TestGraph_steady(t *testing.T) {
	g := graphOf(t, `
		service web
		host h1
		host h2
		web runs_on h1 to=12:00
		web runs_on h2 from=12:00`)
	noon := clock(t, "12:00")
	for _, tc := range []struct {
		a, b time.Duration
		want bool
	}{{-time.Hour, -time.Second, true}, {-time.Second, 0, false}, {0, time.Hour, true}, {time.Hour, -time.Hour, false}, {0, 0, true}} {
		if got := g.Steady(noon.Add(tc.a), noon.Add(tc.b)); got != tc.want {
			t.Errorf("from %v to %v: %t", tc.a, tc.b, got)
		}
	}
	if forever := graphOf(t, "host h1"); !forever.Steady(time.Time{}, noon) {
		t.Error("nothing begins or ends")
	}
}
