package app

import (
	"context"
	"time"

	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/stream"
	"signalbox/ui"
)

// senders tells the pages what the doors know of who sends.
type senders struct{ doors *ingest.Ingest }

// Sources implements ui.Senders.
func (s senders) Sources() []ui.Source {
	list := s.doors.Sources()
	out := make([]ui.Source, len(list))
	for i, src := range list {
		out[i] = ui.Source(src)
	}
	return out
}

// LastPayload implements ui.Senders.
func (s senders) LastPayload(source string) (ui.Payload, bool) {
	p, ok := s.doors.LastPayload(source)
	out := ui.Payload{
		At: p.At, Kind: p.Kind, Size: p.Size, Body: p.Body, Fault: p.Fault, Accepted: p.Accepted, Refused: p.Refused,
		Refusals: make([]ui.Refusal, len(p.Refusals)), Alerts: p.Alerts,
	}
	for i, r := range p.Refusals {
		out.Refusals[i] = ui.Refusal(r)
	}
	return out, ok
}

// expectedSources are the configured Alertmanagers, with how long each may be without a heartbeat.
func (a *App) expectedSources() map[string]time.Duration {
	out := map[string]time.Duration{}
	for i := range a.opts.Config.Alertmanagers {
		am := &a.opts.Config.Alertmanagers[i]
		out[am.Name] = am.Heartbeat
	}
	return out
}

// upstreamStates tells the pages how the configured Alertmanagers were found.
func (a *App) upstreamStates() map[string]ui.Upstream {
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	out := map[string]ui.Upstream{}
	for _, s := range a.upstream.States() {
		up := ui.Upstream{
			Reads: s.Reads, LastRead: s.LastRead, Error: text(s.Error), Members: make([]ui.UpstreamMember, len(s.Members)),
			Active: s.Active, Silenced: s.Silenced, Inhibited: s.Inhibited, Muted: s.Muted,
		}
		for i, m := range s.Members {
			up.Members[i] = ui.UpstreamMember{URL: m.URL, Up: m.Up, Version: m.Version, Error: text(m.Error)}
		}
		out[s.Name] = up
	}
	return out
}

// followAlertmanagers takes what Alertmanagers' event recorders write into a topic. One process is
// enough for that.
func (a *App) followAlertmanagers(ctx context.Context, topic string) {
	receiver := alertmanager.RecorderTopic()
	a.stream.Follow(ctx, stream.FollowOptions{
		Topic: topic, Group: "signalbox.alertmanager-events", Ours: a.ownsFirst,
		Take: func(ctx context.Context, values [][]byte) error { return a.doors.TakeRecords(ctx, receiver, values) },
	})
}
