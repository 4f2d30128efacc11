package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/learn"
	"signalbox/itsm"
)

// learned stands beside the relations of the estate: a pattern joins the two.
const learned cmdb.Kind = 202

// Suspect is a possible cause that a pattern names: an alert that such alerts are known to follow fired just before.
type Suspect struct {
	Item    string
	Type    string // of its alert
	Lag     time.Duration
	Support int // alerts that the pattern was learned from
	// Weight is the share of such alerts that are followed by one like this, divided by how many it may have followed; percent.
	Weight uint8
}

// maxSuspects bounds the causes that patterns add to one observation.
const maxSuspects = 4

// Suspects keeps the most likely ones, one for each item, whatever their order.
func Suspects(list []Suspect) []Suspect {
	slices.SortFunc(list, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Lag, b.Lag), cmp.Compare(a.Item, b.Item), cmp.Compare(a.Type, b.Type))
	})
	var out []Suspect
	for _, s := range list {
		if s.Weight >= least && len(out) < maxSuspects && !slices.ContainsFunc(out, func(o Suspect) bool { return o.Item == s.Item }) {
			out = append(out, s)
		}
	}
	return out
}

// Reaches tells whether so many relations are within a scope; three stands for more than two.
func Reaches(scope learn.Scope, relations int) bool {
	switch scope {
	case learn.ScopeRelated:
		return relations == 1
	case learn.ScopeTwoHops:
		return relations == 1 || relations == 2
	case learn.ScopeAnywhere:
		return relations > 0
	}
	return false
}

// Between counts the relations from one item to another, either way, up to two; three stands for more.
func (x *Index) Between(a, b cmdb.Node) int {
	if a == b {
		return 0
	}
	near := func(n cmdb.Node, yield func(cmdb.Node) bool) bool {
		for _, edges := range [][]cmdb.Edge{x.g.Up(n), x.g.Down(n)} {
			for _, e := range edges[:min(len(edges), x.cfg.FanOut)] {
				if x.g.Valid(e, x.g.Now()) && yield(e.Node) {
					return true
				}
			}
		}
		return false
	}
	is := func(n cmdb.Node) func(cmdb.Node) bool { return func(m cmdb.Node) bool { return m == n } }
	switch {
	case near(a, is(b)):
		return 1
	case near(a, func(m cmdb.Node) bool { return near(m, is(b)) }):
		return 2
	}
	return 3
}

// suspected puts what patterns name at the head of a walk.
func (x *Index) suspected(o *Observation, list []reach) []reach {
	for i := range o.Suspects {
		s := &o.Suspects[i]
		if n, ok := x.g.Node(s.Item); ok && x.mark[n] == 0 {
			list = append(list, reach{node: n, weight: s.Weight, kind: learned, last: learned, apart: true, hops: 1})
			x.mark[n] = int32(len(list)) //nolint:gosec // a few
		}
	}
	return list
}

// pattern says why a pattern names a cause; false when another way leads to it.
func (x *Index) pattern(o *Observation, cause cmdb.Node) (itsm.Evidence, bool) {
	i := slices.IndexFunc(o.causes, func(r reach) bool { return r.node == cause })
	for i > 0 && o.causes[i].last != learned {
		i = int(o.causes[i].via)
	}
	if i <= 0 {
		return itsm.Evidence{}, false
	}
	n := o.causes[i].node
	for _, s := range o.Suspects {
		if s.Item == x.id(n) {
			return itsm.Evidence{Kind: itsm.EvidencePattern, Weight: 0.6, Text: fmt.Sprintf(
				"%s follows %s, which %s reported %s before: learned from %d alerts", o.Type, s.Type, x.g.Name(n), duration(s.Lag), s.Support)}, true
		}
	}
	return itsm.Evidence{}, false
}
