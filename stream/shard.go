package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"signalbox/itsm"

	kafka "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// maxAhead is how far a record's stamp may be ahead of our clock.
const maxAhead = 5 * time.Second

// Shard is the durable side of one shard's engine: it reads the shard's log, writes what the
// engine says, and keeps its checkpoints. The methods belong to one goroutine, and Recover comes
// first. After an error of Write, Checkpoint or Tick nothing more is written until the next
// Recover.
type Shard struct {
	s    *Stream
	n    int
	log  *slog.Logger
	prod *producer
	in   *fetcher
	give *patience

	ready    []itsm.Record // decoded, not yet returned
	held     bool          // the first of ready was held back and counted
	returned int64         // the offset behind the last record that Read returned
	saved    itsm.Position // of the last checkpoint
	out      outputs
}

// Shard returns the durable side of shard n, 0 … Shards-1.
func (s *Stream) Shard(n int) *Shard {
	return &Shard{s: s, n: n, log: s.log.With("shard", n), give: newPatience(30 * time.Second)}
}

// owner is the value of an owner record. On the state topic it is the end of a checkpoint and
// holds the position.
type owner struct {
	Producer int64      `json:"producer"`
	Epoch    int16      `json:"epoch"`
	Offset   *int64     `json:"offset,omitempty"`
	Clock    *time.Time `json:"clock,omitempty"`
	Estate   string     `json:"estate,omitempty"`
	Rules    string     `json:"rules,omitempty"`
	Patterns string     `json:"patterns,omitempty"`
}

// places are the partitions that the shard writes.
func (sh *Shard) places() []place {
	var all []place
	for _, t := range []itsm.Topic{
		topicEvents, topicState, itsm.TopicIncidents, itsm.TopicAlerts, itsm.TopicTimeline, itsm.TopicProblems, itsm.TopicCMDB, topicDeadletter,
	} {
		all = append(all, place{t, partition(t, sh.n)})
	}
	return all
}

// Recover takes the shard over, fences every earlier owner and hands each entity of the last
// checkpoint to load, in the order of the keys. It returns the position to go on from, the zero
// Position for a new shard.
func (sh *Shard) Recover(ctx context.Context, load func(itsm.Entity) error) (itsm.Position, error) {
	if sh.in != nil {
		sh.in.close()
	}
	sh.ready, sh.held = nil, false
	sh.give.reset()
	var err error
	id := sh.s.cfg.TopicPrefix + "signalbox.shard-" + strconv.Itoa(sh.n)
	if sh.prod, err = newProducer(ctx, sh.s, id); err != nil {
		return itsm.Position{}, fmt.Errorf("take over shard %d: %w", sh.n, err)
	}
	// Kafka refuses the earlier owner on a partition only from our first batch there on.
	g, gctx := errgroup.WithContext(ctx)
	for _, at := range sh.places() {
		g.Go(func() error { return sh.fence(gctx, at) })
	}
	if err := g.Wait(); err != nil {
		return itsm.Position{}, fmt.Errorf("fence shard %d: %w", sh.n, err)
	}
	pos, entities, err := sh.readState(ctx)
	if err != nil {
		return pos, fmt.Errorf("read state of shard %d: %w", sh.n, err)
	}
	for _, key := range slices.Sorted(maps.Keys(entities)) {
		if err := load(itsm.Entity{Key: key, Value: entities[key]}); err != nil {
			return pos, fmt.Errorf("load %s: %w", key, err)
		}
	}
	sh.in = sh.s.fetcher(topicEvents, sh.n, pos.Offset)
	sh.saved = pos
	sh.took(pos.Offset)
	sh.log.InfoContext(ctx, "shard taken over", "epoch", sh.prod.epoch, "offset", pos.Offset, "entities", len(entities))
	return pos, nil
}

// fence writes our owner record. On the state topic it has a key of its own: the owner record
// there is the last checkpoint's, which is yet to be read.
func (sh *Shard) fence(ctx context.Context, at place) error {
	key := ownerKey(sh.n)
	if at.topic == topicState {
		key = fenceKey(sh.n)
	}
	value, err := json.Marshal(owner{Producer: sh.prod.id, Epoch: sh.prod.epoch})
	if err != nil {
		return err
	}
	var b batch
	b.add(key, value)
	return sh.prod.write(ctx, at, &b)
}

// readState reads up to our own fence: behind it nobody else can have written.
func (sh *Shard) readState(ctx context.Context) (itsm.Position, map[string][]byte, error) {
	var pos itsm.Position
	entities := map[string][]byte{}
	fence, mine := string(fenceKey(sh.n)), string(ownerKey(sh.n))
	met := false
	err := sh.s.scan(ctx, topicState, partition(topicState, sh.n), func(e entry) error {
		switch key := string(e.key); {
		case key == fence:
			var o owner
			if json.Unmarshal(e.value, &o) == nil && o.Producer == sh.prod.id && o.Epoch == sh.prod.epoch {
				met = true
				return errStop
			}
		case key == mine:
			var err error
			if pos, err = positionIn(e); err != nil {
				return err
			}
		case ours(e.key):
		case e.value == nil:
			delete(entities, key)
		default:
			entities[key] = slices.Clone(e.value)
		}
		return nil
	})
	if err == nil && !met {
		err = errors.New("the fence record is missing")
	}
	return pos, entities, err
}

