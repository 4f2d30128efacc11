package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// maxCauses bounds the list of causes of an incident.
const maxCauses = 10

// ranked is one possible cause of a hypothesis with its score in thousandths.
type ranked struct {
	node   cmdb.Node
	change *Change
	score  int64
	fits   int64 // how well it explains what the hypothesis holds, in thousandths
	belief belief
	entry  *entry
}

// Rank returns at most ten causes of h, best first, and notes the best one in h.
func (x *Index) Rank(now time.Time, h *Hypothesis) []itsm.Cause {
	list := x.rank(now, h)
	if len(list) == 0 {
		h.Cause, h.Change, h.Score = None, "", 0
		x.refile(h)
		return nil
	}
	h.Cause, h.Score, h.Change = list[0].node, int(list[0].fits), ""
	if list[0].change != nil {
		h.Change = list[0].change.ID
	}
	x.refile(h)
	causes := make([]itsm.Cause, 0, len(list))
	for i := range list {
		causes = append(causes, x.cause(h, &list[i]))
	}
	return causes
}

func (x *Index) refile(h *Hypothesis) {
	if h.body.filed {
		x.file(h)
	}
}

func (x *Index) rank(now time.Time, h *Hypothesis) []ranked {
	var list []ranked
	p := x.inside(now, h)
	for _, e := range h.body.top {
		if slices.Contains(h.RejectedItems, e.node) {
			continue
		}
		list = append(list, x.candidates(now, h, e, p)...)
	}
	if h.ConfirmedItem != None {
		list = slices.DeleteFunc(list, func(r ranked) bool { return r.node == h.ConfirmedItem && r.change == nil })
		list = append(list, ranked{node: h.ConfirmedItem, score: 1000, fits: 1000, entry: h.body.entries[h.ConfirmedItem]})
	}
	if c := x.byID[h.ConfirmedChange]; c != nil && len(c.Nodes) > 0 {
		list = slices.DeleteFunc(list, func(r ranked) bool { return r.change == c })
		list = append(list, ranked{node: c.Nodes[0], change: c, score: 1000, fits: 1000, entry: h.body.entries[c.Nodes[0]]})
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.score, a.score), -compareBool(a.change != nil, b.change != nil),
			-compareBool(a.belief.own, b.belief.own), strings.Compare(x.id(a.node), x.id(b.node)))
	})
	keep := 0
	for keep < len(list) && keep < maxCauses && (keep == 0 || list[keep].score >= 20) {
		keep++
	}
	return list[:keep]
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// candidates are an item as a cause of h and, apart from it, the change that it saw.
func (x *Index) candidates(now time.Time, h *Hypothesis, e *entry, p *neighbourhood) []ranked {
	b := belief{context: x.context[e.node] > 0, first: x.first(h, e)}
	b.add(e)
	others := belief{}
	x.near(e.node, now, func(o *entry) {
		if o.h != h {
			others.add(o)
		}
	})
	b.others = others.classes
	x.weigh(e.node, &b, h.body.onset, now, h.RejectedChanges)
	share := min(1000, 1000*e.mass/max(1, h.body.total))
	fits := conf(b.strength) * share / 1000
	if p != nil {
		b.classes = slices.Clone(b.classes)
		p.exactly(e.node, &b, h.body.surge())
		x.weigh(e.node, &b, h.body.onset, now, h.RejectedChanges)
	}
	x.judge(h, e, &b, now, p)
	accounts := strengthAll * share / 1000
	if b.items < 2 && !b.own {
		accounts /= 2
	}
	b.strength += accounts
	if p != nil && !b.own && !b.grouped() {
		b.strength = max(0, b.strength-strengthUnsaid)
	}
	b.experience, b.told = x.experienced(h, e.node, b.strength-b.changed)
	b.strength += b.told
	plain := b
	plain.change, plain.changed, plain.strength = nil, 0, b.strength-b.changed
	out := []ranked{{node: e.node, score: conf(plain.strength), fits: fits, belief: plain, entry: e}}
	if b.change != nil && b.changed > 0 {
		out = append(out, ranked{node: e.node, change: b.change, score: conf(b.strength), fits: fits, belief: b, entry: e})
	}
	return out
}

