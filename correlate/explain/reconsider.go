package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// Move says that observations of one hypothesis have another cause: they belong into another hypothesis.
type Move struct {
	From *Hypothesis
	// To is the hypothesis of that cause; nil opens one, one for all moves that share a New.
	To           *Hypothesis
	New          int
	Cause        cmdb.Node
	Observations []*Observation
	Evidence     [][]itsm.Evidence // of each of them, why it belongs there
}

// Bounds of one reconsideration.
const (
	maxHypotheses = 32
	maxUnits      = 512
)

// keep is by how much other causes must explain everything better than the present ones before anything moves, and
// costCause what a cause more costs that only explains better what others explain too; in thousandths of strength.
const (
	keep      = 500
	costCause = strengthHalf
)

// unit is what one item reports to one hypothesis and has the same possible causes.
type unit struct {
	h       *Hypothesis
	node    cmdb.Node
	in      itemIn // its types alone
	causes  []reach
	arrives []int64
	telling int64
	onset   time.Time
	fixed   bool // a person has put it there
	// The cause that explains it in a solution, and how well.
	by   cmdb.Node
	mass int64
}

// neighbourhood is what a reconsideration looks at.
type neighbourhood struct {
	x      *Index
	now    time.Time
	hyps   []*Hypothesis
	units  []*unit
	causes []cmdb.Node            // possible ones, by id
	of     map[cmdb.Node][]member // units that a cause may explain
	like   map[uint16]int64       // how many items of a class report
	since  time.Time
}

// member is a unit that a cause may explain, and the place of the cause in its list.
type member struct {
	u      *unit
	i      int
	mass   int64
	agrees int64 // in time with what the cause itself reports, in thousandths
}

// Reconsider looks at a hypothesis and those around it at once, and names what belongs elsewhere: the smallest set of
// causes that accounts for all of it is sought anew, cause by cause, each time the one that explains most of what is left.
// What people have decided stays. It returns nothing when the present causes explain about as well.
func (x *Index) Reconsider(now time.Time, h *Hypothesis) []Move {
	clear(x.gathered)
	p := x.around(now, h)
	if p == nil {
		return nil
	}
	have := p.worth(p.present())
	best := p.solve()
	if p.worth(best) < have+keep {
		return nil
	}
	return p.moves(best)
}

// around collects the neighbourhood of a hypothesis, nil when there is nothing to reconsider.
func (x *Index) around(now time.Time, h *Hypothesis) *neighbourhood {
	p := &neighbourhood{x: x, now: now, of: map[cmdb.Node][]member{}, like: map[uint16]int64{}, since: now}
	movable := func(h *Hypothesis) bool {
		return h.Shots == NoShots && !h.Isolated && !h.Closed && !h.Resolved && len(h.body.items) > 0
	}
	if !movable(h) {
		return nil
	}
	p.hyps = []*Hypothesis{h}
	for _, e := range h.body.top {
		if e.node != h.Cause && x.gather(e.node, now).strength <= 0 {
			continue // what is hurt around it has nothing to do with it
		}
		x.near(e.node, now, func(o *entry) {
			if o.h == x.pending || !movable(o.h) || len(p.hyps) >= maxHypotheses {
				return
			}
			if i, found := slices.BinarySearchFunc(p.hyps, o.h, compareHypotheses); !found {
				p.hyps = slices.Insert(p.hyps, i, o.h)
			}
		})
	}
	for _, h := range p.hyps {
		p.take(h)
	}
	if len(p.units) < 2 || len(p.units) > maxUnits {
		if len(p.units) > maxUnits {
			x.limited[limitUnits]++
		}
		return nil
	}
	p.relate()
	return p
}

