package learn

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// fit is the process fitted to a sample within one scope.
type fit struct {
	s     *sample
	pairs *pairs
	reach []float64 // by type: how many items its events reach, summed over the events

	base   []float64 // μ by type, per item and second
	alpha  []float64 // by pair: effects per cause and reached item
	kernel []float64 // g by bin, per second
	width  []float64 // seconds of each bin

	active  []bool    // by pair
	gain    []float64 // by pair, nats
	rate    []float64 // λ at each event
	live    []int32   // places in pairs that are still active
	likely  float64   // log-likelihood of the last fit
	penalty float64   // what a pair must gain
}

// newFit begins a fit within one of some scopes.
func newFit(s *sample, near [][]int32, scopes int) *fit {
	p := s.pairs(near)
	edges := lags()
	f := &fit{
		s: s, pairs: p, reach: make([]float64, s.types), base: make([]float64, s.types), alpha: make([]float64, len(p.from)),
		active: make([]bool, len(p.from)), gain: make([]float64, len(p.from)), rate: make([]float64, len(s.at)),
		live: make([]int32, len(p.pair)),
	}
	for b := range len(edges) - 1 {
		f.width = append(f.width, edges[b+1]-edges[b])
		f.kernel = append(f.kernel, 1/edges[len(edges)-1])
	}
	for k := range s.at {
		reached := float64(s.items)
		if near != nil {
			reached = float64(len(near[s.item[k]]))
		}
		f.reach[s.kind[k]] += reached
	}
	for j, n := range s.count {
		f.base[j] = 0.7 * float64(n) / (float64(s.items) * s.span)
	}
	for p := range f.alpha {
		f.alpha[p], f.active[p] = 0.01, true
	}
	for i := range f.live {
		f.live[i] = int32(i) //nolint:gosec // far fewer than 2^31
	}
	choices := float64(scopes) * float64(s.types) * float64(s.types)
	f.penalty = 0.5*math.Log(float64(len(s.at))) + math.Log(choices)
	return f
}

// Rounds of expectation–maximisation: until it has settled, and after some pairs were dropped; and how often pairs are
// dropped at most.
const (
	settle, resettle = 60, 25
	maxDrops         = 8
)

func (f *fit) run() {
	for drop := range maxDrops {
		rounds := settle
		if drop > 0 {
			rounds = resettle
		}
		for range rounds {
			f.step()
		}
		f.weigh()
		dropped := false
		for p := range f.active {
			if f.active[p] && f.gain[p] <= f.penalty {
				f.active[p], f.alpha[p], dropped = false, 0, true
			}
		}
		if !dropped {
			return
		}
		f.live = slices.DeleteFunc(f.live, func(i int32) bool { return !f.active[f.pairs.pair[i]] })
	}
	for range resettle {
		f.step()
	}
	f.weigh()
}

// intensity sets λ at every event.
func (f *fit) intensity() {
	for k, j := range f.s.kind {
		f.rate[k] = f.base[j]
	}
	for _, i := range f.live {
		f.rate[f.pairs.effect[i]] += f.alpha[f.pairs.pair[i]] * f.kernel[f.pairs.bin[i]]
	}
}

// step is one round of expectation–maximisation.
func (f *fit) step() {
	f.intensity()
	caused, lagged := make([]float64, len(f.alpha)), make([]float64, len(f.kernel))
	for _, i := range f.live {
		share := f.alpha[f.pairs.pair[i]] * f.kernel[f.pairs.bin[i]] / f.rate[f.pairs.effect[i]]
		caused[f.pairs.pair[i]] += share
		lagged[f.pairs.bin[i]] += share
	}
	spontaneous := make([]float64, f.s.types)
	for k, j := range f.s.kind {
		spontaneous[j] += f.base[j] / f.rate[k]
	}
	for p, n := range caused {
		f.alpha[p] = n / max(1e-9, f.reach[f.pairs.from[p]])
	}
	for j, n := range spontaneous { // of each type one alert at least was the first
		f.base[j] = max(1, n) / (float64(f.s.items) * f.s.span)
	}
	total := 0.0
	for _, n := range lagged {
		total += n
	}
	if total > 0 {
		for b, n := range lagged {
			f.kernel[b] = n / f.width[b] / total
		}
	}
}

// weigh computes the log-likelihood, and what each pair adds to it: what would be lost without it.
func (f *fit) weigh() {
	f.intensity()
	f.likely = 0
	for k := range f.rate {
		f.likely += math.Log(f.rate[k])
	}
	for p := range f.gain {
		f.gain[p] = -f.alpha[p] * f.reach[f.pairs.from[p]]
		f.likely -= f.alpha[p] * f.reach[f.pairs.from[p]]
	}
	for j := range f.base {
		f.likely -= f.base[j] * float64(f.s.items) * f.s.span
	}
	part := make([]float64, len(f.alpha))
	var touched []int32
	flush := func(k int32) {
		for _, p := range touched {
			f.gain[p] -= math.Log1p(-min(part[p]/f.rate[k], 1-1e-9))
			part[p] = 0
		}
		touched = touched[:0]
	}
	last := int32(-1)
	for _, i := range f.live {
		if k := f.pairs.effect[i]; k != last {
			if last >= 0 {
				flush(last)
			}
			last = k
		}
		p := f.pairs.pair[i]
		if part[p] == 0 {
			touched = append(touched, p)
		}
		part[p] += f.alpha[p] * f.kernel[f.pairs.bin[i]]
	}
	if last >= 0 {
		flush(last)
	}
}

