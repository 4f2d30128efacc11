package ui

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"
	"signalbox/ui/query"
)

// candidate is an incident as a list looks at it: its row and, when the query asks for labels,
// its alerts.
type candidate struct {
	row    *row
	alerts []*alert
}

func (u *UI) handleIncidents(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, "-openedAt", "priority", "updatedAt", "alerts", "slaDueAt")
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	states, bad := readStates(r.URL.Query().Get("state"))
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	q, err := query.Parse(r.URL.Query().Get("q"), incidentSchema())
	if err != nil {
		writeProblem(w, badRequest("invalid_query", "q: "+err.Error()))
		return
	}
	now := time.Now()
	list := paginate(u.candidates(len(q.Labels) > 0), p, func(c candidate) bool {
		return (states == nil || slices.Contains(states, c.row.State)) && matchIncident(q, c, now)
	}, func(c candidate) sortKey { return incidentKey(p, c.row) })
	writeBytes(w, http.StatusOK, list.body("incidents", func(c candidate) []byte { return c.row.raw }))
}

func readStates(s string) ([]itsm.State, *problem) {
	var states []itsm.State
	for _, word := range splitList(s) {
		if !slices.Contains(itsm.States(), itsm.State(word)) {
			return nil, badRequest("invalid_state", fmt.Sprintf("state: one of %v is expected, got %q", itsm.States(), word))
		}
		states = append(states, itsm.State(word))
	}
	return states, nil
}

func (u *UI) candidates(alerts bool) []candidate {
	u.views.mu.RLock()
	defer u.views.mu.RUnlock()
	out := make([]candidate, 0, len(u.views.incidents))
	for _, h := range u.views.incidents {
		if h.row == nil {
			continue
		}
		c := candidate{row: h.row}
		if alerts {
			c.alerts = u.views.alertsOf(h)
		}
		out = append(out, c)
	}
	return out
}

func incidentKey(p paging, r *row) sortKey {
	k := sortKey{id: r.ID}
	switch p.sort {
	case "priority":
		k.n = int64(r.Priority)
	case "openedAt":
		k.n = r.OpenedAt.UnixNano()
	case "updatedAt":
		k.n = r.UpdatedAt.UnixNano()
	case "alerts":
		k.n = int64(r.AlertCounts.Total)
	case "slaDueAt":
		switch {
		case r.SLADueAt != nil:
			k.n = r.SLADueAt.UnixNano()
		case p.reverse: // what has no due time comes last, either way
			k.n = math.MinInt64
		default:
			k.n = math.MaxInt64
		}
	}
	return k
}

func incidentSchema() query.Schema {
	return query.Schema{Labels: true, Fields: map[string]query.Kind{
		"id": query.Text, "number": query.Text, "state": query.Text, "title": query.Text, "severity": query.Text, "category": query.Text,
		"site": query.Text, "service": query.Text, "services": query.Text, "team": query.Text, "assignee": query.Text, "owner": query.Text,
		"item": query.Text, "cause": query.Text, "flapping": query.Text, "fleeting": query.Text, "maintenance": query.Text, "acknowledged": query.Text, "acknowledgedBy": query.Text,
		"mergedInto": query.Text, "sla": query.Text, "target": query.Text,
		"priority": query.Number, "impact": query.Number, "urgency": query.Number, "alerts": query.Number, "firing": query.Number,
		"items": query.Number, "reopenCount": query.Number, "score": query.Number, "revision": query.Number,
		"age": query.Duration, "startedAt": query.Time, "openedAt": query.Time, "updatedAt": query.Time, "acknowledgedAt": query.Time,
		"resolvedAt": query.Time, "snoozedUntil": query.Time, "slaDueAt": query.Time, "timeLeft": query.Duration,
	}}
}

// matchIncident tests fields first, then text, then labels: some alert of the incident must have
// all the labels asked for, and none may have one that is excluded.
func matchIncident(q *query.Query, c candidate, now time.Time) bool {
	for i := range q.Fields {
		if !matchIncidentField(&q.Fields[i], c.row, now) {
			return false
		}
	}
	for _, word := range q.Words {
		if !c.row.contains(word) {
			return false
		}
	}
	return matchAnyAlert(q.Labels, c.alerts)
}

func matchIncidentField(m *query.Matcher, r *row, now time.Time) bool {
	switch m.Name {
	case "priority":
		return m.Number(float64(r.Priority))
	case "impact":
		return m.Number(float64(r.Impact))
	case "urgency":
		return m.Number(float64(r.Urgency))
	case "alerts":
		return m.Number(float64(r.AlertCounts.Total))
	case "firing":
		return m.Number(float64(r.AlertCounts.Firing))
	case "items":
		return m.Number(float64(r.ItemCount))
	case "reopenCount":
		return m.Number(float64(r.ReopenCount))
	case "revision":
		return m.Number(float64(r.Revision))
	case "score":
		if len(r.Causes) == 0 {
			return m.Number(0)
		}
		return m.Number(r.Causes[0].Score)
	case "age":
		return m.Age(now.Sub(r.OpenedAt))
	case "timeLeft":
		if r.SLADueAt == nil {
			return m.Op.Negative()
		}
		return m.Age(r.SLADueAt.Sub(now))
	case "startedAt", "openedAt", "updatedAt", "acknowledgedAt", "resolvedAt", "snoozedUntil", "slaDueAt":
		return m.Time(r.time(m.Name), now)
	}
	return m.Text(r.texts(m.Name)...)
}

