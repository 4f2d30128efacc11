package itsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Action is what a person does to an incident.
type Action string

// The actions of formats.md section 5.
const (
	ActionAcknowledge   Action = "acknowledge"
	ActionUnacknowledge Action = "unacknowledge"
	ActionStart         Action = "start"
	ActionResume        Action = "resume"
	ActionReopen        Action = "reopen"
	ActionClose         Action = "close"
	ActionCancel        Action = "cancel"
	ActionAssign        Action = "assign"
	ActionComment       Action = "comment"
	ActionPriority      Action = "priority"
	ActionHold          Action = "hold"
	ActionSnooze        Action = "snooze"
	ActionResolve       Action = "resolve"
	ActionMerge         Action = "merge"
	ActionSplit         Action = "split"
	ActionMove          Action = "move"
	ActionConfirmCause  Action = "confirm_cause"
	ActionRejectCause   Action = "reject_cause"
	ActionUndo          Action = "undo"
)

// What a person does to a candidate for a problem, beside ActionReopen, which takes a decision back.
const (
	ActionAccept   Action = "accept"
	ActionDismiss  Action = "dismiss"
	ActionSuppress Action = "suppress"
	ActionFixed    Action = "fixed"
)

// ProblemActions lists what can be done to a candidate.
func ProblemActions() []Action {
	return []Action{ActionAccept, ActionDismiss, ActionSuppress, ActionFixed, ActionReopen}
}

// Actions lists every action on an incident.
func Actions() []Action {
	return []Action{
		ActionAcknowledge, ActionUnacknowledge, ActionStart, ActionResume, ActionReopen, ActionClose, ActionCancel,
		ActionAssign, ActionComment, ActionPriority, ActionHold, ActionSnooze, ActionResolve, ActionMerge,
		ActionSplit, ActionMove, ActionConfirmCause, ActionRejectCause, ActionUndo,
	}
}

// Command is what a person asks of an incident, or of a candidate for a problem. Which fields an action uses: Validate. ID makes
// it idempotent: a second command with the id of an earlier one changes nothing for 24 h and
// gets the same outcome.
type Command struct {
	ID       string      `json:"id"`
	Action   Action      `json:"action"`
	Incident IncidentRef `json:"incident,omitzero"`
	Problem  string      `json:"problem,omitempty"` // id of a candidate, instead of an incident
	By       string      `json:"by,omitempty"`
	// Revision is the commandRevision that the person saw (If-Match); nil: do not check.
	Revision *int   `json:"commandRevision,omitempty"`
	Comment  string `json:"comment,omitempty"`

	Team     Optional[string] `json:"team,omitzero"`     // assign; null clears
	Person   Optional[string] `json:"person,omitzero"`   // assign; null clears
	Text     string           `json:"text,omitempty"`    // comment
	Public   bool             `json:"public,omitempty"`  // comment
	Priority Optional[int]    `json:"priority,omitzero"` // priority; null gives it back
	Reason   string           `json:"reason,omitempty"`  // priority, hold
	Until    *time.Time       `json:"until,omitempty"`   // hold, snooze
	Code     string           `json:"code,omitempty"`    // resolve
	Notes    string           `json:"notes,omitempty"`   // resolve
	Into     *IncidentRef     `json:"into,omitempty"`    // merge
	To       *IncidentRef     `json:"to,omitempty"`      // move
	Alerts   []Fingerprint    `json:"alerts,omitempty"`  // split, move
	Item     string           `json:"item,omitempty"`    // confirm_cause, reject_cause
	Change   string           `json:"change,omitempty"`  // confirm_cause, reject_cause
	Entry    *int             `json:"entry,omitempty"`   // undo: the sequence of the timeline entry
	FixedAt  *time.Time       `json:"fixedAt,omitempty"` // fixed: since when the fix is in place; default now
}

// Validate checks that the fields an action needs are there, and no others. It knows nothing of
// incidents. Every fault is reported as Faults.
func (c *Command) Validate() error {
	var f Faults
	if c.ID == "" {
		f.Add("id", "is missing")
	}
	switch {
	case c.Problem != "" && c.Incident != (IncidentRef{}):
		f.Add("incident", "one of incident and problem is expected")
	case c.Problem == "" && c.Incident == (IncidentRef{}):
		f.Add("incident", "is missing: an id, a number, or {\"alert\": fingerprint}")
	}
	set := map[string]bool{
		"team": c.Team.Set, "person": c.Person.Set, "text": c.Text != "", "public": c.Public, "priority": c.Priority.Set,
		"reason": c.Reason != "", "until": c.Until != nil, "code": c.Code != "", "notes": c.Notes != "",
		"into": c.Into != nil, "to": c.To != nil, "alerts": len(c.Alerts) > 0, "item": c.Item != "",
		"change": c.Change != "", "entry": c.Entry != nil, "fixedAt": c.FixedAt != nil,
	}
	fields := c.Action.fields
	if c.Problem != "" {
		fields = c.Action.problemFields
	}
	uses, needs, known := fields()
	if !known {
		f.Add("action", "%.64q is not an action", string(c.Action))
		return f.Err()
	}
	for _, n := range needs {
		if !set[n] {
			f.Add(n, "is missing for %s", c.Action)
		}
		set[n] = false
	}
	for _, n := range uses {
		set[n] = false
	}
	for _, n := range []string{
		"team", "person", "text", "public", "priority", "reason", "until", "code", "notes", "into", "to", "alerts", "item", "change", "entry",
		"fixedAt",
	} {
		if set[n] {
			f.Add(n, "does not belong to %s", c.Action)
		}
	}
	c.validateValues(&f)
	return f.Err()
}

