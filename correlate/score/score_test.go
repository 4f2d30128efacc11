package score_test

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/correlate/score"
)

// The example is computed by hand. Faults A (lines 1–4), B (5–7) and C (10), noise on 8 and 9.
// Line 11 has no truth row, line 12 is no firing line: neither counts.
const (
	exampleTruth       = "line,fault\n1,A\n2,A\n3,A\n4,A\n5,B\n6,B\n7,B\n8,\n9,\n10,C\n12,A\n"
	exampleAssignments = "line,incident\n1,i1\n2,i1\n3,i1\n4,i2\n5,i2\n6,i2\n7,\n8,i1\n9,i3\n10,i1\n11,i3\n"
	exampleIncidents   = `{"id":"i1","number":"INC-000001","mergedInto":null,"causes":[{"item":"z"},{"item":"y","change":"deploy-1"},{"item":"w"}],"alerts":[{"count":2},{"count":3}]}
{"id":"m","number":"INC-000002","mergedInto":"i1","causes":[],"alerts":[{"count":9}]}
{"id":"i2","number":"INC-000003","mergedInto":null,"causes":[{"item":"b"}],"alerts":[{"count":3}]}

{"id":"i3","number":"INC-000004","mergedInto":null,"causes":[],"alerts":[{"count":1}]}
`
	exampleCauses = "fault,cause\nA,x|y\nB,b\nC,c\nD,d\n"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !strings.HasSuffix(name, ".gz") {
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return path
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func example(t *testing.T, suffix string) score.Files {
	t.Helper()
	return score.Files{
		Assignments: write(t, "assignments.csv"+suffix, exampleAssignments),
		Incidents:   write(t, "incidents.jsonl"+suffix, exampleIncidents),
		Truth:       write(t, "truth.csv"+suffix, exampleTruth),
		Causes:      write(t, "causes.csv"+suffix, exampleCauses),
	}
}

func near() cmp.Option { return cmpopts.EquateApprox(0, 1e-12) }

func exampleScore() score.Score {
	return score.Score{
		Lines:         10,
		Incidents:     3,
		Compression:   new(1 - 3.0/9),              // periods: 2 + 3 in i1, 3 in i2, 1 in i3
		ARI:           new(31.0 / 171),             // pairs 4, 9, 9 of 28
		AMI:           new(0.20117380391211145),    // scikit-learn 1.9.1
		ARINoise:      new(1.0 / 6),                // pairs 4, 9, 13 of 45
		Purity:        new((3.0 + 2 + 1 + 1) / 10), // i1 A, i2 B, line 7 alone, i3 noise
		InversePurity: new((3.0 + 2 + 1) / 8),      // A in i1, B in i2, C in i1
		CauseAt1:      new(1.0 / 4),                // B
		CauseAt3:      new(2.0 / 4),                // A by a change on y, and B
		Faults:        3,                           // D has no line
		FaultsFound:   2,                           // C is not the majority of i1
	}
}

func TestRun_example(t *testing.T) {
	for _, suffix := range []string{"", ".gz"} {
		got, err := score.Run(example(t, suffix))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(exampleScore(), got, near()); d != "" {
			t.Errorf("suffix %q (-want +got):\n%s", suffix, d)
		}
	}
}

func TestRun_withoutCauses(t *testing.T) {
	files := example(t, "")
	files.Causes = ""
	got, err := score.Run(files)
	if err != nil {
		t.Fatal(err)
	}
	want := exampleScore()
	want.CauseAt1, want.CauseAt3 = nil, nil
	if d := cmp.Diff(want, got, near()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestScore_undefinedIsNull(t *testing.T) {
	s, err := score.Compute(score.Input{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"lines":0,"incidents":0,"compression":null,"ari":null,"ami":null,"ari_noise":null,"purity":null,` +
		`"inverse_purity":null,"cause_at_1":null,"cause_at_3":null,"faults":0,"faults_found":0}`
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestScore_onlyNoise(t *testing.T) {
	got, err := score.Compute(score.Input{
		Assignments: []score.Assignment{{Line: 1, Incident: "a"}, {Line: 2, Incident: "b"}, {Line: 3}},
		Incidents:   []score.Incident{{ID: "a", Periods: 1}, {ID: "b", Periods: 1}},
		Truth:       []score.Truth{{Line: 1}, {Line: 2}, {Line: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := score.Score{Lines: 3, Incidents: 2, Compression: new(0.0), ARINoise: new(1.0), Purity: new(1.0)}
	if d := cmp.Diff(want, got, near()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Equal shares: the incident that stands first answers, and half is not a majority.
func TestScore_tie(t *testing.T) {
	in := score.Input{
		Assignments: []score.Assignment{{Line: 1, Incident: "b"}, {Line: 2, Incident: "a"}},
		Incidents:   []score.Incident{{ID: "a", Periods: 1, Causes: []string{"x"}}, {ID: "b", Periods: 1, Causes: []string{"y"}}},
		Truth:       []score.Truth{{Line: 1, Fault: "A"}, {Line: 2, Fault: "A"}},
		Expected:    []score.Expected{{Fault: "A", Items: []string{"x"}}},
	}
	got, err := score.Compute(in)
	if err != nil {
		t.Fatal(err)
	}
	if got.FaultsFound != 0 || got.CauseAt1 == nil || *got.CauseAt1 != 1 {
		t.Errorf("found %d, cause@1 %v; want 0 and 1", got.FaultsFound, got.CauseAt1)
	}
}

// TestPartitions compares with scikit-learn 1.9.1: adjusted_rand_score and
// adjusted_mutual_info_score with its default, the arithmetic mean.
func TestPartitions(t *testing.T) {
	tests := []struct {
		name         string
		n            int
		class, group func(i int) int
		ari, ami     float64
	}{
		{"same", 4, func(i int) int { return i / 2 }, func(i int) int { return 1 - i/2 }, 1, 1},
		{"one group", 4, func(i int) int { return i / 2 }, func(int) int { return 0 }, 0, 0},
		{"one class, one group", 4, func(int) int { return 1 }, func(int) int { return 2 }, 1, 1},
		{"all alone", 4, func(i int) int { return i / 2 }, func(i int) int { return i }, 0, 0},
		{"both alone", 5, func(i int) int { return i }, func(i int) int { return i }, 1, 1},
		{"crossed", 4, func(i int) int { return i / 2 }, func(i int) int { return i % 2 }, -0.5, -0.5},
		{"one split", 4, func(i int) int { return i / 2 }, func(i int) int { return max(0, i-1) }, 0.5714285714285714, 0.5714285714285715},
		{"single", 1, func(int) int { return 0 }, func(int) int { return 0 }, 1, 1},
		{"unrelated", 2000, func(i int) int { return i * i % 7 }, func(i int) int { return (i*3 + i/5) % 11 }, -0.0020213431463138943, -0.003755980077918259},
		{"skewed", 2000, func(i int) int { return i * i / 1000 % 13 }, func(i int) int { return i / 90 }, -0.0006900514130805998, -0.004324442053625705},
		{"much too fine", 2000, func(i int) int { return i / 400 }, func(i int) int { return i / 2 }, 0.004005998983477758, 0.1731595310901208},
		{"large", 20000, func(i int) int { return i / 3000 }, func(i int) int {
			if i%17 == 0 {
				return i/3000*7 + 1
			}
			return i / 3000 * 7
		}, 0.9320816786145575, 0.9453528671678539},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := score.Input{}
			names := map[int]string{}
			for i := range tt.n {
				g := tt.group(i)
				if names[g] == "" {
					names[g] = "g" + string(rune('0'+len(names)%10)) + strings.Repeat("x", len(names)/10)
					in.Incidents = append(in.Incidents, score.Incident{ID: names[g]})
				}
				in.Assignments = append(in.Assignments, score.Assignment{Line: i + 1, Incident: names[g]})
				in.Truth = append(in.Truth, score.Truth{Line: i + 1, Fault: "f" + strings.Repeat("y", tt.class(i))})
			}
			got, err := score.Compute(in)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(*got.ARI-tt.ari) > 1e-9 || math.Abs(*got.AMI-tt.ami) > 1e-9 {
				t.Errorf("ari %.12f, ami %.12f; want %.12f, %.12f", *got.ARI, *got.AMI, tt.ari, tt.ami)
			}
		})
	}
}
