package correlate

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"signalbox/correlate/learn"
	"signalbox/itsm"
)

// TestPatterns_join_what_the_estate_does_not: a queue and a billing service that no relation joins.
func TestPatterns_join_what_the_estate_does_not(t *testing.T) {
	pattern := learn.FilePattern{Cause: "QueueFull", Effect: "BillingLate", Score: 0.9, Support: 40, LagSeconds: learn.FileLag{P50: 10, P90: 20}}
	for _, test := range []struct {
		name  string
		scope learn.Scope
		off   bool
		lag   time.Duration
		want  int // incidents
	}{
		{"anywhere", learn.ScopeAnywhere, false, 15 * time.Second, 1},
		{"switched off", learn.ScopeAnywhere, true, 15 * time.Second, 2},
		{"too late", learn.ScopeAnywhere, false, 2 * time.Minute, 2},
		{"out of its scope", learn.ScopeRelated, false, 15 * time.Second, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEngine(t)
			pattern.Off = test.off
			data, err := json.Marshal(learn.File{TypeLabel: "alertname", Scope: test.scope, Patterns: []learn.FilePattern{pattern}})
			if err != nil {
				t.Fatal(err)
			}
			e.Apply(start(), itsm.Input{Adopt: &itsm.Adopt{
				Estate:   &itsm.Version{ID: "v", Data: estateOf("item queue queue\nitem billing service\n")},
				Patterns: &itsm.Version{ID: "p", Data: data},
			}})
			for i, text := range []string{"QueueFull item=queue severity=critical", "BillingLate item=billing severity=critical"} {
				ls := labelSet(text)
				at := start().Add(time.Duration(i) * test.lag)
				e.Apply(at, itsm.Input{Alerts: []itsm.Alert{{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, StartsAt: at}}})
			}
			list := e.Incidents()
			if len(list) != test.want {
				t.Fatalf("%d incidents, want %d", len(list), test.want)
			}
			if test.want == 2 {
				return
			}
			if c := list[0].Causes[0]; c.Item != "queue" {
				t.Errorf("cause %s: %+v", c.Item, list[0].Causes)
			}
			said := asJSON(t, list[0].Alerts)
			if want := "BillingLate follows QueueFull, which queue reported 15 s before: learned from 40 alerts"; !strings.Contains(said, want) {
				t.Errorf("no %q in %s", want, said)
			}
		})
	}
}

func TestPatterns_refused(t *testing.T) {
	e := newEngine(t)
	e.Apply(start(), itsm.Input{Adopt: &itsm.Adopt{Patterns: &itsm.Version{ID: "p", Data: []byte(`{"patterns":[{"cause":"A"}]}`)}}})
	if e.patterns.version != "" || !strings.Contains(e.fault, "patterns p: ") {
		t.Errorf("version %q in force, fault %q", e.patterns.version, e.fault)
	}
}
