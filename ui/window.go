package ui

import (
	"container/heap"
	"slices"
	"time"
	"unique"
)

// comparisonWindow is how far back the comparison with Alertmanager's grouping looks.
const comparisonWindow = 15 * time.Minute

// comparison sets the groups that Alertmanager made, or would have made, beside our incidents.
type comparison struct {
	WindowSeconds int `json:"windowSeconds"`
	Alerts        int `json:"alerts"`
	Groups        int `json:"groups"`
	Incidents     int `json:"incidents"`
}

// window counts the alerts of incidents that fired within the last comparisonWindow, and their
// distinct groups and incidents. Each change costs O(log n).
type window struct {
	alerts map[*alert]string // with the id of the incident
	groups map[unique.Handle[string]]int
	byInc  map[string]int
	leave  leaveHeap // alerts that have ended, soonest first
}

func newWindow() *window {
	return &window{alerts: map[*alert]string{}, groups: map[unique.Handle[string]]int{}, byInc: map[string]int{}}
}

func (w *window) add(incident string, a *alert) {
	w.alerts[a] = incident
	w.groups[a.group]++
	w.byInc[incident]++
	if !a.firing() {
		heap.Push(&w.leave, leaving{at: max(a.endsAt, a.lastStarts) + int64(comparisonWindow), alert: a})
	}
	if len(w.leave) > 2*len(w.alerts)+1000 {
		w.compact()
	}
}

// compact drops the places of alerts that were replaced meanwhile, so that the heap stays as
// small as what it counts.
func (w *window) compact() {
	w.leave = slices.DeleteFunc(w.leave, func(l leaving) bool {
		_, in := w.alerts[l.alert]
		return !in
	})
	heap.Init(&w.leave)
}

func (w *window) remove(incident string, a *alert) {
	if _, in := w.alerts[a]; !in {
		return
	}
	delete(w.alerts, a)
	if w.groups[a.group]--; w.groups[a.group] == 0 {
		delete(w.groups, a.group)
	}
	if w.byInc[incident]--; w.byInc[incident] == 0 {
		delete(w.byInc, incident)
	}
}

// advance lets go of what has not fired since now - comparisonWindow.
func (w *window) advance(now time.Time) {
	for len(w.leave) > 0 && w.leave[0].at <= now.UnixNano() {
		a := heap.Pop(&w.leave).(leaving).alert
		if incident, in := w.alerts[a]; in {
			w.remove(incident, a)
		}
	}
}

type leaving struct {
	at    int64
	alert *alert
}

type leaveHeap []leaving

func (h leaveHeap) Len() int           { return len(h) }
func (h leaveHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h leaveHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *leaveHeap) Push(x any)        { *h = append(*h, x.(leaving)) }

func (h *leaveHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = leaving{}
	*h = (*h)[:last]
	return x
}

// compare counts as of now. It needs the write lock, since it lets go of what is too old.
func (v *views) compare(now time.Time) comparison {
	v.window.advance(now)
	roots := make(map[*holder]struct{}, len(v.window.byInc))
	for id := range v.window.byInc {
		if h := v.incidents[id]; h != nil {
			roots[v.root(h)] = struct{}{}
		}
	}
	return comparison{
		WindowSeconds: int(comparisonWindow / time.Second),
		Alerts:        len(v.window.alerts), Groups: len(v.window.groups), Incidents: len(roots),
	}
}
