package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	kafka "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// When the embedded broker tidies up.
const (
	lookEvery     = 10 * time.Second
	retainEvery   = time.Hour
	compactEvery  = time.Hour
	compactFactor = 4        // live bytes to bytes there are
	compactFrom   = 64 << 20 // less is not worth a pause
	unreadMax     = 1 << 30  // so much may wait for who has not read it
	compactWait   = 10 * time.Minute
)

// BrokerOptions are what StartBroker needs.
type BrokerOptions struct {
	// DataDir is the folder of the log. It belongs to one process at a time.
	DataDir string
	// Port of 127.0.0.1; 0: a free one.
	Port   int
	Config Config
	// Unread tells whether somebody follows the compacted topics who has not read all that is in them: a compaction takes
	// what was replaced, and would take it away unread. It is asked before each compaction, which then waits, though not
	// for ever. Nil: nobody does.
	Unread     func() bool
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Broker is the embedded Kafka: one node on a port of the loopback interface that keeps its log
// on disk and answers a write when it is synced. It stands in for a cluster where there is none;
// it replicates nothing.
type Broker struct {
	dir     string // holds kfake's files and, while it compacts, links to them
	log     *brokerLog
	met     *brokerMetrics
	lock    *os.File
	cluster *kfake.Cluster
	addr    string
	client  *kafka.Client

	deleted, compacted []string // topics by how they are cleaned up
	events             string
	eventsMax          int64
	unread             func() bool

	stop context.CancelFunc
	done sync.WaitGroup

	mu        sync.Mutex // one compaction at a time
	wanted    atomic.Bool
	result    chan error
	live      int64     // compacted bytes right after the last compaction
	compactAt time.Time // of the last compaction
	retainAt  time.Time
}

type brokerMetrics struct {
	pause   prometheus.Histogram
	bytes   *prometheus.GaugeVec // by topic
	trimmed prometheus.Counter
}

func newBrokerMetrics(reg prometheus.Registerer) *brokerMetrics {
	f := promauto.With(reg)
	return &brokerMetrics{
		pause: f.NewHistogram(prometheus.HistogramOpts{
			Name:    "signalbox_stream_broker_compaction_duration_seconds",
			Help:    "How long the embedded broker stood still for each compaction.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}),
		bytes: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "signalbox_stream_broker_log_bytes", Help: "Size of the embedded broker's log, by topic.",
		}, []string{"topic"}),
		trimmed: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_stream_broker_trimmed_records_total", Help: "Inputs that left the embedded broker's log because they were old or too many.",
		}),
	}
}

// StartBroker starts the embedded broker on 127.0.0.1. It repairs what a crash
// during a compaction left, compacts, and only then is its address known to anybody.
func StartBroker(opts BrokerOptions) (_ *Broker, err error) {
	switch {
	case opts.DataDir == "":
		return nil, errors.New("broker: DataDir is missing")
	case opts.Logger == nil:
		return nil, errors.New("broker: Logger is missing")
	case opts.Registerer == nil:
		return nil, errors.New("broker: Registerer is missing")
	}
	if err := opts.Config.Validate(); err != nil {
		return nil, err
	}
	b := &Broker{
		dir: opts.DataDir, log: &brokerLog{log: opts.Logger.With("component", "broker")},
		events: opts.Config.topicName(topicEvents), eventsMax: opts.Config.EventsMaxBytes,
		unread: opts.Unread, result: make(chan error, 1),
	}
	if b.unread == nil {
		b.unread = func() bool { return false }
	}
	for _, t := range opts.Config.topics() {
		if isCompacted(t) {
			b.compacted = append(b.compacted, t.Topic)
		} else {
			b.deleted = append(b.deleted, t.Topic)
		}
	}
	if b.lock, err = lockDir(opts.DataDir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if err := b.repair(); err != nil {
		return nil, fmt.Errorf("repair the log after an interrupted compaction: %w", err)
	}
	b.met = newBrokerMetrics(opts.Registerer)
	if err := b.startCluster(opts.Port); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	b.done.Go(func() { b.run(ctx) })
	return b, nil
}

func isCompacted(t kafka.TopicConfig) bool {
	for _, e := range t.ConfigEntries {
		if e.ConfigName == cleanupPolicy {
			return strings.Contains(e.ConfigValue, "compact")
		}
	}
	return false
}

func (b *Broker) startCluster(port int) (err error) {
	b.cluster, err = kfake.NewCluster(
		kfake.Ports(port),
		kfake.NumBrokers(1),
		kfake.DataDir(b.logDir()),
		kfake.SyncWrites(),
		kfake.DefaultNumPartitions(1),
		kfake.WithLogger(b.log),
		kfake.BrokerConfigs(map[string]string{
			// kfake compacts and trims on a timer and on its only goroutine; we choose the moment.
			"log.cleaner.backoff.ms": strconv.FormatInt((10 * 365 * 24 * time.Hour).Milliseconds(), 10),
			// kfake applies the retention to compacted topics, too, where it would eat what is in force.
			"log.retention.ms":  "-1",
			"message.max.bytes": strconv.Itoa(maxMessage),
			// Whatever Config takes.
			"group.min.session.timeout.ms": strconv.FormatInt(minSession.Milliseconds(), 10),
			"group.max.session.timeout.ms": strconv.FormatInt(maxSession.Milliseconds(), 10),
		}),
	)
	if err != nil {
		return fmt.Errorf("open the log in %s: %w", b.logDir(), err)
	}
	b.addr = b.cluster.ListenAddrs()[0]
	b.client = &kafka.Client{
		Addr: kafka.TCP(b.addr), Timeout: compactWait,
		Transport: &kafka.Transport{ClientID: clientID + "-broker", DialTimeout: requestTimeout},
	}
	b.cluster.ControlKey(int16(kmsg.DescribeUserSCRAMCredentials), b.atRest)
	return nil
}

// prepare tidies up while nobody else knows our address.
func (b *Broker) prepare(ctx context.Context) error {
	if err := b.keep(ctx, time.Now()); err != nil {
		return err
	}
	if !b.waits(b.measure()) {
		if err := b.compact(); err != nil {
			return fmt.Errorf("compact the log in %s: %w", b.logDir(), err)
		}
	}
	b.cluster.ApplyRetention()
	b.retainAt = time.Now()
	b.measure()
	return nil
}

// Addr returns the address (host:port) to connect to.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker. What was acknowledged is on disk.
func (b *Broker) Close() error {
	if b.stop != nil {
		b.stop()
	}
	b.done.Wait()
	if b.client != nil {
		if t, ok := b.client.Transport.(*kafka.Transport); ok {
			t.CloseIdleConnections()
		}
	}
	if b.cluster != nil {
		b.cluster.Close()
	}
	if b.lock == nil {
		return nil
	}
	lock := b.lock
	b.lock = nil
	return lock.Close()
}

func (b *Broker) logDir() string { return filepath.Join(b.dir, "kafka") }

// run tidies up while the broker works.
func (b *Broker) run(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			b.tidy(ctx, now)
		}
	}
}

