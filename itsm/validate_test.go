package itsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// fields returns the fields of the faults in an error.
func fields(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("%v is no Faults", err)
	}
	var out []string
	for _, f := range faults {
		if f.Reason == "" {
			t.Errorf("%s has no reason", f.Field)
		}
		out = append(out, f.Field)
	}
	return out
}

func goodAlert() Alert {
	start := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	return Alert{
		Labels: Labels{{"alertname", "LinkDown"}, {"hostname", "sw-1"}}, Annotations: Labels{{"summary", "x"}}, Status: StatusFiring,
		StartsAt: start, EndsAt: start.Add(time.Minute), GeneratorURL: "http://p/graph?a=b",
	}
}

func manyLabels(n int) Labels {
	var ls Labels
	for i := range n {
		ls = append(ls, Label{fmt.Sprintf("l%04d", i), "v"})
	}
	return ls
}

func TestAlert_Validate(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Alert)
		want   []string
	}{
		{"good", func(*Alert) {}, nil},
		{"no alertname", func(a *Alert) { a.Labels = Labels{{"x", "1"}} }, nil},
		{"no annotations, no times", func(a *Alert) { a.Annotations, a.StartsAt, a.EndsAt = nil, time.Time{}, time.Time{} }, nil},
		{"one-shot", func(a *Alert) { a.EndsAt = a.StartsAt }, nil},
		{"128 labels", func(a *Alert) { a.Labels = manyLabels(128) }, nil},
		{"longest name and value", func(a *Alert) {
			a.Labels = Labels{{strings.Repeat("n", 1<<10), strings.Repeat("v", 64<<10)}}
		}, nil},
		{"first and last time", func(a *Alert) { a.StartsAt, a.EndsAt = MinTime(), MaxTime().Add(-1) }, nil},
		{"no labels", func(a *Alert) { a.Labels = nil }, []string{"labels"}},
		{"129 labels", func(a *Alert) { a.Labels = manyLabels(129) }, []string{"labels"}},
		{"empty name", func(a *Alert) { a.Labels = Labels{{"", "v"}} }, []string{"labels"}},
		{"name too long", func(a *Alert) { a.Labels = Labels{{strings.Repeat("n", 1<<10+1), "v"}} }, []string{"labels." + strings.Repeat("n", 64) + "…"}},
		{"value too long", func(a *Alert) { a.Labels = Labels{{"x", strings.Repeat("v", 64<<10+1)}} }, []string{"labels.x"}},
		{"name is no UTF-8", func(a *Alert) { a.Labels = Labels{{"a\xff", "v"}} }, []string{"labels"}},
		{"value is no UTF-8", func(a *Alert) { a.Labels = Labels{{"x", "\xc3"}} }, []string{"labels.x"}},
		{"annotation is no UTF-8", func(a *Alert) { a.Annotations = Labels{{"summary", "\xed\xa0\x80"}} }, []string{"annotations.summary"}},
		{"url is no UTF-8", func(a *Alert) { a.GeneratorURL = "\xff" }, []string{"generatorURL"}},
		{"no status", func(a *Alert) { a.Status = "" }, []string{"status"}},
		{"expired", func(a *Alert) { a.Status = StatusExpired }, []string{"status"}},
		{"before 1970", func(a *Alert) { a.StartsAt = MinTime().Add(-1) }, []string{"startsAt"}},
		{"after 2262", func(a *Alert) { a.EndsAt = time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC) }, []string{"endsAt"}},
		{"observed before 1970", func(a *Alert) { a.ObservedAt = time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC) }, []string{"observedAt"}},
		{"ends before it starts", func(a *Alert) { a.EndsAt = a.StartsAt.Add(-1) }, []string{"endsAt"}},
		{"everything", func(a *Alert) {
			*a = Alert{Annotations: Labels{{"", "\xff"}}, StartsAt: time.Date(1, 1, 1, 1, 0, 0, 0, time.UTC), EndsAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), GeneratorURL: "\xff"}
		}, []string{"labels", "annotations", "annotations.", "status", "startsAt", "endsAt", "generatorURL"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := goodAlert()
			tc.change(&a)
			if got := fields(t, a.Validate()); !slices.Equal(got, tc.want) {
				t.Errorf("got faults in %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAlert_ValidateAllocatesNothing(t *testing.T) {
	a := goodAlert()
	if n := testing.AllocsPerRun(100, func() {
		if a.Validate() != nil {
			t.Error("a good alert has faults")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLabelField(t *testing.T) {
	if got := LabelField("labels", "alertname"); got != "labels.alertname" {
		t.Error(got)
	}
	if got := LabelField("labels", strings.Repeat("é", 600)); got != "labels."+strings.Repeat("é", 32)+"…" {
		t.Error(got)
	}
	if got := LabelField("labels", "x"+strings.Repeat("é", 600)); got != "labels.x"+strings.Repeat("é", 31)+"…" {
		t.Errorf("a character is cut: %q", got)
	}
}

func TestChange_Validate(t *testing.T) {
	start := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	before := start.Add(-time.Second)
	far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	good := Change{ID: "deploy-77", Kind: "deploy", Items: []string{"checkout"}, Status: "succeeded", StartsAt: start}
	for _, tc := range []struct {
		name   string
		change func(*Change)
		want   []string
	}{
		{"good", func(*Change) {}, nil},
		{"bound by labels", func(c *Change) { c.Items, c.Labels = nil, Labels{{"service", "checkout"}} }, nil},
		{"no status", func(c *Change) { c.Status = "" }, nil},
		{"ends as it starts", func(c *Change) { c.EndsAt = &start }, nil},
		{"no id", func(c *Change) { c.ID = "" }, []string{"id"}},
		{"unknown kind", func(c *Change) { c.Kind = "release" }, []string{"kind"}},
		{"unknown status", func(c *Change) { c.Status = "done" }, []string{"status"}},
		{"on nothing", func(c *Change) { c.Items = nil }, []string{"items"}},
		{"bad label", func(c *Change) { c.Labels = Labels{{"x", "\xff"}} }, []string{"labels.x"}},
		{"ends before it starts", func(c *Change) { c.EndsAt = &before }, []string{"endsAt"}},
		{"far", func(c *Change) { c.EndsAt = &far }, []string{"endsAt"}},
		{"everything", func(c *Change) { *c = Change{StartsAt: far, Status: "x"} }, []string{"id", "kind", "status", "items", "startsAt"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := good
			tc.change(&c)
			if got := fields(t, c.Validate()); !slices.Equal(got, tc.want) {
				t.Errorf("got faults in %q, want %q", got, tc.want)
			}
		})
	}
	for _, kind := range []string{"deploy", "config", "maintenance", "standard", "normal", "emergency", "detected"} {
		for _, status := range []string{"planned", "started", "succeeded", "failed", "rolled_back"} {
			c := good
			c.Kind, c.Status = kind, status
			if err := c.Validate(); err != nil {
				t.Errorf("%s %s: %v", kind, status, err)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	var f Faults
	if f.Err() != nil {
		t.Error("no fault is an error")
	}
	f.Add("labels.a", "is %d too long", 3)
	f.Add("status", "is missing")
	f.Add("", "nested too deep")
	if got, want := f.Err().Error(), "labels.a: is 3 too long; status: is missing; nested too deep"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
