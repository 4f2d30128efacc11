package score_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate/score"
	"signalbox/itsm"
)

func TestRun_errorsNameFileAndLine(t *testing.T) {
	tests := []struct {
		name string
		edit func(t *testing.T, f *score.Files)
		want string
	}{
		{"no header", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Truth = write(t, "truth.csv", "")
		}, "truth.csv:1: the header line,fault is missing"},
		{"column missing", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Truth = write(t, "truth.csv", "line,phase\n")
		}, "truth.csv:1: the header must be line,fault, column fault is missing"},
		{"column unknown", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Truth = write(t, "truth.csv", "line,fault,note\n")
		}, `truth.csv:1: unknown column "note", the header must be line,fault`},
		{"column twice", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Truth = write(t, "truth.csv", "line,fault,line\n")
		}, "truth.csv:1: a column stands twice"},
		{"not a number", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Assignments = write(t, "a.csv", "line,incident\n1,i1\nx,i1\n")
		}, `a.csv:3: line must be a number from 1, got "x"`},
		{"line twice", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Assignments = write(t, "a.csv", "incident,line\ni1,1\ni1,1\n")
		}, "a.csv:3: line 1 stands twice"},
		{"short row", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Assignments = write(t, "a.csv", "line,incident\n1\n")
		}, "a.csv:2: wrong number of fields"},
		{"unknown incident", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Assignments = write(t, "a.csv", "line,incident\n1,i1\n2,nobody\n")
		}, `a.csv:3: line 2 is assigned to incident "nobody", which is not in the incidents file or was merged away`},
		{"merged incident", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Assignments = write(t, "a.csv", "line,incident\n1,m\n")
		}, `a.csv:2: line 1 is assigned to incident "m"`},
		{"unknown field", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Incidents = write(t, "i.jsonl", `{"id":"a"}`+"\n"+`{"id":"b","colour":"red"}`+"\n")
		}, `i.jsonl:2: json: unknown field "colour"`},
		{"unknown field of an alert", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Incidents = write(t, "i.jsonl", `{"id":"b","alerts":[{"colour":"red"}]}`)
		}, `i.jsonl:1: json: unknown field "colour"`},
		{"two a line", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Incidents = write(t, "i.jsonl", `{"id":"a"} {"id":"b"}`)
		}, "i.jsonl:1: one incident a line"},
		{"incident twice", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Incidents = write(t, "i.jsonl", `{"id":"a"}`+"\n"+`{"id":"a"}`)
		}, `i.jsonl:2: incident "a" stands twice`},
		{"incident without id", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Incidents = write(t, "i.jsonl", `{}`)
		}, "i.jsonl:1: id is missing"},
		{"cause twice", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Causes = write(t, "c.csv", "fault,cause\nA,x\nA,y\n")
		}, `c.csv:3: fault "A" stands twice`},
		{"no cause", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Causes = write(t, "c.csv", "fault,cause\nA,|\n")
		}, `c.csv:2: fault "A" has no cause`},
		{"cause of nothing", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Causes = write(t, "c.csv", "fault,cause\n,x\n")
		}, "c.csv:2: the fault is empty"},
		{"no file", func(t *testing.T, f *score.Files) {
			t.Helper()
			f.Truth += ".not"
		}, "truth.csv.not: no such file"},
		{"not gzip", func(t *testing.T, f *score.Files) {
			t.Helper()
			plain := f.Truth
			f.Truth += ".gz"
			if err := os.Rename(plain, f.Truth); err != nil {
				t.Fatal(err)
			}
		}, "truth.csv.gz: gzip: invalid header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := example(t, "")
			tt.edit(t, &files)
			_, err := score.Run(files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestReadIncidents_fullForm keeps the list of known fields equal to the incident's public form.
func TestReadIncidents_fullForm(t *testing.T) {
	text, change := "x", "deploy-77"
	now := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	inc := itsm.Incident{
		ID: "a", Number: "INC-000001",
		Causes: []itsm.Cause{{Item: "sw-1", Change: &change, Evidence: []itsm.Evidence{{Kind: itsm.EvidenceOwn, Text: "x", Weight: 1}}}},
		Alerts: []itsm.AlertState{{
			Count: 3, Item: &text, Tried: "x", Acknowledged: &itsm.Acknowledgement{By: "maria", At: now},
			Evidence: []itsm.Evidence{{Kind: itsm.EvidenceOwn, Text: "x", Weight: 1}},
		}},
		Links:        []itsm.Link{{Type: itsm.LinkParent, To: "b"}},
		ExternalRefs: []itsm.ExternalRef{{System: "jira", ID: "1", URL: "u"}},
	}
	data, err := json.Marshal(inc)
	if err != nil {
		t.Fatal(err)
	}
	got, err := score.ReadIncidents("incidents.jsonl", strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	want := []score.Incident{{ID: "a", Number: "INC-000001", Periods: 3, Causes: []string{"sw-1"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func FuzzReaders(f *testing.F) {
	for _, seed := range []string{exampleAssignments, exampleIncidents, exampleTruth, exampleCauses, "line,incident\n\"1\n", "{"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		r := func() *strings.Reader { return strings.NewReader(text) }
		assignments, _ := score.ReadAssignments("a", r())
		incidents, _ := score.ReadIncidents("i", r())
		truth, _ := score.ReadTruth("t", r())
		expected, _ := score.ReadCauses("c", r())
		_, _ = score.Compute(score.Input{Assignments: assignments, Incidents: incidents, Truth: truth, Expected: expected})
	})
}
