package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
)

// How likely an alert is when its cause is there.
const (
	likelyOwn    = 0.8 // on the cause itself
	likelyMember = 0.9 // on each member of a group that is the cause
)

// perNat turns nats of evidence into thousandths of strength: an alert that one item in twenty has without a fault is
// worth a whole strengthOwn.
const perNat = strengthOwn / 2.778

// strengthTold is how much more than usual a surprise must say to be told.
const strengthTold = 200

// fade is the time after which what begins later than the trouble says less of its cause, by a factor of e.
const fade = 3 * time.Minute

// stale is the time by which what began before the trouble says less of its cause, by a factor of e.
const stale = 10 * time.Minute

// surprise is the evidence, in nats, of an alert that a cause raises with probability q and that is there anyway with
// probability p (noisy-or).
func surprise(p, q float64) float64 {
	return math.Log((p + q - p*q) / p)
}

// weight is what one type of alerts says, in thousandths of strength; integers, so that the order of a sum does not
// matter. It is there anyway with probability p, and with probability q when its cause is.
func (t *typeCount) weight(p, q float64, since time.Time) int64 {
	late, early := max(0, t.onset.Sub(since)), max(0, since.Sub(t.onset))
	return int64(math.Round(perNat * surprise(p, q) * math.Exp(-float64(late)/float64(fade)-float64(early)/float64(stale)) * beyond(t.most)))
}

// usualMagnitude is how far beyond normal a value usually is when it alerts; then it says neither more nor less than
// an alert that does not tell.
const usualMagnitude = 5

// beyond weighs a magnitude.
func beyond(magnitude float64) float64 {
	if magnitude == 0 {
		return 1
	}
	return max(0.5, math.Log1p(magnitude)/math.Log1p(usualMagnitude))
}

// tellingOf grows slowly with the types of alerts, which have much in common, and with how far beyond normal they are; what fires
// here all the time tells little.
func (x *Index) tellingOf(in *itemIn) int64 {
	most, families := 0.0, 0
	for i := range in.types {
		t := &in.types[i]
		most = max(most, beyond(t.most)*t.past.unusual())
		name := x.familyOf(t.name)
		if !slices.ContainsFunc(in.types[:i], func(o typeCount) bool { return x.familyOf(o.name) == name }) {
			families++
		}
	}
	return int64(math.Round(1000 * most * (1 + math.Log(float64(max(1, families)))/3)))
}

// blames is what the alerts of an item say of the item itself as a cause.
func (x *Index) blames(n cmdb.Node, h *Hypothesis, since time.Time, explained map[typeOf]int) int64 {
	reports := func(m cmdb.Node) bool { return h.body.items[m] != nil }
	return x.says(n, h.body.items[n].types, since, explained, func(s symptom) float64 {
		if s == symptomTraffic && x.called(n, reports) {
			return 0 // its callers are hurt: so is their traffic
		}
		return float64(travels(self)[s]) / 100
	})
}

// says is what the alerts of an item say of a cause that shows in them with a chance. Types that differ only in numbers
// (templates of a log, disks of a host) are hardly independent: beyond the strongest they add little. Those that say of one condition
// how bad it is add nothing.
func (x *Index) says(n cmdb.Node, types []typeCount, since time.Time, explained map[typeOf]int, chance func(symptom) float64) int64 {
	class := x.g.ClassID(n)
	around := x.peers.of(n)
	sum := int64(0)
	type family struct {
		name  string
		count int
		most  int64
	}
	var families []family
	for k := range types {
		t := &types[k]
		q := chance(x.symptomOf(t.name))
		if q == 0 {
			continue
		}
		key := typeOf{class, t.name}
		p := x.chance(n, key, around.having[key]-max(1, explained[key]), around.sizes[class]-max(1, explained[key]), t.past)
		w := t.weight(p, q, since)
		if len(types) == 1 {
			return sum + w
		}
		name := x.familyOf(t.name)
		i := slices.IndexFunc(families, func(f family) bool { return f.name == name })
		if i < 0 {
			i = len(families)
			families = append(families, family{name: name})
		}
		if !x.twin(types, k) {
			families[i].count++
		}
		families[i].most = max(families[i].most, w)
	}
	for _, f := range families {
		sum += int64(math.Round(float64(f.most) * (1 + math.Log(float64(f.count))/3)))
	}
	return sum
}

