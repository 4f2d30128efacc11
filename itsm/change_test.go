package itsm

import (
	"testing"
	"time"
)

func TestChange_InForce(t *testing.T) {
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	later, earlier := at.Add(time.Hour), at.Add(-time.Minute)
	for name, test := range map[string]struct {
		change Change
		want   bool
	}{
		"within":            {Change{EndsAt: &later}, true},
		"planned":           {Change{EndsAt: &later, Status: "planned"}, true},
		"started":           {Change{EndsAt: &later, Status: "started"}, true},
		"started, no end":   {Change{Status: "started"}, true},
		"no end":            {Change{}, false},
		"planned, no end":   {Change{Status: "planned"}, false},
		"done early":        {Change{EndsAt: &later, Status: "succeeded"}, false},
		"failed":            {Change{EndsAt: &later, Status: "failed"}, false},
		"rolled back":       {Change{EndsAt: &later, Status: "rolled_back"}, false},
		"not yet":           {Change{StartsAt: later, EndsAt: &later, Status: "started"}, false},
		"over":              {Change{EndsAt: &earlier, Status: "started"}, false},
		"over at this time": {Change{EndsAt: &at}, false},
		"a deploy":          {Change{Kind: "deploy", EndsAt: &later}, false},
	} {
		c := test.change
		if c.Kind == "" {
			c.Kind = ChangeMaintenance
		}
		if c.StartsAt.IsZero() {
			c.StartsAt = at.Add(-time.Hour)
		}
		if got := c.InForce(at); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
