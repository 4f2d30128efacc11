package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/itsm"
)

// pipes is a network without buffers whose time is virtual.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// newPipes serves the room over pipes until the test ends.
func newPipes(t *testing.T, w *world) *pipes {
	t.Helper()
	p := &pipes{accept: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: w.mux, ReadHeaderTimeout: time.Second}
	ended := make(chan error)
	go func() { ended <- server.Serve(p) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.accept <- server
	return client, nil
}

// watcher is a client of the board, as a browser is one: a snapshot, then what the stream says.
type watcher struct {
	t    testing.TB
	conn *websocket.Conn

	mu     sync.Mutex
	at     position
	rows   map[string]string // the raw row by id
	told   []string          // the types of messages
	pings  []time.Time
	upsert int
	end    error
	done   chan struct{}
}

type streamMessage struct {
	Type     string
	Position position
	Upsert   []json.RawMessage
	Remove   []string
	Time     time.Time
}

func (c *watcher) take(m *streamMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, m.Type)
	switch m.Type {
	case "ping":
		c.pings = append(c.pings, m.Time)
	case "resync":
		return
	}
	if m.Position.Epoch != c.at.Epoch || m.Position.Offset < c.at.Offset {
		c.t.Errorf("position %v after %v", m.Position, c.at)
	}
	c.at = m.Position
	c.upsert += len(m.Upsert)
	for _, row := range m.Upsert {
		var r struct{ ID string }
		if err := json.Unmarshal(row, &r); err != nil {
			c.t.Error(err)
		}
		c.rows[r.ID] = string(row)
	}
	for _, id := range m.Remove {
		delete(c.rows, id)
	}
}

// follow reads until the connection ends.
func (c *watcher) follow() {
	defer close(c.done)
	for {
		var m streamMessage
		if err := c.conn.ReadJSON(&m); err != nil {
			c.mu.Lock()
			c.end = err
			c.mu.Unlock()
			return
		}
		c.take(&m)
	}
}

// state returns what the watcher has seen so far.
func (c *watcher) state() (rows map[string]string, at position, told []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.rows), c.at, slices.Clone(c.told)
}

func (c *watcher) leave() {
	c.t.Helper()
	if err := c.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.t.Error(err)
	}
	<-c.done
}

// snapshot fetches the board. Other tests hold it against the document, which takes time for many rows.
func (w *world) snapshot() (map[string]string, position) {
	w.t.Helper()
	b := into[struct {
		Position  position
		Incidents []json.RawMessage
	}](w.t, w.send(httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/v1/board", nil)))
	rows := map[string]string{}
	for _, row := range b.Incidents {
		rows[into[struct{ ID string }](w.t, answer{body: row}).ID] = string(row)
	}
	return rows, b.Position
}

func streamPath(p position) string {
	return "/api/v1/stream?epoch=" + url.QueryEscape(p.Epoch) + "&offset=" + strconv.FormatInt(p.Offset, 10)
}

// connect opens the stream at a position, over pipes or (nil) the network. Nobody reads yet.
func (w *world) connect(p *pipes, rows map[string]string, at position) *watcher {
	w.t.Helper()
	d := websocket.Dialer{}
	base := "ws://pipes"
	if p != nil {
		d.NetDialContext = p.dial
	} else {
		base = "ws" + strings.TrimPrefix(w.server.URL, "http")
	}
	conn, resp, err := d.DialContext(context.Background(), base+streamPath(at), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		w.t.Fatal(err)
	}
	c := &watcher{t: w.t, conn: conn, at: at, rows: rows, done: make(chan struct{})}
	w.t.Cleanup(func() { _ = conn.Close() })
	return c
}

// watch fetches the board and follows the stream from there.
func (w *world) watch(p *pipes) *watcher {
	w.t.Helper()
	rows, at := w.snapshot()
	c := w.connect(p, rows, at)
	go c.follow()
	return c
}

// settle lets the next flush and everything after it happen.
func settle() {
	time.Sleep(2 * flushInterval) // virtual
	synctest.Wait()
}

// bubble runs a test of the stream in virtual time.
func bubble(t *testing.T, test func(t *testing.T, w *world, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newRoom(t)
		test(t, w, newPipes(t, w))
	})
}

func TestStream_tellsWhatChanges(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		w.putIncident(anIncident(1))
		c := w.watch(p)
		w.putIncident(anIncident(2))
		w.putIncident(anIncident(1, withState(itsm.StateClosed)))
		settle()
		rows, at, _ := c.state()
		want, now := w.snapshot()
		if diff := cmp.Diff(want, rows); diff != "" || at != now || len(rows) != 1 {
			t.Errorf("at %v, board at %v (-board +watcher):\n%s", at, now, diff)
		}
	})
}

