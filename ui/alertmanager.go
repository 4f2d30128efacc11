package ui

import (
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
)

// alertmanagerRoutes are the paths of Alertmanager's API v2 for tools that read it (ADR 0010).
// Alerts come in by the door of ingest under the same path.
func (u *UI) alertmanagerRoutes() map[string]http.HandlerFunc {
	began := time.Now()
	return map[string]http.HandlerFunc{
		"GET /api/v2/alerts":                 u.handleListedAlerts,
		"GET /api/v2/alerts/groups":          u.handleAlertGroups,
		"GET /api/v2/receivers":              handleReceivers,
		"GET /api/v2/silences":               handleSilences,
		"POST /api/v2/silences":              handleSilenceChange,
		"GET /api/v2/silence/{silenceID}":    handleSilence,
		"DELETE /api/v2/silence/{silenceID}": handleSilenceChange,
		"GET /api/v2/status": func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, u.alertmanagerStatus(began))
		},
	}
}

// soleReceiver is the one receiver there is: everything goes to Signalbox.
const soleReceiver = "signalbox"

// alertFilter is what a request asks of the alerts.
type alertFilter struct {
	matchers []*labelMatcher
	active   bool // not suppressed
	silenced bool // suppressed
	muted    bool // groups in which all are suppressed
	received bool // whether the one receiver is among those asked for
}

