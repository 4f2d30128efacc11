package stream

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Config is the section `kafka` of the configuration file.
type Config struct {
	// Brokers are the addresses (host:port) to start from. Empty: the embedded broker.
	Brokers []string `yaml:"brokers"`
	// How to connect with TLS.
	TLS TLSConfig `yaml:"tls"`
	// How to log in.
	SASL SASLConfig `yaml:"sasl"`
	// Compression of what is written: none, gzip, snappy, lz4 or zstd. Default none.
	Compression string `yaml:"compression"`
	// TopicPrefix stands before the name of every topic and transactional id, e.g. "prod.".
	TopicPrefix string `yaml:"topic_prefix"`
	// Shards is the number of partitions of `events`; fixed when the topics are created. Default 1.
	Shards int `yaml:"shards"`
	// Replication is the replication factor of new topics. Default -1: the broker's own.
	Replication int `yaml:"replication"`
	// EventsRetention is how long inputs are kept for export and replay. Default 168h.
	EventsRetention time.Duration `yaml:"events_retention"`
	// EventsMaxBytes bounds what is kept of them in each shard, 0: no bound. Default 1 GiB; after a
	// crash the embedded broker needs as much memory to start.
	EventsMaxBytes int64 `yaml:"events_max_bytes"`
	// Linger is how long a record may wait for more alerts before it is closed. Default 5ms.
	Linger time.Duration `yaml:"linger"`
	// QueueBytes bounds what waits in memory for each shard; beyond it senders get 503. Default 64 MiB.
	QueueBytes int `yaml:"queue_bytes"`
	// QueueEntries bounds how many requests wait for each shard. Default 10000.
	QueueEntries int `yaml:"queue_entries"`
	// ProduceTimeout is how long a write is tried before it fails. Default 10s.
	ProduceTimeout time.Duration `yaml:"produce_timeout"`
	// SessionTimeout is how long a process may be silent before others take over its shards; brokers
	// usually accept 6s to 30m. Default 10s.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// AlertmanagerEventsTopic is the whole name of a topic on these brokers into which Alertmanagers' event
	// recorders write (kafka_outputs, as JSON). Empty: none.
	AlertmanagerEventsTopic string `yaml:"alertmanager_events_topic"`
}

// DefaultConfig returns the configuration without a file.
func DefaultConfig() Config {
	return Config{
		Compression:     "none",
		Shards:          1,
		Replication:     -1,
		EventsRetention: 7 * 24 * time.Hour,
		EventsMaxBytes:  1 << 30,
		Linger:          5 * time.Millisecond,
		QueueBytes:      64 << 20,
		QueueEntries:    10000,
		ProduceTimeout:  10 * time.Second,
		SessionTimeout:  10 * time.Second,
	}
}

// What kafka.session_timeout may be.
const minSession, maxSession = time.Second, 30 * time.Minute

var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{0,249}$`)

var prefixPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{0,100}$`)

// Validate returns every fault, each with its path in the file.
func (c *Config) Validate() error {
	var errs []error
	fault := func(bad bool, path, format string, args ...any) {
		if bad {
			errs = append(errs, errors.New("kafka."+path+": "+fmt.Sprintf(format, args...)))
		}
	}
	c.authFaults(fault)
	_, known := compression(c.Compression)
	fault(!known, "compression", "must be none, gzip, snappy, lz4 or zstd, got %q", c.Compression)
	fault(!prefixPattern.MatchString(c.TopicPrefix), "topic_prefix",
		"only letters, digits, '.', '_' and '-', at most 100, got %q", c.TopicPrefix)
	fault(c.Shards < 1 || c.Shards > 1000, "shards", "must be 1 to 1000, got %d", c.Shards)
	fault(c.Replication == 0 || c.Replication < -1, "replication", "must be -1 or positive, got %d", c.Replication)
	fault(c.EventsRetention < time.Hour, "events_retention", "must be at least 1h, got %s", c.EventsRetention)
	fault(c.EventsMaxBytes != 0 && c.EventsMaxBytes < 1<<20, "events_max_bytes", "must be 0 (no bound) or at least 1048576, got %d", c.EventsMaxBytes)
	fault(c.Linger < 0 || c.Linger > time.Second, "linger", "must be 0 to 1s, got %s", c.Linger)
	fault(c.QueueBytes < maxPart, "queue_bytes", "must be at least %d, got %d", maxPart, c.QueueBytes)
	fault(c.QueueEntries < 1, "queue_entries", "must be positive, got %d", c.QueueEntries)
	fault(c.ProduceTimeout < time.Second, "produce_timeout", "must be at least 1s, got %s", c.ProduceTimeout)
	fault(c.SessionTimeout < minSession || c.SessionTimeout > maxSession, "session_timeout", "must be 1s to 30m, got %s", c.SessionTimeout)
	fault(!topicPattern.MatchString(c.AlertmanagerEventsTopic), "alertmanager_events_topic",
		"only letters, digits, '.', '_' and '-', at most 249, got %q", c.AlertmanagerEventsTopic)
	fault(c.AlertmanagerEventsTopic != "" && len(c.Brokers) == 0, "alertmanager_events_topic", "needs kafka.brokers: nobody else reaches the embedded broker")
	for i, b := range c.Brokers {
		fault(b == "", fmt.Sprintf("brokers[%d]", i), "is empty")
	}
	return errors.Join(errs...)
}
