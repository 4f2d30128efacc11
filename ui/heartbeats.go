package ui

import (
	"cmp"
	"slices"
	"time"
	"unique"

	"signalbox/itsm"
)

// HeartbeatState says how the heartbeat of a source stands.
type HeartbeatState string

// The states of a heartbeat. Only beating is good.
const (
	HeartbeatBeating   HeartbeatState = "beating"   // heard in time
	HeartbeatWaiting   HeartbeatState = "waiting"   // not heard in time; this process has not listened for so long itself
	HeartbeatSilent    HeartbeatState = "silent"    // overdue
	HeartbeatForgotten HeartbeatState = "forgotten" // nothing is known any more of one whose alert still fires
)

// HeartbeatBasis says where it is from how long a source may be silent.
type HeartbeatBasis string

// What tells how long a source may be silent, the strongest first.
const (
	BasisAnnounced  HeartbeatBasis = "announced"  // by the heartbeat itself: its endsAt, or that it is resolved
	BasisConfigured HeartbeatBasis = "configured" // alertmanagers[].heartbeat
	BasisAssumed    HeartbeatBasis = "assumed"    // assumedHeartbeat
)

// assumedHeartbeat is how long a webhook may be without a heartbeat when nothing says so: it
// repeats a Watchdog that fires for ever after Alertmanager's repeat_interval, by default 4h, and
// at the next group_interval.
const assumedHeartbeat = 4*time.Hour + 15*time.Minute

// SourceHeartbeat is how the heartbeat of a source stands.
type SourceHeartbeat struct {
	Source string         `json:"-"`
	State  HeartbeatState `json:"state"`
	LastAt *time.Time     `json:"lastAt"` // nil: never heard
	// Deadline is by when it must be heard again; nil: nothing is known of it.
	Deadline *time.Time     `json:"deadline"`
	Basis    HeartbeatBasis `json:"basis"`
	Labels   itsm.Labels    `json:"labels"` // of the alert that is the heartbeat
	Alarm    bool           `json:"alarm"`  // that it is silent is an alert that fires
}

// Heartbeats tells how the heartbeats of all sources stand at a moment, by name. Every process
// answers alike, except that one which has just begun waits before it calls a source silent.
func (u *UI) Heartbeats(now time.Time) []SourceHeartbeat {
	began := u.listeningSince(now)
	expected := u.expected()
	heard := u.views.heartbeatsBySource()
	alarms := u.origins(now).alarms
	names := map[string]bool{}
	for name := range heard {
		names[name] = true
	}
	for name := range expected {
		names[name] = true
	}
	for name := range alarms {
		names[name] = true
	}
	var out []SourceHeartbeat
	for name := range names {
		h, known := judge(heard[name], expected[name], began, now)
		if !known && !alarms[name] {
			continue
		}
		h.Source, h.Alarm = name, alarms[name]
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b SourceHeartbeat) int { return cmp.Compare(a.Source, b.Source) })
	return out
}

// listeningSince is since when this process has been ready; zero: it is not.
func (u *UI) listeningSince(now time.Time) time.Time {
	if !u.ready() {
		return time.Time{}
	}
	u.listening.CompareAndSwap(nil, &now)
	return *u.listening.Load()
}

// judge says how the heartbeat of one source stands: of several the one that stands worst. It is
// false when there is nothing to judge: none was ever heard, and none is expected.
func judge(heard []itsm.Heartbeat, configured time.Duration, began, now time.Time) (worst SourceHeartbeat, known bool) {
	if len(heard) == 0 && configured > 0 && !began.IsZero() {
		deadline := began.Add(configured)
		h := SourceHeartbeat{State: HeartbeatWaiting, Deadline: &deadline, Basis: BasisConfigured}
		if !now.Before(deadline) {
			h.State = HeartbeatSilent
		}
		return h, true
	}
	worst.State = HeartbeatForgotten
	for i := range heard {
		if h := judgeOne(&heard[i], configured, began, now); !known || h.worse(&worst) {
			worst, known = h, true
		}
	}
	return worst, known
}

