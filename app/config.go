package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signalbox/correlate"
	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/sla"
	"signalbox/store"
	"signalbox/stream"
)

// Config is the configuration file (signalbox.yml): the rooms' own configurations under their keys.
type Config struct {
	Server     ServerConfig          `yaml:"server"`
	Kafka      stream.Config         `yaml:"kafka"`
	ClickHouse store.Config          `yaml:"clickhouse"`
	Estate     EstateConfig          `yaml:"estate"`
	Identity   ingest.IdentityConfig `yaml:"identity"`
	// Alertmanagers that are read, and whose webhooks are known by name.
	Alertmanagers []alertmanager.Config     `yaml:"alertmanagers"`
	Severity      correlate.SeverityConfig  `yaml:"severity"`
	Incident      correlate.IncidentConfig  `yaml:"incident"`
	Correlate     correlate.CorrelateConfig `yaml:"correlate"`
	SLA           sla.Config                `yaml:"sla"`
	Problem       correlate.ProblemConfig   `yaml:"problem"`
}

// ServerConfig says where the program listens and keeps its data.
type ServerConfig struct {
	// Address of the HTTP server. Anything wider than loopback needs insecure, since there is no login yet.
	Listen string `yaml:"listen"`
	// Allow a listen address that other machines reach, although nobody has to log in.
	Insecure bool `yaml:"insecure"`
	// Folder of the embedded broker's log. Created when missing; one process at a time.
	DataDir string `yaml:"data_dir"`
	// How long a graceful stop may take.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	// Least level of the log lines on standard error: debug, info, warn or error.
	LogLevel string `yaml:"log_level"`
	// Form of the log lines: text or json.
	LogFormat string `yaml:"log_format"`
}

// EstateConfig names the estate files.
type EstateConfig struct {
	// Estate files (.yaml, .json, also .gz), relative to the working directory; each is a part of its own, named by its file name.
	Files []string `yaml:"files"`
	// How often the files are looked at for changes; one that has changed and rested from one look to the next is taken. 0 turns it off (POST /-/reload still reads them).
	WatchInterval time.Duration `yaml:"watch_interval"`
}

// DefaultConfig is what holds without a configuration file.
func DefaultConfig() Config {
	c := correlate.DefaultConfig()
	return Config{
		Server: ServerConfig{
			Listen: "127.0.0.1:7420", DataDir: "data", ShutdownTimeout: 10 * time.Second, LogLevel: "info", LogFormat: "text",
		},
		Kafka:      stream.DefaultConfig(),
		ClickHouse: store.DefaultConfig(),
		Estate:     EstateConfig{WatchInterval: 5 * time.Second},
		Identity:   ingest.DefaultConfig().Identity,
		Severity:   c.Severity,
		Incident:   c.Incident,
		Correlate:  c.Correlate,
		SLA:        c.SLA,
		Problem:    c.Problem,
	}
}

// Rules is the part of the configuration that decides outcomes; it is adopted as a record.
func (c Config) Rules() correlate.Config {
	return correlate.Config{Severity: c.Severity, Incident: c.Incident, Correlate: c.Correlate, SLA: c.SLA, Problem: c.Problem}
}

// Load reads the file (none when path is empty) over the defaults, then the environment over both.
// The error joins all faults: unknown keys and variables, values of another kind, and what Validate
// finds. What was read is returned beside it.
func Load(path string, environ []string) (Config, error) {
	return loadConfig(path, environ, func(*Config) {})
}

// loadConfig is Load with flags, which come last.
func loadConfig(path string, environ []string, flags func(*Config)) (Config, error) {
	cfg := DefaultConfig()
	var faults error
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return cfg, fmt.Errorf("read configuration: %w", err)
		}
		faults = decodeConfig(path, data, &cfg)
	}
	faults = errors.Join(faults, fromEnvironment(&cfg, environ))
	flags(&cfg)
	return cfg, errors.Join(append([]error{faults}, flat(path, cfg.Validate())...)...)
}

// Validate joins every fault, each beginning with its path in the file.
func (c Config) Validate() error {
	var errs []error
	if err := c.Server.validate(); err != nil {
		errs = append(errs, err)
	}
	if c.Estate.WatchInterval < 0 {
		errs = append(errs, fmt.Errorf("estate.watch_interval: must not be negative, got %s", c.Estate.WatchInterval))
	}
	names := map[string]bool{}
	for i, path := range c.Estate.Files {
		name := filepath.Base(path)
		if names[name] {
			errs = append(errs, fmt.Errorf("estate.files[%d]: another file is called %s, too; names tell the parts of the estate apart", i, name))
		}
		names[name] = true
	}
	ing := ingest.DefaultConfig()
	ing.Identity = c.Identity
	return errors.Join(append(errs, c.Kafka.Validate(), c.ClickHouse.Validate(), ing.Validate(), alertmanager.ValidateAll(c.Alertmanagers), c.Rules().Validate())...)
}

func (c ServerConfig) validate() error {
	var errs []error
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		errs = append(errs, fmt.Errorf("server.listen: host:port is expected, got %q", c.Listen))
	case !c.Insecure && !loopback(host):
		errs = append(errs, fmt.Errorf("server.listen: %q can be reached by others and nobody has to log in; listen on 127.0.0.1 behind a proxy, "+
			"or accept it with server.insecure: true (--insecure)", c.Listen))
	}
	if c.DataDir == "" {
		errs = append(errs, errors.New("server.data_dir: is missing"))
	}
	if c.ShutdownTimeout <= 0 {
		errs = append(errs, fmt.Errorf("server.shutdown_timeout: must be positive, got %s", c.ShutdownTimeout))
	}
	if _, err := logLevel(c.LogLevel); err != nil {
		errs = append(errs, err)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		errs = append(errs, fmt.Errorf("server.log_format: must be text or json, got %q", c.LogFormat))
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// environmentPrefix begins every variable that overrides a key: SIGNALBOX_SERVER_LISTEN.
const environmentPrefix = "SIGNALBOX_"

func fromEnvironment(cfg *Config, environ []string) error {
	fields, paths := map[string]reflect.Value{}, map[string]string{}
	walkConfig(reflect.ValueOf(cfg).Elem(), "", func(path string, v reflect.Value) {
		name := environmentPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
		fields[name], paths[name] = v, path
	})
	var errs []error
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, environmentPrefix) {
			continue
		}
		field, known := fields[name]
		if !known {
			errs = append(errs, fmt.Errorf("environment variable %s: there is no such configuration key", name))
			continue
		}
		if field.Kind() == reflect.String { // a text may look like another YAML type
			field.SetString(value)
			continue
		}
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(value), &node); err != nil || len(node.Content) == 0 {
			errs = append(errs, fmt.Errorf("environment variable %s: %s is expected, got %q", name, kindWord(field.Type()), value))
			continue
		}
		if listsSections(field.Type()) {
			d := configDecoder{name: "environment variable " + name}
			d.list(node.Content[0], field, paths[name])
			errs = append(errs, d.faults...)
			continue
		}
		if err := decodeValue(node.Content[0], field); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// walkConfig visits every leaf of a configuration with its dotted path, in order of declaration.
func walkConfig(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		name := keyOf(v.Type().Field(i))
		if name == "" {
			continue
		}
		if path != "" {
			name = path + "." + name
		}
		if f := v.Field(i); f.Kind() == reflect.Struct {
			walkConfig(f, name, visit)
		} else {
			visit(name, f)
		}
	}
}
