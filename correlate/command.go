package correlate

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// answered is a command that has been answered; its id stays known for a day.
type answered struct {
	Outcome itsm.Outcome
	Forget  time.Time
	inc     *incident // whose revision the outcome gets when this instant is flushed
}

// rememberCommands is how long the id of a command is known.
const rememberCommands = 24 * time.Hour

// command applies what a person asks for, or answers why not.
func (e *Engine) command(c *itsm.Command) {
	if have := e.commands[c.ID]; have != nil {
		e.now.outcomes = append(e.now.outcomes, have.Outcome)
		return
	}
	if c.Problem != "" {
		e.commandProblem(c)
		return
	}
	inc, err := e.refer(c.Incident)
	if errors.Is(err, itsm.ErrNotFound) && e.opts.Shards > 1 {
		return // another shard knows it, or the door has said so already
	}
	if err == nil && c.Action != itsm.ActionUndo && c.Action != itsm.ActionComment {
		inc = inc.present(e)
	}
	if err == nil && c.Revision != nil && *c.Revision != inc.row.CommandRevision {
		err = fmt.Errorf("%w: somebody else's command came first (revision %d, seen %d)", itsm.ErrConflict, inc.row.CommandRevision, *c.Revision)
	}
	if err == nil {
		err = c.Validate()
		if err != nil {
			err = fmt.Errorf("%w: %w", itsm.ErrUnprocessable, err)
		}
	}
	if err == nil {
		err = e.act(inc, c)
	}
	out := outcomeOf(c, err)
	if err == nil {
		inc.row.CommandRevision++
		if c.Comment != "" {
			e.noteBy(inc, itsm.EntryCommented, author(c), c.Comment)
		}
		e.touch(inc)
	}
	if inc != nil {
		inc = inc.present(e)
		out.Incident = inc.row.ID
	}
	e.answer(c, out, inc)
}

// commandProblem applies what a person decides of a candidate for a problem, or answers why not.
func (e *Engine) commandProblem(c *itsm.Command) {
	revision, err := e.decideProblem(c)
	if errors.Is(err, itsm.ErrNotFound) && e.opts.Shards > 1 {
		return // another shard knows it, or the door has said so already
	}
	out := outcomeOf(c, err)
	out.Problem, out.Revision = c.Problem, revision
	e.answer(c, out, nil)
}

func outcomeOf(c *itsm.Command, err error) itsm.Outcome {
	out := itsm.Outcome{Command: c.ID, Status: http.StatusOK}
	switch {
	case err == nil:
	case errors.Is(err, itsm.ErrNotFound):
		out.Status, out.Reason = http.StatusNotFound, err.Error()
	case errors.Is(err, itsm.ErrConflict):
		out.Status, out.Reason = http.StatusConflict, err.Error()
	default:
		out.Status, out.Reason = http.StatusUnprocessableEntity, err.Error()
	}
	return out
}

// answer remembers the outcome of a command, and publishes it when this instant is flushed.
func (e *Engine) answer(c *itsm.Command, out itsm.Outcome, inc *incident) {
	a := &answered{Outcome: out, Forget: e.clock.Add(rememberCommands), inc: inc}
	e.commands[c.ID] = a
	e.dirty.commands[c.ID] = true
	e.timers.push(timer{at: a.Forget, kind: timerCommand, name: c.ID})
	e.now.answers = append(e.now.answers, a)
}

func author(c *itsm.Command) string { return cmp.Or(c.By, "anonymous") }

// refer finds the incident that a reference names.
func (e *Engine) refer(r itsm.IncidentRef) (*incident, error) {
	if r.Alert != 0 {
		a := e.alerts[r.Alert]
		if a == nil || a.current() == nil || a.current().inc == nil {
			return nil, fmt.Errorf("%w: no incident holds the alert %s", itsm.ErrNotFound, r.Alert)
		}
		return a.current().inc, nil
	}
	if inc := e.ids[r.ID]; inc != nil {
		return inc, nil
	}
	return nil, fmt.Errorf("%w: incident %s", itsm.ErrNotFound, r.ID)
}

// impossible is an error for what cannot be done now.
func impossible(format string, args ...any) error {
	return fmt.Errorf("%w: %s", itsm.ErrUnprocessable, fmt.Sprintf(format, args...))
}