func judgeOne(heard *itsm.Heartbeat, configured time.Duration, began, now time.Time) SourceHeartbeat {
	deadline, basis := heard.At.Add(assumedHeartbeat), BasisAssumed
	if configured > 0 {
		deadline, basis = heard.At.Add(configured), BasisConfigured
	}
	if heard.Until != nil && (configured == 0 || heard.Until.Before(deadline)) {
		deadline, basis = *heard.Until, BasisAnnounced
	}
	at := heard.At
	h := SourceHeartbeat{State: HeartbeatBeating, LastAt: &at, Deadline: &deadline, Basis: basis, Labels: heard.Labels}
	switch {
	case now.Before(deadline):
	case began.IsZero() || now.Before(began.Add(deadline.Sub(at))): // it may have been heard by nobody because we were away
		h.State = HeartbeatWaiting
	default:
		h.State = HeartbeatSilent
	}
	return h
}

func (h *SourceHeartbeat) worse(o *SourceHeartbeat) bool {
	order := []HeartbeatState{HeartbeatSilent, HeartbeatWaiting, HeartbeatBeating}
	by := cmp.Compare(slices.Index(order, h.State), slices.Index(order, o.State))
	return by < 0 || by == 0 && h.Deadline.Before(*o.Deadline)
}

// heartbeatsBySource collects what was heard, in the order of the keys.
func (v *views) heartbeatsBySource() map[string][]itsm.Heartbeat {
	out := map[string][]itsm.Heartbeat{}
	v.mu.RLock()
	for _, h := range v.heartbeats {
		out[h.Source] = append(out[h.Source], h)
	}
	v.mu.RUnlock()
	for _, list := range out {
		slices.SortFunc(list, func(a, b itsm.Heartbeat) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	}
	return out
}

// origins are what the current alerts say of sources: who sent them, but for ourselves, and of whom
// an alert of our own says that they are silent. They are never changed.
type origins struct {
	at            time.Time
	names, alarms map[string]bool
}

// originsFor is how long origins are good for: to collect them walks over all alerts, and every
// board that is fetched asks for them.
const originsFor = time.Second

// origins returns them as of a moment ago.
func (u *UI) origins(now time.Time) *origins {
	if o := u.seen.Load(); o != nil && now.Sub(o.at) < originsFor && !now.Before(o.at) {
		return o
	}
	o := &origins{at: now}
	o.names, o.alarms = u.views.origins()
	u.seen.Store(o)
	return o
}

func (v *views) origins() (names, alarms map[string]bool) {
	found, ours := map[unique.Handle[string]]bool{}, []*alert{}
	own := unique.Make(itsm.OwnSource)
	note := func(h *holder) {
		for _, a := range h.alerts {
			if a.source != own {
				found[a.source] = true
			} else if a.firing() {
				ours = append(ours, a)
			}
		}
	}
	v.mu.RLock()
	note(v.loose)
	for _, h := range v.open {
		for _, m := range v.members(h) {
			note(m)
		}
	}
	v.mu.RUnlock()
	names, alarms = map[string]bool{}, map[string]bool{}
	for s := range found {
		if s.Value() != "" {
			names[s.Value()] = true
		}
	}
	for _, a := range ours {
		if labels := a.text().Labels; labels.Get("alertname") == itsm.SourceSilent {
			alarms[labels.Get("source")] = true
		}
	}
	return names, alarms
}

// heardWithin is how lately a source without a heartbeat must have sent something to count as heard.
const heardWithin = 5 * time.Minute

// sourceFigures counts sources for the head of the page.
type sourceFigures struct {
	Known  int      `json:"known"`
	Heard  int      `json:"heard"`  // the heartbeat is in time, or, without one, something came a moment ago
	Silent []string `json:"silent"` // whose heartbeat is overdue; the first few
}

// maxSilent bounds the names in sourceFigures.
const maxSilent = 100

func (u *UI) countSources(now time.Time, senders []Source) sourceFigures {
	heard := map[string]bool{}
	for name := range u.origins(now).names {
		heard[name] = false
	}
	for _, s := range senders {
		heard[s.Name] = s.LastAt != nil && now.Sub(*s.LastAt) < heardWithin
	}
	for name := range u.expected() {
		if !heard[name] {
			heard[name] = false
		}
	}
	f := sourceFigures{Silent: []string{}}
	for _, h := range u.Heartbeats(now) {
		if h.State != HeartbeatForgotten {
			heard[h.Source] = h.State == HeartbeatBeating
		}
		if h.State == HeartbeatSilent && len(f.Silent) < maxSilent {
			f.Silent = append(f.Silent, h.Source)
		}
	}
	f.Known = len(heard)
	for _, is := range heard {
		if is {
			f.Heard++
		}
	}
	return f
}
