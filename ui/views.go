package ui

import (
	"slices"
	"sync"
	"time"

	"signalbox/itsm"
)

// views is what the public topics say, in memory: the state that every reader of this process
// sees. One goroutine applies records; many read. Everything that leaves it (rows, alerts,
// entries, the estate) is immutable, so readers collect pointers under the lock and work without.
type views struct {
	mu sync.RWMutex

	epoch       string
	offset      int64 // of the last record of incidents
	incidents   map[string]*holder
	open        map[string]*holder // those on the board
	numbers     map[string]string  // number → id
	merged      map[string][]string
	loose       *holder // alerts without an incident
	outcomes    map[string]outcome
	adopted     map[int]itsm.Adopted
	silences    map[string]itsm.Silence
	heartbeats  map[string]itsm.Heartbeat
	problems    map[string]*candidateRow
	maintenance map[string]itsm.Change
	versions    map[string][]byte
	window      *window
	estate      *estate

	wanted    string               // the version of the estate that the shards have adopted
	items     map[string]itsm.Item // discovered, all of them
	relations map[string]itsm.Relation
	found     discovery // discovered since the estate was last brought up to date
	forgotten bool      // something discovered is gone

	waiters map[*waiter]struct{}
}

// holder is an incident with everything that hangs on it. The topics are read side by side, so
// alerts may come before the row: then row is nil.
type holder struct {
	id       string
	row      *row
	causes   []byte
	priority []byte       // its PriorityReasons
	phases   *itsm.Phases // never changed; nil: nothing was measured
	alerts   map[itsm.Fingerprint]*alert
	entries  []entry // by seq; never changed in place
	firing   int
	unbound  int
	suppress int
}

// discovery is what the engines found in labels.
type discovery struct {
	items     []itsm.Item
	relations []itsm.Relation
}

// outcome is the engine's answer to a command, and when this process learned of it.
type outcome struct {
	itsm.Outcome
	at time.Time
}

func newViews() *views {
	return &views{
		offset:    -1,
		incidents: map[string]*holder{}, open: map[string]*holder{}, numbers: map[string]string{}, merged: map[string][]string{},
		loose: &holder{id: itsm.NoIncident}, outcomes: map[string]outcome{}, adopted: map[int]itsm.Adopted{}, silences: map[string]itsm.Silence{}, heartbeats: map[string]itsm.Heartbeat{},
		problems: map[string]*candidateRow{}, maintenance: map[string]itsm.Change{},
		versions: map[string][]byte{}, window: newWindow(), estate: emptyEstate(),
		items: map[string]itsm.Item{}, relations: map[string]itsm.Relation{}, waiters: map[*waiter]struct{}{},
	}
}

func (v *views) holder(id string) *holder {
	if id == itsm.NoIncident {
		return v.loose
	}
	h := v.incidents[id]
	if h == nil {
		h = &holder{id: id}
		v.incidents[id] = h
	}
	return h
}

// release forgets a holder that nothing hangs on any more.
func (v *views) release(h *holder) {
	if h.row == nil && h.causes == nil && h.priority == nil && h.phases == nil && len(h.alerts) == 0 && len(h.entries) == 0 {
		delete(v.incidents, h.id)
	}
}

// setRow puts a new revision in its place; nil: the incident is forgotten. It tells whether
// anything changed: an older revision does not count.
func (v *views) setRow(h *holder, r *row) bool {
	old := h.row
	if old != nil && r != nil && r.Revision < old.Revision {
		return false
	}
	if old != nil {
		if r == nil || r.Number != old.Number {
			delete(v.numbers, old.Number)
		}
		if old.MergedInto != nil && (r == nil || r.MergedInto == nil || *r.MergedInto != *old.MergedInto) {
			v.unmerge(h.id, *old.MergedInto)
		}
	}
	h.row = r
	delete(v.open, h.id)
	if r == nil {
		v.release(h)
		return true
	}
	v.numbers[r.Number] = h.id
	if r.MergedInto != nil && !slices.Contains(v.merged[*r.MergedInto], h.id) {
		v.merged[*r.MergedInto] = append(v.merged[*r.MergedInto], h.id)
	}
	if r.onBoard() {
		v.open[h.id] = h
	}
	return true
}

