package streamtest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"signalbox/stream"
)

// network is a network that fails on demand. It understands requests just enough to tell which
// are writes.
type network struct {
	mu        sync.Mutex
	loseReply int           // so many answers to writes are lost, with their connections
	cutWrite  bool          // a write is cut off in the middle, and nothing goes through any more
	hold      chan struct{} // answers to writes wait until it is closed
	waiting   chan struct{} // gets one for each answer that waits
	lost      int           // answers lost so far
}

func newNetwork() *network { return &network{waiting: make(chan struct{}, 100)} }

// setDown lets nothing through, or everything again.
func (n *network) setDown(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cutWrite = down
}

func (n *network) use(o *stream.Options) { o.Dial = n.dial }

var errNetwork = errors.New("the test's network is down")

func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	n.mu.Lock()
	down := n.cutWrite
	n.mu.Unlock()
	if down {
		return nil, errNetwork
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	return &faultyConn{Conn: conn, net: n}, nil
}

// faultyConn is a connection of that network.
type faultyConn struct {
	net.Conn
	net *network

	mu     sync.Mutex
	writes bool // the last request was a write
	left   int  // bytes of it that have not passed yet
}

const apiProduce = 0

// Write passes requests on. The client hands over a whole request, or its beginning first.
func (c *faultyConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	first := c.left == 0 && len(b) >= 8
	if first {
		c.left = 4 + int(binary.BigEndian.Uint32(b))
		c.writes = binary.BigEndian.Uint16(b[4:]) == apiProduce
	}
	c.left = max(0, c.left-len(b))
	writes := c.writes
	c.mu.Unlock()
	c.net.mu.Lock()
	cut := c.net.cutWrite
	c.net.mu.Unlock()
	if first && writes && cut {
		_, _ = c.Conn.Write(b[:len(b)/2]) // the rest never comes
		return 0, errors.Join(errNetwork, c.Close())
	}
	return c.Conn.Write(b)
}

// Read gives answers back, unless they are to be lost or held.
func (c *faultyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	writes := c.writes && n > 0
	c.mu.Unlock()
	if !writes {
		return n, err
	}
	c.net.mu.Lock()
	lose := c.net.loseReply > 0
	if lose {
		c.net.loseReply--
		c.net.lost++
	}
	hold := c.net.hold
	c.net.mu.Unlock()
	if lose {
		return 0, errors.Join(errNetwork, c.Close())
	}
	if hold != nil {
		c.net.waiting <- struct{}{}
		<-hold
	}
	return n, err
}
