// Package scan reads JSON in one pass, for decoders that know what they look for. It checks the
// grammar of RFC 8259 and reads strings as encoding/json does, with two differences: invalid UTF-8
// stays as it is, so that a decoder can name the field it stands in, and names are compared exactly.
// It refuses to build values: that is the decoder's part.
//
// A Scanner belongs to one goroutine. What it returns points into its own copy of the text.
package scan

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep what a door takes may be nested. A Scanner reads on beyond it, so that one
// alert that is too deep does not cost its neighbours, up to a depth that is an error.
const MaxDepth = 64

const endlessDepth = 10_000

// Scanner stands at a place in a text. Deepest is the deepest nesting it has come through since
// somebody set it to zero.
type Scanner struct {
	Deepest int
	text    string
	at      int
	depth   int
}

// New returns a scanner at the beginning of a copy of the text.
func New(text []byte) Scanner { return Scanner{text: string(text)} }

// Pos is the byte the scanner stands at.
func (s *Scanner) Pos() int { return s.at }

// Since returns the text between an earlier position and the present one.
func (s *Scanner) Since(pos int) string { return s.text[pos:s.at] }

// Valid tells whether the whole text is UTF-8.
func (s *Scanner) Valid() bool { return utf8.ValidString(s.text) }

// Expected returns the error that something else stands at the present position.
func (s *Scanner) Expected(want string) error {
	if s.at >= len(s.text) {
		return fmt.Errorf("%s is expected at byte %d, where the text ends", want, s.at)
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.at:])
	return fmt.Errorf("%s is expected at byte %d, where %q stands", want, s.at, r)
}

// Peek returns the next byte that is no space, 0 at the end.
func (s *Scanner) Peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take passes over a byte when it comes next; c is not 0.
func (s *Scanner) take(c byte) bool {
	if s.Peek() == c {
		s.at++
		return true
	}
	return false
}

// Null takes the word null when it comes next.
func (s *Scanner) Null() bool {
	if s.Peek() == 'n' && strings.HasPrefix(s.text[s.at:], "null") {
		s.at += len("null")
		return true
	}
	return false
}

// String reads a string. Without escapes in it it is a piece of the text and costs nothing.
func (s *Scanner) String() (string, error) {
	if s.Peek() != '"' {
		return "", s.Expected("a string")
	}
	start := s.at + 1
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.text[start:i], nil
		case c == '\\':
			return s.escaped(start, i)
		case c < 0x20:
			s.at = i
			return "", s.Expected("a character that is not a control character")
		}
	}
	s.at = len(s.text)
	return "", s.Expected("the end of a string")
}

// escaped reads on a string that began at start and has its first escape at i.
func (s *Scanner) escaped(start, i int) (string, error) {
	end := i // of the string, to size the buffer; escapes only shrink
	for end < len(s.text) && s.text[end] != '"' {
		if s.text[end] == '\\' {
			end++
		}
		end++
	}
	var out strings.Builder
	out.Grow(min(end, len(s.text)) - start)
	plain := start
	for i < len(s.text) {
		switch c := s.text[i]; {
		case c == '"':
			out.WriteString(s.text[plain:i])
			s.at = i + 1
			return out.String(), nil
		case c == '\\':
			out.WriteString(s.text[plain:i])
			r, n := unescape(s.text[i:])
			if n == 0 {
				s.at = i
				return "", s.Expected("a valid escape")
			}
			out.WriteRune(r)
			i += n
			plain = i
		case c < 0x20:
			s.at = i
			return "", s.Expected("a character that is not a control character")
		default:
			i++
		}
	}
	s.at = len(s.text)
	return "", s.Expected("the end of a string")
}

// unescape returns the character that the escape at the beginning of the text means, and how many
// bytes the escape has; 0 when it is none. Half a surrogate pair means U+FFFD.
func unescape(text string) (rune, int) {
	if len(text) < 2 {
		return 0, 0
	}
	switch c := text[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(text)
		if !ok {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if low, ok := hex4(text[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 6
	}
	return 0, 0
}

// hex4 reads an escape such as \u00fc.
func hex4(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(text[2:6]) {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return r, true
}

func (s *Scanner) enter() error {
	s.depth++
	s.Deepest = max(s.Deepest, s.depth)
	if s.depth > endlessDepth {
		return fmt.Errorf("nested deeper than %d at byte %d", endlessDepth, s.at)
	}
	return nil
}

// Object calls field for each member, with the scanner at its value.
func (s *Scanner) Object(field func(name string) error) error {
	if !s.take('{') {
		return s.Expected("an object")
	}
	if err := s.enter(); err != nil {
		return err
	}
	for more := !s.take('}'); more; more = !s.take('}') {
		name, err := s.String()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.Expected("a colon")
		}
		if err := field(name); err != nil {
			return err
		}
		if !s.take(',') {
			if s.Peek() != '}' {
				return s.Expected("a comma or the end of the object")
			}
		} else if s.Peek() != '"' {
			return s.Expected("a field name")
		}
	}
	s.depth--
	return nil
}

// Array calls element for each element, with the scanner at it.
func (s *Scanner) Array(element func(i int) error) error {
	if !s.take('[') {
		return s.Expected("a list")
	}
	if err := s.enter(); err != nil {
		return err
	}
	if !s.take(']') {
		for i := 0; ; i++ {
			if err := element(i); err != nil {
				return err
			}
			if s.take(']') {
				break
			}
			if !s.take(',') {
				return s.Expected("a comma or the end of the list")
			}
		}
	}
	s.depth--
	return nil
}

// Skip passes over any value.
func (s *Scanner) Skip() error {
	switch c := s.Peek(); c {
	case '"':
		_, err := s.String()
		return err
	case '{':
		return s.Object(func(string) error { return s.Skip() })
	case '[':
		return s.Array(func(int) error { return s.Skip() })
	case 't', 'f', 'n':
		for _, word := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(s.text[s.at:], word) {
				s.at += len(word)
				return nil
			}
		}
		return s.Expected("a value")
	default:
		return s.number()
	}
}

// number passes over a number: -? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?
func (s *Scanner) number() error {
	start := s.at
	s.sign("-")
	if !s.one("0") && s.digits() == 0 {
		s.at = start
		return s.Expected("a value")
	}
	if s.one(".") && s.digits() == 0 {
		return s.Expected("a digit")
	}
	if s.one("eE") {
		s.sign("+-")
		if s.digits() == 0 {
			return s.Expected("a digit")
		}
	}
	return nil
}

// one passes over one byte of a set.
func (s *Scanner) one(set string) bool {
	if s.at < len(s.text) && strings.IndexByte(set, s.text[s.at]) >= 0 {
		s.at++
		return true
	}
	return false
}

func (s *Scanner) sign(set string) { _ = s.one(set) }

func (s *Scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && s.text[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at - start
}

// End makes sure that nothing follows.
func (s *Scanner) End() error {
	if s.Peek(); s.at < len(s.text) {
		return s.Expected("the end of the text")
	}
	return nil
}
