package correlate

import (
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// faded tells whether a member ended too long ago to be evidence of what goes on.
func (e *Engine) faded(inc *incident, m *member) bool {
	return m.status != itsm.StatusFiring && m.obs.Node != cmdb.None && !inc.fadedAt.IsZero() && !m.endsAt.Add(e.cfg.Correlate.Window).After(inc.fadedAt)
}

// fade takes what ended correlate.window before a moment out of the evidence, as long as something is left.
func (e *Engine) fade(inc *incident, at time.Time) {
	left := false
	before := inc.fadedAt
	inc.fadedAt = later(before, at)
	for _, m := range inc.list {
		left = left || !e.faded(inc, m)
	}
	if !left {
		inc.fadedAt = before
		return
	}
	for _, m := range inc.list {
		e.attend(m)
	}
	e.saveIncident(inc)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// attend makes a member evidence of its incident, or no longer.
func (e *Engine) attend(m *member) {
	inc := m.inc
	switch want := inc != nil && !inc.hyp.Closed && !e.faded(inc, m); {
	case want && m.obs.Hypothesis != inc.hyp:
		e.index.Attach(m.obs, inc.hyp)
	case !want:
		e.unattend(m)
	}
}

// unattend takes a member out of the evidence of its incident.
func (e *Engine) unattend(m *member) {
	if h := m.obs.Hypothesis; h != nil && !h.Closed {
		e.index.Detach(m.obs, h)
	}
}
