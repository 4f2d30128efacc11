package cmdb

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

func ignoreLines() cmp.Option { return cmpopts.IgnoreUnexported(Estate{}) }

func TestParseFaults(t *testing.T) {
	tests := []struct {
		name, data string
		want       []string
	}{
		{"duplicate id", "items:\n  - {id: a, class: x}\n  - {id: b, class: x}\n  - id: a\n    class: y\n", []string{
			"plant.yaml:4: item a: duplicate id, first on line 2",
		}},
		{"missing", "items:\n  - class: x\n  - id: b\nrelations:\n  - type: feeds\n    to: b\n  - {from: a}\n", []string{
			"plant.yaml:2: items[0]: id is missing",
			"plant.yaml:3: item b: class is missing",
			"plant.yaml:5: relations[0]: from is missing",
			"plant.yaml:7: relations[1]: to is missing",
			"plant.yaml:7: relations[1]: type is missing",
		}},
		{"unknown relation type", "relations:\n  - from: a\n    type: likes\n    to: b\n", []string{
			`plant.yaml:3: relation a likes b: type: unknown relation type "likes"; depends_on, runs_on, member_of, part_of, connects_to, controls, feeds, measures are known`,
		}},
		{"self relation", "relations:\n  - {from: a, type: feeds, to: a}\n", []string{
			"plant.yaml:2: relation a feeds a: an item has no relation to itself",
		}},
		{"identifiers", "items:\n  - id: a\n    class: x\n    identifiers:\n      - {host: h, job: j}\n  - id: b\n    class: x\n    identifiers:\n      - {job: j, host: h}\n      - {}\n      - {host: ''}\n", []string{
			`plant.yaml:9: item b: identifier {host="h", job="j"} is claimed by item a, too, on line 2`,
			"plant.yaml:10: item b: identifiers[1]: at least one label is needed",
			`plant.yaml:11: item b: identifiers[2]: label "host" has no value`,
		}},
		{"criticality", "items:\n  - id: a\n    class: x\n    criticality: 6\n  - {id: b, class: x, criticality: -1}\n  - {id: c, class: x, criticality: 0}\n  - {id: d, class: x, criticality: high}\n", []string{
			"plant.yaml:4: item a: criticality: 1 (highest) to 5 is expected, got 6",
			"plant.yaml:5: item b: criticality: 1 (highest) to 5 is expected, got -1",
			"plant.yaml:6: item c: criticality: 1 (highest) to 5 is expected, got 0",
			`plant.yaml:7: item d: criticality: a whole number is expected, got "high"`,
		}},
		{"redundancy", "items:\n  - id: a\n    class: x\n    redundancy:\n      min: half\n  - {id: b, class: x, redundancy: {min: 101%}}\n  - {id: c, class: x, redundancy: {min: -1}}\n  - {id: d, class: x, redundancy: {}}\n  - {id: e, class: x, redundancy: {min: 50%}}\n  - {id: f, class: x, redundancy: {min: 2}}\n  - {id: g, class: x, redundancy: 2}\n", []string{
			`plant.yaml:5: item a: redundancy.min: a count such as 2 or a share such as 50% is expected, got "half"`,
			`plant.yaml:6: item b: redundancy.min: a count such as 2 or a share such as 50% is expected, got "101%"`,
			`plant.yaml:7: item c: redundancy.min: a count such as 2 or a share such as 50% is expected, got "-1"`,
			`plant.yaml:8: item d: redundancy.min: a count such as 2 or a share such as 50% is expected, got ""`,
			`plant.yaml:11: item g: redundancy: a mapping is expected, got "2"`,
		}},
		{"buffer", "relations:\n  - from: a\n    type: feeds\n    to: b\n    attributes:\n      buffer: soon\n  - {from: b, type: feeds, to: c, attributes: {buffer: -3m}}\n  - {from: b, type: runs_on, to: c, attributes: {buffer: soon}}\n", []string{
			`plant.yaml:6: relation a feeds b: attributes.buffer: a duration such as 3m is expected, got "soon"`,
			`plant.yaml:7: relation b feeds c: attributes.buffer: a duration such as 3m is expected, got "-3m"`,
		}},
		{"validity", "relations:\n  - from: a\n    type: feeds\n    to: b\n    validFrom: 2024-02-01T00:00:00Z\n    validTo: 2024-01-01T00:00:00Z\n  - {from: b, type: feeds, to: c, validFrom: 2024-01-01}\n", []string{
			"plant.yaml:6: relation a feeds b: validTo is not after validFrom",
			`plant.yaml:7: relations[1]: validFrom: a time such as 2006-01-02T15:04:05Z is expected, got "2024-01-01"`,
		}},
		{"unknown fields", "item: []\nitems:\n  - id: a\n    class: x\n    colour: red\n    redundancy: {min: 1, max: 2}\n  - ID: b\n    id: b\n    class: x\nrelations:\n  - {from: a, type: feeds, to: b, kind: x}\nbindings:\n  - item: a\n    discover: {class: x, relations: [{type: feeds, to: b, from: a}]}\n", []string{
			`plant.yaml:1: unknown field "item"; items, relations and bindings are known`,
			`plant.yaml:5: item a: unknown field "colour"`,
			`plant.yaml:6: item a: unknown field "redundancy.max"`,
			`plant.yaml:7: item b: unknown field "ID"`,
			`plant.yaml:11: relations[0]: unknown field "kind"`,
			`plant.yaml:14: bindings[0]: unknown field "discover.relations[0].from"`,
		}},
		{"bindings", "bindings:\n  - preset: kubernets\n  - preset: node\n    match: {job: x}\n  - match:\n      job: (x\n    item: a\n  - match: {job: a)|(b}\n    item: a\n  - match: {job: x}\n  - item: 'a{{.b'\n  - item: 'a{{b}}'\n  - item: a\n    discover: {relations: [{type: likes}]}\n", []string{
			`plant.yaml:2: bindings[0]: unknown preset "kubernets"; blackbox, cadvisor, kubernetes, node, snmp, windows are known`,
			"plant.yaml:3: bindings[1]: preset stands alone, without match, ignore, item and discover",
			"plant.yaml:6: bindings[2]: match.job: error parsing regexp: missing closing ): `(x`",
			"plant.yaml:8: bindings[3]: match.job: error parsing regexp: unexpected ): `a)|(b`",
			"plant.yaml:10: bindings[4]: item is missing",
			`plant.yaml:11: bindings[5]: item: "a{{.b": {{ without }}`,
			`plant.yaml:12: bindings[6]: item: "a{{b}}": only {{.label}} is understood, got {{b}}`,
			"plant.yaml:14: bindings[7]: discover.class is missing",
			`plant.yaml:14: bindings[7]: discover.relations[0].type: unknown relation type "likes"; depends_on, runs_on, member_of, part_of, connects_to, controls, feeds, measures are known`,
			"plant.yaml:14: bindings[7]: discover.relations[0].to is missing",
		}},
		{"kinds", "items:\n  - a\n  - id: [a]\n    class: {a: b}\n    vantage: maybe\n    attributes: []\n    identifiers: {host: h}\nrelations: {}\n", []string{
			`plant.yaml:2: items[0]: a mapping is expected, got "a"`,
			"plant.yaml:3: items[1]: id: a text is expected",
			"plant.yaml:4: items[1]: class: a text is expected",
			`plant.yaml:5: items[1]: vantage: true or false is expected, got "maybe"`,
			"plant.yaml:6: items[1]: attributes: a mapping is expected",
			"plant.yaml:7: items[1]: identifiers: a list is expected",
			"plant.yaml:8: relations: a list is expected",
		}},
		{"a field twice", "items:\n  - id: a\n    class: x\n    class: y\nitems: []\n", []string{
			`plant.yaml:4: item a: field "class" stands twice, first on line 3`,
			`plant.yaml:5: field "items" stands twice, first on line 1`,
		}},
		{"every fault of an item", "items:\n  - {id: a, class: x}\n  - id: a\n    colour: red\n", []string{
			"plant.yaml:3: item a: class is missing",
			"plant.yaml:3: item a: duplicate id, first on line 2",
			`plant.yaml:4: item a: unknown field "colour"`,
		}},
		{"json", "{\n\t\"items\": [\n\t\t{\"id\": \"\\ud83d\\ude00\", \"class\": \"\"},\n\t\t{\"ID\": \"b\", \"class\": \"x\"},\n\t\t{\"id\": \"c\", \"class\": \"x\", \"class\": \"y\"},\n\t\t{\"id\": \"d\", \"class\": \"x\",\n\t\t \"criticality\": 0}]}", []string{
			"plant.yaml:3: item 😀: class is missing",
			`plant.yaml:4: items[1]: unknown field "ID"`,
			"plant.yaml:4: items[1]: id is missing",
			`plant.yaml:5: item c: field "class" stands twice, first on line 5`,
			"plant.yaml:7: item d: criticality: 1 (highest) to 5 is expected, got 0",
		}},
		{"json syntax", "{\"items\": [\n{\"id\": \"a\" \"class\": \"b\"}]}", []string{"plant.yaml:2: invalid character '\"' after object key:value pair"}},
		{"json that ends early", "{\"items\": [\n{\"id\": \"a\"", []string{"plant.yaml:2: the JSON document ends too early"}},
		{"yaml with braces", "{items: [\n  {id: a, class: x},\n  {id: a, class: x}]}", []string{"plant.yaml:3: item a: duplicate id, first on line 2"}},
		{"yaml syntax", "items:\n  - id: a\n    class: [\n", []string{"plant.yaml:3: did not find expected node content"}},
		{"not a mapping", "- a\n", []string{"plant.yaml:1: items, relations and bindings are expected"}},
		{"two documents", "items: []\n---\nitems: []\n", []string{"plant.yaml: one YAML document is expected"}},
		{"not UTF-8", "items:\n  - id: \xff\n", []string{"plant.yaml:2: not UTF-8"}},
		{"a mapping that merges itself", "items:\n  - &a\n    id: a\n    class: x\n    <<: *a\n", []string{"plant.yaml:2: item a: anchor 'a' value contains itself"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Parse("plant.yaml", []byte(tt.data))
			if err == nil {
				t.Fatalf("no fault; got %+v", e)
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			var f Fault
			if !errors.As(err, &f) || f.File != "plant.yaml" {
				t.Errorf("no Fault in %v", err)
			}
		})
	}
}

func TestParseCapsFaults(t *testing.T) {
	_, err := Parse("plant.yaml", []byte("items:\n"+strings.Repeat("  - {id: a}\n", 60)))
	got := strings.Split(err.Error(), "\n") // 60 without a class, 59 duplicates
	if want := "… and 19 more"; len(got) != maxFaults+1 || got[maxFaults] != want {
		t.Errorf("%d lines, the last is %q, want %q", len(got), got[len(got)-1], want)
	}
}

const plantYAML = `items:
  - id: sw-1
    class: switch
    name: Core switch 1
    criticality: 2
    vantage: false
    attributes: {site: plant-a, rack: 12}
    owner: netops
    identifiers:
      - {instance: "sw-1:9116"}
      - {hostname: sw-1, site: plant-a}
  - &host {id: host-a, class: host}
  - {<<: *host, id: host-b, redundancy: {min: 1}}
  - {id: 17, class: host, redundancy: {min: 50%}, owner: }
relations:
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: host-a, type: feeds, to: host-b, attributes: {buffer: 3m}, validFrom: 2024-01-01T00:00:00Z, validTo: "2024-02-01T00:00:00+01:00"}
bindings:
  - preset: kubernetes
  - match: {job: shop-.*}
    ignore: [instance]
    item: "pod/{{.namespace}}/{{ .pod }}"
    discover: {class: pod, relations: [{type: runs_on, to: "node/{{.node}}"}]}
`

func plantEstate() *Estate {
	return &Estate{
		Items: []itsm.Item{
			{
				ID: "sw-1", Class: "switch", Name: "Core switch 1", Criticality: 2, Attributes: map[string]string{"site": "plant-a", "rack": "12"},
				Owner: "netops", Identifiers: []map[string]string{{"instance": "sw-1:9116"}, {"hostname": "sw-1", "site": "plant-a"}},
			},
			{ID: "host-a", Class: "host"},
			{ID: "host-b", Class: "host", Redundancy: &itsm.Redundancy{Min: "1"}},
			{ID: "17", Class: "host", Redundancy: &itsm.Redundancy{Min: "50%"}},
		},
		Relations: []itsm.Relation{
			{From: "host-a", Type: itsm.ConnectsTo, To: "sw-1"},
			{
				From: "host-a", Type: itsm.Feeds, To: "host-b", Attributes: map[string]string{"buffer": "3m"},
				ValidFrom: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), ValidTo: time.Date(2024, 1, 31, 23, 0, 0, 0, time.UTC),
			},
		},
		Bindings: []Rule{
			{Preset: "kubernetes"},
			{
				Match: map[string]string{"job": "shop-.*"}, Ignore: []string{"instance"}, Item: "pod/{{.namespace}}/{{ .pod }}",
				Discover: &Discover{Class: "pod", Relations: []DiscoverRelation{{itsm.RunsOn, "node/{{.node}}"}}},
			},
		},
	}
}

