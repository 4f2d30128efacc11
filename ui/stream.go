package ui

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// closeSlow is the code with which a client is sent away that does not read what it gets.
const closeSlow = 4008

// streamLimits bounds what one connection can cost.
type streamLimits struct {
	window       int64         // bytes on the way before a sign of life is waited for
	markEvery    int64         // bytes between two such signs
	patience     time.Duration // without progress before the client counts as slow
	ahead        time.Duration // wait for a position that this process has not reached yet
	closeTimeout time.Duration // for the close frame and the answer to it
	linger       time.Duration // for the answer of a slow client
	readLimit    int64         // of a message from the client; none is expected
}

func defaultStreamLimits() streamLimits {
	return streamLimits{
		window: 2 << 20, markEvery: 64 << 10, patience: 30 * time.Second, ahead: 2 * time.Second,
		closeTimeout: time.Second, linger: 30 * time.Second, readLimit: 4 << 10,
	}
}

var (
	errSlow   = errors.New("slow client")
	errGone   = errors.New("client gone")
	errResync = errors.New("position cannot be served")
)

func newUpgrader() *websocket.Upgrader {
	return &websocket.Upgrader{
		HandshakeTimeout: 5 * time.Second, ReadBufferSize: 1 << 10, WriteBufferSize: 4 << 10,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			writeProblem(w, newProblem(status, "websocket", reason.Error()))
		},
	}
}

func (u *UI) handleStream(w http.ResponseWriter, r *http.Request) {
	from := position{Epoch: r.URL.Query().Get("epoch"), Offset: -1}
	if s := r.URL.Query().Get("offset"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			writeProblem(w, badRequest("invalid_offset", fmt.Sprintf("offset: a whole number is expected, got %q", s)))
			return
		}
		from.Offset = n
	} else {
		from.Epoch = "" // without an offset no position can be served
	}
	if err := u.hub.enter(); err != nil {
		u.metrics.connects.WithLabelValues("refused").Inc()
		writeProblem(w, newProblem(http.StatusServiceUnavailable, "too_many_clients", err.Error()))
		return
	}
	defer u.hub.leave()
	conn, err := u.upgrader.Upgrade(w, r, nil)
	if err != nil {
		u.metrics.connects.WithLabelValues("bad_handshake").Inc()
		return // the upgrader has answered
	}
	c := newClient(u.hub, conn, from, u.limits)
	u.logger.Debug("watcher left", "reason", closeReason(c.run(r.Context())), "offset", c.at.Offset)
}

func closeReason(err error) string {
	switch {
	case errors.Is(err, errSlow):
		return "slow"
	case errors.Is(err, errStopping):
		return "stopping"
	case errors.Is(err, errResync):
		return "resync"
	}
	return "gone"
}

// client is one watcher. Its goroutine alone writes; a second one reads, which in this protocol
// means pongs and the end of the connection.
type client struct {
	hub    *hub
	conn   *websocket.Conn
	at     position
	limits streamLimits

	gone    chan struct{} // closed when nothing can be read any more
	ponged  chan struct{} // has one place: progress was made
	acked   atomic.Int64  // bytes that the client has read for sure
	answers atomic.Bool   // it has answered a ping before
	sent    int64
	marked  int64 // sent, at the last mark
	since   time.Time
}

func newClient(h *hub, conn *websocket.Conn, from position, limits streamLimits) *client {
	return &client{
		hub: h, conn: conn, at: from, limits: limits, gone: make(chan struct{}), ponged: make(chan struct{}, 1), since: time.Now(),
	}
}

// run serves the client until it leaves, falls too far behind, or the hub closes.
func (c *client) run(ctx context.Context) error {
	c.conn.SetReadLimit(c.limits.readLimit)
	c.conn.SetPongHandler(c.pong)
	go c.read()
	err := c.serve(ctx)
	c.hub.metrics.closes.WithLabelValues(closeReason(err)).Inc()
	switch {
	case errors.Is(err, errSlow):
		c.goodbye(closeSlow, "slow", c.limits.linger)
	case errors.Is(err, errStopping):
		c.goodbye(websocket.CloseGoingAway, "the server stops", c.limits.closeTimeout)
	case errors.Is(err, errResync):
		c.goodbye(websocket.CloseNormalClosure, "resync", c.limits.closeTimeout)
	}
	_ = c.conn.Close() // ends read
	<-c.gone
	return err
}

// goodbye says why the connection ends and waits for the client's answer, so long at most: what the
// client still sends to a closed connection would reset it, and with it what lies unread before the
// client, the code among it. A client that takes nothing any more learns it from the end of the connection.
func (c *client) goodbye(code int, text string, wait time.Duration) {
	if c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(c.limits.closeTimeout)) != nil {
		return
	}
	linger := time.NewTimer(wait)
	defer linger.Stop()
	var stopping <-chan struct{}
	if wait > c.limits.closeTimeout {
		stopping = c.hub.done
	}
	select {
	case <-c.gone:
	case <-stopping:
	case <-linger.C:
	}
}

