package store

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

var update = flag.Bool("update", false, "rewrite the snapshots in testdata")

// snapshot compares a text with testdata/<name>.sql.
func snapshot(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".sql")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (go test ./store -run Snapshot -update): %s", path, diff)
	}
}

// TestSnapshot_queries holds every question as it goes out: plain, and with each kind of condition. Values never stand in
// the text.
func TestSnapshot_queries(t *testing.T) {
	s := &Store{names: names{Database: "signalbox"}}
	plain := itsm.HistoryQuery{From: time.Unix(1_767_225_600, 0), To: time.Unix(1_767_229_200, 5), Limit: 100}
	label := itsm.HistoryMatcher{Label: true, Name: "job", Op: "=~", Value: "node'.*"}
	cursor := func(key ...string) string { return encodeCursor(plain.From, key...) }
	for _, c := range []struct {
		name, text string
		fields     map[string]field
		matchers   []itsm.HistoryMatcher
		after      string
	}{
		{"alerts", queryAlerts, alertFields(), []itsm.HistoryMatcher{label, {Name: "severity", Op: "!=", Value: "info"}}, cursor("1", "inc", "firing", "2")},
		{"volume", queryVolume, alertFields(), []itsm.HistoryMatcher{label, {Name: "item", Op: "=", Value: "sw-1"}}, ""},
		{
			"incidents", queryIncidents, incidentFields(),
			[]itsm.HistoryMatcher{{Name: "item", Op: "!~", Value: "sw-.*"}, {Name: "priority", Op: "<=", Value: "2"}},
			cursor("inc"),
		},
		{"changes", queryChanges, changeFields(), []itsm.HistoryMatcher{{Name: "item", Op: "=", Value: "sw-1"}}, cursor("deploy-1", "0", "7", "0")},
	} {
		var b strings.Builder
		full := plain
		full.Matchers, full.Words, full.After = c.matchers, []string{"disk_full"}, c.after
		for _, q := range []itsm.HistoryQuery{plain, full} {
			sql, args, err := s.build(c.text, q, c.fields)
			if err != nil {
				t.Fatal(err)
			}
			write(&b, sql, args)
		}
		snapshot(t, c.name, b.String())
	}
	for name, text := range map[string]string{"series": querySeries, "samples": querySamples} {
		sql, args, err := s.buildSamples(text, itsm.SampleQuery{
			From: plain.From, To: plain.To, Limit: 10,
			Matchers: []itsm.HistoryMatcher{{Name: "__name__", Op: "=", Value: "up"}, {Name: "job", Op: "!=", Value: "node"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		write(&b, sql, args)
		snapshot(t, name, b.String())
	}
	for name, text := range map[string]string{
		"revisions": queryRevisions, "timeline": queryTimeline, "adopting": queryAdopting, "recorded": queryRecorded, "version": queryVersion,
		"position": queryPosition,
	} {
		snapshot(t, name, s.named(text)+"\n")
	}
}

func write(b *strings.Builder, sql string, args []any) {
	b.WriteString(sql + "\n")
	for _, a := range args {
		if v, ok := a.(driver.NamedValue); ok {
			fmt.Fprintf(b, "-- %s = %q\n", v.Name, v.Value)
		}
	}
	b.WriteString("\n")
}

// TestSnapshot_schema holds the tables as they are created, on one server and on a cluster.
func TestSnapshot_schema(t *testing.T) {
	one := DefaultConfig()
	cluster := one
	cluster.Cluster, cluster.Database = "main", "history"
	for name, c := range map[string]Config{"schema": one, "schema_cluster": cluster} {
		var b strings.Builder
		n := c.names()
		for _, table := range tables() {
			statement, err := n.statement(table)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(strings.TrimSpace(statement) + ";\n\n")
		}
		snapshot(t, name, b.String())
	}
}
