package alertmanager

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// Hold is a reason why alerts need to tell nobody: an incident that is acknowledged here, or maintenance.
type Hold struct {
	Kind HoldKind
	ID   string // of the incident or the change
	Name string // what people call it
	By   string // who acknowledged, or who makes the change
	// StartsAt and EndsAt are the window of maintenance. Without an end it lasts as long as it is listed,
	// as an acknowledgement does.
	StartsAt, EndsAt time.Time
	Alerts           []HeldAlert   // that fire; each is silenced by itself
	Identifiers      []itsm.Labels // whatever alert has all labels of one of them is silenced
}

// HoldKind is the kind of a Hold, as it stands in the comments of silences.
type HoldKind string

// The kinds of holds.
const (
	HoldAcknowledged HoldKind = "acknowledge"
	HoldMaintenance  HoldKind = "maintenance"
)

// HeldAlert is an alert as we know it: without ignored labels.
type HeldAlert struct {
	Fingerprint itsm.Fingerprint
	Labels      func() itsm.Labels
}

// maxSilences bounds the silences that we have in one Alertmanager. It compares each alert with each of them.
const maxSilences = 1000

// owner says on a silence that it is ours, and what for. It stands at the end of the comment, since
// that is the only thing of a silence that an Alertmanager keeps and compares nothing with.
type owner struct {
	installation string // other installations may write to the same Alertmanager
	kind         HoldKind
	id           string
}

func (o owner) String() string {
	return fmt.Sprintf("[signalbox %s %s %s]", o.installation, o.kind, o.id)
}

// parseOwner reads a comment.
func parseOwner(comment string) (owner, bool) {
	start := strings.LastIndexByte(comment, '[')
	if start < 0 || !strings.HasSuffix(comment, "]") {
		return owner{}, false
	}
	words := strings.SplitN(comment[start+1:len(comment)-1], " ", 4)
	if len(words) != 4 || words[0] != "signalbox" {
		return owner{}, false
	}
	return owner{installation: words[1], kind: HoldKind(words[2]), id: words[3]}, true
}

func (h *Hold) comment(installation string) string {
	why := "is acknowledged; kept while it is and the alert fires"
	if h.Kind == HoldMaintenance {
		why = "is maintenance; ends with it"
	}
	// A bracket in the id would end the mark.
	id := strings.NewReplacer("[", "(", "]", ")").Replace(h.ID)
	return fmt.Sprintf("%s %s %s", clip(h.Name), why, owner{installation, h.Kind, id})
}

// clip makes a text one that comes back from an Alertmanager as it was sent.
func clip(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

// maxSkew is how far ahead of an Alertmanager's our clock may be. A silence that is to hold now begins that
// much earlier, or it would not hold yet; the Alertmanager puts its own time there.
const maxSkew = time.Minute

// upstreamAlerts is what an Alertmanager lists, as far as holds need it: with the labels that it
// knows the alerts by.
type upstreamAlerts struct {
	ignore []string
	held   map[itsm.Fingerprint]bool
	names  map[string]bool                    // values of alertname that held alerts have
	sets   map[itsm.Fingerprint][]itsm.Labels // of held alerts; replicas make several of one
	others []itsm.Labels                      // of alerts that are not held and have the alertname of one that is
}

func newUpstreamAlerts(holds []Hold, ignore []string) *upstreamAlerts {
	u := &upstreamAlerts{ignore: ignore, held: map[itsm.Fingerprint]bool{}, names: map[string]bool{}, sets: map[itsm.Fingerprint][]itsm.Labels{}}
	for i := range holds {
		for _, a := range holds[i].Alerts {
			if !u.held[a.Fingerprint] {
				u.held[a.Fingerprint] = true
				u.names[a.Labels().Get(alertname)] = true
			}
		}
	}
	return u
}

const alertname = "alertname"

// take adds an alert that is listed.
func (u *upstreamAlerts) take(labels itsm.Labels) {
	labels = slices.DeleteFunc(slices.Clone(labels), func(l itsm.Label) bool { return l.Value == "" })
	if fp := labels.Without(u.ignore).Fingerprint(); u.held[fp] {
		u.sets[fp] = append(u.sets[fp], labels)
	} else if u.names[labels.Get(alertname)] || u.names[""] {
		u.others = append(u.others, labels)
	}
}

// matchers match one alert and none of the others: all its labels, and for each of the others that has
// them all, too, one that it has beside them and that must not be there.
func (u *upstreamAlerts) matchers(labels itsm.Labels) []itsm.Matcher {
	out := equal(labels)
	for _, o := range u.others {
		if !contains(o, labels) || !matches(out, o) {
			continue
		}
		i := slices.IndexFunc(o, func(l itsm.Label) bool { return !labels.Has(l.Name) })
		out = append(out, itsm.Matcher{Name: o[i].Name, IsEqual: true})
	}
	sortMatchers(out)
	return out
}

func equal(labels itsm.Labels) []itsm.Matcher {
	out := make([]itsm.Matcher, 0, len(labels))
	for _, l := range labels {
		out = append(out, itsm.Matcher{Name: l.Name, Value: l.Value, IsEqual: true})
	}
	return out
}

func matches(ms []itsm.Matcher, labels itsm.Labels) bool {
	return !slices.ContainsFunc(ms, func(m itsm.Matcher) bool { return labels.Get(m.Name) != m.Value })
}

// contains tells whether a set has all labels of another one. Both are sorted.
func contains(set, part itsm.Labels) bool {
	i := 0
	for _, l := range part {
		for i < len(set) && set[i].Name < l.Name {
			i++
		}
		if i == len(set) || set[i] != l {
			return false
		}
	}
	return true
}

func sortMatchers(ms []itsm.Matcher) {
	slices.SortFunc(ms, func(a, b itsm.Matcher) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
	})
}

