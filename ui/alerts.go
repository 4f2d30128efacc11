package ui

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"
	"signalbox/ui/query"
)

func alertSorts() []string { return []string{"startsAt", "lastStartsAt", "severity", "status"} }

func alertKey(order string, a *alert) sortKey {
	k := sortKey{id: a.fingerprint.String()}
	switch order {
	case "startsAt":
		k.n = a.startsAt
	case "lastStartsAt":
		k.n = a.lastStarts
	case "severity":
		k.n = int64(a.severity)
	case "status":
		k.n = int64(a.status)
	}
	return k
}

// currentAlert is an alert with the incident that holds it; nil: none.
type currentAlert struct {
	*alert
	incident *row
}

func (c currentAlert) json() []byte {
	members := []byte(`"incident":null,"incidentNumber":null`)
	if c.incident != nil {
		members = itsm.AppendJSONString([]byte(`"incident":`), c.incident.ID)
		members = itsm.AppendJSONString(append(members, `,"incidentNumber":`...), c.incident.Number)
	}
	return addMembers(c.raw, members)
}

// current collects the current alerts: those of incidents on the board and those without one.
func (v *views) current() []currentAlert {
	v.mu.RLock()
	defer v.mu.RUnlock()
	out := make([]currentAlert, 0, len(v.window.alerts)+len(v.loose.alerts))
	for _, a := range v.loose.alerts {
		out = append(out, currentAlert{alert: a})
	}
	for _, h := range v.open {
		for _, a := range v.alertsOf(h) {
			out = append(out, currentAlert{alert: a, incident: h.row})
		}
	}
	return out
}

func (u *UI) handleAlerts(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, alertSorts()...)
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	q, err := query.Parse(r.URL.Query().Get("q"), alertSchema())
	if err != nil {
		writeProblem(w, badRequest("invalid_query", "q: "+err.Error()))
		return
	}
	now := time.Now()
	list := paginate(u.views.current(), p,
		func(c currentAlert) bool { return matchAlert(q, c.alert, c.incident, now) },
		func(c currentAlert) sortKey {
			k := alertKey(p.sort, c.alert)
			if c.incident != nil { // an identity may be in two incidents
				k.id += "/" + c.incident.ID
			}
			return k
		})
	writeBytes(w, http.StatusOK, list.body("alerts", currentAlert.json))
}

func (u *UI) handleIncidentAlerts(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, alertSorts()...)
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	q, err := query.Parse(r.URL.Query().Get("q"), alertSchema())
	if err != nil {
		writeProblem(w, badRequest("invalid_query", "q: "+err.Error()))
		return
	}
	h, ok := u.lookup(w, r)
	if !ok {
		return
	}
	u.views.mu.RLock()
	in, alerts := h.row, u.views.alertsOf(h)
	u.views.mu.RUnlock()
	now := time.Now()
	list := paginate(alerts, p, func(a *alert) bool { return matchAlert(q, a, in, now) },
		func(a *alert) sortKey { return alertKey(p.sort, a) })
	writeBytes(w, http.StatusOK, list.body("alerts", func(a *alert) []byte { return a.raw }))
}

func alertSchema() query.Schema {
	return query.Schema{Labels: true, Fields: map[string]query.Kind{
		"fingerprint": query.Text, "status": query.Text, "severity": query.Text, "item": query.Text, "source": query.Text,
		"suppressed": query.Text, "silencedBy": query.Text, "maintenance": query.Text, "incident": query.Text, "bound": query.Text,
		"count": query.Number, "age": query.Duration, "startsAt": query.Time, "lastStartsAt": query.Time, "endsAt": query.Time,
	}}
}

// alertText is what has to be decoded of an alert to match labels and words.
type alertText struct {
	Labels      itsm.Labels `json:"labels"`
	Annotations itsm.Labels `json:"annotations"`
	Source      string      `json:"source"`
	Suppressed  *string     `json:"suppressed"`
	SilencedBy  []string    `json:"silencedBy"`
	Maintenance *string     `json:"maintenance"`
	Count       int         `json:"count"`
	Tried       string      `json:"tried"`
}

