package ui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"
	"signalbox/ui/matcher"
)

// alertmanagerRoutes are the paths of Alertmanager's API v2 for tools that read it (ADR 0010).
// Alerts come in by the door of ingest under the same path.
func (u *UI) alertmanagerRoutes() map[string]http.HandlerFunc {
	began := time.Now()
	return map[string]http.HandlerFunc{
		"GET /api/v2/alerts":                 u.handleListedAlerts,
		"GET /api/v2/alerts/groups":          u.handleAlertGroups,
		"GET /api/v2/receivers":              handleReceivers,
		"GET /api/v2/silences":               u.handleSilences,
		"POST /api/v2/silences":              u.handlePostSilence,
		"GET /api/v2/silence/{silenceID}":    u.handleSilence,
		"DELETE /api/v2/silence/{silenceID}": u.handleDeleteSilence,
		"GET /api/v2/status": func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, u.alertmanagerStatus(began))
		},
	}
}

// soleReceiver is the one receiver there is: everything goes to Signalbox.
const soleReceiver = "signalbox"

// alertFilter is what a request asks of the alerts.
type alertFilter struct {
	matchers []*matcher.Matcher
	active   bool // not suppressed
	silenced bool // suppressed by a silence
	inhibit  bool // suppressed because its source inhibits it
	muted    bool // groups in which all are suppressed
	received bool // whether the one receiver is among those asked for
}

// readAlertFilter reads the parameters of alerts and of groups. One of them, unprocessed, is read
// for its mistakes only: every alert is processed before it can be seen.
func readAlertFilter(r *http.Request) (alertFilter, error) {
	q := r.URL.Query()
	var f alertFilter
	var ignored bool
	for name, to := range map[string]*bool{
		"active": &f.active, "silenced": &f.silenced, "muted": &f.muted, "inhibited": &f.inhibit, "unprocessed": &ignored,
	} {
		if err := readFlag(q, name, to); err != nil {
			return f, err
		}
	}
	var err error
	if f.matchers, err = readMatchers(q, "filter"); err != nil {
		return f, err
	}
	f.received, err = readReceivers(q)
	return f, err
}

// readFlag reads a parameter that is true when it is missing.
func readFlag(q url.Values, name string, to *bool) error {
	*to = true
	s := q.Get(name)
	if s == "" {
		return nil
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%s: true or false is expected, got %q", name, s)
	}
	*to = v
	return nil
}

