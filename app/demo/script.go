package demo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// step is something that one sender has to say at a moment.
type step struct {
	after  time.Duration
	from   sender
	alerts []alert
	// Of a command: what it does, and an alert of the incident that it is about.
	action string
	about  labels
	body   any // of a command or a change
}

// world is the estate and the moment at which the demo began.
type world struct {
	start time.Time
	rules map[string]rule
	items map[string]*itsm.Item
	lower map[string][]string // what hangs on, runs on or belongs to an item, by "type id"
	upper map[string][]string // the other way round
}

func newWorld(e *cmdb.Estate, start time.Time) *world {
	w := &world{start: start, rules: rules(), items: map[string]*itsm.Item{}, lower: map[string][]string{}, upper: map[string][]string{}}
	for i := range e.Items {
		w.items[e.Items[i].ID] = &e.Items[i]
	}
	for _, r := range e.Relations {
		lower, upper := string(r.Type)+" "+r.To, string(r.Type)+" "+r.From
		w.lower[lower] = append(w.lower[lower], r.From)
		w.upper[upper] = append(w.upper[upper], r.To)
	}
	return w
}

// The moments of the script; what the program prints at the start tells of them.
const (
	operatorsCome = time.Second
	switchDies    = 15 * time.Second
	deployBreaks  = 25 * time.Second
	gatewayLost   = 40 * time.Second
	switchReturns = 60 * time.Second
)

// script is everything that happens, in the order of time.
func (w *world) script() []step {
	storm := w.storm()
	script := slices.Concat(w.calm(), w.shift(), storm, w.deploy(), w.plant(), w.relief(storm))
	slices.SortStableFunc(script, func(a, b step) int { return cmp.Compare(a.after, b.after) })
	return script
}

// raise makes firing alerts of one rule.
func (w *world) raise(since time.Duration, name string, sets ...labels) []alert {
	out := make([]alert, 0, len(sets))
	for _, set := range sets {
		l := labels{"alertname": name, "severity": w.rules[name].severity}
		maps.Copy(l, set)
		out = append(out, alert{labels: l, since: since})
	}
	return out
}

// one is the label set of a single alert, as raise makes it.
func (w *world) one(name string, set labels) labels { return w.raise(0, name, set)[0].labels }

// Label sets of the calm board that operators refer to.
func raid() labels {
	return labels{"cluster": "south", "instance": "nas-south-1:9100", "job": "node-exporter", "device": "md0"}
}

func bearing() labels { return labels{"asset": "compressor-3", "site": "plant-a", "area": "utilities"} }

func cooling() labels { return labels{"cluster": "south", "instance": "cooling-4", "job": "snmp"} }

func port() labels {
	return labels{"cluster": "south", "instance": "access-33", "job": "snmptrap", "ifDescr": "GigabitEthernet1/0/24"}
}

