package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the room with a pipeline around it that the test plays: what enters the door goes to
// react, what the engine would publish is given to publish.
type world struct {
	t      testing.TB
	ui     *UI
	mux    *http.ServeMux
	server *httptest.Server // nil: requests go straight to the mux, so that time may be virtual

	mu       sync.Mutex // of Apply, as the tail's one goroutine
	offsets  map[itsm.Topic]int64
	inputs   []itsm.Input
	versions map[string][]byte
	react    func(in itsm.Input) error
	offbeat  bool // exchanges are not those of the OpenAPI document
}

type worldOption func(*UI)

func shards(n int) worldOption { return func(u *UI) { u.shards = n } }

// newWorld starts the room behind a real listener; it ends with the test.
func newWorld(tb testing.TB, options ...worldOption) *world {
	tb.Helper()
	w := newRoom(tb, options...)
	w.server = httptest.NewServer(w.mux)
	tb.Cleanup(w.server.Close)
	return w
}

// newRoom starts the room without a network, so that it may live in a bubble of synctest.
func newRoom(tb testing.TB, options ...worldOption) *world {
	tb.Helper()
	w := &world{t: tb, mux: http.NewServeMux(), offsets: map[itsm.Topic]int64{}, versions: map[string][]byte{}}
	u, err := New(Options{
		Door: w, Versions: w, Shards: 1, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Version: "test",
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, o := range options {
		o(u)
	}
	w.ui = u
	u.Register(w.mux)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- u.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
	w.publish(itsm.TopicIncidents, "_epoch", []byte("e1"))
	return w
}

// Append implements Door.
func (w *world) Append(_ context.Context, in itsm.Input) error {
	w.mu.Lock()
	w.inputs = append(w.inputs, in)
	react := w.react
	w.mu.Unlock()
	if react == nil {
		return nil
	}
	return react(in)
}

// PutVersion implements Versions.
func (w *world) PutVersion(_ context.Context, data []byte) (string, error) {
	id := fmt.Sprintf("v%x", itsm.NewLabels(map[string]string{"d": string(data)}).Fingerprint())
	w.mu.Lock()
	w.versions[id] = data
	w.mu.Unlock()
	w.publish(itsm.TopicCMDB, "version/"+id, data)
	return id, nil
}

// publish applies one record; value is bytes, or nil for a tombstone, or is marshalled.
func (w *world) publish(topic itsm.Topic, key string, value any) {
	w.t.Helper()
	w.batch(w.record(topic, key, value))
}

func (w *world) record(topic itsm.Topic, key string, value any) itsm.Published {
	w.t.Helper()
	p := itsm.Published{Topic: topic, Key: key}
	switch v := value.(type) {
	case nil:
	case []byte:
		p.Value = v
	default:
		b, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		p.Value = b
	}
	return p
}

func (w *world) batch(records ...itsm.Published) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range records {
		records[i].Offset = w.offsets[records[i].Topic]
		w.offsets[records[i].Topic]++
	}
	if err := w.ui.Apply(records); err != nil {
		w.t.Errorf("Apply: %v", err)
	}
}

func (w *world) putIncident(inc itsm.Incident) {
	w.t.Helper()
	w.publish(itsm.TopicIncidents, inc.ID, inc.Row())
}

func (w *world) putAlert(incident string, a itsm.AlertState) {
	w.t.Helper()
	w.publish(itsm.TopicAlerts, incident+"/"+a.Fingerprint.String(), a)
}

// seen returns the inputs that have entered the door.
func (w *world) seen() []itsm.Input {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inputs
}

// answer is a response read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (w *world) get(path string) answer {
	w.t.Helper()
	return w.do(http.MethodGet, path, "")
}

