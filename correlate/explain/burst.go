package explain

import (
	"slices"
	"time"

	"signalbox/cmdb"
)

// Shots says which one-shot events a hypothesis is made of. An event has no duration: nothing tells that it still holds, and
// on an item without relations nothing but time tells what belongs together. So what comes in one go is one hypothesis there.
type Shots uint8

// What a one-shot event, or a hypothesis made of such events alone, is.
const (
	// NoShots is an alert that lasts, or any hypothesis but the two others.
	NoShots Shots = iota
	// Burst is what comes without a pause longer than Config.BurstGap.
	Burst
	// Routine is what comes again and again: another one of it says little.
	Routine
)

// Alone tells whether an item is known and has no relations.
func (x *Index) Alone(n cmdb.Node) bool { return n != None && x.peers.joined[x.peers.root(n)] == nil }

// Bursting tells whether a burst goes on at an item.
func (x *Index) Bursting(n cmdb.Node, now time.Time) bool {
	going := false
	x.live(n, now, func(e *entry) { going = going || x.goesOn(e.h, now) })
	return going
}

func (x *Index) goesOn(h *Hypothesis, now time.Time) bool {
	return h.Shots == Burst && now.Sub(h.LastJoined) <= x.cfg.BurstGap
}

// shot is the open hypothesis that a one-shot event on an item without relations belongs to: what people have put together,
// what lasts there, the burst that goes on, and for what is routine the routine before.
func (x *Index) shot(o *Observation, now time.Time) *Hypothesis {
	var pick *Hypothesis
	best := 0
	x.live(o.Node, now, func(e *entry) {
		rank := 0
		switch h := e.h; {
		case h == x.pending, slices.Contains(h.RejectedItems, o.Node):
		case h.pinned(o.Node):
			rank = 4
		case h.Shots == NoShots:
			rank = 3
		case x.goesOn(h, now):
			rank = 2
		case h.Shots == Routine && o.Shots == Routine:
			rank = 1
		}
		if rank > best {
			pick, best = e.h, rank
		}
	})
	return pick
}
