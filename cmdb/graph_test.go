package cmdb

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// TestGraph_asOf asks the graph as it was: a relation holds from validFrom until before validTo.
func TestGraph_asOf(t *testing.T) {
	g := graphOf(t, `
		host old
		host new
		pod p
		p runs_on old to=12:00
		p runs_on new from=12:00 to=14:00
		p runs_on old from=14:00`)
	for _, tt := range []struct {
		at   string
		want string
	}{{"08:00", "old"}, {"11:59", "old"}, {"12:00", "new"}, {"13:59", "new"}, {"14:00", "old"}, {"20:00", "old"}} {
		var hosts []string
		for _, e := range g.Up(node(t, g, "p")) {
			if g.Valid(e, clock(t, tt.at)) {
				hosts = append(hosts, g.Item(e.Node).ID)
			}
		}
		if got := strings.Join(hosts, " "); got != tt.want {
			t.Errorf("at %s p runs on %q, want %q", tt.at, got, tt.want)
		}
		for _, host := range []string{"old", "new"} {
			if hurts := len(hurt(t, g, host, clock(t, tt.at))) > 0; hurts != (host == tt.want) {
				t.Errorf("at %s a failure of %s hurts p: %t", tt.at, host, hurts)
			}
		}
	}
	if n := len(g.Relations(node(t, g, "p"))); n != 3 {
		t.Errorf("%d relations at p, want all 3 periods", n)
	}
}

// TestGraph_membersAsOf counts only the members that a group has at the moment.
func TestGraph_membersAsOf(t *testing.T) {
	g := graphOf(t, `
		service web redundancy=50%
		instance w1
		instance w2
		w1 member_of web
		w2 member_of web to=12:00`)
	if got := hurt(t, g, "w1", clock(t, "11:00")); !slices.Equal(got, []string{"web at_risk"}) {
		t.Errorf("one of two lost: %v", got)
	}
	if got := hurt(t, g, "w1", clock(t, "12:00")); !slices.Equal(got, []string{"web down"}) {
		t.Errorf("the last one lost: %v", got)
	}
}

func TestGraph_refreshTellsWhenRelationsChange(t *testing.T) {
	g := graphOf(t, "host a\nhost b\na depends_on b from=12:00 to=13:00")
	for _, tt := range []struct {
		at   string
		want bool
	}{{"11:00", true}, {"11:59", false}, {"12:00", true}, {"12:30", false}, {"13:30", true}, {"23:00", false}} {
		// The first moment after the beginning of time lies behind no border, but the graph did not know the next one.
		if got := g.Refresh(clock(t, tt.at)); got != tt.want && tt.at != "11:00" {
			t.Errorf("at %s: %t, want %t", tt.at, got, tt.want)
		}
	}
}

