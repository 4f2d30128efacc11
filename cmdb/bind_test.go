package cmdb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// labelsFrom reads a="b", c="d" without quotes: a=b c=d.
func labelsFrom(text string) itsm.Labels {
	m := map[string]string{}
	for pair := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(pair, "=")
		m[name] = value
	}
	return itsm.NewLabels(m)
}

// bound is a binder with an overlay of what it discovered, as in a graph.
type bound struct {
	*binder
	ids map[string]Node
}

func newBound(tb testing.TB, e *Estate) *bound {
	tb.Helper()
	b := &bound{ids: map[string]Node{}}
	items := make([]*itsm.Item, len(e.Items))
	for i := range e.Items {
		items[i], b.ids[e.Items[i].ID] = &e.Items[i], Node(i)
	}
	var err error
	if b.binder, err = newBinder(items, e.Bindings); err != nil {
		tb.Fatal(err)
	}
	return b
}

func (b *bound) bind(labels itsm.Labels) Match {
	m := b.binder.bind(labels, func(id string) (Node, bool) { n, ok := b.ids[id]; return n, ok })
	for i := range m.Items {
		if _, ok := b.ids[m.Items[i].ID]; !ok {
			b.ids[m.Items[i].ID] = Node(len(b.ids))
		}
	}
	return m
}

// told is a match as text: the item, then what it tells of the estate.
func told(m Match) []string {
	out := []string{m.ID}
	for _, it := range m.Items {
		out = append(out, "+"+it.Class+" "+it.ID)
	}
	for _, r := range m.Relations {
		out = append(out, r.From+" "+string(r.Type)+" "+r.To)
	}
	return out
}

const bindYAML = `items:
  - {id: a, class: host, identifiers: [{host: a}, {host: a, job: x}]}
  - {id: b, class: host, identifiers: [{job: x, port: 1}]}
  - {id: c, class: host, identifiers: [{host: c}, {ip: 1}]}
  - {id: n1, class: host}
  - {id: machine-2, class: host, identifiers: [{node: n2}]}
  - {id: node/n3, class: node}
  - {id: twin-1, class: host, identifiers: [{node: n4}]}
  - {id: twin-2, class: host, identifiers: [{node: n4, zone: z}, {hostname: n4}]}
  - {id: pods, class: pod, identifiers: [{namespace: shop, pod: cart-0}]}
bindings:
  - match: {job: shop-.*}
    ignore: [host]
    item: "pod/{{.namespace}}/{{.pod}}"
    discover: {class: pod, name: "{{.pod}} of {{.namespace}}", relations: [{type: runs_on, to: "node/{{.on}}"}, {type: part_of, to: "{{.app}}"}]}
  - match: {kind: known}
    item: "{{.item}}"
  - match: {kind: ignored}
    ignore: [item]
    item: "{{.item}}"
`

