package correlate

import (
	"slices"

	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// shoots tells whether a period is a one-shot event of an item without relations, which may open an incident.
func (e *Engine) shoots(a *alert, c claim) bool { return c.once && !a.quiet && e.index.Alone(a.node) }

// shotsOf tells whether a one-shot event is routine: it has come in FlapCount separate bursts within ReopenWithin.
func (e *Engine) shotsOf(a *alert) explain.Shots {
	bursts := 1
	for i := len(a.shots) - 1; i > 0 && a.shots[len(a.shots)-1].Sub(a.shots[i-1]) <= e.cfg.Incident.ReopenWithin; i-- {
		if a.shots[i].Sub(a.shots[i-1]) > e.cfg.Correlate.BurstGap {
			bursts++
		}
	}
	if bursts >= e.cfg.Incident.FlapCount {
		return explain.Routine
	}
	return explain.Burst
}

// shotFor returns the member that a one-shot event of an item without relations counts in. Where a person has put its alert, and
// where it is beside what lasts, it stays; what is routine comes back to its incident, unless a burst goes on that it is part of.
// For everything else the explanation decides: it gets a member of its own.
func (e *Engine) shotFor(a *alert) *member {
	again := e.shotsOf(a) == explain.Routine && !e.index.Bursting(a.node, e.clock)
	for i, m := range slices.Backward(a.members) {
		if m.inc == nil || !e.reopens(m.inc) {
			continue
		}
		shots, open := m.inc.hyp.Shots, m.inc.row.State.Open()
		if stays := open && (m.obs.Pinned || shots == explain.NoShots); stays || again && shots != explain.Burst {
			e.recall(a, i)
			return m
		}
	}
	if m := a.current(); m != nil {
		e.show(m)
		m.last = a.said()
	}
	return &member{alert: a, joinedAt: e.clock}
}

// recall makes an earlier member the one of the last period.
func (e *Engine) recall(a *alert, i int) {
	m, last := a.members[i], a.current()
	if last == m {
		return
	}
	e.show(last)
	last.last, m.last = a.said(), nil
	a.members = append(slices.Delete(a.members, i, i+1), m)
}

// reopens tells whether what fires again in an incident belongs to it still.
func (e *Engine) reopens(inc *incident) bool {
	return inc.row.State.Open() || inc.row.State == itsm.StateResolved && e.clock.Sub(*inc.row.ResolvedAt) <= e.cfg.Incident.ReopenWithin
}
