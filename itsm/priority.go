package itsm

import (
	"fmt"
	"slices"
	"time"
)

// PriorityTable looks a priority (1 highest … 5) up from impact and urgency (1 … 3 each), as
// Table[impact-1][urgency-1].
type PriorityTable [3][3]int

// DefaultPriorityTable is the usual ITIL table.
func DefaultPriorityTable() PriorityTable {
	return PriorityTable{{1, 2, 3}, {2, 3, 4}, {3, 4, 5}}
}

// Lookup returns the priority. Values outside 1 … 3 count as the nearest.
func (t PriorityTable) Lookup(impact, urgency int) int {
	return t[clamp(impact)-1][clamp(urgency)-1]
}

func clamp(v int) int { return max(1, min(3, v)) }

// Validate reports every cell outside 1 … 5.
func (t PriorityTable) Validate() error {
	var f Faults
	for i, row := range t {
		for j, p := range row {
			if p < 1 || p > 5 {
				f.Add(fmt.Sprintf("priority[%d][%d]", i, j), "must be 1 to 5, got %d", p)
			}
		}
	}
	return f.Err()
}

// Harm says how badly something is hurt.
type Harm string

// The harms, worst first.
const (
	HarmDown     Harm = "down"
	HarmDegraded Harm = "degraded"
	HarmAtRisk   Harm = "at_risk" // it works, and has lost its redundancy
)

// Harms lists them, worst first.
func Harms() []Harm { return []Harm{HarmDown, HarmDegraded, HarmAtRisk} }

// ImpactOf returns the impact (1 highest … 3) of harm to an item of a criticality (1 highest … 5): that of a full
// outage is 1 for 1, 2 for 2 and 3, 3 for 4 and 5; anything less is one step less.
func ImpactOf(criticality int, harm Harm) int {
	impact := clamp(criticality/2 + 1)
	if harm != HarmDown {
		impact = clamp(impact + 1)
	}
	return impact
}

// PriorityReasons says why an incident has its impact, its urgency, and the priority that follows from them. What
// people decide (Incident.PriorityOverride) is not in it.
type PriorityReasons struct {
	Impact  ImpactReasons  `json:"impact"`
	Urgency UrgencyReasons `json:"urgency"`
	// Priority is what the table says.
	Priority int `json:"priority"`
}

// ImpactReasons says what an incident hurts.
type ImpactReasons struct {
	Value int `json:"value"`
	// At is the moment as of which relations were followed: when the incident began.
	At time.Time `json:"at"`
	// Estate is the version of the estate that says so: of an incident that is older than the estate in force, the one before
	// while its cause is the same.
	Estate string `json:"estate"`
	// Cause is the item whose failure was followed, empty when there is none.
	Cause string `json:"cause"`
	// Reasons are the worst first, at most MaxHurt; More is how many are left out.
	Reasons []Hurt `json:"reasons"`
	More    int    `json:"more"`
}

// MaxHurt bounds the reasons of an impact.
const MaxHurt = 20

// Hurt is an item that an incident hurts.
type Hurt struct {
	Item        string `json:"item"`
	Name        string `json:"name"`
	Class       string `json:"class"`
	Criticality int    `json:"criticality"`
	State       Harm   `json:"state"`
	// Impact is what it alone would make of the incident.
	Impact int `json:"impact"`
	// Reporting: it says so itself.
	Reporting bool `json:"reporting"`
	// Path is how the failure comes to it, from the item that fails; empty when that is itself.
	Path []string `json:"path"`
}

// UrgencyReasons says how urgent an incident is.
type UrgencyReasons struct {
	Value   int             `json:"value"`
	Reasons []UrgencyReason `json:"reasons"`
}

// UrgencyReason is one thing that an urgency follows from.
type UrgencyReason struct {
	Kind UrgencyKind `json:"kind"`
	Text string      `json:"text"`
	// Steps is by how much it makes the incident more urgent than its severity does; 0: it only says so.
	Steps int `json:"steps"`
}

// UrgencyKind is what sort of reason it is.
type UrgencyKind string

// The kinds.
const (
	UrgencySeverity     UrgencyKind = "severity"
	UrgencyTrend        UrgencyKind = "trend"
	UrgencyServiceLevel UrgencyKind = "service_level"
	UrgencyMaintenance  UrgencyKind = "maintenance" // the only one: it was announced
)

// UrgencyKinds lists them.
func UrgencyKinds() []UrgencyKind {
	return []UrgencyKind{UrgencySeverity, UrgencyTrend, UrgencyServiceLevel, UrgencyMaintenance}
}

// Same tells whether both say the same.
func (p *PriorityReasons) Same(o *PriorityReasons) bool {
	if p == nil || o == nil {
		return p == o
	}
	a, b := &p.Impact, &o.Impact
	return p.Priority == o.Priority && a.Value == b.Value && a.At.Equal(b.At) && a.Estate == b.Estate && a.Cause == b.Cause && a.More == b.More &&
		slices.EqualFunc(a.Reasons, b.Reasons, func(x, y Hurt) bool {
			return x.Item == y.Item && x.Name == y.Name && x.Class == y.Class && x.Criticality == y.Criticality && x.State == y.State &&
				x.Impact == y.Impact && x.Reporting == y.Reporting && slices.Equal(x.Path, y.Path)
		}) && p.Urgency.Value == o.Urgency.Value && slices.Equal(p.Urgency.Reasons, o.Urgency.Reasons)
}
