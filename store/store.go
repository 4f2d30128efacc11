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

	series known
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
	return &Store{conn: conn, names: opts.Config.names(), log: opts.Logger.With("component", "store"), met: newMetrics(opts.Registerer)}, nil
}

// Close gives the connections back. Run has returned before.
func (s *Store) Close() error { return s.conn.Close() }

func named(name, value string) driver.NamedValue { return clickhouse.Named(name, value) }