// relate finds what each cause may explain of the units.
func (p *neighbourhood) relate() {
	x, now := p.x, p.now
	for k, u := range p.units {
		u.arrives = x.arrives(u.causes, func(n cmdb.Node) bool { return n != u.node && x.reports(n, now) })
		for i := range u.causes {
			n := u.causes[i].node
			if x.ruledOut(u.h, n) {
				continue
			}
			if len(p.of[n]) == 0 {
				p.causes = append(p.causes, n)
			}
			p.of[n] = append(p.of[n], member{u, i, massOf(u, i), 1000})
		}
		if u.onset.Before(p.since) {
			p.since = u.onset
		}
		if !slices.ContainsFunc(p.units[:k], func(o *unit) bool { return o.node == u.node }) {
			p.like[x.g.ClassID(u.node)]++
		}
	}
	slices.SortFunc(p.causes, func(a, b cmdb.Node) int { return cmp.Compare(x.id(a), x.id(b)) })
	for _, c := range p.causes {
		p.together(c)
		p.unusual(c)
	}
}

// unusual takes off what a cause explains that items have which it does not explain: it is there anyway.
func (p *neighbourhood) unusual(c cmdb.Node) {
	explained := p.explained(c)
	for i := range p.of[c] {
		m := &p.of[c][i]
		if m.u.node != c {
			m.mass = m.mass * p.x.unusual(m.u.node, m.u.in.types, explained) / 1000
		}
	}
}

// explained counts the items that a cause may explain, by what they report.
func (p *neighbourhood) explained(c cmdb.Node) map[typeOf]int {
	out := make(map[typeOf]int, len(p.of[c]))
	for _, m := range p.of[c] {
		class := p.x.g.ClassID(m.u.node)
		for i := range m.u.in.types {
			out[typeOf{class, m.u.in.types[i].name}]++
		}
	}
	return out
}

// inside is the neighbourhood of what a hypothesis alone holds, nil when that is too much to look at whenever it changes.
func (x *Index) inside(now time.Time, h *Hypothesis) *neighbourhood {
	if len(h.body.items) > maxInside {
		return nil
	}
	p := &neighbourhood{x: x, now: now, hyps: []*Hypothesis{h}, of: map[cmdb.Node][]member{}, like: map[uint16]int64{}, since: now}
	p.take(h)
	p.relate()
	return p
}

// maxInside bounds the items that are looked at one by one when causes are ranked.
const maxInside = 32

// exactly replaces what the classes of a belief add up to by what each item says, weighed as what the cause itself says is.
func (p *neighbourhood) exactly(c cmdb.Node, b *belief, since time.Time) {
	for i := range b.classes {
		b.classes[i].mass = 0
	}
	b.exact = true
	explained := p.explained(c)
	for _, m := range p.of[c] {
		if m.u.node == c {
			continue
		}
		class, kind := p.x.g.ClassID(m.u.node), m.u.causes[m.i].kind
		if i := slices.IndexFunc(b.classes, func(k classCount) bool { return k.class == class && k.kind == kind }); i >= 0 {
			q := float64(m.u.arrives[m.i]) / 100
			b.classes[i].mass += p.x.says(m.u.node, m.u.in.types, since, explained, func(symptom) float64 { return q }) * m.agrees / 10_000
		}
	}
	for i := range b.classes {
		if k := &b.classes[i]; !b.own && k.kind != cmdb.Group {
			k.mass -= p.silence(c, k.mass)
		}
	}
}

// silence is how much less of what it explains speaks for a cause that does not report itself: others like it do, or did in
// the past, so it would have said so.
func (p *neighbourhood) silence(c cmdb.Node, mass int64) int64 {
	class := p.x.g.ClassID(c)
	like := p.like[class]
	set := p.x.relatedTo(c)
	for t, past := range set.seen {
		if t.class == class && set.span != nil {
			like += int64(past.before(set.span.begin)) // this trouble does not speak for itself
		}
	}
	return mass * like / (2 * (like + 1))
}

