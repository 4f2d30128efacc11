package explain

import "signalbox/cmdb"

// peers counts, for each set of items that relations join, how many there are of each class and how many of them
// report each alert type. What is not related says nothing of an item: estates that have nothing to do with each other
// do not influence each other.
type peers struct {
	parent []cmdb.Node // of a union–find forest
	joined map[cmdb.Node]*related
}

// related is one set of items that relations join.
type related struct {
	sizes  map[uint16]int
	having map[typeOf]int
	seen   map[typeOf]seen // in the past
	span   *span           // nil: nothing was counted yet
}

func newRelated() *related {
	return &related{sizes: map[uint16]int{}, having: map[typeOf]int{}, seen: map[typeOf]seen{}}
}

// typeOf is an alert type of the items of a class.
type typeOf struct {
	class uint16
	name  string
}

func (p *peers) root(n cmdb.Node) cmdb.Node {
	for p.parent[n] != n {
		p.parent[n] = p.parent[p.parent[n]]
		n = p.parent[n]
	}
	return n
}

// of returns the set that an item is in; an item without relations has none, so nothing is known of its peers.
func (p *peers) of(n cmdb.Node) related {
	if r := p.joined[p.root(n)]; r != nil {
		return *r
	}
	return related{}
}

// count adds to how many items of a class report a type.
func (p *peers) count(n cmdb.Node, t typeOf, by int) {
	r := p.joined[p.root(n)]
	if r == nil {
		return
	}
	if r.having[t] += by; r.having[t] == 0 {
		delete(r.having, t)
	}
}

// grown takes in the items and relations that the graph has gained.
func (x *Index) grown(touched []cmdb.Node) {
	for len(x.peers.parent) < x.g.Len() {
		n := cmdb.Node(len(x.peers.parent)) //nolint:gosec // as many as the graph has
		x.peers.parent = append(x.peers.parent, n)
		x.alone.sizes[x.g.ClassID(n)]++
		x.remember(n, &x.alone)
		touched = append(touched, n)
	}
	for _, n := range touched {
		for _, e := range x.g.Up(n) {
			x.join(n, e.Node)
		}
		for _, e := range x.g.Down(n) {
			x.join(n, e.Node)
		}
	}
}

// join makes one set of two, the smaller one into the larger one.
func (x *Index) join(a, b cmdb.Node) {
	a, b = x.peers.root(a), x.peers.root(b)
	if a == b {
		return
	}
	kept := longer(x.peers.span(a), x.peers.span(b))
	into, from := x.related(a, kept), x.related(b, kept)
	if len(into.sizes)+len(into.having) < len(from.sizes)+len(from.having) {
		a, b, into, from = b, a, from, into
	}
	for class, n := range from.sizes {
		into.sizes[class] += n
	}
	for t, n := range from.having {
		into.having[t] += n
	}
	for t, n := range from.seen {
		into.take(t, n)
	}
	x.peers.parent[b] = a
	x.peers.joined[a] = into
	delete(x.peers.joined, b)
}

// span is that of the set with a root, nil when the root is alone.
func (p *peers) span(root cmdb.Node) *span {
	if r := p.joined[root]; r != nil {
		return r.span
	}
	return nil
}

// related returns the set of a root, which goes on with a span; that of an item that was alone is made from what it reports and
// what is remembered of it.
func (x *Index) related(root cmdb.Node, s *span) *related {
	if r := x.peers.joined[root]; r != nil {
		r.span = s
		return r
	}
	class := x.g.ClassID(root)
	r := newRelated()
	r.sizes[class], r.span = 1, s
	x.remember(root, r)
	x.alone.sizes[class]--
	if x.rates != nil {
		for name, of := range x.rates.of(x.g.Item(root).ID) {
			x.alone.remember(typeOf{class, name}, of, -1)
		}
	}
	if int(root) < len(x.nodes) {
		for _, e := range x.nodes[root] {
			if !e.self || e.h == x.pending {
				continue
			}
			for _, t := range e.h.body.items[root].types {
				r.having[typeOf{class, t.name}]++
			}
		}
	}
	return r
}

// report counts what an item reports to a hypothesis, or takes it back.
func (x *Index) report(n cmdb.Node, in *itemIn, by int) {
	class := x.g.ClassID(n)
	for _, t := range in.types {
		x.peers.count(n, typeOf{class, t.name}, by)
	}
}
