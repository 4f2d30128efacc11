package correlate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// saying is one record about an alert as a source sends it.
type saying struct {
	at      time.Time
	began   time.Time
	expires time.Time // zero: until it is resolved
	ended   bool
}

// twinFiring tells from all that was said, and nothing else, whether an alert fires at a moment: the last thing said of it is that
// it fires, and one of those that say so since it last ended holds until later.
func twinFiring(all []saying, at time.Time) bool {
	firing := false
	for i, s := range all {
		switch {
		case s.at.After(at):
		case s.ended:
			firing = false
		case s.expires.IsZero():
			firing = true
		default:
			firing = false
			for _, o := range all[:i+1] {
				firing = firing || !o.ended && o.began.Equal(s.began) && o.expires.After(at)
			}
		}
	}
	return firing
}

// twinPeriods counts the beginnings that were told of.
func twinPeriods(all []saying) int {
	var began []time.Time
	for _, s := range all {
		if !s.ended && !slices.ContainsFunc(began, s.began.Equal) {
			began = append(began, s.began)
		}
	}
	return len(began)
}

// TestPeriodsTwin holds that the firing periods are what a naive twin makes of the whole past at every moment.
func TestPeriodsTwin(t *testing.T) {
	for seed := range uint64(*histories) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			checkPeriods(t, rand.New(rand.NewPCG(seed, 8))) //nolint:gosec // a repeatable test
		})
	}
}

func checkPeriods(t *testing.T, r *rand.Rand) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Incident.FlapCount = 1000 // what flaps is shown once a minute
	e, err := New(Options{Shards: 1, Config: cfg, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	e.Apply(start(), itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v", Data: estates()[0]}}})
	told := map[itsm.Fingerprint][]saying{}
	at := start()
	for record := range 150 {
		at = at.Add(time.Duration(1+r.IntN(90)) * time.Second)
		var in itsm.Input
		for range 1 + r.IntN(3) {
			i := r.IntN(8)
			ls := labelSet(fmt.Sprintf("%s item=%s", []string{"HostDown", "HighLatency"}[i%2], []string{"core", "h11", "p11", "db"}[i/2]))
			a := itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Source: "prom"}
			if slices.ContainsFunc(in.Alerts, func(o itsm.Alert) bool { return o.Fingerprint == a.Fingerprint }) {
				continue
			}
			s := saying{at: at, began: at}
			past := told[a.Fingerprint]
			goesOn := len(past) > 0 && twinFiring(past, at)
			if n := len(past); n > 0 && !goesOn && !past[n-1].ended && r.IntN(2) == 0 {
				// A source that was silent for a while comes back; after AutoResolveAfter that is another period.
				goesOn = at.Sub(past[n-1].at) < e.cfg.Incident.AutoResolveAfter
			}
			if goesOn {
				s.began = past[len(past)-1].began
			}
			switch s.ended = goesOn && r.IntN(3) == 0; {
			case s.ended:
				a.Status, a.StartsAt, a.EndsAt = itsm.StatusResolved, s.began, at
			case i%3 == 0: // says no expiry, as from the webhook
				a.Status, a.StartsAt = itsm.StatusFiring, s.began
			default:
				s.expires = at.Add(time.Duration(30+r.IntN(200)) * time.Second)
				a.Status, a.StartsAt, a.EndsAt = itsm.StatusFiring, s.began, s.expires
			}
			told[a.Fingerprint] = append(past, s)
			in.Alerts = append(in.Alerts, a)
		}
		e.Apply(at, in)
		e.Advance(at)
		comparePeriods(t, e, told, fmt.Sprintf("record %d at %s", record, at))
	}
}

func comparePeriods(t *testing.T, e *Engine, told map[itsm.Fingerprint][]saying, where string) {
	t.Helper()
	type periods struct {
		Firing bool
		Count  int
	}
	want, got := map[string]periods{}, map[string]periods{}
	for fp, list := range told {
		want[fp.String()] = periods{twinFiring(list, e.clock), twinPeriods(list)}
	}
	incidents := e.Incidents()
	for i := range incidents {
		if incidents[i].MergedInto != nil {
			continue
		}
		for _, a := range incidents[i].Alerts {
			p := got[a.Fingerprint.String()]
			got[a.Fingerprint.String()] = periods{p.Firing || a.Status == itsm.StatusFiring, p.Count + a.Count}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-twin +engine):\n%s", where, d)
	}
}
