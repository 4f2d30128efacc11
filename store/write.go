package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"signalbox/itsm"
)

// A block is written when it is so large or so old.
const (
	maxRows  = 50_000
	maxBytes = 32 << 20
	maxAge   = time.Second
)

// topics are those that history follows.
func topics() []itsm.Topic {
	return []itsm.Topic{itsm.TopicEvents, itsm.TopicIncidents, itsm.TopicAlerts, itsm.TopicTimeline}
}

// Run creates the tables and follows the log until ctx is done; then it returns nil. While
// ClickHouse does not answer it tries again and reads no further. It is for a store that one
// process writes; processes that share one call Follow.
func (s *Store) Run(ctx context.Context, log Log) error {
	partitions := 1
	for _, topic := range topics() {
		partitions = max(partitions, log.Partitions(topic))
	}
	g, ctx := errgroup.WithContext(ctx)
	for partition := range partitions {
		g.Go(func() error { return s.Follow(ctx, log, partition) })
	}
	return g.Wait()
}

// Follow is Run for one partition of each topic that has it. Of several processes one at a time
// follows a partition; one that was replaced and does not know it yet finds that the place is not
// where it left it, before it writes.
func (s *Store) Follow(ctx context.Context, log Log, partition int) error {
	var all []*follower
	for _, topic := range topics() {
		if partition >= log.Partitions(topic) {
			continue
		}
		f := &follower{s: s, log: log, topic: topic, partition: partition}
		s.lag.set(f.name(), unread)
		defer s.lag.drop(f.name())
		all = append(all, f)
	}
	if err := s.prepare(ctx); err != nil {
		return ended(ctx, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range all {
		g.Go(func() error {
			return s.patiently(ctx, func(ctx context.Context) error {
				fresh := *f // after an error it begins at the place that the table says
				if err := fresh.follow(ctx); err != nil {
					return fmt.Errorf("store %s: %w", f.name(), err)
				}
				return nil
			})
		})
	}
	return ended(ctx, g.Wait())
}

// prepare creates the tables, once in a process.
func (s *Store) prepare(ctx context.Context) error {
	s.preparing.Lock()
	defer s.preparing.Unlock()
	if s.prepared {
		return nil
	}
	err := s.patiently(ctx, s.migrate)
	s.prepared = err == nil
	return err
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // to be ended is no failure
	}
	return err
}

// maxPause bounds the time between tries.
const maxPause = 10 * time.Second

// patiently tries until it works or ctx is done.
func (s *Store) patiently(ctx context.Context, do func(context.Context) error) error {
	var failing failure
	defer s.lag.ends(&failing)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		err := do(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, errNewer) {
			return err
		}
		s.lag.fails(&failing, err)
		s.met.failures.Inc()
		s.log.WarnContext(ctx, "history waits; trying again", "err", err, "pause", pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// follower stores one partition. What makes it exact: before a block is written, the place where
// it begins and ends is. So whoever goes on after a crash knows the block that may be there or
// not, reads just that range of the log again, and writes it under the same token, which
// ClickHouse takes once.
type follower struct {
	s         *Store
	log       Log
	topic     itsm.Topic
	partition int

	done  int64 // everything before it is stored
	upto  int64 // where the last block that was noted ends
	end   int64 // of the log, as last seen
	seen  bool  // it was
	known span  // what the table of positions says, if nobody else follows
	rows  rows
	since time.Time // when the first row came
	noted time.Time // when the place was last noted

	doubtful bool // the block that is written may be there already
}

func (f *follower) follow(ctx context.Context) error {
	err := f.s.patiently(ctx, func(ctx context.Context) (err error) {
		f.known, err = f.s.position(ctx, f.topic, f.partition)
		return err
	})
	f.done, f.upto = f.known.done, f.known.upto
	if err != nil {
		return err
	}
	in := f.log.Reader(f.topic, f.partition, f.done)
	defer in.Close()
	next := f.done
	if f.upto > f.done { // the block that may be there already
		if next, err = f.redo(ctx, in, f.upto); err != nil {
			return err
		}
	}
	for {
		b, err := in.Next(ctx, maxAge/4)
		if err != nil {
			return err
		}
		f.note(b)
		f.see(b)
		if err := f.add(ctx, b); err != nil {
			return err
		}
		next = max(next, b.Next)
		if err := f.age(ctx, next); err != nil {
			return err
		}
	}
}

func (f *follower) name() string { return fmt.Sprintf("%s/%d", f.topic, f.partition) }

// see notes where the log ends.
func (f *follower) see(b itsm.Block) {
	if b.Behind == itsm.BehindUnknown {
		return
	}
	f.end, f.seen = b.Next+b.Behind, true
	f.behind()
}

// behind tells how much of the log is not stored, what waits in memory included.
func (f *follower) behind() {
	if !f.seen {
		return
	}
	n := max(0, f.end-f.done)
	f.s.met.behind.WithLabelValues(string(f.topic), strconv.Itoa(f.partition)).Set(float64(n))
	f.s.lag.set(f.name(), n)
}

// noteEvery is how often a place is noted behind which nothing was to store.
const noteEvery = 30 * time.Second

// age writes a block that has waited long enough, and moves on where there is nothing to write.
func (f *follower) age(ctx context.Context, next int64) error {
	switch {
	case f.rows.count > 0 && time.Since(f.since) >= maxAge:
		return f.write(ctx, next)
	case f.rows.count > 0 || next == f.done:
		return nil
	}
	f.done, f.upto = next, next
	f.behind()
	if time.Since(f.noted) < noteEvery {
		return nil
	}
	f.noted = time.Now()
	return f.place(ctx, span{next, next})
}

// span is a stretch of a partition: everything before done is stored, what is from there to upto may be.
type span struct{ done, upto int64 }

// errMoved says that somebody else follows the partition, too.
var errMoved = errors.New("another process has written this partition's history since; beginning again at its place")

// place notes a place, unless it is no longer where we left it.
func (f *follower) place(ctx context.Context, to span) error {
	moved := false
	err := f.s.patiently(ctx, func(ctx context.Context) error {
		at, err := f.s.position(ctx, f.topic, f.partition)
		if err != nil {
			return err
		}
		// Ours may be there already, when only the answer was lost.
		if moved = at != f.known && at != to; moved {
			return nil
		}
		return f.s.notePosition(ctx, f.topic, f.partition, to)
	})
	if moved {
		return errMoved
	}
	if err == nil {
		f.known = to
	}
	return err
}

// note tells of inputs that are gone and were not stored. Those from before history began are none of its own.
func (f *follower) note(b itsm.Block) {
	lost := min(b.Lost, b.From-f.upto)
	if lost <= 0 || f.upto == 0 {
		return
	}
	f.s.met.lost.WithLabelValues(string(f.topic)).Add(float64(lost))
	f.s.log.Error("the log no longer holds what was not stored yet", "topic", f.topic, "partition", f.partition, "offsets", lost)
}

// shortened is how long a log has to end before a range that was stored, until we believe that it was shortened: a broker
// that has just started may not show its end yet.
const shortened = time.Minute

// redo writes the range from done to upto as one block, and keeps what was read behind it.
func (f *follower) redo(ctx context.Context, in LogReader, upto int64) (next int64, err error) {
	var behind itsm.Block
	var ends time.Time // when it was first seen that the log ends before the range
	for next = f.done; next < upto; {
		b, err := in.Next(ctx, time.Second)
		if err != nil {
			return next, err
		}
		f.see(b)
		f.note(b)
		var before itsm.Block
		before, behind = cut(b, upto)
		if err := f.take(ctx, before); err != nil {
			return next, err
		}
		switch next = max(b.Next, b.From); {
		case b.Next > b.From || b.Behind != 0 || b.Lost != 0:
			ends = time.Time{}
			continue
		case ends.IsZero():
			ends = time.Now()
		}
		if time.Since(ends) > shortened {
			f.s.log.WarnContext(ctx, "the log ends before what was stored of it", "topic", f.topic, "partition", f.partition, "end", next, "stored", upto)
			break
		}
	}
	f.doubtful = true
	if err := f.write(ctx, upto); err != nil {
		return next, err
	}
	f.doubtful = false
	return next, f.add(ctx, behind)
}

// cut divides a block at an offset.
func cut(b itsm.Block, at int64) (before, behind itsm.Block) {
	for _, p := range b.Published {
		if p.Offset < at {
			before.Published = append(before.Published, p)
		} else {
			behind.Published = append(behind.Published, p)
		}
	}
	for _, r := range b.Records {
		if r.Offset < at {
			before.Records = append(before.Records, r)
		} else {
			behind.Records = append(behind.Records, r)
		}
	}
	return before, behind
}

// take takes rows in, all into one block.
func (f *follower) take(ctx context.Context, b itsm.Block) error {
	for _, p := range b.Published {
		f.rows.publish(f, p)
	}
	for _, r := range b.Records {
		if err := f.record(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// add takes rows in and writes blocks as they fill up.
func (f *follower) add(ctx context.Context, b itsm.Block) error {
	for _, p := range b.Published {
		f.begin()
		f.rows.publish(f, p)
		if err := f.full(ctx, p.Offset+1); err != nil {
			return err
		}
	}
	for _, r := range b.Records {
		f.begin()
		if err := f.record(ctx, r); err != nil {
			return err
		}
		if err := f.full(ctx, r.Offset+1); err != nil {
			return err
		}
	}
	return nil
}

// record takes an input in, and the versions that it adopts.
func (f *follower) record(ctx context.Context, r itsm.Recorded) error {
	if a := r.Input.Adopt; a != nil {
		for _, v := range a.Versions() {
			err := f.s.patiently(ctx, func(ctx context.Context) error {
				data, err := f.log.Version(ctx, v.ID)
				if errors.Is(err, itsm.ErrNotFound) { // the engine has passed it over, too
					f.s.log.WarnContext(ctx, "an adopted version is gone and not stored", "version", v.ID, "partition", f.partition, "offset", r.Offset)
					return nil
				}
				if err == nil {
					f.rows.version(v.ID, data)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	f.rows.record(f, r)
	return nil
}

func (f *follower) begin() {
	if f.rows.count == 0 {
		f.since = time.Now()
	}
}

func (f *follower) full(ctx context.Context, next int64) error {
	if f.rows.count < maxRows && f.rows.bytes < maxBytes {
		return nil
	}
	return f.write(ctx, next)
}

// write notes the block, then writes it, until ClickHouse has taken both.
func (f *follower) write(ctx context.Context, upto int64) error {
	start := time.Now()
	if err := f.place(ctx, span{f.done, upto}); err != nil {
		return err
	}
	for _, t := range f.rows.tables() {
		token := fmt.Sprintf("%s/%s/%d/%d-%d", t.name, f.topic, f.partition, f.done, upto)
		if err := f.put(ctx, t, token, span{f.done, upto}); err != nil {
			return err
		}
		f.s.met.rows.WithLabelValues(t.name).Add(float64(len(t.rows)))
	}
	f.s.met.blocks.WithLabelValues(string(f.topic)).Inc()
	f.s.met.seconds.Observe(time.Since(start).Seconds())
	f.done, f.upto, f.noted = upto, upto, time.Now()
	f.behind()
	f.rows = rows{}
	return nil
}

// put writes the rows of a block to a table. A server that dies may remember the token of a block that it has not kept, so
// where the outcome of a write is not known, what counts is what is there. Servers of a cluster keep both or neither, and one
// of them may not know yet what another has.
func (f *follower) put(ctx context.Context, t table, token string, at span) error {
	look := f.doubtful && f.s.names.Cluster == ""
	return f.s.patiently(ctx, func(ctx context.Context) error {
		if !look {
			look = f.s.names.Cluster == ""
			return f.s.insert(ctx, t, token)
		}
		missing, err := f.missing(ctx, t, at)
		if err != nil || len(missing.rows) == 0 {
			return err
		}
		if err := f.s.insert(ctx, missing, token); err != nil {
			return err
		}
		if missing, err = f.missing(ctx, t, at); err != nil || len(missing.rows) == 0 {
			return err
		}
		return f.s.insert(ctx, missing, "") // the token stands for a block that is lost
	})
}

const queryPlaces = `SELECT DISTINCT log_offset, {index}
FROM {table}
WHERE log_partition = {partition:UInt16} AND log_offset >= {from:UInt64} AND log_offset < {to:UInt64}`

// missing are the rows of a block that are not in their table.
func (f *follower) missing(ctx context.Context, t table, at span) (_ table, err error) {
	if t.offset < 0 { // equal rows are one, however often they come
		return t, nil
	}
	index := "toUInt32(0)"
	if t.index >= 0 {
		index = "log_index"
	}
	sql := strings.NewReplacer("{table}", f.s.names.Table(t.name), "{index}", index).Replace(queryPlaces)
	rows, err := f.s.conn.Query(ctx, sql, named("partition", strconv.Itoa(f.partition)),
		named("from", strconv.FormatInt(at.done, 10)), named("to", strconv.FormatInt(at.upto, 10)))
	if err != nil {
		return t, fmt.Errorf("look for the rows of a block in %s: %w", t.name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	type logPlace struct {
		offset uint64
		index  uint32
	}
	there := map[logPlace]bool{}
	for rows.Next() {
		var p logPlace
		if err := rows.Scan(&p.offset, &p.index); err != nil {
			return t, err
		}
		there[p] = true
	}
	all := t.rows
	t.rows = nil
	for _, row := range all {
		p := logPlace{offset: row[t.offset].(uint64)}
		if t.index >= 0 {
			p.index = row[t.index].(uint32)
		}
		if !there[p] {
			t.rows = append(t.rows, row)
		}
	}
	return t, rows.Err()
}

const queryPosition = `SELECT tupleElement(max((upto, done)) AS p, 2), tupleElement(p, 1)
FROM {table:positions}
WHERE topic = {topic:String} AND log_partition = {partition:UInt16}`

func (s *Store) position(ctx context.Context, topic itsm.Topic, partition int) (span, error) {
	var d, u uint64
	err := s.conn.QueryRow(ctx, s.named(queryPosition), named("topic", string(topic)), named("partition", strconv.Itoa(partition))).Scan(&d, &u)
	if err != nil {
		return span{}, fmt.Errorf("read the position of %s/%d: %w", topic, partition, err)
	}
	return span{int64(d), int64(u)}, nil //nolint:gosec // offsets of Kafka
}

func (s *Store) notePosition(ctx context.Context, topic itsm.Topic, partition int, to span) error {
	b, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+s.names.Table("positions")+" (topic, log_partition, done, upto)")
	if err == nil {
		err = b.Append(string(topic), uint16(partition), uint64(to.done), uint64(to.upto)) //nolint:gosec // as Kafka counts them
	}
	if err == nil {
		err = b.Send()
	}
	if err != nil {
		return fmt.Errorf("note the position of %s/%d: %w", topic, partition, err)
	}
	return nil
}

// insert writes one block, which is taken once under its token; without one whenever it comes.
func (s *Store) insert(ctx context.Context, t table, token string) (err error) {
	settings := clickhouse.Settings{"insert_deduplicate": 0}
	if token != "" {
		settings = clickhouse.Settings{"insert_deduplication_token": token}
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings))
	b, err := s.conn.PrepareBatch(ctx, "INSERT INTO "+s.names.Table(t.name)+" ("+t.columns+")")
	if err != nil {
		return fmt.Errorf("insert into %s: %w", t.name, err)
	}
	for _, row := range t.rows {
		if err := b.Append(row...); err != nil {
			return fmt.Errorf("insert into %s: %w", t.name, errors.Join(err, b.Abort()))
		}
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("insert into %s: %w", t.name, err)
	}
	return nil
}
