package simulate

import (
	"strconv"
	"time"

	"signalbox/correlate/score"
)

// Baseline is a simple way to group alerts, to compare with.
type Baseline string

// The baselines.
const (
	// BaselineLabels groups as Alertmanager does by alertname, job and data centre, until five minutes (group_interval)
	// after the last of them has ended.
	BaselineLabels Baseline = "labels"
	// BaselineGap groups what one item reports while it is silent for at most five minutes.
	BaselineGap Baseline = "gap per item"
	// BaselineALEC groups as OpenNMS ALEC does with its defaults: single linkage where
	// α(β·minutes + (1−β)·hops) ≤ 100, α = 144.47117699, β = 0.55257784, every relation one hop in either direction. That is
	// 75 s on one item and 27 s between neighbours; what is two hops apart is never linked directly. An alert counts by
	// its first time only.
	BaselineALEC Baseline = "ALEC distance"
)

// Baselines lists them in the order of the table.
func Baselines() []Baseline { return []Baseline{BaselineLabels, BaselineGap, BaselineALEC} }

// Group groups the lines of a storm and returns what score needs. None of the baselines knows causes: the item that was
// first in a group stands for one, then those that followed.
func (s *Storm) Group(b Baseline) score.Input {
	g := grouping{storm: s, open: map[[2]int32]openPeriod{}, labels: map[string]labelGroup{}, items: map[int32]seenAt{}}
	if b == BaselineALEC {
		g.neighbours = s.neighbours()
	}
	groupOf := map[int]int{}
	for i := range s.events {
		e := &s.events[i]
		switch {
		case e.change != nil:
		case e.resolved:
			g.end(e)
		default:
			groupOf[i+1] = g.begin(b, e)
		}
	}
	return s.input(g.root, groupOf, g.periods)
}

type openPeriod struct {
	group int
	label string
}

type labelGroup struct {
	group, active int
	ended         time.Duration
}

type seenAt struct {
	group int
	at    time.Duration
}

type grouping struct {
	storm      *Storm
	open       map[[2]int32]openPeriod
	labels     map[string]labelGroup
	items      map[int32]seenAt
	neighbours map[int32][]int32
	parent     []int // of groups that were joined
	periods    []int // by group
}

func (g *grouping) fresh() int {
	g.parent, g.periods = append(g.parent, len(g.parent)), append(g.periods, 0)
	return len(g.parent) - 1
}

func (g *grouping) root(n int) int {
	for g.parent[n] != n {
		g.parent[n] = g.parent[g.parent[n]]
		n = g.parent[n]
	}
	return n
}

func (g *grouping) end(e *event) {
	key := [2]int32{e.unit, e.check}
	p, known := g.open[key]
	if !known {
		return // its twin has ended it
	}
	delete(g.open, key)
	if l := g.labels[p.label]; l.active > 0 {
		l.active--
		l.ended = e.at
		g.labels[p.label] = l
	}
}

func (g *grouping) begin(b Baseline, e *event) int {
	key := [2]int32{e.unit, e.check}
	if p, on := g.open[key]; on {
		if b == BaselineGap {
			g.items[e.unit] = seenAt{p.group, e.at}
		}
		return p.group
	}
	u := &g.storm.world.units[e.unit]
	p := openPeriod{label: u.checks[e.check].name + " " + u.labels["job"] + " " + u.site}
	const gap = 5 * time.Minute
	switch b {
	case BaselineLabels:
		l, known := g.labels[p.label]
		if !known || l.active == 0 && e.at-l.ended > gap {
			l.group = g.fresh()
		}
		l.active++
		g.labels[p.label] = l
		p.group = l.group
	case BaselineGap:
		if last, known := g.items[e.unit]; known && e.at-last.at <= gap {
			p.group = last.group
		} else {
			p.group = g.fresh()
		}
	case BaselineALEC:
		p.group = g.fresh()
		g.link(p.group, e.unit, e.at, 0)
		for _, n := range g.neighbours[e.unit] {
			g.link(p.group, n, e.at, 1)
		}
	}
	g.items[e.unit] = seenAt{p.group, e.at}
	g.periods[p.group]++
	g.open[key] = p
	return p.group
}

func (g *grouping) link(group int, unit int32, at time.Duration, hops float64) {
	const alpha, beta, epsilon = 144.47117699, 0.55257784, 100
	last, known := g.items[unit]
	if known && alpha*(beta*(at-last.at).Minutes()+(1-beta)*hops) <= epsilon {
		g.parent[g.root(group)] = g.root(last.group)
	}
}

// neighbours are those of the estate as it is written.
func (s *Storm) neighbours() map[int32][]int32 {
	index := make(map[string]int32, len(s.world.units))
	for i := range s.world.units {
		index[s.world.units[i].item.ID] = int32(i) //nolint:gosec // 100,000 at most
	}
	out := map[int32][]int32{}
	for _, r := range s.Estate.Relations {
		a, b := index[r.From], index[r.To]
		out[a], out[b] = append(out[a], b), append(out[b], a)
	}
	return out
}

// Expected returns truth and causes for score, which add what an engine made of the lines.
func (s *Storm) Expected() score.Input {
	var in score.Input
	for i := range s.events {
		if e := &s.events[i]; e.change == nil && !e.resolved {
			in.Truth = append(in.Truth, score.Truth{Line: i + 1, Fault: faultName(e.fault)})
		}
	}
	for _, c := range s.Causes {
		in.Expected = append(in.Expected, score.Expected{Fault: c.Fault, Items: c.Items})
	}
	return in
}

func (s *Storm) input(root func(int) int, groupOf map[int]int, periods []int) score.Input {
	in := s.Expected()
	at := map[int]int{}
	known := map[[2]int32]bool{} // group and unit
	for _, t := range in.Truth {
		n := root(groupOf[t.Line])
		i, ok := at[n]
		if !ok {
			i = len(in.Incidents)
			at[n] = i
			in.Incidents = append(in.Incidents, score.Incident{ID: "g" + strconv.Itoa(n)})
		}
		in.Assignments = append(in.Assignments, score.Assignment{Line: t.Line, Incident: in.Incidents[i].ID})
		unit := s.events[t.Line-1].unit
		if key := [2]int32{int32(n), unit}; !known[key] { //nolint:gosec // as many as lines
			known[key] = true
			in.Incidents[i].Causes = append(in.Incidents[i].Causes, s.world.units[unit].item.ID)
		}
	}
	for n, count := range periods {
		if i, ok := at[root(n)]; ok {
			in.Incidents[i].Periods += count
		}
	}
	return in
}
