package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	fetchVersion  = 11 // the newest that kafka-go writes; Kafka 2.3 to 4 speak it
	fetchMaxWait  = 500 * time.Millisecond
	fetchMaxBytes = 2 << 20 // the buffers of every reader stay this large
	maxFrame      = 1 << 30
	clientID      = "signalbox"
)

// errTrimmed means that the log no longer holds the offset asked for; fetcher.start tells where
// it begins now.
var errTrimmed = errors.New("the log no longer holds this offset")

// fetcher reads one partition in order on a connection of its own. It always keeps one request
// on its way, so the broker answers while the caller works. The Reader of kafka-go is not used
// because it panics on a batch that compaction has emptied, and its Client.Fetch does not tell
// how far such a batch spans; requests are still kafka-go's. It is for one goroutine.
type fetcher struct {
	leader    func(ctx context.Context) (net.Conn, error)
	topic     string
	partition int

	offset int64 // the next to fetch
	hurry  bool  // an answer without records is wanted at once
	end    int64 // the high watermark as last heard, -1 before
	start  int64 // the earliest offset as last heard

	conn    net.Conn
	pending bool
	corr    int32
	frame   []byte // the answer being read; reused
	got     int
}

// errWaited means that the time to wait passed without an answer; the request stays on its way.
var errWaited = errors.New("no records in time")

// chunk is what one answer brought: whole record batches, whose bytes are valid until the next
// fetch. Records before from were not asked for.
type chunk struct {
	set  []byte
	from int64
}

// fetch returns what comes next, which may be nothing, moves offset behind it, and asks for what
// follows before the caller works on it. It waits at most so long, then returns errWaited.
func (f *fetcher) fetch(ctx context.Context, wait time.Duration) (chunk, error) {
	set, err := f.exchange(ctx, wait)
	if errors.Is(err, errWaited) {
		return chunk{}, err
	}
	if err != nil {
		f.close()
		if ctx.Err() != nil {
			return chunk{}, ctx.Err()
		}
		return chunk{}, fmt.Errorf("fetch %s/%d at %d: %w", f.topic, f.partition, f.offset, err)
	}
	c := chunk{from: f.offset}
	c.set, f.offset = wholeBatches(set, f.offset)
	if err := f.send(); err != nil {
		f.close() // what was read is good; the next fetch connects again
		c.set = append([]byte(nil), c.set...)
	}
	return c, nil
}

// wholeBatches cuts an unfinished batch off the end, and returns the offset behind the last one,
// holes and empty batches counted.
func wholeBatches(set []byte, offset int64) ([]byte, int64) {
	n := 0
	for len(set)-n >= batchHeader {
		h := set[n:]
		size := 12 + int64(int32(binary.BigEndian.Uint32(h[posLength:])))
		if size < batchHeader || size > int64(len(h)) {
			break
		}
		last := int64(binary.BigEndian.Uint64(h)) + int64(int32(binary.BigEndian.Uint32(h[posLastDelta:])))
		offset = max(offset, last+1)
		n += int(size)
	}
	return set[:n], offset
}

// each yields the records of a chunk in order.
func (c chunk) each(yield func(entry) error) error {
	for set := c.set; len(set) > 0; {
		_, n, err := readBatch(set, func(e entry) error {
			if e.offset < c.from {
				return nil
			}
			return yield(e)
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return errCorrupt
		}
		set = set[n:]
	}
	return nil
}

func (f *fetcher) exchange(ctx context.Context, wait time.Duration) ([]byte, error) {
	if f.conn == nil {
		conn, err := f.leader(ctx)
		if err != nil {
			return nil, err
		}
		f.conn, f.pending = conn, false
	}
	if !f.pending {
		if err := f.send(); err != nil {
			return nil, err
		}
	}
	if err := f.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	conn := f.conn // the function may still run after close
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	err := f.receive()
	if !stop() && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errWaited
	}
	if err != nil {
		return nil, err
	}
	f.pending = false
	return f.parse(f.frame)
}

