package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"signalbox/correlate"
	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/ingest/events"
	"signalbox/itsm"
	"signalbox/store"
	"signalbox/store/chdb"
	"signalbox/stream"
	"signalbox/ui"
)

// Options is what New needs.
type Options struct {
	Config  Config
	Logger  *slog.Logger
	Version string
	// ConfigPath is read again on reload; "" when there is no file.
	ConfigPath string
	Environ    []string
}

// App is the whole house in one process.
type App struct {
	opts     Options
	log      *slog.Logger
	registry *prometheus.Registry

	broker *stream.Broker // nil with brokers of the user's own
	stream *stream.Stream
	group  *stream.Group     // shares the shards with other processes
	loops  []*correlate.Loop // by shard; those of our shards run
	ui     *ui.UI
	estate *estateFiles
	// heartbeats watches the sources.
	heartbeats *heartbeats
	learner    *learner
	doors      *ingest.Ingest
	// upstream are the Alertmanagers that are read.
	upstream  upstream
	silencers silencers // of those that take silences

	engine    *chdb.Engine // nil with servers of the user's own, or without history
	history   *store.Store // nil without history
	noHistory string       // why

	listener  net.Listener
	server    *http.Server
	stop      context.CancelFunc // ends everything; set by Run
	shown     atomic.Bool        // the board shows what the log of our shards held at the start
	ready     atomic.Bool        // and rules and estate files are in force
	reloading sync.Mutex         // one reload at a time: they change opts.Config
	reloads   prometheus.Gauge
}

// New opens the broker and the topics, binds the listener and builds every room. It starts
// nothing; what it opened it closes again on an error. Call Run once, then Close.
func New(ctx context.Context, opts Options) (_ *App, err error) {
	if opts.Logger == nil {
		return nil, errors.New("app: Logger is missing")
	}
	a := &App{opts: opts, log: opts.Logger, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := a.openHistory(); err != nil { // before the broker, which asks what it has read
		return nil, err
	}
	if err := a.openStream(ctx); err != nil {
		return nil, err
	}
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Config.Server.Listen); err != nil {
		return nil, fmt.Errorf("listen on %s (is another Signalbox running? --listen takes another address): %w", opts.Config.Server.Listen, err)
	}
	a.group = a.stream.NewGroup(stream.GroupOptions{
		Name: memberName(a.Addr()),
		Own:  a.runShard,
	})
	if err := a.buildLoops(ctx); err != nil {
		return nil, err
	}
	handler, err := a.buildDoors()
	if err != nil {
		return nil, err
	}
	a.server = newServer(handler)
	return a, nil
}

func (a *App) openStream(ctx context.Context) (err error) {
	cfg := a.opts.Config
	brokers := cfg.Kafka.Brokers
	if len(brokers) == 0 {
		a.broker, err = stream.StartBroker(stream.BrokerOptions{ //nolint:contextcheck // it runs until Close, not until New returns.
			DataDir: cfg.Server.DataDir, Config: cfg.Kafka, Unread: a.unread(), Logger: a.log, Registerer: a.registry,
		})
		if err != nil {
			return fmt.Errorf("start the embedded broker in %s: %w", cfg.Server.DataDir, err)
		}
		brokers = []string{a.broker.Addr()}
	}
	a.stream, err = stream.Open(ctx, stream.Options{
		Config: cfg.Kafka, Brokers: brokers, ShardBy: cfg.Correlate.ShardBy, Registerer: a.registry, Logger: a.log,
	})
	if err != nil {
		return fmt.Errorf("open the topics on %v: %w", brokers, err)
	}
	return nil
}

func (a *App) buildLoops(_ context.Context) error {
	for n := range a.stream.Shards() {
		shard := a.stream.Shard(n)
		// An engine begins with the same rules everywhere; those of the configuration are a record.
		newEngine := func() (*correlate.Engine, error) {
			return correlate.New(correlate.Options{Shard: n, Shards: a.stream.Shards(), Config: correlate.DefaultConfig()})
		}
		loop, err := correlate.NewLoop(correlate.LoopOptions{
			Shard: n, Journal: journal{shard, a.group}, Versions: a.stream, NewEngine: newEngine, Logger: a.log, End: shard.End,
			Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"shard": strconv.Itoa(n)}, a.registry),
		})
		if err != nil {
			return err
		}
		a.loops = append(a.loops, loop)
	}
	return nil
}

