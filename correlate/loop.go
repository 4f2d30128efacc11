package correlate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
)

// Journal is the durable side of one shard. One goroutine uses it. Every method may return
// itsm.ErrFenced when a newer owner has taken over; the loop then ends.
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

// checkpointEvery and maxChanges bound what a recovery has to apply again.
const (
	checkpointEvery = time.Second
	maxRead         = 250 * time.Millisecond
)

// LoopOptions is what a Loop needs; every field is required.
type LoopOptions struct {
	Shard      int
	Journal    Journal
	Versions   Versions
	Engine     *Engine
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

	position itsm.Position
	ticked   time.Time // the deadline that the last tick was written for
	cut      time.Time // when the last checkpoint was cut
	dirty    bool      // something was applied since

	ready     chan struct{}
	readyOnce sync.Once
}

// NewLoop checks the options. It starts nothing.
func NewLoop(opts LoopOptions) (*Loop, error) {
	switch {
	case opts.Journal == nil:
		return nil, errors.New("loop: Journal is missing")
	case opts.Versions == nil:
		return nil, errors.New("loop: Versions is missing")
	case opts.Engine == nil:
		return nil, errors.New("loop: Engine is missing")
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

// Run recovers the shard and goes on until ctx is done; then it cuts a last checkpoint, within a
// time of its own, and returns nil.
func (l *Loop) Run(ctx context.Context) error {
	if err := l.recover(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("recover shard %d: %w", l.opts.Shard, err)
	}
	end, err := l.opts.End(ctx)
	if err != nil {
		return fmt.Errorf("find the end of shard %d: %w", l.opts.Shard, err)
	}
	err = l.follow(ctx, end)
	if ctx.Err() == nil {
		return fmt.Errorf("shard %d: %w", l.opts.Shard, err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := l.checkpoint(last); err != nil {
		l.log.Warn("no last checkpoint; the next start applies a few records again", "err", err)
	}
	return nil
}

func (l *Loop) recover(ctx context.Context) error {
	start := time.Now()
	entities := 0
	at, err := l.opts.Journal.Recover(ctx, func(e itsm.Entity) error {
		entities++
		return l.opts.Engine.Restore(e)
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
	if err := l.opts.Engine.Restored(at, estate, rules); err != nil {
		return err
	}
	l.position, l.cut = at, time.Now()
	l.log.Info("shard recovered", "entities", entities, "offset", at.Offset, "seconds", time.Since(start).Seconds())
	return nil
}

func (l *Loop) follow(ctx context.Context, end int64) error {
	for {
		if l.position.Offset >= end {
			l.readyOnce.Do(func() { close(l.ready) })
		}
		records, err := l.opts.Journal.Read(ctx, l.wait())
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := l.apply(ctx, records); err != nil {
			return err
		}
		if len(records) == 0 {
			if err := l.tick(ctx); err != nil {
				return err
			}
		}
		if l.dirty && time.Since(l.cut) >= checkpointEvery {
			if err := l.checkpoint(ctx); err != nil {
				return err
			}
		}
	}
}

// wait is how long to wait for a record: until the next timer is due, or a checkpoint.
func (l *Loop) wait() time.Duration {
	wait := maxRead
	if due, ok := l.opts.Engine.Deadline(); ok {
		wait = min(wait, time.Until(due))
	}
	return max(wait, time.Millisecond)
}

func (l *Loop) apply(ctx context.Context, records []itsm.Record) error {
	if len(records) == 0 {
		return nil
	}
	start := time.Now()
	var updates []itsm.Update
	for i := range records {
		r := &records[i]
		updates = append(updates, l.opts.Engine.Apply(r.Time, r.Input)...)
		l.metrics.alerts.Add(float64(len(r.Input.Alerts)))
		l.metrics.commands.Add(float64(len(r.Input.Commands)))
		l.position.Offset = r.Offset + 1
	}
	l.metrics.applied.Observe(time.Since(start).Seconds())
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
	due, ok := l.opts.Engine.Deadline()
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
	at := l.opts.Engine.Position()
	at.Offset = l.position.Offset
	if err := l.opts.Journal.Checkpoint(ctx, l.opts.Engine.Changed(), at); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	l.cut, l.dirty = time.Now(), false
	l.metrics.checkpoint.Observe(time.Since(start).Seconds())
	return nil
}
