package alertmanager

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a body may be nested.
const maxDepth = 64

// scanner reads JSON from a text in one pass. Strings without escapes are pieces of that text, so
// that a body of a hundred alerts costs a handful of allocations. It checks the grammar of RFC 8259.
type scanner struct {
	text string
	at   int
}

var errDepth = fmt.Errorf("nested deeper than %d", maxDepth)

func (s *scanner) fail(want string) error {
	if s.at >= len(s.text) {
		return fmt.Errorf("%s is expected at byte %d, the body ends there", want, s.at)
	}
	return fmt.Errorf("%s is expected at byte %d", want, s.at)
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() == c && s.at < len(s.text) {
		s.at++
		return true
	}
	return false
}

// null takes the word null when it comes next.
func (s *scanner) null() bool {
	if s.peek() == 'n' && strings.HasPrefix(s.text[s.at:], "null") {
		s.at += 4
		return true
	}
	return false
}

// string reads a string.
func (s *scanner) string() (string, error) {
	if !s.take('"') {
		return "", s.fail("a string")
	}
	start := s.at
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.text[start:i], nil
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			s.at = i
			return "", s.fail("a character that is not a control character")
		}
	}
	s.at = len(s.text)
	return "", s.fail("the end of a string")
}

// escaped reads a string that has an escape in it.
func (s *scanner) escaped(start int) (string, error) {
	for i := start; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '"':
			raw := s.text[start-1 : i+1]
			if !utf8.ValidString(raw) {
				s.at = i + 1
				return raw, nil // Validate says which field it is
			}
			var v string
			if err := json.Unmarshal([]byte(raw), &v); err != nil {
				s.at = start
				return "", s.fail("a valid escape")
			}
			s.at = i + 1
			return v, nil
		}
	}
	s.at = len(s.text)
	return "", s.fail("the end of a string")
}

// object calls field for each member, with the scanner at its value.
func (s *scanner) object(field func(name string) error) error {
	if !s.take('{') {
		return s.fail("an object")
	}
	if s.take('}') {
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.fail("a field name")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.fail("a colon")
		}
		if err := field(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.fail("a comma or the end of the object")
		}
	}
}

// array calls element for each element, with the scanner at it.
func (s *scanner) array(element func(i int) error) error {
	if !s.take('[') {
		return s.fail("a list")
	}
	if s.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.fail("a comma or the end of the list")
		}
	}
}

// skip passes over any value; depth is how deep the scanner is already.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	switch c := s.peek(); {
	case c == '"':
		_, err := s.string()
		return err
	case c == '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.array(func(int) error { return s.skip(depth + 1) })
	case c == 't' || c == 'f' || c == 'n':
		for _, word := range []string{"true", "false", "null"} {
			if strings.HasPrefix(s.text[s.at:], word) {
				s.at += len(word)
				return nil
			}
		}
		return s.fail("a value")
	default:
		return s.number()
	}
}

func (s *scanner) number() error {
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("+-0123456789.eE", s.text[s.at]) >= 0 {
		s.at++
	}
	if start == s.at || !json.Valid([]byte(s.text[start:s.at])) {
		s.at = start
		return s.fail("a value")
	}
	return nil
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.peek() != 0 || s.at < len(s.text) {
		return s.fail("the end of the body")
	}
	return nil
}
