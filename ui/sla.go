package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"signalbox/itsm"
	"signalbox/sla"
)

// clocksJSON accounts for the clocks of an incident.
type clocksJSON struct {
	Incident string        `json:"incident"`
	At       time.Time     `json:"at"` // the moment up to which time is counted
	Clocks   []sla.Account `json:"clocks"`
}

// handleSLA explains the clocks of an incident by what the engine measured them from, so that it
// says the same as the row.
func (u *UI) handleSLA(w http.ResponseWriter, r *http.Request) {
	h, ok := u.lookup(w, r)
	if !ok {
		return
	}
	u.views.mu.RLock()
	phases := h.phases
	var rules []byte
	if phases != nil {
		rules = u.views.rules(phases.Rules)
	}
	u.views.mu.RUnlock()
	out := clocksJSON{Incident: h.id, At: time.Now().UTC(), Clocks: []sla.Account{}}
	if phases != nil {
		targets, err := targetsOf(rules)
		if err != nil {
			writeProblem(w, newProblem(http.StatusServiceUnavailable, "rules_unavailable", "the targets are not known here: "+err.Error()))
			return
		}
		out.Clocks = append(out.Clocks, targets.Explain(phases.Phases, out.At)...)
	}
	writeJSON(w, http.StatusOK, out)
}

// rules returns the bytes of a version of the rules; of one that is no longer kept, those in force
// now. The lock is held.
func (v *views) rules(id string) []byte {
	if data := v.versions[id]; data != nil {
		return data
	}
	for _, a := range v.adopted {
		if data := v.versions[a.Rules]; data != nil {
			return data
		}
	}
	return nil
}

// targetsOf reads the targets out of rules as they stand in the log.
func targetsOf(rules []byte) (*sla.Targets, error) {
	var in struct{ SLA sla.Config }
	if rules == nil {
		return nil, fmt.Errorf("%w: no rules are in force", itsm.ErrNotFound)
	}
	if err := json.Unmarshal(rules, &in); err != nil {
		return nil, fmt.Errorf("decode rules: %w", err)
	}
	return sla.New(in.SLA)
}