func TestBind(t *testing.T) {
	e := parsed(t, "e.yaml", bindYAML)
	tests := []struct {
		name, labels string
		want         []string
		how          string
		tie, tried   []string
	}{
		{name: "identifier", labels: "host=a", want: []string{"a"}, how: `identifier {host="a"}`},
		{name: "the most specific wins", labels: "host=c job=x port=1", want: []string{"b"}, how: `identifier {job="x", port="1"}`},
		{
			name: "equally specific", labels: "host=a job=x port=1", want: []string{""}, how: `identifier {host="a", job="x"}`, tie: []string{"a", "b"},
		},
		{name: "one item by two sets", labels: "host=c ip=1", want: []string{"c"}, how: `identifier {host="c"}`},
		{
			name: "discovered", labels: "job=shop-1 namespace=web pod=p on=n9",
			want: []string{"pod/web/p", "+pod pod/web/p", "+node node/n9", "pod/web/p runs_on node/n9"}, how: "binding 1",
		},
		{
			name: "ignored labels are hidden from identifiers", labels: "job=shop-1 namespace=web pod=p host=a",
			want: []string{"pod/web/p", "+pod pod/web/p"}, how: "binding 1",
		},
		{
			name: "the other end is declared by its id", labels: "job=shop-1 namespace=web pod=p on=n3",
			want: []string{"pod/web/p", "+pod pod/web/p", "pod/web/p runs_on node/n3"}, how: "binding 1",
		},
		{
			name: "by its short id", labels: "job=shop-1 namespace=web pod=p on=n1",
			want: []string{"pod/web/p", "+pod pod/web/p", "pod/web/p runs_on n1"}, how: "binding 1",
		},
		{
			name: "by identifiers", labels: "job=shop-1 namespace=web pod=p on=n2",
			want: []string{"pod/web/p", "+pod pod/web/p", "pod/web/p runs_on machine-2"}, how: "binding 1",
		},
		{
			name: "an end without a class must be there", labels: "job=shop-1 namespace=web pod=p app=a",
			want: []string{"pod/web/p", "+pod pod/web/p", "pod/web/p part_of a"}, how: "binding 1",
		},
		{
			name: "an end without a class that is not there", labels: "job=shop-1 namespace=web pod=p app=none",
			want: []string{"pod/web/p", "+pod pod/web/p"}, how: "binding 1",
		},
		{name: "a declared pod", labels: "job=shop-1 namespace=shop pod=cart-0", want: []string{"pods"}, how: `identifier {namespace="shop", pod="cart-0"}`},
		{name: "a rule without discovery", labels: "kind=known item=b", want: []string{"b"}, how: "binding 2"},
		{
			name: "no such item", labels: "kind=known item=z host=z", want: []string{""}, tried: []string{
				"identifier host=z: no item", "binding 1: label job is missing", "binding 2: no item has the id z", "binding 3: label kind is known",
			},
		},
		{
			name: "an empty label", labels: "job=shop-1 namespace= pod=p host=z", want: []string{""}, tried: []string{
				"identifier host: ignored, it speaks of the exporter", "identifier job=shop-1: no item", "identifier namespace=: no item", "identifier pod=p: no item",
				"binding 1: label namespace is missing", "binding 2: label kind is missing", "binding 3: label kind is missing",
			},
		},
		{
			name: "ignored labels are hidden from the template", labels: "kind=ignored item=b", want: []string{""}, tried: []string{
				"binding 1: label job is missing", "binding 2: label kind is ignored", "binding 3: label item is missing",
			},
		},
		{
			name: "no item is guessed from a label that is an id", labels: "instance=n1:9100", want: []string{""}, tried: []string{
				"binding 1: label job is missing", "binding 2: label kind is missing", "binding 3: label kind is missing",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newBound(t, e).bind(labelsFrom(tt.labels))
			if diff := cmp.Diff(tt.want, told(m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([][]string{tt.tie, tt.tried, {tt.how}}, [][]string{m.Tie, m.Tried, {m.How}}, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("tie, tried, how (-want +got):\n%s", diff)
			}
			if (m.Node == None) != (m.ID == "" || len(m.Items) > 0 && m.Items[0].ID == m.ID) {
				t.Errorf("node %d for %q", m.Node, m.ID)
			}
		})
	}
}

func TestBindTieOfDiscovered(t *testing.T) {
	e := parsed(t, "e.yaml", `items: [{id: x, class: host, identifiers: [{host: h}]}, {id: y, class: host, identifiers: [{hostname: h}]}]
bindings: [{item: "host/{{.name}}", discover: {class: host}}]`)
	m := newBound(t, e).bind(labelsFrom("name=h"))
	if diff := cmp.Diff(Match{Node: None, How: "binding 1", Tie: []string{"x", "y"}}, m); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBindTriedIsBounded(t *testing.T) {
	e := &Estate{Items: []itsm.Item{{ID: "a", Class: "x"}}}
	set, labels := map[string]string{}, map[string]string{}
	for i := range 40 {
		set["l"+strconv.Itoa(i)], labels["l"+strconv.Itoa(i)] = "x", strings.Repeat("ü", 99)
		e.Bindings = append(e.Bindings, Rule{Match: map[string]string{"none": "x"}, Item: "a"})
	}
	e.Items[0].Identifiers = []map[string]string{set}
	m := newBound(t, e).bind(itsm.NewLabels(labels))
	if len(m.Tried) != maxTried {
		t.Errorf("%d lines, want %d", len(m.Tried), maxTried)
	}
	if want := "identifier l0=" + strings.Repeat("ü", 30) + "…: no item"; m.Tried[0] != want {
		t.Errorf("got %q, want %q", m.Tried[0], want)
	}
}

// An estate that says nothing at all has the presets kubernetes and node; one with items has none.
func TestBindDefaults(t *testing.T) {
	labels := labelsFrom("job=node-exporter instance=h:9100")
	if m := newBound(t, &Estate{}).bind(labels); m.ID != "host/h" {
		t.Errorf("without an estate: %+v", m)
	}
	if m := newBound(t, &Estate{Items: []itsm.Item{{ID: "x", Class: "host"}, {ID: "h", Class: "host"}}}).bind(labels); m.ID != "" {
		t.Errorf("with items: %+v", m)
	}
	if m := newBound(t, &Estate{Bindings: []Rule{{Preset: "snmp"}}}).bind(labels); m.ID != "" {
		t.Errorf("with bindings: %+v", m)
	}
}

func TestNewBinderFaults(t *testing.T) {
	_, err := newBinder(nil, []Rule{{Preset: "x"}, {Item: "a"}, {Item: "{{"}})
	want := "bindings[0]: unknown preset \"x\"; blackbox, cadvisor, kubernetes, node, snmp, windows are known\nbindings[2]: item: \"{{\": {{ without }}"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The forms that matchers know must say what the regular expression says.
func TestMatcherForms(t *testing.T) {
	values := []string{"", "a", "b", "ab", "xax", "a\nb", "node", "a|b", ".+", "a.b", "aXb"}
	for _, expr := range []string{"", "a", "a|b", "|a", ".+", ".*", ".*a.*", "a.*", ".*a", "a.b", `a\.b`, "(a|b)", "[ab]+", "a||b", ".*.*", ".*a|b.*", ".*", "(?i)A"} {
		m, err := newMatcher("l", expr)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := newMatcher("l", "(?:"+expr+")") // never one of the forms
		if err != nil || plain.form != expression {
			t.Fatalf("%q: %v, %v", expr, plain.form, err)
		}
		for _, v := range values {
			if m.matches(v) != plain.matches(v) {
				t.Errorf("%q on %q: %v", expr, v, m.matches(v))
			}
		}
	}
}

// naive finds the item of labels without an index.
func naive(items []*itsm.Item, labels itsm.Labels, hidden []string) (best int, nodes []Node) {
	for n, it := range items {
		for _, set := range it.Identifiers {
			fits := len(set) > 0
			for name, value := range set {
				fits = fits && value != "" && labels.Get(name) == value && !slices.Contains(hidden, name)
			}
			switch {
			case !fits || len(set) < best:
			case len(set) > best:
				best, nodes = len(set), []Node{Node(n)}
			case !slices.Contains(nodes, Node(n)):
				nodes = append(nodes, Node(n))
			}
		}
	}
	return best, nodes
}

func TestIdentifiersAgainstScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	set := func(n int) map[string]string {
		m := map[string]string{}
		for range n {
			m[string(rune('a'+rng.IntN(5)))] = []string{"", "0", "1", "2"}[rng.IntN(4)]
		}
		return m
	}
	found, ties := 0, 0
	for range 300 {
		items := make([]*itsm.Item, 1+rng.IntN(12))
		for i := range items {
			items[i] = &itsm.Item{ID: fmt.Sprint("i", i)}
			for range rng.IntN(4) {
				items[i].Identifiers = append(items[i].Identifiers, set(rng.IntN(4)))
			}
		}
		x := newIdentifiers(items)
		for range 30 {
			labels := itsm.NewLabels(set(rng.IntN(7)))
			var hidden []string
			if rng.IntN(3) == 0 {
				hidden = []string{"b"}
			}
			size, want := naive(items, labels, hidden)
			best, got := x.find(labels, hidden)
			if best != nil && got == nil {
				got = []Node{best.node}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) || best != nil && len(best.labels) != size {
				t.Fatalf("%s, hidden %v: got %v, want %v", labels, hidden, got, want)
			}
			found, ties = found+min(1, len(want)), ties+max(0, min(1, len(want)-1))
		}
	}
	if found < 500 || ties < 50 {
		t.Errorf("the test is empty: %d found, %d ties", found, ties)
	}
}

// FuzzBind checks what holds for every match, and that binding twice says the same.
func FuzzBind(f *testing.F) {
	for _, seed := range []string{
		"host=a", "job=kube-state-metrics namespace=shop pod=cart-5d8f7c9b6d-x7k2p node=n1", "job=node-exporter instance=[::1]:9100 name=n", "job=blackbox instance=https://x/y",
		"job=shop-1 namespace=/ pod=/ node=/ host=a", "job=windows instance=:9182", "node=/x", "exported_namespace=x exported_pod= pod=p", "job=snmp host=/", "namespace=a deployment=/",
	} {
		f.Add(seed)
	}
	e, err := Parse("e.yaml", []byte(bindYAML+"  - preset: kubernetes\n  - preset: node\n  - preset: windows\n  - preset: snmp\n  - preset: blackbox\n  - preset: cadvisor\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		labels := labelsFrom(text)
		b := newBound(t, e)
		m := b.bind(labels)
		n, known := b.ids[m.ID]
		switch {
		case m.ID != "" && (len(m.Tie) > 0 || len(m.Tried) > 0 || !known):
			t.Fatalf("an item and a reason for none: %+v", m)
		case m.ID == "" && (m.Node != None || len(m.Items)+len(m.Relations) > 0):
			t.Fatalf("no item, but what it tells: %+v", m)
		case m.ID == "" && len(m.Tie) == 0 && (len(m.Tried) == 0 || len(m.Tried) > maxTried):
			t.Fatalf("no reason: %+v", m)
		case m.Node != None && m.Node != n:
			t.Fatalf("node %d of %q is %d", m.Node, m.ID, n)
		}
		for _, it := range m.Items {
			if it.ID == "" || it.Class == "" || it.Name == "" || !it.Discovered {
				t.Fatalf("item %+v", it)
			}
		}
		for _, r := range m.Relations {
			_, from := b.ids[r.From]
			_, to := b.ids[r.To]
			if r.From == r.To || !from || !to || !r.Discovered {
				t.Fatalf("relation %+v", r)
			}
		}
		if again := b.bind(labels); again.ID != m.ID || len(again.Items) > 0 || !cmp.Equal(again.Relations, m.Relations) {
			t.Fatalf("first %+v, then %+v", m, again)
		}
	})
}

func TestBindAllocatesNothing(t *testing.T) {
	e := large(1000, 0)
	e.Bindings = []Rule{{Preset: "kubernetes"}, {Preset: "node"}, {Match: map[string]string{"job": "snmp-.*"}, Ignore: []string{"x"}, Item: "{{.x}}"}}
	b := newBound(t, e)
	find := func(id string) (Node, bool) { n, ok := b.ids[id]; return n, ok }
	labels := labelsFrom("alertname=HostDown instance=host-000500:9100 job=kube-state-metrics host=host-000500 site=site-0")
	if n := testing.AllocsPerRun(100, func() {
		if id := b.binder.bind(labels, find).ID; id != "host-000500" {
			t.Errorf("got %q", id)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBind(b *testing.B) {
	e := large(100_000, 0)
	e.Bindings = []Rule{{Preset: "kubernetes"}, {Preset: "node"}}
	binder := newBound(b, e)
	find := func(id string) (Node, bool) { n, ok := binder.ids[id]; return n, ok }
	for name, text := range map[string]string{
		"identifier": "alertname=HostDown cluster=eu instance=host-0%05d:9100 job=linux severity=critical team=netops",
		"discovered": "alertname=PodDown cluster=eu namespace=shop pod=cart-5d8f7c9b6d-x%04d node=n1 job=kube-state-metrics container=cart",
		"nothing":    "alertname=Other cluster=eu severity=critical x=%d",
	} {
		b.Run(name, func(b *testing.B) {
			sets := make([]itsm.Labels, 1000)
			for i := range sets {
				sets[i] = labelsFrom(fmt.Sprintf(text, i))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				binder.binder.bind(sets[i%len(sets)], find)
			}
		})
	}
}
