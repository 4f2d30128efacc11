package correlate

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

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
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// TestRestoreIsLive holds the promise of the log: an engine that was restored from its checkpoint
// after every record, and one that was advanced at other moments, say exactly the same.
func TestRestoreIsLive(t *testing.T) {
	for seed := range uint64(*histories) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			checkRestore(t, newHistory(rand.NewPCG(seed, 1), 120), rand.New(rand.NewPCG(seed, 2)), 1) //nolint:gosec // a repeatable test
		})
	}
}

// histories is how many random histories each property is tried on.
var histories = flag.Int("histories", 4, "random histories to try")

// checkRestore restores one engine after every so many records.
func checkRestore(t *testing.T, records []itsm.Record, clock *rand.Rand, every int) {
	t.Helper()
	live, restored, advanced := newEngine(t), newEngine(t), newEngine(t)
	r := newRecovery()
	last := start()
	for i := range records {
		rec := &records[i]
		want := asJSON(t, live.Apply(rec.Time, rec.Input))
		if got := asJSON(t, restored.Apply(rec.Time, rec.Input)); got != want {
			t.Fatalf("record %d %s after a restore:\n%s", i, asJSON(t, rec.Input), diff(want, got))
		}
		var early []itsm.Update
		if gap := rec.Time.Sub(last); gap > 0 {
			early = advanced.Advance(last.Add(time.Duration(clock.Int64N(int64(gap)))))
		}
		if got := asJSON(t, append(early, advanced.Apply(rec.Time, rec.Input)...)); got != want {
			t.Fatalf("record %d %s after an early advance:\n%s", i, asJSON(t, rec.Input), diff(want, got))
		}
		last = rec.Time
		if r.learn(&rec.Input); i%every == 0 {
			restored = r.renew(t, restored)
		}
		if i%10 != 0 && i < len(records)-1 { // what was not published is compared now and then
			continue
		}
		if want, got := asJSON(t, live.Incidents()), asJSON(t, restored.Incidents()); got != want {
			t.Fatalf("incidents after record %d:\n%s", i, diff(want, got))
		}
	}
}

// diff compares two compact JSON texts by line.
func diff(want, got string) string {
	indent := func(s string) string {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(s), "", " "); err != nil {
			return s
		}
		return b.String()
	}
	return cmp.Diff(indent(want), indent(got))
}