// calm is the board as the shift finds it: nine incidents that began some time ago.
func (w *world) calm() []step {
	ksm := func(l labels) labels {
		l["cluster"], l["job"] = cmp.Or(l["cluster"], "south"), "kube-state-metrics"
		return l
	}
	var crashing []labels
	for _, pod := range w.lower["member_of recommendation"][:2] {
		crashing = append(crashing, ksm(labels{"namespace": "shop", "pod": pod, "container": "recommendation", "reason": "CrashLoopBackOff"}))
	}
	watchdog := func(cluster string) []alert { return w.raise(-40*24*time.Hour, "Watchdog", labels{"cluster": cluster}) }
	throttled := labels{"cluster": "north", "namespace": "shop", "pod": w.lower["member_of media"][0], "container": "media"}
	south := slices.Concat(
		watchdog("south"),
		w.raise(-26*time.Hour, "NodeRAIDDegraded", raid()),
		w.raise(-3*time.Hour-11*time.Minute, "NodeFilesystemAlmostOutOfSpace", labels{
			"cluster": "south", "instance": "log-south-1:9100", "job": "node-exporter", "device": "/dev/sdb1", "fstype": "ext4", "mountpoint": "/var/log",
		}),
		w.raise(-47*time.Minute, "KubePodCrashLooping", crashing...),
		w.raise(-32*time.Minute, "KubeDeploymentReplicasMismatch", ksm(labels{"namespace": "shop", "deployment": "recommendation"})),
		w.raise(-14*time.Hour-2*time.Minute, "BlackboxSslCertificateWillExpireSoon", labels{
			"cluster": "south", "instance": "https://partner.shop.example/", "job": "blackbox-https",
		}),
		w.raise(-2*time.Hour-31*time.Minute, "CoolingSupplyAirTemperatureHigh", cooling()),
	)
	north := slices.Concat(
		watchdog("north"), w.raise(-20*time.Minute, "CPUThrottlingHigh", throttled),
		w.raise(-5*time.Hour-20*time.Minute, "KubeJobFailed", ksm(labels{"cluster": "north", "namespace": "billing", "job_name": "invoice-render-29401740"})),
	)
	plant := slices.Concat(
		w.raise(-9*time.Hour-31*time.Minute, "BearingTemperatureHigh", bearing()),
		w.raise(-70*time.Minute, "SyrupBrixOutOfRange", labels{"asset": "blender-1", "site": "plant-a", "area": "syrup"}),
	)
	return []step{
		{from: fromPrometheus, alerts: north},
		{from: fromAlertmanager, alerts: south},
		{from: fromEdge, alerts: plant},
		{from: fromTraps, alerts: w.linkTraps()},
	}
}

// linkTraps are what snmptrapd has received of a bad port in the last minutes: six times down and up.
func (w *world) linkTraps() []alert {
	var out []alert
	for i := range 6 {
		down := time.Duration(i-6) * 30 * time.Second
		up := down + 10*time.Second
		out = append(out, alert{labels: w.one("linkDown", port()), since: down})
		if i < 5 {
			out = append(out, alert{labels: w.one("linkDown", port()), since: down, until: up, over: true})
		}
	}
	return out
}

// flap is the bad port again: every minute it comes up for 15 seconds.
func (w *world) flap(tick time.Duration) step {
	down := alert{labels: w.one("linkDown", port()), since: tick.Truncate(time.Minute) - 30*time.Second}
	switch tick % time.Minute {
	case 15 * time.Second: // up
		if down.over, down.until = true, tick; tick < time.Minute {
			down.since = -30 * time.Second
		}
	case 30 * time.Second:
		down.since = tick
	default:
		return step{}
	}
	return step{after: tick, from: fromTraps, alerts: []alert{down}}
}

// shift is what operators have done about the calm board.
func (w *world) shift() []step {
	type command struct {
		about  labels
		action string
		body   map[string]any
	}
	do := func(about labels, action string, body map[string]any) command { return command{about, action, body} }
	disk := w.one("NodeRAIDDegraded", raid())
	machine := w.one("BearingTemperatureHigh", bearing())
	air := w.one("CoolingSupplyAirTemperatureHigh", cooling())
	flapping := w.one("linkDown", port())
	var out []step
	for i, c := range []command{
		do(disk, "acknowledge", map[string]any{"by": "maria"}),
		do(disk, "assign", map[string]any{"by": "maria", "team": "sre", "person": "maria"}),
		do(disk, "hold", map[string]any{
			"by": "maria", "reason": "awaiting_vendor", "until": w.at(6 * time.Hour).Truncate(time.Minute), "comment": "Disk 3 is ordered; the vendor comes this afternoon.",
		}),
		do(machine, "acknowledge", map[string]any{"by": "jonas"}),
		do(machine, "assign", map[string]any{"by": "jonas", "team": "maintenance", "person": "jonas", "comment": "Grease it when line 1 changes over."}),
		do(air, "acknowledge", map[string]any{"by": "lena"}),
		do(air, "comment", map[string]any{"by": "lena", "text": "Filter looks full; facility is on its way."}),
		do(flapping, "assign", map[string]any{"by": "lena", "team": "netops", "comment": "Looks like the patch cable of port 24."}),
	} {
		out = append(out, step{after: operatorsCome + time.Duration(i)*time.Millisecond, from: fromOperators, about: c.about, action: c.action, body: c.body})
	}
	return out
}

