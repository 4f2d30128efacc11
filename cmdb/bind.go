package cmdb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
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
	items       []*itsm.Item
	identifiers identifiers
	rules       []rule
}

// rule is a Rule made ready.
type rule struct {
	name     string
	match    []matcher
	unless   []matcher
	ignore   []string
	item     template
	derive   func(itsm.Labels) (itsm.Labels, bool) // labels that a preset adds
	discover *Discover
	title    template
	ends     []template
}

type matcher struct {
	label string
	re    *regexp.Regexp
}

// template is a text with values of labels in it.
type template []segment

type segment struct{ text, label string }

var templateLabel = regexp.MustCompile(`\{\{\s*\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}`)

func newTemplate(s string) (template, error) {
	var t template
	for s != "" {
		at := templateLabel.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		if at[0] > 0 {
			t = append(t, segment{text: s[:at[0]]})
		}
		t = append(t, segment{label: s[at[2]:at[3]]})
		s = s[at[1]:]
	}
	if s != "" {
		t = append(t, segment{text: s})
	}
	for _, g := range t {
		if strings.Contains(g.text, "{{") || strings.Contains(g.text, "}}") {
			return nil, fmt.Errorf("%q: only {{.label}} is understood", g.text)
		}
	}
	return t, nil
}

// expand returns the text, or the label that is missing.
func (t template) expand(labels itsm.Labels, ignore []string) (text, missing string) {
	var b strings.Builder
	for _, g := range t {
		if g.label == "" {
			b.WriteString(g.text)
			continue
		}
		v := labels.Get(g.label)
		if v == "" || slices.Contains(ignore, g.label) {
			return "", g.label
		}
		b.WriteString(v)
	}
	return b.String(), ""
}

// check reports what is wrong with a rule.
func (r *Rule) check() error {
	if r.Preset != "" {
		if len(r.Match) > 0 || r.Item != "" || r.Discover != nil || len(r.Ignore) > 0 {
			return errors.New("preset stands alone, without match, ignore, item and discover")
		}
		if !slices.Contains(presetNames(), r.Preset) {
			return fmt.Errorf("unknown preset %q; %v are known", r.Preset, presetNames())
		}
		return nil
	}
	_, err := r.compile("")
	return err
}

func (r *Rule) compile(name string) (rule, error) {
	out := rule{name: name, ignore: r.Ignore, discover: r.Discover}
	var errs []error
	for _, label := range slices.Sorted(maps.Keys(r.Match)) {
		re, err := regexp.Compile("^(?s:" + r.Match[label] + ")$")
		if err != nil {
			errs = append(errs, fmt.Errorf("match.%s: %w", label, err))
			continue
		}
		out.match = append(out.match, matcher{label, re})
	}
	var err error
	if out.item, err = newTemplate(r.Item); err != nil {
		errs = append(errs, fmt.Errorf("item: %w", err))
	}
	if r.Item == "" {
		errs = append(errs, errors.New("item is missing"))
	}
	if d := r.Discover; d != nil {
		if d.Class == "" {
			errs = append(errs, errors.New("discover.class is missing"))
		}
		if out.title, err = newTemplate(d.Name); err != nil {
			errs = append(errs, fmt.Errorf("discover.name: %w", err))
		}
		for i, rel := range d.Relations {
			if !slices.Contains(itsm.RelationTypes(), rel.Type) {
				errs = append(errs, fmt.Errorf("discover.relations[%d]: unknown type %q; %v are known", i, rel.Type, itsm.RelationTypes()))
			}
			end, err := newTemplate(rel.To)
			if err == nil && rel.To == "" {
				err = errors.New("is missing")
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("discover.relations[%d].to: %w", i, err))
			}
			out.ends = append(out.ends, end)
		}
	}
	return out, errors.Join(errs...)
}

// newBinder makes the rules ready. The presets kubernetes and node are in force for an estate that
// says nothing at all.
func newBinder(items []*itsm.Item, rules []Rule) (*binder, error) {
	b := &binder{items: items, identifiers: newIdentifiers(items)}
	if len(items) == 0 && len(rules) == 0 {
		rules = []Rule{{Preset: "kubernetes"}, {Preset: "node"}}
	}
	var errs []error
	for i := range rules {
		if rules[i].Preset != "" {
			list, err := preset(rules[i].Preset)
			errs = append(errs, err)
			b.rules = append(b.rules, list...)
			continue
		}
		r, err := rules[i].compile(fmt.Sprintf("binding %d", i+1))
		if err != nil {
			errs = append(errs, fmt.Errorf("bindings[%d]: %w", i, err))
		}
		b.rules = append(b.rules, r)
	}
	return b, errors.Join(errs...)
}

// maxTried bounds what is told of an attempt.
const maxTried = 20

