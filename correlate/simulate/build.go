package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// builder makes an estate: sites with racks of hosts that carry services, and areas with lines of machines.
type builder struct {
	*world
	cfg   Config
	rng   *rand.Rand
	names map[string]string // of checks, as this estate calls them
	hosts []int32           // of the site so far
	loose []int32           // of them: in no cluster yet
	serve []int32           // services of the site so far
	stuff []int32           // databases and queues of the site so far
}

func build(cfg Config, rng *rand.Rand) *world {
	b := &builder{world: &world{classes: map[string][]int32{}}, cfg: cfg, rng: rng, names: map[string]string{}}
	vantage := b.unit("host", "monitoring", "site-1")
	b.units[vantage].item.Vantage, b.units[vantage].checks = true, nil
	var head [2]int32
	for site := 1; len(b.units) < cfg.Items; site++ {
		name := fmt.Sprintf("site-%d", site)
		b.hosts, b.loose, b.serve, b.stuff = nil, nil, nil, nil
		cores := b.cores(name, site, &head)
		if site == 1 {
			// The vantage stands at the cores, so nothing cuts these off.
			for _, c := range cores {
				b.relations = append(b.relations, itsm.Relation{From: b.units[vantage].item.ID, Type: itsm.ConnectsTo, To: b.units[c].item.ID})
			}
		}
		area := b.unit("area", fmt.Sprintf("area-%d", site), name)
		end := min(cfg.Items, len(b.units)+2500)
		for n := 1; len(b.units) < end; n++ {
			if n%3 == 0 {
				b.line(name, n, area, cores)
			} else {
				b.racks(name, n, min(end-len(b.units), 400), cores)
			}
		}
	}
	return b.world
}

// cores makes the two core switches of a site; those of the first site are what the others are connected to.
func (b *builder) cores(site string, n int, head *[2]int32) []int32 {
	cores := []int32{b.unit("switch", fmt.Sprintf("core-%d-a", n), site), b.unit("switch", fmt.Sprintf("core-%d-b", n), site)}
	if n == 1 {
		copy(head[:], cores)
		return cores
	}
	wan := b.unit("router", fmt.Sprintf("wan-%d", n), site)
	for i, c := range cores {
		b.relate(b.rng, wan, itsm.ConnectsTo, head[i])
		b.relate(b.rng, c, itsm.ConnectsTo, wan)
	}
	return cores
}

// unit makes an item with its checks. Coverage decides check by check; a quarter of the devices is not monitored at all.
func (b *builder) unit(class, id, site string) int32 {
	u := unit{site: site, phase: time.Duration(b.rng.Int64N(int64(30 * time.Second))), twins: len(site)%2 == 0 && b.rng.Float64() < 0.5}
	u.item = itsm.Item{ID: id, Class: class, Name: id, Criticality: 1 + b.rng.IntN(5), Attributes: map[string]string{"site": site}}
	switch class {
	case "host":
		u.labels = map[string]string{"instance": id + ":9100", "job": "node", "datacenter": site}
	case "switch", "router":
		u.labels = map[string]string{"instance": id, "job": "snmp"}
	case "instance":
		u.labels = map[string]string{"pod": id, "namespace": "shop", "datacenter": site}
	case "service", "database", "queue", "cluster":
		u.labels = map[string]string{class: id, "datacenter": site, "job": class}
	case "rack", "storage", "area":
		u.labels = map[string]string{class: id}
	default:
		u.labels = map[string]string{"tag": id, "area": site, "job": "scada"}
	}
	key := map[string]string{}
	for _, k := range []string{"instance", "pod", "tag", class} {
		if v, ok := u.labels[k]; ok {
			key[k] = v
			break
		}
	}
	u.item.Identifiers = []map[string]string{key}
	unseen := b.rng.Float64() < 0.25
	switch class {
	case "switch", "router", "plc", "gateway", "database", "queue":
	default:
		unseen = false
	}
	for i, r := range rules(class) {
		where := fmt.Sprint(class, i, "@", site)
		if b.names[where] == "" {
			b.names[where] = r.names[b.rng.IntN(len(r.names))]
		}
		r.name = b.names[where]
		if b.rng.Float64() < b.cfg.Coverage && !unseen {
			u.checks = append(u.checks, r.check)
		}
	}
	return b.add(u)
}

// group makes an item that needs some of its members.
func (b *builder) group(class, id, site string, least itsm.Threshold, members []int32) int32 {
	g := b.unit(class, id, site)
	b.units[g].item.Redundancy = &itsm.Redundancy{Min: least}
	b.units[g].min = least.Of(len(members))
	for _, m := range members {
		b.relate(b.rng, m, itsm.MemberOf, g)
	}
	return g
}

