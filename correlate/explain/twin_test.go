package explain

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"signalbox/cmdb"
)

// lives is how many random lives each property of the index is tried on.
var lives = flag.Int("lives", 10, "random lives of an index to try")

// life is a random life of an index: observations that come to hypotheses, leave them, move, and hypotheses that end.
type life struct {
	t       *testing.T
	rand    *rand.Rand
	x       *Index
	at      time.Time
	ordinal uint64
	open    []*Hypothesis
	members map[*Hypothesis][]*Observation
}

func newLife(t *testing.T, seed uint64) *life {
	t.Helper()
	x := small(t, map[string]string{"core": "switch", "s1": "switch", "s2": "switch", "mon": "HOST", "web": "service", "shop": "service", "db": "database", "lone": "database", "p1": "pod", "p2": "pod", "p3": "pod"},
		"mon connects_to core", "s1 connects_to core", "s2 connects_to core", "a connects_to s1", "b connects_to s1", "c connects_to s2", "d connects_to s2",
		"p1 runs_on a", "p2 runs_on b", "p3 runs_on c", "p1 member_of web", "p2 member_of web", "p3 member_of web", "web depends_on db", "shop depends_on web",
		"far depends_on other", "other depends_on base")
	x.Follow(NewRates(nil))
	return &life{t: t, rand: rand.New(rand.NewPCG(seed, 6)), x: x, at: noon(), members: map[*Hypothesis][]*Observation{}} //nolint:gosec // a repeatable test
}

func (l *life) observation() *Observation {
	l.ordinal++
	l.at = l.at.Add(time.Duration(l.rand.IntN(40)) * time.Second)
	types := strings.Fields("HostDown TargetDown DiskFull HighLatency HighErrorRate disk_1_errors disk_2_errors network_receive")
	o := &Observation{
		Ordinal: l.ordinal, Node: cmdb.Node(l.rand.IntN(l.x.g.Len())), Type: types[l.rand.IntN(len(types))], //nolint:gosec // few items
		Onset: l.at.Add(-time.Duration(l.rand.IntN(200)) * time.Second), Seen: l.at,
	}
	if l.rand.IntN(3) == 0 {
		o.Magnitude = float64(l.rand.IntN(9))
	}
	o.Past = l.x.Count(o.Node, o.Type, o.Onset)
	return o
}

func (l *life) step() {
	l.rise()
	h := l.open[l.rand.IntN(len(l.open))]
	switch list := l.members[h]; {
	case l.rand.IntN(3) > 0 || len(list) == 0:
		o := l.observation()
		l.x.Attach(o, h)
		l.members[h] = append(list, o)
	case l.rand.IntN(6) == 0 && len(l.open) > 1:
		l.x.Forget(h)
		h.Closed = true
		l.open = slices.DeleteFunc(l.open, func(o *Hypothesis) bool { return o == h })
	default:
		i := l.rand.IntN(len(list))
		o, to := list[i], l.open[l.rand.IntN(len(l.open))]
		l.x.Detach(o, h)
		l.members[h] = slices.Delete(slices.Clone(list), i, i+1)
		if l.rand.IntN(2) == 0 {
			l.x.Attach(o, to)
			l.members[to] = append(l.members[to], o)
		}
	}
	l.x.Rank(l.at, l.open[l.rand.IntN(len(l.open))])
}

// rise opens a hypothesis now and then.
func (l *life) rise() {
	if len(l.open) < 2 || l.rand.IntN(8) == 0 {
		n := 1 + len(l.members)
		h := &Hypothesis{Ordinal: uint64(n), Cause: None, ConfirmedItem: None} //nolint:gosec // not negative
		l.open, l.members[h] = append(l.open, h), nil
	}
}

// credits is what a possible cause explains of a hypothesis, as the naive twin counts it.
type credits struct {
	Mass, Items int64
	Self        bool
	Classes     map[string][2]int64 // items and mass by class and kind
}

// naive counts anew, item by item and cause by cause, what a hypothesis with such members holds.
func (x *Index) naive(list []*Observation) (entries map[string]credits, total int64) {
	entries = map[string]credits{}
	for item := range cmdb.Node(x.g.Len()) { //nolint:gosec // few items
		var here []*Observation
		for _, o := range list {
			if o.Node == item {
				here = append(here, o)
			}
		}
		telling, most := twinTelling(x, here), int64(0)
		for cause := range cmdb.Node(x.g.Len()) { //nolint:gosec // few items
			var arrives reach
			for _, o := range here {
				for _, r := range x.walk(o) {
					if r.node == cause && (r.weight > arrives.weight || r.weight == arrives.weight && r.kind < arrives.kind) {
						arrives = r
					}
				}
			}
			if arrives.weight == 0 {
				continue
			}
			most = max(most, int64(arrives.weight))
			mass := int64(arrives.weight) * telling / 1000
			c := entries[x.id(cause)]
			c.Mass += mass
			if c.Self = c.Self || cause == item; cause != item {
				c.Items++
				if c.Classes == nil {
					c.Classes = map[string][2]int64{}
				}
				key := fmt.Sprint(x.g.ClassID(item), arrives.kind)
				c.Classes[key] = [2]int64{c.Classes[key][0] + 1, c.Classes[key][1] + mass}
			}
			entries[x.id(cause)] = c
		}
		total += most * telling / 1000
	}
	return entries, total
}

// twinTelling is how much alerts of one item tell, from the definition.
func twinTelling(x *Index, list []*Observation) int64 {
	families, most := map[string]bool{}, 0.0
	for _, o := range list {
		families[x.familyOf(o.Type)] = true
		magnitude, first := o.Magnitude, o // of a type the greatest counts, and one that tells none tells 0; its past is that of the first
		for _, p := range list {
			if p.Type != o.Type {
				continue
			}
			magnitude = max(magnitude, p.Magnitude)
			if p.Ordinal < first.Ordinal {
				first = p
			}
		}
		most = max(most, beyond(magnitude)*first.Past.unusual())
	}
	return int64(math.Round(1000 * most * (1 + math.Log(float64(max(1, len(families))))/3)))
}

