package ui

import (
	"fmt"
	"net/http"
	"time"

	"signalbox/itsm"
)

// testAlertLife is when a test alert expires by itself.
const testAlertLife = 2 * time.Minute

// handleTestAlert records one firing alert, so that somebody who connects Signalbox sees at once
// what an incident looks like.
func (u *UI) handleTestAlert(w http.ResponseWriter, r *http.Request) {
	now := time.Now().UTC()
	labels := itsm.NewLabels(map[string]string{"alertname": "SignalboxTest", "severity": "warning", "instance": r.Host})
	a := itsm.Alert{
		Labels: labels, Fingerprint: labels.Fingerprint(), Status: itsm.StatusFiring, StartsAt: now, EndsAt: now.Add(testAlertLife), Source: itsm.OwnSource,
		Annotations: itsm.NewLabels(map[string]string{
			"summary": "Test alert", "description": "Sent from the connect page. It ends by itself after two minutes.",
		}),
	}
	if err := a.Validate(); err != nil { // the Host of the request is not text
		writeProblem(w, badRequest("invalid_host", err.Error()))
		return
	}
	if err := u.door.Append(r.Context(), itsm.Input{Alerts: []itsm.Alert{a}}); err != nil {
		writeProblem(w, problemOf(fmt.Errorf("record the test alert: %w", err)))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"accepted": 1, "fingerprint": a.Fingerprint, "expiresAt": a.EndsAt})
}
