package store

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	rows     *prometheus.CounterVec
	blocks   *prometheus.CounterVec
	failures prometheus.Counter
	lost     *prometheus.CounterVec
	refused  *prometheus.CounterVec
	behind   *prometheus.GaugeVec
	seconds  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		rows:   f.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_store_rows_total", Help: "Rows written to ClickHouse."}, []string{"table"}),
		blocks: f.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_store_blocks_total", Help: "Blocks written to ClickHouse."}, []string{"topic"}),
		failures: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_store_failures_total", Help: "Writes that failed and were tried again.",
		}),
		lost: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_store_lost_total", Help: "Offsets that retention had removed from the log before they were stored.",
		}, []string{"topic"}),
		refused: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_store_undecodable_total", Help: "Records of a public topic that could not be decoded.",
		}, []string{"topic"}),
		behind: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "signalbox_store_behind_offsets", Help: "Offsets of the log that are not stored yet.",
		}, []string{"topic", "partition"}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_store_write_duration_seconds", Help: "Time to write one block.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
	}
}
