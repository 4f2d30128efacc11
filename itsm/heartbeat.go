package itsm

import (
	"fmt"
	"time"
)

// Heartbeat is how a source was heard last through an alert that fires for as long as all is well:
// the Watchdog of Prometheus' usual rules. Two sources that send the same alert have a heartbeat each.
type Heartbeat struct {
	Source      string      `json:"source"`
	Fingerprint Fingerprint `json:"fingerprint"` // of the alert
	Labels      Labels      `json:"labels"`
	StartsAt    time.Time   `json:"startsAt"` // of the alert, as the source has said; zero: it has not
	At          time.Time   `json:"at"`       // when it was heard last
	// Until is when it ends unless it is heard again, as the source itself has said; nil: it has not.
	// Not after the time of the record: the source has said that it is over.
	Until *time.Time `json:"until"`
}

// Key tells the heartbeats of all sources apart.
func (h *Heartbeat) Key() string { return fmt.Sprintf("%s/%s", h.Fingerprint, h.Source) }

// OwnSource is the source of alerts that we raise ourselves.
const OwnSource = "signalbox"

// SourceSilent is the alertname of the alert that we raise ourselves when a source's heartbeat is
// overdue; its label "source" names it.
const SourceSilent = "SourceSilent"
