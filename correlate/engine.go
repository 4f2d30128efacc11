// Package correlate turns alerts into incidents. The Engine is pure: the same inputs in the same
// order give the same updates, whenever and however often it is restored from its entities in
// between. It has no clock, does no I/O and starts no goroutine; one goroutine uses it. The Loop
// around it reads the log of one shard, publishes what follows, and cuts checkpoints.
//
// It refuses to decide by names of items or by anything that is not in its log.
package correlate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/correlate/learn"
	"signalbox/correlate/problem"
	"signalbox/itsm"
	"signalbox/sla"
)

// Options are what an Engine is built with.
type Options struct {
	Shard, Shards int
	Config        Config
	// Keep remembers closed incidents for ever, and which incident held each period: for replays.
	Keep bool
	// Patterns is what was learned from the past; nil: nothing.
	Patterns *learn.File
}

// Engine is the state of one shard. See the package comment for what it promises.
type Engine struct {
	opts  Options
	cfg   Config
	clock time.Time
	// Versions in force; the fault is why the last one was refused.
	estate, rules, fault string

	targets *sla.Targets
	clocks  map[ClockEvent]int // since Clocked was last called
	held    int                // since Held was last called

	graph    *cmdb.Graph
	index    *explain.Index
	rates    *explain.Rates
	patterns patterns

	alerts     map[itsm.Fingerprint]*alert
	incidents  map[uint64]*incident // by ordinal
	ids        map[string]*incident // by id and by number
	changes    map[string]*change
	experience map[string]explain.Experience
	commands   map[string]*answered
	silences   silences
	windows    windows
	heartbeats map[string]*itsm.Heartbeat // by key
	problems   *problem.Book
	sweepAt    time.Time              // when the problems are to be looked at; zero: never
	silent     map[string][]*incident // incidents that wait for a record of a source
	opened     uint64                 // incidents so far
	periods    uint64                 // observations so far
	timers     timers
	buckets    [bucketCount]bucket

	// Chunks since the buckets were saved, the entries in them, and the buckets they are newer than.
	chunks, chunked int
	stale           [bucketCount]bool

	pendingSeen   [][]byte // of a recovery
	pendingChunks map[int][]byte

	fresh []*member        // members in waiting: periods of this record that no incident holds yet
	hurt  hurtCache        // what the failure of one item hurts
	found map[string]found // what labels have told of the estate, by key
	now   now              // what the present instant has changed
	dirty dirty            // what the next checkpoint writes
}

// now collects what one instant changes; flush turns it into updates.
type now struct {
	incidents  []*incident
	members    []*member
	loose      []*alert // alerts in no incident
	gone       []itsm.AlertChange
	outcomes   []itsm.Outcome // of commands that came again
	answers    []*answered
	adopted    bool
	items      []itsm.Item
	relations  []itsm.Relation
	forgotten  []*incident
	silences   []string      // ids of those that stand differently
	heartbeats []string      // keys of those that were heard or forgotten
	windows    []itsm.Update // of maintenance
}

// New builds an engine with an empty estate. The presets of an empty estate discover items.
func New(opts Options) (*Engine, error) {
	if err := opts.Config.Validate(); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if opts.Shards < 1 || opts.Shard < 0 || opts.Shard >= opts.Shards {
		return nil, fmt.Errorf("shard %d of %d: does not exist", opts.Shard, opts.Shards)
	}
	graph, err := cmdb.NewGraph(&cmdb.Estate{})
	if err != nil {
		return nil, fmt.Errorf("empty estate: %w", err)
	}
	e := &Engine{
		opts: opts, graph: graph,
		alerts: map[itsm.Fingerprint]*alert{}, incidents: map[uint64]*incident{}, ids: map[string]*incident{},
		changes: map[string]*change{}, experience: map[string]explain.Experience{}, commands: map[string]*answered{}, silent: map[string][]*incident{}, found: map[string]found{}, pendingChunks: map[int][]byte{}, clocks: map[ClockEvent]int{}, dirty: newDirty(),
	}
	e.problems = problem.NewBook(opts.Config.Problem, opts.Shard)
	if err := e.force(opts.Config, ""); err != nil {
		return nil, err
	}
	e.silences.all, e.heartbeats = map[string]*silence{}, map[string]*itsm.Heartbeat{}
	e.index, e.rates = explain.NewIndex(graph, opts.Config.Correlate.explain()), explain.NewRates(opts.Patterns)
	e.index.Follow(e.rates)
	e.index.Experienced(e.experience)
	return e, nil
}

// Position is where the engine stands but for the offset, which it does not know.
func (e *Engine) Position() itsm.Position {
	return itsm.Position{Clock: e.clock, Estate: e.estate, Rules: e.rules, Patterns: e.patterns.version}
}

