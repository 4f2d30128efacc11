package correlate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/itsm"

	"github.com/prometheus/client_golang/prometheus"
)

// Journal is the durable side of one shard. One goroutine uses it. Every method may return
// itsm.ErrFenced when a newer owner has taken over; the loop then ends. After an error that wraps
// itsm.ErrUnavailable the loop takes the shard over again.
type Journal interface {
	// Recover takes the shard over, fences every earlier owner and hands each entity of the last
	// checkpoint to load. It returns the position to go on from, zero for a new shard.
	Recover(ctx context.Context, load func(itsm.Entity) error) (itsm.Position, error)
	// Read returns the next records in order. It blocks until there is one or wait has passed
	// (then it returns none).
	Read(ctx context.Context, wait time.Duration) ([]itsm.Record, error)
	// Write publishes updates and returns when all are acknowledged. Writing an update twice is
	// harmless: readers take the highest revision.
	Write(ctx context.Context, updates []itsm.Update) error
	// Checkpoint writes entities and position as exactly one record batch. Everything up to the
	// position has been written before.
	Checkpoint(ctx context.Context, entities []itsm.Entity, at itsm.Position) error
	// Tick appends an empty record stamped at.
	Tick(ctx context.Context, at time.Time) error
}

// Versions reads the bytes of adopted estates and rules.
type Versions interface {
	Version(ctx context.Context, id string) ([]byte, error)
}

const (
	// A checkpoint is cut after this time, or with so many changes: it bounds what a recovery has to apply again.
	checkpointEvery = time.Second
	checkpointBytes = 8 << 20
	maxRead         = 250 * time.Millisecond
	// The pause before a shard is taken over again doubles from the first to the second.
	minPause, maxPause = 100 * time.Millisecond, 5 * time.Second
)

// LoopOptions is what a Loop needs; every field is required.
type LoopOptions struct {
	Shard    int
	Journal  Journal
	Versions Versions
	// NewEngine builds the empty engine that a takeover fills. What it is built with must not
	// depend on this process: the log decides.
	NewEngine  func() (*Engine, error)
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// End returns the offset behind the last record of the shard's log as it is now.
	End func(ctx context.Context) (int64, error)
}

// Loop drives one engine from its log: it recovers, applies records in order, publishes what
// follows, and cuts checkpoints. It is the only user of its engine.
type Loop struct {
	opts    LoopOptions
	metrics *metrics
	log     *slog.Logger

	engine   *Engine
	position itsm.Position
	ticked   time.Time // the deadline that the last tick was written for
	cut      time.Time // when the last checkpoint was cut
	dirty    bool      // something was applied since

	ready     chan struct{}
	readyOnce sync.Once
	caughtUp  atomic.Bool
}

// NewLoop checks the options. It starts nothing.
func NewLoop(opts LoopOptions) (*Loop, error) {
	switch {
	case opts.Journal == nil:
		return nil, errors.New("loop: Journal is missing")
	case opts.Versions == nil:
		return nil, errors.New("loop: Versions is missing")
	case opts.NewEngine == nil:
		return nil, errors.New("loop: NewEngine is missing")
	case opts.Logger == nil:
		return nil, errors.New("loop: Logger is missing")
	case opts.Registerer == nil:
		return nil, errors.New("loop: Registerer is missing")
	case opts.End == nil:
		return nil, errors.New("loop: End is missing")
	}
	return &Loop{
		opts: opts, metrics: newMetrics(opts.Registerer),
		log:   opts.Logger.With("component", "correlate", "shard", opts.Shard),
		ready: make(chan struct{}),
	}, nil
}

// Ready is closed when the log, as long as it was when the loop took the shard over, is applied
// and everything that follows from it is published.
func (l *Loop) Ready() <-chan struct{} { return l.ready }

// CaughtUp tells whether that holds now: it does not while the shard is taken over once more. It
// may be called at any time.
func (l *Loop) CaughtUp() bool { return l.caughtUp.Load() }

// Run owns the shard until ctx is done; then it cuts a last checkpoint and returns nil. While the
// log is not available it comes again, with pauses: nothing accepted is lost meanwhile. It may be called
// again after it has returned: shards go from process to process.
func (l *Loop) Run(ctx context.Context) error {
	defer func() {
		l.engine = nil // where the shard goes, its memory is not needed here
		l.metrics.lag.Set(0)
	}()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := l.own(ctx)
		if l.caughtUp.Swap(false) {
			pause = minPause
		}
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, ctx.Err()) {
				l.log.Warn("no last checkpoint; the next start applies a few records again", "err", err)
			}
			return nil
		}
		if !errors.Is(err, itsm.ErrUnavailable) {
			return fmt.Errorf("shard %d: %w", l.opts.Shard, err)
		}
		l.metrics.takeovers.Inc()
		l.log.Error("nothing is correlated until the log is available again", "err", err, "next_try", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// own recovers the shard and goes on until ctx is done or an error. A write that has begun is
// finished, within the journal's own time limit: broken off, its fate would be unknown.
func (l *Loop) own(ctx context.Context) error {
	if err := l.recover(ctx); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	end, err := l.opts.End(ctx)
	if err != nil {
		return fmt.Errorf("find the end: %w", err)
	}
	writing := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		if err := l.step(ctx, writing, end); err != nil {
			if errors.Is(err, ctx.Err()) { // a read was broken off, nothing is half done
				break
			}
			return err
		}
	}
	if !l.dirty {
		return nil
	}
	return l.checkpoint(writing)
}

