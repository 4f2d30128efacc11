// Package compare tells people what two configurations make of one history: which incidents were split, merged or
// moved, where the first cause or the priority is another one, and which of the past decisions of operators each would have
// come to by itself. It computes and writes; it knows nothing of the engine.
//
// Everything here is a pure function of its arguments; the same input gives the same report to the byte.
package compare

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"signalbox/correlate/score"
	"signalbox/itsm"
)

// Side is what one configuration made of the history.
type Side struct {
	Name      string
	Incidents []itsm.Incident // complete, those that were merged away too
	// Holders is the id of the incident that holds each firing period of the history at its end, empty for none. Both
	// sides list the same periods.
	Holders      []string
	Merges       int // by the engine
	CauseChanges int // of the first cause, while an incident was open
	Flapping     int // incidents that flapped at some time
	// Suppressed counts the periods that were suppressed at some time, by reason.
	Suppressed map[string]int
	Score      *score.Score // against truth; nil: no truth is given
}

// Setting is a key of the configuration that differs.
type Setting struct{ Key, A, B string }

// Input is what is compared.
type Input struct {
	History   string // its name
	Alerts    int    // firing lines
	From, To  time.Time
	Sides     [2]Side
	Settings  []Setting
	Notes     []string // what the reader has to know of how it was run
	Decisions []Decision
}

// Report is the comparison, ready to be written as text or HTML.
type Report struct {
	Input
	Periods    int
	Figures    []Figure
	Scores     []Figure
	Priorities [5][2]int // incidents by priority 1 … 5, and side
	Same       int       // incidents that hold the same alerts, or differ only by moved ones
	Changes    []Change  // largest first
	Moves      []Move    // largest first
	Moved      int       // periods in Moves
	Causes     []Differs // first causes, incidents with most alerts first
	Ranks      []Differs // priorities
	Compared   int       // incidents of A that have a counterpart in B
	Verdicts   []Verdict
	Tallies    []Tally
}

// Figure is one number of each side.
type Figure struct {
	Name string
	A, B *float64 // nil: undefined
	// Digits after the point; 0: a count.
	Digits int
}

// Ref names an incident of one side.
type Ref struct {
	Number, Title string
	Alerts        int // periods it holds
	Priority      int
	Cause         string
	Score         float64 // of the cause
	Opened        time.Time
	cause         string // its id
}

// Kind says what became of incidents of A in B.
type Kind string

// The kinds of changes.
const (
	Split     Kind = "split"     // one of A is several in B
	Merged    Kind = "merged"    // several of A are one in B
	Regrouped Kind = "regrouped" // several became several others
	Gone      Kind = "gone"      // the alerts are in no incident of B
	Appeared  Kind = "appeared"  // the alerts were in no incident of A
)

// Change is a set of incidents of A and of B that hold the same alerts, differently grouped.
type Change struct {
	Kind   Kind
	A, B   []Ref
	Alerts int
	// Shared[i][j] is how many alerts A[i] and B[j] have in common.
	Shared [][]int
}

// Move is alerts of an incident of A that are not where most of the others are.
type Move struct {
	From, To Ref // of A and of B; an empty Number: in no incident
	Alerts   int
}

// Differs is an incident of A whose counterpart in B says something else.
type Differs struct {
	A, B   Ref
	AS, BS string // what each says
}

// Compute compares the two sides of an input.
func Compute(in Input) *Report {
	r := &Report{Input: in, Periods: len(in.Sides[0].Holders)}
	o := newOverlap(&in)
	r.figures()
	r.scores()
	r.changes(o)
	r.moves(o)
	r.differences(o)
	r.judge()
	return r
}

// overlap is the incidents of both sides and how many periods each pair shares. Node 0 of a side is no incident.
type overlap struct {
	refs   [2][]Ref
	of     [2]map[string]int // node by id
	shared map[[2]int]int
	pairs  [][2]int // the keys of shared, in order
	best   [2][]int // the node of the other side with which each shares most; 0: none
	size   [2][]int // periods held
}