// together weighs what a cause explains by how near in time it is to what the cause itself reports, or when it says nothing, to when
// most of what it explains began.
func (p *neighbourhood) together(c cmdb.Node) {
	var own []time.Time
	for _, m := range p.of[c] {
		if m.u.node == c {
			for i := range m.u.in.types {
				own = append(own, m.u.in.types[i].onset)
			}
		}
	}
	if len(own) == 0 {
		var b body
		for _, m := range p.of[c] {
			for i := range m.u.in.types {
				b.start(m.u.in.types[i].onset, max(1, m.mass))
			}
		}
		own = []time.Time{b.surge(), b.surge().Add(fade)}
	}
	for i := range p.of[c] {
		m := &p.of[c][i]
		if m.u.node == c {
			continue
		}
		m.agrees = p.agree(own, m.u)
		m.mass = m.mass * m.agrees / 1000
	}
}

// agree is how well what an item reports agrees with what its cause reports, in time, in thousandths.
func (p *neighbourhood) agree(own []time.Time, u *unit) int64 {
	var m mean
	for i := range u.in.types {
		t := &u.in.types[i]
		most := 0.0
		for _, at := range own {
			apart := max(0, t.onset.Sub(at).Abs()-p.x.cfg.Detection)
			most = max(most, math.Exp(-float64(apart)/float64(togetherWithin)))
		}
		m.add(beyond(t.most), most)
	}
	return m.thousandths()
}

// togetherWithin is the time after which what begins apart from its cause speaks less for it, by a factor of e.
const togetherWithin = 5 * time.Minute

// massOf is how well a cause explains a unit, in thousandths of strength: noisy-or against what one item in twenty has
// anyway.
func massOf(u *unit, i int) int64 {
	const usual = 0.05
	q := float64(u.arrives[i]) / 100
	if q <= 0 {
		return 0
	}
	return int64(math.Round(perNat * surprise(usual, q) * float64(u.telling) / 1000))
}

// take adds the units of a hypothesis, by item and way.
func (p *neighbourhood) take(h *Hypothesis) {
	nodes := make([]cmdb.Node, 0, len(h.body.items))
	for n := range h.body.items {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b cmdb.Node) int { return cmp.Compare(p.x.id(a), p.x.id(b)) })
	confirmed := h.ConfirmedItem != None || h.ConfirmedChange != ""
	for _, n := range nodes {
		first := len(p.units)
		in := h.body.items[n]
		if len(in.ways) == 1 { // as almost always; there may be thousands of observations
			p.units = append(p.units, &unit{
				h: h, node: n, causes: in.ways[0].causes, by: None, fixed: confirmed || in.pinned > 0, onset: in.onset,
				in: itemIn{types: slices.Clone(in.types)},
			})
		} else {
			p.parts(h, n, in, confirmed)
		}
		for _, u := range p.units[first:] {
			u.telling = p.x.tellingOf(&u.in)
			slices.SortFunc(u.in.types, func(a, b typeCount) int { return strings.Compare(a.name, b.name) })
		}
		slices.SortFunc(p.units[first:], func(a, b *unit) int {
			return cmp.Or(strings.Compare(a.in.types[0].name, b.in.types[0].name), a.onset.Compare(b.onset), cmp.Compare(len(a.causes), len(b.causes)))
		})
	}
}

// parts adds the units of an item whose alerts have different possible causes.
func (p *neighbourhood) parts(h *Hypothesis, n cmdb.Node, in *itemIn, confirmed bool) {
	first := len(p.units)
	for _, o := range in.observations {
		i := slices.IndexFunc(p.units[first:], func(u *unit) bool { return slices.Equal(u.causes, o.causes) })
		if i < 0 {
			i = len(p.units) - first
			p.units = append(p.units, &unit{h: h, node: n, causes: o.causes, by: None, fixed: confirmed})
		}
		u := p.units[first+i]
		u.fixed = u.fixed || o.Pinned
		if u.onset.IsZero() || o.Onset.Before(u.onset) {
			u.onset = o.Onset
		}
		u.in.note(o)
	}
}

// massBy is how well a cause explains a unit.
func (p *neighbourhood) massBy(c cmdb.Node, u *unit) int64 {
	for _, m := range p.of[c] {
		if m.u == u {
			return m.mass
		}
	}
	return 0
}

// solution is a set of causes and which unit each explains.
type solution struct {
	causes []cmdb.Node
	by     []cmdb.Node // for each unit
	mass   []int64
}

