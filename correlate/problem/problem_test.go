package problem

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

func start() time.Time { return time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC) }

func fact(n int, item string, at time.Time) Fact {
	return Fact{ID: fmt.Sprintf("i%d", n), Item: item, Class: "host", Kind: "Down", Types: []string{"Down"}, OpenedAt: at, Minutes: 10}
}

// TestBook_isBounded: more incidents than fit push the oldest out, more candidates the cheapest undecided one,
// and both are counted.
func TestBook_isBounded(t *testing.T) {
	b := NewBook(DefaultConfig(), 0)
	at := start()
	for n := range 3 * (maxShown + 2) {
		f := fact(n, fmt.Sprintf("host-%d", n/3), at.Add(time.Duration(n)*12*time.Second))
		f.Class = f.Item        // no candidate of a class
		f.Minutes += float64(n) // the first ones are the cheapest
		b.Record(f, f.OpenedAt)
	}
	list := b.Problems()
	items := map[string]bool{}
	for _, p := range list {
		if p.Subject.Kind == itsm.ProblemOfItem { // the first ones are pairs, too
			items[p.Subject.Items[0]] = true
		}
	}
	if len(list) != maxShown || items["host-0"] || items["host-1"] || !items["host-1001"] {
		t.Errorf("%d candidates are shown, the dearest %d are expected", len(list), maxShown)
	}
	if b.Dropped() == 0 {
		t.Error("nothing is counted as dropped")
	}
	b = NewBook(DefaultConfig(), 0)
	for n := range maxFacts + 3 {
		f := fact(n, "", at.Add(time.Duration(n)*time.Second))
		f.Alerts = []itsm.Fingerprint{1}
		b.Record(f, f.OpenedAt)
	}
	if len(b.facts) != maxFacts || b.facts["i0"] != nil || b.facts["i2"] != nil || b.facts["i3"] == nil {
		t.Errorf("%d incidents are remembered, the latest %d are expected", len(b.facts), maxFacts)
	}
	if n := b.Dropped(); n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
}

func TestTemplate(t *testing.T) {
	for title, want := range map[string]string{
		"orders 1.9.12": "deploy: orders #.#.#", "orders": "deploy: orders", "": "deploy", "v2": "deploy: v#",
	} {
		if got := Template("deploy", title); got != want {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}

// TestTest compares with binomial probabilities worked out by hand.
func TestTest(t *testing.T) {
	for _, c := range []struct {
		before, after         int
		beforeDays, afterDays float64
		want                  float64
	}{
		{4, 0, 7, 7, 0.0625},             // (1/2)^4
		{3, 1, 7, 7, 0.3125},             // (1 + 4) / 16
		{2, 0, 10, 30, 0.0625},           // (1/4)^2
		{0, 0, 7, 7, 1}, {3, 0, 7, 0, 1}, // nothing to compare
	} {
		if got := round(test(c.before, c.after, c.beforeDays, c.afterDays), 10_000); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	want := "problem.recurrences: must be at least 2, got 1\n" +
		"problem.recurrences_long: must be at least 2, got 0\n" +
		"problem.cluster: must be at least 2, got 0\n" +
		"problem.flapping_days: must be at least 2, got 0\n" +
		"problem.recur_within: must be positive and at most 720h0m0s, got 721h0m0s\n" +
		"problem.cluster_within: must be positive and at most 720h0m0s, got 0s"
	if diff := cmp.Diff(want, Config{Recurrences: 1, RecurWithin: 721 * time.Hour}.Validate().Error()); diff != "" {
		t.Error(diff)
	}
}

// TestBook_isTheSameWhenRestored: what is saved after every step is all that there is.
func TestBook_isTheSameWhenRestored(t *testing.T) {
	live, saved := NewBook(DefaultConfig(), 0), map[string][]byte{}
	for n := range 60 {
		at := start().Add(time.Duration(n) * 7 * time.Hour)
		f := fact(n, fmt.Sprintf("host-%d", n%4), at)
		if n%5 == 0 {
			f.Item, f.Alerts = "", []itsm.Fingerprint{7, itsm.Fingerprint(n)}
		}
		again := NewBook(DefaultConfig(), 0)
		for key, value := range saved {
			kind, name, _ := strings.Cut(key, "/")
			if err := again.Restore(kind, name, value); err != nil {
				t.Fatal(err)
			}
		}
		again.Restored()
		for _, b := range []*Book{live, again} {
			b.Record(f, at)
			b.Flapped(Flap{Fingerprint: 9, Alert: "Bounce", Incident: f.ID, At: at}, at)
			if n%3 == 0 {
				b.Sweep(at)
			}
		}
		if diff := cmp.Diff(string(encode(live.Problems())), string(encode(again.Problems()))); diff != "" {
			t.Fatalf("step %d (-live +restored):\n%s", n, diff)
		}
		live.Changed()
		live.Save(func(key string, value []byte) {
			if saved[key] = value; value == nil {
				delete(saved, key)
			}
		})
	}
	if len(live.Problems()) == 0 {
		t.Error("nothing was ever proposed")
	}
}
