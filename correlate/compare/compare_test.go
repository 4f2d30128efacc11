package compare_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate/compare"
	"signalbox/correlate/score"
	"signalbox/itsm"
)

var update = flag.Bool("update", false, "write what the reports are now to testdata")

func clock(minute int) time.Time { return time.Date(2026, 1, 2, 10, minute, 0, 0, time.UTC) }

// incidents makes one for each "id title cause priority", a minute apart; "a>b" was merged into b.
func incidents(lines ...string) []itsm.Incident {
	out := make([]itsm.Incident, 0, len(lines))
	for i, line := range lines {
		f := strings.Fields(line)
		id, into, merged := strings.Cut(f[0], ">")
		inc := itsm.Incident{ID: id, Number: "INC-" + id, Title: f[1], OpenedAt: clock(i), Priority: 4}
		if merged {
			inc.MergedInto = &into
		}
		if len(f) > 2 && f[2] != "-" {
			inc.Causes = []itsm.Cause{{Item: f[2], Name: strings.ToUpper(f[2]), Score: 0.5}}
		}
		if len(f) > 3 {
			_, _ = fmt.Sscan(f[3], &inc.Priority)
		}
		out = append(out, inc)
	}
	return out
}

// input puts periods into incidents: "a/b" is one that a of A and b of B hold, "-" is in none.
func input(a, b []itsm.Incident, periods ...string) compare.Input {
	in := compare.Input{History: "day.jsonl", Alerts: len(periods) + 1, From: clock(0), To: clock(30)}
	in.Sides[0], in.Sides[1] = compare.Side{Name: "a.yml", Incidents: a}, compare.Side{Name: "b.yml", Incidents: b}
	for _, p := range periods {
		for s, id := range strings.Split(p, "/") {
			side := &in.Sides[s]
			if id == "-" {
				id = ""
			}
			side.Holders = append(side.Holders, id)
			for i := range side.Incidents {
				if side.Incidents[i].ID == id {
					side.Incidents[i].Alerts = append(side.Incidents[i].Alerts, itsm.AlertState{Count: 1})
				}
			}
		}
	}
	return in
}

