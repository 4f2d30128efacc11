package cmdb

import (
	"cmp"
	"errors"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"signalbox/itsm"
)

// Node is the handle of an item within one Graph. Handles of discovered items follow the order of
// discovery: order by the items' ids where order matters.
type Node int32

// None is the Node of nothing.
const None Node = -1

// Kind says what the cause of a relation is to the effect.
type Kind uint8

// The kinds, named by what the cause is to the effect.
const (
	Group   Kind = iota // the effect is a member of the cause: what is wrong with a group shows on its members
	Member              // the cause is a member of the effect
	Host                // the effect runs on the cause
	Depends             // the effect depends on the cause
	Network             // the effect is reached through the cause
	Part                // the cause is part of the effect
	Control             // the cause controls the effect
	Starve              // the cause feeds the effect
	Block               // the effect feeds the cause
	Measure             // the effect, a sensor, measures the cause
)

// Edge is one way that failure travels. In Up(n) Node is the cause and n the effect, in Down(n)
// it is the other way round.
type Edge struct {
	Node     Node
	relation int32 // -1: follows from reachability, not from one relation
	Kind     Kind
	limited  bool // the relation is not valid at all times
}

// Graph answers how failure travels between the items of an estate. Edges are kept in the order
// of kind and id, so that every walk is the same walk in every process.
type Graph struct {
	walks     sync.Pool // memory of walks that are done
	items     []*itsm.Item
	ids       map[string]Node
	classes   map[string]uint16
	class     []uint16 // by node
	known     []Class  // by class
	words     []string // by class
	declared  int      // nodes below it are declared
	relations []itsm.Relation
	seen      map[relationID]bool // discovered relations
	at        [][]int32           // relations by node
	up, down  [][]Edge
	binder    *binder
	reach     reachability
	turns     []time.Time // when a declared relation begins or ends, in order
}

type relationID struct {
	from, to Node
	kind     itsm.RelationType
}

// NewGraph builds the graph of an estate, which must not be changed afterwards. It reports rules
// that cannot be used; relations to unknown items are errors.
func NewGraph(e *Estate) (*Graph, error) {
	g := &Graph{ids: make(map[string]Node, len(e.Items)), classes: map[string]uint16{}, seen: map[relationID]bool{}}
	items := make([]*itsm.Item, len(e.Items))
	for i := range e.Items {
		items[i] = &e.Items[i]
	}
	slices.SortFunc(items, func(a, b *itsm.Item) int { return strings.Compare(a.ID, b.ID) })
	for _, it := range items {
		g.addItem(it)
	}
	g.declared = len(g.items)
	var errs []error
	g.relations = make([]itsm.Relation, 0, len(e.Relations))
	for _, r := range e.Relations {
		if err := g.ends(&r); err != nil {
			errs = append(errs, err)
			continue
		}
		g.relations = append(g.relations, r)
	}
	binder, err := newBinder(g.items, e.Bindings)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	g.binder = binder
	g.index()
	g.reach.compute(g, time.Time{})
	return g, nil
}

func (g *Graph) ends(r *itsm.Relation) error {
	for _, id := range []string{r.From, r.To} {
		if _, ok := g.ids[id]; !ok {
			return errors.New("relation " + r.From + " " + string(r.Type) + " " + r.To + ": no item has the id " + id)
		}
	}
	return nil
}

func (g *Graph) addItem(it *itsm.Item) Node {
	n := Node(len(g.items))
	class, ok := g.classes[it.Class]
	if !ok {
		class = uint16(len(g.words)) //nolint:gosec // classes are words that people write; far fewer than 65,536
		g.classes[it.Class] = class
		g.words = append(g.words, it.Class)
		g.known = append(g.known, ClassOf(it.Class))
	}
	g.items = append(g.items, it)
	g.class = append(g.class, class)
	g.ids[it.ID] = n
	g.at, g.up, g.down = append(g.at, nil), append(g.up, nil), append(g.down, nil)
	return n
}

