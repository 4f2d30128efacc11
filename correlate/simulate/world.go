package simulate

import (
	"math/rand/v2"
	"time"

	"signalbox/itsm"
)

// way is how the condition of one thing hurts another.
type way uint8

const (
	wayHost    way = iota // runs on it
	wayDepends            // calls it
	wayLink               // is reached through it
	wayMember             // a member hurts its group
	wayShared             // what members share hurts them
	wayControl            // is controlled by it
	wayPart               // a part hurts the whole
	wayFeed               // gets material from it
	wayBack               // hands material to it
	wayMeasure            // looks at it
)

// edge is one way: what happens to from hurts to.
type edge struct {
	from, to int32
	way      way
	delay    time.Duration // until it shows
	buffer   time.Duration // until it shows that material is missing, besides
	passes   bool          // partial trouble (errors, slowness) goes on
}

// unit is an item as it is, with what monitoring knows of it.
type unit struct {
	item    itsm.Item
	site    string
	labels  map[string]string // of its alerts
	checks  []check
	min     int     // of a group: how many members must work
	in, out []int32 // edges
	phase   time.Duration
	twins   bool // two sources report it
}

// world is the estate as it is.
type world struct {
	units     []unit
	edges     []edge
	relations []itsm.Relation
	classes   map[string][]int32
}

func (w *world) add(u unit) int32 {
	n := int32(len(w.units)) //nolint:gosec // 100,000 at most
	w.units = append(w.units, u)
	w.classes[u.item.Class] = append(w.classes[u.item.Class], n)
	return n
}

// relate adds a relation and the ways that trouble takes over it.
func (w *world) relate(rng *rand.Rand, from int32, kind itsm.RelationType, to int32) {
	r := itsm.Relation{From: w.units[from].item.ID, Type: kind, To: w.units[to].item.ID}
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(rng.Int64N(int64(most-least)))
	}
	const s = time.Second
	switch kind {
	case itsm.RunsOn:
		w.way(edge{from: to, to: from, way: wayHost, delay: between(s, 4*s), passes: rng.Float64() < 0.6})
	case itsm.DependsOn:
		w.way(edge{from: to, to: from, way: wayDepends, delay: between(2*s, 20*s), passes: rng.Float64() < 0.7})
	case itsm.MemberOf:
		w.way(edge{from: from, to: to, way: wayMember, delay: between(2*s, 10*s), passes: true})
		w.way(edge{from: to, to: from, way: wayShared, delay: between(s, 40*s), passes: rng.Float64() < 0.5})
	case itsm.ConnectsTo:
		w.way(edge{from: to, to: from, way: wayLink, delay: between(s/10, s)})
	case itsm.Controls:
		w.way(edge{from: from, to: to, way: wayControl, delay: between(s, 3*s), passes: true})
	case itsm.PartOf:
		w.way(edge{from: from, to: to, way: wayPart, delay: between(5*s, 30*s)})
	case itsm.Measures:
		w.way(edge{from: to, to: from, way: wayMeasure, delay: between(2*s, 20*s), passes: rng.Float64() < 0.6})
	case itsm.Feeds:
		var buffer time.Duration
		if rng.Float64() < 0.4 {
			buffer = time.Duration(1+rng.IntN(4)) * time.Minute
			r.Attributes = map[string]string{"buffer": buffer.String()}
		}
		w.way(edge{from: from, to: to, way: wayFeed, delay: between(3*s, 15*s), buffer: buffer})
		w.way(edge{from: to, to: from, way: wayBack, delay: between(3*s, 15*s), buffer: buffer})
	}
	w.relations = append(w.relations, r)
}

func (w *world) way(e edge) {
	n := int32(len(w.edges)) //nolint:gosec // a few for each item
	w.edges = append(w.edges, e)
	w.units[e.from].out = append(w.units[e.from].out, n)
	w.units[e.to].in = append(w.units[e.to].in, n)
}

// around returns what is within some steps of a unit along ways in the given direction (1 to what it hurts, -1 to what
// hurts it, 0 both), without itself, nearest first, at most limit.
func (w *world) around(start int32, steps, direction, limit int) []int32 {
	seen := map[int32]bool{start: true}
	var out []int32
	level := []int32{start}
	for range steps {
		var next []int32
		take := func(n int32) {
			if !seen[n] && len(out) < limit {
				seen[n] = true
				next, out = append(next, n), append(out, n)
			}
		}
		for _, n := range level {
			if direction >= 0 {
				for _, e := range w.units[n].out {
					take(w.edges[e].to)
				}
			}
			if direction <= 0 {
				for _, e := range w.units[n].in {
					take(w.edges[e].from)
				}
			}
		}
		level = next
	}
	return out
}
