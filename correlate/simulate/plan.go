package simulate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// mode is a way in which a class of things fails.
type mode struct {
	class  string
	is     state
	weight int
	name   string
}

func modes() []mode {
	return []mode{
		{"host", down, 3, "host down"},
		{"host", saturated, 2, "host saturated"},
		{"instance", erring, 2, "instance fails"},
		{"service", erring, 3, "bad release"},
		{"service", slow, 1, "slow release"},
		{"database", down, 2, "database down"},
		{"database", slow | saturated, 2, "database slow"},
		{"queue", slow, 1, "queue slow"},
		{"storage", down, 2, "storage down"},
		{"rack", down, 2, "rack without power"},
		{"switch", down, 4, "switch down"},
		{"switch-pair", down, 1, "both switches down"},
		{"router", down, 1, "router down"},
		{"plc", down, 2, "controller down"},
		{"gateway", down, 2, "gateway down"},
		{"equipment", down | erring, 3, "machine fails"},
		{"equipment", hot, 2, "machine wears"},
	}
}

// planner puts faults, changes and noise into a course of events and notes what checks report.
type planner struct {
	*run
	cfg    Config
	rng    *rand.Rand
	end    time.Duration
	firing map[[2]int32]period // by unit and check: what is true now, reported or not
	busy   map[[2]int32][]period
	events []event
	causes []Cause
	faults int32
	lines  map[int32]int
}

// period is how long a check has something to report.
type period struct {
	from, to time.Duration
	fault    int32
}

// New makes a storm. It returns an error when the configuration is wrong.
func New(cfg Config) (*Storm, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(cfg.Seed, n)) } //nolint:gosec // a simulation
	w := build(cfg, stream(1))
	p := &planner{
		cfg: cfg, rng: stream(2), end: time.Duration(cfg.Hours * float64(time.Hour)),
		firing: map[[2]int32]period{}, busy: map[[2]int32][]period{}, lines: map[int32]int{},
	}
	p.run = newRun(w, p.report)
	p.occasions()
	p.until(p.end)
	for _, key := range slices.SortedFunc(keys(p.firing), func(a, b [2]int32) int { return slices.Compare(a[:], b[:]) }) {
		p.finish(key, p.firing[key], p.end)
	}
	p.rng = stream(3) // noise is the same whatever the faults were
	p.noise()
	p.rng = stream(4)
	p.innocent()
	slices.SortStableFunc(p.events, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order)) })
	s := &Storm{Estate: w.written(cfg.Wrong, stream(5)), events: p.events, world: w}
	for _, c := range p.causes {
		var n int32
		if _, err := fmt.Sscanf(c.Fault, "f%d", &n); err == nil && p.lines[n] > 0 {
			s.Causes = append(s.Causes, c)
		}
	}
	return s, nil
}

