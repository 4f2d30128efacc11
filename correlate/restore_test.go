package correlate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

// history is a random life of a small estate: alerts that come, go, repeat and expire, changes,
// commands, other estates and rules, and silence.
type history struct {
	rand    *rand.Rand
	at      time.Time
	records []itsm.Record
	serial  int
}

func newHistory(seed uint64, length int) []itsm.Record {
	h := &history{rand: rand.New(rand.NewPCG(seed, 1)), at: start()} //nolint:gosec // a repeatable test
	h.add(itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v1", Data: []byte(switches)}}})
	for len(h.records) < length {
		h.step()
	}
	return h.records
}

func (h *history) add(in itsm.Input) {
	h.records = append(h.records, itsm.Record{Offset: int64(len(h.records)), Time: h.at, Input: in})
}

func (h *history) step() {
	pauses := []time.Duration{0, time.Millisecond, time.Second, 7 * time.Second, time.Minute, 3 * time.Minute, 11 * time.Minute, 2 * time.Hour, 30 * time.Hour}
	weights := []int{10, 20, 40, 20, 10, 4, 3, 1, 1}
	h.at = h.at.Add(pauses[h.weighted(weights)] + time.Duration(h.rand.IntN(1000))*time.Microsecond)
	in := itsm.Input{}
	for range 1 + h.rand.IntN(4) {
		switch h.weighted([]int{60, 3, 12, 1, 1}) {
		case 0:
			in.Alerts = append(in.Alerts, h.alert())
		case 1:
			h.serial++
			in.Changes = append(in.Changes, itsm.Change{
				ID: fmt.Sprintf("c%d", h.rand.IntN(4)), Kind: "deploy", Items: []string{h.host()}, Status: "succeeded", StartsAt: h.at.Add(-time.Minute),
			})
		case 2:
			in.Commands = append(in.Commands, h.command())
		case 3:
			in.Adopt = &itsm.Adopt{Estate: &itsm.Version{ID: fmt.Sprintf("v%d", 1+h.rand.IntN(3)), Data: []byte(switches)}}
		case 4:
			cfg := DefaultConfig()
			cfg.Incident.AutoResolveAfter = time.Duration(1+h.rand.IntN(10)) * time.Minute
			data, err := json.Marshal(cfg)
			if err != nil {
				panic(err)
			}
			in.Adopt = &itsm.Adopt{Rules: &itsm.Version{ID: fmt.Sprintf("r%d", h.rand.IntN(1000)), Data: data}}
		}
	}
	h.add(in)
}

func (h *history) weighted(weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := h.rand.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

func (h *history) host() string {
	return fmt.Sprintf("h%d%d", 1+h.rand.IntN(3), 1+h.rand.IntN(3))
}

func (h *history) alert() itsm.Alert {
	names := []string{"HostDown", "HostDown", "DiskFull", "HighLatency", "Watchdog", "Unknown"}
	text := names[h.rand.IntN(len(names))] + " host=" + h.host()
	switch h.rand.IntN(12) {
	case 0:
		text += " severity=info"
	case 1:
		text = "KubePodNotReady namespace=shop pod=cart-7d9f8b6c5-x2x4z node=n1 severity=critical"
	case 2:
		text = fmt.Sprintf("Lonely job=j%d", h.rand.IntN(3))
	case 3:
		text += " severity=critical"
	}
	ls := labelSet(text)
	a := itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, Source: fmt.Sprintf("prom-%d", h.rand.IntN(2))}
	if h.rand.IntN(4) > 0 {
		a.StartsAt = h.at.Add(-time.Duration(h.rand.IntN(300)) * time.Second)
	}
	switch h.rand.IntN(6) {
	case 0, 1:
		a.Status = itsm.StatusResolved
		if h.rand.IntN(2) == 0 {
			a.EndsAt = h.at
		}
		if h.rand.IntN(2) == 0 {
			a.StartsAt = time.Time{}
		}
	case 2:
		a.EndsAt = h.at.Add(time.Duration(h.rand.IntN(400)) * time.Second)
	case 3:
		a.Resend = true
	case 4:
		if !a.StartsAt.IsZero() {
			a.EndsAt = a.StartsAt
		}
	}
	if h.rand.IntN(3) == 0 {
		a.Annotations = itsm.NewLabels(map[string]string{"summary": strconv.Itoa(h.rand.IntN(3))})
	}
	return a
}

func (h *history) ref() itsm.IncidentRef {
	if h.rand.IntN(2) == 0 {
		return itsm.IncidentRef{ID: fmt.Sprintf("INC-%06d", 1+h.rand.IntN(12))}
	}
	return itsm.IncidentRef{Alert: labelSet("HostDown host=" + h.host()).Fingerprint()}
}

func (h *history) command() itsm.Command {
	h.serial++
	actions := itsm.Actions()
	c := itsm.Command{ID: fmt.Sprintf("k%d", h.serial), Action: actions[h.rand.IntN(len(actions))], Incident: h.ref(), By: "maria"}
	until := h.at.Add(time.Duration(1+h.rand.IntN(20)) * time.Minute)
	switch c.Action {
	case itsm.ActionAssign:
		c.Person = itsm.Some("paul")
	case itsm.ActionComment:
		c.Text = "seen"
	case itsm.ActionPriority:
		c.Priority = itsm.Some(1 + h.rand.IntN(5))
	case itsm.ActionHold:
		c.Reason, c.Until = "awaiting_vendor", &until
	case itsm.ActionSnooze:
		c.Until = &until
	case itsm.ActionMerge:
		ref := h.ref()
		c.Into = &ref
	case itsm.ActionSplit:
		c.Alerts = []itsm.Fingerprint{labelSet("HostDown host=" + h.host()).Fingerprint()}
	case itsm.ActionMove:
		ref := h.ref()
		c.To, c.Alerts = &ref, []itsm.Fingerprint{labelSet("HostDown host=" + h.host()).Fingerprint()}
	case itsm.ActionConfirmCause, itsm.ActionRejectCause:
		c.Item = []string{"sw-1", "sw-2", "core", h.host()}[h.rand.IntN(4)]
	case itsm.ActionUndo:
		n := 1 + h.rand.IntN(8)
		c.Entry = &n
	}
	return c
}

func newEngine(tb testing.TB) *Engine {
	tb.Helper()
	e, err := New(Options{Shards: 1, Config: DefaultConfig()})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// store is what a checkpoint topic holds after compaction.
type store map[string][]byte

func (s store) save(e *Engine) {
	for _, entity := range e.Changed() {
		if entity.Value == nil {
			delete(s, entity.Key)
		} else {
			s[entity.Key] = entity.Value
		}
	}
}

func (s store) restore(tb testing.TB, at itsm.Position, versions map[string][]byte) *Engine {
	tb.Helper()
	e := newEngine(tb)
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if err := e.Restore(itsm.Entity{Key: key, Value: s[key]}); err != nil {
			tb.Fatal(err)
		}
	}
	if err := e.Restored(at, versions[at.Estate], versions[at.Rules]); err != nil {
		tb.Fatal(err)
	}
	return e
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// TestRestoreIsLive holds the promise of the log: an engine that was restored from its checkpoint
// after every record, and one that was advanced at other moments, say exactly the same.
func TestRestoreIsLive(t *testing.T) {
	seeds := 24
	if testing.Short() {
		seeds = 6
	}
	for seed := range uint64(seeds) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			records := newHistory(seed, 150)
			live, restored, advanced := newEngine(t), newEngine(t), newEngine(t)
			saved, versions := store{}, map[string][]byte{}
			clock := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a repeatable test
			last := start()
			for i, r := range records {
				if a := r.Input.Adopt; a != nil && a.Estate != nil {
					versions[a.Estate.ID] = a.Estate.Data
				} else if a != nil {
					versions[a.Rules.ID] = a.Rules.Data
				}
				want := asJSON(t, live.Apply(r.Time, r.Input))
				if diff := cmp.Diff(want, asJSON(t, restored.Apply(r.Time, r.Input))); diff != "" {
					t.Fatalf("record %d %s after a restore:\n%s", i, asJSON(t, r.Input), diff)
				}
				var early []itsm.Update
				if gap := r.Time.Sub(last); gap > 0 {
					early = advanced.Advance(last.Add(time.Duration(clock.Int64N(int64(gap)))))
				}
				if diff := cmp.Diff(want, asJSON(t, append(early, advanced.Apply(r.Time, r.Input)...))); diff != "" {
					t.Fatalf("record %d after an early advance:\n%s", i, diff)
				}
				last = r.Time
				checkInvariants(t, live)
				saved.save(restored)
				at := restored.Position()
				restored = saved.restore(t, at, versions)
				if diff := cmp.Diff(asJSON(t, live.Incidents()), asJSON(t, restored.Incidents())); diff != "" {
					t.Fatalf("incidents after record %d:\n%s", i, diff)
				}
			}
		})
	}
}

