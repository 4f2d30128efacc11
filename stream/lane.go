package stream

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/itsm"
)

// lane is the queue and the writer of one shard. One batch is on its way at a time, so records
// keep the order in which they were closed; what arrives meanwhile becomes the next record.
type lane struct {
	s     *Stream
	shard int

	mu     sync.Mutex
	queue  []*part
	bytes  int
	closed bool
	wake   chan struct{} // of size 1: something was put or the lane was closed

	batch   batch
	value   []byte
	senders int // parts in the last record

	written atomic.Int64 // the offset behind the last record
	average atomic.Int64 // its size, about
	// read is the offset behind what the shard's engine has taken, -1 while it has its owner elsewhere.
	read atomic.Int64
}

func newLane(s *Stream, shard int) *lane {
	l := &lane{s: s, shard: shard, wake: make(chan struct{}, 1)}
	l.read.Store(-1)
	return l
}

// behind tells whether so much waits for the shard's engine that retention might reach it. To take
// more would be to promise what the log cannot keep.
func (l *lane) behind() bool {
	read, limit := l.read.Load(), l.s.cfg.EventsMaxBytes/2
	return read >= 0 && limit > 0 && (l.written.Load()-read)*l.average.Load() > limit
}

// put takes all parts or, when they do not fit, none.
func (l *lane) put(ps []*part) bool {
	size := 0
	for _, p := range ps {
		size += len(p.body)
	}
	if l.behind() {
		return false
	}
	l.mu.Lock()
	// A request that is larger than the queue is taken when nothing else waits.
	full := l.bytes > 0 && (l.bytes+size > l.s.cfg.QueueBytes || len(l.queue)+len(ps) > l.s.cfg.QueueEntries)
	if full || l.closed {
		l.mu.Unlock()
		return false
	}
	l.queue = append(l.queue, ps...)
	l.bytes += size
	l.mu.Unlock()
	l.s.met.queueBytes.Add(float64(size))
	l.s.met.queueEntries.Add(float64(len(ps)))
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// withdraw takes a part back, unless it is on its way already.
func (l *lane) withdraw(p *part) {
	l.mu.Lock()
	i := slices.Index(l.queue, p)
	if i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
		l.bytes -= len(p.body)
	}
	l.mu.Unlock()
	if i >= 0 {
		l.s.met.queueBytes.Sub(float64(len(p.body)))
		l.s.met.queueEntries.Dec()
	}
}

// run writes records until ctx is done and the queue is empty. The last ones have their own time
// limit, that of every write.
func (l *lane) run(ctx context.Context) {
	gap := time.NewTimer(time.Hour)
	defer gap.Stop()
	for {
		l.gather(ctx, gap)
		ps := l.take()
		switch {
		case len(ps) > 0:
			l.write(context.WithoutCancel(ctx), ps)
		case ctx.Err() != nil && l.close():
			return
		}
	}
}

// close ends the lane when nothing waits.
func (l *lane) close() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = len(l.queue) == 0
	return l.closed
}

// gather waits until a record is worth closing: it is full, it holds as many parts as the last one
// (whoever sends in turns is back), its first part has waited for the linger, or nothing has come
// for a fifth of that.
func (l *lane) gather(ctx context.Context, gap *time.Timer) {
	if l.waiting() == 0 {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
	linger := l.s.cfg.Linger
	deadline := time.Now().Add(linger)
	for linger > 0 && l.waiting() < l.senders && !l.full() {
		gap.Reset(min(linger/5, time.Until(deadline)))
		select {
		case <-l.wake:
		case <-gap.C:
			return
		case <-ctx.Done():
			return
		}
		if !time.Now().Before(deadline) {
			return
		}
	}
}

func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// full tells whether what waits fills a record.
func (l *lane) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fit() < len(l.queue) || l.bytes >= maxPart || l.queuedAlerts() >= maxAlerts
}

func (l *lane) queuedAlerts() int {
	n := 0
	for _, p := range l.queue {
		n += p.alerts
	}
	return n
}

// fit returns how many parts from the front go into one record.
func (l *lane) fit() int {
	bytes, alerts := 0, 0
	for i, p := range l.queue {
		bytes, alerts = bytes+len(p.body), alerts+p.alerts
		if i > 0 && (p.alone || l.queue[0].alone || bytes > maxPart || alerts > maxAlerts) {
			return i
		}
	}
	return len(l.queue)
}

// take removes the parts of the next record.
func (l *lane) take() []*part {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.fit()
	ps := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	for _, p := range ps {
		l.bytes -= len(p.body)
	}
	return ps
}

func (l *lane) write(ctx context.Context, ps []*part) {
	now := time.Now()
	l.value = appendTime(l.value[:0], now)
	for _, p := range ps {
		l.value = append(l.value, p.body...)
	}
	l.batch.reset()
	l.batch.add(shardKey(l.shard), l.value)
	l.senders = len(ps)
	err := l.batch.squeeze(l.s.codec)
	var at int64
	if err == nil {
		at, err = l.s.produce(ctx, topicEvents, l.shard, l.batch.seal(anonymous(), now))
	}
	if err != nil {
		err = fmt.Errorf("write to shard %d: %w", l.shard, err)
		l.s.met.dropped.WithLabelValues("write").Add(float64(len(ps)))
	} else {
		l.s.met.recordsOut.Inc()
		l.s.met.bytesOut.Add(float64(len(l.value)))
		l.written.Store(at + 1)
		l.average.Store(l.average.Load() + (int64(len(l.value))-l.average.Load())/8)
	}
	size := 0
	for _, p := range ps {
		size += len(p.body)
		p.w.settle(err)
	}
	l.s.met.queueBytes.Sub(float64(size))
	l.s.met.queueEntries.Sub(float64(len(ps)))
}

// shardKey is the key of a shard's records.
func shardKey(shard int) []byte { return strconv.AppendInt(nil, int64(shard), 10) }

// ownerKey is the key of a shard's owner record.
func ownerKey(shard int) []byte { return append([]byte(ownerPrefix), shardKey(shard)...) }

// fenceKey is the key of the record on the state topic with which a new owner takes over.
func fenceKey(shard int) []byte { return append([]byte(fencePrefix), shardKey(shard)...) }

var _ interface {
	Append(ctx context.Context, in itsm.Input) error
} = (*Door)(nil)
