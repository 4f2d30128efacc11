package correlate

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"signalbox/itsm"
)

type undoKind string

const (
	undoDecision undoKind = "decision"
	undoMerge    undoKind = "merge"
	undoSplit    undoKind = "split"
	undoMove     undoKind = "move"
	undoJudge    undoKind = "judge"
)

// undo is what it takes to take the decision of a timeline entry back.
type undo struct {
	Kind   undoKind
	Entry  itsm.Entry
	Before *decision          `json:",omitempty"`
	After  *decision          `json:",omitempty"`
	Held   *judgement         `json:",omitempty"`
	Holds  *judgement         `json:",omitempty"`
	Other  string             `json:",omitempty"`
	Alerts []itsm.Fingerprint `json:",omitempty"`
	Item   string             `json:",omitempty"`
	Change string             `json:",omitempty"`
	Lesson string             `json:",omitempty"` // of a judgement: what it is experience with
}

// decision is everything in a row that is decided and not derived.
type decision struct {
	State            itsm.State
	PriorityOverride *int       `json:",omitempty"`
	Team             *string    `json:",omitempty"`
	Assignee         *string    `json:",omitempty"`
	AcknowledgedAt   *time.Time `json:",omitempty"`
	AcknowledgedBy   *string    `json:",omitempty"`
	OnHoldReason     *string    `json:",omitempty"`
	HoldUntil        *time.Time `json:",omitempty"`
	SnoozedUntil     *time.Time `json:",omitempty"`
	ResolvedAt       *time.Time `json:",omitempty"`
	ResolutionCode   *string    `json:",omitempty"`
	ResolutionNotes  *string    `json:",omitempty"`
	ClosedAt         *time.Time `json:",omitempty"`
}

func decisionOf(r *itsm.Incident) *decision {
	return &decision{
		State: r.State, PriorityOverride: r.PriorityOverride, Team: r.Team, Assignee: r.Assignee, AcknowledgedAt: r.AcknowledgedAt,
		AcknowledgedBy: r.AcknowledgedBy, OnHoldReason: r.OnHoldReason, HoldUntil: r.HoldUntil, SnoozedUntil: r.SnoozedUntil,
		ResolvedAt: r.ResolvedAt, ResolutionCode: r.ResolutionCode, ResolutionNotes: r.ResolutionNotes, ClosedAt: r.ClosedAt,
	}
}

// apply brings a decision into force.
func (d *decision) apply(r *itsm.Incident) {
	r.State, r.PriorityOverride, r.Team, r.Assignee, r.AcknowledgedAt = d.State, d.PriorityOverride, d.Team, d.Assignee, d.AcknowledgedAt
	r.AcknowledgedBy, r.OnHoldReason, r.HoldUntil, r.SnoozedUntil = d.AcknowledgedBy, d.OnHoldReason, d.HoldUntil, d.SnoozedUntil
	r.ResolvedAt, r.ResolutionCode, r.ResolutionNotes, r.ClosedAt = d.ResolvedAt, d.ResolutionCode, d.ResolutionNotes, d.ClosedAt
}

// revert gives d with every field that the decision before → after had changed set back. It fails
// on a field that a later decision has changed again.
func (d *decision) revert(before, after *decision) (*decision, error) {
	out := *d
	now, b, a, o := reflect.ValueOf(d).Elem(), reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem(), reflect.ValueOf(&out).Elem()
	for i := range now.NumField() {
		if same(b.Field(i), a.Field(i)) {
			continue
		}
		if !same(now.Field(i), a.Field(i)) {
			return nil, fmt.Errorf("%w: a later decision depends on it (%s)", itsm.ErrConflict, now.Type().Field(i).Name)
		}
		o.Field(i).Set(b.Field(i))
	}
	return &out, nil
}

func same(a, b reflect.Value) bool {
	if a.Kind() == reflect.Pointer {
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		a, b = a.Elem(), b.Elem()
	}
	if t, ok := reflect.TypeAssert[time.Time](a); ok {
		return t.Equal(b.Interface().(time.Time))
	}
	return a.Interface() == b.Interface()
}

