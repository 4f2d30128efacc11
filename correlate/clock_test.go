package correlate

import (
	"testing"
	"time"

	"signalbox/itsm"
)

// TestPhasesAreBounded holds that an incident whose priority never rests remembers its opening, its present and its longest stretches.
func TestPhasesAreBounded(t *testing.T) {
	inc := &incident{row: itsm.Incident{State: itsm.StateNew, OpenedAt: start(), Priority: 9}}
	at := start()
	for i := range 3 * maxPhases {
		inc.row.Priority = i % 5
		at = at.Add(time.Second)
		if i == 100 {
			at = at.Add(time.Hour)
		}
		inc.enterPhase(at)
		if len(inc.phases) > maxPhases {
			t.Fatalf("%d phases", len(inc.phases))
		}
	}
	first, last := inc.phases[0], inc.phases[len(inc.phases)-1]
	if !first.At.Equal(start()) || !last.At.Equal(at) || last.Priority != inc.row.Priority {
		t.Errorf("from %+v to %+v at %s", first, last, at)
	}
	longest := time.Duration(0)
	for i := range inc.phases[1:] {
		if !inc.phases[i].At.Before(inc.phases[i+1].At) {
			t.Fatalf("phase %d does not begin before the next", i)
		}
		if length := inc.phases[i+1].At.Sub(inc.phases[i].At); inc.phases[i].Priority == 99%5 {
			longest = max(longest, length)
		}
	}
	if longest < time.Hour {
		t.Errorf("the stretch of an hour is gone: the longest is %s", longest)
	}
}
