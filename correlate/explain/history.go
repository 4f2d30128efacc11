package explain

import (
	"maps"
	"slices"
	"time"

	"signalbox/cmdb"
)

// Past is how often an alert had fired before the span of time in which an observation began: what a fault makes fire
// does not say that it is usual.
type Past struct {
	Spans  int32 // in which anything had fired on what is related to the item
	Own    int32 // of them, those in which the item had this type
	Class  int32 // the same, summed over all related items of its class
	Recent int32 // Spans, each weighted by its age, in units of 1/recentUnit
	Fresh  int32 // Own, weighted so
}

// List returns what a checkpoint keeps of it.
func (p *Past) List() []*int32 {
	return []*int32{&p.Spans, &p.Own, &p.Class, &p.Recent, &p.Fresh}
}

// usualChance is how likely an alert fires anyway when nothing is known of it.
const usualChance = 0.05

// unusual is how far, at most once, something exceeds by its own past what usually fires anyway.
func (p Past) unusual() float64 {
	if p.Own == 0 {
		return 1
	}
	long := (float64(p.Own) + classPrior*usualChance) / float64(max(p.Spans, p.Own)+classPrior)
	chance := (float64(p.Fresh)/recentUnit + long) / (float64(max(p.Recent, p.Fresh))/recentUnit + 1)
	return min(1, surprise(min(0.999, chance), likelyOwn)/surprise(usualChance, likelyOwn))
}

// Prior weights, in spans of time: of the class for an item, and of the peers of the moment for a class.
const (
	classPrior = 3
	peersPrior = 5
)

// chance is how likely an item has an alert of a type at some moment without being hurt by what is looked at: from
// its own past, backed off to that of its class, and that to how many others have it now.
func (x *Index) chance(n cmdb.Node, t typeOf, have, others int, past Past) float64 {
	have, others = max(0, have), max(0, others)
	now := (float64(have) + 0.25) / float64(others+peersPrior)
	if past.Spans == 0 {
		return now
	}
	spans := float64(max(past.Spans, past.Own))
	size := float64(max(1, x.relatedTo(n).sizes[t.class]))
	class := (float64(past.Class) + (float64(others)+peersPrior)*now) / (size*spans + float64(others) + peersPrior)
	long := (float64(past.Own) + classPrior*class) / (spans + classPrior)
	recent := float64(max(past.Recent, past.Fresh)) / recentUnit
	return min(0.999, (float64(past.Fresh)/recentUnit+long)/(recent+1))
}

// Follow lets the index count in r, which outlives it: another estate has other nodes.
func (x *Index) Follow(r *Rates) {
	x.rates, x.alone.span = r, r.spans[""]
	for _, key := range slices.Sorted(maps.Keys(r.spans)) {
		if n, ok := x.g.Node(key); ok {
			if set := x.relatedTo(n); set != &x.alone {
				set.span = longer(set.span, r.spans[key])
			}
		}
	}
	for n := range cmdb.Node(x.g.Len()) { //nolint:gosec // as many as the graph has
		x.remember(n, x.relatedTo(n))
	}
}

// remember adds the past of an item to that of its class among the items related to it.
func (x *Index) remember(n cmdb.Node, set *related) {
	if x.rates == nil {
		return
	}
	class := x.g.ClassID(n)
	for name, of := range x.rates.of(x.g.Item(n).ID) {
		set.remember(typeOf{class, name}, of, 1)
	}
}

func (s *related) remember(t typeOf, of *rate, sign int32) {
	sum := s.seen[t]
	sum.spans += sign * of.spans
	if s.span != nil && s.span.begun && of.last.Equal(s.span.begin) {
		if !sum.begin.Equal(of.last) {
			sum.begin, sum.now = of.last, 0
		}
		sum.now += sign
	}
	s.seen[t] = sum
}

// relatedTo returns the set that an item is in; all that have no relations are in one.
func (x *Index) relatedTo(n cmdb.Node) *related {
	if set := x.peers.joined[x.peers.root(n)]; set != nil {
		return set
	}
	return &x.alone
}

// Count notes that an alert of a type begins to fire on an item, or on none, and returns what had been before. One fault is one
// span: it begins with an alert and takes in what fires within learn.RateWindow of it.
func (x *Index) Count(n cmdb.Node, alertType string, at time.Time) Past {
	r := x.rates
	if n == None {
		if x.alone.span == nil {
			x.alone.span = r.span("")
		}
		r.enter(x.alone.span, at, x.forget)
		return Past{}
	}
	set, id := x.relatedTo(n), x.g.Item(n).ID
	if set.span == nil {
		key := id
		if set == &x.alone {
			key = ""
		}
		set.span = r.span(key)
	}
	s := set.span
	r.enter(s, at, x.forget)
	p, key := place{id, alertType}, typeOf{x.g.ClassID(n), alertType}
	of := r.of(id)[alertType]
	if of == nil {
		of = r.add(p, x.forget)
	}
	past := Past{
		Spans: s.spans - 1, Recent: s.recent - recentUnit, Own: of.spans, Fresh: decayed(of.recent, s.begin.Sub(of.last)),
		Class: set.seen[key].before(s.begin),
	}
	if of.last.Equal(s.begin) {
		past.Own, past.Fresh = of.spans-1, of.recent-recentUnit
		return past
	}
	set.remember(key, of, -1)
	of.spans, of.recent, of.last = of.spans+1, past.Fresh+recentUnit, s.begin
	set.remember(key, of, 1)
	r.touch(p)
	return past
}

// forget takes back what was remembered of an item.
func (x *Index) forget(p place, of *rate) {
	if n, ok := x.g.Node(p.item); ok {
		x.relatedTo(n).remember(typeOf{x.g.ClassID(n), p.name}, of, -1)
	}
}

// seen is in how many spans the items of a class had a type, and how many of these are the span that begin begins.
type seen struct {
	spans, now int32
	begin      time.Time
}

func (s seen) before(begin time.Time) int32 {
	if s.begin.Equal(begin) {
		return s.spans - s.now
	}
	return s.spans
}

// take adds what another set has seen.
func (s *related) take(t typeOf, more seen) {
	sum := s.seen[t]
	sum.spans += more.spans
	if s.span != nil && more.begin.Equal(s.span.begin) {
		if !sum.begin.Equal(more.begin) {
			sum.begin, sum.now = more.begin, 0
		}
		sum.now += more.now
	}
	s.seen[t] = sum
}
