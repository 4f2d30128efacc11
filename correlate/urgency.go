package correlate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// An incident is growing when half as many alerts again fire as trendSpan ago, and at least trendLeast more; it goes on
// growing while a fifth more fire. It is easing when half as many fire.
const (
	trendSpan  = 10 * time.Minute
	trendStep  = time.Minute
	trendLeast = 3
)

// The trends; "" is steady.
const (
	trendGrowing = "growing"
	trendEasing  = "easing"
)

// trend is how the number of firing alerts of an incident has moved of late.
type trend struct {
	Samples []sample `json:",omitempty"` // by time, of trendSpan and the last one before it
	Word    string   `json:",omitempty"`
	Text    string   `json:",omitempty"` // what made it so
	// LookAt is when it may be another one although nothing happens; zero: never.
	LookAt time.Time `json:",omitzero"`
}

// sample is how many alerts fired at the end of a minute that began at a moment.
type sample struct {
	At     time.Time
	Firing int
}

// follow takes the number of firing alerts into account.
func (t *trend) follow(now time.Time, firing int) {
	switch n := len(t.Samples); {
	case n > 0 && t.Samples[n-1].Firing == firing:
	case n > 0 && now.Sub(t.Samples[n-1].At) < trendStep:
		t.Samples[n-1].Firing = firing
	default:
		t.Samples = append(t.Samples, sample{now, firing})
	}
	base := 0
	for base+1 < len(t.Samples) && !t.Samples[base+1].At.After(now.Add(-trendSpan)) {
		base++
	}
	t.Samples = slices.Delete(t.Samples, 0, base)
	before, word := t.Samples[0].Firing, ""
	switch {
	case t.Samples[0].At.After(now.Add(-trendSpan)): // younger than that
	case 2*firing >= 3*before && firing >= before+trendLeast, t.Word == trendGrowing && 5*firing >= 6*before && firing > before:
		word = trendGrowing
	case firing > 0 && 2*firing <= before, t.Word == trendEasing && 5*firing <= 4*before:
		word = trendEasing
	}
	if word != t.Word {
		t.Word = word
		t.Text = fmt.Sprintf("%s: %d alerts fire, %d did ten minutes before", word, firing, before)
	}
	t.LookAt = time.Time{}
	switch {
	case word == "":
		t.Text = ""
	case len(t.Samples) > 1:
		t.LookAt = t.Samples[1].At.Add(trendSpan)
	}
}

// severityUrgency is the urgency of a severity alone.
func severityUrgency(s itsm.Severity) int {
	switch s {
	case itsm.SeverityCritical:
		return 1
	case itsm.SeverityMajor, itsm.SeverityMinor:
		return 2
	}
	return 3
}

// assess says how much an incident hurts, which services, and how urgent it is but for its service levels. What
// is no longer open stays as it was.
func (e *Engine) assess(inc *incident) *itsm.PriorityReasons {
	r, why := &inc.row, &itsm.PriorityReasons{}
	open := r.State.Open() || inc.opening
	if older := inc.why; !open && older != nil {
		why.Impact = older.Impact
	} else {
		why.Impact, r.Services = e.impactOf(inc)
	}
	if open {
		before := inc.trend.LookAt
		inc.trend.follow(e.clock, inc.counts.Firing)
		if at := inc.trend.LookAt; !at.IsZero() && !at.Equal(before) {
			e.timers.push(timer{at: at, kind: timerTrend, ordinal: inc.ordinal})
		}
	}
	text := "the worst alert that fires is " + string(r.Severity)
	if inc.counts.Firing == 0 {
		text = "its worst alert was " + string(r.Severity)
	}
	u := &why.Urgency
	u.Reasons = []itsm.UrgencyReason{{Kind: itsm.UrgencySeverity, Text: text}}
	if t := &inc.trend; t.Word != "" {
		reason := itsm.UrgencyReason{Kind: itsm.UrgencyTrend, Text: t.Text}
		if t.Word == trendGrowing {
			reason.Steps = 1
		}
		u.Reasons = append(u.Reasons, reason)
	}
	if w := r.Maintenance; w != nil { // expected: it hurts nobody who was not told
		why.Impact.Value = 3
		u.Reasons = []itsm.UrgencyReason{{Kind: itsm.UrgencyMaintenance, Text: "all that fires is under maintenance " + w.Change}}
	}
	e.weigh(inc, why)
	return why
}

