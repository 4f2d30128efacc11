package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	requests *prometheus.CounterVec // by door and code
	accepted *prometheus.CounterVec // by door
	refused  *prometheus.CounterVec // by door and reason
	unknown  *prometheus.CounterVec // by door
	// truncated counts what senders left out of bodies, by door.
	truncated *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_ingest_" + name, Help: help}, labels)
	}
	return &metrics{
		requests:  counter("requests_total", "Requests, by door and HTTP status.", "door", "code"),
		accepted:  counter("accepted_total", "Alerts and changes that the log has.", "door"),
		refused:   counter("refused_total", "Alerts and changes that were refused, by reason.", "door", "reason"),
		unknown:   counter("unknown_fields_total", "Fields that no format we know has; they were passed over.", "door"),
		truncated: counter("truncated_alerts_total", "Alerts that senders left out of their bodies (Alertmanager's max_alerts).", "door"),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signalbox_ingest_request_duration_seconds", Help: "Time until a sender was answered.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"door"}),
	}
}
