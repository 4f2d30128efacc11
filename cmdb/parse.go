package cmdb

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/itsm"

	"go.yaml.in/yaml/v3"
)

// Fault is one fault of an estate file.
type Fault struct {
	File   string
	Line   int    // 0 when it is not known
	Item   string // "" when it is not about one item
	Reason string
}

// Error implements error: "plant.yaml:12: item sw-1: duplicate id, first on line 4".
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
	list []Fault
}

func (f *faults) add(line int, item, format string, args ...any) {
	f.list = append(f.list, Fault{File: f.file, Line: line, Item: item, Reason: fmt.Sprintf(format, args...)})
}

// err joins the faults in the order of their lines.
func (f *faults) err() error {
	slices.SortStableFunc(f.list, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return joined(f.list)
}

func joined(list []Fault) error {
	errs := make([]error, 0, min(len(list), maxFaults+1))
	for i := range list {
		if i == maxFaults {
			errs = append(errs, fmt.Errorf("… and %d more", len(list)-maxFaults))
			break
		}
		errs = append(errs, list[i])
	}
	return errors.Join(errs...)
}

// Parse reads an estate file, YAML or JSON; name stands in the faults. It reports every fault with
// its line, and returns beside them what could be read, nil when nothing could. Whether the ends of
// relations exist is for Parts to say: they may be in another file.
func Parse(name string, data []byte) (*Estate, error) {
	f := &faults{file: name}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if at := invalidUTF8(data); at >= 0 {
		f.add(1+bytes.Count(data[:at], []byte("\n")), "", "not UTF-8")
		return nil, f.err()
	}
	if e, ok := parseJSON(name, data); ok {
		return e, nil
	}
	r := newReader(f)
	if syntax, err := r.readJSON(data); err != nil {
		f.list = nil
		r = newReader(f)
		cut := syntax != nil && errors.Is(err, io.EOF) // what JSON lacks at its end YAML lacks, too
		switch {
		case cut || !r.readYAML(data) && syntax != nil:
			f.list = []Fault{*syntax} // it was meant to be JSON
			return nil, f.err()
		case r.broken:
			return nil, f.err()
		}
	}
	r.estate.lines = &lines{file: name, items: r.lines["items"], relations: r.lines["relations"]}
	return r.estate, f.err()
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// reader takes an estate from the nodes of a file and reports its faults. It takes entry by entry,
// so that a large file need not be in memory as a tree.
type reader struct {
	faults *faults
	estate *Estate
	shapes map[string]*shape
	fields map[string]int     // the line of each field of the file
	lines  map[string][]int32 // of the entries of each list
	ids    map[string]int     // the line of each id
	claims map[string]claim   // by identifier set
	broken bool               // the syntax is wrong
}

// claim is who was the first to have an identifier set.
type claim struct {
	id   string
	line int
}

func newReader(f *faults) *reader {
	return &reader{
		faults: f, estate: &Estate{}, shapes: shapes(), fields: map[string]int{}, lines: map[string][]int32{}, ids: map[string]int{},
		claims: map[string]claim{},
	}
}

// readYAML tells whether the syntax is right.
func (r *reader) readYAML(data []byte) bool {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return true
	case err != nil:
		line, text := splitLine(strings.TrimPrefix(err.Error(), "yaml: "), 0)
		r.faults.add(line, "", "%s", text)
		r.broken = true
		return false
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.faults.add(0, "", "one YAML document is expected")
		return true
	}
	root := resolve(doc.Content[0])
	if root.Kind != yaml.MappingNode {
		r.faults.add(root.Line, "", "items, relations and bindings are expected")
		return true
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], resolve(root.Content[i+1])
		switch {
		case !r.field(key.Value, key.Line) || isNull(value):
		case value.Kind != yaml.SequenceNode:
			r.faults.add(key.Line, "", "%s: a list is expected", key.Value)
		default:
			for _, n := range value.Content {
				r.entry(key.Value, n)
			}
		}
	}
	return true
}

// field tells whether the file may have a field here.
func (r *reader) field(name string, line int) bool {
	first, twice := r.fields[name]
	switch {
	case r.shapes[name] == nil:
		r.faults.add(line, "", "unknown field %q; items, relations and bindings are known", name)
		return false
	case twice:
		r.faults.add(line, "", "field %q stands twice, first on line %d", name, first)
		return false
	}
	r.fields[name] = line
	return true
}

// entry reads one entry of a list.
func (r *reader) entry(list string, n *yaml.Node) {
	at := n.Line
	n = resolve(n)
	s := &spot{faults: r.faults, node: n, line: at, name: fmt.Sprintf("%s[%d]: ", list, len(r.lines[list]))}
	if id := scalarOf(n, "id"); list == "items" && id != "" {
		s.item, s.name = id, ""
	}
	r.lines[list] = append(r.lines[list], int32(at)) //nolint:gosec // files have far fewer than 2^31 lines
	s.check(n, r.shapes[list], "", 0)
	if n.Kind != yaml.MappingNode {
		return
	}
	switch list {
	case "items":
		r.estate.Items = append(r.estate.Items, itsm.Item{})
		it := &r.estate.Items[len(r.estate.Items)-1]
		s.decode(it)
		checkItem(s, it)
		r.unique(s, it)
	case "relations":
		r.estate.Relations = append(r.estate.Relations, itsm.Relation{})
		rel := &r.estate.Relations[len(r.estate.Relations)-1]
		s.decode(rel)
		checkRelation(s, rel)
	default:
		r.estate.Bindings = append(r.estate.Bindings, Rule{})
		rule := &r.estate.Bindings[len(r.estate.Bindings)-1]
		s.decode(rule)
		for _, p := range rule.problems() {
			s.add(p.field, "%s", p.reason)
		}
	}
}

// unique reports an id that an earlier item has, and identifiers that an earlier item claims.
func (r *reader) unique(s *spot, it *itsm.Item) {
	if it.ID == "" {
		return
	}
	if first, ok := r.ids[it.ID]; ok {
		s.add("id", "duplicate id, first on line %d", first)
	} else {
		r.ids[it.ID] = s.line
	}
	for i, set := range it.Identifiers {
		key := setKey(set)
		if first, ok := r.claims[key]; !ok {
			r.claims[key] = claim{it.ID, s.line}
		} else if first.id != it.ID {
			s.add(fmt.Sprintf("identifiers[%d]", i), "identifier %s is claimed by item %s, too, on line %d", itsm.NewLabels(set), first.id, first.line)
		}
	}
}

// setKey is the same for equal sets of labels only.
func setKey(set map[string]string) string {
	if len(set) == 1 {
		for name, value := range set {
			return strconv.Quote(name) + strconv.Quote(value)
		}
	}
	var b []byte
	for _, l := range itsm.NewLabels(set) {
		b = strconv.AppendQuote(strconv.AppendQuote(b, l.Name), l.Value)
	}
	return string(b)
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
