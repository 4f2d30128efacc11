package stream

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafka "github.com/segmentio/kafka-go"
)

// resum makes the checksum of a batch right.
func resum(b []byte) {
	binary.BigEndian.PutUint32(b[posLength:], uint32(len(b)-12))
	b[posMagic] = 2
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[posAttrs:], castagnoli()))
}

type pair struct{ Key, Value []byte }

// TestBatchRoundTrip: keys and values come back, absent ones as absent, compressed or not.
func TestBatchRoundTrip(t *testing.T) {
	want := []pair{
		{[]byte("k"), []byte("v")},
		{nil, []byte("no key")},
		{[]byte("tombstone"), nil},
		{[]byte{}, []byte{}},
		{[]byte("large"), bytes.Repeat([]byte("x"), 100_000)},
	}
	for _, squeezed := range []bool{false, true} {
		var b batch
		for _, p := range want {
			b.add(p.Key, p.Value)
		}
		if squeezed {
			before := b.size()
			if err := b.squeeze(kafka.Zstd); err != nil || b.size() > before/10 {
				t.Fatalf("%d bytes from %d, %v", b.size(), before, err)
			}
		}
		id := identity{producer: 7, epoch: 3, sequence: 42}
		sealed := b.seal(id, time.UnixMilli(1234))
		if n := int(binary.BigEndian.Uint32(sealed)); n != len(sealed)-frameHead || n != b.size() {
			t.Errorf("length %d of %d", n, len(sealed))
		}
		var got []pair
		info, n, err := readBatch(append(sealed[frameHead:len(sealed):len(sealed)], "beginning of another"...), func(e entry) error {
			if e.offset != int64(len(got)) {
				t.Errorf("offset %d of record %d", e.offset, len(got))
			}
			got = append(got, pair{e.key, e.value})
			return nil
		})
		if err != nil || n != len(sealed)-frameHead {
			t.Errorf("%d bytes, %v", n, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if info.identity != id || info.first != 0 || info.last != int64(len(want)-1) || info.control {
			t.Errorf("%+v", info)
		}
	}
}

// TestBatchCorrupt: a flipped bit anywhere behind the leader epoch is noticed.
func TestBatchCorrupt(t *testing.T) {
	var b batch
	b.add([]byte("key"), []byte("value"))
	sealed := b.seal(anonymous(), time.UnixMilli(1))[frameHead:]
	for i := posMagic; i < len(sealed); i++ {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, _, err := readBatch(bad, func(entry) error { return nil }); err == nil {
			t.Errorf("a flipped bit in byte %d passes", i)
		}
	}
	if _, n, err := readBatch(sealed[:len(sealed)-1], nil); n != 0 || err != nil {
		t.Errorf("half a batch: %d bytes, %v", n, err)
	}
}