// present is the solution that stands.
func (p *neighbourhood) present() solution {
	s := solution{by: make([]cmdb.Node, len(p.units)), mass: make([]int64, len(p.units))}
	for i, u := range p.units {
		c := u.h.Cause
		s.by[i] = c
		s.mass[i] = p.massBy(c, u)
		if c != None && !slices.Contains(s.causes, c) {
			s.causes = append(s.causes, c)
		}
	}
	return s
}

// solve seeks causes greedily.
func (p *neighbourhood) solve() solution {
	s := solution{by: make([]cmdb.Node, len(p.units)), mass: make([]int64, len(p.units))}
	for i, u := range p.units {
		u.by, u.mass, s.by[i] = None, 0, None
	}
	take := func(c cmdb.Node) {
		s.causes = append(s.causes, c)
		for _, m := range p.of[c] {
			if !m.u.fixed && m.mass > m.u.mass {
				m.u.by, m.u.mass = c, m.mass
			}
		}
	}
	for _, u := range p.units {
		if u.fixed && u.h.Cause != None {
			u.by = u.h.Cause
			u.mass = p.massBy(u.by, u)
			if !slices.Contains(s.causes, u.by) {
				take(u.by)
			}
		}
	}
	for range p.units {
		pick, most := None, int64(0)
		for _, c := range p.causes {
			if slices.Contains(s.causes, c) {
				continue
			}
			if gain := p.gain(c); gain > most {
				pick, most = c, gain
			}
		}
		if pick == None {
			break
		}
		take(pick)
	}
	for i, u := range p.units {
		if u.by == None {
			u.by = u.node
			u.mass = massOf(u, 0)
			if !slices.Contains(s.causes, u.by) {
				s.causes = append(s.causes, u.by)
			}
		}
		s.by[i], s.mass[i] = u.by, u.mass
	}
	s.causes = slices.DeleteFunc(s.causes, func(c cmdb.Node) bool { return !slices.Contains(s.by, c) })
	return s
}

// gain is what a cause more explains of what is left.
func (p *neighbourhood) gain(c cmdb.Node) int64 {
	left := false
	strength := p.weigh(c, func(m member) int64 {
		left = left || m.u.by == None
		return max(0, m.mass-m.u.mass)
	})
	if !left {
		strength -= costCause
	}
	if slices.ContainsFunc(p.hyps, func(h *Hypothesis) bool { return h.Cause == c }) {
		strength += keep / 2
	}
	return strength
}

// worth is how well a solution explains everything.
func (p *neighbourhood) worth(s solution) int64 {
	place := make(map[*unit]int, len(p.units))
	for i, u := range p.units {
		place[u] = i
	}
	sum := int64(0)
	for _, c := range s.causes {
		sum += p.weigh(c, func(m member) int64 {
			if i := place[m.u]; s.by[i] == c {
				return s.mass[i]
			}
			return 0
		}) - costCause
	}
	return sum
}

// weigh sums up what speaks for a cause, when it explains as much of each unit as part says.
func (p *neighbourhood) weigh(c cmdb.Node, part func(member) int64) int64 {
	x := p.x
	b := belief{context: x.context[c] > 0, first: true}
	own, since := p.sum(c, &b, part)
	if b.items == 0 && !b.own || !b.own && x.branched(c, &b, p.now) {
		return 0
	}
	d := int64(max(20, min(1000, 1000*p.now.Sub(since)/x.cfg.Detection)))
	b.left, b.needed = x.short(c, &b, p.now)
	covered := int64(0)
	for _, k := range b.classes {
		expected, share := x.expectedOf(c, k, p.now.Sub(since))
		if b.needed > 0 && k.kind == cmdb.Group {
			share = 0
		}
		silent := max(0, int64(expected-k.items)) * share
		net := max(0, k.mass-silent*strengthSilent*d/100_000)
		if !b.own && k.kind != cmdb.Group {
			net -= p.silence(c, net)
		}
		covered += net
	}
	if b.items < 2 && !b.own {
		covered /= 2
	}
	_, changed := x.changeOn(c, since, nil)
	strength := own + covered + changed
	if !b.own && !b.grouped() {
		strength -= strengthUnsaid
	}
	switch {
	case b.own && b.first && b.items > 0:
		strength += strengthFirst
	case b.needed > 0 && !b.own:
		strength += strengthShort
	case b.context && !b.own:
		strength += strengthContext
	}
	return strength
}

