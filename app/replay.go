package app

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox/cmdb"
	"signalbox/correlate"
	"signalbox/correlate/learn"
	"signalbox/ingest/events"
	"signalbox/itsm"
)

const replayHelp = `run a history through the engine at full speed

No broker is needed. The incidents file gets the final state of every incident, one a line; the assignments file gets for each
firing line of the events file the id of the incident that now holds it. The same input gives the same bytes.

The rules that the history adopted hold, as they did live. With --try those of --config hold throughout: that is how a change of rules is
judged by what has happened.

Instead of a file it reads what was recorded, from the embedded broker's folder or, with --config, from your brokers. What the log no
longer holds comes from history in ClickHouse, embedded or yours; it says on stderr what came from where. Of what was recorded before
--from only the estates and rules in force then are taken.

With --compare the history runs under two configurations, --config (without it: the rules of the history, else the defaults) and the other
one, each by itself, without what people did. Estate and patterns are the same in both unless --compare-estate or --compare-patterns give
others. The comparison goes to stdout and with --report to a page: figures, incidents split, merged and moved, causes and priorities that
differ, how many of the past decisions of people each would have come to, and, with --truth, how well each found the faults.

Examples:
  signalbox replay --estate estate.yaml --events day.jsonl.gz --out incidents.jsonl --assignments assignments.csv
  signalbox replay --events week.jsonl.gz --config changed.yml --try --out incidents.jsonl
  signalbox replay --data-dir data --from 2026-01-02T09:00:00Z --to 2026-01-02T10:00:00Z --out incidents.jsonl
  signalbox replay --estate estate.yaml --events week.jsonl.gz --compare changed.yml --report changed.html`

// replayFlags are what a replay is told.
type replayFlags struct {
	estate                  files
	events, config, dataDir string
	out, assignments        string
	patterns                string
	learned                 *learn.File // of patterns
	from, to                moment
	try                     bool
	compare                 compareFlags
	what                    string   // the run is called in progress
	watch                   runWatch // nil: nobody does
}

func (f *replayFlags) register(flags *flag.FlagSet) {
	flags.Var(&f.estate, "estate", "estate `FILE`; may be given several times")
	flags.StringVar(&f.events, "events", "", "events `FILE` (.jsonl, .jsonl.gz)")
	flags.StringVar(&f.config, "config", "", "configuration `FILE`")
	flags.StringVar(&f.dataDir, "data-dir", "", "read what was recorded in `DIR`, the folder of the embedded broker")
	flags.Var(&f.from, "from", "with recorded events: begin at `TIME` (RFC 3339)")
	flags.Var(&f.to, "to", "with recorded events: end before `TIME` (RFC 3339)")
	flags.BoolVar(&f.try, "try", false, "let the rules of --config hold throughout, whatever rules the history adopted")
	flags.StringVar(&f.patterns, "patterns", "", "`FILE` written by learn: how often alerts fire without a fault")
	flags.StringVar(&f.out, "out", "", "write incidents to `FILE`")
	flags.StringVar(&f.assignments, "assignments", "", "write line,incident to `FILE`")
	c := &f.compare
	flags.StringVar(&c.config, "compare", "", "compare with what the configuration `FILE` makes of the same history")
	flags.Var(&c.estate, "compare-estate", "compare with what comes of this estate `FILE` instead; may be given several times")
	flags.StringVar(&c.patterns, "compare-patterns", "", "compare with what comes of this patterns `FILE` instead")
	flags.StringVar(&c.report, "report", "", "write the comparison as HTML to `FILE`")
	flags.StringVar(&c.truth, "truth", "", "judge both by the truth `FILE` (line,fault)")
	flags.StringVar(&c.causes, "causes", "", "judge the causes of both by `FILE` (fault,cause)")
}

func (f *replayFlags) recorded() bool {
	return f.dataDir != "" || !f.from.IsZero() || !f.to.IsZero()
}

