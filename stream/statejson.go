package stream

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"signalbox/itsm"
)

// appendAlertState appends what json.Marshal makes of an alert's state, ten times as fast: a
// storm writes one for each alert. A test holds both to the same bytes.
func appendAlertState(b []byte, a *itsm.AlertState) (_ []byte, err error) {
	b = append(b, `{"fingerprint":"`...)
	b = appendHex(b, uint64(a.Fingerprint))
	b = append(b, `","labels":`...)
	b = a.Labels.AppendJSON(b)
	b = append(b, `,"annotations":`...)
	b = a.Annotations.AppendJSON(b)
	b = append(b, `,"status":`...)
	b = itsm.AppendJSONString(b, string(a.Status))
	b = append(b, `,"severity":`...)
	b = itsm.AppendJSONString(b, string(a.Severity))
	b = append(b, `,"item":`...)
	b = appendOptional(b, a.Item)
	for _, f := range [...]struct {
		key string
		at  *time.Time
	}{
		{`,"startsAt":`, &a.StartsAt},
		{`,"lastStartsAt":`, &a.LastStartsAt},
		{`,"endsAt":`, a.EndsAt},
		{`,"lastSeenAt":`, &a.LastSeenAt},
		{`,"joinedAt":`, &a.JoinedAt},
	} {
		b = append(b, f.key...)
		if b, err = appendTimeJSON(b, f.at); err != nil {
			return b, err
		}
	}
	b = append(b, `,"count":`...)
	b = strconv.AppendInt(b, int64(a.Count), 10)
	b = append(b, `,"source":`...)
	b = itsm.AppendJSONString(b, a.Source)
	b = append(b, `,"generatorURL":`...)
	b = itsm.AppendJSONString(b, a.GeneratorURL)
	b = append(b, `,"acknowledged":`...)
	if a.Acknowledged == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, `{"by":`...)
		b = itsm.AppendJSONString(b, a.Acknowledged.By)
		b = append(b, `,"at":`...)
		if b, err = appendTimeJSON(b, &a.Acknowledged.At); err != nil {
			return b, err
		}
		b = append(b, '}')
	}
	b = append(b, `,"suppressed":`...)
	b = appendOptional(b, a.Suppressed)
	b = append(b, `,"silencedBy":[`...)
	for i, id := range a.SilencedBy {
		if i > 0 {
			b = append(b, ',')
		}
		b = itsm.AppendJSONString(b, id)
	}
	b = append(b, `],"maintenance":`...)
	b = appendOptional(b, a.Maintenance)
	b = append(b, `,"flapping":`...)
	b = strconv.AppendBool(b, a.Flapping)
	b = append(b, `,"evidence":`...)
	if b, err = appendEvidence(b, a.Evidence); err != nil {
		return b, err
	}
	b = append(b, `,"group":`...)
	b = itsm.AppendJSONString(b, a.Group)
	if a.Tried != "" {
		b = append(b, `,"tried":`...)
		b = itsm.AppendJSONString(b, a.Tried)
	}
	return append(b, '}'), nil
}

func appendEvidence(b []byte, list []itsm.Evidence) ([]byte, error) {
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"kind":`...)
		b = itsm.AppendJSONString(b, string(list[i].Kind))
		b = append(b, `,"text":`...)
		b = itsm.AppendJSONString(b, list[i].Text)
		b = append(b, `,"weight":`...)
		w := list[i].Weight
		if abs := math.Abs(w); w == 0 || abs >= 1e-6 && abs < 1e21 {
			b = strconv.AppendFloat(b, w, 'f', -1, 64)
		} else {
			v, err := json.Marshal(w)
			if err != nil {
				return b, fmt.Errorf("weight of evidence: %w", err)
			}
			b = append(b, v...)
		}
		b = append(b, '}')
	}
	return append(b, ']'), nil
}

func appendOptional(b []byte, s *string) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	return itsm.AppendJSONString(b, *s)
}

func appendTimeJSON(b []byte, t *time.Time) ([]byte, error) {
	if t == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '"')
	b, err := t.AppendText(b)
	if err != nil {
		return b, fmt.Errorf("time %s: %w", t, err)
	}
	return append(b, '"'), nil
}

// appendHex appends 16 hexadecimal digits.
func appendHex(b []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return b
}
