package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// Where the fields of a record batch (message format 2) stand.
const (
	posLength    = 8
	posMagic     = 16
	posCRC       = 17
	posAttrs     = 21
	posLastDelta = 23
	posFirstTime = 27
	posMaxTime   = 35
	posProducer  = 43
	posEpoch     = 51
	posSequence  = 53
	posCount     = 57
	batchHeader  = 61

	// A record takes less than this beside its key and value.
	recordHead = 32

	// A request has the length of a record set before it, in so many bytes.
	frameHead = 4

	attrCompression = 0x07
	attrControl     = 0x20
)

var errCorrupt = errors.New("corrupt record batch")

// batch builds one record batch. Its zero value is ready; reset makes it ready again and keeps
// the memory.
type batch struct {
	buf   []byte // frameHead, header, records
	count int
	body  []byte // scratch of one record
}

func (b *batch) reset() {
	b.buf, b.count = b.buf[:0], 0
}

// grow makes room for n more bytes, so that a large batch is not copied again and again.
func (b *batch) grow(n int) { b.buf = slices.Grow(b.buf, n) }

// add appends a record. A nil key is no key; a nil value is a tombstone.
func (b *batch) add(key, value []byte) {
	if b.count == 0 {
		b.buf = append(b.buf[:0], make([]byte, frameHead+batchHeader)...)
	}
	r := append(b.body[:0], 0, 0) // attributes, timestamp delta
	r = binary.AppendVarint(r, int64(b.count))
	r = appendVarBytes(r, key)
	b.body = r
	// The value goes straight into the batch: it may be large.
	n := len(r) + varintLen(int64(len(value))) + len(value) + 1
	if value == nil {
		n = len(r) + 2
	}
	b.buf = binary.AppendVarint(b.buf, int64(n))
	b.buf = append(b.buf, r...)
	b.buf = appendVarBytes(b.buf, value)
	b.buf = append(b.buf, 0) // headers
	b.count++
}

// size is the number of bytes so far.
func (b *batch) size() int { return max(0, len(b.buf)-frameHead) }

func appendVarBytes(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 1) // -1 in zigzag
	}
	dst = binary.AppendVarint(dst, int64(len(v)))
	return append(dst, v...)
}

