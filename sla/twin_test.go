package sla

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// changes are moments around which wall clocks jump: by an hour, by half of one, at midnight, over a whole day.
func changes() []time.Time {
	var out []time.Time
	for _, c := range []struct{ zone, at string }{
		{"Europe/Berlin", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25T01:00:00Z"},
		{"America/New_York", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01T06:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
		{"America/Havana", "2026-03-08T05:00:00Z"},
		{"America/Havana", "2026-11-01T05:00:00Z"},
		{"Africa/Cairo", "2026-04-23T22:00:00Z"},
		{"Asia/Beirut", "2026-03-28T22:00:00Z"},
		{"Africa/Casablanca", "2026-02-15T02:00:00Z"},
		{"America/Nuuk", "2026-03-29T01:00:00Z"},
		{"Pacific/Apia", "2011-12-30T10:00:00Z"},
		{"Asia/Kathmandu", "2026-05-01T00:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			panic(err)
		}
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			panic(err)
		}
		out = append(out, at.In(zone))
	}
	return out
}

// twin measures a target minute by minute. It shares nothing with the walk over a calendar but the meaning of states.
type twin struct {
	target  *target
	zone    *time.Location
	hours   map[time.Weekday][][2]int // minutes of the day
	off     map[string]bool
	elapsed time.Duration
	due     time.Time
}

func (w *twin) open(at time.Time) bool {
	local := at.In(w.zone)
	if w.off[local.Format(time.DateOnly)] {
		return false
	}
	minute := local.Hour()*60 + local.Minute()
	return slices.ContainsFunc(w.hours[local.Weekday()], func(h [2]int) bool { return h[0] <= minute && minute < h[1] })
}

// tick counts one minute that is not paused.
func (w *twin) tick(at time.Time) {
	if w.open(at) {
		if w.elapsed += time.Minute; w.elapsed == w.target.Within {
			w.due = at.Add(time.Minute)
		}
	}
}

func (w *twin) run(phases []itsm.Phase, now time.Time) (last course) {
	for at := phases[0].At; at.Before(now); at = at.Add(time.Minute) {
		i := len(phases) - 1
		for phases[i].At.After(at) {
			i--
		}
		if w.target.courseOf(&phases[i]) == counts {
			w.tick(at)
		}
	}
	i := len(phases) - 1
	for i > 0 && phases[i].At.After(now) {
		i--
	}
	return w.target.courseOf(&phases[i])
}

// ahead goes on counting from now until the limit is reached, ninety days at most.
func (w *twin) ahead(now time.Time) {
	for at := now; w.due.IsZero() && at.Before(now.Add(90*day)); at = at.Add(time.Minute) {
		w.tick(at)
	}
}

// chance makes up calendars, targets and histories, all in whole minutes.
type chance struct{ *rand.Rand }

func (r chance) calendar(zone *time.Location, around time.Time) (CalendarConfig, map[time.Weekday][][2]int, map[string]bool) {
	c := CalendarConfig{Name: "c", TimeZone: zone.String(), Hours: map[string][]string{}}
	hours, off := map[time.Weekday][][2]int{}, map[string]bool{}
	for d := range 7 {
		if r.IntN(5) == 0 && d != 3 {
			continue
		}
		at := 0
		for range 1 + r.IntN(3) {
			from := at + r.IntN(300)
			to := min(24*60, from+1+r.IntN(700))
			if r.IntN(6) == 0 {
				to = 24 * 60
			}
			if from >= to || to == 24*60-1 {
				break
			}
			hours[time.Weekday(d)] = append(hours[time.Weekday(d)], [2]int{from, to})
			text := fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60)
			c.Hours[weekdays()[d]] = append(c.Hours[weekdays()[d]], text)
			at = to
		}
	}
	for range r.IntN(3) {
		date := around.AddDate(0, 0, r.IntN(9)-4).Format(time.DateOnly)
		c.Holidays, off[date] = append(c.Holidays, HolidayConfig{Date: date, Name: "day off"}), true
	}
	return c, hours, off
}

func (r chance) phases(start time.Time) []itsm.Phase {
	states := []itsm.State{
		itsm.StateNew, itsm.StateInProgress, itsm.StateInProgress, itsm.StateOnHold, itsm.StateOnHold, itsm.StateResolved, itsm.StateClosed, itsm.StateCancelled,
	}
	out := []itsm.Phase{{At: start, State: itsm.StateNew, Priority: 1 + r.IntN(3)}}
	for at := start; len(out) < 1+r.IntN(9); {
		at = at.Add(time.Duration(1+r.IntN(2*24*60)) * time.Minute)
		p := itsm.Phase{At: at, State: states[r.IntN(len(states))], Priority: 1 + r.IntN(3), Merged: r.IntN(12) == 0}
		p.Responded = out[len(out)-1].Responded || p.State != itsm.StateNew && r.IntN(2) == 0
		if p.State == itsm.StateOnHold {
			p.Hold = []string{"awaiting_vendor", "awaiting_change"}[r.IntN(2)]
		}
		out = append(out, p)
	}
	return out
}

