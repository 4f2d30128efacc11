package cmdb

import (
	"cmp"
	"slices"
	"strings"

	"signalbox/itsm"
)

// identifiers recognises items by their label sets. Each set waits under its rarest label, so that
// a label set looks at few of them.
type identifiers struct {
	sets  map[itsm.Label][]identifier
	names map[string]bool // names of labels that some set waits under
}

type identifier struct {
	node   Node
	labels itsm.Labels
}

func newIdentifiers(items []*itsm.Item) identifiers {
	count := map[itsm.Label]int{}
	for _, it := range items {
		for _, set := range it.Identifiers {
			for name, value := range set {
				count[itsm.Label{Name: name, Value: value}]++
			}
		}
	}
	x := identifiers{sets: map[itsm.Label][]identifier{}, names: map[string]bool{}}
	for n, it := range items {
		for _, set := range it.Identifiers {
			labels := itsm.NewLabels(set)
			if len(labels) == 0 {
				continue
			}
			rarest := slices.MinFunc(labels, func(a, b itsm.Label) int {
				return cmp.Or(cmp.Compare(count[a], count[b]), strings.Compare(a.Name, b.Name))
			})
			x.sets[rarest] = append(x.sets[rarest], identifier{Node(n), labels}) //nolint:gosec // far fewer than 2^31 items
			x.names[rarest.Name] = true
		}
	}
	return x
}

// find returns the item of the most specific set that matches, and all of them when several items
// are equally specific.
func (x *identifiers) find(labels itsm.Labels, ignore []string) (best identifier, tie []Node) {
	best.node = None
	for i := range labels {
		if !x.names[labels[i].Name] || slices.Contains(ignore, labels[i].Name) {
			continue
		}
		for _, id := range x.sets[labels[i]] {
			if len(id.labels) < len(best.labels) || !id.matches(labels, ignore) {
				continue
			}
			if len(id.labels) > len(best.labels) {
				best, tie = id, nil
				continue
			}
			if id.node != best.node && !slices.Contains(tie, id.node) {
				if tie == nil {
					tie = append(tie, best.node)
				}
				tie = append(tie, id.node)
			}
		}
	}
	return best, tie
}

func (id *identifier) matches(labels itsm.Labels, ignore []string) bool {
	for i := range id.labels {
		if slices.Contains(ignore, id.labels[i].Name) || labels.Get(id.labels[i].Name) != id.labels[i].Value {
			return false
		}
	}
	return true
}