func (e *Engine) act(inc *incident, c *itsm.Command) error {
	next, ok := inc.row.State.Next(c.Action)
	if !ok || inc.row.MergedInto != nil && c.Action != itsm.ActionUndo && c.Action != itsm.ActionComment {
		return impossible("%s is not possible while the incident is %s", c.Action, inc.row.State)
	}
	switch c.Action {
	case itsm.ActionComment:
		text := c.Text
		e.noteData(inc, itsm.EntryCommented, author(c), text, map[string]any{"public": c.Public})
		return nil
	case itsm.ActionMerge:
		return e.mergeCommand(inc, c)
	case itsm.ActionSplit:
		return e.split(inc, c)
	case itsm.ActionMove:
		return e.move(inc, c)
	case itsm.ActionConfirmCause, itsm.ActionRejectCause:
		return e.judge(inc, c)
	case itsm.ActionUndo:
		return e.undoCommand(inc, c)
	}
	return e.decideCommand(inc, c, next)
}

// decideCommand applies the actions that only change what people decide of one incident.
func (e *Engine) decideCommand(inc *incident, c *itsm.Command, next itsm.State) error {
	r := &inc.row
	before := decisionOf(r)
	at, by := e.clock, author(c)
	text := strings.ReplaceAll(string(c.Action), "_", " ")
	switch c.Action {
	case itsm.ActionAcknowledge:
		r.AcknowledgedAt, r.AcknowledgedBy, text = &at, &by, "acknowledged"
	case itsm.ActionUnacknowledge:
		if r.AcknowledgedAt == nil {
			return impossible("the incident is not acknowledged")
		}
		r.AcknowledgedAt, r.AcknowledgedBy, text = nil, nil, "no longer acknowledged"
	case itsm.ActionStart:
		text = "work started"
	case itsm.ActionResume:
		text = "resumed"
	case itsm.ActionReopen:
		text = "opened again"
		if e.index != nil && (r.State == itsm.StateClosed || r.State == itsm.StateCancelled) {
			e.revive(inc)
		}
		r.ResolvedAt, r.ResolutionCode, r.ResolutionNotes, r.ClosedAt = nil, nil, nil, nil
		r.ReopenCount++
		inc.quietAt = at
	case itsm.ActionClose:
		r.ClosedAt, text = &at, "closed"
	case itsm.ActionCancel:
		r.ClosedAt, text = &at, "cancelled"
	case itsm.ActionAssign:
		text = assign(r, c)
		if c.Person.Value == nil {
			next = r.State
		}
	case itsm.ActionPriority:
		r.PriorityOverride, text = c.Priority.Value, priorityText(c)
	case itsm.ActionHold:
		if c.Until != nil && !c.Until.After(at) {
			return impossible("until: must be in the future")
		}
		reason := c.Reason
		r.OnHoldReason, r.HoldUntil, text = &reason, utc(c.Until), "on hold: "+reason
	case itsm.ActionSnooze:
		if !c.Until.After(at) {
			return impossible("until: must be in the future")
		}
		r.SnoozedUntil, text = utc(c.Until), "snoozed until "+c.Until.UTC().Format(time.RFC3339)
	case itsm.ActionResolve:
		r.ResolvedAt, r.ResolutionCode, r.ResolutionNotes = &at, optional(c.Code), optional(c.Notes)
		text = strings.TrimSuffix("resolved: "+c.Code+" "+c.Notes, ":  ")
	}
	enter(r, next)
	e.decideBy(inc, itsm.EntryKind(c.Action), by, strings.TrimSpace(text), before)
	return nil
}

