package correlate

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// incident is one hypothesis with its life.
type incident struct {
	row     itsm.Incident // as last published, with the evidence of its causes
	ordinal uint64
	hyp     *explain.Hypothesis
	list    []*member

	counts   itsm.AlertCounts
	firing   [6]int // firing alerts by severity
	all      [6]int // all alerts by severity
	nodes    map[cmdb.Node]int
	on       map[cmdb.Node]int // firing alerts of each
	front    []cmdb.Node       // the first of them, in the order of joining
	standing standing          // the items by how badly they say they are hurt, and by criticality
	under    map[*window]int   // firing alerts by the maintenance that covers them

	seq        int // timeline entries so far
	entries    []itsm.Entry
	undo       map[int]*undo
	quietAt    time.Time            // when the last alert ended
	silent     map[string]time.Time // sources that fell silent, and when
	resolveDue time.Time
	closeAt    time.Time
	forgetDue  time.Time
	flapAt     time.Time // when to look whether it still flaps
	told       int       // alerts that the timeline has told of
	toldAt     time.Time
	tellDue    time.Time // when a timer looks whether there is more to tell

	fadedAt      time.Time // what ended correlate.window before is no evidence any more
	reconsiderAt time.Time // when what joined can be judged; zero: nothing waits

	phases     []itsm.Phase // what held when, for the clocks; at most maxPhases
	slaAt      time.Time    // when a clock changes by itself
	remeasure  bool         // the targets are other ones
	unattended bool         // it is resolving itself

	restless []*member // that have fired more than once of late

	changed changed               // that it is put down to
	why     *itsm.PriorityReasons // as last computed
	walked  walked
	trend   trend

	opening  bool           // not yet published
	restored *savedIncident // while a recovery has not linked it yet
	touched  bool
	review   bool // touched only to see whether it changes
	dirty    bool
}

// maxItems bounds the items in a row, maxServices the services.
const (
	maxItems    = 50
	maxServices = 20
)

// openIncident opens the next incident for a member that is not in it yet.
func (e *Engine) openIncident(first *member) *incident {
	e.opened++
	e.dirty.counts = true
	inc := &incident{ordinal: e.opened, nodes: map[cmdb.Node]int{}, on: map[cmdb.Node]int{}, undo: map[int]*undo{}, silent: map[string]time.Time{}, opening: true}
	inc.hyp = &explain.Hypothesis{Ordinal: e.opened, Cause: cmdb.None, ConfirmedItem: cmdb.None, LastJoined: e.clock}
	if first.obs.Node == cmdb.None {
		inc.hyp.Group = first.obs.Group
	}
	inc.row = itsm.Incident{
		ID: e.incidentID(first), Number: e.number(e.opened), State: itsm.StateNew, OpenedAt: e.clock, StartedAt: first.startsAt, UpdatedAt: e.clock,
	}
	e.incidents[inc.ordinal] = inc
	e.ids[inc.row.ID], e.ids[inc.row.Number] = inc, inc
	if previous := first.alert.current(); previous != nil && previous.inc != nil {
		inc.row.Links = append(inc.row.Links, itsm.Link{Type: itsm.LinkRecurrenceOf, To: previous.inc.row.ID})
	}
	e.touch(inc)
	e.note(inc, itsm.EntryOpened, "opened by "+first.alert.kind())
	return inc
}

