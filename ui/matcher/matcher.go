// Package matcher reads and applies the matchers of Alertmanager's API: conditions on one label.
// They differ from those of our own queries (package query): there are no fields and no words, a
// dot does not match a line break, and a matcher of the empty value asks whether the label is
// there. It is pure; a Matcher is immutable and safe for concurrent use.
package matcher

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Matcher is a condition on one label.
type Matcher struct {
	Name  string
	Op    string // = != =~ !~
	Value string

	re *regexp.Regexp // anchored; nil for = and !=
}

func newMatcher(name, op, value string) (*Matcher, error) {
	m := &Matcher{Name: name, Op: op, Value: value}
	if op == "=~" || op == "!~" {
		var err error
		if m.re, err = regexp.Compile("^(?:" + value + ")$"); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Matches tests the value of the label; has tells whether the label is there at all.
func (m *Matcher) Matches(value string, has bool) bool {
	negative := m.Op[0] == '!'
	if m.Value == "" {
		return has == negative || value == "" && !negative
	}
	found := value == m.Value
	if m.re != nil {
		found = m.re.MatchString(value)
	}
	return found != negative
}

// Parse reads one matcher as Alertmanager's API does: in the classic form, else in the
// one of UTF-8 names. What is valid in both means what it always meant.
func Parse(s string) (*Matcher, error) {
	if strings.HasPrefix(s, "{") || strings.HasSuffix(s, "}") {
		return nil, fmt.Errorf("unexpected open or close brace: %s", s)
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("matcher is not valid UTF-8")
	}
	m, err := parseClassic(s)
	if err == nil {
		return m, nil
	}
	if m, utf8Err := parseUTF8(s); utf8Err == nil {
		return m, nil
	}
	return nil, err
}

const asciiSpace = "\t\n\f\r "

// parseClassic reads a plain name, an operator, and a value that may stand in double quotes.
func parseClassic(s string) (*Matcher, error) {
	bad := fmt.Errorf("bad matcher format: %s", s)
	rest := strings.TrimLeft(s, asciiSpace)
	end := 0
	for end < len(rest) && isNameByte(rest[end], end == 0) {
		end++
	}
	name, rest := rest[:end], strings.TrimLeft(rest[end:], asciiSpace)
	op := cutOperator(&rest)
	if name == "" || op == "" {
		return nil, bad
	}
	value, err := classicValue(strings.Trim(rest, asciiSpace))
	if err != nil {
		return nil, err
	}
	return newMatcher(name, op, value)
}

func isNameByte(c byte, first bool) bool {
	return c == '_' || c == ':' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}

// cutOperator takes an operator from the front of rest; "" when there is none.
func cutOperator(rest *string) string {
	for _, op := range []string{"=~", "!=", "!~", "="} {
		if after, ok := strings.CutPrefix(*rest, op); ok {
			*rest = after
			return op
		}
	}
	return ""
}

// classicValue takes the quotes and escapes away. A backslash before anything but n, " and itself
// stays, so that regular expressions need none twice.
func classicValue(raw string) (string, error) {
	unescaped := fmt.Errorf("matcher value contains unescaped double quote: %s", raw)
	raw, quoted := strings.CutPrefix(raw, `"`)
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && i+1 < len(raw):
			i++
			switch raw[i] {
			case 'n':
				b.WriteByte('\n')
			case '"', '\\':
				b.WriteByte(raw[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(raw[i])
			}
		case c == '"' && quoted && i == len(raw)-1:
			return b.String(), nil
		case c == '"':
			return "", unescaped
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", unescaped
	}
	return b.String(), nil
}

// parseUTF8 reads a matcher whose name and value are quoted or without reserved characters.
func parseUTF8(s string) (*Matcher, error) {
	rest := s
	braces := cutToken(&rest, "{")
	name, named := cutWord(&rest)
	skipSpace(&rest)
	op := cutOperator(&rest)
	value, valued := cutWord(&rest)
	cutToken(&rest, ",")
	if braces && !cutToken(&rest, "}") {
		return nil, fmt.Errorf("expected close brace: %s", s)
	}
	if skipSpace(&rest); !named || op == "" || !valued || rest != "" {
		return nil, fmt.Errorf("bad matcher format: %s", s)
	}
	return newMatcher(name, op, value)
}

func skipSpace(rest *string) { *rest = strings.TrimLeftFunc(*rest, unicode.IsSpace) }

func cutToken(rest *string, token string) (found bool) {
	skipSpace(rest)
	*rest, found = strings.CutPrefix(*rest, token)
	return found
}

// cutWord takes a quoted or plain word from the front of rest.
func cutWord(rest *string) (word string, ok bool) {
	skipSpace(rest)
	if strings.HasPrefix(*rest, `"`) {
		quoted, err := strconv.QuotedPrefix(*rest)
		if err != nil {
			return "", false
		}
		*rest = (*rest)[len(quoted):]
		word, err = strconv.Unquote(quoted)
		return word, err == nil && utf8.ValidString(word)
	}
	end := strings.IndexFunc(*rest, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("{}!=~,\\\"'`", r) })
	if end < 0 {
		end = len(*rest)
	}
	word, *rest = (*rest)[:end], (*rest)[end:]
	return word, word != ""
}
