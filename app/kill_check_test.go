package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate"
	"signalbox/ingest/events"
	"signalbox/itsm"
	"signalbox/stream"
)

// checkAcknowledged requires each acknowledged alert to be in exactly one incident that is not
// merged away, with one period.
func (h *killHarness) checkAcknowledged() {
	h.t.Helper()
	// Until the engine has applied what was accepted last: a merge between two of these questions counts alerts twice.
	eventually(h.t, 10*time.Second, func() error {
		count := map[string]int{}
		rows, err := pages(h.t.Context(), h.url+"/api/v1/incidents?sort=openedAt", "incidents")
		if err != nil {
			return err
		}
		for _, raw := range rows {
			var inc itsm.Incident
			if err := json.Unmarshal(raw, &inc); err != nil {
				return err
			}
			if inc.MergedInto != nil {
				continue
			}
			alerts, err := pages(h.t.Context(), h.url+"/api/v1/incidents/"+inc.ID+"/alerts", "alerts")
			if err != nil {
				return err
			}
			for _, raw := range alerts {
				var a itsm.AlertState
				if err := json.Unmarshal(raw, &a); err != nil {
					return err
				}
				count[a.Labels.Get("host")] += a.Count
			}
		}
		for host := range h.alerts {
			if count[host] != 1 {
				return fmt.Errorf("the alert of %s was acknowledged and counts %d times", host, count[host])
			}
		}
		return nil
	})
}

// checkComments requires each acknowledged comment to stand once in the timeline of its incident.
func (h *killHarness) checkComments() {
	h.t.Helper()
	count := map[string]int{}
	read := map[string]bool{}
	for _, id := range h.comments {
		if read[id] {
			continue
		}
		read[id] = true
		rows, err := pages(h.t.Context(), h.url+"/api/v1/incidents/"+id+"/timeline", "entries")
		if err != nil {
			h.t.Fatal(err)
		}
		for _, raw := range rows {
			var entry itsm.Entry
			if err := json.Unmarshal(raw, &entry); err != nil {
				h.t.Fatal(err)
			}
			count[entry.Text]++
		}
	}
	for text := range h.comments {
		if count[text] != 1 {
			h.t.Errorf("the comment %q was acknowledged and stands %d times", text, count[text])
		}
	}
}

// checkRecovered exports the recorded inputs and replays them, with the program's commands. The
// state that a new owner recovers from checkpoint and log is the replay's, to the last field.
func (h *killHarness) checkRecovered() {
	h.t.Helper()
	h.export(0)
	runProgram(h.t, "replay", "--events", h.path("events.jsonl"), "--out", h.path("incidents.jsonl"))
	want, err := os.ReadFile(h.path("incidents.jsonl"))
	if err != nil {
		h.t.Fatal(err)
	}
	engine := newTestEngine(h.t, 0, 1)
	h.withLog(func(ctx context.Context, s *stream.Stream) error {
		at, err := recoverInto(ctx, s, 0, engine)
		if err != nil {
			return err
		}
		records := 0
		defer func() { h.t.Logf("recovered from a checkpoint at %d and %d records", at.Offset, records) }()
		return s.Events(ctx, 0, at.Offset, func(r itsm.Record) error {
			records++
			engine.Apply(r.Time, r.Input)
			return nil
		})
	})
	if err := writeIncidents(h.path("recovered.jsonl"), engine.Incidents()); err != nil {
		h.t.Fatal(err)
	}
	got, err := os.ReadFile(h.path("recovered.jsonl"))
	if err != nil {
		h.t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		h.t.Errorf("the recovered state is not the replay's (-replay +recovered):\n%s", firstDiff(want, got))
	}
}

