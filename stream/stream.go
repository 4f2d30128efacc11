// Package stream is the house's only door to Kafka: topics, codecs, the batcher that answers
// senders, the fenced producer and the one-batch checkpoints of a shard, versions of large
// inputs, and the tail that feeds the board. It also holds the embedded broker. It refuses to
// know what an alert means: values go through as they are. What it promises, and what can be
// lost when, is written in DESIGN.md; package streamtest holds the promises as tests.
//
// A Stream and its Door are safe for concurrent use. A Shard belongs to one goroutine.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/itsm"

	"github.com/prometheus/client_golang/prometheus"
	kafka "github.com/segmentio/kafka-go"
)

const (
	requestTimeout = 10 * time.Second
	retryPause     = 50 * time.Millisecond
)

// Options are what wiring passes in.
type Options struct {
	Config Config
	// Brokers are the addresses to start from; Config.Brokers when empty.
	Brokers    []string
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// ShardBy are the labels that choose the shard of an alert (correlate.shard_by).
	ShardBy []string
	// Dial connects to a broker; nil: TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Stream is the connection to one set of topics.
type Stream struct {
	cfg       Config
	log       *slog.Logger
	met       *metrics
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	codec     kafka.Compression
	transport *kafka.Transport
	client    *kafka.Client
	epoch     string
	door      *Door
	versions  *versions
}

// Open connects, creates missing topics, checks the others and makes sure that the incidents
// topic has an epoch. It starts no goroutine of its own.
func Open(ctx context.Context, opts Options) (*Stream, error) {
	brokers := opts.Brokers
	if len(brokers) == 0 {
		brokers = opts.Config.Brokers
	}
	switch {
	case len(brokers) == 0:
		return nil, errors.New("stream: Brokers is missing")
	case opts.Registerer == nil:
		return nil, errors.New("stream: Registerer is missing")
	case opts.Logger == nil:
		return nil, errors.New("stream: Logger is missing")
	}
	if err := opts.Config.Validate(); err != nil {
		return nil, err
	}
	dial := opts.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: requestTimeout}).DialContext
	}
	dial, err := opts.Config.secured(dial)
	if err != nil {
		return nil, err
	}
	// Kafka's client library logs nothing; the context of its background work ends with Close.
	transport := &kafka.Transport{ClientID: clientID, Dial: dial, DialTimeout: requestTimeout, IdleTimeout: time.Minute}
	s := &Stream{
		cfg: opts.Config, log: opts.Logger.With("component", "stream"), met: newMetrics(opts.Registerer),
		dial: dial, transport: transport,
		client: &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: requestTimeout, Transport: transport},
	}
	s.codec, _ = compression(opts.Config.Compression) // Validate has looked
	s.versions = newVersions(s)
	s.door = newDoor(s, opts.ShardBy)
	err = s.createTopics(ctx)
	if err == nil {
		if err := s.setRetention(ctx); err != nil { // e.g. we may not; the topic works all the same
			s.log.WarnContext(ctx, "the retention of events is not as configured", "err", err)
		}
		err = s.ensureEpoch(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open stream: %w", err), s.Close())
	}
	return s, nil
}

// Close gives the connections back. Call it when everything that uses the Stream has ended.
func (s *Stream) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Door returns the way in.
func (s *Stream) Door() *Door { return s.door }

// Shards returns the number of shards.
func (s *Stream) Shards() int { return s.cfg.Shards }

// Epoch identifies the incidents topic: offsets on it compare only within one epoch.
func (s *Stream) Epoch() string { return s.epoch }

// dialLeader returns a function that connects to the leader of a partition.
func (s *Stream) dialLeader(topic string, partition int) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		meta, err := s.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return nil, fmt.Errorf("find leader: %w", err)
		}
		for _, t := range meta.Topics {
			for _, p := range t.Partitions {
				if t.Name == topic && p.ID == partition && p.Leader.Host != "" {
					return s.dial(ctx, "tcp", net.JoinHostPort(p.Leader.Host, strconv.Itoa(p.Leader.Port)))
				}
			}
		}
		return nil, kafka.LeaderNotAvailable
	}
}

func (s *Stream) fetcher(t itsm.Topic, partition int, offset int64) *fetcher {
	name := s.cfg.topicName(t)
	return &fetcher{leader: s.dialLeader(name, partition), topic: name, partition: partition, offset: offset, end: -1}
}

// errStop ends a scan early without an error.
var errStop = errors.New("stop")

// scan yields the records of a partition from its beginning to its present end.
func (s *Stream) scan(ctx context.Context, t itsm.Topic, partition int, yield func(entry) error) error {
	return s.scanFrom(ctx, t, partition, 0, yield)
}

