package ui

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPatternsFile_with_proposals(t *testing.T) {
	have := patternsFile{TypeLabel: "alertname", Scope: "related", Patterns: []patternJSON{
		{Cause: "A", Effect: "B", Support: 3, Off: true},
		{Cause: "X", Effect: "Y", Support: 7},
	}}
	got := have.with(patternsFile{TypeLabel: "alertname", Scope: "anywhere", Patterns: []patternJSON{
		{Cause: "C", Effect: "D", Support: 5},
		{Cause: "A", Effect: "B", Support: 9},
	}})
	want := patternsFile{TypeLabel: "alertname", Scope: "anywhere", Patterns: []patternJSON{
		{Cause: "A", Effect: "B", Support: 9, Off: true}, // what was switched off stays off
		{Cause: "C", Effect: "D", Support: 5},
		{Cause: "X", Effect: "Y", Support: 7},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !have.Patterns[0].Off || have.Patterns[0].Support != 3 {
		t.Errorf("what is in force was changed: %+v", have.Patterns[0])
	}
}
