package stream

import (
	"strings"
	"testing"
)

func TestConfig_alertmanagerEventsTopic(t *testing.T) {
	for _, c := range []struct {
		topic   string
		brokers []string
		want    string // in the fault; empty: none
	}{
		{"", nil, ""},
		{"alertmanager-events", []string{"kafka-1:9092"}, ""},
		{"alertmanager-events", nil, "kafka.alertmanager_events_topic: needs kafka.brokers"},
		{"alert manager", []string{"kafka-1:9092"}, "kafka.alertmanager_events_topic: only letters"},
	} {
		cfg := DefaultConfig()
		cfg.AlertmanagerEventsTopic, cfg.Brokers = c.topic, c.brokers
		err := cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q on %v: got %v, want %q", c.topic, c.brokers, err, c.want)
		}
	}
}
