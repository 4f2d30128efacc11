// Package ingest is the room with the doors: it turns what the world sends over HTTP into inputs
// of the engine. It decodes, checks every field, takes replica labels out, computes Prometheus'
// own fingerprint, and answers 2xx only when the log has what was sent. It refuses to decide
// anything about an alert. Decoders stand apart from transport, in a package for each format.
//
// An Ingest is safe for concurrent use and starts no goroutine.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
)

// Door takes inputs of the engine. Append returns nil only when the input is durable, and an error
// that is itsm.ErrOverloaded when the sender should come again.
type Door interface {
	Append(ctx context.Context, in itsm.Input) error
}

// IdentityConfig is the section `identity` of the configuration file.
type IdentityConfig struct {
	// Labels that tell replicas of one Prometheus apart; they are no part of an alert's identity.
	IgnoreLabels []string `yaml:"ignore_labels"`
}

// Config is what the doors allow.
type Config struct {
	Identity IdentityConfig
	// ResolveTimeout is when an alert of POST /api/v2/alerts without endsAt expires.
	ResolveTimeout time.Duration
	// MaxBody bounds a body in bytes, decompressed.
	MaxBody int64
	// MaxConcurrent bounds the bodies that are read and decoded at the same time, MaxWaiting those
	// whose sender waits for the log. More are answered 503.
	MaxConcurrent, MaxWaiting int
}

// DefaultConfig returns what holds without configuration.
func DefaultConfig() Config {
	return Config{
		Identity:       IdentityConfig{IgnoreLabels: []string{"prometheus_replica", "__replica__"}},
		ResolveTimeout: 5 * time.Minute, MaxBody: 32 << 20, MaxConcurrent: 4 * runtime.GOMAXPROCS(0), MaxWaiting: 4096,
	}
}

// Validate returns every fault, each with its path in the configuration file.
func (c Config) Validate() error {
	var errs []error
	for i, l := range c.Identity.IgnoreLabels {
		if l == "" {
			errs = append(errs, fmt.Errorf("identity.ignore_labels[%d]: is empty", i))
		}
	}
	if c.ResolveTimeout <= 0 || c.MaxBody <= 0 || c.MaxConcurrent <= 0 || c.MaxWaiting <= 0 {
		errs = append(errs, errors.New("ingest: limits must be positive"))
	}
	return errors.Join(errs...)
}

// Options are what New needs; every field is required.
type Options struct {
	Door       Door
	Config     Config
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

// Ingest is the room.
type Ingest struct {
	door    Door
	cfg     Config
	metrics *metrics
	log     *slog.Logger
	sources *sources
	reading chan struct{} // a place for each body that is read and decoded
	waiting chan struct{} // a place for each sender that waits for the log
}

// New checks the options and builds the room.
func New(o Options) (*Ingest, error) {
	switch {
	case o.Door == nil:
		return nil, errors.New("ingest: Door is missing")
	case o.Registerer == nil:
		return nil, errors.New("ingest: Registerer is missing")
	case o.Logger == nil:
		return nil, errors.New("ingest: Logger is missing")
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	return &Ingest{
		door: o.Door, cfg: o.Config, metrics: newMetrics(o.Registerer), log: o.Logger.With("component", "ingest"), sources: newSources(),
		reading: make(chan struct{}, o.Config.MaxConcurrent), waiting: make(chan struct{}, o.Config.MaxWaiting),
	}, nil
}

// Register adds the doors to a mux.
func (in *Ingest) Register(mux *http.ServeMux) {
	mux.Handle("POST /api/v1/ingest/alertmanager", in.handler("alertmanager", in.webhook))
	mux.Handle("POST /api/v2/alerts", in.handler("prometheus", in.post))
	mux.Handle("POST /api/v1/ingest/events", in.handler("events", in.events))
}

// Sources tells who has sent something, the latest first.
func (in *Ingest) Sources() []Source { return in.sources.list() }
