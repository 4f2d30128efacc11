package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
	"signalbox/store"
	"signalbox/store/chdb"
	"signalbox/stream"
)

// howToHistory is what a person can do who wants history.
const howToHistory = "history is off: the embedded ClickHouse engine (libchdb) is not there. Fetch it with `make chdb` in the source tree, " +
	"or put libchdb.so beside the program or name it in clickhouse.library; or name a ClickHouse server in clickhouse.addresses"

// howToHistoryStatic is the same for a program that cannot load a library.
const howToHistoryStatic = "history is off: this program is static (built with the tag nochdb, as the container image is) and cannot load the " +
	"embedded ClickHouse engine. Name a ClickHouse server in clickhouse.addresses"

// openHistory opens the history. Without it everything else works, and whoever asks for it is told what is missing.
func (a *App) openHistory() error {
	history, engine, err := openStore(a.opts.Config, a.log, a.registry)
	if missing, ok := errors.AsType[missingHistory](err); ok {
		a.noHistory = missing.what
		if missing.reason != nil {
			a.log.Info("history is off", "what_to_do", missing.what, "reason", missing.reason)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	a.history, a.engine = history, engine
	if engine != nil {
		a.log.Info("history is kept by the embedded ClickHouse engine", "version", engine.Version())
	}
	return nil
}

// missingHistory says why there is no history.
type missingHistory struct {
	what   string // for people
	reason error  // nil when what says it all
}

// Error implements error.
func (m missingHistory) Error() string { return m.what }

// openStore opens the history on the servers of a configuration, or on the embedded engine, which is to be closed after it. The
// error is a missingHistory where there is neither.
func openStore(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*store.Store, *chdb.Engine, error) {
	opts := store.Options{Config: cfg.ClickHouse, Logger: log, Registerer: reg}
	var engine *chdb.Engine
	if len(cfg.ClickHouse.Addresses) == 0 {
		if cfg.ClickHouse.Library == store.Off {
			return nil, nil, missingHistory{what: "history is turned off (clickhouse.library: off)"}
		}
		var err error
		engine, err = chdb.Open(chdb.Find(cfg.ClickHouse.Library), filepath.Join(cfg.Server.DataDir, "clickhouse"))
		if errors.Is(err, chdb.ErrNoLibrary) && cfg.ClickHouse.Library == "" {
			what := howToHistory
			if errors.Is(err, chdb.ErrLeftOut) {
				what = howToHistoryStatic
			}
			return nil, nil, missingHistory{what, err}
		}
		if err != nil {
			return nil, nil, err
		}
		opts.Transport = engine.Transport()
	}
	history, err := store.Open(opts)
	if err != nil && engine != nil {
		err = errors.Join(err, engine.Close())
	}
	return history, engine, err
}

// keepHistory follows the log until ctx is done, whatever shards this process has: what the embedded engine keeps is for
// this process alone. Its end is no reason to stop the rest.
func (a *App) keepHistory(ctx context.Context) error {
	if a.engine == nil {
		return nil
	}
	if err := a.history.Run(ctx, historyLog{a.stream}); err != nil {
		a.log.Error("history is no longer kept; everything else goes on", "err", err)
	}
	return nil
}

// shareHistory follows one partition of each topic, as long as this process has the shard: a ClickHouse that processes share is
// written by one of them at a time.
func (a *App) shareHistory(ctx context.Context, shard int) {
	if a.history == nil || a.engine != nil {
		return
	}
	if err := a.history.Follow(ctx, historyLog{a.stream}, shard); err != nil {
		a.log.Error("history is no longer kept; everything else goes on", "shard", shard, "err", err)
	}
}

// unread tells whether history has still to read what a compaction of the log would take away; nil without history.
func (a *App) unread() func() bool {
	if a.history == nil {
		return nil
	}
	return func() bool {
		state := a.history.State()
		return !state.Known || state.Behind > 0
	}
}

// historyLog lets the store read the stream.
type historyLog struct{ s *stream.Stream }

func (l historyLog) Partitions(topic itsm.Topic) int { return l.s.Partitions(topic) }

func (l historyLog) Version(ctx context.Context, id string) ([]byte, error) {
	return l.s.Version(ctx, id)
}

func (l historyLog) Reader(topic itsm.Topic, partition int, from int64) store.LogReader {
	return l.s.LogReader(topic, partition, from)
}
