package explain

import (
	"cmp"
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// Index answers which hypothesis explains an observation and how causes rank. It follows the
// engine's values incrementally; what it answers is a function of the observations, memberships
// and changes it was given and of the graph, whatever the order in which they came.
type Index struct {
	g          *cmdb.Graph
	cfg        Config
	words      vocabulary
	symptoms   map[string]symptom // by alert type
	families   map[string]string  // by alert type
	conditions map[string]string  // by alert type

	// nodes holds for each item the hypotheses that it may have caused, in the order of opening.
	nodes      [][]*entry
	causes     map[cmdb.Node][]*Hypothesis // open hypotheses by their cause, in the order of opening
	groups     map[string][]*Hypothesis    // of unbound observations
	context    map[cmdb.Node]int           // alerts that open no incident, by item
	changes    map[cmdb.Node][]*Change     // by item, by start and id
	byID       map[string]*Change
	experience map[string]Experience // by Change.Alike and Blames

	expected map[cmdb.Node][]expectation // cache: what a cause should show on
	pending  *Hypothesis                 // holds the fresh observations while Assign decides
	gathered map[cmdb.Node]belief        // cache of one Assign
	mark     []int32                     // scratch of walks: place in the list by node, +1
	limited  map[string]int              // walks that a limit has ended

	peers peers
	alone related // the items without relations
	rates *Rates
}

// reach is a possible cause of an observation.
type reach struct {
	node   cmdb.Node
	weight uint8 // percent: how likely a failure of node shows so
	kind   cmdb.Kind
	last   cmdb.Kind // the relation farthest from the observation
	apart  bool      // some relation on the way leaves the effect running
	hops   uint8
	via    uint8 // the reach before it on the way
}

// classCount counts items of one class near a cause.
type classCount struct {
	class uint16
	kind  cmdb.Kind // how the first of them is hurt
	items int32
	mass  int64 // percent
}

// expectation is what a cause should show on, of one class and kind.
type expectation struct {
	classCount
	late []time.Duration // of items behind buffers, how long after the cause
}

// body is what a hypothesis holds, as the index sees it.
type body struct {
	items   map[cmdb.Node]*itemIn
	entries map[cmdb.Node]*entry
	held    int       // observations
	total   int64     // sum over items of their best weight
	top     []*entry  // the entries that explain most, unordered
	onset   time.Time // the earliest
	started []start   // by minute
	cause   cmdb.Node // under which it stands in Index.causes
	filed   bool
}

// itemIn is what an item reports within a hypothesis. Thousands of observations of one item have few
// different ways to their causes; those are what counts.
type itemIn struct {
	observations []*Observation
	pinned       int       // of them, by people
	onset        time.Time // the earliest
	telling      int64     // how much what it reports says of a cause, in thousandths of one usual type of alert
	ways         []way
	types        []typeCount
}

// way is a list of causes that some observations of an item share.
type way struct {
	causes []reach
	count  int
}

type typeCount struct {
	name  string
	count int
	onset time.Time // the earliest
	most  float64   // the greatest magnitude
	first uint64    // ordinal of the first observation
	past  Past      // before that one
}

func (t *typeCount) add(o *Observation) {
	if t.onset.IsZero() || o.Onset.Before(t.onset) {
		t.onset = o.Onset
	}
	t.most = max(t.most, o.Magnitude)
	if t.first == 0 || o.Ordinal < t.first {
		t.first, t.past = o.Ordinal, o.Past
	}
}

// knows tells whether an observation says nothing that the item does not say already.
func (in *itemIn) knows(o *Observation) bool {
	return slices.ContainsFunc(in.ways, func(w way) bool { return slices.Equal(w.causes, o.causes) }) &&
		slices.ContainsFunc(in.types, func(t typeCount) bool { return t.name == o.Type && t.most >= o.Magnitude && !o.Onset.Before(t.onset) })
}

func (in *itemIn) add(o *Observation) {
	in.observations = append(in.observations, o)
	if o.Pinned {
		in.pinned++
	}
	if in.onset.IsZero() || o.Onset.Before(in.onset) {
		in.onset = o.Onset
	}
	if i := slices.IndexFunc(in.ways, func(w way) bool { return slices.Equal(w.causes, o.causes) }); i >= 0 {
		in.ways[i].count++
		o.causes = in.ways[i].causes // one list for all
	} else {
		in.ways = append(in.ways, way{o.causes, 1})
	}
	in.note(o)
}

// note counts the type of an observation.
func (in *itemIn) note(o *Observation) {
	i := slices.IndexFunc(in.types, func(t typeCount) bool { return t.name == o.Type })
	if i < 0 {
		i = len(in.types)
		in.types = append(in.types, typeCount{name: o.Type})
	}
	in.types[i].count++
	in.types[i].add(o)
}

func (in *itemIn) remove(o *Observation) {
	if o.Pinned {
		in.pinned--
	}
	in.observations = slices.DeleteFunc(in.observations, func(p *Observation) bool { return p == o })
	if i := slices.IndexFunc(in.ways, func(w way) bool { return slices.Equal(w.causes, o.causes) }); i >= 0 {
		if in.ways[i].count--; in.ways[i].count == 0 {
			in.ways = slices.Delete(in.ways, i, i+1)
		}
	}
	if i := slices.IndexFunc(in.types, func(t typeCount) bool { return t.name == o.Type }); i >= 0 {
		if in.types[i].count--; in.types[i].count == 0 {
			in.types = slices.Delete(in.types, i, i+1)
		}
	}
	in.onset = time.Time{}
	for _, p := range in.observations {
		if in.onset.IsZero() || p.Onset.Before(in.onset) {
			in.onset = p.Onset
		}
	}
	for i := range in.types {
		t := &in.types[i]
		*t = typeCount{name: t.name, count: t.count}
		for _, p := range in.observations {
			if p.Type == t.name {
				t.add(p)
			}
		}
	}
}

// entry is what one possible cause explains of one hypothesis.
type entry struct {
	h       *Hypothesis
	node    cmdb.Node
	mass    int64 // percent, summed over items
	items   int32 // without the cause itself
	self    bool  // the cause itself reports
	classes []classCount
}

// maxTop bounds the causes that Rank looks at, maxNear the hypotheses that are looked at around
// one possible cause.
const (
	maxTop  = 64
	maxNear = 64
)

// NewIndex returns an empty index on g. After another estate was adopted, make a new index and
// hand it everything again.
func NewIndex(g *cmdb.Graph, cfg Config) *Index {
	x := &Index{
		g: g, cfg: cfg, words: newVocabulary(), symptoms: map[string]symptom{}, families: map[string]string{}, conditions: map[string]string{}, nodes: make([][]*entry, g.Len()),
		causes: map[cmdb.Node][]*Hypothesis{}, groups: map[string][]*Hypothesis{}, context: map[cmdb.Node]int{},
		changes: map[cmdb.Node][]*Change{}, byID: map[string]*Change{}, expected: map[cmdb.Node][]expectation{},
		gathered: map[cmdb.Node]belief{}, limited: map[string]int{},
	}
	x.peers.joined, x.alone = map[cmdb.Node]*related{}, *newRelated()
	x.grown(nil)
	x.pending = &Hypothesis{Ordinal: ^uint64(0), Cause: None, ConfirmedItem: None}
	return x
}

// AddContext takes an alert into account that opens no incident.
func (x *Index) AddContext(n cmdb.Node) { x.context[n]++ }

// DropContext takes back AddContext.
func (x *Index) DropContext(n cmdb.Node) {
	if x.context[n]--; x.context[n] <= 0 {
		delete(x.context, n)
	}
}

// AddChange takes a change into account; one with the same id replaces it.
func (x *Index) AddChange(c Change) {
	x.DropChange(c.ID)
	x.byID[c.ID] = &c
	for _, n := range c.Nodes {
		list := x.changes[n]
		i, _ := slices.BinarySearchFunc(list, &c, func(a, b *Change) int {
			return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.ID, b.ID))
		})
		x.changes[n] = slices.Insert(list, i, &c)
	}
}

