package itsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Label is one name and value.
type Label struct{ Name, Value string }

// Labels is a label set, sorted by name, each name once. Its JSON form is an object.
type Labels []Label

// NewLabels returns the set of a map.
func NewLabels(m map[string]string) Labels {
	if len(m) == 0 {
		return nil
	}
	ls := make(Labels, 0, len(m))
	for n, v := range m {
		ls = append(ls, Label{n, v})
	}
	ls.Sort()
	return ls
}

// Sort brings the set into order; needed only after building it by hand.
func (ls Labels) Sort() {
	slices.SortFunc(ls, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })
}

// Get returns the value of a name, or "".
func (ls Labels) Get(name string) string {
	for i := range ls {
		if ls[i].Name == name {
			return ls[i].Value
		}
	}
	return ""
}

// Has tells whether the name is there, even with an empty value.
func (ls Labels) Has(name string) bool {
	for i := range ls {
		if ls[i].Name == name {
			return true
		}
	}
	return false
}

// Without returns the set without the given names; the receiver itself when none of them is in it.
func (ls Labels) Without(names []string) Labels {
	for i := range ls {
		if !slices.Contains(names, ls[i].Name) {
			continue
		}
		out := slices.Clone(ls[:i])
		for _, l := range ls[i+1:] {
			if !slices.Contains(names, l.Name) {
				out = append(out, l)
			}
		}
		return out
	}
	return ls
}

// Map returns the set as a new map.
func (ls Labels) Map() map[string]string {
	m := make(map[string]string, len(ls))
	for _, l := range ls {
		m[l.Name] = l.Value
	}
	return m
}

// String is the form of Prometheus: {a="b", c="d"}.
func (ls Labels) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, l := range ls {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.Name)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(l.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// MarshalJSON implements json.Marshaler.
func (ls Labels) MarshalJSON() ([]byte, error) { return ls.AppendJSON(nil), nil }

// AppendJSON appends the set as a JSON object to b.
func (ls Labels) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, l := range ls {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSONString(b, l.Name)
		b = append(b, ':')
		b = AppendJSONString(b, l.Value)
	}
	return append(b, '}')
}

// UnmarshalJSON implements json.Unmarshaler. A name that stands twice is an error.
func (ls *Labels) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok == nil {
		*ls = nil
		return nil
	}
	if tok != json.Delim('{') {
		return errors.New("labels: an object of strings is expected")
	}
	var out Labels
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var value *string
		if err := dec.Decode(&value); err != nil || value == nil {
			return fmt.Errorf("labels.%v: a string is expected", name)
		}
		out = append(out, Label{name.(string), *value})
	}
	out.Sort()
	for i := 1; i < len(out); i++ {
		if out[i].Name == out[i-1].Name {
			return fmt.Errorf("labels.%s: stands twice", out[i].Name)
		}
	}
	*ls = out
	return nil
}

// Fingerprint identifies a label set.
type Fingerprint uint64

// FNV-1a, 64 bit, as in prometheus/common model.LabelSet.Fingerprint.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Fingerprint returns Prometheus' own fingerprint of the set: FNV-1a over the names and values in
// the order of their names, each followed by the byte 255 (prometheus/common, model/signature.go).
func (ls Labels) Fingerprint() Fingerprint {
	h := uint64(fnvOffset)
	for i := range ls {
		h = hashString(h, ls[i].Name)
		h = hashString(h, ls[i].Value)
	}
	return Fingerprint(h)
}

func hashString(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return (h ^ 255) * fnvPrime
}

// String is 16 hexadecimal digits.
func (f Fingerprint) String() string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[15-i] = digits[f>>(4*i)&15]
	}
	return string(b[:])
}

// ParseFingerprint reads 16 hexadecimal digits.
func ParseFingerprint(s string) (Fingerprint, error) {
	if len(s) != 16 {
		return 0, fmt.Errorf("fingerprint %q: 16 hexadecimal digits are expected", s)
	}
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("fingerprint %q: 16 hexadecimal digits are expected", s)
	}
	return Fingerprint(v), nil
}

// MarshalText implements encoding.TextMarshaler.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Fingerprint) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFingerprint(string(b))
	return err
}

// Shard returns the shard (0 … n-1) of a label set: the hash of the labels named in by, or of
// the alertname when none of them is there.
func (ls Labels) Shard(by []string, n int) int {
	if n <= 1 {
		return 0
	}
	h, found := uint64(fnvOffset), false
	for _, name := range by {
		if v := ls.Get(name); v != "" {
			h, found = hashString(hashString(h, name), v), true
		}
	}
	if !found {
		h = hashString(h, ls.Get("alertname"))
	}
	return int(h % uint64(n))
}

// AppendJSONString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func AppendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f || c == '<' || c == '>' || c == '&' {
			enc, err := json.Marshal(s)
			if err != nil { // a string always marshals
				panic(err)
			}
			return append(b, enc...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
