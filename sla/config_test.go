package sla

import (
	"strings"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func berlin() CalendarConfig {
	return CalendarConfig{
		Name: "office", TimeZone: "Europe/Berlin",
		Hours:    map[string][]string{"mon-thu": {"08:00-12:00", "13:00-17:00"}, "fri": {"08:00-14:00"}},
		Holidays: []HolidayConfig{{"2026-12-25", "Christmas Day"}},
	}
}

func TestConfig_reportsEveryFault(t *testing.T) {
	good := TargetConfig{Name: "a", Metric: itsm.MetricResolution, Within: time.Hour}
	for name, c := range map[string]struct {
		cfg  Config
		want []string
	}{
		"nothing": {},
		"good": {cfg: Config{Calendars: []CalendarConfig{berlin()}, Targets: []TargetConfig{
			{Name: "a", Metric: "response", Within: time.Minute, Calendar: "office", Priorities: []int{1, 5}, PauseOn: []string{}, WarnAt: []float64{}}, {Name: "b", Metric: "resolution", Within: time.Hour},
		}}},
		"target": {cfg: Config{Targets: []TargetConfig{{Metric: "update", Calendar: "office", Priorities: []int{0}, WarnAt: []float64{0, 0.5, 1, 0.001}}}}, want: []string{
			`sla.targets[0].name: is missing`,
			`sla.targets[0].metric: must be one of [response resolution], got "update"`,
			`sla.targets[0].priorities[0]: must be 1 to 5, got 0`,
			`sla.targets[0].calendar: there is no calendar called "office"`,
			`sla.targets[0].warn_at[0]: must be a share between 0.01 and 0.99, got 0`,
			`sla.targets[0].warn_at[2]: must be a share between 0.01 and 0.99, got 1`,
			`sla.targets[0].warn_at[3]: must be a share between 0.01 and 0.99, got 0.001`,
		}},
		"within": {cfg: Config{Targets: []TargetConfig{{Name: "a", Metric: "response"}}}, want: []string{
			`sla.targets[0].within: must be whole seconds, at most 8784h0m0s, got 0s`,
		}},
		"names twice": {cfg: Config{Calendars: []CalendarConfig{berlin(), berlin(), {Name: "24x7", Hours: map[string][]string{"mon": {"00:00-24:00"}}}}, Targets: []TargetConfig{good, good}}, want: []string{
			`sla.calendars[1].name: there is another calendar called "office"`,
			`sla.calendars[2].name: there is another calendar called "24x7"`,
			`sla.targets[1].name: there is another target called "a"`,
		}},
		"calendar": {cfg: Config{Calendars: []CalendarConfig{{
			TimeZone: "Mars/Olympus", Hours: map[string][]string{
				"mon": {"8-12", "22:00-06:00", "00:00-23:59", "10:00-12:00", "11:00-13:00", "24:01-25:00"}, "montag": nil,
			}, Holidays: []HolidayConfig{{Date: "25.12.2026"}},
		}, {Name: "shut", TimeZone: "Local"}}}, want: []string{
			`sla.calendars[0].name: is missing`,
			`sla.calendars[0].time_zone: "Mars/Olympus" is not known`,
			`sla.calendars[0].hours.mon[0]: HH:MM-HH:MM is expected, got "8-12"`,
			`sla.calendars[0].hours.mon[1]: must end after it begins, got "22:00-06:00"; hours over midnight are two: 22:00-24:00, and 00:00-06:00 of the next day`,
			`sla.calendars[0].hours.mon[2]: the end is not part of the hours: write 00:00-24:00`,
			`sla.calendars[0].hours.mon[5]: HH:MM-HH:MM is expected, got "24:01-25:00"`,
			`sla.calendars[0].hours.montag: a day (sun, mon, tue, wed, thu, fri, sat) or a range such as mon-fri is expected`,
			`sla.calendars[0].hours: mon: hours overlap at 11:00`,
			`sla.calendars[0].holidays[0].date: a day as YYYY-MM-DD is expected, got "25.12.2026"`,
			`sla.calendars[1].time_zone: a name such as Europe/Berlin is expected, got "Local"`,
			`sla.calendars[1].hours: at least one day needs open hours`,
		}},
		"never reached": {cfg: Config{
			Calendars: []CalendarConfig{{Name: "brief", Hours: map[string][]string{"mon": {"09:00-10:00"}}}},
			Targets:   []TargetConfig{{Name: "a", Metric: "resolution", Within: 600 * time.Hour, Calendar: "brief"}},
		}, want: []string{`sla.targets[0].within: 600h0m0s of the calendar "brief" are not over within ten years`}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			if err := c.cfg.Validate(); err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDayRange_goesOverTheEndOfTheWeek(t *testing.T) {
	got, ok := dayRange("fri-mon")
	if want := []time.Weekday{time.Friday, time.Saturday, time.Sunday, time.Monday}; !ok || !cmp.Equal(want, got) {
		t.Errorf("got %v %v", got, ok)
	}
}

// FuzzNew feeds documents: New never panics, and what it takes measures an incident without panic.
func FuzzNew(f *testing.F) {
	f.Add("targets: [{name: a, metric: resolution, within: 4h}]")
	f.Add("calendars: [{name: o, time_zone: Europe/Berlin, hours: {mon-fri: ['08:00-12:00', '13:00-24:00']}, holidays: [{date: 2026-12-25, name: x}]}]\n" +
		"targets: [{name: a, metric: response, within: 90s, calendar: o, priorities: [1], pause_on: [], warn_at: [0.5]}]")
	f.Fuzz(func(t *testing.T, doc string) {
		var cfg Config
		if yaml.Unmarshal([]byte(doc), &cfg) != nil {
			return
		}
		targets, err := New(cfg)
		if err != nil {
			return
		}
		at := time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)
		phases := []itsm.Phase{{At: at, State: itsm.StateNew, Priority: 1}}
		for _, c := range firstOf(targets.Clocks(phases, at.Add(36*time.Hour))) {
			if c.State == "" || c.DueAt != nil && c.DueAt.Before(at) {
				t.Errorf("%+v", c)
			}
		}
		targets.Explain(phases, at.Add(36*time.Hour))
	})
}

func firstOf(clocks []itsm.Clock, _ time.Time) []itsm.Clock { return clocks }
