package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"signalbox/correlate/score"
	"signalbox/correlate/simulate"
)

// simulateRow is one row of the table: what differs from the configuration that was asked for.
type simulateRow struct {
	name   string
	change func(*simulate.Config)
}

func simulateRows() []simulateRow {
	return []simulateRow{
		{"as asked", func(*simulate.Config) {}},
		{"noise 0", func(c *simulate.Config) { c.Noise = 0 }},
		{"noise 2", func(c *simulate.Config) { c.Noise = 2 }},
		{"coverage 0.5", func(c *simulate.Config) { c.Coverage = 0.5 }},
		{"coverage 1", func(c *simulate.Config) { c.Coverage = 1 }},
		{"2 at once", func(c *simulate.Config) { c.Simultaneous = 2 }},
		{"3 at once", func(c *simulate.Config) { c.Simultaneous = 3 }},
		{"10 % wrong", func(c *simulate.Config) { c.Wrong = 0.1 }},
		{"30 % wrong", func(c *simulate.Config) { c.Wrong = 0.3 }},
	}
}

// simulateTable judges the engine and the baselines on storms of several seeds, and prints the means as markdown.
func simulateTable(ctx context.Context, p Process, cfg simulate.Config, seeds int) error {
	fmt.Fprintf(p.Stdout, "%d items, %g h, %d occasions, silent %g, noise %g, coverage %g; means of %d seeds from %d\n\n",
		cfg.Items, cfg.Hours, cfg.Faults, cfg.Silent, cfg.Noise, cfg.Coverage, seeds, cfg.Seed)
	fmt.Fprintln(p.Stdout, "| storm | method | ARI | cause@1 | cause@3 | faults found | compression |\n|---|---|---|---|---|---|---|")
	told := newProgress(p.Stderr, "simulating")
	defer told.done()
	rows := simulateRows()
	methods := append([]simulate.Baseline{"**the engine**"}, simulate.Baselines()...)
	for i, row := range rows {
		sums := make([][6]float64, len(methods))
		for n := range seeds {
			c := cfg
			row.change(&c)
			c.Seed += uint64(n) //nolint:gosec // a few
			if err := judgeStorm(ctx, c, methods, sums); err != nil {
				return fmt.Errorf("%s, seed %d: %w", row.name, c.Seed, err)
			}
			told.show(float64(i*seeds+n+1)/float64(len(rows)*seeds), row.name)
		}
		for m, method := range methods {
			s := sums[m]
			k := float64(seeds)
			fmt.Fprintf(p.Stdout, "| %s | %s | %.3f | %.3f | %.3f | %.0f of %.0f | %.3f |\n",
				row.name, method, s[0]/k, s[1]/k, s[2]/k, s[3], s[4], s[5]/k)
		}
	}
	return nil
}

// judgeStorm adds the figures of every method on one storm; the first method is the engine.
func judgeStorm(ctx context.Context, c simulate.Config, methods []simulate.Baseline, sums [][6]float64) error {
	storm, err := simulate.New(c)
	if err != nil {
		return err
	}
	for m, method := range methods {
		var in score.Input
		if m == 0 {
			in, err = explainStorm(ctx, storm)
		} else {
			in = storm.Group(method)
		}
		if err != nil {
			return err
		}
		s, err := score.Compute(in)
		if err != nil {
			return err
		}
		for i, v := range []*float64{s.ARI, s.CauseAt1, s.CauseAt3, new(float64(s.FaultsFound)), new(float64(s.Faults)), s.Compression} {
			if v != nil {
				sums[m][i] += *v
			}
		}
	}
	return nil
}

// explainStorm lets the engine, with its defaults, replay a storm from its files as people would.
func explainStorm(ctx context.Context, storm *simulate.Storm) (in score.Input, err error) {
	dir, err := os.MkdirTemp("", "signalbox-storm-")
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := writeStorm(Process{Stderr: io.Discard}, storm, dir); err != nil {
		return in, err
	}
	first, err := estateInput([]string{filepath.Join(dir, "estate.json")})
	if err != nil {
		return in, err
	}
	f := replayFlags{events: filepath.Join(dir, "events.jsonl.gz"), assignments: "kept"}
	runs, err := replayFile(ctx, io.Discard, DefaultConfig(), &f, first)
	if err != nil {
		return in, err
	}
	in = storm.Expected()
	for _, l := range runs[0].lines {
		in.Assignments = append(in.Assignments, score.Assignment{Line: l.line, Incident: runs[0].engine.Holder(l.fingerprint, l.startsAt)})
	}
	incidents := runs[0].engine.Incidents()
	for i := range incidents {
		s := score.Incident{ID: incidents[i].ID, Number: incidents[i].Number, Merged: incidents[i].MergedInto != nil}
		for j := range incidents[i].Alerts {
			s.Periods += incidents[i].Alerts[j].Count
		}
		for j := range incidents[i].Causes {
			s.Causes = append(s.Causes, incidents[i].Causes[j].Item)
		}
		in.Incidents = append(in.Incidents, s)
	}
	return in, nil
}
