package cmdb

import (
	"strings"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

func parsed(t *testing.T, name, data string) *Estate {
	t.Helper()
	e, err := Parse(name, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestMergePrecedence(t *testing.T) {
	// each part gives what the ones before it leave open, and something that they do not
	parts := Parts{
		"zabbix":          parsed(t, "zabbix", "items: [{id: b, class: zabbix}, {id: a, class: zabbix, redundancy: {min: 4}, attributes: {e: zabbix}}]"),
		"importer:netbox": parsed(t, "netbox", "items: [{id: a, class: importer, redundancy: {min: 3}, owner: importer, attributes: {c: importer, d: importer}}]"),
		"file:b.yaml":     parsed(t, "b.yaml", "items: [{id: a, class: b, criticality: 5, owner: b}]"),
		"file:a.yaml":     parsed(t, "a.yaml", "items: [{id: a, class: a, criticality: 4, attributes: {b: file, c: file}, identifiers: [{host: a}, {host: A}]}]\nbindings: [{item: file}]"),
		"api":             parsed(t, "api", "items: [{id: a, class: api, name: api, vantage: true, identifiers: [{host: a}]}]\nbindings: [{item: api}]"),
		"operator":        parsed(t, "operator", "items: [{id: a, class: operator, attributes: {a: operator, b: operator}, identifiers: [{ip: 1}]}]\nbindings: [{item: operator}]"),
		"nothing":         nil,
	}
	want := &Estate{
		Items: []itsm.Item{
			{
				ID: "a", Class: "operator", Name: "api", Criticality: 4, Vantage: true, Owner: "b", Redundancy: &itsm.Redundancy{Min: "3"},
				Attributes:  map[string]string{"a": "operator", "b": "operator", "c": "file", "d": "importer", "e": "zabbix"},
				Identifiers: []map[string]string{{"ip": "1"}, {"host": "a"}, {"host": "A"}},
			},
			{ID: "b", Class: "zabbix", Name: "b", Criticality: 3},
		},
		Relations: []itsm.Relation{},
		Bindings:  []Rule{{Item: "operator"}, {Item: "api"}, {Item: "file"}},
	}
	for range 10 { // the order of the map must not matter
		got, err := parts.Merge()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, ignoreLines()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "operator", "b": "operator"}, parts["operator"].Items[0].Attributes); diff != "" {
		t.Errorf("a part was changed (-want +got):\n%s", diff)
	}
}

func TestMergeRelations(t *testing.T) {
	items := "items: [{id: b, class: x}, {id: a, class: x}, {id: c, class: x}]\n"
	parts := Parts{
		"file:x": parsed(t, "x", items+`relations:
  - {from: b, type: runs_on, to: a}
  - {from: a, type: feeds, to: b, attributes: {buffer: 1m}}
  - {from: a, type: depends_on, to: c, validFrom: 2024-06-01T00:00:00Z}
  - {from: a, type: depends_on, to: c, validTo: 2024-01-01T00:00:00Z}
  - {from: a, type: depends_on, to: c, validTo: "2024-01-01T01:00:00+01:00"}
`),
		"importer:y": parsed(t, "y", "relations: [{from: a, type: feeds, to: b, attributes: {buffer: 9m}}, {from: a, type: depends_on, to: c}, {from: a, type: depends_on, to: b}]"),
	}
	got, err := parts.Merge()
	if err != nil {
		t.Fatal(err)
	}
	want := []itsm.Relation{
		{From: "a", Type: itsm.DependsOn, To: "b"},
		{From: "a", Type: itsm.DependsOn, To: "c", ValidTo: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		{From: "a", Type: itsm.DependsOn, To: "c", ValidFrom: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)},
		{From: "a", Type: itsm.Feeds, To: "b", Attributes: map[string]string{"buffer": "1m"}},
		{From: "b", Type: itsm.RunsOn, To: "a"},
	}
	if diff := cmp.Diff(want, got.Relations); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMergeFaults(t *testing.T) {
	parts := Parts{
		"file:a.yaml": parsed(t, "a.yaml", "items:\n  - {id: a, class: x, identifiers: [{host: h}]}\nrelations:\n  - {from: a, type: feeds, to: b}\n  - from: c\n    type: feeds\n    to: d\n"),
		"file:b.json": parsed(t, "b.json", "{\"relations\": [\n {\"from\": \"a\", \"type\": \"feeds\", \"to\": \"e\"}],\n\"items\": [{\"id\": \"b\", \"class\": \"x\"},\n {\"id\": \"f\", \"class\": \"x\", \"identifiers\": [{\"host\": \"h\"}]}]}"),
		"api":         {Relations: []itsm.Relation{{From: "a", Type: itsm.Feeds, To: "g"}}},
	}
	parts["file:b.json"].Relations = append(parts["file:b.json"].Relations, itsm.Relation{From: "b", Type: itsm.Feeds, To: "z"})
	want := []string{
		`b.json:4: item f: identifier {host="h"} is claimed by item a, too`,
		`api: relation a feeds g: no item has the id "g"`,
		`a.yaml:5: relation c feeds d: no item has the id "c"`,
		`a.yaml:5: relation c feeds d: no item has the id "d"`,
		`b.json: relation a feeds e: no item has the id "e"`, // changed since it was read: no line
		`b.json: relation b feeds z: no item has the id "z"`,
	}
	_, err := parts.Merge()
	if err == nil {
		t.Fatal("no fault")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	parts["file:b.json"].Relations = parts["file:b.json"].Relations[:1]
	if _, err = parts.Merge(); err == nil || !strings.Contains(err.Error(), `b.json:2: relation a feeds e: no item has the id "e"`) {
		t.Errorf("the line of a JSON file is not there: %v", err)
	}
}

func TestPartsEncode(t *testing.T) {
	parts := Parts{"file:plant": plantEstate(), "api": {}}
	data, err := parts.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parts, got, ignoreLines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	plain, err := Decode([]byte(plantYAML))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Parts{"file": plantEstate()}, plain, ignoreLines()); diff != "" {
		t.Errorf("a plain file (-want +got):\n%s", diff)
	}
	if got, err := Decode([]byte(`{"parts":{"api":null}}`)); err != nil || got["api"] == nil {
		t.Errorf("a part that is null: %v, %v", got, err)
	}
}

func TestDecodeFaults(t *testing.T) {
	for data, want := range map[string][]string{
		`{"parts":{"b":{"items":[{"id":"x"}]},"a":{"items":[{"class":"x"}]}}}`: {"a:1: items[0]: id is missing", "b:1: item x: class is missing"},
		`{"parts":{},"items":[]}`: {`decode the parts of the estate: json: unknown field "items"`},
		`{"parts":{}} {}`:         {"decode the parts of the estate: something follows the document"},
		`{"items":[{"id":"x"}]}`:  {"estate:1: item x: class is missing"},
	} {
		_, err := Decode([]byte(data))
		if err == nil {
			t.Errorf("%s: no fault", data)
			continue
		}
		if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", data, diff)
		}
	}
}

// TestPartsDangling: what could be read of files with faults still shows which relations lead nowhere.
func TestPartsDangling(t *testing.T) {
	broken, err := Parse("a.yaml", []byte("items:\n  - {id: a, class: x}\n  - {id: a, class: x}\n  - {id: b}\nrelations:\n  - {from: a, type: likes, to: c}\n  - {from: a, type: feeds, to: b}\n  - {from: a, to: d}\n  - {type: feeds, to: a}\n"))
	if err == nil || broken == nil {
		t.Fatalf("%v, %v; want faults and what could be read", broken, err)
	}
	parts := Parts{"file:a.yaml": broken, "file:b.yaml": parsed(t, "b.yaml", "items: [{id: d, class: x}]")}
	want := `a.yaml:6: relation a likes c: no item has the id "c"`
	if err := parts.Dangling(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if part, err := Parse("c.yaml", []byte("items: [")); err == nil || part != nil {
		t.Errorf("%v, %v; nothing can be read of a file that is no YAML", part, err)
	}
}
