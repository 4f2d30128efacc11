// Package storetest holds the promises of package store as a test suite. It knows an engine by the
// way requests reach it, so the same suite runs on the embedded engine in this process, on the same
// engine behind a listener, and on a server.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
	"signalbox/store"
)

// patience is how long anything may take.
const patience = 60 * time.Second

// Run checks every promise on the engine that opts lead to. Each test has a database of its own.
func Run(t *testing.T, opts store.Options) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*env)
	}{
		{"EveryTopic", testEveryTopic},
		{"Search", testSearch},
		{"Pages", testPages},
		{"Volume", testVolume},
		{"Mistakes", testMistakes},
		{"Crash", testCrash},
		{"ServerForgets", testServerForgets},
		{"Sleeper", testSleeper},
		{"Away", testAway},
		{"Lost", testLost},
		{"Retention", testRetention},
		{"NewerSchema", testNewerSchema},
		{"Recorded", testRecorded},
		{"Samples", testSamples},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			opts.Config.Database = database()
			c.test(&env{T: t, ctx: ctx, opts: opts, log: newLog()})
		})
	}
}

// database is a name that no other test uses.
func database() string {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	return "t_" + hex.EncodeToString(id[:])
}

// env is one test with its own database and log.
type env struct {
	*testing.T
	ctx  context.Context //nolint:containedctx // it lives as long as the test
	opts store.Options
	log  *memory
}

// process is one run of a store over the log.
type process struct {
	*store.Store
	env  *env
	reg  *prometheus.Registry
	stop context.CancelFunc
	done chan error
}

// start opens a store and lets it follow the log. The function, when given, sees each write before and
// after it; its error is what the store gets.
func (e *env) start(between func(stage string, r *http.Request) error) *process {
	e.Helper()
	opts := e.opts
	p := &process{env: e, reg: prometheus.NewRegistry(), done: make(chan error, 1)}
	opts.Registerer, opts.Logger = p.reg, slog.New(slog.NewTextHandler(e.Output(), nil))
	if between != nil {
		if opts.Transport == nil {
			opts.Transport = to(opts.Config.Addresses[0])
		}
		opts.Transport = faults{opts.Transport, between}
	}
	s, err := store.Open(opts)
	if err != nil {
		e.Fatal(err)
	}
	p.Store = s
	ctx, stop := context.WithCancel(e.ctx)
	p.stop = stop
	go func() { p.done <- s.Run(ctx, e.log) }()
	e.Cleanup(p.kill)
	return p
}

// kill ends a run in the middle of whatever it does.
func (p *process) kill() {
	if p.stop == nil {
		return
	}
	p.stop()
	p.stop = nil
	if err := <-p.done; err != nil {
		p.env.Errorf("run: %v", err)
	}
	if err := p.Close(); err != nil {
		p.env.Error(err)
	}
}

// ended gives the error of a run that ends by itself.
func (p *process) ended() <-chan error {
	p.stop = nil
	return p.done
}

// conn is a connection of the test's own.
func (e *env) conn() driver.Conn {
	e.Helper()
	c := &clickhouse.Options{Protocol: clickhouse.HTTP, Addr: e.opts.Config.Addresses}
	if e.opts.Transport != nil {
		c.Addr = []string{"embedded:0"}
		c.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return e.opts.Transport, nil }
	}
	conn, err := clickhouse.Open(c)
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() {
		if err := conn.Close(); err != nil {
			e.Error(err)
		}
	})
	return conn
}

// faults lets a test stand between the store and its engine.
type faults struct {
	next    http.RoundTripper
	between func(stage string, r *http.Request) error
}

func (f faults) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT") {
		if err := f.between("other", r); err != nil {
			return nil, errors.Join(err, r.Body.Close())
		}
		return f.next.RoundTrip(r)
	}
	if err := f.between("before", r); err != nil {
		return nil, errors.Join(err, r.Body.Close())
	}
	res, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := f.between("after", r); err != nil {
		_, _ = io.Copy(io.Discard, res.Body) // the answer is what gets lost
		return nil, errors.Join(err, res.Body.Close())
	}
	return res, nil
}

// to is the address of a listener as a transport.
type to string

func (t to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = string(t)
	return http.DefaultTransport.RoundTrip(r)
}

