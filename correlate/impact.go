package correlate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// maxFailures bounds the items whose failure is followed beside the cause's, impactHops and impactVisits each walk.
const (
	maxFailures  = 16
	impactHops   = 6
	impactVisits = 500
)

// standing counts the items of an incident by how badly they say they are hurt, and by criticality. What is under
// maintenance does not count.
type standing struct {
	counts  [2][6]int          // 1: they say that they still work
	example [2][6]string       // the first of them by id
	mild    map[cmdb.Node]bool // for each whether it says so
	stale   bool               // other members are under maintenance now
}

// add takes an alert of an item in.
func (s *standing) add(g *cmdb.Graph, n cmdb.Node, mild bool) {
	before, known := s.mild[n]
	if known && (mild || !before) {
		return
	}
	if s.mild == nil {
		s.mild = map[cmdb.Node]bool{}
	}
	s.mild[n] = mild
	c, id := g.Criticality(n), g.Item(n).ID
	switch {
	case mild:
		s.put(1, c, id)
		return
	case known: // it gets worse
		if s.counts[1][c]--; s.example[1][c] == id {
			s.example[1][c] = ""
			for other, mild := range s.mild {
				if it := g.Item(other); mild && g.Criticality(other) == c && (s.example[1][c] == "" || it.ID < s.example[1][c]) {
					s.example[1][c] = it.ID
				}
			}
		}
	}
	s.put(0, c, id)
}

func (s *standing) put(mild, criticality int, id string) {
	s.counts[mild][criticality]++
	if first := &s.example[mild][criticality]; *first == "" || id < *first {
		*first = id
	}
}

// hurt is what failures hurt by the relations of the estate.
type hurt struct {
	known   []harmed    // what people know by name, and groups that have lost their redundancy; worst first, at most itsm.MaxHurt
	more    int         // how many were left out
	reached []cmdb.Node // what is down or degraded, sorted: when it reports, that is no failure of its own
	held    bool        // of what people know by name nothing is worse than at risk: redundancy makes up for what failed
}

type harmed struct {
	itsm.Hurt
	node  cmdb.Node
	named bool
}

// hurtCache remembers what the failure of one item hurts, while the graph stays the same.
type hurtCache struct {
	found map[cmdb.Failure]*hurt
	size  int    // nodes in it
	era   uint64 // of the graph
}

// maxHurtSize bounds the nodes in the cache.
const maxHurtSize = 12_000_000

func (c *hurtCache) clear() { c.found, c.size, c.era = map[cmdb.Failure]*hurt{}, 0, c.era+1 }

// walked is what was found last for one incident: what is not the same for all incidents, since it depends on when they
// began or on several failures together.
type walked struct {
	era          uint64
	at           time.Time
	alone, joint []cmdb.Failure
	byAlone      *hurt
	byJoint      *hurt
}

// hurtBy finds what an incident hurts as the graph was when it began: what follows from its cause, and from what reports
// although nothing that happened to the cause explains it.
func (e *Engine) hurtBy(inc *incident) ([]cmdb.Failure, *hurt) {
	at, w := inc.row.StartedAt, &inc.walked
	if w.era != e.hurt.era || !w.at.Equal(at) {
		*w = walked{era: e.hurt.era, at: at}
	}
	var failures []cmdb.Failure
	out := &hurt{}
	if cause := inc.hyp.Cause; cause != cmdb.None {
		failures = []cmdb.Failure{inc.failure(cause)}
		switch {
		case e.graph.Steady(at, e.graph.Now()):
			out = e.cached(failures[0], at)
		case !slices.Equal(w.alone, failures):
			w.alone, w.byAlone = failures, e.follow(failures, at)
			fallthrough
		default:
			out = w.byAlone
		}
	}
	var apart []cmdb.Node
	for _, n := range inc.front {
		_, counts := inc.standing.mild[n]
		if _, reached := slices.BinarySearch(out.reached, n); n != inc.hyp.Cause && !reached && counts {
			apart = append(apart, n)
		}
	}
	slices.SortFunc(apart, func(a, b cmdb.Node) int { return strings.Compare(e.graph.Item(a).ID, e.graph.Item(b).ID) })
	for _, n := range apart[:min(len(apart), maxFailures)] {
		failures = append(failures, inc.failure(n))
	}
	if len(failures) < 2 && (len(failures) == 0 || inc.hyp.Cause != cmdb.None) {
		return failures, out
	}
	if !slices.Equal(w.joint, failures) {
		w.joint, w.byJoint = failures, e.follow(failures, at)
	}
	return failures, w.byJoint
}