// matchAlert tests what is indexed first and decodes the alert only when the rest needs it.
func matchAlert(q *query.Query, a *alert, in *row, now time.Time) bool {
	var text *alertText
	decode := func() *alertText {
		if text == nil {
			text = a.text()
		}
		return text
	}
	for i := range q.Fields {
		if !matchAlertField(&q.Fields[i], a, in, now, decode) {
			return false
		}
	}
	if len(q.Words) > 0 && !a.contains(q.Words, in, decode()) {
		return false
	}
	return matchLabels(q.Labels, a, decode)
}

func matchAlertField(m *query.Matcher, a *alert, in *row, now time.Time, decode func() *alertText) bool {
	switch m.Name {
	case "fingerprint":
		return m.Text(a.fingerprint.String())
	case "status":
		return m.Text(string(a.statusWord()))
	case "severity":
		return m.Text(severityWord(a.severity))
	case "item":
		return m.Text(a.item.Value())
	case "bound":
		return m.Text(strconv.FormatBool(a.item.Value() != ""))
	case "incident":
		if in == nil {
			return m.Text()
		}
		return m.Text(in.ID, in.Number)
	case "count":
		return m.Number(float64(decode().Count))
	case "age":
		return m.Age(now.Sub(time.Unix(0, a.lastStarts)))
	case "startsAt":
		return m.Time(time.Unix(0, a.startsAt), now)
	case "lastStartsAt":
		return m.Time(time.Unix(0, a.lastStarts), now)
	case "endsAt":
		if a.endsAt == 0 {
			return m.Time(time.Time{}, now)
		}
		return m.Time(time.Unix(0, a.endsAt), now)
	case "suppressed":
		return m.Text(texts(decode().Suppressed)...)
	case "maintenance":
		if !a.suppressed {
			return m.Text()
		}
		return m.Text(texts(decode().Maintenance)...)
	case "silencedBy":
		if !a.suppressed {
			return m.Text()
		}
		return m.Text(decode().SilencedBy...)
	}
	return m.Text(decode().Source)
}

func severityWord(rank uint8) string {
	if all := itsm.Severities(); int(rank) < len(all) {
		return string(all[rank])
	}
	return ""
}

func (a *alert) text() *alertText {
	var t alertText
	_ = json.Unmarshal(a.raw, &t) // it was decoded before; labels that are none match nothing
	return &t
}

// contains searches lower-case words in the values of labels and annotations, the item and the
// incident's number.
func (a *alert) contains(words []string, in *row, t *alertText) bool {
	for _, word := range words {
		has := func(s string) bool { return strings.Contains(strings.ToLower(s), word) }
		value := func(l itsm.Label) bool { return has(l.Value) }
		if !slices.ContainsFunc(t.Labels, value) && !slices.ContainsFunc(t.Annotations, value) && !has(a.item.Value()) &&
			!has(t.Source) && (in == nil || !has(in.Number)) {
			return false
		}
	}
	return true
}

func matchLabels(ms []query.Matcher, a *alert, decode func() *alertText) bool {
	for i := range ms {
		if m := &ms[i]; m.Op == query.Equal && m.Value != "" && !a.mayHold(m.Value) {
			return false
		}
	}
	for i := range ms {
		if !ms[i].Text(decode().Labels.Get(ms[i].Name)) {
			return false
		}
	}
	return true
}

// mayHold tells cheaply that a value cannot be among the labels: its bytes are nowhere.
func (a *alert) mayHold(value string) bool {
	var buf [128]byte
	quoted := itsm.AppendJSONString(buf[:0], value)
	// Another writer may escape other characters than we do.
	return bytes.Contains(a.raw, quoted) || bytes.IndexByte(quoted, '\\') >= 0 || bytes.IndexByte(a.raw, '\\') >= 0
}

// matchAnyAlert tells whether some alert has all the labels asked for while none has an excluded one.
func matchAnyAlert(ms []query.Matcher, alerts []*alert) bool {
	if len(ms) == 0 {
		return true
	}
	var wanted, excluded []query.Matcher
	for _, m := range ms {
		if m.Op.Negative() {
			excluded = append(excluded, m)
		} else {
			wanted = append(wanted, m)
		}
	}
	found := len(wanted) == 0
	for _, a := range alerts {
		var text *alertText
		decode := func() *alertText {
			if text == nil {
				text = a.text()
			}
			return text
		}
		if !matchLabels(excluded, a, decode) {
			return false
		}
		found = found || matchLabels(wanted, a, decode)
		if found && len(excluded) == 0 {
			return true
		}
	}
	return found
}