func (a *App) buildDoors() (http.Handler, error) {
	cfg := a.opts.Config
	mux := http.NewServeMux()
	var err error
	a.upstream, err = newUpstream(cfg, alertmanager.PollerOptions{
		Door: a.stream.Door(), Ours: a.ownsFirst, Known: func() map[itsm.Fingerprint]alertmanager.Known { return known(a.ui) },
	}, func() string { return a.ui.Epoch() }, a.registry, a.log)
	if err != nil {
		return nil, err
	}
	a.silencers, err = newSilencers(cfg, alertmanager.SilencerOptions{
		Holds:        func(now time.Time, lead time.Duration) []alertmanager.Hold { return holds(a.ui, now, lead) },
		Installation: func() string { return a.ui.Epoch() }, Ours: a.ownsFirst,
	}, a.registry, a.log)
	if err != nil {
		return nil, err
	}
	ingestConfig := ingest.DefaultConfig()
	ingestConfig.Identity, ingestConfig.ResolveTimeout = cfg.Identity, cfg.Incident.ResolveTimeout
	doors, err := ingest.New(ingest.Options{
		Door: a.stream.Door(), Config: ingestConfig, Registerer: a.registry, Logger: a.log,
		Receivers: []ingest.Receiver{alertmanager.Webhook(), alertmanager.Recorder(), alertmanager.Post(), events.Receiver()},
		Names:     alertmanager.Names(cfg.Alertmanagers), Truncated: a.upstream.truncated,
	})
	if err != nil {
		return nil, err
	}
	a.doors = doors
	doors.Register(mux)
	a.learner = newLearner(func(yield func(ui.Known)) { a.ui.EachKnown(yield) }, func(yield func(from, to, relation string)) { a.ui.Related(yield) }, a.registry, a.log)
	options := ui.Options{
		Proposed: a.learner.Proposed,
		Door:     a.stream.Door(), Versions: a.stream, Shards: a.stream.Shards(), Senders: senders{doors}, Expected: a.expectedSources, Upstream: a.upstreamStates, Ready: a.ready.Load,
		NoHistory: a.noHistory, Registerer: a.registry, Logger: a.log, Version: a.opts.Version,
	}
	if a.history != nil {
		options.History, options.HistoryState = a.history, a.history.State
	}
	a.ui, err = ui.New(options)
	if err != nil {
		return nil, err
	}
	a.ui.Register(mux)
	a.heartbeats = newHeartbeats(a.ui.Heartbeats, a.stream.Door(), a.registry, a.log)
	a.estate = &estateFiles{paths: cfg.Estate.Files, put: a.ui.PutEstateFiles, log: a.log.With("component", "estate")}
	a.reloads = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "signalbox_app_last_reload_successful", Help: "1 when the last reload of configuration and estate files was taken.",
	})
	a.registry.MustRegister(a.reloads)
	a.reloads.Set(1) // it has begun with a configuration that was taken
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry}))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Signalbox is healthy.") })
	mux.HandleFunc("GET /-/ready", a.serveReady)
	mux.HandleFunc("POST /-/reload", a.serveReload)
	return a.untilShown(mux), nil
}