func (b *Broker) tidy(ctx context.Context, now time.Time) {
	sizes := b.measure()
	over := b.eventsMax > 0 && b.largestEvents() > b.eventsMax
	if over || now.Sub(b.retainAt) >= retainEvery {
		if err := b.retain(ctx, now); err != nil && ctx.Err() == nil {
			b.log.log.Warn("old inputs stay for now", "err", err)
		}
	}
	b.mu.Lock()
	due := sizes > compactFrom && sizes > compactFactor*b.live && now.Sub(b.compactAt) >= compactEvery
	b.mu.Unlock()
	if due && !b.waits(sizes) {
		// Close waits for it: nothing is gained by breaking it off.
		if err := b.compactNow(context.WithoutCancel(ctx)); err != nil {
			b.log.log.Warn("the log was not compacted", "err", err)
		}
	}
}

// waits tells whether a compaction has to wait for who has not read everything yet.
func (b *Broker) waits(compacted int64) bool { return compacted < unreadMax && b.unread() }

// retain enforces how long and how much of events and the dead letters is kept.
func (b *Broker) retain(ctx context.Context, now time.Time) error {
	if err := b.keep(ctx, now); err != nil {
		return err
	}
	before := b.starts()
	b.cluster.ApplyRetention()
	b.retainAt = now
	b.met.trimmed.Add(float64(b.starts() - before))
	return nil
}

// starts sums up where the partitions of events begin.
func (b *Broker) starts() (sum int64) {
	for _, p := range b.cluster.PartitionInfos(b.events) {
		sum += p.LogStartOffset
	}
	return sum
}

func (b *Broker) largestEvents() (n int64) {
	for _, p := range b.cluster.PartitionInfos(b.events) {
		n = max(n, p.NumBytes)
	}
	return n
}

// keep writes a record of our own to every partition that may be about to expire as a whole. Once
// kfake has deleted all segments of a partition, the next start begins it at offset 0 again, and
// every position on it would be wrong.
func (b *Broker) keep(ctx context.Context, now time.Time) error {
	for _, topic := range b.deleted {
		for _, p := range b.cluster.PartitionInfos(topic) {
			if p.HighWatermark == 0 {
				continue
			}
			var batch batch
			batch.add([]byte(keepKey), nil)
			_, err := produceOnce(ctx, b.client, topic, int(p.Partition), batch.seal(anonymous(), now))
			if err != nil {
				return fmt.Errorf("keep the offsets of %s/%d: %w", topic, p.Partition, err)
			}
		}
	}
	return nil
}

// measure notes the size of every topic and returns that of the compacted ones.
func (b *Broker) measure() (compacted int64) {
	size := func(topic string) (n int64) {
		for _, p := range b.cluster.PartitionInfos(topic) {
			n += p.NumBytes
		}
		b.met.bytes.WithLabelValues(topic).Set(float64(n))
		return n
	}
	for _, topic := range b.deleted {
		size(topic)
	}
	for _, topic := range b.compacted {
		compacted += size(topic)
	}
	return compacted
}

// brokerLog passes kfake's warnings on, and counts them: some failures it reports only so.
type brokerLog struct {
	log      *slog.Logger
	warnings atomic.Int64
}

// Logf implements kfake's Logger.
func (l *brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError, kfake.LogLevelWarn:
		l.warnings.Add(1)
		l.log.Warn("the log complains", "what", fmt.Sprintf(format, args...))
	}
}
