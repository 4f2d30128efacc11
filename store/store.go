// Package store keeps history in ClickHouse: it follows the topics, writes every record of theirs
// exactly once into tables, and answers questions about the past. The engine is a server, a
// cluster, or the one embedded in this process (package chdb): one schema, one set of queries,
// one client. It refuses to decide anything about an alert; without it everything but history works.
//
// A Store is safe for concurrent use.
package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"signalbox/itsm"
)

// Log is the log that history follows.
type Log interface {
	// Partitions is how many partitions a topic has.
	Partitions(topic itsm.Topic) int
	// Reader reads one of them from an offset.
	Reader(topic itsm.Topic, partition int, from int64) LogReader
	// Version is the bytes of a version that a record adopted; itsm.ErrNotFound when it is gone.
	Version(ctx context.Context, id string) ([]byte, error)
}

// LogReader reads one partition in order. One goroutine uses it.
type LogReader interface {
	// Next waits at most so long for what comes next; a block without content when nothing has come.
	Next(ctx context.Context, wait time.Duration) (itsm.Block, error)
	Close()
}

// Options are what wiring passes in. All but Transport are required.
type Options struct {
	Config Config
	// Transport answers in this process instead of Config.Addresses: the embedded engine.
	Transport  http.RoundTripper
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Store is the connection to one ClickHouse.
type Store struct {
	conn  driver.Conn
	names names
	log   *slog.Logger
	met   *metrics

	preparing sync.Mutex
	prepared  bool

	lag lag

	series known
}

// lag is what is not stored yet, by place, and since when ClickHouse takes nothing.
type lag struct {
	mu      sync.Mutex
	of      map[string]int64
	failing map[*failure]struct{} // what is tried again and again now
}

// unread stands for a place whose end is not known yet.
const unread = -1

func (l *lag) set(place string, offsets int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]int64{}
	}
	l.of[place] = offsets
}

func (l *lag) drop(place string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, place)
}

// failure is something that is tried until it works.
type failure struct {
	since time.Time
	err   error // the last
}

func (l *lag) fails(f *failure, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing == nil {
		l.failing = map[*failure]struct{}{}
	}
	if f.err == nil {
		f.since = time.Now()
	}
	f.err = err
	l.failing[f] = struct{}{}
}

func (l *lag) ends(f *failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.failing, f)
}

// State tells how far the writing of history is.
func (s *Store) State() itsm.HistoryState {
	s.lag.mu.Lock()
	defer s.lag.mu.Unlock()
	out := itsm.HistoryState{Known: len(s.lag.of) > 0}
	for _, n := range s.lag.of {
		out.Behind += max(0, n)
		out.Known = out.Known && n != unread
	}
	for f := range s.lag.failing {
		if out.FailingSince == nil || f.since.Before(*out.FailingSince) {
			since := f.since.UTC()
			out.FailingSince, out.Failure = &since, f.err.Error()
		}
	}
	return out
}

// Open makes the connection; it does not wait for the engine to answer.
func Open(opts Options) (*Store, error) {
	if opts.Logger == nil || opts.Registerer == nil {
		return nil, errors.New("store: Logger or Registerer is missing")
	}
	if err := opts.Config.Validate(); err != nil {
		return nil, err
	}
	c := &clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: opts.Config.Addresses, DialTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute,
		MaxOpenConns: 8, MaxIdleConns: 8, ConnMaxLifetime: time.Hour,
		// The cache remembers that a window holds nothing when it was the rest of the question that found nothing in it
		// (seen in 26.7): from then on every question about that window was answered with nothing.
		Settings: clickhouse.Settings{"use_query_condition_cache": 0},
	}
	if opts.Transport != nil {
		c.Addr = []string{"embedded:0"}
		c.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return opts.Transport, nil }
	} else {
		c.Auth.Username = opts.Config.Username
		if file := opts.Config.PasswordFile; file != "" {
			password, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("clickhouse.password_file: %w", err)
			}
			c.Auth.Password = strings.TrimSpace(string(password))
		}
		if opts.Config.TLS {
			c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	conn, err := clickhouse.Open(c)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse: %w", err)
	}
	s := &Store{conn: conn, names: opts.Config.names(), log: opts.Logger.With("component", "store"), met: newMetrics(opts.Registerer)}
	promauto.With(opts.Registerer).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "signalbox_store_failing_seconds", Help: "For how long ClickHouse has taken nothing of what waits; 0 while it does.",
	}, func() float64 {
		if since := s.State().FailingSince; since != nil {
			return time.Since(*since).Seconds()
		}
		return 0
	})
	return s, nil
}

// Close gives the connections back. Run has returned before.
func (s *Store) Close() error { return s.conn.Close() }

func named(name, value string) driver.NamedValue { return clickhouse.Named(name, value) }
