package store

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Config is the section `clickhouse` of the configuration file.
type Config struct {
	// Addresses are servers (host:port of ClickHouse's HTTP interface). Empty: the embedded engine.
	Addresses []string `yaml:"addresses"`
	// Database holds our tables; it is created when missing. Default "signalbox".
	Database string `yaml:"database"`
	// Username logs in to the servers. Default "default".
	Username string `yaml:"username"`
	// PasswordFile holds the password alone. Default "": none.
	PasswordFile string `yaml:"password_file"`
	// TLS connects with https.
	TLS bool `yaml:"tls"`
	// Cluster creates the tables ON CLUSTER under this name, with replicated engines. Default "": one server.
	Cluster string `yaml:"cluster"`
	// Retention is how long history is kept. Default 2160h (90 days).
	Retention time.Duration `yaml:"retention"`
	// EventsRetention is how long the recorded inputs are kept, from which `replay` runs. Default 720h (30 days).
	EventsRetention time.Duration `yaml:"events_retention"`
	// SamplesRetention is how long telemetry is kept. Default 720h (30 days).
	SamplesRetention time.Duration `yaml:"samples_retention"`
	// Library is the path of libchdb, the embedded engine; "off": no history. Default: where `make chdb` puts it,
	// beside the program, or in the system's library folders.
	Library string `yaml:"library"`
}

// DefaultConfig returns the configuration without a file.
func DefaultConfig() Config {
	return Config{
		Database: "signalbox", Username: "default",
		Retention: 90 * 24 * time.Hour, EventsRetention: 30 * 24 * time.Hour, SamplesRetention: 30 * 24 * time.Hour,
	}
}

// Off is the value of Library that turns history off.
const Off = "off"

var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`)

// Validate returns every fault, each with its path in the file.
func (c *Config) Validate() error {
	var errs []error
	if !name.MatchString(c.Database) {
		errs = append(errs, fmt.Errorf("clickhouse.database: letters, digits and '_' are expected, got %q", c.Database))
	}
	if c.Cluster != "" && !name.MatchString(c.Cluster) {
		errs = append(errs, fmt.Errorf("clickhouse.cluster: letters, digits and '_' are expected, got %q", c.Cluster))
	}
	if c.Cluster != "" && len(c.Addresses) == 0 {
		errs = append(errs, errors.New("clickhouse.cluster: needs clickhouse.addresses; the embedded engine is alone"))
	}
	for _, r := range []struct {
		key  string
		kept time.Duration
	}{{"retention", c.Retention}, {"events_retention", c.EventsRetention}, {"samples_retention", c.SamplesRetention}} {
		if r.kept < 24*time.Hour {
			errs = append(errs, fmt.Errorf("clickhouse.%s: must be at least 24h, got %s", r.key, r.kept))
		}
	}
	for i, a := range c.Addresses {
		if a == "" {
			errs = append(errs, fmt.Errorf("clickhouse.addresses[%d]: is empty", i))
		}
	}
	return errors.Join(errs...)
}
