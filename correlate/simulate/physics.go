package simulate

import (
	"container/heap"
	"time"
)

// status is what is wrong with a thing, and for each condition the fault that is to blame.
type status struct {
	is   state
	why  [conditions]int32
	hand state // what a group hands to its members: its own trouble and that of what it depends on
}

// set adds conditions; the first to blame stays.
func (s *status) set(is state, fault int32) {
	for i := range conditions {
		if bit := state(1) << i; is&bit != 0 && s.is&bit == 0 {
			s.is |= bit
			s.why[i] = fault
		}
	}
}

// blame returns the fault behind the first of some conditions.
func (s *status) blame(is state) int32 {
	for i := range conditions {
		if s.is&is&(1<<i) != 0 {
			return s.why[i]
		}
	}
	return 0
}

// own is what a fault does to the thing that fails.
type own struct {
	fault int32
	is    state
}

// news is that a thing's condition arrives at the end of a way.
type news struct {
	at    time.Duration
	edge  int32 // -1: something happens to unit itself
	unit  int32
	order int
	do    func()
}

type queue []news

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(news)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// run is one course of events in a world. Only what is not well has a place in its maps.
type run struct {
	*world
	now     time.Duration
	queue   queue
	order   int
	own     map[int32][]own
	status  map[int32]status
	arrived map[int32]status // by edge: the last that was heard of its beginning
	// changed is called after each change of a status.
	changed func(unit int32, before, after *status)
}

func newRun(w *world, changed func(unit int32, before, after *status)) *run {
	return &run{world: w, own: map[int32][]own{}, status: map[int32]status{}, arrived: map[int32]status{}, changed: changed}
}

func (r *run) at(t time.Duration, do func()) {
	r.order++
	heap.Push(&r.queue, news{at: t, edge: -1, order: r.order, do: do})
}

// until lets everything happen that happens before a time.
func (r *run) until(end time.Duration) {
	for len(r.queue) > 0 && r.queue[0].at < end {
		n := heap.Pop(&r.queue).(news)
		r.now = n.at
		if n.edge < 0 {
			n.do()
			continue
		}
		from := r.edges[n.edge].from
		// What arrives is how it is now: a buffer that was refilled in time starves nobody.
		if s, ill := r.status[from]; ill {
			r.arrived[n.edge] = s
		} else {
			delete(r.arrived, n.edge)
		}
		r.settle(r.edges[n.edge].to)
	}
}

// fail and mend begin and end what a fault does to a thing.
func (r *run) fail(unit int32, o own) {
	r.own[unit] = append(r.own[unit], o)
	r.settle(unit)
}

func (r *run) mend(unit, fault int32) {
	var left []own
	for _, o := range r.own[unit] {
		if o.fault != fault {
			left = append(left, o)
		}
	}
	r.own[unit] = left
	r.settle(unit)
}

// settle computes the condition of a unit anew and sends word of a change.
func (r *run) settle(unit int32) {
	before := r.status[unit]
	after := r.judge(unit)
	for i := range conditions { // whoever brought a condition about keeps the blame while it lasts
		if bit := state(1) << i; before.is&after.is&bit != 0 {
			after.why[i] = before.why[i]
		}
	}
	if before.is == after.is && before.hand == after.hand {
		return
	}
	if after.is == 0 {
		delete(r.status, unit)
	} else {
		r.status[unit] = after
	}
	r.changed(unit, &before, &after)
	for _, e := range r.units[unit].out {
		edge := &r.edges[e]
		delay := edge.delay
		if edge.buffer > 0 && after.is&^before.is != 0 {
			delay += edge.buffer
		}
		r.order++
		heap.Push(&r.queue, news{at: r.now + delay, edge: e, unit: edge.to, order: r.order})
	}
}

