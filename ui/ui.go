// Package ui is the room that people look into: the HTTP API, the live board with its websocket,
// and the embedded web app. It materialises the public topics in memory (Apply), answers every
// read from there, and sends what people do as commands through the door, to read the outcome back
// from the topic. It refuses to decide anything about incidents, and to write any state of its own.
//
// Apply is called by one goroutine. The HTTP handlers run concurrently with it and with each
// other; they read immutable rows under a short lock and hold nothing while they write.
package ui

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"signalbox/itsm"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// Door takes inputs of the engine. Append returns nil only when the input is durable, and an error
// that is itsm.ErrOverloaded when the sender should come again.
type Door interface {
	Append(ctx context.Context, in itsm.Input) error
}

// Versions stores large inputs before they are adopted. PutVersion is idempotent: the id follows
// from the bytes.
type Versions interface {
	PutVersion(ctx context.Context, data []byte) (id string, err error)
}

// Options are the doors of the room. Door, Versions, Shards, Registerer and Logger are required.
type Options struct {
	Door     Door
	Versions Versions
	Shards   int // that adopt an estate
	// Senders tells what the doors know of who sends; nil: nothing.
	Senders Senders
	// Expected names the sources that are configured, with how long each may be without a heartbeat,
	// 0: not said; nil: none is.
	Expected func() map[string]time.Duration
	// Upstream tells how the configured Alertmanagers were found, by name; nil: none is read.
	Upstream func() map[string]Upstream
	// History answers questions about the past; nil: there is none, for the reason NoHistory.
	History   History
	NoHistory string
	// Proposed returns a patterns file with what continuous learning proposes; nil: nothing is learned.
	Proposed func() []byte
	// HistoryState tells how far the writing of history is; nil: none is kept.
	HistoryState func() itsm.HistoryState
	// Ready tells whether every shard has caught up; nil: always.
	Ready func() bool
	// Listen is the URL under which senders reach this server; empty: the Host of the request.
	Listen     string
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	Version    string
}

// UI is the room.
type UI struct {
	door         Door
	history      History
	noHistory    string
	historyState func() itsm.HistoryState
	proposed     func() []byte
	store        Versions
	shards       int
	senders      Senders
	expected     func() map[string]time.Duration
	upstream     func() map[string]Upstream
	seen         atomic.Pointer[origins]
	listening    atomic.Pointer[time.Time] // since when this process has been ready
	ready        func() bool
	listen       string
	version      string
	logger       *slog.Logger
	metrics      *metrics
	views        *views
	hub          *hub
	upgrader     *websocket.Upgrader
	limits       streamLimits
	outcomeWait  time.Duration
	putting      chan struct{} // one estate or set of patterns at a time
	changed      chan struct{} // see Changed
	web          *web
}

// New checks the options and builds the room. It starts nothing.
func New(o Options) (*UI, error) {
	switch {
	case o.Door == nil:
		return nil, errors.New("ui: Door is missing")
	case o.Versions == nil:
		return nil, errors.New("ui: Versions is missing")
	case o.Shards < 1:
		return nil, errors.New("ui: Shards must be at least 1")
	case o.Registerer == nil:
		return nil, errors.New("ui: Registerer is missing")
	case o.Logger == nil:
		return nil, errors.New("ui: Logger is missing")
	}
	web, err := newWeb()
	if err != nil {
		return nil, err
	}
	m := newMetrics(o.Registerer)
	u := &UI{
		door: o.Door, store: o.Versions, shards: o.Shards, senders: o.Senders, expected: o.Expected, upstream: o.Upstream, ready: o.Ready, listen: o.Listen, version: o.Version,
		logger: o.Logger.With("component", "ui"), metrics: m, views: newViews(), hub: newHub(m), upgrader: newUpgrader(),
		limits: defaultStreamLimits(), outcomeWait: outcomeWait, putting: make(chan struct{}, 1), changed: make(chan struct{}, 1), web: web,
		history: o.History, noHistory: o.NoHistory, historyState: o.HistoryState, proposed: o.Proposed,
	}
	watchTotals(o.Registerer, u.views)
	exposeAlertmanagerVersion(o.Registerer, u.versionInfo())
	if u.senders == nil {
		u.senders = nobody{}
	}
	if u.upstream == nil {
		u.upstream = func() map[string]Upstream { return nil }
	}
	if u.expected == nil {
		u.expected = func() map[string]time.Duration { return nil }
	}
	if u.ready == nil {
		u.ready = func() bool { return true }
	}
	return u, nil
}