// failure is how an item fails: it is down unless it says that it still works.
func (inc *incident) failure(n cmdb.Node) cmdb.Failure {
	if inc.standing.mild[n] {
		return cmdb.Failure{Node: n, Degradation: cmdb.Degraded}
	}
	return cmdb.Failure{Node: n, Degradation: cmdb.Down}
}

func (e *Engine) cached(f cmdb.Failure, at time.Time) *hurt {
	if h := e.hurt.found[f]; h != nil {
		return h
	}
	if e.hurt.found == nil || e.hurt.size > maxHurtSize {
		e.hurt.found, e.hurt.size = map[cmdb.Failure]*hurt{}, 0
	}
	h := e.follow([]cmdb.Failure{f}, at)
	e.hurt.found[f] = h
	e.hurt.size += 1 + len(h.reached)
	return h
}

// follow walks from failures to what they hurt.
func (e *Engine) follow(failures []cmdb.Failure, at time.Time) *hurt {
	g := e.graph
	effects := g.ImpactOf(failures, at, cmdb.Limits{Hops: impactHops, Visits: impactVisits}).Effects
	out := &hurt{}
	from := make(map[cmdb.Node]cmdb.Node, len(effects))
	risk, worse := false, false
	for _, f := range effects {
		from[f.Node] = f.Via.From
		if f.Degradation != cmdb.AtRisk {
			out.reached = append(out.reached, f.Node)
		}
		_, declared := g.Needed(f.Node, 1)
		named := g.Class(f.Node).Named
		if !named && (!declared || f.Degradation != cmdb.AtRisk) {
			worse = worse || declared
			continue
		}
		risk, worse = risk || f.Degradation == cmdb.AtRisk, worse || f.Degradation != cmdb.AtRisk
		out.known = append(out.known, harmed{Hurt: e.hurtItem(f.Node, itsm.Harm(f.Degradation)), node: f.Node, named: named})
	}
	out.held = risk && !worse
	slices.Sort(out.reached)
	slices.SortFunc(out.known, byHarm)
	if out.more = len(out.known) - itsm.MaxHurt; out.more > 0 {
		out.known = out.known[:itsm.MaxHurt]
	}
	out.more = max(0, out.more)
	for i := range out.known {
		path := []string{out.known[i].Item}
		for n, ok := from[out.known[i].node]; ok; n, ok = from[n] {
			path = append(path, g.Item(n).ID)
		}
		slices.Reverse(path)
		out.known[i].Path = path
	}
	return out
}

func byHarm(a, b harmed) int {
	return cmp.Or(cmp.Compare(a.Impact, b.Impact), cmp.Compare(a.Criticality, b.Criticality),
		cmp.Compare(slices.Index(itsm.Harms(), a.State), slices.Index(itsm.Harms(), b.State)), strings.Compare(a.Item, b.Item))
}

func (e *Engine) hurtItem(n cmdb.Node, state itsm.Harm) itsm.Hurt {
	it, c := e.graph.Item(n), e.graph.Criticality(n)
	return itsm.Hurt{Item: it.ID, Name: e.graph.Name(n), Class: it.Class, Criticality: c, State: state, Impact: itsm.ImpactOf(c, state), Path: []string{}}
}

// impactOf says what an incident hurts, and which services that are.
func (e *Engine) impactOf(inc *incident) (itsm.ImpactReasons, []string) {
	e.stand(inc)
	out := itsm.ImpactReasons{At: inc.row.StartedAt, Estate: e.estate, Reasons: []itsm.Hurt{}}
	cause := inc.hyp.Cause
	if cause != cmdb.None {
		out.Cause = e.graph.Item(cause).ID
	}
	var failures []cmdb.Failure
	var found *hurt
	if older := inc.why; older != nil && !inc.opening && older.Impact.Estate != e.estate && older.Impact.Cause == out.Cause && out.Cause != "" {
		failures, found = []cmdb.Failure{inc.failure(cause)}, e.remembered(&older.Impact)
		out.Estate = older.Impact.Estate
	} else {
		failures, found = e.hurtBy(inc)
	}
	list := e.harmed(inc, failures, found)
	out.Value = 2 // of what is about no item at all
	if len(list) > 0 || len(inc.nodes) > 0 {
		out.Value = 3
	}
	for i := range list {
		out.Value = min(out.Value, list[i].Impact)
	}
	slices.SortFunc(list, byHarm)
	services := servicesOf(list)
	out.More = found.more + max(0, len(list)-itsm.MaxHurt)
	for i := range list[:min(len(list), itsm.MaxHurt)] {
		out.Reasons = append(out.Reasons, list[i].Hurt)
	}
	return out, services
}

