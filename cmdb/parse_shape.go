package cmdb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"

	"go.yaml.in/yaml/v3"
)

// kind says what a node must be.
type kind uint8

const (
	text kind = iota
	integer
	truth
	moment
	texts  // text by name
	object // by fields
	list   // of elem
)

// shape is what a part of an estate file must look like.
type shape struct {
	kind   kind
	fields map[string]*shape
	elem   *shape
}

// shapes returns the shape of an entry of each list.
func shapes() map[string]*shape {
	word, labels := &shape{kind: text}, &shape{kind: texts}
	relation := &shape{kind: object, fields: map[string]*shape{"type": word, "to": word}}
	return map[string]*shape{
		"items": {kind: object, fields: map[string]*shape{
			"id": word, "class": word, "name": word, "criticality": {kind: integer}, "vantage": {kind: truth}, "attributes": labels, "owner": word,
			"redundancy": {kind: object, fields: map[string]*shape{"min": word}}, "identifiers": {kind: list, elem: labels},
		}},
		"relations": {kind: object, fields: map[string]*shape{
			"from": word, "type": word, "to": word, "attributes": labels, "validFrom": {kind: moment}, "validTo": {kind: moment},
		}},
		"bindings": {kind: object, fields: map[string]*shape{
			"preset": word, "match": labels, "ignore": {kind: list, elem: word}, "item": word,
			"discover": {kind: object, fields: map[string]*shape{"class": word, "name": word, "relations": {kind: list, elem: relation}}},
		}},
	}
}

// spot reports the faults of one entry, each with the line of its field.
type spot struct {
	faults *faults
	node   *yaml.Node
	line   int
	item   string
	name   string // stands before the reason
	count  int
	bad    map[string]bool // fields that already have a fault; one is enough
}

// add reports a fault of a field such as identifiers[2] or redundancy.min; "" is the whole entry.
func (s *spot) add(field, format string, args ...any) {
	if s.bad[top(field)] {
		return
	}
	s.put(s.lineOf(field), format, args...)
}

func (s *spot) put(line int, format string, args ...any) {
	s.count++
	s.faults.add(line, s.item, "%s%s", s.name, fmt.Sprintf(format, args...))
}

func top(field string) string {
	if i := strings.IndexAny(field, ".["); i >= 0 {
		return field[:i]
	}
	return field
}

// lineOf returns where a field stands, as far down as it is there.
func (s *spot) lineOf(field string) int {
	n, line := s.node, s.line
	for part := range strings.FieldsFuncSeq(field, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if n.Kind == yaml.SequenceNode {
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(n.Content) {
				return line
			}
			line, n = n.Content[i].Line, resolve(n.Content[i])
			continue
		}
		key, value := pair(n, part)
		if key == nil {
			return line
		}
		line, n = key.Line, value
	}
	return line
}

func (s *spot) wrong(n *yaml.Node, path, want string) {
	if s.bad == nil {
		s.bad = map[string]bool{}
	}
	s.bad[top(path)] = true
	if path != "" {
		path += ": "
	}
	if n.Kind == yaml.ScalarNode {
		want += fmt.Sprintf(", got %q", n.Value)
	}
	s.put(n.Line, "%s%s", path, want)
}

// maxMerges bounds how deep merged mappings (<<) are followed.
const maxMerges = 10

// check reports where a node is not what its shape says.
func (s *spot) check(n *yaml.Node, want *shape, path string, merges int) {
	n = resolve(n)
	if isNull(n) && path != "" {
		return
	}
	switch want.kind {
	case text:
		if n.Kind != yaml.ScalarNode {
			s.wrong(n, path, "a text is expected")
		}
	case integer:
		if _, err := strconv.Atoi(n.Value); n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
			s.wrong(n, path, "a whole number is expected")
		}
	case truth:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			s.wrong(n, path, "true or false is expected")
		}
	case moment:
		if _, err := time.Parse(time.RFC3339, n.Value); n.Kind != yaml.ScalarNode || err != nil {
			s.wrong(n, path, "a time such as 2006-01-02T15:04:05Z is expected")
		}
	case list:
		if n.Kind != yaml.SequenceNode {
			s.wrong(n, path, "a list is expected")
			return
		}
		for i, e := range n.Content {
			s.check(e, want.elem, fmt.Sprintf("%s[%d]", path, i), merges)
		}
	case texts, object:
		if n.Kind != yaml.MappingNode {
			s.wrong(n, path, "a mapping is expected")
			return
		}
		s.mapping(n, want, path, merges)
	}
}

func (s *spot) mapping(n *yaml.Node, want *shape, path string, merges int) {
	first := map[string]int{}
	kept := n.Content[:0:0]
	if path != "" {
		path += "."
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		name := path + key.Value
		if at, ok := first[key.Value]; ok {
			s.put(key.Line, "field %q stands twice, first on line %d", name, at)
			continue
		}
		first[key.Value] = key.Line
		kept = append(kept, n.Content[i], value)
		switch below, ok := want.fields[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			s.wrong(key, strings.TrimSuffix(path, "."), "a name is expected")
		case key.Tag == "!!merge":
			if merges < maxMerges {
				s.merged(value, want, strings.TrimSuffix(path, "."), merges+1)
			}
		case want.kind == texts:
			s.check(value, &shape{kind: text}, name, merges)
		case !ok:
			s.put(key.Line, "unknown field %q", name)
		default:
			s.check(value, below, name, merges)
		}
	}
	n.Content = kept // the rest can be read without what stands twice
}

