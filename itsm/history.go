package itsm

import "time"

// HistoryQuery asks for a window of the past, newest first.
type HistoryQuery struct {
	// From and To bound the time, [From, To). Both are required.
	From, To time.Time
	Matchers []HistoryMatcher
	Words    []string // each must stand in the text, in lower case
	Limit    int      // of a page, at least 1
	After    string   // the cursor of the page before; empty: the first
}

// HistoryMatcher is one condition on a field or a label, as Alertmanager writes them.
type HistoryMatcher struct {
	Label bool // Name is a label
	Name  string
	// Op is =, !=, =~ or !~, on numbers also <, <=, > and >=. Regular expressions are anchored.
	Op    string
	Value string
}

// AlertEvent is a moment at which an alert changed.
type AlertEvent struct {
	At           time.Time   `json:"at"`
	Fingerprint  Fingerprint `json:"fingerprint"`
	Incident     string      `json:"incident"` // id, empty when none held it
	Status       Status      `json:"status"`
	Severity     Severity    `json:"severity"`
	Item         string      `json:"item"` // empty when not bound
	Labels       Labels      `json:"labels"`
	Annotations  Labels      `json:"annotations"`
	StartsAt     time.Time   `json:"startsAt"`
	EndsAt       *time.Time  `json:"endsAt"`
	Count        int         `json:"count"`
	Source       string      `json:"source"`
	GeneratorURL string      `json:"generatorURL"`
}

// VolumeBucket counts, for one step of time, the alerts that began to fire, by severity.
type VolumeBucket struct {
	At     time.Time        `json:"at"`
	Counts map[Severity]int `json:"counts"`
}

// ChangeEvent is a change as it was reported.
type ChangeEvent struct {
	At     time.Time `json:"at"`
	Change Change    `json:"change"`
}

// SampleQuery asks for telemetry.
type SampleQuery struct {
	// From and To bound the time, [From, To). Both are required.
	From, To time.Time
	// Matchers choose series by their labels; the label __name__ is the metric. At least one is required.
	Matchers []HistoryMatcher
	Limit    int // of samples, at least 1
}

// HistoryState is how far the writing of history is.
type HistoryState struct {
	// Behind is how many offsets of the log are not stored yet, as last seen. Known is false until each partition was read.
	Behind int64
	Known  bool
	// FailingSince is since when something is tried again and again; nil: it works. Failure is the last error.
	FailingSince *time.Time
	Failure      string
}
