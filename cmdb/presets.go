package cmdb

import (
	"net/netip"
	"strings"

	"signalbox/itsm"
)

// The jobs that exporters of whole machines, devices and targets run under.
const (
	nodeJobs     = `.*node.*exporter.*|node|nodes`
	windowsJobs  = `.*windows.*`
	snmpJobs     = `.*snmp.*`
	blackboxJobs = `.*blackbox.*|.*probe.*`
)

// presets returns the rules that come with the house.
func presets() map[string]rule {
	job := func(expr string) matcher {
		m, _ := newMatcher("job", expr) // our own expressions; a test compiles each
		return m
	}
	state := []matcher{job(".*kube-state-metrics.*")}
	foreign := job(strings.Join([]string{nodeJobs, windowsJobs, snmpJobs, blackboxJobs}, "|"))
	onNode := job(nodeJobs)
	cluster := func(_ *binder, labels itsm.Labels, _ lookup) (thing, string) {
		by := labels.Get("job")
		k := kube{labels: labels, state: state[0].matches(by), node: onNode.matches(by)}
		k.exported, k.container = labels.Has("exported_namespace"), labels.Has("container_label_io_kubernetes_pod_name")
		k.foreign = !k.container && !k.exported && labels.Has("instance") && foreign.matches(by)
		return k.thing()
	}
	return map[string]rule{
		"kubernetes": {
			name: "preset kubernetes", hides: state, thing: cluster,
			ignore: []string{"instance", "job", "endpoint", "service", "container", "uid", "prometheus"},
		},
		"cadvisor": {name: "preset cadvisor", thing: cluster},
		"node":     {name: "preset node", match: []matcher{job(nodeJobs)}, thing: host},
		"windows":  {name: "preset windows", match: []matcher{job(windowsJobs)}, thing: host},
		"snmp":     {name: "preset snmp", match: []matcher{job(snmpJobs)}, thing: device},
		"blackbox": {name: "preset blackbox", match: []matcher{job(blackboxJobs)}, thing: target},
	}
}

// host reads the machine of an exporter from the label instance, without its port.
func host(b *binder, labels itsm.Labels, find lookup) (thing, string) {
	name := hostOf(labels.Get("instance"))
	if name == "" {
		return thing{}, "label instance is missing"
	}
	return b.named("host", name, find)
}

// device reads what an exporter polls over the network.
func device(b *binder, labels itsm.Labels, find lookup) (thing, string) {
	for _, label := range []string{"instance", "host"} {
		if name := hostOf(labels.Get(label)); name != "" {
			return b.named("device", name, find)
		}
	}
	return thing{}, "labels instance and host are missing"
}

// target reads what is probed from outside. A declared host in it is what the end point depends on.
func target(_ *binder, labels itsm.Labels, _ lookup) (thing, string) {
	for _, label := range []string{"target", "instance"} {
		name := labels.Get(label)
		if name == "" {
			continue
		}
		t := thing{id: "endpoint/" + name, class: "endpoint", label: name}
		if h := hostOf(name); h != "" && h != name {
			t.ends = append(t.ends, end{kind: itsm.DependsOn, id: "host/" + h, known: true})
		}
		return t, ""
	}
	return thing{}, "labels target and instance are missing"
}

// named gives the machine of a name: a declared one, by its id, identifiers or name; the node that
// Kubernetes told of; otherwise one to discover.
func (b *binder) named(class, name string, find lookup) (thing, string) {
	t := thing{id: class + "/" + name, class: class}
	id, node, tie := b.declared(t.id, "", find)
	if len(tie) > 0 || node != None && int(node) < len(b.items) {
		t.id = id
		return t, "" // settle says the same
	}
	switch same := b.names[name]; {
	case len(same) == 1:
		t.id = b.items[same[0]].ID
	case len(same) > 1:
		return thing{}, "several items have the name " + short(name)
	default:
		if _, ok := find("node/" + name); ok && node == None {
			t.id = "node/" + name
		}
	}
	return t, ""
}

