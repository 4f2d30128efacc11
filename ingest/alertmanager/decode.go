// Package alertmanager decodes what Alertmanager and Prometheus send: the webhook, version 4, and
// POST /api/v2/alerts. It knows nothing of HTTP. A body that is not of the format is an error; an
// alert that cannot be taken is refused alone, with every fault and its field. Unknown fields are
// counted and passed over: a sender's next release must not cost an alert.
//
// All functions are safe for concurrent use; what they return does not alias the body.
package alertmanager

import (
	"errors"
	"fmt"
	"time"

	"signalbox/itsm"
)

// Refusal says why one alert of a body was not taken.
type Refusal struct {
	Index  int    `json:"index"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Batch is what a body holds.
type Batch struct {
	Alerts  []itsm.Alert
	Indexes []int // of Alerts in the body
	Refused []Refusal
	Unknown int // fields that were passed over
	// Source is the externalURL of a webhook.
	Source string
}

// Options are what a decoder must know beside the body.
type Options struct {
	Now            time.Time     // of arrival
	ResolveTimeout time.Duration // for POST /api/v2/alerts without endsAt
	IgnoreLabels   []string
}

// decoder is one pass over a body.
type decoder struct {
	scanner
	opts   Options
	slab   []itsm.Label
	batch  Batch
	faults itsm.Faults // of the present alert
	status string
}

// DecodePost decodes the body of POST /api/v2/alerts. As in Alertmanager a missing endsAt is the
// arrival plus resolve_timeout, one that is not in the future makes the alert resolved, and labels
// without a value are dropped.
func DecodePost(body []byte, opts Options) (Batch, error) {
	d := &decoder{scanner: scanner{text: string(body)}, opts: opts}
	d.batch.Alerts = make([]itsm.Alert, 0, 1+len(body)/512)
	err := d.array(func(i int) error { return d.alert(i, d.post) })
	if err == nil {
		err = d.end()
	}
	return d.batch, err
}

func (d *decoder) post(a *itsm.Alert) {
	a.Status = itsm.StatusFiring
	switch {
	case a.EndsAt.IsZero():
		a.EndsAt = d.opts.Now.Add(d.opts.ResolveTimeout)
	case !a.EndsAt.After(d.opts.Now):
		a.Status = itsm.StatusResolved
	}
}

// DecodeWebhook decodes the body of a webhook of version 4.
func DecodeWebhook(body []byte, opts Options) (Batch, error) {
	d := &decoder{scanner: scanner{text: string(body)}, opts: opts}
	var version, group string
	alerts := false
	err := d.object(func(name string) (err error) {
		switch name {
		case "version":
			version, err = d.string()
		case "groupKey":
			group, err = d.string()
		case "externalURL":
			d.batch.Source, err = d.string()
		case "alerts":
			alerts = true
			err = d.array(func(i int) error { return d.alert(i, d.webhook) })
		case "receiver", "status", "groupLabels", "commonLabels", "commonAnnotations", "truncatedAlerts", "notificationReason":
			err = d.skip(1)
		default:
			d.batch.Unknown++
			err = d.skip(1)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err == nil {
		err = d.end()
	}
	switch {
	case err != nil:
	case version != "4":
		err = fmt.Errorf("version: \"4\" is expected, got %q", version)
	case !alerts:
		err = errors.New("alerts: is missing")
	}
	for i := range d.batch.Alerts {
		d.batch.Alerts[i].GroupKey = group
	}
	return d.batch, err
}

func (d *decoder) webhook(a *itsm.Alert) { a.Status = itsm.Status(d.status) }

// DecodeAlert decodes one alert object as events files hold it; it validates nothing.
func DecodeAlert(raw []byte) (itsm.Alert, int, error) {
	d := &decoder{scanner: scanner{text: string(raw)}}
	var a itsm.Alert
	if err := d.read(&a); err != nil {
		return a, 0, err
	}
	a.Status = itsm.Status(d.status)
	if err := d.end(); err != nil {
		return a, 0, err
	}
	return a, d.batch.Unknown, d.faults.Err()
}

// alert reads one element and takes or refuses it.
func (d *decoder) alert(i int, complete func(*itsm.Alert)) error {
	d.faults, d.status = nil, ""
	var a itsm.Alert
	if d.peek() != '{' {
		d.refuse(i, itsm.Faults{{Field: "", Reason: "an alert is an object"}})
		return d.skip(2)
	}
	if err := d.read(&a); err != nil {
		return err
	}
	a.Labels = a.Labels.Without(d.opts.IgnoreLabels)
	complete(&a)
	if len(d.faults) == 0 {
		if err := a.Validate(); err != nil {
			errors.As(err, &d.faults)
		}
	}
	if len(d.faults) > 0 {
		d.refuse(i, d.faults)
		return nil
	}
	a.Fingerprint = a.Labels.Fingerprint()
	d.batch.Alerts = append(d.batch.Alerts, a)
	d.batch.Indexes = append(d.batch.Indexes, i)
	return nil
}

func (d *decoder) refuse(i int, faults itsm.Faults) {
	for _, f := range faults {
		d.batch.Refused = append(d.batch.Refused, Refusal{Index: i, Field: f.Field, Reason: f.Reason})
	}
}

// read reads the fields of an alert. A field of the wrong type is a fault of this alert.
func (d *decoder) read(a *itsm.Alert) error {
	return d.object(func(name string) error {
		switch name {
		case "labels":
			return d.labels("labels", &a.Labels)
		case "annotations":
			return d.labels("annotations", &a.Annotations)
		case "status":
			if d.peek() == '{' { // GET /api/v2/alerts has an object here
				return d.skip(3)
			}
			return d.text("status", &d.status)
		case "startsAt":
			return d.time("startsAt", &a.StartsAt)
		case "endsAt":
			return d.time("endsAt", &a.EndsAt)
		case "generatorURL":
			return d.text("generatorURL", &a.GeneratorURL)
		case "fingerprint":
			return d.skip(3)
		}
		d.batch.Unknown++
		return d.skip(3)
	})
}

func (d *decoder) text(field string, v *string) error {
	if d.null() {
		return nil
	}
	if d.peek() != '"' {
		d.faults.Add(field, "a string is expected")
		return d.skip(3)
	}
	var err error
	*v, err = d.string()
	return err
}

func (d *decoder) time(field string, v *time.Time) error {
	var s string
	if err := d.text(field, &s); err != nil || s == "" {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		d.faults.Add(field, "a time such as 2026-01-02T15:04:05Z is expected, got %.64q", s)
		return nil
	}
	if *v = t.UTC(); v.Year() <= 1 && v.IsZero() {
		*v = time.Time{}
	}
	return nil
}

// labels reads an object of strings. Labels without a value do not exist (Prometheus).
func (d *decoder) labels(field string, v *itsm.Labels) error {
	if d.null() {
		return nil
	}
	if d.peek() != '{' {
		d.faults.Add(field, "an object of strings is expected")
		return d.skip(3)
	}
	if cap(d.slab)-len(d.slab) < 8 { // begin small: a single alert must not hold a large one
		d.slab = make([]itsm.Label, 0, min(1024, max(16, 2*cap(d.slab))))
	}
	start, sorted := len(d.slab), true
	err := d.object(func(name string) error {
		if d.peek() != '"' {
			d.faults.Add(field+"."+name, "a string is expected")
			return d.skip(4)
		}
		value, err := d.string()
		if err != nil || value == "" && field == "labels" {
			return err
		}
		if n := len(d.slab); n > start && d.slab[n-1].Name >= name {
			sorted = false
		}
		d.slab = append(d.slab, itsm.Label{Name: name, Value: value})
		return nil
	})
	if err != nil {
		return err
	}
	if len(d.slab) == start {
		*v = nil
		return nil
	}
	ls := itsm.Labels(d.slab[start:len(d.slab):len(d.slab)])
	if !sorted {
		ls.Sort()
		for i := 1; i < len(ls); i++ {
			if ls[i].Name == ls[i-1].Name {
				d.faults.Add(field+"."+ls[i].Name, "stands twice")
			}
		}
	}
	*v = ls
	return nil
}
