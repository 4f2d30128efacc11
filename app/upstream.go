package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
	"signalbox/ui"
)

// upstream are the Alertmanagers that we read.
type upstream []*alertmanager.Poller

// newUpstream builds a reader for each Alertmanager of the configuration.
func newUpstream(cfg Config, o alertmanager.PollerOptions, installation func() string, reg prometheus.Registerer, log *slog.Logger) (upstream, error) {
	o.Metrics, o.Logger, o.IgnoreLabels = alertmanager.NewPollerMetrics(reg), log, cfg.Identity.IgnoreLabels
	var out upstream
	for i, c := range cfg.Alertmanagers {
		clients, err := alertmanager.NewClients(&c)
		if err != nil {
			return nil, fmt.Errorf("alertmanagers[%d].%w", i, err)
		}
		o.Config, o.Members = c, nil
		for _, client := range clients {
			o.Members = append(o.Members, client)
		}
		o.Acknowledgements = nil
		if c.Silence {
			o.Acknowledgements = func(ctx context.Context, member int) (map[string]bool, error) {
				return alertmanager.Acknowledgements(ctx, clients[member], installation())
			}
		}
		p, err := alertmanager.NewPoller(o)
		if err != nil {
			return nil, fmt.Errorf("alertmanagers[%d].%w", i, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// truncated has the Alertmanager read that left alerts out of a webhook.
func (u upstream) truncated(source string) {
	for _, p := range u {
		if p.Name() == source {
			p.Kick()
		}
	}
}

// States tells how each Alertmanager was found, in the order of the configuration.
func (u upstream) States() []alertmanager.State {
	out := make([]alertmanager.State, len(u))
	for i, p := range u {
		out[i] = p.State()
	}
	return out
}

// readUpstream reads the Alertmanagers, and writes silences to those that take them, once the board is complete: before that everything would seem to be missing.
func (a *App) readUpstream(ctx context.Context) error {
	if len(a.upstream) == 0 || until(ctx, a.ready.Load) != nil {
		return nil //nolint:nilerr // the program is to stop.
	}
	var group sync.WaitGroup
	for _, p := range a.upstream {
		group.Go(func() { p.Run(ctx) })
	}
	group.Go(func() { a.silencers.run(ctx, a.ui.Changed()) })
	group.Wait()
	return nil
}

// ownsFirst tells whether this process has the first shard. What one process is enough for is done by that one.
func (a *App) ownsFirst() bool {
	owners, _ := a.group.Owners()
	for _, o := range owners {
		if o.Shard == 0 {
			return o.Here
		}
	}
	return false
}

// known translates what the board has of each alert for the readers of Alertmanagers.
func known(board *ui.UI) map[itsm.Fingerprint]alertmanager.Known {
	out := map[itsm.Fingerprint]alertmanager.Known{}
	board.EachKnown(func(k ui.Known) {
		out[k.Fingerprint] = alertmanager.Known{
			Source: k.Source, Status: k.Status, StartsAt: k.StartsAt, EndsAt: k.EndsAt, Suppressed: k.Suppressed,
			State: func() (itsm.AlertState, bool) {
				s, err := k.State()
				return s, err == nil
			},
		}
	})
	return out
}
