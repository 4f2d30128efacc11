package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
	"signalbox/ui"
)

// silencers keep our silences in the Alertmanagers that take them.
type silencers []*alertmanager.Silencer

// newSilencers builds one for each Alertmanager of the configuration that takes silences.
func newSilencers(cfg Config, o alertmanager.SilencerOptions, reg prometheus.Registerer, log *slog.Logger) (silencers, error) {
	o.Metrics, o.Logger, o.IgnoreLabels = alertmanager.NewSilencerMetrics(reg), log, cfg.Identity.IgnoreLabels
	var out silencers
	for i, c := range cfg.Alertmanagers {
		if !c.Silence {
			continue
		}
		clients, err := alertmanager.NewClients(&c)
		if err != nil {
			return nil, fmt.Errorf("alertmanagers[%d].%w", i, err)
		}
		o.Config, o.Members = c, nil
		for _, client := range clients {
			o.Members = append(o.Members, client)
		}
		s, err := alertmanager.NewSilencer(o)
		if err != nil {
			return nil, fmt.Errorf("alertmanagers[%d]: %w", i, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// run writes until ctx is done.
func (s silencers) run(ctx context.Context, changed <-chan struct{}) {
	var group sync.WaitGroup
	defer group.Wait()
	for _, x := range s {
		group.Go(func() { x.Run(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			for _, x := range s {
				x.Kick()
			}
		}
	}
}

// States tells how the silences of each Alertmanager stand that takes them.
func (s silencers) States() []alertmanager.SilencerState {
	out := make([]alertmanager.SilencerState, len(s))
	for i, x := range s {
		out[i] = x.State()
	}
	return out
}

// holds translates what is acknowledged and under maintenance on the board.
func holds(board *ui.UI, now time.Time, lead time.Duration) []alertmanager.Hold {
	list := board.Holds(now, lead)
	out := make([]alertmanager.Hold, len(list))
	for i, h := range list {
		x := alertmanager.Hold{Kind: alertmanager.HoldAcknowledged, ID: h.Incident, Name: h.Name, By: h.By, StartsAt: h.StartsAt, EndsAt: h.EndsAt}
		if h.Change != "" {
			x.Kind, x.ID = alertmanager.HoldMaintenance, h.Change
		}
		for _, a := range h.Alerts {
			x.Alerts = append(x.Alerts, alertmanager.HeldAlert{Fingerprint: a.Fingerprint, Labels: a.Labels})
		}
		for _, set := range h.Identifiers {
			x.Identifiers = append(x.Identifiers, itsm.NewLabels(set))
		}
		out[i] = x
	}
	return out
}