func (r *row) time(name string) time.Time {
	opt := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	switch name {
	case "startedAt":
		return r.StartedAt
	case "openedAt":
		return r.OpenedAt
	case "updatedAt":
		return r.UpdatedAt
	case "acknowledgedAt":
		return opt(r.AcknowledgedAt)
	case "resolvedAt":
		return opt(r.ResolvedAt)
	case "slaDueAt":
		return opt(r.SLADueAt)
	}
	return opt(r.SnoozedUntil)
}

// texts returns the values of a text field.
func (r *row) texts(name string) []string {
	switch name {
	case "id":
		return []string{r.ID}
	case "number":
		return []string{r.Number}
	case "state":
		return []string{string(r.State)}
	case "title":
		return []string{r.Title}
	case "severity":
		return []string{string(r.Severity)}
	case "category":
		return []string{r.Category}
	case "site":
		return []string{r.Site}
	case "service", "services":
		return r.Services
	case "team":
		return texts(r.Team)
	case "assignee":
		return texts(r.Assignee)
	case "owner":
		return texts(r.Assignee, r.Team)
	case "item":
		return r.Items
	case "cause":
		return r.causeTexts()
	case "flapping":
		return []string{strconv.FormatBool(r.Flapping)}
	case "fleeting":
		return []string{strconv.FormatBool(r.Fleeting)}
	case "maintenance":
		if r.Maintenance == nil {
			return nil
		}
		return []string{r.Maintenance.Change}
	case "acknowledged":
		return []string{strconv.FormatBool(r.AcknowledgedAt != nil)}
	case "sla":
		return clockTexts(r.SLA, func(c *itsm.Clock) string { return string(c.State) })
	case "target":
		return clockTexts(r.SLA, func(c *itsm.Clock) string { return c.Name })
	case "acknowledgedBy":
		return texts(r.AcknowledgedBy)
	}
	return texts(r.MergedInto)
}

func clockTexts(clocks []itsm.Clock, text func(*itsm.Clock) string) []string {
	var out []string
	for i := range clocks {
		out = append(out, text(&clocks[i]))
	}
	return out
}

func texts(values ...*string) []string {
	var out []string
	for _, v := range values {
		if v != nil {
			out = append(out, *v)
		}
	}
	return out
}

// causeTexts are the words by which people name the best cause.
func (r *row) causeTexts() []string {
	if len(r.Causes) == 0 {
		return nil
	}
	c := r.Causes[0]
	return append([]string{c.Item, c.Name}, texts(c.Change)...)
}

// contains searches a lower-case word in what the row shows.
func (r *row) contains(word string) bool {
	in := func(s string) bool { return strings.Contains(strings.ToLower(s), word) }
	return in(r.Number) || in(r.Title) || in(r.ID) || in(r.Site) || in(r.Category) ||
		slices.ContainsFunc(r.Services, in) || slices.ContainsFunc(r.Items, in) ||
		slices.ContainsFunc(texts(r.Team, r.Assignee), in) || slices.ContainsFunc(r.causeTexts(), in)
}

// lookup finds the incident that a request names, or answers 404.
func (u *UI) lookup(w http.ResponseWriter, r *http.Request) (*holder, bool) {
	u.views.mu.RLock()
	h := u.views.find(r.PathValue("id"))
	u.views.mu.RUnlock()
	if h == nil {
		writeProblem(w, newProblem(http.StatusNotFound, "incident_not_found", fmt.Sprintf("there is no incident %q", r.PathValue("id"))))
		return nil, false
	}
	return h, true
}

func (u *UI) handleIncident(w http.ResponseWriter, r *http.Request) {
	h, ok := u.lookup(w, r)
	if !ok {
		return
	}
	u.writeDetail(w, h)
}

// detailAlerts is how many alerts come with an incident.
const detailAlerts = 100

// writeDetail answers with the incident, the evidence of its causes and its first alerts.
func (u *UI) writeDetail(w http.ResponseWriter, h *holder) {
	u.views.mu.RLock()
	r, causes, alerts := h.row, h.causes, u.views.alertsOf(h)
	u.views.mu.RUnlock()
	if r == nil {
		writeProblem(w, newProblem(http.StatusNotFound, "incident_not_found", "the incident was forgotten"))
		return
	}
	if causes == nil { // not there yet: without evidence
		causes, _ = json.Marshal(r.Causes)
	}
	raw := replaceMember(r.raw, "causes", withEvidence(causes))
	list := paginate(alerts, paging{sort: alertSorts()[0], limit: detailAlerts}, func(*alert) bool { return true },
		func(a *alert) sortKey { return alertKey(alertSorts()[0], a) })
	members := []byte(`"alerts":[`)
	for i, a := range list.rows {
		if i > 0 {
			members = append(members, ',')
		}
		members = append(members, a.raw...)
	}
	members = append(members, `],"alertsNext":`...)
	next, _ := json.Marshal(list.next) // a text or null
	w.Header().Set("ETag", strconv.Quote(strconv.Itoa(r.CommandRevision)))
	writeBytes(w, http.StatusOK, addMembers(raw, append(members, next...)))
}

func (u *UI) handleTimeline(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, "seq")
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	h, ok := u.lookup(w, r)
	if !ok {
		return
	}
	u.views.mu.RLock()
	entries := h.entries
	u.views.mu.RUnlock()
	list := paginate(entries, p, func(entry) bool { return true }, func(e entry) sortKey { return sortKey{n: int64(e.seq)} })
	writeBytes(w, http.StatusOK, list.body("entries", func(e entry) []byte { return e.raw }))
}