// do sends a request and holds it and its answer against the OpenAPI document.
func (w *world) do(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", map[bool]string{true: "application/yaml", false: "application/json"}[method == http.MethodPut])
	}
	got := w.send(req)
	if contract, err := NewContract(); err != nil {
		w.t.Fatal(err)
	} else if !w.offbeat && strings.HasPrefix(path, "/api/") {
		x := Exchange{Method: method, URI: path, Body: body, Header: req.Header, Status: got.status, Got: got.header, Answer: got.body}
		if err := contract.Check(x); err != nil {
			w.t.Errorf("%s %s: %v", method, path, err)
		}
	}
	return got
}

func (w *world) send(req *http.Request) answer {
	w.t.Helper()
	if w.server == nil {
		rec := httptest.NewRecorder()
		w.mux.ServeHTTP(rec, req)
		return answer{rec.Code, rec.Header(), rec.Body.Bytes()}
	}
	at, err := url.Parse(w.server.URL + req.URL.RequestURI())
	if err != nil {
		w.t.Fatal(err)
	}
	req.URL, req.RequestURI, req.Host = at, "", ""
	resp, err := w.server.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// into decodes the body.
func into[T any](tb testing.TB, a answer) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		tb.Fatalf("decode %d %.200s: %v", a.status, a.body, err)
	}
	return v
}

func day(clock string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", "2026-01-02 "+clock)
	if err != nil {
		panic(err)
	}
	return at
}

// anIncident is a plain incident; change edits it.
func anIncident(n int, change ...func(*itsm.Incident)) itsm.Incident {
	inc := itsm.Incident{
		ID: fmt.Sprintf("id%d", n), Number: fmt.Sprintf("INC-%06d", n), Revision: 1, State: itsm.StateNew,
		Title: fmt.Sprintf("Thing %d is broken", n), Severity: itsm.SeverityCritical, Impact: 2, Urgency: 1, Priority: 2, Site: "plant-a",
		StartedAt: time.Now().UTC().Add(-time.Hour), OpenedAt: time.Now().UTC().Add(-time.Hour + time.Duration(n)*time.Second), UpdatedAt: time.Now().UTC(),
		Items: []string{fmt.Sprintf("host-%d", n)}, ItemCount: 1, AlertCounts: itsm.AlertCounts{Firing: 1, Total: 1},
		Causes: []itsm.Cause{{Item: "sw-1", Name: "Core switch 1", Class: "switch", Score: .93}},
	}
	for _, f := range change {
		f(&inc)
	}
	return inc
}

// anAlert is a firing alert with the labels a=b, ….
func anAlert(labels string, change ...func(*itsm.AlertState)) itsm.AlertState {
	m := map[string]string{}
	for pair := range strings.SplitSeq(labels, ",") {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	ls := itsm.NewLabels(m)
	item := "host-a"
	a := itsm.AlertState{
		Fingerprint: ls.Fingerprint(), Labels: ls, Status: itsm.StatusFiring, Severity: itsm.SeverityCritical, Item: &item,
		StartsAt: time.Now().UTC().Add(-time.Minute), LastStartsAt: time.Now().UTC().Add(-time.Minute), LastSeenAt: time.Now().UTC(),
		JoinedAt: time.Now().UTC(), Count: 1, Source: "prom-a", Group: m["alertname"],
		Evidence: []itsm.Evidence{{Kind: itsm.EvidenceTopology, Text: "host-a connects to sw-1", Weight: 1}},
	}
	for _, f := range change {
		f(&a)
	}
	return a
}

func resolved(at time.Time) func(*itsm.AlertState) {
	return func(a *itsm.AlertState) {
		a.Status, a.StartsAt, a.LastStartsAt, a.EndsAt = itsm.StatusResolved, at.Add(-time.Minute), at.Add(-time.Minute), &at
	}
}

func withState(s itsm.State) func(*itsm.Incident) {
	return func(inc *itsm.Incident) { inc.State = s }
}

func mergedInto(id string) func(*itsm.Incident) {
	return func(inc *itsm.Incident) {
		inc.State, inc.MergedInto, inc.Revision = itsm.StateClosed, &id, inc.Revision+1
	}
}
