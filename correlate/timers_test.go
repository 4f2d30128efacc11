package correlate

import (
	"testing"
	"time"

	"signalbox/itsm"
)

// A deadline that has been put off does nothing when its old time comes: a recovered engine does
// not know it any more, so it must not count as a revision.
func TestEngine_staleTimersDoNothing(t *testing.T) {
	e := newEngine(t)
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	ls := itsm.NewLabels(map[string]string{"alertname": "LinkFlaps"})
	say := func(status itsm.Status) {
		a := itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: status, Source: "test"}
		if status == itsm.StatusResolved {
			a.EndsAt = at
		} else {
			a.StartsAt = at
		}
		e.Apply(at, itsm.Input{Alerts: []itsm.Alert{a}})
	}
	for range e.cfg.Incident.FlapCount {
		say(itsm.StatusFiring)
		at = at.Add(10 * time.Second)
		say(itsm.StatusResolved)
		at = at.Add(10 * time.Second)
	}
	inc := e.Incidents()[0]
	if !inc.Flapping {
		t.Fatal("the incident does not flap")
	}
	old := e.incidents[1].flapAt
	at = old.Add(-2 * time.Minute)
	say(itsm.StatusFiring)
	if !e.incidents[1].flapAt.After(old) {
		t.Fatal("firing anew does not put the deadline off")
	}
	e.Advance(at.Add(settleEvery)) // what was held back of it
	if updates := e.Advance(old); len(updates) != 0 {
		t.Errorf("an old deadline publishes %d updates", len(updates))
	}
}
