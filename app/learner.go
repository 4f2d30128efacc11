package app

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"signalbox/correlate/learn"
	"signalbox/itsm"
	"signalbox/ui"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	learnEvery = time.Hour
	lookEvery  = time.Minute
	learnFrom  = 7 * 24 * time.Hour
	maxLearned = 50_000 // firing periods that are learned from, the latest
)

// learner learns from the alerts of the last days which type causes which, and proposes it. It decides nothing: what it
// proposes explains nothing before a person adopts it. One goroutine runs it, beside the engines.
type learner struct {
	alerts  func(yield func(ui.Known))
	related func(yield func(from, to, relation string))
	log     *slog.Logger

	known    map[itsm.Fingerprint]time.Time // the last period that was taken
	events   []learned                      // by when they were taken
	proposed atomic.Pointer[[]byte]

	duration prometheus.Histogram
	patterns prometheus.Gauge
}

type learned struct {
	at         time.Time
	item, kind string
}

func newLearner(alerts func(yield func(ui.Known)), related func(yield func(from, to, relation string)), reg prometheus.Registerer, log *slog.Logger) *learner {
	f := promauto.With(reg)
	return &learner{
		alerts: alerts, related: related, log: log.With("component", "learn"), known: map[itsm.Fingerprint]time.Time{},
		duration: f.NewHistogram(prometheus.HistogramOpts{
			Name: "signalbox_learn_duration_seconds", Help: "Time to learn from the alerts of the last days.", Buckets: prometheus.ExponentialBuckets(0.01, 4, 8),
		}),
		patterns: f.NewGauge(prometheus.GaugeOpts{Name: "signalbox_learn_patterns_proposed", Help: "Patterns that continuous learning proposes."}),
	}
}

// Proposed returns the patterns file last learned, without what it counted; nil: nothing yet.
func (l *learner) Proposed() []byte {
	if p := l.proposed.Load(); p != nil {
		return *p
	}
	return nil
}

// Run looks for new firing periods every minute and learns every hour, until ctx is done.
func (l *learner) Run(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-look.C:
			l.look(now)
			if now.Sub(last) >= learnEvery {
				l.learn()
				last = now
			}
		}
	}
}

// look takes the firing periods that began since it looked last.
func (l *learner) look(now time.Time) {
	seen := make(map[itsm.Fingerprint]time.Time, len(l.known))
	l.alerts(func(k ui.Known) {
		seen[k.Fingerprint] = k.StartsAt
		if l.known[k.Fingerprint].Equal(k.StartsAt) || k.StartsAt.Before(now.Add(-learnFrom)) {
			return
		}
		state, err := k.State()
		kind := state.Labels.Get("alertname")
		if err != nil || kind == "" || state.Item == nil {
			return
		}
		l.events = append(l.events, learned{k.StartsAt, *state.Item, kind})
	})
	l.known = seen
	slices.SortStableFunc(l.events, func(a, b learned) int { return a.at.Compare(b.at) })
	old := max(0, len(l.events)-maxLearned)
	for old < len(l.events) && l.events[old].at.Before(now.Add(-learnFrom)) {
		old++
	}
	l.events = slices.Delete(l.events, 0, old)
}

func (l *learner) learn() {
	start := time.Now()
	var items, types indexed
	h := learn.History{}
	for _, e := range l.events {
		h.Events = append(h.Events, learn.Event{At: e.at, Item: items.number(e.item), Type: types.number(e.kind)})
	}
	l.related(func(from, to, relation string) {
		h.Relations = append(h.Relations, learn.Relation{From: items.number(from), To: items.number(to), Type: relation})
	})
	h.Items, h.Types = len(items.names), types.names
	f := learn.NewFile("alertname", items.names, types.names, learn.Learn(h, nil))
	f.Rates, f.Windows, f.RecentWindows = []learn.FileRate{}, 0, 0 // the engines count themselves
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(f); err != nil {
		l.log.Error("what was learned cannot be proposed", "err", err)
		return
	}
	data := b.Bytes()
	l.proposed.Store(&data)
	l.duration.Observe(time.Since(start).Seconds())
	l.patterns.Set(float64(len(f.Patterns)))
	l.log.Info("learned", "alerts", len(l.events), "patterns", len(f.Patterns), "seconds", time.Since(start).Seconds())
}