func (f *fetcher) send() error {
	f.corr++
	f.got = 0
	maxWait := int32(fetchMaxWait.Milliseconds())
	if f.hurry {
		maxWait = 0
	}
	if err := f.conn.SetWriteDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	err := protocol.WriteRequest(f.conn, fetchVersion, f.corr, clientID, &fetchapi.Request{
		ReplicaID: -1, MaxWaitTime: maxWait, MinBytes: 1, MaxBytes: fetchMaxBytes,
		SessionID: 0, SessionEpoch: -1,
		Topics: []fetchapi.RequestTopic{{Topic: f.topic, Partitions: []fetchapi.RequestPartition{{
			Partition: int32(f.partition), CurrentLeaderEpoch: -1, FetchOffset: f.offset,
			LogStartOffset: -1, PartitionMaxBytes: fetchMaxBytes,
		}}}},
	})
	f.pending = err == nil
	return err
}

// receive reads on at the answer; after a deadline it goes on where it was.
func (f *fetcher) receive() error {
	const prefix = 4
	if cap(f.frame) < prefix {
		f.frame = make([]byte, 64<<10)
	}
	if f.got < prefix {
		if err := f.fill(prefix); err != nil {
			return err
		}
	}
	size := int(int32(binary.BigEndian.Uint32(f.frame[:prefix])))
	if size < 0 || size > maxFrame {
		return fmt.Errorf("answer of %d bytes", size)
	}
	if need := prefix + size; cap(f.frame) < need {
		bigger := make([]byte, need, need+need/4)
		copy(bigger, f.frame[:f.got])
		f.frame = bigger
	}
	return f.fill(prefix + size)
}

func (f *fetcher) fill(to int) error {
	f.frame = f.frame[:to]
	for f.got < to {
		n, err := f.conn.Read(f.frame[f.got:])
		f.got += n
		if err != nil && f.got < to {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// parse takes an answer of version 11 apart. Only one partition was asked for.
func (f *fetcher) parse(frame []byte) ([]byte, error) {
	d := decoder{b: frame[4:]}
	if corr := d.int32(); corr != f.corr {
		return nil, fmt.Errorf("answer %d to request %d", corr, f.corr)
	}
	d.int32() // throttle
	if code := d.int16(); code != 0 {
		return nil, kafka.Error(code)
	}
	d.int32() // session
	if topics := d.int32(); topics != 1 {
		return nil, fmt.Errorf("answer with %d topics", topics)
	}
	d.bytes(int(d.int16())) // topic
	if parts := d.int32(); parts != 1 {
		return nil, fmt.Errorf("answer with %d partitions", parts)
	}
	d.int32() // partition
	code := d.int16()
	end, _, start := d.int64(), d.int64(), d.int64()
	for range max(0, d.int32()) { // aborted transactions: nobody here uses transactions
		d.int64()
		d.int64()
	}
	d.int32() // preferred replica
	set := d.bytes(max(0, int(d.int32())))
	switch {
	case d.short:
		return nil, io.ErrUnexpectedEOF
	case kafka.Error(code) == kafka.OffsetOutOfRange && start > f.offset:
		f.end, f.start = end, start
		return nil, errTrimmed
	case kafka.Error(code) == kafka.OffsetOutOfRange:
		return nil, fmt.Errorf("the log ends at %d: %w", end, kafka.Error(code))
	case code != 0:
		return nil, kafka.Error(code)
	}
	f.end, f.start = end, start
	return set, nil
}

func (f *fetcher) close() {
	if f.conn != nil {
		_ = f.conn.Close()
	}
	f.conn, f.pending = nil, false
}

// decoder cuts big-endian fields off a buffer. Once it is too short everything is zero.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) bytes(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.short, d.b = true, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) int16() int16 {
	if v := d.bytes(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if v := d.bytes(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if v := d.bytes(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}
