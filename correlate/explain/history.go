package explain

import (
	"math"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/learn"
)

// history is how often alerts fire without a fault, as was learned.
type history struct {
	until           time.Time
	windows, recent float64
	items           map[place]learn.FileRate
	classes         map[typeOf]float64 // windows summed over the items of a class
}

type place struct{ item, name string }

// Learned takes into account what was learned from the past.
func (x *Index) Learned(f *learn.File) {
	if f == nil {
		return
	}
	x.history = history{
		until: f.Until, windows: float64(f.Windows), recent: f.RecentWindows,
		items: map[place]learn.FileRate{}, classes: map[typeOf]float64{},
	}
	for _, r := range f.Rates {
		x.history.items[place{r.Item, r.Type}] = r
		if n, ok := x.g.Node(r.Item); ok {
			x.history.classes[typeOf{x.g.ClassID(n), r.Type}] += float64(r.Windows)
		}
	}
}

// Prior weights, in spans of time: of the class for an item, and of the peers of the moment for a class.
const (
	classPrior = 3
	peersPrior = 5
)

// chance is how likely an item has an alert of a type at some moment without being hurt by what is looked at: from
// its own past, backed off to that of its class, and that to how many others have it now.
func (x *Index) chance(n cmdb.Node, t typeOf, have, others int, at time.Time) float64 {
	have, others = max(0, have), max(0, others)
	now := (float64(have) + 0.25) / float64(others+peersPrior)
	h := &x.history
	if h.windows == 0 {
		return now
	}
	size := float64(max(1, x.peers.of(n).sizes[t.class]))
	class := (h.classes[t] + (float64(others)+peersPrior)*now) / (size*h.windows + float64(others) + peersPrior)
	own := h.items[place{x.g.Item(n).ID, t.name}]
	long := (float64(own.Windows) + classPrior*class) / (h.windows + classPrior)
	fresh := math.Exp2(-float64(max(0, at.Sub(h.until))) / float64(learn.RecentHalfLife))
	return min(0.999, (own.RecentWindows*fresh+long)/(h.recent*fresh+1))
}
