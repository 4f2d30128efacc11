package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"signalbox/itsm"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// send writes one encoded batch with acks=all and returns the offset of its first record.
func (s *Stream) send(ctx context.Context, topic string, partition int, sealed []byte) (int64, error) {
	return produceOnce(ctx, s.client, topic, partition, sealed)
}

func produceOnce(ctx context.Context, c *kafka.Client, topic string, partition int, sealed []byte) (int64, error) {
	res, err := c.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(sealed)},
	})
	if err != nil {
		return 0, err
	}
	return res.BaseOffset, res.Error
}

// place is one partition of one topic.
type place struct {
	topic     itsm.Topic
	partition int
}

// producer is the one writer of a shard's outputs. Kafka refuses every older one (ErrFenced),
// and absorbs a batch that is sent twice. When the fate of a batch stays unknown, the producer is
// broken for good: only a new one, with a new epoch, may write, after reading what is there.
//
// Batches to different places may be written at the same time, those to one place in order.
type producer struct {
	s     *Stream
	id    int64
	epoch int16

	mu     sync.Mutex
	next   map[place]int32 // sequence numbers
	broken error
}

// newProducer registers a transactional id, which gives the producer a new epoch and makes the
// coordinator refuse older ones. Partitions refuse them from the first write of the new one on.
func newProducer(ctx context.Context, s *Stream, transactionalID string) (*producer, error) {
	give := newPatience(s.cfg.ProduceTimeout)
	for {
		res, err := s.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{
			// -1 asks for any; the zero values would mean "I was producer 0".
			TransactionalID: transactionalID, TransactionTimeoutMs: 60000, ProducerID: -1, ProducerEpoch: -1,
		})
		if err == nil {
			err = res.Error
		}
		if err == nil {
			return &producer{
				s: s, id: int64(res.Producer.ProducerID), epoch: int16(res.Producer.ProducerEpoch), next: map[place]int32{},
			}, nil
		}
		// A second initialisation at the same time is a reason to come again, too.
		if errors.Is(err, kafka.ConcurrentTransactions) {
			err = kafka.GroupLoadInProgress
		}
		if err = give.retry(ctx, err); err != nil {
			return nil, fmt.Errorf("init producer %s: %w", transactionalID, err)
		}
	}
}

// write writes one batch and returns when it is acknowledged by all replicas. It seals b.
func (p *producer) write(ctx context.Context, at place, b *batch) error {
	p.mu.Lock()
	seq, err := p.next[at], p.broken
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if int64(seq)+int64(b.count) > math.MaxInt32 {
		err := fmt.Errorf("%w: sequence numbers are used up", itsm.ErrUnavailable)
		p.fail(err)
		return err
	}
	if err := b.squeeze(p.s.codec); err != nil {
		p.fail(err)
		return err
	}
	start := time.Now()
	sealed := b.seal(identity{producer: p.id, epoch: p.epoch, sequence: seq}, start)
	give := newPatience(p.s.cfg.ProduceTimeout)
	for {
		_, err := p.s.send(ctx, p.s.cfg.topicName(at.topic), at.partition, sealed)
		if err == nil || errors.Is(err, kafka.DuplicateSequenceNumber) {
			break
		}
		p.s.met.retries.Inc()
		if err = p.verdict(ctx, err, give); err != nil {
			err = fmt.Errorf("write %d records to %s/%d: %w", b.count, at.topic, at.partition, err)
			p.fail(err)
			return err
		}
	}
	p.mu.Lock()
	p.next[at] = seq + int32(b.count)
	p.mu.Unlock()
	p.s.met.writeSeconds.WithLabelValues(string(at.topic)).Observe(time.Since(start).Seconds())
	p.s.met.written.WithLabelValues(string(at.topic)).Add(float64(b.count))
	return nil
}

// verdict returns nil when the same batch may be sent again. A failure inside the broker (code
// -1) may not: it can have counted the sequence number without keeping the batch, and would take
// a repeat for a duplicate.
func (p *producer) verdict(ctx context.Context, err error, give *patience) error {
	if errors.Is(err, kafka.InvalidProducerEpoch) || errors.Is(err, kafka.ProducerFenced) ||
		errors.Is(err, kafka.TransactionCoordinatorFenced) {
		return itsm.ErrFenced
	}
	if errors.Is(err, kafka.OutOfOrderSequenceNumber) || errors.Is(err, kafka.UnknownProducerId) {
		// The broker has lost what it knew of us; a new epoch begins anew.
		return fmt.Errorf("%w: %w", itsm.ErrUnavailable, err)
	}
	return give.retry(ctx, err)
}

func (p *producer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil {
		p.broken = fmt.Errorf("producer of the shard ended: %w", err)
	}
}
