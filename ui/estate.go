package ui

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
	"signalbox/ui/query"
)

// estate is the declared estate in force with what the engines discovered beside it. The lock of
// the views guards it; items and relations in it are never changed.
type estate struct {
	version   string
	items     map[string]*itsm.Item
	relations []*itsm.Relation
	touching  map[string][]*itsm.Relation // by item, from or to it
	known     map[string]bool             // keys of relations
	parts     cmdb.Parts                  // the declared estate by origin
	declared  *cmdb.Estate                // all of it
	graph     *cmdb.Graph
}

func emptyEstate() *estate {
	return &estate{items: map[string]*itsm.Item{}, touching: map[string][]*itsm.Relation{}, known: map[string]bool{}, parts: cmdb.Parts{}, declared: &cmdb.Estate{}}
}

func (e *estate) addItem(it itsm.Item) {
	if have := e.items[it.ID]; have != nil && it.Discovered && !have.Discovered {
		return // a discovered item never wins over a declared one
	}
	e.items[it.ID] = &it
}

func (e *estate) addRelation(r itsm.Relation) {
	key := relationKey(&r).text
	if e.known[key] {
		return
	}
	e.known[key] = true
	e.relations = append(e.relations, &r)
	e.touching[r.From] = append(e.touching[r.From], &r)
	if r.To != r.From {
		e.touching[r.To] = append(e.touching[r.To], &r)
	}
}

func (u *UI) estateStatus() estateStatus {
	u.views.mu.RLock()
	defer u.views.mu.RUnlock()
	e := u.views.estate
	s := estateStatus{Items: len(e.items), Relations: len(e.relations)}
	if e.version != "" {
		s.Version = &e.version
	}
	return s
}

// itemJSON is an item in answers: every field is there.
type itemJSON struct {
	ID          string              `json:"id"`
	Class       string              `json:"class"`
	Name        string              `json:"name"`
	Criticality int                 `json:"criticality"`
	Redundancy  *itsm.Redundancy    `json:"redundancy,omitempty"`
	Vantage     bool                `json:"vantage"`
	Attributes  map[string]string   `json:"attributes"`
	Owner       string              `json:"owner"`
	Identifiers []map[string]string `json:"identifiers"`
	Discovered  bool                `json:"discovered"`
}

func itemAnswer(it *itsm.Item) itemJSON {
	out := itemJSON{
		ID: it.ID, Class: it.Class, Name: cmp.Or(it.Name, it.ID), Criticality: cmp.Or(it.Criticality, 3), Redundancy: it.Redundancy,
		Vantage: it.Vantage, Attributes: it.Attributes, Owner: it.Owner, Identifiers: it.Identifiers, Discovered: it.Discovered,
	}
	if out.Attributes == nil {
		out.Attributes = map[string]string{}
	}
	if out.Identifiers == nil {
		out.Identifiers = []map[string]string{}
	}
	return out
}

// itemDetail is an item with what is around it.
type itemDetail struct {
	itemJSON
	Relations []relationJSON    `json:"relations"`
	Alerts    []json.RawMessage `json:"alerts"`    // current ones, those that began first before others
	Incidents []json.RawMessage `json:"incidents"` // on the board, the most urgent first
}

// The bounds of an item's detail.
const (
	detailRelations = 1000
	detailIncidents = 100
)

// item collects what is known about an item.
func (v *views) item(id string) (itemDetail, bool) {
	current := v.current()
	v.mu.RLock()
	it := v.estate.items[id]
	relations := v.estate.touching[id]
	v.mu.RUnlock()
	if it == nil {
		return itemDetail{}, false
	}
	d := itemDetail{itemJSON: itemAnswer(it), Relations: []relationJSON{}, Alerts: []json.RawMessage{}, Incidents: []json.RawMessage{}}
	for _, r := range relations[:min(len(relations), detailRelations)] {
		d.Relations = append(d.Relations, relationAnswer(r))
	}
	on := paginate(current, paging{limit: detailAlerts}, func(c currentAlert) bool { return c.item.Value() == id },
		func(c currentAlert) sortKey { return alertKey("startsAt", c.alert) })
	holding := map[*row]bool{}
	for _, c := range current {
		if c.incident != nil && c.item.Value() == id {
			holding[c.incident] = true
		}
	}
	for _, c := range on.rows {
		d.Alerts = append(d.Alerts, c.json())
	}
	_, rows := v.board()
	for _, r := range rows {
		if len(d.Incidents) < detailIncidents && (holding[r] || slices.ContainsFunc(r.Causes, func(c itsm.Cause) bool { return c.Item == id })) {
			d.Incidents = append(d.Incidents, r.raw)
		}
	}
	return d, true
}

