package correlate

import (
	"testing"
	"time"

	"signalbox/itsm"
)

// TestRates_a_history_ranks_better: what fired on an item every hour says little when it fires with something rare, and the engine
// knows that from its own log.
func TestRates_a_history_ranks_better(t *testing.T) {
	estate := estateOf("item api service\nitem db database\nitem cache database\nrelation api depends_on [db,cache]\n")
	at := start()
	fire := func(e *Engine, item, name string, resolve bool) {
		a := itsm.Alert{
			Status: itsm.StatusFiring, Source: "test", StartsAt: at,
			Labels: itsm.NewLabels(map[string]string{"alertname": name, "item": item, "severity": "critical"}),
		}
		a.Fingerprint = a.Labels.Fingerprint()
		e.Apply(at, itsm.Input{Alerts: []itsm.Alert{a}})
		if resolve {
			a.Status, a.EndsAt = itsm.StatusResolved, at.Add(time.Minute)
			e.Apply(at.Add(time.Minute), itsm.Input{Alerts: []itsm.Alert{a}})
		}
	}
	scores := func(hours int) map[string]float64 {
		e := newEngine(t)
		e.Apply(at, itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v", Data: estate}}})
		for range hours {
			fire(e, "cache", "Evictions", true)
			at = at.Add(3 * time.Hour)
		}
		fire(e, "cache", "Evictions", false)
		fire(e, "db", "Corrupt", false)
		fire(e, "api", "HighErrorRate", false)
		list := e.Incidents()
		out := map[string]float64{}
		for i := range list {
			for _, c := range list[i].Causes {
				if list[i].State.Open() {
					out[c.Item] = max(out[c.Item], c.Score)
				}
			}
		}
		return out
	}
	before, after := scores(0), scores(20)
	if before["db"] > before["cache"]+0.05 {
		t.Errorf("without a past: %v", before)
	}
	if after["db"] < after["cache"]+0.1 {
		t.Errorf("after twenty evictions of the cache: %v", after)
	}
}
