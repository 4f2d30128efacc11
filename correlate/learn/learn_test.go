package learn_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate/learn"
)

// world says what really happens: which type causes which, and how histories are made of it.
type world struct {
	items, types int
	relations    []learn.Relation
	edges        [][2]int
	chance       float64       // that an alert of a cause is followed by one of the effect
	lag          time.Duration // mean
	every        time.Duration // between alerts of one type on one item that nothing causes
	span         time.Duration
}

// line is a row of items, each related to the next.
func line(items int) []learn.Relation {
	var out []learn.Relation
	for i := 1; i < items; i++ {
		out = append(out, learn.Relation{From: i - 1, To: i, Type: "connects_to"})
	}
	return out
}

func (w world) history(seed uint64) learn.History {
	random := rand.New(rand.NewPCG(seed, 7))
	h := learn.History{Items: w.items, Relations: w.relations}
	near := make([][]int, w.items)
	for i := range near {
		near[i] = []int{i}
	}
	for _, r := range w.relations {
		near[r.From], near[r.To] = append(near[r.From], r.To), append(near[r.To], r.From)
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var raise func(at time.Duration, item, kind int)
	raise = func(at time.Duration, item, kind int) {
		if at > w.span {
			return
		}
		h.Events = append(h.Events, learn.Event{At: start.Add(at), Item: item, Type: kind})
		for _, e := range w.edges {
			if e[0] == kind && random.Float64() < w.chance {
				to := near[item][random.IntN(len(near[item]))]
				raise(at+time.Duration(random.ExpFloat64()*float64(w.lag)), to, e[1])
			}
		}
	}
	for kind := range w.types {
		h.Types = append(h.Types, fmt.Sprint("type-", kind))
		for item := range w.items {
			for at := time.Duration(0); ; {
				if at += time.Duration(random.ExpFloat64() * float64(w.every)); at > w.span {
					break
				}
				raise(at, item, kind)
			}
		}
	}
	return h
}

func edgesOf(r learn.Result) [][2]int {
	out := [][2]int{}
	for _, e := range r.Edges {
		out = append(out, [2]int{e.Cause, e.Effect})
	}
	return out
}

func plant() world {
	return world{
		items: 12, types: 8, relations: line(12), edges: [][2]int{{0, 1}, {1, 2}, {0, 3}, {4, 5}, {6, 7}},
		chance: 0.6, lag: 20 * time.Second, every: 4 * time.Hour, span: 7 * 24 * time.Hour,
	}
}

func TestLearn_finds_what_causes_what_and_no_more(t *testing.T) {
	for seed := range uint64(5) {
		w := plant()
		got := learn.Learn(w.history(seed), nil)
		if diff := cmp.Diff([][2]int{{0, 1}, {0, 3}, {1, 2}, {4, 5}, {6, 7}}, edgesOf(got)); diff != "" {
			t.Errorf("seed %d: edges (-want +got):\n%s", seed, diff)
		}
		if got.Scope != learn.ScopeRelated {
			t.Errorf("seed %d: scope %s, want related", seed, got.Scope)
		}
		for _, e := range got.Edges {
			if math.Abs(e.Score-0.45) > 0.15 || e.Relation != "connects_to" || e.P50 < 5*time.Second || e.P50 > 25*time.Second || e.P90 < e.P50 {
				t.Errorf("seed %d: %+v", seed, e)
			}
		}
	}
}

func TestLearn_scopes(t *testing.T) {
	own, apart := plant(), plant()
	own.relations = nil
	everywhere := apart.history(1)
	everywhere.Relations = nil // effects travel over relations that nobody has told
	for _, test := range []struct {
		name     string
		history  learn.History
		scope    learn.Scope
		relation string
	}{
		{"effects on the item itself", own.history(1), learn.ScopeItem, "self"},
		{"effects over unknown relations", everywhere, learn.ScopeAnywhere, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := learn.Learn(test.history, nil)
			if got.Scope != test.scope || len(got.Edges) < 4 {
				t.Fatalf("scope %s with %d edges, want %s", got.Scope, len(got.Edges), test.scope)
			}
			for _, e := range got.Edges {
				if e.Relation != test.relation {
					t.Errorf("%+v: want relation %q", e, test.relation)
				}
			}
		})
	}
}

func TestLearn_finds_nothing_in_independent_alerts(t *testing.T) {
	found := 0
	for seed := range uint64(5) {
		w := plant()
		w.edges, w.every = nil, time.Hour
		found += len(learn.Learn(w.history(seed), nil).Edges)
	}
	if found > 1 {
		t.Errorf("%d edges in five histories without any", found)
	}
}

func TestLearn_times_cut_to_the_minute(t *testing.T) {
	h := plant().history(3)
	for i := range h.Events {
		h.Events[i].At = h.Events[i].At.Truncate(time.Minute)
	}
	want, got := plant().edges, edgesOf(learn.Learn(h, nil))
	right := 0
	for _, e := range got {
		if slices.Contains(want, e) {
			right++
		}
	}
	if right < 4 || len(got) > right+1 {
		t.Errorf("edges %v, want about %v", got, want)
	}
}

