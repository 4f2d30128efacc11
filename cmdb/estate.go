package cmdb

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"signalbox/itsm"
)

// Estate is one estate file: items, the relations between them, and the rules that bind label
// sets to items.
type Estate struct {
	Items     []itsm.Item     `json:"items,omitempty" yaml:"items,omitempty"`
	Relations []itsm.Relation `json:"relations,omitempty" yaml:"relations,omitempty"`
	Bindings  []Rule          `json:"bindings,omitempty" yaml:"bindings,omitempty"`

	places map[string]place // where things stand in their file, by key
}

// place is where something stands.
type place struct {
	file string
	line int
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
