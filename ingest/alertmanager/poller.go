package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"signalbox/ingest"
	"signalbox/itsm"
)

// Member is one Alertmanager as a Poller reads it.
type Member interface {
	URL() string
	Status(ctx context.Context) (Status, error)
	Alerts(ctx context.Context, yield func(Listed) error) error
	Muted(ctx context.Context, receiver *regexp.Regexp) (map[itsm.Fingerprint][]string, error)
}

// PollerOptions are what NewPoller needs; every field is required.
type PollerOptions struct {
	Config  Config
	Members []Member
	Door    ingest.Door
	// Known gives the alerts that we have: those that fire, and those that ended and are remembered.
	Known func() map[itsm.Fingerprint]Known
	// Ours tells whether it is this process that reads on its own. The others read only when a webhook
	// that came to them left alerts out: reading twice changes nothing.
	Ours func() bool
	// Acknowledgements lists the ids of the silences in a member that stand for what is acknowledged here.
	// They are no reason to mark an alert: that it is acknowledged is known. nil: there are none.
	Acknowledgements func(ctx context.Context, member int) (map[string]bool, error)
	IgnoreLabels     []string // identity.ignore_labels
	Metrics          *PollerMetrics
	Logger           *slog.Logger
}

// PollerMetrics are shared by all pollers of a process.
type PollerMetrics struct {
	readings *prometheus.CounterVec   // by alertmanager and result
	sent     *prometheus.CounterVec   // by alertmanager and kind
	refused  *prometheus.CounterVec   // by alertmanager
	up       *prometheus.GaugeVec     // by alertmanager and member
	alerts   *prometheus.GaugeVec     // by alertmanager and state
	seconds  *prometheus.HistogramVec // by alertmanager
}

// NewPollerMetrics registers them.
func NewPollerMetrics(reg prometheus.Registerer) *PollerMetrics {
	f := promauto.With(reg)
	const prefix = "signalbox_ingest_alertmanager_"
	return &PollerMetrics{
		readings: f.NewCounterVec(prometheus.CounterOpts{Name: prefix + "readings_total", Help: "Readings of an Alertmanager; failed: no member answered, or the log did not take what differs."}, []string{"alertmanager", "result"}),
		sent:     f.NewCounterVec(prometheus.CounterOpts{Name: prefix + "sent_total", Help: "Alerts that differed from a reading and were sent to the log: gap, mark or end."}, []string{"alertmanager", "kind"}),
		refused:  f.NewCounterVec(prometheus.CounterOpts{Name: prefix + "refused_total", Help: "Listed alerts that cannot be taken."}, []string{"alertmanager"}),
		up:       f.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "member_up", Help: "1 when the member answered the last reading."}, []string{"alertmanager", "member"}),
		alerts:   f.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "alerts", Help: "Alerts that the last reading listed: active, silenced, inhibited or muted."}, []string{"alertmanager", "state"}),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "reading_duration_seconds", Help: "Time that a reading took.", Buckets: prometheus.ExponentialBuckets(0.005, 3, 9),
		}, []string{"alertmanager"}),
	}
}

// State is what a Poller knows of its Alertmanager.
type State struct {
	Name     string
	Reads    bool       // this process reads it on its own
	LastRead *time.Time // when a reading last succeeded; nil: none has
	Error    string     // why the last one failed, or the log did not take it; empty: it did not
	Members  []MemberState
	// Of the last reading that succeeded:
	Active, Silenced, Inhibited, Muted int
}

// MemberState is how the last reading found a member.
type MemberState struct {
	URL     string
	Up      bool
	Version string
	Since   time.Time // when it was started
	Error   string
}

// Poller reads one Alertmanager and sends what differs from what we have. All methods are safe for
// concurrent use; Run is called once.
type Poller struct {
	o         PollerOptions
	receivers *regexp.Regexp
	kicked    chan struct{}
	differ    differ

	mu    sync.Mutex
	state State
}

