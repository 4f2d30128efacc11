package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decodeConfig lays a YAML document over cfg. All faults are reported, each with its line and path;
// a key with a fault keeps what it had.
func decodeConfig(name string, data []byte, cfg *Config) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return syntaxFault(name, err)
	}
	switch err := dec.Decode(new(yaml.Node)); {
	case err == nil:
		return fmt.Errorf("%s: one YAML document is expected", name)
	case !errors.Is(err, io.EOF):
		return syntaxFault(name, err)
	}
	d := configDecoder{name: name}
	d.section(doc.Content[0], reflect.ValueOf(cfg).Elem(), "")
	return errors.Join(d.faults...)
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntaxFault says where a document is not YAML.
func syntaxFault(name string, err error) error {
	text := yamlLine.ReplaceAllString(err.Error(), "$1: ")
	if text == err.Error() {
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(text, "yaml: "))
	}
	return fmt.Errorf("%s:%s", name, text)
}

type configDecoder struct {
	name   string
	faults []error
}

func (d *configDecoder) fault(line int, path, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	d.faults = append(d.faults, fmt.Errorf("%s:%d: %s%s", d.name, line, path, fmt.Sprintf(format, args...)))
}

// section decodes a mapping into the fields of a struct.
func (d *configDecoder) section(node *yaml.Node, v reflect.Value, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Tag == "!!null":
		return
	case node.Kind != yaml.MappingNode:
		d.fault(node.Line, path, "a mapping with the keys %s is expected", strings.Join(keysOf(v.Type()), ", "))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if first, twice := seen[key.Value]; twice {
			d.fault(key.Line, at, "stands twice, first on line %d", first)
			continue
		}
		seen[key.Value] = key.Line
		field, known := fieldOf(v, key.Value)
		switch {
		case !known:
			d.fault(key.Line, at, "unknown key; %s are known here", strings.Join(keysOf(v.Type()), ", "))
		case field.Kind() == reflect.Struct:
			d.section(value, field, at)
		case listsSections(field.Type()):
			d.list(value, field, at)
		default:
			if err := decodeValue(value, field); err != nil {
				d.fault(value.Line, at, "%s", err)
			}
		}
	}
}

// listsSections tells whether a key holds a list of mappings with keys of their own.
func listsSections(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// newSection returns an element of such a list with its defaults, where it has any.
func newSection(t reflect.Type) reflect.Value {
	v := reflect.New(t.Elem())
	if d, ok := reflect.TypeAssert[interface{ SetDefaults() }](v); ok {
		d.SetDefaults()
	}
	return v.Elem()
}

// list decodes a list of mappings; it takes the place of the list that was there.
func (d *configDecoder) list(node *yaml.Node, v reflect.Value, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Tag == "!!null":
		return
	case node.Kind != yaml.SequenceNode:
		d.fault(node.Line, path, "a list of mappings with the keys %s is expected", strings.Join(keysOf(v.Type().Elem()), ", "))
		return
	}
	out := reflect.MakeSlice(v.Type(), 0, len(node.Content))
	for i, element := range node.Content {
		section := newSection(v.Type())
		d.section(element, section, fmt.Sprintf("%s[%d]", path, i))
		out = reflect.Append(out, section)
	}
	v.Set(out)
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if name := keyOf(v.Type().Field(i)); name == key && name != "" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keyOf is the key of a field, "" when it has none.
func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return strings.TrimPrefix(name, "-")
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if key := keyOf(f); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// decodeValue decodes one value and says in words what is expected. A null leaves the default.
func decodeValue(node *yaml.Node, field reflect.Value) error {
	if node.Tag == "!!null" {
		return nil
	}
	if field.Type() == reflect.TypeFor[time.Duration]() && node.Value == "0" { // YAML takes it for a number
		field.SetInt(0)
		return nil
	}
	target := reflect.New(field.Type())
	if field.Kind() == reflect.Map && !field.IsNil() { // a map is added to
		target.Elem().Set(reflect.MakeMap(field.Type()))
		for _, k := range field.MapKeys() {
			target.Elem().SetMapIndex(k, field.MapIndex(k))
		}
	}
	err := node.Decode(target.Interface())
	if err == nil && field.CanInt() && node.Tag == "!!float" { // it would be cut off
		err = errors.New("not a whole number")
	}
	if err != nil {
		if node.Kind == yaml.ScalarNode {
			return fmt.Errorf("%s is expected, got %q", kindWord(field.Type()), node.Value)
		}
		return fmt.Errorf("%s is expected", kindWord(field.Type()))
	}
	field.Set(target.Elem())
	return nil
}

func kindWord(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 30s or 5m"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "a text"
	case t == reflect.TypeFor[[]string]():
		return "a list of texts"
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array:
		return "a list"
	case t.Kind() == reflect.Map:
		return "a mapping"
	}
	return "a whole number"
}

// flat lists the single faults that an error joins, each with the name of its file before it.
func flat(name string, err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok && name == "":
		return []error{err}
	case !ok:
		return []error{fmt.Errorf("%s: %w", name, err)}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flat(name, e)...)
	}
	return out
}
