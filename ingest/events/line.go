package events

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/ingest/alertmanager"
	"signalbox/ingest/internal/scan"
	"signalbox/itsm"
)

// line is one line of an events file. At most one of alert, silence, change, command and adopt is there; a
// line with none of them is a tick.
type line struct {
	at         time.Time // zero: not there
	record     *int64
	source     string
	groupKey   string
	resend     bool
	suppressed string
	observedAt time.Time
	alert      *itsm.Alert
	silence    *itsm.Silence
	change     *itsm.Change
	command    *itsm.Command
	adopt      *itsm.Adopt

	unknown int         // fields of the alert that were passed over
	faults  itsm.Faults // of the line's own fields
	inner   itsm.Faults // of the alert, change or command
}

// maxSource bounds the name of a source and the reason of a suppression, which are kept in memory.
const maxSource = 1 << 10

// parseLine reads a line; its error means that it is no JSON object. Everything else that is wrong
// is among the faults.
func parseLine(text []byte, ignoreLabels []string) (*line, error) {
	l := &line{}
	s := scan.New(text)
	valid := s.Valid()
	seen := map[string]bool{}
	err := s.Object(func(name string) error {
		if seen[name] {
			l.faults.Add(short(name), "stands twice")
		}
		seen[name] = true
		if s.Null() {
			return nil
		}
		s.Peek()
		from, before := s.Pos(), len(l.faults)+len(l.inner)
		if err := l.field(name, &s, ignoreLabels); err != nil {
			return err
		}
		if !valid && len(l.faults)+len(l.inner) == before && !utf8.ValidString(s.Since(from)) {
			l.faults.Add(short(name), "is not valid UTF-8")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.End(); err != nil {
		return nil, err
	}
	if s.Deepest > scan.MaxDepth && len(l.faults)+len(l.inner) == 0 {
		l.faults.Add("", "nested deeper than %d", scan.MaxDepth)
	}
	l.check()
	return l, nil
}

func short(name string) string { return strings.ToValidUTF8(name[:min(64, len(name))], "") }

// field reads the value of one of the line's own fields.
func (l *line) field(name string, s *scan.Scanner, ignoreLabels []string) error {
	if name == "alert" {
		if s.Peek() != '{' {
			l.faults.Add(name, "an object is expected")
			return s.Skip()
		}
		a, unknown, faults, err := alertmanager.ReadAlert(s, ignoreLabels)
		l.alert, l.unknown, l.inner = &a, unknown, append(l.inner, faults...)
		return err
	}
	from := s.Pos()
	if err := s.Skip(); err != nil {
		return err
	}
	raw := s.Since(from)
	switch name {
	case "at":
		l.value(name, raw, &l.at)
	case "observedAt":
		l.value(name, raw, &l.observedAt)
	case "record":
		l.value(name, raw, &l.record)
	case "source":
		l.value(name, raw, &l.source)
	case "groupKey":
		l.value(name, raw, &l.groupKey)
	case "suppressed":
		l.value(name, raw, &l.suppressed)
	case "resend":
		l.value(name, raw, &l.resend)
	case "silence":
		l.silence = &itsm.Silence{}
		l.inner = append(l.inner, strict(raw, l.silence)...)
	case "change":
		l.change = &itsm.Change{}
		l.inner = append(l.inner, strict(raw, l.change)...)
	case "command":
		l.command = &itsm.Command{}
		l.inner = append(l.inner, strict(raw, l.command)...)
	case "adopt":
		var a struct {
			Estate   json.RawMessage `json:"estate"`
			Rules    json.RawMessage `json:"rules"`
			Patterns json.RawMessage `json:"patterns"`
		}
		l.inner = append(l.inner, strict(raw, &a)...)
		l.adopt = &itsm.Adopt{Estate: version(a.Estate), Rules: version(a.Rules), Patterns: version(a.Patterns)}
	default:
		l.faults.Add(short(name), "is not a field of an events file")
	}
	return nil
}

func (l *line) value(name, raw string, v any) {
	if err := json.Unmarshal([]byte(raw), v); err != nil {
		l.faults.Add(name, "%s", expected(err))
	}
}

// check refuses a line that holds several things, a field of another thing, or a faulty one.
func (l *line) check() {
	kinds := 0
	for _, there := range []bool{l.alert != nil, l.silence != nil, l.change != nil, l.command != nil, l.adopt != nil} {
		if there {
			kinds++
		}
	}
	if kinds > 1 {
		l.faults.Add("", "one of alert, silence, change, command and adopt is expected on a line")
		return
	}
	itsm.ValidateTime("at", l.at, &l.faults)
	itsm.ValidateTime("observedAt", l.observedAt, &l.faults)
	for _, f := range [...][2]string{{"source", l.source}, {"suppressed", l.suppressed}} {
		if len(f[1]) > maxSource {
			l.faults.Add(f[0], "is longer than %d bytes", maxSource)
		}
	}
	if l.alert == nil {
		for _, f := range []struct {
			name  string
			there bool
		}{{"source", l.source != ""}, {"groupKey", l.groupKey != ""}, {"resend", l.resend}, {"suppressed", l.suppressed != ""}, {"observedAt", !l.observedAt.IsZero()}} {
			if f.there {
				l.faults.Add(f.name, "belongs to an alert")
			}
		}
	}
	var err error
	switch {
	case len(l.inner) > 0: // what could not be read is not validated
	case l.alert != nil:
		l.alert.Source, l.alert.GroupKey, l.alert.Resend, l.alert.Suppressed = l.source, l.groupKey, l.resend, l.suppressed
		l.alert.ObservedAt = l.observedAt.UTC()
	case l.silence != nil:
		err = l.silence.Validate()
	case l.change != nil:
		err = l.change.Validate()
	case l.command != nil:
		err = l.command.Validate()
	case l.adopt != nil && len(l.adopt.Versions()) == 0:
		l.faults.Add("adopt", "estate, rules or patterns is expected")
	}
	if faults, ok := errors.AsType[itsm.Faults](err); ok {
		l.inner = append(l.inner, faults...)
	}
}

// kind is the field that holds what the line is about.
func (l *line) kind() string {
	switch {
	case l.alert != nil:
		return "alert"
	case l.silence != nil:
		return "silence"
	case l.change != nil:
		return "change"
	case l.command != nil:
		return "command"
	case l.adopt != nil:
		return "adopt"
	}
	return ""
}

// err returns all faults as one error, nil when there is none.
func (l *line) err() error {
	var inner error
	if len(l.inner) > 0 {
		inner = fmt.Errorf("%s: %w", l.kind(), l.inner)
	}
	switch {
	case len(l.faults) == 0:
		return inner
	case inner == nil:
		return l.faults
	}
	return fmt.Errorf("%w; %w", l.faults, inner)
}

// begins gives a change without a beginning the time it was heard of, or that of its end.
func begins(c *itsm.Change, at time.Time) {
	if !c.StartsAt.IsZero() {
		return
	}
	c.StartsAt = at
	if c.EndsAt != nil && c.EndsAt.Before(at) {
		c.StartsAt = *c.EndsAt
	}
}

// version makes bytes a version; the id follows from them as it does where they are stored.
func version(raw json.RawMessage) *itsm.Version {
	if raw == nil {
		return nil
	}
	sum := sha256.Sum256(raw)
	return &itsm.Version{ID: hex.EncodeToString(sum[:8]), Data: raw}
}

// strict decodes an object into a struct. Every unknown, repeated or wrong field is a fault.
// Plain encoding/json would stop at the first and take names in any case.
func strict(raw string, into any) itsm.Faults {
	var faults itsm.Faults
	v := reflect.ValueOf(into).Elem()
	fields := make(map[string]reflect.Value, v.NumField())
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = v.Field(i)
	}
	s := scan.New([]byte(raw))
	seen := map[string]bool{}
	err := s.Object(func(name string) error {
		s.Peek()
		from := s.Pos()
		if err := s.Skip(); err != nil {
			return err
		}
		field, known := fields[name]
		switch {
		case !known:
			faults.Add(short(name), "is not a field here")
		case seen[name]:
			faults.Add(name, "stands twice")
		default:
			seen[name] = true
			if err := json.Unmarshal([]byte(s.Since(from)), field.Addr().Interface()); err != nil {
				faults.Add(name, "%s", expected(err))
			}
		}
		return nil
	})
	if err != nil { // the grammar was checked before: it is not an object
		faults.Add("", "an object is expected")
	}
	return faults
}

// expected says what encoding/json wanted, in the words of the other faults.
func expected(err error) string {
	if when, ok := errors.AsType[*time.ParseError](err); ok {
		return fmt.Sprintf("a time such as 2026-01-02T15:04:05Z is expected, got %.66s", when.Value)
	}
	kind, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok && strings.HasPrefix(err.Error(), "Time."): // not a string
		return "a time such as 2026-01-02T15:04:05Z is expected"
	case !ok:
		return strings.TrimPrefix(err.Error(), "json: ")
	case kind.Type == reflect.TypeFor[time.Time]():
		return "a time such as 2026-01-02T15:04:05Z is expected"
	}
	switch kind.Type.Kind() {
	case reflect.String:
		return "a string is expected"
	case reflect.Bool:
		return "true or false is expected"
	case reflect.Int, reflect.Int64:
		return "a whole number is expected, got " + kind.Value
	case reflect.Slice:
		return "a list is expected"
	}
	return "an object is expected"
}

// compact tells whether bytes can stand on a line and be read back as they are.
func compact(b []byte) bool {
	return json.Valid(b) && !bytes.ContainsAny(b, "\n\r") && len(bytes.TrimSpace(b)) == len(b)
}
