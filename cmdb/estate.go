package cmdb

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"signalbox/itsm"
)

// Estate is one estate file: items, the relations between them, and the rules that bind label
// sets to items.
type Estate struct {
	Items     []itsm.Item     `json:"items,omitempty" yaml:"items,omitempty"`
	Relations []itsm.Relation `json:"relations,omitempty" yaml:"relations,omitempty"`
	Bindings  []Rule          `json:"bindings,omitempty" yaml:"bindings,omitempty"`

	lines *lines // where things stand in their file; nil for what was not parsed
}

// lines are where the items and relations of a file stand, by their index.
type lines struct {
	file             string
	items, relations []int32
}

// MarshalJSON implements json.Marshaler. Which items were discovered is not part of a plain estate file.
func (e Estate) MarshalJSON() ([]byte, error) {
	type plain Estate // without this method
	if slices.ContainsFunc(e.Items, func(it itsm.Item) bool { return it.Discovered }) {
		e.Items = slices.Clone(e.Items)
		for i := range e.Items {
			e.Items[i].Discovered = false
		}
	}
	if slices.ContainsFunc(e.Relations, func(r itsm.Relation) bool { return r.Discovered }) {
		e.Relations = slices.Clone(e.Relations)
		for i := range e.Relations {
			e.Relations[i].Discovered = false
		}
	}
	return json.Marshal(plain(e))
}

// itemFault and relationFault place a fault; the line is left out when the list was changed since it was read.
func (e *Estate) itemFault(i int, origin, reason string) Fault {
	f := Fault{File: origin, Item: e.Items[i].ID, Reason: reason}
	if e.lines != nil {
		f.File, f.Line = e.lines.file, lineAt(e.lines.items, i, len(e.Items))
	}
	return f
}

func (e *Estate) relationFault(i int, origin, reason string) Fault {
	f := Fault{File: origin, Reason: reason}
	if e.lines != nil {
		f.File, f.Line = e.lines.file, lineAt(e.lines.relations, i, len(e.Relations))
	}
	return f
}

func lineAt(lines []int32, i, want int) int {
	if len(lines) != want {
		return 0
	}
	return int(lines[i])
}

// Rule is one entry of `bindings`: a preset, or a rule of its own.
type Rule struct {
	Preset string `json:"preset,omitempty" yaml:"preset,omitempty"`
	// Match holds for a label set when every label matches its anchored regular expression.
	Match map[string]string `json:"match,omitempty" yaml:"match,omitempty"`
	// Ignore lists labels that speak of the exporter and not of the thing.
	Ignore []string `json:"ignore,omitempty" yaml:"ignore,omitempty"`
	// Item is the id of the item, with {{.label}} for the value of a label.
	Item     string    `json:"item,omitempty" yaml:"item,omitempty"`
	Discover *Discover `json:"discover,omitempty" yaml:"discover,omitempty"`
}

// Discover says what to create when the item of a rule is missing.
type Discover struct {
	Class     string             `json:"class" yaml:"class"`
	Name      string             `json:"name,omitempty" yaml:"name,omitempty"`
	Relations []DiscoverRelation `json:"relations,omitempty" yaml:"relations,omitempty"`
}

// DiscoverRelation is a relation of a discovered item to another one, which is created, too, when it is missing.
type DiscoverRelation struct {
	Type itsm.RelationType `json:"type" yaml:"type"`
	To   string            `json:"to" yaml:"to"`
}

// ReadFile reads an estate file; one that ends in .gz is decompressed.
func ReadFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return data, err
	}
	gz, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	data, err = io.ReadAll(gz)
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	return data, nil
}