// incidentID follows from the shard, the first period and the ordinal.
func (e *Engine) incidentID(first *member) string {
	h := fnv.New128a()
	var b [32]byte
	binary.BigEndian.PutUint64(b[:], uint64(e.opts.Shard)) //nolint:gosec // not negative
	binary.BigEndian.PutUint64(b[8:], uint64(first.alert.fingerprint))
	binary.BigEndian.PutUint64(b[16:], uint64(first.startsAt.UnixNano())) //nolint:gosec // a hash
	binary.BigEndian.PutUint64(b[24:], e.opened)
	_, _ = h.Write(b[:]) // never fails
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (e *Engine) number(ordinal uint64) string {
	if e.opts.Shards > 1 {
		return fmt.Sprintf("%s%d-%06d", e.cfg.Incident.NumberPrefix, e.opts.Shard, ordinal)
	}
	return fmt.Sprintf("%s%06d", e.cfg.Incident.NumberPrefix, ordinal)
}

// join makes a waiting period a member of an incident.
func (e *Engine) join(m *member, inc *incident) {
	a := m.alert
	a.waiting = nil
	if have := a.in(inc); have != nil {
		e.rejoin(have, m)
		return
	}
	a.members = append(a.members, m)
	m.inc = inc
	e.attend(m)
	inc.list = append(inc.list, m)
	inc.enter(m, e.graph)
	if m.startsAt.Before(inc.row.StartedAt) {
		inc.row.StartedAt = m.startsAt
	}
	e.save(a)
	e.touchMember(m)
	e.touch(inc)
	e.watchJoined(inc)
	e.regroup(m)
}

// rejoin brings a waiting period to the member that its alert has in the incident from an earlier one.
func (e *Engine) rejoin(have, m *member) {
	inc := have.inc
	inc.tally(have, -1)
	e.unite(have, m)
	have.status, have.lastStartsAt, have.endsAt, have.last = m.status, m.lastStartsAt, m.endsAt, nil
	inc.tally(have, 1)
	e.attend(have)
	e.began(have, m.recent...)
	inc.hyp.LastJoined = e.clock
	if inc.counts.Firing > 0 {
		inc.quietAt = time.Time{}
	}
	e.touch(inc)
}

// tally counts a member in (by 1) or out (by -1) by its status.
func (inc *incident) tally(m *member, by int) {
	inc.counts.Total += by
	inc.all[m.alert.severity.Rank()] += by
	switch m.status {
	case itsm.StatusFiring:
		inc.counts.Firing += by
		inc.firing[m.alert.severity.Rank()] += by
		if n := m.alert.node; n != cmdb.None {
			if inc.on[n] += by; inc.on[n] == 0 {
				delete(inc.on, n)
			}
		}
		if m.alert.suppressed() {
			inc.counts.Suppressed += by
		}
		if w := m.alert.window; w != nil {
			inc.countWindow(w, by)
		}
	case itsm.StatusExpired:
		inc.counts.Expired += by
	default:
		inc.counts.Resolved += by
	}
}

// enter counts a new member in.
func (inc *incident) enter(m *member, g *cmdb.Graph) {
	inc.tally(m, 1)
	if inc.counts.Firing > 0 {
		inc.quietAt = time.Time{}
	}
	if n := m.alert.node; n != cmdb.None {
		inc.hyp.Bound++
		inc.stand(m, g)
		if inc.nodes[n]++; inc.nodes[n] == 1 && len(inc.front) < maxItems {
			inc.front = append(inc.front, n)
		}
	}
}

// recount counts everything anew, after members have left or items are other ones.
func (inc *incident) recount(g *cmdb.Graph) {
	inc.counts, inc.firing, inc.all, inc.standing = itsm.AlertCounts{}, [6]int{}, [6]int{}, standing{}
	inc.hyp.Bound = 0
	inc.nodes, inc.on, inc.front, inc.restless, inc.walked = map[cmdb.Node]int{}, map[cmdb.Node]int{}, nil, nil, walked{}
	inc.under = nil
	slices.SortFunc(inc.list, func(a, b *member) int { return cmp.Compare(a.obs.Ordinal, b.obs.Ordinal) })
	quiet := inc.quietAt
	for _, m := range inc.list {
		inc.enter(m, g)
		m.restless = false
		inc.watch(m)
	}
	if inc.counts.Firing == 0 {
		inc.quietAt = quiet
	}
}

// leave takes members out of their incident, without publishing anything.
func (e *Engine) leave(inc *incident, members []*member) {
	if !inc.hyp.Closed {
		for _, m := range members {
			e.unattend(m)
		}
	}
	gone := make(map[*member]bool, len(members))
	for _, m := range members {
		gone[m] = true
	}
	inc.list = slices.DeleteFunc(inc.list, func(m *member) bool { return gone[m] })
	inc.recount(e.graph)
	if inc.counts.Firing == 0 && inc.quietAt.IsZero() {
		inc.quietAt = e.clock
	}
}

// arrive brings members that have left another incident into this one. An alert that both have
// held becomes one member again.
func (e *Engine) arrive(inc *incident, members []*member) {
	for _, m := range members {
		have := m.alert.in(inc)
		if have != nil && have != m {
			e.unite(have, m)
			continue
		}
		m.inc = inc
		e.attend(m)
		inc.list = append(inc.list, m)
		if m.startsAt.Before(inc.row.StartedAt) {
			inc.row.StartedAt = m.startsAt
		}
		e.save(m.alert)
	}
	inc.recount(e.graph)
	e.regroup(members...)
	if inc.counts.Firing == 0 && inc.quietAt.IsZero() {
		inc.quietAt = e.clock
	}
}

// unite makes two members of one alert in one incident one; the later one's status holds.
func (e *Engine) unite(have, m *member) {
	have.count += m.count
	have.flapping = have.flapping || m.flapping
	have.unsettled += m.unsettled
	if have.settleAt.IsZero() {
		have.settleAt, have.shown = m.settleAt, m.shown
	}
	if m.startsAt.Before(have.startsAt) {
		have.startsAt = m.startsAt
	}
	if m.lastStartsAt.After(have.lastStartsAt) {
		have.lastStartsAt, have.endsAt, have.status, have.last = m.lastStartsAt, m.endsAt, m.status, m.last
	}
	if m.home != "" {
		e.now.gone = append(e.now.gone, itsm.AlertChange{Incident: m.home, Fingerprint: m.alert.fingerprint})
	}
	a := m.alert
	a.members = slices.DeleteFunc(a.members, func(o *member) bool { return o == m || o == have })
	a.members = append(a.members, have)
	for i := range a.past {
		if a.past[i].member == m {
			a.past[i].member = have
		}
	}
	e.save(a)
	e.attend(have)
	e.touchMember(have)
}

// reopen brings a resolved incident back when one of its alerts fires again.
func (e *Engine) reopen(m *member) {
	inc := m.inc
	if inc.row.State != itsm.StateResolved {
		return
	}
	before := decisionOf(&inc.row)
	inc.row.State = itsm.StateNew
	if inc.row.AcknowledgedAt != nil || inc.row.Assignee != nil {
		inc.row.State = itsm.StateInProgress
	}
	inc.row.ResolvedAt, inc.row.ResolutionCode, inc.row.ResolutionNotes = nil, nil, nil
	inc.row.ReopenCount++
	inc.hyp.Resolved = false
	e.fade(inc, e.clock.Add(e.cfg.Correlate.Window)) // what had ended explains nothing of what begins now
	e.decide(inc, itsm.EntryState, "opened again: "+m.alert.kind()+" fires again", before)
}

// mergeByCause merges two incidents that turned out to have one cause; the older one is kept.
func (e *Engine) mergeByCause(g explain.Merge) {
	from, into := e.incidents[g.From.Ordinal].present(e), e.incidents[g.Into.Ordinal].present(e)
	if from == into {
		return
	}
	if from.ordinal < into.ordinal {
		from, into = into, from
	}
	e.merge(from, into, itsm.ByEngine, "both come from "+e.graph.Name(g.Cause))
}

// present follows merges to the incident that holds the alerts now.
func (inc *incident) present(e *Engine) *incident {
	for inc.row.MergedInto != nil {
		next := e.ids[*inc.row.MergedInto]
		if next == nil {
			return inc
		}
		inc = next
	}
	return inc
}

// merge moves everything of one incident into another.
func (e *Engine) merge(from, into *incident, by, why string) {
	before := decisionOf(&from.row)
	members := slices.Clone(from.list)
	for _, m := range members {
		m.via = append(m.via, from.ordinal)
	}
	for _, m := range members {
		e.unattend(m)
	}
	from.list = nil
	from.recount(e.graph)
	e.index.Forget(from.hyp)
	e.arrive(into, members)
	for source, at := range from.silent {
		if have, ok := into.silent[source]; !ok || at.After(have) {
			into.silent[source] = at
		}
		e.silent[source] = append(slices.DeleteFunc(e.silent[source], func(o *incident) bool { return o == from || o == into }), into)
	}
	from.silent = map[string]time.Time{}
	at, id := e.clock, into.row.ID
	from.row.State, from.row.ClosedAt, from.row.MergedInto = itsm.StateClosed, &at, &id
	from.hyp.Closed = true
	number := len(members)
	e.undoable(into, itsm.EntryMerged, by, fmt.Sprintf("%s with %d alerts merged in: %s", from.row.Number, number, why), &undo{
		Kind: undoMerge, Other: from.row.ID, Before: before,
	})
	e.noteBy(from, itsm.EntryMerged, by, "merged into "+into.row.Number+": "+why)
	e.touch(from)
	e.touch(into)
}

// forget drops a closed incident and the alerts that only it held.
func (e *Engine) forget(inc *incident) {
	e.index.Forget(inc.hyp)
	for _, m := range inc.list {
		if m.home != "" {
			e.now.gone = append(e.now.gone, itsm.AlertChange{Incident: m.home, Fingerprint: m.alert.fingerprint})
		}
		a := m.alert
		a.members = slices.DeleteFunc(a.members, func(o *member) bool { return o == m })
		m.inc = nil
		if len(a.members) == 0 && !a.open {
			e.drop(a)
		} else {
			e.save(a)
		}
	}
	delete(e.incidents, inc.ordinal)
	delete(e.ids, inc.row.ID)
	delete(e.ids, inc.row.Number)
	for source := range inc.silent {
		e.silent[source] = slices.DeleteFunc(e.silent[source], func(o *incident) bool { return o == inc })
	}
	e.now.forgotten = append(e.now.forgotten, inc)
	e.dirty.forgotten[inc.ordinal] = true
}

// complete is the incident with its alerts, as a replay writes it.
func (inc *incident) complete() itsm.Incident {
	out := inc.row
	out.Alerts = make([]itsm.AlertState, 0, len(inc.list))
	for _, m := range inc.list {
		out.Alerts = append(out.Alerts, m.state())
	}
	slices.SortFunc(out.Alerts, func(a, b itsm.AlertState) int {
		return cmp.Or(a.JoinedAt.Compare(b.JoinedAt), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return out
}

// schedule sets the timers that follow from where an incident stands.
func (e *Engine) schedule(inc *incident) {
	push := func(at time.Time, kind timerKind) { e.timers.push(timer{at: at, kind: kind, ordinal: inc.ordinal}) }
	due := time.Time{}
	if inc.row.State.Open() && inc.counts.Firing == 0 && len(inc.silent) == 0 && !inc.quietAt.IsZero() {
		due = inc.quietAt.Add(e.cfg.Incident.AutoResolveAfter)
		if inc.row.Flapping && due.Before(inc.flapAt) {
			due = inc.flapAt
		}
		if due.Before(e.clock) {
			due = e.clock
		}
	}
	if !due.Equal(inc.resolveDue) {
		if inc.resolveDue = due; !due.IsZero() {
			push(due, timerResolve)
		}
	}
	closed := time.Time{}
	if inc.row.State == itsm.StateResolved {
		closed = inc.row.ResolvedAt.Add(e.cfg.Incident.CloseAfter)
	}
	if !closed.Equal(inc.closeAt) {
		if inc.closeAt = closed; !closed.IsZero() {
			push(closed, timerClose)
		}
	}
	forget := time.Time{}
	switch {
	case inc.row.State == itsm.StateClosed && inc.row.ClosedAt != nil:
		forget = inc.row.ClosedAt.Add(e.cfg.Incident.ForgetAfter)
	case inc.row.State == itsm.StateCancelled:
		forget = inc.row.UpdatedAt.Add(e.cfg.Incident.ForgetAfter)
	}
	if !forget.Equal(inc.forgetDue) {
		if inc.forgetDue = forget; !forget.IsZero() {
			push(forget, timerForget)
		}
	}
	if at := inc.row.HoldUntil; at != nil && inc.row.State == itsm.StateOnHold {
		push(*at, timerHold)
	}
	if at := inc.row.SnoozedUntil; at != nil {
		push(*at, timerSnooze)
	}
}
