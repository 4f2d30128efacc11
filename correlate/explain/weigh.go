package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
)

// The strength of one kind of evidence, in thousandths; conf turns their sum into 0 … 1000.
const (
	strengthOwn     = 1000 // the cause itself reports
	strengthAll     = 600  // it accounts for all of an incident
	strengthShort   = 1000 // it is a group with fewer members than it needs
	strengthContext = 300  // it has an alert of low severity
	strengthFirst   = 300  // it reported before all others
	strengthSilent  = 400  // against: an item that should suffer and does not say so
	strengthUnsaid  = 200  // against: the cause itself does not say so
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
	own        bool
	telling    int64 // how much its own alerts say, in thousandths
	context    bool
	first      bool // it reported before all others
	items      int32
	classes    []classCount // what it explains; mass in percent
	expected   []int32      // for each class, how many it should explain
	others     []classCount // what reports to other hypotheses: it is not explained here, but not silent either
	net        []int64      // strength of each class
	left       int          // members of a group that has fewer than it needs
	needed     int          // how many it needs; 0: it has enough, or does not say
	change     *Change      // the change that weighs most
	changed    int64        // its strength
	told       int64        // what people's earlier decisions add when causes are ranked
	experience Experience
	strength   int64 // all of it
	exact      bool  // mass is what each item says
	blamed     int64 // what the item's own alerts say of it, when causes are ranked
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
		against := int64(strengthSilent)
		if b.exact { // as much as one that does
			against = strengthSilent * c.mass / max(1, int64(c.items)*100)
		}
		b.expected[i], b.net[i] = expected, max(0, c.mass*10-silent*against*d/100_000)
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
		b.strength += strengthOwn * b.telling / 1000
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

// grouped tells whether members of a cause report, which is as if it did.
func (b *belief) grouped() bool {
	return slices.ContainsFunc(b.classes, func(c classCount) bool { return c.kind == cmdb.Group })
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

func (b *belief) add(e *entry) {
	b.own = b.own || e.self
	if e.self {
		b.telling = max(b.telling, e.h.body.items[e.node].telling)
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

// near yields the open hypotheses around a possible cause that had news within the window, but for those of one-shot
// events on items without relations: each of them stands for itself.
func (x *Index) near(n cmdb.Node, now time.Time, yield func(*entry)) {
	x.live(n, now, func(e *entry) {
		if e.h.Shots == NoShots {
			yield(e)
		}
	})
}

// live yields all open hypotheses around a possible cause that had news within the window, the latest first.
func (x *Index) live(n cmdb.Node, now time.Time, yield func(*entry)) {
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
	traffic := true // is all that it reports itself
	x.near(n, now, func(e *entry) {
		if x.ruledOut(e.h, n) {
			return
		}
		b.add(e)
		traffic = traffic && (!e.self || x.trafficOnly(e.h.body.items[n]))
		if onset := e.h.body.onset; onset.Before(since) {
			since = onset
		}
	})
	if b.own && traffic && x.called(n, func(m cmdb.Node) bool { return x.reports(m, now) }) {
		b.own, b.telling = false, 0
	}
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