func (b *binder) bind(labels itsm.Labels, lookup func(id string) (Node, bool)) Match {
	var tried []string
	ignore := b.ignored(labels)
	best, tie := b.identifiers.find(labels, ignore)
	if len(tie) > 0 {
		m := Match{Node: None, How: "identifier " + best.labels.String()}
		for _, n := range tie {
			m.Tie = append(m.Tie, b.items[n].ID)
		}
		slices.Sort(m.Tie)
		return m
	}
	if best.node != None {
		return Match{Node: best.node, ID: b.items[best.node].ID, How: "identifier " + best.labels.String()}
	}
	for i := range b.rules {
		r := &b.rules[i]
		if r.item == nil || !r.holds(labels) {
			continue
		}
		m, reason := b.apply(r, labels, lookup)
		if m.ID != "" || len(m.Tie) > 0 {
			return m
		}
		if len(tried) < maxTried {
			tried = append(tried, r.name+": "+reason)
		}
	}
	return Match{Node: None, Tried: tried}
}

// ignored are the labels that the rules for this label set hide from identifiers.
func (b *binder) ignored(labels itsm.Labels) []string {
	var out []string
	for i := range b.rules {
		if r := &b.rules[i]; len(r.ignore) > 0 && r.holds(labels) {
			out = append(out, r.ignore...)
		}
	}
	return out
}

func (r *rule) holds(labels itsm.Labels) bool {
	for _, m := range r.match {
		if !m.re.MatchString(labels.Get(m.label)) {
			return false
		}
	}
	for _, m := range r.unless {
		if m.re.MatchString(labels.Get(m.label)) {
			return false
		}
	}
	return true
}

// apply gives what a rule yields, or why nothing.
func (b *binder) apply(r *rule, labels itsm.Labels, lookup func(id string) (Node, bool)) (Match, string) {
	if r.derive != nil {
		more, ok := r.derive(labels)
		if !ok {
			return Match{Node: None}, "the labels do not say which item"
		}
		labels = more
	}
	id, missing := r.item.expand(labels, r.ignore)
	if missing != "" {
		return Match{Node: None}, "label " + missing + " is missing"
	}
	m := Match{Node: None, ID: id, How: r.name}
	known := false
	if id, tie := b.declared(id, lookup); len(tie) > 0 {
		return Match{Node: None, How: r.name, Tie: tie}, ""
	} else if n, ok := lookup(id); ok {
		m.ID, m.Node, known = id, n, true
	}
	if r.discover == nil {
		if !known {
			return Match{Node: None}, "no item has the id " + id
		}
		return m, ""
	}
	if !known {
		title, _ := r.title.expand(labels, nil)
		m.Items = append(m.Items, itsm.Item{ID: m.ID, Class: r.discover.Class, Name: cmp.Or(title, afterSlash(m.ID)), Discovered: true})
	}
	for i, rel := range r.discover.Relations {
		end, missing := r.ends[i].expand(labels, r.ignore)
		if missing != "" {
			continue
		}
		end, tie := b.declared(end, lookup)
		if len(tie) > 0 || end == m.ID {
			continue
		}
		if _, ok := lookup(end); !ok {
			class, _, ok := strings.Cut(end, "/")
			if !ok {
				continue
			}
			m.Items = append(m.Items, itsm.Item{ID: end, Class: class, Name: afterSlash(end), Discovered: true})
		}
		m.Relations = append(m.Relations, itsm.Relation{From: m.ID, Type: rel.Type, To: end, Discovered: true})
	}
	return m, ""
}

// declared gives the declared item that a discovered id such as node/n1 stands for: the one with
// that id, with the name behind the slash as its id, or with an identifier {node: n1}. Otherwise
// it gives the id as it is.
func (b *binder) declared(id string, lookup func(id string) (Node, bool)) (string, []string) {
	if n, ok := lookup(id); ok && int(n) < len(b.items) {
		return id, nil
	}
	class, name, ok := strings.Cut(id, "/")
	if !ok {
		return id, nil
	}
	labels := itsm.Labels{{Name: class, Value: name}}
	if class == "host" {
		labels = itsm.Labels{{Name: "host", Value: name}, {Name: "hostname", Value: name}, {Name: "node", Value: name}, {Name: "nodename", Value: name}}
	}
	if namespace, object, ok := strings.Cut(name, "/"); ok {
		labels = itsm.Labels{{Name: "namespace", Value: namespace}, {Name: class, Value: object}}
		labels.Sort()
	}
	best, tie := b.identifiers.find(labels, nil)
	if len(tie) > 0 {
		ids := make([]string, len(tie))
		for i, n := range tie {
			ids[i] = b.items[n].ID
		}
		slices.Sort(ids)
		return id, ids
	}
	if best.node != None {
		return b.items[best.node].ID, nil
	}
	if n, ok := lookup(name); ok && int(n) < len(b.items) {
		return name, nil
	}
	return id, nil
}

func afterSlash(id string) string {
	_, name, ok := strings.Cut(id, "/")
	if !ok {
		return id
	}
	return name
}