// maxUndo bounds how many decisions of an incident can be undone.
const maxUndo = 100

// undoable writes a timeline entry that can be undone.
func (e *Engine) undoable(inc *incident, kind itsm.EntryKind, by, text string, u *undo) {
	data := map[string]any{}
	if u.Other != "" {
		data["incident"] = u.Other
	}
	if len(u.Alerts) > 0 && len(u.Alerts) <= 100 {
		data["alerts"] = u.Alerts
	}
	e.noteData(inc, kind, by, text, data)
	inc.entries[len(inc.entries)-1].Undoable = true
	u.Entry = inc.entries[len(inc.entries)-1]
	inc.undo[inc.seq] = u
	if len(inc.undo) > maxUndo {
		oldest := inc.seq
		for seq := range inc.undo {
			oldest = min(oldest, seq)
		}
		inc.spend(oldest)
	}
}

// spend makes an entry one that cannot be undone any more.
func (inc *incident) spend(seq int) {
	entry := inc.undo[seq].Entry
	entry.Undoable = false
	inc.entries = append(inc.entries, entry)
	delete(inc.undo, seq)
}

// decide writes an automatic decision; decideBy one of a person.
func (e *Engine) decide(inc *incident, kind itsm.EntryKind, text string, before *decision) {
	e.decideBy(inc, kind, itsm.ByEngine, text, before)
}

func (e *Engine) decideBy(inc *incident, kind itsm.EntryKind, by, text string, before *decision) {
	e.settle(inc)
	e.undoable(inc, kind, by, text, &undo{Kind: undoDecision, Before: before, After: decisionOf(&inc.row)})
}

// settle brings the hypothesis in line with the state of its incident.
func (e *Engine) settle(inc *incident) {
	inc.hyp.Resolved = inc.row.State == itsm.StateResolved
	closed := inc.row.State == itsm.StateClosed || inc.row.State == itsm.StateCancelled
	if closed && !inc.hyp.Closed {
		e.index.Forget(inc.hyp)
	}
	inc.hyp.Closed = closed
	e.touch(inc)
}

func (e *Engine) note(inc *incident, kind itsm.EntryKind, text string) {
	e.settle(inc)
	e.noteBy(inc, kind, itsm.ByEngine, text)
}

func (e *Engine) noteBy(inc *incident, kind itsm.EntryKind, by, text string) {
	e.noteData(inc, kind, by, text, nil)
}

func (e *Engine) noteData(inc *incident, kind itsm.EntryKind, by, text string, data map[string]any) {
	inc.seq++
	raw := json.RawMessage("{}")
	if len(data) > 0 {
		if b, err := json.Marshal(data); err == nil { // texts, flags and fingerprints always marshal
			raw = b
		}
	}
	inc.entries = append(inc.entries, itsm.Entry{Seq: inc.seq, At: e.clock, By: by, Kind: kind, Text: text, Data: raw})
	e.touch(inc)
}

// undoCommand takes back what an entry of the incident's timeline has decided.
func (e *Engine) undoCommand(inc *incident, c *itsm.Command) error {
	if c.Entry == nil || *c.Entry < 1 || *c.Entry > inc.seq {
		return impossible("entry: the timeline has no such entry")
	}
	u := inc.undo[*c.Entry]
	if u == nil {
		return impossible("entry: %d cannot be undone, or has been undone", *c.Entry)
	}
	var err error
	switch u.Kind {
	case undoDecision:
		err = e.undoDecision(inc, u)
	case undoMerge:
		err = e.undoMerge(inc, u)
	case undoSplit, undoMove:
		err = e.undoMove(inc, u, author(c))
	case undoJudge:
		if now := judgementOf(inc, e.graph); !reflect.DeepEqual(now, u.Holds) {
			err = fmt.Errorf("%w: a later decision on the causes depends on it", itsm.ErrConflict)
		} else {
			u.Held.apply(inc.hyp, e.graph)
			e.learn(u.Lesson, itsm.Action(u.Entry.Kind), -1)
		}
	}
	if err != nil {
		return err
	}
	inc.spend(*c.Entry)
	e.noteData(inc, itsm.EntryUndone, author(c), fmt.Sprintf("entry %d undone", *c.Entry), map[string]any{"entry": *c.Entry})
	return nil
}