// positionIn reads the owner record that ends a checkpoint.
func positionIn(e entry) (itsm.Position, error) {
	var o owner
	if err := json.Unmarshal(e.value, &o); err != nil || o.Offset == nil || o.Clock == nil {
		return itsm.Position{}, fmt.Errorf("%w: owner record at %d", errCorrupt, e.offset)
	}
	return itsm.Position{Offset: *o.Offset, Clock: *o.Clock, Estate: o.Estate, Rules: o.Rules, Patterns: o.Patterns}, nil
}

// lastPosition returns the position of a shard's last checkpoint, whoever wrote it, without reading
// all of the state: it looks at the end of the partition first, and from twice as far back each time.
// The second result is false when there is no checkpoint.
func (s *Stream) lastPosition(ctx context.Context, n int) (at itsm.Position, found bool, err error) {
	mine := string(ownerKey(n))
	end, err := s.endOf(ctx, topicState, partition(topicState, n))
	if err != nil {
		return at, false, err
	}
	for back := int64(1); ; back *= 2 {
		from := max(0, end-back)
		err := s.scanFrom(ctx, topicState, partition(topicState, n), from, func(e entry) (err error) {
			if string(e.key) == mine {
				at, err = positionIn(e)
				found = true
			}
			return err
		})
		if err != nil || found || from == 0 {
			return at, found, err
		}
	}
}

// Read returns the next records in order. It blocks until there is one or wait has passed.
func (sh *Shard) Read(ctx context.Context, wait time.Duration) ([]itsm.Record, error) {
	deadline := time.Now().Add(wait)
	for {
		if rs, err := sh.due(ctx, deadline); rs != nil || err != nil {
			return rs, err
		}
		left := time.Until(deadline)
		if left <= 0 || len(sh.ready) > 0 {
			return nil, ctx.Err()
		}
		if err := sh.fill(ctx, left); err != nil {
			return nil, err
		}
	}
}

// fill fetches and decodes once.
func (sh *Shard) fill(ctx context.Context, wait time.Duration) error {
	c, err := sh.in.fetch(ctx, wait)
	switch {
	case errors.Is(err, errWaited):
		return nil
	case errors.Is(err, errTrimmed):
		// Nothing brings them back, and to stop here would help nobody.
		sh.s.met.lost.Add(float64(sh.in.start - sh.in.offset))
		sh.log.ErrorContext(ctx, "records have left the log before they were applied; kafka.events_retention and events_max_bytes set how long they stay",
			"from", sh.in.offset, "to", sh.in.start-1)
		sh.in.offset = sh.in.start
		return nil
	case err != nil:
		sh.s.met.readErrors.Inc()
		return sh.give.retry(ctx, err)
	}
	sh.give.reset()
	err = c.each(func(e entry) error { return sh.decode(ctx, e) })
	if err != nil {
		return fmt.Errorf("read shard %d: %w", sh.n, err)
	}
	sh.s.met.lag.WithLabelValues(strconv.Itoa(sh.n)).Set(float64(sh.in.end - sh.in.offset))
	return sh.advance(ctx)
}

// advance moves the stored position behind records that no engine gets to see, once everything
// before them is in a checkpoint. Otherwise the position of an idle shard would stay until
// retention has passed it, and the next start would take bookkeeping for lost records.
func (sh *Shard) advance(ctx context.Context) error {
	if len(sh.ready) > 0 || sh.saved.Offset != sh.returned || sh.in.offset <= sh.returned {
		return nil
	}
	at := sh.saved
	at.Offset = sh.in.offset
	sh.took(at.Offset)
	return sh.checkpoint(ctx, nil, at)
}

