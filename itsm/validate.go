package itsm

import (
	"slices"
	"time"
	"unicode/utf8"
)

// Limits of what any door accepts.
const (
	MaxLabels     = 128
	MaxLabelName  = 1 << 10
	MaxLabelValue = 64 << 10
)

// MinTime and MaxTime bound every time that a door accepts.
func MinTime() time.Time { return time.Unix(0, 0).UTC() }

// MaxTime is the end of what nanoseconds since 1970 can count.
func MaxTime() time.Time { return time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC) }

// Validate reports every fault of an alert as Faults, each with its field. It allocates nothing
// when there is none.
func (a *Alert) Validate() error {
	var f Faults
	if len(a.Labels) == 0 {
		f.Add("labels", "at least one label is needed")
	}
	a.Labels.validate("labels", &f)
	a.Annotations.validate("annotations", &f)
	if a.Status != StatusFiring && a.Status != StatusResolved {
		f.Add("status", "must be firing or resolved, got %q", string(a.Status))
	}
	validateTime("startsAt", a.StartsAt, &f)
	validateTime("endsAt", a.EndsAt, &f)
	validateTime("observedAt", a.ObservedAt, &f)
	if !a.StartsAt.IsZero() && !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt) {
		f.Add("endsAt", "is before startsAt")
	}
	if !utf8.ValidString(a.GeneratorURL) {
		f.Add("generatorURL", "is not valid UTF-8")
	}
	return f.Err()
}

func (ls Labels) validate(field string, f *Faults) {
	if len(ls) > MaxLabels {
		f.Add(field, "at most %d, got %d", MaxLabels, len(ls))
	}
	for i := range ls {
		n, v := ls[i].Name, ls[i].Value
		switch {
		case n == "":
			f.Add(field, "an empty name")
		case len(n) > MaxLabelName:
			f.Add(field+"."+n[:32]+"…", "the name is longer than %d bytes", MaxLabelName)
		case !utf8.ValidString(n):
			f.Add(field, "a name is not valid UTF-8: %q", n)
		}
		if len(v) > MaxLabelValue {
			f.Add(field+"."+n, "the value is longer than %d bytes", MaxLabelValue)
		} else if !utf8.ValidString(v) {
			f.Add(field+"."+n, "the value is not valid UTF-8")
		}
	}
}

func validateTime(field string, t time.Time, f *Faults) {
	if !t.IsZero() && (t.Before(MinTime()) || !t.Before(MaxTime())) {
		f.Add(field, "must be in 1970–2262, got %s", t.Format(time.RFC3339))
	}
}

// Validate reports every fault of a change as Faults.
func (c *Change) Validate() error {
	var f Faults
	if c.ID == "" {
		f.Add("id", "is missing")
	}
	if !slices.Contains(ChangeKinds(), c.Kind) {
		f.Add("kind", "must be one of %v, got %q", ChangeKinds(), c.Kind)
	}
	if c.Status != "" && !slices.Contains(ChangeStatuses(), c.Status) {
		f.Add("status", "must be one of %v, got %q", ChangeStatuses(), c.Status)
	}
	if len(c.Items) == 0 && len(c.Labels) == 0 {
		f.Add("items", "items or labels are needed")
	}
	c.Labels.validate("labels", &f)
	validateTime("startsAt", c.StartsAt, &f)
	if c.EndsAt != nil {
		validateTime("endsAt", *c.EndsAt, &f)
	}
	return f.Err()
}
