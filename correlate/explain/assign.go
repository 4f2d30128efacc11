package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// The strength of one kind of evidence, in thousandths; conf turns their sum into 0 … 1000.
const (
	strengthOwn     = 1000 // the cause itself reports
	strengthAll     = 600  // it accounts for all of an incident
	strengthShort   = 1000 // it is a group with fewer members than it needs
	strengthContext = 300  // it has an alert of low severity
	strengthFirst   = 300  // it reported before all others
	strengthChange  = 2500 // it was changed just now
	strengthSilent  = 400  // against: an item that should suffer and does not say so
	strengthHalf    = 1500 // the sum that is worth one half
)

// conf maps the strength of evidence to 0 … 1000.
func conf(strength int64) int64 {
	if strength <= 0 {
		return 0
	}
	return 1000 * strength / (strength + strengthHalf)
}

// belief is what speaks for one item being a cause, over some hypotheses around it.
type belief struct {
	own      bool
	types    int // of the cause's own alerts
	context  bool
	first    bool // it reported before all others
	items    int32
	classes  []classCount // what it explains; mass in percent
	expected []int32      // for each class, how many it should explain
	others   []classCount // what reports to other hypotheses: it is not explained here, but not silent either
	net      []int64      // strength of each class
	left     int          // members of a group that has fewer than it needs
	needed   int          // how many it needs; 0: it has enough, or does not say
	change   *Change      // the change that weighs most
	changed  int64        // its strength
	strength int64        // all of it
	blamed   int64        // what the item's own alerts say of it, when causes are ranked
}

// weigh sums a belief up; the trouble began at since.
func (x *Index) weigh(n cmdb.Node, b *belief, since, now time.Time, rejected []string) {
	slices.SortFunc(b.classes, func(p, q classCount) int {
		return cmp.Or(strings.Compare(x.g.ClassWord(p.class), x.g.ClassWord(q.class)), cmp.Compare(p.kind, q.kind))
	})
	detected := 1000 * now.Sub(since) / x.cfg.Detection // in thousandths, how much should have shown by now
	d := int64(max(20, min(1000, detected)))
	b.expected, b.net = make([]int32, len(b.classes)), make([]int64, len(b.classes))
	covered := int64(0)
	b.left, b.needed = x.short(n, b, now)
	for i, c := range b.classes {
		expected, share := x.expectedOf(n, c, now.Sub(since))
		if b.needed > 0 && c.kind == cmdb.Group { // the members that are left cannot help it
			share = 0
		}
		silent := max(0, int64(expected-c.items-b.elsewhere(c))) * share
		b.expected[i], b.net[i] = expected, max(0, c.mass*10-silent*strengthSilent*d/100_000)
		covered += b.net[i]
	}
	b.change, b.changed = x.changeOn(n, since, rejected)
	if b.items < 2 && !b.own {
		for i := range b.net {
			b.net[i] /= 2
		}
		covered /= 2
	}
	b.strength = covered + b.changed
	if b.own {
		b.strength += b.ownStrength()
	}
	if b.needed > 0 && !b.own {
		b.strength += strengthShort
	}
	if b.own && b.first && b.items > 0 {
		b.strength += strengthFirst
	}
	if b.context && !b.own {
		b.strength += strengthContext
	}
}

// elsewhere is how many items of a class report to other hypotheses.
func (b *belief) elsewhere(c classCount) int32 {
	for _, o := range b.others {
		if o.class == c.class && o.kind == c.kind {
			return o.items
		}
	}
	return 0
}

// short tells how many members a group has left and how many it needs, when it has too few; a member is lost when it
// reports that it is down.
func (x *Index) short(n cmdb.Node, b *belief, now time.Time) (left, needed int) {
	if !slices.ContainsFunc(b.classes, func(c classCount) bool { return c.kind == cmdb.Group }) {
		return 0, 0
	}
	if _, declared := x.g.Needed(n, 1); !declared {
		return 0, 0
	}
	members, lost := 0, 0
	for _, e := range x.g.Up(n) {
		if e.Kind != cmdb.Member || !x.g.Valid(e, now) {
			continue
		}
		members++
		down := false
		x.near(e.Node, now, func(m *entry) { down = down || m.self && x.down(m.h.body.items[e.Node]) })
		if down {
			lost++
		}
	}
	left = members - lost
	if needed, _ = x.g.Needed(n, members); left >= needed || lost == 0 {
		return 0, 0
	}
	return left, needed
}

// down tells whether an item reports that it is gone.
func (x *Index) down(in *itemIn) bool {
	return in != nil && slices.ContainsFunc(in.types, func(t typeCount) bool { return x.symptomOf(t.name) == symptomDown })
}

// skew is by how much a change may seem to begin after what it caused: clocks differ.
const skew = 5 * time.Second