// End returns the position of the shard's engine once it has applied everything that is in the
// log now. It is called after Recover, before Read.
func (sh *Shard) End(ctx context.Context) (int64, error) {
	end := sh.returned
	err := sh.s.scanFrom(ctx, topicEvents, sh.n, end, func(e entry) error {
		r, _, err := sh.s.record(ctx, e)
		if r != nil {
			end = r.Offset + 1
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("find the end of shard %d: %w", sh.n, err)
	}
	return end, nil
}

// decode turns an entry of events into the engine's record. What cannot be decoded goes to the
// dead letters.
func (sh *Shard) decode(ctx context.Context, e entry) error {
	r, reason, err := sh.s.record(ctx, e)
	switch {
	case err != nil:
		return err
	case reason != nil:
		return sh.bury(ctx, e, reason)
	case r != nil:
		sh.s.met.read.Inc()
		sh.ready = append(sh.ready, *r)
	}
	return nil
}

// resolve fills in the bytes of adopted versions.
func (s *Stream) resolve(ctx context.Context, a *itsm.Adopt) error {
	for _, v := range a.Versions() {
		data, err := s.Version(ctx, v.ID)
		if err != nil {
			return err
		}
		v.Data = data
	}
	return nil
}

// DeadLetter is the value of a record of signalbox.deadletter.
type DeadLetter struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
	Value     []byte `json:"value"`
}

func (sh *Shard) bury(ctx context.Context, e entry, reason error) error {
	dl := DeadLetter{Topic: sh.in.topic, Partition: sh.n, Offset: e.offset, Reason: reason.Error(), Value: e.value}
	value, err := json.Marshal(dl)
	if err != nil {
		return err
	}
	var b batch
	b.add(fmt.Appendf(nil, "%s/%d/%d", dl.Topic, dl.Partition, dl.Offset), value)
	if err := sh.prod.write(ctx, place{topicDeadletter, 0}, &b); err != nil {
		return err
	}
	sh.s.met.deadLetters.Inc()
	sh.log.WarnContext(ctx, "record skipped, it is kept among the dead letters", "offset", e.offset, "err", reason)
	return nil
}

// due returns the decoded records whose time has come. It waits for the first of them when that
// is soon enough.
func (sh *Shard) due(ctx context.Context, deadline time.Time) ([]itsm.Record, error) {
	if len(sh.ready) == 0 {
		return nil, nil
	}
	if early := time.Until(sh.ready[0].Time) - maxAhead; early > 0 {
		if !sh.held {
			sh.held = true
			sh.s.met.heldBack.Inc()
			sh.log.WarnContext(ctx, "record held back, its stamp is ahead of our clock", "offset", sh.ready[0].Offset, "early", early)
		}
		t := time.NewTimer(min(early, max(0, time.Until(deadline))))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n, latest := 0, time.Now().Add(maxAhead)
	for n < len(sh.ready) && !sh.ready[n].Time.After(latest) {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	rs := sh.ready[:n:n]
	sh.took(rs[n-1].Offset + 1)
	if sh.ready, sh.held = sh.ready[n:], false; len(sh.ready) == 0 {
		sh.ready = nil
	}
	return rs, nil
}

// Tick appends an empty record stamped at.
func (sh *Shard) Tick(ctx context.Context, at time.Time) error {
	var b batch
	b.add(shardKey(sh.n), appendTime(nil, at))
	if err := sh.prod.write(ctx, place{topicEvents, sh.n}, &b); err != nil {
		return fmt.Errorf("tick shard %d: %w", sh.n, err)
	}
	return nil
}

// squeezeFrom is the size from which a checkpoint is compressed, so that a very large one still
// is one batch.
const squeezeFrom = 16 << 20

// Checkpoint writes entities and position as exactly one batch: recovery sees all of it or
// nothing. Call it only after Write has returned for everything before the position.
func (sh *Shard) Checkpoint(ctx context.Context, entities []itsm.Entity, at itsm.Position) error {
	before := sh.saved
	if err := sh.checkpoint(ctx, entities, at); err != nil {
		return err
	}
	if at.Estate != before.Estate || at.Rules != before.Rules || at.Patterns != before.Patterns {
		if err := sh.s.Retire(ctx, time.Now()); err != nil {
			sh.log.WarnContext(ctx, "old versions stay for now", "err", err)
		}
	}
	return nil
}

func (sh *Shard) checkpoint(ctx context.Context, entities []itsm.Entity, at itsm.Position) error {
	var b batch
	size := 1 << 10
	for i := range entities {
		size += len(entities[i].Key) + len(entities[i].Value) + recordHead
	}
	b.grow(size)
	for i := range entities {
		b.add([]byte(entities[i].Key), entities[i].Value)
	}
	value, err := json.Marshal(owner{
		Producer: sh.prod.id, Epoch: sh.prod.epoch, Offset: &at.Offset, Clock: &at.Clock, Estate: at.Estate, Rules: at.Rules, Patterns: at.Patterns,
	})
	if err != nil {
		return fmt.Errorf("encode position: %w", err)
	}
	b.add(ownerKey(sh.n), value)
	sh.s.met.checkpoint.Observe(float64(b.size()))
	if b.size() > squeezeFrom {
		if err := b.squeeze(kafka.Zstd); err != nil {
			return err
		}
	}
	if b.size() > maxMessage {
		return fmt.Errorf("checkpoint of shard %d: %d bytes in %d entities do not fit into one batch", sh.n, b.size(), len(entities))
	}
	if err := sh.prod.write(ctx, place{topicState, sh.n}, &b); err != nil {
		return fmt.Errorf("checkpoint of shard %d: %w", sh.n, err)
	}
	sh.saved = at
	return nil
}

// took notes what the engine has, and tells the door.
func (sh *Shard) took(offset int64) {
	sh.returned = offset
	sh.s.door.lanes[sh.n].read.Store(offset)
}

// Close gives the reading connection back.
func (sh *Shard) Close() error {
	sh.s.door.lanes[sh.n].read.Store(-1)
	if sh.in != nil {
		sh.in.close()
	}
	return nil
}
