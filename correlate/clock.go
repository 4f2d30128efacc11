package correlate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
	"signalbox/sla"
)

// maxPhases bounds what an incident remembers of its history for its clocks.
const maxPhases = 256

// ClockEvent is a clock of a service level target that came into a state.
type ClockEvent struct {
	Metric itsm.Metric
	State  itsm.ClockState
}

// Clocked returns how many clocks came into each state since the last call.
func (e *Engine) Clocked() map[ClockEvent]int {
	out := e.clocks
	e.clocks = map[ClockEvent]int{}
	return out
}

// measure notes what holds of an incident now, and reads its clocks when that, the targets or the
// state of a clock is different. It returns the phases when they are to be published.
func (e *Engine) measure(inc *incident) *itsm.Phases {
	added := inc.enterPhase(e.clock)
	inc.unattended = false
	if !added && !inc.remeasure && (inc.slaAt.IsZero() || inc.slaAt.After(e.clock)) {
		return nil
	}
	before := inc.row.SLA
	inc.row.SLA, inc.slaAt = e.targets.Clocks(inc.phases, e.clock)
	inc.row.SLADueAt = sla.DueAt(inc.row.SLA)
	e.tellClocks(inc, before)
	if !inc.slaAt.IsZero() {
		e.timers.push(timer{at: inc.slaAt, kind: timerSLA, ordinal: inc.ordinal})
	}
	e.saveIncident(inc)
	publish := added && e.targets.Configured() || inc.remeasure && (e.targets.Configured() || len(before) > 0)
	inc.remeasure = false
	if !publish {
		return nil
	}
	return &itsm.Phases{Rules: e.rules, Phases: slices.Clone(inc.phases)}
}

// enterPhase begins a phase when something that service levels look at is different.
func (inc *incident) enterPhase(now time.Time) bool {
	r := &inc.row
	p := itsm.Phase{
		At: now, State: r.State, Merged: r.MergedInto != nil, Responded: inc.responded(), Priority: r.Priority, Services: r.Services,
	}
	if r.OnHoldReason != nil {
		p.Hold = *r.OnHoldReason
	}
	if r.Team != nil {
		p.Team = *r.Team
	}
	n := len(inc.phases)
	if n == 0 {
		p.At = r.OpenedAt
		inc.phases = []itsm.Phase{p}
		return true
	}
	if p.Same(&inc.phases[n-1]) {
		return false
	}
	if n > 1 && inc.phases[n-1].At.Equal(now) {
		inc.phases = inc.phases[:n-1] // it has lasted no time
	}
	inc.phases = append(inc.phases, p)
	if len(inc.phases) > maxPhases {
		inc.forgetPhase()
	}
	return true
}

// forgetPhase lets the shortest phase count as the one before it: the least time that can go wrong.
func (inc *incident) forgetPhase() {
	shortest := 1
	length := func(i int) time.Duration { return inc.phases[i+1].At.Sub(inc.phases[i].At) }
	for i := 2; i < len(inc.phases)-1; i++ {
		if length(i) < length(shortest) {
			shortest = i
		}
	}
	inc.phases = slices.Delete(inc.phases, shortest, shortest+1)
}

// responded tells whether a person has taken care of the incident. What somebody did once stays
// done, also when it opens again, unless it is taken back.
func (inc *incident) responded() bool {
	r := &inc.row
	var last itsm.Phase
	if n := len(inc.phases); n > 0 {
		last = inc.phases[n-1]
	}
	working := func(s itsm.State) bool { return s == itsm.StateInProgress || s == itsm.StateOnHold }
	switch {
	case r.AcknowledgedAt != nil || working(r.State): // only people lead there
		return true
	case r.State == itsm.StateNew:
		return last.Responded && !working(last.State)
	case r.State == itsm.StateResolved && last.State != itsm.StateResolved:
		return last.Responded || !inc.unattended
	}
	return last.Responded
}

// tellClocks writes into the timeline which clocks have come to a share of their time or to its
// end. Of what a clock has passed since it was last read only the last is told.
func (e *Engine) tellClocks(inc *incident, before []itsm.Clock) {
	for i := range inc.row.SLA {
		c := &inc.row.SLA[i]
		var was itsm.Clock
		if at := slices.IndexFunc(before, func(o itsm.Clock) bool { return o.Name == c.Name && o.Metric == c.Metric }); at >= 0 {
			was = before[at]
		}
		if c.State != was.State {
			e.clocks[ClockEvent{c.Metric, c.State}]++
		}
		target, within := fmt.Sprintf("%s (%s)", c.Name, c.Metric), brief(time.Duration(c.TargetSeconds)*time.Second)
		data := map[string]any{"name": c.Name, "metric": c.Metric, "state": c.State, "percent": c.WarnedPercent}
		switch {
		case !c.Live():
		case c.State == itsm.ClockBreached && was.State != itsm.ClockBreached:
			data["percent"] = 100
			e.noteData(inc, itsm.EntrySLA, itsm.ByEngine, target+" breached: "+within+" are used up", data)
		case c.State == itsm.ClockWarned && c.WarnedPercent > was.WarnedPercent:
			e.noteData(inc, itsm.EntrySLA, itsm.ByEngine, fmt.Sprintf("%s: %d %% of %s are used up", target, c.WarnedPercent, within), data)
		}
	}
}

// brief is a duration without the units that are zero.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
