package cmdb

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox/itsm"
)

// Match says which item a label set speaks of, and why.
type Match struct {
	Node Node   // None when the graph does not know the item (yet)
	ID   string // "" when no item is meant
	How  string
	// Tried lists what was tried, when nothing was found.
	Tried []string
	// Tie lists the items that are meant equally; then none is.
	Tie []string
	// Items and Relations are what the labels tell of the estate beside.
	Items     []itsm.Item
	Relations []itsm.Relation
}

// binder finds the item of a label set: by identifiers first, then by the rules in their order.
type binder struct {
	items       []*itsm.Item // the declared ones
	names       map[string][]Node
	identifiers identifiers
	rules       []rule
	hiding      []int // the rules that hide labels
}

// lookup finds the node of an id.
type lookup = func(id string) (Node, bool)

// thing is what a rule takes labels to speak of.
type thing struct {
	id    string
	class string // to discover it with; "" when it must be there
	name  string
	label string // the text by which a declared item may know it; "" for what stands behind the class in the id
	ends  []end
}

// end is the other end of a relation of a thing.
type end struct {
	kind  itsm.RelationType
	id    string
	known bool // only to an item that is there
}

// newBinder makes the rules ready. The presets kubernetes and node are in force for an estate that
// says nothing at all.
func newBinder(items []*itsm.Item, rules []Rule) (*binder, error) {
	b := &binder{items: items, identifiers: newIdentifiers(items), names: map[string][]Node{}}
	for n, it := range items {
		if it.Name != "" && it.Name != it.ID {
			b.names[it.Name] = append(b.names[it.Name], Node(n)) //nolint:gosec // far fewer than 2^31 items
		}
	}
	if len(items) == 0 && len(rules) == 0 {
		rules = []Rule{{Preset: "kubernetes"}, {Preset: "node"}}
	}
	var errs []error
	for i := range rules {
		for _, p := range rules[i].problems() {
			errs = append(errs, fmt.Errorf("bindings[%d]: %s", i, p.reason))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for i := range rules {
		r := presets()[rules[i].Preset]
		if rules[i].Preset == "" {
			r, _ = rules[i].compile()
			r.name = fmt.Sprintf("binding %d", i+1)
		}
		if len(r.ignore) > 0 {
			b.hiding = append(b.hiding, len(b.rules))
		}
		b.rules = append(b.rules, r)
	}
	return b, nil
}

// maxTried bounds what is told of an attempt.
const maxTried = 20

func (b *binder) bind(labels itsm.Labels, find lookup) Match {
	var buf [32]string
	hidden := b.hidden(labels, buf[:0])
	best, tie := b.identifiers.find(labels, hidden)
	if len(tie) > 0 {
		return Match{Node: None, How: best.how, Tie: b.ids(tie)}
	}
	if best != nil {
		return Match{Node: best.node, ID: b.items[best.node].ID, How: best.how}
	}
	for i := range b.rules {
		r := &b.rules[i]
		if !matched(r.match, labels) {
			continue
		}
		if t, reason := r.thing(b, labels, find); reason == "" {
			if m, reason := b.settle(&t, find); reason == "" {
				m.How = r.name
				return m
			}
		}
	}
	return Match{Node: None, Tried: b.tried(labels, hidden, find)}
}

// hidden are the labels that the rules for this label set hide from identifiers.
func (b *binder) hidden(labels itsm.Labels, out []string) []string {
	for _, i := range b.hiding {
		r := &b.rules[i]
		if matched(r.match, labels) && matched(r.hides, labels) {
			out = append(out, r.ignore...)
		}
	}
	return out
}

// settle finds the item of a thing, or says what to discover, or why neither is possible.
func (b *binder) settle(t *thing, find lookup) (Match, string) {
	id, node, tie := b.declared(t.id, t.label, find)
	if len(tie) > 0 {
		return Match{Node: None, Tie: tie}, ""
	}
	m := Match{Node: node, ID: id}
	if node == None {
		if t.class == "" {
			return m, "no item has the id " + id
		}
		m.Items = append(m.Items, itsm.Item{ID: id, Class: t.class, Name: cmp.Or(t.name, afterSlash(id)), Discovered: true})
	}
	for _, e := range t.ends {
		b.relate(&m, e, find)
	}
	return m, ""
}

// relate adds a relation to what the labels tell of.
func (b *binder) relate(m *Match, e end, find lookup) {
	id, node, tie := b.declared(e.id, "", find)
	if len(tie) > 0 || id == m.ID {
		return
	}
	if node == None {
		class, name, ok := strings.Cut(id, "/")
		if !ok || class == "" || name == "" || e.known {
			return
		}
		if !slices.ContainsFunc(m.Items, func(it itsm.Item) bool { return it.ID == id }) {
			m.Items = append(m.Items, itsm.Item{ID: id, Class: class, Name: name, Discovered: true})
		}
	}
	m.Relations = append(m.Relations, itsm.Relation{From: m.ID, Type: e.kind, To: id, Discovered: true})
}

// declared gives the item that an id such as node/n1 stands for: the declared one with that id,
// the one with an identifier {node: n1}, the one with the id n1; then one that was discovered. It
// gives the id as it is and None when there is none, and the ids of items that are meant equally.
func (b *binder) declared(id, label string, find lookup) (string, Node, []string) {
	n, found := find(id)
	if found && int(n) < len(b.items) {
		return id, n, nil
	}
	class, name, ok := strings.Cut(id, "/")
	if ok && class != "" && name != "" {
		var buf [4]itsm.Label
		best, tie := b.identifiers.find(labelsOf(class, cmp.Or(label, name), buf[:0]), nil)
		if len(tie) > 0 {
			return id, None, b.ids(tie)
		}
		if best != nil {
			return b.items[best.node].ID, best.node, nil
		}
		if n, ok := find(name); ok && int(n) < len(b.items) {
			return name, n, nil
		}
	}
	if found {
		return id, n, nil
	}
	return id, None, nil
}

// labelsOf is how a declared item may know what an id speaks of.
func labelsOf(class, name string, out itsm.Labels) itsm.Labels {
	switch namespace, object, ok := strings.Cut(name, "/"); {
	case class == "endpoint":
		return append(out, itsm.Label{Name: "instance", Value: name}, itsm.Label{Name: "target", Value: name}, itsm.Label{Name: "url", Value: name})
	case ok:
		out = append(out, itsm.Label{Name: class, Value: object}, itsm.Label{Name: "namespace", Value: namespace})
		out.Sort()
		return out
	case class == "host":
		for _, label := range [...]string{"host", "hostname", "node", "nodename"} {
			out = append(out, itsm.Label{Name: label, Value: name})
		}
		return out
	case class == "device":
		return append(out, itsm.Label{Name: "host", Value: name}, itsm.Label{Name: "hostname", Value: name}, itsm.Label{Name: "instance", Value: name})
	}
	return append(out, itsm.Label{Name: class, Value: name})
}

// ids are the sorted ids of nodes.
func (b *binder) ids(nodes []Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = b.items[n].ID
	}
	slices.Sort(out)
	return out
}

// tried tells step by step why nothing was found.
func (b *binder) tried(labels itsm.Labels, hidden []string, find lookup) (out []string) {
	for _, l := range labels {
		switch _, used := b.identifiers.names[l.Name]; {
		case !used:
		case slices.Contains(hidden, l.Name):
			out = append(out, "identifier "+l.Name+": ignored, it speaks of the exporter")
		default:
			out = append(out, "identifier "+l.Name+"="+short(l.Value)+": no item")
		}
	}
	out = out[:min(len(out), maxTried/2)] // leave room for the rules
	for i := range b.rules {
		if len(out) == maxTried {
			break
		}
		r := &b.rules[i]
		reason := r.fails(labels)
		if reason == "" {
			var t thing
			if t, reason = r.thing(b, labels, find); reason == "" {
				_, reason = b.settle(&t, find)
			}
		}
		out = append(out, r.name+": "+reason)
	}
	return out
}

// maxShort bounds how much of a value is told.
const maxShort = 60

func short(s string) string {
	if len(s) <= maxShort {
		return s
	}
	return strings.ToValidUTF8(s[:maxShort], "") + "…"
}

func afterSlash(id string) string {
	if _, name, ok := strings.Cut(id, "/"); ok && name != "" {
		return name
	}
	return id
}
