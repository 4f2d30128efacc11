package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/itsm"
	"signalbox/ui"
)

// alertDoor takes what enters, or refuses it.
type alertDoor struct {
	err    error
	alerts []itsm.Alert
}

func (d *alertDoor) Append(_ context.Context, in itsm.Input) error {
	if d.err == nil {
		d.alerts = append(d.alerts, in.Alerts...)
	}
	return d.err
}

func TestHeartbeats_raiseAndResolve(t *testing.T) {
	began := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	deadline, heard := began.Add(time.Minute), began.Add(-time.Minute)
	h := ui.SourceHeartbeat{
		Source: "prom-plant", State: ui.HeartbeatBeating, LastAt: &heard, Deadline: &deadline, Labels: itsm.NewLabels(map[string]string{"alertname": "Watchdog"}),
	}
	never := ui.SourceHeartbeat{Source: "am", State: ui.HeartbeatWaiting, Deadline: &deadline}
	door := &alertDoor{}
	m := newHeartbeats(func(time.Time) []ui.SourceHeartbeat { return []ui.SourceHeartbeat{h, never} }, door, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	look := func(want ...string) {
		t.Helper()
		door.alerts = nil
		m.look(t.Context(), began)
		var got []string
		for _, a := range door.alerts {
			if err := a.Validate(); err != nil {
				t.Error(err)
			}
			got = append(got, string(a.Status)+" "+a.Labels.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	const plant = `{alertname="SourceSilent", severity="critical", source="prom-plant"}`
	look()
	h.State = ui.HeartbeatWaiting
	look()
	h.State = ui.HeartbeatSilent
	door.err = itsm.ErrOverloaded
	look()
	door.err = nil
	look("firing " + plant)
	if a := door.alerts[0]; !a.StartsAt.Equal(deadline) || !a.EndsAt.IsZero() || a.Source != itsm.OwnSource || a.Annotations.Get("summary") != "Source prom-plant is silent" {
		t.Errorf("got %+v", a)
	}
	if got := testutil.ToFloat64(m.silent); got != 1 {
		t.Errorf("%v sources are silent", got)
	}
	look("firing " + plant) // it is not on the board yet, and saying it twice is saying it once
	h.Alarm = true
	look()
	h.State = ui.HeartbeatWaiting // this process has just begun
	look()
	back := began.Add(time.Hour)
	h.State, h.LastAt = ui.HeartbeatBeating, &back
	look("resolved " + plant)
	if a := door.alerts[0]; !a.EndsAt.Equal(back) || !a.StartsAt.IsZero() {
		t.Errorf("got %+v", a)
	}
	h.State, h.LastAt = ui.HeartbeatForgotten, nil
	look("resolved " + plant)
	h.Alarm, never.State = false, ui.HeartbeatSilent
	look(`firing {alertname="SourceSilent", severity="critical", source="am"}`)
	if a := door.alerts[0]; !a.StartsAt.IsZero() {
		t.Errorf("got %+v", a)
	}
}

func TestHeartbeats_looksAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := make(chan time.Time, 8)
		stand := func(now time.Time) []ui.SourceHeartbeat { looks <- now; return nil }
		m := newHeartbeats(stand, &alertDoor{}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			m.run(ctx)
			close(ended)
		}()
		first, second := <-looks, <-looks
		if second.Sub(first) != heartbeatEvery {
			t.Errorf("it looks every %s, want every %s", second.Sub(first), heartbeatEvery)
		}
		cancel()
		<-ended
	})
}
