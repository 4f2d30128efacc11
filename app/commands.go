package app

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/cmdb"
	"signalbox/correlate/score"
	"signalbox/ingest/events"
	"signalbox/itsm"
	"signalbox/stream"
)

const (
	checkHelp = `load and validate a configuration and the estate files it names

Every fault is printed with its file, line and path; exit 1 if there is any.

Examples:
  signalbox check --config signalbox.yml
  signalbox check --estate estate.yaml`

	scoreHelp = `judge a replay against known truth: grouping and cause figures as one JSON object

The truth file has the columns line,fault: which fault caused the alert on that line of the events file, empty for noise. With
--causes, a file with the columns fault,cause (several acceptable items separated by |), the ranking of causes is judged, too.

Examples:
  signalbox score --assignments assignments.csv --incidents incidents.jsonl --truth truth.csv
  signalbox score --assignments a.csv --incidents i.jsonl --truth truth.csv --causes causes.csv`

	exportHelp = `write the recorded inputs as an events file

Its replay gives the same ids and revisions as the live run did. The program must not be running on this folder, since the
embedded broker has one user at a time.

Example:
  signalbox export --data-dir data --out events.jsonl.gz`

	bindHelp = `say which item labels mean, and why

Labels are written as in Prometheus. It prints the item and the identifier or rule that led to it; or the items that are meant
equally; or what was tried in vain.

Example:
  signalbox bind --estate estate.yaml --explain 'instance="sw-1:9116", job="snmp"'`
)

// dirOf is the folder of a path, so that a temporary file lands on the same disk.
func dirOf(path string) string { return filepath.Dir(path) }

func check(_ context.Context, p Process, flags *flag.FlagSet) error {
	var f serveFlags
	flags.StringVar(&f.config, "config", "", "configuration `FILE`")
	flags.Var(&f.estate, "estate", "estate `FILE`, beside those that the configuration names; may be given several times")
	if err := parse(p, flags); err != nil {
		return err
	}
	if f.config == "" && len(f.estate) == 0 {
		return usagef("--config is needed, or --estate")
	}
	cfg, err := f.load(p.Environ)
	if len(cfg.Estate.Files) > 0 { // its faults are told beside those of the configuration
		estate, bad := mergeFiles(cfg.Estate.Files)
		if bad == nil {
			bad = crossingShards(estate, cfg)
		}
		err = errors.Join(err, bad)
	}
	if err != nil {
		fmt.Fprintln(p.Stderr, err)
		return errFound
	}
	if f.config != "" {
		fmt.Fprintf(p.Stdout, "%s: no fault found\n", f.config)
	}
	for _, path := range f.estate {
		fmt.Fprintf(p.Stdout, "%s: no fault found\n", path)
	}
	return nil
}

// crossingShards reports every relation between items whose alerts go to different shards: an
// engine sees only its own. An item's shard is that of its identifiers.
func crossingShards(estate *cmdb.Estate, cfg Config) error {
	if cfg.Kafka.Shards <= 1 {
		return nil
	}
	shard := map[string]int{}
	for _, item := range estate.Items {
		for _, set := range item.Identifiers {
			shard[item.ID] = itsm.NewLabels(set).Shard(cfg.Correlate.ShardBy, cfg.Kafka.Shards)
		}
	}
	var errs []error
	for _, r := range estate.Relations {
		from, okFrom := shard[r.From]
		to, okTo := shard[r.To]
		if okFrom && okTo && from != to {
			errs = append(errs, fmt.Errorf("relation %s %s %s crosses shards %d and %d; choose correlate.shard_by so that both have the same value",
				r.From, r.Type, r.To, from, to))
		}
	}
	return errors.Join(errs...)
}

