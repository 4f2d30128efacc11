package cmdb

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"signalbox/itsm"
)

// rule is a Rule or a preset made ready.
type rule struct {
	name   string
	match  []matcher
	ignore []string  // labels that speak of the exporter …
	hides  []matcher // … when these match, too
	thing  func(b *binder, labels itsm.Labels, find lookup) (thing, string)
}

// fails says which label keeps the rule from holding; "" when it holds.
func (r *rule) fails(labels itsm.Labels) string {
	for i := range r.match {
		m := &r.match[i]
		v := labels.Get(m.label)
		switch {
		case m.matches(v):
		case v == "":
			return "label " + m.label + " is missing"
		default:
			return "label " + m.label + " is " + short(v)
		}
	}
	return ""
}

func matched(list []matcher, labels itsm.Labels) bool {
	for i := range list {
		if !list[i].matches(labels.Get(list[i].label)) {
			return false
		}
	}
	return true
}

// problems reports what is wrong with a rule.
func (r *Rule) problems() []problem {
	if r.Preset == "" {
		_, out := r.compile()
		return out
	}
	var out []problem
	if _, ok := presets()[r.Preset]; !ok {
		out = append(out, problem{"preset", fmt.Sprintf("unknown preset %q; %s are known", r.Preset, strings.Join(slices.Sorted(maps.Keys(presets())), ", "))})
	}
	if len(r.Match) > 0 || r.Item != "" || r.Discover != nil || len(r.Ignore) > 0 {
		out = append(out, problem{"preset", "preset stands alone, without match, ignore, item and discover"})
	}
	return out
}

// compile makes a rule ready.
func (r *Rule) compile() (rule, []problem) {
	out := rule{ignore: slices.Clone(r.Ignore)}
	var bad []problem
	for _, label := range slices.Sorted(maps.Keys(r.Match)) {
		m, err := newMatcher(label, r.Match[label])
		if err != nil {
			bad = append(bad, problem{"match." + label, fmt.Sprintf("match.%s: %s", label, err)})
		}
		out.match = append(out.match, m)
	}
	own := ownRule{ignore: out.ignore}
	parse := func(field, s string) template {
		t, err := newTemplate(s)
		if err != nil {
			bad = append(bad, problem{field, field + ": " + err.Error()})
		}
		return t
	}
	if r.Item == "" {
		bad = append(bad, problem{"item", "item is missing"})
	}
	own.item = parse("item", r.Item)
	if d := r.Discover; d != nil {
		if own.class = d.Class; d.Class == "" {
			bad = append(bad, problem{"discover.class", "discover.class is missing"})
		}
		own.title = parse("discover.name", d.Name)
		for i, rel := range d.Relations {
			field := fmt.Sprintf("discover.relations[%d]", i)
			if p := typeProblem(field+".type", rel.Type); p != "" {
				bad = append(bad, problem{field + ".type", p})
			}
			if rel.To == "" {
				bad = append(bad, problem{field + ".to", field + ".to is missing"})
			}
			own.ends = append(own.ends, ownEnd{rel.Type, parse(field+".to", rel.To)})
		}
	}
	out.thing = own.thing
	return out, bad
}

// ownRule is a rule that people wrote.
type ownRule struct {
	ignore []string
	item   template
	class  string
	title  template
	ends   []ownEnd
}

type ownEnd struct {
	kind itsm.RelationType
	to   template
}

func (r *ownRule) thing(_ *binder, labels itsm.Labels, _ lookup) (thing, string) {
	id, missing := r.item.expand(labels, r.ignore)
	if missing != "" {
		return thing{}, "label " + missing + " is missing"
	}
	t := thing{id: id, class: r.class}
	t.name, _ = r.title.expand(labels, r.ignore)
	for i := range r.ends {
		if to, missing := r.ends[i].to.expand(labels, r.ignore); missing == "" {
			t.ends = append(t.ends, end{kind: r.ends[i].kind, id: to})
		}
	}
	return t, ""
}

// template is a text with values of labels in it.
type template []segment

type segment struct{ text, label string }

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// newTemplate reads a text in which {{.label}} stands for the value of a label. Nothing else of
// text/template is understood: an id must not depend on a program.
func newTemplate(s string) (template, error) {
	var t template
	for rest := s; rest != ""; {
		before, after, open := strings.Cut(rest, "{{")
		if strings.Contains(before, "}}") {
			return nil, fmt.Errorf("%q: }} without {{", s)
		}
		if before != "" {
			t = append(t, segment{text: before})
		}
		if !open {
			break
		}
		inner, next, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, fmt.Errorf("%q: {{ without }}", s)
		}
		label, dot := strings.CutPrefix(strings.TrimSpace(inner), ".")
		if !dot || !labelName.MatchString(label) {
			return nil, fmt.Errorf("%q: only {{.label}} is understood, got {{%s}}", s, inner)
		}
		t = append(t, segment{label: label})
		rest = next
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

// matcher is an anchored regular expression for a label. The common forms are compared without it.
type matcher struct {
	label string
	form  form
	words []string // equal, contains
	any   []matcher
	re    *regexp.Regexp
}

type form uint8

const (
	expression form = iota
	equal           // to any of the words
	contains        // the words, one after the other
	something       // any value but none
	either          // of several
)

func newMatcher(label, expr string) (matcher, error) {
	if _, err := regexp.Compile(expr); err != nil { // by itself, so that a)|(b does not pass
		return matcher{label: label}, err
	}
	if expr == ".+" {
		return matcher{label: label, form: something}, nil
	}
	if words := strings.Split(expr, "|"); !slices.ContainsFunc(words, func(w string) bool { return regexp.QuoteMeta(w) != w }) {
		return matcher{label: label, form: equal, words: words}, nil
	}
	if !strings.ContainsAny(expr, `()[]{}\`) {
		if parts := strings.Split(expr, "|"); len(parts) > 1 {
			m := matcher{label: label, form: either}
			for _, part := range parts {
				one, err := newMatcher(label, part)
				if err != nil { // the whole compiles, and so do its parts
					return m, err
				}
				m.any = append(m.any, one)
			}
			return m, nil
		}
	}
	if words := strings.Split(expr, ".*"); len(words) > 2 && words[0] == "" && words[len(words)-1] == "" {
		if words = words[1 : len(words)-1]; !slices.ContainsFunc(words, func(w string) bool { return regexp.QuoteMeta(w) != w }) {
			return matcher{label: label, form: contains, words: words}, nil
		}
	}
	re, err := regexp.Compile("^(?s:" + expr + ")$")
	return matcher{label: label, re: re}, err
}

func (m *matcher) matches(value string) bool {
	switch m.form {
	case equal:
		return slices.Contains(m.words, value)
	case contains:
		for _, w := range m.words {
			_, rest, ok := strings.Cut(value, w)
			if !ok {
				return false
			}
			value = rest
		}
		return true
	case either:
		for i := range m.any {
			if m.any[i].matches(value) {
				return true
			}
		}
		return false
	case something:
		return value != ""
	}
	return m.re.MatchString(value)
}