// changeOn returns the change of an item that best explains trouble since a moment: the last that began before it, else
// one that began with it.
func (x *Index) changeOn(n cmdb.Node, since time.Time, rejected []string) (*Change, int64) {
	var with *Change
	for _, c := range slices.Backward(x.changes[n]) {
		switch {
		case c.Status == "planned" || slices.Contains(rejected, c.ID) || c.StartsAt.Sub(since) > skew:
		case c.StartsAt.After(since):
			with = c
		case since.Sub(c.ended()) > x.cfg.LookBack:
		default:
			return c, x.changeStrength(c, since)
		}
	}
	if with == nil {
		return nil, 0
	}
	return with, x.changeStrength(with, since)
}

// ended is when a change was over, or began while it goes on.
func (c *Change) ended() time.Time {
	if c.EndsAt.After(c.StartsAt) {
		return c.EndsAt
	}
	return c.StartsAt
}

func (x *Index) changeStrength(c *Change, since time.Time) int64 {
	age := max(0, since.Sub(c.ended()))
	return int64(math.Round(strengthChange * math.Exp2(-float64(age)/float64(x.cfg.ChangeDecay))))
}

// ownStrength grows slowly with the types of alerts: they have much in common.
func (b *belief) ownStrength() int64 {
	return int64(math.Round(strengthOwn * (1 + math.Log(float64(max(1, b.types)))/3)))
}

func (b *belief) add(e *entry) {
	b.own = b.own || e.self
	if e.self {
		b.types = max(b.types, len(e.h.body.items[e.node].types))
	}
	b.items += e.items
next:
	for _, c := range e.classes {
		for i := range b.classes {
			if b.classes[i].class == c.class && b.classes[i].kind == c.kind {
				b.classes[i].items += c.items
				b.classes[i].mass += c.mass
				continue next
			}
		}
		b.classes = append(b.classes, c)
	}
}

// near yields the open hypotheses around a possible cause that had news within the window.
func (x *Index) near(n cmdb.Node, now time.Time, yield func(*entry)) {
	if int(n) >= len(x.nodes) {
		return
	}
	list := x.nodes[n]
	for i, seen := len(list)-1, 0; i >= 0 && seen < maxNear; i-- {
		e := list[i]
		if h := e.h; h != x.pending && (h.Closed || h.Resolved || now.Sub(h.LastJoined) > x.cfg.Window) {
			continue
		}
		seen++
		yield(e)
	}
}

// gather is the belief that an item is a cause, from all that fires around it.
func (x *Index) gather(n cmdb.Node, now time.Time) belief {
	if b, ok := x.gathered[n]; ok {
		return b
	}
	b := belief{context: x.context[n] > 0}
	since := now
	x.near(n, now, func(e *entry) {
		if x.ruledOut(e.h, n) {
			return
		}
		b.add(e)
		if onset := e.h.body.onset; onset.Before(since) {
			since = onset
		}
	})
	x.weigh(n, &b, since, now, nil)
	if b.strength > 0 && !b.own && x.branched(n, &b, now) {
		b.strength = 0
	}
	x.gathered[n] = b
	return b
}

// ruledOut tells whether people have said that an item is not the cause of a hypothesis, or what is.
func (x *Index) ruledOut(h *Hypothesis, n cmdb.Node) bool {
	if h.ConfirmedItem != None {
		return h.ConfirmedItem != n
	}
	if c := x.byID[h.ConfirmedChange]; c != nil {
		return !slices.Contains(c.Nodes, n)
	}
	return slices.Contains(h.RejectedItems, n)
}

// branched tells whether the trouble below an item sits in its branches and not in the item itself: those that
// are hurt are hurt entirely and others not at all, or, where the item would cut everything off, a third of them
// is not hurt (yet).
func (x *Index) branched(n cmdb.Node, b *belief, now time.Time) bool {
	whole, part, untouched, apart := 0, 0, 0, 0
	edges := x.g.Down(n)
	for _, e := range edges[:min(len(edges), x.cfg.FanOut)] {
		if e.Kind == cmdb.Measure || !x.g.Valid(e, now) {
			continue
		}
		var have, should int32
		branch := belief{}
		x.near(e.Node, now, func(e *entry) { branch.add(e) })
		for _, c := range branch.classes {
			have += c.items
		}
		for _, want := range x.expect(e.Node) {
			if slices.ContainsFunc(b.classes, func(c classCount) bool { return c.class == want.class && c.kind == want.kind }) {
				should += want.items
			}
		}
		switch {
		case have == 0 && !branch.own:
			if should > 1 {
				untouched++
			}
		case have < should:
			part++
		case have > 1:
			whole++
		}
		if e.Kind != cmdb.Network {
			apart++
		}
	}
	if untouched == 0 || whole+part == 0 {
		return false
	}
	return part == 0 || apart == 0 && 3*untouched >= whole+part+untouched
}

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
			target, seen := targets[c.node]
			if !seen {
				target = x.target(c, now)
				targets[c.node] = target
				merges = append(merges, x.joins(c, target, now)...)
			}
			if target == nil {
				target = x.shelter(o, c, now)
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
	score := func(r *reach) int64 {
		b := x.gather(r.node, now)
		s := conf(b.strength) * int64(r.weight) / max(1, top)
		if r.kind == cmdb.Measure && !b.own {
			s /= 2
		}
		return s
	}
	pick := &o.causes[0]
	for i := 1; i < len(o.causes); i++ {
		r := &o.causes[i]
		if s, most := score(r), score(pick); s > most || s == most && pick.node != o.Node && x.id(r.node) < x.id(pick.node) {
			pick = r
		}
	}
	for {
		var farther *reach
		have := x.gather(pick.node, now).strength
		for i := range o.causes {
			r := &o.causes[i]
			if r.hops > pick.hops && x.gather(r.node, now).strength-have >= outweighs && 2*score(r) >= score(pick) &&
				(farther == nil || score(r) > score(farther)) {
				farther = r
			}
		}
		if farther == nil {
			return choice{pick.node, x.gather(pick.node, now)}
		}
		pick = farther
	}
}

