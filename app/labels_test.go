package app

import "testing"

func TestParseLabels(t *testing.T) {
	f := func(text, want, wantErr string) {
		t.Helper()
		got, err := parseLabels(text)
		if wantErr != "" {
			if err == nil || err.Error() != wantErr {
				t.Errorf("%s: error %v, want %q", text, err, wantErr)
			}
			return
		}
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	f(`a="1"`, `{a="1"}`, "")
	f(`{ b = "x,y}" , a="1", }`, `{a="1", b="x,y}"}`, "")
	f(`a="q\"uote"`, `{a="q\"uote"}`, "")
	f(``, "", "at least one label is needed")
	f(`a`, "", `name="value" is expected at "a"`)
	f(`a=1, b = two words ,c="3"`, `{a="1", b="two words", c="3"}`, "")
	f(`{"b":"2","a":"1"}`, `{a="1", b="2"}`, "")
	f(`a="1`, "", "the value of a: the closing quote is missing")
	f(`{a="1"`, "", "the closing brace is missing")
	f(`a="1" b="2"`, "", `a comma is expected at "b=\"2\""`)
	f(`a="1",a="2"`, "", "a stands twice")
}

func FuzzParseLabels(f *testing.F) {
	f.Add(`{a="1", b="2"}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseLabels(text)
		if err != nil {
			return
		}
		again, err := parseLabels(got.String())
		if err != nil || again.String() != got.String() {
			t.Errorf("%q became %s and then %s, %v", text, got, again, err)
		}
	})
}
