package ui

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The bounds of the board hub.
const (
	flushInterval = 100 * time.Millisecond // at most 10 rounds a second
	pingInterval  = 5 * time.Second
	maxClients    = 1000
	maxRemovals   = 50_000         // ids that left the board and are still known for a resume
	resumeWindow  = 24 * time.Hour // no resume from further back: tombstones may be gone from the topic
	maxFrame      = 256 << 10      // a delta is split when it grows beyond, unless one row alone does
)

// position is a place on the incidents topic.
type position struct {
	Epoch  string `json:"epoch"`
	Offset int64  `json:"offset"`
}

// change is what one record did to the board: a row as it is now, or (nil) an id that left.
type change struct {
	id     string
	row    []byte
	offset int64
	at     time.Time // of the row; zero for a tombstone
}

// hub hands the changes of the board to its clients. It keeps the latest change of each id,
// ordered by offset: seen from any position, what comes after it in that order is exactly the
// pending map of a client at that position, with every id once. So a client is only a position; a
// slow one costs nothing, and resuming is the same as being late.
//
// Publish never blocks on a client. The mutex is held for memory work only.
type hub struct {
	metrics *metrics

	mu       sync.Mutex
	epoch    string
	last     int64 // offset of the last record taken in
	horizon  int64 // no resume from below
	nodes    map[string]*node
	rows     chain
	removals chain

	round   int64         // number of the last flush
	wake    chan struct{} // closed when the next round begins
	dirty   chan struct{} // asks for a round
	deltas  map[int64]deltas
	ping    pingBody
	clients int
	closed  bool
	done    chan struct{}
	running sync.WaitGroup
}

// pingBody is what the pings of a round carry beside the position.
type pingBody struct {
	round int64
	json  []byte // `"comparison":…,"counts":…`
}

// deltas is the answer to one position, shared by all clients that are there.
type deltas struct {
	frames []*frame
	to     int64
}

// frame is one message, encoded once.
type frame struct {
	message *websocket.PreparedMessage
	size    int
	rows    int
	to      int64
}

func newHub(m *metrics) *hub {
	return &hub{
		metrics: m, nodes: map[string]*node{}, deltas: map[int64]deltas{},
		last: -1, horizon: -1, wake: make(chan struct{}), dirty: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// publish takes changes in, in the order of their offsets; offset is that of the last record
// read. What was taken in before is passed over.
func (h *hub) publish(changes []change, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	stale := time.Now().Add(-resumeWindow)
	for _, c := range changes {
		if c.offset <= h.last {
			continue // read a second time
		}
		h.put(c)
		if !c.at.IsZero() && c.at.Before(stale) {
			h.horizon = max(h.horizon, c.offset)
		}
	}
	for h.removals.length > maxRemovals {
		n := h.removals.head
		h.horizon = max(h.horizon, n.offset)
		h.removals.unlink(n)
		delete(h.nodes, n.id)
	}
	h.last = max(h.last, offset)
	h.metrics.changes.Add(float64(len(changes)))
	if len(changes) > 0 {
		h.ask()
	}
}

func (h *hub) put(c change) {
	n := h.nodes[c.id]
	if n == nil {
		n = &node{id: c.id}
		h.nodes[c.id] = n
	} else {
		n.chain.unlink(n)
	}
	n.row, n.offset = c.row, c.offset
	if c.row == nil {
		h.removals.push(n)
	} else {
		h.rows.push(n)
	}
}

// ask requests a round; one request is enough for any number of changes.
func (h *hub) ask() {
	select {
	case h.dirty <- struct{}{}:
	default:
	}
}

// reset begins a new epoch: positions of the old one cannot be served any more.
func (h *hub) reset(epoch string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epoch = epoch
	h.ask()
}

// begin starts a round: every client that waits sends what it has not sent. A ping goes with it
// when body is not nil.
func (h *hub) begin(body []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.round++
	clear(h.deltas)
	if body != nil {
		h.ping = pingBody{round: h.round, json: body}
	}
	close(h.wake)
	h.wake = make(chan struct{})
}

// close sends every client away and waits until the last one is gone.
func (h *hub) close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
	h.mu.Unlock()
	h.running.Wait()
}

var (
	errTooManyClients = errors.New("too many clients")
	errStopping       = errors.New("the server stops")
)

// enter counts a client in; leave must be called.
func (h *hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errStopping
	}
	if h.clients >= maxClients {
		return errTooManyClients
	}
	h.clients++
	h.running.Add(1)
	h.metrics.clients.Inc()
	return nil
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients--
	h.running.Done()
	h.metrics.clients.Dec()
}

// servable tells whether a client may go on from p: yes, no, or (ahead) not yet.
func (h *hub) servable(p position) (ok, ahead bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.Epoch != h.epoch || h.epoch == "" || p.Offset < h.horizon {
		return false, false
	}
	return p.Offset <= h.last, p.Offset > h.last
}

// turn is what a client does in one round.
type turn struct {
	round  int64
	frames []*frame
	to     int64  // the position after them
	epoch  string // of that position
	ping   []byte // nil: none is due
	wake   <-chan struct{}
	resync bool // the epoch has changed, or the client is further behind than the hub remembers
}

// next returns what a client at p sends now. A client that has already had its turn in this round
// gets only the channel that announces the next one.
func (h *hub) next(p position, had int64) turn {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := turn{round: h.round, to: p.Offset, epoch: h.epoch, wake: h.wake}
	if p.Epoch != h.epoch || p.Offset < h.horizon {
		t.resync = true
		return t
	}
	if had == h.round {
		return t
	}
	d, shared := h.deltas[p.Offset]
	if !shared {
		d = h.build(p.Offset)
		h.deltas[p.Offset] = d
	}
	t.frames, t.to = d.frames, d.to
	if h.ping.round > had && h.ping.json != nil {
		t.ping = h.pingAt(d.to)
	}
	return t
}

func (h *hub) pingAt(offset int64) []byte {
	b := append([]byte(`{"type":"ping","position":`), h.positionAt(offset)...)
	b = append(b, `,"time":"`...)
	b = time.Now().UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `",`...)
	b = append(b, h.ping.json...)
	return append(b, '}')
}

func (h *hub) positionAt(offset int64) []byte {
	b := append([]byte(`{"epoch":"`), h.epoch...)
	b = append(b, `","offset":`...)
	b = strconv.AppendInt(b, offset, 10)
	return append(b, '}')
}

// build encodes everything that changed after an offset.
func (h *hub) build(from int64) deltas {
	rows, removals := h.rows.after(from), h.removals.after(from)
	d := deltas{to: max(h.last, from)}
	f := deltaWriter{hub: h}
	for rows != nil || removals != nil {
		if removals == nil || rows != nil && rows.offset < removals.offset {
			d.frames = f.add(d.frames, rows)
			rows = rows.next
		} else {
			d.frames = f.add(d.frames, removals)
			removals = removals.next
		}
	}
	d.frames = f.flush(d.frames, d.to)
	return d
}