// storm is what is seen of the dead core switch 2: everything that is reached through it alone.
// It says nothing itself, since nobody polls it.
func (w *world) storm() []step {
	var switches, machines, nodes, pods, stores []string
	for _, sw := range w.lower["connects_to core-2"] {
		if len(w.upper["connects_to "+sw]) > 1 {
			continue // it has another uplink
		}
		switches = append(switches, sw)
		for _, m := range w.lower["connects_to "+sw] {
			machines = append(machines, m)
			if w.items[m].Class == "node" {
				nodes = append(nodes, m)
			}
			for _, on := range w.lower["runs_on "+m] {
				if w.items[on].Class == "pod" {
					pods = append(pods, on)
				} else {
					stores = append(stores, on)
				}
			}
		}
	}
	north := func(job string, l labels) labels { l["cluster"], l["job"] = "north", job; return l }
	var ping, snmp, exporters, ready, unreachable, waiting, postgres, redis []labels
	for _, id := range slices.Concat(switches, machines) {
		ping = append(ping, north("blackbox-icmp", labels{"instance": id}))
	}
	for _, id := range switches {
		snmp = append(snmp, north("snmp", labels{"instance": id, "snmp_target": id}))
	}
	for _, id := range machines {
		exporters = append(exporters, north("node-exporter", labels{"instance": w.instance(id)}))
	}
	for _, id := range nodes {
		ready = append(ready, north("kube-state-metrics", labels{"node": id, "condition": "Ready", "status": "true"}))
		unreachable = append(unreachable, north("kube-state-metrics", labels{"node": id, "key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}))
	}
	for _, id := range pods {
		waiting = append(waiting, north("kube-state-metrics", labels{"namespace": "shop", "pod": id}))
	}
	for _, id := range stores {
		if strings.HasPrefix(id, "redis") {
			redis = append(redis, north("redis-exporter", labels{"instance": w.instance(id)}))
		} else {
			postgres = append(postgres, north("postgres-exporter", labels{"instance": w.instance(id)}))
		}
	}
	at := switchDies
	later := func(d time.Duration, alerts ...[]alert) step {
		return step{after: at + d, from: fromPrometheus, alerts: slices.Concat(alerts...)}
	}
	return []step{
		later(0, w.raise(at, "BlackboxProbeFailed", ping...), w.raise(at, "SNMPTargetDown", snmp...)),
		later(time.Second, w.raise(at, "InstanceDown", exporters...), w.raise(at, "PostgresqlDown", postgres...), w.raise(at, "RedisDown", redis...)),
		later(2*time.Second, w.raise(at+time.Second, "KubeNodeNotReady", ready...), w.raise(at+time.Second, "KubeNodeUnreachable", unreachable...)),
		later(3*time.Second, w.raise(at+2*time.Second, "KubePodNotReady", waiting...)),
		later(4*time.Second, w.services(at+3*time.Second)),
		{after: at + 5*time.Second, from: fromEdge, alerts: w.raise(at+4*time.Second, "MESDatabaseUnavailable", labels{"asset": "mes", "site": "plant-a"})},
	}
}

// services are the services that lost all their pods with the switch, and those that need them.
func (w *world) services(since time.Duration) []alert {
	var targets, probes, burning []labels
	for _, s := range []string{"catalogue", "search", "accounts", "cart", "media"} {
		targets = append(targets, labels{"cluster": "north", "namespace": "shop", "job": s, "service": s})
		probes = append(probes, labels{"cluster": "north", "job": "blackbox-https", "instance": "https://" + s + ".shop.example/healthz"})
	}
	for _, s := range []string{"api-gateway", "login", "shipping"} {
		burning = append(burning, labels{"cluster": "north", "namespace": "shop", "service": s, "slo": s + "-requests"})
	}
	return slices.Concat(w.raise(since, "TargetDown", targets...), w.raise(since, "BlackboxProbeFailed", probes...), w.raise(since, "ErrorBudgetBurn", burning...))
}

// instance is the label instance by which the exporter of an item is known.
func (w *world) instance(id string) string {
	for _, set := range w.items[id].Identifiers {
		if v := set["instance"]; v != "" {
			return v
		}
	}
	return id
}

// relief is the return of the switch: what came through Prometheus and the edge is over.
func (w *world) relief(storm []step) []step {
	var out []step
	for _, s := range storm {
		over := step{after: switchReturns, from: s.from}
		for _, a := range s.alerts {
			a.over, a.until = true, switchReturns
			over.alerts = append(over.alerts, a)
		}
		out = append(out, over)
	}
	return out
}

// deploy is a bad release of checkout, most of whose pods run beside the dead row.
func (w *world) deploy() []step {
	at := deployBreaks
	change := map[string]any{
		"id": "deploy-77", "kind": "deploy", "items": []string{"checkout"}, "title": "checkout 4.12.0", "status": "succeeded",
		"startsAt": w.at(at - 2*time.Second), "endsAt": w.at(at), "by": "ci", "url": "https://ci.shop.example/deploys/77",
	}
	// The new pods are of a new ReplicaSet: the estate does not know them, they are discovered.
	var crashing []labels
	for _, end := range []string{"4xk7p", "8rvtz", "c9m2q", "wh6tl"} {
		crashing = append(crashing, labels{
			"cluster": "north", "job": "kube-state-metrics", "namespace": "shop", "pod": "checkout-6c7d95b4f8-" + end, "container": "checkout",
			"reason": "CrashLoopBackOff",
		})
	}
	object := func(l labels) labels {
		l["cluster"], l["job"], l["namespace"], l["deployment"] = "north", "kube-state-metrics", "shop", "checkout"
		return l
	}
	burning := labels{"cluster": "north", "namespace": "shop", "service": "checkout", "slo": "checkout-requests"}
	later := func(d time.Duration, alerts ...[]alert) step {
		return step{after: at + d, from: fromPrometheus, alerts: slices.Concat(alerts...)}
	}
	return append([]step{{after: at, from: fromPipeline, body: change}},
		later(2*time.Second, w.raise(at+2*time.Second, "KubePodCrashLooping", crashing[:2]...)),
		later(3*time.Second, w.raise(at+3*time.Second, "ErrorBudgetBurn", burning)),
		later(4*time.Second, w.raise(at+4*time.Second, "KubePodCrashLooping", crashing[2:]...)),
		later(6*time.Second, w.raise(at+6*time.Second, "KubeDeploymentRolloutStuck", object(labels{"condition": "Progressing", "status": "false"})),
			w.raise(at+6*time.Second, "KubeDeploymentReplicasMismatch", object(labels{}))),
	)
}

// plant is the loss of PLC gateway 2: the machines behind it stop, so that the filler gets no
// bottles and the labeller cannot hand on its own.
func (w *world) plant() []step {
	at := gatewayLost
	asset := func(ids ...string) []labels {
		var out []labels
		for _, id := range ids {
			out = append(out, labels{"asset": id, "site": "plant-a", "area": "filling", "line": "line-2"})
		}
		return out
	}
	later := func(d time.Duration, alerts ...[]alert) step {
		return step{after: at + d, from: fromEdge, alerts: slices.Concat(alerts...)}
	}
	plcs := w.lower["connects_to plc-gateway-2"]
	var machines, sensors []string
	for _, plc := range plcs {
		machines = append(machines, w.upper["controls "+plc]...)
		sensors = append(sensors, w.lower["connects_to "+plc]...)
	}
	return []step{
		later(0, w.raise(at, "GatewayConnectionLost", asset("plc-gateway-2")...)),
		later(time.Second, w.raise(at+time.Second, "PLCConnectionLost", asset(plcs...)...), w.raise(at+time.Second, "SensorSignalLost", asset(sensors...)...)),
		later(2*time.Second, w.raise(at+2*time.Second, "MachineStopped", asset(machines...)...)),
		later(4*time.Second, w.raise(at+4*time.Second, "MachineStarved", asset("filler-2")...)),
		later(6*time.Second, w.raise(at+6*time.Second, "MachineBlocked", asset("labeller-2")...)),
		later(9*time.Second, w.raise(at+9*time.Second, "ProductionOrderDelayed", asset("order-4711")...)),
	}
}