func (s *Stream) scanFrom(ctx context.Context, t itsm.Topic, partition int, from int64, yield func(entry) error) error {
	f := s.fetcher(t, partition, from)
	f.hurry = true
	defer f.close()
	end := int64(-1)
	give := newPatience(s.cfg.ProduceTimeout)
	for {
		c, err := f.fetch(ctx, requestTimeout)
		switch {
		case errors.Is(err, errTrimmed):
			f.offset = f.start
			continue
		case err != nil:
			if err = give.retry(ctx, err); err != nil {
				return err
			}
			continue
		}
		give.reset()
		if end < 0 {
			end = f.end
		}
		err = c.each(func(e entry) error {
			if e.offset >= end {
				return errStop
			}
			return yield(e)
		})
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("scan %s/%d: %w", t, partition, err)
		}
		if f.offset >= end {
			return nil
		}
	}
}

// endOf returns the offset behind the last record of a partition.
func (s *Stream) endOf(ctx context.Context, t itsm.Topic, partition int) (int64, error) {
	name := s.cfg.topicName(t)
	give := newPatience(s.cfg.ProduceTimeout)
	for {
		res, err := s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
			Topics: map[string][]kafka.OffsetRequest{name: {kafka.LastOffsetOf(partition)}},
		})
		if err == nil && len(res.Topics[name]) != 1 {
			err = kafka.UnknownTopicOrPartition
		}
		if err == nil {
			if err = res.Topics[name][0].Error; err == nil {
				return res.Topics[name][0].LastOffset, nil
			}
		}
		if err = give.retry(ctx, err); err != nil {
			return 0, fmt.Errorf("find the end of %s/%d: %w", t, partition, err)
		}
	}
}

// produce writes one sealed batch without a producer id: a repeat after a lost answer doubles
// it, so it serves idempotent inputs only. It returns the offset of the first record.
func (s *Stream) produce(ctx context.Context, t itsm.Topic, partition int, sealed []byte) (int64, error) {
	give := newPatience(s.cfg.ProduceTimeout)
	for {
		at, err := s.send(ctx, s.cfg.topicName(t), partition, sealed)
		if err == nil {
			return at, nil
		}
		s.met.retries.Inc()
		if err = give.retry(ctx, err); err != nil {
			return 0, err
		}
	}
}

// patience retries what may pass, for a bounded time.
type patience struct {
	limit time.Duration
	since time.Time
}

// forever is for readers that others depend on: they have nothing better to do than to wait for the broker.
const forever = time.Duration(math.MaxInt64)

func newPatience(limit time.Duration) *patience { return &patience{limit: limit} }

func (p *patience) reset() { p.since = time.Time{} }

// retry waits a moment and returns nil when trying again makes sense, else the error. It wraps
// itsm.ErrUnavailable when the broker may recover, only not soon enough.
func (p *patience) retry(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case errors.Is(err, kafka.Unknown): // e.g. the embedded broker's disk is full
		if p.limit < forever {
			return fmt.Errorf("%w: %w", itsm.ErrUnavailable, err)
		}
	case !transient(err):
		return err
	}
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	if now.Sub(p.since) > p.limit {
		return fmt.Errorf("%w: gave up after %s: %w", itsm.ErrUnavailable, p.limit, err)
	}
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transient tells whether the same request may succeed later. What Kafka did not say itself is a
// matter of the network.
func transient(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return !errors.Is(err, errCorrupt)
	}
	switch code {
	case kafka.LeaderNotAvailable, kafka.NotLeaderForPartition, kafka.RequestTimedOut, kafka.BrokerNotAvailable,
		kafka.ReplicaNotAvailable, kafka.NetworkException, kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable,
		kafka.NotCoordinatorForGroup, kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.KafkaStorageError,
		kafka.UnknownTopicOrPartition, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch:
		return true
	}
	return false
}

// memo is a small cache of the last values by key.
type memo struct {
	mu   sync.Mutex
	keys []string
	vals map[string][]byte
}

const memoSize = 8

func (m *memo) get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.vals[key]
	return v, ok
}

func (m *memo) put(key string, v []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.vals == nil {
		m.vals = map[string][]byte{}
	}
	if _, ok := m.vals[key]; !ok {
		if m.keys = append(m.keys, key); len(m.keys) > memoSize {
			delete(m.vals, m.keys[0])
			m.keys = m.keys[1:]
		}
	}
	m.vals[key] = v
}

// ours tells whether a key is one of the owner and fence records, which are nobody's business.
func ours(key []byte) bool {
	k := string(key)
	return strings.HasPrefix(k, ownerPrefix) || strings.HasPrefix(k, fencePrefix) || k == keepKey
}
