// Package sla measures promises: response and resolution targets, by calendars with time zone and
// holidays. Clocks are a pure function of an incident's history (its phases) and a moment; nothing
// is kept between two calls, so a corrected target or a replay computes everything anew.
//
// It refuses to read a clock, to know what an incident is beyond its phases, and to count by any
// other offset from UTC than the one that was in force at the moment in question. A Targets is
// never changed and may be used concurrently.
package sla

import (
	"slices"
	"time"

	"signalbox/itsm"
)

// Targets is a compiled Config. Build it with New.
type Targets struct{ list []*target }

// target is a promise that is ready to be measured.
type target struct {
	TargetConfig
	calendar *calendar
	warn     []int // percent, rising
}

// Configured tells whether anything is promised at all.
func (t *Targets) Configured() bool { return len(t.list) > 0 }

func (t *target) matches(p *itsm.Phase) bool {
	return (len(t.Priorities) == 0 || slices.Contains(t.Priorities, p.Priority)) &&
		(len(t.Teams) == 0 || p.Team != "" && slices.Contains(t.Teams, p.Team)) &&
		(len(t.Services) == 0 || slices.ContainsFunc(p.Services, func(s string) bool { return slices.Contains(t.Services, s) }))
}

func (t *target) pausedBy(reason string) bool {
	return t.PauseOn == nil || slices.Contains(t.PauseOn, reason)
}

// find returns the target of a metric that applies to a phase.
func (t *Targets) find(m itsm.Metric, p *itsm.Phase) *target {
	for _, target := range t.list {
		if target.Metric == m && target.matches(p) {
			return target
		}
	}
	return nil
}

// course is what a phase is to a metric.
type course int

const (
	counts  course = iota // time passes
	held                  // on hold: whether it pauses, the target says
	done                  // what was promised has happened
	dropped               // it is no longer asked for
)

func courseOf(m itsm.Metric, p *itsm.Phase) course {
	switch {
	case p.Merged || p.State == itsm.StateCancelled:
		if m == itsm.MetricResponse && p.Responded {
			return done
		}
		return dropped
	case m == itsm.MetricResponse && p.Responded:
		return done
	case !p.State.Open():
		if m == itsm.MetricResponse {
			return dropped // it went away before anybody answered
		}
		return done
	case p.State == itsm.StateOnHold:
		return held
	}
	return counts
}

// why says in words why no time counts in a phase that is not counted as a whole.
func why(m itsm.Metric, p *itsm.Phase) string {
	switch {
	case p.Merged:
		return "merged into another incident"
	case p.State == itsm.StateCancelled:
		return "cancelled"
	case m == itsm.MetricResponse && p.Responded:
		return "responded"
	case p.State == itsm.StateOnHold:
		return "on hold: " + p.Hold
	}
	return string(p.State)
}

// Clocks measures an incident at a moment: one clock for each metric with a target that applies.
// A target applies by what held when its clock stopped, else by what holds now, and counts from the
// first phase on, whenever it came to apply. Beside the clocks comes when one changes by itself; zero: never.
func (t *Targets) Clocks(phases []itsm.Phase, now time.Time) (clocks []itsm.Clock, next time.Time) {
	phases = begun(phases, now)
	for _, m := range itsm.Metrics() {
		decisive := decisivePhase(m, phases)
		if decisive < 0 {
			continue
		}
		target := t.find(m, &phases[decisive])
		if target == nil {
			continue
		}
		clock, change := target.measure(phases, now)
		clocks = append(clocks, clock)
		if !change.IsZero() && (next.IsZero() || change.Before(next)) {
			next = change
		}
	}
	return clocks, next
}

// decisivePhase is the last phase before the clock of a metric stopped, or the last one; -1: there is none.
func decisivePhase(m itsm.Metric, phases []itsm.Phase) int {
	for i, p := range slices.Backward(phases) {
		if c := courseOf(m, &p); c == counts || c == held {
			return i
		}
	}
	return min(0, len(phases)-1) // it stopped in the instant that it began
}

