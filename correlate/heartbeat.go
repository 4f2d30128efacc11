package correlate

import (
	"encoding/json"
	"slices"
	"time"

	"signalbox/itsm"
)

const (
	// A heartbeat that was not heard for so long is forgotten: whoever switched a source off does
	// not want to be told of it for ever.
	keepHeartbeat = 7 * 24 * time.Hour
	// A heartbeat that is heard again sooner says nothing new.
	heartbeatStep = time.Second
	// The heartbeats of a shard; with more the one that was heard least lately is forgotten.
	maxHeartbeats = 1000
)

// isHeartbeat tells whether an alert says that all is well.
func (e *Engine) isHeartbeat(a *alert) bool {
	return a.quiet && slices.Contains(e.cfg.Incident.Heartbeats, a.labels.Get("alertname"))
}

// beat notes when the source of a heartbeat was heard, or that it has said that it is over. It does
// not ask the alert: another source may have ended that.
func (e *Engine) beat(in *itsm.Alert) {
	next := itsm.Heartbeat{Source: in.Source, Fingerprint: in.Fingerprint, Labels: in.Labels, StartsAt: in.StartsAt, At: e.clock}
	key := next.Key()
	before := e.heartbeats[key]
	if in.Status == itsm.StatusResolved {
		if before == nil || ended(before, e.clock) || !in.StartsAt.IsZero() && in.StartsAt.Before(before.StartsAt) {
			return // unknown, told already, or the end of an earlier period that comes late
		}
		next = *before
		now := e.clock
		next.Until = &now
	} else if c := e.claimOf(in); !c.expires.IsZero() && !c.once {
		next.Until = &c.expires
	}
	if before != nil && next.At.Sub(before.At) < heartbeatStep && in.Status != itsm.StatusResolved && !ended(before, e.clock) {
		return
	}
	if before == nil {
		if len(e.heartbeats) >= maxHeartbeats {
			e.forgetHeartbeat(e.leastHeard())
		}
		e.watchHeartbeat(&next)
	}
	e.heartbeats[key] = &next
	e.toldHeartbeat(key)
}

// ended tells whether a heartbeat is over by its source's own word.
func ended(h *itsm.Heartbeat, at time.Time) bool { return h.Until != nil && !h.Until.After(at) }

func (e *Engine) toldHeartbeat(key string) {
	e.dirty.heartbeats[key] = true
	e.now.heartbeats = append(e.now.heartbeats, key)
}

func (e *Engine) forgetHeartbeat(key string) {
	delete(e.heartbeats, key)
	e.toldHeartbeat(key)
}

func (e *Engine) leastHeard() string {
	least := ""
	for _, key := range sortedKeys(e.heartbeats) {
		if least == "" || e.heartbeats[key].At.Before(e.heartbeats[least].At) {
			least = key
		}
	}
	return least
}

func (e *Engine) watchHeartbeat(h *itsm.Heartbeat) {
	e.timers.push(timer{at: h.At.Add(keepHeartbeat), kind: timerHeartbeat, name: h.Key()})
}

// fireHeartbeat forgets a heartbeat, or waits on when it was heard meanwhile.
func (e *Engine) fireHeartbeat(t timer) {
	switch h := e.heartbeats[t.name]; {
	case h == nil:
	case h.At.Add(keepHeartbeat).After(t.at):
		e.watchHeartbeat(h)
	default:
		e.forgetHeartbeat(t.name)
	}
}

// publishHeartbeats says how the heartbeats stand that the present instant has changed.
func (e *Engine) publishHeartbeats(updates []itsm.Update) []itsm.Update {
	slices.Sort(e.now.heartbeats)
	for _, key := range slices.Compact(e.now.heartbeats) {
		if h := e.heartbeats[key]; h != nil {
			out := *h
			updates = append(updates, itsm.Update{Heartbeat: &out})
		} else {
			updates = append(updates, itsm.Update{ForgetHeartbeat: key})
		}
	}
	return updates
}

func (e *Engine) restoreHeartbeat(value []byte) error {
	h := &itsm.Heartbeat{}
	if err := json.Unmarshal(value, h); err != nil {
		return err
	}
	e.heartbeats[h.Key()] = h
	return nil
}

// restoreHeartbeats sets the timers of all heartbeats again.
func (e *Engine) restoreHeartbeats() {
	for _, key := range sortedKeys(e.heartbeats) {
		e.watchHeartbeat(e.heartbeats[key])
	}
}
