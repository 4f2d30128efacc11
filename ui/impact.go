package ui

import (
	"encoding/json"
	"net/http"

	"signalbox/itsm"
)

// priorityJSON says why an incident has its priority: the engine's own reasons, and what people decided.
type priorityJSON struct {
	Incident string              `json:"incident"`
	Impact   itsm.ImpactReasons  `json:"impact"`
	Urgency  itsm.UrgencyReasons `json:"urgency"`
	Priority priorityValue       `json:"priority"`
}

type priorityValue struct {
	Value    int  `json:"value"`    // in force
	Computed int  `json:"computed"` // what the table says of impact and urgency
	Override *int `json:"override"` // a person's decision
}

func (u *UI) handleImpact(w http.ResponseWriter, r *http.Request) {
	h, ok := u.lookup(w, r)
	if !ok {
		return
	}
	u.views.mu.RLock()
	row, data := h.row, h.priority
	u.views.mu.RUnlock()
	if row == nil {
		writeProblem(w, newProblem(http.StatusNotFound, "incident_not_found", "the incident was forgotten"))
		return
	}
	// Of an incident that was last changed before reasons were published only the values are known.
	why := itsm.PriorityReasons{
		Impact:   itsm.ImpactReasons{Value: row.Impact, At: row.StartedAt, Reasons: []itsm.Hurt{}},
		Urgency:  itsm.UrgencyReasons{Value: row.Urgency, Reasons: []itsm.UrgencyReason{}},
		Priority: row.Priority,
	}
	if data != nil {
		if err := json.Unmarshal(data, &why); err != nil {
			writeProblem(w, newProblem(http.StatusInternalServerError, "internal", "the reasons cannot be read: "+err.Error()))
			return
		}
	}
	writeJSON(w, http.StatusOK, priorityJSON{
		Incident: h.id, Impact: why.Impact, Urgency: why.Urgency,
		Priority: priorityValue{Value: row.Priority, Computed: why.Priority, Override: row.PriorityOverride},
	})
}