func keys[K comparable, V any](m map[K]V) func(yield func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// occasions spreads the faults over the time that is watched.
func (p *planner) occasions() {
	warm := time.Duration(0)
	if p.cfg.Hours > 3 {
		warm = time.Hour
	}
	for i := range p.cfg.Faults {
		share := (float64(i) + p.rng.Float64()) / float64(p.cfg.Faults)
		at := warm + time.Duration(share*float64(p.end-warm-10*time.Minute))
		p.at(max(0, at), p.occasion)
	}
}

func (p *planner) occasion() {
	first, ok := p.strike(p.pick())
	for range p.cfg.Simultaneous - 1 {
		if !ok {
			return
		}
		at := p.now + time.Duration(p.rng.Int64N(int64(2*time.Minute)))
		p.at(at, func() { p.strike(p.nearby(first)) })
	}
}

// blow is a fault that may be struck.
type blow struct {
	mode mode
	unit int32
}

// pick chooses what fails: a silent thing or a reporting one, by their shares.
func (p *planner) pick() (blow, bool) {
	silent := p.rng.Float64() < p.cfg.Silent
	return p.choose(silent, func(m mode) []int32 { return p.classes[m.class] })
}

// nearby chooses what fails beside a fault: in its neighbourhood, but neither behind it nor before it.
func (p *planner) nearby(first int32) (blow, bool) {
	related := map[int32]bool{first: true}
	for _, direction := range []int{1, -1} {
		for _, n := range p.around(first, 6, direction, 5000) {
			related[n] = true
		}
	}
	near := p.around(first, 4, 0, 2000)
	near = slices.DeleteFunc(near, func(n int32) bool { return related[n] })
	silent := p.rng.Float64() < p.cfg.Silent
	return p.choose(silent, func(m mode) []int32 {
		var out []int32
		for _, n := range near {
			if p.units[n].item.Class == m.class {
				out = append(out, n)
			}
		}
		return out
	})
}

func (p *planner) choose(silent bool, of func(mode) []int32) (blow, bool) {
	all, sum := modes(), 0
	for _, m := range all {
		sum += m.weight
	}
	for range 200 {
		n := p.rng.IntN(sum)
		i := 0
		for n >= all[i].weight {
			n -= all[i].weight
			i++
		}
		units := of(all[i])
		if len(units) == 0 {
			continue
		}
		b := blow{all[i], units[p.rng.IntN(len(units))]}
		if p.status[b.unit].is != 0 || p.units[b.unit].item.Vantage {
			continue
		}
		seen, itself := p.seen(b)
		if things := count(seen); silent && !itself && things >= 2 || !silent && itself {
			return b, true
		}
	}
	return blow{}, false
}

// seen returns what checks would report if only this failed, and whether one of them is of the cause itself. A group
// whose members all show it counts as reporting.
func (p *planner) seen(b blow) (map[[2]int32]bool, bool) {
	alone := newRun(p.world, func(int32, *status, *status) {})
	for _, u := range p.struck(b) {
		alone.fail(u, own{fault: 1, is: b.mode.is})
	}
	alone.until(1 << 62)
	out, itself := map[[2]int32]bool{}, false
	for u, s := range alone.status {
		for c := range p.units[u].checks {
			if p.units[u].checks[c].sees(s.is) {
				out[[2]int32{u, int32(c)}] = true //nolint:gosec // a few
				itself = itself || slices.Contains(p.struck(b), u)
			}
		}
	}
	return out, itself || b.mode.class == "service" && len(out) >= 2
}

func count(seen map[[2]int32]bool) int {
	units := map[int32]bool{}
	for k := range seen {
		units[k[0]] = true
	}
	return len(units)
}

func (c *check) sees(is state) bool { return is&c.on != 0 && (c.outside || is&gone == 0) }

// struck returns what itself fails: of a pair of switches both.
func (p *planner) struck(b blow) []int32 {
	if b.mode.class != "switch-pair" {
		return []int32{b.unit}
	}
	var out []int32
	for _, e := range p.units[b.unit].in {
		if p.edges[e].way == wayMember {
			out = append(out, p.edges[e].from)
		}
	}
	return out
}

// strike lets a fault happen, and end after a while.
func (p *planner) strike(b blow, ok bool) (int32, bool) {
	if !ok {
		return 0, false
	}
	p.faults++
	fault := p.faults
	items := []string{p.units[b.unit].item.ID}
	lasts := time.Duration(10+p.rng.IntN(35)) * time.Minute
	for i, u := range p.struck(b) {
		late := time.Duration(i) * time.Duration(p.rng.Int64N(int64(20*time.Second)))
		p.at(p.now+late, func() { p.fail(u, own{fault, b.mode.is}) })
		p.at(p.now+lasts+late, func() { p.mend(u, fault) })
		if u != b.unit {
			items = append(items, p.units[u].item.ID)
		}
	}
	items = append(items, p.alike(b)...)
	p.causes = append(p.causes, Cause{Fault: faultName(fault), Kind: b.mode.name, Items: items})
	if b.mode.class == "service" || b.mode.is == erring && p.rng.Float64() < 0.3 {
		p.change("deploy", b.unit, p.now-time.Duration(5+p.rng.IntN(170))*time.Second)
	} else if p.rng.Float64() < 0.1 {
		p.change("config", b.unit, p.now-time.Duration(5+p.rng.IntN(170))*time.Second)
	}
	if near := p.around(b.unit, 3, 0, 200); len(near) > 0 && p.rng.Float64() < 0.25 {
		p.change("deploy", near[p.rng.IntN(len(near))], p.now-time.Duration(3+p.rng.IntN(40))*time.Minute)
	}
	return b.unit, true
}

// alike returns the other things whose failure would have been reported in exactly the same way: nobody can tell them
// apart, so each is a right answer.
func (p *planner) alike(b blow) []string {
	seen, _ := p.seen(b)
	if len(seen) == 0 {
		return nil
	}
	votes, looked := map[int32]int{}, 0
	for _, key := range slices.SortedFunc(keys(seen), func(x, y [2]int32) int { return slices.Compare(x[:], y[:]) }) {
		if looked++; looked > 4 {
			looked--
			break
		}
		votes[key[0]]++
		for _, n := range p.around(key[0], 5, -1, 400) {
			votes[n]++
		}
	}
	var out []string
	tried := 0
	for _, n := range slices.Sorted(keys(votes)) {
		if votes[n] < looked || n == b.unit {
			continue
		}
		if tried++; tried > 60 {
			break
		}
		for _, is := range []state{down, erring, slow, saturated} {
			other, _ := p.seen(blow{mode{class: p.units[n].item.Class, is: is}, n})
			if equal(seen, other) {
				out = append(out, p.units[n].item.ID)
				break
			}
		}
	}
	return out
}

func equal(a, b map[[2]int32]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return true
}

// report notes what the checks of a unit have to say after its condition changed.
func (p *planner) report(unit int32, _, after *status) {
	u := &p.units[unit]
	for i := range u.checks {
		key := [2]int32{unit, int32(i)} //nolint:gosec // a few
		open, on := p.firing[key]
		switch c := &u.checks[i]; {
		case c.sees(after.is) && !on:
			p.firing[key] = period{from: p.now, fault: after.blame(c.on)}
		case !c.sees(after.is) && on:
			delete(p.firing, key)
			p.finish(key, open, p.now)
		}
	}
}

// finish sends what a check had to say between two times: after its scrape and its "for", if it lasted as long.
func (p *planner) finish(key [2]int32, open period, to time.Duration) {
	u := &p.units[key[0]]
	const scrape = 15 * time.Second
	// Scrapes come at the unit's own phase; what is seen there counts from then.
	seenAt := (open.from - u.phase + scrape - 1).Truncate(scrape) + u.phase
	if seenAt < open.from {
		seenAt += scrape
	}
	fires := seenAt + u.checks[key[1]].wait
	if fires >= to || fires >= p.end {
		return
	}
	p.busy[key] = append(p.busy[key], period{from: fires, to: to})
	p.send(key, fires, to, open.fault)
}

// send writes the lines of one firing period: its beginning, re-sends, its end, and the same of a twin.
func (p *planner) send(key [2]int32, from, to time.Duration, fault int32) {
	u := &p.units[key[0]]
	replicas := []int8{0}
	if u.twins {
		replicas = []int8{1, 2}
	}
	for i, r := range replicas {
		shift := time.Duration(0)
		if i > 0 {
			shift = time.Duration(p.rng.Int64N(int64(15 * time.Second)))
		}
		lag := func() time.Duration { return time.Duration(p.rng.Int64N(int64(3 * time.Second))) }
		e := event{start: from + shift, unit: key[0], check: key[1], fault: fault, replica: r}
		end := to + shift + 15*time.Second + lag()
		for at := from + shift + lag(); at < end && at < p.end; at += 4*time.Minute + lag() {
			e.at = at
			p.put(e)
			if p.rng.Float64() < 0.6 {
				break
			}
		}
		if end < p.end && to < p.end {
			e.at, e.resolved = end, true
			p.put(e)
		}
	}
}

func (p *planner) put(e event) {
	e.order = len(p.events)
	p.events = append(p.events, e)
	if !e.resolved && e.change == nil {
		p.lines[e.fault]++
	}
}

// noise adds what fires without a fault. Some checks flap: they make four of ten such alerts.
func (p *planner) noise() {
	days := p.end.Hours() / 24
	total := int(p.cfg.Noise * days * float64(len(p.units)))
	var all, flappers [][2]int32
	for u := range p.units {
		for c := range p.units[u].checks {
			all = append(all, [2]int32{int32(u), int32(c)}) //nolint:gosec // 100,000 at most
		}
	}
	if len(all) == 0 {
		return
	}
	for range 1 + total*4/10/40 {
		flappers = append(flappers, all[p.rng.IntN(len(all))])
	}
	for range total {
		key := all[p.rng.IntN(len(all))]
		lasts := time.Duration(30+p.rng.ExpFloat64()*240) * time.Second
		if p.rng.Float64() < 0.4 {
			key = flappers[p.rng.IntN(len(flappers))]
			lasts = time.Duration(20+p.rng.IntN(100)) * time.Second
		}
		from := time.Duration(p.rng.Int64N(int64(p.end)))
		one := period{from: from - time.Minute, to: from + lasts + time.Minute}
		if slices.ContainsFunc(p.busy[key], func(b period) bool { return one.from < b.to && b.from < one.to }) {
			continue // it fires already
		}
		p.busy[key] = append(p.busy[key], one)
		p.send(key, from, from+lasts, 0)
	}
}

// innocent adds changes that did no harm: one in twenty items a day.
func (p *planner) innocent() {
	n := int(p.end.Hours() / 24 * float64(len(p.units)) / 20)
	var can []int32
	for _, class := range []string{"service", "host", "database", "switch", "plc"} {
		can = append(can, p.classes[class]...)
	}
	for range n {
		p.change([]string{"deploy", "config", "standard"}[p.rng.IntN(3)], can[p.rng.IntN(len(can))], time.Duration(p.rng.Int64N(int64(p.end))))
	}
}

func (p *planner) change(kind string, unit int32, at time.Duration) {
	at = max(at, 0)
	it := &p.units[unit].item
	p.put(event{at: at, unit: unit, change: &change{
		ID: fmt.Sprintf("change-%d", len(p.events)+1), Kind: kind, Items: []string{it.ID}, Title: kind + " of " + it.Name,
		Status: "succeeded", StartsAt: begin().Add(at), By: "ci",
	}})
}
