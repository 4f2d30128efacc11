package itsm

import (
	"encoding/json"
	"time"
)

// Severity says how bad an alert or incident is by itself.
type Severity string

// The severities, worst first.
const (
	SeverityCritical Severity = "critical"
	SeverityMajor    Severity = "major"
	SeverityMinor    Severity = "minor"
	SeverityWarning  Severity = "warning"
	SeverityInfo     Severity = "info"
	SeverityNone     Severity = "none"
)

// Severities lists them, worst first.
func Severities() []Severity {
	return []Severity{SeverityCritical, SeverityMajor, SeverityMinor, SeverityWarning, SeverityInfo, SeverityNone}
}

// Rank is 0 for critical … 5 for none, and 6 for an unknown word.
func (s Severity) Rank() int {
	for i, v := range Severities() {
		if s == v {
			return i
		}
	}
	return len(Severities())
}

// EvidenceKind says what sort of observation an evidence is.
type EvidenceKind string

// The kinds of evidence.
const (
	EvidenceOwn          EvidenceKind = "own"
	EvidenceSurprise     EvidenceKind = "surprise"
	EvidenceTopology     EvidenceKind = "topology"
	EvidenceCoverage     EvidenceKind = "coverage"
	EvidenceRedundancy   EvidenceKind = "redundancy"
	EvidenceReachability EvidenceKind = "reachability"
	EvidenceTime         EvidenceKind = "time"
	EvidencePattern      EvidenceKind = "pattern"
	EvidenceChange       EvidenceKind = "change"
	EvidenceSemantics    EvidenceKind = "semantics"
	EvidenceOperator     EvidenceKind = "operator"
)

// Evidence is one checkable reason, with its share of the score. The weights of one list are
// ≥ 0 and sum to 1.
type Evidence struct {
	Kind   EvidenceKind `json:"kind"`
	Text   string       `json:"text"`
	Weight float64      `json:"weight"`
}

// Cause is what may explain an incident: an item, alerting or silent, or a change on an item.
type Cause struct {
	Item      string     `json:"item"`
	Change    *string    `json:"change"` // id of the change; null for an item
	Name      string     `json:"name"`
	Class     string     `json:"class"` // of the item
	Score     float64    `json:"score"` // 0 … 1, comparable between incidents
	Reporting bool       `json:"reporting"`
	Recovered bool       `json:"recovered"`         // what it reported itself has ended, while other alerts of the incident fire
	Evidence  []Evidence `json:"evidence,omitzero"` // absent in rows
}

// LinkType is the kind of a link between records.
type LinkType string

// The links of an incident.
const (
	LinkParent       LinkType = "parent"
	LinkChild        LinkType = "child"
	LinkSplitFrom    LinkType = "split_from"
	LinkSplitTo      LinkType = "split_to"
	LinkRecurrenceOf LinkType = "recurrence_of"
	LinkCausedBy     LinkType = "caused_by"
)

// Link points from one record to another.
type Link struct {
	Type LinkType `json:"type"`
	To   string   `json:"to"`
}

// AlertCounts counts the alerts of an incident by status.
type AlertCounts struct {
	Firing     int `json:"firing"`
	Resolved   int `json:"resolved"`
	Expired    int `json:"expired"`
	Suppressed int `json:"suppressed"` // of the firing ones
	// Maintenance counts the firing ones that a maintenance covers.
	Maintenance int `json:"maintenance"`
	Total       int `json:"total"`
}

// Incident is a cause hypothesis with the alerts it explains, as people see it (ITIL). Its JSON
// form is public; as a row it has no Alerts and its causes have no evidence.
type Incident struct {
	ID               string        `json:"id"`
	Number           string        `json:"number"`
	Revision         int           `json:"revision"`
	CommandRevision  int           `json:"commandRevision"` // moves only with people's commands
	State            State         `json:"state"`
	Title            string        `json:"title"`
	Severity         Severity      `json:"severity"`
	Impact           int           `json:"impact"`
	Urgency          int           `json:"urgency"`
	Priority         int           `json:"priority"`
	PriorityOverride *int          `json:"priorityOverride"`
	Category         string        `json:"category"`
	Site             string        `json:"site"`
	Services         []string      `json:"services"`
	Team             *string       `json:"team"`
	Assignee         *string       `json:"assignee"`
	StartedAt        time.Time     `json:"startedAt"`
	OpenedAt         time.Time     `json:"openedAt"`
	UpdatedAt        time.Time     `json:"updatedAt"`
	AcknowledgedAt   *time.Time    `json:"acknowledgedAt"`
	AcknowledgedBy   *string       `json:"acknowledgedBy"`
	OnHoldReason     *string       `json:"onHoldReason"`
	HoldUntil        *time.Time    `json:"holdUntil"`
	SnoozedUntil     *time.Time    `json:"snoozedUntil"`
	ResolvedAt       *time.Time    `json:"resolvedAt"`
	ResolutionCode   *string       `json:"resolutionCode"`
	ResolutionNotes  *string       `json:"resolutionNotes"`
	ClosedAt         *time.Time    `json:"closedAt"`
	ReopenCount      int           `json:"reopenCount"`
	Flapping         bool          `json:"flapping"`
	Fleeting         bool          `json:"fleeting"`    // all of it began and ended within incident.fleeting
	Maintenance      *Window       `json:"maintenance"` // that covers all that fires; null: none does
	MergedInto       *string       `json:"mergedInto"`
	Links            []Link        `json:"links"`
	ExternalRefs     []ExternalRef `json:"externalRefs"`
	Items            []string      `json:"items"` // at most 50, most central first
	ItemCount        int           `json:"itemCount"`
	AlertCounts      AlertCounts   `json:"alertCounts"`
	Causes           []Cause       `json:"causes"`          // ranked, best first, at most 10
	SLA              []Clock       `json:"sla"`             // of the targets that apply
	SLADueAt         *time.Time    `json:"slaDueAt"`        // the earliest of the clocks that run; null: none runs
	Alerts           []AlertState  `json:"alerts,omitzero"` // absent in rows
}