// Around returns the open hypotheses that hold something which one of the items may have caused, in
// the order of opening.
func (x *Index) Around(nodes []cmdb.Node) []*Hypothesis {
	var out []*Hypothesis
	for _, n := range nodes {
		if int(n) >= len(x.nodes) {
			continue
		}
		for _, e := range x.nodes[n] {
			if i, found := slices.BinarySearchFunc(out, e.h, compareHypotheses); !found && e.h != x.pending {
				out = slices.Insert(out, i, e.h)
			}
		}
	}
	return out
}

func compareHypotheses(a, b *Hypothesis) int { return cmp.Compare(a.Ordinal, b.Ordinal) }

// DropChange forgets a change.
func (x *Index) DropChange(id string) {
	c := x.byID[id]
	if c == nil {
		return
	}
	delete(x.byID, id)
	for _, n := range c.Nodes {
		x.changes[n] = slices.DeleteFunc(x.changes[n], func(o *Change) bool { return o == c })
		if len(x.changes[n]) == 0 {
			delete(x.changes, n)
		}
	}
}

// Attach makes o a member of h.
func (x *Index) Attach(o *Observation, h *Hypothesis) {
	o.Hypothesis = h
	if o.Seen.After(h.LastJoined) {
		h.LastJoined = o.Seen
	}
	if o.Node == None {
		x.file(h)
		return
	}
	if o.causes == nil {
		o.causes = x.walk(o)
	}
	b := &h.body
	if b.items == nil {
		b.items, b.entries = map[cmdb.Node]*itemIn{}, map[cmdb.Node]*entry{}
	}
	if b.onset.IsZero() || o.Onset.Before(b.onset) {
		b.onset = o.Onset
	}
	b.held++
	in := b.items[o.Node]
	if in == nil {
		in = &itemIn{}
		b.items[o.Node] = in
	}
	if in.knows(o) {
		in.add(o)
		x.file(h)
		return
	}
	x.account(o.Node, in, h, -1)
	if h != x.pending {
		x.report(o.Node, in, -1)
	}
	in.add(o)
	in.telling = x.tellingOf(in)
	if h != x.pending {
		x.report(o.Node, in, 1)
	}
	x.account(o.Node, in, h, 1)
	x.file(h)
}