func matcherKey(ms []itsm.Matcher) string {
	sorted := slices.Clone(ms)
	sortMatchers(sorted)
	var b strings.Builder
	for _, m := range sorted {
		b.WriteString(m.String())
		b.WriteByte(',')
	}
	return b.String()
}

// wanted is a silence that should be there.
type wanted struct {
	matchers []itsm.Matcher
	hold     *Hold
}

// writeThrough is what to do so that an Alertmanager has the silences that it should have.
type writeThrough struct {
	put    []itsm.Silence // without an id: to be made; else to be changed
	expire []string       // ids
	wanted int
	beyond int            // silences that are not made because there would be too many
	held   map[string]int // silences by the id of their hold
}

// planner decides which silences should be there.
type planner struct {
	installation string
	now          time.Time
	length       time.Duration // of a silence whose end is not known
	alerts       *upstreamAlerts
	ours         map[string][]*Silence // of this installation, not expired, by matchers; the one that ends last first
	byAlert      map[itsm.Fingerprint][]*Silence

	list   []wanted
	have   map[string]bool
	beyond int
}

// ourSilence tells whether a silence is one of an installation, and not expired.
func ourSilence(s *Silence, installation string) bool {
	o, ok := parseOwner(s.Comment)
	return ok && o.installation == installation && s.Status.State != itsm.SilenceExpired
}

// Acknowledgements reads the ids of the silences in a member that an installation has for what is acknowledged.
func Acknowledgements(ctx context.Context, m *Client, installation string) (map[string]bool, error) {
	out := map[string]bool{}
	err := m.Silences(ctx, func(s Silence) error {
		if o, ok := parseOwner(s.Comment); ok && o.installation == installation && o.kind == HoldAcknowledged {
			out[s.ID] = true
		}
		return nil
	})
	return out, err
}

// newPlanner takes the silences of an installation (see ourSilence).
func newPlanner(installation string, now time.Time, length time.Duration, alerts *upstreamAlerts, ours []Silence) *planner {
	p := &planner{
		installation: installation, now: now, length: length, alerts: alerts,
		ours: map[string][]*Silence{}, byAlert: map[itsm.Fingerprint][]*Silence{}, have: map[string]bool{},
	}
	sorted := slices.Clone(ours)
	slices.SortFunc(sorted, func(a, b Silence) int { return cmp.Or(b.EndsAt.Compare(a.EndsAt), strings.Compare(a.ID, b.ID)) })
	for i := range sorted {
		s := &sorted[i]
		key := matcherKey(s.Matchers)
		p.ours[key] = append(p.ours[key], s)
		if slices.ContainsFunc(s.Matchers, func(m itsm.Matcher) bool { return m.IsRegex || !m.IsEqual }) {
			continue // somebody has changed it, and it is for more than one alert
		}
		labels := itsm.Labels{}
		for _, m := range s.Matchers {
			if m.Value != "" {
				labels = append(labels, itsm.Label{Name: m.Name, Value: m.Value})
			}
		}
		labels.Sort()
		fp := labels.Without(alerts.ignore).Fingerprint()
		p.byAlert[fp] = append(p.byAlert[fp], s)
	}
	return p
}

