package ui

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	records      *prometheus.CounterVec
	dropped      *prometheus.CounterVec
	applySeconds prometheus.Histogram
	offset       prometheus.Gauge

	changes    prometheus.Counter
	clients    prometheus.Gauge
	frames     *prometheus.CounterVec
	frameBytes prometheus.Counter
	rows       prometheus.Counter
	connects   *prometheus.CounterVec
	closes     *prometheus.CounterVec

	commands       *prometheus.CounterVec
	commandSeconds prometheus.Histogram
	estateFaults   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "signalbox_ui_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "signalbox_ui_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "signalbox_ui_" + name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_ui_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		})
	}
	return &metrics{
		records:      vec("records_total", "Records of the public topics taken in.", "topic"),
		dropped:      vec("records_dropped_total", "Records of the public topics that could not be used.", "reason"),
		applySeconds: seconds("apply_seconds", "Time to take a batch of records in."),
		offset:       gauge("incidents_offset", "Offset of the last record of the incidents topic that the board shows."),

		changes:    counter("board_changes_total", "Changes of rows of the board."),
		clients:    gauge("stream_clients", "Connected watchers of the board."),
		frames:     vec("stream_frames_total", "Messages sent to watchers.", "type"),
		frameBytes: counter("stream_sent_bytes_total", "Bytes of messages sent to watchers."),
		rows:       counter("stream_rows_total", "Changes sent to watchers; less than changes times watchers by what was conflated."),
		connects:   vec("stream_connects_total", "Attempts to watch the board, by what became of them.", "result"),
		closes:     vec("stream_closes_total", "Ends of connections, by reason.", "reason"),

		commands:       vec("commands_total", "Commands by the status of the answer.", "status"),
		commandSeconds: seconds("command_seconds", "Time from a command to its outcome."),
		estateFaults:   counter("estate_faults_total", "Versions of the estate that could not be shown."),
	}
}
