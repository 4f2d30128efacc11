// Package learn finds out, from history alone, which type of alert causes which: how surely, how much later,
// and over which relation of the estate. It is pure: the same history gives the same result.
//
// The model is one joint point process over all types (a multivariate Hawkes process, A. G. Hawkes, Biometrika 1971,
// on the items of a graph):
//
//	λ_j(t, item) = μ_j + Σ α(type of l, j) · g(t − t_l)     over earlier alerts l on the item or one related to it
//
// g is a histogram over lags that all pairs share. Expectation–maximisation fits it (E. Lewis and G. Mohler, 2011); then
// every pair whose gain of log-likelihood does not pay for it by the extended Bayesian information criterion (J. Chen
// and Z. Chen, Biometrika 2008), ½ ln n + ln(scopes · V²), is dropped, and what is left is fitted again until all of it pays. Because
// all pairs compete for each alert, a chain A → B → C does not yield A → C. How far an effect reaches (the same item,
// related items, two relations, anywhere) is chosen by the same criterion.
package learn

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Event is the beginning of one firing period.
type Event struct {
	At   time.Time
	Item int // 0 … History.Items−1
	Type int // 0 … len(History.Types)−1
}

// Relation is a relation of the estate; an effect may travel either way.
type Relation struct {
	From, To int
	Type     string
}

// History is what is learned from.
type History struct {
	Events    []Event // in any order
	Items     int
	Types     []string // their names
	Relations []Relation
}

// Scope is how far an effect reaches from the item of its cause.
type Scope string

// The scopes, the narrowest first.
const (
	ScopeItem     Scope = "item"     // the same item
	ScopeRelated  Scope = "related"  // and those one relation away
	ScopeTwoHops  Scope = "two_hops" // and those two relations away
	ScopeAnywhere Scope = "anywhere" // every item
)

// Edge says that alerts of one type cause alerts of another.
type Edge struct {
	Cause, Effect int // types
	// Score is the share of alerts of the cause that such an alert follows from, 0 … 1.
	Score float64
	// Support is how many alerts of the effect the edge accounts for.
	Support int
	// P50 and P90 are quantiles of the lag between the two.
	P50, P90 time.Duration
	// Relation is the type of relation that most of them travelled over, "self" for the same item, "" for items
	// that no relation joins.
	Relation string
}

// Rate says how often one type of alert fires on one item, and how much of that no other alert explains.
type Rate struct {
	Item, Type  int
	Count       int
	Spontaneous float64
	Seen        Seen
}

// Seen says in how many spans of RateWindow something fired, each counted once, and weighted by how long before the end of
// the history it was.
type Seen struct {
	Windows int
	Recent  float64
}

// RateWindow is the span of time within which a fault shows, so that how often an alert fires without one is the share
// of such spans that have it.
const RateWindow = 10 * time.Minute

// RecentHalfLife is the age at which a span counts for half in Seen.Recent.
const RecentHalfLife = time.Hour

// Result is what was learned.
type Result struct {
	Edges []Edge // by cause and effect
	Rates []Rate // by item and type
	Scope Scope
	Span  time.Duration // from the first event to the last
	Until time.Time     // the last event
	Seen  Seen          // the spans in which anything fired at all
	// Limited counts the events for which only the nearest of the alerts before them were considered.
	Limited int
}

// Bounds of what one history may cost.
const (
	window    = 300 * time.Second // an effect comes at most so much later
	maxBefore = 512               // alerts before one that are considered as its causes, the nearest first
	minBefore = 16                // and at least so many, when a history is long
	maxPairs  = 8 << 20           // considered in all
)

// lags are the borders of the histogram of lags, in seconds.
func lags() []float64 { return []float64{0, 1, 5, 20, 60, 120, 300} }

// Learn finds the edges that a history supports; a short one supports none. Progress, if not nil, is called with the share of the work
// done, from several goroutines.
func Learn(h History, progress func(share float64)) Result {
	if progress == nil {
		progress = func(float64) {}
	}
	s := newSample(h)
	if s.span <= 0 {
		out := Result{Scope: ScopeItem, Rates: counts(h)}
		out.see(h)
		return out
	}
	scopes := []Scope{ScopeItem, ScopeRelated, ScopeTwoHops, ScopeAnywhere}
	if len(h.Relations) == 0 {
		scopes = []Scope{ScopeItem, ScopeAnywhere}
	}
	fits := make([]*fit, len(scopes))
	var work sync.WaitGroup
	var done atomic.Int32
	for i, scope := range scopes { // each by itself, so their order does not matter
		work.Go(func() {
			fits[i] = newFit(s, s.near(scope), len(scopes))
			fits[i].run()
			progress(float64(done.Add(1)) / float64(len(scopes)))
		})
	}
	work.Wait()
	best := 0
	for i, f := range fits {
		if f.value() > fits[best].value() {
			best = i
		}
	}
	f := fits[best]
	out := Result{
		Edges: f.edges(), Rates: f.rates(), Scope: scopes[best],
		Span: time.Duration(s.span * float64(time.Second)), Limited: f.pairs.limited,
	}
	slices.SortFunc(out.Edges, func(a, b Edge) int {
		if a.Cause != b.Cause {
			return a.Cause - b.Cause
		}
		return a.Effect - b.Effect
	})
	out.see(h)
	return out
}

// see counts the spans of time in which each item and type fired. A span begins with an alert and takes in what fires
// within RateWindow of it, so that one fault is one span and not two halves.
func (r *Result) see(h History) {
	events := slices.Clone(h.Events)
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Item, b.Item), cmp.Compare(a.Type, b.Type))
	})
	if len(events) == 0 {
		return
	}
	r.Until = events[len(events)-1].At
	type place struct{ item, kind int }
	last := map[place]int{} // the span in which it was seen last
	seen := map[place]Seen{}
	var begin time.Time
	weight := 0.0
	for _, e := range events {
		if r.Seen.Windows == 0 || e.At.Sub(begin) >= RateWindow {
			begin = e.At
			weight = math.Exp2(-float64(r.Until.Sub(begin)) / float64(RecentHalfLife))
			r.Seen.Windows++
			r.Seen.Recent += weight
		}
		at := place{e.Item, e.Type}
		if last[at] != r.Seen.Windows {
			last[at] = r.Seen.Windows
			s := seen[at]
			seen[at] = Seen{s.Windows + 1, s.Recent + weight}
		}
	}
	for i := range r.Rates {
		r.Rates[i].Seen = seen[place{r.Rates[i].Item, r.Rates[i].Type}]
	}
}