// Apply fires every timer that is due and then applies an input, all at the record's time; time
// never runs backwards. It returns what follows, to be published in this order.
func (e *Engine) Apply(at time.Time, in itsm.Input) []itsm.Update {
	updates := e.Advance(at)
	e.refresh()
	if in.Adopt != nil {
		e.adopt(in.Adopt)
	}
	for i := range in.Silences {
		id := in.Silences[i].ID
		if !slices.ContainsFunc(in.Silences[i+1:], func(s itsm.Silence) bool { return s.ID == id }) {
			e.silence(&in.Silences[i])
		}
	}
	e.suppress()
	for i := range in.Changes {
		id := in.Changes[i].ID
		if !slices.ContainsFunc(in.Changes[i+1:], func(c itsm.Change) bool { return c.ID == id }) {
			e.change(&in.Changes[i])
		}
	}
	e.maintain()
	for i := range in.Alerts {
		e.observe(&in.Alerts[i])
	}
	e.assign()
	for i := range in.Commands {
		e.command(&in.Commands[i])
	}
	return e.flush(updates)
}

// Advance fires every timer due at or before a moment, each with its own deadline as the time.
func (e *Engine) Advance(at time.Time) []itsm.Update {
	var updates []itsm.Update
	for {
		due, ok := e.timers.next()
		if !ok || due.After(at) {
			break
		}
		e.setClock(due)
		for {
			t, ok := e.timers.pop(due)
			if !ok {
				break
			}
			e.fire(t)
		}
		updates = e.flush(updates)
	}
	e.setClock(at)
	return updates
}

func (e *Engine) setClock(at time.Time) {
	if at.After(e.clock) {
		e.clock = at.UTC()
	}
}

// Deadline returns when the next timer is due.
func (e *Engine) Deadline() (time.Time, bool) { return e.timers.next() }

// Limited returns how many searches for causes each limit has ended since the last call.
func (e *Engine) Limited() map[string]int { return e.index.Limited() }

// RatesDropped returns how many types of items were no longer counted, for there were too many, since the last call.
func (e *Engine) RatesDropped() int { return e.rates.Dropped() }

// refresh brings the graph to the present; relations that began or ended change what is likely.
func (e *Engine) refresh() {
	if e.graph.Refresh(e.clock) {
		e.reindex()
	}
}

// reindex hands everything to a new index.
func (e *Engine) reindex() {
	e.index = explain.NewIndex(e.graph, e.cfg.Correlate.explain())
	e.index.Follow(e.rates)
	e.index.Experienced(e.experience)
	e.hurt.clear()
	e.windows.stale = true // other relations, or other nodes
	for _, id := range sortedKeys(e.changes) {
		e.indexChange(e.changes[id])
	}
	for _, inc := range e.inOrder() {
		joined := inc.hyp.LastJoined
		inc.hyp.Reset()
		inc.recount(e.graph)
		for _, m := range inc.list {
			m.obs.Node = m.alert.node
			m.obs.Reset()
			e.attend(m)
		}
		inc.hyp.LastJoined = joined
	}
	for _, fp := range sortedKeys(e.alerts) {
		if a := e.alerts[fp]; a.quiet && a.open && a.node != cmdb.None {
			e.index.AddContext(a.node)
		}
	}
}

