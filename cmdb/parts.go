package cmdb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// Parts are the parts of an estate by the source that owns them: "operator", "api", "file:NAME",
// "importer:NAME". For each attribute the first of them in that order wins.
type Parts map[string]*Estate

// Encode returns the document of all parts: {"parts":{origin:{…}}}, the same bytes for the same parts.
func (p Parts) Encode() ([]byte, error) {
	data, err := json.Marshal(struct {
		Parts map[string]*Estate `json:"parts"`
	}{p})
	if err != nil {
		return nil, fmt.Errorf("encode the parts of the estate: %w", err)
	}
	return data, nil
}

// Decode reads a document of parts, or a plain estate file as one part with the origin "file". It
// reports the faults of every part.
func Decode(data []byte) (Parts, error) {
	if !isParts(data) {
		part, err := Parse("estate", data)
		if err != nil {
			return nil, err
		}
		return Parts{"file": part}, nil
	}
	var doc struct {
		Parts map[string]json.RawMessage `json:"parts"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("decode the parts of the estate: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("decode the parts of the estate: something follows the document")
	}
	parts := Parts{}
	var errs []error
	for _, origin := range slices.Sorted(maps.Keys(doc.Parts)) {
		part, err := &Estate{}, error(nil)
		if !bytes.Equal(doc.Parts[origin], []byte("null")) {
			part, err = Parse(origin, doc.Parts[origin])
		}
		errs = append(errs, err)
		parts[origin] = part
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return parts, nil
}

// isParts tells whether the first field of a JSON document is "parts".
func isParts(data []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	first, err := dec.Token()
	if err != nil || first != json.Delim('{') {
		return false
	}
	key, err := dec.Token()
	return err == nil && key == "parts"
}

// rank orders origins by precedence.
func rank(origin string) int {
	kind, _, _ := strings.Cut(origin, ":")
	kinds := []string{"operator", "api", "file", "importer"}
	if i := slices.Index(kinds, kind); i >= 0 {
		return i
	}
	return len(kinds)
}

// origins lists the parts, the one that wins first.
func (p Parts) origins() []string {
	out := make([]string, 0, len(p))
	for origin, part := range p {
		if part != nil {
			out = append(out, origin)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) })
	return out
}

// relationKey is what makes two relations one.
type relationKey struct {
	from, to string
	kind     itsm.RelationType
}

// period is a relation with the time that it is valid.
type period struct {
	key      relationKey
	from, to time.Time
}

// source is the part and the index that something was taken from.
type source struct {
	origin string
	index  int
}

// merger puts parts together, the one that wins first.
type merger struct {
	parts     Parts
	items     []itsm.Item
	ids       map[string]int // index in items
	claims    map[string]int // index in items, by identifier set
	relations []itsm.Relation
	first     map[relationKey]int // index in relations; its part is the one that counts
	periods   map[period]bool     // of relations that stand several times
	from      []source            // of relations
	bindings  []Rule
	faults    []Fault
}

// Merge returns the whole estate, sorted by ids. It reports every relation to an unknown item and
// every identifier that two items claim, each with the place in its file. Of the relations with
// the same ends and type those of the first part count, all of them: a relation may have had
// several periods.
func (p Parts) Merge() (*Estate, error) {
	m := p.collect()
	m.dangling()
	if err := joined(m.faults); err != nil {
		return nil, err
	}
	out := &Estate{Items: m.items, Relations: m.relations, Bindings: m.bindings}
	for i := range out.Items {
		it := &out.Items[i]
		it.Name, it.Criticality = cmp.Or(it.Name, it.ID), cmp.Or(it.Criticality, defaultCriticality)
	}
	slices.SortFunc(out.Items, func(a, b itsm.Item) int { return strings.Compare(a.ID, b.ID) })
	slices.SortStableFunc(out.Relations, func(a, b itsm.Relation) int {
		return cmp.Or(strings.Compare(a.From, b.From), cmp.Compare(a.Type, b.Type), strings.Compare(a.To, b.To), a.ValidFrom.Compare(b.ValidFrom))
	})
	return out, nil
}

const defaultCriticality = 3

// Dangling reports the relations to items that no part has, also of parts that have other faults.
func (p Parts) Dangling() error {
	m := p.collect()
	m.faults = nil
	m.dangling()
	return joined(m.faults)
}

// collect puts the parts together as far as they fit.
func (p Parts) collect() *merger {
	origins := p.origins()
	nItems, nRelations := 0, 0
	for _, origin := range origins {
		nItems, nRelations = nItems+len(p[origin].Items), nRelations+len(p[origin].Relations)
	}
	m := &merger{
		parts: p, items: make([]itsm.Item, 0, nItems), ids: make(map[string]int, nItems), claims: make(map[string]int, nItems),
		relations: make([]itsm.Relation, 0, nRelations), first: make(map[relationKey]int, nRelations), periods: map[period]bool{},
		from: make([]source, 0, nRelations),
	}
	for _, origin := range origins {
		for i := range p[origin].Items {
			m.item(origin, i)
		}
		for i := range p[origin].Relations {
			m.relation(origin, i)
		}
		m.bindings = append(m.bindings, p[origin].Bindings...)
	}
	return m
}

func (m *merger) item(origin string, i int) {
	it := &m.parts[origin].Items[i]
	at, ok := m.ids[it.ID]
	if !ok {
		at = len(m.items)
		m.ids[it.ID] = at
		m.items = append(m.items, *it)
		have := &m.items[at]
		have.Attributes, have.Identifiers = maps.Clone(it.Attributes), nil
	}
	have := &m.items[at]
	if ok {
		fill(have, it)
	}
	for _, set := range it.Identifiers {
		key := setKey(set)
		first, claimed := m.claims[key]
		switch {
		case !claimed:
			m.claims[key] = at
			have.Identifiers = append(have.Identifiers, set)
		case first != at:
			reason := fmt.Sprintf("identifier %s is claimed by item %s, too", itsm.NewLabels(set), m.items[first].ID)
			m.faults = append(m.faults, m.parts[origin].itemFault(i, origin, reason))
		}
	}
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
			have.Attributes = make(map[string]string, len(it.Attributes))
		}
		if _, ok := have.Attributes[k]; !ok {
			have.Attributes[k] = v
		}
	}
}

func (m *merger) relation(origin string, i int) {
	r := &m.parts[origin].Relations[i]
	key := relationKey{r.From, r.To, r.Type}
	if first, ok := m.first[key]; ok {
		if m.from[first].origin != origin {
			return
		}
		of := func(r *itsm.Relation) period { return period{key, r.ValidFrom.UTC(), r.ValidTo.UTC()} }
		m.periods[of(&m.relations[first])] = true
		if m.periods[of(r)] {
			return
		}
		m.periods[of(r)] = true
	} else {
		m.first[key] = len(m.relations)
	}
	m.relations = append(m.relations, *r)
	m.from = append(m.from, source{origin, i})
}

// dangling reports ends that no part has an item for.
func (m *merger) dangling() {
	for i := range m.relations {
		m.ends(i)
	}
}

func (m *merger) ends(i int) {
	r := &m.relations[i]
	for _, id := range []string{r.From, r.To} {
		if _, ok := m.ids[id]; !ok && id != "" {
			reason := fmt.Sprintf("relation %s %s %s: no item has the id %q", r.From, r.Type, r.To, id)
			m.faults = append(m.faults, m.parts[m.from[i].origin].relationFault(m.from[i].index, m.from[i].origin, reason))
		}
	}
}