// Register adds the API, the board and the web app to a mux. The server in front of it refuses
// requests of foreign origins.
func (u *UI) Register(mux *http.ServeMux) {
	nothing := unknownPath(mux)
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET /api/v1/incidents":                u.handleIncidents,
		"GET /api/v1/incidents/{id}":           u.handleIncident,
		"GET /api/v1/incidents/{id}/alerts":    u.handleIncidentAlerts,
		"GET /api/v1/incidents/{id}/timeline":  u.handleTimeline,
		"GET /api/v1/incidents/{id}/path":      u.handlePath,
		"GET /api/v1/incidents/{id}/sla":       u.handleSLA,
		"GET /api/v1/incidents/{id}/impact":    u.handleImpact,
		"POST /api/v1/incidents/{id}/{action}": u.handleCommand,
		"GET /api/v1/alerts":                   u.handleAlerts,
		"GET /api/v1/board":                    u.handleBoard,
		"GET /api/v1/silences":                 u.handleSilencePage,
		"GET /api/v1/problems":                 u.handleProblems,
		"GET /api/v1/problems/{id}":            u.handleProblem,
		"POST /api/v1/problems/{id}/{action}":  u.handleProblemCommand,
		"GET /api/v1/items":                    u.handleItems,
		"GET /api/v1/items/{id...}":            u.handleItem,
		"GET /api/v1/relations":                u.handleRelations,
		"GET /api/v1/estate":                   u.handleGetEstate,
		"PUT /api/v1/estate":                   u.handlePutEstate,
		"GET /api/v1/patterns":                 u.handleGetPatterns,
		"PUT /api/v1/patterns":                 u.handlePutPatterns,
		"POST /api/v1/patterns/adopt":          u.handleAdoptPatterns,
		"POST /api/v1/patterns/switch":         u.handleSwitchPattern,
		"GET /api/v1/sources":                  u.handleSources,
		"GET /api/v1/sources/{name}/last":      u.handleLastPayload,
		"GET /api/v1/status":                   u.handleStatus,
		"POST /api/v1/ingest/test":             u.handleTestAlert,
		"GET /api/v1/openapi.yaml":             handleOpenAPI,
		"/api/":                                nothing,
	} {
		mux.HandleFunc(pattern, u.metrics.measured(pattern, handler))
	}
	for _, routes := range []map[string]http.HandlerFunc{u.historyRoutes(), u.alertmanagerRoutes()} {
		for pattern, handler := range routes {
			mux.HandleFunc(pattern, u.metrics.measured(pattern, handler))
		}
	}
	mux.HandleFunc("GET /api/v1/stream", u.handleStream) // lasts as long as its client, and has metrics of its own
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		switch a := u.web.find(r.URL.Path); {
		case a == nil:
			nothing(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			a.serve(w, r)
		default:
			writeMethods(w, r, http.MethodGet)
		}
	})
}

// Run gives the board its beat until ctx is done, then sends every watcher away.
func (u *UI) Run(ctx context.Context) error {
	defer u.hub.close()
	ping := time.NewTicker(pingInterval)
	defer ping.Stop()
	forget := time.NewTicker(time.Hour)
	defer forget.Stop()
	u.hub.begin(u.pingFigures(time.Now()))
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ping.C:
			u.hub.begin(u.pingFigures(now))
		case now := <-forget.C:
			u.views.forgetOutcomes(now)
		case <-u.hub.dirty:
			if wait := flushInterval - time.Since(last); wait > 0 {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(wait):
				}
			}
			last = time.Now()
			u.hub.begin(nil)
		}
	}
}
