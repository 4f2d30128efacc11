package alertmanager

import (
	"errors"
	"fmt"
	"time"

	"signalbox/ingest"
	"signalbox/itsm"
)

// Recorder receives from Alertmanager's event recorder, since 0.34 (event_recorder: webhook_outputs).
func Recorder() ingest.Receiver {
	return ingest.Receiver{Name: "alertmanager_events", Path: "/api/v1/ingest/alertmanager/events", Decode: DecodeRecorder}
}

// RecorderTopic takes the same events from a topic into which the recorder writes (kafka_outputs, as JSON).
func RecorderTopic() ingest.Receiver {
	return ingest.Receiver{Name: "alertmanager_topic", Decode: DecodeRecorder}
}

// DecodeRecorder decodes an event of the event recorder, or a list of them. Events that carry no
// alert (starts and stops, silences, what was muted) are read and nothing is made of them; of a kind
// that is not known the field is counted as unknown. A refusal's index counts the alerts of the body.
func DecodeRecorder(body []byte, a ingest.Arrival) (ingest.Batch, error) {
	r := &recorder{batch: newBatch(body, a)}
	var err error
	if r.Peek() == '[' {
		err = r.Array(func(i int) error {
			if err := r.event(); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
			return nil
		})
	} else {
		err = r.event()
	}
	if err == nil {
		err = r.End()
	}
	return r.out, err
}

// recorder decodes events.
type recorder struct {
	*batch
	next int // index of the next alert
}

// value reads a value that holds no alert.
func (r *recorder) value(name string, read func() error) error {
	from := r.Pos()
	err := read()
	if err == nil {
		err = r.fit(from, name)
	}
	return within(name, err)
}

func (r *recorder) unknownField(name string) error {
	r.out.Unknown++
	return r.value(name, r.Skip)
}

func (r *recorder) event() error {
	data := false
	err := r.Object(func(name string) error {
		switch name {
		case "instance":
			return r.value(name, func() (err error) {
				r.out.Source, err = r.orNull()
				return err
			})
		case "data":
			data = true
			return within(name, r.Object(r.kind))
		case "@timestamp", "clusterPosition":
			return r.value(name, r.Skip)
		}
		return r.unknownField(name)
	})
	if err == nil && !data {
		err = errors.New("data: is missing")
	}
	return err
}

// kind reads what happened; the name says what it is.
func (r *recorder) kind(name string) error {
	switch name {
	case "alertCreated":
		return r.happened(name, r.details)
	case "alertGrouped", "alertResolved", "notification":
		return r.happened(name, r.hashed)
	case "alertmanagerStartupEvent", "alertmanagerShutdownEvent", "silenceCreated", "silenceUpdated", "silenceMutedAlert", "inhibitionMutedAlert":
		return r.value(name, r.Skip)
	}
	return r.unknownField(name)
}

// happened reads an event about alerts, and gives them the key of its group.
func (r *recorder) happened(kind string, alert func() error) error {
	first := len(r.out.Alerts)
	group, alerts := "", "alert"
	if kind == "notification" {
		alerts = "alerts"
	}
	there := false
	err := r.Object(func(name string) error {
		switch name {
		case alerts:
			there = true
			if alerts == "alert" {
				return within(name, alert())
			}
			return within(name, r.Array(func(int) error { return alert() }))
		case "groupInfo":
			return r.value(name, func() error { return r.groupKey(&group) })
		// What fires and what is resolved stands in the alerts themselves.
		case "firingAlerts", "resolvedAlerts", "mutedAlerts", "repeatInterval", "reason", "flushId", "integration":
			return r.value(name, r.Skip)
		}
		return r.unknownField(name)
	})
	switch {
	case err != nil:
		return within(kind, err)
	case !there:
		return fmt.Errorf("%s: %s: is missing", kind, alerts)
	}
	r.grouped(first, group)
	return nil
}

func (r *recorder) groupKey(key *string) error {
	return r.Object(func(name string) (err error) {
		if name != "groupKey" {
			return r.Skip()
		}
		*key, err = r.orNull()
		return within(name, err)
	})
}

