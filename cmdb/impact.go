package cmdb

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// Degradation says how badly an item is hurt.
type Degradation string

// The degradations, worst first.
const (
	Down     Degradation = "down"
	Degraded Degradation = "degraded"
	AtRisk   Degradation = "at_risk"
)

// Limits bound a walk.
type Limits struct {
	Hops   int // steps from the cause
	Visits int // items
}

// DefaultLimits are enough for what people look at.
func DefaultLimits() Limits { return Limits{Hops: 8, Visits: 5000} }

// Step is one relation on the way of a failure, from a cause to an effect.
type Step struct {
	From, To Node // cause and effect
	Kind     Kind
	Type     itsm.RelationType // connects_to for what is only reached through the cause
}

// Effect is an item that a failure hurts.
type Effect struct {
	Node        Node
	Degradation Degradation
	Hops        int
	// After is how long the effect may keep from showing: the buffers on the way.
	After time.Duration
	Via   Step // the last step of the way
}

// Impact is what the failure of one item hurts, nearest first.
type Impact struct {
	Effects []Effect
	// Limit names the limit that ended the walk ("hops", "visits"), empty when it came to its end.
	Limit string
}

// Impact walks from a failing item to everything it hurts at a moment. A group with a declared
// redundancy is at risk as long as enough members are left, and what lies behind it is not hurt.
func (g *Graph) Impact(from Node, at time.Time, limits Limits) Impact {
	return g.ImpactOf([]Failure{{from, Down}}, at, limits)
}

// Failure is an item that fails by itself, and how badly.
type Failure struct {
	Node        Node
	Degradation Degradation // Down or Degraded
}

// ImpactOf is the Impact of several items, each named once, that fail together: a group loses all of them.
// What fails is not among the effects.
func (g *Graph) ImpactOf(failures []Failure, at time.Time, limits Limits) Impact {
	w, _ := g.walks.Get().(*walk)
	if w == nil {
		w = &walk{place: map[Node]int{}, lost: map[Node]int{}, counted: map[[2]Node]bool{}, size: map[Node]int{}}
	}
	defer g.walks.Put(w)
	w.begin(g, at, limits)
	for i, f := range failures {
		w.queue = append(w.queue, Effect{Node: f.Node, Degradation: f.Degradation})
		w.place[f.Node] = i
	}
	for ; w.next < len(w.queue); w.next++ {
		w.step(w.next)
	}
	return Impact{Effects: slices.Clone(w.queue[len(failures):]), Limit: w.limit}
}

// begin makes a walk that was used before a new one: the memory of walks is half of what they cost.
func (w *walk) begin(g *Graph, at time.Time, limits Limits) {
	w.g, w.at, w.limits, w.queue, w.next, w.limit = g, at, limits, w.queue[:0], 0, ""
	clear(w.place)
	clear(w.lost)
	clear(w.counted)
	clear(w.size)
}

type walk struct {
	g       *Graph
	at      time.Time
	limits  Limits
	queue   []Effect
	next    int              // the effect that is followed now, after all before it
	place   map[Node]int     // where an item stands in the queue
	lost    map[Node]int     // members of a group that are down
	counted map[[2]Node]bool // member and group
	size    map[Node]int     // members of a group
	limit   string
}

// step follows one effect to the next ones.
func (w *walk) step(i int) {
	e := w.queue[i]
	if e.Degradation == AtRisk {
		return
	}
	for _, edge := range w.g.Down(e.Node) {
		if edge.Kind == Measure || !w.g.Valid(edge, w.at) || e.Via.Kind == Member && edge.Kind == Group && e.Hops > 0 {
			continue
		}
		hurt := w.hurt(e, edge)
		if at, known := w.place[edge.Node]; known {
			if worse(hurt, w.queue[at].Degradation) {
				w.queue[at].Degradation = hurt
				if at <= w.next { // it was followed as something less bad
					w.step(at)
				}
			}
			continue
		}
		if e.Hops >= w.limits.Hops {
			w.limit = "hops"
			continue
		}
		if len(w.queue) > w.limits.Visits {
			w.limit = "visits"
			return
		}
		w.place[edge.Node] = len(w.queue)
		w.queue = append(w.queue, Effect{
			Node: edge.Node, Degradation: hurt, Hops: e.Hops + 1, After: e.After + w.g.Delay(edge),
			Via: Step{From: e.Node, To: edge.Node, Kind: edge.Kind, Type: w.g.typeOf(edge)},
		})
	}
}

