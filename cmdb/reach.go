package cmdb

import (
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// reachability knows what monitoring reaches through what. With a vantage in the estate the
// Network edges of the graph are those of the dominator tree from it: the cause of an edge lies on
// every path to the effect, so that "unreachable" has a place to look at and two redundant
// switches hide nothing (K. Cooper, T. Harvey, K. Kennedy, "A Simple, Fast Dominance Algorithm").
// Without one, connects_to hurts both ways from and through transit classes.
type reachability struct {
	from  []Node    // the vantages
	at    time.Time // the moment it was computed for
	until time.Time // the next moment at which a relation begins or ends; zero: never
}

// looks tells whether monitoring has a place in the graph.
func (r *reachability) looks() bool { return len(r.from) > 0 }

// Refresh brings the graph to a moment and tells whether a relation has begun or ended since the
// last one. It is cheap when none has.
func (g *Graph) Refresh(at time.Time) bool {
	r := &g.reach
	if r.until.IsZero() || at.Before(r.until) {
		return false
	}
	r.compute(g, at)
	return true
}

// Now returns the moment that the graph was last brought to.
func (g *Graph) Now() time.Time { return g.reach.at }

// Rooted tells whether monitoring has a place in the graph: then network edges lead away from it.
func (g *Graph) Rooted() bool { return g.reach.looks() }

func (r *reachability) compute(g *Graph, at time.Time) {
	r.from = r.from[:0]
	for n := range g.items {
		if g.items[n].Vantage {
			r.from = append(r.from, Node(n)) //nolint:gosec // see index
		}
	}
	r.at, r.until = at, g.next(at)
	if !r.looks() {
		return
	}
	links := r.links(g, at)
	order, number := r.preorder(g, links)
	dominator := r.dominators(g, order, number, links)
	for n := range g.items {
		g.up[n] = slices.DeleteFunc(slices.Clone(g.up[n]), isNetwork)
		g.down[n] = slices.DeleteFunc(slices.Clone(g.down[n]), isNetwork)
	}
	for i := range g.relations {
		if rel := &g.relations[i]; rel.Type == itsm.ConnectsTo {
			from, to := g.ids[rel.From], g.ids[rel.To]
			for _, w := range g.edgesOf(int32(i), from, to) { //nolint:gosec // see index
				if number[w.effect] == 0 { // monitoring does not reach it: as without a vantage
					g.insert(w)
				}
			}
		}
	}
	for _, n := range order {
		if d := dominator[n]; d != None && !g.items[d].Vantage {
			g.insert(way{cause: d, effect: n, relation: r.direct(g, d, n), kind: Network})
		}
	}
}

func isNetwork(e Edge) bool { return e.Kind == Network }

// direct returns the relation between two nodes, -1 when they are only reached through each other.
func (r *reachability) direct(g *Graph, a, b Node) int32 {
	for _, i := range g.at[b] {
		rel := &g.relations[i]
		if rel.Type == itsm.ConnectsTo && (rel.From == g.items[a].ID || rel.To == g.items[a].ID) {
			return i
		}
	}
	return -1
}

// next returns when a relation begins or ends next, zero for never.
func (g *Graph) next(at time.Time) (until time.Time) {
	for i := range g.relations {
		for _, edge := range []time.Time{g.relations[i].ValidFrom, g.relations[i].ValidTo} {
			if !edge.IsZero() && edge.After(at) && (until.IsZero() || edge.Before(until)) {
				until = edge
			}
		}
	}
	return until
}

// links returns the neighbours along connects_to at a moment.
func (r *reachability) links(g *Graph, at time.Time) [][]Node {
	links := make([][]Node, len(g.items))
	for i := range g.relations {
		rel := &g.relations[i]
		if rel.Type != itsm.ConnectsTo || !validAt(rel, at) {
			continue
		}
		from, to := g.ids[rel.From], g.ids[rel.To]
		links[from], links[to] = append(links[from], to), append(links[to], from)
	}
	for n := range links {
		slices.SortFunc(links[n], func(a, b Node) int { return strings.Compare(g.items[a].ID, g.items[b].ID) })
	}
	return links
}

// passes tells whether the way to others leads through n.
func (g *Graph) passes(n Node) bool { return g.items[n].Vantage || g.Class(n).Transit }

// preorder numbers what is reached from the vantages from 1 in reverse postorder.
func (r *reachability) preorder(g *Graph, links [][]Node) (order []Node, number []int32) {
	number = make([]int32, len(g.items))
	type step struct {
		node Node
		next int
	}
	var post []Node
	visit := func(root Node) {
		if number[root] != 0 {
			return
		}
		number[root] = 1
		stack := []step{{root, 0}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if g.passes(top.node) && top.next < len(links[top.node]) {
				n := links[top.node][top.next]
				top.next++
				if number[n] == 0 {
					number[n] = 1
					stack = append(stack, step{n, 0})
				}
				continue
			}
			post = append(post, top.node)
			stack = stack[:len(stack)-1]
		}
	}
	for _, v := range r.from {
		visit(v)
	}
	slices.Reverse(post)
	for i, n := range post {
		number[n] = int32(i) + 1 //nolint:gosec // see index
	}
	return post, number
}

// dominators returns the immediate dominator of each reached node; None for a vantage and for
// what is reached from two vantages by separate ways.
func (r *reachability) dominators(g *Graph, order []Node, number []int32, links [][]Node) []Node {
	const root = Node(-2) // above all vantages
	dom := make([]Node, len(g.items))
	done := make([]bool, len(g.items))
	for n := range dom {
		dom[n] = None
	}
	for _, v := range r.from {
		dom[v], done[v] = root, true
	}
	intersect := func(a, b Node) Node {
		for a != b {
			for a != root && (b == root || number[a] > number[b]) {
				a = dom[a]
			}
			for b != root && (a == root || number[b] > number[a]) {
				b = dom[b]
			}
		}
		return a
	}
	for changed := true; changed; {
		changed = false
		for _, n := range order {
			if dom[n] == root && g.items[n].Vantage {
				continue
			}
			best, found := None, false
			for _, p := range links[n] {
				if !done[p] || !g.passes(p) {
					continue
				}
				if !found {
					best, found = p, true
				} else {
					best = intersect(p, best)
				}
			}
			if found && (!done[n] || dom[n] != best) {
				dom[n], done[n], changed = best, true, true
			}
		}
	}
	for n := range dom {
		if dom[n] == root {
			dom[n] = None
		}
	}
	return dom
}
