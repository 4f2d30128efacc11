package alertmanager

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/itsm"
)

// noon is when the first reading of a test begins.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// labelsOf are the labels of an alert that a test calls by a name.
func labelsOf(name string) itsm.Labels { return itsm.NewLabels(map[string]string{"alertname": name}) }

// have builds what we have of an alert that fires here since an hour before noon.
func have(name string, change func(*itsm.AlertState)) (itsm.Fingerprint, Known) {
	s := itsm.AlertState{
		Labels: labelsOf(name), Status: itsm.StatusFiring, Source: "prod", Group: "g",
		LastStartsAt: noon().Add(-time.Hour), LastSeenAt: noon().Add(-time.Minute),
	}
	s.Fingerprint = s.Labels.Fingerprint()
	if change != nil {
		change(&s)
	}
	return s.Fingerprint, knownOf(s)
}

func knownOf(s itsm.AlertState) Known {
	k := Known{
		Source: s.Source, Status: s.Status, StartsAt: s.LastStartsAt, Suppressed: s.Suppressed != nil,
		State: func() (itsm.AlertState, bool) { return s, true },
	}
	if s.EndsAt != nil {
		k.EndsAt = *s.EndsAt
	}
	return k
}

// lists builds what the members list of an alert, at first one that fires since an hour before noon.
func lists(name string, change func(*listing)) *listing {
	l := &listing{Listed: Listed{Labels: labelsOf(name), StartsAt: noon().Add(-time.Hour), UpdatedAt: noon().Add(-time.Second)}, ours: true, loud: true}
	if change != nil {
		change(l)
	}
	return l
}

func marked(why string) func(*itsm.AlertState) {
	return func(s *itsm.AlertState) { s.Suppressed = &why }
}

func ended(status itsm.Status, at time.Time) func(*itsm.AlertState) {
	return func(s *itsm.AlertState) { s.Status, s.EndsAt = status, &at }
}

func quiet(change func(*listing)) func(*listing) {
	return func(l *listing) {
		l.loud = false
		change(l)
	}
}

