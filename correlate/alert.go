package correlate

import (
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// alert is one identity: what is known of it whatever incident holds it, and its last period.
type alert struct {
	fingerprint itsm.Fingerprint
	labels      itsm.Labels
	annotations itsm.Labels
	severity    itsm.Severity
	group       string // of Alertmanager
	source      string
	url         string
	node        cmdb.Node
	item        string // its id, "" when not bound
	condition   uint64 // conditionOf
	tried       string
	mild        bool       // it speaks of something that still works
	quiet       bool       // low severity or a heartbeat: opens no incident
	silences    []*silence // that match it now, by id
	silencedBy  []string   // their ids while a recovery has not linked them yet
	mark        mark       // of the source that suppresses the open period
	window      *window    // of maintenance that covers its item

	// The last firing period. A zero end of an open one is not known.
	start, end time.Time
	latest     time.Time // the latest beginning that a source has given for it
	floor      time.Time // the end of the period before it
	open       bool
	expired    bool
	counted    bool        // false: only its end was ever reported
	once       bool        // a one-shot event
	shots      []time.Time // the latest one-shot events, by time
	expires    time.Time
	expiryAt   time.Time // when a timer looks at expires; zero: none

	lastSeen time.Time
	members  []*member // in the incidents that held it, oldest first; of a quiet one the one without incident
	waiting  *member   // in Engine.fresh
	past     []span    // every period, for replays
	purgeAt  time.Time

	slot    int // in its bucket
	dirty   bool
	moved   bool // in Engine.dirty.moved
	touched bool
}

// span is one period and the member it counts in.
type span struct {
	start, end time.Time
	member     *member
}

func (p *span) covers(at time.Time) bool {
	return !at.Before(p.start) && (p.end.IsZero() || !at.After(p.end))
}

// member is an alert in one incident, or a quiet one in none.
type member struct {
	alert *alert
	inc   *incident
	// ordinal is that of inc while a recovery has not linked it yet.
	ordinal uint64
	home    string   // the incident it was last published in
	via     []uint64 // incidents it came through by merging, oldest first
	obs     *explain.Observation

	startsAt, lastStartsAt, endsAt, joinedAt time.Time
	count                                    int
	status                                   itsm.Status
	evidence                                 []itsm.Evidence
	acknowledged                             *itsm.Acknowledgement
	recent                                   []time.Time // starts, for flapping
	last                                     *last       // set once another incident holds the alert
	restless                                 bool        // in incident.restless
	flapping                                 bool
	unsettled                                int       // periods that are not in count yet, since it flaps
	settleAt                                 time.Time // when they are; zero: nothing is held back
	shown                                    *last     // what is shown until then
	touched                                  bool
}

// last is what was known of an alert when another incident came to hold it: the record of an earlier incident
// does not change with what the alert says later.
type last struct {
	annotations                     itsm.Labels
	severity                        itsm.Severity
	group, source, url, item, tried string
	seen                            time.Time
}

// said is what is known of the alert now.
func (a *alert) said() *last {
	return &last{
		annotations: a.annotations, severity: a.severity, group: a.group, source: a.source, url: a.url, item: a.item, tried: a.tried, seen: a.lastSeen,
	}
}

// current returns the member of the last period, nil when there is none.
func (a *alert) current() *member {
	if len(a.members) == 0 {
		return nil
	}
	return a.members[len(a.members)-1]
}

func (m *member) holder() string {
	if m == nil || m.inc == nil {
		return ""
	}
	return m.inc.row.ID
}

// in returns the alert's member in an incident, nil when there is none.
func (a *alert) in(inc *incident) *member {
	for _, m := range a.members {
		if m.inc == inc {
			return m
		}
	}
	return nil
}

func (a *alert) loose() itsm.AlertState { return a.members[0].state() }

// set changes the status of a member and the counts of its incident.
func (m *member) set(status itsm.Status, at time.Time) {
	if m.inc != nil {
		m.inc.tally(m, -1)
	}
	m.status = status
	if m.inc == nil {
		return
	}
	m.inc.tally(m, 1)
	switch {
	case m.inc.counts.Firing > 0:
		m.inc.quietAt = time.Time{}
	case m.inc.quietAt.IsZero():
		m.inc.quietAt = at
	}
}

// state is the member in its public form.
func (m *member) state() itsm.AlertState {
	a, l := m.alert, m.last
	if l == nil {
		l = m.shown
	}
	if l == nil {
		l = a.said()
	}
	s := itsm.AlertState{
		Fingerprint: a.fingerprint, Labels: a.labels, Annotations: l.annotations, Status: m.status, Severity: l.severity,
		StartsAt: m.startsAt, LastStartsAt: m.lastStartsAt, LastSeenAt: l.seen, JoinedAt: m.joinedAt, Count: m.count,
		Source: l.source, GeneratorURL: l.url, Acknowledged: m.acknowledged, Evidence: m.evidence, Group: l.group, Tried: l.tried,
		Flapping: m.flapping,
	}
	if l.item != "" {
		s.Item = &l.item
	}
	if m.status == itsm.StatusFiring && a.suppressed() {
		reason := a.reason()
		s.Suppressed = &reason
		for _, x := range a.silences {
			s.SilencedBy = append(s.SilencedBy, x.ID)
		}
		if a.window != nil {
			s.Maintenance = &a.window.ID
		}
	}
	if !m.endsAt.IsZero() {
		end := m.endsAt
		s.EndsAt = &end
	}
	return s
}

// observe applies one alert record.
func (e *Engine) observe(in *itsm.Alert) {
	e.heard(in.Source)
	a := e.alerts[in.Fingerprint]
	if a == nil {
		a = e.newAlert(in)
	}
	e.moved(a)
	if a.waiting != nil {
		e.assign()
	}
	if in.Status == itsm.StatusResolved {
		e.resolved(a, in)
	} else {
		e.firing(a, in)
		e.marked(a, in)
	}
	a.lastSeen = e.clock
	if e.isHeartbeat(a) {
		e.beat(in)
	}
}

func (e *Engine) newAlert(in *itsm.Alert) *alert {
	a := &alert{
		fingerprint: in.Fingerprint, labels: in.Labels, annotations: in.Annotations, severity: e.cfg.Severity.severityOf(in.Labels),
		group: in.Group(), source: in.Source, url: in.GeneratorURL, node: cmdb.None,
	}
	a.quiet = a.severity.Rank() > e.cfg.Incident.MinSeverity.Rank() || slices.Contains(e.cfg.Incident.Heartbeats, in.Labels.Get("alertname"))
	a.mild = e.index.Mild(a.kind())
	e.bind(a)
	a.silences, a.window = e.silences.matching(a), e.windows.at(a.node)
	e.alerts[a.fingerprint] = a
	e.buckets[a.fingerprint%bucketCount].add(a)
	e.save(a)
	return a
}

// schedulePurge forgets an alert that no incident holds some time after its end.
func (e *Engine) schedulePurge(a *alert) {
	a.purgeAt = e.clock.Add(e.cfg.Incident.ReopenWithin)
	e.timers.push(timer{at: a.purgeAt, kind: timerPurge, fingerprint: a.fingerprint})
}

func (e *Engine) purge(t timer) {
	a := e.alerts[t.fingerprint]
	if a == nil || a.open || a.waiting != nil || !a.purgeAt.Equal(t.at) {
		return
	}
	if !a.quiet && slices.ContainsFunc(a.members, func(m *member) bool { return m.inc != nil }) {
		return
	}
	if a.quiet && len(a.members) > 0 {
		e.now.gone = append(e.now.gone, itsm.AlertChange{Incident: itsm.NoIncident, Fingerprint: a.fingerprint})
	}
	e.drop(a)
}

// drop forgets an alert.
func (e *Engine) drop(a *alert) {
	e.mayNotCause(a)
	delete(e.alerts, a.fingerprint)
	e.buckets[a.fingerprint%bucketCount].remove(a)
	e.dirty.dropped[a.fingerprint] = true
}

// assign finds an incident for every period that has none yet.
func (e *Engine) assign() {
	if len(e.fresh) == 0 {
		return
	}
	fresh := e.proceed(e.fresh)
	e.fresh = nil
	if len(fresh) == 0 {
		return
	}
	observations := make([]*explain.Observation, len(fresh))
	for i, m := range fresh {
		observations[i] = m.obs
		e.suspect(m.alert, m.obs)
	}
	verdicts, merges := e.index.Assign(e.clock, observations)
	opened := map[int]*incident{}
	for i, v := range verdicts {
		m := fresh[i]
		var inc *incident
		switch {
		case v.Join != nil:
			inc = e.incidents[v.Join.Ordinal]
		case opened[v.New] != nil:
			inc = opened[v.New]
		default:
			inc = e.openIncident(m)
			opened[v.New], inc.hyp.Shots = inc, m.obs.Shots
		}
		if m.evidence = v.Evidence; m.obs.Shots == explain.NoShots {
			inc.hyp.Shots = explain.NoShots
		}
		e.join(m, inc)
	}
	for _, g := range merges {
		e.mergeByCause(g)
	}
}
