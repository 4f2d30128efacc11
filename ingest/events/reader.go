// Package events reads and writes events files: every input of the engine as JSON lines, one
// thing a line, in the order of their times. It refuses an unordered file and, in our own fields,
// unknown names; it says the line of every fault. A Reader and a Writer belong to one goroutine.
package events

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"signalbox/itsm"
)

// maxLine is the longest line of an events file; an adopted estate is one line.
const maxLine = 1 << 30

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
	long   []byte // a line longer than in's buffer
	number int    // of the last line read
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
		out.Input.Silences = append(out.Input.Silences, p.input.Silences...)
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
			if a.Patterns != nil {
				out.Input.Adopt.Patterns = a.Patterns
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
		text, err := r.readLine()
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		p, err := r.parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", r.opts.Name, r.number, err)
		}
		if p.at.Before(r.last) {
			return nil, fmt.Errorf("%s:%d: at: %s is before the line above (%s); the file must be ordered by at",
				r.opts.Name, r.number, p.at.Format(time.RFC3339Nano), r.last.Format(time.RFC3339Nano))
		}
		r.last = p.at
		return p, nil
	}
}

// readLine returns the next line, valid until the next call; io.EOF after the last.
func (r *Reader) readLine() ([]byte, error) {
	text, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = r.long[:0]
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(r.long) > maxLine {
				return nil, fmt.Errorf("%s:%d: the line is longer than %d bytes", r.opts.Name, r.number+1, maxLine)
			}
			r.long = append(r.long, text...)
			text, err = r.in.ReadSlice('\n')
		}
		r.long = append(r.long, text...)
		text = r.long
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: read line %d: %w", r.opts.Name, r.number+1, err)
	}
	if len(text) == 0 {
		return nil, io.EOF
	}
	r.number++
	return text, nil
}

func (r *Reader) parse(text []byte) (*parsed, error) {
	l, err := parseLine(text, r.opts.IgnoreLabels)
	if err != nil {
		return nil, err
	}
	if l.at.IsZero() && len(l.faults) == 0 {
		l.faults.Add("at", "is missing")
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	p := &parsed{at: l.at.UTC(), record: l.record}
	p.input.Adopt = l.adopt
	switch {
	case l.alert != nil:
		l.alert.Line = r.number
		r.Unknown += l.unknown
		p.input.Alerts = []itsm.Alert{*l.alert}
	case l.silence != nil:
		p.input.Silences = []itsm.Silence{*l.silence}
	case l.change != nil:
		begins(l.change, p.at)
		p.input.Changes = []itsm.Change{*l.change}
	case l.command != nil:
		p.input.Commands = []itsm.Command{*l.command}
	}
	return p, nil
}
