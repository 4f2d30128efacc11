package stream

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the counters of one Stream.
type metrics struct {
	alertsIn      prometheus.Counter
	recordsOut    prometheus.Counter
	bytesOut      prometheus.Counter
	dropped       *prometheus.CounterVec // by reason
	queueBytes    prometheus.Gauge
	queueEntries  prometheus.Gauge
	appendSeconds prometheus.Histogram
	writeSeconds  *prometheus.HistogramVec // by topic
	written       *prometheus.CounterVec   // by topic
	retries       prometheus.Counter
	read          prometheus.Counter
	readErrors    prometheus.Counter
	heldBack      prometheus.Counter
	deadLetters   prometheus.Counter
	lost          prometheus.Counter
	checkpoint    prometheus.Histogram
	lag           *prometheus.GaugeVec // by shard
	retired       prometheus.Counter

	followed     prometheus.Counter
	followLost   prometheus.Counter
	followBehind prometheus.Gauge

	owned           *prometheus.GaugeVec // by shard
	groupGeneration prometheus.Gauge
	groupErrors     prometheus.Counter
	fenced          prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	fast := prometheus.ExponentialBuckets(0.0005, 2, 15)
	m := &metrics{
		alertsIn:   counter("signalbox_stream_alerts_in_total", "Alerts given to the door."),
		recordsOut: counter("signalbox_stream_records_out_total", "Records the door has written to events."),
		bytesOut:   counter("signalbox_stream_bytes_out_total", "Bytes of those records."),
		dropped: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_stream_inputs_dropped_total", Help: "Inputs that were refused or not written, by reason.",
		}, []string{"reason"}),
		followed:   counter("signalbox_stream_followed_records_total", "Records of a foreign topic that were taken."),
		followLost: counter("signalbox_stream_followed_lost_total", "Records of a foreign topic that were gone before they were read."),
		followBehind: f.NewGauge(prometheus.GaugeOpts{
			Name: "signalbox_stream_followed_behind_records", Help: "Records of a foreign topic that this process has still to read.",
		}),
		queueBytes: f.NewGauge(prometheus.GaugeOpts{
			Name: "signalbox_stream_queue_bytes", Help: "Bytes that wait at the door.",
		}),
		queueEntries: f.NewGauge(prometheus.GaugeOpts{
			Name: "signalbox_stream_queue_entries", Help: "Parts of requests that wait at the door.",
		}),
		appendSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_stream_append_duration_seconds", Help: "Time from Append to the acknowledgement.", Buckets: fast,
		}),
		writeSeconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "signalbox_stream_write_duration_seconds", Help: "Time to write one batch, by topic.", Buckets: fast,
		}, []string{"topic"}),
		written: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_stream_records_written_total", Help: "Records that shards have written, by topic.",
		}, []string{"topic"}),
		retries:     counter("signalbox_stream_write_retries_total", "Batches that were sent again."),
		read:        counter("signalbox_stream_records_read_total", "Records that shards have read from events."),
		readErrors:  counter("signalbox_stream_read_errors_total", "Reads that were tried again."),
		heldBack:    counter("signalbox_stream_records_held_back_total", "Records stamped too far ahead of the clock."),
		deadLetters: counter("signalbox_stream_dead_letters_total", "Records that could not be decoded."),
		lost:        counter("signalbox_stream_records_lost_total", "Records that left the log before they were applied."),
		checkpoint: f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_stream_checkpoint_bytes", Help: "Size of checkpoints.", Buckets: prometheus.ExponentialBuckets(256, 4, 10),
		}),
		lag: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "signalbox_stream_lag_records", Help: "Offsets between what a shard has read and the end of its log.",
		}, []string{"shard"}),
		retired: counter("signalbox_stream_versions_retired_total", "Versions that were deleted because no shard needs them."),
		owned: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "signalbox_stream_shard_owned", Help: "1 when this process owns the shard.",
		}, []string{"shard"}),
		groupGeneration: f.NewGauge(prometheus.GaugeOpts{
			Name: "signalbox_stream_group_generation", Help: "Generation of the consumer group that shares the shards.",
		}),
		groupErrors: counter("signalbox_stream_group_errors_total", "Requests to the consumer group that failed and were tried again."),
		fenced:      counter("signalbox_stream_shards_fenced_total", "Times a shard was refused here because another process had taken it over."),
	}
	for _, reason := range []string{"overload", "write"} { // a first drop is a rise only when there was a zero before it
		m.dropped.WithLabelValues(reason)
	}
	return m
}
