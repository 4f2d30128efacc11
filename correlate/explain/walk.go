package explain

import (
	"cmp"
	"slices"
	"time"

	"signalbox/cmdb"
)

// symptomOf returns the symptom of an alert type, from a bounded cache.
func (x *Index) symptomOf(alertType string) symptom {
	s, ok := x.symptoms[alertType]
	if !ok {
		s = x.words.symptomOf(alertType)
		if len(x.symptoms) > 10_000 {
			clear(x.symptoms)
		}
		x.symptoms[alertType] = s
	}
	return s
}

// Mild tells whether an alert type speaks of something that still works, though badly: slow, full, starved. What does not
// say so counts as an outage.
func (x *Index) Mild(alertType string) bool {
	switch x.symptomOf(alertType) {
	case symptomLatency, symptomTraffic, symptomSaturation, symptomStarved, symptomBlocked:
		return true
	}
	return false
}

// walk finds what may have caused an observation: itself, and what lies up to Hops relations
// before it, as long as enough of the failure would arrive. The relations hold as of its onset.
func (x *Index) walk(o *Observation) []reach {
	s := x.symptomOf(o.Type)
	if len(x.mark) < x.g.Len() {
		x.mark = append(x.mark, make([]int32, x.g.Len()-len(x.mark))...)
	}
	list := make([]reach, 1, 8)
	list[0] = reach{node: o.Node, weight: uint8(travels(self)[s]), kind: self, last: self} //nolint:gosec // percent
	x.mark[o.Node] = 1
	list = x.suspected(o, list)
	for i := 0; i < len(list); i++ {
		from := list[i]
		edges := x.g.Up(from.node)
		if s == symptomTraffic && (from.kind == self || from.last == caller) {
			edges = x.callers(from.node, edges)
		}
		if len(edges) > x.cfg.FanOut {
			edges, o.limit = edges[:x.cfg.FanOut], limitFanOut
		}
		for _, e := range edges {
			next, ok := x.step(from, e, s, o.Onset)
			if !ok {
				continue
			}
			next.via = uint8(i) //nolint:gosec // Candidates is at most 255
			if at := x.mark[e.Node]; at > 0 {
				if old := &list[at-1]; next.weight > old.weight && old.hops == next.hops {
					*old = next
				}
				continue
			}
			if limit := x.limit(from, len(list)); limit != "" {
				o.limit = limit
				break
			}
			list = append(list, next)
			x.mark[e.Node] = int32(len(list)) //nolint:gosec // see above
		}
	}
	for i := range list {
		x.mark[list[i].node] = 0
	}
	if o.limit != "" {
		x.limited[o.limit]++
	}
	return list
}

// callers are what may hurt an item, and before it what depends on it: whose trouble changes its traffic.
func (x *Index) callers(n cmdb.Node, up []cmdb.Edge) []cmdb.Edge {
	var out []cmdb.Edge
	for _, e := range x.g.Down(n) {
		if e.Kind == cmdb.Depends {
			e.Kind = caller
			out = append(out, e)
		}
	}
	return append(out, up...)
}

// What may end a walk before it has come to its end, by the keys of the configuration.
const (
	limitHops       = "hops"
	limitFanOut     = "fan_out"
	limitCandidates = "candidates"
	limitUnits      = "units" // of a reconsideration
)

// limit names what keeps a walk with so many causes from taking another one behind from.
func (x *Index) limit(from reach, causes int) string {
	switch {
	case int(from.hops) >= x.cfg.Hops:
		return limitHops
	case causes >= x.cfg.Candidates:
		return limitCandidates
	}
	return ""
}

// Limited returns how many walks each limit has ended since the last call.
func (x *Index) Limited() map[string]int {
	if len(x.limited) == 0 {
		return nil
	}
	out := x.limited
	x.limited = map[string]int{}
	return out
}

// least is the smallest share of a failure, in percent, that is followed.
const least = 15

func (x *Index) step(from reach, e cmdb.Edge, s symptom, at time.Time) (reach, bool) {
	if !x.g.Valid(e, at) {
		return reach{}, false
	}
	next := reach{node: e.Node, kind: from.kind, last: e.Kind, apart: from.apart || apart(e.Kind), hops: from.hops + 1}
	w := 0
	if from.kind == self {
		next.kind, w = e.Kind, travels(e.Kind)[s]
	} else {
		w = int(from.weight) * passes(e.Kind) / 100
	}
	switch {
	case w < least,
		from.last == cmdb.Group && e.Kind == cmdb.Member, // a sibling
		from.last == cmdb.Starve && e.Kind == cmdb.Block, from.last == cmdb.Block && e.Kind == cmdb.Starve,
		e.Kind == cmdb.Network && !next.apart && s != symptomDown: // what reports is reached
		return reach{}, false
	}
	next.weight = uint8(w) //nolint:gosec // percent
	return next, true
}