func TestStream_pingsEveryFiveSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		c := w.watch(p)
		synctest.Wait()
		w.publish(itsm.TopicIncidents, "_command/x", itsm.Outcome{Status: 200}) // moves the position, and nothing else
		began := time.Now()
		time.Sleep(20 * time.Second)
		synctest.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		var after []time.Duration
		for _, at := range c.pings {
			if d := at.Sub(began).Round(time.Second); d > 0 {
				after = append(after, d/time.Second)
			}
		}
		if diff := cmp.Diff([]time.Duration{5, 10, 15, 20}, after); diff != "" {
			t.Errorf("seconds of pings (-want +got):\n%s", diff)
		}
		if _, now := w.snapshot(); c.at != now {
			t.Errorf("the ping says %v, the board is at %v", c.at, now)
		}
	})
}

func TestStream_flushesTenTimesASecondAndConflates(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		c := w.watch(p)
		const changes = 3000
		for n := range changes {
			w.putIncident(anIncident(1+n%3, func(i *itsm.Incident) { i.Revision = n + 1 }))
			time.Sleep(time.Millisecond)
		}
		settle()
		rows, _, told := c.state()
		deltas := 0
		for _, kind := range told {
			if kind == "delta" {
				deltas++
			}
		}
		if deltas < 20 || deltas > 31 || c.upsert > 3*deltas {
			t.Errorf("%d deltas with %d rows in 3 seconds of %d changes", deltas, c.upsert, changes)
		}
		if want, _ := w.snapshot(); !maps.Equal(rows, want) {
			t.Errorf("got %v", rows)
		}
	})
}

func TestStream_resyncs(t *testing.T) {
	for _, tc := range []struct {
		name string
		path func(now position) string
	}{
		{"another epoch", func(now position) string { return streamPath(position{"other", now.Offset}) }},
		{"no epoch", func(now position) string { return "/api/v1/stream?offset=" + strconv.FormatInt(now.Offset, 10) }},
		{"no offset", func(now position) string { return "/api/v1/stream?epoch=" + now.Epoch }},
		{"nothing", func(position) string { return "/api/v1/stream" }},
		{"a position that never comes", func(now position) string { return streamPath(position{now.Epoch, now.Offset + 1}) }},
		{"before the first record", func(now position) string { return streamPath(position{now.Epoch, -2}) }},
		{"further back than is remembered", func(now position) string { return streamPath(position{now.Epoch, 1}) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world, p *pipes) {
				t.Helper()
				w.putIncident(anIncident(1))
				w.putIncident(anIncident(2, func(i *itsm.Incident) { i.UpdatedAt = time.Now().Add(-25 * time.Hour) }))
				w.putIncident(anIncident(3))
				_, now := w.snapshot()
				d := websocket.Dialer{NetDialContext: p.dial}
				conn, resp, err := d.Dial("ws://pipes"+tc.path(now), nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(resp.Body.Close()); err != nil {
					t.Fatal(err)
				}
				_, m, err := conn.ReadMessage()
				if err != nil || string(m) != `{"type":"resync"}` {
					t.Errorf("got %s, %v", m, err)
				}
				if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
					t.Errorf("then %v", err)
				}
			})
		})
	}
}

func TestStream_waitsForARecordThatAnotherNodeHasShown(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		rows, at := w.snapshot()
		at.Offset++
		c := w.connect(p, rows, at)
		go c.follow()
		time.Sleep(time.Second)
		w.putIncident(anIncident(1)) // the record of that position
		w.putIncident(anIncident(2))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if rows, _, told := c.state(); len(rows) != 1 || rows["id2"] == "" || slices.Contains(told, "resync") {
			t.Errorf("rows %v, told %v", rows, told)
		}
	})
}

func TestStream_resyncsWhenTheTopicIsAnother(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		c := w.watch(p)
		synctest.Wait()
		w.publish(itsm.TopicIncidents, "_epoch", []byte(`"e2"`))
		settle()
		if _, _, told := c.state(); told[len(told)-1] != "resync" {
			t.Errorf("told %v", told)
		}
	})
}

func TestStream_endsWithTheServer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		c := w.watch(p)
		synctest.Wait()
		w.ui.CloseStreams()
		<-c.done
		if !websocket.IsCloseError(c.end, websocket.CloseGoingAway) {
			t.Errorf("end: %v", c.end)
		}
		if got := w.get(streamPath(c.at)); got.status != http.StatusServiceUnavailable {
			t.Errorf("a late client got %d", got.status)
		}
	})
}