// readAlertFilter reads the parameters of alerts and of groups. Two of them, inhibited and
// unprocessed, are read for their mistakes only: inhibition is applied before alerts come to us,
// and every alert is processed before it can be seen.
func readAlertFilter(r *http.Request) (alertFilter, error) {
	q := r.URL.Query()
	var f alertFilter
	var ignored bool
	for name, to := range map[string]*bool{
		"active": &f.active, "silenced": &f.silenced, "muted": &f.muted, "inhibited": &ignored, "unprocessed": &ignored,
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

func readMatchers(q url.Values, name string) ([]*labelMatcher, error) {
	var ms []*labelMatcher
	for _, s := range q[name] {
		m, err := parseLabelMatcher(s)
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
		if !m.matches("", false) {
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
	text struct {
		Labels       itsm.Labels `json:"labels"`
		Annotations  itsm.Labels `json:"annotations"`
		LastSeenAt   time.Time   `json:"lastSeenAt"`
		GeneratorURL string      `json:"generatorURL"`
		Suppressed   *string     `json:"suppressed"`
	}
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
		if c.suppressed && !f.silenced || !c.suppressed && !f.active || !f.mayMatch(c) {
			continue
		}
		a := listedAlert{currentAlert: c}
		_ = json.Unmarshal(c.raw, &a.text) // it was decoded before; labels that are none match nothing
		if f.matches(&a) {
			out = append(out, a)
		}
	}
	return out
}

// mayMatch tells cheaply, without decoding, that an alert has not the value that a matcher wants.
func (f *alertFilter) mayMatch(c currentAlert) bool {
	for _, m := range f.matchers {
		ofGroup := c.incident != nil && (m.name == groupIncident || m.name == groupCause || m.name == groupPriority)
		if m.op == "=" && m.value != "" && !ofGroup && !c.mayHold(m.value) {
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
	labels := withLabels(a.text.Labels, groupLabels(a.incident))
	for _, m := range f.matchers {
		if !m.matches(labels.Get(m.name), labels.Has(m.name)) {
			return false
		}
	}
	return true
}

// The labels that an incident has as a group.
const (
	groupIncident = "incident"
	groupCause    = "cause"
	groupPriority = "priority"
)

// groupLabels are the labels of the group that an incident is; none without an incident.
func groupLabels(in *row) itsm.Labels {
	if in == nil {
		return nil
	}
	labels := itsm.Labels{{Name: groupIncident, Value: in.Number}, {Name: groupPriority, Value: strconv.Itoa(in.Priority)}}
	if cause := in.bestCause(); cause != "" {
		labels = append(labels, itsm.Label{Name: groupCause, Value: cause})
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

// gettableAlert is an alert as Alertmanager gives it; its name is that of Alertmanager's document.
type gettableAlert struct {
	Annotations  itsm.Labels         `json:"annotations"`
	EndsAt       alertmanagerTime    `json:"endsAt"`
	Fingerprint  itsm.Fingerprint    `json:"fingerprint"`
	Receivers    []receiverReference `json:"receivers"`
	StartsAt     alertmanagerTime    `json:"startsAt"`
	Status       gettableStatus      `json:"status"`
	UpdatedAt    alertmanagerTime    `json:"updatedAt"`
	GeneratorURL string              `json:"generatorURL,omitempty"`
	Labels       itsm.Labels         `json:"labels"`
}

type gettableStatus struct {
	InhibitedBy []string `json:"inhibitedBy"`
	MutedBy     []string `json:"mutedBy"`
	SilencedBy  []string `json:"silencedBy"`
	State       string   `json:"state"`
}

type receiverReference struct {
	Name string `json:"name"`
}

// alertmanagerTime is written with milliseconds, as Alertmanager does.
type alertmanagerTime time.Time

// MarshalText implements encoding.TextMarshaler.
func (t alertmanagerTime) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z07:00"), nil
}

// impliedEnd is how far ahead the end of a firing alert is put. The API wants an end, and readers
// take one in the past for a resolve, but the board does not know it: Alertmanager's default
// resolve_timeout stands for it.
const impliedEnd = 5 * time.Minute

func (a *listedAlert) gettable(now time.Time) gettableAlert {
	g := gettableAlert{
		Labels: a.text.Labels, Annotations: a.text.Annotations, Fingerprint: a.fingerprint, Receivers: []receiverReference{{soleReceiver}},
		StartsAt: alertmanagerTime(time.Unix(0, a.lastStarts)), UpdatedAt: alertmanagerTime(a.text.LastSeenAt), EndsAt: alertmanagerTime(now.Add(impliedEnd)),
		Status: gettableStatus{State: "active", SilencedBy: []string{}, InhibitedBy: []string{}, MutedBy: []string{}},
	}
	if a.suppressed {
		g.Status.State = "suppressed"
		g.Status.MutedBy = texts(a.text.Suppressed) // a reason, not the id of a silence
	}
	if _, err := url.ParseRequestURI(a.text.GeneratorURL); err == nil { // strict readers refuse the whole list for one that is none
		g.GeneratorURL = a.text.GeneratorURL
	}
	return g
}

func (u *UI) handleListedAlerts(w http.ResponseWriter, r *http.Request) {
	f, err := readAlertFilter(r)
	if err != nil {
		writeAlertmanagerError(w, http.StatusBadRequest, err.Error())
		return
	}
	now := time.Now()
	list := newJSONList()
	for _, a := range u.listed(f) {
		list.add(a.gettable(now))
	}
	writeBytes(w, http.StatusOK, list.end())
}

// jsonList is a JSON array that is encoded as it grows.
type jsonList struct{ body []byte }

func newJSONList() *jsonList { return &jsonList{body: []byte{'['}} }

func (l *jsonList) add(v any) {
	b, _ := json.Marshal(v) // a plain value
	if len(l.body) > 1 {
		l.body = append(l.body, ',')
	}
	l.body = append(l.body, b...)
}

func (l *jsonList) end() []byte { return append(l.body, ']') }

// alertGroup is a group as Alertmanager gives it.
type alertGroup struct {
	Alerts      []gettableAlert   `json:"alerts"`
	Labels      itsm.Labels       `json:"labels"`
	Receiver    receiverReference `json:"receiver"`
	RouteLabels itsm.Labels       `json:"routeLabels"`
}

func (u *UI) handleAlertGroups(w http.ResponseWriter, r *http.Request) {
	f, err := readAlertFilter(r)
	if err != nil {
		writeAlertmanagerError(w, http.StatusBadRequest, err.Error())
		return
	}
	now := time.Now()
	list := newJSONList()
	for _, members := range groupsOf(u.listed(f)) {
		if !f.muted && !slices.ContainsFunc(members, func(a listedAlert) bool { return !a.suppressed }) {
			continue
		}
		g := alertGroup{Labels: members[0].group(), Receiver: receiverReference{soleReceiver}}
		for i := range members {
			a := members[i].gettable(now)
			// Whoever reads groups looks for their labels in the alerts, to filter by them.
			a.Labels = withLabels(a.Labels, g.Labels)
			g.Alerts = append(g.Alerts, a)
		}
		list.add(g)
	}
	writeBytes(w, http.StatusOK, list.end())
}

// group are the labels of the group that an alert is in: its incident's, else its name.
func (a *listedAlert) group() itsm.Labels {
	if a.incident != nil {
		return groupLabels(a.incident)
	}
	if name := a.text.Labels.Get("alertname"); name != "" {
		return itsm.Labels{{Name: "alertname", Value: name}}
	}
	return nil
}

// groupsOf gathers alerts by group: incidents by their number, then the rest by name.
func groupsOf(alerts []listedAlert) [][]listedAlert {
	key := func(a *listedAlert) (number, name string) {
		if a.incident != nil {
			return a.incident.Number, ""
		}
		return "\xff", a.text.Labels.Get("alertname") // after all numbers
	}
	slices.SortStableFunc(alerts, func(a, b listedAlert) int {
		aNumber, aName := key(&a)
		bNumber, bName := key(&b)
		return cmp.Or(strings.Compare(aNumber, bNumber), strings.Compare(aName, bName))
	})
	var groups [][]listedAlert
	for start, i := 0, 1; i <= len(alerts); i++ {
		if i < len(alerts) {
			number, name := key(&alerts[i])
			if n, m := key(&alerts[start]); n == number && m == name {
				continue
			}
		}
		groups = append(groups, alerts[start:i])
		start = i
	}
	return groups
}

// writeAlertmanagerError answers as Alertmanager does: its clients take a text, not a problem.
func writeAlertmanagerError(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, status, detail)
}
