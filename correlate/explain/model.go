// Package explain holds the scoring and the search of the engine: which hypothesis explains a
// new firing period, and how causes rank. It is pure: no clock, no I/O, no goroutine, no
// dependence on map order; everything it returns follows from its arguments. The engine owns all
// values; one goroutine uses them.
package explain

import (
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// None is the node of an observation that could not be bound.
const None = cmdb.None

// Observation is one firing period as evidence. It is immutable but for Hypothesis and Pinned.
type Observation struct {
	// Ordinal counts firing periods of this shard from 1, in the order they came; it orders
	// everything that needs an order.
	Ordinal uint64
	Node    cmdb.Node // the item, None when unbound
	Type    string    // the label alertname, or all label names when there is none
	// Group is what unbound observations are grouped by (alertname by default).
	Group string
	Onset time.Time // startsAt, never after Seen
	Seen  time.Time // time of the record that brought it
	// Magnitude is how far beyond normal the value is, in standard deviations or times the limit; 0: not told.
	Magnitude float64
	// Past is how often this had fired before (Index.Count).
	Past Past
	// Suspects are what patterns name.
	Suspects []Suspect

	// Shots is what a one-shot event on an item without relations is, NoShots for every other alert.
	Shots Shots

	// Hypothesis that explains it now, nil before it is decided.
	Hypothesis *Hypothesis
	// Pinned: an operator put it there; it is never moved automatically.
	Pinned bool

	causes []reach // what may have caused it, itself first; set by Attach
	limit  string  // what ended the search for them
}

// Hypothesis is the core of an incident: a cause and the observations it explains.
type Hypothesis struct {
	Ordinal uint64 // order of opening within the shard
	// Cause is the best item now (None: not known, all members unbound) and Change the id of
	// the best change, when a change is the best cause. Rank sets them.
	Cause  cmdb.Node
	Change string
	// Score is that of the best cause, in thousandths.
	Score int
	// Group is set for an incident of unbound observations.
	Group string
	// Shots is set while it holds nothing but one-shot events of an item without relations.
	Shots Shots
	// LastJoined is when the last observation joined (its Seen).
	LastJoined time.Time
	// Closed hypotheses take no further observations; Resolved ones only those that re-fire.
	Closed, Resolved bool

	// Operators' constraints for the life of the incident.
	ConfirmedItem   cmdb.Node // None when nothing is confirmed
	ConfirmedChange string
	RejectedItems   []cmdb.Node
	RejectedChanges []string
	// Bound counts what is in its incident on items, evidence now or not.
	Bound int
	// Isolated: an operator split or merged it; it is never merged automatically.
	Isolated bool

	body body
}

// Past tells whether most of the incident is no longer evidence: it takes only what has its cause.
func (h *Hypothesis) Past() bool { return 2*h.body.held < h.Bound }

// Change is a change as a candidate cause.
type Change struct {
	ID       string
	Kind     string
	Title    string
	Status   string
	Nodes    []cmdb.Node
	StartsAt time.Time
	EndsAt   time.Time // zero: still going on
	// Alike is the key of the experience with changes such as this one.
	Alike string
}

// Verdict says what to do with one fresh observation.
type Verdict struct {
	Observation *Observation
	// Join is the hypothesis that explains it; nil opens a new one. Verdicts of one call that
	// share a New open one hypothesis together.
	Join *Hypothesis
	New  int
	// Evidence says why it belongs there (path, time, coverage …); never empty, weights sum to 1.
	Evidence []itsm.Evidence
}

// Merge says that one hypothesis turns out to explain what another one holds.
type Merge struct {
	From, Into *Hypothesis // the older one (smaller ordinal) is kept
	Cause      cmdb.Node   // what both come from
}
