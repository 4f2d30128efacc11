package stream

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
	"unsafe"

	"signalbox/itsm"
)

// This file is eventspb/events.proto by hand: between itsm's own types, without the detour over
// generated ones, and with two allocations for an alert. A test holds both to the same bytes.

// Tags of the fields: number<<3 | wire type.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5

	tagTime     = 1<<3 | wireFixed64
	tagAdopt    = 2<<3 | wireBytes
	tagChange   = 3<<3 | wireBytes
	tagAlert    = 4<<3 | wireBytes
	tagCommand  = 5<<3 | wireBytes
	tagSilence  = 6<<3 | wireBytes
	tagEstate   = 1<<3 | wireBytes
	tagRules    = 2<<3 | wireBytes
	tagPatterns = 3<<3 | wireBytes
	tagName     = 1<<3 | wireBytes
	tagValue    = 2<<3 | wireBytes
	tagPrint    = 1<<3 | wireFixed64
	tagLabel    = 2<<3 | wireBytes
	tagNote     = 3<<3 | wireBytes
	tagStatus   = 4<<3 | wireVarint
	tagStarts   = 5<<3 | wireFixed64
	tagEnds     = 6<<3 | wireFixed64
	tagURL      = 7<<3 | wireBytes
	tagSource   = 8<<3 | wireBytes
	tagGroup    = 9<<3 | wireBytes
	tagResend   = 10<<3 | wireVarint
	tagObserved = 11<<3 | wireFixed64
	tagMark     = 12<<3 | wireBytes

	statusFiring   = 1
	statusResolved = 2
)

var (
	errUndecodable = errors.New("undecodable record")
	errNotUTF8     = errors.New("a text is not valid UTF-8")
)

func appendTime(b []byte, at time.Time) []byte {
	b = append(b, tagTime)
	return binary.LittleEndian.AppendUint64(b, uint64(at.UnixNano()))
}

func appendAdopt(b []byte, a *itsm.Adopt) []byte {
	var body []byte
	if a.Estate != nil {
		body = appendText(body, tagEstate, a.Estate.ID)
	}
	if a.Rules != nil {
		body = appendText(body, tagRules, a.Rules.ID)
	}
	if a.Patterns != nil {
		body = appendText(body, tagPatterns, a.Patterns.ID)
	}
	return appendBytes(b, tagAdopt, body)
}

func appendChange(b []byte, c *itsm.Change) ([]byte, error) {
	v, err := json.Marshal(c)
	if err != nil {
		return b, fmt.Errorf("encode change %s: %w", c.ID, err)
	}
	return appendBytes(b, tagChange, v), nil
}

func appendSilence(b []byte, s *itsm.Silence) ([]byte, error) {
	v, err := json.Marshal(s)
	if err != nil {
		return b, fmt.Errorf("encode silence %s: %w", s.ID, err)
	}
	return appendBytes(b, tagSilence, v), nil
}

func appendCommand(b []byte, c *itsm.Command) ([]byte, error) {
	v, err := json.Marshal(c)
	if err != nil {
		return b, fmt.Errorf("encode command %s: %w", c.ID, err)
	}
	return appendBytes(b, tagCommand, v), nil
}

