package cmdb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox/itsm"
)

// Parts are the parts of an estate by the source that owns them: "operator", "api", "file:NAME",
// "importer:NAME". For each attribute the first of them in that order wins.
type Parts map[string]*Estate

// Encode returns the document of all parts: {"parts":{origin:{…}}}, the same bytes for the same parts.
func (p Parts) Encode() ([]byte, error) {
	return json.Marshal(struct {
		Parts map[string]*Estate `json:"parts"`
	}{p})
}

// Decode reads a document of parts, or a plain estate file as one part with the origin "file".
func Decode(data []byte) (Parts, error) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' {
		var doc struct {
			Parts map[string]json.RawMessage `json:"parts"`
		}
		if err := json.Unmarshal(data, &doc); err == nil && doc.Parts != nil {
			parts := Parts{}
			for _, origin := range slices.Sorted(maps.Keys(doc.Parts)) {
				part, err := Parse(origin, doc.Parts[origin])
				if err != nil {
					return nil, err
				}
				parts[origin] = part
			}
			return parts, nil
		}
	}
	part, err := Parse("estate", data)
	if err != nil {
		return nil, err
	}
	return Parts{"file": part}, nil
}

// rank orders origins by precedence.
func rank(origin string) int {
	kind, _, _ := strings.Cut(origin, ":")
	for i, k := range []string{"operator", "api", "file", "importer"} {
		if kind == k {
			return i
		}
	}
	return 4
}

// origins lists the parts, the one that wins first.
func (p Parts) origins() []string {
	out := slices.Collect(maps.Keys(p))
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) })
	return out
}

// Merge returns the whole estate, in the order of ids. It reports every relation to an unknown item
// and every identifier that two items claim.
func (p Parts) Merge() (*Estate, error) {
	out := &Estate{places: map[string]place{}}
	items, relations := map[string]*itsm.Item{}, map[string]itsm.Relation{}
	for _, origin := range p.origins() {
		part := p[origin]
		for i := range part.Items {
			it := &part.Items[i]
			if have := items[it.ID]; have != nil {
				fill(have, it)
			} else {
				whole := cloneItem(it)
				items[it.ID] = &whole
			}
		}
		for i := range part.Relations {
			key := relationKey(&part.Relations[i])
			if _, ok := relations[key]; !ok {
				relations[key] = part.Relations[i]
			}
		}
		for key, at := range part.places {
			if _, ok := out.places[key]; !ok {
				out.places[key] = at
			}
		}
		out.Bindings = append(out.Bindings, part.Bindings...)
	}
	for _, id := range slices.Sorted(maps.Keys(items)) {
		out.Items = append(out.Items, *items[id])
	}
	for _, key := range slices.Sorted(maps.Keys(relations)) {
		out.Relations = append(out.Relations, relations[key])
	}
	if err := out.whole(items); err != nil {
		return nil, err
	}
	return out, nil
}

// whole reports what only shows when all parts are together.
func (e *Estate) whole(items map[string]*itsm.Item) error {
	var list []error
	for i := range e.Relations {
		r := &e.Relations[i]
		for _, id := range []string{r.From, r.To} {
			if items[id] == nil {
				list = append(list, e.fault(relationKey(r), "", fmt.Sprintf("relation %s %s %s: no item has the id %q", r.From, r.Type, r.To, id)))
			}
		}
	}
	claimed := map[string]string{}
	for i := range e.Items {
		it := &e.Items[i]
		for _, set := range it.Identifiers {
			text := itsm.NewLabels(set).String()
			if other, ok := claimed[text]; ok && other != it.ID {
				list = append(list, e.fault("item/"+it.ID, it.ID, fmt.Sprintf("identifier %s is claimed by %s, too", text, other)))
				continue
			}
			claimed[text] = it.ID
		}
	}
	return joined(list)
}

func (e *Estate) fault(key, item, reason string) error {
	at := e.places[key]
	return Fault{File: cmp.Or(at.file, "estate"), Line: at.line, Item: item, Reason: reason}
}

func cloneItem(it *itsm.Item) itsm.Item {
	out := *it
	out.Attributes = maps.Clone(it.Attributes)
	out.Identifiers = slices.Clone(it.Identifiers)
	return out
}

// fill takes over from a part of lower precedence what is not there yet.
func fill(have, it *itsm.Item) {
	have.Class = cmp.Or(have.Class, it.Class)
	have.Name = cmp.Or(have.Name, it.Name)
	have.Criticality = cmp.Or(have.Criticality, it.Criticality)
	have.Redundancy = cmp.Or(have.Redundancy, it.Redundancy)
	have.Vantage = have.Vantage || it.Vantage
	have.Owner = cmp.Or(have.Owner, it.Owner)
	for k, v := range it.Attributes {
		if have.Attributes == nil {
			have.Attributes = map[string]string{}
		}
		if _, ok := have.Attributes[k]; !ok {
			have.Attributes[k] = v
		}
	}
	for _, set := range it.Identifiers {
		if !slices.ContainsFunc(have.Identifiers, func(o map[string]string) bool { return maps.Equal(o, set) }) {
			have.Identifiers = append(have.Identifiers, set)
		}
	}
}
