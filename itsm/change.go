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

// ChangeMaintenance is the kind of change during which alerts of its items are to be expected.
const ChangeMaintenance = "maintenance"

// InForce tells whether a maintenance, as it was reported, holds at a moment: from its beginning to
// its end, unless its status says that it is over. One without an end holds once it is said to have
// started, until it is reported anew.
func (c *Change) InForce(at time.Time) bool {
	switch {
	case c.Kind != ChangeMaintenance, at.Before(c.StartsAt):
		return false
	case c.Status != "" && c.Status != "planned" && c.Status != "started":
		return false
	case c.EndsAt == nil:
		return c.Status == "started"
	}
	return at.Before(*c.EndsAt)
}

// ChangeKinds and ChangeStatuses list the words a change may use.
func ChangeKinds() []string {
	return []string{"deploy", "config", ChangeMaintenance, "standard", "normal", "emergency", "detected"}
}

// ChangeStatuses lists the states of a change.
func ChangeStatuses() []string {
	return []string{"planned", "started", "succeeded", "failed", "rolled_back"}
}