// hostOf takes the host out of host, host:port and URLs.
func hostOf(instance string) string {
	if _, rest, ok := strings.Cut(instance, "://"); ok {
		instance = rest
	}
	instance, _, _ = strings.Cut(instance, "/")
	if _, err := netip.ParseAddr(instance); err == nil {
		return instance
	}
	if rest, ok := strings.CutPrefix(instance, "["); ok {
		instance, _, _ = strings.Cut(rest, "]")
		return instance
	}
	if i := strings.LastIndexByte(instance, ':'); i >= 0 {
		instance = instance[:i]
	}
	return instance
}

// kube reads the labels of kube-state-metrics, cAdvisor and what runs in a cluster: the smallest
// thing that they name is the item.
type kube struct {
	labels    itsm.Labels
	state     bool // kube-state-metrics reports on others
	node      bool // the exporter of a node reports on its node
	foreign   bool // an exporter reports on what is no object of the cluster
	exported  bool // the exporter's own labels stand under the plain names
	container bool // the labels are those of a container
}

// get reads a label of the thing, not of what reports on it.
func (k *kube) get(name string) string {
	switch {
	case k.container && name == "pod":
		return k.labels.Get("container_label_io_kubernetes_pod_name")
	case k.container && name == "namespace":
		return k.labels.Get("container_label_io_kubernetes_pod_namespace")
	case k.exported && name == "namespace":
		return k.labels.Get("exported_namespace")
	case k.exported && name == "pod":
		return k.labels.Get("exported_pod")
	case k.exported && name == "service":
		return k.labels.Get("exported_service")
	case k.exported && name == "node" && k.labels.Has("exported_node"):
		return k.labels.Get("exported_node")
	}
	return k.labels.Get(name)
}

// objects are the labels that name an object of a namespace, and its class.
func objects() [8][2]string {
	return [8][2]string{
		{"deployment", "deployment"},
		{"statefulset", "statefulset"},
		{"daemonset", "daemonset"},
		{"cronjob", "cronjob"},
		{"job_name", "job"},
		{"replicaset", "replicaset"},
		{"persistentvolumeclaim", "persistentvolumeclaim"},
		{"workload", ""},
	}
}

func (k *kube) thing() (thing, string) {
	namespace, node := k.get("namespace"), k.get("node")
	if k.foreign {
		if k.node && node != "" {
			return thing{id: "node/" + node, class: "node"}, ""
		}
		return thing{}, "the exporter speaks of no object of the cluster"
	}
	pod, object := k.get("pod"), k.object(namespace)
	if k.state && strings.Contains(pod, "kube-state-metrics") && (object != "" || node != "" || k.clusterWide() != "") {
		pod = "" // it is the one that reports
	}
	service := k.get("service")
	if k.state {
		service = ""
	}
	switch {
	case pod != "" && namespace != "":
		return k.pod(namespace, pod, node), ""
	case object != "":
		class, _, _ := strings.Cut(object, "/")
		return thing{id: object, class: class}, ""
	case node != "":
		return thing{id: "node/" + node, class: "node"}, ""
	case k.clusterWide() != "":
		return thing{}, "no item for a " + k.clusterWide()
	case namespace == "":
		return thing{}, "labels namespace and node are missing"
	case service != "":
		return thing{id: "service/" + namespace + "/" + service, class: "service"}, ""
	}
	return thing{id: "namespace/" + namespace, class: "namespace"}, ""
}

// clusterWide names the label of an object that is in no namespace; the namespace is the exporter's then.
func (k *kube) clusterWide() string {
	for _, label := range [...]string{"persistentvolume", "storageclass", "certificatesigningrequest"} {
		if k.state && k.labels.Has(label) {
			return label
		}
	}
	return ""
}

