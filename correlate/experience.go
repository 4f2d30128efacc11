package correlate

import (
	"signalbox/correlate/problem"
	"signalbox/itsm"
)

// What people confirm and reject as causes holds for the life of the incident, and is experience with the like
// of it afterwards.

// alike is what changes have in common of which experience with one says something about another.
func alike(c *change) string { return "change " + problem.Template(c.Kind, c.Title) }

// learn counts a decision (by 1), or takes it back (-1).
func (e *Engine) learn(lesson string, action itsm.Action, by int) {
	if lesson == "" {
		return
	}
	x := e.experience[lesson]
	if action == itsm.ActionConfirmCause {
		x.Confirmed += by
	} else {
		x.Rejected += by
	}
	e.experience[lesson] = x
	e.dirty.experience[lesson] = true
}
