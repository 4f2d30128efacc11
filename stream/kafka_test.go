package stream_test

import (
	"os"
	"strings"
	"testing"

	"signalbox/stream/streamtest"
)

// TestKafka runs the suite on the brokers of KAFKA_BROKERS (scripts/kafka/kafka.sh starts one).
func TestKafka(t *testing.T) {
	brokers := os.Getenv("KAFKA_BROKERS")
	if brokers == "" {
		t.Skip("KAFKA_BROKERS names no broker")
	}
	streamtest.Run(t, func(*testing.T) []string { return strings.Split(brokers, ",") })
}
