package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"signalbox/itsm"
)

// LogReader reads one partition of a topic in order, from an offset and for ever. It belongs to
// one goroutine, which closes it.
type LogReader struct {
	s    *Stream
	at   place
	in   *fetcher
	give *patience
}

// LogReader returns a reader of events or of a public topic. Partitions are those of Partitions.
func (s *Stream) LogReader(topic itsm.Topic, partition int, from int64) *LogReader {
	return &LogReader{s: s, at: place{topic, partition}, in: s.fetcher(topic, partition, from), give: newPatience(forever)}
}

// Partitions is how many partitions a topic has.
func (s *Stream) Partitions(topic itsm.Topic) int { return partitions(topic, s.cfg.Shards) }

// Next returns what comes next, within the time to wait; a block without content when nothing has
// come, or the broker has not answered (itsm.BehindUnknown). Owner records and reserved keys are left out, as is what cannot be decoded: the shard's
// owner has put it into the dead letters. What retention has removed from events is counted in Lost.
func (r *LogReader) Next(ctx context.Context, wait time.Duration) (itsm.Block, error) {
	b := itsm.Block{From: r.in.offset}
	for {
		c, err := r.in.fetch(ctx, wait)
		switch {
		case errors.Is(err, errWaited):
			b.Next, b.Behind = b.From, itsm.BehindUnknown
			return b, nil
		case errors.Is(err, errTrimmed):
			if r.at.topic == topicEvents { // elsewhere what is missing was replaced by what follows
				b.Lost += r.in.start - r.in.offset
			}
			r.in.offset, b.From = r.in.start, r.in.start
			continue
		case err != nil:
			r.s.met.readErrors.Inc()
			if err := r.give.retry(ctx, err); err != nil {
				return b, fmt.Errorf("read %s/%d: %w", r.at.topic, r.at.partition, err)
			}
			continue
		}
		r.give.reset()
		err = c.each(func(e entry) error { return r.take(&b, e) })
		b.Next = r.in.offset
		b.Behind = max(0, r.in.end-r.in.offset)
		return b, err
	}
}

func (r *LogReader) take(b *itsm.Block, e entry) error {
	if r.at.topic != topicEvents {
		if p, ok := published(r.at.topic, e, nil); ok && p.Value != nil && p.Key[0] != '_' {
			b.Published = append(b.Published, p)
		}
		return nil
	}
	if len(e.key) > 0 && e.key[0] == '_' {
		return nil
	}
	at, in, err := decodeRecord(e.value)
	if errors.Is(err, errUndecodable) {
		return nil
	}
	if err == nil {
		b.Records = append(b.Records, itsm.Recorded{
			Record: itsm.Record{Offset: e.offset, Time: at, Input: in}, Value: bytes.Clone(e.value), // what was fetched is overwritten
		})
	}
	return err
}

// Close gives the connection back.
func (r *LogReader) Close() { r.in.close() }
