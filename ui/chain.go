package ui

import (
	"signalbox/itsm"

	"github.com/gorilla/websocket"
)

// node is the latest change of one id.
type node struct {
	id         string
	row        []byte // nil: it has left the board
	offset     int64
	chain      *chain
	prev, next *node
}

// chain is a list of nodes ordered by offset: nodes are only ever added at its end.
type chain struct {
	head, tail *node
	length     int
}

func (c *chain) push(n *node) {
	n.chain, n.prev, n.next = c, c.tail, nil
	if c.tail == nil {
		c.head = n
	} else {
		c.tail.next = n
	}
	c.tail = n
	c.length++
}

func (c *chain) unlink(n *node) {
	if n.prev == nil {
		c.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		c.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.chain, n.prev, n.next = nil, nil, nil
	c.length--
}

// after returns the first node beyond an offset. It walks back from the end, so it costs as much
// as there is to send.
func (c *chain) after(offset int64) *node {
	var first *node
	for n := c.tail; n != nil && n.offset > offset; n = n.prev {
		first = n
	}
	return first
}

// deltaWriter cuts changes into frames of a bounded size.
type deltaWriter struct {
	hub      *hub
	upsert   []byte
	remove   []byte
	rows     int
	position int64
}

func (w *deltaWriter) add(frames []*frame, n *node) []*frame {
	if size := len(w.upsert) + len(w.remove); size > 0 && size+len(n.row)+len(n.id) > maxFrame {
		frames = w.flush(frames, w.position)
	}
	if n.row == nil {
		w.remove = itsm.AppendJSONString(comma(w.remove), n.id)
	} else {
		w.upsert = append(comma(w.upsert), n.row...)
	}
	w.rows++
	w.position = n.offset
	return frames
}

func comma(b []byte) []byte {
	if len(b) > 0 {
		return append(b, ',')
	}
	return b
}

// flush ends the frame; to is the position of a client that has taken it.
func (w *deltaWriter) flush(frames []*frame, to int64) []*frame {
	if w.rows == 0 {
		return frames
	}
	b := make([]byte, 0, len(w.upsert)+len(w.remove)+128)
	b = append(b, `{"type":"delta","position":`...)
	b = append(b, w.hub.positionAt(to)...)
	b = append(b, `,"upsert":[`...)
	b = append(b, w.upsert...)
	b = append(b, `],"remove":[`...)
	b = append(b, w.remove...)
	b = append(b, "]}"...)
	f := &frame{size: len(b), rows: w.rows, to: to}
	// The only error is an unknown message type.
	f.message, _ = websocket.NewPreparedMessage(websocket.TextMessage, b)
	w.upsert, w.remove, w.rows = w.upsert[:0], w.remove[:0], 0
	return append(frames, f)
}
