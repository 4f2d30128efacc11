package events

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
)

// BodyOptions say how to read a body of POST /api/v1/ingest/events.
type BodyOptions struct {
	IgnoreLabels []string
	Source       string // of alerts whose line names none
}

// Body is what such a body holds.
type Body struct {
	Input   itsm.Input
	Refused []alertmanager.Refusal // by line, from 0
	Unknown int
}

// DecodeBody reads alerts and changes as JSON lines. Each line is taken or refused alone; a body
// without a single JSON object is an error. The server stamps the time: `at` is kept as ObservedAt
// and need not be there. Commands, estates and rules have doors of their own.
func DecodeBody(body []byte, opts BodyOptions) (Body, error) {
	var out Body
	lines, objects := 0, 0
	for text := range bytes.Lines(body) {
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if text[0] == '{' {
			objects++
		}
		if err := out.add(text, opts); err != nil {
			refuse(&out, lines, err)
		}
		lines++
	}
	if objects == 0 {
		return Body{}, errors.New("JSON lines are expected: one object with an alert or a change a line")
	}
	return out, nil
}

func refuse(out *Body, index int, err error) {
	var faults itsm.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			out.Refused = append(out.Refused, alertmanager.Refusal{Index: index, Field: f.Field, Reason: f.Reason})
		}
		return
	}
	out.Refused = append(out.Refused, alertmanager.Refusal{Index: index, Reason: err.Error()})
}

func (out *Body) add(text []byte, opts BodyOptions) error {
	if depth(text) > 64 {
		return errors.New("nested deeper than 64")
	}
	var l line
	if err := strict(text, &l); err != nil {
		return err
	}
	if err := l.checkKinds(); err != nil {
		return err
	}
	switch {
	case l.Alert != nil:
		if l.ObservedAt == nil {
			l.ObservedAt = l.At
		}
		if l.Source == "" {
			l.Source = opts.Source
		}
		a, unknown, err := l.alert(opts.IgnoreLabels)
		if err != nil {
			return err
		}
		out.Unknown += unknown
		out.Input.Alerts = append(out.Input.Alerts, a)
	case l.Change != nil:
		c, err := decodeChange(l.Change)
		if err != nil {
			return err
		}
		if c.StartsAt.IsZero() {
			c.StartsAt = time.Now().UTC()
		}
		out.Input.Changes = append(out.Input.Changes, c)
	case l.Command != nil:
		return itsm.Faults{{Field: "command", Reason: "commands enter at POST /api/v1/incidents/{id}/{action}"}}
	case l.Adopt != nil:
		return itsm.Faults{{Field: "adopt", Reason: "an estate enters at PUT /api/v1/estate"}}
	default:
		return fmt.Errorf("an alert or a change is expected")
	}
	return nil
}

// depth is how deep a line is nested, brackets in strings apart.
func depth(text []byte) int {
	most, now, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}
