package cmdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"signalbox/itsm"
)

// Fault is one fault of an estate file.
type Fault struct {
	File   string
	Line   int
	Item   string // "" when it is not about one item
	Reason string
}

// Error implements error: "plant.yaml:12: item sw-1: duplicate id".
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Item != "" {
		b.WriteString("item " + f.Item + ": ")
	}
	b.WriteString(f.Reason)
	return b.String()
}

// maxFaults bounds how many faults one error spells out.
const maxFaults = 100

// faults collects every fault of a file.
type faults struct {
	file string
	list []error
}

func (f *faults) add(line int, item, format string, args ...any) {
	f.list = append(f.list, Fault{File: f.file, Line: line, Item: item, Reason: fmt.Sprintf(format, args...)})
}

func (f *faults) err() error { return joined(f.list) }

func joined(list []error) error {
	if over := len(list) - maxFaults; over > 0 {
		list = append(slices.Clone(list[:maxFaults]), fmt.Errorf("… and %d more faults", over))
	}
	return errors.Join(list...)
}

// Parse reads an estate file, YAML or JSON; name stands in the faults. It reports every fault with
// its line. Whether the ends of relations exist is for Merge to say: they may be in another file.
func Parse(name string, data []byte) (*Estate, error) {
	f := &faults{file: name}
	if e, ok := parseJSON(data); ok {
		if e.check(f, nil); len(f.list) == 0 {
			return e, nil
		}
		f.list = nil // the slow way knows the lines
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return &Estate{}, nil
	case err != nil:
		f.add(0, "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil, f.err()
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		f.add(0, "", "one YAML document is expected")
		return nil, f.err()
	}
	e := &Estate{places: map[string]place{}}
	lines := e.read(f, doc.Content[0])
	e.check(f, lines)
	if err := f.err(); err != nil {
		return nil, err
	}
	return e, nil
}

// parseJSON reads a large file fast; anything unusual is left to the way that knows the lines.
func parseJSON(data []byte) (*Estate, bool) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	e := &Estate{}
	if err := dec.Decode(e); err != nil {
		return nil, false
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	for i := range e.Items {
		e.Items[i].Discovered = false
	}
	return e, true
}

// lines are where items, relations and bindings stand, by their index.
type lines struct{ items, relations, bindings []int }

func (l *lines) item(i int) int     { return at(l, func() []int { return l.items }, i) }
func (l *lines) relation(i int) int { return at(l, func() []int { return l.relations }, i) }
func (l *lines) binding(i int) int  { return at(l, func() []int { return l.bindings }, i) }

func at(l *lines, list func() []int, i int) int {
	if l == nil || i >= len(list()) {
		return 0
	}
	return list()[i]
}

func (e *Estate) read(f *faults, root *yaml.Node) *lines {
	l := &lines{}
	if root.Kind != yaml.MappingNode {
		f.add(root.Line, "", "items, relations and bindings are expected")
		return l
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		known := slices.Contains([]string{"items", "relations", "bindings"}, key.Value)
		switch {
		case !known:
			f.add(key.Line, "", "unknown field %q; items, relations and bindings are known", key.Value)
		case value.Tag == "!!null":
		case value.Kind != yaml.SequenceNode:
			f.add(key.Line, "", "%s: a list is expected", key.Value)
		case key.Value == "items":
			e.Items, l.items = readList[itsm.Item](f, value, "items")
		case key.Value == "relations":
			e.Relations, l.relations = readList[itsm.Relation](f, value, "relations")
		default:
			e.Bindings, l.bindings = readList[Rule](f, value, "bindings")
		}
	}
	for i := range e.Items {
		e.places["item/"+e.Items[i].ID] = place{f.file, l.items[i]}
	}
	for i := range e.Relations {
		e.places[relationKey(&e.Relations[i])] = place{f.file, l.relations[i]}
	}
	return l
}

func readList[T any](f *faults, list *yaml.Node, what string) ([]T, []int) {
	out := make([]T, 0, len(list.Content))
	at := make([]int, 0, len(list.Content))
	for i, n := range list.Content {
		var v T
		if err := strict(n, &v); err != nil {
			id := idOf(n)
			for _, reason := range reasons(err) {
				line, text := splitLine(reason, n.Line)
				if id == "" {
					text = fmt.Sprintf("%s[%d]: %s", what, i, text)
				}
				f.add(line, id, "%s", text)
			}
			continue
		}
		out, at = append(out, v), append(at, n.Line)
	}
	return out, at
}

// strict decodes a node and reports unknown fields with their line.
func strict(n *yaml.Node, v any) error {
	if n.Kind == yaml.MappingNode {
		if err := knownFields(n, fieldsOf(v), ""); err != nil {
			return err
		}
	}
	return n.Decode(v)
}

// fields names what a mapping may hold; nil below a name means anything.
type fields map[string]fields

func fieldsOf(v any) fields {
	switch v.(type) {
	case *itsm.Item:
		return fields{
			"id": nil, "class": nil, "name": nil, "criticality": nil, "redundancy": {"min": nil}, "vantage": nil, "attributes": nil, "owner": nil,
			"identifiers": nil,
		}
	case *itsm.Relation:
		return fields{"from": nil, "type": nil, "to": nil, "attributes": nil, "validFrom": nil, "validTo": nil}
	default:
		return fields{"preset": nil, "match": nil, "ignore": nil, "item": nil, "discover": {
			"class": nil, "name": nil, "relations": {"type": nil, "to": nil},
		}}
	}
}

func knownFields(n *yaml.Node, known fields, path string) error {
	var errs []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		below, ok := known[key.Value]
		if !ok {
			errs = append(errs, fmt.Errorf("line %d: unknown field %q", key.Line, path+key.Value))
			continue
		}
		if below == nil {
			continue
		}
		list := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			list = value.Content
		}
		for _, m := range list {
			if m.Kind == yaml.MappingNode {
				errs = append(errs, knownFields(m, below, path+key.Value+"."))
			}
		}
	}
	return errors.Join(errs...)
}

