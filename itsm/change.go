package itsm

import "time"

// Change is a modification of items: a deploy, a configuration change, maintenance (ITIL). A
// later record with the same id replaces an earlier one.
type Change struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Items    []string   `json:"items,omitempty"`
	Labels   Labels     `json:"labels,omitempty"` // bound to an item like an alert's
	Title    string     `json:"title,omitempty"`
	Status   string     `json:"status,omitempty"` // default succeeded
	StartsAt time.Time  `json:"startsAt,omitzero"`
	EndsAt   *time.Time `json:"endsAt,omitempty"`
	By       string     `json:"by,omitempty"`
	URL      string     `json:"url,omitempty"`
}

// ChangeKinds and ChangeStatuses list the words a change may use.
func ChangeKinds() []string {
	return []string{"deploy", "config", "maintenance", "standard", "normal", "emergency", "detected"}
}

// ChangeStatuses lists the states of a change.
func ChangeStatuses() []string {
	return []string{"planned", "started", "succeeded", "failed", "rolled_back"}
}