// value is the likelihood less the price of the pairs, to compare scopes by.
func (f *fit) value() float64 {
	v := f.likely
	for p := range f.active {
		if f.active[p] {
			v -= f.penalty
		}
	}
	return v
}

// edges are the accepted pairs of two different types; of two opposite ones the stronger stays.
func (f *fit) edges() []Edge {
	of := map[[2]int32]int{}
	for p := range f.active {
		if f.active[p] && f.pairs.from[p] != f.pairs.to[p] {
			of[[2]int32{f.pairs.from[p], f.pairs.to[p]}] = p
		}
	}
	at := map[int32]int{} // pair → place in out
	var out []Edge
	for p := range f.active {
		types := [2]int32{f.pairs.from[p], f.pairs.to[p]}
		if _, ok := of[types]; !ok || !f.active[p] {
			continue
		}
		if q, ok := of[[2]int32{types[1], types[0]}]; ok && (f.gain[p] < f.gain[q] || f.gain[p] == f.gain[q] && p > q) {
			continue
		}
		caused := f.alpha[p] * f.reach[types[0]]
		at[int32(p)] = len(out) //nolint:gosec // far fewer than 2^31
		out = append(out, Edge{
			Cause: int(types[0]), Effect: int(types[1]), Support: int(math.Round(caused)),
			Score: -math.Expm1(-caused / float64(f.s.count[types[0]])),
		})
	}
	f.describe(out, at)
	return out
}

// describe fills in the lags and the relation of edges, from the share of each candidate.
func (f *fit) describe(out []Edge, at map[int32]int) {
	type weighted struct{ lag, share float64 }
	seen := make([][]weighted, len(out))
	over := make([]map[string]float64, len(out))
	for _, i := range f.live {
		e, ok := at[f.pairs.pair[i]]
		if !ok {
			continue
		}
		k, l := f.pairs.effect[i], f.pairs.cause[i]
		share := f.alpha[f.pairs.pair[i]] * f.kernel[f.pairs.bin[i]] / f.rate[k]
		seen[e] = append(seen[e], weighted{f.s.at[k] - f.s.at[l], share})
		if over[e] == nil {
			over[e] = map[string]float64{}
		}
		over[e][f.s.relation(f.s.item[l], f.s.item[k])] += share
	}
	for e := range out {
		list := seen[e]
		slices.SortFunc(list, func(a, b weighted) int { return cmp.Or(cmp.Compare(a.lag, b.lag), cmp.Compare(a.share, b.share)) })
		total := 0.0
		for _, w := range list {
			total += w.share
		}
		quantile := func(q float64) time.Duration {
			sum := 0.0
			for _, w := range list {
				if sum += w.share; sum >= q*total {
					return time.Duration(w.lag * float64(time.Second))
				}
			}
			return 0
		}
		out[e].P50, out[e].P90 = quantile(0.5), quantile(0.9)
		most := -1.0
		for relation, share := range over[e] {
			if share > most || share == most && relation < out[e].Relation {
				out[e].Relation, most = relation, share
			}
		}
	}
}

// relation is how two items are joined.
func (s *sample) relation(a, b int32) string {
	if a == b {
		return "self"
	}
	return s.relationsOf[[2]int32{a, b}]
}

// rates counts the events of each item and type, and how many of them nothing explains.
func (f *fit) rates() []Rate {
	return tally(len(f.s.at), func(k int) (item, kind int, spontaneous float64) {
		j := f.s.kind[k]
		return int(f.s.item[k]), int(j), f.base[j] / f.rate[k]
	})
}

// counts is rates for a history too short to explain anything.
func counts(h History) []Rate {
	return tally(len(h.Events), func(k int) (item, kind int, spontaneous float64) { return h.Events[k].Item, h.Events[k].Type, 1 })
}

func tally(n int, event func(k int) (item, kind int, spontaneous float64)) []Rate {
	at := map[[2]int]int{}
	var out []Rate
	for k := range n {
		item, kind, spontaneous := event(k)
		i, ok := at[[2]int{item, kind}]
		if !ok {
			i = len(out)
			at[[2]int{item, kind}] = i
			out = append(out, Rate{Item: item, Type: kind})
		}
		out[i].Count++
		out[i].Spontaneous += spontaneous
	}
	slices.SortFunc(out, func(a, b Rate) int { return cmp.Or(cmp.Compare(a.Item, b.Item), cmp.Compare(a.Type, b.Type)) })
	return out
}
