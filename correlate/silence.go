package correlate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"
)

// keepSilence is how long an expired silence can still be listed: Alertmanager's default.
const keepSilence = 120 * time.Hour

// silence is a silence with its conditions ready to be tested. It is never changed in place, so
// that an alert which points to it sees when another one has taken its place.
type silence struct {
	itsm.Silence
	matchers itsm.Matchers
	grouped  bool // it asks for a label of the group that an incident is
	// described are the cause and the priority that the incident had which the silence names. Tools
	// that show an incident as a group put all its labels into a silence, but its number is which it is.
	described map[string]string
	moving    bool // it asks for a cause or a priority as it is now
}

// forget is when nobody lists the silence any more.
func (s *silence) forget() time.Time { return s.EndsAt.Add(keepSilence) }

// silences are all silences, and those that hold now by a label that their alerts must have. So a
// new alert is tested against the few that may match it, however many there are.
type silences struct {
	all     map[string]*silence
	active  []*silence // by id
	byLabel map[itsm.Label][]*silence
	rest    []*silence // without such a label
	grouped bool       // one of the active ones is
	moving  bool       // one of the active ones is
	stale   bool       // the active ones may be other ones now
}

func newSilence(in *itsm.Silence) (*silence, error) {
	ms, err := itsm.CompileMatchers(in.Matchers)
	if err != nil {
		return nil, err
	}
	s := &silence{Silence: *in, matchers: ms, grouped: ms.Names(itsm.GroupIncident, itsm.GroupCause, itsm.GroupPriority), described: map[string]string{}}
	equal := func(m itsm.Matcher) bool { return m.IsEqual && !m.IsRegex && m.Value != "" }
	named := slices.ContainsFunc(in.Matchers, func(m itsm.Matcher) bool { return m.Name == itsm.GroupIncident && equal(m) })
	for _, m := range in.Matchers {
		switch {
		case m.Name != itsm.GroupCause && m.Name != itsm.GroupPriority:
		case named && equal(m):
			s.described[m.Name] = m.Value
		default:
			s.moving = true
		}
	}
	return s, nil
}

// match tells whether the silence holds an alert.
func (s *silence) match(a *alert) bool {
	return s.matchers.Match(func(name string) string {
		if value, ok := s.described[name]; ok && !a.labels.Has(name) {
			return value
		}
		return a.label(name)
	})
}

// label gives the value of a label of an alert, else of its incident as a group.
func (a *alert) label(name string) string {
	if a.labels.Has(name) {
		return a.labels.Get(name)
	}
	m := a.current()
	if m == nil || m.inc == nil {
		return ""
	}
	switch row := &m.inc.row; name {
	case itsm.GroupIncident:
		return row.Number
	case itsm.GroupPriority:
		if row.Priority > 0 {
			return strconv.Itoa(row.Priority)
		}
	case itsm.GroupCause:
		return causeOf(row)
	}
	return ""
}

// matching returns the active silences that match an alert, by id.
func (s *silences) matching(a *alert) []*silence {
	if len(s.active) == 0 {
		return nil
	}
	var out []*silence
	test := func(list []*silence) {
		for _, x := range list {
			if x.match(a) {
				out = append(out, x)
			}
		}
	}
	test(s.rest)
	for _, l := range a.labels {
		test(s.byLabel[l])
	}
	slices.SortFunc(out, func(x, y *silence) int { return cmp.Compare(x.ID, y.ID) })
	return out
}

// refresh finds out which silences hold at a moment, and tells whether they are other ones now.
func (s *silences) refresh(at time.Time) bool {
	var active []*silence
	for _, id := range sortedKeys(s.all) {
		if x := s.all[id]; x.State(at) == itsm.SilenceActive {
			active = append(active, x)
		}
	}
	s.stale = false
	if slices.Equal(active, s.active) {
		return false
	}
	s.active, s.byLabel, s.rest, s.grouped, s.moving = active, map[itsm.Label][]*silence{}, nil, false, false
	for _, x := range active {
		s.grouped, s.moving = s.grouped || x.grouped, s.moving || x.moving
		if l, ok := x.matchers.Equality(); ok && l.Name != itsm.GroupIncident && l.Name != itsm.GroupCause && l.Name != itsm.GroupPriority {
			s.byLabel[l] = append(s.byLabel[l], x)
		} else {
			s.rest = append(s.rest, x)
		}
	}
	return true
}