// TestTwin holds clocks and their accounts against a count minute by minute, over changes of the clocks in many zones, pauses and
// incidents that open again.
func TestTwin(t *testing.T) {
	for i, change := range changes() {
		t.Run(fmt.Sprintf("%s %s", change.Location(), change.UTC().Format(time.DateOnly)), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(40) {
				compareWithTwin(t, chance{rand.New(rand.NewPCG(seed, uint64(i)))}, change) //nolint:gosec // a repeatable test
			}
		})
	}
}

func compareWithTwin(t *testing.T, r chance, change time.Time) {
	t.Helper()
	cal, hours, off := r.calendar(change.Location(), change)
	cfg := TargetConfig{Name: "t", Metric: itsm.Metrics()[r.IntN(2)], Within: time.Duration(1+r.IntN(40*60)) * time.Minute, Calendar: "c"}
	if r.IntN(2) == 0 {
		cfg.PauseOn = []string{"awaiting_vendor"}
	}
	targets, err := New(Config{Calendars: []CalendarConfig{cal}, Targets: []TargetConfig{cfg}})
	if err != nil {
		t.Fatalf("%+v: %v", cal, err)
	}
	target := targets.list[0]
	start := change.UTC().Add(-time.Duration(r.IntN(4*24*60)) * time.Minute)
	phases := r.phases(start)
	now := start.Add(time.Duration(r.IntN(12*24*60)) * time.Minute)
	w := &twin{target: target, zone: change.Location(), hours: hours, off: off}
	last := w.run(phases, now)
	got, next := target.measure(phases, now)
	elapsed := w.elapsed
	if last == counts && w.due.IsZero() {
		w.ahead(now)
	}
	want := wantedState(last, elapsed, target)
	if got.State != want {
		t.Fatalf("state %s, want %s: %v of %v used at %s\n%+v\n%+v", got.State, want, elapsed, cfg.Within, now, cal, phases)
	}
	if far := got.DueAt != nil && got.DueAt.After(now.Add(89*day)); !far && (got.DueAt == nil) != w.due.IsZero() || !w.due.IsZero() && !got.DueAt.Equal(w.due) {
		t.Fatalf("due %v, want %v: at %s\n%+v\n%+v", got.DueAt, w.due, now, cal, phases)
	}
	if !next.IsZero() && last == counts {
		checkNext(t, target, begun(phases, now), got, next)
	}
	checkAccount(t, target.account(phases, now), elapsed, phases, now)
}

func wantedState(last course, elapsed time.Duration, t *target) itsm.ClockState {
	switch {
	case last == dropped:
		return itsm.ClockCancelled
	case elapsed >= t.Within:
		return itsm.ClockBreached
	case last == done:
		return itsm.ClockMet
	case last == held:
		return itsm.ClockPaused
	case elapsed >= t.Within/2:
		return itsm.ClockWarned
	}
	return itsm.ClockRunning
}

// checkNext holds that nothing changes before the announced moment, and something does then.
func checkNext(t *testing.T, target *target, phases []itsm.Phase, got itsm.Clock, next time.Time) {
	t.Helper()
	before, _ := target.measure(phases, next.Add(-time.Nanosecond))
	then, _ := target.measure(phases, next)
	if got.State != itsm.ClockBreached && cmp.Equal(then, before) || before.State != got.State || before.WarnedPercent != got.WarnedPercent {
		t.Fatalf("%+v\nat %s %+v", got, next, then)
	}
}

// checkAccount holds that the intervals follow one another without a gap and add up.
func checkAccount(t *testing.T, a Account, elapsed time.Duration, phases []itsm.Phase, now time.Time) {
	t.Helper()
	at, sum := phases[0].At, time.Duration(0)
	for _, v := range a.Intervals {
		if !v.From.Equal(at) || !v.From.Before(v.To) || v.Reason == "" {
			t.Fatalf("an interval from %s to %s (%s) after %s", v.From, v.To, v.Reason, at)
		}
		if v.Counted {
			sum += v.To.Sub(v.From)
		}
		if at = v.To; time.Duration(v.ElapsedSeconds)*time.Second != sum {
			t.Fatalf("%ds by %s, want %s", v.ElapsedSeconds, at, sum)
		}
	}
	end := now
	if a.StoppedAt != nil {
		end = *a.StoppedAt
	}
	if sum != elapsed || !at.Equal(end) && len(a.Intervals) > 0 {
		t.Fatalf("%s counted until %s, want %s until %s: %+v", sum, at, elapsed, end, a)
	}
}