func (e *Engine) inOrder() []*incident {
	out := make([]*incident, 0, len(e.incidents))
	for _, inc := range e.incidents {
		out = append(out, inc)
	}
	slices.SortFunc(out, func(a, b *incident) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return out
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// adopt brings versions into force. What cannot be used is refused whole: the ones before stay.
func (e *Engine) adopt(a *itsm.Adopt) {
	var errs []error
	if a.Rules != nil {
		if err := e.adoptRules(a.Rules); err != nil {
			errs = append(errs, fmt.Errorf("rules %s: %w", a.Rules.ID, err))
		}
	}
	if a.Estate != nil {
		if err := e.adoptEstate(a.Estate); err != nil {
			errs = append(errs, fmt.Errorf("estate %s: %w", a.Estate.ID, err))
		}
	}
	if a.Patterns != nil {
		if err := e.adoptPatterns(a.Patterns); err != nil {
			errs = append(errs, fmt.Errorf("patterns %s: %w", a.Patterns.ID, err))
		}
	}
	e.fault = ""
	if err := errors.Join(errs...); err != nil {
		e.fault = err.Error()
	}
	e.now.adopted = true
}

func (e *Engine) adoptRules(v *itsm.Version) error {
	if v.ID == e.rules { // the same bytes
		return nil
	}
	cfg, err := decodeRules(v.Data)
	if err != nil {
		return err
	}
	if err := e.force(cfg, v.ID); err != nil {
		return err
	}
	for _, a := range e.alerts {
		a.condition = e.conditionOf(a) // another label may be the severity
	}
	e.reindex()
	for _, inc := range e.inOrder() {
		if inc.row.State.Open() {
			inc.remeasure = true
			e.review(inc)
		}
	}
	return nil
}

// force brings rules into force.
func (e *Engine) force(cfg Config, version string) error {
	targets, err := sla.New(cfg.SLA)
	if err != nil {
		return fmt.Errorf("rules %s: %w", version, err)
	}
	e.cfg, e.rules, e.targets = cfg, version, targets
	e.problems.Configure(cfg.Problem)
	return nil
}

func decodeRules(data []byte) (Config, error) {
	cfg := DefaultConfig()
	cfg.Severity.Values = nil // a JSON object is merged into a map that is there
	if err := json.Unmarshal(data, &cfg); err != nil {
		return cfg, fmt.Errorf("decode: %w", err)
	}
	return cfg, cfg.Validate()
}

func (e *Engine) adoptEstate(v *itsm.Version) error {
	if v.ID == e.estate { // the same bytes
		return nil
	}
	graph, err := decodeEstate(v.Data)
	if err != nil {
		return err
	}
	beliefs := map[uint64]belief{}
	for ordinal, inc := range e.incidents {
		beliefs[ordinal] = e.beliefOf(inc)
	}
	items, relations := e.discovered()
	e.graph, e.estate = graph, v.ID
	e.windows.moved = true
	e.graph.Discover(items, relations)
	e.graph.Refresh(e.clock)
	for ordinal, inc := range e.incidents {
		beliefs[ordinal].apply(inc, e.graph)
	}
	for _, fp := range sortedKeys(e.alerts) {
		a := e.alerts[fp]
		item, tried := a.item, a.tried
		if e.bind(a); a.item != item || a.tried != tried {
			e.rebound(a)
		}
	}
	e.usePatterns(e.patterns.version, e.patterns.file)
	e.reindex()
	for _, inc := range e.inOrder() {
		if inc.row.State.Open() {
			e.review(inc)
		}
	}
	return nil
}

// belief is what an incident holds of items, by their ids: another graph has other nodes.
type belief struct {
	cause     string
	judgement *judgement
}

func (e *Engine) beliefOf(inc *incident) belief {
	b := belief{judgement: judgementOf(inc, e.graph)}
	if inc.hyp.Cause != cmdb.None {
		b.cause = e.graph.Item(inc.hyp.Cause).ID
	}
	return b
}

func (b belief) apply(inc *incident, g *cmdb.Graph) {
	inc.hyp.Cause = cmdb.None
	if n, ok := g.Node(b.cause); ok && b.cause != "" {
		inc.hyp.Cause = n
	}
	b.judgement.apply(inc.hyp, g)
	inc.walked = walked{}
}

func decodeEstate(data []byte) (*cmdb.Graph, error) {
	parts, err := cmdb.Decode(data)
	if err != nil {
		return nil, err
	}
	estate, err := parts.Merge()
	if err != nil {
		return nil, err
	}
	return cmdb.NewGraph(estate)
}

// discovered returns what labels have told of the estate so far, items first.
func (e *Engine) discovered() ([]itsm.Item, []itsm.Relation) {
	var items []itsm.Item
	var relations []itsm.Relation
	for _, key := range sortedKeys(e.found) {
		f := e.found[key]
		items = append(items, f.Items...)
		relations = append(relations, f.Relations...)
	}
	return items, relations
}

// rebound publishes an alert whose item is another one now.
func (e *Engine) rebound(a *alert) {
	if a.quiet {
		e.touchLoose(a)
		return
	}
	e.save(a)
	if m := a.current(); m != nil && m.inc != nil {
		e.touchMember(m)
		e.touch(m.inc)
	}
}

// bind finds the item of an alert.
func (e *Engine) bind(a *alert) {
	m := e.graph.Bind(a.labels)
	if (len(m.Items) > 0 || len(m.Relations) > 0) && !e.graph.Known(m.Items, m.Relations) {
		e.discover(m.Items, m.Relations)
	}
	a.node, a.item, a.tried, a.condition = cmdb.None, "", "", 0
	if n, ok := e.graph.Node(m.ID); ok && m.ID != "" && len(m.Tie) == 0 {
		a.node, a.item = n, m.ID
		a.condition = e.conditionOf(a)
		return
	}
	a.tried = strings.Join(m.Tried, "; ")
	if len(m.Tie) > 0 {
		a.tried = m.How + ": " + strings.Join(m.Tie, ", ")
	}
}

func (e *Engine) discover(items []itsm.Item, relations []itsm.Relation) {
	var newItems []itsm.Item
	for _, it := range items {
		if _, ok := e.graph.Node(it.ID); !ok {
			it.Discovered = true
			newItems = append(newItems, it)
			e.remember("item/"+it.ID, found{Items: []itsm.Item{it}})
		}
	}
	touched := e.graph.Discover(items, relations)
	for _, r := range relations {
		key := "relation/" + r.From + "/" + string(r.Type) + "/" + r.To
		if _, ok := e.found[key]; ok {
			continue
		}
		_, from := e.graph.Node(r.From)
		_, to := e.graph.Node(r.To)
		if from && to && r.From != r.To {
			r.Discovered = true
			e.now.relations = append(e.now.relations, r)
			e.remember(key, found{Relations: []itsm.Relation{r}})
		}
	}
	e.now.items = append(e.now.items, newItems...)
	if len(touched) > 0 {
		e.index.Rewire(touched)
		e.hurt.clear()
		e.windows.stale = e.windows.stale || len(e.windows.by) > 0
	}
}

// change takes a change of items into account. Incidents that it may explain are ranked again.
func (e *Engine) change(c *itsm.Change) {
	have := &change{Change: *c, Forget: e.clock.Add(2 * e.cfg.Correlate.LookBack)}
	if c.Kind == itsm.ChangeMaintenance && c.EndsAt != nil && c.EndsAt.After(have.Forget) {
		have.Forget = *c.EndsAt // what holds then is to be known until then
	}
	if have.StartsAt.IsZero() {
		have.StartsAt = e.clock
	}
	before := e.changes[c.ID]
	e.publishMaintenance(before, have.Change)
	e.watchMaintenance(have)
	e.changes[c.ID] = have
	e.dirty.changes[c.ID] = true
	e.timers.push(timer{at: have.Forget, kind: timerChange, name: c.ID})
	if before != nil && reflect.DeepEqual(before.Change, have.Change) {
		return
	}
	nodes := e.changed(have)
	if before != nil {
		nodes = append(nodes, e.changed(before)...)
	}
	e.indexChange(have)
	for _, h := range e.index.Around(nodes) {
		if inc := e.incidents[h.Ordinal]; inc.row.State.Open() && e.clock.Sub(h.LastJoined) <= e.cfg.Correlate.Window {
			e.review(inc)
		}
	}
}

// changed finds the items of a change, each once.
func (e *Engine) changed(c *change) []cmdb.Node {
	var nodes []cmdb.Node
	add := func(id string) {
		if n, ok := e.graph.Node(id); ok && !slices.Contains(nodes, n) {
			nodes = append(nodes, n)
		}
	}
	for _, id := range c.Items {
		add(id)
	}
	if len(c.Labels) > 0 {
		if m := e.graph.Bind(c.Labels); len(m.Tie) == 0 {
			add(m.ID)
		}
	}
	return nodes
}

func (e *Engine) indexChange(c *change) {
	out := explain.Change{ID: c.ID, Kind: c.Kind, Title: c.Title, Status: cmp.Or(c.Status, "succeeded"), Nodes: e.changed(c), StartsAt: c.StartsAt, Alike: alike(c)}
	if c.EndsAt != nil {
		out.EndsAt = *c.EndsAt
	}
	e.index.AddChange(out)
}

// Incidents returns every incident in memory, complete with alerts and evidence, by openedAt and
// then id.
func (e *Engine) Incidents() []itsm.Incident {
	out := make([]itsm.Incident, 0, len(e.incidents))
	for _, inc := range e.inOrder() {
		out = append(out, inc.complete())
	}
	slices.SortStableFunc(out, func(a, b itsm.Incident) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Incident returns an incident in memory by id or number, complete as in Incidents.
func (e *Engine) Incident(id string) (itsm.Incident, bool) {
	inc := e.ids[id]
	if inc == nil {
		return itsm.Incident{}, false
	}
	return inc.complete(), true
}

// Alerts returns the alerts that no incident holds, by fingerprint.
func (e *Engine) Alerts() []itsm.AlertState {
	var out []itsm.AlertState
	for _, fp := range sortedKeys(e.alerts) {
		if a := e.alerts[fp]; a.quiet && len(a.members) > 0 {
			out = append(out, a.loose())
		}
	}
	return out
}

// Holder returns the id of the incident that now holds the firing period of an alert which was
// going on at a moment, merges followed; "" when none does.
func (e *Engine) Holder(fp itsm.Fingerprint, at time.Time) string {
	a := e.alerts[fp]
	if a == nil {
		return ""
	}
	// Periods nearly always lie in the order of their starts; only what came late does not.
	after := sort.Search(len(a.past), func(i int) bool { return a.past[i].start.After(at) })
	if after > 0 && a.past[after-1].covers(at) {
		return a.past[after-1].member.holder()
	}
	for _, p := range slices.Backward(a.past) {
		if p.covers(at) {
			return p.member.holder()
		}
	}
	for i, m := range slices.Backward(a.members) {
		if i == 0 || !at.Before(m.startsAt) {
			return m.holder()
		}
	}
	return ""
}