func (l *Loop) recover(ctx context.Context) (err error) {
	start := time.Now()
	if l.engine, err = l.opts.NewEngine(); err != nil {
		return err
	}
	entities := 0
	at, err := l.opts.Journal.Recover(ctx, func(e itsm.Entity) error {
		entities++
		return l.engine.Restore(e)
	})
	if err != nil {
		return err
	}
	var estate, rules []byte
	if at.Estate != "" {
		if estate, err = l.opts.Versions.Version(ctx, at.Estate); err != nil {
			return fmt.Errorf("read estate %s: %w", at.Estate, err)
		}
	}
	if at.Rules != "" {
		if rules, err = l.opts.Versions.Version(ctx, at.Rules); err != nil {
			return fmt.Errorf("read rules %s: %w", at.Rules, err)
		}
	}
	if err := l.engine.Restored(at, estate, rules); err != nil {
		return err
	}
	l.metrics.recoveries.Inc()
	l.position, l.cut, l.dirty, l.ticked = at, time.Now(), false, time.Time{}
	l.log.Info("shard recovered", "entities", entities, "offset", at.Offset, "seconds", time.Since(start).Seconds())
	return nil
}

// step applies what comes next, or lets due timers fire.
func (l *Loop) step(ctx, writing context.Context, end int64) error {
	if l.position.Offset >= end && !l.caughtUp.Load() {
		l.caughtUp.Store(true)
		l.readyOnce.Do(func() { close(l.ready) })
	}
	records, err := l.opts.Journal.Read(ctx, l.wait())
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if len(records) > 0 {
		err = l.apply(writing, records)
	} else {
		err = l.tick(writing)
	}
	if err != nil {
		return err
	}
	if l.dirty && (time.Since(l.cut) >= checkpointEvery || l.engine.Dirty() >= checkpointBytes) {
		return l.checkpoint(writing)
	}
	return nil
}

// wait is how long to wait for a record: until the next timer is due, or a checkpoint.
func (l *Loop) wait() time.Duration {
	wait := maxRead
	if due, ok := l.engine.Deadline(); ok {
		wait = min(wait, time.Until(due))
	}
	return max(wait, time.Millisecond)
}

func (l *Loop) apply(ctx context.Context, records []itsm.Record) error {
	start := time.Now()
	var updates []itsm.Update
	for i := range records {
		r := &records[i]
		updates = append(updates, l.engine.Apply(r.Time, r.Input)...)
		l.metrics.alerts.Add(float64(len(r.Input.Alerts)))
		l.metrics.commands.Add(float64(len(r.Input.Commands)))
		l.position.Offset = r.Offset + 1
	}
	l.metrics.applied.Observe(time.Since(start).Seconds())
	for limit, n := range l.engine.Limited() {
		l.metrics.limited.WithLabelValues(limit).Add(float64(n))
	}
	l.metrics.ratesDropped.Add(float64(l.engine.RatesDropped()))
	l.metrics.problemsDropped.Add(float64(l.engine.ProblemsDropped()))
	l.metrics.held.Add(float64(l.engine.Held()))
	for event, n := range l.engine.Clocked() {
		l.metrics.clocks.WithLabelValues(string(event.Metric), string(event.State)).Add(float64(n))
	}
	l.metrics.records.Add(float64(len(records)))
	l.metrics.updates.Add(float64(len(updates)))
	l.dirty = true
	if len(updates) > 0 {
		if err := l.opts.Journal.Write(ctx, updates); err != nil {
			return fmt.Errorf("write updates: %w", err)
		}
	}
	l.metrics.lag.Set(max(0, time.Since(records[len(records)-1].Time).Seconds()))
	return nil
}

// tick appends a record when a timer is due and nothing else has come. The engine fires the
// timer when it reads the tick, so that a replay fires it at the same place.
func (l *Loop) tick(ctx context.Context) error {
	l.metrics.lag.Set(0)
	due, ok := l.engine.Deadline()
	if !ok || time.Now().Before(due) || due.Equal(l.ticked) {
		return nil
	}
	if err := l.opts.Journal.Tick(ctx, time.Now()); err != nil {
		return fmt.Errorf("tick: %w", err)
	}
	l.ticked = due
	return nil
}

func (l *Loop) checkpoint(ctx context.Context) error {
	start := time.Now()
	at := l.engine.Position()
	at.Offset = l.position.Offset
	if err := l.opts.Journal.Checkpoint(ctx, l.engine.Changed(), at); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	l.cut, l.dirty = time.Now(), false
	l.metrics.checkpoint.Observe(time.Since(start).Seconds())
	return nil
}