// summary tells of changes what matters of them.
func summary(c changes) []string {
	var out []string
	for kind, list := range map[string][]itsm.Alert{"gap": c.gaps, "mark": c.marks, "end": c.ends} {
		for _, a := range list {
			line := kind + " " + a.Labels.Get("alertname") + " " + string(a.Status) + " since " + a.StartsAt.Format("15:04:05")
			if !a.EndsAt.IsZero() {
				line += " to " + a.EndsAt.Format("15:04:05")
			}
			if a.Suppressed != "" {
				line += " " + a.Suppressed
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

func TestDiffer_diff(t *testing.T) {
	silenced := quiet(func(l *listing) { l.silenced = []string{"s2", "s1"} })
	tests := []struct {
		name   string
		have   func(*itsm.AlertState) // nil with hasNot: we do not have it
		hasNot bool
		lists  func(*listing)
		want   []string
	}{
		{name: "the same"},
		{name: "left out", hasNot: true, want: []string{"gap A firing since 11:00:00"}},
		{name: "never told of, since silenced", hasNot: true, lists: silenced, want: []string{"gap A firing since 11:00:00 silenced by s1 in prod"}},
		{name: "of receivers that do not send here", hasNot: true, lists: func(l *listing) { l.ours = false }},
		{name: "silenced", lists: silenced, want: []string{"mark A firing since 11:00:00 silenced by s1 in prod"}},
		{name: "inhibited", lists: quiet(func(l *listing) { l.inhibited = []string{"f"} }), want: []string{"mark A firing since 11:00:00 inhibited by f in prod"}},
		{name: "muted", lists: quiet(func(l *listing) { l.muted = []string{"night"} }), want: []string{"mark A firing since 11:00:00 muted by night in prod"}},
		{name: "silenced and inhibited", lists: quiet(func(l *listing) { l.silenced, l.inhibited = []string{"s"}, []string{"f"} }), want: []string{"mark A firing since 11:00:00 silenced by s in prod"}},
		{name: "a member still tells of it", lists: func(l *listing) { l.silenced = []string{"s"} }},
		{name: "as marked", have: marked("silenced by s2 in prod"), lists: silenced},
		{name: "marked by a silence that is gone", have: marked("silenced by s0 in prod"), lists: silenced, want: []string{"mark A firing since 11:00:00 silenced by s1 in prod"}},
		{name: "inhibited by another", have: marked("inhibited by e in prod"), lists: quiet(func(l *listing) { l.inhibited = []string{"f"} })},
		{name: "silenced, no longer inhibited", have: marked("inhibited by e in prod"), lists: silenced, want: []string{"mark A firing since 11:00:00 silenced by s1 in prod"}},
		{name: "no longer silenced", have: marked("silenced by s1 in prod"), want: []string{"mark A firing since 11:00:00"}},
		{name: "marked by another source", have: marked("silenced by s1 in test"), lists: silenced},
		{name: "marked by another source only", have: marked("silenced by s1 in test")},
		{name: "a mark of unknown words", have: marked("whatever in prod")},
		{name: "silenced here", have: func(s *itsm.AlertState) { marked("silenced by maria")(s); s.SilencedBy = []string{"own"} }, lists: silenced},
		{name: "came another way", have: func(s *itsm.AlertState) { s.Source = "prometheus" }, lists: silenced, want: []string{"mark A firing since 11:00:00 silenced by s1 in prod"}},
		{name: "ended here, and the member does not know yet", have: ended(itsm.StatusResolved, noon())},
		{
			name: "ended here and fires again", have: ended(itsm.StatusResolved, noon().Add(-time.Minute)),
			want: []string{"gap A firing since 11:59:00"}, // not since 11:00: that period is over
		},
		{
			name: "ended here and began again", have: ended(itsm.StatusResolved, noon().Add(-time.Minute)),
			lists: func(l *listing) { l.StartsAt = noon().Add(-2 * time.Second) }, want: []string{"gap A firing since 11:59:58"},
		},
		{name: "expired here and fires on", have: ended(itsm.StatusExpired, noon().Add(-time.Minute)), want: []string{"gap A firing since 11:00:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := differ{source: "prod", apart: time.Minute}
			known := map[itsm.Fingerprint]Known{}
			fp, k := have("A", tt.have)
			if !tt.hasNot {
				known[fp] = k
			}
			r := &reading{began: noon(), settled: true, alerts: map[itsm.Fingerprint]*listing{fp: lists("A", tt.lists)}}
			got := d.diff(known, r)
			if diff := cmp.Diff(tt.want, summary(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			for _, a := range slices.Concat(got.gaps, got.marks) {
				if a.Source != "prod" || a.Fingerprint != a.Labels.Fingerprint() || !a.EndsAt.IsZero() {
					t.Errorf("record %+v", a)
				}
			}
		})
	}
}

func TestDiffer_diff_ends(t *testing.T) {
	read := func(after time.Duration, settled bool, listed ...string) *reading {
		r := &reading{began: noon().Add(after), settled: settled, alerts: map[itsm.Fingerprint]*listing{}}
		for _, name := range listed {
			r.alerts[labelsOf(name).Fingerprint()] = lists(name, nil)
		}
		return r
	}
	over := []string{"end A resolved since 11:00:00 to 12:00:00"}
	tests := []struct {
		name     string
		have     func(*itsm.AlertState)
		apart    time.Duration
		readings []*reading
		want     []string // of the last reading
	}{
		{"one reading without it", nil, time.Minute, []*reading{read(0, true)}, nil},
		{"two", nil, time.Minute, []*reading{read(0, true), read(time.Minute, true)}, over},
		{"two, close together", nil, time.Minute, []*reading{read(0, true), read(59*time.Second, true)}, nil},
		{"the third is far enough", nil, time.Minute, []*reading{read(0, true), read(30*time.Second, true), read(time.Minute, true)}, over},
		{"it came back", nil, time.Minute, []*reading{read(0, true), read(time.Minute, true, "A"), read(2*time.Minute, true)}, nil},
		{"no member is up for long", nil, time.Minute, []*reading{read(0, true), read(time.Minute, false)}, nil},
		{"the first from one just started", nil, time.Minute, []*reading{read(0, false), read(time.Minute, true)}, over},
		{"readings are not periodic", nil, 0, []*reading{read(0, true), read(time.Hour, true)}, nil},
		{"heard of meanwhile", func(s *itsm.AlertState) { s.LastSeenAt = noon().Add(time.Second) }, time.Minute, []*reading{read(0, true), read(time.Minute, true)}, nil},
		{"of another source", func(s *itsm.AlertState) { s.Source = "prometheus" }, time.Minute, []*reading{read(0, true), read(time.Minute, true)}, nil},
		{"over already", ended(itsm.StatusResolved, noon()), time.Minute, []*reading{read(0, true), read(time.Minute, true)}, nil},
		{"began after the reading, by its clock", func(s *itsm.AlertState) { s.LastStartsAt = noon().Add(time.Second) }, time.Minute, []*reading{read(0, true), read(time.Minute, true)}, []string{"end A resolved since 12:00:01 to 12:00:01"}},
		{
			"of another source, with our mark",
			func(s *itsm.AlertState) { s.Source = "prometheus"; marked("silenced by s in prod")(s) },
			time.Minute,
			[]*reading{read(0, true), read(time.Minute, true)},
			[]string{"mark A firing since 11:00:00"},
		},
		{"of another source, with its mark", func(s *itsm.AlertState) { s.Source = "test"; marked("silenced by s in test")(s) }, time.Minute, []*reading{read(0, true), read(time.Minute, true)}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := differ{source: "prod", apart: tt.apart}
			fp, k := have("A", tt.have)
			var got changes
			for _, r := range tt.readings {
				got = d.diff(map[itsm.Fingerprint]Known{fp: k}, r)
			}
			if diff := cmp.Diff(tt.want, summary(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changes of the last reading (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzDiffer makes what we have follow a random reading: then a second look finds nothing to change,
// alerts of other sources still fire, and what is listed has not ended.
func FuzzDiffer(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 255, 128, 64, 32})
	f.Add([]byte{13, 200, 77, 9, 180, 3, 250, 66, 91, 17, 42, 1, 99, 230})
	f.Fuzz(func(t *testing.T, data []byte) {
		states, r := randomWorld(data)
		d := differ{source: "prod", apart: time.Minute}
		d.diff(knownAll(states), r) // the first of two in which some are missing
		r.began = r.began.Add(time.Minute)
		before := knownAll(states)
		first := d.diff(before, r)
		for _, a := range first.ends {
			if before[a.Fingerprint].Source != "prod" || r.alerts[a.Fingerprint] != nil {
				t.Errorf("ended: %+v", a)
			}
		}
		apply(states, first, r.began)
		if again := summary(d.diff(knownAll(states), r)); len(again) > 0 {
			t.Errorf("a second look changes %q after %q", again, summary(first))
		}
	})
}

// randomWorld draws, for each two bytes, an alert that we have or not and what is listed of it or not.
func randomWorld(data []byte) (map[itsm.Fingerprint]itsm.AlertState, *reading) {
	states, r := map[itsm.Fingerprint]itsm.AlertState{}, &reading{began: noon(), settled: true, alerts: map[itsm.Fingerprint]*listing{}}
	whys := []string{"silenced by s0 in prod", "silenced by s9 in prod", "inhibited by f in prod", "muted by n in prod", "silenced by s0 in test", "x"}
	for i := 0; i+1 < len(data) && i < 200; i += 2 {
		name, a, b := fmt.Sprint("A", i), data[i], data[i+1]
		if a&1 != 0 {
			fp, k := have(name, func(s *itsm.AlertState) {
				if a&2 != 0 {
					s.Source = "prometheus"
				}
				switch {
				case a&4 != 0:
					s.Suppressed = &whys[int(a>>3)%len(whys)]
				case a&8 != 0:
					at := noon().Add(time.Duration(int(a>>4)-8) * time.Second)
					s.Status, s.EndsAt = []itsm.Status{itsm.StatusResolved, itsm.StatusExpired}[a>>4&1], &at
				}
				if a&128 != 0 && s.Suppressed != nil {
					s.SilencedBy = []string{"own"}
				}
			})
			states[fp], _ = k.State()
		}
		if b&1 != 0 {
			r.alerts[labelsOf(name).Fingerprint()] = lists(name, func(l *listing) {
				l.ours, l.loud = b&2 != 0, b&4 != 0
				if b&8 != 0 {
					l.silenced = []string{"s9", fmt.Sprint("s", b>>6)}
				}
				if b&16 != 0 {
					l.inhibited = []string{"f", "e"}
				}
				if b&32 != 0 {
					l.muted = []string{"n"}
				}
			})
		}
	}
	return states, r
}

func knownAll(states map[itsm.Fingerprint]itsm.AlertState) map[itsm.Fingerprint]Known {
	out := map[itsm.Fingerprint]Known{}
	for fp, s := range states {
		out[fp] = knownOf(s)
	}
	return out
}

// apply does to what we have what the engine makes of records.
func apply(states map[itsm.Fingerprint]itsm.AlertState, c changes, at time.Time) {
	for _, a := range slices.Concat(c.gaps, c.marks, c.ends) {
		s, had := states[a.Fingerprint]
		if !had || s.Status != itsm.StatusFiring {
			s = itsm.AlertState{Fingerprint: a.Fingerprint, Labels: a.Labels, Source: a.Source, LastStartsAt: a.StartsAt, Status: itsm.StatusFiring}
		}
		s.LastSeenAt, s.Suppressed = at, nil
		if a.Suppressed != "" {
			s.Suppressed = &a.Suppressed
		}
		if a.Status == itsm.StatusResolved {
			end := a.EndsAt
			s.Status, s.EndsAt = a.Status, &end
		}
		states[a.Fingerprint] = s
	}
}
