// Package events reads and writes events files: every input of the engine as JSON lines, one
// thing a line, in the order of their times. It refuses an unordered file and, in our own fields,
// unknown names; it says the line of every fault. A Reader and a Writer belong to one goroutine.
package events

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
)

// maxLine is the longest line of an events file; an adopted estate is one line.
const maxLine = 1 << 30

// line is one line of an events file.
type line struct {
	At         *time.Time      `json:"at"`
	Record     *int64          `json:"record,omitempty"`
	Alert      json.RawMessage `json:"alert,omitempty"`
	Source     string          `json:"source,omitempty"`
	GroupKey   string          `json:"groupKey,omitempty"`
	Resend     bool            `json:"resend,omitempty"`
	ObservedAt *time.Time      `json:"observedAt,omitempty"`
	Change     json.RawMessage `json:"change,omitempty"`
	Command    json.RawMessage `json:"command,omitempty"`
	Adopt      *adoptLine      `json:"adopt,omitempty"`
}

type adoptLine struct {
	Estate json.RawMessage `json:"estate,omitempty"`
	Rules  json.RawMessage `json:"rules,omitempty"`
}

// ReaderOptions say how to read an events file.
type ReaderOptions struct {
	Name string // of the file, for faults
	// IgnoreLabels are taken out of every label set (identity.ignore_labels).
	IgnoreLabels []string
}

// Reader reads an events file record by record.
type Reader struct {
	opts   ReaderOptions
	in     *bufio.Reader
	number int // of the last line read
	offset int64
	last   time.Time
	peeked *parsed
	// Unknown counts the fields of foreign objects that were ignored.
	Unknown int
}

// parsed is one line as an input.
type parsed struct {
	at     time.Time
	record *int64
	input  itsm.Input
}

// NewReader returns a reader of an events file.
func NewReader(r io.Reader, opts ReaderOptions) *Reader {
	return &Reader{opts: opts, in: bufio.NewReaderSize(r, 1<<18)}
}

// Read returns the next record, io.EOF after the last. Consecutive lines with the same `record`
// are one.
func (r *Reader) Read() (itsm.Record, error) {
	first, err := r.next()
	if err != nil {
		return itsm.Record{}, err
	}
	out := itsm.Record{Offset: r.offset, Time: first.at, Input: first.input}
	r.offset++
	if first.record == nil {
		return out, nil
	}
	for {
		p, err := r.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if p.record == nil || *p.record != *first.record || !p.at.Equal(first.at) {
			r.peeked = p
			return out, nil
		}
		out.Input.Alerts = append(out.Input.Alerts, p.input.Alerts...)
		out.Input.Changes = append(out.Input.Changes, p.input.Changes...)
		out.Input.Commands = append(out.Input.Commands, p.input.Commands...)
		if a := p.input.Adopt; a != nil {
			if out.Input.Adopt == nil {
				out.Input.Adopt = &itsm.Adopt{}
			}
			if a.Estate != nil {
				out.Input.Adopt.Estate = a.Estate
			}
			if a.Rules != nil {
				out.Input.Adopt.Rules = a.Rules
			}
		}
	}
}

func (r *Reader) next() (*parsed, error) {
	if p := r.peeked; p != nil {
		r.peeked = nil
		return p, nil
	}
	for {
		text, err := r.in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			return nil, io.EOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: read line %d: %w", r.opts.Name, r.number+1, err)
		}
		r.number++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		p, err := r.parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", r.opts.Name, r.number, err)
		}
		if p.at.Before(r.last) {
			return nil, fmt.Errorf("%s:%d: at %s is before the line above (%s); the file must be ordered by at",
				r.opts.Name, r.number, p.at.Format(time.RFC3339Nano), r.last.Format(time.RFC3339Nano))
		}
		r.last = p.at
		return p, nil
	}
}

func (r *Reader) parse(text []byte) (*parsed, error) {
	if len(text) > maxLine {
		return nil, fmt.Errorf("the line is longer than %d bytes", maxLine)
	}
	var l line
	if err := strict(text, &l); err != nil {
		return nil, err
	}
	if l.At == nil {
		return nil, errors.New("at: is missing")
	}
	p := &parsed{at: l.At.UTC(), record: l.Record}
	if err := l.checkKinds(); err != nil {
		return nil, err
	}
	switch {
	case l.Alert != nil:
		a, unknown, err := l.alert(r.opts.IgnoreLabels)
		if err != nil {
			return nil, err
		}
		a.Line = r.number
		r.Unknown += unknown
		p.input.Alerts = []itsm.Alert{a}
	case l.Change != nil:
		c, err := decodeChange(l.Change)
		if err != nil {
			return nil, err
		}
		p.input.Changes = []itsm.Change{c}
	case l.Command != nil:
		var c itsm.Command
		if err := strict(l.Command, &c); err != nil {
			return nil, fmt.Errorf("command: %w", err)
		}
		if err := c.Validate(); err != nil {
			return nil, fmt.Errorf("command: %w", err)
		}
		p.input.Commands = []itsm.Command{c}
	case l.Adopt != nil:
		p.input.Adopt = &itsm.Adopt{Estate: version(l.Adopt.Estate), Rules: version(l.Adopt.Rules)}
	}
	return p, nil
}

// checkKinds refuses a line that holds several things, or a field of another thing.
func (l *line) checkKinds() error {
	kinds := 0
	for _, there := range []bool{l.Alert != nil, l.Change != nil, l.Command != nil, l.Adopt != nil} {
		if there {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return errors.New("one of alert, change, command and adopt is expected on a line")
	case l.Alert == nil && (l.Source != "" || l.GroupKey != "" || l.Resend || l.ObservedAt != nil):
		return errors.New("source, groupKey, resend and observedAt belong to an alert")
	case l.Adopt != nil && l.Adopt.Estate == nil && l.Adopt.Rules == nil:
		return errors.New("adopt: estate or rules is expected")
	}
	return nil
}

func (l *line) alert(ignore []string) (itsm.Alert, int, error) {
	a, unknown, err := alertmanager.DecodeAlert(l.Alert)
	if err != nil {
		return a, 0, fmt.Errorf("alert: %w", err)
	}
	a.Source, a.GroupKey, a.Resend = l.Source, l.GroupKey, l.Resend
	if l.ObservedAt != nil {
		a.ObservedAt = l.ObservedAt.UTC()
	}
	a.Labels = a.Labels.Without(ignore)
	if err := a.Validate(); err != nil {
		return a, unknown, fmt.Errorf("alert: %w", err)
	}
	a.Fingerprint = a.Labels.Fingerprint()
	return a, unknown, nil
}

func decodeChange(raw []byte) (itsm.Change, error) {
	var c itsm.Change
	if err := strict(raw, &c); err != nil {
		return c, fmt.Errorf("change: %w", err)
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("change: %w", err)
	}
	return c, nil
}

// version makes bytes a version; the id follows from them as it does where they are stored.
func version(raw json.RawMessage) *itsm.Version {
	if raw == nil {
		return nil
	}
	sum := sha256.Sum256(raw)
	return &itsm.Version{ID: hex.EncodeToString(sum[:8]), Data: raw}
}

// strict decodes one JSON value; an unknown field is an error.
func strict(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errors.New("one JSON object a line is expected")
	}
	return nil
}
