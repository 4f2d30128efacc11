package correlate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// change is a change of items while it may explain something.
type change struct {
	itsm.Change
	Forget time.Time
}

// found is an item or a relation that labels have told of.
type found struct {
	Items     []itsm.Item     `json:",omitempty"`
	Relations []itsm.Relation `json:",omitempty"`
}

// dirty is what has changed since the last checkpoint.
type dirty struct {
	alerts     []*alert
	dropped    map[itsm.Fingerprint]bool
	incidents  []*incident
	forgotten  map[uint64]bool
	changes    map[string]bool
	commands   map[string]bool
	found      map[string]bool
	silences   map[string]bool
	heartbeats map[string]bool
	experience map[string]bool
	moved      []*alert // whose last record or expiry is another one
	counts     bool
	patterns   bool
}

func newDirty() dirty {
	return dirty{
		dropped: map[itsm.Fingerprint]bool{}, forgotten: map[uint64]bool{}, changes: map[string]bool{}, commands: map[string]bool{},
		found: map[string]bool{}, silences: map[string]bool{}, heartbeats: map[string]bool{}, experience: map[string]bool{},
	}
}

// What moves with every re-send, last record and expiry, is saved in bulk: mostly as a chunk of
// what has moved since the checkpoint before, and now and then as buckets of all alerts. So a
// checkpoint is as large as what happened, not as what is there.
const (
	bucketCount = 256
	maxChunks   = 256
)

// bucket holds the alerts of one such entity.
type bucket struct{ list []*alert }

func (b *bucket) add(a *alert) {
	a.slot = len(b.list)
	b.list = append(b.list, a)
}

func (b *bucket) remove(a *alert) {
	last := len(b.list) - 1
	b.list[a.slot] = b.list[last]
	b.list[a.slot].slot = a.slot
	b.list = b.list[:last]
}

func (e *Engine) moved(a *alert) {
	if !a.moved {
		a.moved = true
		e.dirty.moved = append(e.dirty.moved, a)
	}
}

func (e *Engine) save(a *alert) {
	if !a.dirty {
		a.dirty = true
		e.dirty.alerts = append(e.dirty.alerts, a)
	}
}

func (e *Engine) saveIncident(inc *incident) {
	if !inc.dirty {
		inc.dirty = true
		e.dirty.incidents = append(e.dirty.incidents, inc)
	}
}

func (e *Engine) remember(key string, f found) {
	e.found[key] = f
	e.dirty.found[key] = true
}

// Dirty returns about how many bytes Changed would return.
func (e *Engine) Dirty() int {
	return 700*len(e.dirty.alerts) + 3000*len(e.dirty.incidents) + 500*(len(e.dirty.commands)+len(e.dirty.found)+len(e.dirty.changes)+len(e.dirty.silences)+len(e.dirty.heartbeats)+len(e.dirty.experience)+e.problems.Dirty()) + e.rates.Dirty()
}

