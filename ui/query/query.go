// Package query reads the query language of lists: Alertmanager's matchers over labels and
// fields, separated by spaces or commas, and bare words that search text:
//
//	alertname=~"Kube.*" priority<=2 state!="resolved" age>1h switch
//
// It knows which fields a list has only by the Schema it is given; every other name is a label.
// It refuses to know how a list is held: the list evaluates the matchers. A Query is immutable and
// safe for concurrent use.
package query

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxLength bounds a query.
const MaxLength = 4096

// Kind says what can be compared with a field.
type Kind int

// The kinds of fields. A Text field may have several values.
const (
	Text     Kind = iota // = != =~ !~
	Number               // and < <= > >=
	Time                 // and < <= > >=, with a time of RFC 3339 or a duration ago
	Duration             // an age: and < <= > >=
)

// Schema names the fields of a list.
type Schema struct {
	Fields map[string]Kind
	Labels bool // whether other names are labels, or mistakes
}

// Op is an operator.
type Op string

// The operators.
const (
	Equal        Op = "="
	NotEqual     Op = "!="
	Matches      Op = "=~"
	NotMatches   Op = "!~"
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
)

// Negative tells whether the operator asks for something not to be so.
func (o Op) Negative() bool { return o == NotEqual || o == NotMatches }

// ordered tells whether the operator needs an order.
func (o Op) ordered() bool { return o != "" && (o[0] == '<' || o[0] == '>') }

// Matcher is one condition.
type Matcher struct {
	Name  string
	Op    Op
	Value string

	kind Kind
	re   *regexp.Regexp
	num  float64 // of a number, or the nanoseconds of a duration
	at   time.Time
	ago  bool // a Time given as a duration ago
}

// Query is a conjunction: all matchers must hold, all words must be found.
type Query struct {
	Fields []Matcher
	Labels []Matcher
	Words  []string // lower case
}

// Empty tells whether everything matches.
func (q *Query) Empty() bool { return len(q.Fields) == 0 && len(q.Labels) == 0 && len(q.Words) == 0 }

// Error is a mistake in a query, at a byte of it.
type Error struct {
	At     int
	Reason string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("at character %d: %s", e.At+1, e.Reason) }

// Parse reads a query.
func Parse(s string, schema Schema) (*Query, error) {
	if len(s) > MaxLength {
		return nil, &Error{MaxLength, fmt.Sprintf("longer than %d bytes", MaxLength)}
	}
	if !utf8.ValidString(s) {
		return nil, &Error{0, "not valid UTF-8"}
	}
	p := parser{s: s, schema: schema}
	return p.parse()
}

type parser struct {
	s      string
	i      int
	schema Schema
	q      Query
}

