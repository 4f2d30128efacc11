// Package ingest is the room with the doors: it turns what the world sends over HTTP into inputs
// of the engine. It decodes, checks every field, takes replica labels out, computes Prometheus'
// own fingerprint, and answers 2xx only when the log has what was sent. It refuses to decide
// anything about an alert. Decoders stand apart from transport, in a package for each format, and
// know this one; it knows none of them: a Receiver is what they give to it.
//
// An Ingest is safe for concurrent use and starts no goroutine.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"signalbox/itsm"

	"github.com/prometheus/client_golang/prometheus"
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
	// MaxBody bounds a body in bytes, decompressed, and ReadTimeout the time it may take to come.
	MaxBody     int64
	ReadTimeout time.Duration
	// MaxWaiting bounds the requests that are in the house, MaxLarge those of them whose body is
	// larger than 256 KiB. More than MaxWaiting are answered 503, more than MaxLarge wait.
	MaxWaiting, MaxLarge int
}

// DefaultConfig returns what holds without configuration.
func DefaultConfig() Config {
	return Config{
		Identity:       IdentityConfig{IgnoreLabels: []string{"prometheus_replica", "__replica__"}},
		ResolveTimeout: 5 * time.Minute, MaxBody: 32 << 20, ReadTimeout: 30 * time.Second, MaxWaiting: 4096, MaxLarge: 2,
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
	if c.ResolveTimeout <= 0 || c.MaxBody <= 0 || c.ReadTimeout <= 0 || c.MaxWaiting <= 0 || c.MaxLarge <= 0 {
		errs = append(errs, errors.New("ingest: limits must be positive"))
	}
	return errors.Join(errs...)
}

// Options are what New needs; the first five fields are required.
type Options struct {
	Door       Door
	Receivers  []Receiver
	Config     Config
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// Names are the names of sources by what bodies say of their sender (Batch.Source), without a
	// slash at its end. Senders that share a name are one source.
	Names map[string]string
	// Truncated hears, once the log has the rest, which source left alerts out of a body. It does not block.
	Truncated func(source string)
}

// Ingest is the room.
type Ingest struct {
	door      Door
	receivers []Receiver
	cfg       Config
	metrics   *metrics
	log       *slog.Logger
	sources   *sources
	names     map[string]string
	truncated func(source string)
	waiting   chan struct{} // a place for each request
	large     chan struct{} // a place for each large body
}

// New checks the options and builds the room.
func New(o Options) (*Ingest, error) {
	switch {
	case o.Door == nil:
		return nil, errors.New("ingest: Door is missing")
	case len(o.Receivers) == 0:
		return nil, errors.New("ingest: Receivers is missing")
	case o.Registerer == nil:
		return nil, errors.New("ingest: Registerer is missing")
	case o.Logger == nil:
		return nil, errors.New("ingest: Logger is missing")
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Truncated == nil {
		o.Truncated = func(string) {}
	}
	return &Ingest{
		door: o.Door, receivers: o.Receivers, cfg: o.Config, metrics: newMetrics(o.Registerer), log: o.Logger.With("component", "ingest"),
		sources: newSources(), names: o.Names, truncated: o.Truncated, waiting: make(chan struct{}, o.Config.MaxWaiting), large: make(chan struct{}, o.Config.MaxLarge),
	}, nil
}

// Register adds the doors to a mux.
func (in *Ingest) Register(mux *http.ServeMux) {
	for _, door := range in.receivers {
		mux.Handle("POST "+door.Path, in.handler(door))
	}
}

// Sources tells who has sent something, the latest first.
func (in *Ingest) Sources() []Source { return in.sources.list(time.Now()) }

// LastPayload returns the last payload of a source; false when it has sent none.
func (in *Ingest) LastPayload(source string) (Payload, bool) { return in.sources.payload(source) }