// stand counts the items anew after maintenance has begun or ended for some.
func (e *Engine) stand(inc *incident) {
	if !inc.standing.stale {
		return
	}
	inc.standing, inc.walked = standing{}, walked{}
	for _, m := range inc.list {
		inc.stand(m, e.graph)
	}
}

func (inc *incident) stand(m *member, g *cmdb.Graph) {
	if m.alert.node != cmdb.None && m.alert.window == nil {
		inc.standing.add(g, m.alert.node, m.alert.mild)
	}
}

// harmed lists what failures hurt, what failed, and what else reports. Of what follows from maintenance only what says so
// itself is hurt.
func (e *Engine) harmed(inc *incident, failures []cmdb.Failure, found *hurt) []harmed {
	list := make([]harmed, 0, len(found.known)+len(failures))
	at := make(map[string]int, len(found.known)+len(failures))
	put := func(h harmed) {
		at[h.Item] = len(list)
		list = append(list, h)
	}
	expected := e.windows.at(inc.hyp.Cause) != nil
	for _, h := range found.known {
		if _, reports := inc.standing.mild[h.node]; reports && h.node != cmdb.None { // it says itself how it is
			h.State, h.Reporting = itsm.Harm(inc.failure(h.node).Degradation), true
			h.Impact = itsm.ImpactOf(h.Criticality, h.State)
		}
		if h.Reporting || !expected && e.windows.at(h.node) == nil {
			put(h)
		}
	}
	unnamed := func(state itsm.Harm) itsm.Harm {
		if found.held {
			return itsm.HarmAtRisk
		}
		return state
	}
	for _, f := range failures {
		named, state := e.graph.Class(f.Node).Named, itsm.Harm(f.Degradation)
		if !named {
			state = unnamed(state)
		}
		_, reports := inc.standing.mild[f.Node]
		if _, twice := at[e.graph.Item(f.Node).ID]; !twice && (named || f.Node == inc.hyp.Cause) && (reports || e.windows.at(f.Node) == nil) {
			h := harmed{Hurt: e.hurtItem(f.Node, state), node: f.Node, named: named}
			h.Reporting = reports
			put(h)
		}
	}
	for mild, state := range []itsm.Harm{itsm.HarmDown, itsm.HarmDegraded} {
		for c := 1; c <= 5; c++ {
			id := inc.standing.example[mild][c]
			if _, known := at[id]; known || inc.standing.counts[mild][c] == 0 {
				continue
			}
			if n, ok := e.graph.Node(id); ok {
				h := harmed{Hurt: e.hurtItem(n, unnamed(state)), node: n, named: e.graph.Class(n).Named}
				h.Reporting = true
				put(h)
			}
		}
	}
	return list
}

// remembered is what an estate that is no longer in force said of an incident that began under it.
func (e *Engine) remembered(older *itsm.ImpactReasons) *hurt {
	out := &hurt{more: older.More}
	risk, worse := false, false
	for _, h := range older.Reasons {
		if len(h.Path) == 0 {
			continue
		}
		n, ok := e.graph.Node(h.Item)
		if !ok {
			n = cmdb.None
		}
		risk, worse = risk || h.State == itsm.HarmAtRisk, worse || h.State != itsm.HarmAtRisk
		out.known = append(out.known, harmed{Hurt: h, node: n, named: cmdb.ClassOf(h.Class).Named})
	}
	out.held = risk && !worse
	return out
}

// servicesOf lists what people know by name and is hurt, most critical first.
func servicesOf(list []harmed) []string {
	var hurt []harmed
	for _, h := range list {
		if h.named && h.State != itsm.HarmAtRisk {
			hurt = append(hurt, h)
		}
	}
	slices.SortFunc(hurt, func(a, b harmed) int {
		return cmp.Or(cmp.Compare(a.Criticality, b.Criticality), strings.Compare(a.Item, b.Item))
	})
	out := []string{}
	for _, h := range hurt[:min(len(hurt), maxServices)] {
		out = append(out, h.Item)
	}
	return out
}