// object returns the id of the object that the labels name beside a pod.
func (k *kube) object(namespace string) string {
	if namespace == "" {
		return ""
	}
	for _, o := range objects() {
		name := k.labels.Get(o[0])
		if name == "" {
			continue
		}
		class := o[1]
		if class == "" {
			if class = k.labels.Get("workload_type"); class == "" {
				continue
			}
		}
		return ownerOf(class, namespace, name)
	}
	return ""
}

func (k *kube) pod(namespace, pod, node string) thing {
	t := thing{id: "pod/" + namespace + "/" + pod, class: "pod"}
	if node != "" {
		t.ends = append(t.ends, end{kind: itsm.RunsOn, id: "node/" + node})
	}
	if owner := k.owner(namespace, pod, node); owner != "" {
		t.ends = append(t.ends, end{kind: itsm.MemberOf, id: owner})
	}
	return t
}

// owner returns the workload of a pod: what the labels say, or what its name says.
func (k *kube) owner(namespace, pod, node string) string {
	for _, l := range [...][2]string{{"created_by_kind", "created_by_name"}, {"owner_kind", "owner_name"}} {
		if class, name := k.labels.Get(l[0]), k.labels.Get(l[1]); class != "" && name != "" {
			return ownerOf(strings.ToLower(class), namespace, name)
		}
	}
	if owner := k.object(namespace); owner != "" && !strings.HasPrefix(owner, "persistentvolumeclaim/") {
		return owner
	}
	if node != "" && strings.HasSuffix(pod, "-"+node) {
		return "" // a static pod: the node's own
	}
	if class, name := workloadOf(pod); class != "" {
		return class + "/" + namespace + "/" + name
	}
	return ""
}

// ownerOf returns the id of a workload. ReplicaSets and the jobs of a CronJob come and go: what
// made them is the item.
func ownerOf(class, namespace, name string) string {
	switch class {
	case "replicaset":
		if base, hash := cutLast(name); isHash(hash) {
			class, name = "deployment", base
		}
	case "job":
		if base, minutes := cutLast(name); isMinutes(minutes) {
			class, name = "cronjob", base
		}
	case "deployment", "statefulset", "daemonset", "cronjob", "persistentvolumeclaim":
	default:
		return "" // a node, or a kind that we know nothing of
	}
	return class + "/" + namespace + "/" + name
}

// workloadOf reads the workload of a pod from its name: ReplicaSets append a hash and five
// characters, the jobs of a CronJob a time and five characters, StatefulSets a number, DaemonSets
// five characters.
func workloadOf(pod string) (class, name string) {
	base, last := cutLast(pod)
	switch {
	case base == "":
		return "", ""
	case len(last) < 5 && isNumber(last):
		return "statefulset", base
	case len(last) != 5 || !isMadeUp(last):
		return "", ""
	}
	above, middle := cutLast(base)
	switch {
	case isMinutes(middle):
		return "cronjob", above
	case isHash(middle):
		return "deployment", above
	}
	return "daemonset", base
}

// cutLast cuts a name at its last dash; without one, or with nothing before it, both are empty.
func cutLast(name string) (before, after string) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return "", ""
	}
	return name[:i], name[i+1:]
}

// isMadeUp tells whether Kubernetes may have made up a part of a name: it uses letters and digits
// that spell no words.
func isMadeUp(s string) bool { return onlyOf(s, "bcdfghjklmnpqrstvwxz2456789") }

func isNumber(s string) bool { return onlyOf(s, "0123456789") }

// isHash tells whether s may be the hash of a ReplicaSet's template.
func isHash(s string) bool { return len(s) >= 6 && len(s) <= 10 && isMadeUp(s) }

// isMinutes tells whether s may be the minutes since 1970 by which a CronJob numbers its jobs.
func isMinutes(s string) bool { return len(s) == 8 && isNumber(s) }

func onlyOf(s, set string) bool {
	for i := range len(s) {
		if strings.IndexByte(set, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