func (p *parser) parse() (*Query, error) {
	for {
		p.skip(" \t\r\n,{}")
		if p.i == len(p.s) {
			return &p.q, nil
		}
		if err := p.term(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) skip(chars string) {
	for p.i < len(p.s) && strings.IndexByte(chars, p.s[p.i]) >= 0 {
		p.i++
	}
}

// term reads a matcher or a word.
func (p *parser) term() error {
	start := p.i
	name, quoted, err := p.word(" \t\r\n,{}=!<>~")
	if err != nil {
		return err
	}
	afterName := p.i
	p.skip(" \t")
	op := p.op()
	if op == "" {
		if p.i == afterName && p.i < len(p.s) && strings.IndexByte("!~", p.s[p.i]) >= 0 {
			return &Error{p.i, fmt.Sprintf("%q is not an operator; there are = != =~ !~ < <= > >=", p.s[p.i:p.i+1])}
		}
		p.i = afterName
		if name == "" {
			return &Error{start, "an empty word"}
		}
		p.q.Words = append(p.q.Words, strings.ToLower(name))
		return nil
	}
	if name == "" {
		return &Error{start, "a name is expected before " + string(op)}
	}
	p.skip(" \t")
	valueAt := p.i
	value, valueQuoted, err := p.word(" \t\r\n,{}")
	if err != nil {
		return err
	}
	if value == "" && !valueQuoted {
		return &Error{valueAt, fmt.Sprintf("a value is expected after %s%s", name, op)}
	}
	return p.matcher(start, valueAt, Matcher{Name: name, Op: op, Value: value}, quoted)
}

func (p *parser) op() Op {
	for _, o := range []Op{NotEqual, Matches, NotMatches, LessEqual, GreaterEqual, Equal, Less, Greater} {
		if strings.HasPrefix(p.s[p.i:], string(o)) {
			p.i += len(o)
			return o
		}
	}
	return ""
}

// word reads a quoted string, or what comes before one of the stops.
func (p *parser) word(stops string) (word string, quoted bool, err error) {
	if p.i < len(p.s) && (p.s[p.i] == '"' || p.s[p.i] == '\'') {
		word, err = p.quoted()
		return word, true, err
	}
	start := p.i
	for p.i < len(p.s) && strings.IndexByte(stops, p.s[p.i]) < 0 {
		p.i++
	}
	return p.s[start:p.i], false, nil
}

func (p *parser) quoted() (string, error) {
	start, quote := p.i, p.s[p.i]
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == quote:
			p.i++
			return b.String(), nil
		case c == '\\' && p.i+1 < len(p.s):
			p.i++
			switch e := p.s[p.i]; e {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case '\\', '"', '\'':
				b.WriteByte(e)
			default: // as in a regular expression: \. stays \.
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", &Error{start, "the quote is not closed"}
}

// labelPrefix asks for a label even when a field has the same name.
const labelPrefix = "labels."

func (p *parser) matcher(nameAt, valueAt int, m Matcher, quoted bool) error {
	kind, field := p.schema.Fields[m.Name]
	label := strings.TrimPrefix(m.Name, labelPrefix)
	switch {
	case field && !quoted:
		m.kind = kind
	case p.schema.Labels && label != "":
		m.Name, field = label, false
	default:
		return &Error{nameAt, fmt.Sprintf("there is no field %q", m.Name)}
	}
	if err := m.compile(field); err != nil {
		return &Error{valueAt, err.Error()}
	}
	if field {
		p.q.Fields = append(p.q.Fields, m)
	} else {
		p.q.Labels = append(p.q.Labels, m)
	}
	return nil
}

func (m *Matcher) compile(field bool) error {
	var err error
	switch {
	case m.Op == Matches || m.Op == NotMatches:
		if m.re, err = regexp.Compile("^(?s:" + m.Value + ")$"); err != nil {
			return fmt.Errorf("not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if field && m.kind != Text && m.kind != Number {
			return fmt.Errorf("%s cannot be matched with %s", m.Name, m.Op)
		}
	case !field && m.Op.ordered(), field && m.kind == Number:
		if m.num, err = strconv.ParseFloat(m.Value, 64); err != nil {
			return fmt.Errorf("%s%s needs a number, got %q", m.Name, m.Op, m.Value)
		}
	case field && m.kind == Duration:
		d, ok := ParseDuration(m.Value)
		if !ok {
			return fmt.Errorf("%s%s needs a duration such as 90s, 15m or 1h30m, got %q", m.Name, m.Op, m.Value)
		}
		m.num = float64(d)
	case field && m.kind == Time:
		if d, ok := ParseDuration(m.Value); ok {
			m.num, m.ago = float64(d), true
		} else if m.at, err = time.Parse(time.RFC3339Nano, m.Value); err != nil {
			return fmt.Errorf("%s%s needs a time such as 2026-01-02T10:00:00Z or a duration ago, got %q", m.Name, m.Op, m.Value)
		}
	case m.Op.ordered():
		return fmt.Errorf("%s has no order; use = != =~ !~", m.Name)
	}
	return nil
}

// Text tells whether any of the values matches, or for a negative operator, that none does.
func (m *Matcher) Text(values ...string) bool {
	found := slices.ContainsFunc(values, m.one) || len(values) == 0 && m.one("")
	return found != m.Op.Negative()
}

// one tests a value against the positive form of the operator.
func (m *Matcher) one(v string) bool {
	switch m.Op {
	case Equal, NotEqual:
		return v == m.Value
	case Matches, NotMatches:
		return m.re.MatchString(v)
	}
	n, err := strconv.ParseFloat(v, 64)
	return err == nil && m.Op.holds(n, m.num)
}

// Number tests a number.
func (m *Matcher) Number(v float64) bool {
	if m.re != nil {
		return m.Text(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return m.Op.holds(v, m.num)
}

// Age tests a duration.
func (m *Matcher) Age(d time.Duration) bool { return m.Op.holds(float64(d), m.num) }

// Time tests a time; a zero time is later than none and matches only !=.
func (m *Matcher) Time(t, now time.Time) bool {
	if t.IsZero() {
		return m.Op == NotEqual
	}
	at := m.at
	if m.ago {
		at = now.Add(-time.Duration(m.num))
	}
	return m.Op.holds(float64(t.Compare(at)), 0)
}

func (o Op) holds(a, b float64) bool {
	switch o {
	case Equal:
		return a == b
	case NotEqual:
		return a != b
	case Less:
		return a < b
	case LessEqual:
		return a <= b
	case Greater:
		return a > b
	case GreaterEqual:
		return a >= b
	}
	return false
}

// ParseDuration reads a duration as Go and Prometheus write it: 90s, 1h30m, 2d, 1w.
func ParseDuration(s string) (time.Duration, bool) {
	var total float64
	rest := s
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if end <= 0 {
			return 0, false
		}
		n, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil {
			return 0, false
		}
		unit, size := unitOf(rest[end:])
		if size == 0 {
			return 0, false
		}
		total += n * float64(unit)
		rest = rest[end+size:]
	}
	if s == "" || total > float64(1<<62) {
		return 0, false
	}
	return time.Duration(total), true
}

func unitOf(s string) (unit time.Duration, size int) {
	switch {
	case strings.HasPrefix(s, "ms"):
		return time.Millisecond, 2
	case strings.HasPrefix(s, "s"):
		return time.Second, 1
	case strings.HasPrefix(s, "m"):
		return time.Minute, 1
	case strings.HasPrefix(s, "h"):
		return time.Hour, 1
	case strings.HasPrefix(s, "d"):
		return 24 * time.Hour, 1
	case strings.HasPrefix(s, "w"):
		return 7 * 24 * time.Hour, 1
	}
	return 0, 0
}
