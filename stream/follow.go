package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
	"golang.org/x/sync/errgroup"
)

// The versions of the requests about offsets: those with the fewest fields that Kafka 4 still takes,
// and that say for the whole what went wrong.
const (
	offsetCommitVersion = 2
	offsetFetchVersion  = 2
)

const (
	commitTimeout = 3 * time.Second // of which the end of the program may have to wait
	followPause   = time.Second     // until it is looked again whether the topic is ours, and there
	followCheck   = time.Minute     // until it is looked whether it has more partitions
)

// FollowOptions say which topic of somebody else's is read, and where to.
type FollowOptions struct {
	Topic string // its whole name
	Group string // whose offsets say how far it was read; topic_prefix stands before it
	// Ours tells whether this process is the one to read; nil: always. Two that read it for a moment
	// read some records twice.
	Ours func() bool
	// Take gets the values of records in the order of their partition, partitions side by side. They
	// belong to it until it returns, and are read when it has returned nil. After an error they come again.
	Take func(ctx context.Context, values [][]byte) error
}

// Follow reads a topic that we do not own, from where the group has come to, at first from its
// beginning, until ctx is done. How far it has come is committed only after Take, so nothing is
// lost and the last records may come twice. Whatever fails is tried again for ever: others have
// their work beside it.
func (s *Stream) Follow(ctx context.Context, o FollowOptions) {
	if o.Ours == nil {
		o.Ours = func() bool { return true }
	}
	told := ""
	for ctx.Err() == nil {
		if o.Ours() {
			switch err := s.followOurs(ctx, &o); {
			case ctx.Err() != nil:
			case err == nil:
				told = ""
			default:
				s.met.readErrors.Inc()
				if why := err.Error(); why != told { // once for what lasts
					s.log.Warn("a topic could not be read; tried again", "topic", o.Topic, "err", err)
					told = why
				}
			}
		}
		s.met.followBehind.Set(0)
		rest(ctx, followPause)
	}
}

// rest waits for a while, or until ctx is done.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

var errNotOurs = errors.New("another process reads it now, or it has other partitions")

// followOurs reads all partitions until the topic is another process's, or has other partitions.
func (s *Stream) followOurs(ctx context.Context, o *FollowOptions) error {
	partitions, err := s.partitionsOf(ctx, o.Topic)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.untilOthers(ctx, o, partitions) })
	behind := make([]int64, len(partitions))
	for i, p := range partitions {
		g.Go(func() error {
			err := s.followPartition(ctx, o, p, &behind[i])
			if err != nil && ctx.Err() == nil {
				err = fmt.Errorf("follow %s: %w", o.Topic, err)
			}
			return err
		})
	}
	if err = g.Wait(); errors.Is(err, errNotOurs) {
		return nil
	}
	return err
}

// untilOthers returns when the topic is another process's, or has other partitions.
func (s *Stream) untilOthers(ctx context.Context, o *FollowOptions, partitions []int) error {
	for since := time.Now(); ctx.Err() == nil; rest(ctx, followPause) {
		if !o.Ours() {
			return errNotOurs
		}
		if time.Since(since) < followCheck {
			continue
		}
		since = time.Now()
		if now, err := s.partitionsOf(ctx, o.Topic); err == nil && !slices.Equal(now, partitions) {
			return errNotOurs
		}
	}
	return ctx.Err()
}