// DueAt is the earliest due time of the clocks that run; nil when none does.
func DueAt(clocks []itsm.Clock) *time.Time {
	var due *time.Time
	for i := range clocks {
		if c := &clocks[i]; c.Live() && c.DueAt != nil && (due == nil || c.DueAt.Before(*due)) {
			due = c.DueAt
		}
	}
	return due
}

// meter adds up the time that counts.
type meter struct {
	elapsed time.Duration
	due     time.Time // when the limit was reached
	// Where the last phase that counts began, and what had passed by then.
	since  time.Time
	before time.Duration
}

// add counts the open time of [from, to), and notes when the limit is reached.
func (m *meter) add(t *target, from, to time.Time) {
	m.since, m.before = from, m.elapsed
	m.elapsed += t.calendar.between(from, to)
	if m.due.IsZero() && m.elapsed >= t.Within {
		m.due = t.calendar.after(from, t.Within-m.before)
	}
}

// courseOf is what a phase is to this target.
func (t *target) courseOf(p *itsm.Phase) course {
	c := courseOf(t.Metric, p)
	if c == held && !t.pausedBy(p.Hold) {
		return counts
	}
	return c
}

// measure reads the clock of a target, and returns when it changes by itself.
func (t *target) measure(phases []itsm.Phase, now time.Time) (itsm.Clock, time.Time) {
	c := itsm.Clock{Name: t.Name, Metric: t.Metric, TargetSeconds: int64(t.Within / time.Second), StartedAt: phases[0].At}
	var m meter
	last := counts
	phases = begun(phases, now)
	for i := range phases {
		from, to := span(phases, i, now)
		switch last = t.courseOf(&phases[i]); last {
		case counts:
			c.PausedAt, c.StoppedAt = nil, nil
			m.add(t, from, to)
		case held:
			c.StoppedAt = nil
			c.PausedAt = first(c.PausedAt, from)
		default:
			c.PausedAt = nil
			c.StoppedAt = first(c.StoppedAt, from)
		}
	}
	return c, t.judge(&c, &m, last)
}

// begun leaves out the phases that are yet to come: who asks may have a clock that is behind. The first stays.
func begun(phases []itsm.Phase, now time.Time) []itsm.Phase {
	for len(phases) > 1 && phases[len(phases)-1].At.After(now) {
		phases = phases[:len(phases)-1]
	}
	return phases
}

// span is when a phase holds, of phases that have begun.
func span(phases []itsm.Phase, i int, now time.Time) (from, to time.Time) {
	from, to = phases[i].At, now
	if i+1 < len(phases) {
		to = phases[i+1].At
	}
	if to.Before(from) {
		to = from
	}
	return from, to
}

func first(have *time.Time, at time.Time) *time.Time {
	if have != nil {
		return have
	}
	return &at
}

// judge gives a clock its state and times, and returns when that changes by itself.
func (t *target) judge(c *itsm.Clock, m *meter, last course) (next time.Time) {
	for _, percent := range t.warn {
		if m.elapsed >= t.share(percent) {
			c.WarnedPercent = percent
		}
	}
	switch breached := m.elapsed >= t.Within; {
	case last == dropped:
		c.State = itsm.ClockCancelled
	case breached:
		c.State = itsm.ClockBreached
	case last == done:
		c.State = itsm.ClockMet
	case last == held:
		c.State = itsm.ClockPaused
	default:
		m.due = t.calendar.after(m.since, t.Within-m.before)
		next = m.due
		c.State = itsm.ClockRunning
		if c.WarnedPercent > 0 {
			c.State = itsm.ClockWarned
		}
		for _, percent := range t.warn {
			if percent > c.WarnedPercent {
				next = t.calendar.after(m.since, t.share(percent)-m.before)
				break
			}
		}
	}
	if !m.due.IsZero() {
		c.DueAt = &m.due
	}
	if !c.Live() {
		seconds := int64(m.elapsed / time.Second)
		c.ElapsedSeconds = &seconds
	}
	return next
}

// share is a part of the time that the target allows. It counts in whole seconds and percents, so
// that no rounding depends on the machine.
func (t *target) share(percent int) time.Duration {
	return t.Within / 100 * time.Duration(percent)
}
