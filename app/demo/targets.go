package demo

import (
	"time"

	"signalbox/itsm"
	"signalbox/sla"
)

// Targets are what the example's people are promised: an answer at any time for what is urgent, and
// office hours for the rest.
func Targets() sla.Config {
	return sla.Config{
		Calendars: []sla.CalendarConfig{{
			Name: "office hours", TimeZone: "Europe/Berlin", Hours: map[string][]string{"mon-fri": {"08:00-12:00", "13:00-18:00"}},
			Holidays: []sla.HolidayConfig{{Date: "2026-12-25", Name: "Christmas Day"}, {Date: "2027-01-01", Name: "New Year"}},
		}},
		Targets: []sla.TargetConfig{
			{Name: "Urgent answer", Metric: itsm.MetricResponse, Priorities: []int{1, 2}, Within: 5 * time.Minute},
			{Name: "Answer", Metric: itsm.MetricResponse, Within: time.Hour, Calendar: "office hours"},
			{Name: "Urgent repair", Metric: itsm.MetricResolution, Priorities: []int{1}, Within: 4 * time.Hour},
			{Name: "Repair", Metric: itsm.MetricResolution, Within: 16 * time.Hour, Calendar: "office hours", PauseOn: []string{"awaiting_vendor"}},
		},
	}
}
