package ui

import (
	"net/http"
	"testing"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

// TestExplainPriority hands out what the engine published, beside what a person decided.
func TestExplainPriority(t *testing.T) {
	w := newWorld(t)
	four := 4
	w.putIncident(anIncident(1, func(i *itsm.Incident) { i.PriorityOverride, i.Priority = &four, four }))
	const path = "/api/v1/incidents/id1/impact"
	before := into[priorityJSON](t, w.get(path))
	if before.Impact.Value != 2 || before.Urgency.Value != 1 || len(before.Impact.Reasons) != 0 || before.Priority.Value != 4 {
		t.Errorf("before reasons are published: %+v", before)
	}
	why := itsm.PriorityReasons{
		Impact: itsm.ImpactReasons{Value: 1, At: day("10:00:00"), Estate: "v1", Cause: "h-1", Reasons: []itsm.Hurt{
			{Item: "shop", Name: "Web shop", Class: "service", Criticality: 1, State: itsm.HarmDown, Impact: 1, Path: []string{"h-1", "shop"}},
		}},
		Urgency:  itsm.UrgencyReasons{Value: 2, Reasons: []itsm.UrgencyReason{{Kind: itsm.UrgencySeverity, Text: "the worst alert that fires is major"}}},
		Priority: 2,
	}
	w.publish(itsm.TopicIncidents, "_priority/id1", why)
	got := into[priorityJSON](t, w.get("/api/v1/incidents/INC-000001/impact"))
	want := priorityJSON{Incident: "id1", Impact: why.Impact, Urgency: why.Urgency, Priority: priorityValue{Value: 4, Computed: 2, Override: &four}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := w.get("/api/v1/incidents/nothing/impact"); got.status != http.StatusNotFound {
		t.Errorf("an unknown incident: %d", got.status)
	}
}
