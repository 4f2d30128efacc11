package ui

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"signalbox/itsm"
	"signalbox/sla"

	"github.com/google/go-cmp/cmp"
)

// TestDueTimes lists incidents by what is due next. What has no due time comes last, in either order and over pages.
func TestDueTimes(t *testing.T) {
	w := newWorld(t)
	clock := func(state itsm.ClockState, due *time.Time) func(*itsm.Incident) {
		return func(i *itsm.Incident) {
			i.SLA = []itsm.Clock{{Name: "fix", Metric: itsm.MetricResolution, State: state, TargetSeconds: 3600, StartedAt: i.OpenedAt, DueAt: due}}
			i.SLADueAt = due
		}
	}
	soon, late := time.Now().Add(10*time.Minute).UTC(), time.Now().Add(-10*time.Minute).UTC()
	w.putIncident(anIncident(1, clock(itsm.ClockRunning, &soon)))
	w.putIncident(anIncident(2))
	w.putIncident(anIncident(3, clock(itsm.ClockBreached, &late)))
	w.putIncident(anIncident(4, clock(itsm.ClockMet, nil)))
	for _, tc := range []struct{ query, want string }{
		{"?sort=slaDueAt", "id3 id1 id2 id4"},
		{"?sort=-slaDueAt", "id1 id3 id4 id2"},
		{"?q=" + url.QueryEscape(`sla=breached`), "id3"},
		{"?q=" + url.QueryEscape(`sla!=breached target=fix`), "id4 id1"},
		{"?q=" + url.QueryEscape(`timeLeft<1h`), "id3 id1"},
		{"?q=" + url.QueryEscape(`timeLeft<0s`), "id3"},
		{"?q=" + url.QueryEscape(`slaDueAt<1m`), "id3"},
	} {
		if list := into[incidentPage](t, w.get("/api/v1/incidents"+tc.query)); ids(list.Incidents) != tc.want {
			t.Errorf("%s: got %s, want %s", tc.query, ids(list.Incidents), tc.want)
		}
	}
	first := into[incidentPage](t, w.get("/api/v1/incidents?sort=-slaDueAt&limit=3"))
	rest := into[incidentPage](t, w.get("/api/v1/incidents?sort=-slaDueAt&limit=3&cursor="+*first.Next))
	if ids(first.Incidents) != "id1 id3 id4" || ids(rest.Incidents) != "id2" {
		t.Errorf("pages: %s, then %s", ids(first.Incidents), ids(rest.Incidents))
	}
}

// TestExplainClocks accounts for the clocks by the rules that the engine measured with.
func TestExplainClocks(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1))
	const path = "/api/v1/incidents/id1/sla"
	if got := into[clocksJSON](t, w.get(path)); len(got.Clocks) != 0 || got.Incident != "id1" {
		t.Errorf("before anything is measured: %+v", got)
	}
	open := day("10:00:00")
	phases := itsm.Phases{Rules: "rules-1", Phases: []itsm.Phase{
		{At: open, State: itsm.StateNew, Priority: 1},
		{At: open.Add(time.Hour), State: itsm.StateOnHold, Hold: "awaiting_vendor", Priority: 1},
		{At: open.Add(3 * time.Hour), State: itsm.StateInProgress, Priority: 1},
		{At: open.Add(4 * time.Hour), State: itsm.StateResolved, Priority: 1},
	}}
	w.publish(itsm.TopicIncidents, "_sla/id1", phases)
	if got := w.get(path); got.status != http.StatusServiceUnavailable {
		t.Errorf("without rules: %d %s", got.status, got.body)
	}
	rules := func(within time.Duration) []byte {
		data, err := json.Marshal(map[string]any{"SLA": sla.Config{Targets: []sla.TargetConfig{{Name: "fix", Metric: itsm.MetricResolution, Within: within}}}})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	w.publish(itsm.TopicCMDB, "version/rules-2", rules(time.Hour))
	w.publish(itsm.TopicIncidents, "_adopted/0", itsm.Adopted{Rules: "rules-2"})
	state := func() itsm.ClockState { return into[clocksJSON](t, w.get(path)).Clocks[0].State }
	if got := state(); got != itsm.ClockBreached {
		t.Errorf("by the rules in force, when those it was measured by are gone: %s", got)
	}
	w.publish(itsm.TopicCMDB, "version/rules-1", rules(8*time.Hour))
	got := into[clocksJSON](t, w.get("/api/v1/incidents/INC-000001/sla")).Clocks
	want := []sla.Interval{
		{From: open, To: open.Add(time.Hour), Counted: true, Reason: "24x7", ElapsedSeconds: 3600},
		{From: open.Add(time.Hour), To: open.Add(3 * time.Hour), Reason: "on hold: awaiting_vendor", ElapsedSeconds: 3600},
		{From: open.Add(3 * time.Hour), To: open.Add(4 * time.Hour), Counted: true, Reason: "24x7", ElapsedSeconds: 7200},
	}
	if diff := cmp.Diff(want, got[0].Intervals); diff != "" || got[0].State != itsm.ClockMet {
		t.Errorf("%s: %s", got[0].State, diff)
	}
	w.publish(itsm.TopicIncidents, "_sla/id1", nil)
	if got := into[clocksJSON](t, w.get(path)); len(got.Clocks) != 0 {
		t.Errorf("after the tombstone: %+v", got)
	}
}
