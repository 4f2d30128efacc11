package itsm

import (
	"encoding/json"
	"time"
)

// Problem is a candidate for a problem in the sense of ITIL: incidents that seem to have one unknown cause in
// common, which is worth finding and removing. Rules find candidates, people decide on them. Its JSON form is
// public.
type Problem struct {
	ID       string         `json:"id"`
	Revision int            `json:"revision"`
	State    ProblemState   `json:"state"`
	Title    string         `json:"title"`
	Subject  ProblemSubject `json:"subject"`
	// Evidence are the rules that hold, each with what it has seen; empty for one that only emerges.
	Evidence []ProblemEvidence `json:"evidence"`
	// Incidents are the latest of the last 30 days, newest first, at most MaxProblemIncidents.
	Incidents     []ProblemIncident `json:"incidents"`
	IncidentCount int               `json:"incidentCount"` // all of the last 30 days
	Days          []ProblemDay      `json:"days"`          // days (UTC) of the last 30 on which something happened, oldest first
	Minutes       float64           `json:"minutes"`       // that its incidents have lasted, together
	Services      []string          `json:"services"`      // that they have hurt, at most 20
	// Cost is minutes × impacted services (at least one), summed over its incidents, so it grows with recurrence.
	Cost       float64        `json:"cost"`
	FirstAt    time.Time      `json:"firstAt"` // when the first incident of the last 30 days began
	LastAt     time.Time      `json:"lastAt"`  // when the last one began
	ProposedAt *time.Time     `json:"proposedAt"`
	DecidedAt  *time.Time     `json:"decidedAt"`
	DecidedBy  *string        `json:"decidedBy"`
	Reason     *string        `json:"reason"`  // of a dismissal, or a word on another decision
	Until      *time.Time     `json:"until"`   // suppressed until then
	FixedAt    *time.Time     `json:"fixedAt"` // when the fix was in place, as people say
	Effect     *ProblemEffect `json:"effect"`  // what has happened since; null: no fix was reported
	UpdatedAt  time.Time      `json:"updatedAt"`
}

// MaxProblemIncidents bounds the incidents that a problem lists.
const MaxProblemIncidents = 50

// MarshalJSON implements json.Marshaler: every list is there, empty instead of null.
func (p Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	q := plain(p)
	q.Evidence, q.Incidents, q.Days, q.Services = notNil(q.Evidence), notNil(q.Incidents), notNil(q.Days), notNil(q.Services)
	return json.Marshal(q)
}

// ProblemState says where a candidate stands.
type ProblemState string

// The states of a candidate. The first two and stale are the engine's, the others people's.
const (
	ProblemEmerging   ProblemState = "emerging"   // one more incident makes a rule hold
	ProblemProposed   ProblemState = "proposed"   // a rule holds; somebody should decide
	ProblemAccepted   ProblemState = "accepted"   // it is a problem that is worked on
	ProblemDismissed  ProblemState = "dismissed"  // it is none
	ProblemSuppressed ProblemState = "suppressed" // not to be proposed before a time
	ProblemStale      ProblemState = "stale"      // proposed, undecided, and quiet for 30 days
)

// ProblemStates lists them.
func ProblemStates() []ProblemState {
	return []ProblemState{ProblemEmerging, ProblemProposed, ProblemAccepted, ProblemDismissed, ProblemSuppressed, ProblemStale}
}

// ProblemKind says what the incidents of a candidate have in common.
type ProblemKind string

// What incidents can have in common.
const (
	ProblemOfItem   ProblemKind = "item"   // the item that is their cause, and the types of their alerts
	ProblemOfClass  ProblemKind = "class"  // the class of the item that is their cause, and the types of their alerts
	ProblemOfAlerts ProblemKind = "alerts" // most of their alerts; no cause is known
	ProblemOfChange ProblemKind = "change" // a kind of change that has caused them
	ProblemOfPair   ProblemKind = "pair"   // incidents of two items that begin together
	ProblemOfAlert  ProblemKind = "alert"  // one alert that comes and goes
)

// ProblemSubject is what the incidents of a candidate have in common.
type ProblemSubject struct {
	Kind        ProblemKind  `json:"kind"`
	Items       []string     `json:"items"`       // the item, or both of a pair; of a class none
	Class       string       `json:"class"`       // of the items
	AlertTypes  []string     `json:"alertTypes"`  // at most 32
	Change      string       `json:"change"`      // kind and title of the change, digits left out as #; empty: no change
	Fingerprint *Fingerprint `json:"fingerprint"` // of the alert that comes and goes
}

// MarshalJSON implements json.Marshaler: every list is there, empty instead of null.
func (s ProblemSubject) MarshalJSON() ([]byte, error) {
	type plain ProblemSubject
	q := plain(s)
	q.Items, q.AlertTypes = notNil(q.Items), notNil(q.AlertTypes)
	return json.Marshal(q)
}

// ProblemRule is why a candidate is proposed.
type ProblemRule string

// The rules (docs/problems.md).
const (
	RuleRecurrence   ProblemRule = "recurrence"    // incidents of one signature come again and again
	RuleFastCluster  ProblemRule = "fast_cluster"  // many of them within hours
	RuleFlapping     ProblemRule = "flapping"      // an alert comes and goes on several days
	RuleReopened     ProblemRule = "reopened"      // an incident was opened again more than once
	RuleWorkaround   ProblemRule = "workaround"    // it came again after a workaround
	RuleChange       ProblemRule = "change"        // people have confirmed more than once that such a change was the cause
	RuleCoOccurrence ProblemRule = "co_occurrence" // two items fail together far more often than by chance
)

// ProblemEvidence is a rule that holds and what it has seen.
type ProblemEvidence struct {
	Rule  ProblemRule `json:"rule"`
	Text  string      `json:"text"`
	Count int         `json:"count"` // incidents, days or reopenings, as the text says
}

// ProblemIncident is an incident of a candidate as it was when it was resolved.
type ProblemIncident struct {
	ID       string    `json:"id"`
	Number   string    `json:"number"`
	Title    string    `json:"title"`
	Item     string    `json:"item"` // its cause; empty: none
	OpenedAt time.Time `json:"openedAt"`
	Minutes  float64   `json:"minutes"`
	Services int       `json:"services"`
}

// ProblemDay counts what happened on one day (UTC): incidents, or 1 for a day on which the alert flapped.
type ProblemDay struct {
	Day       string `json:"day"` // 2026-01-31
	Incidents int    `json:"incidents"`
}

// ProblemVerdict says whether incidents have become rarer since a fix.
type ProblemVerdict string

// The verdicts.
const (
	VerdictFell      ProblemVerdict = "fell"       // rarer, and hardly by chance (p < 0.05)
	VerdictNotFallen ProblemVerdict = "not_fallen" // as often as before, or more often
	VerdictTooEarly  ProblemVerdict = "too_early"  // rarer, but that may be chance
)

// ProblemEffect compares the incidents before a fix with those after it.
type ProblemEffect struct {
	// Before counts from the first incident of the 30 days before the fix, that one left out, to the fix.
	Before     int     `json:"before"`
	BeforeDays float64 `json:"beforeDays"`
	// After counts from the fix for at most 30 days.
	After     int            `json:"after"`
	AfterDays float64        `json:"afterDays"`
	P         float64        `json:"p"` // chance of so few after it, if nothing had changed (exact conditional Poisson test)
	Verdict   ProblemVerdict `json:"verdict"`
}
