package scan

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"
)

// read builds the value that a scanner stands at, as encoding/json does with UseNumber.
func read(s *Scanner) (any, error) {
	switch s.Peek() {
	case '{':
		m := map[string]any{}
		err := s.Object(func(name string) error {
			v, err := read(s)
			m[replaceInvalid(name)] = v
			return err
		})
		return m, err
	case '[':
		list := []any{}
		err := s.Array(func(i int) error {
			if i != len(list) {
				panic("the elements are not counted")
			}
			v, err := read(s)
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		text, err := s.String()
		return replaceInvalid(text), err
	}
	from := s.Pos()
	if err := s.Skip(); err != nil {
		return nil, err
	}
	switch raw := s.Since(from); raw {
	case "null":
		return nil, nil
	case "true", "false":
		return raw == "true", nil
	default:
		return json.Number(raw), nil
	}
}

// replaceInvalid does what encoding/json does to invalid UTF-8 in strings.
func replaceInvalid(s string) string { return string([]rune(s)) }

// compare holds the scanner against encoding/json, once reading and once passing over.
func compare(t *testing.T, text []byte) {
	t.Helper()
	original := bytes.Clone(text)
	var want any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	wantErr := dec.Decode(&want)
	if wantErr == nil {
		if _, err := dec.Token(); err != io.EOF {
			wantErr = io.ErrUnexpectedEOF
		}
	}
	s := New(text)
	got, err := read(&s)
	if err == nil {
		err = s.End()
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: got error %v, encoding/json %v", text, err, wantErr)
	}
	skipper := New(text)
	skipErr := skipper.Skip()
	if skipErr == nil {
		skipErr = skipper.End()
	}
	if (skipErr == nil) != (wantErr == nil) {
		t.Fatalf("%q: passing over gives error %v, encoding/json %v", text, skipErr, wantErr)
	}
	if err != nil {
		return
	}
	if !reflect.DeepEqual(want, got) { // cmp takes minutes for a deep nest
		t.Fatalf("%q: got %v, want %v", text, got, want)
	}
	if s.Deepest != skipper.Deepest || s.depth != 0 {
		t.Fatalf("%q: depths %d and %d, at the end %d", text, s.Deepest, skipper.Deepest, s.depth)
	}
	if !bytes.Equal(text, original) {
		t.Fatal("the text has changed")
	}
}

func corpus() []string {
	return []string{
		``, ` `, `null`, `true`, `false`, `nul`, `nulll`, `truefalse`, `0`, `-0`, `-`, `01`, `1.`, `.1`, `1.5e`, `1e5`, `1E+5`, `1e-05`, `-1.25`, `+1`,
		`1 2`, `{}`, `[]`, `[`, `]`, `{`, `}`, `[]]`, `[,]`, `[1,]`, `[1 2]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `{,}`, `{"a":1,,}`,
		`{"a":{"b":[1,2,{"c":null}]},"a":2}`, "\t\n\r [ 1 , 2 ] ", "\v1", "\x001", "1\x00", "\ufeff{}",
		`"plain"`, `"esc \" \\ \/ \b \f \n \r \t"`, `"\u00fc\u6e29"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ud83dx"`,
		`"\u12"`, `"\u12g4"`, `"\x"`, `"\`, `"\"`, `"`, `"\u0000"`, "\"tab\t\"", "\"line\n\"", "\"esc \\n then\t\"", "\"esc \\n then\x1f\"", "\"\x1f\"", "\"\x20\"", "\"\xff\"", "\"\\n\xff\xc3\"", "\"\xed\xa0\x80\"",
		`"ünï 温度 😀"`, `{"\u0061":1,"a":2}`, `["\ud800\u0041"]`, `"\uD83D\uDE00"`, `"` + strings.Repeat(`\u00e9`, 100) + `"`,
		strings.Repeat("[", 200) + strings.Repeat("]", 200), strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001), strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300), strings.Repeat("[", 1<<20),
	}
}

func TestScanner_readsAsEncodingJSON(t *testing.T) {
	for _, text := range corpus() {
		compare(t, []byte(text))
	}
}

func TestScanner_readsEveryString(t *testing.T) {
	if err := quick.Check(func(text string, asRunes []rune) bool {
		for _, v := range []string{text, string(asRunes)} {
			b, err := json.Marshal(map[string]string{v: v})
			if err != nil {
				return false
			}
			compare(t, b)
		}
		return true
	}, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range corpus() {
		if len(text) < 1000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(compare)
}

func TestScanner_keepsInvalidUTF8(t *testing.T) {
	for text, want := range map[string]string{"\"a\xff\"": "a\xff", "\"\\n\xff\"": "\n\xff"} {
		s := New([]byte(text))
		if got, err := s.String(); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
		if s.Valid() {
			t.Errorf("%q passes for UTF-8", text)
		}
	}
}

func TestScanner_doesNotAliasItsText(t *testing.T) {
	text := []byte(`["plain","esc\n"]`)
	s := New(text)
	clear(text)
	v, err := read(&s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"plain", "esc\n"}, v); diff != "" {
		t.Error(diff)
	}
}

func TestScanner_countsDepth(t *testing.T) {
	s := New([]byte(`[1,[2,[3]],{"a":[[]]}]`))
	if err := s.Skip(); err != nil {
		t.Fatal(err)
	}
	if s.Deepest != 4 {
		t.Errorf("got %d, want 4", s.Deepest)
	}
}

func TestScanner_saysWhatItExpected(t *testing.T) {
	for text, want := range map[string]string{
		`[1,2`:         `a comma or the end of the list is expected at byte 4, where the text ends`,
		`{"a" 1}`:      `a colon is expected at byte 5, where '1' stands`,
		"\ufeff[]":     `a value is expected at byte 0, where '\ufeff' stands`,
		`[] x`:         `the end of the text is expected at byte 3, where 'x' stands`,
		`["a` + "\x01": `a character that is not a control character is expected at byte 3, where '\x01' stands`,
		`["\q"]`:       `a valid escape is expected at byte 2, where '\\' stands`,
	} {
		s := New([]byte(text))
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
