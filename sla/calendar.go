package sla

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // machines without a zone database know every zone, too
)

// calendar is when time counts: weekly hours and holidays as wall-clock times of one zone. A nil
// calendar is open at any time.
//
// A moment is open when the wall clock of the zone, as it was at that moment, shows an open time. So
// an hour that a change of the clocks skips counts nothing, and one that it repeats counts twice.
type calendar struct {
	name     string
	zone     *time.Location
	days     [7][]hours // by weekday, in order
	holidays map[date]string
	weekly   time.Duration // open in an ordinary week
}

// hours is the half-open [from, to), as time since midnight on the wall clock.
type hours struct{ from, to time.Duration }

type date struct {
	year  int
	month time.Month
	day   int
}

const day = 24 * time.Hour

// A due time that lies farther ahead than this is none.
const (
	horizon      = 10 * 366 * day
	horizonWeeks = 52 * 10
)

func newCalendar(c *CalendarConfig, path string, f *faults) *calendar {
	cal := &calendar{name: c.Name, zone: time.UTC, holidays: map[date]string{}}
	if c.Name == "" {
		f.add(path+".name", "is missing")
	}
	if c.TimeZone != "" {
		zone, err := time.LoadLocation(c.TimeZone)
		switch {
		case c.TimeZone == "Local": // of whichever machine reads it
			f.add(path+".time_zone", "a name such as Europe/Berlin is expected, got %q", c.TimeZone)
		case err != nil:
			f.add(path+".time_zone", "%q is not known", c.TimeZone)
		default:
			cal.zone = zone
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.Hours)) {
		days, ok := dayRange(key)
		if !ok {
			f.add(path+".hours."+key, "a day (%s) or a range such as mon-fri is expected", strings.Join(weekdays(), ", "))
			continue
		}
		for i, text := range c.Hours[key] {
			if h, ok := readHours(text, fmt.Sprintf("%s.hours.%s[%d]", path, key, i), f); ok {
				for _, d := range days {
					cal.days[d] = append(cal.days[d], h)
				}
			}
		}
	}
	cal.arrange(path, f)
	if len(c.Holidays) > maxHolidays {
		f.add(path+".holidays", "at most %d, got %d", maxHolidays, len(c.Holidays))
		return cal
	}
	for i, h := range c.Holidays {
		at, err := time.Parse(time.DateOnly, h.Date)
		if err != nil {
			f.add(fmt.Sprintf("%s.holidays[%d].date", path, i), "a day as YYYY-MM-DD is expected, got %q", h.Date)
			continue
		}
		cal.holidays[dateOf(at)] = cmp.Or(h.Name, h.Date)
	}
	return cal
}

// arrange orders the hours of each day and looks for faults in the week as a whole.
func (c *calendar) arrange(path string, f *faults) {
	for d := range c.days {
		list := c.days[d]
		slices.SortFunc(list, func(a, b hours) int { return cmp.Compare(a.from, b.from) })
		for i, h := range list {
			if i > 0 && h.from < list[i-1].to {
				f.add(path+".hours", "%s: hours overlap at %s", weekdays()[d], wall(h.from))
			}
			c.weekly += h.to - h.from
		}
	}
	if c.weekly == 0 {
		f.add(path+".hours", "at least one day needs open hours")
	}
}

func readHours(text, path string, f *faults) (hours, bool) {
	from, to, _ := strings.Cut(text, "-")
	a, ok1 := clockTime(from)
	b, ok2 := clockTime(to)
	switch {
	case !ok1 || !ok2:
		f.add(path, "HH:MM-HH:MM is expected, got %q", text)
	case a >= b:
		f.add(path, "must end after it begins, got %q; hours over midnight are two: %s-24:00, and 00:00-%s of the next day", text, from, to)
	case b == day-time.Minute: // meant as the end of the day, it loses a minute of each night
		f.add(path, "the end is not part of the hours: write %s-24:00", from)
	default:
		return hours{a, b}, true
	}
	return hours{}, false
}

func wall(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute)
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

// stretch is a part of time in which nothing changes: open, or not and why.
type stretch struct {
	from, to time.Time
	open     bool
	why      string
}

// walk calls yield for the stretches of [from, to) in order, until it returns false. Stretches that
// follow one another may be of the same kind.
func (c *calendar) walk(from, to time.Time, yield func(stretch) bool) {
	if c == nil {
		if from.Before(to) {
			yield(stretch{from: from, to: to, open: true, why: Always})
		}
		return
	}
	for at := from; at.Before(to); {
		s := c.at(at)
		if s.to.After(to) {
			s.to = to
		}
		if !yield(s) {
			return
		}
		at = s.to
	}
}

// at is the stretch that begins at a moment, at most to the end of the day on the wall clock.
func (c *calendar) at(at time.Time) stretch {
	local := at.In(c.zone)
	_, offset := local.Zone() // as it was then
	_, until := local.ZoneBounds()
	today := dateOf(local)
	// The time on the wall clock, on a line without changes of the clocks.
	clock := at.UTC().Add(time.Duration(offset) * time.Second)
	midnight := time.Date(today.year, today.month, today.day, 0, 0, 0, 0, time.UTC)
	since := clock.Sub(midnight)

	s := stretch{from: at, why: "closed (" + c.name + ")"}
	edge := day
	if name, off := c.holidays[today]; off {
		s.why = "holiday: " + name
	} else {
		for _, h := range c.days[local.Weekday()] {
			if since < h.from {
				edge = h.from
				break
			}
			if since < h.to {
				edge, s.open, s.why = h.to, true, "open ("+c.name+")"
				break
			}
		}
	}
	s.to = at.Add(edge - since)
	if !until.IsZero() && until.Before(s.to) {
		s.to = until
	}
	s.to = s.to.UTC()
	return s
}

// between returns how much of [from, to) is open.
func (c *calendar) between(from, to time.Time) (open time.Duration) {
	c.walk(from, to, func(s stretch) bool {
		if s.open {
			open += s.to.Sub(s.from)
		}
		return true
	})
	return open
}

// after returns the earliest moment by which an amount of open time has passed since from; zero when
// that is beyond the horizon.
func (c *calendar) after(from time.Time, amount time.Duration) time.Time {
	if amount <= 0 {
		return from
	}
	var due time.Time
	c.walk(from, from.Add(horizon), func(s stretch) bool {
		if s.open {
			length := s.to.Sub(s.from)
			if amount <= length {
				due = s.from.Add(amount)
				return false
			}
			amount -= length
		}
		return true
	})
	return due
}