func TestParseFormats(t *testing.T) {
	want := plantEstate()
	asJSON, err := want.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	number := strings.Replace(string(asJSON), `"min":"1"`, `"min":1`, 1)
	for name, data := range map[string]string{
		"by hand": plantYAML, "yaml": string(asYAML), "json": string(asJSON), "json with a number": number,
		"a byte order mark": "\ufeff" + plantYAML, "json with one": "\ufeff" + string(asJSON),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("plant", []byte(data))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, ignoreLines()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, ok := parseJSON("plant", []byte(number)); !ok {
		t.Error("the fast way does not take redundancy.min as a number")
	}
}

func TestParseNothing(t *testing.T) {
	for _, data := range []string{"", "# nothing\n", "{}", "items:\nrelations: []\n", `{"items":null}`} {
		got, err := Parse("plant.yaml", []byte(data))
		if err != nil || len(got.Items)+len(got.Relations)+len(got.Bindings) > 0 {
			t.Errorf("%q: %+v, %v", data, got, err)
		}
	}
}

func TestMarshalLeavesDiscoveredOut(t *testing.T) {
	e := Estate{Items: []itsm.Item{{ID: "a", Class: "x", Discovered: true}}, Relations: []itsm.Relation{{From: "a", Type: itsm.Feeds, To: "b", Discovered: true}}}
	data, err := e.MarshalJSON()
	if want := `{"items":[{"id":"a","class":"x"}],"relations":[{"from":"a","type":"feeds","to":"b"}]}`; err != nil || string(data) != want {
		t.Errorf("%s, %v, want %s", data, err, want)
	}
	if !e.Items[0].Discovered || !e.Relations[0].Discovered {
		t.Error("the estate itself was changed")
	}
}

func TestReadFile(t *testing.T) {
	plain, packed := filepath.Join(t.TempDir(), "e.yaml"), filepath.Join(t.TempDir(), "e.yaml.gz")
	if err := os.WriteFile(plain, []byte(plantYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(f)
	_, err = w.Write([]byte(plantYAML))
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, packed} {
		if got, err := ReadFile(path); err != nil || string(got) != plantYAML {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	if _, err := ReadFile(plain + ".gz"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(packed, []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(packed); err == nil || !strings.HasPrefix(err.Error(), "decompress ") {
		t.Errorf("a broken file: %v", err)
	}
}

// FuzzParse checks that the fast way for JSON is only a faster one, and that an estate survives
// being written and read.
func FuzzParse(f *testing.F) {
	asJSON, err := plantEstate().MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		plantYAML, string(asJSON), `{"items":[{"id":"a","class":"x","criticality":0}]}`, `{"items":[{"ID":"a"}],"items":null}`, `{"items":[[]]}`,
		"items: [&a {id: a, class: b, <<: *a}]", "items: [*a]", "{items: [{id: a, class: b}]}", `{"relations":[{"from":"a","type":"feeds","to":"b","validTo":"2024-01-01T00:00:00Z"}]}`,
		`{"bindings":[{"item":"{{.a}}","match":{"a":"b|c"}}]}`, "items:\n - {id: a, class: b, identifiers: [{a: b}, {a: }]}", `{"items":[{"id":"\ud800"}]} x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse("f", data)
		if err != nil {
			return
		}
		r := newReader(&faults{file: "f"})
		if _, fast := parseJSON("f", data); fast {
			if _, err := r.readJSON(bytes.TrimPrefix(data, []byte("\ufeff"))); err != nil || r.faults.err() != nil {
				t.Fatalf("the fast way takes what the other refuses: %v", r.faults.err())
			}
			if diff := cmp.Diff(e, r.estate, ignoreLines(), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("fast and slow differ:\n%s", diff)
			}
			if diff := cmp.Diff([][]int32{e.lines.items, e.lines.relations}, [][]int32{r.lines["items"], r.lines["relations"]}, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("the lines differ:\n%s", diff)
			}
		}
		out, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("f", out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if diff := cmp.Diff(e, again, ignoreLines(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("written and read:\n%s", diff)
		}
	})
}

// large is an estate as an importer gives it.
func large(items, relations int) *Estate {
	e := &Estate{Items: make([]itsm.Item, items), Relations: make([]itsm.Relation, relations)}
	for i := range e.Items {
		id := fmt.Sprintf("host-%06d", i)
		e.Items[i] = itsm.Item{
			ID: id, Class: "host", Name: "Host " + id, Criticality: 1 + i%5, Attributes: map[string]string{"site": fmt.Sprintf("site-%d", i%50), "rack": strconv.Itoa(i % 999)},
			Identifiers: []map[string]string{{"instance": id + ":9100"}, {"host": id, "site": fmt.Sprintf("site-%d", i%50)}},
		}
	}
	for i := range e.Relations {
		from := i % items
		e.Relations[i] = itsm.Relation{From: e.Items[from].ID, Type: itsm.DependsOn, To: e.Items[(from+1+i/items*7)%items].ID}
	}
	return e
}

func BenchmarkParse100k(b *testing.B) {
	data, err := large(100_000, 300_000).MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := Parse("large.json", data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := (Parts{"file:large.json": e}).Merge(); err != nil {
			b.Fatal(err)
		}
	}
}