// plan compares what should be there with what is there. Where two holds ask for the same silence it
// is the first one's. To apply a plan and to plan again gives nothing to do.
func (p *planner) plan(holds []Hold) *writeThrough {
	for i := range holds {
		p.hold(&holds[i])
	}
	out := &writeThrough{wanted: len(p.list) + p.beyond, beyond: p.beyond, held: map[string]int{}}
	for _, x := range p.list {
		out.held[x.hold.ID]++
		key := matcherKey(x.matchers)
		var is *Silence
		if list := p.ours[key]; len(list) > 0 {
			is, p.ours[key] = list[0], list[1:]
		}
		if s, differs := p.put(&x, is); differs {
			out.put = append(out.put, s)
		}
	}
	for _, list := range p.ours { // not wanted, or twice
		for _, s := range list {
			out.expire = append(out.expire, s.ID)
		}
	}
	slices.Sort(out.expire)
	return out
}

// hold adds the silences of one hold.
func (p *planner) hold(h *Hold) {
	for _, labels := range h.Identifiers {
		// An empty label is none, and a set of none would match everything.
		if len(labels) > 0 && !slices.ContainsFunc(labels, func(l itsm.Label) bool { return l.Name == "" || l.Value == "" }) {
			p.want(h, equal(labels))
		}
	}
	for _, a := range h.Alerts {
		sets := p.alerts.sets[a.Fingerprint]
		for _, labels := range sets {
			if len(p.list) >= maxSilences { // what comes now is not made, so it need not be exact
				p.beyond++
				continue
			}
			if !slices.ContainsFunc(h.Identifiers, func(id itsm.Labels) bool { return len(id) > 0 && contains(labels, id) }) {
				p.want(h, p.alerts.matchers(labels))
			}
		}
		// An Alertmanager that was just started has its silences and no alert. They are to be
		// silent when they come again.
		for _, s := range p.byAlert[a.Fingerprint] {
			if len(sets) == 0 && !slices.ContainsFunc(p.alerts.others, func(o itsm.Labels) bool { return matches(s.Matchers, o) }) {
				p.want(h, s.Matchers)
			}
		}
	}
}

func (p *planner) want(h *Hold, matchers []itsm.Matcher) {
	switch key := matcherKey(matchers); {
	case p.have[key]:
	case len(p.list) >= maxSilences:
		p.beyond++
	default:
		p.have[key] = true
		p.list = append(p.list, wanted{matchers, h})
	}
}

// put makes the silence that should be there of the one that is there (nil: none), and tells whether they differ.
func (p *planner) put(x *wanted, is *Silence) (itsm.Silence, bool) {
	s := itsm.Silence{
		Matchers: x.matchers, StartsAt: p.now.Add(-maxSkew), EndsAt: x.hold.EndsAt,
		CreatedBy: cmp.Or(clip(x.hold.By), "signalbox"), Comment: x.hold.comment(p.installation),
	}
	if x.hold.StartsAt.After(p.now) {
		s.StartsAt = x.hold.StartsAt
	}
	if s.EndsAt.IsZero() {
		s.EndsAt = p.now.Add(p.length)
	}
	if is == nil {
		return s, true
	}
	s.ID = is.ID
	begins := sameTime(is.StartsAt, s.StartsAt)
	if !is.StartsAt.After(p.now) && !s.StartsAt.After(p.now) { // an Alertmanager changes one that holds under its id if it began when it began
		s.StartsAt, begins = is.StartsAt, true
	}
	ends := is.EndsAt.Sub(p.now) >= p.length*2/3
	if !x.hold.EndsAt.IsZero() {
		ends = sameTime(is.EndsAt, s.EndsAt)
	}
	return s, !begins || !ends || s.CreatedBy != is.CreatedBy || s.Comment != is.Comment
}

// sameTime tells whether two times are the same for people: an Alertmanager may cut off what is below a second.
func sameTime(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second }
