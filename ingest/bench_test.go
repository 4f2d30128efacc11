package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
)

// hollow is a log that takes everything and keeps nothing.
type hollow struct{ taken int }

func (h *hollow) Append(_ context.Context, in itsm.Input) error {
	h.taken += len(in.Alerts)
	return nil
}

// BenchmarkPost is a request with 100 alerts at the door of API v2, without network and log.
func BenchmarkPost(b *testing.B) {
	const n = 100
	alerts := make([]string, n)
	for i := range alerts {
		alerts[i] = fmt.Sprintf(`{"labels":{"alertname":"HostDown","instance":"10.0.0.%d:9100","job":"node","severity":"critical","site":"dc-a"},`+
			`"annotations":{"summary":"Host is down."},"startsAt":"2026-01-02T09:59:58.123Z","endsAt":"2036-01-02T09:59:58.123Z",`+
			`"generatorURL":"http://p/graph?g0.expr=up\u0026g0.tab=1"}`, i)
	}
	body := "[" + strings.Join(alerts, ",") + "]"
	door := &hollow{}
	room, err := ingest.New(ingest.Options{
		Door: door, Config: ingest.DefaultConfig(), Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Receivers: []ingest.Receiver{alertmanager.Post()},
	})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	room.Register(mux)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, postPath, strings.NewReader(body))
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	if door.taken != n*b.N {
		b.Fatalf("%d of %d are taken", door.taken, n*b.N)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/alert")
}
