package itsm

// Update is one consequence of an input: at most one revision of one incident, the alerts and
// timeline entries that came with it, or an answer. It is what the engine returns and what a
// shard publishes. Parts that did not change are nil.
type Update struct {
	// Incident is the new revision as a row (Incident.Row).
	Incident *Incident
	// Causes is the ranked list with evidence of incident IncidentID, when it changed.
	Causes     []Cause
	IncidentID string
	// Phases is the history of incident IncidentID for its clocks, when it or the targets changed.
	Phases *Phases
	// Priority says why incident IncidentID has its priority, when that is different.
	Priority *PriorityReasons
	Alerts   []AlertChange
	Entries  []Entry // of IncidentID
	// ForgetEntries is the number of timeline entries to delete with the incident: the incident
	// IncidentID is forgotten (tombstones for it, its causes, its phases, the reasons of its priority and entries 1 … ForgetEntries).
	Forget          bool
	ForgetEntries   int
	Outcome         *Outcome
	Adopted         *Adopted
	Silence         *Silence   // as it stands now
	ForgetSilence   string     // id of one that nobody lists any more
	Heartbeat       *Heartbeat // as it was heard last
	ForgetHeartbeat string     // key of one that was not heard for long
	// Maintenance is a change of that kind as it was last reported. One shard speaks for all: each of
	// them gets every change.
	Maintenance       *Change
	ForgetMaintenance string // id of one that is over or is no maintenance any more
	// Problem is a candidate as it stands now.
	Problem       *Problem
	ForgetProblem string // id of one that is gone
	Items         []Item // discovered
	Relations     []Relation
}

// Adopted says which versions a shard has in force.
type Adopted struct {
	Shard    int    `json:"shard"`
	Estate   string `json:"estate"`
	Rules    string `json:"rules"`
	Patterns string `json:"patterns"`
	// Fault says why the last version was not taken; the one before stays in force.
	Fault string `json:"fault,omitempty"`
}

// NoIncident stands in keys for an alert that is in no incident.
const NoIncident = "-"

// AlertChange is the new state of an alert in an incident (NoIncident: in none). A nil State
// means that it has left that incident.
type AlertChange struct {
	Incident    string
	Fingerprint Fingerprint
	State       *AlertState
}