// target is the open hypothesis that a cause stands for: the one that says so, else the one that
// it explains for the most part.
func (x *Index) target(c choice, now time.Time) *Hypothesis {
	for _, h := range x.causes[c.node] {
		if !h.Closed && !h.Resolved && now.Sub(h.LastJoined) <= x.cfg.Window && !slices.Contains(h.RejectedItems, c.node) {
			return h
		}
	}
	var pick *entry
	x.near(c.node, now, func(e *entry) {
		if e.h == x.pending || e.h.Isolated || !x.explains(c, e) {
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
	return in != nil && slices.ContainsFunc(in.observations, func(o *Observation) bool { return o.Pinned })
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
		if e.h != target && e.h != x.pending && !e.h.Isolated && x.explains(c, e) {
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

// why says why an observation belongs to a cause.
func (x *Index) why(o *Observation, c choice) []itsm.Evidence {
	var list []itsm.Evidence
	if o.limit != "" {
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceTopology, Text: "the search for causes ended at its limit, correlate." + o.limit})
	}
	if c.node == o.Node {
		return append([]itsm.Evidence{{Kind: itsm.EvidenceOwn, Text: x.g.Name(o.Node) + " itself reports " + o.Type, Weight: 1}}, list...)
	}
	list = append([]itsm.Evidence{{Kind: itsm.EvidenceTopology, Text: x.way(o, c.node), Weight: 0.6}}, list...)
	if i := slices.IndexFunc(c.belief.classes, func(k classCount) bool { return k.class == x.g.ClassID(o.Node) }); i >= 0 && c.belief.net[i] > 0 {
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceCoverage, Text: x.covers(c.node, &c.belief, i), Weight: 0.3})
	}
	if c.belief.change != nil {
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceChange, Text: changeText(c.belief.change, o.Onset), Weight: 0.2})
	}
	return normalise(list)
}

// way says in words how the failure of a cause comes to the item.
func (x *Index) way(o *Observation, cause cmdb.Node) string {
	i := slices.IndexFunc(o.causes, func(r reach) bool { return r.node == cause })
	if i <= 0 {
		return x.g.Name(o.Node) + " is near " + x.g.Name(cause)
	}
	var hops []reach
	for ; i > 0; i = int(o.causes[i].via) {
		hops = append(hops, o.causes[i])
	}
	slices.Reverse(hops)
	from, steps := o.Node, make([]string, 0, len(hops))
	for _, r := range hops {
		steps = append(steps, sentence(r.last, x.g.Name(from), x.g.Name(r.node)))
		from = r.node
	}
	return strings.Join(steps, ", ")
}

func (x *Index) covers(n cmdb.Node, b *belief, i int) string {
	c := &b.classes[i]
	return fmt.Sprintf("%d of %d %s affected", c.items, b.expected[i], those(x.toward(n, c.kind), x.g.ClassWord(c.class), x.g.Name(n)))
}

// toward is the relation by which people say how a cause hurts what is hurt over a kind of relation: that kind
// when the cause has it, else the first that it has.
func (x *Index) toward(n cmdb.Node, kind cmdb.Kind) cmdb.Kind {
	edges := x.g.Down(n)
	if len(edges) == 0 || slices.ContainsFunc(edges, func(e cmdb.Edge) bool { return e.Kind == kind }) {
		return kind
	}
	return edges[0].Kind
}

func changeText(c *Change, now time.Time) string {
	at := c.StartsAt
	if !c.EndsAt.IsZero() && !c.EndsAt.After(now) {
		at = c.EndsAt
	}
	if at.After(now) {
		return fmt.Sprintf("%s (%s) came at the same time", cmp.Or(c.Title, c.ID), c.Kind)
	}
	return fmt.Sprintf("%s (%s) came %s before", cmp.Or(c.Title, c.ID), c.Kind, duration(now.Sub(at)))
}

// duration is a time span as people say it.
func duration(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d m", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
}

// normalise makes the weights sum to 1.
func normalise(list []itsm.Evidence) []itsm.Evidence {
	sum := 0.0
	for _, e := range list {
		sum += e.Weight
	}
	for i := range list {
		list[i].Weight = math.Round(1000*list[i].Weight/sum) / 1000
	}
	return list
}