// silence takes a silence in. What cannot be a silence is passed over: no door lets it in.
func (e *Engine) silence(in *itsm.Silence) {
	s, err := newSilence(in)
	if err != nil {
		return
	}
	before := e.silences.all[in.ID]
	if before != nil && (in.UpdatedAt.Before(before.UpdatedAt) || reflect.DeepEqual(before.Silence, s.Silence)) {
		return
	}
	e.silences.all[s.ID] = s
	e.dirty.silences[s.ID] = true
	e.now.silences = append(e.now.silences, s.ID)
	e.watchSilence(s)
	e.silences.stale = true
}

func (e *Engine) watchSilence(s *silence) {
	for _, at := range []time.Time{s.StartsAt, s.EndsAt, s.forget()} {
		if at.After(e.clock) {
			e.timers.push(timer{at: at, kind: timerSilence, name: s.ID})
		}
	}
}

// fireSilence looks at a silence whose time has come.
func (e *Engine) fireSilence(t timer) {
	s := e.silences.all[t.name]
	switch {
	case s == nil:
	case !s.forget().After(t.at):
		delete(e.silences.all, s.ID)
		e.dirty.silences[s.ID] = true
		e.now.silences = append(e.now.silences, s.ID)
	default:
		e.silences.stale = true
	}
}

// suppress marks every alert anew when other silences hold than before. That walks over all
// alerts, once for each beginning and end of a silence.
func (e *Engine) suppress() {
	if !e.silences.stale || !e.silences.refresh(e.clock) {
		return
	}
	for _, fp := range sortedKeys(e.alerts) {
		e.suppressAlert(e.alerts[fp])
	}
}

// suppressAlert marks one alert with the silences that match it.
func (e *Engine) suppressAlert(a *alert) {
	if by := e.silences.matching(a); !slices.Equal(by, a.silences) {
		e.resuppress(a, by, a.mark, a.window)
	}
}

// mark is what a source says of an alert that it suppresses itself. It is that source's: another
// one that sends the alert, too, knows nothing of it.
type mark struct {
	source, reason string
}

// marked takes the mark of a firing record.
func (e *Engine) marked(a *alert, in *itsm.Alert) {
	if !a.open || in.Suppressed == "" && in.Source != a.mark.source {
		return
	}
	next := mark{}
	if in.Suppressed != "" {
		next = mark{source: in.Source, reason: in.Suppressed}
	}
	if next != a.mark {
		e.resuppress(a, a.silences, next, a.window)
	}
}

// suppressed tells whether nobody is to look at the alert while it fires.
func (a *alert) suppressed() bool {
	return len(a.silences) > 0 || a.mark.reason != "" || a.window != nil
}

// resuppress has an alert suppressed by other silences, another mark or another maintenance.
func (e *Engine) resuppress(a *alert, silences []*silence, by mark, in *window) {
	m := a.current()
	counted := m != nil && m.inc != nil
	if counted {
		m.inc.tally(m, -1)
	}
	if a.window != in {
		for _, m := range a.members {
			if m.inc != nil {
				m.inc.standing.stale = true
			}
		}
	}
	a.silences, a.mark, a.window = silences, by, in
	if counted {
		m.inc.tally(m, 1)
	}
	e.save(a)
	switch {
	case m == nil || m.status != itsm.StatusFiring:
	case a.quiet:
		e.touchLoose(a)
	case counted:
		e.touchMember(m)
		e.touch(m.inc)
	}
}

