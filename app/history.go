package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

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

// openHistory opens the history, on the servers of the configuration or on the embedded engine. Without either
// everything else works, and whoever asks for history is told what is missing.
func (a *App) openHistory() error {
	cfg := a.opts.Config.ClickHouse
	opts := store.Options{Config: cfg, Logger: a.log, Registerer: a.registry}
	switch {
	case cfg.Library == store.Off && len(cfg.Addresses) == 0:
		a.noHistory = "history is turned off (clickhouse.library: off)"
		return nil
	case len(cfg.Addresses) == 0:
		engine, err := chdb.Open(chdb.Find(cfg.Library), filepath.Join(a.opts.Config.Server.DataDir, "clickhouse"))
		if errors.Is(err, chdb.ErrNoLibrary) && cfg.Library == "" {
			a.noHistory = howToHistory
			if errors.Is(err, chdb.ErrLeftOut) {
				a.noHistory = howToHistoryStatic
			}
			a.log.Info("history is off", "what_to_do", a.noHistory, "reason", err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("open history: %w", err)
		}
		a.engine, opts.Transport = engine, engine.Transport()
		a.log.Info("history is kept by the embedded ClickHouse engine", "version", engine.Version())
	}
	history, err := store.Open(opts)
	if err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	a.history = history
	return nil
}

// keepHistory follows the log until ctx is done. Its end is no reason to stop the rest.
func (a *App) keepHistory(ctx context.Context) error {
	if a.history == nil {
		return nil
	}
	if err := a.history.Run(ctx, historyLog{a.stream}); err != nil {
		a.log.Error("history is no longer kept; everything else goes on", "err", err)
	}
	return nil
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
