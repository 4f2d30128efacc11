package explain

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate/learn"
)

// TestRates_count_as_learn_does holds that live counts are those that learn finds in the same history.
func TestRates_count_as_learn_does(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	s, r := shop(t), NewRates(nil)
	s.x.Follow(r)
	items, types := []string{"cart-0", "cart-1", "mail-0", "mail"}, []string{"A", "B", "C"}
	h := learn.History{Items: len(items), Types: types}
	at := noon()
	for range 400 {
		at = at.Add(time.Duration(random.ExpFloat64() * float64(6*time.Minute)))
		e := learn.Event{At: at, Item: random.IntN(len(items)), Type: random.IntN(len(types))}
		h.Events = append(h.Events, e)
		s.x.Count(s.x.node(t, items[e.Item]), types[e.Type], e.At)
	}
	want := learn.Learn(h, nil)
	set := s.x.relatedTo(s.x.node(t, "cart-0")).span
	if int(set.spans) != want.Seen.Windows || !near(decayed(set.recent, at.Sub(set.begin)), want.Seen.Recent) {
		t.Errorf("%d spans, %d recent; learn finds %+v", set.spans, set.recent, want.Seen)
	}
	for _, w := range want.Rates {
		got := r.of(items[w.Item])[types[w.Type]]
		if int(got.spans) != w.Seen.Windows || !near(decayed(got.recent, at.Sub(got.last)), w.Seen.Recent) {
			t.Errorf("%s %s: %+v, learn finds %+v", items[w.Item], types[w.Type], *got, w.Seen)
		}
	}
}

func near(units int32, want float64) bool {
	got := float64(units) / recentUnit
	return got > want-0.01 && got < want+0.01
}

func TestRates_a_span_counts_when_it_is_over(t *testing.T) {
	s := shop(t)
	s.x.Follow(NewRates(nil))
	n, other := s.x.node(t, "cart-0"), s.x.node(t, "cart-1")
	at := noon()
	for i, step := range []struct {
		after time.Duration
		want  Past
	}{
		{0, Past{}},
		{9 * time.Minute, Past{}}, // the same fault
		{time.Hour, Past{Spans: 1, Own: 1, Class: 2, Recent: recentUnit / 2, Fresh: recentUnit / 2}},
		{61 * time.Minute, Past{Spans: 1, Own: 1, Class: 2, Recent: recentUnit / 2, Fresh: recentUnit / 2}},
	} {
		got := s.x.Count(n, "Slow", at.Add(step.after))
		s.x.Count(other, "Slow", at.Add(step.after))
		if step.want.Recent > 0 { // as of the beginning of the span that goes on
			got.Recent, got.Fresh = step.want.Recent, step.want.Fresh
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestRates_restored_is_live holds that counts that were restored from what changed go on exactly, when the rarest made place as well.
func TestRates_restored_is_live(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // repeatable
	learned := NewRates(&learn.File{
		Until: noon().Add(-time.Hour), Windows: 7, RecentWindows: 1.5, Rates: []learn.FileRate{{Item: "cart-0", Type: "T1", Windows: 3, RecentWindows: 0.25}},
	})
	live, restored := shop(t), shop(t)
	live.x.Follow(learned)
	saved := map[string][]byte{}
	at, dropped := noon(), 0
	items := []string{"cart-0", "cart-0", "cart-0", "mail-1", "mail"}
	for i := range 4000 {
		at = at.Add(time.Duration(random.IntN(60)) * time.Second)
		item, name := items[random.IntN(len(items))], fmt.Sprintf("T%d", random.IntN(3000))
		if i%100 == 0 {
			learned.Changed(func(key string, value []byte) {
				if saved[key] = value; value == nil {
					delete(saved, key)
				}
			})
			r := NewRates(nil)
			for _, key := range slices.Sorted(maps.Keys(saved)) {
				r.Restore(strings.TrimPrefix(key, "rate/"), saved[key])
			}
			if err := r.Restored(); err != nil {
				t.Fatal(err)
			}
			restored = shop(t)
			restored.x.Follow(r)
		}
		want := live.x.Count(live.x.node(t, item), name, at)
		if diff := cmp.Diff(want, restored.x.Count(restored.x.node(t, item), name, at)); diff != "" {
			t.Fatalf("record %d, %s on %s (-live +restored):\n%s", i, name, item, diff)
		}
		dropped += learned.Dropped()
	}
	if dropped == 0 || learned.Places() > rateBuckets*maxRates {
		t.Errorf("%d dropped, %d are counted", dropped, learned.Places())
	}
}

func TestRates_what_is_silent_long_is_forgotten(t *testing.T) {
	s, r := shop(t), NewRates(nil)
	s.x.Follow(r)
	s.x.Count(s.x.node(t, "cart-0"), "Slow", noon())
	at := noon().Add(forgetRate)
	for range rateBuckets {
		at = at.Add(learn.RateWindow)
		s.x.Count(s.x.node(t, "mail-0"), "Other", at)
	}
	past := s.x.Count(s.x.node(t, "cart-0"), "Slow", at.Add(time.Hour))
	if r.Places() != 2 || past.Own != 0 || past.Class != 0 {
		t.Errorf("%d places, %+v", r.Places(), past)
	}
}