// sum adds up by class what a cause explains; it returns what the cause itself says and when that began.
func (p *neighbourhood) sum(c cmdb.Node, b *belief, part func(member) int64) (own int64, since time.Time) {
	since = p.now
	type place struct {
		node cmdb.Node
		kind cmdb.Kind
	}
	counted := map[place]bool{}
	hurt := map[cmdb.Node]bool{}
	for _, m := range p.of[c] {
		mass := part(m)
		if m.u.onset.Before(since) && mass > 0 {
			since = m.u.onset
		}
		if m.u.node == c {
			b.own = b.own || mass > 0
			own += mass
			b.first = b.first && !m.u.onset.After(p.since)
			continue
		}
		class, kind := p.x.g.ClassID(m.u.node), m.u.causes[m.i].kind
		i := slices.IndexFunc(b.classes, func(k classCount) bool { return k.class == class && k.kind == kind })
		if i < 0 {
			i = len(b.classes)
			b.classes = append(b.classes, classCount{class: class, kind: kind})
		}
		b.classes[i].mass += mass
		if at := (place{m.u.node, kind}); !counted[at] {
			counted[at] = true
			b.classes[i].items++
		}
		if mass > 0 && !hurt[m.u.node] {
			hurt[m.u.node] = true
			b.items++
		}
	}
	return own, since
}

// moves turns a solution into what must move.
func (p *neighbourhood) moves(s solution) []Move {
	mass := map[cmdb.Node]map[*Hypothesis]int64{}
	for i, u := range p.units {
		if mass[s.by[i]] == nil {
			mass[s.by[i]] = map[*Hypothesis]int64{}
		}
		mass[s.by[i]][u.h] += 1 + s.mass[i]
	}
	owner, taken := map[cmdb.Node]*Hypothesis{}, map[*Hypothesis]bool{}
	for _, h := range p.hyps {
		if c := h.Cause; slices.Contains(s.causes, c) && owner[c] == nil {
			owner[c], taken[h] = h, true
		}
	}
	for _, c := range s.causes {
		if owner[c] != nil {
			continue
		}
		var pick *Hypothesis
		for _, h := range p.hyps {
			if !taken[h] && !h.Past() && mass[c][h] > 0 && (pick == nil || mass[c][h] > mass[c][pick]) {
				pick = h
			}
		}
		if pick != nil {
			owner[c], taken[pick] = pick, true
		}
	}
	var out []Move
	for i, u := range p.units {
		c := s.by[i]
		if u.fixed || owner[c] == u.h {
			continue
		}
		k := slices.IndexFunc(out, func(m Move) bool { return m.From == u.h && m.Cause == c })
		if k < 0 {
			k = len(out)
			m := Move{From: u.h, To: owner[c], Cause: c}
			if m.To == nil {
				m.New = 1 + slices.Index(s.causes, c)
			}
			out = append(out, m)
		}
		for _, o := range u.h.body.items[u.node].observations {
			if slices.Equal(o.causes, u.causes) {
				out[k].Observations = append(out[k].Observations, o)
			}
		}
	}
	for i := range out {
		m := &out[i]
		slices.SortFunc(m.Observations, func(a, b *Observation) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
		for _, o := range m.Observations {
			m.Evidence = append(m.Evidence, p.x.why(o, choice{m.Cause, p.x.gather(m.Cause, p.now)}))
		}
	}
	slices.SortFunc(out, func(a, b Move) int {
		return cmp.Or(compareHypotheses(a.From, b.From), cmp.Compare(a.Observations[0].Ordinal, b.Observations[0].Ordinal))
	})
	return out
}