func (f *replayFlags) check() error {
	switch {
	case f.out == "" && (!f.compare.wanted() || f.assignments != ""):
		return usagef("--out is needed")
	case f.try && f.config == "":
		return usagef("--try needs --config with the rules to try")
	case f.events == "" && !f.recorded():
		return usagef("--events is needed, or --data-dir, --from or --to for what was recorded")
	case f.events != "" && f.recorded():
		return usagef("--events does not go with --data-dir, --from and --to, which read what was recorded")
	case f.assignments != "" && f.recorded():
		return usagef("--assignments goes with --events: what was recorded has no lines")
	case !f.from.IsZero() && !f.to.IsZero() && !f.from.Before(f.to.Time):
		return usagef("--from must be before --to")
	}
	return f.compare.check(f.events)
}

// moment is a time as a flag.
type moment struct{ time.Time }

// Set implements flag.Value.
func (m *moment) Set(s string) (err error) {
	if m.Time, err = time.Parse(time.RFC3339Nano, s); err != nil {
		return errors.New("a time such as 2026-01-02T10:00:00Z is expected")
	}
	return nil
}

// String implements flag.Value.
func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339Nano)
}

func replay(ctx context.Context, p Process, flags *flag.FlagSet) error {
	var f replayFlags
	f.register(flags)
	if err := parse(p, flags); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	sf := serveFlags{config: f.config, dataDir: f.dataDir}
	cfg, err := sf.load(p.Environ)
	if err != nil {
		return err
	}
	first, err := estateInput(append(cfg.Estate.Files, f.estate...))
	if err != nil {
		return err
	}
	if f.patterns != "" {
		if f.learned, err = readPatterns(f.patterns); err != nil {
			return err
		}
	}
	if f.compare.wanted() {
		return replayCompare(ctx, p, &f, cfg)
	}
	start := time.Now()
	f.what = "replaying"
	runs, err := replayRuns(ctx, p.Stderr, cfg, &f, first)
	if err != nil {
		return err
	}
	incidents, alerts := collect(runs)
	if err := writeReplay(&f, runs[0], incidents); err != nil {
		return err
	}
	fmt.Fprintln(p.Stderr, summary(alerts, incidents, time.Since(start)))
	return nil
}

// replayRuns runs the history, each shard by itself.
func replayRuns(ctx context.Context, stderr io.Writer, cfg Config, f *replayFlags, first *itsm.Version) ([]*replayRun, error) {
	if f.recorded() {
		return replayRecorded(ctx, stderr, cfg, f, first)
	}
	return replayFile(ctx, stderr, cfg, f, first)
}

// collect gives the incidents of all shards, by openedAt and then id, and counts the firing lines.
func collect(runs []*replayRun) (incidents []itsm.Incident, alerts int) {
	for _, r := range runs {
		incidents, alerts = append(incidents, r.engine.Incidents()...), alerts+r.alerts
	}
	slices.SortStableFunc(incidents, func(a, b itsm.Incident) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), strings.Compare(a.ID, b.ID))
	})
	return incidents, alerts
}

// writeReplay writes the files that were asked for; of a file's history there is one run.
func writeReplay(f *replayFlags, run *replayRun, incidents []itsm.Incident) error {
	if f.out != "" {
		if err := writeIncidents(f.out, incidents); err != nil {
			return fmt.Errorf("write incidents: %w", err)
		}
	}
	if f.assignments != "" {
		if err := run.writeAssignments(f.assignments); err != nil {
			return fmt.Errorf("write assignments: %w", err)
		}
	}
	return nil
}

func readPatterns(path string) (*learn.File, error) {
	in, closeIn, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("read patterns: %w", err)
	}
	defer closeIn()
	return learn.Read(path, in)
}

// replayFile runs the history of a file, which has one shard.
func replayFile(ctx context.Context, stderr io.Writer, cfg Config, f *replayFlags, first *itsm.Version) ([]*replayRun, error) {
	r, err := newReplay(cfg, 0, 1, f.learned)
	if err != nil {
		return nil, err
	}
	r.begin(f, first, newProgress(stderr, f.what))
	return []*replayRun{r}, r.runFile(ctx, f.events)
}

// estateInput merges estate files into one version, nil when there is none.
func estateInput(paths []string) (*itsm.Version, error) {
	if len(paths) == 0 {
		return nil, nil //nolint:nilnil // no file is no estate.
	}
	estate, err := mergeFiles(paths)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(estate)
	if err != nil {
		return nil, fmt.Errorf("encode the estate: %w", err)
	}
	return &itsm.Version{ID: "files", Data: data}, nil
}