// Rewire must be called after the graph has changed around the given items; nil means anywhere.
// Every observation whose causes may have changed is weighed again.
func (x *Index) Rewire(touched []cmdb.Node) {
	x.grown(touched)
	for len(x.nodes) < x.g.Len() {
		x.nodes = append(x.nodes, nil)
	}
	if touched == nil {
		clear(x.expected)
		return
	}
	below := map[cmdb.Node]bool{}
	level := touched
	for range x.cfg.Hops + 1 {
		var next []cmdb.Node
		for _, n := range level {
			if below[n] {
				continue
			}
			below[n] = true
			for _, e := range x.g.Down(n) {
				next = append(next, e.Node)
			}
			for _, e := range x.g.Up(n) {
				if e.Kind == cmdb.Depends { // whose traffic it changes
					next = append(next, e.Node)
				}
			}
		}
		level = next
	}
	var again []*Observation
	for n := range below {
		if int(n) >= len(x.nodes) {
			continue
		}
		for _, e := range x.nodes[n] {
			if in := e.h.body.items[n]; in != nil {
				again = append(again, in.observations...)
			}
		}
	}
	slices.SortFunc(again, func(a, b *Observation) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	for _, o := range again {
		o.limit = ""
		causes := x.walk(o)
		if slices.Equal(causes, o.causes) {
			continue
		}
		h := o.Hypothesis
		joined := h.LastJoined
		x.Detach(o, h)
		o.causes = causes
		x.Attach(o, h)
		h.LastJoined = joined
	}
	x.forgetExpected(touched)
}

// forgetExpected drops the cached expectations of everything above the given items.
func (x *Index) forgetExpected(touched []cmdb.Node) {
	seen := map[cmdb.Node]bool{}
	level := touched
	for range x.cfg.Hops + 1 {
		var next []cmdb.Node
		for _, n := range level {
			if seen[n] {
				continue
			}
			seen[n] = true
			delete(x.expected, n)
			for _, e := range x.g.Up(n) {
				next = append(next, e.Node)
			}
		}
		level = next
	}
}

// expect counts by class what a failure of a cause should show on, within the limits of walk. The
// mass of an item is the share that arrives there of what its neighbours of the cause get.
func (x *Index) expect(cause cmdb.Node) []expectation {
	if have, ok := x.expected[cause]; ok {
		return have
	}
	type spot struct {
		node  cmdb.Node
		last  cmdb.Kind
		mass  int64
		after time.Duration
	}
	seen := map[cmdb.Node]bool{cause: true}
	var counts []expectation
	level := []spot{{cause, self, 100, 0}}
	for hop := 0; hop < x.cfg.Hops && len(level) > 0 && len(seen) < maxVisits; hop++ {
		var next []spot
		for _, at := range level {
			for _, e := range x.g.Down(at.node) {
				if seen[e.Node] || !x.g.Valid(e, x.g.Now()) || e.Kind == cmdb.Measure ||
					at.last == cmdb.Member && e.Kind == cmdb.Group ||
					at.last == cmdb.Starve && e.Kind == cmdb.Block || at.last == cmdb.Block && e.Kind == cmdb.Starve {
					continue
				}
				seen[e.Node] = true
				mass := at.mass
				if at.node != cause {
					mass = mass * int64(passes(at.last)) / 100
				}
				to := spot{e.Node, e.Kind, mass, at.after + x.g.Delay(e)}
				counts = addExpected(counts, classCount{x.g.ClassID(e.Node), e.Kind, 1, mass}, to.after)
				next = append(next, to)
			}
			if len(seen) >= maxVisits {
				break
			}
		}
		level = next
	}
	x.expected[cause] = counts
	return counts
}

// maxVisits bounds the walk that counts what a cause should show on.
const maxVisits = 4096

func addExpected(counts []expectation, one classCount, after time.Duration) []expectation {
	i := slices.IndexFunc(counts, func(c expectation) bool { return c.class == one.class && c.kind == one.kind })
	if i < 0 {
		i = len(counts)
		counts = append(counts, expectation{classCount: classCount{class: one.class, kind: one.kind}})
	}
	counts[i].items++
	counts[i].mass += one.mass
	if after > 0 {
		counts[i].late = append(counts[i].late, after)
	}
	return counts
}

// expectedOf returns how many items of a class, hurt over a kind of relation, a cause should show on
// after some time, and the share of one of them in percent.
func (x *Index) expectedOf(cause cmdb.Node, c classCount, elapsed time.Duration) (items int32, share int64) {
	for _, have := range x.expect(cause) {
		if have.class != c.class || have.kind != c.kind {
			continue
		}
		items := have.items
		for _, after := range have.late {
			if after > elapsed { // the buffer still lasts
				items--
			}
		}
		return max(items, c.items), have.mass / int64(have.items)
	}
	return c.items, 100
}
