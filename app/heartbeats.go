package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"signalbox/itsm"
	"signalbox/ui"
)

// heartbeatEvery is how often the heartbeats are looked at.
const heartbeatEvery = 5 * time.Second

// heartbeats raises an alert for each source whose heartbeat is overdue, and resolves it when the
// source is heard again. It decides from what every process knows and keeps nothing, so several
// processes and a restart come to the same: an alert that two of them send is one.
type heartbeats struct {
	stand  func(now time.Time) []ui.SourceHeartbeat
	append func(ctx context.Context, in itsm.Input) error
	silent prometheus.Gauge
	sent   *prometheus.CounterVec // by status
	log    *slog.Logger
}

func newHeartbeats(stand func(time.Time) []ui.SourceHeartbeat, door ui.Door, reg prometheus.Registerer, log *slog.Logger) *heartbeats {
	f := promauto.With(reg)
	return &heartbeats{
		stand: stand, append: door.Append, log: log.With("component", "heartbeats"),
		silent: f.NewGauge(prometheus.GaugeOpts{Name: "signalbox_app_sources_silent", Help: "Sources whose heartbeat is overdue."}),
		sent: f.NewCounterVec(prometheus.CounterOpts{
			Name: "signalbox_app_heartbeat_alerts_total", Help: "Alerts sent since a source fell silent or was heard again, by status.",
		}, []string{"status"}),
	}
}

// run looks at the heartbeats until ctx is done.
func (h *heartbeats) run(ctx context.Context) {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			h.look(ctx, now.UTC())
		}
	}
}

func (h *heartbeats) look(ctx context.Context, now time.Time) {
	list := h.stand(now)
	silent := 0
	for i := range list {
		if list[i].State == ui.HeartbeatSilent {
			silent++
		}
	}
	h.silent.Set(float64(silent))
	alerts := heartbeatAlerts(list)
	if len(alerts) == 0 {
		return
	}
	if err := h.append(ctx, itsm.Input{Alerts: alerts}); err != nil {
		if ctx.Err() == nil {
			h.log.Warn("what became of heartbeats was not recorded; tried again", "alerts", len(alerts), "err", err)
		}
		return
	}
	for i := range alerts {
		h.sent.WithLabelValues(string(alerts[i].Status)).Inc()
		h.log.Info("heartbeat", "source", alerts[i].Labels.Get("source"), "status", string(alerts[i].Status))
	}
}

// heartbeatAlerts are what is to be sent as things stand: nothing where the alert says it already.
func heartbeatAlerts(list []ui.SourceHeartbeat) []itsm.Alert {
	var out []itsm.Alert
	for i := range list {
		switch h := &list[i]; {
		case h.State == ui.HeartbeatSilent && !h.Alarm:
			out = append(out, silentAlert(h))
		case h.Alarm && (h.State == ui.HeartbeatBeating || h.State == ui.HeartbeatForgotten):
			a := silentAlert(h)
			a.Status, a.StartsAt = itsm.StatusResolved, time.Time{}
			if h.LastAt != nil {
				a.EndsAt = *h.LastAt
			}
			out = append(out, a)
		}
	}
	return out
}

// silentAlert says that a source is silent, since it was due. Of one that was never heard the time
// of the record is the beginning: each process has its own deadline for it.
func silentAlert(h *ui.SourceHeartbeat) itsm.Alert {
	labels := itsm.NewLabels(map[string]string{"alertname": itsm.SourceSilent, "source": h.Source, "severity": string(itsm.SeverityCritical)})
	a := itsm.Alert{Labels: labels, Fingerprint: labels.Fingerprint(), Status: itsm.StatusFiring, Source: itsm.OwnSource}
	heard := "No heartbeat was ever heard from it."
	if h.LastAt != nil {
		heard = "Its heartbeat " + h.Labels.String() + " was heard last at " + h.LastAt.UTC().Format(time.RFC3339) + "."
		a.StartsAt = *h.Deadline
	}
	a.Annotations = itsm.NewLabels(map[string]string{
		"summary": "Source " + h.Source + " is silent",
		"description": heard + " Alerts that it should send do not arrive: look whether it runs, whether it reaches Signalbox, " +
			"and whether its Prometheus still sends to it.",
	})
	return a
}