func TestLearn_is_a_function_of_the_history(t *testing.T) {
	h := plant().history(2)
	for i := range h.Events {
		h.Events[i].At = h.Events[i].At.Truncate(time.Second) // many at one moment
	}
	want := learn.Learn(h, nil)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(h.Events), func(i, j int) { h.Events[i], h.Events[j] = h.Events[j], h.Events[i] })
	if diff := cmp.Diff(want, learn.Learn(h, nil)); diff != "" {
		t.Errorf("shuffled events give another result (-want +got):\n%s", diff)
	}
}

func TestLearn_rates_say_what_nothing_explains(t *testing.T) {
	h := plant().history(4)
	counts := map[[2]int]int{}
	for _, e := range h.Events {
		counts[[2]int{e.Item, e.Type}]++
	}
	total, spontaneous := make([]float64, 8), make([]float64, 8)
	for _, r := range learn.Learn(h, nil).Rates {
		if r.Count != counts[[2]int{r.Item, r.Type}] || r.Spontaneous < 0 || r.Spontaneous > float64(r.Count)+1e-9 {
			t.Errorf("%+v, counted %d", r, counts[[2]int{r.Item, r.Type}])
		}
		delete(counts, [2]int{r.Item, r.Type})
		total[r.Type] += float64(r.Count)
		spontaneous[r.Type] += r.Spontaneous
	}
	if len(counts) > 0 {
		t.Errorf("no rate for %v", counts)
	}
	if share := spontaneous[0] / total[0]; share < 0.95 {
		t.Errorf("nothing causes type 0, but only %.2f of it is spontaneous", share)
	}
	if share := spontaneous[2] / total[2]; share > 0.8 {
		t.Errorf("type 1 causes type 2, but %.2f of it is spontaneous", share)
	}
}

func TestLearn_short_and_crowded_histories(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	random := rand.New(rand.NewPCG(5, 5))
	crowd := learn.History{Items: 2, Types: []string{"a", "b", "c"}}
	for range 3000 {
		crowd.Events = append(crowd.Events, learn.Event{At: at.Add(time.Duration(random.IntN(400)) * time.Second), Item: random.IntN(2), Type: random.IntN(3)})
	}
	one := learn.History{Items: 1, Types: []string{"a"}, Events: []learn.Event{{At: at}, {At: at}}}
	for name, h := range map[string]learn.History{"none": {}, "one moment": one, "crowd": crowd} {
		t.Run(name, func(t *testing.T) {
			shares := make(chan float64, 8)
			got := learn.Learn(h, func(share float64) { shares <- share })
			for _, e := range got.Edges {
				if math.IsNaN(e.Score) || e.Score < 0 || e.Score > 1 || e.Support < 0 {
					t.Errorf("%+v", e)
				}
			}
			count := 0
			for _, r := range got.Rates {
				if math.IsNaN(r.Spontaneous) {
					t.Errorf("%+v", r)
				}
				count += r.Count
			}
			if count != len(h.Events) {
				t.Errorf("rates count %d events of %d", count, len(h.Events))
			}
			if name == "crowd" && got.Limited == 0 {
				t.Error("events with more than 512 others before them are not counted")
			}
		})
	}
}

func BenchmarkLearn(b *testing.B) {
	w := plant()
	w.items, w.relations, w.every = 40, line(40), time.Hour
	h := w.history(1)
	b.ResetTimer()
	for b.Loop() {
		learn.Learn(h, nil)
	}
	b.ReportMetric(float64(len(h.Events))*float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

func TestLearn_counts_spans_of_ten_minutes(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	h := learn.History{Items: 1, Types: []string{"a", "b"}}
	for _, e := range []struct {
		after time.Duration
		kind  int
	}{{0, 0}, {time.Minute, 0}, {9 * time.Minute, 1}, {time.Hour, 0}, {2 * time.Hour, 1}} {
		h.Events = append(h.Events, learn.Event{At: start.Add(e.after), Type: e.kind})
	}
	got := learn.Learn(h, nil)
	if !got.Until.Equal(start.Add(2*time.Hour)) || got.Seen != (learn.Seen{Windows: 3, Recent: 1.75}) {
		t.Errorf("until %s, %+v: want three spans, two hours, one hour and nothing old", got.Until, got.Seen)
	}
	seen := []learn.Seen{}
	for _, r := range got.Rates {
		seen = append(seen, r.Seen)
	}
	if diff := cmp.Diff([]learn.Seen{{Windows: 2, Recent: 0.75}, {Windows: 2, Recent: 1.25}}, seen); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// FuzzRead feeds arbitrary bytes to the reader of patterns files: no panic, and what it takes it writes and takes again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"type_label":"alertname","scope":"item","span_seconds":10,"until":"2026-03-01T00:00:10Z","windows":1,"recent_windows":1,` +
		`"patterns":[{"cause":"A","effect":"B","score":0.5,"support":3,"lag_seconds":{"p50":1,"p90":2},"relation":"self"}],` +
		`"rates":[{"item":"x","type":"A","count":1,"spontaneous":1,"windows":1,"recent_windows":1}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := learn.Read("patterns.json", bytes.NewReader(data))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "patterns.json: ") {
				t.Errorf("%v does not name the file", err)
			}
			return
		}
		var again bytes.Buffer
		if err := file.Write(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := learn.Read("patterns.json", &again); err != nil {
			t.Errorf("what was taken is refused when written: %v", err)
		}
	})
}