func TestStream_hasRoomForSoMany(t *testing.T) {
	w := newRoom(t)
	w.ui.hub.clients = maxClients
	if got := w.get("/api/v1/stream?epoch=x&offset=0"); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || into[problem](t, got).Code != "too_many_clients" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// A client whose network takes nothing costs no memory and is let go.
func TestStream_letsAStalledClientGo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		rows, at := w.snapshot()
		stalled := w.connect(p, rows, at) // and never reads
		other := w.watch(p)
		for n := range 100 {
			w.putIncident(anIncident(n))
			time.Sleep(flushInterval)
		}
		if rows, _, _ := other.state(); len(rows) < 98 {
			t.Errorf("the other watcher has %d rows", len(rows))
		}
		time.Sleep(defaultStreamLimits().patience)
		synctest.Wait()
		if got := testutil.ToFloat64(w.ui.metrics.closes.WithLabelValues("slow")); got != 1 {
			t.Errorf("%v clients were closed as slow", got)
		}
		if _, _, err := stalled.conn.NextReader(); err == nil {
			t.Error("the stalled client is still connected")
		}
		if got := testutil.ToFloat64(w.ui.metrics.clients); got != 1 {
			t.Errorf("%v clients are counted", got)
		}
	})
}

// A client that reads too slowly is told so by a close code of its own, and may go on where it was.
func TestStream_tellsASlowClientWhyItGoes(t *testing.T) {
	w := newWorld(t, func(u *UI) {
		u.limits.window, u.limits.markEvery, u.limits.patience = 64<<10, 8<<10, 200*time.Millisecond
	})
	rows, at := w.snapshot()
	c := w.connect(nil, rows, at)
	_, m, err := c.conn.ReadMessage() // reading answers the server's first mark
	if err != nil || !strings.Contains(string(m), `"ping"`) {
		t.Fatalf("%s, %v", m, err)
	}
	// Now it reads nothing while more comes than may be on the way, and less than buffers hold.
	for n := 0; testutil.ToFloat64(w.ui.metrics.closes.WithLabelValues("slow")) == 0; n++ {
		w.putIncident(anIncident(n%1000, func(i *itsm.Incident) { i.Revision, i.Site = n+1, strings.Repeat("x", 10_000) }))
		time.Sleep(time.Millisecond) // let the hub flush
	}
	c.follow()
	if !websocket.IsCloseError(c.end, closeSlow) {
		t.Fatalf("end: %v", c.end)
	}
	again := w.connect(nil, c.rows, c.at)
	go again.follow()
	want, now := w.snapshot()
	eventually(t, func() bool { _, at, _ := again.state(); return at.Offset >= now.Offset })
	again.leave()
	if !maps.Equal(again.rows, want) || slices.Contains(again.told, "resync") {
		t.Errorf("after resuming: %d rows, want %d; told %v", len(again.rows), len(want), again.told)
	}
}

// eventually waits for a condition of another goroutine.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("never")
		}
	}
}

func TestStream_splitsALargeDelta(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		c := w.watch(p)
		synctest.Wait()
		var batch []itsm.Published
		for n := range 500 {
			inc := anIncident(n, func(i *itsm.Incident) { i.Site = strings.Repeat("x", 2000) })
			batch = append(batch, w.record(itsm.TopicIncidents, inc.ID, inc.Row()))
		}
		w.batch(batch...)
		settle()
		rows, at, told := c.state()
		if want, now := w.snapshot(); !maps.Equal(rows, want) || at != now || len(told) < 5 {
			t.Errorf("%d of %d rows in %d messages", len(rows), len(want), len(told))
		}
	})
}

