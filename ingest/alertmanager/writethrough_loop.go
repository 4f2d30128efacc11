package alertmanager

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"signalbox/itsm"
)

// SilenceMember is one Alertmanager as a Silencer writes to it.
type SilenceMember interface {
	URL() string
	Alerts(ctx context.Context, yield func(Listed) error) error
	Silences(ctx context.Context, yield func(Silence) error) error
	PutSilence(ctx context.Context, s itsm.Silence) (id string, err error)
	ExpireSilence(ctx context.Context, id string) error
}

// SilencerOptions are what NewSilencer needs; every field is required.
type SilencerOptions struct {
	Config  Config
	Members []SilenceMember
	// Holds lists what is in force at a moment or begins within the lead.
	Holds func(now time.Time, lead time.Duration) []Hold
	// Installation tells our silences from those of others; "" while it is not known. It is one word.
	Installation func() string
	// Ours tells whether it is this process that writes. Two that do for a moment do no harm: what one
	// has made twice it takes back.
	Ours         func() bool
	IgnoreLabels []string // identity.ignore_labels
	Metrics      *SilencerMetrics
	Logger       *slog.Logger
}

// SilencerMetrics are shared by all silencers of a process.
type SilencerMetrics struct {
	wanted  *prometheus.GaugeVec   // by alertmanager
	beyond  *prometheus.GaugeVec   // by alertmanager
	written *prometheus.CounterVec // by alertmanager and kind
	failed  *prometheus.CounterVec // by alertmanager
}

// NewSilencerMetrics registers them.
func NewSilencerMetrics(reg prometheus.Registerer) *SilencerMetrics {
	f := promauto.With(reg)
	const prefix = "signalbox_ingest_alertmanager_silences_"
	return &SilencerMetrics{
		wanted:  f.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "wanted", Help: "Silences that an Alertmanager should have of us."}, []string{"alertmanager"}),
		beyond:  f.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "beyond", Help: fmt.Sprintf("Wanted silences that are not made because there would be more than %d.", maxSilences)}, []string{"alertmanager"}),
		written: f.NewCounterVec(prometheus.CounterOpts{Name: prefix + "written_total", Help: "Silences written to an Alertmanager: created, changed (most of them prolonged) or expired."}, []string{"alertmanager", "kind"}),
		failed:  f.NewCounterVec(prometheus.CounterOpts{Name: prefix + "failed_total", Help: "Attempts to bring the silences of an Alertmanager up to date that failed; they are made again."}, []string{"alertmanager"}),
	}
}

// SilencerState is how the silences of an Alertmanager stand.
type SilencerState struct {
	Name   string
	Writes bool       // this process does
	LastAt *time.Time // when they were last as they should be; nil: never yet
	Error  string     // why they are not; empty: they are
	Wanted int
	Beyond int            // of the wanted ones, not made because there would be too many
	Held   map[string]int // silences by the id of the incident or change that they are for
}

// Silencer keeps the silences in one Alertmanager as what is acknowledged and under maintenance here asks
// for. What should be there follows from the board, and what is there is what the Alertmanager lists, so
// it remembers nothing. All methods are safe for concurrent use; Run is called once.
type Silencer struct {
	o      SilencerOptions
	kicked chan struct{}
	// done is what the last round that succeeded was about. It belongs to Run.
	done uint64

	mu    sync.Mutex
	state SilencerState
}

// NewSilencer checks the options. It starts nothing.
func NewSilencer(o SilencerOptions) (*Silencer, error) {
	switch {
	case len(o.Members) == 0 || o.Holds == nil || o.Installation == nil || o.Ours == nil:
		return nil, errors.New("alertmanager: Members, Holds, Installation or Ours is missing")
	case o.Metrics == nil || o.Logger == nil:
		return nil, errors.New("alertmanager: Metrics or Logger is missing")
	}
	o.Logger = o.Logger.With("component", "alertmanager", "alertmanager", o.Config.Name)
	return &Silencer{o: o, kicked: make(chan struct{}, 1), state: SilencerState{Name: o.Config.Name}}, nil
}

// Name is the source's.
func (s *Silencer) Name() string { return s.o.Config.Name }

// Kick says that the board has changed. Kicks while one waits are one.
func (s *Silencer) Kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// State tells how the last round went. What it returns does not change.
func (s *Silencer) State() SilencerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Writes = s.o.Ours()
	return state
}

const (
	// A board that changes all the time is looked at as often as this.
	lookPause = time.Second
	// What is wanted ends by itself when nobody is there to prolong it: not so soon that an upgrade of
	// Signalbox tells everybody anew, not so late that a problem nobody looks at stays silent.
	minSilence = 15 * time.Minute
	// How long to wait after a failure, at first and at most.
	firstRetry, lastRetry = time.Second, 30 * time.Second
)

// period is the time between two rounds without a change of the board.
func (s *Silencer) period() time.Duration {
	if s.o.Config.Interval > 0 {
		return s.o.Config.Interval
	}
	return time.Minute
}

