package ui

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"
)

// rowSchema is the version of the row's form; with the topic's own epoch it is the epoch of a
// position. A change of the row that old clients cannot take raises it.
const rowSchema = "1"

var epochWords = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

var errUnknownKey = errors.New("unknown key")

// Apply takes records of the public topics in, in the order of each topic. One goroutine calls
// it. A record that cannot be read is counted and logged, and the one before it stays in force;
// the error is always nil and leaves room for a reason to stop.
func (u *UI) Apply(batch []itsm.Published) error {
	began := time.Now()
	rows := u.prepare(batch)
	u.views.mu.Lock()
	var b applied
	for i := range batch {
		u.metrics.records.WithLabelValues(string(batch[i].Topic)).Inc()
		if err := u.views.apply(&batch[i], rows[i], &b); err != nil {
			u.metrics.dropped.WithLabelValues("malformed").Inc()
			u.logger.Warn("record of a public topic dropped", "topic", string(batch[i].Topic), "offset", batch[i].Offset, "err", err)
		}
	}
	if b.epoch {
		u.hub.reset(u.views.epoch)
	}
	if b.board {
		u.hub.publish(b.changes, u.views.offset)
		u.metrics.offset.Set(float64(u.views.offset))
	}
	u.views.mu.Unlock()

	if b.estate {
		u.adoptEstate()
	}
	u.views.mu.Lock()
	u.views.wake()
	u.views.mu.Unlock()
	select {
	case u.changed <- struct{}{}:
	default:
	}
	u.metrics.applySeconds.Observe(time.Since(began).Seconds())
	return nil
}

// decoded is what can be read of a record without the lock.
type decoded struct {
	row   *row
	alert *alert
	fp    itsm.Fingerprint
	key   string // the incident
	err   error
}

// prepare decodes incidents and alerts before the lock is taken.
func (u *UI) prepare(batch []itsm.Published) []decoded {
	out := make([]decoded, len(batch))
	for i := range batch {
		p, d := &batch[i], &out[i]
		switch p.Topic {
		case itsm.TopicIncidents:
			if p.Value != nil && !strings.HasPrefix(p.Key, "_") {
				d.row, d.err = newRow(p.Value)
				if d.err == nil && d.row.ID != p.Key {
					d.err = fmt.Errorf("row of incident %q under the key %q", d.row.ID, p.Key)
				}
			}
		case itsm.TopicAlerts:
			cut := strings.LastIndexByte(p.Key, '/')
			if cut < 0 {
				d.err = fmt.Errorf("%w %q", errUnknownKey, p.Key)
				break
			}
			d.key = p.Key[:cut]
			if d.fp, d.err = itsm.ParseFingerprint(p.Key[cut+1:]); d.err == nil && p.Value != nil {
				d.alert, d.err = newAlert(d.fp, p.Value)
			}
		}
	}
	return out
}

// applied collects what a batch leaves to do.
type applied struct {
	changes []change
	board   bool // the position moved
	epoch   bool
	estate  bool
}

func (v *views) apply(p *itsm.Published, d decoded, b *applied) error {
	if p.Topic == itsm.TopicIncidents {
		v.offset, b.board = max(v.offset, p.Offset), true
	}
	if d.err != nil {
		return d.err
	}
	switch p.Topic {
	case itsm.TopicIncidents:
		if strings.HasPrefix(p.Key, "_") {
			return v.applySpecial(p, b)
		}
		h := v.holder(p.Key)
		if !v.setRow(h, d.row) {
			return nil
		}
		c := change{id: h.id, offset: p.Offset}
		if d.row != nil {
			c.at = d.row.UpdatedAt
			if d.row.onBoard() {
				c.row = d.row.raw
			}
		}
		b.changes = append(b.changes, c)
	case itsm.TopicAlerts:
		v.setAlert(v.holder(d.key), d.fp, d.alert)
	case itsm.TopicProblems:
		return v.applyProblem(p)
	case itsm.TopicTimeline:
		return v.applyEntry(p)
	case itsm.TopicCMDB:
		return v.applyCMDB(p, b)
	}
	return nil
}

// applySpecial takes the records of the incidents topic that are no rows.
func (v *views) applySpecial(p *itsm.Published, b *applied) error {
	switch kind, id, _ := strings.Cut(p.Key, "/"); kind {
	case "_epoch":
		id := string(bytes.Trim(p.Value, "\" \n"))
		if !epochWords.MatchString(id) {
			return fmt.Errorf("epoch %q: letters, digits, - and _ are expected", id)
		}
		if epoch := id + "-" + rowSchema; epoch != v.epoch {
			v.epoch, b.epoch = epoch, true
		}
	case "_causes":
		h := v.holder(id)
		h.causes = bytes.Clone(p.Value)
		v.release(h)
	case "_priority":
		h := v.holder(id)
		h.priority = bytes.Clone(p.Value)
		v.release(h)
	case "_sla":
		return v.applyPhases(p, id)
	case "_command":
		return v.applyOutcome(p, id)
	case "_silence":
		return v.applySilence(p, id)
	case "_heartbeat":
		return v.applyHeartbeat(p, id)
	case "_maintenance":
		return v.applyMaintenance(p, id)
	case "_adopted":
		return v.applyAdopted(p, id, b)
	default:
		return fmt.Errorf("%w %q", errUnknownKey, p.Key)
	}
	return nil
}