func held(x *Index, h *Hypothesis) map[string]credits {
	out := map[string]credits{}
	for n, e := range h.body.entries {
		c := credits{Mass: e.mass, Items: int64(e.items), Self: e.self}
		for _, k := range e.classes {
			if c.Classes == nil {
				c.Classes = map[string][2]int64{}
			}
			c.Classes[fmt.Sprint(k.class, k.kind)] = [2]int64{int64(k.items), k.mass}
		}
		out[x.id(n)] = c
	}
	return out
}

// TestTwin holds that the sums which the index keeps are what a naive twin counts anew after every step.
func TestTwin(t *testing.T) {
	for seed := range uint64(*lives) { //nolint:gosec // not negative
		l := newLife(t, seed)
		for step := range 150 {
			l.step()
			l.check(fmt.Sprintf("life %d, step %d", seed, step))
		}
	}
}

func (l *life) check(where string) {
	l.t.Helper()
	x := l.x
	having := map[string]int{} // how many items of a class, joined with an item, report a type
	for _, h := range l.open {
		entries, total := x.naive(l.members[h])
		if d := gocmp.Diff(entries, held(x, h)); d != "" {
			l.t.Fatalf("%s: hypothesis %d (-twin +index):\n%s", where, h.Ordinal, d)
		}
		var onset time.Time
		reported := map[string]bool{}
		for _, o := range l.members[h] {
			if onset.IsZero() || o.Onset.Before(onset) {
				onset = o.Onset
			}
			key := fmt.Sprint(x.peers.root(o.Node), x.g.ClassID(o.Node), o.Type)
			alone := len(x.g.Up(o.Node))+len(x.g.Down(o.Node)) == 0 // it has no peers
			if id := key + x.id(o.Node); !reported[id] && !alone {
				reported[id] = true
				having[key]++
			}
		}
		if h.body.total != total || len(l.members[h]) > 0 && !h.body.onset.Equal(onset) {
			l.t.Fatalf("%s: hypothesis %d: total %d from %s, want %d from %s", where, h.Ordinal, h.body.total, h.body.onset, total, onset)
		}
	}
	for n, list := range x.nodes {
		var got, want []uint64
		for _, e := range list {
			got = append(got, e.h.Ordinal)
		}
		for _, h := range l.open {
			if h.body.entries[cmdb.Node(n)] != nil { //nolint:gosec // few items
				want = append(want, h.Ordinal)
			}
		}
		if !slices.Equal(got, want) {
			l.t.Fatalf("%s: around %s are %v, want %v", where, x.id(cmdb.Node(n)), got, want) //nolint:gosec // few items
		}
	}
	got := map[string]int{}
	for root, r := range x.peers.joined {
		for t, n := range r.having {
			got[fmt.Sprint(root, t.class, t.name)] = n
		}
	}
	if d := gocmp.Diff(having, got); d != "" {
		l.t.Fatalf("%s: who reports what (-twin +index):\n%s", where, d+x.id(9)+x.g.ClassWord(0))
	}
}

// TestAnyOrder holds that what the index answers does not depend on the order in which it was told, nor on what it was told and
// has forgotten: one that is told everything anew, in another order, ranks and assigns the same.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(*lives) { //nolint:gosec // not negative
		l := newLife(t, seed+1000)
		for step := range 120 {
			if l.step(); step%10 == 0 {
				l.compareAnew(fmt.Sprintf("life %d, step %d", seed, step))
			}
		}
	}
}

func (l *life) compareAnew(where string) {
	l.t.Helper()
	anew := NewIndex(l.x.g, l.x.cfg)
	anew.Follow(l.x.rates)
	copies := map[*Hypothesis]*Hypothesis{}
	var all []*Observation
	homes := map[*Observation]*Hypothesis{}
	for _, h := range l.open {
		c := *h
		c.Reset()
		copies[h] = &c
		for _, o := range l.members[h] {
			p := *o
			p.Reset()
			all, homes[&p] = append(all, &p), &c
		}
	}
	slices.SortFunc(all, func(a, b *Observation) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	l.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, o := range all {
		anew.Attach(o, homes[o])
	}
	for _, h := range l.open {
		copies[h].LastJoined = h.LastJoined
		if d := gocmp.Diff(text(l.t, l.x.Rank(l.at, h)), text(l.t, anew.Rank(l.at, copies[h]))); d != "" {
			l.t.Fatalf("%s: causes of %d (-as it came +anew):\n%s", where, h.Ordinal, d)
		}
	}
	o := l.observation()
	p := *o
	p.Reset()
	was, merges := l.x.Assign(l.at, []*Observation{o})
	is, again := anew.Assign(l.at, []*Observation{&p})
	if d := gocmp.Diff(verdictText(l.t, was, merges), verdictText(l.t, is, again)); d != "" {
		l.t.Fatalf("%s: where %s on %s belongs (-as it came +anew):\n%s", where, o.Type, l.x.id(o.Node), d)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func verdictText(t *testing.T, list []Verdict, merges []Merge) string {
	t.Helper()
	var b strings.Builder
	for _, v := range list {
		join := uint64(0)
		if v.Join != nil {
			join = v.Join.Ordinal
		}
		fmt.Fprintln(&b, join, v.New, text(t, v.Evidence))
	}
	for _, m := range merges {
		fmt.Fprintln(&b, m.From.Ordinal, "into", m.Into.Ordinal, m.Cause)
	}
	return b.String()
}
