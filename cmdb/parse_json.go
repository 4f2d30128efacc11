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

	"signalbox/itsm"

	"go.yaml.in/yaml/v3"
)

// parseJSON reads a large file fast. Whatever has a fault or is unusual is left to the reader,
// which knows the lines of fields.
func parseJSON(name string, data []byte) (*Estate, bool) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, false
	}
	var doc struct {
		Items     []jsonItem      `json:"items"`
		Relations []itsm.Relation `json:"relations"`
		Bindings  []Rule          `json:"bindings"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return nil, false
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	s := scan{data: data, line: 1, lines: map[string][]int32{}}
	if !s.estate(shapes()) {
		return nil, false
	}
	e := &Estate{Relations: doc.Relations, Bindings: doc.Bindings, lines: &lines{file: name, items: s.lines["items"], relations: s.lines["relations"]}}
	if len(doc.Items) > 0 {
		e.Items = make([]itsm.Item, len(doc.Items))
	}
	for i := range doc.Items {
		e.Items[i] = doc.Items[i].item()
	}
	return e, e.sound()
}

// jsonItem reads redundancy.min as a number, too.
type jsonItem struct {
	itsm.Item
	Redundancy *struct {
		Min jsonText `json:"min"`
	} `json:"redundancy"`
}

func (it *jsonItem) item() itsm.Item {
	if it.Redundancy != nil {
		it.Item.Redundancy = &itsm.Redundancy{Min: itsm.Threshold(it.Redundancy.Min)}
	}
	return it.Item
}

// jsonText is a string or a number.
type jsonText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *jsonText) UnmarshalJSON(data []byte) error {
	var n json.Number
	if data[0] == '"' {
		return json.Unmarshal(data, (*string)(t))
	}
	err := json.Unmarshal(data, &n)
	*t = jsonText(n)
	return err
}

// sound tells whether there is no fault within the estate.
func (e *Estate) sound() bool {
	ids := make(map[string]bool, len(e.Items))
	claims := make(map[string]int, len(e.Items))
	for i := range e.Items {
		it := &e.Items[i]
		if ids[it.ID] || len(itemProblems(it)) > 0 {
			return false
		}
		ids[it.ID] = true
		for _, set := range it.Identifiers {
			key := setKey(set)
			if first, ok := claims[key]; ok && first != i {
				return false
			}
			claims[key] = i
		}
	}
	for i := range e.Relations {
		if len(relationProblems(&e.Relations[i])) > 0 {
			return false
		}
	}
	for i := range e.Bindings {
		if len(e.Bindings[i].problems()) > 0 {
			return false
		}
	}
	return true
}

// scan walks over valid JSON, compares the names of fields to the last letter, which encoding/json
// does not, and notes the lines of entries.
type scan struct {
	data  []byte
	pos   int
	line  int32
	lines map[string][]int32
}

func (s *scan) estate(known map[string]*shape) bool {
	return s.object(func(name string) bool {
		entry := known[name]
		if entry == nil {
			return false
		}
		if s.space(); s.data[s.pos] != '[' {
			s.scalar()
			return true // null
		}
		var at []int32
		ok := s.array(func() bool {
			s.space()
			at = append(at, s.line)
			return s.data[s.pos] == '{' && s.value(entry)
		})
		s.lines[name] = at
		return ok
	})
}

func (s *scan) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		default:
			return
		}
		s.pos++
	}
}

// value walks over a value; false when it is not plainly what the shape says.
func (s *scan) value(want *shape) bool {
	s.space()
	switch s.data[s.pos] {
	case '{':
		if want.kind != object && want.kind != texts {
			return false
		}
		return s.object(func(name string) bool {
			if want.kind == texts {
				return s.value(&shape{kind: text})
			}
			below := want.fields[name]
			return below != nil && s.value(below)
		})
	case '[':
		return want.kind == list && s.array(func() bool { return s.value(want.elem) })
	case '"':
		s.text()
		return true
	}
	return s.scalar() != "0" || want.kind != integer // a criticality of 0 is not the same as none
}

// maxNames bounds how many names are compared with each other.
const maxNames = 200

func (s *scan) object(field func(name string) bool) bool {
	s.space()
	s.pos++ // {
	var buf [16]string
	seen := buf[:0]
	for {
		if s.space(); s.data[s.pos] == '}' {
			s.pos++
			return true
		}
		if s.data[s.pos] == ',' {
			s.pos++
			continue
		}
		name := s.text()
		if strings.Contains(name, `\`) || slices.Contains(seen, name) || len(seen) > maxNames {
			return false
		}
		seen = append(seen, name)
		s.space()
		s.pos++ // :
		if !field(name) {
			return false
		}
	}
}

func (s *scan) array(entry func() bool) bool {
	s.pos++ // [
	for {
		switch s.space(); s.data[s.pos] {
		case ']':
			s.pos++
			return true
		case ',':
			s.pos++
		default:
			if !entry() {
				return false
			}
		}
	}
}

// text walks over a string and returns what is between the quotes.
func (s *scan) text() string {
	s.pos++
	start := s.pos
	for s.data[s.pos] != '"' {
		if s.data[s.pos] == '\\' {
			s.pos++
		}
		s.pos++
	}
	s.pos++
	return string(s.data[start : s.pos-1])
}

func (s *scan) scalar() string {
	start := s.pos
	for s.pos < len(s.data) && !strings.ContainsRune(",]} \t\r\n", rune(s.data[s.pos])) {
		s.pos++
	}
	return string(s.data[start:s.pos])
}

var errNoJSON = errors.New("not JSON")

// readJSON reads a JSON file entry by entry. When it is not JSON the error is not nil, and the
// fault says why if it looks like JSON.
func (r *reader) readJSON(data []byte) (*Fault, error) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, errNoJSON
	}
	t := &tree{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
	t.dec.UseNumber()
	err := r.document(t)
	if err == nil || len(r.fields) == 0 {
		return nil, err
	}
	at := int64(len(data))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = min(at, syntax.Offset)
	}
	reason := err.Error()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	if errors.Is(err, io.EOF) {
		reason = "the JSON document ends too early"
	}
	return &Fault{File: r.faults.file, Line: 1 + bytes.Count(data[:at], []byte("\n")), Reason: reason}, err
}

func (r *reader) document(t *tree) error {
	if _, _, err := t.token(); err != nil {
		return err
	}
	for t.dec.More() {
		key, err := t.node(0)
		if err != nil {
			return err
		}
		known := r.field(key.Value, key.Line)
		err = t.list(func(n *yaml.Node) {
			if known {
				r.entry(key.Value, n)
			}
		}, func(n *yaml.Node) {
			if known && !isNull(n) {
				r.faults.add(key.Line, "", "%s: a list is expected", key.Value)
			}
		})
		if err != nil {
			return err
		}
	}
	if _, _, err := t.token(); err != nil { // }
		return err
	}
	if _, _, err := t.token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

// tree makes nodes of JSON, so that one reader serves both formats.
type tree struct {
	data []byte
	dec  *json.Decoder
	line int
	seen int64 // lines are counted up to here
}

func (t *tree) token() (json.Token, int, error) {
	tok, err := t.dec.Token()
	now := t.dec.InputOffset()
	t.line += bytes.Count(t.data[t.seen:now], []byte("\n"))
	t.seen = now
	return tok, t.line, err
}

// list gives the entries of a list one by one, or what stands there instead.
func (t *tree) list(entry, other func(*yaml.Node)) error {
	tok, line, err := t.token()
	if err != nil {
		return err
	}
	if tok != json.Delim('[') {
		n, err := t.of(tok, line, 0)
		if err == nil {
			other(n)
		}
		return err
	}
	for t.dec.More() {
		n, err := t.node(0)
		if err != nil {
			return err
		}
		entry(n)
	}
	_, _, err = t.token()
	return err
}

func (t *tree) node(depth int) (*yaml.Node, error) {
	tok, line, err := t.token()
	if err != nil {
		return nil, err
	}
	return t.of(tok, line, depth)
}

// maxDepth bounds how deep JSON may be nested; an estate needs six levels.
const maxDepth = 100

func (t *tree) of(tok json.Token, line, depth int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: line}
	switch v := tok.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if v == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		if depth == maxDepth {
			return nil, fmt.Errorf("nested deeper than %d", maxDepth)
		}
		for t.dec.More() {
			below, err := t.node(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, below)
		}
		_, _, err := t.token()
		return n, err
	case string:
		n.Tag, n.Value, n.Style = "!!str", v, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", v.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(v)
	default:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}
