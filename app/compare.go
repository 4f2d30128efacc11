package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signalbox/correlate/compare"
	"signalbox/correlate/score"
	"signalbox/itsm"
)

// compareFlags are what a comparison is told beside a replay: the other configuration, and what to judge by.
type compareFlags struct {
	config, patterns, report, truth, causes string
	estate                                  files
}

func (c *compareFlags) wanted() bool {
	return c.config != "" || c.patterns != "" || len(c.estate) > 0
}

func (c *compareFlags) check(events string) error {
	switch {
	case !c.wanted() && (c.report != "" || c.truth != "" || c.causes != ""):
		return usagef("--report, --truth and --causes go with --compare")
	case c.truth != "" && events == "":
		return usagef("--truth goes with --events: what was recorded has no lines")
	case c.causes != "" && c.truth == "":
		return usagef("--causes goes with --truth")
	}
	return nil
}

// compareSide is one of the two configurations.
type compareSide struct {
	name  string
	cfg   Config
	flags replayFlags
	first *itsm.Version
}

// runWatch sees what goes through a replay: each record before the engine, which it may change, and what followed.
type runWatch interface {
	before(r *replayRun, record *itsm.Record)
	after(r *replayRun, updates []itsm.Update)
}

// replayCompare runs the history under two configurations, by themselves: without what people did. What people decided on
// grouping and causes is taken from a third run, the history as it was.
func replayCompare(ctx context.Context, p Process, f *replayFlags, cfg Config) error {
	sides, err := compareSides(p, f, cfg)
	if err != nil {
		return err
	}
	in := compare.Input{History: cmp.Or(filepath.Base(f.events), "what was recorded")}
	if f.events == "" {
		in.History = "what was recorded"
	}
	var watches [2]*sideWatch
	for i := range sides {
		watches[i] = newSideWatch()
		if in.Sides[i], err = runSide(ctx, p.Stderr, &sides[i], watches[i], "replaying "+"AB"[i:i+1]); err != nil {
			return err
		}
		if f.compare.truth != "" {
			if in.Sides[i].Score, err = watches[i].score(in.Sides[i].Incidents, &f.compare); err != nil {
				return err
			}
		}
	}
	a := watches[0]
	in.Alerts, in.From, in.To = a.alerts, a.from, a.to
	in.Settings = differingSettings(sides[0].cfg, sides[1].cfg)
	if in.Sides[0].Holders, in.Sides[1].Holders, err = holdersOf(watches); err != nil {
		return err
	}
	if a.commands > 0 {
		in.Notes = append(in.Notes, "Both ran by themselves: without the commands of people.")
	}
	if a.adopted > 0 && !sides[0].flags.try {
		in.Notes = append(in.Notes, "A has the rules that the history adopted; the settings below compare with the configuration that was given.")
	}
	if a.decisions > 0 || f.out != "" {
		if in.Decisions, err = pastDecisions(ctx, p, f, cfg, a); err != nil {
			return err
		}
	}
	report := compare.Compute(in)
	if f.compare.report != "" {
		if err := writeFile(f.compare.report, report.HTML); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return report.Text(p.Stdout)
}

// compareSides completes both sides. What the flags of B do not say is as in A.
func compareSides(p Process, f *replayFlags, cfg Config) (sides [2]compareSide, err error) {
	a := compareSide{name: cmp.Or(f.config, "default configuration"), cfg: cfg, flags: *f}
	a.flags.try = f.config != ""
	if !a.flags.try {
		a.name = "the configuration of the history, else the default"
	}
	b := a
	if path := f.compare.config; path != "" {
		b.name, b.flags.try = path, true
		sf := serveFlags{config: path, dataDir: f.dataDir}
		if b.cfg, err = sf.load(p.Environ); err != nil {
			return sides, err
		}
		b.cfg.Kafka, b.cfg.ClickHouse, b.cfg.Server = cfg.Kafka, cfg.ClickHouse, cfg.Server // where the history is
	}
	if len(f.compare.estate) > 0 {
		b.flags.estate = f.compare.estate
		b.name += ", estate " + strings.Join(f.compare.estate, " ")
	}
	if f.patterns != "" {
		a.name += ", patterns " + f.patterns
	}
	if path := cmp.Or(f.compare.patterns, f.patterns); path != "" {
		b.name += ", patterns " + path
	}
	if f.compare.patterns != "" {
		if b.flags.learned, err = readPatterns(f.compare.patterns); err != nil {
			return sides, err
		}
	}
	sides = [2]compareSide{a, b}
	for i := range sides {
		s := &sides[i]
		if s.first, err = estateInput(slices.Concat(s.cfg.Estate.Files, s.flags.estate)); err != nil {
			return sides, err
		}
	}
	return sides, nil
}

// runSide runs the history under one side.
func runSide(ctx context.Context, stderr io.Writer, s *compareSide, w *sideWatch, what string) (compare.Side, error) {
	start := time.Now()
	s.flags.watch, s.flags.what = w, what
	runs, err := replayRuns(ctx, stderr, s.cfg, &s.flags, s.first)
	if err != nil {
		return compare.Side{}, err
	}
	incidents, alerts := collect(runs)
	fmt.Fprintf(stderr, "%s: %s\n", what, summary(alerts, incidents, time.Since(start)))
	w.runs, w.alerts = runs, alerts
	return compare.Side{
		Name: s.name, Incidents: incidents, Merges: w.merges, CauseChanges: w.causes, Flapping: len(w.flapping), Suppressed: w.suppressed(),
	}, nil
}

// periodKey names a firing period within a run.
type periodKey struct {
	shard       int
	fingerprint itsm.Fingerprint
	startsAt    int64
}

func keyOfPeriod(shard int, fp itsm.Fingerprint, startsAt time.Time) periodKey {
	return periodKey{shard, fp, startsAt.UnixNano()}
}

// sideWatch collects from the updates of a run what its end no longer tells.
type sideWatch struct {
	runs                         []*replayRun
	alerts                       int
	from, to                     time.Time
	commands, decisions, adopted int
	merges, causes               int
	flapping                     map[string]bool
	hidden                       map[periodKey]string // why
}

func newSideWatch() *sideWatch {
	return &sideWatch{flapping: map[string]bool{}, hidden: map[periodKey]string{}}
}

// before sees a record on its way and takes the commands out of it.
func (w *sideWatch) before(r *replayRun, record *itsm.Record) {
	if w.from.IsZero() || record.Time.Before(w.from) {
		w.from = record.Time
	}
	if record.Time.After(w.to) {
		w.to = record.Time
	}
	if r.shard == 0 && record.Input.Adopt != nil && record.Input.Adopt.Rules != nil {
		w.adopted++
	}
	for i := range record.Input.Commands {
		if decides(record.Input.Commands[i].Action) {
			w.decisions++
		}
	}
	w.commands += len(record.Input.Commands)
	record.Input.Commands = nil
}

// decides tells whether an action is about grouping or causes.
func decides(a itsm.Action) bool {
	return slices.Contains([]itsm.Action{itsm.ActionMerge, itsm.ActionSplit, itsm.ActionMove, itsm.ActionConfirmCause, itsm.ActionRejectCause, itsm.ActionUndo}, a)
}

func (w *sideWatch) after(r *replayRun, updates []itsm.Update) {
	for i := range updates {
		u := &updates[i]
		if u.Incident != nil && u.Incident.Flapping {
			w.flapping[u.IncidentID] = true
		}
		for j := range u.Entries {
			switch u.Entries[j].Kind {
			case itsm.EntryCause:
				w.causes++
			case itsm.EntryMerged:
				if u.Entries[j].Undoable { // the one of the incident that stays
					w.merges++
				}
			}
		}
		for j := range u.Alerts {
			if s := u.Alerts[j].State; s != nil && s.Suppressed != nil {
				w.hidden[keyOfPeriod(r.shard, s.Fingerprint, s.LastStartsAt)] = *s.Suppressed
			}
		}
	}
}

func (w *sideWatch) suppressed() map[string]int {
	out := map[string]int{}
	for _, why := range w.hidden {
		out[why]++
	}
	return out
}

func (w *sideWatch) score(incidents []itsm.Incident, f *compareFlags) (*score.Score, error) {
	in := score.Input{}
	for _, l := range w.runs[0].lines {
		in.Assignments = append(in.Assignments, score.Assignment{Line: l.line, Incident: w.runs[0].engine.Holder(l.fingerprint, l.startsAt)})
	}
	for i := range incidents {
		inc := &incidents[i]
		s := score.Incident{ID: inc.ID, Number: inc.Number, Merged: inc.MergedInto != nil}
		for _, c := range inc.Causes {
			s.Causes = append(s.Causes, c.Item)
		}
		for j := range inc.Alerts {
			s.Periods += inc.Alerts[j].Count
		}
		in.Incidents = append(in.Incidents, s)
	}
	var err error
	if in.Truth, err = readTruth(f.truth, score.ReadTruth); err != nil {
		return nil, err
	}
	if f.causes != "" {
		if in.Expected, err = readTruth(f.causes, score.ReadCauses); err != nil {
			return nil, err
		}
	}
	s, err := score.Compute(in)
	return &s, err
}

func readTruth[T any](path string, read func(string, io.Reader) ([]T, error)) ([]T, error) {
	in, closeIn, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("read truth: %w", err)
	}
	defer closeIn()
	return read(path, in)
}

