package alertmanager

import (
	"errors"
	"slices"
	"strings"
	"time"

	"signalbox/ingest/internal/scan"
	"signalbox/itsm"
)

// maxFaults bounds the faults that are told of one alert.
const maxFaults = 100

// reader reads alert objects.
type reader struct {
	*scan.Scanner
	// Label sets are cut from slabs, so that a body of a hundred alerts costs a handful of
	// allocations; slabSize is how many labels a new one has at least.
	slab     []itsm.Label
	slabSize int

	// Of the alert that was read last:
	status  string
	faults  itsm.Faults
	unknown int
}

// ReadAlert reads and checks the alert object that a scanner stands at. The faults say why it cannot
// be taken; the error is that it is no JSON object. Unknown is how many fields were passed over.
func ReadAlert(s *scan.Scanner, ignoreLabels []string) (a itsm.Alert, unknown int, faults itsm.Faults, err error) {
	r := &reader{Scanner: s, slabSize: 16}
	if err := r.read(&a); err != nil {
		return a, r.unknown, nil, err
	}
	a.Status = itsm.Status(r.status)
	r.check(&a, ignoreLabels)
	return a, r.unknown, r.faults, nil
}

// check validates an alert that was read and gives it its identity.
func (r *reader) check(a *itsm.Alert, ignoreLabels []string) {
	// The set is our own, so it may be changed in place.
	a.Labels = slices.DeleteFunc(a.Labels, func(l itsm.Label) bool { return slices.Contains(ignoreLabels, l.Name) })
	a.Fingerprint = a.Labels.Fingerprint()
	err := a.Validate()
	if err == nil {
		return
	}
	found, _ := errors.AsType[itsm.Faults](err)
	for _, f := range found {
		// What could not be read is missing too; it is one fault.
		if !slices.ContainsFunc(r.faults, func(g itsm.FieldError) bool {
			return g.Field == f.Field || strings.HasPrefix(g.Field, f.Field+".")
		}) {
			r.faults = append(r.faults, f)
		}
	}
}

func (r *reader) read(a *itsm.Alert) error {
	r.status, r.faults, r.unknown = "", nil, 0
	return r.Object(func(name string) error {
		switch name {
		case "labels":
			return r.labels(name, &a.Labels)
		case "annotations":
			return r.labels(name, &a.Annotations)
		case "status":
			if r.Peek() == '{' { // as GET /api/v2/alerts returns it
				return r.Skip()
			}
			return r.text(name, &r.status)
		case "startsAt":
			return r.time(name, &a.StartsAt)
		case "endsAt":
			return r.time(name, &a.EndsAt)
		case "generatorURL":
			return r.text(name, &a.GeneratorURL)
		case "fingerprint", "updatedAt", "receivers": // ours is computed; the others come from GET
			return r.Skip()
		}
		r.unknown++
		return r.Skip()
	})
}

func (r *reader) fault(field, reason string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults.Add(field, reason, args...)
	}
}

// text reads a string; null means that it is not there.
func (r *reader) text(field string, v *string) error {
	if r.Null() {
		return nil
	}
	if r.Peek() != '"' {
		r.fault(field, "a string is expected")
		return r.Skip()
	}
	var err error
	*v, err = r.String()
	return err
}

func (r *reader) time(field string, v *time.Time) error {
	var text string
	if err := r.text(field, &text); err != nil || text == "" {
		return err
	}
	*v = time.Time{}
	switch t, err := time.Parse(time.RFC3339Nano, text); {
	case err != nil:
		r.fault(field, "a time such as 2026-01-02T15:04:05Z is expected, got %.64q", text)
	case !t.IsZero(): // Go's zero time means none
		*v = t.UTC()
	}
	return nil
}

// labels reads an object of strings. A label without a value does not exist, as in Prometheus.
func (r *reader) labels(field string, v *itsm.Labels) error {
	*v = nil
	if r.Null() {
		return nil
	}
	if r.Peek() != '{' {
		r.fault(field, "an object of strings is expected")
		return r.Skip()
	}
	start, sorted, empty := r.room(), true, false
	err := r.Object(func(name string) error {
		if r.Peek() != '"' {
			r.fault(itsm.LabelField(field, name), "a string is expected")
			return r.Skip()
		}
		value, err := r.String()
		if err != nil {
			return err
		}
		if n := len(r.slab); n > start && r.slab[n-1].Name >= name {
			sorted = false
		}
		empty = empty || value == ""
		r.slab = append(r.slab, itsm.Label{Name: name, Value: value})
		return nil
	})
	*v = r.cut(field, start, sorted, empty)
	return err
}

// cut takes the labels that were read since a place of the slab out of it as a canonical set, told
// whether they came sorted and whether a value is empty.
func (r *reader) cut(field string, start int, sorted, empty bool) itsm.Labels {
	set := itsm.Labels(r.slab[start:len(r.slab):len(r.slab)])
	if !sorted {
		set.Sort()
		for i := 1; i < len(set); i++ {
			if set[i].Name == set[i-1].Name {
				r.fault(itsm.LabelField(field, set[i].Name), "stands twice")
			}
		}
	}
	if empty && field == "labels" {
		set = slices.DeleteFunc(set, func(l itsm.Label) bool { return l.Value == "" })
	}
	if len(set) == 0 {
		return nil
	}
	return set
}

// room makes sure that a usual set fits into the slab, and returns where it begins.
func (r *reader) room() int {
	if cap(r.slab)-len(r.slab) < 16 {
		r.slab = make([]itsm.Label, 0, r.slabSize)
	}
	return len(r.slab)
}