// mergeFiles reads estate files as parts of one estate; the error joins all faults.
func mergeFiles(paths []string) (*cmdb.Estate, error) {
	parts := cmdb.Parts{}
	var errs []error
	for _, path := range paths {
		data, err := cmdb.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("read estate: %w", err))
			continue
		}
		part, err := cmdb.Parse(path, data)
		errs = append(errs, err)
		if part != nil {
			parts["file:"+path] = part
		}
	}
	err := errors.Join(errs...)
	if err != nil && len(parts) == len(paths) { // what is missing may be in a file that cannot be read
		err = errors.Join(err, parts.Dangling())
	}
	if err != nil {
		return nil, err
	}
	return parts.Merge()
}

// replayRun is one history on its way through an engine.
type replayRun struct {
	engine  *correlate.Engine
	shard   int
	ignore  []string
	first   *itsm.Version // the estate to begin with
	lines   []firingLine
	keep    bool // keep lines for the assignments
	watch   runWatch
	periods map[periodKey]int // of lines, numbered by a comparison
	try     bool              // pass over the rules that the history adopts
	told    *progress
	alerts  int
	last    time.Time
}

// firingLine is a line of the events file that says firing, and the period it speaks of.
type firingLine struct {
	line        int
	fingerprint itsm.Fingerprint
	startsAt    time.Time
}

func newReplay(cfg Config, shard, shards int, patterns *learn.File) (*replayRun, error) {
	engine, err := correlate.New(correlate.Options{Shard: shard, Shards: shards, Config: cfg.Rules(), Keep: true, Patterns: patterns})
	if err != nil {
		return nil, fmt.Errorf("build the engine: %w", err)
	}
	return &replayRun{engine: engine, shard: shard, ignore: cfg.Identity.IgnoreLabels}, nil
}

// begin takes over what the flags say.
func (r *replayRun) begin(f *replayFlags, first *itsm.Version, told *progress) {
	r.first, r.try, r.watch, r.told = first, f.try, f.watch, told
	r.keep = f.assignments != "" || f.watch != nil
}

func (r *replayRun) runFile(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	counted := &countingReader{r: f}
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	in, err := decompress(path, counted)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	reader := events.NewReader(in, events.ReaderOptions{Name: path, IgnoreLabels: r.ignore})
	done := func() float64 {
		if size == 0 {
			return unknownShare
		}
		return float64(counted.n) / float64(size)
	}
	return r.run(ctx, path, func(ctx context.Context, out chan<- batch) error { return readAhead(ctx, reader, done, out) })
}

