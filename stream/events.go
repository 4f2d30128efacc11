package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"signalbox/itsm"
)

// Events yields the recorded inputs of a shard from an offset (0: from the earliest that is kept)
// to the present end, adopted versions with their bytes. What cannot be decoded, and a version
// that is gone, is skipped: the engine has skipped it, too. Doors and ticks are stamped side by
// side, so a stamp may be before the one that it follows in the log; as for the engine, time does
// not run backwards here.
func (s *Stream) Events(ctx context.Context, shard int, from int64, yield func(itsm.Record) error) error {
	var clock time.Time
	return s.scanFrom(ctx, topicEvents, shard, from, func(e entry) error {
		r, reason, err := s.record(ctx, e)
		if err != nil || reason != nil || r == nil {
			return err
		}
		if r.Time.Before(clock) {
			r.Time = clock
		}
		clock = r.Time
		return yield(*r)
	})
}

// Earliest is the offset of the first record of a shard that the log still holds, or would hold.
func (s *Stream) Earliest(ctx context.Context, shard int) (int64, error) {
	name := s.cfg.topicName(topicEvents)
	give := newPatience(s.cfg.ProduceTimeout)
	for {
		res, err := s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: {kafka.FirstOffsetOf(shard)}}})
		if err == nil {
			for _, p := range res.Topics[name] {
				if err = p.Error; err == nil && p.Partition == shard {
					return p.FirstOffset, nil
				}
			}
		}
		if err == nil {
			return 0, fmt.Errorf("the broker does not tell where %s/%d begins", name, shard)
		}
		if err = give.retry(ctx, err); err != nil {
			return 0, fmt.Errorf("find where %s/%d begins: %w", name, shard, err)
		}
	}
}

// Decode reads a record of events from its bytes; adopted versions have their ids only. The error is about the bytes.
func Decode(value []byte) (at time.Time, in itsm.Input, err error) { return decodeRecord(value) }

// record decodes an entry of events. There is no record when the entry is bookkeeping, or when
// it is useless for the reason returned.
func (s *Stream) record(ctx context.Context, e entry) (r *itsm.Record, reason, err error) {
	if len(e.key) > 0 && e.key[0] == '_' {
		return nil, nil, nil
	}
	at, in, err := decodeRecord(e.value)
	if err == nil && in.Adopt != nil {
		err = s.resolve(ctx, in.Adopt)
	}
	switch {
	case err == nil:
		return &itsm.Record{Offset: e.offset, Time: at, Input: in}, nil, nil
	case errors.Is(err, errUndecodable) || errors.Is(err, itsm.ErrNotFound):
		return nil, err, nil
	}
	return nil, nil, err
}