// index lays the edges of the declared relations out in two large arrays, sorted by node.
func (g *Graph) index() {
	type placed struct {
		near Node
		edge Edge
	}
	var up, down []placed
	counts := make([]int32, len(g.items)+1)
	for i := range g.relations {
		r := &g.relations[i]
		for _, at := range []time.Time{r.ValidFrom, r.ValidTo} {
			if !at.IsZero() {
				g.turns = append(g.turns, at)
			}
		}
		from, to := g.ids[r.From], g.ids[r.To]
		counts[from]++
		counts[to]++
		for _, e := range g.edgesOf(int32(i), from, to) { //nolint:gosec // far fewer than 2^31 relations
			up = append(up, placed{e.effect, Edge{Node: e.cause, relation: e.relation, Kind: e.kind, limited: e.limited}})
			down = append(down, placed{e.cause, Edge{Node: e.effect, relation: e.relation, Kind: e.kind, limited: e.limited}})
		}
	}
	lay := func(all []placed, out [][]Edge) {
		slices.SortFunc(all, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.near, b.near), cmp.Compare(a.edge.Kind, b.edge.Kind), cmp.Compare(a.edge.Node, b.edge.Node),
				cmp.Compare(a.edge.relation, b.edge.relation))
		})
		edges := make([]Edge, len(all))
		for i := 0; i < len(all); {
			j := i
			for j < len(all) && all[j].near == all[i].near {
				edges[j] = all[j].edge
				j++
			}
			out[all[i].near] = edges[i:j:j]
			i = j
		}
	}
	slices.SortFunc(g.turns, time.Time.Compare)
	lay(up, g.up)
	lay(down, g.down)
	backing := make([]int32, 0, 2*len(g.relations))
	for n := range g.items {
		start := len(backing)
		backing = backing[:start+int(counts[n])]
		g.at[n] = backing[start:start:len(backing)]
	}
	for i := range g.relations {
		r := &g.relations[i]
		from, to := g.ids[r.From], g.ids[r.To]
		g.at[from] = append(g.at[from], int32(i)) //nolint:gosec // see above
		g.at[to] = append(g.at[to], int32(i))     //nolint:gosec // see above
	}
}

// way is one direction in which failure travels along a relation.
type way struct {
	cause, effect Node
	relation      int32
	kind          Kind
	limited       bool
}

// edgesOf says how failure travels along a relation; connects_to is left to reachability, when
// monitoring has a place in the graph.
func (g *Graph) edgesOf(i int32, from, to Node) []way {
	r := &g.relations[i]
	limited := !r.ValidFrom.IsZero() || !r.ValidTo.IsZero()
	w := func(cause, effect Node, kind Kind) way { return way{cause, effect, i, kind, limited} }
	switch r.Type {
	case itsm.DependsOn:
		return []way{w(to, from, Depends)}
	case itsm.RunsOn:
		return []way{w(to, from, Host)}
	case itsm.MemberOf:
		return []way{w(from, to, Member), w(to, from, Group)}
	case itsm.PartOf:
		return []way{w(from, to, Part)}
	case itsm.ConnectsTo:
		var out []way
		if g.Class(to).Transit {
			out = append(out, w(to, from, Network))
		}
		if g.Class(from).Transit {
			out = append(out, w(from, to, Network))
		}
		return out
	case itsm.Controls:
		return []way{w(from, to, Control)}
	case itsm.Feeds:
		return []way{w(from, to, Starve), w(to, from, Block)}
	case itsm.Measures:
		return []way{w(to, from, Measure)}
	}
	return nil
}

// Len returns the number of items.
func (g *Graph) Len() int { return len(g.items) }

// Node returns the handle of an item.
func (g *Graph) Node(id string) (Node, bool) {
	n, ok := g.ids[id]
	return n, ok
}

// Item returns an item; the caller does not change it.
func (g *Graph) Item(n Node) *itsm.Item { return g.items[n] }

// Name returns what people call the item.
func (g *Graph) Name(n Node) string { return cmp.Or(g.items[n].Name, g.items[n].ID) }

// Class returns what is known of the item's class.
func (g *Graph) Class(n Node) Class { return g.known[g.class[n]] }

// ClassID returns a small number that items of one class share.
func (g *Graph) ClassID(n Node) uint16 { return g.class[n] }

// ClassWord returns the word of a ClassID.
func (g *Graph) ClassWord(id uint16) string { return g.words[id] }

// Criticality returns the item's criticality, 1 (highest) … 5.
func (g *Graph) Criticality(n Node) int { return cmp.Or(g.items[n].Criticality, 3) }

// Relations returns every relation at the item, valid or not.
func (g *Graph) Relations(n Node) []itsm.Relation {
	out := make([]itsm.Relation, len(g.at[n]))
	for i, r := range g.at[n] {
		out[i] = g.relations[r]
	}
	return out
}

// Up returns whose failure hurts n: the edges to its causes.
func (g *Graph) Up(n Node) []Edge { return g.up[n] }

// Down returns whom a failure of n hurts: the edges to its effects.
func (g *Graph) Down(n Node) []Edge { return g.down[n] }

// Valid tells whether an edge holds at a moment.
func (g *Graph) Valid(e Edge, at time.Time) bool {
	if !e.limited {
		return true
	}
	return validAt(&g.relations[e.relation], at)
}

