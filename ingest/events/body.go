package events

import (
	"bytes"
	"errors"

	"signalbox/ingest"
	"signalbox/itsm"
)

// Receiver receives alerts and changes of anybody, as JSON lines.
func Receiver() ingest.Receiver {
	return ingest.Receiver{Name: "events", Path: "/api/v1/ingest/events", Decode: DecodeBody}
}

// DecodeBody reads alerts and changes as JSON lines, each taken or refused alone; a body without a
// single JSON object is an error. The server stamps the time: `at` is kept as ObservedAt and need
// not be there. Commands, estates and rules have doors of their own.
func DecodeBody(body []byte, a ingest.Arrival) (ingest.Batch, error) {
	var out ingest.Batch
	index, objects := 0, 0
	for text := range bytes.Lines(body) {
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if text[0] == '{' {
			objects++
		}
		if faults := take(&out, text, a); len(faults) > 0 {
			out.Refuse(index, faults)
		}
		index++
	}
	if objects == 0 {
		return ingest.Batch{}, errors.New("JSON lines are expected: one object with an alert or a change a line")
	}
	return out, nil
}

// take adds what a line holds to a batch, or says why not.
func take(out *ingest.Batch, text []byte, a ingest.Arrival) itsm.Faults {
	l, err := parseLine(text, a.IgnoreLabels)
	if err != nil {
		return itsm.Faults{{Reason: err.Error()}}
	}
	faults := append(l.faults, l.inner...)
	switch {
	case l.command != nil:
		faults.Add("command", "commands enter at POST /api/v1/incidents/{id}/{action}")
	case l.silence != nil:
		faults.Add("silence", "silences enter at POST /api/v2/silences")
	case l.adopt != nil:
		faults.Add("adopt", "an estate enters at PUT /api/v1/estate")
	case len(faults) > 0:
	case l.alert != nil:
		if l.alert.ObservedAt.IsZero() {
			l.alert.ObservedAt = l.at.UTC()
		}
		out.Alerts = append(out.Alerts, *l.alert)
		out.Unknown += l.unknown
	case l.change != nil:
		if l.at.IsZero() {
			l.at = a.At
		}
		begins(l.change, l.at.UTC())
		out.Changes = append(out.Changes, *l.change)
	default:
		faults.Add("", "an alert or a change is expected")
	}
	return faults
}
