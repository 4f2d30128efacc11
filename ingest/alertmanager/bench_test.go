package alertmanager

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/prometheus/alertmanager/api/v2/models"

	"signalbox/ingest/ingesttest"
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
