package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/itsm"

	"golang.org/x/sync/errgroup"
)

// Limits of one record of events.
const (
	maxPart   = 512 << 10
	maxAlerts = 1000
)

// Door is the way into the log. It gathers what arrives for a shard within a few milliseconds
// into one record.
type Door struct {
	s       *Stream
	shardBy []string
	lanes   []*lane
}

func newDoor(s *Stream, shardBy []string) *Door {
	d := &Door{s: s, shardBy: shardBy}
	for n := range s.cfg.Shards {
		d.lanes = append(d.lanes, newLane(s, n))
	}
	return d
}

// Run writes what Append brings until ctx is done; then it takes nothing new, writes what it has
// accepted, and returns nil. Every hour it lets go of the versions that nobody needs any more.
func (d *Door) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { d.s.retireOften(ctx); return nil })
	for _, l := range d.lanes {
		g.Go(func() error { l.run(ctx); return nil })
	}
	return g.Wait()
}

// Append writes an input to the log of every shard concerned, in parts when it is large. It
// returns nil when Kafka has all of them, and itsm.ErrOverloaded at once when too much is waiting
// already. After any other error some parts may be there: sending the input again is harmless.
func (d *Door) Append(ctx context.Context, in itsm.Input) error {
	start := time.Now()
	d.s.met.alertsIn.Add(float64(len(in.Alerts)))
	w := &waiter{done: make(chan struct{})}
	parts, err := d.split(&in, w)
	if err != nil || len(parts) == 0 {
		return err
	}
	w.open.Store(int32(len(parts)))
	if err := d.enqueue(parts); err != nil {
		d.s.met.dropped.WithLabelValues("overload").Add(float64(len(parts)))
		return err
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for the log: %w", ctx.Err())
	}
	if w.err != nil {
		return fmt.Errorf("append to the log: %w", w.err)
	}
	d.s.met.appendSeconds.Observe(time.Since(start).Seconds())
	return nil
}

// enqueue puts all parts in or none.
func (d *Door) enqueue(parts []*part) error {
	for i := 0; i < len(parts); {
		n := i + 1
		for n < len(parts) && parts[n].shard == parts[i].shard {
			n++
		}
		if !d.lanes[parts[i].shard].put(parts[i:n]) {
			for _, p := range parts[:i] {
				d.lanes[p.shard].withdraw(p)
			}
			return itsm.ErrOverloaded
		}
		i = n
	}
	return nil
}

// waiter is one Append that waits for its parts.
type waiter struct {
	open atomic.Int32
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func (w *waiter) settle(err error) {
	if err != nil {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
	}
	if w.open.Add(-1) == 0 {
		close(w.done)
	}
}

// part is a piece of a request that goes into one record of one shard.
type part struct {
	shard  int
	body   []byte // fields of eventspb.Record
	alerts int
	alone  bool // shares its record with nothing
	w      *waiter
}

// split encodes an input into parts, ordered by shard, each within the limits of a record except
// where a single alert is larger.
func (d *Door) split(in *itsm.Input, w *waiter) ([]*part, error) {
	n := len(d.lanes)
	byShard := make([][]*part, n)
	add := func(shard int, p *part) *part {
		p.shard, p.w = shard, w
		byShard[shard] = append(byShard[shard], p)
		return p
	}
	if in.Adopt != nil {
		// Two adoptions in one record would be one, and somebody may wait for the first.
		body := appendAdopt(nil, in.Adopt)
		for shard := range n {
			add(shard, &part{body: body, alone: true})
		}
	}
	for i := range in.Changes {
		body, err := appendChange(nil, &in.Changes[i])
		if err != nil {
			return nil, err
		}
		for shard := range n {
			add(shard, &part{body: body})
		}
	}
	for i := range in.Silences {
		body, err := appendSilence(nil, &in.Silences[i])
		if err != nil {
			return nil, err
		}
		for shard := range n {
			add(shard, &part{body: body})
		}
	}
	d.splitAlerts(in.Alerts, add)
	for i := range in.Commands {
		c := &in.Commands[i]
		body, err := appendCommand(nil, c)
		if err != nil {
			return nil, err
		}
		for shard := range n {
			if to, known := commandShard(c, n); !known || to == shard {
				add(shard, &part{body: body})
			}
		}
	}
	var all []*part
	for _, ps := range byShard {
		all = append(all, ps...)
	}
	return all, nil
}

func (d *Door) splitAlerts(alerts []itsm.Alert, add func(int, *part) *part) {
	open := make([]*part, len(d.lanes))
	for i := range alerts {
		a := &alerts[i]
		shard := a.Labels.Shard(d.shardBy, len(d.lanes))
		size := alertSize(a) + 8
		p := open[shard]
		if p == nil || p.alerts == maxAlerts || len(p.body)+size > maxPart {
			p = add(shard, &part{body: make([]byte, 0, min(maxPart, size*(len(alerts)-i)))})
			open[shard] = p
		}
		p.body = appendAlert(p.body, a)
		p.alerts++
	}
}

// commandShard tells which shard a command is for when its incident is named by a number of the
// form PREFIX-<shard>-<number>. Otherwise only the shards themselves know.
func commandShard(c *itsm.Command, shards int) (int, bool) {
	if shards == 1 {
		return 0, true
	}
	head, serial, ok := cutLast(c.Incident.ID, "-")
	if !ok || !digits(serial) {
		return 0, false
	}
	_, shard, ok := cutLast(head, "-")
	if !ok || !digits(shard) {
		return 0, false
	}
	n, err := strconv.Atoi(shard)
	return n, err == nil && n < shards
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
