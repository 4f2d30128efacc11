package explain

import (
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// Assign decides where fresh observations belong, in the order of their ordinals. They are not
// attached. There is a verdict for each, in their order. Merges name hypotheses that turn out to
// have one cause.
func (x *Index) Assign(now time.Time, fresh []*Observation) ([]Verdict, []Merge) {
	for len(x.nodes) < x.g.Len() {
		x.nodes = append(x.nodes, nil)
	}
	clear(x.gathered)
	for _, o := range fresh {
		if o.Node != None {
			x.Attach(o, x.pending)
		}
	}
	verdicts := make([]Verdict, 0, len(fresh))
	chosen := make([]choice, 0, len(fresh))
	for _, o := range fresh {
		chosen = append(chosen, x.choose(o, now))
	}
	for _, o := range slices.Backward(fresh) {
		if o.Node != None {
			x.Detach(o, x.pending)
		}
	}
	x.pending.body.onset = time.Time{}
	opening := map[cmdb.Node]int{}
	groups := map[string]int{}
	targets := map[cmdb.Node]*Hypothesis{}
	var merges []Merge
	for i, o := range fresh {
		v := Verdict{Observation: o}
		switch c := chosen[i]; o.Node {
		case None:
			v.Join = x.grouped(o)
			if v.Join == nil {
				if groups[o.Group] == 0 {
					groups[o.Group] = i + 1
				}
				v.New = groups[o.Group]
			}
			v.Evidence = []itsm.Evidence{{Kind: itsm.EvidenceSemantics, Text: "no item is known; grouped by " + o.Group, Weight: 1}}
		default:
			if o.Shots != NoShots {
				v.Join = x.shot(o, now)
				if v.New = opening[o.Node]; v.Join == nil && v.New == 0 {
					v.New = i + 1
				}
				v.Evidence = x.why(o, c)
				break
			}
			target, seen := targets[c.node]
			if !seen {
				target = x.target(c, now)
				targets[c.node] = target
				merges = append(merges, x.joins(c, target, now)...)
			}
			if target == nil {
				if target = x.shelter(o, c, now); target != nil && weightOf(o.causes, target.Cause) > 0 {
					c = choice{target.Cause, x.gather(target.Cause, now)}
				}
			}
			if v.Join = target; target == nil {
				if opening[c.node] == 0 {
					opening[c.node] = i + 1
				}
				v.New = opening[c.node]
			}
			v.Evidence = x.why(o, c)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, merges
}

// grouped returns the open hypothesis of unbound observations that o continues.
func (x *Index) grouped(o *Observation) *Hypothesis {
	for _, h := range x.groups[o.Group] {
		if !h.Closed && !h.Resolved && o.Seen.Sub(h.LastJoined) <= x.cfg.Gap {
			return h
		}
	}
	return nil
}

// choice is the cause that explains an observation best.
type choice struct {
	node   cmdb.Node
	belief belief
}

// outweighs is by how much the evidence for a farther cause must exceed that for a nearer one to win
// although less of its failure arrives: what it explains elsewhere would make a cause of its own.
const outweighs = 2 * strengthHalf

func (x *Index) choose(o *Observation, now time.Time) choice {
	if o.Node == None {
		return choice{node: None}
	}
	top := best(o.causes)
	arrives := x.arrives(o.causes, func(n cmdb.Node) bool { return n != o.Node && x.reports(n, now) })
	scores := make([]int64, len(o.causes))
	pick := 0
	for i := range o.causes {
		r := &o.causes[i]
		b := x.gather(r.node, now)
		scores[i] = conf(b.strength) * arrives[i] / max(1, top)
		if r.kind == cmdb.Measure && !b.own {
			scores[i] /= 2
		}
		if s, most := scores[i], scores[pick]; s > most || s == most && pick != 0 && x.id(r.node) < x.id(o.causes[pick].node) {
			pick = i
		}
	}
	for {
		farther := -1
		have := x.gather(o.causes[pick].node, now).strength
		for i := range o.causes {
			r := &o.causes[i]
			if r.hops > o.causes[pick].hops && x.gather(r.node, now).strength-have >= outweighs && 2*scores[i] >= scores[pick] &&
				(farther < 0 || scores[i] > scores[farther]) {
				farther = i
			}
		}
		if farther < 0 {
			return choice{o.causes[pick].node, x.gather(o.causes[pick].node, now)}
		}
		pick = farther
	}
}

// arrives is how much of a failure of each cause arrives, in percent, where the items on the way that report are known to be
// hurt: over them it is certain to have come.
func (x *Index) arrives(causes []reach, reports func(cmdb.Node) bool) []int64 {
	out := make([]int64, len(causes))
	for i := range causes {
		r := &causes[i]
		switch via := int(r.via); {
		case i == 0 || via == 0:
			out[i] = int64(r.weight)
		case reports(causes[via].node):
			out[i] = out[via]
		default:
			out[i] = out[via] * int64(r.weight) / max(1, int64(causes[via].weight))
		}
	}
	return out
}

// reports tells whether an item itself reports something now.
func (x *Index) reports(n cmdb.Node, now time.Time) bool {
	own := false
	x.near(n, now, func(e *entry) { own = own || e.self })
	return own
}

// target is the open hypothesis that a cause stands for: the one that says so, else the one that
// it explains for the most part.
func (x *Index) target(c choice, now time.Time) *Hypothesis {
	for _, h := range x.causes[c.node] {
		if !h.Closed && !h.Resolved && h.Shots != Routine && now.Sub(h.LastJoined) <= x.cfg.Window && !slices.Contains(h.RejectedItems, c.node) {
			return h
		}
	}
	var pick *entry
	x.near(c.node, now, func(e *entry) {
		if e.h == x.pending || e.h.Isolated || e.h.Past() || !x.explains(c, e) {
			return
		}
		if pick == nil || e.mass > pick.mass || e.mass == pick.mass && e.h.Ordinal < pick.h.Ordinal {
			pick = e
		}
	})
	if pick == nil {
		return nil
	}
	return pick.h
}

// shelter is the open hypothesis that holds most of what a cause would explain, when its own cause explains o as
// well: o comes to those that suffer with it, instead of opening an incident of its own beside them. What people
// have put together keeps together: their hypothesis takes what else its items report.
func (x *Index) shelter(o *Observation, c choice, now time.Time) *Hypothesis {
	var pick *entry
	x.near(c.node, now, func(e *entry) {
		switch own := c.node == o.Node; {
		case e.h == x.pending:
			return
		case e.h.Past() && e.h.Cause != c.node && (!own || !e.h.pinned(o.Node)):
			return
		case own && e.h.pinned(o.Node):
		case x.ruledOut(e.h, c.node), weightOf(o.causes, e.h.Cause) == 0, own && 2*e.mass < e.h.body.total:
			return
		}
		if pick == nil || e.mass > pick.mass || e.mass == pick.mass && e.h.Ordinal < pick.h.Ordinal {
			pick = e
		}
	})
	if pick == nil {
		return nil
	}
	return pick.h
}

// pinned tells whether people have put something that an item reports into a hypothesis.
func (h *Hypothesis) pinned(n cmdb.Node) bool {
	in := h.body.items[n]
	return in != nil && in.pinned > 0
}

// margin is by how much another cause must explain a hypothesis better to take it over, in percent.
const margin = 115

// explains tells whether a cause takes over what a hypothesis holds.
func (x *Index) explains(c choice, e *entry) bool {
	h := e.h
	if h.Cause == c.node {
		return true
	}
	if h.ConfirmedItem != None || h.ConfirmedChange != "" || slices.Contains(h.RejectedItems, c.node) {
		return false
	}
	share := 1000 * e.mass / max(1, h.body.total)
	score, have := conf(c.belief.strength)*share/1000, int64(h.Score)
	if share < 500 || 2*score < have {
		return false
	}
	own := strengthHalf * have / max(1, 1000-have)
	if len(h.body.items) == 1 && h.Change == "" && h.body.items[h.Cause] != nil { // an item that only blames itself
		return score > have
	}
	if c.belief.own && h.Change == "" && 3*score >= 2*have && x.hurts(c.node, h) {
		return true // one cause instead of two: what hurts the cause explains what that hurts
	}
	return score >= have*margin/100 || c.belief.strength*share/1000-own >= outweighs
}

// hurts tells whether what the cause of a hypothesis itself reports comes, more likely than not, from an item.
func (x *Index) hurts(n cmdb.Node, h *Hypothesis) bool {
	in := h.body.items[h.Cause]
	if in == nil {
		return false
	}
	for _, w := range in.ways {
		if weightOf(w.causes, n) < 50 {
			return false
		}
	}
	return true
}

// joins names the hypotheses around a cause that it explains, to be merged into the target.
func (x *Index) joins(c choice, target *Hypothesis, now time.Time) []Merge {
	if target == nil || target.Isolated {
		return nil
	}
	var others []*Hypothesis
	x.near(c.node, now, func(e *entry) {
		if e.h != target && e.h != x.pending && !e.h.Isolated && !e.h.Past() && x.explains(c, e) {
			others = append(others, e.h)
		}
	})
	slices.SortFunc(others, compareHypotheses)
	var out []Merge
	for _, h := range others {
		out = append(out, Merge{From: h, Into: target, Cause: c.node})
	}
	return out
}
