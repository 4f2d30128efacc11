package itsm

import (
	"slices"
	"strings"
	"testing"
)

// The life of an incident as ITIL has it, written out: a row for each action, a column for each
// state it is asked in; "-" means that it is not allowed.
const life = `
                new          in_progress  on_hold      resolved     closed       cancelled
acknowledge     in_progress  in_progress  on_hold      resolved     -            -
unacknowledge   new          in_progress  on_hold      resolved     -            -
start           in_progress  -            in_progress  -            -            -
hold            on_hold      on_hold      on_hold      -            -            -
resume          -            -            in_progress  -            -            -
resolve         resolved     resolved     resolved     -            -            -
reopen          -            -            -            in_progress  in_progress  in_progress
close           -            -            -            closed       -            -
cancel          cancelled    cancelled    cancelled    -            -            -
assign          in_progress  in_progress  on_hold      resolved     -            -
comment         new          in_progress  on_hold      resolved     closed       cancelled
priority        new          in_progress  on_hold      resolved     -            -
snooze          new          in_progress  on_hold      -            -            -
merge           new          in_progress  on_hold      resolved     -            -
split           new          in_progress  on_hold      resolved     -            -
move            new          in_progress  on_hold      resolved     -            -
confirm_cause   new          in_progress  on_hold      resolved     -            -
reject_cause    new          in_progress  on_hold      resolved     -            -
undo            new          in_progress  on_hold      resolved     closed       cancelled
`

func TestState_Next(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(life), "\n")
	columns := strings.Fields(lines[0])
	if len(columns) != len(States()) {
		t.Fatalf("%d columns, %d states", len(columns), len(States()))
	}
	var seen []Action
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		action := Action(row[0])
		seen = append(seen, action)
		for i, want := range row[1:] {
			got, ok := State(columns[i]).Next(action)
			switch {
			case want == "-" && ok:
				t.Errorf("%s is allowed in %s", action, columns[i])
			case want != "-" && (!ok || got != State(want)):
				t.Errorf("%s in %s: got %s, %v, want %s", action, columns[i], got, ok, want)
			}
		}
	}
	for _, a := range Actions() {
		if !slices.Contains(seen, a) {
			t.Errorf("the table lacks %s", a)
		}
	}
	if _, ok := StateNew.Next("explode"); ok {
		t.Error("an unknown action is allowed")
	}
	if _, ok := State("lost").Next(ActionComment); ok {
		t.Error("an unknown state allows something")
	}
}

func TestState_Open(t *testing.T) {
	want := map[State]bool{StateNew: true, StateInProgress: true, StateOnHold: true}
	for _, s := range States() {
		if s.Open() != want[s] {
			t.Errorf("%s: got %v", s, s.Open())
		}
	}
}

func TestTransitions_areUnambiguous(t *testing.T) {
	seen := map[string]bool{}
	for _, tr := range Transitions() {
		for _, s := range tr.From {
			key := string(tr.Action) + " in " + string(s)
			if seen[key] {
				t.Errorf("%s stands twice", key)
			}
			seen[key] = true
		}
	}
}

func TestPriorityTable(t *testing.T) {
	table := DefaultPriorityTable()
	if err := table.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ impact, urgency, want int }{
		{1, 1, 1},
		{1, 2, 2},
		{2, 1, 2},
		{2, 2, 3},
		{1, 3, 3},
		{3, 1, 3},
		{2, 3, 4},
		{3, 2, 4},
		{3, 3, 5},
		{0, 0, 1},
		{-4, 9, 3},
		{9, 9, 5}, // outside counts as the nearest
	} {
		if got := table.Lookup(tc.impact, tc.urgency); got != tc.want {
			t.Errorf("impact %d, urgency %d: got %d, want %d", tc.impact, tc.urgency, got, tc.want)
		}
	}
	table[0][2], table[2][0] = 0, 6
	if got := fields(t, table.Validate()); !slices.Equal(got, []string{"priority[0][2]", "priority[2][0]"}) {
		t.Errorf("faults in %q", got)
	}
}

func TestSeverity_Rank(t *testing.T) {
	for i, s := range Severities() {
		if s.Rank() != i {
			t.Errorf("%s has rank %d", s, s.Rank())
		}
	}
	if Severity("page").Rank() != len(Severities()) {
		t.Error("an unknown word is not last")
	}
}

func TestThreshold_Of(t *testing.T) {
	for _, tc := range []struct {
		threshold Threshold
		n, want   int
	}{
		{"1", 3, 1}, {"2", 3, 2}, {"50%", 4, 2}, {"50%", 5, 3}, {"1%", 3, 1}, {"100%", 7, 7}, {"0%", 7, 0}, {"x", 5, 1}, {"x%", 5, 1}, {"", 5, 1},
	} {
		if got := tc.threshold.Of(tc.n); got != tc.want {
			t.Errorf("%q of %d: got %d, want %d", tc.threshold, tc.n, got, tc.want)
		}
	}
}