// Detach takes back Attach.
func (x *Index) Detach(o *Observation, h *Hypothesis) {
	o.Hypothesis = nil
	if o.Node == None {
		return
	}
	b := &h.body
	b.held--
	in := b.items[o.Node]
	x.account(o.Node, in, h, -1)
	if h != x.pending {
		x.report(o.Node, in, -1)
	}
	in.remove(o)
	in.telling = x.tellingOf(in)
	if h != x.pending {
		x.report(o.Node, in, 1)
	}
	x.account(o.Node, in, h, 1)
	for i := range o.causes {
		if e := b.entries[o.causes[i].node]; e != nil && e.items <= 0 && !e.self {
			x.shut(e)
		}
	}
	if len(in.observations) == 0 {
		delete(b.items, o.Node)
	}
	if len(b.items) == 0 && h != x.pending {
		x.unfile(h)
	}
	if h == x.pending {
		return
	}
	b.onset = time.Time{}
	for _, in := range b.items {
		if b.onset.IsZero() || in.onset.Before(b.onset) {
			b.onset = in.onset
		}
	}
	b.top = b.top[:0]
	for _, e := range b.entries {
		b.rise(e, x)
	}
}

// account adds (sign 1) or takes back (-1) what an item brings to the entries of its possible causes: it counts once,
// with the greatest share of a failure that arrives, times how much it tells. Entries that are left empty stay.
func (x *Index) account(n cmdb.Node, in *itemIn, h *Hypothesis, sign int64) {
	b := &h.body
	most := int64(0)
	for i := range in.ways {
		most = max(most, best(in.ways[i].causes))
		for _, r := range in.ways[i].causes {
			first := true
			for j := range in.ways {
				if j == i {
					continue
				}
				switch k := slices.IndexFunc(in.ways[j].causes, func(o reach) bool { return o.node == r.node }); {
				case k < 0:
				case j < i:
					first = false
				default:
					if o := in.ways[j].causes[k]; o.weight > r.weight || o.weight == r.weight && o.kind < r.kind {
						r.weight, r.kind = o.weight, o.kind
					}
				}
			}
			if first {
				x.credit(n, h, &r, sign*int64(r.weight)*in.telling/1000, sign)
			}
		}
	}
	b.total += sign * most * in.telling / 1000
	for i := range in.types {
		b.start(in.types[i].onset, sign*int64(1000*beyond(in.types[i].most)))
	}
}