// merged checks what << brings: a mapping or a list of them.
func (s *spot) merged(n *yaml.Node, want *shape, path string, merges int) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		s.check(n, want, path, merges)
		return
	}
	for _, e := range n.Content {
		s.check(e, want, path, merges)
	}
}

// decode fills v with what is readable; a fault that check did not see is reported.
func (s *spot) decode(v any) {
	err := s.node.Decode(v)
	if err == nil || s.count > 0 { // what check saw is reported already
		return
	}
	reasons := []string{err.Error()}
	if typed, ok := errors.AsType[*yaml.TypeError](err); ok {
		reasons = typed.Errors
	}
	for _, reason := range reasons {
		line, reason := splitLine(strings.TrimPrefix(reason, "yaml: "), s.line)
		s.put(line, "%s", reason)
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// pair finds a field of a mapping.
func pair(n *yaml.Node, name string) (key, value *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i], resolve(n.Content[i+1])
		}
	}
	return nil, nil
}

func scalarOf(n *yaml.Node, name string) string {
	if _, v := pair(n, name); v != nil && v.Kind == yaml.ScalarNode && !isNull(v) {
		return v.Value
	}
	return ""
}

// checkItem reports what is wrong with one item by itself.
func checkItem(s *spot, it *itsm.Item) {
	for _, p := range itemProblems(it) {
		s.add(p.field, "%s", p.reason)
	}
	if _, n := pair(s.node, "criticality"); n != nil && it.Criticality == 0 && !isNull(n) { // it is not left out
		s.add("criticality", "criticality: 1 (highest) to 5 is expected, got 0")
	}
}

// problem is what is wrong with a field.
type problem struct{ field, reason string }

func itemProblems(it *itsm.Item) (out []problem) {
	if it.ID == "" {
		out = append(out, problem{"id", "id is missing"})
	}
	if it.Class == "" {
		out = append(out, problem{"class", "class is missing"})
	}
	if it.Criticality < 0 || it.Criticality > 5 {
		out = append(out, problem{"criticality", fmt.Sprintf("criticality: 1 (highest) to 5 is expected, got %d", it.Criticality)})
	}
	if it.Redundancy != nil && !validThreshold(it.Redundancy.Min) {
		out = append(out, problem{"redundancy.min", fmt.Sprintf("redundancy.min: a count such as 2 or a share such as 50%% is expected, got %q", string(it.Redundancy.Min))})
	}
	for i, set := range it.Identifiers {
		field := fmt.Sprintf("identifiers[%d]", i)
		if len(set) == 0 {
			out = append(out, problem{field, field + ": at least one label is needed"})
		}
		for _, l := range itsm.NewLabels(set) {
			if l.Name == "" || l.Value == "" {
				out = append(out, problem{field, fmt.Sprintf("%s: label %q has no value", field, l.Name)})
			}
		}
	}
	return out
}

func validThreshold(t itsm.Threshold) bool {
	digits, share := strings.CutSuffix(string(t), "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	return err == nil && (!share || n <= 100)
}

// checkRelation reports what is wrong with one relation by itself.
func checkRelation(s *spot, r *itsm.Relation) {
	if r.From != "" && r.To != "" {
		s.name = fmt.Sprintf("relation %s %s %s: ", r.From, r.Type, r.To)
	}
	for _, p := range relationProblems(r) {
		s.add(p.field, "%s", p.reason)
	}
}

func relationProblems(r *itsm.Relation) (out []problem) {
	for _, end := range [][2]string{{"from", r.From}, {"to", r.To}} {
		if end[1] == "" {
			out = append(out, problem{end[0], end[0] + " is missing"})
		}
	}
	if r.From == r.To && r.From != "" {
		out = append(out, problem{"", "an item has no relation to itself"})
	}
	if p := typeProblem("type", r.Type); p != "" {
		out = append(out, problem{"type", p})
	}
	if !r.ValidTo.IsZero() && !r.ValidFrom.IsZero() && !r.ValidTo.After(r.ValidFrom) {
		out = append(out, problem{"validTo", "validTo is not after validFrom"})
	}
	if b, ok := r.Attributes["buffer"]; ok && r.Type == itsm.Feeds {
		if d, err := time.ParseDuration(b); err != nil || d < 0 {
			out = append(out, problem{"attributes.buffer", fmt.Sprintf("attributes.buffer: a duration such as 3m is expected, got %q", b)})
		}
	}
	return out
}

func typeProblem(field string, t itsm.RelationType) string {
	known := itsm.RelationTypes()
	if t == "" {
		return field + " is missing"
	}
	if slices.Contains(known, t) {
		return ""
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	return fmt.Sprintf("%s: unknown relation type %q; %s are known", field, string(t), strings.Join(words, ", "))
}
