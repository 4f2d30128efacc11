package explain

import (
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// Index answers which hypothesis explains an observation and how causes rank. It follows the
// engine's values incrementally; its state is a function of the observations, memberships and
// changes it was given and of the graph, whatever the order in which they came.
type Index struct {
	g     *cmdb.Graph
	cfg   Config
	items map[cmdb.Node][]*Hypothesis
}

// NewIndex returns an empty index on g. After another estate was adopted, make a new index and
// hand it everything again.
func NewIndex(g *cmdb.Graph, cfg Config) *Index {
	return &Index{g: g, cfg: cfg, items: map[cmdb.Node][]*Hypothesis{}}
}

// Add takes an observation that fires now into account, whether or not it opens an incident.
func (x *Index) Add(*Observation) {}

// Remove takes back Add: the observation no longer fires. As a member it stays evidence.
func (x *Index) Remove(*Observation) {}

// Attach makes o a member of h. The engine has set o.Hypothesis and keeps h.Members itself.
func (x *Index) Attach(o *Observation, h *Hypothesis) { x.items[o.Node] = append(x.items[o.Node], h) }

// Detach takes back Attach.
func (x *Index) Detach(*Observation, *Hypothesis) {}

// Forget drops a hypothesis with all that was attached to it: it is closed or merged away.
func (x *Index) Forget(*Hypothesis) {}

// AddChange takes a change into account; one with the same id replaces it.
func (x *Index) AddChange(Change) {}

// DropChange forgets a change.
func (x *Index) DropChange(string) {}

// Rewire must be called after the graph has discovered relations, with the items at their ends.
func (x *Index) Rewire([]cmdb.Node) {}

// Assign decides where fresh observations belong. They have been Added and are not attached.
// There is a verdict for each that is not Context, in their order; a Context one has a verdict only
// when an open hypothesis explains it. Merges name hypotheses that turn out to have one cause.
func (x *Index) Assign(_ time.Time, fresh []*Observation) ([]Verdict, []Merge) {
	var out []Verdict
	for i, o := range fresh {
		v := Verdict{Observation: o, New: i + 1, Evidence: []itsm.Evidence{{Kind: itsm.EvidenceOwn, Text: "first alert of the incident", Weight: 1}}}
		for _, h := range x.items[o.Node] {
			if !h.Closed && !h.Resolved {
				v.Join, v.New = h, 0
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// Rank returns at most ten causes of h, best first.
func (x *Index) Rank(time.Time, *Hypothesis) []itsm.Cause { return nil }

// Degradation says how badly an item is hurt.
type Degradation string

// The degradations, worst first.
const (
	Down     Degradation = "down"
	Degraded Degradation = "degraded"
	AtRisk   Degradation = "at_risk"
)

// Effect is an item that a cause hurts.
type Effect struct {
	Node        cmdb.Node
	Item        *itsm.Item
	Degradation Degradation
	Reported    bool // it has an alert in the incident
}

// Effects returns what the cause hurts, worst and most critical first: what services and other
// items that people name (applications, lines, equipment) suffer, at most 100.
func (x *Index) Effects(*Hypothesis, itsm.Cause) []Effect { return nil }
