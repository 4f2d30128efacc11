package sla

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// Config is what was promised. It decides outcomes, so it is part of the rules that a record adopts.
type Config struct {
	// Calendars of service hours; 24x7 is always there.
	Calendars []CalendarConfig `yaml:"calendars"`
	// Targets, in order: of each metric, the first that matches an incident applies to it. None: nothing is measured.
	Targets []TargetConfig `yaml:"targets"`
}

// CalendarConfig is when time counts.
type CalendarConfig struct {
	// What targets call it.
	Name string `yaml:"name"`
	// IANA time zone of the hours and holidays, such as Europe/Berlin. Empty: UTC.
	TimeZone string `yaml:"time_zone"`
	// Open hours by day: mon … sun, or a range such as mon-fri; each a list of HH:MM-HH:MM without the last minute, 24:00 is the end of the day.
	Hours map[string][]string `yaml:"hours"`
	// Days without open hours.
	Holidays []HolidayConfig `yaml:"holidays"`
}

// HolidayConfig is a day on which no time counts.
type HolidayConfig struct {
	// The day in the calendar's time zone, YYYY-MM-DD.
	Date string `yaml:"date"`
	// What it is called.
	Name string `yaml:"name"`
}

// TargetConfig is one promise.
type TargetConfig struct {
	// What people call it; unique.
	Name string `yaml:"name"`
	// response (until somebody takes care) or resolution (until it is resolved).
	Metric itsm.Metric `yaml:"metric"`
	// The priorities it holds for. Empty: all.
	Priorities []int `yaml:"priorities"`
	// It holds when one of these services is hurt. Empty: for all.
	Services []string `yaml:"services"`
	// The teams it holds for. Empty: all, and incidents without a team.
	Teams []string `yaml:"teams"`
	// The time that it may take, such as 4h: time that counts by the calendar.
	Within time.Duration `yaml:"within"`
	// The calendar by which time counts. Empty: 24x7.
	Calendar string `yaml:"calendar"`
	// The reasons of a hold that pause it. Absent: every reason; an empty list: none.
	PauseOn []string `yaml:"pause_on"`
	// The shares of the time at which to warn. Absent: 0.5, 0.75 and 0.9; an empty list: never.
	WarnAt []float64 `yaml:"warn_at"`
}

// Always is the name of the calendar that is open at any time.
const Always = "24x7"

// The bounds of a configuration.
const (
	maxTargets   = 1000
	maxCalendars = 100
	maxHolidays  = 1000
	maxWarnings  = 10
	maxWithin    = 366 * 24 * time.Hour
)

// defaultWarnAt holds for targets that do not say at which shares to warn.
func defaultWarnAt() []float64 { return []float64{0.5, 0.75, 0.9} }

// Validate returns every fault, each beginning with its path in the configuration file.
func (c Config) Validate() error {
	_, err := New(c)
	return err
}

// faults collects errors with their paths.
type faults struct{ list []error }

func (f *faults) add(path, format string, args ...any) {
	f.list = append(f.list, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// New compiles a configuration. The error joins every fault.
func New(c Config) (*Targets, error) {
	var f faults
	for _, b := range []struct {
		key        string
		count, max int
	}{{"calendars", len(c.Calendars), maxCalendars}, {"targets", len(c.Targets), maxTargets}} {
		if b.count > b.max {
			f.add("sla."+b.key, "at most %d, got %d", b.max, b.count)
			return nil, errors.Join(f.list...)
		}
	}
	calendars := map[string]*calendar{Always: nil}
	for i := range c.Calendars {
		path := fmt.Sprintf("sla.calendars[%d]", i)
		name := c.Calendars[i].Name
		if _, twice := calendars[name]; twice && name != "" {
			f.add(path+".name", "there is another calendar called %q", name)
		}
		calendars[name] = newCalendar(&c.Calendars[i], path, &f)
	}
	out := &Targets{}
	names := map[string]bool{}
	for i := range c.Targets {
		path := fmt.Sprintf("sla.targets[%d]", i)
		if name := c.Targets[i].Name; names[name] && name != "" {
			f.add(path+".name", "there is another target called %q", name)
		}
		names[c.Targets[i].Name] = true
		out.list = append(out.list, newTarget(&c.Targets[i], calendars, path, &f))
	}
	if len(f.list) > 0 {
		return nil, errors.Join(f.list...)
	}
	return out, nil
}

func newTarget(c *TargetConfig, calendars map[string]*calendar, path string, f *faults) *target {
	t := &target{TargetConfig: *c}
	if t.Calendar == "" {
		t.Calendar = Always
	}
	if c.Name == "" {
		f.add(path+".name", "is missing")
	}
	if !slices.Contains(itsm.Metrics(), c.Metric) {
		f.add(path+".metric", "must be one of %v, got %q", itsm.Metrics(), c.Metric)
	}
	for j, p := range c.Priorities {
		if p < 1 || p > 5 {
			f.add(fmt.Sprintf("%s.priorities[%d]", path, j), "must be 1 to 5, got %d", p)
		}
	}
	cal, known := calendars[t.Calendar]
	t.calendar = cal
	switch {
	case !known:
		f.add(path+".calendar", "there is no calendar called %q", t.Calendar)
	case c.Within < time.Second || c.Within > maxWithin || c.Within%time.Second != 0:
		f.add(path+".within", "must be whole seconds, at most %s, got %s", maxWithin, c.Within)
	case cal != nil && cal.weekly > 0 && c.Within > cal.weekly*horizonWeeks:
		f.add(path+".within", "%s of the calendar %q are not over within ten years", c.Within, t.Calendar)
	}
	warn := c.WarnAt
	if warn == nil {
		warn = defaultWarnAt()
	}
	if len(warn) > maxWarnings {
		f.add(path+".warn_at", "at most %d, got %d", maxWarnings, len(warn))
		return t
	}
	for j, share := range warn {
		percent := int(share*100 + 0.5)
		if !(share > 0 && share < 1) || percent < 1 || percent > 99 {
			f.add(fmt.Sprintf("%s.warn_at[%d]", path, j), "must be a share between 0.01 and 0.99, got %v", share)
			continue
		}
		t.warn = append(t.warn, percent)
	}
	slices.Sort(t.warn)
	t.warn = slices.Compact(t.warn)
	return t
}

// weekdays are the names of days in the configuration, by time.Weekday.
func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// dayRange reads mon or mon-fri; a range may go over the end of the week.
func dayRange(s string) ([]time.Weekday, bool) {
	from, to, isRange := strings.Cut(s, "-")
	a, b := slices.Index(weekdays(), from), slices.Index(weekdays(), to)
	if !isRange {
		b = a
	}
	if a < 0 || b < 0 {
		return nil, false
	}
	days := []time.Weekday{time.Weekday(a)}
	for a != b {
		a = (a + 1) % 7
		days = append(days, time.Weekday(a))
	}
	return days, true
}

// clockTime reads HH:MM as the time since midnight; 24:00 is the end of the day.
func clockTime(s string) (time.Duration, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range []int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	if m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, false
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, true
}
