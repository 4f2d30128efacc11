package events

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"signalbox/itsm"
)

// Writer writes records as an events file that a Reader reads back as the same records.
type Writer struct {
	out *bufio.Writer
	b   []byte
}

// NewWriter returns a writer of an events file.
func NewWriter(w io.Writer) *Writer { return &Writer{out: bufio.NewWriterSize(w, 1<<16)} }

// Write writes one record, a line for each thing in it, and hands it on to the underlying writer.
func (w *Writer) Write(r itsm.Record) error {
	in := &r.Input
	n := len(in.Alerts) + len(in.Silences) + len(in.Changes) + len(in.Commands)
	if in.Adopt != nil {
		n++
	}
	head := func() {
		w.b = append(w.b, `{"at":`...)
		w.b = appendTime(w.b, r.Time)
		if n > 1 {
			w.b = append(w.b, `,"record":`...)
			w.b = strconv.AppendInt(w.b, r.Offset, 10)
		}
	}
	w.b = w.b[:0]
	if n == 0 {
		head()
		w.b = append(w.b, "}\n"...)
	}
	if in.Adopt != nil {
		head()
		if err := w.adopt(in.Adopt); err != nil {
			return fmt.Errorf("record %d: %w", r.Offset, err)
		}
	}
	for i := range in.Silences {
		head()
		if err := w.value("silence", &in.Silences[i]); err != nil {
			return fmt.Errorf("record %d: %w", r.Offset, err)
		}
	}
	for i := range in.Changes {
		head()
		if err := w.value("change", &in.Changes[i]); err != nil {
			return fmt.Errorf("record %d: %w", r.Offset, err)
		}
	}
	for i := range in.Alerts {
		head()
		w.alert(&in.Alerts[i])
	}
	for i := range in.Commands {
		head()
		if err := w.value("command", &in.Commands[i]); err != nil {
			return fmt.Errorf("record %d: %w", r.Offset, err)
		}
	}
	if _, err := w.out.Write(w.b); err != nil {
		return err
	}
	return w.out.Flush()
}

func (w *Writer) value(name string, v any) error {
	j, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	w.b = append(w.b, `,"`+name+`":`...)
	w.b = append(w.b, j...)
	w.b = append(w.b, "}\n"...)
	return nil
}

func (w *Writer) adopt(a *itsm.Adopt) error {
	w.b = append(w.b, `,"adopt":{`...)
	first := true
	part := func(name string, v *itsm.Version) error {
		if v == nil {
			return nil
		}
		if !compact(v.Data) {
			return fmt.Errorf("adopted %s %s: not JSON on one line", name, v.ID)
		}
		if !first {
			w.b = append(w.b, ',')
		}
		first = false
		w.b = append(w.b, `"`+name+`":`...)
		w.b = append(w.b, v.Data...)
		return nil
	}
	err := errors.Join(part("estate", a.Estate), part("rules", a.Rules), part("patterns", a.Patterns))
	w.b = append(w.b, "}}\n"...)
	return err
}

func (w *Writer) alert(a *itsm.Alert) {
	b := append(w.b, `,"alert":{"status":`...)
	b = itsm.AppendJSONString(b, string(a.Status))
	b = append(b, `,"labels":`...)
	b = a.Labels.AppendJSON(b)
	if len(a.Annotations) > 0 {
		b = append(b, `,"annotations":`...)
		b = a.Annotations.AppendJSON(b)
	}
	if !a.StartsAt.IsZero() {
		b = append(b, `,"startsAt":`...)
		b = appendTime(b, a.StartsAt)
	}
	if !a.EndsAt.IsZero() {
		b = append(b, `,"endsAt":`...)
		b = appendTime(b, a.EndsAt)
	}
	if a.GeneratorURL != "" {
		b = append(b, `,"generatorURL":`...)
		b = itsm.AppendJSONString(b, a.GeneratorURL)
	}
	b = append(b, '}')
	if a.Source != "" {
		b = append(b, `,"source":`...)
		b = itsm.AppendJSONString(b, a.Source)
	}
	if a.GroupKey != "" {
		b = append(b, `,"groupKey":`...)
		b = itsm.AppendJSONString(b, a.GroupKey)
	}
	if a.Resend {
		b = append(b, `,"resend":true`...)
	}
	if a.Suppressed != "" {
		b = append(b, `,"suppressed":`...)
		b = itsm.AppendJSONString(b, a.Suppressed)
	}
	if !a.ObservedAt.IsZero() {
		b = append(b, `,"observedAt":`...)
		b = appendTime(b, a.ObservedAt)
	}
	w.b = append(b, "}\n"...)
}

func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}
