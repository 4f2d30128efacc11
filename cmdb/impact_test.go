package cmdb

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// graphOf builds a graph from lines such as "switch sw-1", "service web redundancy=2" and
// "host-a connects_to sw-1".
func graphOf(t *testing.T, lines string) *Graph {
	t.Helper()
	e := &Estate{}
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case len(words) > 2 && !strings.Contains(words[2], "="):
			r := itsm.Relation{From: words[0], Type: itsm.RelationType(words[1]), To: words[2], Attributes: map[string]string{}}
			for _, w := range words[3:] {
				switch key, value, _ := strings.Cut(w, "="); key {
				case "from":
					r.ValidFrom = clock(t, value)
				case "to":
					r.ValidTo = clock(t, value)
				default:
					r.Attributes[key] = value
				}
			}
			e.Relations = append(e.Relations, r)
		default:
			it := itsm.Item{Class: words[0], ID: words[1]}
			for _, w := range words[2:] {
				key, value, _ := strings.Cut(w, "=")
				switch key {
				case "redundancy":
					it.Redundancy = &itsm.Redundancy{Min: itsm.Threshold(value)}
				case "vantage":
					it.Vantage = value == "true"
				}
			}
			e.Items = append(e.Items, it)
		}
	}
	g, err := NewGraph(e)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// clock is a time of the day on which the tests play.
func clock(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04", "2026-01-02 "+text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func node(t *testing.T, g *Graph, id string) Node {
	t.Helper()
	n, ok := g.Node(id)
	if !ok {
		t.Fatalf("no item %s", id)
	}
	return n
}

// hurt lists the effects of an item's failure as "id degradation".
func hurt(t *testing.T, g *Graph, id string, at time.Time) []string {
	t.Helper()
	var out []string
	for _, e := range g.Impact(node(t, g, id), at, DefaultLimits()).Effects {
		text := g.Item(e.Node).ID + " " + string(e.Degradation)
		if e.After > 0 {
			text += " after " + e.After.String()
		}
		out = append(out, text)
	}
	return out
}

