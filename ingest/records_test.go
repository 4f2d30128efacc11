package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
)

// TestIngest_TakeRecords takes what the recorder of Alertmanager 0.34.2 has written into a topic,
// with records in between that are not of the format.
func TestIngest_TakeRecords(t *testing.T) {
	text, err := os.ReadFile("alertmanager/testdata/recorder_topic.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for line := range bytes.Lines(text) {
		records = append(records, line, []byte("nonsense"))
	}
	h := houseWith(t, func(o *ingest.Options) {
		o.Names = map[string]string{"am-1": "prod"}
		o.Config.MaxBody = 10_000
	})
	records = append(records, []byte(`{"data":{"x":"`+strings.Repeat("x", 10_000)+`"}}`), nil)
	receiver := alertmanager.RecorderTopic()

	h.answer = func(context.Context) error { return itsm.ErrOverloaded }
	if err := h.room.TakeRecords(t.Context(), receiver, records); !errors.Is(err, itsm.ErrOverloaded) {
		t.Fatalf("got %v", err)
	}
	if got := h.room.Sources(); len(got) != 0 {
		t.Errorf("what was not taken is counted: %+v", got)
	}
	h.answer = nil
	if err := h.room.TakeRecords(t.Context(), receiver, records); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range h.alerts() {
		got = append(got, a.Source+" "+string(a.Status)+" "+a.Labels.Get("alertname"))
	}
	want := []string{
		"prod firing TopicFull", "prod firing Watchdog", "prod firing TopicFull", "prod firing Watchdog", "prod resolved TopicTwo", "prod resolved Watchdog",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sources := map[string]int64{}
	for _, s := range h.room.Sources() {
		sources[s.Name] = s.Refused
	}
	if diff := cmp.Diff(map[string]int64{"prod": 0, "alertmanager_topic": 11}, sources); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	metrics := `
# HELP signalbox_ingest_accepted_total Alerts and changes that the log has.
# TYPE signalbox_ingest_accepted_total counter
signalbox_ingest_accepted_total{door="alertmanager_topic"} 6
# HELP signalbox_ingest_refused_total Alerts and changes that were refused, by reason.
# TYPE signalbox_ingest_refused_total counter
signalbox_ingest_refused_total{door="alertmanager_topic",reason="invalid"} 0
signalbox_ingest_refused_total{door="alertmanager_topic",reason="invalid_body"} 11
`
	if err := testutil.GatherAndCompare(h.registry, strings.NewReader(metrics), "signalbox_ingest_accepted_total", "signalbox_ingest_refused_total"); err != nil {
		t.Error(err)
	}
	if err := h.room.TakeRecords(t.Context(), receiver, [][]byte{[]byte("nonsense")}); err != nil {
		t.Errorf("a record that nobody can read stops the topic: %v", err)
	}
}