func (c *client) read() {
	defer close(c.gone)
	for {
		_, r, err := c.conn.NextReader()
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
	}
}

// pong learns from the answer to a mark how much the client has read.
func (c *client) pong(payload string) error {
	if len(payload) == 8 {
		c.acked.Store(max(c.acked.Load(), int64(binary.BigEndian.Uint64([]byte(payload)))))
		c.answers.Store(true)
		select {
		case c.ponged <- struct{}{}:
		default:
		}
	}
	return nil
}

func (c *client) serve(ctx context.Context) error {
	if !c.admit(ctx) {
		c.hub.metrics.connects.WithLabelValues("resync").Inc()
		return c.resync()
	}
	c.hub.metrics.connects.WithLabelValues("resumed").Inc()
	if err := c.mark(); err != nil {
		return err
	}
	for round := int64(-1); ; {
		t := c.hub.next(c.at, round)
		round = t.round
		if t.resync {
			return c.resync()
		}
		if err := c.send(t); err != nil {
			return err
		}
		select {
		case <-t.wake:
		case <-c.gone:
			return errGone
		case <-c.hub.done:
			return errStopping
		}
		if c.stalled() {
			return errSlow
		}
	}
}

// admit checks the position, and gives this process a moment when another one was ahead of it.
func (c *client) admit(ctx context.Context) bool {
	ok, ahead := c.hub.servable(c.at)
	if !ahead {
		return ok
	}
	ctx, cancel := context.WithTimeout(ctx, c.limits.ahead)
	defer cancel()
	tick := time.NewTicker(c.limits.ahead / 20)
	defer tick.Stop()
	for ahead {
		select {
		case <-tick.C:
			ok, ahead = c.hub.servable(c.at)
		case <-ctx.Done():
			return false
		case <-c.gone:
			return false
		case <-c.hub.done:
			return false
		}
	}
	return ok
}

func (c *client) resync() error {
	if err := c.text([]byte(`{"type":"resync"}`)); err != nil {
		return err
	}
	c.hub.metrics.frames.WithLabelValues("resync").Inc()
	return errResync
}

func (c *client) send(t turn) error {
	m := c.hub.metrics
	for _, f := range t.frames {
		if err := c.room(); err != nil {
			return err
		}
		if err := c.put(f.size, func() error { return c.conn.WritePreparedMessage(f.message) }); err != nil {
			return err
		}
		c.at.Offset = f.to
		m.frames.WithLabelValues("delta").Inc()
		m.rows.Add(float64(f.rows))
		if c.sent-c.marked >= c.limits.markEvery {
			if err := c.mark(); err != nil {
				return err
			}
		}
	}
	c.at.Offset = t.to
	if t.ping == nil {
		return nil
	}
	if err := c.text(t.ping); err != nil {
		return err
	}
	m.frames.WithLabelValues("ping").Inc()
	return c.mark()
}

// put writes with a deadline and counts what it wrote.
func (c *client) put(size int, write func() error) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.limits.patience)) // never fails
	if err := write(); err != nil {
		return writeError(err)
	}
	c.sent += int64(size)
	c.hub.metrics.frameBytes.Add(float64(size))
	return nil
}

func (c *client) text(b []byte) error {
	return c.put(len(b), func() error { return c.conn.WriteMessage(websocket.TextMessage, b) })
}

func writeError(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errSlow
	}
	return errGone
}

// mark asks the client for a sign that it has read everything sent so far. What lies in the
// buffers of the kernel tells nothing about the reader; the pong does.
func (c *client) mark() error {
	if c.acked.Load() >= c.marked {
		c.since = time.Now() // nothing was owed until now
	}
	payload := binary.BigEndian.AppendUint64(nil, uint64(c.sent))
	c.marked = c.sent
	return c.put(len(payload), func() error { return c.conn.WriteMessage(websocket.PingMessage, payload) })
}

// stalled tells whether the client owes a sign of life for too long. A client that never answers
// pings, against the standard, is judged by what it lets us write alone.
func (c *client) stalled() bool {
	if !c.answers.Load() {
		return false
	}
	select {
	case <-c.ponged:
		c.since = time.Now()
	default:
	}
	return c.acked.Load() < c.marked && time.Since(c.since) > c.limits.patience
}

// room waits until less than the window is on the way. Meanwhile changes are conflated in the hub.
func (c *client) room() error {
	if !c.answers.Load() || c.sent-c.acked.Load() <= c.limits.window {
		return nil
	}
	if c.marked < c.sent {
		if err := c.mark(); err != nil {
			return err
		}
	}
	patience := time.NewTimer(c.limits.patience)
	defer patience.Stop()
	for c.sent-c.acked.Load() > c.limits.window {
		select {
		case <-c.ponged:
			c.since = time.Now()
			patience.Reset(c.limits.patience)
		case <-patience.C:
			return errSlow
		case <-c.gone:
			return errGone
		case <-c.hub.done:
			return errStopping
		}
	}
	return nil
}