// enter brings a row into a state; what belongs to another state goes.
func enter(r *itsm.Incident, next itsm.State) {
	r.State = next
	if next != itsm.StateOnHold {
		r.OnHoldReason, r.HoldUntil = nil, nil
	}
	if !next.Open() {
		r.SnoozedUntil = nil
	}
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func assign(r *itsm.Incident, c *itsm.Command) string {
	if c.Team.Set {
		r.Team = c.Team.Value
	}
	if c.Person.Set {
		r.Assignee = c.Person.Value
	}
	switch {
	case r.Assignee != nil && r.Team != nil:
		return "assigned to " + *r.Assignee + " (" + *r.Team + ")"
	case r.Assignee != nil:
		return "assigned to " + *r.Assignee
	case r.Team != nil:
		return "assigned to the team " + *r.Team
	}
	return "assigned to nobody"
}

func priorityText(c *itsm.Command) string {
	text := "priority given back to the computed value"
	if c.Priority.Value != nil {
		text = fmt.Sprintf("priority set to %d", *c.Priority.Value)
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	return text
}

// revive brings a closed incident back into the index.
func (e *Engine) revive(inc *incident) {
	inc.hyp.Closed, inc.hyp.Resolved = false, false
	joined := inc.hyp.LastJoined
	e.index.Forget(inc.hyp)
	for _, m := range inc.list {
		m.obs.Reset()
		e.attend(m)
	}
	inc.hyp.LastJoined = joined
}

func (e *Engine) mergeCommand(inc *incident, c *itsm.Command) error {
	into, err := e.refer(*c.Into)
	if err != nil {
		if e.opts.Shards > 1 {
			return impossible("into: %s is unknown to this shard; incidents of different shards cannot be merged", c.Into.ID)
		}
		return impossible("into: %v", err)
	}
	into = into.present(e)
	switch {
	case into == inc:
		return impossible("into: an incident cannot be merged into itself")
	case into.row.State == itsm.StateClosed || into.row.State == itsm.StateCancelled:
		return impossible("into: %s is %s", into.row.Number, into.row.State)
	}
	e.merge(inc, into, author(c), "by "+author(c))
	into.hyp.Isolated = true
	for _, m := range into.list {
		e.unattend(m)
		m.obs.Pinned = true
		e.attend(m)
		e.save(m.alert)
	}
	return nil
}

// pick finds members of an incident by fingerprint.
func (e *Engine) pick(inc *incident, fps []itsm.Fingerprint) ([]*member, error) {
	var out []*member
	for _, fp := range fps {
		a := e.alerts[fp]
		var m *member
		if a != nil {
			m = a.in(inc)
		}
		if m == nil {
			return nil, impossible("alerts: %s is not in %s", fp, inc.row.Number)
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out, nil
}

func (e *Engine) split(inc *incident, c *itsm.Command) error {
	members, err := e.pick(inc, c.Alerts)
	if err != nil {
		return err
	}
	if len(members) == len(inc.list) {
		return impossible("alerts: at least one alert must stay in %s", inc.row.Number)
	}
	slices.SortFunc(members, func(a, b *member) int { return cmp.Compare(a.obs.Ordinal, b.obs.Ordinal) })
	fresh := e.openSplit(inc, members[0])
	e.transfer(inc, fresh, members, author(c))
	inc.row.Links = append(slices.Clone(inc.row.Links), itsm.Link{Type: itsm.LinkSplitTo, To: fresh.row.ID})
	fresh.row.Links = append(slices.Clone(fresh.row.Links), itsm.Link{Type: itsm.LinkSplitFrom, To: inc.row.ID})
	fresh.hyp.Isolated, inc.hyp.Isolated = true, true
	e.undoable(inc, itsm.EntrySplit, author(c), fmt.Sprintf("%d %s split off into %s", len(members), plural("alert", len(members)), fresh.row.Number), &undo{
		Kind: undoSplit, Other: fresh.row.ID, Alerts: fingerprints(members),
	})
	e.noteBy(fresh, itsm.EntrySplit, author(c), "split off "+inc.row.Number)
	return nil
}

// openSplit opens an incident for a member that another one holds.
func (e *Engine) openSplit(inc *incident, first *member) *incident {
	fresh := e.openIncident(first)
	fresh.row.Links = nil
	fresh.row.StartedAt = first.startsAt
	fresh.hyp.LastJoined = inc.hyp.LastJoined
	return fresh
}

func fingerprints(members []*member) []itsm.Fingerprint {
	out := make([]itsm.Fingerprint, len(members))
	for i, m := range members {
		out[i] = m.alert.fingerprint
	}
	return out
}

// transfer moves members from one incident to another by a person's decision.
func (e *Engine) transfer(from, to *incident, members []*member, by string) {
	e.leave(from, members)
	for _, m := range members {
		m.obs.Pinned, m.via = true, nil
		m.joinedAt = e.clock
		m.evidence = []itsm.Evidence{{Kind: itsm.EvidenceOperator, Text: "put here by " + by, Weight: 1}}
		e.touchMember(m)
	}
	e.arrive(to, members)
	e.touch(from)
	e.touch(to)
}

func (e *Engine) move(inc *incident, c *itsm.Command) error {
	members, err := e.pick(inc, c.Alerts)
	if err != nil {
		return err
	}
	to, err := e.refer(*c.To)
	if err != nil {
		return impossible("to: %v", err)
	}
	to = to.present(e)
	switch {
	case to == inc:
		return impossible("to: the alerts are in %s already", inc.row.Number)
	case !to.row.State.Open() && to.row.State != itsm.StateResolved:
		return impossible("to: %s is %s", to.row.Number, to.row.State)
	case len(members) == len(inc.list):
		return impossible("alerts: at least one alert must stay in %s; merge it instead", inc.row.Number)
	}
	e.transfer(inc, to, members, author(c))
	e.undoable(inc, itsm.EntryMoved, author(c), fmt.Sprintf("%d %s moved to %s", len(members), plural("alert", len(members)), to.row.Number), &undo{
		Kind: undoMove, Other: to.row.ID, Alerts: fingerprints(members),
	})
	e.noteBy(to, itsm.EntryMoved, author(c), fmt.Sprintf("%d %s moved here from %s", len(members), plural("alert", len(members)), inc.row.Number))
	return nil
}

// judge confirms or rejects a cause: a constraint for the life of the incident.
func (e *Engine) judge(inc *incident, c *itsm.Command) error {
	u := &undo{Kind: undoJudge, Item: c.Item, Change: c.Change, Held: judgementOf(inc, e.graph)}
	h, lesson := inc.hyp, ""
	if c.Item != "" {
		n, ok := e.graph.Node(c.Item)
		if !ok {
			return impossible("item: %s is not in the estate", c.Item)
		}
		lesson = e.index.Blames(h, n)
		if c.Action == itsm.ActionConfirmCause {
			h.ConfirmedItem, h.ConfirmedChange = n, ""
			h.RejectedItems = without(h.RejectedItems, n)
		} else {
			if h.ConfirmedItem == n {
				h.ConfirmedItem = cmdb.None
			}
			h.RejectedItems = append(without(h.RejectedItems, n), n)
		}
	} else {
		if e.changes[c.Change] == nil {
			return impossible("change: %s is not known", c.Change)
		}
		lesson = alike(e.changes[c.Change])
		if c.Action == itsm.ActionConfirmCause {
			h.ConfirmedItem, h.ConfirmedChange = cmdb.None, c.Change
			h.RejectedChanges = without(h.RejectedChanges, c.Change)
		} else {
			if h.ConfirmedChange == c.Change {
				h.ConfirmedChange = ""
			}
			h.RejectedChanges = append(without(h.RejectedChanges, c.Change), c.Change)
		}
	}
	verb := "confirmed"
	if c.Action == itsm.ActionRejectCause {
		verb = "rejected"
	}
	if u.Holds = judgementOf(inc, e.graph); !reflect.DeepEqual(u.Held, u.Holds) { // else it has been said before
		u.Lesson = lesson
		e.learn(lesson, c.Action, 1)
	}
	e.undoable(inc, itsm.EntryKind(c.Action), author(c), "cause "+verb+": "+cmp.Or(c.Item, c.Change), u)
	return nil
}

func without[T comparable](list []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(o T) bool { return o == v })
}

// judgement is what people have said of the causes of an incident.
type judgement struct {
	ConfirmedItem   string   `json:",omitempty"`
	ConfirmedChange string   `json:",omitempty"`
	RejectedItems   []string `json:",omitempty"`
	RejectedChanges []string `json:",omitempty"`
}

func judgementOf(inc *incident, g *cmdb.Graph) *judgement {
	j := &judgement{ConfirmedChange: inc.hyp.ConfirmedChange, RejectedChanges: slices.Clone(inc.hyp.RejectedChanges)}
	if inc.hyp.ConfirmedItem != cmdb.None {
		j.ConfirmedItem = g.Item(inc.hyp.ConfirmedItem).ID
	}
	for _, n := range inc.hyp.RejectedItems {
		j.RejectedItems = append(j.RejectedItems, g.Item(n).ID)
	}
	return j
}

// apply brings a judgement into force; items that are gone from the estate are left out.
func (j *judgement) apply(h *explain.Hypothesis, g *cmdb.Graph) {
	h.ConfirmedItem, h.ConfirmedChange, h.RejectedItems = cmdb.None, j.ConfirmedChange, nil
	h.RejectedChanges = slices.Clone(j.RejectedChanges)
	if n, ok := g.Node(j.ConfirmedItem); ok {
		h.ConfirmedItem = n
	}
	for _, id := range j.RejectedItems {
		if n, ok := g.Node(id); ok {
			h.RejectedItems = append(h.RejectedItems, n)
		}
	}
}