// checkTopics replays what was recorded up to the last checkpoints of programs that stopped in
// peace. The topics hold what the replay published last, and every row that was ever shown is the
// replay's of that revision.
func (h *killHarness) checkTopics() {
	h.t.Helper()
	replay := newPublication()
	published := map[string][]byte{}
	h.withLog(func(ctx context.Context, s *stream.Stream) error {
		for shard := range s.Shards() {
			if err := h.replayShard(ctx, s, shard, replay); err != nil {
				return err
			}
		}
		ctx, stop := context.WithCancel(ctx)
		return s.Tail(ctx, stream.TailOptions{
			Topics: []itsm.Topic{itsm.TopicIncidents, itsm.TopicAlerts, itsm.TopicTimeline},
			Apply: func(ps []itsm.Published) error {
				for _, p := range ps {
					if !strings.HasPrefix(p.Key, "_") {
						published[string(p.Topic)+" "+p.Key] = p.Value
					}
				}
				return nil
			},
			CaughtUp: stop,
		})
	})
	for key, value := range published {
		if value == nil {
			delete(published, key)
		}
	}
	for key := range replay.last {
		if published[key] == nil {
			h.t.Errorf("%s is missing", key)
		}
	}
	for key, value := range published {
		if !bytes.Equal(value, replay.last[key]) {
			h.t.Errorf("%s is not what the replay says:\nlive   %s\nreplay %s", key, value, replay.last[key])
			break
		}
	}
	for key, row := range h.shown {
		if !bytes.Equal(row, replay.rows[key]) {
			h.t.Errorf("the row %s that was shown is not the replay's (-replay +shown):\n%s", key, cmp.Diff(string(replay.rows[key]), string(row)))
			break
		}
	}
	kinds := map[string]int{}
	for shard := range max(1, h.shards) {
		h.export(shard)
		h.countExport(kinds)
	}
	h.t.Logf("recorded: %v", kinds)
	for _, kind := range []string{"alerts", "changes", "commands", "adoptions", "ticks"} {
		if kinds[kind] == 0 {
			h.t.Errorf("no %s were recorded", kind)
		}
	}
}

// replayShard applies the records of a shard up to its last checkpoint, once straight and once with an
// engine that is restarted again and again.
func (h *killHarness) replayShard(ctx context.Context, s *stream.Stream, shard int, replay *publication) error {
	h.t.Helper()
	at, err := recoverInto(ctx, s, shard, newTestEngine(h.t, shard, s.Shards()))
	if err != nil {
		return err
	}
	engine, straight, restarted := newTestEngine(h.t, shard, s.Shards()), newPublication(), newRestarted(shard, s.Shards())
	err = s.Events(ctx, shard, 0, func(r itsm.Record) error {
		if r.Offset >= at.Offset {
			return nil
		}
		straight.add(engine.Apply(r.Time, r.Input))
		return restarted.apply(h.t, r)
	})
	if err != nil {
		return err
	}
	for key, row := range straight.rows {
		if !bytes.Equal(row, restarted.published.rows[key]) {
			h.t.Errorf("an engine that is restarted again and again publishes another row %s (-straight +restarted):\n%s",
				key, cmp.Diff(string(row), string(restarted.published.rows[key])))
			break
		}
	}
	maps.Copy(replay.last, straight.last)
	maps.Copy(replay.rows, straight.rows)
	return nil
}

// export writes the recorded inputs of a shard with the program's command.
func (h *killHarness) export(shard int) {
	h.t.Helper()
	log := []string{"--data-dir", h.path("data")}
	if h.brokers != nil {
		log = []string{"--config", h.path("signalbox.yml")}
	}
	runProgram(h.t, append([]string{"export", "--shard", strconv.Itoa(shard), "--out", h.path("events.jsonl")}, log...)...)
}

