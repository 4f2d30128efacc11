package cmdb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// behind lists what is reached through an item only, directly or not.
func behind(t *testing.T, g *Graph, id string) []string {
	t.Helper()
	var out []string
	for _, e := range g.Impact(node(t, g, id), g.Now(), DefaultLimits()).Effects {
		if e.Via.Kind == Network {
			out = append(out, g.Item(e.Node).ID)
		}
	}
	slices.Sort(out)
	return out
}

func TestReach(t *testing.T) {
	tree := `
		prober v vantage=true
		switch core
		switch left
		switch right
		host a
		host b
		host v-neighbour
		v connects_to core
		left connects_to core
		right connects_to core
		a connects_to left
		b connects_to right
		v-neighbour connects_to v`
	redundant := tree + `
		host both
		both connects_to left
		both connects_to right`
	tests := []struct {
		name, lines, of string
		want            []string
	}{
		{"everything behind the only switch", tree, "core", []string{"a", "b", "left", "right"}},
		{"its own branch", tree, "left", []string{"a"}},
		{"not what lies before it, as it would without a vantage", strings.Replace(tree, "vantage=true", "", 1), "left", []string{"a", "b", "core", "right", "v"}},
		{"two ways hide nothing", redundant, "left", []string{"a"}},
		{"but what both ways share does", redundant, "core", []string{"a", "b", "both", "left", "right"}},
		{"an end point passes nothing on", tree + "\nhost c\nc connects_to a\n", "a", nil},
		{"monitoring from two places sees around one", redundant + "\nprober w vantage=true\nw connects_to right\n", "core", []string{"a", "left"}},
		{"the place of monitoring is no cause", tree, "v", nil},
		{"what monitoring does not reach is as without a vantage", tree + "\nswitch far\nhost z\nz connects_to far\n", "far", []string{"z"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := graphOf(t, tt.lines)
			if diff := cmp.Diff(tt.want, behind(t, g, tt.of)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReachAgainstRemoval compares the dominators with what they mean: an item is the cause of
// another one being unreachable when monitoring does not reach it any more without that item.
func TestReachAgainstRemoval(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		e := randomNetwork(rng)
		g, err := NewGraph(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, hour := range []int{8, 12, 16} {
			at := clock(t, fmt.Sprintf("%02d:00", hour))
			g.Refresh(at)
			compareReach(t, g, e, at)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %+v", seed, e)
		}
	}
}

func randomNetwork(rng *rand.Rand) *Estate {
	e := &Estate{}
	size := 3 + rng.IntN(10)
	for i := range size {
		it := itsm.Item{ID: fmt.Sprintf("n%02d", i), Class: "host"}
		if rng.IntN(3) > 0 {
			it.Class = "switch"
		}
		it.Vantage = i == 0 || rng.IntN(8) == 0
		e.Items = append(e.Items, it)
	}
	for range rng.IntN(2*size) + 1 {
		from, to := rng.IntN(size), rng.IntN(size)
		if from == to {
			continue
		}
		r := itsm.Relation{From: e.Items[from].ID, Type: itsm.ConnectsTo, To: e.Items[to].ID}
		switch noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC); rng.IntN(6) {
		case 0:
			r.ValidFrom = noon
		case 1:
			r.ValidTo = noon
		}
		e.Relations = append(e.Relations, r)
	}
	return e
}

func compareReach(t *testing.T, g *Graph, e *Estate, at time.Time) {
	t.Helper()
	all := reached(g, e, at, "")
	for _, it := range e.Items {
		if !all[it.ID] || it.Vantage {
			continue
		}
		var want []string
		for _, other := range e.Items {
			if other.ID != it.ID && !other.Vantage && !reached(g, e, at, other.ID)[it.ID] {
				want = append(want, other.ID)
			}
		}
		var got []string
		for n := node(t, g, it.ID); ; {
			i := slices.IndexFunc(g.Up(n), func(e Edge) bool { return e.Kind == Network })
			if i < 0 {
				break
			}
			n = g.Up(n)[i].Node
			got = append(got, g.Item(n).ID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s, what lies on every way to %s (-want +got):\n%s", at.Format(time.TimeOnly), it.ID, diff)
		}
	}
}

// reached is what monitoring reaches when one item is not there.
func reached(g *Graph, e *Estate, at time.Time, without string) map[string]bool {
	seen := map[string]bool{}
	var queue []string
	visit := func(id string) {
		if id != without && !seen[id] {
			seen[id] = true
			queue = append(queue, id)
		}
	}
	for _, it := range e.Items {
		if it.Vantage {
			visit(it.ID)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		n, _ := g.Node(queue[0])
		if !g.Item(n).Vantage && g.Item(n).Class != "switch" {
			continue
		}
		for i := range e.Relations {
			switch r := &e.Relations[i]; {
			case !validAt(r, at):
			case r.From == queue[0]:
				visit(r.To)
			case r.To == queue[0]:
				visit(r.From)
			}
		}
	}
	return seen
}

// TestReach_discovered: a link that labels tell of moves the border of what is behind a switch.
func TestReach_discovered(t *testing.T) {
	g := graphOf(t, "prober v vantage=true\nswitch a\nswitch b\nhost h\nv connects_to a\nv connects_to b\nh connects_to a")
	if got := behind(t, g, "a"); !slices.Equal(got, []string{"h"}) {
		t.Fatalf("behind a: %v", got)
	}
	g.Discover(nil, []itsm.Relation{{From: "h", Type: itsm.ConnectsTo, To: "b"}})
	if got := behind(t, g, "a"); len(got) > 0 {
		t.Errorf("behind a, with a second way: %v", got)
	}
}
