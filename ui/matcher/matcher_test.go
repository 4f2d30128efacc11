package matcher_test

import (
	"testing"

	"signalbox/ui/matcher"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/promslog"
)

// matcherTexts are forms of matchers, good and bad.
func matcherTexts() []string {
	return []string{
		`alertname="HostDown"`, `alertname=HostDown`, `alertname=~"Host.*"`, `alertname!~Host.*`, ` a = b `, "\ta\n!=\r\"b\" ",
		`a=`, `a=""`, `a!=""`, `a=~`, `a`, `=b`, `"=b"`, `a b`, `a==b`, `a=~=b`, `a=~~b`, `a!b`, `a<b`, ``, ` `, `a=b,`, `a=b,c=d`, `a=b c`,
		`"foo.bar"="x"`, `foo.bar=x`, `größe=~"1.*"`, `größe=1,`, `"größe" != "ü",`, `größe=1 2`, `"a\tb"=c`, `"a\x41"=c`, `"a` + "\n" + `b"=c`, `ü="x\ny"`, `ü="\d"`, `ü=x\d`,
		`{a=b}`, ` {a=b} `, ` {ü=b} `, ` {ü=b,} `, ` {ü=b `, `a=b}`, ` {} `, ` { `, ` ü=b} `,
		`a="x\"y\\z\.w\n"`, `a="x`, `a=x"`, `a="x"y"`, `a="x\"`, `a="x\\"`, `a=x\`, `a=~"\d+\.\w"`, `a=~"["`, `ü=~"["`, `a='b'`, "a=`b`", `a:b=c`, `1a=b`, `_=b`, `a="b" `, `a="b",`, `a=","`,
	}
}

// sameAsAlertmanager compares a reading with that of Alertmanager itself.
func sameAsAlertmanager(t *testing.T, reference compat.ParseMatcher, text string) {
	t.Helper()
	got, err := matcher.Parse(text)
	want, wantErr := reference(text, "test")
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("parse %q: got error %v, Alertmanager's %v", text, err, wantErr)
	}
	if err != nil {
		return
	}
	if got.Name != want.Name || got.Op != want.Type.String() || got.Value != want.Value {
		t.Fatalf("parse %q: got %s %s %q, Alertmanager reads %s %s %q", text, got.Name, got.Op, got.Value, want.Name, want.Type, want.Value)
	}
	if want.Value == "" {
		return // tested below: Alertmanager's API treats it apart
	}
	for _, value := range []string{"", "b", "HostDown", "Host\nDown", "1", "ü", "x", want.Value, want.Value + "x"} {
		if g, w := got.Matches(value, true), want.Matches(value); g != w {
			t.Fatalf("%q on %q: got %v, Alertmanager says %v", text, value, g, w)
		}
	}
}

func TestParse_isThatOfAlertmanager(t *testing.T) {
	reference := compat.FallbackMatcherParser(promslog.NewNopLogger())
	for _, text := range matcherTexts() {
		sameAsAlertmanager(t, reference, text)
	}
	if _, err := matcher.Parse("a=\xff"); err == nil {
		t.Error("invalid UTF-8 is taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range matcherTexts() {
		f.Add(text)
	}
	reference := compat.FallbackMatcherParser(promslog.NewNopLogger())
	f.Fuzz(func(t *testing.T, text string) {
		// Alertmanager takes names that are no UTF-8; no label can have one.
		if _, err := matcher.Parse(text); err == nil || err.Error() != "matcher is not valid UTF-8" {
			sameAsAlertmanager(t, reference, text)
		}
	})
}

// TestMatcher_emptyValue holds what Alertmanager's API does with a matcher of the empty value.
func TestMatcher_emptyValue(t *testing.T) {
	type answers struct{ absent, empty, full bool }
	want := map[labels.MatchType]answers{
		labels.MatchEqual: {true, true, false}, labels.MatchRegexp: {true, true, false},
		labels.MatchNotEqual: {false, true, true}, labels.MatchNotRegexp: {false, true, true},
	}
	for op, w := range want {
		m, err := matcher.Parse("a" + op.String() + `""`)
		if err != nil {
			t.Fatal(err)
		}
		got := answers{m.Matches("", false), m.Matches("", true), m.Matches("x", true)}
		if diff := cmp.Diff(w, got, cmp.AllowUnexported(answers{})); diff != "" {
			t.Errorf("a%s\"\" (-want +got):\n%s", op, diff)
		}
	}
}
