package correlate

import (
	"math"
	"slices"
	"strconv"
	"strings"
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
	tried       string
	quiet       bool       // low severity or a heartbeat: opens no incident
	silences    []*silence // that match it now, by id
	silencedBy  []string   // their ids while a recovery has not linked them yet
	mark        mark       // of the source that suppresses the open period

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
		l = a.said()
	}
	s := itsm.AlertState{
		Fingerprint: a.fingerprint, Labels: a.labels, Annotations: l.annotations, Status: m.status, Severity: l.severity,
		StartsAt: m.startsAt, LastStartsAt: m.lastStartsAt, LastSeenAt: l.seen, JoinedAt: m.joinedAt, Count: m.count,
		Source: l.source, GeneratorURL: l.url, Acknowledged: m.acknowledged, Evidence: m.evidence, Group: l.group, Tried: l.tried,
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
	e.bind(a)
	a.silences = e.silences.matching(a)
	e.alerts[a.fingerprint] = a
	e.buckets[a.fingerprint%bucketCount].add(a)
	e.save(a)
	return a
}

// claim is what a firing record says of a period.
type claim struct {
	start    time.Time
	explicit bool      // the source has said when it began
	expires  time.Time // zero: only a resolve ends it
	once     bool
}

func (e *Engine) claimOf(in *itsm.Alert) claim {
	c := claim{start: in.StartsAt, explicit: !in.StartsAt.IsZero(), expires: in.EndsAt}
	if !c.explicit {
		c.start = e.clock
	}
	c.once = c.explicit && c.expires.Equal(c.start)
	if c.expires.IsZero() && in.Resend {
		c.expires = e.clock.Add(e.cfg.Incident.ResolveTimeout)
	}
	return c
}

// maxShots bounds how many one-shot events of an alert are told apart; older ones count as known.
const maxShots = 64

// known tells whether a one-shot event has come before, and notes it.
func (a *alert) known(at time.Time) bool {
	i, found := slices.BinarySearchFunc(a.shots, at, time.Time.Compare)
	if found || i == 0 && len(a.shots) == maxShots {
		return true
	}
	a.shots = slices.Insert(a.shots, i, at)
	if len(a.shots) > maxShots {
		a.shots = a.shots[1:]
	}
	return false
}

// anew tells whether a beginning is another than the latest that was given. Within a millisecond it is the same: Alertmanager's API
// cuts its times there, and what is read from it may come after the webhook that has the whole time.
func (a *alert) anew(start time.Time) bool { return start.Sub(a.latest) >= time.Millisecond }

// firing decides whether a record goes on with the last period or begins another one.
func (e *Engine) firing(a *alert, in *itsm.Alert) {
	c := e.claimOf(in)
	switch {
	case c.once && !a.open && a.known(c.start):
	case a.start.IsZero(), !a.open && !c.start.Before(a.end) && !c.start.Equal(a.start):
		e.begin(a, in, c)
	case !a.counted: // its end was heard before its beginning
		end := a.end
		e.begin(a, in, c)
		if !c.expires.After(end) || !c.expires.After(e.clock) {
			e.end(a, end, itsm.StatusResolved)
		}
	case a.open && c.expires.IsZero() && c.explicit && a.anew(c.start):
		e.end(a, c.start, itsm.StatusResolved)
		e.begin(a, in, c)
	case a.open:
		e.extend(a, in, c)
	case c.once && a.once: // an earlier event that comes late
		e.begin(a, in, c)
	case c.once:
	case !c.explicit && c.start.Equal(a.start) && (c.expires.IsZero() || c.expires.After(e.clock)): // began and ended in this record
		e.resume(a, in, c)
	case a.expired && (c.expires.IsZero() || c.expires.After(e.clock)), c.expires.After(a.end) && c.expires.After(e.clock):
		e.resume(a, in, c)
	case c.expires.IsZero() && a.anew(c.start):
		c.start = a.end
		e.begin(a, in, c)
	}
}

