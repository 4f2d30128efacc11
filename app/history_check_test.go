package app

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"signalbox/itsm"
	"signalbox/stream"
)

// pastRows is what stands in history, or should: what was published, by what makes it one. True: it has to be there;
// false: a later one has replaced it, as an entry is replaced that was taken back, perhaps within a block.
type pastRows map[string]bool

func pastAlert(a *itsm.AlertState, incident string, at int64) string {
	return fmt.Sprintf("alert\t%d\t%s\t%s\t%d\t%d", uint64(a.Fingerprint), incident, a.Status, a.Count, at)
}

// add takes what an engine publishes; entries are the last of each place in a timeline.
func (p pastRows) add(updates []itsm.Update, entries map[string]string) {
	for _, u := range updates {
		for _, a := range u.Alerts {
			if a.State == nil {
				continue
			}
			incident := a.Incident
			if incident == itsm.NoIncident {
				incident = ""
			}
			at := a.State.LastSeenAt
			if a.State.EndsAt != nil && a.State.Status != itsm.StatusFiring && a.State.EndsAt.After(at) {
				at = *a.State.EndsAt
			}
			p[pastAlert(a.State, incident, at.UnixNano())] = true
		}
		for i := range u.Entries {
			place := fmt.Sprintf("%s/%d", u.IncidentID, u.Entries[i].Seq)
			if before, ok := entries[place]; ok {
				p[before] = false
			}
			entries[place] = "entry\t" + u.IncidentID + "\t" + string(mustJSON(u.Entries[i]))
			p[entries[place]] = true
		}
		if u.Incident != nil {
			p["incident\t"+u.IncidentID+"\t"+string(mustJSON(u.Incident))] = true
		}
	}
}

// checkHistory requires each record to be in ClickHouse once, and all that a replay of the log publishes, and nothing else.
// Nothing was merged yet (keepParts).
func (h *killHarness) checkHistory(engine *engineProcess) {
	h.t.Helper()
	want, entries := pastRows{}, map[string]string{}
	h.withLog(func(ctx context.Context, s *stream.Stream) error {
		at, err := recoverInto(ctx, s, 0, newTestEngine(h.t, 0, 1))
		if err != nil {
			return err
		}
		live := newTestEngine(h.t, 0, 1)
		return s.Events(ctx, 0, 0, func(r itsm.Record) error {
			if r.Offset < at.Offset {
				want[fmt.Sprintf("event\t%d", r.Offset)] = true
				for i, c := range r.Input.Changes {
					want[fmt.Sprintf("change\t%s\t%d\t%d", c.ID, r.Offset, i)] = true
				}
				want.add(live.Apply(r.Time, r.Input), entries)
			}
			return nil
		})
	})
	got, kinds := pastRows{}, map[string]int{}
	for _, q := range []string{
		"'alert', toString(fingerprint), incident, status, toString(count), toString(toUnixTimestamp64Nano(at))] FROM signalbox.alert_events",
		"'incident', id, row] FROM signalbox.incident_revisions",
		"'entry', incident, entry] FROM signalbox.timeline",
		"'event', toString(log_offset)] FROM signalbox.events",
		"'change', id, toString(log_offset), toString(log_index)] FROM signalbox.changes",
	} {
		h.readPast(engine, "SELECT ["+q+" FORMAT JSONCompactEachRow", got, kinds)
	}
	for _, table := range []string{"alert_events", "incident_revisions", "timeline", "events", "changes"} {
		place := "log_partition, log_offset"
		if table == "changes" {
			place += ", log_index"
		}
		twice, err := engine.ask("SELECT count(), uniqExact(" + place + ") FROM signalbox." + table + " FORMAT TSV")
		if err != nil {
			h.t.Fatal(err)
		}
		if all, once, _ := strings.Cut(strings.TrimSpace(twice), "\t"); all != once || all == "0" {
			h.t.Errorf("%s has %s rows of %s records", table, all, once)
		}
	}
	missing, strange := 0, 0
	for key, must := range want {
		if must && !got[key] {
			if missing++; missing < 4 {
				h.t.Errorf("history lacks %s", key)
			}
		}
	}
	for key := range got {
		if _, published := want[key]; !published {
			if strange++; strange < 4 {
				h.t.Errorf("history has what the replay does not publish: %s", key)
			}
		}
	}
	h.t.Logf("rows %v; a replay publishes %d, %d of them missing, %d others found", kinds, len(want), missing, strange)
}

func (h *killHarness) readPast(engine *engineProcess, query string, got pastRows, kinds map[string]int) {
	h.t.Helper()
	out, err := engine.ask(query)
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		var row [1][]string
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			h.t.Fatalf("%s: %v", line, err)
		}
		got[strings.Join(row[0], "\t")] = true
		kinds[row[0][0]]++
	}
}
