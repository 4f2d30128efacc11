package stream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"

	kafka "github.com/segmentio/kafka-go"
)

// Topics that only this package uses; the public ones are itsm's.
const (
	topicEvents                = itsm.TopicEvents
	topicState      itsm.Topic = "state"
	topicDeadletter itsm.Topic = "deadletter"
)

// Reserved keys. Everything that begins with "_" is ours.
const (
	keyEpoch    = "_epoch"
	ownerPrefix = "_owner/"
	fencePrefix = "_fence/"
	keepKey     = "_keep"
)

const cleanupPolicy = "cleanup.policy"

// maxMessage is the largest batch a topic takes (max.message.bytes). A checkpoint is one batch.
const maxMessage = 64 << 20

// compactedSegment is the size of a segment of a compacted topic; a batch must fit in.
const compactedSegment = 100 << 20

// schemaVersion is the version of the rows on the incidents topic. Another one is another epoch
// for everyone who watches.
const schemaVersion = 1

// compactionLag is how long what was replaced stays on the public topics for who follows them.
const compactionLag = 6 * time.Hour

// topicName returns a topic's name on the broker.
func (c *Config) topicName(t itsm.Topic) string { return c.TopicPrefix + "signalbox." + string(t) }

// topics returns every topic with its configuration.
func (c *Config) topics() map[itsm.Topic]kafka.TopicConfig {
	// A start reads compacted topics whole. A broker compacts only full segments, which by Kafka's default are 1 GiB.
	compacted := map[string]string{cleanupPolicy: "compact", "segment.bytes": strconv.Itoa(compactedSegment)}
	// History reads every revision, and ClickHouse may be away for some time. The embedded broker does not know the setting
	// and asks instead (BrokerOptions.Unread).
	followed := maps.Clone(compacted)
	followed["min.compaction.lag.ms"] = strconv.FormatInt(compactionLag.Milliseconds(), 10)
	deleted := func(keep time.Duration) map[string]string {
		return map[string]string{cleanupPolicy: "delete", "retention.ms": strconv.FormatInt(keep.Milliseconds(), 10)}
	}
	events := deleted(c.EventsRetention)
	if c.EventsMaxBytes > 0 {
		events["retention.bytes"] = strconv.FormatInt(c.EventsMaxBytes, 10)
	}
	all := map[itsm.Topic]kafka.TopicConfig{}
	add := func(t itsm.Topic, partitions int, settings map[string]string) {
		cfg := kafka.TopicConfig{Topic: c.topicName(t), NumPartitions: partitions, ReplicationFactor: c.Replication}
		settings = maps.Clone(settings)
		settings["max.message.bytes"] = strconv.Itoa(maxMessage)
		for k, v := range settings {
			cfg.ConfigEntries = append(cfg.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
		}
		all[t] = cfg
	}
	// A shard writes one partition of each topic and no other, except on incidents, which has one
	// partition so that a position on it is one number, and cmdb.
	add(topicEvents, c.Shards, events)
	add(itsm.TopicIncidents, 1, followed)
	add(itsm.TopicAlerts, c.Shards, followed)
	add(itsm.TopicTimeline, c.Shards, followed)
	add(itsm.TopicProblems, c.Shards, compacted)
	add(itsm.TopicCMDB, 1, compacted)
	add(topicState, c.Shards, compacted)
	add(topicDeadletter, 1, deleted(14*24*time.Hour))
	return all
}

// partition returns the partition of a topic that a shard writes.
func partition(t itsm.Topic, shard int) int {
	switch t {
	case itsm.TopicIncidents, itsm.TopicCMDB, topicDeadletter:
		return 0
	}
	return shard
}

// createTopics creates what is missing and checks the number of partitions of the rest.
func (s *Stream) createTopics(ctx context.Context) error {
	topics := s.cfg.topics()
	var missing []kafka.TopicConfig
	var errs []error
	meta, err := s.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	have := map[string]int{}
	for _, t := range meta.Topics {
		have[t.Name] = len(t.Partitions)
	}
	for _, want := range topics {
		switch n, ok := have[want.Topic]; {
		case !ok:
			missing = append(missing, want)
		case n != want.NumPartitions:
			errs = append(errs, fmt.Errorf(
				"topic %s has %d partitions, kafka.shards asks for %d: the number of shards is fixed when the topics are created; "+
					"set kafka.shards to %d, or choose another kafka.topic_prefix (or data directory) to start anew",
				want.Topic, n, want.NumPartitions, max(n, have[s.cfg.topicName(topicEvents)])))
		}
	}
	if err := errors.Join(errs...); err != nil || len(missing) == 0 {
		return err
	}
	res, err := s.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for name, err := range res.Errors {
		// Another process may have been faster; its partitions are checked at the next start.
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// setRetention brings what was configured about events to a topic that exists already.
func (s *Stream) setRetention(ctx context.Context) error {
	want := map[string]string{"retention.bytes": "-1"}
	topic := s.cfg.topics()[topicEvents]
	for _, e := range topic.ConfigEntries {
		if strings.HasPrefix(e.ConfigName, "retention.") {
			want[e.ConfigName] = e.ConfigValue
		}
	}
	about := kafka.DescribeConfigRequestResource{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic.Topic, ConfigNames: slices.Sorted(maps.Keys(want)),
	}
	res, err := s.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{about}})
	if err != nil {
		return err
	}
	change := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic.Topic}
	for _, r := range res.Resources {
		if r.Error != nil {
			return r.Error
		}
		for _, e := range r.ConfigEntries {
			if v, ok := want[e.ConfigName]; ok && v != e.ConfigValue {
				change.Configs = append(change.Configs, kafka.IncrementalAlterConfigsRequestConfig{
					Name: e.ConfigName, Value: v, ConfigOperation: kafka.ConfigOperationSet,
				})
			}
		}
	}
	if len(change.Configs) == 0 {
		return nil
	}
	done, err := s.client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{change},
	})
	if err != nil {
		return err
	}
	for _, r := range done.Resources {
		if r.Error != nil {
			return r.Error
		}
	}
	return nil
}

// ensureEpoch makes sure that the incidents topic begins with a record that identifies it: a
// random id and the schema of its rows. Offsets mean something only together with it.
func (s *Stream) ensureEpoch(ctx context.Context) error {
	suffix := "-" + strconv.Itoa(schemaVersion)
	id := ""
	err := s.scan(ctx, itsm.TopicIncidents, 0, func(e entry) error {
		if string(e.key) == keyEpoch && e.value != nil {
			s.epoch = string(e.value)
			if strings.HasSuffix(s.epoch, suffix) {
				return errStop
			}
			id, _, _ = strings.Cut(s.epoch, "-")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read epoch of incidents: %w", err)
	}
	if strings.HasSuffix(s.epoch, suffix) {
		return nil
	}
	if id == "" {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		id = hex.EncodeToString(b[:])
	}
	s.epoch = id + suffix
	var b batch
	b.add([]byte(keyEpoch), []byte(s.epoch))
	if _, err := s.produce(ctx, itsm.TopicIncidents, 0, b.seal(anonymous(), time.Now())); err != nil {
		return fmt.Errorf("write epoch of incidents: %w", err)
	}
	return nil
}
