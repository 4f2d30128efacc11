package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
	"signalbox/store"
	"signalbox/stream"
)

// errEnd ends reading what was recorded at --to.
var errEnd = errors.New("end")

// inputLog is the log as a replay reads it.
type inputLog interface {
	Earliest(ctx context.Context, shard int) (int64, error)
	Events(ctx context.Context, shard int, from int64, yield func(itsm.Record) error) error
	Version(ctx context.Context, id string) ([]byte, error)
}

// inputHistory is what the log no longer holds.
type inputHistory interface {
	Stored(ctx context.Context, topic itsm.Topic, partition int) (int64, error)
	EachRecorded(ctx context.Context, q store.RecordedQuery, yield func(offset int64, value []byte) error) error
	Version(ctx context.Context, id string) ([]byte, error)
}

// recorded reads what was recorded: the log, and before it what the log no longer holds from history.
type recorded struct {
	log  inputLog // nil: there is none
	open func() (inputHistory, error)
	tell func(format string, args ...any)

	history inputHistory // once it was needed
}

// replayRecorded runs what was recorded, each shard through an engine of its own as live.
func replayRecorded(ctx context.Context, stderr io.Writer, cfg Config, f *replayFlags, first *itsm.Version) (runs []*replayRun, err error) {
	in := &recorded{tell: func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }}
	var closers []func() error
	defer func() {
		for _, c := range closers {
			err = errors.Join(err, c())
		}
	}()
	in.open = func() (inputHistory, error) {
		history, closing, err := openRecords(cfg)
		closers = append(closers, closing...)
		if err != nil {
			return nil, err
		}
		return history, nil
	}
	replayAll := func() error {
		for shard := range max(1, cfg.Kafka.Shards) {
			r, err := newReplay(cfg, shard, max(1, cfg.Kafka.Shards), f.learned)
			if err != nil {
				return err
			}
			r.begin(f, first, newProgress(stderr, fmt.Sprintf("%s, shard %d", f.what, shard)))
			err = r.run(ctx, "what was recorded", func(ctx context.Context, out chan<- batch) error {
				return in.read(ctx, shard, f.from.Time, f.to.Time, func(r itsm.Record) error {
					select {
					case out <- batch{[]itsm.Record{r}, unknownShare}:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				})
			})
			if err != nil {
				return err
			}
			runs = append(runs, r)
		}
		return nil
	}
	err = withStream(ctx, cfg, func(s *stream.Stream) error {
		in.log = s
		return replayAll()
	})
	if in.log == nil && errors.Is(err, fs.ErrNotExist) && historyMayBe(cfg) {
		in.tell("there is no log: %v", err)
		err = replayAll()
	}
	return runs, err
}

// historyMayBe tells whether a look into history makes sense where there is no log. It makes no folder.
func historyMayBe(cfg Config) bool {
	if len(cfg.ClickHouse.Addresses) > 0 {
		return true
	}
	_, err := os.Stat(filepath.Join(cfg.Server.DataDir, "clickhouse"))
	return err == nil
}

// openRecords opens history for reading, with what closes it in order.
func openRecords(cfg Config) (*store.Store, []func() error, error) {
	if !historyMayBe(cfg) {
		return nil, nil, missingHistory{what: "no history is in " + cfg.Server.DataDir}
	}
	history, engine, err := openStore(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return nil, nil, err
	}
	closers := []func() error{history.Close}
	if engine != nil {
		closers = append(closers, engine.Close)
	}
	return history, closers, nil
}

// window passes the records between two times, and before it what decides how they are read. Times do not run
// backwards, as for the engine.
type window struct {
	from, to time.Time
	clock    time.Time
	yield    func(itsm.Record) error
}

func (w *window) take(r itsm.Record) error {
	if r.Time.Before(w.clock) {
		r.Time = w.clock
	}
	w.clock = r.Time
	if !w.to.IsZero() && !r.Time.Before(w.to) {
		return errEnd
	}
	if r.Time.Before(w.from) {
		if r.Input.Adopt == nil {
			return nil
		}
		r.Input = itsm.Input{Adopt: r.Input.Adopt}
	}
	return w.yield(r)
}

// read yields the records of a shard in a window.
func (in *recorded) read(ctx context.Context, shard int, from, to time.Time, yield func(itsm.Record) error) error {
	w := &window{from: from, to: to, yield: yield}
	earliest := int64(math.MaxInt64)
	if in.log != nil {
		var err error
		if earliest, err = in.log.Earliest(ctx, shard); err != nil {
			return err
		}
	}
	if earliest > 0 {
		if err := in.older(ctx, shard, earliest, w); err != nil {
			if errors.Is(err, errEnd) {
				return nil
			}
			return err
		}
	}
	if in.log == nil {
		return nil
	}
	err := in.log.Events(ctx, shard, earliest, w.take)
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// skew is more than what a record's stamp may differ from its neighbours'.
const skew = time.Minute

// older takes what the log no longer holds from history.
func (in *recorded) older(ctx context.Context, shard int, before int64, w *window) error {
	if in.history == nil {
		history, err := in.open()
		if missing, ok := errors.AsType[missingHistory](err); ok && in.log != nil {
			in.tell("shard %d: the log no longer holds the first %d offsets, and %s", shard, before, missing.what)
			return nil
		}
		if err != nil {
			return fmt.Errorf("the log no longer holds the first %d offsets; open history: %w", before, err)
		}
		in.history = history
	}
	upto, err := in.history.Stored(ctx, itsm.TopicEvents, shard)
	if err != nil {
		return fmt.Errorf("ask history for what the log no longer holds (clickhouse.library: off, without addresses, does without): %w", err)
	}
	if in.log != nil && upto < before {
		in.tell("shard %d: the log begins at offset %d, history ends at %d: what lay between is lost", shard, before, upto)
	}
	q := store.RecordedQuery{Shard: shard, Before: before}
	if !w.from.IsZero() {
		q.From = w.from.Add(-skew)
	}
	if !w.to.IsZero() {
		q.To = w.to.Add(skew)
	}
	count := 0
	err = in.history.EachRecorded(ctx, q, func(offset int64, value []byte) error {
		at, input, err := stream.Decode(value)
		if err != nil {
			return fmt.Errorf("record %d of shard %d in history: %w", offset, shard, err)
		}
		if input.Adopt != nil {
			switch err := in.resolve(ctx, input.Adopt); {
			case errors.Is(err, itsm.ErrNotFound):
				return nil // the engine has passed it over, too
			case err != nil:
				return err
			}
		}
		count++
		return w.take(itsm.Record{Offset: offset, Time: at, Input: input})
	})
	if err == nil || errors.Is(err, errEnd) {
		in.tell("shard %d: %d records from history in ClickHouse", shard, count)
	}
	return err
}

// resolve fills in the bytes of adopted versions.
func (in *recorded) resolve(ctx context.Context, a *itsm.Adopt) error {
	for _, v := range a.Versions() {
		data, err := in.history.Version(ctx, v.ID)
		if errors.Is(err, itsm.ErrNotFound) && in.log != nil {
			data, err = in.log.Version(ctx, v.ID)
		}
		if err != nil {
			return err
		}
		v.Data = data
	}
	return nil
}