func TestGraph_impact(t *testing.T) {
	tests := []struct {
		name, lines, of string
		want            []string
	}{
		{"what depends on it, and what depends on that", `
			database db
			service cart
			service shop
			cart depends_on db
			shop depends_on cart`, "db", []string{"cart down", "shop down"}},
		{"not what it depends on", `
			database db
			service cart
			cart depends_on db`, "cart", nil},
		{"what runs on it", `
			host h
			pod p
			p runs_on h`, "h", []string{"p down"}},
		{"a part degrades the whole", `
			disk d
			server s
			d part_of s`, "d", []string{"s degraded"}},
		{"a controller stops what it controls", `
			plc p
			filler f
			p controls f`, "p", []string{"f down"}},
		{"a sensor hurts nothing", `
			sensor s
			filler f
			s measures f`, "f", nil},
		{"a machine starves the next and blocks the one before, each after its buffer", `
			depalletiser d
			filler f
			labeller l
			packer p
			d feeds f buffer=1m
			f feeds l buffer=3m
			l feeds p buffer=2m`, "f", []string{"l degraded after 3m0s", "d degraded after 1m0s", "p degraded after 5m0s"}},
		{"an end point's failure does not travel along its link", `
			switch sw
			host a
			host b
			a connects_to sw
			b connects_to sw`, "a", nil},
		{"a switch takes its hosts with it, and the switches behind it", `
			switch core
			switch sw
			host a
			host b
			sw connects_to core
			a connects_to sw
			b connects_to core`, "core", []string{"b down", "sw down", "a down"}},
		{"connects_to reads both ways", `
			router r
			host a
			r connects_to a`, "r", []string{"a down"}},
		{"a PLC is transit, a sensor behind it is not", `
			plc p
			sensor s
			sensor u
			s connects_to p
			u connects_to s`, "p", []string{"s down"}},
		{"a lost member degrades a group that says nothing of redundancy", `
			service web
			instance w1
			instance w2
			w1 member_of web
			w2 member_of web
			service shop
			shop depends_on web`, "w1", []string{"web degraded", "shop degraded"}},
		{"the only member takes the group with it", `
			service web
			instance w1
			w1 member_of web`, "w1", []string{"web down"}},
		{"enough members left: at risk, and nothing behind it is hurt", `
			service web redundancy=1
			instance w1
			instance w2
			w1 member_of web
			w2 member_of web
			service shop
			shop depends_on web`, "w1", []string{"web at_risk"}},
		{"too few left", `
			service web redundancy=2
			instance w1
			instance w2
			w1 member_of web
			w2 member_of web
			service shop
			shop depends_on web`, "w1", []string{"web down", "shop down"}},
		{"half of three is two", `
			host h
			service web redundancy=50%
			instance w1
			instance w2
			instance w3
			w1 member_of web
			w2 member_of web
			w3 member_of web
			w1 runs_on h
			w2 runs_on h`, "h", []string{"w1 down", "w2 down", "web down"}},
		{"one of three leaves half", `
			service web redundancy=50%
			instance w1
			instance w2
			instance w3
			w1 member_of web
			w2 member_of web
			w3 member_of web`, "w1", []string{"web at_risk"}},
		{"a member that is only degraded still works", `
			disk d
			service web redundancy=2
			instance w1
			instance w2
			w1 member_of web
			w2 member_of web
			d part_of w1`, "d", []string{"w1 degraded", "web at_risk"}},
		{"a fault of the group shows on its members", `
			service web
			instance w1
			instance w2
			w1 member_of web
			w2 member_of web`, "web", []string{"w1 down", "w2 down"}},
		{"a member's fault does not come to its siblings through the group", `
			service web redundancy=2
			instance w1
			instance w2
			w1 member_of web
			w2 member_of web`, "w1", []string{"web down"}},
		{"a group that is lost member by member ends down, and with it what depends on it", `
			host h
			service web
			instance w1
			instance w2
			pool p
			w1 member_of web
			w1 runs_on h
			p runs_on h
			w2 runs_on p
			w2 member_of web
			service shop
			shop depends_on web
			site s
			shop part_of s`, "h", []string{"p down", "w1 down", "w2 down", "web down", "shop down", "s degraded"}},
		{"the same member over two ways is lost once", `
			host h
			hypervisor v
			service web redundancy=1
			instance w1
			instance w2
			w1 runs_on h
			h runs_on v
			w1 depends_on v
			w1 member_of web
			w2 member_of web`, "v", []string{"h down", "w1 down", "web at_risk"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := graphOf(t, tt.lines)
			if diff := cmp.Diff(tt.want, hurt(t, g, tt.of, time.Time{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGraph_impactLimits(t *testing.T) {
	var lines strings.Builder
	lines.WriteString("host h0\n")
	for i := 1; i <= 20; i++ {
		fmt.Fprintf(&lines, "host h%d\nh%d depends_on h%d\n", i, i, i-1)
	}
	chain := graphOf(t, lines.String())
	star := graphOf(t, "host h\npod a\npod b\npod c\na runs_on h\nb runs_on h\nc runs_on h\n")
	ring := graphOf(t, "service a\nservice b\nb depends_on a\na depends_on b\n")
	tests := []struct {
		name   string
		g      *Graph
		of     string
		limits Limits
		want   int
		limit  string
	}{
		{"as far as allowed", chain, "h0", Limits{Hops: 5, Visits: 100}, 5, "hops"},
		{"to the end", chain, "h0", Limits{Hops: 20, Visits: 100}, 20, ""},
		{"the last of the chain", chain, "h20", Limits{Hops: 5, Visits: 100}, 0, ""},
		{"as many as allowed", star, "h", Limits{Hops: 5, Visits: 2}, 2, "visits"},
		{"just enough", star, "h", Limits{Hops: 5, Visits: 3}, 3, ""},
		{"a ring has no end, and ends", ring, "a", Limits{Hops: 1, Visits: 100}, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.g.Impact(node(t, tt.g, tt.of), time.Time{}, tt.limits)
			if len(got.Effects) != tt.want || got.Limit != tt.limit {
				t.Errorf("%d effects, limit %q; want %d, %q", len(got.Effects), got.Limit, tt.want, tt.limit)
			}
		})
	}
}

func TestGraph_path(t *testing.T) {
	g := graphOf(t, `
		switch sw
		host h
		pod p
		service web
		service shop
		pod sibling
		h connects_to sw
		p runs_on h
		p member_of web
		sibling member_of web
		shop depends_on web`)
	tests := []struct{ cause, effect, want string }{
		{"sw", "h", "sw connects_to h"},
		{"sw", "shop", "sw connects_to h, h runs_on p, p member_of web, web depends_on shop"},
		{"p", "shop", "p member_of web, web depends_on shop"},
		{"web", "p", "web member_of p"},
		{"shop", "sw", ""},
		{"p", "sibling", ""},
		{"sw", "sw", ""},
	}
	for _, tt := range tests {
		var steps []string
		for _, s := range g.Path(node(t, g, tt.cause), node(t, g, tt.effect), time.Time{}) {
			steps = append(steps, fmt.Sprintf("%s %s %s", g.Item(s.From).ID, s.Type, g.Item(s.To).ID))
		}
		if got := strings.Join(steps, ", "); got != tt.want {
			t.Errorf("from %s to %s: %q, want %q", tt.cause, tt.effect, got, tt.want)
		}
	}
}

// TestGraph_explain is what `signalbox bind --explain` prints; app/testdata/script/bind.txtar has more.
func TestGraph_explain(t *testing.T) {
	e := parsed(t, "e.yaml", `items:
  - {id: f, class: filler, name: Filler 1, identifiers: [{machine: f}]}
  - {id: l, class: labeller}
relations:
  - {from: f, type: feeds, to: l, attributes: {buffer: 3m}}
`)
	g, err := NewGraph(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `item f
  by identifier {machine="f"}
  class filler, name Filler 1
  its failure hurts 1 items
    l (degraded) by feeds from f, after up to 3m0s`
	if diff := cmp.Diff(want, g.Explain(itsm.NewLabels(map[string]string{"machine": "f"}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