func readMatchers(q url.Values, name string) ([]*matcher.Matcher, error) {
	var ms []*matcher.Matcher
	for _, s := range q[name] {
		m, err := matcher.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// readReceivers tells whether the one receiver, which has no labels, is among those asked for.
func readReceivers(q url.Values) (bool, error) {
	ms, err := readMatchers(q, "receiver_matchers")
	if err != nil {
		return false, err
	}
	for _, m := range ms {
		if !m.Matches("", false) {
			return false, nil
		}
	}
	if !q.Has("receiver") {
		return true, nil
	}
	re, err := regexp.Compile("^(?:" + q.Get("receiver") + ")$")
	if err != nil {
		return false, fmt.Errorf("receiver: %w", err)
	}
	return re.MatchString(soleReceiver), nil
}

// listedAlert is a firing alert with what has to be decoded to list it.
type listedAlert struct {
	currentAlert
	name string // the alertname, where it makes the group
	text struct {
		Labels       json.RawMessage `json:"labels"`
		Annotations  json.RawMessage `json:"annotations"`
		LastSeenAt   time.Time       `json:"lastSeenAt"`
		GeneratorURL string          `json:"generatorURL"`
		Suppressed   *string         `json:"suppressed"`
		SilencedBy   []string        `json:"silencedBy"`
	}
}

// labels are those it was sent with.
func (a *listedAlert) labels() itsm.Labels {
	var labels itsm.Labels
	_ = json.Unmarshal(a.text.Labels, &labels) // it was decoded before; labels that are none match nothing
	return labels
}

// firing collects the firing alerts, each once, ordered by fingerprint.
func (v *views) firing() []currentAlert {
	all := slices.DeleteFunc(v.current(), func(c currentAlert) bool { return !c.firing() })
	loose := func(c currentAlert) int {
		if c.incident == nil {
			return 1
		}
		return 0
	}
	// An alert that is about to move is seen in both places for a moment: the later state counts.
	slices.SortFunc(all, func(a, b currentAlert) int {
		return cmp.Or(cmp.Compare(a.fingerprint, b.fingerprint), cmp.Compare(loose(a), loose(b)), cmp.Compare(b.lastStarts, a.lastStarts))
	})
	return slices.CompactFunc(all, func(a, b currentAlert) bool { return a.fingerprint == b.fingerprint })
}

// listed collects the alerts that a request asks for, ordered by fingerprint.
func (u *UI) listed(f alertFilter) []listedAlert {
	if !f.received {
		return nil
	}
	var out []listedAlert
	for _, c := range u.views.firing() {
		if c.suppressed && !f.silenced && !f.inhibit || !c.suppressed && !f.active || !f.mayMatch(c) {
			continue
		}
		a := listedAlert{currentAlert: c}
		_ = json.Unmarshal(c.raw, &a.text) // it was decoded before
		if c.suppressed && (a.inhibited() && !f.inhibit || !a.inhibited() && !f.silenced) {
			continue
		}
		if f.matches(&a) {
			out = append(out, a)
		}
	}
	return out
}

// mayMatch tells cheaply, without decoding, that an alert has not the value that a matcher wants.
func (f *alertFilter) mayMatch(c currentAlert) bool {
	for _, m := range f.matchers {
		ofGroup := c.incident != nil && (m.Name == itsm.GroupIncident || m.Name == itsm.GroupCause || m.Name == itsm.GroupPriority)
		if m.Op == "=" && m.Value != "" && !ofGroup && !c.mayHold(m.Value) {
			return false
		}
	}
	return true
}

// matches tests the labels of the alert and, where it has none of that name, those of its group.
func (f *alertFilter) matches(a *listedAlert) bool {
	if len(f.matchers) == 0 {
		return true
	}
	labels := withLabels(a.labels(), groupLabels(a.incident))
	for _, m := range f.matchers {
		if !m.Matches(labels.Get(m.Name), labels.Has(m.Name)) {
			return false
		}
	}
	return true
}

// groupLabels are the labels of the group that an incident is; none without an incident.
func groupLabels(in *row) itsm.Labels {
	if in == nil {
		return nil
	}
	labels := itsm.Labels{{Name: itsm.GroupIncident, Value: in.Number}, {Name: itsm.GroupPriority, Value: strconv.Itoa(in.Priority)}}
	if cause := in.bestCause(); cause != "" {
		labels = append(labels, itsm.Label{Name: itsm.GroupCause, Value: cause})
	}
	labels.Sort()
	return labels
}

// withLabels adds labels where none of that name is there yet.
func withLabels(labels, more itsm.Labels) itsm.Labels {
	out := slices.Clone(labels)
	for _, l := range more {
		if !labels.Has(l.Name) {
			out = append(out, l)
		}
	}
	out.Sort()
	return out
}

// impliedEnd is how far ahead the end of a firing alert is put. The API wants an end, and readers
// take one in the past for a resolve, but the board does not know it: Alertmanager's default
// resolve_timeout stands for it.
const impliedEnd = 5 * time.Minute

// alertmanagerTime is how Alertmanager writes times: with milliseconds.
const alertmanagerTime = "2006-01-02T15:04:05.000Z07:00"

// alertWriter writes alerts and groups as Alertmanager gives them. An alert is written out of its
// bytes, so that a list costs little more than itself.
type alertWriter struct {
	body []byte
	end  string // of every alert
}

func newAlertWriter() *alertWriter {
	return &alertWriter{body: []byte{'['}, end: time.Now().UTC().Add(impliedEnd).Format(alertmanagerTime)}
}

// next begins an element of a list.
func (w *alertWriter) next() {
	if w.body[len(w.body)-1] != '[' {
		w.body = append(w.body, ',')
	}
}

// alert writes an alert with the given labels.
func (w *alertWriter) alert(a *listedAlert, labels []byte) {
	w.next()
	b := append(append(w.body, `{"annotations":`...), object(a.text.Annotations)...)
	b = append(append(b, `,"endsAt":"`...), w.end...)
	b = append(append(b, `","fingerprint":"`...), a.fingerprint.String()...)
	b = time.Unix(0, a.lastStarts).UTC().AppendFormat(append(b, `","receivers":[{"name":"`+soleReceiver+`"}],"startsAt":"`...), alertmanagerTime)
	b = a.appendStatus(append(b, `","status":`...))
	b = a.text.LastSeenAt.UTC().AppendFormat(append(b, `,"updatedAt":"`...), alertmanagerTime)
	b = append(b, '"')
	// Strict readers refuse the whole list for a link that is none.
	if _, err := url.ParseRequestURI(a.text.GeneratorURL); err == nil {
		b = itsm.AppendJSONString(append(b, `,"generatorURL":`...), a.text.GeneratorURL)
	}
	b = append(append(b, `,"labels":`...), object(labels)...)
	w.body = append(b, '}')
}

// silenced tells whether silences of ours suppress the alert.
func (a *listedAlert) silenced() bool { return len(a.text.SilencedBy) > 0 }

// inhibited tells whether its source suppresses the alert because of another one.
func (a *listedAlert) inhibited() bool {
	return !a.silenced() && a.text.Suppressed != nil && strings.HasPrefix(*a.text.Suppressed, "inhibited")
}

// appendStatus writes what suppresses the alert. Only ids of silences that can be asked for here
// stand in silencedBy; what a source says stands in the other two.
func (a *listedAlert) appendStatus(b []byte) []byte {
	if !a.suppressed {
		return append(b, `{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}`...)
	}
	status := struct {
		InhibitedBy []string `json:"inhibitedBy"`
		MutedBy     []string `json:"mutedBy"`
		SilencedBy  []string `json:"silencedBy"`
		State       string   `json:"state"`
	}{InhibitedBy: []string{}, MutedBy: []string{}, SilencedBy: []string{}, State: "suppressed"}
	switch reason := a.text.Suppressed; {
	case a.silenced():
		status.SilencedBy = a.text.SilencedBy
	case a.inhibited():
		status.InhibitedBy = append(status.InhibitedBy, *reason)
	case reason != nil:
		status.MutedBy = append(status.MutedBy, *reason)
	}
	text, _ := json.Marshal(status) // texts and lists of texts always can be
	return append(b, text...)
}

// group writes a group with its alerts. Whoever reads groups looks for their labels in the alerts,
// to filter by them, so each gets those that it has none of.
func (w *alertWriter) group(members []listedAlert) {
	labels := members[0].group()
	w.next()
	w.body = append(w.body, `{"alerts":[`...)
	for i := range members {
		w.alert(&members[i], addLabels(&members[i], labels))
	}
	w.body = labels.AppendJSON(append(w.body, `],"labels":`...))
	w.body = append(w.body, `,"receiver":{"name":"`+soleReceiver+`"},"routeLabels":{}}`...)
}

// addLabels returns the labels of an alert with more of them; it decodes them only where a name
// may be there already.
func addLabels(a *listedAlert, more itsm.Labels) []byte {
	raw := object(a.text.Labels)
	var members []byte
	for _, l := range more {
		name := itsm.AppendJSONString(nil, l.Name)
		if bytes.Contains(raw, name) || bytes.IndexByte(raw, '\\') >= 0 { // another writer may escape more than we do
			return withLabels(a.labels(), more).AppendJSON(nil)
		}
		members = append(append(comma(members), name...), ':')
		members = itsm.AppendJSONString(members, l.Value)
	}
	if members == nil {
		return raw
	}
	return addMembers(raw, members)
}

// object is an object's bytes; the empty one for none.
func object(raw json.RawMessage) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return []byte("{}")
	}
	return raw
}