// begin opens a period.
func (e *Engine) begin(a *alert, in *itsm.Alert, c claim) {
	m := e.memberFor(a)
	if a.counted {
		a.floor = a.end
	}
	a.start, a.end, a.open, a.expired, a.counted, a.once, a.expires = c.start, time.Time{}, true, false, true, c.once, c.expires
	a.latest = c.start
	a.annotations, a.source, a.url, a.group = in.Annotations, in.Source, in.GeneratorURL, in.Group()
	e.save(a)
	e.watchExpiry(a)
	m.set(itsm.StatusFiring, e.clock)
	m.lastStartsAt, m.endsAt = c.start, time.Time{}
	m.count++
	if m.count == 1 || c.start.Before(m.startsAt) {
		m.startsAt = c.start
	}
	e.began(m, e.clock)
	if e.opts.Keep {
		a.past = append(a.past, span{start: c.start, member: m})
	}
	switch {
	case a.quiet:
		if a.node != cmdb.None {
			e.index.AddContext(a.node)
		}
		e.touchLoose(a)
	case m.inc != nil:
		m.inc.hyp.LastJoined = e.clock
		e.reopen(m)
		e.touchMember(m)
		e.touch(m.inc)
	default:
		onset := c.start
		if onset.After(e.clock) {
			onset = e.clock
		}
		e.periods++
		e.dirty.counts = true
		m.obs = &explain.Observation{
			Ordinal: e.periods, Node: a.node, Type: a.kind(), Group: a.labels.Get(e.cfg.Correlate.GroupUnbound), Onset: onset, Seen: e.clock,
			Magnitude: magnitudeOf(a.annotations),
		}
		if m.obs.Group == "" {
			m.obs.Group = m.obs.Type
		}
		a.waiting = m
		e.fresh = append(e.fresh, m)
	}
	if c.once {
		e.end(a, c.start, itsm.StatusResolved)
	}
}

// magnitudeOf is how far beyond normal an alert says its value is, 0 when it does not say.
func magnitudeOf(annotations itsm.Labels) float64 {
	v, err := strconv.ParseFloat(annotations.Get("magnitude"), 64)
	if err != nil || math.IsNaN(v) || v < 0 {
		return 0
	}
	return v
}

// began notes when periods of a member began, to tell whether it flaps.
func (e *Engine) began(m *member, at ...time.Time) {
	m.recent = append(m.recent, at...)
	if over := len(m.recent) - e.cfg.Incident.FlapCount; over > 0 {
		m.recent = m.recent[over:]
	}
	if m.inc != nil {
		m.inc.watch(m)
	}
}

// watch has an incident look at a member that may flap.
func (inc *incident) watch(m *member) {
	if len(m.recent) > 1 && !m.restless {
		m.restless = true
		inc.restless = append(inc.restless, m)
	}
}

// kind is the alert's type: its alertname, or the names of its labels.
func (a *alert) kind() string {
	if name := a.labels.Get("alertname"); name != "" {
		return name
	}
	names := make([]string, len(a.labels))
	for i := range a.labels {
		names[i] = a.labels[i].Name
	}
	return strings.Join(names, ",")
}

// memberFor returns the member that a new period counts in: the last one while its incident is
// not closed and may be opened again, else a new one.
func (e *Engine) memberFor(a *alert) *member {
	if m := a.current(); m != nil {
		switch {
		case a.quiet:
			return m
		case m.inc == nil: // its incident is forgotten
		case m.inc.row.State.Open(), m.inc.row.State == itsm.StateResolved && e.clock.Sub(*m.inc.row.ResolvedAt) <= e.cfg.Incident.ReopenWithin:
			return m
		}
		m.last = a.said()
	}
	m := &member{alert: a, joinedAt: e.clock}
	if a.quiet {
		a.members = append(a.members, m)
	}
	return m
}

// extend goes on with the open period.
func (e *Engine) extend(a *alert, in *itsm.Alert, c claim) {
	m := a.current()
	if c.explicit && c.start.After(a.latest) {
		a.latest = c.start
		e.save(a)
	}
	if c.start.Before(a.start) && !c.start.Before(a.floor) {
		if m.count == 1 {
			m.startsAt = c.start
		}
		if m.inc != nil && m.startsAt.Before(m.inc.row.StartedAt) {
			m.inc.row.StartedAt = m.startsAt
		}
		if m.lastStartsAt.Equal(a.start) {
			m.lastStartsAt = c.start
		}
		a.start = c.start
		if n := len(a.past); n > 0 {
			a.past[n-1].start = c.start
		}
		e.news(a, m)
	}
	if !c.once && c.expires.After(a.expires) && (!a.expires.IsZero() || !c.expires.IsZero()) {
		a.expires = c.expires
		e.watchExpiry(a)
	}
	if !slices.Equal(a.annotations, in.Annotations) {
		a.annotations = in.Annotations
		e.news(a, m)
	}
}

// resume takes the end of the last period back.
func (e *Engine) resume(a *alert, in *itsm.Alert, c claim) {
	m := a.current()
	if m == nil || !a.quiet && (m.inc == nil || !m.inc.row.State.Open()) {
		if c.start.Before(a.end) {
			c.start = a.end
		}
		e.begin(a, in, c)
		return
	}
	a.open, a.expired, a.end, a.expires = true, false, time.Time{}, c.expires
	e.extend(a, in, c)
	m.set(itsm.StatusFiring, e.clock)
	m.endsAt = time.Time{}
	if n := len(a.past); n > 0 {
		a.past[n-1].end = time.Time{}
	}
	e.watchExpiry(a)
	if a.quiet && a.node != cmdb.None {
		e.index.AddContext(a.node)
	}
	e.news(a, m)
}

