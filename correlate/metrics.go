package correlate

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of one shard's loop; the registerer carries the shard as a label.
type metrics struct {
	records, alerts, commands, updates prometheus.Counter
	takeovers, recoveries, held        prometheus.Counter
	problemsDropped                    prometheus.Counter
	applied, checkpoint                prometheus.Histogram
	lag                                prometheus.Gauge
	ratesDropped                       prometheus.Counter
	limited, clocks                    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		records:  f.NewCounter(prometheus.CounterOpts{Name: "signalbox_correlate_records_total", Help: "Records applied."}),
		alerts:   f.NewCounter(prometheus.CounterOpts{Name: "signalbox_correlate_alerts_total", Help: "Alerts applied, re-sends included."}),
		commands: f.NewCounter(prometheus.CounterOpts{Name: "signalbox_correlate_commands_total", Help: "Commands of people applied."}),
		updates:  f.NewCounter(prometheus.CounterOpts{Name: "signalbox_correlate_updates_total", Help: "Updates published."}),
		takeovers: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_correlate_takeovers_total", Help: "Takeovers of the shard because the log had not been available.",
		}),
		recoveries: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_correlate_recoveries_total", Help: "Times the engine was filled from the last checkpoint: when the shard comes to this process, and after the log had not been available.",
		}),
		problemsDropped: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_correlate_problems_dropped_total", Help: "Resolved incidents and candidates that the search for problems has let go for want of room.",
		}),
		held: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_correlate_flapping_held_total", Help: "Beginnings and ends of flapping alerts that were shown at the end of their minute only.",
		}),
		applied: f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_correlate_apply_duration_seconds", Help: "Time to apply what one read returned.",
			Buckets: prometheus.ExponentialBuckets(1e-5, 4, 10),
		}),
		checkpoint: f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_correlate_checkpoint_duration_seconds", Help: "Time to cut one checkpoint.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 4, 8),
		}),
		limited: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_correlate_searches_limited_total", Help: "Searches for causes that a limit has ended, by its key: correlate.hops, fan_out or candidates, or units (too much for one reconsideration).",
		}, []string{"limit"}),
		clocks: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_correlate_sla_clocks_total", Help: "Clocks of service level targets that came into a state, by metric (response or resolution) and state.",
		}, []string{"metric", "state"}),
		ratesDropped: f.NewCounter(prometheus.CounterOpts{
			Name: "signalbox_correlate_rates_dropped_total", Help: "Alert types of items whose past was dropped, the rarest first, because too many are counted.",
		}),
		lag: f.NewGauge(prometheus.GaugeOpts{
			Name: "signalbox_correlate_lag_seconds", Help: "Age of the last applied record when its updates were published; 0 when nothing waits.",
		}),
	}
}
