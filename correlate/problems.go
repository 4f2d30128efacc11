package correlate

import (
	"cmp"
	"fmt"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/problem"
	"signalbox/itsm"
)

// account tells the candidates for problems of an incident that is over, or that is none after all.
func (e *Engine) account(inc *incident) {
	r := &inc.row
	switch {
	case r.MergedInto != nil || r.State == itsm.StateCancelled:
		e.problems.Withdraw(r.ID, e.clock)
	case r.State == itsm.StateResolved || r.State == itsm.StateClosed:
		e.problems.Record(e.fact(inc), e.clock)
	}
}

// fact is an incident in short.
func (e *Engine) fact(inc *incident) problem.Fact {
	r := &inc.row
	end := inc.quietAt
	if end.IsZero() || r.ResolvedAt != nil && r.ResolvedAt.Before(end) {
		end = e.clock
		if r.ResolvedAt != nil {
			end = *r.ResolvedAt
		}
	}
	f := problem.Fact{
		ID: r.ID, Number: r.Number, Title: r.Title, OpenedAt: r.OpenedAt, Minutes: max(0, end.Sub(r.StartedAt).Minutes()),
		Services: r.Services, Reopened: r.ReopenCount, Kind: e.kind(inc),
		Confirmed: inc.changed.ID != "" && inc.hyp.ConfirmedChange == inc.changed.ID,
	}
	if r.ResolutionCode != nil {
		f.Code = *r.ResolutionCode
	}
	if n := inc.hyp.Cause; n != cmdb.None {
		f.Item, f.Name, f.Class = e.graph.Item(n).ID, e.graph.Name(n), e.graph.Item(n).Class
	}
	if inc.changed.ID != "" && (f.Confirmed || inc.hyp.Change == inc.changed.ID) {
		f.Change = inc.changed.Template
	}
	for _, m := range inc.list {
		f.Types = append(f.Types, m.alert.kind())
		f.Alerts = append(f.Alerts, m.alert.fingerprint)
	}
	return f
}

// changed is the change that an incident is put down to, as it is remembered when the change itself is forgotten.
type changed struct{ ID, Template string }

// remark remembers the change that an incident is put down to while it is known.
func (e *Engine) remark(inc *incident) {
	id := cmp.Or(inc.hyp.ConfirmedChange, inc.hyp.Change)
	if c := e.changes[id]; id != "" && c != nil {
		inc.changed = changed{ID: id, Template: problem.Template(c.Kind, c.Title)}
	}
}

// flapped tells the candidates of an alert that comes and goes.
func (e *Engine) flapped(inc *incident, m *member, at time.Time) {
	flap := problem.Flap{Fingerprint: m.alert.fingerprint, Alert: m.alert.kind(), Item: m.alert.item, Incident: inc.row.ID, At: at}
	if n := m.alert.node; n != cmdb.None {
		flap.Name = e.graph.Name(n)
	}
	e.problems.Flapped(flap, e.clock)
}

// decideProblem applies what a person decides of a candidate.
func (e *Engine) decideProblem(c *itsm.Command) (revision int, err error) {
	if err := c.Validate(); err != nil {
		return 0, fmt.Errorf("%w: %w", itsm.ErrUnprocessable, err)
	}
	if revision, err = e.problems.Decide(c, e.clock); err == nil && c.Action == itsm.ActionSuppress {
		e.timers.push(timer{at: *c.Until, kind: timerProblem, name: c.Problem})
	}
	return revision, err
}

// watchProblems makes sure that what time changes is looked at, each midnight.
func (e *Engine) watchProblems() {
	if e.sweepAt.IsZero() && !e.problems.Empty() {
		e.sweepAt = e.clock.Truncate(24 * time.Hour).Add(24 * time.Hour)
		e.timers.push(timer{at: e.sweepAt, kind: timerProblem})
	}
}

func (e *Engine) fireProblem(t timer) {
	switch {
	case t.name != "":
		e.problems.Wake(t.name, t.at)
	case t.at.Equal(e.sweepAt):
		e.sweepAt = time.Time{}
		e.problems.Sweep(t.at)
	}
}

// publishProblems says how the candidates stand that the present instant has changed.
func (e *Engine) publishProblems(updates []itsm.Update) []itsm.Update {
	for _, id := range e.problems.Changed() {
		if p := e.problems.Problem(id); p != nil {
			updates = append(updates, itsm.Update{Problem: p})
		} else {
			updates = append(updates, itsm.Update{ForgetProblem: id})
		}
	}
	e.watchProblems()
	return updates
}

// restoreProblems links the candidates and sets their timers again.
func (e *Engine) restoreProblems() {
	e.problems.Restored()
	for id, at := range e.problems.Waiting() {
		e.timers.push(timer{at: at, kind: timerProblem, name: id})
	}
	e.watchProblems()
}

// Problems returns all candidates for problems, the dearest first.
func (e *Engine) Problems() []itsm.Problem { return e.problems.Problems() }

// ProblemsDropped returns how many incidents and candidates the search for problems has let go for want of room
// since the last call.
func (e *Engine) ProblemsDropped() int { return e.problems.Dropped() }
