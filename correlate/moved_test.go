package correlate_test

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/correlate"
	"signalbox/itsm"
)

// A checkpoint is as large as what was re-sent since the one before, not as all there is, and what
// it holds is the live state at any moment.
func TestEngine_savesWhatMoved(t *testing.T) {
	newEngine := func() *correlate.Engine {
		t.Helper()
		e, err := correlate.New(correlate.Options{Shards: 1, Config: correlate.DefaultConfig()})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const alerts = 2000
	var all []itsm.Alert
	for i := range alerts {
		ls := itsm.NewLabels(map[string]string{"alertname": "HostDown", "host": strconv.Itoa(i)})
		all = append(all, itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, Source: "test"})
	}
	live, saved := newEngine(), map[string]itsm.Entity{}
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	size := 0
	cut := func() {
		size = 0
		for _, entity := range live.Changed() {
			size += len(entity.Key) + len(entity.Value)
			if entity.Value == nil {
				delete(saved, entity.Key)
				continue
			}
			saved[entity.Key] = entity
		}
	}
	resend := func(a itsm.Alert) itsm.Alert {
		a.EndsAt = at.Add(time.Hour)
		return a
	}
	var first itsm.Input
	for _, a := range all {
		first.Alerts = append(first.Alerts, resend(a))
	}
	live.Apply(at, first)
	cut()
	total := 0
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 600 { // more often than there are chunks
		at = at.Add(time.Second)
		var in itsm.Input
		for range rng.IntN(6) {
			in.Alerts = append(in.Alerts, resend(all[rng.IntN(alerts)]))
		}
		live.Apply(at, in)
		if round%2 == 0 {
			cut()
			total += size
		}
		if round%100 != 0 {
			continue
		}
		restored := newEngine()
		for _, entity := range saved {
			if err := restored.Restore(entity); err != nil {
				t.Fatal(err)
			}
		}
		if err := restored.Restored(live.Position(), nil, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(live.Incidents(), restored.Incidents(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("round %d (-live +restored):\n%s", round, diff)
		}
		live = restored // and it goes on from there
	}
	if perCut := total / 300; perCut > 1000 {
		t.Errorf("a checkpoint of about 5 re-sends of %d alerts takes %d bytes", alerts, perCut)
	}
}

// An alert that was forgotten and has come again within one checkpoint is saved as it is now.
func TestEngine_savesWhatCameAgain(t *testing.T) {
	engine := func() *correlate.Engine {
		t.Helper()
		e, err := correlate.New(correlate.Options{Shards: 1, Config: correlate.DefaultConfig()})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	input := func(name string, n int, severity string, status itsm.Status) (in itsm.Input) {
		for i := range n {
			ls := itsm.NewLabels(map[string]string{"alertname": name, "host": strconv.Itoa(i), "severity": severity})
			a := itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: status, StartsAt: at, Source: "test"}
			if status == itsm.StatusResolved {
				a.EndsAt = at
			}
			in.Alerts = append(in.Alerts, a)
		}
		return in
	}
	live, saved := engine(), map[string]itsm.Entity{}
	cut := func() {
		for _, entity := range live.Changed() {
			saved[entity.Key] = entity
		}
	}
	live.Apply(at, input("Many", 2000, "critical", itsm.StatusFiring))
	cut()
	for range 2 { // the second time they are other alerts with the same names
		live.Apply(at, input("Quiet", 100, "info", itsm.StatusFiring))
		live.Apply(at, input("Quiet", 100, "info", itsm.StatusResolved))
		at = at.Add(2 * correlate.DefaultConfig().Incident.ReopenWithin)
		live.Advance(at)
		if n := len(live.Alerts()); n != 0 {
			t.Fatalf("%d alerts are not forgotten", n)
		}
	}
	live.Apply(at, input("Quiet", 100, "info", itsm.StatusFiring))
	cut()
	restored := engine()
	for _, entity := range saved {
		if entity.Value == nil {
			continue
		}
		if err := restored.Restore(entity); err != nil {
			t.Fatal(err)
		}
	}
	if err := restored.Restored(live.Position(), nil, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(live.Alerts(), restored.Alerts(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-live +restored):\n%s", diff)
	}
}
