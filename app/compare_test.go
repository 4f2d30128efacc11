package app

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// TestPastDecisions undoes a merge of the engine, which is a decision, and one of a person's own, which is none any more.
func TestPastDecisions(t *testing.T) {
	estate := writeTemp(t, "estate.yaml", `items:
  - {id: core, class: switch, identifiers: [{item: core}]}
  - {id: sw-1, class: switch, identifiers: [{item: sw-1}]}
  - {id: sw-2, class: switch, identifiers: [{item: sw-2}]}
  - {id: h11, class: host, identifiers: [{item: h11}]}
  - {id: h12, class: host, identifiers: [{item: h12}]}
  - {id: h13, class: host, identifiers: [{item: h13}]}
  - {id: h21, class: host, identifiers: [{item: h21}]}
  - {id: h22, class: host, identifiers: [{item: h22}]}
  - {id: h23, class: host, identifiers: [{item: h23}]}
  - {id: mon, class: host, vantage: true}
relations:
  - {from: mon, type: connects_to, to: core}
  - {from: sw-1, type: connects_to, to: core}
  - {from: sw-2, type: connects_to, to: core}
  - {from: h11, type: connects_to, to: sw-1}
  - {from: h12, type: connects_to, to: sw-1}
  - {from: h13, type: connects_to, to: sw-1}
  - {from: h21, type: connects_to, to: sw-2}
  - {from: h22, type: connects_to, to: sw-2}
  - {from: h23, type: connects_to, to: sw-2}
`)
	var lines []string
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	fire := func(name string, items ...string) {
		for _, item := range items {
			lines = append(lines, fmt.Sprintf(`{"at":%q,"alert":{"status":"firing","labels":{"alertname":%q,"item":%q,"severity":"critical"},"startsAt":%[1]q}}`,
				at.Format(time.RFC3339), name, item))
		}
		at = at.Add(time.Minute)
	}
	command := func(id, action, incident, rest string) {
		lines = append(lines, fmt.Sprintf(`{"at":%q,"command":{"id":%q,"action":%q,"by":"maria","incident":%q%s}}`, at.Format(time.RFC3339), id, action, incident, rest))
		at = at.Add(time.Minute)
	}
	run := func() *pastWatch {
		f := &replayFlags{events: writeTemp(t, "events.jsonl", strings.Join(lines, "\n")+"\n"), estate: files{estate}}
		sides, err := compareSides(Process{}, f, DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		alone, past := newSideWatch(), &pastWatch{of: map[entryKey]int{}, merged: map[entryKey]string{}}
		if _, err := runSide(t.Context(), io.Discard, &sides[0], alone, "replaying"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := holdersOf([2]*sideWatch{alone, alone}); err != nil {
			t.Fatal(err)
		}
		past.a, f.watch = alone, past
		if _, err := replayRuns(t.Context(), io.Discard, DefaultConfig(), f, sides[0].first); err != nil {
			t.Fatal(err)
		}
		return past
	}

	fire("HostDown", "h11", "h12", "h13")
	fire("HostDown", "h21", "h22", "h23")
	fire("SwitchDown", "core")
	merges := slices.Collect(maps.Keys(run().merged)) // where the engine's merge stands in the timeline is not ours to know
	if len(merges) != 1 {
		t.Fatalf("the engine merged %d times, want once", len(merges))
	}
	command("c1", "undo", merges[0].incident, fmt.Sprintf(`,"entry":%d`, merges[0].seq))
	command("c2", "confirm_cause", merges[0].incident, `,"item":"sw-1"`)
	past := run()
	if n := len(past.decisions); n != 2 {
		t.Fatalf("%d decisions, want 2: %+v", n, past.decisions)
	}
	undo, confirm := past.decisions[0], past.decisions[1]
	if undo.Kind != itsm.ActionUndo || len(undo.These) != 3 || len(undo.Those) != 4 {
		t.Errorf("got %+v, want 3 alerts apart from 4", undo)
	}
	if confirm.Kind != itsm.ActionConfirmCause || confirm.Cause != "sw-1" || len(confirm.These) != 4 {
		t.Errorf("got %+v, want sw-1 as the cause of 4 alerts", confirm)
	}

	for at := range past.of {
		command("c3", "undo", at.incident, fmt.Sprintf(`,"entry":%d`, at.seq))
	}
	if got := run().decisions[1].Kind; got != "" {
		t.Errorf("the confirmed cause was undone and still counts as %s", got)
	}
}

// TestHistoryThatChanges is a file that is written to between the two runs.
func TestHistoryThatChanges(t *testing.T) {
	one := &sideWatch{runs: []*replayRun{{lines: make([]firingLine, 1)}}}
	two := &sideWatch{runs: []*replayRun{{lines: make([]firingLine, 2)}}}
	if _, _, err := holdersOf([2]*sideWatch{one, two}); err == nil || !strings.Contains(err.Error(), "changed between the runs") {
		t.Errorf("got %v", err)
	}
}