// holdersOf lists the periods of the history and who holds each on both sides. The lines of both runs are the same, in
// the same order; identities may differ where the configurations ignore other labels.
func holdersOf(watches [2]*sideWatch) (a, b []string, err error) {
	for shard, run := range watches[0].runs {
		other := watches[1].runs[shard]
		if len(run.lines) != len(other.lines) {
			return nil, nil, fmt.Errorf("shard %d: the history changed between the runs: %d alerts, then %d", shard, len(run.lines), len(other.lines))
		}
		run.periods = make(map[periodKey]int)
		for i, l := range run.lines {
			key := keyOfPeriod(shard, l.fingerprint, l.startsAt)
			if _, known := run.periods[key]; known {
				continue
			}
			run.periods[key] = len(a)
			a = append(a, run.engine.Holder(l.fingerprint, l.startsAt))
			b = append(b, other.engine.Holder(other.lines[i].fingerprint, other.lines[i].startsAt))
		}
	}
	return a, b, nil
}

// differingSettings lists the keys that decide outcomes and differ.
func differingSettings(a, b Config) []compare.Setting {
	values := map[string][2]string{}
	for i, cfg := range []Config{a, b} {
		walkRules(cfg, func(path, value string) {
			both := values[path]
			both[i] = value
			values[path] = both
		})
	}
	var out []compare.Setting
	for _, path := range slices.Sorted(maps.Keys(values)) {
		if v := values[path]; v[0] != v[1] {
			out = append(out, compare.Setting{Key: path, A: v[0], B: v[1]})
		}
	}
	return out
}

