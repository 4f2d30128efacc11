package correlate

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/correlate/learn"
	"signalbox/itsm"
)

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
	m := e.memberFor(a, c)
	held := !c.start.Before(m.startsAt) && e.holdBack(m)
	if !held {
		e.show(m)
	}
	if a.counted {
		a.floor = a.end
	}
	a.start, a.end, a.open, a.expired, a.counted, a.once, a.expires = c.start, time.Time{}, true, false, true, c.once, c.expires
	a.latest = c.start
	a.annotations, a.source, a.url, a.group = in.Annotations, in.Source, in.GeneratorURL, in.Group()
	e.save(a)
	e.watchExpiry(a)
	if !held {
		m.begin(c.start, e.clock)
	}
	e.began(m, e.clock)
	if e.opts.Keep {
		a.past = append(a.past, span{start: c.start, member: m})
	}
	onset := c.start
	if onset.After(e.clock) {
		onset = e.clock
	}
	e.mayCause(a)
	past := e.index.Count(a.node, a.kind(), latest(onset, e.clock.Add(-learn.RateWindow)))
	switch {
	case a.quiet:
		if a.node != cmdb.None {
			e.index.AddContext(a.node)
		}
		e.touchLoose(a)
	case held:
		e.beganHeld(m)
	case m.inc != nil:
		m.inc.hyp.LastJoined = e.clock
		e.reopen(m)
		e.refire(m, in, onset, past)
		e.touchMember(m)
		e.touch(m.inc)
	default:
		e.periods++
		e.dirty.counts = true
		m.obs = &explain.Observation{
			Ordinal: e.periods, Node: a.node, Type: a.kind(), Group: a.labels.Get(e.cfg.Correlate.GroupUnbound), Onset: onset, Seen: e.clock,
			Magnitude: magnitudeOf(a.annotations), Past: past,
		}
		if e.shoots(a, c) {
			m.obs.Shots = e.shotsOf(a)
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

// refire makes a new period evidence again, as of now when the ones before no longer are.
func (e *Engine) refire(m *member, in *itsm.Alert, onset time.Time, past explain.Past) {
	if m.obs.Node != cmdb.None && !m.inc.fadedAt.IsZero() && !m.alert.floor.Add(e.cfg.Correlate.Window).After(m.inc.fadedAt) {
		e.unattend(m)
		m.obs.Reset()
		m.obs.Onset, m.obs.Seen, m.obs.Magnitude, m.obs.Past = onset, e.clock, magnitudeOf(in.Annotations), past
	}
	e.attend(m)
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// begin counts a period in.
func (m *member) begin(start, now time.Time) {
	m.set(itsm.StatusFiring, now)
	m.lastStartsAt, m.endsAt = start, time.Time{}
	m.count++
	if m.count == 1 || start.Before(m.startsAt) {
		m.startsAt = start
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
func (e *Engine) memberFor(a *alert, c claim) *member {
	if e.shoots(a, c) {
		return e.shotFor(a)
	}
	if m := a.current(); m != nil {
		switch {
		case a.quiet:
			return m
		case m.inc == nil: // its incident is forgotten
		case e.reopens(m.inc):
			return m
		}
		e.show(m)
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
		e.mayCause(a)
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
		held := e.holdBack(m)
		a.annotations = in.Annotations
		if !held {
			e.news(a, m)
		}
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
	e.show(m)
	a.open, a.expired, a.end, a.expires = true, false, time.Time{}, c.expires
	e.extend(a, in, c)
	m.set(itsm.StatusFiring, e.clock)
	m.endsAt = time.Time{}
	if !a.quiet {
		e.attend(m)
	}
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
	m := a.current()
	held := status == itsm.StatusResolved && e.holdBack(m)
	if !held {
		e.show(m)
	}
	a.open, a.end, a.expired, a.expires = false, at, status == itsm.StatusExpired, time.Time{}
	e.moved(a)
	if n := len(a.past); n > 0 {
		a.past[n-1].end = at
	}
	if held {
		if a.mark != (mark{}) {
			e.resuppress(a, a.silences, mark{}, a.window)
		}
		return
	}
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
	e.attend(m)
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
