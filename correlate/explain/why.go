package explain

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// why says why an observation belongs to a cause.
func (x *Index) why(o *Observation, c choice) []itsm.Evidence {
	var list []itsm.Evidence
	if o.limit != "" {
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceTopology, Text: "the search for causes ended at its limit, correlate." + o.limit})
	}
	if c.node == o.Node {
		return append([]itsm.Evidence{{Kind: itsm.EvidenceOwn, Text: x.g.Name(o.Node) + " itself reports " + o.Type, Weight: 1}}, list...)
	}
	way, learned := x.pattern(o, c.node)
	if !learned {
		way = itsm.Evidence{Kind: itsm.EvidenceTopology, Text: x.way(o, c.node), Weight: 0.6}
	}
	list = append([]itsm.Evidence{way}, list...)
	if i := slices.IndexFunc(c.belief.classes, func(k classCount) bool { return k.class == x.g.ClassID(o.Node) }); i >= 0 && c.belief.net[i] > 0 {
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceCoverage, Text: x.covers(c.node, &c.belief, i), Weight: 0.3})
	}
	if c.belief.change != nil {
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceChange, Text: x.changeText(c.belief.change, o.Onset), Weight: 0.2})
	}
	return normalise(list)
}

// way says in words how the failure of a cause comes to the item.
func (x *Index) way(o *Observation, cause cmdb.Node) string {
	i := slices.IndexFunc(o.causes, func(r reach) bool { return r.node == cause })
	if i <= 0 {
		return x.g.Name(o.Node) + " is near " + x.g.Name(cause)
	}
	var hops []reach
	for ; i > 0; i = int(o.causes[i].via) {
		hops = append(hops, o.causes[i])
	}
	slices.Reverse(hops)
	from, steps := o.Node, make([]string, 0, len(hops))
	for _, r := range hops {
		steps = append(steps, sentence(r.last, x.g.Name(from), x.g.Name(r.node)))
		from = r.node
	}
	return strings.Join(steps, ", ")
}

func (x *Index) covers(n cmdb.Node, b *belief, i int) string {
	c := &b.classes[i]
	return fmt.Sprintf("%d of %d %s affected", c.items, b.expected[i], those(x.toward(n, c.kind), x.g.ClassWord(c.class), x.g.Name(n)))
}

// toward is the relation by which people say how a cause hurts what is hurt over a kind of relation: that kind
// when the cause has it, else the first that it has.
func (x *Index) toward(n cmdb.Node, kind cmdb.Kind) cmdb.Kind {
	edges := x.g.Down(n)
	if kind == caller || kind == learned || len(edges) == 0 || slices.ContainsFunc(edges, func(e cmdb.Edge) bool { return e.Kind == kind }) {
		return kind
	}
	return edges[0].Kind
}

// duration is a time span as people say it.
func duration(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d m", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
}

// normalise makes the weights sum to 1.
func normalise(list []itsm.Evidence) []itsm.Evidence {
	sum := 0.0
	for _, e := range list {
		sum += e.Weight
	}
	for i := range list {
		list[i].Weight = math.Round(1000*list[i].Weight/sum) / 1000
	}
	return list
}