// checkInvariants holds what is true of every engine at every moment.
func checkInvariants(t *testing.T, e *Engine) {
	t.Helper()
	for fp, a := range e.alerts {
		if !a.open || a.quiet {
			continue
		}
		held := 0
		for _, m := range a.members {
			if m.inc != nil && m.inc.row.MergedInto == nil && m == a.current() {
				held++
				if !slices.Contains(m.inc.list, m) {
					t.Fatalf("alert %s: its incident does not list it", fp)
				}
			}
		}
		if held != 1 {
			t.Fatalf("alert %s is in %d incidents", fp, held)
		}
	}
	for _, inc := range e.Incidents() {
		if got := len(inc.Alerts); got != inc.AlertCounts.Total {
			t.Fatalf("%s lists %d alerts and counts %+v", inc.Number, got, inc.AlertCounts)
		}
		if len([]rune(inc.Title)) > maxTitle || inc.Title == "" {
			t.Fatalf("%s: title %q", inc.Number, inc.Title)
		}
		for i, c := range inc.Causes {
			if c.Score < 0 || c.Score > 1 || i > 0 && c.Score > inc.Causes[i-1].Score {
				t.Fatalf("%s: cause scores %v", inc.Number, inc.Causes)
			}
			checkEvidence(t, c.Evidence)
		}
		for _, a := range inc.Alerts {
			checkEvidence(t, a.Evidence)
			if a.Count < 1 {
				t.Fatalf("%s: alert %s counts %d periods", inc.Number, a.Fingerprint, a.Count)
			}
		}
	}
}

func checkEvidence(t *testing.T, list []itsm.Evidence) {
	t.Helper()
	sum := 0.0
	for _, e := range list {
		if e.Weight < 0 {
			t.Fatalf("negative weight: %+v", list)
		}
		sum += e.Weight
	}
	if sum < 0.99 || sum > 1.01 {
		t.Fatalf("weights sum to %v: %+v", sum, list)
	}
}
