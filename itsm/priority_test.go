package itsm

import "testing"

// TestImpactOf is the rule of the estate file: a full outage of criticality 1 has impact 1, of 2 and 3 impact 2, of 4 and 5 impact 3;
// what is less is one step less.
func TestImpactOf(t *testing.T) {
	for criticality, want := range map[int][2]int{1: {1, 2}, 2: {2, 3}, 3: {2, 3}, 4: {3, 3}, 5: {3, 3}} {
		if got := ImpactOf(criticality, HarmDown); got != want[0] {
			t.Errorf("criticality %d down: %d, want %d", criticality, got, want[0])
		}
		for _, harm := range []Harm{HarmDegraded, HarmAtRisk} {
			if got := ImpactOf(criticality, harm); got != want[1] {
				t.Errorf("criticality %d %s: %d, want %d", criticality, harm, got, want[1])
			}
		}
	}
}