// judge weighs a belief again for the ranking of causes, by how surprising what the item and its members report is.
func (x *Index) judge(h *Hypothesis, e *entry, b *belief, now time.Time, p *neighbourhood) {
	if b.own {
		var explained map[typeOf]int
		if p != nil {
			explained = p.explained(e.node)
		}
		b.blamed = x.blames(e.node, h, h.body.surge(), explained)
		b.strength += b.blamed - strengthOwn*b.telling/1000
	}
	first := true
	for i := range b.classes {
		if b.classes[i].kind != cmdb.Group {
			continue
		}
		b.strength -= b.net[i]
		b.net[i] = 0
		if first {
			first = false
			b.net[i] = x.shares(e.node, now, h.body.surge(), b.needed > 0, func(m cmdb.Node) *itemIn { return h.body.items[m] })
			b.strength += b.net[i]
		}
	}
}

// first tells whether the cause itself reported before everything else of the hypothesis.
func (x *Index) first(h *Hypothesis, e *entry) bool {
	in := h.body.items[e.node]
	return in != nil && !in.onset.After(h.body.onset)
}

func (x *Index) cause(h *Hypothesis, r *ranked) itsm.Cause {
	it := x.g.Item(r.node)
	c := itsm.Cause{
		Item: it.ID, Name: x.g.Name(r.node), Class: it.Class, Score: float64(r.score) / 1000,
		Reporting: r.entry != nil && r.entry.self, Evidence: x.evidence(h, r),
	}
	if r.change != nil {
		id := r.change.ID
		c.Change, c.Name = &id, cmp.Or(r.change.Title, id)
	}
	return c
}

func (x *Index) evidence(h *Hypothesis, r *ranked) []itsm.Evidence {
	confirmed := r.change == nil && r.node == h.ConfirmedItem || r.change != nil && r.change.ID == h.ConfirmedChange
	if confirmed && r.score == 1000 {
		return operatorEvidence("confirmed by an operator")
	}
	b := &r.belief
	var list []itsm.Evidence
	add := func(kind itsm.EvidenceKind, text string, strength int64) {
		if strength > 0 {
			list = append(list, itsm.Evidence{Kind: kind, Text: text, Weight: float64(strength)})
		}
	}
	name := x.g.Name(r.node)
	if b.own {
		plain := b.blamed
		if plain > strengthOwn+strengthTold {
			plain = strengthOwn
		}
		add(itsm.EvidenceOwn, name+" itself reports "+strings.Join(x.types(h, r.node), ", "), plain)
		add(itsm.EvidenceSurprise, x.rare(r.node, h.body.items[r.node]), b.blamed-plain)
		if b.first && b.items > 0 {
			add(itsm.EvidenceTime, name+" reported before the others", strengthFirst)
		}
	} else if b.needed > 0 {
		add(itsm.EvidenceRedundancy, fmt.Sprintf("%s needs %d members and has %d left", name, b.needed, b.left), strengthShort)
	} else if b.context {
		add(itsm.EvidenceOwn, name+" has an alert of low severity", strengthContext)
	}
	for _, kind := range []itsm.EvidenceKind{itsm.EvidenceReachability, itsm.EvidenceRedundancy, itsm.EvidenceCoverage, itsm.EvidencePattern} {
		text, strength := x.coversAll(r.node, b, kind)
		add(kind, text, strength)
	}
	if r.change != nil {
		at := h.body.onset
		add(itsm.EvidenceChange, x.changeText(r.change, at), b.changed)
	}
	if b.told > 0 {
		add(itsm.EvidenceOperator, b.experience.decided(), b.told)
	}
	if len(list) == 0 {
		text := name + " is near what reports"
		if r.entry != nil && r.entry.items > 0 {
			text = "too few of what depends on " + name + " are affected"
		}
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceTopology, Text: text, Weight: 1})
	}
	slices.SortStableFunc(list, func(a, b itsm.Evidence) int { return cmp.Compare(b.Weight, a.Weight) })
	if len(list) > maxEvidence {
		list = list[:maxEvidence]
	}
	if b.told < 0 { // it speaks against, so that no share of the score is its
		list = append(list, itsm.Evidence{Kind: itsm.EvidenceOperator, Text: b.experience.decided()})
	}
	return normalise(list)
}

