package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unique"

	"signalbox/itsm"
)

// row is one revision of an incident as it stood on the topic: its bytes, which every reader gets
// as they are, and the few fields that lists sort and filter by. It is never changed.
type row struct {
	raw []byte

	ID               string           `json:"id"`
	Number           string           `json:"number"`
	Revision         int              `json:"revision"`
	CommandRevision  int              `json:"commandRevision"`
	State            itsm.State       `json:"state"`
	Title            string           `json:"title"`
	Severity         itsm.Severity    `json:"severity"`
	Impact           int              `json:"impact"`
	Urgency          int              `json:"urgency"`
	Priority         int              `json:"priority"`
	PriorityOverride *int             `json:"priorityOverride"`
	Category         string           `json:"category"`
	Site             string           `json:"site"`
	Services         []string         `json:"services"`
	Team             *string          `json:"team"`
	Assignee         *string          `json:"assignee"`
	StartedAt        time.Time        `json:"startedAt"`
	OpenedAt         time.Time        `json:"openedAt"`
	UpdatedAt        time.Time        `json:"updatedAt"`
	AcknowledgedAt   *time.Time       `json:"acknowledgedAt"`
	AcknowledgedBy   *string          `json:"acknowledgedBy"`
	SnoozedUntil     *time.Time       `json:"snoozedUntil"`
	ResolvedAt       *time.Time       `json:"resolvedAt"`
	ReopenCount      int              `json:"reopenCount"`
	Flapping         bool             `json:"flapping"`
	Fleeting         bool             `json:"fleeting"`
	Maintenance      *itsm.Window     `json:"maintenance"`
	MergedInto       *string          `json:"mergedInto"`
	Items            []string         `json:"items"`
	ItemCount        int              `json:"itemCount"`
	AlertCounts      itsm.AlertCounts `json:"alertCounts"`
	Causes           []itsm.Cause     `json:"causes"`
	SLA              []itsm.Clock     `json:"sla"`
	SLADueAt         *time.Time       `json:"slaDueAt"`
}

func newRow(value []byte) (*row, error) {
	r := &row{raw: bytes.Clone(value)} // the record's buffer belongs to a whole fetch
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("decode incident row: %w", err)
	}
	return r, nil
}

// onBoard tells whether the board shows the incident: closed, cancelled and merged ones have left.
func (r *row) onBoard() bool {
	return r.State != itsm.StateClosed && r.State != itsm.StateCancelled && r.MergedInto == nil
}

// bestCause returns the item of the first cause, or "".
func (r *row) bestCause() string {
	if len(r.Causes) == 0 {
		return ""
	}
	return r.Causes[0].Item
}

// alert is one state of an alert in an incident: its bytes and what is counted, sorted and
// compared. It is never changed. A hundred thousand of them are held, so it is small.
type alert struct {
	raw         []byte
	fingerprint itsm.Fingerprint
	group       unique.Handle[string]
	item        unique.Handle[string] // of "" when not bound
	source      unique.Handle[string]
	startsAt    int64 // nanoseconds since 1970
	lastStarts  int64
	endsAt      int64 // 0: not known
	severity    uint8 // rank
	status      uint8 // statusFiring …
	suppressed  bool
}

const (
	statusFiring = iota
	statusExpired
	statusResolved
)

func statusOf(s itsm.Status) uint8 {
	switch s {
	case itsm.StatusFiring:
		return statusFiring
	case itsm.StatusExpired:
		return statusExpired
	}
	return statusResolved
}

func newAlert(fp itsm.Fingerprint, value []byte) (*alert, error) {
	var in struct {
		Status       itsm.Status   `json:"status"`
		Severity     itsm.Severity `json:"severity"`
		Item         *string       `json:"item"`
		StartsAt     time.Time     `json:"startsAt"`
		LastStartsAt time.Time     `json:"lastStartsAt"`
		EndsAt       *time.Time    `json:"endsAt"`
		Suppressed   *string       `json:"suppressed"`
		Group        string        `json:"group"`
		Source       string        `json:"source"`
	}
	if err := json.Unmarshal(value, &in); err != nil {
		return nil, fmt.Errorf("decode alert: %w", err)
	}
	a := &alert{
		raw: bytes.Clone(value), fingerprint: fp, group: unique.Make(in.Group), item: unique.Make(""), source: unique.Make(in.Source),
		startsAt: in.StartsAt.UnixNano(), lastStarts: in.LastStartsAt.UnixNano(),
		severity: uint8(in.Severity.Rank()), status: statusOf(in.Status), suppressed: in.Suppressed != nil,
	}
	if in.Item != nil {
		a.item = unique.Make(*in.Item)
	}
	if in.EndsAt != nil {
		a.endsAt = in.EndsAt.UnixNano()
	}
	return a, nil
}

func (a *alert) statusWord() itsm.Status {
	return [...]itsm.Status{itsm.StatusFiring, itsm.StatusExpired, itsm.StatusResolved}[a.status]
}

func (a *alert) firing() bool  { return a.status == statusFiring }
func (a *alert) unbound() bool { return a.firing() && a.item.Value() == "" }

// entry is one line of a timeline.
type entry struct {
	seq int
	raw []byte
}
