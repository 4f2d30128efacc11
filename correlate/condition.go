package correlate

import (
	"slices"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// reporterLabel tells whether a label says who reports a condition of an item, not which condition it is: when an
// exporter is replaced, they are other ones.
func reporterLabel(name string) bool {
	switch name {
	case "instance", "pod", "endpoint", "uid":
		return true
	}
	return false
}

// conditionOf identifies what is wrong with an item, however bad it is and whoever reports it; 0 without an item.
func (e *Engine) conditionOf(a *alert) uint64 {
	if a.node == cmdb.None {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a by hand: every new alert pays for it
	add := func(s string) {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h *= 1099511628211
	}
	add(a.item)
	add(explain.Condition(a.kind()))
	for _, l := range a.labels {
		if l.Name != "alertname" && l.Name != e.cfg.Severity.Label && !reporterLabel(l.Name) {
			add(l.Name)
			add(l.Value)
		}
	}
	return h
}

// maxLately bounds how many of the latest alerts of an incident are compared with a new one.
const maxLately = 100

// continued finds the incident that holds the condition of a new alert under other labels: its twin of another
// severity, or what its exporter said before it was replaced. An incident that was resolved lately is
// opened again by it, as by the alert itself. The open one, and then the youngest, is taken.
func (e *Engine) continued(m *member) *incident {
	a := m.alert
	if len(a.members) > 0 || a.node == cmdb.None {
		return nil // it has a past of its own, or nothing tells which condition it is
	}
	var best *incident
	for _, h := range e.index.Around([]cmdb.Node{a.node}) {
		inc := e.incidents[h.Ordinal]
		if inc == nil || inc.nodes[a.node] == 0 || !e.takesBack(inc) || best != nil && best.row.State.Open() && !inc.row.State.Open() {
			continue
		}
		lately := inc.list[max(0, len(inc.list)-maxLately):]
		if slices.ContainsFunc(lately, func(o *member) bool { return o.alert.condition == a.condition && o == o.alert.current() }) {
			best = inc
		}
	}
	return best
}

// takesBack tells whether an alert that fires again belongs to the incident that held it.
func (e *Engine) takesBack(inc *incident) bool {
	r := &inc.row
	return r.State.Open() || r.State == itsm.StateResolved && e.clock.Sub(*r.ResolvedAt) <= e.cfg.Incident.ReopenWithin
}

// proceed brings those of the fresh periods whose condition an incident holds into it, and returns the others.
func (e *Engine) proceed(fresh []*member) []*member {
	return slices.DeleteFunc(fresh, func(m *member) bool {
		inc := e.continued(m)
		if inc == nil {
			return false
		}
		m.evidence = []itsm.Evidence{{Kind: itsm.EvidenceOwn, Text: "the same condition of " + e.graph.Name(m.alert.node) + " is reported here already", Weight: 1}}
		inc.hyp.LastJoined = e.clock
		e.join(m, inc)
		e.reopen(m)
		return true
	})
}