// countExport requires the export to be read back as it was recorded, and counts what is in it.
func (h *killHarness) countExport(kinds map[string]int) {
	h.t.Helper()
	f, err := os.Open(h.path("events.jsonl"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // only read
	reader := events.NewReader(f, events.ReaderOptions{Name: "events.jsonl"})
	for {
		r, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		kinds["alerts"] += len(r.Input.Alerts)
		kinds["changes"] += len(r.Input.Changes)
		kinds["commands"] += len(r.Input.Commands)
		if r.Input.Adopt != nil {
			kinds["adoptions"]++
		}
		if r.Input.Empty() {
			kinds["ticks"]++
		}
	}
}

// withLog opens the log of the program, which must not be running.
func (h *killHarness) withLog(use func(context.Context, *stream.Stream) error) {
	h.t.Helper()
	cfg := DefaultConfig()
	cfg.Server.DataDir = h.path("data")
	if h.brokers != nil {
		cfg.Kafka.Brokers, cfg.Kafka.TopicPrefix, cfg.Kafka.Shards = h.brokers, h.prefix, h.shards
	}
	if err := withStream(h.t.Context(), cfg, func(s *stream.Stream) error { return use(h.t.Context(), s) }); err != nil {
		h.t.Fatal(err)
	}
}

func newTestEngine(t *testing.T, shard, shards int) *correlate.Engine {
	t.Helper()
	engine, err := correlate.New(correlate.Options{Shard: shard, Shards: shards, Config: correlate.DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// recoverInto takes the shard over as a new owner does, and brings an engine to its checkpoint.
func recoverInto(ctx context.Context, s *stream.Stream, n int, engine *correlate.Engine) (itsm.Position, error) {
	shard := s.Shard(n)
	at, err := shard.Recover(ctx, engine.Restore)
	if err != nil {
		return at, err
	}
	defer func() { _ = shard.Close() }() // it only gives a connection back
	var data [2][]byte
	for i, id := range []string{at.Estate, at.Rules} {
		if id == "" {
			continue
		}
		if data[i], err = s.Version(ctx, id); err != nil {
			return at, err
		}
	}
	return at, engine.Restored(at, data[0], data[1])
}

// restarted is an engine that goes through a checkpoint every few records.
type restarted struct {
	shard, shards int

	engine    *correlate.Engine
	saved     map[string]itsm.Entity
	versions  map[string][]byte
	records   int
	published *publication
}

const restartEvery = 60

func newRestarted(shard, shards int) *restarted {
	return &restarted{shard: shard, shards: shards, saved: map[string]itsm.Entity{}, versions: map[string][]byte{}, published: newPublication()}
}

func (r *restarted) apply(t *testing.T, record itsm.Record) error {
	t.Helper()
	if r.engine == nil {
		r.engine = newTestEngine(t, r.shard, r.shards)
	}
	if a := record.Input.Adopt; a != nil {
		for _, v := range []*itsm.Version{a.Estate, a.Rules} {
			if v != nil {
				r.versions[v.ID] = v.Data
			}
		}
	}
	r.published.add(r.engine.Apply(record.Time, record.Input))
	if r.records++; r.records%restartEvery != 0 {
		return nil
	}
	for _, e := range r.engine.Changed() {
		r.saved[e.Key] = e
		if e.Value == nil {
			delete(r.saved, e.Key)
		}
	}
	at := r.engine.Position()
	r.engine = newTestEngine(t, r.shard, r.shards)
	for _, e := range r.saved {
		if err := r.engine.Restore(e); err != nil {
			return err
		}
	}
	return r.engine.Restored(at, r.versions[at.Estate], r.versions[at.Rules])
}

// publication is what an engine has published.
type publication struct {
	last map[string][]byte // by topic and key
	rows map[string][]byte // by incident and revision
}

func newPublication() *publication {
	return &publication{last: map[string][]byte{}, rows: map[string][]byte{}}
}

func (p *publication) add(updates []itsm.Update) {
	for _, u := range updates {
		for _, a := range u.Alerts {
			key := fmt.Sprintf("%s %s/%s", itsm.TopicAlerts, a.Incident, a.Fingerprint)
			if a.State == nil {
				delete(p.last, key)
				continue
			}
			p.last[key] = mustJSON(a.State)
		}
		for i := range u.Entries {
			p.last[fmt.Sprintf("%s %s/%d", itsm.TopicTimeline, u.IncidentID, u.Entries[i].Seq)] = mustJSON(u.Entries[i])
		}
		if u.Incident != nil {
			row := mustJSON(u.Incident)
			p.last[fmt.Sprintf("%s %s", itsm.TopicIncidents, u.IncidentID)] = row
			p.rows[fmt.Sprintf("%s/%d", u.IncidentID, u.Incident.Revision)] = row
		}
	}
}

// mustJSON encodes what always can be.
func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// firstDiff shows the first line in which two files differ.
func firstDiff(want, got []byte) string {
	w, g := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d of %d and %d:\n%s", i+1, len(w), len(g), cmp.Diff(indented(w[i]), indented(g[i])))
		}
	}
	return fmt.Sprintf("%d and %d lines", len(w), len(g))
}

func indented(line string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(line), "", " ") != nil {
		return line
	}
	return b.String()
}
