package correlate

import (
	"slices"
	"time"

	"signalbox/itsm"
)

// settleEvery bounds how often what flaps is published: at whole minutes, so that an incident in which many
// alerts flap has one revision a minute and not one for each of them.
const settleEvery = time.Minute

// began notes when periods of a member began. An alert flaps once FlapCount of them began within FlapWindow,
// and until none has begun for as long: it does not flicker when it slows down.
func (e *Engine) began(m *member, at ...time.Time) {
	cfg := &e.cfg.Incident
	m.recent = append(m.recent, at...)
	if over := len(m.recent) - cfg.FlapCount; over > 0 {
		m.recent = m.recent[over:]
	}
	if n := len(m.recent); n >= cfg.FlapCount && m.recent[n-1].Sub(m.recent[n-cfg.FlapCount]) <= cfg.FlapWindow {
		m.flapping = m.flapping || !m.alert.quiet
	}
	if m.inc != nil {
		m.inc.watch(m)
	}
}

// watch has an incident look at a member that may flap.
func (inc *incident) watch(m *member) {
	if len(m.recent) > 1 && !m.restless {
		m.restless = true
		inc.restless = append(inc.restless, m)
	}
}

// calmAt is when the member flaps no longer if no period begins before.
func (e *Engine) calmAt(m *member) time.Time {
	return m.recent[len(m.recent)-1].Add(e.cfg.Incident.FlapWindow)
}

// flaps tells whether an alert of the incident flaps now, and when to look again.
func (e *Engine) flaps(inc *incident) (bool, time.Time) {
	var until time.Time
	inc.restless = slices.DeleteFunc(inc.restless, func(m *member) bool {
		end := e.calmAt(m)
		if m.flapping {
			e.flapped(inc, m, m.recent[len(m.recent)-1])
			until = later(until, end)
		}
		m.restless = m.flapping || end.After(e.clock)
		return !m.restless
	})
	return !until.IsZero(), until
}

// calm ends the flapping of those alerts of an incident that have been quiet for long enough.
func (e *Engine) calm(inc *incident) {
	for _, m := range inc.restless {
		if m.flapping && !e.calmAt(m).After(e.clock) {
			m.flapping = false
			e.show(m)
			e.touchMember(m)
			e.touch(inc)
		}
	}
	e.review(inc) // the next one may be quiet later
}

// holdBack tells whether what happens to a member waits for the end of the minute, because it flaps. It is
// to be called before the alert changes.
func (e *Engine) holdBack(m *member) bool {
	if m == nil || !m.flapping || m.inc == nil || !m.inc.row.State.Open() {
		return false
	}
	e.held++
	if m.settleAt.IsZero() {
		m.shown = m.alert.said()
		m.settleAt = e.clock.Truncate(settleEvery).Add(settleEvery)
		e.timers.push(timer{at: m.settleAt, kind: timerSettle, fingerprint: m.alert.fingerprint})
	}
	e.save(m.alert)
	return true
}

// beganHeld notes a period of a member that is shown later.
func (e *Engine) beganHeld(m *member) {
	inc := m.inc
	m.unsettled++
	inc.hyp.LastJoined = e.clock
	if at := e.calmAt(m); at.After(inc.flapAt) {
		inc.flapAt = at
		e.timers.push(timer{at: at, kind: timerFlap, ordinal: inc.ordinal})
	}
	e.schedule(inc) // it does not resolve itself meanwhile
	e.saveIncident(inc)
}

// fireSettle shows how the alert stands whose minute is over.
func (e *Engine) fireSettle(t timer) {
	if a := e.alerts[t.fingerprint]; a != nil {
		if m := a.current(); m != nil && !m.settleAt.IsZero() && !m.settleAt.After(t.at) {
			e.show(m)
		}
	}
}

// show publishes what was held back of a member.
func (e *Engine) show(m *member) {
	if m == nil || m.settleAt.IsZero() {
		return
	}
	a := m.alert
	m.settleAt, m.shown = time.Time{}, nil
	m.count += m.unsettled
	m.unsettled = 0
	m.lastStartsAt, m.endsAt = a.start, a.end
	status := itsm.StatusFiring
	if !a.open {
		status = itsm.StatusResolved
	}
	if m.status != status {
		m.set(status, e.clock)
	}
	e.touchMember(m)
	if m.inc != nil {
		e.attend(m)
		e.touch(m.inc)
	}
}

// Held returns how many beginnings and ends of flapping alerts were held back since the last call.
func (e *Engine) Held() int {
	n := e.held
	e.held = 0
	return n
}

// restoreSettling has what was held back shown at its time.
func (e *Engine) restoreSettling(a *alert) {
	if m := a.current(); m != nil && !m.settleAt.IsZero() {
		e.timers.push(timer{at: m.settleAt, kind: timerSettle, fingerprint: a.fingerprint})
	}
}

// fleeting tells whether all that the incident holds began and ended within the time that is nobody's
// concern. It stays so when the incident is resolved, and until something fires again.
func (e *Engine) fleeting(inc *incident) bool {
	if inc.counts.Firing > 0 || inc.counts.Total == 0 || inc.row.ReopenCount > 0 || inc.row.MergedInto != nil {
		return false
	}
	var last time.Time
	for _, m := range inc.list {
		if m.endsAt.After(last) {
			last = m.endsAt
		}
	}
	return last.Sub(inc.row.StartedAt) < e.cfg.Incident.Fleeting
}