func (v *views) applyPhases(p *itsm.Published, id string) error {
	var phases *itsm.Phases
	if p.Value != nil {
		phases = &itsm.Phases{}
		if err := json.Unmarshal(p.Value, phases); err != nil {
			return fmt.Errorf("decode phases of incident %s: %w", id, err)
		}
	}
	h := v.holder(id)
	h.phases = phases
	v.release(h)
	return nil
}

func (v *views) applyOutcome(p *itsm.Published, id string) error {
	if p.Value == nil {
		delete(v.outcomes, id)
		return nil
	}
	o := outcome{at: time.Now()}
	if err := json.Unmarshal(p.Value, &o.Outcome); err != nil {
		return fmt.Errorf("decode outcome of command %s: %w", id, err)
	}
	v.outcomes[id] = o
	return nil
}

func (v *views) applySilence(p *itsm.Published, id string) error {
	if p.Value == nil {
		delete(v.silences, id)
		return nil
	}
	var s itsm.Silence
	if err := json.Unmarshal(p.Value, &s); err != nil {
		return fmt.Errorf("decode silence %s: %w", id, err)
	}
	if s.UpdatedAt.Before(v.silences[id].UpdatedAt) { // of a shard that is behind
		return nil
	}
	v.silences[id] = s
	return nil
}

func (v *views) applyHeartbeat(p *itsm.Published, key string) error {
	if p.Value == nil {
		delete(v.heartbeats, key)
		return nil
	}
	var h itsm.Heartbeat
	if err := json.Unmarshal(p.Value, &h); err != nil {
		return fmt.Errorf("decode heartbeat %s: %w", key, err)
	}
	v.heartbeats[key] = h
	return nil
}

func (v *views) applyMaintenance(p *itsm.Published, id string) error {
	if p.Value == nil {
		delete(v.maintenance, id)
		return nil
	}
	var c itsm.Change
	if err := json.Unmarshal(p.Value, &c); err != nil {
		return fmt.Errorf("decode maintenance %s: %w", id, err)
	}
	v.maintenance[id] = c
	return nil
}

func (v *views) applyAdopted(p *itsm.Published, id string, b *applied) error {
	shard, err := strconv.Atoi(id)
	if err != nil {
		return fmt.Errorf("%w %q", errUnknownKey, p.Key)
	}
	if p.Value == nil {
		delete(v.adopted, shard)
		return nil
	}
	var a itsm.Adopted
	if err := json.Unmarshal(p.Value, &a); err != nil {
		return fmt.Errorf("decode adopted versions of shard %d: %w", shard, err)
	}
	v.adopted[shard] = a
	v.wanted, b.estate = a.Estate, true
	return nil
}

func (v *views) applyEntry(p *itsm.Published) error {
	incident, number, ok := cutLast(p.Key)
	seq, err := strconv.Atoi(number)
	if !ok || err != nil {
		return fmt.Errorf("%w %q", errUnknownKey, p.Key)
	}
	if p.Value != nil && !json.Valid(p.Value) {
		return fmt.Errorf("timeline entry %s: not JSON", p.Key)
	}
	h := v.holder(incident)
	h.setEntry(seq, bytes.Clone(p.Value))
	v.release(h)
	return nil
}

func cutLast(key string) (before, after string, found bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return key, "", false
	}
	return key[:i], key[i+1:], true
}

// applyCMDB takes versions of the estate and what the engines discovered.
func (v *views) applyCMDB(p *itsm.Published, b *applied) error {
	kind, rest, _ := strings.Cut(p.Key, "/")
	switch kind {
	case "version":
		if p.Value == nil {
			delete(v.versions, rest)
			return nil
		}
		v.versions[rest] = bytes.Clone(p.Value)
		b.estate = b.estate || rest == v.wanted
	case "item":
		if p.Value == nil {
			delete(v.items, rest)
			v.forgotten, b.estate = true, true
			return nil
		}
		var it itsm.Item
		if err := json.Unmarshal(p.Value, &it); err != nil {
			return fmt.Errorf("decode item %q: %w", rest, err)
		}
		it.Discovered = true
		v.items[it.ID] = it
		v.found.items, b.estate = append(v.found.items, it), true
	case "relation":
		if p.Value == nil {
			delete(v.relations, rest)
			v.forgotten, b.estate = true, true
			return nil
		}
		var r itsm.Relation
		if err := json.Unmarshal(p.Value, &r); err != nil {
			return fmt.Errorf("decode relation %q: %w", rest, err)
		}
		r.Discovered = true
		v.relations[rest] = r
		v.found.relations, b.estate = append(v.found.relations, r), true
	default:
		return fmt.Errorf("%w %q", errUnknownKey, p.Key)
	}
	return nil
}

// wake answers those who wait for something that is there now.
func (v *views) wake() {
	for w := range v.waiters {
		if w.ready(v) {
			close(w.done)
			delete(v.waiters, w)
		}
	}
}

// waiter waits until ready says yes. It is asked under the lock after each batch.
type waiter struct {
	ready func(*views) bool
	done  chan struct{}
}

// await registers a waiter; stop must be called. The channel is closed at once when ready already holds.
func (v *views) await(ready func(*views) bool) (done <-chan struct{}, stop func()) {
	w := &waiter{ready: ready, done: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	if ready(v) {
		close(w.done)
		return w.done, func() {}
	}
	v.waiters[w] = struct{}{}
	return w.done, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.waiters, w)
	}
}