func (u *UI) handleListedAlerts(w http.ResponseWriter, r *http.Request) {
	f, err := readAlertFilter(r)
	if err != nil {
		writeAlertmanagerError(w, http.StatusBadRequest, err.Error())
		return
	}
	list := newAlertWriter()
	for _, a := range u.listed(f) {
		list.alert(&a, a.text.Labels)
	}
	writeBytes(w, http.StatusOK, append(list.body, ']'))
}

func (u *UI) handleAlertGroups(w http.ResponseWriter, r *http.Request) {
	f, err := readAlertFilter(r)
	if err != nil {
		writeAlertmanagerError(w, http.StatusBadRequest, err.Error())
		return
	}
	list := newAlertWriter()
	for _, members := range groupsOf(u.listed(f)) {
		if f.muted || slices.ContainsFunc(members, func(a listedAlert) bool { return !a.suppressed }) {
			list.group(members)
		}
	}
	writeBytes(w, http.StatusOK, append(list.body, ']'))
}

// group are the labels of the group that an alert is in: its incident's, else its name.
func (a *listedAlert) group() itsm.Labels {
	if a.incident != nil {
		return groupLabels(a.incident)
	}
	if a.name != "" {
		return itsm.Labels{{Name: "alertname", Value: a.name}}
	}
	return nil
}

// groupsOf gathers alerts by group: incidents by their number, then the rest by name.
func groupsOf(alerts []listedAlert) [][]listedAlert {
	for i := range alerts {
		if a := &alerts[i]; a.incident == nil {
			a.name = a.labels().Get("alertname")
		}
	}
	order := func(a, b listedAlert) int {
		return cmp.Or(strings.Compare(a.number(), b.number()), strings.Compare(a.name, b.name))
	}
	slices.SortStableFunc(alerts, order)
	var groups [][]listedAlert
	for start, i := 0, 1; i <= len(alerts); i++ {
		if i == len(alerts) || order(alerts[start], alerts[i]) != 0 {
			groups = append(groups, alerts[start:i])
			start = i
		}
	}
	return groups
}

// number is that of its incident; one behind all of them without an incident.
func (a *listedAlert) number() string {
	if a.incident == nil {
		return "\xff"
	}
	return a.incident.Number
}

// writeAlertmanagerError answers as Alertmanager does: its clients take a text, not a problem.
func writeAlertmanagerError(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, status, detail)
}
