package sla

import (
	"slices"
	"time"

	"signalbox/itsm"
)

// Interval is a part of an incident's life, counted or not, and why.
type Interval struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Counted bool      `json:"counted"`
	Reason  string    `json:"reason"`
	// ElapsedSeconds is the time that has counted by the end of the interval.
	ElapsedSeconds int64 `json:"elapsedSeconds"`
}

// Account is a clock with every interval that went into it.
type Account struct {
	itsm.Clock
	Calendar string `json:"calendar"`
	TimeZone string `json:"timeZone"` // of the calendar
	// Applies: the target applies to the incident now, or did when its clock stopped.
	Applies   bool       `json:"applies"`
	Intervals []Interval `json:"intervals"`
}

// Explain accounts for every target that applies to an incident or did earlier: those that no
// longer do have a cancelled clock. Every moment from the first phase to now, or to where the
// clock stopped, is in exactly one interval.
func (t *Targets) Explain(phases []itsm.Phase, now time.Time) []Account {
	phases = begun(phases, now)
	var out []Account
	for _, m := range itsm.Metrics() {
		decisive := decisivePhase(m, phases)
		if decisive < 0 {
			continue
		}
		applies := t.find(m, &phases[decisive])
		var earlier []*target
		for i := range phases[:decisive+1] {
			target := t.find(m, &phases[i])
			if target != nil && target != applies && !slices.Contains(earlier, target) {
				earlier = append(earlier, target)
			}
		}
		if applies != nil {
			out = append(out, applies.account(phases, now))
		}
		for _, target := range earlier {
			out = append(out, target.dismissed(t, phases[:decisive+1], now))
		}
	}
	return out
}

func (t *target) account(phases []itsm.Phase, now time.Time) Account {
	c, _ := t.measure(phases, now)
	a := Account{Clock: c, Calendar: t.Calendar, TimeZone: "UTC", Applies: true, Intervals: t.intervals(phases, now)}
	if t.calendar != nil {
		a.TimeZone = t.calendar.zone.String()
	}
	return a
}

// dismissed accounts for a target that applied earlier, until the moment at which it last ceased to.
func (t *target) dismissed(all *Targets, phases []itsm.Phase, now time.Time) Account {
	end := len(phases) - 1
	for end > 0 && all.find(t.Metric, &phases[end-1]) != t {
		end--
	}
	until := phases[end].At
	if until.After(now) {
		until = now
	}
	a := t.account(phases[:end], until)
	a.Applies, a.State, a.DueAt, a.PausedAt, a.StoppedAt = false, itsm.ClockCancelled, nil, nil, &until
	var elapsed int64
	if n := len(a.Intervals); n > 0 {
		elapsed = a.Intervals[n-1].ElapsedSeconds
	}
	a.ElapsedSeconds = &elapsed
	return a
}

// intervals lists what counted and what did not.
func (t *target) intervals(phases []itsm.Phase, now time.Time) []Interval {
	list := []Interval{}
	var elapsed time.Duration
	add := func(from, to time.Time, counted bool, reason string) {
		if !from.Before(to) {
			return
		}
		if counted {
			elapsed += to.Sub(from)
		}
		seconds := int64(elapsed / time.Second)
		if n := len(list); n > 0 && list[n-1].Counted == counted && list[n-1].Reason == reason {
			list[n-1].To, list[n-1].ElapsedSeconds = to, seconds
			return
		}
		list = append(list, Interval{From: from, To: to, Counted: counted, Reason: reason, ElapsedSeconds: seconds})
	}
	phases = begun(phases, now)
	last := len(phases) - 1
	for last > 0 && stops(t.courseOf(&phases[last])) && stops(t.courseOf(&phases[last-1])) {
		last--
	}
	for i := range phases[:last+1] {
		p := &phases[i]
		from, to := span(phases, i, now)
		switch c := t.courseOf(p); {
		case c == counts:
			t.calendar.walk(from, to, func(s stretch) bool {
				add(s.from, s.to, s.open, s.why)
				return true
			})
		case stops(c) && i == last: // nothing is measured any more
		default:
			add(from, to, false, why(t.Metric, p))
		}
	}
	return list
}

func stops(c course) bool { return c == done || c == dropped }