// judge says what is wrong with a unit, from its own faults and what it has heard of others.
func (r *run) judge(unit int32) status {
	var s status
	for _, o := range r.own[unit] {
		s.set(o.is, o.fault)
	}
	s.hand = s.is &^ gone
	r.reach(unit, &s)
	u := &r.units[unit]
	for _, e := range u.in {
		from, ill := r.arrived[e]
		if !ill {
			continue
		}
		edge := &r.edges[e]
		is, why := carries(edge, &from, s.is)
		s.set(is, why)
		if edge.way == wayDepends {
			s.hand |= is
		}
	}
	r.members(unit, &s)
	return s
}

// reach tells whether a unit is cut off: when every uplink is gone.
func (r *run) reach(unit int32, s *status) {
	links, lost, why := 0, 0, int32(0)
	for _, e := range r.units[unit].in {
		if r.edges[e].way != wayLink {
			continue
		}
		links++
		if from, ill := r.arrived[e]; ill && from.is&gone != 0 {
			lost++
			// The fault that takes the last way is to blame; faults are numbered by their beginning.
			if b := from.blame(gone); b > why {
				why = b
			}
		}
	}
	if links > 0 && lost == links {
		s.set(cut, why)
	}
}

// carries says what one way brings to a unit whose condition is known so far.
func carries(e *edge, from *status, so state) (state, int32) {
	bring := func(seen, is state) (state, int32) {
		if from.is&seen == 0 {
			return 0, 0
		}
		return is, from.blame(seen)
	}
	switch e.way {
	case wayHost:
		if from.is&gone != 0 {
			return from.is & gone, from.blame(gone)
		}
		if e.passes {
			return bring(saturated|slow, slow)
		}
	case wayDepends:
		if from.is&gone != 0 && (from.is&down != 0 || so&cut == 0) {
			return erring, from.blame(gone) // two things behind one dead switch still talk to each other
		}
		if e.passes && from.is&erring != 0 {
			return bring(erring, erring)
		}
		if e.passes {
			return bring(slow|saturated, slow)
		}
	case wayShared:
		if from.hand != 0 && (e.passes || from.ownTrouble()) {
			return from.hand & (erring | slow), from.blame(from.hand)
		}
	case wayControl:
		if from.is&gone != 0 {
			// The machine stops without its controller, and is seen only through it.
			return from.is&gone | cut, from.blame(gone)
		}
		return bring(erring, erring)
	case wayPart:
		return bring(down, erring)
	case wayFeed:
		return bring(down|starved, starved)
	case wayBack:
		return bring(down|blocked, blocked)
	case wayMeasure:
		if e.passes {
			return bring(hot, hot)
		}
	}
	return 0, 0
}

// ownTrouble tells whether what a group hands on is a fault of its own, which shows on every member.
func (s *status) ownTrouble() bool { return s.hand&ownMark != 0 }

// ownMark in status.hand says that the trouble is the group's own.
const ownMark state = 1 << 15

// members lets a group suffer when too few of its members work. The fault that took most of them is to blame.
func (r *run) members(unit int32, s *status) {
	if len(r.own[unit]) > 0 {
		s.hand |= ownMark
	}
	least := r.units[unit].min
	if least == 0 {
		return
	}
	all, bad, dead, late := 0, 0, 0, 0
	blame := map[int32]int{}
	for _, e := range r.units[unit].in {
		if r.edges[e].way != wayMember {
			continue
		}
		all++
		from := r.arrived[e]
		switch {
		case from.is&gone != 0:
			bad, dead = bad+1, dead+1
			blame[from.blame(gone)]++
		case from.is&erring != 0:
			bad++
			blame[from.blame(erring)]++
		case from.is&(slow|saturated) != 0:
			late++
			blame[from.blame(slow|saturated)]++
		}
	}
	most := int32(0)
	for f, n := range blame {
		if most == 0 || n > blame[most] || n == blame[most] && f < most {
			most = f
		}
	}
	switch {
	case dead == all && all > 0:
		s.set(down, most)
	case all-bad < least:
		s.set(erring, most)
	case 2*(late+bad) > all && late > 0:
		s.set(slow, most)
	}
}
