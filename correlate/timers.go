package correlate

import (
	"cmp"
	"container/heap"
	"time"

	"signalbox/itsm"
)

type timerKind uint8

const (
	timerExpiry      timerKind = iota // an alert expires
	timerHold                         // a hold ends
	timerSnooze                       // a snooze ends
	timerFlap                         // an incident may have stopped flapping
	timerTell                         // the timeline tells of alerts that joined
	timerResolve                      // an incident resolves itself
	timerClose                        // a resolved incident closes
	timerForget                       // a closed incident is forgotten
	timerPurge                        // an alert in no incident is forgotten
	timerCommand                      // the id of a command is forgotten
	timerChange                       // a change is forgotten
	timerSilence                      // a silence begins, ends or is forgotten
	timerSLA                          // a clock changes by itself
	timerRegroup                      // an incident has other labels as a group
	timerHeartbeat                    // a heartbeat is forgotten
	timerReconsider                   // what joined an incident can be judged
	timerSettle                       // an alert that flaps shows how it stands
	timerMaintenance                  // a maintenance begins or ends
	timerProblem                      // candidates for problems are looked at
	timerTrend                        // an incident may no longer grow or ease
)

// timer is a deadline. It is only a hint to look: whether it still stands, what it points to says.
type timer struct {
	at          time.Time
	kind        timerKind
	ordinal     uint64
	fingerprint itsm.Fingerprint
	name        string
}

func (t *timer) compare(o *timer) int {
	return cmp.Or(t.at.Compare(o.at), cmp.Compare(t.kind, o.kind), cmp.Compare(t.ordinal, o.ordinal),
		cmp.Compare(t.fingerprint, o.fingerprint), cmp.Compare(t.name, o.name))
}

// timers is a queue of deadlines in a fixed order.
type timers struct{ list timerList }

func (t *timers) push(x timer) { heap.Push(&t.list, x) }

func (t *timers) next() (time.Time, bool) {
	if len(t.list) == 0 {
		return time.Time{}, false
	}
	return t.list[0].at, true
}

// pop returns the next timer if it is due at the moment.
func (t *timers) pop(at time.Time) (timer, bool) {
	if len(t.list) == 0 || t.list[0].at.After(at) {
		return timer{}, false
	}
	return heap.Pop(&t.list).(timer), true
}

// timerList implements heap.Interface.
type timerList []timer

func (l timerList) Len() int           { return len(l) }
func (l timerList) Less(i, j int) bool { return l[i].compare(&l[j]) < 0 }
func (l timerList) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *timerList) Push(x any)        { *l = append(*l, x.(timer)) }
func (l *timerList) Pop() any {
	old := *l
	x := old[len(old)-1]
	*l = old[:len(old)-1]
	return x
}

// fire lets a timer act when what it points to still says so.
func (e *Engine) fire(t timer) {
	switch t.kind {
	case timerExpiry:
		e.expire(t)
	case timerPurge:
		e.purge(t)
	case timerCommand:
		if c := e.commands[t.name]; c != nil && !c.Forget.After(t.at) {
			delete(e.commands, t.name)
			e.dirty.commands[t.name] = true
		}
	case timerChange:
		if c := e.changes[t.name]; c != nil && !c.Forget.After(t.at) {
			delete(e.changes, t.name)
			e.dirty.changes[t.name] = true
			e.index.DropChange(t.name)
			e.publishMaintenance(c, itsm.Change{ID: t.name})
		}
	case timerSettle:
		e.fireSettle(t)
	case timerMaintenance:
		e.windows.stale = true
	case timerSilence:
		e.fireSilence(t)
	case timerHeartbeat:
		e.fireHeartbeat(t)
	case timerProblem:
		e.fireProblem(t)
	default:
		if inc := e.incidents[t.ordinal]; inc != nil {
			e.fireIncident(inc, t)
		}
	}
}

func (e *Engine) fireIncident(inc *incident, t timer) {
	due := func(at time.Time) bool { return !at.IsZero() && !at.After(t.at) }
	switch {
	case t.kind == timerHold && inc.row.State == itsm.StateOnHold && inc.row.HoldUntil != nil && due(*inc.row.HoldUntil):
		before := decisionOf(&inc.row)
		inc.row.State, inc.row.OnHoldReason, inc.row.HoldUntil = itsm.StateInProgress, nil, nil
		e.decide(inc, itsm.EntryState, "the hold has ended", before)
	case t.kind == timerSnooze && inc.row.SnoozedUntil != nil && due(*inc.row.SnoozedUntil):
		inc.row.SnoozedUntil = nil
		e.note(inc, itsm.EntryState, "the snooze has ended")
	case t.kind == timerFlap && inc.row.Flapping && due(inc.flapAt):
		e.calm(inc)
	case t.kind == timerTell && inc.row.State.Open() && inc.counts.Total > inc.told && due(inc.toldAt.Add(tellEvery)):
		e.touch(inc) // flush tells
	case t.kind == timerResolve && inc.row.State.Open() && due(inc.resolveDue):
		before := decisionOf(&inc.row)
		at := e.clock
		inc.row.State, inc.row.ResolvedAt = itsm.StateResolved, &at
		inc.row.OnHoldReason, inc.row.HoldUntil, inc.row.SnoozedUntil = nil, nil, nil
		inc.unattended = true
		e.decide(inc, itsm.EntryState, "resolved by itself: nothing has fired for "+e.cfg.Incident.AutoResolveAfter.String(), before)
	case t.kind == timerClose && inc.row.State == itsm.StateResolved && due(inc.closeAt):
		at := e.clock
		inc.row.State, inc.row.ClosedAt = itsm.StateClosed, &at
		e.note(inc, itsm.EntryState, "closed")
	case t.kind == timerSLA && due(inc.slaAt):
		e.review(inc) // publish measures
	case t.kind == timerTrend && inc.row.State.Open() && due(inc.trend.LookAt):
		e.review(inc) // publish looks at the trend
	case t.kind == timerReconsider && due(inc.reconsiderAt):
		inc.reconsiderAt = time.Time{}
		e.saveIncident(inc)
		if inc.row.State.Open() {
			e.fade(inc, e.clock)
			e.reconsider(inc)
		}
	case t.kind == timerRegroup:
		e.regroup(inc.list...)
	case t.kind == timerForget && !e.opts.Keep && due(inc.forgetDue):
		e.forget(inc)
	}
}
