package ui

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

func aHeartbeat(source string, at time.Time, change ...func(*itsm.Heartbeat)) itsm.Heartbeat {
	labels := itsm.NewLabels(map[string]string{"alertname": "Watchdog"})
	h := itsm.Heartbeat{Source: source, Fingerprint: labels.Fingerprint(), Labels: labels, StartsAt: at.Add(-time.Hour), At: at}
	for _, f := range change {
		f(&h)
	}
	return h
}

func (w *world) putHeartbeat(h itsm.Heartbeat) {
	w.t.Helper()
	w.publish(itsm.TopicIncidents, "_heartbeat/"+h.Key(), h)
}

func TestJudge(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	always := ago(1000 * time.Hour) // this process has been there all the time
	heard := func(at time.Duration, until ...time.Duration) itsm.Heartbeat {
		h := aHeartbeat("am", ago(at))
		for _, d := range until {
			u := h.At.Add(d)
			h.Until = &u
		}
		return h
	}
	list := func(hs ...itsm.Heartbeat) []itsm.Heartbeat { return hs }
	for _, c := range []struct {
		what       string
		heard      []itsm.Heartbeat
		configured time.Duration
		began      time.Time
		want       string // state, basis, deadline before (-) or after now
	}{
		{"a webhook that says nothing has four hours and a quarter", list(heard(4 * time.Hour)), 0, always, "beating assumed 15m0s"},
		{"and not more", list(heard(4*time.Hour + 15*time.Minute)), 0, always, "silent assumed 0s"},
		{"configured", list(heard(4 * time.Minute)), 5 * time.Minute, always, "beating configured 1m0s"},
		{"configured and overdue", list(heard(6 * time.Minute)), 5 * time.Minute, always, "silent configured -1m0s"},
		{"Prometheus says when it ends", list(heard(3*time.Minute, 4*time.Minute)), 0, always, "beating announced 1m0s"},
		{"and is overdue", list(heard(5*time.Minute, 4*time.Minute)), 0, always, "silent announced -1m0s"},
		{"the nearer of two words counts", list(heard(3*time.Minute, 4*time.Minute)), time.Hour, always, "beating announced 1m0s"},
		{"so does the configured one", list(heard(3*time.Minute, time.Hour)), 4 * time.Minute, always, "beating configured 1m0s"},
		{"its Alertmanager has said that it is over", list(heard(3*time.Minute, 2*time.Minute)), time.Hour, always, "silent announced -1m0s"},
		{"overdue while nobody listened", list(heard(10 * time.Minute)), 5 * time.Minute, ago(time.Minute), "waiting configured -5m0s"},
		{"and still overdue when somebody has listened for as long", list(heard(10 * time.Minute)), 5 * time.Minute, ago(5 * time.Minute), "silent configured -5m0s"},
		{"not ready: nothing is judged", list(heard(10 * time.Hour)), 5 * time.Minute, time.Time{}, "waiting configured -9h55m0s"},
		{"in time although we have just begun", list(heard(time.Minute)), 5 * time.Minute, now, "beating configured 4m0s"},
		{"configured, never heard", nil, 5 * time.Minute, ago(4 * time.Minute), "waiting configured 1m0s"},
		{"configured, never heard, for too long", nil, 5 * time.Minute, ago(6 * time.Minute), "silent configured -1m0s"},
		{"configured, never heard, not ready", nil, 5 * time.Minute, time.Time{}, "nothing"},
		{"none, and none expected", nil, 0, always, "nothing"},
		{"of two the worse", list(heard(time.Minute), heard(7*time.Minute, 6*time.Minute), heard(2*time.Minute, 4*time.Minute)), 0, always, "silent announced -1m0s"},
		{"of two in time the one due first", list(heard(time.Minute), heard(2*time.Minute, 4*time.Minute)), 0, always, "beating announced 2m0s"},
	} {
		h, known := judge(c.heard, c.configured, c.began, now)
		got := "nothing"
		if known {
			got = fmt.Sprintf("%s %s %s", h.State, h.Basis, h.Deadline.Sub(now))
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRoom(t, func(u *UI) {
			u.senders = fakeSenders{sources: []Source{{Name: "script", Doors: []string{}, LastAt: new(time.Now())}, {Name: "old", Doors: []string{}, LastAt: new(time.Now().Add(-time.Hour))}}}
			u.expected = func() map[string]time.Duration { return map[string]time.Duration{"am": 5 * time.Minute, "quiet": 0} }
			u.upstream = func() map[string]Upstream {
				return map[string]Upstream{"quiet": {Members: []UpstreamMember{{URL: "http://q:9093", Up: true}}, Active: 3}}
			}
		})
		began := time.Now()
		if f := into[figures](t, w.get("/api/v1/board")).Counts.Sources; f.Known != 4 || f.Heard != 1 { // the process has listened from here on
			t.Errorf("got %+v", f)
		}
		time.Sleep(4 * time.Minute)
		w.putHeartbeat(aHeartbeat("am", time.Now().UTC()))
		w.putHeartbeat(aHeartbeat("prom", time.Now().UTC(), func(h *itsm.Heartbeat) { h.Until = new(h.At.Add(2 * time.Minute)) }))
		w.putAlert(itsm.NoIncident, anAlert("alertname=SourceSilent,source=prom", func(a *itsm.AlertState) { a.Source = itsm.OwnSource }))
		w.putAlert(itsm.NoIncident, anAlert("alertname=SourceSilent,source=gone", func(a *itsm.AlertState) { a.Source = itsm.OwnSource }))
		w.putAlert(itsm.NoIncident, anAlert("alertname=SourceSilent,source=back", resolved(time.Now()), func(a *itsm.AlertState) { a.Source = itsm.OwnSource }))
		w.putAlert(itsm.NoIncident, anAlert("alertname=SourceSilent,source=mock", func(a *itsm.AlertState) { a.Source = "elsewhere" }))
		time.Sleep(3 * time.Minute)
		states := map[string]string{}
		for _, h := range w.ui.Heartbeats(time.Now()) {
			states[h.Source] = fmt.Sprint(h.State, " ", h.Alarm)
		}
		want := map[string]string{"am": "beating false", "prom": "silent true", "gone": "forgotten true"}
		if diff := cmp.Diff(want, states); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", time.Since(began), diff)
		}
		figures := into[figures](t, w.get("/api/v1/board")).Counts.Sources
		if diff := cmp.Diff(sourceFigures{Known: 6, Heard: 1, Silent: []string{"prom"}}, figures); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		rows := map[string]string{}
		for _, r := range into[struct{ Sources []sourceRow }](t, w.get("/api/v1/sources")).Sources {
			rows[r.Name] = ""
			if r.Heartbeat != nil {
				rows[r.Name] = string(r.Heartbeat.State)
			}
			if r.Upstream != nil {
				rows[r.Name] += fmt.Sprint("read ", r.Upstream.Active)
			}
		}
		if diff := cmp.Diff(map[string]string{"am": "beating", "prom": "silent", "quiet": "read 3", "script": "", "old": "", "elsewhere": ""}, rows); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		forgotten := aHeartbeat("prom", time.Now())
		w.publish(itsm.TopicIncidents, "_heartbeat/"+forgotten.Key(), nil)
		for _, h := range w.ui.Heartbeats(time.Now()) {
			if h.Source == "prom" && h.State != HeartbeatForgotten {
				t.Errorf("got %+v", h)
			}
		}
	})
}