func scoreCommand(_ context.Context, p Process, flags *flag.FlagSet) error {
	var f score.Files
	flags.StringVar(&f.Assignments, "assignments", "", "`FILE` written by replay")
	flags.StringVar(&f.Incidents, "incidents", "", "`FILE` written by replay")
	flags.StringVar(&f.Truth, "truth", "", "`FILE` with line,fault")
	flags.StringVar(&f.Causes, "causes", "", "`FILE` with fault,cause")
	if err := parse(p, flags); err != nil {
		return err
	}
	if f.Assignments == "" || f.Incidents == "" || f.Truth == "" {
		return usagef("--assignments, --incidents and --truth are needed")
	}
	s, err := score.Run(f)
	if err != nil {
		return err
	}
	return json.NewEncoder(p.Stdout).Encode(s)
}

func export(ctx context.Context, p Process, flags *flag.FlagSet) error {
	config := flags.String("config", "", "configuration `FILE`, for brokers of your own")
	dataDir := flags.String("data-dir", "", "folder of the embedded broker's log")
	out := flags.String("out", "", "write events to `FILE` (.jsonl, .jsonl.gz)")
	shard := flags.Int("shard", 0, "which shard to export")
	if err := parse(p, flags); err != nil {
		return err
	}
	if *out == "" {
		return usagef("--out is needed")
	}
	f := serveFlags{config: *config, dataDir: *dataDir}
	cfg, err := f.load(p.Environ)
	if err != nil {
		return err
	}
	count := 0
	err = withStream(ctx, cfg, func(s *stream.Stream) error {
		if *shard < 0 || *shard >= s.Shards() {
			return fmt.Errorf("there is no shard %d, only 0 to %d", *shard, s.Shards()-1)
		}
		return writeFile(*out, func(w io.Writer) error {
			writer := events.NewWriter(w)
			return s.Events(ctx, *shard, 0, func(r itsm.Record) error {
				count++
				return writer.Write(r)
			})
		})
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "%d records exported\n", count)
	return nil
}

// withStream opens the topics of a configuration, with the embedded broker when it names none.
func withStream(ctx context.Context, cfg Config, use func(*stream.Stream) error) (err error) {
	quiet := slog.New(slog.DiscardHandler)
	brokers := cfg.Kafka.Brokers
	if len(brokers) == 0 {
		if _, err := os.Stat(filepath.Join(cfg.Server.DataDir, "kafka")); err != nil {
			return fmt.Errorf("nothing was recorded in %s (--data-dir names another folder): %w", cfg.Server.DataDir, err)
		}
		broker, err := stream.StartBroker(stream.BrokerOptions{ //nolint:contextcheck // it runs until it is closed below.
			DataDir: cfg.Server.DataDir, Config: cfg.Kafka, Logger: quiet, Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			return fmt.Errorf("start the embedded broker in %s: %w", cfg.Server.DataDir, err)
		}
		defer func() { err = errors.Join(err, broker.Close()) }()
		brokers = []string{broker.Addr()}
	}
	s, err := stream.Open(ctx, stream.Options{
		Config: cfg.Kafka, Brokers: brokers, ShardBy: cfg.Correlate.ShardBy, Registerer: prometheus.NewRegistry(), Logger: quiet,
	})
	if err != nil {
		return fmt.Errorf("open the topics on %v: %w", brokers, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return use(s)
}

func bind(_ context.Context, p Process, flags *flag.FlagSet) error {
	var estate files
	flags.Var(&estate, "estate", "estate `FILE`; may be given several times")
	labels := flags.String("explain", "", "`LABELS`, as in 'instance=\"sw-1:9116\", job=\"snmp\"'")
	if err := parse(p, flags); err != nil {
		return err
	}
	if len(estate) == 0 || *labels == "" {
		return usagef("--estate and --explain are needed")
	}
	set, err := parseLabels(*labels)
	if err != nil {
		return usagef("--explain: %s", err)
	}
	merged, err := mergeFiles(estate)
	if err != nil {
		return err
	}
	graph, err := cmdb.NewGraph(merged)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout, graph.Explain(set))
	return nil
}