// run applies what a source sends; name is what faults are reported with.
func (r *replayRun) run(ctx context.Context, name string, source func(context.Context, chan<- batch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	ahead := make(chan batch, 4) // reading is half of the work, so it has a core of its own
	group.Go(func() error {
		defer close(ahead)
		return source(ctx, ahead)
	})
	var refused error
	for b := range ahead {
		records := b.records
		for i := range records {
			if r.first != nil {
				r.engine.Apply(records[i].Time, itsm.Input{Adopt: &itsm.Adopt{Estate: r.first}})
				r.first = nil
			}
			if fault := r.apply(records[i]); fault != nil && refused == nil {
				refused = fmt.Errorf("%s: adopt at %s: %w", name, records[i].Time.Format(time.RFC3339Nano), fault)
			}
		}
		r.told.show(b.done, fmt.Sprintf("%d alerts, %s", r.alerts, r.last.Format(time.DateTime)))
	}
	r.told.done()
	if err := errors.Join(refused, group.Wait()); err != nil {
		return err
	}
	if !r.last.IsZero() {
		r.engine.Advance(r.last)
	}
	return nil
}

// batch is records on their way to the engine.
type batch struct {
	records []itsm.Record
	done    float64 // the share of the history with them, or unknownShare
}

// unknownShare is the share of a history whose length nobody knows.
const unknownShare = -1

// countingReader counts what was read.
type countingReader struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// readAhead sends the records of a file in batches.
func readAhead(ctx context.Context, reader *events.Reader, done func() float64, out chan<- batch) error {
	const size = 256
	for end := false; !end; {
		records := make([]itsm.Record, 0, size)
		for len(records) < size && !end {
			record, err := reader.Read()
			switch {
			case errors.Is(err, io.EOF):
				end = true
			case err != nil:
				return err
			default:
				records = append(records, record)
			}
		}
		select {
		case out <- batch{records, done()}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// apply returns why an estate or rules were refused; the engine goes on without them.
func (r *replayRun) apply(record itsm.Record) (refused error) {
	if record.Input.Adopt != nil && r.try {
		record.Input.Adopt = &itsm.Adopt{Estate: record.Input.Adopt.Estate, Patterns: record.Input.Adopt.Patterns}
	}
	if r.watch != nil {
		r.watch.before(r, &record)
	}
	updates := r.engine.Apply(record.Time, record.Input)
	for i := range updates {
		if a := updates[i].Adopted; a != nil && a.Fault != "" {
			refused = errors.New(a.Fault)
		}
	}
	if r.watch != nil {
		r.watch.after(r, updates)
	}
	r.last = record.Time
	for i := range record.Input.Alerts {
		a := &record.Input.Alerts[i]
		if a.Status != itsm.StatusFiring {
			continue
		}
		r.alerts++
		if !r.keep {
			continue
		}
		startsAt := a.StartsAt
		if startsAt.IsZero() {
			startsAt = record.Time
		}
		r.lines = append(r.lines, firingLine{line: a.Line, fingerprint: a.Fingerprint, startsAt: startsAt})
	}
	return refused
}

func (r *replayRun) writeAssignments(path string) error {
	return writeFile(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		if err := out.Write([]string{"line", "incident"}); err != nil {
			return err
		}
		for _, l := range r.lines {
			if err := out.Write([]string{strconv.Itoa(l.line), r.engine.Holder(l.fingerprint, l.startsAt)}); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

func writeIncidents(path string, incidents []itsm.Incident) error {
	return writeFile(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		for i := range incidents {
			if err := enc.Encode(completeIncident(incidents[i])); err != nil {
				return err
			}
		}
		return nil
	})
}

// completeIncident makes the list of alerts present even when it is empty, as the file promises.
func completeIncident(inc itsm.Incident) any {
	if inc.Alerts == nil {
		inc.Alerts = []itsm.AlertState{}
	}
	return inc
}

func summary(alerts int, incidents []itsm.Incident, took time.Duration) string {
	live, periods := 0, 0
	for i := range incidents {
		if incidents[i].MergedInto == nil {
			live++
		}
		for j := range incidents[i].Alerts {
			periods += incidents[i].Alerts[j].Count
		}
	}
	compression := 0.0
	if periods > 0 {
		compression = 1 - float64(live)/float64(periods)
	}
	return fmt.Sprintf("%d alerts, %d firing periods, %d incidents, compression %.3f, %.2f s",
		alerts, periods, live, compression, took.Seconds())
}

// openFile opens a file for reading; one that ends in .gz is decompressed.
func openFile(path string) (io.Reader, func(), error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	closeFile := func() { _ = f.Close() } // only read
	r, err := decompress(path, f)
	if err != nil {
		closeFile()
		return nil, nil, err
	}
	return r, closeFile, nil
}

// decompress reads what a file holds, by its name.
func decompress(path string, f io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(f, 1<<18) // what it holds counts as read in progress
	if !strings.HasSuffix(path, ".gz") {
		return buffered, nil
	}
	gz, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return gz, nil
}

// writeFile writes a file whole: a reader never sees half of it. One that ends in .gz is compressed. A device, a pipe or a
// link is written through: put in its place, a file would take /dev/null or /dev/stdout away from everybody.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644) // a link may lead to nothing
		if err != nil {
			return err
		}
		return errors.Join(writeAll(f, path, write), f.Close())
	}
	f, err := os.CreateTemp(dirOf(path), ".signalbox-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err = errors.Join(writeAll(f, path, write), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// writeAll writes buffered, and compressed when the name says so.
func writeAll(f io.Writer, path string, write func(io.Writer) error) error {
	buffered := bufio.NewWriterSize(f, 1<<20)
	var w io.Writer = buffered
	var gz *gzip.Writer
	if strings.HasSuffix(path, ".gz") {
		gz = gzip.NewWriter(buffered)
		w = gz
	}
	err := write(w)
	if gz != nil {
		err = errors.Join(err, gz.Close())
	}
	return errors.Join(err, buffered.Flush())
}