// NewPoller checks the options. It starts nothing.
func NewPoller(o PollerOptions) (*Poller, error) {
	receivers, err := o.Config.receivers()
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	switch {
	case len(o.Members) == 0 || o.Door == nil || o.Known == nil || o.Ours == nil:
		return nil, errors.New("alertmanager: Members, Door, Known or Ours is missing")
	case o.Metrics == nil || o.Logger == nil:
		return nil, errors.New("alertmanager: Metrics or Logger is missing")
	}
	o.Logger = o.Logger.With("component", "alertmanager", "alertmanager", o.Config.Name)
	p := &Poller{
		o: o, receivers: receivers, kicked: make(chan struct{}, 1), state: State{Name: o.Config.Name},
		differ: differ{source: o.Config.Name, apart: o.Config.Interval / 2},
	}
	for _, m := range o.Members {
		p.state.Members = append(p.state.Members, MemberState{URL: m.URL()})
	}
	return p, nil
}

// Name is the source's.
func (p *Poller) Name() string { return p.o.Config.Name }

// Kick asks for a reading at once. Kicks while one is due anyway are one.
func (p *Poller) Kick() {
	select {
	case p.kicked <- struct{}{}:
	default:
	}
}

// State tells how the last reading went.
func (p *Poller) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Reads = p.o.Config.Interval > 0 && p.o.Ours()
	s.Members = slices.Clone(s.Members)
	return s
}

const (
	// How far readings are apart at least that kicks ask for, and how many times as long as
	// the reading took: a storm of webhooks that leave alerts out is no storm of readings.
	kickPause, kickShare = 2 * time.Second, 4
	// The longest wait after failed readings, unless the interval is longer.
	maxBackoff = 5 * time.Minute
)

// Run reads until ctx is done: at once, then periodically, and when it is kicked.
func (p *Poller) Run(ctx context.Context) {
	failures := 0
	due := time.NewTimer(0)
	defer due.Stop()
	if p.o.Config.Interval == 0 {
		due.Stop()
	}
	for {
		kicked := false
		select {
		case <-ctx.Done():
			return
		case <-due.C:
		case <-p.kicked:
			kicked = true
		}
		began := time.Now()
		if kicked || p.o.Ours() {
			if p.read(ctx) {
				failures = 0
			} else {
				failures++
			}
		} else {
			p.differ.missing = nil // another process has the readings in between
		}
		if kicked && !wait(ctx, max(kickPause, kickShare*time.Since(began))) {
			return
		}
		if p.o.Config.Interval > 0 {
			due.Reset(p.pause(failures))
		}
	}
}

