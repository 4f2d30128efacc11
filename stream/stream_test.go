package stream_test

import (
	"log/slog"
	"testing"

	"signalbox/stream"
	"signalbox/stream/streamtest"

	"github.com/prometheus/client_golang/prometheus"
)

func TestKfake(t *testing.T) {
	streamtest.Run(t, func(t *testing.T) []string {
		t.Helper()
		b, err := stream.StartBroker(stream.BrokerOptions{
			DataDir: t.TempDir(), Config: stream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		return []string{b.Addr()}
	})
}