func idOf(n *yaml.Node) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "id" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// reasons takes an error apart into single faults.
func reasons(err error) []string {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		return typed.Errors
	}
	return strings.Split(err.Error(), "\n")
}

// splitLine takes "line 3: …" apart.
func splitLine(s string, otherwise int) (int, string) {
	rest, ok := strings.CutPrefix(s, "line ")
	if !ok {
		return otherwise, s
	}
	number, text, ok := strings.Cut(rest, ": ")
	if n, err := strconv.Atoi(number); ok && err == nil {
		return n, text
	}
	return otherwise, s
}

// check reports what is wrong within one file.
func (e *Estate) check(f *faults, l *lines) {
	first := map[string]int{}
	for i := range e.Items {
		it := &e.Items[i]
		line := l.item(i)
		if it.ID == "" {
			f.add(line, "", "items[%d]: id is missing", i)
			continue
		}
		if at, ok := first[it.ID]; ok {
			f.add(line, it.ID, "duplicate id, first on line %d", at)
		}
		first[it.ID] = line
		checkItem(f, line, it)
	}
	for i := range e.Relations {
		checkRelation(f, l.relation(i), i, &e.Relations[i])
	}
	for i := range e.Bindings {
		if err := e.Bindings[i].check(); err != nil {
			f.add(l.binding(i), "", "bindings[%d]: %s", i, err)
		}
	}
}

func checkItem(f *faults, line int, it *itsm.Item) {
	if it.Class == "" {
		f.add(line, it.ID, "class is missing")
	}
	if it.Criticality < 0 || it.Criticality > 5 {
		f.add(line, it.ID, "criticality: must be 1 (highest) to 5, got %d", it.Criticality)
	}
	if it.Redundancy != nil && !validThreshold(it.Redundancy.Min) {
		f.add(line, it.ID, "redundancy.min: a count such as 2 or a share such as 50%% is expected, got %q", string(it.Redundancy.Min))
	}
	for i, set := range it.Identifiers {
		if len(set) == 0 {
			f.add(line, it.ID, "identifiers[%d]: at least one label is needed", i)
		}
	}
}

func validThreshold(t itsm.Threshold) bool {
	share, isShare := strings.CutSuffix(string(t), "%")
	n, err := strconv.Atoi(share)
	return err == nil && n >= 0 && (!isShare || n <= 100)
}

func checkRelation(f *faults, line, i int, r *itsm.Relation) {
	name := fmt.Sprintf("relation %s %s %s", r.From, r.Type, r.To)
	switch {
	case r.From == "" || r.To == "":
		f.add(line, "", "relations[%d]: from and to are needed", i)
		return
	case r.From == r.To:
		f.add(line, "", "%s: an item has no relation to itself", name)
	}
	if !slices.Contains(itsm.RelationTypes(), r.Type) {
		f.add(line, "", "%s: unknown type; %v are known", name, itsm.RelationTypes())
	}
	if !r.ValidTo.IsZero() && !r.ValidFrom.IsZero() && !r.ValidTo.After(r.ValidFrom) {
		f.add(line, "", "%s: validTo is not after validFrom", name)
	}
	if b, ok := r.Attributes["buffer"]; ok && r.Type == itsm.Feeds {
		if d, err := time.ParseDuration(b); err != nil || d < 0 {
			f.add(line, "", "%s: buffer: a duration such as 3m is expected, got %q", name, b)
		}
	}
}

func relationKey(r *itsm.Relation) string {
	return "relation/" + r.From + "\x00" + string(r.Type) + "\x00" + r.To
}