// Changed returns the entities that have changed since the last call, in the order of their keys.
func (e *Engine) Changed() []itsm.Entity {
	var out []itsm.Entity
	put := func(key string, value []byte) { out = append(out, itsm.Entity{Key: key, Value: value}) }
	for _, a := range e.dirty.alerts {
		a.dirty = false
		if e.alerts[a.fingerprint] == a {
			delete(e.dirty.dropped, a.fingerprint)
			put(alertKey(a.fingerprint), a.encode())
		}
	}
	for fp := range e.dirty.dropped {
		if e.alerts[fp] == nil {
			put(alertKey(fp), nil)
		}
	}
	for _, inc := range e.dirty.incidents {
		inc.dirty = false
		if e.incidents[inc.ordinal] == inc {
			put(incidentKey(inc.ordinal), encode(inc.saved(e.graph)))
		}
	}
	for ordinal := range e.dirty.forgotten {
		put(incidentKey(ordinal), nil)
	}
	for id := range e.dirty.changes {
		put("change/"+id, encodeOrNil(e.changes[id]))
	}
	for id := range e.dirty.commands {
		put("command/"+id, encodeOrNil(e.commands[id]))
	}
	for key := range e.dirty.found {
		put("found/"+key, encode(e.found[key]))
	}
	for id := range e.dirty.silences {
		if s := e.silences.all[id]; s != nil {
			put("silence/"+id, encode(s.Silence))
		} else {
			put("silence/"+id, nil)
		}
	}
	for key := range e.dirty.experience {
		put("experience/"+key, encode(e.experience[key]))
	}
	for key := range e.dirty.heartbeats {
		put("heartbeat/"+key, encodeOrNil(e.heartbeats[key]))
	}
	e.problems.Save(put)
	e.putMoved(put)
	e.rates.Changed(put)
	if e.dirty.patterns {
		put("patterns", encode(savedPatterns{e.patterns.version, e.patterns.file}))
	}
	if e.dirty.counts {
		put("count", encode(savedCounts{Opened: e.opened, Periods: e.periods}))
	}
	e.dirty = newDirty()
	slices.SortFunc(out, func(a, b itsm.Entity) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// putMoved saves what has moved: as a chunk, unless there are many chunks already, or as much in
// them as buckets would take.
func (e *Engine) putMoved(put func(key string, value []byte)) {
	// An alert that was forgotten may be there anew, as another one.
	moved := slices.DeleteFunc(e.dirty.moved, func(a *alert) bool { return e.alerts[a.fingerprint] != a })
	if len(moved) == 0 {
		return
	}
	for _, a := range moved {
		a.moved = false
		e.stale[a.fingerprint%bucketCount] = true
	}
	e.chunked += len(moved)
	if e.chunks < maxChunks && 2*e.chunked <= len(e.alerts) {
		put(chunkKey(e.chunks), encodeSeen(moved))
		e.chunks++
		return
	}
	for i, stale := range e.stale {
		if stale {
			put(fmt.Sprintf("seen/%02x", i), encodeSeen(e.buckets[i].list))
		}
	}
	for n := range e.chunks {
		put(chunkKey(n), nil)
	}
	e.chunks, e.chunked, e.stale = 0, 0, [bucketCount]bool{}
}

func chunkKey(n int) string { return fmt.Sprintf("moved/%02x", n) }

func alertKey(fp itsm.Fingerprint) string { return "alert/" + fp.String() }

func incidentKey(ordinal uint64) string { return fmt.Sprintf("incident/%016x", ordinal) }

// encode marshals what always marshals: our own structs of texts, numbers and times.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return b
}

func encodeOrNil[T any](v *T) []byte {
	if v == nil {
		return nil
	}
	return encode(v)
}

type savedCounts struct{ Opened, Periods uint64 }

// plainRow is a row without its public JSON form, which costs twice as much to write.
type plainRow itsm.Incident

// savedIncident is an incident as it stands in a checkpoint, without its alerts.
type savedIncident struct {
	Row        plainRow
	Ordinal    uint64
	Seq        int
	Undo       map[int]*undo        `json:",omitempty"`
	QuietAt    time.Time            `json:",omitzero"`
	Silent     map[string]time.Time `json:",omitempty"`
	ResolveDue time.Time            `json:",omitzero"`
	FlapAt     time.Time            `json:",omitzero"`
	Told       int
	ToldAt     time.Time
	Cause      string        `json:",omitempty"`
	Change     string        `json:",omitempty"`
	Score      int           `json:",omitempty"`
	Group      string        `json:",omitempty"`
	LastJoined time.Time     `json:",omitzero"`
	Isolated   bool          `json:",omitempty"`
	Shots      explain.Shots `json:",omitempty"`
	Judgement  *judgement
	Why        *itsm.PriorityReasons `json:",omitempty"`
	Trend      *trend                `json:",omitempty"`
	Phases     []itsm.Phase
	SLAAt      time.Time `json:",omitzero"`
	Changed    changed   `json:",omitzero"`
	Reconsider time.Time `json:",omitzero"`
	FadedAt    time.Time `json:",omitzero"`
}

func (inc *incident) saved(g *cmdb.Graph) savedIncident {
	h := inc.hyp
	s := savedIncident{
		Row: plainRow(inc.row), Ordinal: inc.ordinal, Seq: inc.seq, Undo: inc.undo, QuietAt: inc.quietAt, Silent: inc.silent, ResolveDue: inc.resolveDue,
		FlapAt: inc.flapAt, Told: inc.told, ToldAt: inc.toldAt, Change: h.Change, Score: h.Score, Group: h.Group, LastJoined: h.LastJoined, Shots: h.Shots,
		Isolated: h.Isolated, Judgement: judgementOf(inc, g), Phases: inc.phases, SLAAt: inc.slaAt, Why: inc.why, Trend: &inc.trend, Changed: inc.changed, Reconsider: inc.reconsiderAt, FadedAt: inc.fadedAt,
	}
	if h.Cause != cmdb.None {
		s.Cause = g.Item(h.Cause).ID
	}
	return s
}

// Restore takes one entity of a checkpoint back. It comes before Restored, and both before the
// first Apply of a new engine.
func (e *Engine) Restore(entity itsm.Entity) error {
	kind, name, _ := strings.Cut(entity.Key, "/")
	var err error
	switch kind {
	case "alert":
		err = e.restoreAlert(entity.Value)
	case "incident":
		err = e.restoreIncident(entity.Value)
	case "change":
		c := &change{}
		err = json.Unmarshal(entity.Value, c)
		e.changes[name] = c
	case "command":
		c := &answered{}
		err = json.Unmarshal(entity.Value, c)
		e.commands[name] = c
	case "silence":
		err = e.restoreSilence(entity.Value)
	case "experience":
		var x explain.Experience
		err = json.Unmarshal(entity.Value, &x)
		e.experience[name] = x
	case "heartbeat":
		err = e.restoreHeartbeat(entity.Value)
	case "patterns":
		err = e.restorePatterns(entity.Value)
	case "rate":
		e.rates.Restore(name, entity.Value)
	case "fact", "candidate":
		err = e.problems.Restore(kind, name, entity.Value)
	case "found":
		var f found
		err = json.Unmarshal(entity.Value, &f)
		e.found[name] = f
	case "seen":
		e.pendingSeen = append(e.pendingSeen, entity.Value)
	case "moved":
		var n int
		if _, err = fmt.Sscanf(name, "%02x", &n); err == nil {
			e.pendingChunks[n] = entity.Value
		}
	case "count":
		var c savedCounts
		err = json.Unmarshal(entity.Value, &c)
		e.opened, e.periods = c.Opened, c.Periods
	default:
		err = errors.New("an entity of an unknown kind; was it written by a newer version?")
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", entity.Key, err)
	}
	return nil
}

func (e *Engine) restoreIncident(value []byte) error {
	var s savedIncident
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	inc := &incident{
		row: itsm.Incident(s.Row), ordinal: s.Ordinal, seq: s.Seq, undo: s.Undo, quietAt: s.QuietAt, silent: s.Silent, flapAt: s.FlapAt, resolveDue: s.ResolveDue,
		told: s.Told, toldAt: s.ToldAt, nodes: map[cmdb.Node]int{}, on: map[cmdb.Node]int{}, why: s.Why, phases: s.Phases, slaAt: s.SLAAt, changed: s.Changed, reconsiderAt: s.Reconsider, fadedAt: s.FadedAt, restored: &s,
	}
	if s.Trend != nil {
		inc.trend = *s.Trend
	}
	if inc.undo == nil {
		inc.undo = map[int]*undo{}
	}
	if inc.silent == nil {
		inc.silent = map[string]time.Time{}
	}
	inc.hyp = &explain.Hypothesis{
		Ordinal: s.Ordinal, Cause: cmdb.None, ConfirmedItem: cmdb.None, Change: s.Change, Score: s.Score, Group: s.Group,
		LastJoined: s.LastJoined, Shots: s.Shots, Isolated: s.Isolated,
		Closed: s.Row.State == itsm.StateClosed || s.Row.State == itsm.StateCancelled, Resolved: s.Row.State == itsm.StateResolved,
	}
	e.incidents[inc.ordinal] = inc
	e.ids[inc.row.ID], e.ids[inc.row.Number] = inc, inc
	return nil
}

// Restored ends a recovery: estate and rules are the bytes of the versions that the position
// names, nil when it names none.
func (e *Engine) Restored(at itsm.Position, estate, rules []byte) error {
	e.clock = at.Clock
	if at.Rules != "" {
		cfg, err := decodeRules(rules)
		if err != nil {
			return fmt.Errorf("rules %s: %w", at.Rules, err)
		}
		if err := e.force(cfg, at.Rules); err != nil {
			return err
		}
	}
	if at.Estate != "" {
		graph, err := decodeEstate(estate)
		if err != nil {
			return fmt.Errorf("estate %s: %w", at.Estate, err)
		}
		e.graph, e.estate = graph, at.Estate
	}
	e.graph.Discover(e.discovered())
	e.graph.Refresh(e.clock)
	if err := e.restoreMoved(); err != nil {
		return err
	}
	e.restoreHeartbeats()
	if err := errors.Join(e.rates.Restored(), e.restoreSilences()); err != nil {
		return err
	}
	e.windows.by = e.coverage()
	for _, fp := range sortedKeys(e.alerts) {
		a := e.alerts[fp]
		e.buckets[fp%bucketCount].add(a)
		a.node = cmdb.None
		if n, ok := e.graph.Node(a.item); ok && a.item != "" {
			a.node = n
		}
		a.window, a.condition = e.windows.at(a.node), e.conditionOf(a)
		for _, m := range a.members {
			if m.ordinal == 0 {
				continue
			}
			inc := e.incidents[m.ordinal]
			if inc == nil {
				return fmt.Errorf("restore alert %s: incident %d is missing", fp, m.ordinal)
			}
			m.inc = inc
			inc.list = append(inc.list, m)
		}
	}
	for _, inc := range e.inOrder() {
		s := inc.restored
		inc.restored = nil
		quiet := inc.quietAt
		belief{s.Cause, s.Judgement}.apply(inc, e.graph)
		inc.recount(e.graph)
		inc.quietAt = quiet
		for source := range inc.silent {
			e.silent[source] = append(e.silent[source], inc)
		}
	}
	e.reindex()
	e.usePatterns(e.patterns.version, e.patterns.file)
	e.restoreTimers()
	e.dirty = newDirty()
	return nil
}

// restoreMoved takes back what was saved in bulk: buckets first, then the newer chunks in order.
func (e *Engine) restoreMoved() error {
	for _, value := range e.pendingSeen {
		if _, err := e.restoreSeen(value); err != nil {
			return err
		}
	}
	for _, n := range sortedKeys(e.pendingChunks) {
		fps, err := e.restoreSeen(e.pendingChunks[n])
		if err != nil {
			return err
		}
		for _, fp := range fps {
			e.stale[fp%bucketCount] = true
		}
		e.chunks, e.chunked = n+1, e.chunked+len(fps)
	}
	e.pendingSeen, e.pendingChunks = nil, nil
	return nil
}

func (e *Engine) restoreTimers() {
	e.restoreProblems()
	for _, fp := range sortedKeys(e.alerts) {
		a := e.alerts[fp]
		if a.open {
			e.watchExpiry(a)
		}
		e.restoreSettling(a)
		if !a.purgeAt.IsZero() {
			e.timers.push(timer{at: a.purgeAt, kind: timerPurge, fingerprint: fp})
		}
	}
	for _, inc := range e.inOrder() {
		if due := inc.resolveDue; !due.IsZero() {
			e.timers.push(timer{at: due, kind: timerResolve, ordinal: inc.ordinal})
		}
		if inc.row.Flapping {
			e.timers.push(timer{at: inc.flapAt, kind: timerFlap, ordinal: inc.ordinal})
		}
		if !inc.reconsiderAt.IsZero() {
			e.timers.push(timer{at: inc.reconsiderAt, kind: timerReconsider, ordinal: inc.ordinal})
		}
		if !inc.slaAt.IsZero() {
			e.timers.push(timer{at: inc.slaAt, kind: timerSLA, ordinal: inc.ordinal})
		}
		if at := inc.trend.LookAt; !at.IsZero() {
			e.timers.push(timer{at: at, kind: timerTrend, ordinal: inc.ordinal})
		}
		if inc.row.State.Open() && inc.counts.Total > inc.told {
			e.tellLater(inc)
		}
		e.schedule(inc)
	}
	for _, id := range sortedKeys(e.changes) {
		e.watchMaintenance(e.changes[id])
		e.timers.push(timer{at: e.changes[id].Forget, kind: timerChange, name: id})
	}
	for _, id := range sortedKeys(e.commands) {
		e.timers.push(timer{at: e.commands[id].Forget, kind: timerCommand, name: id})
	}
}