func varintLen(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// identity is what makes a batch idempotent: the producer, its epoch and the sequence number of
// the batch's first record in its partition.
type identity struct {
	producer int64
	epoch    int16
	sequence int32
}

// anonymous is the identity of a producer that has none.
func anonymous() identity { return identity{producer: -1, epoch: -1, sequence: -1} }

// seal fills in the header and returns the encoded batch, its length before it. It stays valid
// until the next reset.
func (b *batch) seal(id identity, at time.Time) []byte {
	h := b.buf[frameHead:]
	binary.BigEndian.PutUint32(b.buf, uint32(len(h)))
	ms := uint64(at.UnixMilli())
	binary.BigEndian.PutUint32(h[posLength:], uint32(len(h)-12))
	binary.BigEndian.PutUint32(h[12:], 0xffffffff) // leader epoch: the broker's business
	h[posMagic] = 2
	binary.BigEndian.PutUint32(h[posLastDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(h[posFirstTime:], ms)
	binary.BigEndian.PutUint64(h[posMaxTime:], ms)
	binary.BigEndian.PutUint64(h[posProducer:], uint64(id.producer))
	binary.BigEndian.PutUint16(h[posEpoch:], uint16(id.epoch))
	binary.BigEndian.PutUint32(h[posSequence:], uint32(id.sequence))
	binary.BigEndian.PutUint32(h[posCount:], uint32(b.count))
	binary.BigEndian.PutUint32(h[posCRC:], crc32.Checksum(h[posAttrs:], castagnoli()))
	return b.buf
}

// compression reads the name of a codec; none is 0.
func compression(name string) (c kafka.Compression, known bool) {
	if name == "none" || name == "" {
		return 0, true
	}
	for _, c := range []kafka.Compression{kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// squeezeLeast is the size below which compressing a batch does not pay.
const squeezeLeast = 1 << 10

// squeeze compresses the records; call it before seal, add nothing after it. It does nothing for a
// batch that is small or compressed already.
func (b *batch) squeeze(c kafka.Compression) error {
	if c == 0 || b.size() < squeezeLeast || binary.BigEndian.Uint16(b.buf[frameHead+posAttrs:]) != 0 {
		return nil
	}
	var out bytes.Buffer
	out.Grow(len(b.buf) / 4)
	out.Write(b.buf[:frameHead+batchHeader])
	w := c.Codec().NewWriter(&out)
	if _, err := w.Write(b.buf[frameHead+batchHeader:]); err != nil {
		return fmt.Errorf("compress batch: %w", errors.Join(err, w.Close()))
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress batch: %w", err)
	}
	b.buf = out.Bytes()
	binary.BigEndian.PutUint16(b.buf[frameHead+posAttrs:], uint16(c))
	return nil
}

// castagnoli returns the table of CRC-32C; the package crc32 keeps it.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// entry is a record as read: its slices belong to the buffer it was read from.
type entry struct {
	offset int64
	key    []byte // nil: none
	value  []byte // nil: a tombstone
}

// batchInfo is what the header of a read batch says.
type batchInfo struct {
	first, last int64 // offsets it spans, holes included
	control     bool
	identity
}

// readBatch parses the first batch of a record set. It returns how many bytes the batch takes, 0
// when the rest is only the beginning of one (brokers cut there). Records of a control batch are
// skipped. A batch may be empty: compaction leaves such.
func readBatch(set []byte, yield func(entry) error) (info batchInfo, n int, err error) {
	if len(set) < batchHeader {
		return info, 0, nil
	}
	length := int(int32(binary.BigEndian.Uint32(set[posLength:])))
	if length < batchHeader-12 {
		return info, 0, fmt.Errorf("%w: length %d", errCorrupt, length)
	}
	if n = 12 + length; len(set) < n {
		return info, 0, nil
	}
	h := set[:n]
	if h[posMagic] != 2 {
		return info, 0, fmt.Errorf("%w: message format %d", errCorrupt, h[posMagic])
	}
	if binary.BigEndian.Uint32(h[posCRC:]) != crc32.Checksum(h[posAttrs:], castagnoli()) {
		return info, 0, fmt.Errorf("%w: checksum", errCorrupt)
	}
	attrs := binary.BigEndian.Uint16(h[posAttrs:])
	info.first = int64(binary.BigEndian.Uint64(h))
	info.last = info.first + int64(int32(binary.BigEndian.Uint32(h[posLastDelta:])))
	info.control = attrs&attrControl != 0
	info.producer = int64(binary.BigEndian.Uint64(h[posProducer:]))
	info.epoch = int16(binary.BigEndian.Uint16(h[posEpoch:]))
	info.sequence = int32(binary.BigEndian.Uint32(h[posSequence:]))
	if info.control || yield == nil {
		return info, n, nil
	}
	body, err := inflate(h[batchHeader:], kafka.Compression(attrs&attrCompression))
	if err != nil {
		return info, 0, err
	}
	return info, n, readRecords(body, info.first, int(int32(binary.BigEndian.Uint32(h[posCount:]))), yield)
}

// maxInflated bounds what a compressed batch may become.
const maxInflated = 1 << 30

func inflate(body []byte, c kafka.Compression) ([]byte, error) {
	if c == 0 {
		return body, nil
	}
	codec := c.Codec()
	if codec == nil {
		return nil, fmt.Errorf("%w: compression %d", errCorrupt, c)
	}
	r := codec.NewReader(bytes.NewReader(body))
	out, err := io.ReadAll(io.LimitReader(r, maxInflated+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if len(out) > maxInflated {
		return nil, fmt.Errorf("%w: larger than %d bytes", errCorrupt, maxInflated)
	}
	return out, nil
}

func readRecords(b []byte, first int64, count int, yield func(entry) error) error {
	for range count {
		size, n := binary.Varint(b)
		if n <= 0 || size < 0 || size > int64(len(b)-n) {
			return fmt.Errorf("%w: record length", errCorrupt)
		}
		e, err := readRecord(b[n:n+int(size)], first)
		if err != nil {
			return err
		}
		if err := yield(e); err != nil {
			return err
		}
		b = b[n+int(size):]
	}
	return nil
}

func readRecord(r []byte, first int64) (e entry, err error) {
	if len(r) == 0 {
		return e, fmt.Errorf("%w: empty record", errCorrupt)
	}
	r = r[1:] // attributes
	_, n := binary.Varint(r)
	if n <= 0 {
		return e, fmt.Errorf("%w: timestamp", errCorrupt)
	}
	r = r[n:]
	delta, n := binary.Varint(r)
	if n <= 0 {
		return e, fmt.Errorf("%w: offset", errCorrupt)
	}
	e.offset = first + delta
	if e.key, r, err = cutVarBytes(r[n:]); err != nil {
		return e, err
	}
	e.value, _, err = cutVarBytes(r)
	return e, err // headers are not ours
}

func cutVarBytes(r []byte) (v, rest []byte, err error) {
	size, n := binary.Varint(r)
	switch {
	case n <= 0 || size > int64(len(r)-n):
		return nil, nil, fmt.Errorf("%w: field length", errCorrupt)
	case size < 0:
		return nil, r[n:], nil
	}
	return r[n : n+int(size) : n+int(size)], r[n+int(size):], nil
}