// untilShown keeps readers away while the board is not complete: incidents would seem to vanish,
// and their revisions to go back. The doors take alerts all the same.
func (a *App) untilShown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.shown.Load() && readsBoard(r.URL.Path) {
			a.serveReady(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func readsBoard(path string) bool {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	first, _, _ := strings.Cut(rest, "/")
	return ok && first != "ingest" && first != "status" && first != "openapi.yaml"
}

// Addr is the address that the server listens on.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Run serves until ctx is done or a room cannot go on. It stops upstream first: the server takes
// nothing new, the door answers what it holds, the engines cut their last checkpoints, the board
// follows to the end.
func (a *App) Run(ctx context.Context) error {
	ctx, a.stop = context.WithCancel(ctx)
	defer a.stop()
	// Each stage outlives the one before it, so that nothing accepted is left unanswered.
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	group, groupCtx := errgroup.WithContext(ctx)
	rooms, roomsCtx := errgroup.WithContext(inner)

	caughtUp := make(chan struct{})
	rooms.Go(func() error { return a.stream.Door().Run(roomsCtx) })
	rooms.Go(func() error { return a.group.Run(roomsCtx) })
	rooms.Go(func() error { return a.ui.Run(roomsCtx) })
	rooms.Go(func() error { return a.tail(roomsCtx, caughtUp) })
	rooms.Go(func() error { return a.keepHistory(roomsCtx) })
	rooms.Go(func() error { return a.learner.Run(roomsCtx) })
	group.Go(func() error {
		if err := a.beginLog(groupCtx); err != nil && groupCtx.Err() == nil {
			return err
		}
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	group.Go(func() error { return a.becomeReady(groupCtx, caughtUp) })
	group.Go(func() error { return a.readUpstream(groupCtx) })
	if topic := a.opts.Config.Kafka.AlertmanagerEventsTopic; topic != "" {
		group.Go(func() error {
			a.followAlertmanagers(groupCtx, topic)
			return nil
		})
	}
	group.Go(func() error {
		a.heartbeats.run(groupCtx)
		return nil
	})
	group.Go(func() error { // a room that ends takes the server with it
		select {
		case <-roomsCtx.Done():
			a.stop()
		case <-groupCtx.Done():
		}
		return nil
	})
	group.Go(func() error {
		<-groupCtx.Done()
		return a.shutdown() //nolint:contextcheck // the context that ends is what makes it stop.
	})
	err := group.Wait()
	stopInner()
	return errors.Join(err, rooms.Wait())
}

// tail feeds the board from the public topics. It waits for our shards first, since only then
// does the end of the topics hold everything that followed from their logs.
func (a *App) tail(ctx context.Context, caughtUp chan struct{}) error {
	if err := until(ctx, a.caughtUp); err != nil {
		return nil //nolint:nilerr // the program is to stop.
	}
	return a.stream.Tail(ctx, stream.TailOptions{
		Topics:   []itsm.Topic{itsm.TopicIncidents, itsm.TopicAlerts, itsm.TopicTimeline, itsm.TopicProblems, itsm.TopicCMDB},
		Apply:    a.ui.Apply,
		CaughtUp: func() { close(caughtUp) },
	})
}

func (a *App) becomeReady(ctx context.Context, caughtUp <-chan struct{}) error {
	select {
	case <-caughtUp:
	case <-ctx.Done():
		return nil
	}
	a.shown.Store(true)
	if err := a.adopt(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the program is to stop.
		}
		return err
	}
	a.ready.Store(true)
	a.log.Info("ready", "address", "http://"+a.Addr())
	a.estate.watch(ctx, a.opts.Config.Estate.WatchInterval)
	return nil
}

// adopt brings the configured rules and the estate files into force.
func (a *App) adopt(ctx context.Context) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if err := a.adoptRules(ctx); err != nil {
		return err
	}
	if err := a.estate.load(ctx); err != nil {
		return fmt.Errorf("load the estate: %w", err)
	}
	return nil
}

// waitReady returns when the board is complete, or with the context's error.
func (a *App) waitReady(ctx context.Context) error { return until(ctx, a.ready.Load) }

// until returns when something holds, or with the context's error.
func until(ctx context.Context, holds func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (a *App) shutdown() error {
	a.ready.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), a.opts.Config.Server.ShutdownTimeout)
	defer cancel()
	a.ui.CloseStreams() // hijacked connections are not known to the server
	if err := a.server.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop the server: %w", errors.Join(err, a.server.Close()))
	}
	return nil
}

// Close releases what New opened. It is called after Run.
func (a *App) Close() error {
	var errs []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.history != nil {
		errs = append(errs, a.history.Close())
	}
	if a.engine != nil {
		errs = append(errs, a.engine.Close())
	}
	if a.stream != nil {
		errs = append(errs, a.stream.Close())
	}
	if a.broker != nil {
		errs = append(errs, a.broker.Close())
	}
	return errors.Join(errs...)
}

func (a *App) serveReady(w http.ResponseWriter, _ *http.Request) {
	if !a.ready.Load() || !a.caughtUp() {
		w.Header().Set("Retry-After", "1")
		writeProblem(w, http.StatusServiceUnavailable, "not_ready", "the log is being applied; the board is not complete yet")
		return
	}
	fmt.Fprintln(w, "Signalbox is ready.")
}

func (a *App) serveReload(w http.ResponseWriter, r *http.Request) {
	if err := a.reload(r.Context()); err != nil {
		writeProblem(w, http.StatusInternalServerError, "reload_refused", err.Error())
		return
	}
	fmt.Fprintln(w, "Reloaded.")
}

// reload reads the configuration and the estate files again, and says in the log and in a metric what came of it.
func (a *App) reload(ctx context.Context) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if err := a.readAgain(ctx); err != nil {
		a.reloads.Set(0)
		a.log.Error("reload refused; what was in force stays", "err", err)
		return err
	}
	a.reloads.Set(1)
	a.log.Info("reloaded")
	return nil
}

func (a *App) readAgain(ctx context.Context) error {
	cfg, err := Load(a.opts.ConfigPath, a.opts.Environ)
	if err != nil {
		return err
	}
	a.opts.Config.Severity, a.opts.Config.Incident, a.opts.Config.Correlate, a.opts.Config.SLA = cfg.Severity, cfg.Incident, cfg.Correlate, cfg.SLA
	if err := a.adoptRules(ctx); err != nil {
		return err
	}
	return a.estate.load(ctx)
}

// waitAdopted bounds how long an estate or rules may take to come into force.
const waitAdopted = time.Minute