// Steady tells whether no relation begins or ends between two moments, so that the graph is the same at both.
func (g *Graph) Steady(a, b time.Time) bool {
	if b.Before(a) {
		a, b = b, a
	}
	i := sort.Search(len(g.turns), func(i int) bool { return g.turns[i].After(a) })
	return i == len(g.turns) || g.turns[i].After(b)
}

func validAt(r *itsm.Relation, at time.Time) bool {
	return (r.ValidFrom.IsZero() || !at.Before(r.ValidFrom)) && (r.ValidTo.IsZero() || at.Before(r.ValidTo))
}

// Direct tells whether an edge stands for a relation, and not only for "is reached through".
func (e Edge) Direct() bool { return e.relation >= 0 }

// Delay returns how long the effect may come after the cause: the buffer of a feeds relation.
func (g *Graph) Delay(e Edge) time.Duration {
	if e.Kind != Starve && e.Kind != Block {
		return 0
	}
	d, err := time.ParseDuration(g.relations[e.relation].Attributes["buffer"])
	if err != nil { // absent; Parse has refused what is not a duration
		return 0
	}
	return d
}

// Needed returns how many of n members of a group must work, and whether the group says so.
func (g *Graph) Needed(group Node, n int) (int, bool) {
	r := g.items[group].Redundancy
	if r == nil {
		return 0, false
	}
	return r.Min.Of(n), true
}

// Bind says which item a label set speaks of. A result with Items must be given to Discover
// before its ID is known to the graph.
func (g *Graph) Bind(labels itsm.Labels) Match { return g.binder.bind(labels, g.Node) }

// Discover adds items and relations that were found in labels, those that are not there yet, and
// returns the nodes whose relations changed. A relation with an unknown end is left out.
func (g *Graph) Discover(items []itsm.Item, relations []itsm.Relation) []Node {
	var touched []Node
	for i := range items {
		if _, ok := g.ids[items[i].ID]; ok {
			continue
		}
		it := items[i]
		it.Discovered = true
		touched = append(touched, g.addItem(&it))
	}
	network := false
	for i := range relations {
		r := relations[i]
		from, okFrom := g.ids[r.From]
		to, okTo := g.ids[r.To]
		id := relationID{from, to, r.Type}
		if !okFrom || !okTo || from == to || g.seen[id] || g.related(from, to, r.Type) {
			continue
		}
		g.seen[id] = true
		r.Discovered = true
		index := int32(len(g.relations)) //nolint:gosec // see index
		g.relations = append(g.relations, r)
		g.at[from], g.at[to] = append(g.at[from], index), append(g.at[to], index)
		if r.Type == itsm.ConnectsTo && g.reach.looks() {
			network = true
		} else {
			for _, w := range g.edgesOf(index, from, to) {
				g.insert(w)
			}
		}
		touched = append(touched, from, to)
	}
	if network {
		g.reach.compute(g, g.reach.at)
	}
	return touched
}

// Known tells whether Discover would change nothing.
func (g *Graph) Known(items []itsm.Item, relations []itsm.Relation) bool {
	for i := range items {
		if _, ok := g.ids[items[i].ID]; !ok {
			return false
		}
	}
	for i := range relations {
		r := &relations[i]
		from, okFrom := g.ids[r.From]
		to, okTo := g.ids[r.To]
		if okFrom && okTo && from != to && !g.seen[relationID{from, to, r.Type}] && !g.related(from, to, r.Type) {
			return false
		}
	}
	return true
}

// related tells whether a declared relation of the type is there.
func (g *Graph) related(from, to Node, kind itsm.RelationType) bool {
	if len(g.at[to]) < len(g.at[from]) {
		for _, i := range g.at[to] {
			if r := &g.relations[i]; r.Type == kind && r.From == g.items[from].ID && !r.Discovered {
				return true
			}
		}
		return false
	}
	for _, i := range g.at[from] {
		if r := &g.relations[i]; r.Type == kind && r.To == g.items[to].ID && !r.Discovered {
			return true
		}
	}
	return false
}

// insert adds an edge at its place in the order of kind and id.
func (g *Graph) insert(w way) {
	g.up[w.effect] = g.inserted(g.up[w.effect], Edge{Node: w.cause, relation: w.relation, Kind: w.kind, limited: w.limited})
	g.down[w.cause] = g.inserted(g.down[w.cause], Edge{Node: w.effect, relation: w.relation, Kind: w.kind, limited: w.limited})
}

func (g *Graph) inserted(edges []Edge, e Edge) []Edge {
	i, _ := slices.BinarySearchFunc(edges, e, g.compareEdges)
	return slices.Insert(edges, i, e)
}

func (g *Graph) compareEdges(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(g.items[a.Node].ID, g.items[b.Node].ID))
}
