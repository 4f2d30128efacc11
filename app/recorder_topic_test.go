package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafka "github.com/segmentio/kafka-go"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
	"signalbox/stream"
)

// TestRecorderTopic: two processes read what an Alertmanager's event recorder has written into a
// topic; one that is not of the format stands in between. Each alert comes once, from the source
// that the Alertmanager is called, and what comes while nobody is there is read afterwards.
func TestRecorderTopic(t *testing.T) {
	text, err := os.ReadFile("../ingest/alertmanager/testdata/recorder_topic.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	ends := len(lines) - 2 // of these two alerts only the ends were kept
	broker, err := stream.StartBroker(stream.BrokerOptions{
		DataDir: t.TempDir(), Config: stream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	const topic = "alertmanager-events"
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &kafka.Client{Addr: kafka.TCP(broker.Addr()), Transport: transport}
	write := func(values ...[]byte) {
		t.Helper()
		records := make([]kafka.Record, len(values))
		for i, v := range values {
			records[i] = kafka.Record{Key: kafka.NewBytes([]byte("am-1")), Value: kafka.NewBytes(v)}
		}
		eventually(t, 20*time.Second, func() error {
			_, err := client.Produce(t.Context(), &kafka.ProduceRequest{Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...)})
			return err
		})
	}
	change := func(c *Config) {
		c.Kafka.Brokers, c.Kafka.AlertmanagerEventsTopic = []string{broker.Addr()}, topic
		c.Alertmanagers = []alertmanager.Config{{Name: "prod", URLs: []string{"http://am-1:9093"}, Timeout: time.Second}}
	}
	if _, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}}}); err != nil {
		t.Fatal(err)
	}
	write(append([][]byte{[]byte("nonsense")}, lines[:ends]...)...)
	one, stopOne := startAppUntil(t, change)
	two, stopTwo := startAppUntil(t, change)
	inc := awaitSilent(t, one) // the Watchdog opens none
	if a := inc.Alerts[0]; a.Labels.Get("alertname") != "TopicFull" || a.Source != "prod" || a.Count != 1 {
		t.Errorf("got %+v", a)
	}
	const series = `signalbox_ingest_refused_total{door="alertmanager_topic",reason="invalid_body"}`
	if got := metric(t, one, series) + metric(t, two, series); got != 1 {
		t.Errorf("%v records were refused, want 1", got)
	}
	stopOne()
	stopTwo()

	write(lines[ends:]...)
	write(bytes.ReplaceAll(lines[ends], []byte("TopicTwo"), []byte("TopicFull"))) // the end of the first, in the words of the other
	one, _ = startAppUntil(t, change)
	eventually(t, 30*time.Second, func() error {
		inc, err = theIncident(t.Context(), one)
		if err == nil && inc.AlertCounts != (itsm.AlertCounts{Resolved: 1, Total: 1}) {
			err = fmt.Errorf("%+v", inc.AlertCounts)
		}
		return err
	})
	if got := metric(t, one, series); got != 0 {
		t.Errorf("%v records were refused after the restart: it began anew", got)
	}
}