func (v *views) unmerge(id, from string) {
	left := slices.DeleteFunc(slices.Clone(v.merged[from]), func(s string) bool { return s == id })
	if len(left) == 0 {
		delete(v.merged, from)
		return
	}
	v.merged[from] = left
}

// setAlert puts an alert in its place; nil: it has left the incident.
func (v *views) setAlert(h *holder, fp itsm.Fingerprint, a *alert) {
	if old := h.alerts[fp]; old != nil {
		h.count(old, -1)
		v.window.remove(h.id, old)
	}
	if a == nil {
		delete(h.alerts, fp)
		if h != v.loose {
			v.release(h)
		}
		return
	}
	if h.alerts == nil {
		h.alerts = map[itsm.Fingerprint]*alert{}
	}
	h.alerts[fp] = a
	h.count(a, 1)
	if h != v.loose {
		v.window.add(h.id, a)
	}
}

func (h *holder) count(a *alert, by int) {
	if a.firing() {
		h.firing += by
	}
	if a.unbound() {
		h.unbound += by
	}
	if a.suppressed {
		h.suppress += by
	}
}

// setEntry puts a timeline entry in its place; nil deletes it. Readers hold the old slice, so only
// appending happens in place.
func (h *holder) setEntry(seq int, raw []byte) {
	i, found := slices.BinarySearchFunc(h.entries, seq, func(e entry, s int) int { return e.seq - s })
	switch {
	case raw == nil && found:
		h.entries = slices.Delete(slices.Clone(h.entries), i, i+1)
	case raw == nil:
	case found:
		h.entries = slices.Clone(h.entries)
		h.entries[i].raw = raw
	case i == len(h.entries):
		h.entries = append(h.entries, entry{seq, raw})
	default:
		h.entries = slices.Insert(slices.Clone(h.entries), i, entry{seq, raw})
	}
}

// maxMerges bounds how many merges are followed, should the rows name each other in a circle.
const maxMerges = 100

// find returns the incident of an id or a number.
func (v *views) find(ref string) *holder {
	if id, ok := v.numbers[ref]; ok {
		ref = id
	}
	if h := v.incidents[ref]; h != nil && h.row != nil {
		return h
	}
	return nil
}

// root follows mergedInto to the incident that holds the alerts now.
func (v *views) root(h *holder) *holder {
	for range maxMerges {
		if h.row == nil || h.row.MergedInto == nil {
			return h
		}
		next := v.incidents[*h.row.MergedInto]
		if next == nil {
			return h
		}
		h = next
	}
	return h
}

// members returns an incident and those merged into it, directly or not.
func (v *views) members(h *holder) []*holder {
	out := []*holder{h}
	for i := 0; i < len(out) && len(out) < 10_000; i++ {
		for _, id := range v.merged[out[i].id] {
			if m := v.incidents[id]; m != nil && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// alertsOf collects the alerts of an incident. Where the same identity came with a merge, the
// state that was firing last stands for it.
func (v *views) alertsOf(h *holder) []*alert {
	members := v.members(h)
	if len(members) == 1 {
		out := make([]*alert, 0, len(h.alerts))
		for _, a := range h.alerts {
			out = append(out, a)
		}
		return out
	}
	best := make(map[itsm.Fingerprint]*alert, len(h.alerts))
	for _, m := range members {
		for fp, a := range m.alerts {
			if b := best[fp]; b == nil || a.later(b) {
				best[fp] = a
			}
		}
	}
	out := make([]*alert, 0, len(best))
	for _, a := range best {
		out = append(out, a)
	}
	return out
}

func (a *alert) later(b *alert) bool {
	if a.firing() != b.firing() {
		return a.firing()
	}
	return a.lastStarts > b.lastStarts
}

// counts is the figures of the head and the foot line.
type counts struct {
	Suppressed   int           `json:"suppressed"`
	Unbound      int           `json:"unbound"`
	Refused      int64         `json:"refused"`
	AlertsFiring int           `json:"alertsFiring"`
	Sources      sourceFigures `json:"sources"`
}

// totals adds up the current alerts: those of incidents on the board and those without incident.
func (v *views) totals() counts {
	c := counts{Suppressed: v.loose.suppress, Unbound: v.loose.unbound, AlertsFiring: v.loose.firing}
	for _, h := range v.open {
		for _, m := range v.members(h) {
			c.Suppressed += m.suppress
			c.Unbound += m.unbound
			c.AlertsFiring += m.firing
		}
	}
	return c
}
