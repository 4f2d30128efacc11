package correlate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"signalbox/itsm"
)

// touch makes the present instant a revision of an incident.
func (e *Engine) touch(inc *incident) {
	inc.review = false
	if !inc.touched {
		inc.touched = true
		e.now.incidents = append(e.now.incidents, inc)
	}
	e.saveIncident(inc)
}

// review makes it a revision only when something about the incident is different now.
func (e *Engine) review(inc *incident) {
	if !inc.touched {
		e.touch(inc)
		inc.review = true
	}
}

func (e *Engine) touchMember(m *member) {
	if !m.touched {
		m.touched = true
		e.now.members = append(e.now.members, m)
	}
	e.save(m.alert)
}

func (e *Engine) touchLoose(a *alert) {
	if !a.touched {
		a.touched = true
		e.now.loose = append(e.now.loose, a)
	}
	e.save(a)
}

// flush turns what the present instant has changed into updates: at most one revision of each
// incident. Whoever reads them in order never sees an alert or entry before its incident's topic
// could name it.
func (e *Engine) flush(updates []itsm.Update) []itsm.Update {
	e.suppress()
	e.maintain()
	e.assign()
	updates = append(e.publishHeartbeats(e.publishSilences(updates)), e.now.windows...)
	if len(e.now.items) > 0 || len(e.now.relations) > 0 {
		updates = append(updates, itsm.Update{Items: e.now.items, Relations: e.now.relations})
	}
	if e.now.adopted {
		updates = append(updates, itsm.Update{Adopted: &itsm.Adopted{Shard: e.opts.Shard, Estate: e.estate, Rules: e.rules, Patterns: e.patterns.version, Fault: e.fault}})
	}
	slices.SortFunc(e.now.incidents, func(a, b *incident) int { return cmp.Compare(a.ordinal, b.ordinal) })
	alerts := e.alertChanges()
	for _, inc := range e.now.incidents {
		inc.touched = false
		if e.incidents[inc.ordinal] == inc {
			if u, changed := e.publish(inc); changed || len(alerts[inc]) > 0 || u.Phases != nil || u.Priority != nil {
				u.Alerts = alerts[inc]
				updates = append(updates, u)
			}
		}
	}
	if loose := append(alerts[nil], e.now.gone...); len(loose) > 0 {
		updates = append(updates, itsm.Update{Alerts: loose})
	}
	updates = e.publishProblems(updates)
	for _, inc := range e.now.forgotten {
		updates = append(updates, itsm.Update{IncidentID: inc.row.ID, Forget: true, ForgetEntries: inc.seq})
	}
	for _, a := range e.now.answers {
		if a.inc != nil {
			a.Outcome.Revision = a.inc.row.Revision
		}
		out := a.Outcome
		updates = append(updates, itsm.Update{Outcome: &out})
	}
	for i := range e.now.outcomes {
		out := e.now.outcomes[i]
		updates = append(updates, itsm.Update{Outcome: &out})
	}
	e.now = now{incidents: e.now.incidents[:0], members: e.now.members[:0], loose: e.now.loose[:0], silences: e.now.silences[:0], heartbeats: e.now.heartbeats[:0], windows: e.now.windows[:0]}
	return updates
}

// alertChanges gives the new states of the touched alerts by incident, nil for those in none.
func (e *Engine) alertChanges() map[*incident][]itsm.AlertChange {
	if len(e.now.members) == 0 && len(e.now.loose) == 0 {
		return nil
	}
	slices.SortFunc(e.now.members, func(a, b *member) int { return cmp.Compare(a.alert.fingerprint, b.alert.fingerprint) })
	slices.SortFunc(e.now.loose, func(a, b *alert) int { return cmp.Compare(a.fingerprint, b.fingerprint) })
	out := map[*incident][]itsm.AlertChange{}
	for _, m := range e.now.members {
		m.touched = false
		if m.inc == nil || m.alert.in(m.inc) != m {
			continue
		}
		if m.home != "" && m.home != m.inc.row.ID {
			out[m.inc] = append(out[m.inc], itsm.AlertChange{Incident: m.home, Fingerprint: m.alert.fingerprint})
		}
		m.home = m.inc.row.ID
		state := m.state()
		out[m.inc] = append(out[m.inc], itsm.AlertChange{Incident: m.home, Fingerprint: m.alert.fingerprint, State: &state})
	}
	for _, a := range e.now.loose {
		a.touched = false
		if e.alerts[a.fingerprint] == a && len(a.members) > 0 {
			state := a.loose()
			out[nil] = append(out[nil], itsm.AlertChange{Incident: itsm.NoIncident, Fingerprint: a.fingerprint, State: &state})
		}
	}
	return out
}

