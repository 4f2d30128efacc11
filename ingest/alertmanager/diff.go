package alertmanager

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// Known is an alert as we have it: its present or last firing period.
type Known struct {
	Source     string
	Status     itsm.Status
	StartsAt   time.Time // of the period
	EndsAt     time.Time // zero: it fires
	Suppressed bool
	// State returns all of it; false when it cannot be read.
	State func() (itsm.AlertState, bool)
}

// listing is what the members that answered say of one alert.
type listing struct {
	Listed             // of the first member that needs it told
	ours      bool     // one of its receivers is one of those that send here
	loud      bool     // a member tells its receivers of it
	silenced  []string // who keeps a member from it
	inhibited []string
	muted     []string
}

// reading is what the members that answered list.
type reading struct {
	began   time.Time
	settled bool // what is not listed is over: a member has been up for long enough
	alerts  map[itsm.Fingerprint]*listing
}

// changes are the records that make what we have agree with a reading.
type changes struct {
	gaps  []itsm.Alert // fire there and not here
	marks []itsm.Alert // are suppressed there and not here, or the other way round
	ends  []itsm.Alert // fire here and are over there
}

// differ compares readings of one source with what we have.
type differ struct {
	source string
	apart  time.Duration // how far two readings are apart at least that tell of an end; 0: none do
	// missing is since when alerts that we have are not listed. It belongs to one goroutine.
	missing map[itsm.Fingerprint]time.Time
}

// diff tells what differs. An alert is over when two readings in a row do not list it, and when
// nothing has been heard of it since before the first.
func (d *differ) diff(known map[itsm.Fingerprint]Known, r *reading) changes {
	var out changes
	for fp, l := range r.alerts {
		k, have := known[fp]
		switch {
		case !l.ours:
		case !have:
			out.gaps = append(out.gaps, d.gap(fp, l, nil))
		case k.Status != itsm.StatusFiring:
			// It may have ended here a moment ago, and the member will know of it soon. When it was told of
			// the alert after that end, it fires again.
			if l.UpdatedAt.After(k.EndsAt) {
				out.gaps = append(out.gaps, d.gap(fp, l, &k))
			}
		default:
			if why, differs := d.mark(&k, l); differs {
				out.marks = append(out.marks, d.record(fp, l, k.StartsAt, why))
			}
		}
	}
	missing := map[itsm.Fingerprint]time.Time{}
	for fp, k := range known {
		if r.alerts[fp] != nil || k.Status != itsm.StatusFiring || k.Source != d.source && !k.Suppressed {
			continue
		}
		since, again := d.missing[fp]
		if !again {
			since = r.began
		}
		missing[fp] = since
		if again && r.settled && d.apart > 0 && r.began.Sub(since) >= d.apart {
			d.absent(fp, &k, since, &out)
		}
	}
	d.missing = missing
	for _, list := range [][]itsm.Alert{out.gaps, out.marks, out.ends} {
		slices.SortFunc(list, func(a, b itsm.Alert) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	}
	return out
}

// gap is the record of an alert that fires there and not here.
func (d *differ) gap(fp itsm.Fingerprint, l *listing, last *Known) itsm.Alert {
	start := l.StartsAt
	if last != nil && last.Status == itsm.StatusResolved && start.Before(last.EndsAt) {
		start = last.EndsAt // with its old start it would be the period that is over
	}
	if last != nil && last.Status == itsm.StatusResolved && !start.After(last.StartsAt) { // which was over at once
		start = last.StartsAt.Add(time.Nanosecond)
	}
	return d.record(fp, l, start, l.why(d.source))
}

// record is a firing record. It has no end, as in a webhook: what the API calls its end moves with
// each re-send to the Alertmanager, and is nothing that we would be told of.
func (d *differ) record(fp itsm.Fingerprint, l *listing, start time.Time, why string) itsm.Alert {
	return itsm.Alert{
		Labels: l.Labels, Fingerprint: fp, Annotations: l.Annotations, Status: itsm.StatusFiring, StartsAt: start,
		GeneratorURL: l.GeneratorURL, Source: d.source, Suppressed: why,
	}
}

// mark tells what mark an alert that fires here should have, and whether it has another one. A
// silence of our own hides the mark; then there is time until it ends. The mark of another source
// stays: each would overwrite the other's for ever.
func (d *differ) mark(k *Known, l *listing) (why string, differs bool) {
	why = l.why(d.source)
	if !k.Suppressed {
		return why, why != ""
	}
	s, ok := k.State()
	if !ok || s.Suppressed == nil || len(s.SilencedBy) > 0 {
		return why, false
	}
	kind, by, mine := d.parse(*s.Suppressed)
	switch {
	case !mine || *s.Suppressed == why:
		return why, false
	case why == "" || !strings.HasPrefix(why, kind):
		return why, true
	case kind == silencedBy:
		return why, !slices.Contains(l.silenced, by)
	}
	return why, false // what inhibits or mutes changes without meaning anything
}

const (
	silencedBy  = "silenced by "
	inhibitedBy = "inhibited by "
	mutedBy     = "muted by "
)

// why is the mark of an alert that no member tells its receivers of: who keeps them from it. It is
// the same for the same lists, in whatever order.
func (l *listing) why(source string) string {
	switch {
	case l.loud:
		return ""
	case len(l.silenced) > 0:
		return silencedBy + slices.Min(l.silenced) + " in " + source
	case len(l.inhibited) > 0:
		return inhibitedBy + slices.Min(l.inhibited) + " in " + source
	case len(l.muted) > 0:
		return mutedBy + slices.Min(l.muted) + " in " + source
	}
	return ""
}

// parse takes a mark apart, and tells whether it is one of this source.
func (d *differ) parse(mark string) (kind, by string, mine bool) {
	mark, mine = strings.CutSuffix(mark, " in "+d.source)
	for _, kind := range []string{silencedBy, inhibitedBy, mutedBy} {
		if by, ok := strings.CutPrefix(mark, kind); ok {
			return kind, by, mine
		}
	}
	return "", "", false
}

// absent adds what becomes of an alert that fires here and is over there: one of this source ends,
// one of another source loses the mark of this one.
func (d *differ) absent(fp itsm.Fingerprint, k *Known, since time.Time, out *changes) {
	s, ok := k.State()
	if !ok || !s.LastSeenAt.Before(since) {
		return
	}
	a := itsm.Alert{
		Labels: s.Labels, Fingerprint: fp, Annotations: s.Annotations, Status: itsm.StatusFiring, StartsAt: k.StartsAt,
		GeneratorURL: s.GeneratorURL, Source: d.source, GroupKey: s.Group,
	}
	if k.Source == d.source {
		a.Status, a.EndsAt = itsm.StatusResolved, since
		if since.Before(a.StartsAt) { // clocks differ
			a.EndsAt = a.StartsAt
		}
		out.ends = append(out.ends, a)
		return
	}
	if s.Suppressed == nil || len(s.SilencedBy) > 0 {
		return
	}
	if _, _, mine := d.parse(*s.Suppressed); mine {
		out.marks = append(out.marks, a)
	}
}