// until waits for a condition; it asks again and again.
func (e *env) until(what string, holds func() bool) {
	e.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			e.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// begin is when the tests' history begins: lately, or it would expire.
var begin = time.Now().UTC().Truncate(time.Hour).Add(-time.Hour + 123456789) //nolint:gochecknoglobals // a constant but for the day

// window is a question about all of the test's time.
func window(limit int, matchers ...itsm.HistoryMatcher) itsm.HistoryQuery {
	return itsm.HistoryQuery{From: begin.Add(-100 * time.Hour), To: begin.Add(48 * time.Hour), Limit: limit, Matchers: matchers}
}

// count is how many alert events there are, -1 while the tables are not there or the engine is away.
func (p *process) count() int {
	events, err := p.events(window(1_000_000))
	if err != nil {
		return -1
	}
	return len(events)
}

func (p *process) events(q itsm.HistoryQuery) (all []itsm.AlertEvent, err error) {
	err = p.EachAlertEvent(p.env.ctx, q, func(e itsm.AlertEvent, _ string) error { all = append(all, e); return nil })
	return all, err
}

func (p *process) incidents(q itsm.HistoryQuery) (all []itsm.Incident, err error) {
	err = p.EachIncident(p.env.ctx, q, func(inc itsm.Incident, _ string) error { all = append(all, inc); return nil })
	return all, err
}

func (p *process) changes(q itsm.HistoryQuery) (all []itsm.ChangeEvent, err error) {
	err = p.EachChange(p.env.ctx, q, func(e itsm.ChangeEvent, _ string) error { all = append(all, e); return nil })
	return all, err
}

// memory is a log in memory.
type memory struct {
	mu         sync.Mutex
	partitions map[itsm.Topic][]itsm.Block // one block each, growing
	start      int64                       // of alerts: retention has removed what is before
	versions   map[string][]byte
	grown      chan struct{}
	taken      atomic.Int64 // of alerts, by readers
}

func newLog() *memory {
	return &memory{partitions: map[itsm.Topic][]itsm.Block{}, versions: map[string][]byte{}, grown: make(chan struct{})}
}

func (m *memory) Version(_ context.Context, id string) ([]byte, error) {
	if data := m.versions[id]; data != nil {
		return data, nil
	}
	return nil, itsm.ErrNotFound
}

func (m *memory) Partitions(itsm.Topic) int { return 1 }

func (m *memory) Reader(topic itsm.Topic, _ int, from int64) store.LogReader {
	return &memoryReader{m: m, topic: topic, next: from}
}

// publish appends records of a public topic. Offsets have holes, as compaction leaves them.
func (m *memory) publish(topic itsm.Topic, key string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	m.append(topic, func(b *itsm.Block) {
		b.Published = append(b.Published, itsm.Published{Topic: topic, Offset: b.Next, Key: key, Value: data})
	})
}

func (m *memory) append(topic itsm.Topic, add func(*itsm.Block)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.partitions[topic] == nil {
		m.partitions[topic] = make([]itsm.Block, 1)
	}
	b := &m.partitions[topic][0]
	add(b)
	b.Next += 3
	close(m.grown)
	m.grown = make(chan struct{})
}

type memoryReader struct {
	m     *memory
	topic itsm.Topic
	next  int64
}

// Next returns at most 1,000 records.
func (r *memoryReader) Next(ctx context.Context, wait time.Duration) (itsm.Block, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		b, grown := r.read()
		if b.Next > b.From || b.Lost > 0 {
			return b, nil
		}
		select {
		case <-grown:
		case <-timer.C:
			return b, nil
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
}

func (r *memoryReader) read() (itsm.Block, chan struct{}) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	b := itsm.Block{From: r.next, Next: r.next}
	if r.topic == itsm.TopicAlerts && r.next < r.m.start {
		b.Lost = r.m.start - r.next
		b.From = r.m.start
	}
	if len(r.m.partitions[r.topic]) == 0 {
		return b, r.m.grown
	}
	all := r.m.partitions[r.topic][0]
	b.Next = all.Next
	for _, p := range all.Published {
		if p.Offset < b.From {
			continue
		}
		if len(b.Published) == 1000 {
			b.Next = p.Offset
			break
		}
		b.Published = append(b.Published, p)
	}
	if r.topic == itsm.TopicAlerts {
		r.m.taken.Add(int64(len(b.Published)))
	}
	for _, rec := range all.Records {
		if rec.Offset >= b.From {
			b.Records = append(b.Records, rec)
		}
	}
	b.Behind = all.Next - b.Next
	r.next = b.Next
	return b, r.m.grown
}

func (r *memoryReader) Close() {}

// alert publishes the n-th alert of a test.
func (m *memory) alert(n int, change ...func(*itsm.AlertState)) {
	item := fmt.Sprintf("host-%d", n%10)
	a := itsm.AlertState{
		Fingerprint: itsm.Fingerprint(n + 1), Status: itsm.StatusFiring, Severity: itsm.SeverityWarning, Item: &item,
		Labels:      itsm.NewLabels(map[string]string{"alertname": "HostDown", "instance": item + ":9100", "n": strconv.Itoa(n)}),
		Annotations: itsm.NewLabels(map[string]string{"summary": "Host " + item + " is down"}),
		StartsAt:    begin, LastStartsAt: begin.Add(time.Duration(n) * time.Second), LastSeenAt: begin.Add(time.Duration(n) * time.Second),
		JoinedAt: begin, Count: 1, Source: "prom-a", GeneratorURL: "http://prom/graph",
	}
	for _, f := range change {
		f(&a)
	}
	m.publish(itsm.TopicAlerts, fmt.Sprintf("inc-1/%016x", uint64(a.Fingerprint)), a)
}
