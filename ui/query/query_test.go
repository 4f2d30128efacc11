package query_test

import (
	"strings"
	"testing"
	"time"

	"signalbox/ui/query"
)

func schema() query.Schema {
	return query.Schema{Labels: true, Fields: map[string]query.Kind{
		"state": query.Text, "priority": query.Number, "age": query.Duration, "openedAt": query.Time,
	}}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		in             string
		fields, labels string
		words          string
	}{
		{in: ""},
		{in: ` , `},
		{in: `alertname=~"Kube.*" priority<=2 state!="resolved" age>1h`, labels: `alertname =~ Kube.*`, fields: `priority <= 2;state != resolved;age > 1h`},
		{in: `{alertname="A",instance="b"}`, labels: `alertname = A;instance = b`},
		{in: `switch "Core two"`, words: `switch;core two`},
		{in: `priority <= 2 core`, fields: `priority <= 2`, words: `core`},
		{in: `a='it''s'`, labels: `a = it`, words: `s`},
		{in: `a="x\"y\\z\.w"`, labels: `a = x"y\z\.w`},
		{in: `labels.state="x"`, labels: `state = x`},
		{in: `"state"="x"`, labels: `state = x`},
		{in: `a=""`, labels: `a = `},
		{in: `instance=sw-1:9116`, labels: `instance = sw-1:9116`},
		{in: `url=http://x/?a=b`, labels: `url = http://x/?a=b`},
	} {
		q, err := query.Parse(tc.in, schema())
		if err != nil {
			t.Errorf("Parse(%q): %v", tc.in, err)
			continue
		}
		if got := list(q.Fields); got != tc.fields {
			t.Errorf("Parse(%q): fields %q, want %q", tc.in, got, tc.fields)
		}
		if got := list(q.Labels); got != tc.labels {
			t.Errorf("Parse(%q): labels %q, want %q", tc.in, got, tc.labels)
		}
		if got := strings.Join(q.Words, ";"); got != tc.words {
			t.Errorf("Parse(%q): words %q, want %q", tc.in, got, tc.words)
		}
	}
}

func list(ms []query.Matcher) string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.Name + " " + string(m.Op) + " " + m.Value
	}
	return strings.Join(parts, ";")
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		`a=`:                      `at character 3: a value is expected after a=`,
		`="x"`:                    `at character 1: a name is expected before =`,
		`a="x`:                    `at character 3: the quote is not closed`,
		`a=~"("`:                  `at character 4: not a regular expression: missing closing ): `,
		`priority<high`:           `at character 10: priority< needs a number, got "high"`,
		`age>soon`:                `at character 5: age> needs a duration such as 90s, 15m or 1h30m, got "soon"`,
		`openedAt>yesterday`:      `at character 10: openedAt> needs a time`,
		`state<new`:               `at character 7: state has no order; use = != =~ !~`,
		`a!b`:                     `at character 2: "!" is not an operator`,
		`""`:                      `at character 1: an empty word`,
		strings.Repeat("x", 5000): `longer than 4096 bytes`,
		"a=\xff":                  `not valid UTF-8`,
	} {
		_, err := query.Parse(in, schema())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): %v, want %q", in, err, want)
		}
	}
	if _, err := query.Parse(`colour="red"`, query.Schema{}); err == nil || !strings.Contains(err.Error(), `there is no field "colour"`) {
		t.Errorf("unknown field without labels: %v", err)
	}
}

func TestMatch(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		in   string
		test func(query.Matcher) bool
		want bool
	}{
		{`x="a"`, text("a"), true},
		{`x="a"`, text("b", "a"), true},
		{`x!="a"`, text("b", "a"), false},
		{`x!="a"`, text("b"), true},
		{`x!="a"`, text(), true},
		{`x=""`, text(), true},
		{`x=~"a|b"`, text("ab"), false},
		{`x=~"a.*"`, text("a\nb"), true},
		{`x!~"a|b"`, text("b"), false},
		{`x>10`, text("9"), false},
		{`x>10`, text("11"), true},
		{`x>10`, text("many"), false},
		{`priority<=2`, func(m query.Matcher) bool { return m.Number(2) }, true},
		{`priority!=2`, func(m query.Matcher) bool { return m.Number(2) }, false},
		{`priority=~"1|2"`, func(m query.Matcher) bool { return m.Number(2) }, true},
		{`age>1h30m`, func(m query.Matcher) bool { return m.Age(91 * time.Minute) }, true},
		{`age>=1d`, func(m query.Matcher) bool { return m.Age(23 * time.Hour) }, false},
		{`openedAt>15m`, func(m query.Matcher) bool { return m.Time(now.Add(-10*time.Minute), now) }, true},
		{`openedAt>15m`, func(m query.Matcher) bool { return m.Time(now.Add(-20*time.Minute), now) }, false},
		{`openedAt<2026-01-02T12:00:00Z`, func(m query.Matcher) bool { return m.Time(now.Add(-time.Second), now) }, true},
		{`openedAt<2026-01-02T12:00:00Z`, func(m query.Matcher) bool { return m.Time(time.Time{}, now) }, false},
	} {
		q, err := query.Parse(tc.in, schema())
		if err != nil {
			t.Fatalf("Parse(%q): %v", tc.in, err)
		}
		m := append(q.Fields, q.Labels...)[0]
		if got := tc.test(m); got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.in, got, tc.want)
		}
	}
}

func text(values ...string) func(query.Matcher) bool {
	return func(m query.Matcher) bool { return m.Text(values...) }
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`alertname=~"Kube.*" priority<=2 state!="resolved" age>1h`, `{a="b",c!~"d"}`, `"quoted word" x`, `age>1w2d3h4m5s6ms`,
		`openedAt>=2026-01-02T10:00:00Z`, `a=~"[`, "a='\\", `= < >`, `priority>1e400`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := query.Parse(s, schema())
		if err != nil {
			if q != nil || err.Error() == "" {
				t.Errorf("Parse(%q): %v, %v", s, q, err)
			}
			return
		}
		for _, m := range append(q.Fields, q.Labels...) {
			m.Text("a", "1")
			m.Number(1)
			m.Age(time.Hour)
			m.Time(time.Unix(1, 0), time.Unix(2, 0))
		}
		again, err := query.Parse(s, schema())
		if err != nil || list(again.Labels) != list(q.Labels) {
			t.Errorf("Parse(%q) twice: %v", s, err)
		}
	})
}