// publish gives an incident its next revision. One that was only to be reviewed and is as it was gets none.
func (e *Engine) publish(inc *incident) (u itsm.Update, changed bool) {
	u.IncidentID = inc.row.ID
	r := &inc.row
	cause, priority := causeOf(r), r.Priority
	var held []byte
	if inc.review {
		held = encode(r)
	}
	if (r.State.Open() || inc.opening) && (!inc.hyp.Past() || len(r.Causes) == 0) {
		before, recovered := inc.bestCause(), len(r.Causes) > 0 && r.Causes[0].Recovered
		r.Causes = e.index.Rank(e.clock, inc.hyp)
		e.recovered(inc)
		e.remark(inc)
		u.Causes = r.Causes
		if u.Causes == nil {
			u.Causes = []itsm.Cause{}
		}
		if best := inc.bestCause(); best != before && !inc.opening && len(r.Causes) > 0 {
			e.noteData(inc, itsm.EntryCause, itsm.ByEngine, "probable cause: "+r.Causes[0].Name, nil)
		} else if best == before && len(r.Causes) > 0 && r.Causes[0].Recovered != recovered {
			e.noteData(inc, itsm.EntryCause, itsm.ByEngine, tellRecovery(inc), nil)
		}
	}
	told := r.AlertCounts
	why := e.describe(inc)
	u.Phases = e.measure(inc)
	u.Priority = e.press(inc, why)
	e.regroupLater(inc, cause, priority)
	e.tellSuppressed(inc, told)
	if flapping, until := e.flaps(inc); flapping != r.Flapping || !until.Equal(inc.flapAt) {
		if flapping != r.Flapping {
			text := "flapping: an alert comes and goes"
			if !flapping {
				text = "no longer flapping"
			}
			e.noteData(inc, itsm.EntryFlapping, itsm.ByEngine, text, nil)
		}
		if r.Flapping, inc.flapAt = flapping, until; flapping {
			e.timers.push(timer{at: until, kind: timerFlap, ordinal: inc.ordinal})
		}
	}
	e.tell(inc)
	e.account(inc)
	inc.touched = false
	if inc.review && len(inc.entries) == 0 && bytes.Equal(held, encode(r)) {
		e.schedule(inc)
		return u, false
	}
	r.Revision++
	r.UpdatedAt = e.clock
	e.schedule(inc)
	inc.opening, inc.touched = false, false
	u.Entries, inc.entries = inc.entries, nil
	row := r.Row()
	u.Incident = &row
	return u, true
}

// recovered tells of each cause whether what it reported itself is over while others go on.
func (e *Engine) recovered(inc *incident) {
	for i := range inc.row.Causes {
		c := &inc.row.Causes[i]
		n, ok := e.graph.Node(c.Item)
		c.Recovered = ok && c.Reporting && inc.nodes[n] > 0 && inc.on[n] == 0 && inc.counts.Firing > 0
	}
}

// tellRecovery says what is left when the cause has recovered, or that it is back.
func tellRecovery(inc *incident) string {
	if c := &inc.row.Causes[0]; !c.Recovered {
		return c.Name + " reports again"
	}
	return fmt.Sprintf("%s has recovered: %d of %d alerts still fire", inc.row.Causes[0].Name, inc.counts.Firing, inc.counts.Total)
}

func (inc *incident) bestCause() string {
	if len(inc.row.Causes) == 0 {
		return ""
	}
	c := &inc.row.Causes[0]
	if c.Change != nil {
		return c.Item + "\x00" + *c.Change
	}
	return c.Item
}

// tellEvery bounds how often the timeline tells how many alerts there are: when they have
// doubled, or after this time.
const tellEvery = time.Minute

// tell writes in bulk how many alerts have joined.
func (e *Engine) tell(inc *incident) {
	total := inc.counts.Total
	if inc.opening {
		inc.told, inc.toldAt = total, e.clock
		return
	}
	if total <= inc.told {
		return
	}
	if total < 2*inc.told && e.clock.Sub(inc.toldAt) < tellEvery {
		e.tellLater(inc)
		return
	}
	e.noteData(inc, itsm.EntryAlert, itsm.ByEngine, fmt.Sprintf("%d %s joined, %d in all", total-inc.told, plural("alert", total-inc.told), total), nil)
	inc.told, inc.toldAt = total, e.clock
}

// tellLater makes sure that alerts which joined are told of although nothing more comes.
func (e *Engine) tellLater(inc *incident) {
	if due := inc.toldAt.Add(tellEvery); !inc.tellDue.Equal(due) {
		inc.tellDue = due
		e.timers.push(timer{at: due, kind: timerTell, ordinal: inc.ordinal})
	}
}