// weigh looks the priority up. A person's decision stands above it.
func (e *Engine) weigh(inc *incident, why *itsm.PriorityReasons) {
	r, u := &inc.row, &why.Urgency
	u.Value = severityUrgency(r.Severity)
	if u.Reasons[0].Kind == itsm.UrgencyMaintenance {
		u.Value = 3
	}
	for _, reason := range u.Reasons {
		u.Value -= reason.Steps
	}
	u.Value = max(1, u.Value)
	why.Priority = e.cfg.Incident.Priority.Lookup(why.Impact.Value, u.Value)
	r.Impact, r.Urgency, r.Priority = why.Impact.Value, u.Value, why.Priority
	if r.PriorityOverride != nil {
		r.Priority = *r.PriorityOverride
	}
}

// press makes an incident more urgent whose service level is in danger, and returns the reasons when they are other ones
// now. Targets are measured by the priority without that: else what is late would get a shorter target for it.
func (e *Engine) press(inc *incident, why *itsm.PriorityReasons) *itsm.PriorityReasons {
	if why == nil {
		return nil
	}
	for i := range inc.row.SLA {
		if inc.row.Maintenance != nil {
			break
		}
		if c := &inc.row.SLA[i]; c.Live() && (c.State == itsm.ClockWarned || c.State == itsm.ClockBreached) {
			text := fmt.Sprintf("%s (%s) is breached", c.Name, c.Metric)
			if c.State == itsm.ClockWarned {
				text = fmt.Sprintf("%s (%s): %d %% of the time are used up", c.Name, c.Metric, c.WarnedPercent)
			}
			reason := itsm.UrgencyReason{Kind: itsm.UrgencyServiceLevel, Text: text, Steps: 1}
			if n := len(why.Urgency.Reasons); why.Urgency.Reasons[n-1].Kind == itsm.UrgencyServiceLevel {
				reason.Steps = 0 // one step for all of them
			}
			why.Urgency.Reasons = append(why.Urgency.Reasons, reason)
		}
	}
	e.weigh(inc, why)
	if older := inc.why; older != nil && !inc.opening {
		if older.Same(why) {
			return nil
		}
		if inc.row.PriorityOverride == nil && older.Priority != why.Priority {
			e.noteData(inc, itsm.EntryPriority, itsm.ByEngine, priorityMoved(older, why), map[string]any{"from": older.Priority, "to": why.Priority})
		}
	}
	inc.why = why
	e.saveIncident(inc)
	return why
}

// priorityMoved says what another priority follows from.
func priorityMoved(a, b *itsm.PriorityReasons) string {
	var parts []string
	if a.Impact.Value != b.Impact.Value {
		part := fmt.Sprintf("impact %d → %d", a.Impact.Value, b.Impact.Value)
		if len(b.Impact.Reasons) > 0 {
			worst := b.Impact.Reasons[0]
			part += fmt.Sprintf(" (%s, criticality %d, is %s)", worst.Name, worst.Criticality, strings.ReplaceAll(string(worst.State), "_", " "))
		}
		parts = append(parts, part)
	}
	if a.Urgency.Value != b.Urgency.Value {
		last := b.Urgency.Reasons[len(b.Urgency.Reasons)-1]
		parts = append(parts, fmt.Sprintf("urgency %d → %d (%s)", a.Urgency.Value, b.Urgency.Value, last.Text))
	}
	text := fmt.Sprintf("priority %d → %d", a.Priority, b.Priority)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}