// regroup marks alerts that have come into an incident, where silences ask for its number.
func (e *Engine) regroup(members ...*member) {
	if !e.silences.grouped {
		return
	}
	for _, m := range members {
		e.suppressAlert(m.alert)
	}
}

// regroupLater marks the alerts of an incident anew because it has another cause or priority now. That
// is known when the present instant has been told, so it is an instant of its own.
func (e *Engine) regroupLater(inc *incident, cause string, priority int) {
	if r := &inc.row; e.silences.moving && (causeOf(r) != cause || r.Priority != priority) {
		e.timers.push(timer{at: e.clock, kind: timerRegroup, ordinal: inc.ordinal})
	}
}

// causeOf is the item of the best cause, "" when there is none.
func causeOf(r *itsm.Incident) string {
	if len(r.Causes) == 0 {
		return ""
	}
	return r.Causes[0].Item
}

// reason says who suppresses an alert, and why.
func (a *alert) reason() string {
	switch {
	case len(a.silences) > 0:
	case a.window != nil:
		return a.window.String()
	default:
		return a.mark.reason
	}
	s := a.silences[0]
	text := "silenced"
	if s.CreatedBy != "" {
		text += " by " + s.CreatedBy
	}
	if s.Comment != "" {
		text += ": " + s.Comment
	}
	if more := len(a.silences) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more %s)", more, plural("silence", more))
	}
	return text
}

// whollySuppressed tells whether something fires and nobody is to look at any of it.
func whollySuppressed(c itsm.AlertCounts) bool { return c.Firing > 0 && c.Suppressed == c.Firing }

// tellSuppressed writes into the timeline that all firing alerts of an incident have come to be
// suppressed, or no longer are.
func (e *Engine) tellSuppressed(inc *incident, before itsm.AlertCounts) {
	was, is := whollySuppressed(before), whollySuppressed(inc.counts)
	switch {
	case is && !was:
		text := "suppressed: all firing alerts are silenced, inhibited or under maintenance"
		if w := inc.row.Maintenance; w != nil {
			text = "suppressed: all firing alerts are under maintenance " + w.Change
		}
		e.noteData(inc, itsm.EntrySuppressed, itsm.ByEngine, text, nil)
	case was && !is && inc.counts.Firing > 0:
		e.noteData(inc, itsm.EntrySuppressed, itsm.ByEngine, "no longer suppressed: an alert fires that is neither silenced, inhibited nor under maintenance", nil)
	}
}

// publishSilences says how the silences stand that the present instant has changed.
func (e *Engine) publishSilences(updates []itsm.Update) []itsm.Update {
	slices.Sort(e.now.silences)
	for _, id := range slices.Compact(e.now.silences) {
		if s := e.silences.all[id]; s != nil {
			out := s.Silence
			updates = append(updates, itsm.Update{Silence: &out})
		} else {
			updates = append(updates, itsm.Update{ForgetSilence: id})
		}
	}
	return updates
}

func (e *Engine) restoreSilence(value []byte) error {
	var in itsm.Silence
	if err := json.Unmarshal(value, &in); err != nil {
		return err
	}
	s, err := newSilence(&in)
	if err != nil {
		return err
	}
	e.silences.all[s.ID] = s
	return nil
}

// restoreSilences gives every alert back the silences that it was marked with.
func (e *Engine) restoreSilences() error {
	e.silences.refresh(e.clock)
	for _, id := range sortedKeys(e.silences.all) {
		e.watchSilence(e.silences.all[id])
	}
	for _, ordinal := range sortedKeys(e.incidents) {
		e.regroupLater(e.incidents[ordinal], "\x00", 0) // whether that was still to come is not saved
	}
	for _, a := range e.alerts {
		for _, id := range a.silencedBy {
			s := e.silences.all[id]
			if s == nil {
				return fmt.Errorf("restore alert %s: silence %s is missing", a.fingerprint, strings.ToValidUTF8(id, ""))
			}
			a.silences = append(a.silences, s)
		}
		a.silencedBy = nil
	}
	return nil
}