func TestChanges(t *testing.T) {
	for _, tt := range []struct {
		name    string
		periods string
		want    string
		moved   int
	}{
		{"the same under other ids", "1/7 1/7 2/8", "2 incidents the same in both", 0},
		{"one becomes two", "1/7 1/7 1/8", "0 incidents the same in both, 1 split", 0},
		{"two become one", "1/7 2/7 2/7", "0 incidents the same in both, 1 merged", 0},
		{"one alert goes elsewhere", "1/7 1/7 1/8 2/8 2/8", "2 incidents the same in both, 1 alert moved", 1},
		{"of equal halves the first counts", "1/7 1/8 2/7 2/8 2/8 3/7 3/7 3/7", "1 incident the same in both, 1 merged, 2 alerts moved", 2},
		{"several become several others", "1/7 2/7 2/7 2/8 2/8 2/8", "0 incidents the same in both, 1 regrouped", 0},
		{"an incident is gone", "1/7 2/- 2/-", "1 incident the same in both, 1 gone", 0},
		{"an incident is new", "-/7 -/7", "0 incidents the same in both, 1 appeared", 0},
		{"one alert of an incident is in none", "1/7 1/7 1/-", "1 incident the same in both, 1 alert moved", 1},
		{"in no incident in both", "-/-", "0 incidents the same in both", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := compare.Compute(input(incidents("1 x", "2 y", "3 z"), incidents("7 x", "8 y"), strings.Fields(tt.periods)...))
			if got := r.Summary(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if r.Moved != tt.moved {
				t.Errorf("moved %d, want %d", r.Moved, tt.moved)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	// A holds all four in one incident, B two and two.
	in := input(incidents("1 x sw"), incidents("7 x sw", "8 y db"), "1/7", "1/7", "1/8", "1/8", "-/8")
	near, far := []int{0, 1}, []int{2, 3}
	for _, tt := range []struct {
		name string
		compare.Decision
		a, b bool
	}{
		{"a merge", compare.Decision{Kind: itsm.ActionMerge, These: near, Those: far}, true, false},
		{"a move", compare.Decision{Kind: itsm.ActionMove, These: near, Those: far}, true, false},
		{"a split", compare.Decision{Kind: itsm.ActionSplit, These: near, Those: far}, false, true},
		{"an undone merge", compare.Decision{Kind: itsm.ActionUndo, These: near, Those: far}, false, true},
		{"a cause confirmed", compare.Decision{Kind: itsm.ActionConfirmCause, These: far, Cause: "db"}, false, true},
		{"a cause rejected", compare.Decision{Kind: itsm.ActionRejectCause, These: far, Cause: "db"}, true, false},
		{"most decide", compare.Decision{Kind: itsm.ActionConfirmCause, These: []int{0, 2, 3}, Cause: "db"}, false, true},
		{"in no incident", compare.Decision{Kind: itsm.ActionMerge, These: []int{4}, Those: far}, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := in
			in.Decisions = []compare.Decision{tt.Decision}
			r := compare.Compute(in)
			if got := r.Verdicts[0].Right; got != [2]bool{tt.a, tt.b} {
				t.Errorf("got %v (%q), want A %v, B %v", got, r.Verdicts[0].Found, tt.a, tt.b)
			}
			if all := r.Tallies[len(r.Tallies)-1]; all.Kind != "all" || all.Of != 1 {
				t.Errorf("the last tally is %+v", all)
			}
		})
	}
}

// whole has something in every part of a report, with names that would break a page.
func whole() compare.Input {
	in := input(
		incidents("1 <b>&\"x\" sw 1", "2 y db 3", "3 z", "4>1 w", "5 alone"),
		incidents("6 x db 2", "7 <i> sw 3", "8 y db 3", "9 new"),
		"1/6", "1/6", "1/7", "1/7", "1/8", "2/8", "2/8", "3/8", "3/8", "5/-", "-/9", "-/-")
	zero := 0.25
	in.Sides[0].Suppressed, in.Sides[1].Suppressed = map[string]int{"silenced": 2}, map[string]int{"maintenance": 1}
	in.Sides[0].Merges, in.Sides[1].Flapping = 1, 2
	in.Sides[0].Score = &score.Score{ARI: new(0.5), ARINoise: new(-0.00001), CauseAt1: &zero, Faults: 4, FaultsFound: 1}
	in.Sides[1].Score = &score.Score{ARI: new(0.75), Faults: 4, FaultsFound: 3}
	in.Settings = []compare.Setting{{Key: "correlate.gap", A: "5m0s", B: "<1m0s>"}}
	in.Notes = []string{"Both ran by themselves: without the commands of people."}
	in.Decisions = []compare.Decision{
		{At: clock(5), By: "maria", Kind: itsm.ActionSplit, Text: "2 alerts split off", These: []int{0, 1}, Those: []int{2, 3}},
		{At: clock(6), By: "<ann>", Kind: itsm.ActionConfirmCause, Text: "cause confirmed: sw", These: []int{0, 1}, Cause: "sw"},
		{At: clock(7), By: "ann", Kind: itsm.ActionMerge, Text: "merged", These: []int{7}, Those: []int{5}},
	}
	return in
}

func TestReports(t *testing.T) {
	r := compare.Compute(whole())
	for name, write := range map[string]func(io.Writer) error{"report.txt": r.Text, "report.html": r.HTML} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("-want +got (go test ./correlate/compare -update writes it):\n%s", diff)
			}
		})
	}
}

// TestPage parses the page as XML, which is stricter than a browser, and looks for anything that it would fetch.
func TestPage(t *testing.T) {
	many := input(incidents("1 x"), nil)
	for i := range 300 { // more than lists and picture take
		id := strconv.Itoa(1000 + i)
		many.Sides[1].Incidents = append(many.Sides[1].Incidents, incidents(id+" y")...)
		many.Sides[0].Holders, many.Sides[1].Holders = append(many.Sides[0].Holders, "1"), append(many.Sides[1].Holders, id)
	}
	for name, in := range map[string]compare.Input{"whole": whole(), "empty": {}, "many": many} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := compare.Compute(in).HTML(&out); err != nil {
				t.Fatal(err)
			}
			pictures, titled := 0, 0
			dec := xml.NewDecoder(bytes.NewReader(out.Bytes()))
			for {
				token, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("line %d: %v", bytes.Count(out.Bytes()[:dec.InputOffset()], []byte("\n"))+1, err)
				}
				e, ok := token.(xml.StartElement)
				if !ok {
					continue
				}
				if e.Name.Local == "svg" {
					pictures++
				}
				for _, a := range e.Attr {
					switch a.Name.Local {
					case "src", "href":
						t.Errorf("%s fetches %s", e.Name.Local, a.Value)
					case "aria-labelledby":
						titled++
						if !strings.Contains(out.String(), `id="`+a.Value+`"`) {
							t.Errorf("nothing is called %s", a.Value)
						}
					}
				}
			}
			if pictures < 2 || pictures != titled {
				t.Errorf("%d pictures, %d of them with a title", pictures, titled)
			}
			if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
				t.Error("the page has a number that is none")
			}
		})
	}
}
