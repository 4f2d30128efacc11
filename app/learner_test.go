package app

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/correlate/learn"
	"signalbox/itsm"
	"signalbox/ui"
)

// TestLearner_proposes what follows what, from the alerts as a board has them.
func TestLearner_proposes(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now := start
	alerts := map[string]ui.Known{}
	fire := func(item, kind string, at time.Time) {
		labels := itsm.NewLabels(map[string]string{"alertname": kind, "item": item})
		k, err := ui.NewKnown(itsm.AlertState{Fingerprint: labels.Fingerprint(), Labels: labels, Item: &item, LastStartsAt: at, Status: itsm.StatusFiring})
		if err != nil {
			t.Fatal(err)
		}
		alerts[item+kind] = k
	}
	l := newLearner(func(yield func(ui.Known)) {
		for _, k := range alerts {
			yield(k)
		}
	}, func(yield func(from, to, relation string)) {
		for i := range 5 {
			yield(fmt.Sprintf("app-%d", i), fmt.Sprintf("db-%d", i), "depends_on")
		}
	}, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	for i := range 200 {
		now = now.Add(time.Duration(1200+i*7919%600) * time.Second)
		fire(fmt.Sprintf("db-%d", i%5), "DiskFull", now)
		fire(fmt.Sprintf("app-%d", i%5), "HighErrorRate", now.Add(time.Duration(5+i%10)*time.Second))
		l.look(now.Add(time.Minute))
		l.look(now.Add(2 * time.Minute)) // nothing new
	}
	if len(l.events) != 400 {
		t.Errorf("%d firing periods, want 400", len(l.events))
	}
	l.learn()
	var f learn.File
	if err := json.Unmarshal(l.Proposed(), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Patterns) != 1 || f.Patterns[0].Cause != "DiskFull" || f.Patterns[0].Effect != "HighErrorRate" || f.Patterns[0].Relation != "depends_on" {
		t.Errorf("proposed %+v", f)
	}
	l.look(now.Add(learnFrom + time.Hour))
	if len(l.events) != 0 {
		t.Errorf("%d firing periods after a week of silence", len(l.events))
	}
}
