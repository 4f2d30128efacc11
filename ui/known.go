package ui

import (
	"encoding/json"
	"fmt"
	"time"

	"signalbox/itsm"
)

// Known is an alert as the public topics have it: its present or last firing period.
type Known struct {
	Fingerprint itsm.Fingerprint
	Source      string
	Status      itsm.Status
	StartsAt    time.Time // of the period
	EndsAt      time.Time // zero: it fires
	Suppressed  bool
	raw         []byte
}

// State decodes the whole alert.
func (k *Known) State() (itsm.AlertState, error) {
	var s itsm.AlertState
	if err := json.Unmarshal(k.raw, &s); err != nil {
		return s, fmt.Errorf("decode alert %s: %w", k.Fingerprint, err)
	}
	return s, nil
}

// NewKnown is what EachKnown yields for an alert.
func NewKnown(s itsm.AlertState) (Known, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return Known{}, fmt.Errorf("encode alert %s: %w", s.Fingerprint, err)
	}
	return Known{Fingerprint: s.Fingerprint, Source: s.Source, Status: s.Status, StartsAt: s.LastStartsAt, Suppressed: s.Suppressed != nil, raw: raw}, nil
}

// EachKnown calls yield once for each alert that is in memory, those of closed incidents too, in no
// order. What yield gets does not change.
func (u *UI) EachKnown(yield func(Known)) {
	for fp, a := range u.views.latest() {
		k := Known{
			Fingerprint: fp, Source: a.source.Value(), Status: a.statusWord(), StartsAt: time.Unix(0, a.lastStarts).UTC(),
			Suppressed: a.suppressed, raw: a.raw,
		}
		if a.endsAt != 0 {
			k.EndsAt = time.Unix(0, a.endsAt).UTC()
		}
		yield(k)
	}
}

// latest collects the latest state of each alert, whatever incident it is in.
func (v *views) latest() map[itsm.Fingerprint]*alert {
	v.mu.RLock()
	defer v.mu.RUnlock()
	out := make(map[itsm.Fingerprint]*alert, len(v.window.alerts)+len(v.loose.alerts))
	add := func(h *holder) {
		for fp, a := range h.alerts {
			if b := out[fp]; b == nil || a.later(b) {
				out[fp] = a
			}
		}
	}
	add(v.loose)
	for _, h := range v.incidents {
		add(h)
	}
	return out
}