// partitionsOf lists the partitions of a topic, in order.
func (s *Stream) partitionsOf(ctx context.Context, topic string) ([]int, error) {
	meta, err := s.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("look for topic %s: %w", topic, err)
	}
	var out []int
	for _, t := range meta.Topics {
		if t.Name == topic && t.Error == nil {
			for _, p := range t.Partitions {
				out = append(out, p.ID)
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("topic %s: %w", topic, kafka.UnknownTopicOrPartition)
	}
	slices.Sort(out)
	return out, nil
}

func (s *Stream) followPartition(ctx context.Context, o *FollowOptions, partition int, behind *int64) error {
	c := &coordinator{s: s, group: s.cfg.TopicPrefix + o.Group}
	defer c.close()
	from, err := c.committed(ctx, o.Topic, partition)
	if err != nil {
		return err
	}
	f := &fetcher{leader: s.dialLeader(o.Topic, partition), topic: o.Topic, partition: partition, offset: from, end: -1}
	defer f.close()
	done := from
	for {
		got, err := f.fetch(ctx, requestTimeout)
		switch {
		case errors.Is(err, errWaited):
			continue
		case errors.Is(err, errTrimmed):
			s.log.Warn("records of a followed topic were gone before they were read", "topic", o.Topic, "partition", partition, "records", f.start-f.offset)
			s.met.followLost.Add(float64(f.start - f.offset))
			f.offset = f.start
			continue
		case errors.Is(err, kafka.OffsetOutOfRange): // it was made anew
			f.offset, done = 0, 0
			rest(ctx, followPause)
			continue
		case err != nil:
			return err
		}
		var values [][]byte
		if err := got.each(func(e entry) error {
			if e.value != nil {
				values = append(values, e.value)
			}
			return nil
		}); err != nil {
			return err
		}
		if len(values) > 0 {
			if err := o.Take(ctx, values); err != nil {
				return fmt.Errorf("take records: %w", err)
			}
			s.met.followed.Add(float64(len(values)))
		}
		s.met.followBehind.Add(float64(max(0, f.end-f.offset) - *behind))
		*behind = max(0, f.end-f.offset)
		if f.offset > done {
			err := c.commit(ctx, o.Topic, partition, f.offset)
			if err != nil { // brokers hang up when there was nothing to say for long
				err = c.commit(ctx, o.Topic, partition, f.offset)
			}
			if err != nil {
				return err
			}
			done = f.offset
		}
	}
}

// committed returns how far the group has come in a partition; 0 when nobody has said.
func (c *coordinator) committed(ctx context.Context, topic string, partition int) (int64, error) {
	answer, err := c.ask(ctx, requestTimeout, offsetFetchVersion, &offsetfetch.Request{
		GroupID: c.group, Topics: []offsetfetch.RequestTopic{{Name: topic, PartitionIndexes: []int32{int32(partition)}}}, //nolint:gosec // Kafka counts in 32 bits
	})
	if err != nil {
		return 0, fmt.Errorf("ask how far %s has come: %w", c.group, err)
	}
	res, ok := answer.(*offsetfetch.Response)
	if !ok {
		return 0, fmt.Errorf("ask how far %s has come: an answer of kind %T", c.group, answer)
	}
	err, at := c.verdict(res.ErrorCode), int64(0)
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			err, at = errors.Join(err, c.verdict(p.ErrorCode)), max(at, p.CommittedOffset)
		}
	}
	if err != nil && !errors.Is(err, kafka.GroupIdNotFound) {
		return 0, fmt.Errorf("ask how far %s has come: %w", c.group, err)
	}
	return at, nil
}

// commit says how far the group has come, also when ctx is done meanwhile: otherwise the next reader
// takes again what was taken. The group has no members, so nobody has to join it.
func (c *coordinator) commit(ctx context.Context, topic string, partition int, offset int64) error {
	answer, err := c.ask(context.WithoutCancel(ctx), commitTimeout, offsetCommitVersion, &offsetcommit.Request{
		GroupID: c.group, GenerationID: -1, RetentionTimeMs: -1,
		Topics: []offsetcommit.RequestTopic{{Name: topic, Partitions: []offsetcommit.RequestPartition{
			{PartitionIndex: int32(partition), CommittedOffset: offset}, //nolint:gosec // Kafka counts in 32 bits
		}}},
	})
	if err != nil {
		return fmt.Errorf("commit for %s: %w", c.group, err)
	}
	res, ok := answer.(*offsetcommit.Response)
	if !ok || len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return fmt.Errorf("commit for %s: an answer of kind %T", c.group, answer)
	}
	if err := c.verdict(res.Topics[0].Partitions[0].ErrorCode); err != nil {
		return fmt.Errorf("commit for %s: %w", c.group, err)
	}
	return nil
}
