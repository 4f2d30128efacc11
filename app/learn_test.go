package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate/learn"
)

// slowShop is a history in which a slow database makes the shop on it slow every few hours. Each alert is sent three times
// and resolved; a disk that nobody knows fills in between.
func slowShop(t *testing.T) (estate, events string) {
	t.Helper()
	var lines bytes.Buffer
	send := func(at time.Time, labels map[string]string, status string, start time.Time) {
		object := map[string]any{"status": status, "labels": labels, "startsAt": start}
		if status == "resolved" {
			object["endsAt"] = at
		}
		line, err := json.Marshal(map[string]any{"at": at, "alert": object})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	database := map[string]string{"alertname": "SlowQueries", "check": "db", "instance": "db-1"}
	shop := map[string]string{"alertname": "HighLatency", "check": "web", "instance": "shop-1"}
	disk := map[string]string{"alertname": "DiskFull", "check": "disk", "instance": "nobody-knows"}
	for i := range 80 {
		at := start.Add(time.Duration(i) * 2 * time.Hour)
		lag := time.Duration(7+5*(i%3)) * time.Second
		for again := range 3 {
			send(at.Add(time.Duration(again)*time.Minute), database, "firing", at)
			send(at.Add(time.Duration(again)*time.Minute+lag), shop, "firing", at.Add(lag))
		}
		send(at.Add(10*time.Minute), database, "resolved", at)
		send(at.Add(11*time.Minute), shop, "resolved", at.Add(lag))
		send(at.Add(time.Hour+time.Duration(i)*time.Second), disk, "firing", at.Add(time.Hour+time.Duration(i)*time.Second))
	}
	dir := t.TempDir()
	estate, events = filepath.Join(dir, "estate.yaml"), filepath.Join(dir, "events.jsonl")
	if err := os.WriteFile(events, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `items:
  - {id: shop, class: service, identifiers: [{instance: shop-1}]}
  - {id: db, class: database, identifiers: [{instance: db-1}]}
relations:
  - {from: shop, type: depends_on, to: db}
`
	if err := os.WriteFile(estate, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return estate, events
}

func TestLearn(t *testing.T) {
	estate, events := slowShop(t)
	for _, test := range []struct {
		label, cause, effect string
		relation             string
		estate               []string
	}{
		{"alertname", "SlowQueries", "HighLatency", "depends_on", []string{"--estate", estate}},
		{"check", "db", "web", "depends_on", []string{"--estate", estate}},
		{"alertname", "SlowQueries", "HighLatency", "", nil}, // nobody has told what depends on what
	} {
		t.Run(fmt.Sprintf("%s, %d estates", test.label, len(test.estate)/2), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "patterns.json")
			var stderr bytes.Buffer
			args := append([]string{"learn", "--events", events, "--type", test.label, "--out", out}, test.estate...)
			if code := Main(t.Context(), Process{Args: args, Stdout: &stderr, Stderr: &stderr}); code != 0 {
				t.Fatalf("exit code %d: %s", code, &stderr)
			}
			if !strings.Contains(stderr.String(), "240 alerts of 3 types on") {
				t.Errorf("summary %q: each firing period counts once", &stderr)
			}
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			var file learn.File
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			if len(file.Patterns) != 1 || file.TypeLabel != test.label {
				t.Fatalf("want one pattern by %s, got %s", test.label, data)
			}
			p := file.Patterns[0]
			if p.Support < 70 || p.Score < 0.5 || p.Score > 1 {
				t.Errorf("%+v", p)
			}
			p.Support, p.Score = 0, 0
			want := learn.FilePattern{Cause: test.cause, Effect: test.effect, Relation: test.relation, LagSeconds: learn.FileLag{P50: 12, P90: 17}}
			if diff := cmp.Diff(want, p); diff != "" {
				t.Errorf("pattern (-want +got):\n%s", diff)
			}
			if len(file.Rates) != 3 {
				t.Errorf("rates %+v, want those of three alerts", file.Rates)
			}
		})
	}
}