const maxEvidence = 8

// maxNamed is how many classes one evidence names.
const maxNamed = 3

// coversAll is what speaks for a cause by one kind of evidence: of each class how many are hurt, the most telling first.
func (x *Index) coversAll(n cmdb.Node, b *belief, kind itsm.EvidenceKind) (text string, strength int64) {
	var of []int
	for i := range b.classes {
		if kindOf(b.classes[i].kind) == kind && b.net[i] > 0 {
			of = append(of, i)
			strength += b.net[i]
		}
	}
	if len(of) == 0 {
		return "", 0
	}
	slices.SortStableFunc(of, func(i, j int) int { return cmp.Compare(b.net[j], b.net[i]) })
	named := of[:min(len(of), maxNamed)]
	var parts []string
	for _, i := range named[:len(named)-1] {
		parts = append(parts, fmt.Sprintf("%d of %d %s", b.classes[i].items, b.expected[i], x.g.ClassWord(b.classes[i].class)))
	}
	text = strings.Join(parts, ", ")
	if text != "" {
		text += " and "
	}
	text += x.covers(n, b, named[len(named)-1])
	if len(of) > len(named) {
		text += ", and others"
	}
	return text, strength
}

// kindOf is what it is evidence of that items are hurt over a kind of relation.
func kindOf(kind cmdb.Kind) itsm.EvidenceKind {
	switch kind {
	case cmdb.Network:
		return itsm.EvidenceReachability
	case cmdb.Member:
		return itsm.EvidenceRedundancy
	case learned:
		return itsm.EvidencePattern
	}
	return itsm.EvidenceCoverage
}

// types lists the alert types of an item in a hypothesis, at most three.
func (x *Index) types(h *Hypothesis, n cmdb.Node) []string {
	var out []string
	if in := h.body.items[n]; in != nil {
		for _, t := range in.types {
			out = append(out, t.name)
		}
	}
	slices.Sort(out)
	return out[:min(3, len(out))]
}

// MainType returns the alert type that an item reports most within a hypothesis, "" when it reports nothing.
func (x *Index) MainType(h *Hypothesis, n cmdb.Node) string {
	in := h.body.items[n]
	if in == nil {
		return ""
	}
	most := typeCount{}
	for _, t := range in.types {
		if t.count > most.count || t.count == most.count && t.name < most.name {
			most = t
		}
	}
	return most.name
}

// Explained says how much of a hypothesis an item explains: how many items, of which class ("item" when they are
// of several), and how they are hurt. What cannot be reached says more of a cause than how much runs on it.
func (x *Index) Explained(h *Hypothesis, n cmdb.Node) (items int, class string, kind cmdb.Kind) {
	e := h.body.entries[n]
	if e == nil {
		return 0, "", 0
	}
	most := -1
	for i, c := range e.classes {
		if most < 0 || cmp.Or(
			compareBool(c.kind == cmdb.Network, e.classes[most].kind == cmdb.Network), cmp.Compare(c.items, e.classes[most].items),
			strings.Compare(x.g.ClassWord(e.classes[most].class), x.g.ClassWord(c.class))) > 0 {
			most = i
		}
	}
	if most < 0 {
		return 0, "", 0
	}
	class = "item"
	if e.classes[most].items == e.items {
		class = x.g.ClassWord(e.classes[most].class)
	}
	return int(e.items), class, e.classes[most].kind
}