// Run writes until ctx is done: at once, on each change of the board that asks for other silences, and periodically.
func (s *Silencer) Run(ctx context.Context) {
	due := time.NewTimer(0)
	defer due.Stop()
	retry := time.Duration(0) // until the next attempt; 0: the last one went well
	for {
		periodic := false
		kicked := s.kicked
		if retry > 0 { // to look at the board does not bring the Alertmanager back
			kicked = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-due.C:
			periodic = true
		case <-kicked:
		}
		if !s.o.Ours() || s.o.Installation() == "" {
			s.done, retry = 0, 0
			if periodic {
				due.Reset(s.period())
			} else if !wait(ctx, lookPause) {
				return
			}
			continue
		}
		switch acted, err := s.round(ctx, periodic); {
		case ctx.Err() != nil:
			return
		case err != nil:
			retry = min(max(2*retry, firstRetry), lastRetry)
			due.Reset(retry)
		case acted:
			retry = 0
			due.Reset(s.period())
		}
		if retry == 0 && !wait(ctx, lookPause) {
			return
		}
	}
}

// round brings the silences up to date when something asks for other ones than before, or periodically.
func (s *Silencer) round(ctx context.Context, periodic bool) (acted bool, err error) {
	now := time.Now().UTC()
	holds := s.o.Holds(now, s.period())
	about := digest(holds)
	if about == s.done && !periodic {
		return false, nil
	}
	plan, member, err := s.plan(ctx, holds, now)
	if err == nil {
		err = s.write(ctx, member, plan)
	}
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	s.done = about
	if err != nil {
		s.done = 0
	}
	s.note(now, plan, err)
	return true, err
}

// plan asks the first member that answers what is there.
func (s *Silencer) plan(ctx context.Context, holds []Hold, now time.Time) (*writeThrough, SilenceMember, error) {
	var errs []error
	for _, m := range s.o.Members {
		plan, err := s.planFor(ctx, m, holds, now)
		if err == nil {
			return plan, m, nil
		}
		errs = append(errs, fmt.Errorf("read %s: %w", m.URL(), err))
	}
	return nil, nil, errors.Join(errs...)
}

func (s *Silencer) planFor(ctx context.Context, m SilenceMember, holds []Hold, now time.Time) (*writeThrough, error) {
	installation := s.o.Installation()
	var ours []Silence
	err := m.Silences(ctx, func(x Silence) error {
		if ourSilence(&x, installation) {
			ours = append(ours, x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	alerts := newUpstreamAlerts(holds, s.o.IgnoreLabels)
	if len(alerts.held) > 0 {
		n := 0
		err := m.Alerts(ctx, func(l Listed) error {
			if n++; n > maxListed {
				return fmt.Errorf("more than %d alerts are listed", maxListed)
			}
			alerts.take(l.Labels)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return newPlanner(installation, now, max(minSilence, 3*s.period()), alerts, ours).plan(holds), nil
}

// write does what the plan says. What a member refuses does not keep the rest from being written.
func (s *Silencer) write(ctx context.Context, m SilenceMember, plan *writeThrough) error {
	var errs []error
	refused := func(kind string, err error) bool {
		if err == nil {
			s.o.Metrics.written.WithLabelValues(s.Name(), kind).Inc()
			return false
		}
		if len(errs) < 3 { // they are much the same
			errs = append(errs, fmt.Errorf("write to %s: %w", m.URL(), err))
		}
		_, answered := errors.AsType[*StatusError](err)
		return !answered // it is away: the rest would only wait
	}
	for _, x := range plan.put {
		kind := "created"
		if x.ID != "" {
			kind = "changed"
		}
		if _, err := m.PutSilence(ctx, x); refused(kind, err) {
			return errors.Join(errs...)
		}
	}
	for _, id := range plan.expire { // last: what takes its place is there
		if refused("expired", m.ExpireSilence(ctx, id)) {
			break
		}
	}
	return errors.Join(errs...)
}

// note remembers how a round went, and says it in the log when that is news.
func (s *Silencer) note(now time.Time, plan *writeThrough, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.state
	next := last
	next.Error = ""
	if plan != nil {
		next.Wanted, next.Beyond = plan.wanted, plan.beyond
		s.o.Metrics.wanted.WithLabelValues(s.Name()).Set(float64(plan.wanted))
		s.o.Metrics.beyond.WithLabelValues(s.Name()).Set(float64(plan.beyond))
	}
	if err != nil {
		next.Error = err.Error()
		s.o.Metrics.failed.WithLabelValues(s.Name()).Inc()
	} else {
		next.LastAt, next.Held = &now, plan.held
	}
	s.state = next
	switch {
	case err != nil && last.Error == "":
		s.o.Logger.Warn("silences cannot be written to the Alertmanager; tried again until they can", "err", err)
	case err == nil && last.Error != "":
		s.o.Logger.Info("silences are written to the Alertmanager again")
	}
	if next.Beyond > 0 && last.Beyond == 0 {
		s.o.Logger.Warn("more silences are wanted than are made", "wanted", next.Wanted, "limit", maxSilences)
	}
}

// digest tells holds that ask for other silences apart.
func digest(holds []Hold) uint64 {
	h := fnv.New64a()
	text := func(s string) { _, _ = io.WriteString(h, s+"\x00") }
	number := func(n uint64) { _, _ = h.Write(binary.BigEndian.AppendUint64(nil, n)) }
	for i := range holds {
		x := &holds[i]
		for _, s := range []string{string(x.Kind), x.ID, x.Name, x.By} {
			text(s)
		}
		for _, t := range []time.Time{x.StartsAt, x.EndsAt} {
			number(uint64(t.Unix())) //nolint:gosec // any mapping will do.
		}
		number(uint64(len(x.Alerts)))
		for _, a := range x.Alerts {
			number(uint64(a.Fingerprint))
		}
		for _, id := range x.Identifiers {
			text(id.String())
		}
	}
	return h.Sum64()
}
