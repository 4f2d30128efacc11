package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
	"signalbox/store"
	"signalbox/store/chdb"
)

// memoryLog is a log that begins at an offset; with it, as history, what is before another.
type memoryLog struct {
	records  []itsm.Record // the bytes of a record are those of its text here
	from, to int64
}

func (l *memoryLog) Earliest(context.Context, int) (int64, error) { return l.from, nil }

func (l *memoryLog) Events(_ context.Context, _ int, from int64, yield func(itsm.Record) error) error {
	for _, r := range l.records {
		if r.Offset < max(from, l.from) {
			continue
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (l *memoryLog) Version(_ context.Context, id string) ([]byte, error) {
	return []byte("bytes of " + id), nil
}

func (l *memoryLog) Stored(context.Context, itsm.Topic, int) (int64, error) { return l.to, nil }

// EachRecorded encodes as the log does: only times and adoptions are needed here.
func (l *memoryLog) EachRecorded(_ context.Context, q store.RecordedQuery, yield func(int64, []byte) error) error {
	for _, r := range l.records {
		in := (q.From.IsZero() || !r.Time.Before(q.From)) && (q.To.IsZero() || r.Time.Before(q.To))
		if r.Offset >= min(q.Before, l.to) || !in && r.Input.Adopt == nil {
			continue
		}
		if err := yield(r.Offset, encode(r)); err != nil {
			return err
		}
	}
	return nil
}

// encode is the protobuf of a record with a time and perhaps an adopted estate.
func encode(r itsm.Record) []byte {
	b := []byte{1<<3 | 1}
	for n, i := uint64(r.Time.UnixNano()), 0; i < 8; i++ { //nolint:gosec // after 1970
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// TestRecorded_seam: wherever the log begins, with history before it a replay gets the same records.
func TestRecorded_seam(t *testing.T) {
	begin := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	whole := &memoryLog{to: 1000}
	for n := range 40 {
		at := begin.Add(time.Duration(n) * 10 * time.Second)
		if n%7 == 3 {
			at = at.Add(-11 * time.Second) // stamped before the one before it
		}
		whole.records = append(whole.records, itsm.Record{Offset: int64(3 * n), Time: at})
	}
	read := func(in *recorded, from, to time.Time) (all []itsm.Record) {
		in.tell = t.Logf
		if err := in.read(t.Context(), 0, from, to, func(r itsm.Record) error { all = append(all, r); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, w := range [][2]time.Time{{}, {begin.Add(97 * time.Second), begin.Add(203 * time.Second)}, {{}, begin.Add(61 * time.Second)}, {begin.Add(205 * time.Second), {}}} {
		want := read(&recorded{log: whole}, w[0], w[1])
		if len(want) == 0 {
			t.Fatalf("%v: an empty window", w)
		}
		for cut := int64(0); cut <= 130; cut += 5 {
			log := *whole
			log.from = cut
			got := read(&recorded{log: &log, open: func() (inputHistory, error) { return whole, nil }}, w[0], w[1])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v, the log begins at %d: %s", w, cut, diff)
			}
		}
		got := read(&recorded{open: func() (inputHistory, error) { return whole, nil }}, w[0], w[1])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v, without a log: %s", w, diff)
		}
	}
}

// TestRecorded_told: what is in neither is told; history that should be there and does not answer is an error.
func TestRecorded_told(t *testing.T) {
	log := &memoryLog{records: []itsm.Record{{Offset: 50, Time: time.Unix(1_767_225_600, 0)}}, from: 50, to: 40}
	for _, c := range []struct {
		open      func() (inputHistory, error)
		told, err string
	}{
		{func() (inputHistory, error) { return log, nil }, "shard 0: the log begins at offset 50, history ends at 40: what lay between is lost", ""},
		{func() (inputHistory, error) { return nil, missingHistory{what: "history is off"} }, "shard 0: the log no longer holds the first 50 offsets, and history is off", ""},
		{func() (inputHistory, error) { return nil, errors.New("connection refused") }, "", "the log no longer holds the first 50 offsets; open history: connection refused"},
	} {
		var told strings.Builder
		in := &recorded{log: log, open: c.open, tell: func(format string, args ...any) { fmt.Fprintf(&told, format+"\n", args...) }}
		err := in.read(t.Context(), 0, time.Time{}, time.Time{}, func(itsm.Record) error { return nil })
		if !strings.Contains(told.String(), c.told) || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("told %q, %v; want %q, %s", told.String(), err, c.told, c.err)
		}
	}
}

// TestReplay_history: what the program has recorded gives the same incidents from history as from the log, byte for byte,
// with several shards, adopted estates and people's decisions.
func TestReplay_history(t *testing.T) {
	library := chdb.Find("")
	if _, err := os.Stat(library); err != nil && os.Getenv("REQUIRE_CHDB") == "" {
		t.Skip("libchdb is not there: make chdb")
	}
	t.Setenv("SIGNALBOX_CLICKHOUSE_LIBRARY", library)
	h := newKillHarness(t, nil)
	h.terminateWhenReady()
	conf := "kafka: {shards: 2}\ncorrelate: {shard_by: [site]}\nincident: {auto_resolve_after: 1s, resolve_timeout: 2s}\n"
	if err := errors.Join(os.WriteFile(h.path("signalbox.yml"), []byte(conf), 0o600), os.RemoveAll(h.path("data"))); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.waitReady()
	var middle time.Time // the estate of the first round is adopted before it
	for round := range 3 {
		estate := fmt.Sprintf("items:\n  - {id: rack, class: switch, name: Rack %d, identifiers: [{site: vienna}, {site: linz}]}\n", round)
		if status, body, err := send(t.Context(), http.MethodPut, h.url+"/api/v1/estate", estate, nil); err != nil || status != http.StatusOK {
			t.Fatalf("estate: %d %s %v", status, body, err)
		}
		var alerts []map[string]any
		for n := range 60 {
			alerts = append(alerts, map[string]any{"labels": map[string]string{"alertname": "HostDown", "host": fmt.Sprintf("h%d-%d", round, n), "site": []string{"vienna", "graz", "linz", "wels"}[n%4]}})
		}
		if status := h.post(t.Context(), "/api/v2/alerts", alerts, nil); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		eventually(t, 10*time.Second, func() error {
			if incs := h.incidents(t); len(incs) > 0 {
				if status := h.post(t.Context(), "/api/v1/incidents/"+incs[0].ID+"/acknowledge", map[string]any{"by": "maria"}, nil); status == http.StatusOK {
					return nil
				}
			}
			return errors.New("nothing was acknowledged")
		})
		if round == 0 {
			middle = time.Now()
		}
	}
	eventually(t, 30*time.Second, func() error { return allStored(t, h.url) })
	until := time.Now()
	eventually(t, 30*time.Second, func() error { return allStored(t, h.url) }) // what came meanwhile
	h.terminate()

	replay := func(name string, args ...string) (incidents []byte, stderr string) {
		t.Helper()
		var errs bytes.Buffer
		cmd := program(t.Context(), t, append([]string{"replay", "--config", h.path("signalbox.yml"), "--data-dir", h.path("data"), "--out", h.path(name)}, args...)...)
		cmd.Stderr = &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("replay: %v\n%s", err, errs.String())
		}
		data, err := os.ReadFile(h.path(name))
		if err != nil {
			t.Fatal(err)
		}
		return data, errs.String()
	}
	windows := [][]string{
		{"--to", until.Format(time.RFC3339Nano)},
		{"--from", middle.Format(time.RFC3339Nano), "--to", until.Format(time.RFC3339Nano)},
	}
	var fromLog [][]byte
	for _, w := range windows {
		incidents, stderr := replay("log.jsonl", w...)
		if len(incidents) == 0 || strings.Contains(stderr, "ClickHouse") {
			t.Errorf("from the log: %d bytes, %s", len(incidents), stderr)
		}
		fromLog = append(fromLog, incidents)
	}
	if err := os.Rename(h.path("data/kafka"), h.path("kafka")); err != nil {
		t.Fatal(err)
	}
	for i, w := range windows {
		incidents, stderr := replay("history.jsonl", w...)
		if !strings.Contains(stderr, "shard 1: ") || !strings.Contains(stderr, "records from history in ClickHouse") {
			t.Errorf("it does not say where they come from: %s", stderr)
		}
		if diff := cmp.Diff(string(fromLog[i]), string(incidents)); diff != "" {
			t.Errorf("window %d: from history the incidents differ: %s", i, diff)
		}
	}
}

// allStored tells whether history has everything that was in the log.
func allStored(t *testing.T, url string) error {
	t.Helper()
	_, body, err := send(t.Context(), http.MethodGet, url+"/metrics", nil, nil)
	if err != nil {
		return err
	}
	seen := 0
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, `signalbox_store_behind_offsets{`) {
			seen++
			if !strings.HasSuffix(line, " 0\n") {
				return fmt.Errorf("not stored yet: %s", line)
			}
		}
	}
	if seen == 0 {
		return errors.New("nothing was read yet")
	}
	return nil
}