// start is how much began within one minute.
type start struct{ minute, mass int64 }

func (b *body) start(at time.Time, mass int64) {
	minute := at.Unix() / 60
	i, found := slices.BinarySearchFunc(b.started, minute, func(s start, m int64) int { return cmp.Compare(s.minute, m) })
	if !found {
		b.started = slices.Insert(b.started, i, start{minute: minute})
	}
	if b.started[i].mass += mass; b.started[i].mass == 0 {
		b.started = slices.Delete(b.started, i, i+1)
	}
}

// surge is when most of it began: the first minute of the three in which most did. What a single alert reported long before
// is not when the trouble began.
func (b *body) surge() time.Time {
	best, at := int64(0), int64(0)
	for i, s := range b.started {
		sum := int64(0)
		for _, o := range b.started[i:] {
			if o.minute >= s.minute+int64(fade/time.Minute) {
				break
			}
			sum += o.mass
		}
		if sum > best {
			best, at = sum, s.minute
		}
	}
	if from := time.Unix(60*at, 0).UTC(); from.After(b.onset) {
		return from
	}
	return b.onset
}

// credit counts an item in with one of its possible causes.
func (x *Index) credit(n cmdb.Node, h *Hypothesis, r *reach, mass, sign int64) {
	e := h.body.entries[r.node]
	if e == nil {
		e = x.open(h, r.node)
	}
	e.mass += mass
	if r.node == n {
		e.self = sign > 0
	} else {
		e.count(x.g.ClassID(n), r.kind, mass, sign)
	}
	if sign > 0 {
		h.body.rise(e, x)
	}
}

func best(causes []reach) int64 {
	w := int64(0)
	for i := range causes {
		w = max(w, int64(causes[i].weight))
	}
	return w
}

func weightOf(causes []reach, n cmdb.Node) int64 {
	for i := range causes {
		if causes[i].node == n {
			return int64(causes[i].weight)
		}
	}
	return 0
}

func (e *entry) count(class uint16, kind cmdb.Kind, mass, sign int64) {
	i := slices.IndexFunc(e.classes, func(c classCount) bool { return c.class == class && c.kind == kind })
	if i < 0 {
		e.classes = append(e.classes, classCount{class: class, kind: kind})
		i = len(e.classes) - 1
	}
	c := &e.classes[i]
	c.mass += mass
	c.items += int32(sign) //nolint:gosec // 1 or -1
	e.items += int32(sign) //nolint:gosec // 1 or -1
	if c.items == 0 {
		e.classes = slices.Delete(e.classes, i, i+1)
	}
}

