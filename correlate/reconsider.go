package correlate

import (
	"fmt"
	"slices"

	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// watchJoined makes sure that an incident is reconsidered when what joined it can be judged: alerts of one fault come one
// after the other, and the first must be put somewhere before the others are known.
func (e *Engine) watchJoined(inc *incident) {
	if !inc.reconsiderAt.IsZero() || inc.hyp.Group != "" {
		return
	}
	inc.reconsiderAt = e.clock.Add(e.cfg.Correlate.Detection)
	e.timers.push(timer{at: inc.reconsiderAt, kind: timerReconsider, ordinal: inc.ordinal})
}

// reconsider looks at an incident and those around it at once, and moves, splits and merges what has another cause.
func (e *Engine) reconsider(inc *incident) {
	opened := map[int]*incident{}
	for _, m := range e.index.Reconsider(e.clock, inc.hyp) {
		from := e.incidents[m.From.Ordinal]
		members := make([]*member, 0, len(m.Observations))
		place := make(map[*explain.Observation]int, len(m.Observations))
		for i, o := range m.Observations {
			place[o] = i
		}
		for _, mm := range from.list {
			if _, moves := place[mm.obs]; moves {
				members = append(members, mm)
			}
		}
		to := opened[m.New]
		if m.To != nil {
			to = e.incidents[m.To.Ordinal].present(e)
		}
		if len(members) == 0 || to == from || len(members) == len(from.list) && to == nil {
			continue
		}
		why := "they come from " + e.graph.Name(m.Cause)
		if len(members) < len(from.list) {
			for _, mm := range members {
				mm.evidence = m.Evidence[place[mm.obs]]
			}
		}
		switch {
		case len(members) == len(from.list):
			if from.ordinal < to.ordinal && !from.hyp.Isolated {
				from, to = to, from
			}
			e.merge(from, to, itsm.ByEngine, "both come from "+e.graph.Name(m.Cause))
		case to == nil:
			opened[m.New] = e.splitOff(from, members, why)
		default:
			e.moveOver(from, to, members, why)
		}
	}
}

// splitOff opens an incident for members that have a cause of their own.
func (e *Engine) splitOff(from *incident, members []*member, why string) *incident {
	fresh := e.openSplit(from, members[0])
	e.carry(from, fresh, members)
	fresh.row.Links = append(slices.Clone(fresh.row.Links), itsm.Link{Type: itsm.LinkSplitFrom, To: from.row.ID})
	from.row.Links = append(slices.Clone(from.row.Links), itsm.Link{Type: itsm.LinkSplitTo, To: fresh.row.ID})
	e.undoable(from, itsm.EntrySplit, itsm.ByEngine, fmt.Sprintf("%d %s split off into %s: %s", len(members), plural("alert", len(members)), fresh.row.Number, why), &undo{
		Kind: undoSplit, Other: fresh.row.ID, Alerts: fingerprints(members),
	})
	e.noteBy(fresh, itsm.EntrySplit, itsm.ByEngine, "split off "+from.row.Number+": "+why)
	return fresh
}

// moveOver brings members to the incident of their cause.
func (e *Engine) moveOver(from, to *incident, members []*member, why string) {
	e.carry(from, to, members)
	e.undoable(from, itsm.EntryMoved, itsm.ByEngine, fmt.Sprintf("%d %s moved to %s: %s", len(members), plural("alert", len(members)), to.row.Number, why), &undo{
		Kind: undoMove, Other: to.row.ID, Alerts: fingerprints(members),
	})
	e.noteBy(to, itsm.EntryMoved, itsm.ByEngine, fmt.Sprintf("%d %s moved here from %s: %s", len(members), plural("alert", len(members)), from.row.Number, why))
}

// carry moves members without a person's decision. Of one that has fired before, only the period that is evidence now moves.
func (e *Engine) carry(from, to *incident, members []*member) {
	var whole, moved []*member
	for _, m := range members {
		if m.count > 1 && m.obs.Onset.Equal(m.alert.start) && !m.alert.floor.IsZero() {
			moved = append(moved, e.part(m))
			continue
		}
		whole, moved = append(whole, m), append(moved, m)
	}
	e.leave(from, whole)
	for _, m := range moved {
		m.via, m.joinedAt = nil, e.clock
		e.touchMember(m)
	}
	e.arrive(to, moved)
	e.touch(from)
	e.touch(to)
}

// part takes the present period of an alert out of a member, which keeps the ones before.
func (e *Engine) part(m *member) *member {
	a, inc := m.alert, m.inc
	e.unattend(m)
	e.periods++
	e.dirty.counts = true
	obs := *m.obs
	obs.Ordinal = e.periods
	fresh := &member{
		alert: a, obs: &obs, startsAt: a.start, lastStartsAt: a.start, endsAt: m.endsAt, status: m.status, count: 1, evidence: m.evidence, recent: m.recent,
	}
	inc.tally(m, -1)
	m.status, m.endsAt, m.count, m.recent, m.last = itsm.StatusResolved, a.floor, m.count-1, nil, a.said()
	if m.lastStartsAt.After(a.floor) { // when the period before began is not known any more
		m.lastStartsAt = a.floor
	}
	inc.tally(m, 1)
	inc.restless = slices.DeleteFunc(inc.restless, func(o *member) bool { return o == m })
	m.restless = false
	a.members = append(a.members, fresh)
	if n := len(a.past); n > 0 {
		a.past[n-1].member = fresh
	}
	e.attend(m)
	e.touchMember(m)
	return fresh
}
