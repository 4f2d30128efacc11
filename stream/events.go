package stream

import (
	"context"
	"errors"
	"time"

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
