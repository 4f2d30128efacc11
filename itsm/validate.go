package itsm

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what any door accepts.
const (
	MaxLabels     = 128
	MaxLabelName  = 1 << 10
	MaxLabelValue = 64 << 10
)

// MinTime is the first moment that a door accepts.
func MinTime() time.Time { return time.Unix(0, 0).UTC() }

// MaxTime is where the times that a door accepts end: a little before nanoseconds since 1970 no
// longer fit 64 bits, so that a timer set from such a time fits too.
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
		f.Add("status", "must be firing or resolved, got %.64q", string(a.Status))
	}
	ValidateTime("startsAt", a.StartsAt, &f)
	ValidateTime("endsAt", a.EndsAt, &f)
	ValidateTime("observedAt", a.ObservedAt, &f)
	if !a.StartsAt.IsZero() && !a.EndsAt.IsZero() && a.EndsAt.Before(a.StartsAt) {
		f.Add("endsAt", "is before startsAt")
	}
	if !utf8.ValidString(a.GeneratorURL) {
		f.Add("generatorURL", "is not valid UTF-8")
	}
	return f.Err()
}

// LabelField is the path of one label for a fault, cut to a length that people can read.
func LabelField(field, name string) string {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	return field + "." + name
}

func (ls Labels) validate(field string, f *Faults) {
	if len(ls) > MaxLabels {
		f.Add(field, "at most %d, got %d", MaxLabels, len(ls))
		return
	}
	for i := range ls {
		n, v := ls[i].Name, ls[i].Value
		switch {
		case n == "":
			f.Add(field, "an empty name")
		case len(n) > MaxLabelName:
			f.Add(LabelField(field, n), "the name is longer than %d bytes", MaxLabelName)
		case !utf8.ValidString(n):
			f.Add(field, "a name is not valid UTF-8: %.64q", n)
		}
		if len(v) > MaxLabelValue {
			f.Add(LabelField(field, n), "the value is longer than %d bytes", MaxLabelValue)
		} else if !utf8.ValidString(v) {
			f.Add(LabelField(field, n), "the value is not valid UTF-8")
		}
	}
}

// ValidateTime adds a fault when a time is outside what a door accepts; the zero time means none.
func ValidateTime(field string, t time.Time, f *Faults) {
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
		f.Add("kind", "must be one of %v, got %.64q", ChangeKinds(), c.Kind)
	}
	if c.Status != "" && !slices.Contains(ChangeStatuses(), c.Status) {
		f.Add("status", "must be one of %v, got %.64q", ChangeStatuses(), c.Status)
	}
	if len(c.Items) == 0 && len(c.Labels) == 0 {
		f.Add("items", "items or labels are needed")
	}
	c.Labels.validate("labels", &f)
	ValidateTime("startsAt", c.StartsAt, &f)
	if c.EndsAt != nil {
		ValidateTime("endsAt", *c.EndsAt, &f)
		if c.EndsAt.Before(c.StartsAt) {
			f.Add("endsAt", "is before startsAt")
		}
	}
	return f.Err()
}
