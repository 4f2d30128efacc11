package sla

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// when reads a time of 2026 in Berlin, such as "03-27 18:00".
func when(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", "2026-"+text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

// history reads phases: a time, then what holds from then on: a state, responded, P1 … P5, a team or service, or a reason of a hold.
func history(t *testing.T, lines ...string) []itsm.Phase {
	t.Helper()
	var out []itsm.Phase
	p := itsm.Phase{State: itsm.StateNew, Priority: 3}
	for _, line := range lines {
		p.At = when(t, line[:11])
		for word := range strings.FieldsSeq(line[11:]) {
			key, value, _ := strings.Cut(word, "=")
			switch {
			case key == "responded":
				p.Responded = true
			case key == "merged":
				p.Merged = true
			case key == "hold":
				p.State, p.Hold = itsm.StateOnHold, value
			case key == "team":
				p.Team = value
			case key == "service":
				p.Services = []string{value}
			case len(word) == 2 && word[0] == 'P':
				p.Priority = int(word[1] - '0')
			case slices.Contains(itsm.States(), itsm.State(word)):
				p.State, p.Hold = itsm.State(word), ""
			default:
				t.Fatalf("%q is no word of a history", word)
			}
		}
		out = append(out, p)
	}
	return out
}

func compile(t *testing.T, targets ...TargetConfig) *Targets {
	t.Helper()
	all, err := New(Config{Calendars: []CalendarConfig{
		berlin(),
		{Name: "days", TimeZone: "Europe/Berlin", Hours: map[string][]string{"mon-sun": {"00:00-24:00"}}},
		{Name: "two days", TimeZone: "Europe/Berlin", Hours: map[string][]string{"tue": {"09:00-17:00"}, "sat": {"10:00-12:00"}}},
	}, Targets: targets})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func fix(within time.Duration, calendar string) TargetConfig {
	return TargetConfig{Name: "fix", Metric: itsm.MetricResolution, Within: within, Calendar: calendar}
}

func one(t *testing.T, targets *Targets, phases []itsm.Phase, now string) (itsm.Clock, time.Time) {
	t.Helper()
	clocks, next := targets.Clocks(phases, when(t, now))
	if len(clocks) != 1 {
		t.Fatalf("%d clocks: %+v", len(clocks), clocks)
	}
	return clocks[0], next
}

// due holds the time at which a clock is due; empty: it has none.
func due(t *testing.T, c itsm.Clock, state itsm.ClockState, want string) {
	t.Helper()
	if c.State != state {
		t.Errorf("state %s, want %s", c.State, state)
	}
	switch {
	case want == "" && c.DueAt != nil:
		t.Errorf("due %s, want no due time", c.DueAt)
	case want != "" && (c.DueAt == nil || !c.DueAt.Equal(when(t, want))):
		t.Errorf("due %v, want %s", c.DueAt, when(t, want))
	}
}

// TestDueTimes are the mistakes that other systems have made, each with where it was reported.
func TestDueTimes(t *testing.T) {
	office := fix(4*time.Hour, "office") // mon-thu 8-12 and 13-17, fri 8-14, in Berlin
	for name, c := range map[string]struct {
		target  TargetConfig
		history []string
		now     string
		state   itsm.ClockState
		want    string
	}{
		"no minute is lost at midnight (zammad 3180)": {fix(72*time.Hour, "days"), []string{"05-04 10:00"}, "05-04 10:00", itsm.ClockRunning, "05-07 10:00"},
		"a pause counts by the target's calendar (glpi 10594)": { // an hour of open time is paused, not a weekend
			office, []string{"05-08 12:00", "05-08 13:00 hold=x", "05-11 09:00 in_progress"}, "05-11 09:00", itsm.ClockRunning, "05-11 12:00",
		},
		"the due time after a pause is within the hours (glpi 9082)": {
			office, []string{"05-04 14:00", "05-04 15:00 hold=x", "05-04 16:30 in_progress"}, "05-04 16:30", itsm.ClockRunning, "05-05 10:30",
		},
		"a pause before another target applies is kept (glpi 6902, 15605)": {
			TargetConfig{Name: "fix", Metric: "resolution", Priorities: []int{1}, Within: 4 * time.Hour},
			[]string{"05-04 08:00 P3", "05-04 09:00 hold=x", "05-04 12:00 in_progress", "05-04 13:00 P1"},
			"05-04 13:00", itsm.ClockWarned, "05-04 15:00",
		},
		"nothing breaches while it is paused (glpi 24481)": {office, []string{"05-04 08:00", "05-04 11:00 hold=x"}, "06-30 08:00", itsm.ClockPaused, ""},
		"the time between resolved and opened again does not count (glpi 23359)": {
			office, []string{"05-04 08:00", "05-04 09:00 resolved", "05-05 09:00 in_progress"}, "05-05 09:00", itsm.ClockRunning, "05-05 12:00",
		},
		"what is opened outside the hours is due within them (glpi 687)": {office, []string{"05-09 20:00"}, "05-09 20:00", itsm.ClockRunning, "05-11 12:00"},
		"a lunch break (frappe helpdesk 2212)":                           {office, []string{"05-04 10:00"}, "05-04 10:00", itsm.ClockRunning, "05-04 15:00"},
		"a week with days missing (osTicket 6739)":                       {fix(9*time.Hour, "two days"), []string{"05-05 15:00"}, "05-05 15:00", itsm.ClockRunning, "05-12 14:00"},
		"a holiday":                           {office, []string{"12-24 16:00"}, "12-24 16:00", itsm.ClockRunning, "12-28 11:00"},
		"the offset of then (dbt_zendesk 25)": {fix(24*time.Hour, "days"), []string{"03-28 12:00"}, "07-01 12:00", itsm.ClockBreached, "03-29 13:00"},
		"an hour that is skipped":             {fix(24*time.Hour, "office"), []string{"03-27 12:00"}, "03-27 12:00", itsm.ClockRunning, "04-01 15:00"},
		"a raised priority counts from opening": {
			TargetConfig{Name: "fix", Metric: "resolution", Priorities: []int{1}, Within: 4 * time.Hour}, []string{"05-04 08:00", "05-04 11:00 P1"}, "05-04 11:00", itsm.ClockWarned, "05-04 12:00",
		},
		"a reason that does not pause": {
			TargetConfig{Name: "fix", Metric: "resolution", Within: 4 * time.Hour, PauseOn: []string{"awaiting_vendor"}}, []string{"05-04 08:00", "05-04 09:00 hold=lunch"}, "05-04 10:00", itsm.ClockWarned, "05-04 12:00",
		},
		"no reason pauses": {
			TargetConfig{Name: "fix", Metric: "resolution", Within: 4 * time.Hour, PauseOn: []string{}}, []string{"05-04 08:00", "05-04 09:00 hold=x"}, "05-04 09:00", itsm.ClockRunning, "05-04 12:00",
		},
		"met in time":            {office, []string{"05-04 08:00", "05-04 09:00 resolved"}, "05-06 09:00", itsm.ClockMet, ""},
		"met in the last moment": {office, []string{"05-04 08:00", "05-04 12:00 resolved"}, "05-06 09:00", itsm.ClockBreached, "05-04 12:00"},
		"breached, then resolved": {
			office, []string{"05-04 08:00", "05-04 15:00 resolved", "05-05 15:00 closed"}, "05-06 09:00", itsm.ClockBreached, "05-04 12:00",
		},
		"merged":                 {office, []string{"05-04 08:00", "05-04 09:00 closed merged"}, "05-06 09:00", itsm.ClockCancelled, ""},
		"cancelled":              {office, []string{"05-04 08:00", "05-04 15:00 cancelled"}, "05-06 09:00", itsm.ClockCancelled, "05-04 12:00"},
		"a clock that is behind": {office, []string{"05-04 08:00", "05-04 09:00 resolved"}, "05-04 08:30", itsm.ClockRunning, "05-04 12:00"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := one(t, compile(t, c.target), history(t, c.history...), c.now)
			due(t, got, c.state, c.want)
		})
	}
}

// TestResponse is what counts as an answer.
func TestResponse(t *testing.T) {
	targets := compile(t, TargetConfig{Name: "answer", Metric: itsm.MetricResponse, Within: time.Hour}, fix(time.Hour, ""))
	states := func(clocks []itsm.Clock, _ time.Time) (out []itsm.ClockState) {
		for _, c := range clocks {
			out = append(out, c.State)
		}
		return out
	}
	for name, c := range map[string]struct {
		history []string
		want    []itsm.ClockState
	}{
		"an answer that comes with the hold is not lost (zammad 3551)": {[]string{"05-04 08:00", "05-04 08:30 responded hold=x"}, []itsm.ClockState{itsm.ClockMet, itsm.ClockPaused}},
		"one metric says nothing of the other (zammad 5177)":           {[]string{"05-04 08:00", "05-04 08:30 responded in_progress"}, []itsm.ClockState{itsm.ClockMet, itsm.ClockBreached}},
		"it ended before anybody came":                                 {[]string{"05-04 08:00", "05-04 08:30 resolved"}, []itsm.ClockState{itsm.ClockCancelled, itsm.ClockMet}},
		"it ended and came again":                                      {[]string{"05-04 08:00", "05-04 08:30 resolved", "05-04 11:00 new"}, []itsm.ClockState{itsm.ClockBreached, itsm.ClockBreached}},
		"an answer is an answer, also when it is cancelled":            {[]string{"05-04 08:00", "05-04 08:30 responded cancelled"}, []itsm.ClockState{itsm.ClockMet, itsm.ClockCancelled}},
		"answered in the same instant":                                 {[]string{"05-04 08:00 responded in_progress"}, []itsm.ClockState{itsm.ClockMet, itsm.ClockBreached}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, states(targets.Clocks(history(t, c.history...), when(t, "05-04 12:00")))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWhichTargetApplies takes the first of a metric that matches by what holds now, or held when the clock stopped.
func TestWhichTargetApplies(t *testing.T) {
	within := func(name string, c TargetConfig) TargetConfig {
		c.Name, c.Metric, c.Within = name, itsm.MetricResolution, time.Hour
		return c
	}
	targets := compile(t,
		within("ops on P1", TargetConfig{Teams: []string{"ops"}, Priorities: []int{1}}), within("ops", TargetConfig{Teams: []string{"ops"}}),
		within("shop", TargetConfig{Services: []string{"checkout", "search"}}), within("urgent", TargetConfig{Priorities: []int{1, 2}}))
	for _, c := range []struct {
		history []string
		want    string
	}{
		{[]string{"05-04 08:00 P3"}, ""},
		{[]string{"05-04 08:00 P2"}, "urgent"},
		{[]string{"05-04 08:00 P2 service=checkout"}, "shop"},
		{[]string{"05-04 08:00 P1 service=checkout", "05-04 08:10 team=ops"}, "ops on P1"},
		{[]string{"05-04 08:00 P1 team=ops", "05-04 08:10 P4"}, "ops"},
		{[]string{"05-04 08:00 P1", "05-04 08:10 resolved", "05-04 08:20 P4 closed"}, "urgent"},
	} {
		got := ""
		clocks, _ := targets.Clocks(history(t, c.history...), when(t, "05-04 08:30"))
		if len(clocks) > 0 {
			got = clocks[0].Name
		}
		if got != c.want {
			t.Errorf("%q: %q applies, want %q", c.history, got, c.want)
		}
	}
}

// TestWarnings come within the hours of the calendar, one after the other, and never those that were passed before the target applied.
func TestWarnings(t *testing.T) {
	targets := compile(t, fix(4*time.Hour, "office"))
	phases := history(t, "05-08 12:30") // a Friday
	for _, c := range []struct {
		now     string
		percent int
		next    string
	}{
		{"05-08 12:30", 0, "05-11 08:30"}, // not on Friday night or at the weekend (zammad 4432)
		{"05-11 08:30", 50, "05-11 09:30"}, {"05-11 09:30", 75, "05-11 10:06"}, {"05-11 10:06", 90, "05-11 10:30"}, {"05-11 10:30", 90, ""},
	} {
		clock, next := one(t, targets, phases, c.now)
		if clock.WarnedPercent != c.percent || c.next == "" != next.IsZero() || c.next != "" && !next.Equal(when(t, c.next)) {
			t.Errorf("at %s: %d %%, next %s; want %d %%, %s", c.now, clock.WarnedPercent, next, c.percent, c.next)
		}
	}
}

// TestExplain accounts for every moment, and for targets that no longer apply.
func TestExplain(t *testing.T) {
	urgent := TargetConfig{Name: "urgent", Metric: itsm.MetricResolution, Priorities: []int{1}, Within: time.Hour}
	targets := compile(t, urgent, fix(8*time.Hour, "office"))
	phases := history(t, "12-24 16:00 P1", "12-24 16:30 P3", "12-28 08:30 hold=awaiting_vendor", "12-28 09:00 resolved", "12-28 10:00 in_progress", "12-28 14:00 resolved", "12-29 14:00 closed")
	accounts := targets.Explain(phases, when(t, "12-30 12:00"))
	type line struct {
		Name, Text string
		Elapsed    int64
	}
	var got []line
	for _, a := range accounts {
		for _, i := range a.Intervals {
			text := i.From.Sub(phases[0].At).String() + " " + i.To.Sub(i.From).String() + " " + i.Reason
			if i.Counted {
				text += " +"
			}
			got = append(got, line{a.Name, text, i.ElapsedSeconds})
		}
	}
	want := []line{
		{"fix", "0s 1h0m0s open (office) +", 3600},
		{"fix", "1h0m0s 7h0m0s closed (office)", 3600},
		{"fix", "8h0m0s 24h0m0s holiday: Christmas Day", 3600}, // shown by its name (zammad 390)
		{"fix", "32h0m0s 56h0m0s closed (office)", 3600},
		{"fix", "88h0m0s 30m0s open (office) +", 5400},
		{"fix", "88h30m0s 30m0s on hold: awaiting_vendor", 5400},
		{"fix", "89h0m0s 1h0m0s resolved", 5400},
		{"fix", "90h0m0s 2h0m0s open (office) +", 12600},
		{"fix", "92h0m0s 1h0m0s closed (office)", 12600},
		{"fix", "93h0m0s 1h0m0s open (office) +", 16200},
		{"urgent", "0s 30m0s 24x7 +", 1800},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(accounts) != 2 || accounts[0].State != itsm.ClockMet || !accounts[0].Applies || accounts[1].State != itsm.ClockCancelled || accounts[1].Applies {
		t.Errorf("%+v", accounts)
	}
}