func TestStream_isNotForPagesOfOthers(t *testing.T) {
	w := newWorld(t)
	_, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.server.URL, "http")+streamPath(position{"e1-1", 0}), http.Header{"Origin": {"https://evil.example"}})
	if err == nil || resp.StatusCode != http.StatusForbidden {
		t.Fatalf("got %v", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestStream_doesNotCompress(t *testing.T) {
	w := newWorld(t)
	d := websocket.Dialer{EnableCompression: true}
	conn, resp, err := d.Dial("ws"+strings.TrimPrefix(w.server.URL, "http")+streamPath(position{"e1-1", 0}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extensions %q", got)
	}
	if err := errors.Join(resp.Body.Close(), conn.Close()); err != nil {
		t.Error(err)
	}
}

func TestStream_servesAHundredWatchers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world, p *pipes) {
		t.Helper()
		var all []*watcher
		for range 100 {
			all = append(all, w.watch(p))
		}
		rnd := rand.New(rand.NewPCG(3, 4))
		for n := range 2000 {
			w.putIncident(anIncident(rnd.IntN(50), func(i *itsm.Incident) { i.Revision = n + 1 }))
			if n%20 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		settle()
		want, now := w.snapshot()
		for i, c := range all {
			if rows, at, _ := c.state(); !maps.Equal(rows, want) || at != now {
				t.Errorf("watcher %d has %d rows at %v, the board %d at %v", i, len(rows), at, len(want), now)
			}
		}
	})
}

// history is what one incidents topic has held, and what compaction may leave of it.
type history struct {
	rnd    *rand.Rand
	log    []itsm.Published
	states map[string]itsm.Incident
}

// step makes the next record.
func (h *history) step() itsm.Published {
	id := h.rnd.IntN(12)
	inc, ok := h.states[fmt.Sprintf("id%d", id)]
	if !ok {
		inc = anIncident(id)
	}
	inc.Revision++
	p := itsm.Published{Topic: itsm.TopicIncidents, Offset: int64(len(h.log)) + 1, Key: inc.ID}
	if len(h.log) > 0 {
		p.Offset = h.log[len(h.log)-1].Offset + 1 + int64(h.rnd.IntN(3)) // records of owners lie between
	}
	switch h.rnd.IntN(10) {
	case 0:
		inc.State = itsm.StateClosed
	case 1:
		into := "id0"
		inc.State, inc.MergedInto = itsm.StateClosed, &into
	case 2:
		inc.State = itsm.StateCancelled
	case 3:
		if inc.State == itsm.StateClosed { // forgotten
			delete(h.states, inc.ID)
			h.log = append(h.log, p)
			return p
		}
	case 4:
		p.Key = "_command/" + strconv.Itoa(len(h.log))
		p.Value = marshal(itsm.Outcome{Status: 404})
		h.log = append(h.log, p)
		return p
	default:
		inc.State, inc.MergedInto = itsm.StateNew, nil
	}
	inc.UpdatedAt = time.Now()
	h.states[inc.ID] = inc
	p.Value = marshal(inc.Row())
	h.log = append(h.log, p)
	return p
}

// compacted keeps the last record of each key in all but the newest part.
func (h *history) compacted() []itsm.Published {
	last := map[string]int{}
	for i, p := range h.log {
		last[p.Key] = i
	}
	clean := h.rnd.IntN(len(h.log) + 1)
	var out []itsm.Published
	for i, p := range h.log {
		if i >= clean || last[p.Key] == i {
			out = append(out, p)
		}
	}
	return out
}

func (h *history) board() map[string]string {
	out := map[string]string{}
	for id, inc := range h.states {
		if inc.State == itsm.StateNew {
			out[id] = string(marshal(inc.Row()))
		}
	}
	return out
}

// Whatever happens, and wherever a client comes back, snapshot and deltas are the state.
func TestStream_snapshotAndDeltasAreTheState(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newRoom(t)
			p := newPipes(t, w)
			h := &history{rnd: rand.New(rand.NewPCG(seed, 7)), states: map[string]itsm.Incident{}}
			clients := make([]*watcher, 5)
			for i := range clients {
				clients[i] = w.watch(p)
			}
			for range 300 {
				switch h.rnd.IntN(8) {
				case 0:
					time.Sleep(time.Duration(h.rnd.IntN(300)) * time.Millisecond)
				case 1: // a client loses its connection and comes back where it was
					i := h.rnd.IntN(len(clients))
					clients[i] = w.comeBack(p, clients[i])
				case 2:
					if h.rnd.IntN(10) == 0 { // the server starts again and reads what compaction left
						w = newRoom(t)
						p = newPipes(t, w)
						if err := w.ui.Apply(h.compacted()); err != nil {
							t.Fatal(err)
						}
						for i := range clients {
							clients[i] = w.comeBack(p, clients[i])
						}
					}
				default:
					if err := w.ui.Apply([]itsm.Published{h.step()}); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(10 * time.Second) // also for pings, which move the position
			synctest.Wait()
			board, at := w.snapshot()
			if diff := cmp.Diff(h.board(), board); diff != "" {
				t.Fatalf("seed %d: board (-log +board):\n%s", seed, diff)
			}
			for i, c := range clients {
				rows, has, told := c.state()
				if diff := cmp.Diff(board, rows); diff != "" || has != at {
					t.Errorf("seed %d: client %d at %v of %v, told %v (-board +client):\n%s", seed, i, has, at, told, diff)
				}
			}
		})
	}
}

// comeBack connects again with what the client has.
func (w *world) comeBack(p *pipes, c *watcher) *watcher {
	w.t.Helper()
	c.leave()
	again := w.connect(p, c.rows, c.at)
	go again.follow()
	return again
}