func TestGraph_unknownEnd(t *testing.T) {
	_, err := NewGraph(&Estate{
		Items:     []itsm.Item{{ID: "a", Class: "host"}},
		Relations: []itsm.Relation{{From: "a", Type: itsm.RunsOn, To: "b"}, {From: "c", Type: itsm.RunsOn, To: "a"}},
	})
	want := "relation a runs_on b: no item has the id b\nrelation c runs_on a: no item has the id c"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestGraph_discover adds what labels tell, and never against what people have declared.
func TestGraph_discover(t *testing.T) {
	g := graphOf(t, "host h\npod p\np runs_on h")
	h, p := node(t, g, "h"), node(t, g, "p")
	items := []itsm.Item{{ID: "h", Class: "toaster", Name: "wrong"}, {ID: "q", Class: "pod"}}
	relations := []itsm.Relation{
		{From: "p", Type: itsm.RunsOn, To: "h"},    // declared
		{From: "q", Type: itsm.RunsOn, To: "h"},    // new
		{From: "q", Type: itsm.RunsOn, To: "gone"}, // no such item
		{From: "q", Type: itsm.RunsOn, To: "q"},
	}
	if g.Known(items, relations) {
		t.Error("nothing new?")
	}
	touched := g.Discover(items, relations)
	q := node(t, g, "q")
	if diff := cmp.Diff([]Node{q, q, h}, touched); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	if it := g.Item(h); it.Class != "host" || it.Discovered {
		t.Errorf("the declared item became %+v", it)
	}
	if it := g.Item(q); !it.Discovered {
		t.Errorf("not marked as discovered: %+v", it)
	}
	if got := hurt(t, g, "h", time.Time{}); !slices.Equal(got, []string{"p down", "q down"}) {
		t.Errorf("a failure of h hurts %v", got)
	}
	if len(g.Relations(p)) != 1 || g.Relations(p)[0].Discovered {
		t.Errorf("the declared relation became %+v", g.Relations(p))
	}
	if !g.Known(items, relations) || g.Discover(items, relations) != nil {
		t.Error("a second time it is news again")
	}
}

// TestGraph_discoverInAnyOrder checks that walks do not depend on what was discovered first.
func TestGraph_discoverInAnyOrder(t *testing.T) {
	items := []itsm.Item{{ID: "n1", Class: "node"}, {ID: "a", Class: "pod"}, {ID: "b", Class: "pod"}, {ID: "c", Class: "pod"}}
	relations := []itsm.Relation{
		{From: "a", Type: itsm.RunsOn, To: "n1"}, {From: "b", Type: itsm.RunsOn, To: "n1"}, {From: "c", Type: itsm.RunsOn, To: "n1"},
	}
	g := graphOf(t, "host other")
	g.Discover(items, relations)
	back := graphOf(t, "host other")
	slices.Reverse(items)
	slices.Reverse(relations)
	for i := range items {
		back.Discover(items[i:i+1], nil)
	}
	for i := range relations {
		back.Discover(nil, relations[i:i+1])
	}
	want := []string{"a down", "b down", "c down"}
	for _, g := range []*Graph{g, back} {
		if got := hurt(t, g, "n1", time.Time{}); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestClassOf(t *testing.T) {
	tests := []struct {
		word     string
		category Category
		transit  bool
		named    bool
	}{
		{"switch", CategoryNetwork, true, false},
		{"core-switch", CategoryNetwork, true, false},
		{"Router", CategoryNetwork, true, false},
		{"plc", CategoryProduction, true, false},
		{"io-gateway", CategoryNetwork, true, false},
		{"firewall", CategoryNetwork, true, false},
		{"host", CategoryCompute, false, false},
		{"node", CategoryCompute, false, false},
		{"sensor", CategoryProduction, false, false},
		{"filler", CategoryProduction, false, true},
		{"web service", CategoryApplication, false, true},
		{"pod", CategoryApplication, false, false},
		{"database", CategoryData, false, false},
		{"queue", CategoryData, false, false},
		{"network_device", CategoryNetwork, true, false},
		{"control device", CategoryProduction, true, false},
		{"device", CategoryProduction, false, false},
		{"unicorn", CategoryOther, false, false},
		{"", CategoryOther, false, false},
	}
	for _, tt := range tests {
		if got := ClassOf(tt.word); got != (Class{tt.category, tt.transit, tt.named}) {
			t.Errorf("%q: %+v, want %s, transit %t, named %t", tt.word, got, tt.category, tt.transit, tt.named)
		}
	}
}

// TestGraph_defaults: an item without a name is called by its id, one without criticality is of 3.
func TestGraph_defaults(t *testing.T) {
	g := graphOf(t, "host h")
	if n := node(t, g, "h"); g.Name(n) != "h" || g.Criticality(n) != 3 || g.ClassWord(g.ClassID(n)) != "host" || g.Len() != 1 {
		t.Errorf("name %q, criticality %d, class %q", g.Name(n), g.Criticality(n), g.ClassWord(g.ClassID(n)))
	}
}