// Window is a maintenance in force.
type Window struct {
	Change string     `json:"change"` // its id
	Title  string     `json:"title"`
	EndsAt *time.Time `json:"endsAt"` // null: not known
}

// ExternalRef points to the same matter in another system.
type ExternalRef struct {
	System string `json:"system"`
	ID     string `json:"id"`
	URL    string `json:"url,omitempty"`
}

// Row returns the incident as it stands on the topic, in lists and on the board: without alerts
// and without the evidence of its causes.
func (inc Incident) Row() Incident {
	inc.Alerts = nil
	causes := make([]Cause, len(inc.Causes))
	for i, c := range inc.Causes {
		c.Evidence = nil
		causes[i] = c
	}
	inc.Causes = causes
	return inc
}

// MarshalJSON implements json.Marshaler: every list is there, empty instead of null.
func (inc Incident) MarshalJSON() ([]byte, error) {
	type plain Incident
	p := plain(inc)
	p.Services, p.Links, p.ExternalRefs = notNil(p.Services), notNil(p.Links), notNil(p.ExternalRefs)
	p.Items, p.Causes, p.SLA = notNil(p.Items), notNil(p.Causes), notNil(p.SLA)
	return json.Marshal(p)
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// AlertState is an alert in its incident: its firing periods, its state and why it is there. Its
// JSON form is public.
type AlertState struct {
	Fingerprint  Fingerprint      `json:"fingerprint"`
	Labels       Labels           `json:"labels"`
	Annotations  Labels           `json:"annotations"`
	Status       Status           `json:"status"` // firing, resolved or expired
	Severity     Severity         `json:"severity"`
	Item         *string          `json:"item"`         // null: not bound
	StartsAt     time.Time        `json:"startsAt"`     // of the first period in this incident
	LastStartsAt time.Time        `json:"lastStartsAt"` // of the present or last period
	EndsAt       *time.Time       `json:"endsAt"`
	LastSeenAt   time.Time        `json:"lastSeenAt"`
	JoinedAt     time.Time        `json:"joinedAt"`
	Count        int              `json:"count"` // firing periods in this incident
	Source       string           `json:"source"`
	GeneratorURL string           `json:"generatorURL"`
	Acknowledged *Acknowledgement `json:"acknowledged"`
	Suppressed   *string          `json:"suppressed"`  // why it is suppressed; null: it is not
	SilencedBy   []string         `json:"silencedBy"`  // ids of the silences that do it
	Maintenance  *string          `json:"maintenance"` // id of the maintenance that does it
	Flapping     bool             `json:"flapping"`    // it comes and goes; what it does is shown once a minute
	Evidence     []Evidence       `json:"evidence"`    // why it is in this incident, as of joining
	// Group is the group Alertmanager made or would have made of it (Alert.Group).
	Group string `json:"group"`
	// Tried tells what binding tried when Item is null.
	Tried string `json:"tried,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (a AlertState) MarshalJSON() ([]byte, error) {
	type plain AlertState
	p := plain(a)
	p.SilencedBy, p.Evidence = notNil(p.SilencedBy), notNil(p.Evidence)
	return json.Marshal(p)
}

// Acknowledgement says who took notice of a single alert, and when.
type Acknowledgement struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// EntryKind is the kind of a timeline entry.
type EntryKind string

// The kinds of timeline entries. Those of commands bear the action's name.
const (
	EntryOpened    EntryKind = "opened"
	EntryAlert     EntryKind = "alert" // alerts joined or ended (in bulk)
	EntryCause     EntryKind = "cause" // the best cause is another one now
	EntryState     EntryKind = "state" // an automatic change of state
	EntryMerged    EntryKind = "merged"
	EntrySplit     EntryKind = "split"
	EntryMoved     EntryKind = "moved"
	EntryFlapping  EntryKind = "flapping"
	EntryRecurred  EntryKind = "recurred"
	EntryPriority  EntryKind = "priority"
	EntryUndone    EntryKind = "undone"
	EntryCommented EntryKind = "comment"
	// EntrySuppressed: all of its firing alerts are silenced or inhibited now, or no longer are.
	EntrySuppressed EntryKind = "suppressed"
	// EntrySLA: a target is breached, or a share of it is used up.
	EntrySLA EntryKind = "sla"
)

// Entry is one line of an incident's timeline. By is "engine" for automatic decisions.
type Entry struct {
	Seq      int             `json:"seq"`
	At       time.Time       `json:"at"`
	By       string          `json:"by"`
	Kind     EntryKind       `json:"kind"`
	Text     string          `json:"text"`
	Undoable bool            `json:"undoable"`
	Data     json.RawMessage `json:"data"` // an object
}

// ByEngine is the author of automatic decisions.
const ByEngine = "engine"