func (e *Engine) undoDecision(inc *incident, u *undo) error {
	if inc.row.MergedInto != nil {
		return fmt.Errorf("%w: the incident has been merged since", itsm.ErrConflict)
	}
	d, err := decisionOf(&inc.row).revert(u.Before, u.After)
	if err != nil {
		return err
	}
	wasClosed := inc.hyp.Closed
	wasOpen := inc.row.State.Open()
	d.apply(&inc.row)
	e.settle(inc)
	if wasClosed && !inc.hyp.Closed {
		e.revive(inc)
		inc.hyp.Resolved = inc.row.State == itsm.StateResolved
	}
	if !wasOpen && inc.row.State.Open() && inc.counts.Firing == 0 {
		inc.quietAt = e.clock
	}
	return nil
}

// undoMerge gives an incident that was merged in its alerts back. Both stay apart from then on.
func (e *Engine) undoMerge(inc *incident, u *undo) error {
	from := e.ids[u.Other]
	if from == nil || from.row.MergedInto == nil || *from.row.MergedInto != inc.row.ID || inc.hyp.Closed {
		return fmt.Errorf("%w: a later decision depends on it", itsm.ErrConflict)
	}
	var back []*member
	for _, m := range inc.list {
		if n := len(m.via); n > 0 && m.via[n-1] == from.ordinal {
			back = append(back, m)
		}
	}
	if len(back) == 0 || len(back) == len(inc.list) {
		return fmt.Errorf("%w: the alerts have been moved since", itsm.ErrConflict)
	}
	e.leave(inc, back)
	for _, m := range back {
		m.via = m.via[:len(m.via)-1]
		e.touchMember(m)
	}
	state := u.Before.State
	if !state.Open() && state != itsm.StateResolved {
		state = itsm.StateNew
	}
	from.row.State, from.row.ClosedAt, from.row.MergedInto = state, nil, nil
	from.hyp.Closed, from.hyp.Isolated, inc.hyp.Isolated = false, true, true
	e.arrive(from, back)
	e.settle(from)
	e.noteBy(from, itsm.EntryUndone, itsm.ByEngine, "no longer merged into "+inc.row.Number)
	e.touch(inc)
	return nil
}

// undoMove brings alerts back that were split off or moved. What was split off and is empty then
// is merged back.
func (e *Engine) undoMove(inc *incident, u *undo, by string) error {
	other := e.ids[u.Other]
	if other == nil || other.row.MergedInto != nil || inc.row.MergedInto != nil || inc.hyp.Closed {
		return fmt.Errorf("%w: a later decision depends on it", itsm.ErrConflict)
	}
	members, err := e.pick(other, u.Alerts)
	if err != nil {
		return fmt.Errorf("%w: the alerts have been moved since", itsm.ErrConflict)
	}
	if len(members) == len(other.list) || u.Kind == undoSplit {
		at, id := e.clock, inc.row.ID
		members = slices.Clone(other.list)
		e.transfer(other, inc, members, by)
		e.index.Forget(other.hyp)
		other.row.State, other.row.ClosedAt, other.row.MergedInto = itsm.StateClosed, &at, &id
		other.hyp.Closed = true
		e.noteBy(other, itsm.EntryUndone, by, "given back to "+inc.row.Number)
	} else {
		e.transfer(other, inc, members, by)
		e.noteBy(other, itsm.EntryUndone, by, fmt.Sprintf("%d alerts given back to %s", len(members), inc.row.Number))
	}
	if u.Kind == undoSplit {
		inc.hyp.Isolated = false
		inc.row.Links = slices.DeleteFunc(slices.Clone(inc.row.Links), func(l itsm.Link) bool { return l.Type == itsm.LinkSplitTo && l.To == u.Other })
	}
	return nil
}
