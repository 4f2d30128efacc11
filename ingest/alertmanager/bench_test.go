package alertmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/client_golang/prometheus"

	"signalbox/ingest/ingesttest"
	"signalbox/itsm"
)

// realistic is a body of n alerts as Prometheus sends them for kube-prometheus rules.
func realistic(n int, body func(...string) []byte) []byte {
	alerts := make([]string, n)
	for i := range alerts {
		alerts[i] = fmt.Sprintf(`{"status":"firing","annotations":{"description":"Pod shop/checkout-%d (app) is in waiting state (reason: \"CrashLoopBackOff\").",`+
			`"runbook_url":"https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping","summary":"Pod is crash looping."},`+
			`"endsAt":"2026-01-02T10:04:05.123Z","startsAt":"2026-01-02T09:58:05.123Z","generatorURL":"http://prometheus-k8s-0:9090/graph?g0.expr=max_over_time%%28kube_pod_container_status_waiting_reason%%5B5m%%5D%%29+%%3E%%3D+1\u0026g0.tab=1",`+
			`"labels":{"alertname":"KubePodCrashLooping","cluster":"dc-a","container":"app","endpoint":"http","instance":"10.0.%d.%d:8080","job":"kube-state-metrics",`+
			`"namespace":"shop","pod":"checkout-%d","prometheus":"monitoring/k8s","prometheus_replica":"prometheus-k8s-0","reason":"CrashLoopBackOff","severity":"warning"}}`,
			i, i/256, i%256, i)
	}
	return body(alerts...)
}

func BenchmarkDecodePost(b *testing.B) {
	const n = 100
	body := realistic(n, postBody)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if batch, err := DecodePost(body, ingesttest.Arrival()); err != nil || len(batch.Alerts) != n {
			b.Fatalf("%v, %+v", err, batch.Refused)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/alert")
}

// BenchmarkDecodePostReference is what Alertmanager's own types take for the same body.
func BenchmarkDecodePostReference(b *testing.B) {
	const n = 100
	body := realistic(n, postBody)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var list models.PostableAlerts
		if err := json.Unmarshal(body, &list); err != nil || len(list) != n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/alert")
}

func BenchmarkDecodeWebhook(b *testing.B) {
	const n = 10_000
	body := realistic(n, webhookBody)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if batch, err := DecodeWebhook(body, ingesttest.Arrival()); err != nil || len(batch.Alerts) != n {
			b.Fatalf("%v, %+v", err, batch.Refused)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/alert")
}

// BenchmarkPoller_quiet is a reading of a member that lists 50,000 alerts, all of which we have: nothing is to be sent.
func BenchmarkPoller_quiet(b *testing.B) {
	const alerts = 50_000
	var body bytes.Buffer
	known := map[itsm.Fingerprint]Known{}
	for i := range alerts {
		labels := map[string]string{
			"alertname": "HostDown", "instance": fmt.Sprintf("host-%05d:9100", i), "job": "node", "cluster": "prod-1", "severity": "critical", "team": "netops",
		}
		text, err := json.Marshal(map[string]any{
			"labels": labels, "annotations": map[string]string{"summary": "the host is down", "runbook": "https://runbooks.example.com/HostDown"},
			"startsAt": "2026-03-01T12:00:00.000Z", "endsAt": "2026-03-01T12:04:00.000Z", "updatedAt": "2026-03-01T12:00:00.000Z", "fingerprint": "437345283c74dc09",
			"receivers": []any{map[string]string{"name": "signalbox"}}, "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
			"status": map[string]any{"inhibitedBy": []string{}, "silencedBy": []string{}, "mutedBy": []string{}, "state": "active"},
		})
		if err != nil {
			b.Fatal(err)
		}
		body.WriteString([]string{",", "["}[max(0, 1-i)])
		body.Write(text)
		known[itsm.NewLabels(labels).Fingerprint()] = Known{Source: "prod", Status: itsm.StatusFiring}
	}
	body.WriteString("]")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/status") {
			_, _ = io.WriteString(w, `{}`)
			return
		}
		_, _ = w.Write(body.Bytes())
	}))
	defer server.Close()
	c := Config{Name: "prod", URLs: []string{server.URL}}
	c.SetDefaults()
	clients, err := NewClients(&c)
	if err != nil {
		b.Fatal(err)
	}
	p, err := NewPoller(PollerOptions{
		Config: c, Members: []Member{clients[0]}, Door: refusing{b}, Known: func() map[itsm.Fingerprint]Known { return known },
		Ours: func() bool { return true }, Metrics: NewPollerMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if !p.read(b.Context()) {
			b.Fatal(p.State().Error)
		}
	}
	b.ReportMetric(alerts*float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// refusing is a log that must get nothing.
type refusing struct{ b *testing.B }

func (r refusing) Append(context.Context, itsm.Input) error {
	r.b.Error("a quiet reading sends something")
	return nil
}
