package ui

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	records      *prometheus.CounterVec
	dropped      *prometheus.CounterVec
	applySeconds prometheus.Histogram
	offset       prometheus.Gauge

	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec

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
	requestSeconds := f.NewHistogramVec(prometheus.HistogramOpts{
		Name: "signalbox_ui_request_seconds", Help: "Time to answer a request of the API.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
	}, []string{"route"})
	return &metrics{
		records:      vec("records_total", "Records of the public topics taken in.", "topic"),
		dropped:      vec("records_dropped_total", "Records of the public topics that could not be used.", "reason"),
		applySeconds: seconds("apply_seconds", "Time to take a batch of records in."),
		offset:       gauge("incidents_offset", "Offset of the last record of the incidents topic that the board shows."),

		requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_ui_requests_total", Help: "Requests of the API, by route and status of the answer.",
		}, []string{"route", "status"}),
		requestSeconds: requestSeconds,

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

// watchTotals reports how many alerts fire, and how many of them nobody could bind.
func watchTotals(reg prometheus.Registerer, v *views) {
	f := promauto.With(reg)
	gauge := func(name, help string, of func(counts) int) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "signalbox_ui_" + name, Help: help}, func() float64 {
			v.mu.Lock()
			defer v.mu.Unlock()
			return float64(of(v.totals()))
		})
	}
	gauge("alerts_firing", "Firing alerts.", func(c counts) int { return c.AlertsFiring })
	gauge("alerts_unbound", "Firing alerts whose labels mean no item; GET /api/v1/alerts?q=bound=false says what was tried.",
		func(c counts) int { return c.Unbound })
}

// measured counts the requests of a route.
func (m *metrics) measured(route string, next http.HandlerFunc) http.HandlerFunc {
	seconds := m.requestSeconds.WithLabelValues(route)
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next(sw, r)
		seconds.Observe(time.Since(began).Seconds())
		m.requests.WithLabelValues(route, strconv.Itoa(sw.status)).Inc()
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