func (c *Command) validateValues(f *Faults) {
	if c.Until != nil {
		ValidateTime("until", *c.Until, f)
	}
	if c.FixedAt != nil {
		ValidateTime("fixedAt", *c.FixedAt, f)
	}
	switch c.Action {
	case ActionAssign:
		if !c.Team.Set && !c.Person.Set {
			f.Add("person", "a team or a person is needed; null clears")
		}
	case ActionPriority:
		if v := c.Priority.Value; v != nil && (*v < 1 || *v > 5) {
			f.Add("priority", "must be 1 to 5 or null, got %d", *v)
		}
	case ActionConfirmCause, ActionRejectCause:
		if (c.Item == "") == (c.Change == "") {
			f.Add("item", "exactly one of item and change is needed")
		}
	}
}

// fields returns what an action may and must carry beside id, incident, by, comment and revision.
func (a Action) fields() (uses, needs []string, known bool) {
	switch a {
	case ActionAcknowledge, ActionUnacknowledge, ActionStart, ActionResume, ActionReopen, ActionClose, ActionCancel:
		return nil, nil, true
	case ActionAssign:
		return []string{"team", "person"}, nil, true
	case ActionComment:
		return []string{"public"}, []string{"text"}, true
	case ActionPriority:
		return []string{"reason"}, []string{"priority"}, true
	case ActionHold:
		return []string{"until"}, []string{"reason"}, true
	case ActionSnooze:
		return nil, []string{"until"}, true
	case ActionResolve:
		return []string{"code", "notes"}, nil, true
	case ActionMerge:
		return nil, []string{"into"}, true
	case ActionSplit:
		return nil, []string{"alerts"}, true
	case ActionMove:
		return nil, []string{"alerts", "to"}, true
	case ActionConfirmCause, ActionRejectCause:
		return []string{"item", "change"}, nil, true
	case ActionUndo:
		return nil, []string{"entry"}, true
	}
	return nil, nil, false
}

// problemFields is fields for what is done to a candidate for a problem.
func (a Action) problemFields() (uses, needs []string, known bool) {
	switch a { //nolint:exhaustive // the others are no actions on a candidate
	case ActionAccept, ActionReopen:
		return []string{"reason"}, nil, true
	case ActionDismiss:
		return nil, []string{"reason"}, true
	case ActionSuppress:
		return []string{"reason"}, []string{"until"}, true
	case ActionFixed:
		return []string{"reason", "fixedAt"}, nil, true
	}
	return nil, nil, false
}

// IncidentRef names an incident by id or number, or as the one that now holds an alert. Its JSON
// form is a string or {"alert": fingerprint}.
type IncidentRef struct {
	ID    string
	Alert Fingerprint
}

// MarshalJSON implements json.Marshaler.
func (r IncidentRef) MarshalJSON() ([]byte, error) {
	if r.Alert != 0 {
		return json.Marshal(map[string]Fingerprint{"alert": r.Alert})
	}
	return json.Marshal(r.ID)
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *IncidentRef) UnmarshalJSON(b []byte) error {
	*r = IncidentRef{}
	if len(b) > 0 && b[0] == '{' {
		var o struct {
			Alert Fingerprint `json:"alert"`
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&o); err != nil {
			return err
		}
		r.Alert = o.Alert
		return nil
	}
	if err := json.Unmarshal(b, &r.ID); err != nil {
		return errors.New("an incident is an id, a number, or {\"alert\": fingerprint}")
	}
	return nil
}

// Optional tells absent, null (Set with a nil Value) and a value apart.
type Optional[T any] struct {
	Set   bool
	Value *T
}

// Some returns a set value.
func Some[T any](v T) Optional[T] { return Optional[T]{Set: true, Value: &v} }

// IsZero lets `omitzero` leave an absent value out.
func (o Optional[T]) IsZero() bool { return !o.Set }

// MarshalJSON implements json.Marshaler.
func (o Optional[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.Value) }

// UnmarshalJSON implements json.Unmarshaler.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	return json.Unmarshal(b, &o.Value)
}

// Outcome is the engine's answer to a command.
type Outcome struct {
	Command string `json:"command"` // its id
	// Status is as in HTTP: 200 applied, 404 unknown incident, alert or candidate, 409 conflict, 422 not possible.
	Status   int    `json:"status"`
	Reason   string `json:"reason,omitempty"`
	Incident string `json:"incident,omitempty"` // the id of the incident after it, redirects followed
	Problem  string `json:"problem,omitempty"`  // the id of the candidate, instead of an incident
	Revision int    `json:"revision,omitempty"` // of that incident or candidate after it
}
