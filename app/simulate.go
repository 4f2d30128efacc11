package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"signalbox/correlate/simulate"
)

const simulateHelp = `make a storm whose truth is known, to judge rules by

It writes a random estate (estate.json), what its monitoring reports (events.jsonl.gz), which fault caused each firing line (truth.csv)
and what the causes were (causes.csv), for replay and score. The same flags give the same bytes.

Examples:
  signalbox simulate --out storm
  signalbox replay --estate storm/estate.json --events storm/events.jsonl.gz --out incidents.jsonl --assignments lines.csv
  signalbox score --assignments lines.csv --incidents incidents.jsonl --truth storm/truth.csv --causes storm/causes.csv
  signalbox simulate --items 100000 --faults 50 --simultaneous 3 --wrong-relations 0.1 --seed 7 --out large
  signalbox simulate --table --seeds 5`

func simulateFlags(flags *flag.FlagSet, cfg *simulate.Config) {
	flags.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "`NUMBER` that everything random follows from")
	flags.IntVar(&cfg.Items, "items", cfg.Items, "`NUMBER` of items of the estate, about")
	flags.Float64Var(&cfg.Hours, "hours", cfg.Hours, "how many `HOURS` it is watched")
	flags.IntVar(&cfg.Faults, "faults", cfg.Faults, "`NUMBER` of occasions at which something fails")
	flags.IntVar(&cfg.Simultaneous, "simultaneous", cfg.Simultaneous, "`NUMBER` of faults at each occasion, in one neighbourhood")
	flags.Float64Var(&cfg.Silent, "silent", cfg.Silent, "`SHARE` of the faults whose cause itself reports nothing")
	flags.Float64Var(&cfg.Noise, "noise", cfg.Noise, "alerts without a fault, per item and day: `RATE`")
	flags.Float64Var(&cfg.Coverage, "coverage", cfg.Coverage, "`SHARE` of the checks that exist")
	flags.Float64Var(&cfg.Wrong, "wrong-relations", cfg.Wrong, "`SHARE` of the relations that the written estate lacks or has wrong")
}

func simulateCommand(ctx context.Context, p Process, flags *flag.FlagSet) error {
	cfg := simulate.DefaultConfig()
	var out string
	var table bool
	seeds := 3
	simulateFlags(flags, &cfg)
	flags.StringVar(&out, "out", "", "write the files into `DIR`")
	flags.BoolVar(&table, "table", false, "instead judge the engine and three simple methods on such storms, and print a table")
	flags.IntVar(&seeds, "seeds", seeds, "with --table: `NUMBER` of storms in each row")
	if err := parse(p, flags); err != nil {
		return err
	}
	if table == (out != "") || seeds < 1 {
		return usagef("--out is needed, or --table with at least one of --seeds")
	}
	if err := cfg.Validate(); err != nil {
		return usagef("%s", err)
	}
	if table {
		return simulateTable(ctx, p, cfg, seeds)
	}
	start := time.Now()
	storm, err := simulate.New(cfg)
	if err != nil {
		return err
	}
	if err := writeStorm(p, storm, out); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "%d items, %d relations, %d lines, %d faults, %.2f s\n",
		len(storm.Estate.Items), len(storm.Estate.Relations), storm.Lines(), len(storm.Causes), time.Since(start).Seconds())
	return nil
}

// writeStorm writes the four files of a storm into a folder.
func writeStorm(p Process, s *simulate.Storm, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	told := newProgress(p.Stderr, "writing")
	defer told.done()
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"estate.json", s.WriteEstate},
		{"events.jsonl.gz", func(w io.Writer) error { return s.WriteEvents(w, func(share float64) { told.show(share, "") }) }},
		{"truth.csv", s.WriteTruth},
		{"causes.csv", s.WriteCauses},
	} {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	return nil
}
