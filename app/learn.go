package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/learn"
	"signalbox/ingest/events"
	"signalbox/itsm"
)

const learnHelp = `learn from a history which alert types cause which, and how often each fires by itself

Nobody has to say what was a fault: the order in time and the relations of the estate are enough. The patterns file names only what
pays for itself by a statistical rule (EBIC), with the lag and the relation that the effect travels over, and for each item and type
how many alerts nothing else explains. Alerts of no known item count by their other labels.

Examples:
  signalbox learn --estate estate.yaml --events month.jsonl.gz --out patterns.json
  signalbox learn --estate estate.yaml --events month.jsonl.gz --type check --out patterns.json`

func learnCommand(ctx context.Context, p Process, flags *flag.FlagSet) error {
	var estateFiles files
	var eventsFile, typeLabel, out string
	flags.Var(&estateFiles, "estate", "estate `FILE`; may be given several times")
	flags.StringVar(&eventsFile, "events", "", "events `FILE` (.jsonl, .jsonl.gz)")
	flags.StringVar(&typeLabel, "type", "alertname", "the `LABEL` that is the type of an alert")
	flags.StringVar(&out, "out", "", "write patterns to `FILE`")
	if err := parse(p, flags); err != nil {
		return err
	}
	if eventsFile == "" || out == "" {
		return usagef("--events and --out are needed")
	}
	start := time.Now()
	estate := &cmdb.Estate{}
	if len(estateFiles) > 0 {
		var err error
		if estate, err = mergeFiles(estateFiles); err != nil {
			return err
		}
	}
	h, err := readHistory(ctx, eventsFile, typeLabel, estate)
	if err != nil {
		return err
	}
	told := newProgress(p.Stderr, "learning")
	result := learn.Learn(h.History, func(share float64) { told.show(share, "") })
	told.done()
	file := learn.NewFile(typeLabel, h.items.names, h.Types, result)
	if err := writeFile(out, file.Write); err != nil {
		return fmt.Errorf("write patterns: %w", err)
	}
	fmt.Fprintf(p.Stderr, "%d alerts of %d types on %d items over %s, %d patterns, %.2f s\n",
		len(h.Events), len(h.Types), h.Items, result.Span.Round(time.Second), len(result.Edges), time.Since(start).Seconds())
	if h.without > 0 {
		fmt.Fprintf(p.Stderr, "%d alerts without the label %s were left out\n", h.without, typeLabel)
	}
	if h.unbound > 0 {
		fmt.Fprintf(p.Stderr, "%d alerts are of no item of the estate; they count by their other labels\n", h.unbound)
	}
	if result.Limited > 0 {
		fmt.Fprintf(p.Stderr, "%d alerts had too many before them; only the nearest were considered\n", result.Limited)
	}
	return nil
}

// indexed numbers names in the order in which they come.
type indexed struct {
	of    map[string]int
	names []string
}

func (x *indexed) number(name string) int {
	i, ok := x.of[name]
	if !ok {
		i = len(x.names)
		if x.of == nil {
			x.of = map[string]int{}
		}
		x.of[name] = i
		x.names = append(x.names, name)
	}
	return i
}

// history is a history on its way from a file.
type history struct {
	learn.History
	graph            *cmdb.Graph
	typeLabel        string
	items, types     indexed
	periods          map[itsm.Fingerprint]period
	without, unbound int
}

// period is when the last firing period of an alert began, and when it ended or will; zero: nobody said.
type period struct{ start, end time.Time }

// readHistory reads the firing periods of an events file. Only their beginnings are learned from.
func readHistory(ctx context.Context, path, typeLabel string, estate *cmdb.Estate) (*history, error) {
	graph, err := cmdb.NewGraph(estate)
	if err != nil {
		return nil, err
	}
	h := &history{graph: graph, typeLabel: typeLabel, periods: map[itsm.Fingerprint]period{}}
	in, closeIn, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer closeIn()
	reader := events.NewReader(in, events.ReaderOptions{Name: path, IgnoreLabels: DefaultConfig().Identity.IgnoreLabels})
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range record.Input.Alerts {
			h.add(&record.Input.Alerts[i], record.Time)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	h.finish()
	return h, nil
}

func (h *history) add(a *itsm.Alert, at time.Time) {
	start := a.StartsAt
	if start.IsZero() || start.After(at) {
		start = at
	}
	last, known := h.periods[a.Fingerprint]
	if a.Status != itsm.StatusFiring {
		if known && !start.Before(last.start) {
			last.end = at
			h.periods[a.Fingerprint] = last
		}
		return
	}
	extends := known && (!start.After(last.start) || !a.EndsAt.IsZero() && last.end.After(start))
	if extends {
		last.end = a.EndsAt
		h.periods[a.Fingerprint] = last
		return
	}
	h.periods[a.Fingerprint] = period{start: start, end: a.EndsAt}
	word := a.Labels.Get(h.typeLabel)
	if word == "" {
		h.without++
		return
	}
	h.Events = append(h.Events, learn.Event{At: start, Item: h.items.number(h.itemOf(a.Labels)), Type: h.types.number(word)})
}

// itemOf names what an alert is about: an item of the estate, else its labels but for the type.
func (h *history) itemOf(labels itsm.Labels) string {
	m := h.graph.Bind(labels)
	if (len(m.Items) > 0 || len(m.Relations) > 0) && !h.graph.Known(m.Items, m.Relations) {
		h.graph.Discover(m.Items, m.Relations)
	}
	if n, ok := h.graph.Node(m.ID); ok && m.ID != "" && len(m.Tie) == 0 {
		return h.graph.Item(n).ID
	}
	h.unbound++
	rest := slices.DeleteFunc(slices.Clone(labels), func(l itsm.Label) bool { return l.Name == h.typeLabel || l.Name == "severity" })
	return "{" + strings.TrimSuffix(strings.TrimPrefix(rest.String(), "{"), "}") + "}"
}

// finish adds the relations between the items that report, and between those that silent items join.
func (h *history) finish() {
	for n := range cmdb.Node(h.graph.Len()) { //nolint:gosec // as many as the graph has
		h.items.number(h.graph.Item(n).ID)
	}
	for n := range cmdb.Node(h.graph.Len()) { //nolint:gosec // see above
		id := h.graph.Item(n).ID
		for _, r := range h.graph.Relations(n) {
			if r.From == id {
				h.Relations = append(h.Relations, learn.Relation{From: h.items.number(r.From), To: h.items.number(r.To), Type: string(r.Type)})
			}
		}
	}
	h.Items, h.Types = len(h.items.names), h.types.names
}
