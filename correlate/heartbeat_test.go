package correlate

import (
	"fmt"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

// heard plays alerts of one source into an engine and returns what is told of heartbeats.
func heard(e *Engine, at time.Time, alerts ...itsm.Alert) (told []itsm.Heartbeat, forgotten []string) {
	for _, u := range e.Apply(at, itsm.Input{Alerts: alerts}) {
		if u.Heartbeat != nil {
			told = append(told, *u.Heartbeat)
		}
		if u.ForgetHeartbeat != "" {
			forgotten = append(forgotten, u.ForgetHeartbeat)
		}
	}
	return told, forgotten
}

func watchdog(source string, status itsm.Status, change ...func(*itsm.Alert)) itsm.Alert {
	labels := itsm.NewLabels(map[string]string{"alertname": "Watchdog", "severity": "none"})
	a := itsm.Alert{Labels: labels, Fingerprint: labels.Fingerprint(), Status: status, Source: source, StartsAt: time.Unix(1_000_000, 0).UTC()}
	for _, f := range change {
		f(&a)
	}
	return a
}

func TestEngine_hearsHeartbeats(t *testing.T) {
	at := time.Unix(2_000_000, 0).UTC()
	after := func(d time.Duration) time.Time { return at.Add(d) }
	beat := func(source string, at time.Time, until *time.Time) itsm.Heartbeat {
		w := watchdog(source, itsm.StatusFiring)
		return itsm.Heartbeat{Source: source, Fingerprint: w.Fingerprint, Labels: w.Labels, StartsAt: w.StartsAt, At: at, Until: until}
	}
	ends := func(d time.Duration) func(*itsm.Alert) { return func(a *itsm.Alert) { a.EndsAt = after(d) } }
	until := func(d time.Duration) *time.Time { u := after(d); return &u }
	other := itsm.NewLabels(map[string]string{"alertname": "HostDown"})
	e, saved := newEngine(t), store{}
	for _, step := range []struct {
		what   string
		at     time.Duration
		alerts []itsm.Alert
		want   []itsm.Heartbeat
	}{
		{"an alert is no heartbeat", 0, []itsm.Alert{{Labels: other, Fingerprint: other.Fingerprint(), Status: itsm.StatusFiring, Source: "am"}}, nil},
		{"the end of what never began", time.Second, []itsm.Alert{watchdog("am", itsm.StatusResolved)}, nil},
		{"the first", time.Minute, []itsm.Alert{watchdog("am", itsm.StatusFiring)}, []itsm.Heartbeat{beat("am", after(time.Minute), nil)}},
		{"again at once", time.Minute + time.Second/2, []itsm.Alert{watchdog("am", itsm.StatusFiring)}, nil},
		{
			"the same alert of another source, which says how long it holds", 2 * time.Minute,
			[]itsm.Alert{watchdog("prom", itsm.StatusFiring, ends(6*time.Minute))},
			[]itsm.Heartbeat{beat("prom", after(2*time.Minute), until(6*time.Minute))},
		},
		{
			"a re-send, and both at once", 3 * time.Minute,
			[]itsm.Alert{watchdog("prom", itsm.StatusFiring, ends(7*time.Minute)), watchdog("am", itsm.StatusFiring)},
			[]itsm.Heartbeat{beat("am", after(3*time.Minute), nil), beat("prom", after(3*time.Minute), until(7*time.Minute))},
		},
		{
			"a source says that it is over", 4 * time.Minute,
			[]itsm.Alert{watchdog("am", itsm.StatusResolved)},
			[]itsm.Heartbeat{beat("am", after(3*time.Minute), until(4*time.Minute))},
		},
		{"and says so again", 5 * time.Minute, []itsm.Alert{watchdog("am", itsm.StatusResolved)}, nil},
		{"it is back", 5*time.Minute + time.Second, []itsm.Alert{watchdog("am", itsm.StatusFiring)}, []itsm.Heartbeat{beat("am", after(5*time.Minute+time.Second), nil)}},
		{"the end of a period before this one", 5*time.Minute + 10*time.Second, []itsm.Alert{watchdog("am", itsm.StatusResolved, func(a *itsm.Alert) {
			a.StartsAt, a.EndsAt = time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
		})}, nil},
	} {
		got, _ := heard(e, after(step.at), step.alerts...)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
		saved.save(e)
	}

	// Another owner forgets them when their time has come, as this one would.
	next := saved.restore(t, e.Position(), nil)
	for name, e := range map[string]*Engine{"the owner": e, "the next owner": next} {
		_, gone := heard(e, after(3*time.Minute+keepHeartbeat-time.Second), watchdog("am", itsm.StatusFiring))
		if len(gone) != 0 {
			t.Errorf("%s: forgotten too early: %v", name, gone)
		}
		_, gone = heard(e, after(3*time.Minute+keepHeartbeat+time.Second))
		want := beat("prom", at, nil)
		if diff := cmp.Diff([]string{want.Key()}, gone); diff != "" {
			t.Errorf("%s: forgotten (-want +got):\n%s", name, diff)
		}
	}
}

func TestEngine_boundsHeartbeats(t *testing.T) {
	e := newEngine(t)
	at := time.Unix(2_000_000, 0).UTC()
	var gone []string
	for i := range maxHeartbeats + 2 {
		_, forgotten := heard(e, at.Add(time.Duration(i)*time.Second), watchdog(fmt.Sprint("s", i), itsm.StatusFiring))
		gone = append(gone, forgotten...)
	}
	first, second := watchdogKey("s0"), watchdogKey("s1")
	if diff := cmp.Diff([]string{first, second}, gone); diff != "" || len(e.heartbeats) != maxHeartbeats {
		t.Errorf("%d are there; forgotten (-want +got):\n%s", len(e.heartbeats), diff)
	}
}

func watchdogKey(source string) string {
	h := itsm.Heartbeat{Source: source, Fingerprint: watchdog("", itsm.StatusFiring).Fingerprint}
	return h.Key()
}