func newOverlap(in *Input) *overlap {
	o := &overlap{shared: map[[2]int]int{}}
	for s := range in.Sides {
		o.of[s] = map[string]int{}
		o.refs[s] = []Ref{{Title: "in no incident"}}
		for i := range in.Sides[s].Incidents {
			inc := &in.Sides[s].Incidents[i]
			if inc.MergedInto != nil {
				continue
			}
			o.of[s][inc.ID] = len(o.refs[s])
			o.refs[s] = append(o.refs[s], refOf(inc))
		}
		o.size[s] = make([]int, len(o.refs[s]))
		o.best[s] = make([]int, len(o.refs[s]))
	}
	for i, a := range in.Sides[0].Holders {
		pair := [2]int{o.of[0][a], o.of[1][in.Sides[1].Holders[i]]}
		o.shared[pair]++
		o.size[0][pair[0]]++
		o.size[1][pair[1]]++
	}
	for pair := range o.shared {
		o.pairs = append(o.pairs, pair)
	}
	slices.SortFunc(o.pairs, func(a, b [2]int) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for s := range o.refs {
		for n := range o.refs[s] {
			o.refs[s][n].Alerts = o.size[s][n]
		}
	}
	for _, pair := range o.pairs { // of equally many the first
		if pair[0] == 0 || pair[1] == 0 {
			continue
		}
		for s, n := range pair {
			if have := o.best[s][n]; have == 0 || o.shared[pair] > o.shared[o.pair(s, n, have)] {
				o.best[s][n] = pair[1-s]
			}
		}
	}
	return o
}

// pair puts a node of side s and one of the other into order.
func (o *overlap) pair(s, n, other int) [2]int {
	if s == 0 {
		return [2]int{n, other}
	}
	return [2]int{other, n}
}

func refOf(inc *itsm.Incident) Ref {
	r := Ref{Number: inc.Number, Title: inc.Title, Priority: inc.Priority, Opened: inc.OpenedAt}
	if len(inc.Causes) > 0 {
		first := &inc.Causes[0]
		r.Cause, r.Score, r.cause = first.Name, first.Score, first.Item
		if first.Change != nil {
			r.cause = "change " + *first.Change
		}
	}
	return r
}

// isBest tells whether a pair is the best counterpart of one of its two; the other pairs are moves.
func (o *overlap) isBest(pair [2]int) bool {
	return pair[0] != 0 && pair[1] != 0 && (o.best[0][pair[0]] == pair[1] || o.best[1][pair[1]] == pair[0])
}

// changes finds the sets of incidents that belong together by their best counterparts.
func (r *Report) changes(o *overlap) {
	// Nodes of B come behind those of A.
	behind := len(o.refs[0])
	root := make([]int, behind+len(o.refs[1]))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, pair := range o.pairs {
		if o.isBest(pair) {
			root[find(behind+pair[1])] = find(pair[0])
		}
	}
	sets := map[int]*[2][]int{}
	var order []int
	for s := range o.refs {
		for n := 1; n < len(o.refs[s]); n++ {
			if o.size[s][n] == 0 {
				continue // no line of the history is in it: a source that has gone silent
			}
			at := find(n + s*behind)
			if sets[at] == nil {
				sets[at] = &[2][]int{}
				order = append(order, at)
			}
			sets[at][s] = append(sets[at][s], n)
		}
	}
	for _, at := range order {
		set := sets[at]
		if len(set[0]) == 1 && len(set[1]) == 1 {
			r.Same++
			continue
		}
		r.Changes = append(r.Changes, o.change(set[0], set[1]))
	}
	slices.SortStableFunc(r.Changes, func(a, b Change) int { return cmp.Compare(b.Alerts, a.Alerts) })
}

func (o *overlap) change(as, bs []int) Change {
	c := Change{Kind: Regrouped}
	switch {
	case len(bs) == 0:
		c.Kind = Gone
	case len(as) == 0:
		c.Kind = Appeared
	case len(as) == 1:
		c.Kind = Split
	case len(bs) == 1:
		c.Kind = Merged
	}
	for _, a := range as {
		row := make([]int, len(bs))
		for j, b := range bs {
			row[j] = o.shared[[2]int{a, b}]
		}
		c.Shared = append(c.Shared, row)
		c.A = append(c.A, o.refs[0][a])
		c.Alerts += o.size[0][a]
	}
	for _, b := range bs {
		c.B = append(c.B, o.refs[1][b])
		if len(as) == 0 {
			c.Alerts += o.size[1][b]
		}
	}
	return c
}

// moves lists what is neither with its best counterpart nor in an incident that has gone or appeared as a whole.
func (r *Report) moves(o *overlap) {
	for _, pair := range o.pairs {
		n := o.shared[pair]
		switch {
		case pair == [2]int{} || o.isBest(pair):
			continue
		case pair[0] == 0 && o.best[1][pair[1]] == 0, pair[1] == 0 && o.best[0][pair[0]] == 0:
			continue
		}
		r.Moves = append(r.Moves, Move{From: o.refs[0][pair[0]], To: o.refs[1][pair[1]], Alerts: n})
		r.Moved += n
	}
	slices.SortStableFunc(r.Moves, func(a, b Move) int { return cmp.Compare(b.Alerts, a.Alerts) })
}

// differences compares each incident of A with its best counterpart.
func (r *Report) differences(o *overlap) {
	for n := 1; n < len(o.refs[0]); n++ {
		if o.best[0][n] == 0 {
			continue
		}
		r.Compared++
		a, b := o.refs[0][n], o.refs[1][o.best[0][n]]
		if a.cause != b.cause {
			r.Causes = append(r.Causes, Differs{a, b, causeText(a), causeText(b)})
		}
		if a.Priority != b.Priority {
			r.Ranks = append(r.Ranks, Differs{a, b, fmt.Sprintf("P%d", a.Priority), fmt.Sprintf("P%d", b.Priority)})
		}
	}
	most := func(a, b Differs) int { return cmp.Compare(b.A.Alerts, a.A.Alerts) }
	slices.SortStableFunc(r.Causes, most)
	slices.SortStableFunc(r.Ranks, most)
}

func causeText(r Ref) string {
	if r.Cause == "" {
		return "none"
	}
	return fmt.Sprintf("%s (%.2f)", r.Cause, r.Score)
}
