package learn

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// sample is a history in the order of time, in seconds since its first event.
type sample struct {
	at          []float64
	item, kind  []int32 // kind: the type
	items       int
	types       int
	span        float64 // seconds
	adjacent    [][]int32
	count       []int // events by type
	relationsOf map[[2]int32]string
}

func newSample(h History) *sample {
	events := slices.Clone(h.Events)
	inOrder := func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Item, b.Item))
	}
	slices.SortFunc(events, inOrder)
	s := &sample{
		at: make([]float64, len(events)), item: make([]int32, len(events)), kind: make([]int32, len(events)),
		items: h.Items, types: len(h.Types), count: make([]int, len(h.Types)),
		adjacent: make([][]int32, h.Items), relationsOf: map[[2]int32]string{},
	}
	spread(events, len(h.Types))
	slices.SortFunc(events, inOrder)
	first := time.Time{}
	if len(events) > 0 {
		first = events[0].At
	}
	for i, e := range events {
		s.at[i], s.item[i], s.kind[i] = e.At.Sub(first).Seconds(), int32(e.Item), int32(e.Type) //nolint:gosec // indices of slices
		s.count[e.Type]++
	}
	if len(events) > 0 {
		s.span = s.at[len(events)-1]
	}
	for _, r := range h.Relations {
		if r.From == r.To {
			continue
		}
		a, b := int32(r.From), int32(r.To) //nolint:gosec // indices of slices
		s.adjacent[a], s.adjacent[b] = append(s.adjacent[a], b), append(s.adjacent[b], a)
		for _, way := range [][2]int32{{a, b}, {b, a}} {
			if have, ok := s.relationsOf[way]; !ok || r.Type < have {
				s.relationsOf[way] = r.Type
			}
		}
	}
	for i := range s.adjacent {
		slices.Sort(s.adjacent[i])
		s.adjacent[i] = slices.Compact(s.adjacent[i])
	}
	return s
}

// spread moves events inside the resolution of their clock, when that is coarser than the finest lags: times cut to the
// minute put cause and effect at one moment, and an order that is not there is worse than a random one. Each type has the
// clock of what reports it. The seed is fixed, so that one history always gives one result.
func spread(events []Event, types int) {
	of := make([][]int, types)
	for i, e := range events {
		of[e.Type] = append(of[e.Type], i)
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not for secrets
	for _, list := range of {
		step := resolution(events, list)
		if step <= time.Second {
			continue
		}
		for _, i := range list {
			events[i].At = events[i].At.Add(time.Duration(random.Int64N(int64(step))))
		}
	}
}

// resolution is the coarsest usual step of which nearly all times of some events are multiples. A few events tell
// nothing, and what happens by the hour is on a schedule, whatever its clock.
func resolution(events []Event, of []int) time.Duration {
	const enough = 20
	multiples := func(step time.Duration) bool {
		whole := 0
		for _, i := range of {
			if events[i].At.Truncate(step).Equal(events[i].At) {
				whole++
			}
		}
		return 20*whole >= 19*len(of)
	}
	if len(of) < enough || multiples(time.Hour) {
		return 0
	}
	for _, step := range []time.Duration{5 * time.Minute, time.Minute, 30 * time.Second, 15 * time.Second, 10 * time.Second, 5 * time.Second} {
		if multiples(step) {
			return step
		}
	}
	return 0
}

// near lists for each item those that an effect of it may show on, itself among them; nil means every item.
func (s *sample) near(scope Scope) [][]int32 {
	hops := 0
	switch scope {
	case ScopeAnywhere:
		return nil
	case ScopeRelated:
		hops = 1
	case ScopeTwoHops:
		hops = 2
	case ScopeItem:
	}
	out := make([][]int32, s.items)
	for i := range out {
		list := []int32{int32(i)} //nolint:gosec // an index
		for range hops {
			for _, at := range slices.Clone(list) {
				list = append(list, s.adjacent[at]...)
			}
			slices.Sort(list)
			list = slices.Compact(list)
		}
		out[i] = list
	}
	return out
}

// pairs are the candidates: an event and one before it that may have caused it.
type pairs struct {
	effect, cause []int32 // events
	pair          []int32 // which two types
	bin           []uint8 // of the histogram of lags
	from, to      []int32 // the types of each pair
	limited       int
}

func (s *sample) pairs(near [][]int32) *pairs {
	p := &pairs{}
	before := max(minBefore, min(maxBefore, maxPairs/max(1, len(s.at))))
	index := map[[2]int32]int32{}
	edges := lags()
	reach := window.Seconds()
	low := 0
	for k := range s.at {
		for s.at[k]-s.at[low] > reach {
			low++
		}
		seen := 0
		// Events of one moment may have caused each other in either order.
		high := k + 1
		for high < len(s.at) && s.at[high] == s.at[k] {
			high++
		}
		for l := high - 1; l >= low; l-- {
			if l == k || !reaches(near, s.item[l], s.item[k]) {
				continue
			}
			if seen++; seen > before {
				p.limited++
				break
			}
			types := [2]int32{s.kind[l], s.kind[k]}
			id, ok := index[types]
			if !ok {
				id = int32(len(p.from)) //nolint:gosec // far fewer than 2^31
				index[types] = id
				p.from, p.to = append(p.from, types[0]), append(p.to, types[1])
			}
			p.effect, p.cause = append(p.effect, int32(k)), append(p.cause, int32(l)) //nolint:gosec // indices
			p.pair, p.bin = append(p.pair, id), append(p.bin, binOf(edges, s.at[k]-s.at[l]))
		}
	}
	return p
}

// binOf is the bin of a histogram that holds a lag; the last one has both its borders.
func binOf(edges []float64, lag float64) uint8 {
	b := uint8(0)
	for int(b)+2 < len(edges) && lag >= edges[b+1] {
		b++
	}
	return b
}

func reaches(near [][]int32, cause, effect int32) bool {
	if near == nil || cause == effect {
		return true
	}
	_, ok := slices.BinarySearch(near[cause], effect)
	return ok
}