// pause is the time to the next reading: the interval, give or take a tenth, and after failures
// longer each time.
func (p *Poller) pause(failures int) time.Duration {
	d := p.o.Config.Interval
	for range min(failures, 10) {
		d = min(2*d, max(maxBackoff, p.o.Config.Interval))
	}
	return d - d/10 + rand.N(d/5) //nolint:gosec // it only spreads load.
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// read makes a reading and sends what differs; it tells whether that went well.
func (p *Poller) read(ctx context.Context) bool {
	began := time.Now().UTC()
	known := p.o.Known() // before the reading: what ends meanwhile is no gap
	r, members, err := p.collect(ctx, began, known)
	if err == nil {
		err = p.send(ctx, p.differ.diff(known, r))
	} else {
		p.differ.missing = nil // readings in a row have none between them that failed
	}
	if ctx.Err() != nil {
		return false
	}
	p.o.Metrics.seconds.WithLabelValues(p.Name()).Observe(time.Since(began).Seconds())
	p.note(began, r, members, err)
	return err == nil
}

// collect reads all members side by side. Nothing can be said when none answers.
func (p *Poller) collect(ctx context.Context, began time.Time, known map[itsm.Fingerprint]Known) (*reading, []MemberState, error) {
	parts := make([]*part, len(p.o.Members))
	var group sync.WaitGroup
	for i, m := range p.o.Members {
		group.Go(func() {
			parts[i] = p.readMember(ctx, m, known)
			p.passAcknowledged(ctx, i, parts[i])
		})
	}
	group.Wait()
	r := &reading{began: began, alerts: map[itsm.Fingerprint]*listing{}}
	members := make([]MemberState, len(parts))
	var errs []error
	refused := 0
	for i, part := range parts {
		members[i] = part.state
		if part.err != nil {
			errs = append(errs, part.err)
			continue
		}
		refused = max(refused, part.refused)
		r.settled = r.settled || p.settled(began, part.state.Since)
		for fp, l := range part.alerts {
			r.add(fp, l)
		}
	}
	if len(errs) == len(parts) {
		return nil, members, errors.Join(errs...)
	}
	p.o.Metrics.refused.WithLabelValues(p.Name()).Add(float64(refused))
	return r, members, nil
}

// settled tells whether a member has been up for long enough to list all that fires. One that does
// not say since when it is up may have just begun.
func (p *Poller) settled(now, since time.Time) bool {
	return p.o.Config.Settle == 0 || !since.IsZero() && now.Sub(since) >= p.o.Config.Settle
}

// part is what one member lists.
type part struct {
	state   MemberState
	alerts  map[itsm.Fingerprint]*listing
	muted   map[itsm.Fingerprint][]string // by the member's own fingerprints
	refused int
	err     error
}

// maxListed bounds the alerts that are read of a member.
const maxListed = 1_000_000

func (p *Poller) readMember(ctx context.Context, m Member, known map[itsm.Fingerprint]Known) *part {
	out := &part{state: MemberState{URL: m.URL()}, alerts: map[itsm.Fingerprint]*listing{}}
	status, err := m.Status(ctx)
	if err == nil {
		out.state.Version, out.state.Since = status.VersionInfo.Version, status.Uptime
		if status.Mutes() {
			out.muted, err = m.Muted(ctx, p.receivers)
		}
	}
	if err == nil {
		err = m.Alerts(ctx, func(l Listed) error { return p.take(out, l, known) })
	}
	if err != nil {
		out.err, out.state.Error = fmt.Errorf("read %s: %w", m.URL(), err), err.Error()
		return out
	}
	out.state.Up = true
	return out
}

// take adds an alert that a member lists. Only what a record may be made of is kept as a whole, so
// a reading in which nothing differs needs little memory.
func (p *Poller) take(out *part, l Listed, known map[itsm.Fingerprint]Known) error {
	if len(out.alerts) >= maxListed {
		return fmt.Errorf("more than %d alerts are listed", maxListed)
	}
	if by := out.muted[l.Labels.Fingerprint()]; len(by) > 0 {
		l.MutedBy = by
	}
	l.Labels = slices.DeleteFunc(l.Labels, func(l itsm.Label) bool { return l.Value == "" || slices.Contains(p.o.IgnoreLabels, l.Name) })
	fp := l.Labels.Fingerprint()
	check := itsm.Alert{Labels: l.Labels, Annotations: l.Annotations, Status: itsm.StatusFiring, StartsAt: l.StartsAt, GeneratorURL: l.GeneratorURL}
	if check.Validate() != nil {
		out.refused++
		return nil //nolint:nilerr // the others are taken.
	}
	entry := &listing{
		Listed: l, ours: len(l.Receivers) == 0 || slices.ContainsFunc(l.Receivers, p.receivers.MatchString),
		loud:     len(l.SilencedBy)+len(l.InhibitedBy)+len(l.MutedBy) == 0,
		silenced: l.SilencedBy, inhibited: l.InhibitedBy, muted: l.MutedBy,
	}
	if k, have := known[fp]; have && k.Status == itsm.StatusFiring && !k.Suppressed && entry.loud {
		entry.Labels, entry.Annotations, entry.GeneratorURL = nil, nil, ""
	}
	entry.Receivers = nil
	if before := out.alerts[fp]; before != nil { // another replica of it
		before.merge(entry)
		return nil
	}
	out.alerts[fp] = entry
	return nil
}

// passAcknowledged takes the silences of our own acknowledgements out of what a member lists. They are asked for
// after the alerts, so that none is missing that an alert names.
func (p *Poller) passAcknowledged(ctx context.Context, member int, out *part) {
	silenced := func(l *listing) bool { return len(l.silenced) > 0 }
	if p.o.Acknowledgements == nil || out.err != nil || !slices.ContainsFunc(slices.Collect(maps.Values(out.alerts)), silenced) {
		return
	}
	ours, err := p.o.Acknowledgements(ctx, member)
	if err != nil {
		out.err, out.state.Error, out.state.Up = fmt.Errorf("read %s: %w", out.state.URL, err), err.Error(), false
		return
	}
	for _, l := range out.alerts {
		if silenced(l) {
			l.silenced = slices.DeleteFunc(slices.Clone(l.silenced), func(id string) bool { return ours[id] })
			l.loud = l.loud || len(l.silenced)+len(l.inhibited)+len(l.muted) == 0
		}
	}
}

// add takes what a member lists into the whole.
func (r *reading) add(fp itsm.Fingerprint, l *listing) {
	if before := r.alerts[fp]; before != nil {
		before.merge(l)
		return
	}
	r.alerts[fp] = l
}

// merge takes in what another member, or the same of another replica, says of an alert.
func (l *listing) merge(m *listing) {
	if l.Labels == nil {
		l.Labels, l.Annotations, l.GeneratorURL = m.Labels, m.Annotations, m.GeneratorURL
	}
	if m.StartsAt.Before(l.StartsAt) {
		l.StartsAt = m.StartsAt
	}
	if m.UpdatedAt.After(l.UpdatedAt) {
		l.UpdatedAt = m.UpdatedAt
	}
	l.ours, l.loud = l.ours || m.ours, l.loud || m.loud
	l.silenced = append(slices.Clip(l.silenced), m.silenced...)
	l.inhibited = append(slices.Clip(l.inhibited), m.inhibited...)
	l.muted = append(slices.Clip(l.muted), m.muted...)
}

// sendAtOnce bounds the alerts of one input.
const sendAtOnce = 1000

// send hands what differs to the log. What it does not take differs still at the next reading.
func (p *Poller) send(ctx context.Context, c changes) error {
	for _, part := range []struct {
		kind   string
		alerts []itsm.Alert
	}{{"gap", c.gaps}, {"mark", c.marks}, {"end", c.ends}} {
		for alerts := range slices.Chunk(part.alerts, sendAtOnce) {
			if err := p.o.Door.Append(ctx, itsm.Input{Alerts: alerts}); err != nil {
				return fmt.Errorf("send to the log: %w", err)
			}
			p.o.Metrics.sent.WithLabelValues(p.Name(), part.kind).Add(float64(len(alerts)))
		}
	}
	return nil
}

// note remembers how a reading went, and says it in the log when that is news.
func (p *Poller) note(began time.Time, r *reading, members []MemberState, err error) {
	next := State{Name: p.Name(), Members: members}
	result := "ok"
	if err != nil {
		result, next.Error = "failed", err.Error()
	}
	p.o.Metrics.readings.WithLabelValues(p.Name(), result).Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.state
	next.LastRead, next.Active, next.Silenced, next.Inhibited, next.Muted = last.LastRead, last.Active, last.Silenced, last.Inhibited, last.Muted
	if r != nil {
		next.LastRead, next.Active, next.Silenced, next.Inhibited, next.Muted = &began, 0, 0, 0, 0
		for _, l := range r.alerts {
			switch {
			case l.loud:
				next.Active++
			case len(l.silenced) > 0:
				next.Silenced++
			case len(l.inhibited) > 0:
				next.Inhibited++
			default:
				next.Muted++
			}
		}
	}
	p.state = next
	for state, n := range map[string]int{"active": next.Active, "silenced": next.Silenced, "inhibited": next.Inhibited, "muted": next.Muted} {
		p.o.Metrics.alerts.WithLabelValues(p.Name(), state).Set(float64(n))
	}
	for i, m := range members {
		up := 0.0
		if m.Up {
			up = 1
		}
		p.o.Metrics.up.WithLabelValues(p.Name(), m.URL).Set(up)
		switch was := last.Members[i]; {
		case m.Up && !was.Up:
			p.o.Logger.Info("a member of the Alertmanager answers", "member", m.URL, "version", m.Version)
		case !m.Up && was.Error == "" && err == nil: // when none answers it is said below
			p.o.Logger.Warn("a member of the Alertmanager does not answer", "member", m.URL, "err", m.Error)
		}
	}
	switch {
	case err != nil && last.Error == "":
		p.o.Logger.Warn("the Alertmanager cannot be read; what is known of its alerts stays", "err", err)
	case err == nil && last.Error != "":
		p.o.Logger.Info("the Alertmanager is read again")
	}
}