func walkRules(cfg Config, visit func(path, value string)) {
	walkConfig(reflect.ValueOf(&cfg).Elem(), "", func(path string, v reflect.Value) {
		section, _, _ := strings.Cut(path, ".")
		if !slices.Contains([]string{"identity", "severity", "incident", "correlate", "sla"}, section) {
			return
		}
		if v.Kind() != reflect.Map {
			visit(path, settingText(v))
			return
		}
		for _, key := range v.MapKeys() {
			visit(fmt.Sprintf("%s.%v", path, key), settingText(v.MapIndex(key)))
		}
	})
}

func settingText(v reflect.Value) string {
	text, err := yaml.Marshal(v.Interface())
	if err != nil {
		return fmt.Sprint(v.Interface())
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// pastDecisions runs the history as it was and collects what people decided. With --out it writes what that run comes to.
func pastDecisions(ctx context.Context, p Process, f *replayFlags, cfg Config, a *sideWatch) ([]compare.Decision, error) {
	first, err := estateInput(slices.Concat(cfg.Estate.Files, f.estate))
	if err != nil {
		return nil, err
	}
	past := &pastWatch{a: a, of: map[entryKey]int{}, merged: map[entryKey]string{}}
	flags := *f
	flags.watch, flags.what = past, "replaying what people decided"
	runs, err := replayRuns(ctx, p.Stderr, cfg, &flags, first)
	if err != nil {
		return nil, err
	}
	incidents, _ := collect(runs)
	if err := writeReplay(f, runs[0], incidents); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(past.decisions, func(d compare.Decision) bool {
		return d.Kind == "" || len(d.These) == 0 || len(d.Those) == 0 && d.Cause == ""
	}), nil
}

type entryKey struct {
	incident string
	seq      int
}

// pastWatch sees what people decide from the timelines: that is what was really done.
type pastWatch struct {
	a         *sideWatch
	decisions []compare.Decision
	of        map[entryKey]int    // index into decisions
	merged    map[entryKey]string // by the engine: the incident that was merged away
	// left is what incidents held that this record merges away: afterwards nobody knows.
	left map[string]map[itsm.Fingerprint]bool
}

func (w *pastWatch) before(r *replayRun, record *itsm.Record) {
	w.left = map[string]map[itsm.Fingerprint]bool{}
	for i := range record.Input.Commands {
		c := &record.Input.Commands[i]
		if c.Action != itsm.ActionMerge {
			continue
		}
		id := c.Incident.ID
		if c.Incident.Alert != 0 {
			id = r.engine.Holder(c.Incident.Alert, record.Time)
		}
		inc, ok := r.engine.Incident(id)
		for ok && inc.MergedInto != nil {
			inc, ok = r.engine.Incident(*inc.MergedInto)
		}
		if ok {
			w.left[inc.ID] = map[itsm.Fingerprint]bool{}
			for j := range inc.Alerts {
				w.left[inc.ID][inc.Alerts[j].Fingerprint] = true
			}
		}
	}
}

func (w *pastWatch) after(r *replayRun, updates []itsm.Update) {
	left := w.left
	for i := range updates {
		for _, c := range updates[i].Alerts {
			if c.State != nil {
				continue
			}
			if left[c.Incident] == nil {
				left[c.Incident] = map[itsm.Fingerprint]bool{}
			}
			left[c.Incident][c.Fingerprint] = true
		}
	}
	for i := range updates {
		for _, e := range updates[i].Entries {
			w.entry(r, updates[i].IncidentID, e, left)
		}
	}
}

func (w *pastWatch) entry(r *replayRun, incident string, e itsm.Entry, left map[string]map[itsm.Fingerprint]bool) {
	var data struct {
		Incident string `json:"incident"`
		Entry    int    `json:"entry"`
	}
	_ = json.Unmarshal(e.Data, &data) // other entries have other data
	at := entryKey{incident, e.Seq}
	if e.Kind == itsm.EntryUndone && data.Entry > 0 {
		w.undone(r, entryKey{incident, data.Entry}, e)
		return
	}
	if !e.Undoable {
		return
	}
	if e.By == itsm.ByEngine {
		if e.Kind == itsm.EntryMerged {
			w.merged[at] = data.Incident
		}
		return
	}
	d := compare.Decision{At: e.At, By: e.By, Text: e.Text}
	switch e.Kind {
	case itsm.EntryMerged:
		d.Kind = itsm.ActionMerge
		d.These, d.Those = w.divide(r, incident, left[data.Incident])
	case itsm.EntrySplit:
		d.Kind = itsm.ActionSplit
		d.These, d.Those = w.held(r, data.Incident), w.held(r, incident)
	case itsm.EntryMoved:
		d.Kind = itsm.ActionMove
		d.These, d.Those = w.divide(r, data.Incident, left[incident])
	case itsm.EntryKind(itsm.ActionConfirmCause), itsm.EntryKind(itsm.ActionRejectCause):
		d.Kind, d.These = itsm.Action(e.Kind), w.held(r, incident)
		_, d.Cause, _ = strings.Cut(e.Text, ": ")
	default:
		return
	}
	w.of[at] = len(w.decisions)
	w.decisions = append(w.decisions, d)
}

// undone takes a decision of a person back, or makes one of what a person undid of the engine's.
func (w *pastWatch) undone(r *replayRun, at entryKey, e itsm.Entry) {
	if i, ok := w.of[at]; ok {
		w.decisions[i].Kind = ""
		return
	}
	from, ok := w.merged[at]
	if !ok || e.By == itsm.ByEngine {
		return
	}
	w.decisions = append(w.decisions, compare.Decision{
		At: e.At, By: e.By, Kind: itsm.ActionUndo, Text: "a merge undone", These: w.held(r, from), Those: w.held(r, at.incident),
	})
}

// held lists the periods that an incident holds now.
func (w *pastWatch) held(r *replayRun, incident string) []int {
	_, all := w.divide(r, incident, nil)
	return all
}

// divide lists the periods that an incident holds now: those of some alerts, and the rest.
func (w *pastWatch) divide(r *replayRun, incident string, some map[itsm.Fingerprint]bool) (these, rest []int) {
	inc, ok := r.engine.Incident(incident)
	if !ok {
		return nil, nil
	}
	for i := range inc.Alerts {
		a := &inc.Alerts[i]
		period, known := w.a.runs[r.shard].periods[keyOfPeriod(r.shard, a.Fingerprint, a.LastStartsAt)]
		switch {
		case !known: // other labels are ignored there, or no line of the history told of it
		case some[a.Fingerprint]:
			these = append(these, period)
		default:
			rest = append(rest, period)
		}
	}
	return these, rest
}