// unusual is how far what an item reports exceeds, at most once, what one item in twenty has anyway, when a cause explains
// so many items that have it; in thousandths.
func (x *Index) unusual(n cmdb.Node, types []typeCount, explained map[typeOf]int) int64 {
	class, around := x.g.ClassID(n), x.peers.of(n)
	var m mean
	for i := range types {
		key := typeOf{class, types[i].name}
		k := max(1, explained[key])
		p := x.chance(n, key, around.having[key]-k, around.sizes[class]-k, types[i].past)
		m.add(beyond(types[i].most), min(1, surprise(p, likelyOwn)/surprise(0.05, likelyOwn)))
	}
	return m.thousandths()
}

// mean is a weighted mean of shares; it sums integers, so that their order does not matter.
type mean struct{ sum, weights int64 }

func (m *mean) add(weight, share float64) {
	w := int64(math.Round(1000 * weight))
	m.sum += int64(math.Round(float64(w) * share))
	m.weights += w
}

func (m *mean) thousandths() int64 { return 1000 * m.sum / max(1, m.weights) }

// called tells whether something that depends on an item reports as well.
func (x *Index) called(n cmdb.Node, reports func(cmdb.Node) bool) bool {
	edges := x.g.Down(n)
	return slices.ContainsFunc(edges[:min(len(edges), x.cfg.FanOut)], func(e cmdb.Edge) bool {
		return e.Kind == cmdb.Depends && reports(e.Node)
	})
}

// trafficOnly tells whether all that an item reports is that its traffic is another one.
func (x *Index) trafficOnly(in *itemIn) bool {
	return !slices.ContainsFunc(in.types, func(t typeCount) bool { return x.symptomOf(t.name) != symptomTraffic })
}

// rare says which of its alerts is the least usual among the items like it.
func (x *Index) rare(n cmdb.Node, in *itemIn) string {
	class := x.g.ClassID(n)
	around := x.peers.of(n)
	var pick *typeCount
	have := func(t *typeCount) int { return around.having[typeOf{class, t.name}] - 1 }
	for i := range in.types {
		if t := &in.types[i]; pick == nil || cmp.Or(cmp.Compare(have(t), have(pick)), strings.Compare(t.name, pick.name)) < 0 {
			pick = t
		}
	}
	others := around.sizes[class] - 1
	if len(in.types) == 1 && pick.most > usualMagnitude {
		return fmt.Sprintf("%s is far beyond normal, magnitude %.3g", pick.name, pick.most)
	}
	if others < 1 {
		return fmt.Sprintf("%d types of alerts at once", len(in.types))
	}
	return fmt.Sprintf("%d of %d other %s items report %s", max(0, have(pick)), others, x.g.ClassWord(class), pick.name)
}

// familyOf is an alert type without its numbers and without what says how bad it is.
func (x *Index) familyOf(alertType string) string {
	alertType = x.conditionOf(alertType)
	if !strings.ContainsAny(alertType, "0123456789") {
		return alertType
	}
	f, ok := x.families[alertType]
	if !ok {
		f = strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, alertType)
		if len(x.families) > 10_000 {
			clear(x.families)
		}
		x.families[alertType] = f
	}
	return f
}

// shares is what its members have in common that report, as evidence for a group as a cause: for each type that
// nearly all of them have. When the group has too few members left, those that report are what it lacks; that the others
// are silent says nothing for it then.
func (x *Index) shares(n cmdb.Node, now, since time.Time, short bool, reports func(m cmdb.Node) *itemIn) int64 {
	type shared struct {
		typeOf
		of []typeCount
		on []cmdb.Node
	}
	var types []shared
	members := 0
	edges := x.g.Up(n)
	for _, e := range edges[:min(len(edges), x.cfg.FanOut)] {
		if e.Kind != cmdb.Member || !x.g.Valid(e, now) {
			continue
		}
		members++
		in := reports(e.Node)
		if in == nil {
			continue
		}
		class := x.g.ClassID(e.Node)
		for _, t := range in.types {
			key := typeOf{class, t.name}
			i := slices.IndexFunc(types, func(s shared) bool { return s.typeOf == key })
			if i < 0 {
				i = len(types)
				types = append(types, shared{typeOf: key})
			}
			types[i].of, types[i].on = append(types[i].of, t), append(types[i].on, e.Node)
		}
	}
	around := x.peers.of(n)
	silent := perNat * math.Log(1-likelyMember)
	sum := int64(0)
	for _, t := range types {
		sums := int64(0)
		if !short {
			sums = int64(math.Round(float64(members-len(t.of)) * silent))
		}
		for i := range t.of {
			p := x.chance(t.on[i], t.typeOf, around.having[t.typeOf]-len(t.of), around.sizes[t.class]-members, t.of[i].past)
			sums += t.of[i].weight(p, likelyMember, since)
		}
		sum += max(0, sums)
	}
	return sum
}