func worse(a, b Degradation) bool {
	order := []Degradation{Down, Degraded, AtRisk}
	return slices.Index(order, a) < slices.Index(order, b)
}

func (w *walk) hurt(e Effect, edge Edge) Degradation {
	switch edge.Kind {
	case Member:
		return w.group(e, edge.Node)
	case Part, Starve, Block:
		return Degraded
	default:
		return e.Degradation
	}
}

// group is how badly a group is hurt by what has happened to its members so far. A member that is
// only degraded still works.
func (w *walk) group(member Effect, group Node) Degradation {
	if pair := [2]Node{member.Node, group}; member.Degradation == Down && !w.counted[pair] {
		w.counted[pair] = true
		w.lost[group]++
	}
	members, known := w.size[group]
	if !known {
		members = w.g.Members(group, w.at)
		w.size[group] = members
	}
	needed, declared := w.g.Needed(group, members)
	switch left := members - w.lost[group]; {
	case left <= 0 || declared && left < needed:
		return Down
	case declared:
		return AtRisk
	default:
		return Degraded
	}
}

// Members returns how many members a group has at a moment.
func (g *Graph) Members(group Node, at time.Time) int {
	n := 0
	for _, e := range g.Up(group) {
		if e.Kind == Member && g.Valid(e, at) {
			n++
		}
	}
	return n
}

func (g *Graph) typeOf(e Edge) itsm.RelationType {
	if e.relation < 0 {
		return itsm.ConnectsTo
	}
	return g.relations[e.relation].Type
}

// Path returns the shortest way that a failure of one item takes to another, nil when there is
// none within the default limits.
func (g *Graph) Path(cause, effect Node, at time.Time) []Step {
	if cause == effect || cause == None || effect == None {
		return nil
	}
	limits := DefaultLimits()
	next := map[Node]Step{effect: {}}
	level := []Node{effect}
	for range limits.Hops {
		var up []Node
		for _, n := range level {
			for _, e := range g.Up(n) {
				if _, seen := next[e.Node]; seen || !g.Valid(e, at) || e.Kind == Member && n != effect && next[n].Kind == Group {
					continue
				}
				next[e.Node] = Step{From: e.Node, To: n, Kind: e.Kind, Type: g.typeOf(e)}
				if e.Node == cause {
					return unroll(next, cause, effect)
				}
				up = append(up, e.Node)
			}
			if len(next) > limits.Visits {
				return nil
			}
		}
		level = up
	}
	return nil
}

func unroll(next map[Node]Step, cause, effect Node) []Step {
	var path []Step
	for n := cause; n != effect; n = next[n].To {
		path = append(path, next[n])
	}
	return path
}

// Explain says in text which item a label set speaks of and why, with what its failure would hurt.
func (g *Graph) Explain(labels itsm.Labels) string {
	m := g.Bind(labels)
	var b strings.Builder
	switch {
	case len(m.Tie) > 0:
		fmt.Fprintf(&b, "no item: %s means several: %s", m.How, strings.Join(m.Tie, ", "))
	case m.ID == "":
		b.WriteString("no item")
		for _, t := range m.Tried {
			fmt.Fprintf(&b, "\n  tried %s", t)
		}
		if len(m.Tried) == 0 {
			b.WriteString("\n  nothing to try: no item has an identifier with these labels and no binding rule matches")
		}
		return b.String()
	default:
		fmt.Fprintf(&b, "item %s\n  by %s", m.ID, m.How)
	}
	if len(m.Items) > 0 || len(m.Relations) > 0 {
		for _, it := range m.Items {
			fmt.Fprintf(&b, "\n  would discover %s (%s)", it.ID, it.Class)
		}
		for _, r := range m.Relations {
			fmt.Fprintf(&b, "\n  would discover %s %s %s", r.From, r.Type, r.To)
		}
		return b.String()
	}
	if n, ok := g.Node(m.ID); ok {
		fmt.Fprintf(&b, "\n  class %s, name %s", g.items[n].Class, g.Name(n))
		impact := g.Impact(n, time.Time{}, DefaultLimits())
		fmt.Fprintf(&b, "\n  its failure hurts %d items", len(impact.Effects))
		for _, e := range impact.Effects[:min(10, len(impact.Effects))] {
			fmt.Fprintf(&b, "\n    %s (%s) by %s from %s", g.items[e.Node].ID, e.Degradation, e.Via.Type, g.items[e.Via.From].ID)
			if e.After > 0 {
				fmt.Fprintf(&b, ", after up to %s", e.After)
			}
		}
	}
	return b.String()
}