// relationJSON is a relation in answers: every field is there.
type relationJSON struct {
	From       string            `json:"from"`
	Type       itsm.RelationType `json:"type"`
	To         string            `json:"to"`
	Attributes map[string]string `json:"attributes"`
	ValidFrom  *time.Time        `json:"validFrom"`
	ValidTo    *time.Time        `json:"validTo"`
	Discovered bool              `json:"discovered"`
}

func relationAnswer(r *itsm.Relation) relationJSON {
	opt := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	out := relationJSON{
		From: r.From, Type: r.Type, To: r.To, Attributes: r.Attributes, ValidFrom: opt(r.ValidFrom), ValidTo: opt(r.ValidTo), Discovered: r.Discovered,
	}
	if out.Attributes == nil {
		out.Attributes = map[string]string{}
	}
	return out
}

func relationKey(r *itsm.Relation) sortKey {
	return sortKey{text: r.From + "\x00" + string(r.Type) + "\x00" + r.To + "\x00" + r.ValidFrom.Format(time.RFC3339Nano)}
}

func itemSchema() query.Schema {
	return query.Schema{Labels: true, Fields: map[string]query.Kind{
		"id": query.Text, "name": query.Text, "class": query.Text, "owner": query.Text, "criticality": query.Number,
		"vantage": query.Text, "discovered": query.Text,
	}}
}

func (u *UI) handleItems(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, "id")
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	q, err := query.Parse(r.URL.Query().Get("q"), itemSchema())
	if err != nil {
		writeProblem(w, badRequest("invalid_query", "q: "+err.Error()))
		return
	}
	classes := splitList(r.URL.Query().Get("class"))
	u.views.mu.RLock()
	all := make([]*itsm.Item, 0, len(u.views.estate.items))
	for _, it := range u.views.estate.items {
		all = append(all, it)
	}
	u.views.mu.RUnlock()
	list := paginate(all, p, func(it *itsm.Item) bool {
		return (classes == nil || slices.Contains(classes, it.Class)) && matchItem(q, it)
	}, func(it *itsm.Item) sortKey { return sortKey{id: it.ID} })
	writeBytes(w, http.StatusOK, list.body("items", func(it *itsm.Item) []byte { return marshal(itemAnswer(it)) }))
}

func matchItem(q *query.Query, it *itsm.Item) bool {
	for i := range q.Fields {
		m := &q.Fields[i]
		ok := false
		switch m.Name {
		case "id":
			ok = m.Text(it.ID)
		case "name":
			ok = m.Text(cmp.Or(it.Name, it.ID))
		case "class":
			ok = m.Text(it.Class)
		case "owner":
			ok = m.Text(it.Owner)
		case "criticality":
			ok = m.Number(float64(cmp.Or(it.Criticality, 3)))
		case "vantage":
			ok = m.Text(strconv.FormatBool(it.Vantage))
		case "discovered":
			ok = m.Text(strconv.FormatBool(it.Discovered))
		}
		if !ok {
			return false
		}
	}
	for i := range q.Labels { // attributes, as they are to items what labels are to alerts
		if !q.Labels[i].Text(it.Attributes[q.Labels[i].Name]) {
			return false
		}
	}
	for _, word := range q.Words {
		if !itemContains(it, word) {
			return false
		}
	}
	return true
}

func itemContains(it *itsm.Item, word string) bool {
	in := func(s string) bool { return strings.Contains(strings.ToLower(s), word) }
	if in(it.ID) || in(it.Name) || in(it.Class) || in(it.Owner) {
		return true
	}
	for _, v := range it.Attributes {
		if in(v) {
			return true
		}
	}
	for _, set := range it.Identifiers {
		for _, v := range set {
			if in(v) {
				return true
			}
		}
	}
	return false
}

func (u *UI) handleRelations(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, "from")
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	types := splitList(r.URL.Query().Get("type"))
	for _, t := range types {
		if !slices.Contains(itsm.RelationTypes(), itsm.RelationType(t)) {
			writeProblem(w, badRequest("invalid_type", fmt.Sprintf("type: one of %v is expected, got %q", itsm.RelationTypes(), t)))
			return
		}
	}
	u.views.mu.RLock()
	all := u.views.estate.relations
	if item := r.URL.Query().Get("item"); item != "" {
		all = u.views.estate.touching[item]
	}
	u.views.mu.RUnlock()
	list := paginate(all, p, func(rel *itsm.Relation) bool { return types == nil || slices.Contains(types, string(rel.Type)) }, relationKey)
	writeBytes(w, http.StatusOK, list.body("relations", func(rel *itsm.Relation) []byte { return marshal(relationAnswer(rel)) }))
}