// hashed reads an alert that stands beside its hash.
func (r *recorder) hashed() error {
	if r.Peek() != '{' {
		return r.details()
	}
	details := false
	err := r.Object(func(name string) error {
		switch name {
		case "details":
			details = true
			return within(name, r.details())
		case "hash":
			return r.value(name, r.Skip)
		}
		return r.unknownField(name)
	})
	if err == nil && !details {
		r.out.Refuse(r.next, itsm.Faults{{Field: "details", Reason: "is missing"}})
		r.next++
	}
	return err
}

// details reads an alert and takes or refuses it.
func (r *recorder) details() error {
	err := r.take(r.next, r.readRecorded, func(a *itsm.Alert) {
		// A firing alert carries the time at which Alertmanager would give it up unless it came again.
		// Events do not come again, and the end is an event of its own.
		if a.Status == itsm.StatusFiring {
			a.EndsAt = time.Time{}
		}
	})
	r.next++
	return err
}

// readRecorded reads an alert in the form of the event recorder: labels are lists, and what is empty
// or false is left out.
func (r *reader) readRecorded(a *itsm.Alert) error {
	r.faults, r.unknown = nil, 0
	a.Status = itsm.StatusFiring
	return r.Object(func(name string) error {
		switch name {
		case "labels":
			return r.labelList(name, &a.Labels)
		case "annotations":
			return r.labelList(name, &a.Annotations)
		case "resolved":
			return r.resolved(name, a)
		case "startsAt":
			return r.time(name, &a.StartsAt)
		case "endsAt":
			return r.time(name, &a.EndsAt)
		case "generatorURL":
			return r.text(name, &a.GeneratorURL)
		case "fingerprint", "name": // ours is computed; the name is a label too
			return r.Skip()
		}
		r.unknown++
		return r.Skip()
	})
}

func (r *reader) resolved(field string, a *itsm.Alert) error {
	if r.Null() {
		return nil
	}
	if c := r.Peek(); c != 't' && c != 'f' {
		r.fault(field, "true or false is expected")
		return r.Skip()
	}
	from := r.Pos()
	err := r.Skip()
	a.Status = itsm.StatusFiring
	if r.Since(from) == "true" {
		a.Status = itsm.StatusResolved
	}
	return err
}

// labelList reads {"labels": [{"key": …, "value": …}]}.
func (r *reader) labelList(field string, v *itsm.Labels) error {
	*v = nil
	if r.Null() {
		return nil
	}
	if r.Peek() != '{' {
		r.fault(field, "an object with a list of labels is expected")
		return r.Skip()
	}
	start, sorted, empty := r.room(), true, false
	err := r.Object(func(name string) error {
		if name != "labels" {
			r.unknown++
			return r.Skip()
		}
		if r.Null() {
			return nil
		}
		if r.Peek() != '[' {
			r.fault(field, "a list of labels is expected")
			return r.Skip()
		}
		return r.Array(func(int) error {
			l, ok, err := r.label(field)
			if err != nil || !ok {
				return err
			}
			if n := len(r.slab); n > start && r.slab[n-1].Name >= l.Name {
				sorted = false
			}
			empty = empty || l.Value == ""
			r.slab = append(r.slab, l)
			return nil
		})
	})
	if err != nil {
		return err
	}
	*v = r.cut(field, start, sorted, empty)
	return nil
}

// label reads one label of a list; ok is false when it cannot be taken.
func (r *reader) label(field string) (l itsm.Label, ok bool, err error) {
	if r.Peek() != '{' {
		r.fault(field, "a label is an object with key and value")
		return l, false, r.Skip()
	}
	badKey, badValue := false, false
	err = r.Object(func(name string) error {
		into, bad := &l.Name, &badKey
		switch name {
		case "key":
		case "value":
			into, bad = &l.Value, &badValue
		default:
			r.unknown++
			return r.Skip()
		}
		if r.Peek() != '"' {
			*bad = true
			return r.Skip()
		}
		text, err := r.String()
		*into = text
		return err
	})
	switch {
	case err != nil:
	case badKey:
		r.fault(field, "the key of a label is a string")
	case badValue:
		r.fault(itsm.LabelField(field, l.Name), "a string is expected")
	}
	return l, !badKey && !badValue, err
}