func (x *Index) open(h *Hypothesis, n cmdb.Node) *entry {
	e := &entry{h: h, node: n}
	h.body.entries[n] = e
	for int(n) >= len(x.nodes) {
		x.nodes = append(x.nodes, nil)
	}
	i, _ := slices.BinarySearchFunc(x.nodes[n], h.Ordinal, func(e *entry, o uint64) int { return cmp.Compare(e.h.Ordinal, o) })
	x.nodes[n] = slices.Insert(x.nodes[n], i, e)
	return e
}

func (x *Index) shut(e *entry) {
	delete(e.h.body.entries, e.node)
	x.unlist(e)
	e.h.body.top = slices.DeleteFunc(e.h.body.top, func(o *entry) bool { return o == e })
}

func (x *Index) unlist(e *entry) {
	list := x.nodes[e.node]
	i, found := slices.BinarySearchFunc(list, e.h.Ordinal, func(e *entry, o uint64) int { return cmp.Compare(e.h.Ordinal, o) })
	if found {
		x.nodes[e.node] = slices.Delete(list, i, i+1)
	}
}

// rise keeps the entries with the greatest mass; ids break ties. Masses only grow between
// rebuilds, so what belongs to the top was offered when it came to belong there.
func (b *body) rise(e *entry, x *Index) {
	if slices.Contains(b.top, e) {
		return
	}
	if len(b.top) < maxTop {
		b.top = append(b.top, e)
		return
	}
	least := 0
	for i := range b.top {
		if x.less(b.top[i], b.top[least]) {
			least = i
		}
	}
	if x.less(b.top[least], e) {
		b.top[least] = e
	}
}

func (x *Index) less(a, b *entry) bool {
	if a.mass != b.mass {
		return a.mass < b.mass
	}
	return x.id(a.node) > x.id(b.node)
}

func (x *Index) id(n cmdb.Node) string { return x.g.Item(n).ID }

// file puts an open hypothesis where Assign finds it by its cause or group.
func (x *Index) file(h *Hypothesis) {
	if h == x.pending || h.body.filed && h.body.cause == h.Cause {
		return
	}
	x.unfile(h)
	h.body.filed, h.body.cause = true, h.Cause
	if h.Group != "" {
		x.groups[h.Group] = inOrder(x.groups[h.Group], h)
	}
	if h.Cause != None {
		x.causes[h.Cause] = inOrder(x.causes[h.Cause], h)
	}
}

func (x *Index) unfile(h *Hypothesis) {
	if !h.body.filed {
		return
	}
	h.body.filed = false
	if h.Group != "" {
		x.groups[h.Group] = without(x.groups, h.Group, h)
	}
	if h.body.cause != None {
		x.causes[h.body.cause] = without(x.causes, h.body.cause, h)
	}
}

func inOrder(list []*Hypothesis, h *Hypothesis) []*Hypothesis {
	i, _ := slices.BinarySearchFunc(list, h, compareHypotheses)
	return slices.Insert(list, i, h)
}

func without[K comparable](m map[K][]*Hypothesis, key K, h *Hypothesis) []*Hypothesis {
	list := slices.DeleteFunc(m[key], func(o *Hypothesis) bool { return o == h })
	if len(list) == 0 {
		delete(m, key)
		return nil
	}
	return list
}

// Forget drops a hypothesis with all that was attached to it: it is closed or merged away.
func (x *Index) Forget(h *Hypothesis) {
	x.unfile(h)
	for _, e := range h.body.entries {
		x.unlist(e)
	}
	for n, in := range h.body.items {
		x.report(n, in, -1)
	}
	h.body = body{}
}

// operatorEvidence is the one reason for what a person has decided.
func operatorEvidence(text string) []itsm.Evidence {
	return []itsm.Evidence{{Kind: itsm.EvidenceOperator, Text: text, Weight: 1}}
}

// Reset forgets what an index has noted in the hypothesis, to hand it to another index.
func (h *Hypothesis) Reset() { h.body = body{} }

// Reset forgets what an index has noted in the observation.
func (o *Observation) Reset() { o.causes, o.Hypothesis, o.limit = nil, nil, "" }