// news publishes a member that has changed.
func (e *Engine) news(a *alert, m *member) {
	e.save(a)
	if a.quiet {
		e.touchLoose(a)
		return
	}
	if m.inc != nil {
		e.touchMember(m)
		e.touch(m.inc)
	}
}

// watchExpiry makes sure that a timer looks at the alert when it may expire.
func (e *Engine) watchExpiry(a *alert) {
	if a.expires.IsZero() || !a.expiryAt.IsZero() && !a.expiryAt.After(a.expires) {
		return
	}
	a.expiryAt = a.expires
	e.timers.push(timer{at: a.expires, kind: timerExpiry, fingerprint: a.fingerprint})
}

func (e *Engine) expire(t timer) {
	a := e.alerts[t.fingerprint]
	if a == nil || !a.expiryAt.Equal(t.at) {
		return
	}
	a.expiryAt = time.Time{}
	switch {
	case !a.open || a.expires.IsZero():
	case a.expires.After(t.at):
		e.watchExpiry(a)
	default:
		e.end(a, a.expires, itsm.StatusExpired)
	}
}

// resolved applies a record that says that the condition is over.
func (e *Engine) resolved(a *alert, in *itsm.Alert) {
	end := in.EndsAt
	if end.IsZero() || end.After(e.clock) {
		end = e.clock
	}
	switch {
	case a.start.IsZero():
		a.start, a.end = in.StartsAt, end
		if a.start.IsZero() || a.start.After(end) {
			a.start = end
		}
		e.save(a)
		e.schedulePurge(a)
	case a.open:
		if end.Before(a.start) && !in.StartsAt.IsZero() && in.StartsAt.Before(a.start) {
			return // the end of an earlier period, late
		}
		if end.Before(a.start) {
			end = a.start
		}
		e.end(a, end, itsm.StatusResolved)
	case a.expired:
		a.expired = false
		if m := a.current(); m != nil && m.status == itsm.StatusExpired {
			m.set(itsm.StatusResolved, e.clock)
			e.news(a, m)
		}
		e.save(a)
	}
}

// end closes the open period.
func (e *Engine) end(a *alert, at time.Time, status itsm.Status) {
	if a.waiting != nil {
		e.assign()
	}
	a.open, a.end, a.expired, a.expires = false, at, status == itsm.StatusExpired, time.Time{}
	e.moved(a)
	if n := len(a.past); n > 0 {
		a.past[n-1].end = at
	}
	m := a.current()
	m.set(status, e.clock)
	a.mark = mark{}
	m.endsAt = at
	e.save(a)
	if a.quiet {
		if a.node != cmdb.None {
			e.index.DropContext(a.node)
		}
		e.touchLoose(a)
		e.schedulePurge(a)
		return
	}
	if m.inc == nil {
		e.schedulePurge(a)
		return
	}
	if status == itsm.StatusExpired && m.inc.row.State.Open() {
		if _, waits := m.inc.silent[a.source]; !waits {
			e.silent[a.source] = append(e.silent[a.source], m.inc)
		}
		m.inc.silent[a.source] = e.clock
	}
	e.touchMember(m)
	e.touch(m.inc)
}

// heard notes that a source has sent something: what expired because it was silent is over now.
func (e *Engine) heard(source string) {
	list := e.silent[source]
	if len(list) == 0 {
		return
	}
	rest := list[:0]
	for _, inc := range list {
		since, waits := inc.silent[source]
		switch {
		case !waits:
		case e.clock.After(since):
			delete(inc.silent, source)
			e.schedule(inc)
			e.saveIncident(inc)
		default:
			rest = append(rest, inc)
		}
	}
	if len(rest) == 0 {
		delete(e.silent, source)
		return
	}
	e.silent[source] = rest
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
	delete(e.alerts, a.fingerprint)
	e.buckets[a.fingerprint%bucketCount].remove(a)
	e.dirty.dropped[a.fingerprint] = true
}

// assign finds an incident for every period that has none yet.
func (e *Engine) assign() {
	if len(e.fresh) == 0 {
		return
	}
	fresh := e.fresh
	e.fresh = nil
	observations := make([]*explain.Observation, len(fresh))
	for i, m := range fresh {
		observations[i] = m.obs
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
			opened[v.New] = inc
		}
		m.evidence = v.Evidence
		e.join(m, inc)
	}
	for _, g := range merges {
		e.mergeByCause(g)
	}
}