// racks makes a rack of hosts behind one switch or two, and what runs on them.
func (b *builder) racks(site string, n, room int, cores []int32) {
	id := func(what string, i int) string { return fmt.Sprintf("%s-%s-%d-%d", what, site[5:], n, i) }
	rack := b.unit("rack", id("rack", 0), site)
	var tors []int32
	for i := range 1 + b.rng.IntN(2) {
		t := b.unit("switch", id("tor", i+1), site)
		tors = append(tors, t)
		b.relate(b.rng, t, itsm.RunsOn, rack)
		for _, c := range cores {
			b.relate(b.rng, t, itsm.ConnectsTo, c)
		}
	}
	if len(tors) == 2 {
		b.group("switch-pair", id("pair", 0), site, "1", tors)
	}
	hosts := make([]int32, max(4, min(16, room/8)))
	for i := range hosts {
		hosts[i] = b.unit("host", id("host", i+1), site)
		b.relate(b.rng, hosts[i], itsm.RunsOn, rack)
		for _, t := range tors {
			b.relate(b.rng, hosts[i], itsm.ConnectsTo, t)
		}
	}
	// Clusters and services are spread over racks, lest one rack takes all of them.
	b.hosts, b.loose = append(b.hosts, hosts...), append(b.loose, hosts...)
	if len(b.loose) >= 24 {
		b.rng.Shuffle(len(b.loose), func(i, j int) { b.loose[i], b.loose[j] = b.loose[j], b.loose[i] })
		half := len(b.loose) / 2
		b.group("cluster", id("cluster", 0), site, "50%", b.loose[:half])
		b.loose = append([]int32(nil), b.loose[half:]...)
	}
	storage := b.unit("storage", id("storage", 0), site)
	for i := range max(1, len(hosts)/5) {
		d := b.unit("database", id("db", i+1), site)
		b.relate(b.rng, d, itsm.RunsOn, hosts[b.rng.IntN(len(hosts))])
		b.relate(b.rng, d, itsm.DependsOn, storage)
		b.stuff = append(b.stuff, d)
	}
	q := b.unit("queue", id("queue", 0), site)
	b.relate(b.rng, q, itsm.RunsOn, hosts[b.rng.IntN(len(hosts))])
	b.stuff = append(b.stuff, q)
	for i := range len(hosts) / 2 {
		b.service(id("svc", i+1), site)
	}
}

// service makes a service of some instances that calls earlier services, a database or a queue.
func (b *builder) service(id, site string) {
	pods := make([]int32, 2+b.rng.IntN(4))
	at := b.rng.Perm(len(b.hosts))
	for i := range pods {
		pods[i] = b.unit("instance", fmt.Sprintf("%s-%d", id, i+1), site)
		b.relate(b.rng, pods[i], itsm.RunsOn, b.hosts[at[i%len(at)]])
	}
	s := b.group("service", id, site, "50%", pods)
	if len(b.serve) > 0 {
		for range b.rng.IntN(3) {
			if to := b.serve[b.rng.IntN(len(b.serve))]; !b.calls(s, to) {
				b.relate(b.rng, s, itsm.DependsOn, to)
			}
		}
	}
	if b.rng.Float64() < 0.7 {
		b.relate(b.rng, s, itsm.DependsOn, b.stuff[b.rng.IntN(len(b.stuff))])
	}
	b.serve = append(b.serve, s)
}

func (b *builder) calls(from, to int32) bool {
	for _, e := range b.units[from].in {
		if b.edges[e].way == wayDepends && b.edges[e].from == to {
			return true
		}
	}
	return false
}

// line makes a production line: machines in a row, their controllers, and sensors behind a gateway.
func (b *builder) line(site string, n int, area int32, cores []int32) {
	id := func(what string, i int) string { return fmt.Sprintf("%s-%s-%d-%d", what, site[5:], n, i) }
	l := b.unit("line", id("line", 0), site)
	b.relate(b.rng, l, itsm.PartOf, area)
	cell := b.unit("switch", id("cell", 0), site)
	for _, c := range cores {
		b.relate(b.rng, cell, itsm.ConnectsTo, c)
	}
	gateway := b.unit("gateway", id("gw", 0), site)
	b.relate(b.rng, gateway, itsm.ConnectsTo, cell)
	var plc, last int32
	for i := range 4 + b.rng.IntN(5) {
		if i%3 == 0 {
			plc = b.unit("plc", id("plc", i/3+1), site)
			b.relate(b.rng, plc, itsm.ConnectsTo, cell)
		}
		m := b.unit("equipment", id("machine", i+1), site)
		b.relate(b.rng, plc, itsm.Controls, m)
		b.relate(b.rng, m, itsm.PartOf, l)
		if i > 0 {
			b.relate(b.rng, last, itsm.Feeds, m)
		}
		for j := range 1 + b.rng.IntN(2) {
			s := b.unit("sensor", id("sensor", 10*i+j), site)
			b.relate(b.rng, s, itsm.Measures, m)
			b.relate(b.rng, s, itsm.ConnectsTo, gateway)
		}
		last = m
	}
}

// written is the estate as people have it: some relations are missing, some lead to another item of the same class.
func (w *world) written(wrong float64, rng *rand.Rand) *cmdb.Estate {
	e := &cmdb.Estate{Items: make([]itsm.Item, len(w.units))}
	index := make(map[string]int32, len(w.units))
	for i := range w.units {
		e.Items[i] = w.units[i].item
		index[w.units[i].item.ID] = int32(i) //nolint:gosec // 100,000 at most
	}
	type ends struct {
		from, to string
		kind     itsm.RelationType
	}
	taken := map[ends]bool{}
	for _, r := range w.relations {
		taken[ends{r.From, r.To, r.Type}] = true
	}
	for _, r := range w.relations {
		if rng.Float64() < wrong {
			if rng.Float64() < 0.5 {
				continue
			}
			same := w.classes[w.units[index[r.To]].item.Class]
			to := w.units[same[rng.IntN(len(same))]].item.ID
			if to == r.From || taken[ends{r.From, to, r.Type}] {
				continue // there is no other
			}
			r.To = to
			taken[ends{r.From, to, r.Type}] = true
		}
		e.Relations = append(e.Relations, r)
	}
	return e
}
