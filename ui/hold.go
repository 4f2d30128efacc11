package ui

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// Hold is a reason why alerts need to tell nobody else: an acknowledged incident, or maintenance.
type Hold struct {
	Incident string // id; empty: it is maintenance
	Change   string // id; empty: it is an incident
	Name     string // the incident's number, or the title of the change
	By       string // who acknowledged, or who makes the change
	// StartsAt and EndsAt are the window of maintenance; a zero end is not known. For an incident both are zero.
	StartsAt, EndsAt time.Time
	Alerts           []HeldAlert         // that fire, of the incident or bound to an item of the change
	Identifiers      []map[string]string // of the items of the change
}

// HeldAlert is a firing alert.
type HeldAlert struct {
	Fingerprint itsm.Fingerprint
	raw         []byte
}

// Labels decodes the labels of the alert.
func (a HeldAlert) Labels() itsm.Labels {
	var t struct {
		Labels itsm.Labels `json:"labels"`
	}
	_ = json.Unmarshal(a.raw, &t) // it was decoded before
	return t.Labels
}

// Changed gets a value after records were applied; what is not read yet stands for all that followed.
// There is one reader.
func (u *UI) Changed() <-chan struct{} { return u.changed }

// Epoch identifies the topics that the board is made from, "" before it is known: a process with other
// topics has another one.
func (u *UI) Epoch() string {
	u.views.mu.RLock()
	defer u.views.mu.RUnlock()
	id, _, _ := strings.Cut(u.views.epoch, "-")
	return id
}

// Holds lists what is in force at a moment or begins within the lead: maintenance first, then incidents,
// the most urgent first. What it returns does not change.
func (u *UI) Holds(now time.Time, lead time.Duration) []Hold {
	v := u.views
	v.mu.RLock()
	defer v.mu.RUnlock()
	var out []Hold
	byItem := map[string]int{} // which hold an item's alerts go to
	for _, id := range slices.Sorted(maps.Keys(v.maintenance)) {
		c := v.maintenance[id]
		inForce := c.InForce(now)
		if !inForce && (c.StartsAt.Before(now) || c.StartsAt.Sub(now) > lead || !c.InForce(c.StartsAt)) {
			continue
		}
		h := Hold{Change: c.ID, Name: cmp.Or(c.Title, c.ID), By: c.By, StartsAt: c.StartsAt}
		if c.EndsAt != nil {
			h.EndsAt = *c.EndsAt
		}
		for _, item := range v.estate.changed(&c) {
			if it := v.estate.items[item]; it != nil {
				h.Identifiers = append(h.Identifiers, it.Identifiers...)
			}
			if _, taken := byItem[item]; !taken && inForce {
				byItem[item] = len(out)
			}
		}
		out = append(out, h)
	}
	if len(byItem) > 0 {
		v.holdItems(out, byItem)
	}
	var rows []*holder
	for _, h := range v.open {
		if h.row.AcknowledgedAt != nil && h.row.State.Open() {
			rows = append(rows, h)
		}
	}
	slices.SortFunc(rows, func(a, b *holder) int {
		return cmp.Or(cmp.Compare(a.row.Priority, b.row.Priority), strings.Compare(a.id, b.id))
	})
	for _, r := range rows {
		h := Hold{Incident: r.id, Name: r.row.Number}
		if r.row.AcknowledgedBy != nil {
			h.By = *r.row.AcknowledgedBy
		}
		for _, a := range v.alertsOf(r) {
			if a.firing() {
				h.Alerts = append(h.Alerts, HeldAlert{a.fingerprint, a.raw})
			}
		}
		h.sort()
		out = append(out, h)
	}
	return out
}

func (h *Hold) sort() {
	slices.SortFunc(h.Alerts, func(a, b HeldAlert) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
}

// holdItems adds the firing alerts of items to their holds.
func (v *views) holdItems(holds []Hold, byItem map[string]int) {
	seen := map[itsm.Fingerprint]bool{}
	add := func(h *holder) {
		for fp, a := range h.alerts {
			if i, held := byItem[a.item.Value()]; held && a.firing() && !seen[fp] {
				seen[fp] = true
				holds[i].Alerts = append(holds[i].Alerts, HeldAlert{fp, a.raw})
			}
		}
	}
	add(v.loose)
	for _, h := range v.open {
		for _, m := range v.members(h) {
			add(m)
		}
	}
	for i := range holds {
		holds[i].sort()
	}
}

// changed finds the items of a change, as the engine does.
func (e *estate) changed(c *itsm.Change) []string {
	items := slices.Clone(c.Items)
	if len(c.Labels) > 0 && e.graph != nil {
		if m := e.graph.Bind(c.Labels); len(m.Tie) == 0 && m.ID != "" && !slices.Contains(items, m.ID) {
			items = append(items, m.ID)
		}
	}
	return items
}
