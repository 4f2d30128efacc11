package correlate

import (
	"maps"
	"reflect"
	"slices"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// window is a maintenance in force. It is never changed in place, so that an alert which points to it
// sees when it was reported anew.
type window struct{ itsm.Change }

// String names the window as people know it.
func (w *window) String() string {
	if w.Title == "" {
		return "maintenance " + w.ID
	}
	return "maintenance " + w.ID + ": " + w.Title
}

// before tells whether the window ends first: that is when its alerts become live.
func (w *window) before(o *window) bool {
	switch {
	case w.EndsAt == nil || o.EndsAt == nil:
		return o.EndsAt == nil && (w.EndsAt != nil || w.ID < o.ID)
	case w.EndsAt.Equal(*o.EndsAt):
		return w.ID < o.ID
	}
	return w.EndsAt.Before(*o.EndsAt)
}

// windows are the maintenance in force and what it covers.
type windows struct {
	by    map[cmdb.Node]*window
	stale bool // other windows, or other relations, may be in force now
	moved bool // the items are those of another estate
}

// at returns the window that covers an item, nil when none does.
func (w *windows) at(n cmdb.Node) *window {
	if n == cmdb.None {
		return nil
	}
	return w.by[n]
}

// maxCovered bounds how many items one window covers beyond those it names.
const maxCovered = 5000

// coverage finds what every window in force covers now. Where several cover an item, the one that ends
// last holds it.
func (e *Engine) coverage() map[cmdb.Node]*window {
	have := map[string]*window{}
	for _, w := range e.windows.by {
		have[w.ID] = w
	}
	by := map[cmdb.Node]*window{}
	for _, id := range sortedKeys(e.changes) {
		c := e.changes[id]
		if !c.InForce(e.clock) {
			continue
		}
		w := have[id]
		if w == nil || !reflect.DeepEqual(w.Change, c.Change) {
			w = &window{c.Change}
		}
		for _, n := range e.covers(e.changed(c)) {
			if other := by[n]; other == nil || other.before(w) {
				by[n] = w
			}
		}
	}
	return by
}

// covers adds to the items of a window what cannot be up, or reached, while they are not: the members of a
// group, the parts and the sensors of a machine, and what runs on them, or is reached through them, alone.
// What depends on them, or is fed or controlled by them, is not covered: that its users suffer is told.
func (e *Engine) covers(named []cmdb.Node) []cmdb.Node {
	in := make(map[cmdb.Node]bool, len(named))
	out := slices.Clone(named)
	for _, n := range named {
		in[n] = true
	}
	add := func(n cmdb.Node, covered bool) {
		if covered && !in[n] && len(out)-len(named) < maxCovered {
			in[n] = true
			out = append(out, n)
		}
	}
	for i := 0; i < len(out); i++ {
		n := out[i]
		for _, edge := range e.graph.Down(n) {
			if !e.graph.Valid(edge, e.clock) {
				continue
			}
			switch edge.Kind {
			case cmdb.Group:
				add(edge.Node, i < len(named)) // who names a group means all of it; who names a host does not mean its rack
			case cmdb.Measure:
				add(edge.Node, true)
			case cmdb.Host:
				add(edge.Node, e.only(edge.Node, cmdb.Host, in))
			case cmdb.Network:
				add(edge.Node, (e.graph.Rooted() || !e.graph.Class(edge.Node).Transit) && e.only(edge.Node, cmdb.Network, in))
			default:
			}
		}
		for _, edge := range e.graph.Up(n) {
			if edge.Kind == cmdb.Part && e.graph.Valid(edge, e.clock) {
				add(edge.Node, true)
			}
		}
	}
	return out
}

// only tells whether all ways of a kind on which an item depends lead through those given.
func (e *Engine) only(n cmdb.Node, kind cmdb.Kind, in map[cmdb.Node]bool) bool {
	for _, edge := range e.graph.Up(n) {
		if edge.Kind == kind && e.graph.Valid(edge, e.clock) && !in[edge.Node] {
			return false
		}
	}
	return true
}

// maintain marks every alert anew when other items are covered than before.
func (e *Engine) maintain() {
	if !e.windows.stale {
		return
	}
	by := e.coverage()
	same := !e.windows.moved && maps.Equal(by, e.windows.by)
	e.windows = windows{by: by}
	if same {
		return
	}
	for _, fp := range sortedKeys(e.alerts) {
		e.maintainAlert(e.alerts[fp])
	}
}

// maintainAlert marks one alert with the window that covers its item.
func (e *Engine) maintainAlert(a *alert) {
	if w := e.windows.at(a.node); w != a.window {
		e.resuppress(a, a.silences, a.mark, w)
	}
}

// watchMaintenance has the windows looked at when one begins or ends.
func (e *Engine) watchMaintenance(c *change) {
	if c.Kind != itsm.ChangeMaintenance {
		return
	}
	if c.StartsAt.After(e.clock) {
		e.timers.push(timer{at: c.StartsAt, kind: timerMaintenance})
	}
	if c.EndsAt != nil && c.EndsAt.After(e.clock) {
		e.timers.push(timer{at: *c.EndsAt, kind: timerMaintenance})
	}
}

// countWindow counts the firing alerts of an incident by the window that covers them.
func (inc *incident) countWindow(w *window, by int) {
	inc.counts.Maintenance += by
	if inc.under == nil {
		inc.under = map[*window]int{}
	}
	if inc.under[w] += by; inc.under[w] == 0 {
		delete(inc.under, w)
	}
}

// maintained says by which maintenance all that fires in an incident is covered, nil when something else
// fires. What has ended meanwhile does not change it: that it fires again is the window's doing.
func (inc *incident) maintained() *itsm.Window {
	c := inc.counts
	switch {
	case c.Firing == 0:
		return inc.row.Maintenance
	case c.Maintenance < c.Firing:
		return nil
	}
	var first *window
	for w := range inc.under {
		if first == nil || w.before(first) {
			first = w
		}
	}
	return &itsm.Window{Change: first.ID, Title: first.Title, EndsAt: first.EndsAt}
}

// publishMaintenance publishes a change that is maintenance, and takes one back that is no longer. The status
// stays as it was reported: none means that the window alone says whether it holds.
func (e *Engine) publishMaintenance(before *change, c itsm.Change) {
	if before != nil && before.Kind == itsm.ChangeMaintenance || c.Kind == itsm.ChangeMaintenance {
		e.windows.stale = true
	}
	switch {
	case e.opts.Shard != 0: // every shard has every change
	case c.Kind == itsm.ChangeMaintenance:
		e.now.windows = append(e.now.windows, itsm.Update{Maintenance: &c})
	case before != nil && before.Kind == itsm.ChangeMaintenance:
		e.now.windows = append(e.now.windows, itsm.Update{ForgetMaintenance: c.ID})
	}
}