func appendBytes(b []byte, tag byte, v []byte) []byte {
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// appendText leaves empty texts out, as proto3 does.
func appendText(b []byte, tag byte, v string) []byte {
	if v == "" {
		return b
	}
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func textSize(v string) int {
	if v == "" {
		return 0
	}
	return 1 + uvarintLen(len(v)) + len(v)
}

func uvarintLen(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func appendAlert(b []byte, a *itsm.Alert) []byte {
	b = append(b, tagAlert)
	b = binary.AppendUvarint(b, uint64(alertSize(a)))
	if a.Fingerprint != 0 {
		b = append(b, tagPrint)
		b = binary.LittleEndian.AppendUint64(b, uint64(a.Fingerprint))
	}
	b = appendLabels(b, tagLabel, a.Labels)
	b = appendLabels(b, tagNote, a.Annotations)
	switch a.Status {
	case itsm.StatusFiring:
		b = append(b, tagStatus, statusFiring)
	case itsm.StatusResolved:
		b = append(b, tagStatus, statusResolved)
	}
	b = appendStamp(b, tagStarts, a.StartsAt)
	b = appendStamp(b, tagEnds, a.EndsAt)
	b = appendText(b, tagURL, a.GeneratorURL)
	b = appendText(b, tagSource, a.Source)
	b = appendText(b, tagGroup, a.GroupKey)
	if a.Resend {
		b = append(b, tagResend, 1)
	}
	b = appendStamp(b, tagObserved, a.ObservedAt)
	return appendText(b, tagMark, a.Suppressed)
}

func alertSize(a *itsm.Alert) int {
	const stamp = 9
	n := labelsSize(a.Labels) + labelsSize(a.Annotations) + textSize(a.GeneratorURL) + textSize(a.Source) + textSize(a.GroupKey) + textSize(a.Suppressed)
	if a.Fingerprint != 0 {
		n += stamp
	}
	if a.Status == itsm.StatusFiring || a.Status == itsm.StatusResolved {
		n += 2
	}
	if a.Resend {
		n += 2
	}
	for _, t := range [...]*time.Time{&a.StartsAt, &a.EndsAt, &a.ObservedAt} {
		if !t.IsZero() {
			n += stamp
		}
	}
	return n
}

func labelsSize(ls itsm.Labels) int {
	n := 0
	for i := range ls {
		size := textSize(ls[i].Name) + textSize(ls[i].Value)
		n += 1 + uvarintLen(size) + size
	}
	return n
}

func appendLabels(b []byte, tag byte, ls itsm.Labels) []byte {
	for i := range ls {
		name, value := ls[i].Name, ls[i].Value
		b = append(b, tag)
		b = binary.AppendUvarint(b, uint64(textSize(name)+textSize(value)))
		b = appendText(b, tagName, name)
		b = appendText(b, tagValue, value)
	}
	return b
}

func appendStamp(b []byte, tag byte, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	b = append(b, tag)
	return binary.LittleEndian.AppendUint64(b, uint64(t.UnixNano()))
}

// field is one field of a message: v holds bytes, n a number.
type field struct {
	tag byte // 0: a field this version does not know
	v   []byte
	n   uint64
}

// cutField takes the first field off a message.
func cutField(b []byte) (f field, rest []byte, err error) {
	tag, n := uint64(b[0]), 1
	if tag >= 0x80 {
		if tag, n = binary.Uvarint(b); n <= 0 {
			return f, nil, fmt.Errorf("%w: tag", errUndecodable)
		}
	}
	b = b[n:]
	if tag < 0x80 {
		f.tag = byte(tag)
	}
	switch tag & 7 {
	case wireVarint:
		if f.n, n = binary.Uvarint(b); n <= 0 {
			return f, nil, fmt.Errorf("%w: number", errUndecodable)
		}
		return f, b[n:], nil
	case wireFixed64:
		if len(b) < 8 {
			return f, nil, fmt.Errorf("%w: cut off", errUndecodable)
		}
		f.n = binary.LittleEndian.Uint64(b)
		return f, b[8:], nil
	case wireFixed32:
		if len(b) < 4 {
			return f, nil, fmt.Errorf("%w: cut off", errUndecodable)
		}
		return f, b[4:], nil
	case wireBytes:
		var size uint64
		if len(b) > 0 && b[0] < 0x80 {
			size, n = uint64(b[0]), 1
		} else if size, n = binary.Uvarint(b); n <= 0 {
			return f, nil, fmt.Errorf("%w: length", errUndecodable)
		}
		if b = b[n:]; size > uint64(len(b)) {
			return f, nil, fmt.Errorf("%w: cut off", errUndecodable)
		}
		f.v = b[:size]
		return f, b[size:], nil
	}
	return f, nil, fmt.Errorf("%w: wire type %d", errUndecodable, tag&7)
}

// decodeRecord reads the value of a record of events. Nothing in the result points into b.
// Adopted versions have their ids only.
func decodeRecord(b []byte) (at time.Time, in itsm.Input, err error) {
	if n := countAlerts(b); n > 0 {
		in.Alerts = make([]itsm.Alert, 0, n)
	}
	stamped := false
	for len(b) > 0 {
		var f field
		if f, b, err = cutField(b); err != nil {
			return at, in, err
		}
		switch f.tag {
		case tagTime:
			at, stamped = stamp(f.n), true
		case tagAdopt:
			if in.Adopt == nil {
				in.Adopt = new(itsm.Adopt)
			}
			err = decodeAdopt(f.v, in.Adopt)
		case tagChange:
			var c itsm.Change
			if err = json.Unmarshal(f.v, &c); err == nil {
				in.Changes = append(in.Changes, c)
			}
		case tagSilence:
			var s itsm.Silence
			if err = json.Unmarshal(f.v, &s); err == nil {
				in.Silences = append(in.Silences, s)
			}
		case tagAlert:
			in.Alerts = append(in.Alerts, itsm.Alert{})
			err = decodeAlert(f.v, &in.Alerts[len(in.Alerts)-1])
		case tagCommand:
			var c itsm.Command
			if err = json.Unmarshal(f.v, &c); err == nil {
				in.Commands = append(in.Commands, c)
			}
		}
		if err != nil {
			return at, in, fmt.Errorf("%w: %w", errUndecodable, err)
		}
	}
	if !stamped {
		return at, in, fmt.Errorf("%w: no time", errUndecodable)
	}
	return at, in, nil
}

func stamp(ns uint64) time.Time { return time.Unix(0, int64(ns)).UTC() }

// countAlerts counts without looking inside; decodeRecord finds the faults.
func countAlerts(b []byte) int {
	n := 0
	for len(b) > 0 {
		f, rest, err := cutField(b)
		if err != nil {
			return n
		}
		if f.tag == tagAlert {
			n++
		}
		b = rest
	}
	return n
}

func decodeAdopt(b []byte, a *itsm.Adopt) error {
	for len(b) > 0 {
		f, rest, err := cutField(b)
		if err != nil {
			return err
		}
		switch f.tag {
		case tagEstate:
			a.Estate = &itsm.Version{ID: string(f.v)}
		case tagRules:
			a.Rules = &itsm.Version{ID: string(f.v)}
		case tagPatterns:
			a.Patterns = &itsm.Version{ID: string(f.v)}
		}
		b = rest
	}
	return nil
}

// decodeAlert copies the alert's bytes once and lets every text point into the copy, so that an
// alert that an engine keeps keeps nothing but itself.
func decodeAlert(b []byte, a *itsm.Alert) error {
	labels, notes, err := countLabels(b)
	if err != nil {
		return err
	}
	own := string(b)
	slab := make(itsm.Labels, 0, labels+notes)
	if labels > 0 {
		a.Labels = slab[0:0:labels]
	}
	if notes > 0 {
		a.Annotations = slab[labels:labels:cap(slab)]
	}
	b = unsafe.Slice(unsafe.StringData(own), len(own)) // read only: it is a string's
	for len(b) > 0 {
		var f field
		if f, b, err = cutField(b); err != nil {
			return err
		}
		switch f.tag {
		case tagPrint:
			a.Fingerprint = itsm.Fingerprint(f.n)
		case tagLabel:
			a.Labels, err = decodeLabel(f.v, a.Labels)
		case tagNote:
			a.Annotations, err = decodeLabel(f.v, a.Annotations)
		case tagStatus:
			switch f.n {
			case statusFiring:
				a.Status = itsm.StatusFiring
			case statusResolved:
				a.Status = itsm.StatusResolved
			}
		case tagStarts:
			a.StartsAt = stamp(f.n)
		case tagEnds:
			a.EndsAt = stamp(f.n)
		case tagURL:
			a.GeneratorURL = text(f.v)
		case tagSource:
			a.Source = text(f.v)
		case tagGroup:
			a.GroupKey = text(f.v)
		case tagResend:
			a.Resend = f.n != 0
		case tagObserved:
			a.ObservedAt = stamp(f.n)
		case tagMark:
			a.Suppressed = text(f.v)
		}
		if err != nil {
			return err
		}
	}
	return checkAlert(a)
}

// checkAlert refuses what no door lets in and the engine relies on.
func checkAlert(a *itsm.Alert) error {
	switch {
	case len(a.Labels) == 0:
		return errors.New("an alert without labels")
	case a.Status == "":
		return errors.New("an alert without status")
	case !utf8.ValidString(a.GeneratorURL) || !utf8.ValidString(a.Source) || !utf8.ValidString(a.GroupKey) || !utf8.ValidString(a.Suppressed):
		return errNotUTF8
	}
	for i := 1; i < len(a.Labels); i++ {
		if a.Labels[i-1].Name >= a.Labels[i].Name {
			return errors.New("labels out of order")
		}
	}
	if a.Fingerprint == 0 { // also the value that proto3 leaves out
		a.Fingerprint = a.Labels.Fingerprint()
	}
	return nil
}

func countLabels(b []byte) (labels, notes int, err error) {
	for len(b) > 0 {
		var f field
		if f, b, err = cutField(b); err != nil {
			return 0, 0, err
		}
		switch f.tag {
		case tagLabel:
			labels++
		case tagNote:
			notes++
		}
	}
	return labels, notes, nil
}

func decodeLabel(b []byte, ls itsm.Labels) (itsm.Labels, error) {
	var l itsm.Label
	for len(b) > 0 {
		f, rest, err := cutField(b)
		if err != nil {
			return ls, err
		}
		switch f.tag {
		case tagName:
			l.Name = text(f.v)
		case tagValue:
			l.Value = text(f.v)
		}
		b = rest
	}
	if !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value) {
		return ls, errNotUTF8
	}
	return append(ls, l), nil
}

// text makes a string of bytes that belong to a string.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
