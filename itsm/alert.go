package itsm

import (
	"strconv"
	"time"
)

// Status says whether a source reports a condition as present.
type Status string

// The statuses of an alert. Expired is set by the engine only: the source fell silent before it
// said that the condition was over.
const (
	StatusFiring   Status = "firing"
	StatusResolved Status = "resolved"
	StatusExpired  Status = "expired"
)

// Alert is a condition that somebody reports, as it came in: one line of an events file, one
// alert of a webhook. Its identity is Labels (identity.ignore_labels are already taken out).
type Alert struct {
	Labels      Labels
	Fingerprint Fingerprint // of Labels
	Annotations Labels
	Status      Status    // firing or resolved
	StartsAt    time.Time // zero: the time of the record
	// EndsAt of a firing alert is when it expires by itself; equal to StartsAt it is a one-shot
	// event. Zero: not known.
	EndsAt       time.Time
	GeneratorURL string
	Source       string
	// GroupKey identifies the group that Alertmanager made of it; empty when it did not come
	// through Alertmanager, or came as a group of its own (group_by: ['...']).
	GroupKey string
	// Resend marks an alert of a source that must re-send: without EndsAt it expires
	// resolve_timeout after its last record.
	Resend bool
	// Suppressed says why the source notifies nobody of a firing alert: "silenced by ID in prod",
	// "inhibited by …". It holds until a record of that source without it, or until the alert ends.
	Suppressed string
	// ObservedAt is the time a client gave (an "at" at the HTTP door); the record's time rules.
	ObservedAt time.Time
	// Line is the 1-based line of an events file, 0 elsewhere. It is not recorded.
	Line int
}

// Group returns the key of the group that Alertmanager made, or would have made with the usual
// group_by of alertname, cluster and service.
func (a *Alert) Group() string {
	if a.GroupKey != "" {
		return a.GroupKey
	}
	key := []byte{'{'}
	for _, name := range [...]string{"alertname", "cluster", "service"} {
		if value := a.Labels.Get(name); value != "" {
			if len(key) > 1 {
				key = append(key, ", "...)
			}
			key = append(append(key, name...), '=')
			key = strconv.AppendQuote(key, value)
		}
	}
	return string(append(key, '}'))
}

// Sample is one measurement of telemetry.
type Sample struct {
	Labels Labels
	At     time.Time
	Value  float64
}
