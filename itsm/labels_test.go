package itsm

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
)

// randomLabels returns a set of up to 12 labels of texts that are hard to get right.
func randomLabels(r *rand.Rand) map[string]string {
	texts := []string{
		"alertname", "job", "instance", "a", "ab", "", "b\x00c", "ü", "名", "\u2028", `"quoted"`, `back\slash`, "<a&b>", "\x7f", "line\nbreak",
		"😀", strings.Repeat("x", 300), "0", "null",
	}
	m := map[string]string{}
	for range r.IntN(13) {
		name := texts[r.IntN(len(texts))] + texts[r.IntN(len(texts))]
		m[name] = texts[r.IntN(len(texts))]
	}
	return m
}

func modelSet(m map[string]string) model.LabelSet {
	set := model.LabelSet{}
	for n, v := range m {
		set[model.LabelName(n)] = model.LabelValue(v)
	}
	return set
}

func TestLabels_FingerprintIsThatOfPrometheus(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		m := randomLabels(r)
		got, want := NewLabels(m).Fingerprint(), modelSet(m).Fingerprint()
		if uint64(got) != uint64(want) || got.String() != want.String() {
			t.Fatalf("%q: got %s, Prometheus has %s", m, got, want)
		}
	}
}

func FuzzLabels_FingerprintIsThatOfPrometheus(f *testing.F) {
	f.Add("alertname", "Watchdog", "a", "b")
	f.Add("", "", "ü", "\xff")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		m := map[string]string{n1: v1, n2: v2}
		if got, want := NewLabels(m).Fingerprint(), modelSet(m).Fingerprint(); uint64(got) != uint64(want) {
			t.Fatalf("%q: got %s, Prometheus has %s", m, got, want)
		}
	})
}

func TestLabels_JSONIsThatOfAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		m := randomLabels(r)
		set := NewLabels(m)
		want, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(set.AppendJSON(nil)); got != string(want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		var back Labels
		if err := json.Unmarshal(want, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(set, back); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(m, back.Map()); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestLabels_UnmarshalJSON(t *testing.T) {
	for _, tc := range []struct {
		name, json string
		want       Labels
		err        string
	}{
		{name: "sorts", json: `{"b":"2","a":"1"}`, want: Labels{{"a", "1"}, {"b", "2"}}},
		{name: "empty", json: `{}`, want: nil},
		{name: "null", json: `null`, want: nil},
		{name: "keeps an empty value", json: `{"a":""}`, want: Labels{{"a", ""}}},
		{name: "twice", json: `{"a":"1","b":"2","a":"1"}`, err: "labels.a: stands twice"},
		{name: "number", json: `{"a":1}`, err: "labels.a: a string is expected"},
		{name: "null value", json: `{"a":null}`, err: "labels.a: a string is expected"},
		{name: "list", json: `["a"]`, err: "labels: an object of strings is expected"},
		{name: "string", json: `"a"`, err: "labels: an object of strings is expected"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got Labels
			err := json.Unmarshal([]byte(tc.json), &got)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestLabels_Without(t *testing.T) {
	set := Labels{{"__replica__", "0"}, {"alertname", "A"}, {"prometheus_replica", "r"}}
	before := set.String()
	got := set.Without([]string{"prometheus_replica", "__replica__", "absent"})
	if diff := cmp.Diff(Labels{{"alertname", "A"}}, got); diff != "" {
		t.Error(diff)
	}
	if set.String() != before {
		t.Errorf("the receiver has changed: %s", set)
	}
	if same := set.Without([]string{"absent"}); &same[0] != &set[0] {
		t.Error("a set without such names is not itself")
	}
	if got := Labels(nil).Without([]string{"a"}); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestLabels_reads(t *testing.T) {
	set := NewLabels(map[string]string{"b": `say "hi"`, "a": "", "c": "3"})
	if got, want := set.String(), `{a="", b="say \"hi\"", c="3"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if set.Get("c") != "3" || set.Get("d") != "" || !set.Has("a") || set.Has("d") {
		t.Error("Get or Has is wrong")
	}
}

func TestLabels_Shard(t *testing.T) {
	const shards = 7
	counts := make([]int, shards)
	for i := range 700 {
		set := NewLabels(map[string]string{"alertname": "A", "cluster": string(rune('a'+i%26)) + string(rune('a'+i/26)), "pod": string(rune(i + 300))})
		n := set.Shard([]string{"cluster"}, shards)
		if n < 0 || n >= shards {
			t.Fatalf("shard %d of %d", n, shards)
		}
		counts[n]++
		other := NewLabels(map[string]string{"alertname": "B", "cluster": set.Get("cluster")})
		if got := other.Shard([]string{"cluster"}, shards); got != n {
			t.Fatalf("one cluster is in the shards %d and %d", n, got)
		}
	}
	for n, c := range counts {
		if c == 0 {
			t.Errorf("shard %d has nothing: %v", n, counts)
		}
	}
	a, b := NewLabels(map[string]string{"alertname": "A", "x": "1"}), NewLabels(map[string]string{"alertname": "A", "x": "2"})
	if a.Shard([]string{"cluster"}, shards) != b.Shard([]string{"cluster"}, shards) {
		t.Error("without the labels of shard_by the alertname does not decide")
	}
	if a.Shard([]string{"x"}, 1) != 0 || a.Shard(nil, 0) != 0 {
		t.Error("one shard is shard 0")
	}
}

func TestFingerprint_text(t *testing.T) {
	for _, v := range []Fingerprint{0, 1, 0x0123456789abcdef, 1<<64 - 1} {
		got, err := ParseFingerprint(v.String())
		if err != nil || got != v || len(v.String()) != 16 {
			t.Errorf("%d: %s → %d, %v", v, v, got, err)
		}
		b, err := json.Marshal(map[Fingerprint]Fingerprint{v: v})
		if want := `{"` + v.String() + `":"` + v.String() + `"}`; err != nil || string(b) != want {
			t.Errorf("got %s, want %s (%v)", b, want, err)
		}
	}
	for _, bad := range []string{"", "1f", "0123456789abcdeg", "0x23456789abcdef", "+123456789abcdef", "0123456789abcdef0", " 123456789abcdef"} {
		if _, err := ParseFingerprint(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
		var f Fingerprint
		if err := f.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestAppendJSONString(t *testing.T) {
	for _, s := range []string{"", "plain", "tab\t", `q"b\`, "<>&", "\x7f", "ü", "\u2028", "bad\xff", "\x00"} {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(AppendJSONString([]byte("x"), s)); got != "x"+string(want) {
			t.Errorf("%q: got %s, want x%s", s, got, want)
		}
	}
}
