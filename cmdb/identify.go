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
	sets  map[string]map[string][]identifier // by name and value of the rarest label
	names map[string]struct{}                // of every label in a set
}

type identifier struct {
	node   Node
	labels itsm.Labels
	how    string
}

// newIdentifiers indexes the sets of items. A set with an empty value recognises nothing: an empty
// label is none.
func newIdentifiers(items []*itsm.Item) identifiers {
	count := map[itsm.Label]int{}
	for _, it := range items {
		for _, set := range it.Identifiers {
			for name, value := range set {
				count[itsm.Label{Name: name, Value: value}]++
			}
		}
	}
	x := identifiers{sets: map[string]map[string][]identifier{}, names: map[string]struct{}{}}
	for n, it := range items {
		for _, set := range it.Identifiers {
			labels := itsm.NewLabels(set)
			if len(labels) == 0 || slices.ContainsFunc(labels, func(l itsm.Label) bool { return l.Value == "" }) {
				continue
			}
			for _, l := range labels {
				x.names[l.Name] = struct{}{}
			}
			rarest := slices.MinFunc(labels, func(a, b itsm.Label) int {
				return cmp.Or(cmp.Compare(count[a], count[b]), strings.Compare(a.Name, b.Name))
			})
			if x.sets[rarest.Name] == nil {
				x.sets[rarest.Name] = map[string][]identifier{}
			}
			id := identifier{node: Node(n), labels: labels, how: "identifier " + labels.String()} //nolint:gosec // far fewer than 2^31 items
			x.sets[rarest.Name][rarest.Value] = append(x.sets[rarest.Name][rarest.Value], id)
		}
	}
	return x
}

// find returns the most specific set that matches, nil when none does, and the nodes of all when
// several items are equally specific. It allocates nothing but for a tie.
func (x *identifiers) find(labels itsm.Labels, hidden []string) (best *identifier, tie []Node) {
	for i := range labels {
		values := x.sets[labels[i].Name]
		if values == nil {
			continue
		}
		list := values[labels[i].Value]
		for j := range list {
			id := &list[j]
			if best != nil && len(id.labels) < len(best.labels) || !id.matches(labels, hidden) {
				continue
			}
			if best == nil || len(id.labels) > len(best.labels) {
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

func (id *identifier) matches(labels itsm.Labels, hidden []string) bool {
	for i := range id.labels {
		l := &id.labels[i]
		if labels.Get(l.Name) != l.Value || slices.Contains(hidden, l.Name) {
			return false
		}
	}
	return true
}
