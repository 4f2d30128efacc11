package cmdb

import (
	"fmt"
	"net"
	"regexp"
	"strings"

	"signalbox/itsm"
)

func presetNames() []string {
	return []string{"kubernetes", "node", "windows", "blackbox", "snmp", "cadvisor"}
}

// preset returns the rules of a preset.
func preset(name string) ([]rule, error) {
	switch name {
	case "kubernetes":
		return kubernetes(name, exporterLabels()), nil
	case "cadvisor":
		return kubernetes(name, nil), nil
	case "node":
		return []rule{instance(name, `.*node.*exporter.*|node|nodes`, "host")}, nil
	case "windows":
		return []rule{instance(name, `.*windows.*`, "host")}, nil
	case "snmp":
		return []rule{instance(name, `.*snmp.*`, "device")}, nil
	case "blackbox":
		return []rule{instance(name, `.*blackbox.*|.*probe.*`, "endpoint")}, nil
	}
	return nil, fmt.Errorf("unknown preset %q; %v are known", name, presetNames())
}

// exporterLabels speak of kube-state-metrics itself when it reports on other things.
func exporterLabels() []string {
	return []string{"instance", "job", "endpoint", "service", "container", "uid", "prometheus"}
}

var (
	replicaSetPod = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	ordinalPod    = regexp.MustCompile(`^(.+)-[0-9]{1,5}$`)
	setPod        = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
)

// workloadOf reads the workload of a pod from its name: ReplicaSets append a hash and five
// characters, StatefulSets a number, DaemonSets five characters.
func workloadOf(pod string) (class, name string) {
	if m := replicaSetPod.FindStringSubmatch(pod); m != nil {
		return "deployment", m[1]
	}
	if m := ordinalPod.FindStringSubmatch(pod); m != nil {
		return "statefulset", m[1]
	}
	if m := setPod.FindStringSubmatch(pod); m != nil {
		return "daemonset", m[1]
	}
	return "", ""
}

// kubernetes reads what kube-state-metrics and the rules of kube-prometheus say: the smallest
// thing that the labels name is the item.
func kubernetes(name string, ignore []string) []rule {
	none := regexp.MustCompile(`^$`)
	some := regexp.MustCompile(`^.+$`)
	exporter := []matcher{{"job", regexp.MustCompile(`^(.*node.*exporter.*|.*windows.*|.*snmp.*|.*blackbox.*)$`)}}
	object := func(label, class string, relations ...DiscoverRelation) rule {
		r := rule{
			name: "preset " + name + ": " + class, match: []matcher{{label, some}, {"namespace", some}}, unless: exporter,
			item: template{{text: class + "/"}, {label: "namespace"}, {text: "/"}, {label: label}}, discover: &Discover{Class: class, Relations: relations},
		}
		for _, rel := range relations {
			t, err := newTemplate(rel.To)
			if err == nil { // the templates are our own
				r.ends = append(r.ends, t)
			}
		}
		return r
	}
	pod := object("pod", "pod", DiscoverRelation{itsm.RunsOn, "node/{{.node}}"}, DiscoverRelation{itsm.MemberOf, "{{._class}}/{{.namespace}}/{{._workload}}"})
	pod.derive = func(labels itsm.Labels) (itsm.Labels, bool) {
		class, workload := workloadOf(labels.Get("pod"))
		if class == "" {
			return labels, true
		}
		out := append(labels[:len(labels):len(labels)], itsm.Label{Name: "_class", Value: class}, itsm.Label{Name: "_workload", Value: workload})
		return out, true
	}
	rules := []rule{pod}
	for _, kind := range []string{"deployment", "statefulset", "daemonset", "cronjob", "persistentvolumeclaim"} {
		rules = append(rules, object(kind, kind))
	}
	job := object("job_name", "job")
	rules = append(rules, job)
	node := rule{
		name: "preset " + name + ": node", match: []matcher{{"node", some}, {"pod", none}}, unless: exporter,
		item: template{{text: "node/"}, {label: "node"}}, discover: &Discover{Class: "node"},
	}
	rules = append(rules, node)
	for i := range rules {
		rules[i].ignore = ignore
	}
	if ignore != nil { // they speak of the exporter only when it is kube-state-metrics
		for i := range rules {
			rules[i].ignore = nil
		}
		state := []matcher{{"job", regexp.MustCompile(`^.*kube-state-metrics.*$`)}}
		rules = append([]rule{{name: "preset " + name, match: state, ignore: ignore}}, rules...)
	}
	return rules
}

// instance reads the host of an exporter from the label instance, without its port.
func instance(name, job, class string) rule {
	return rule{
		name: "preset " + name, match: []matcher{{"job", regexp.MustCompile("^(?:" + job + ")$")}, {"instance", regexp.MustCompile("^.+$")}},
		item: template{{text: class + "/"}, {label: "_host"}}, discover: &Discover{Class: class},
		derive: func(labels itsm.Labels) (itsm.Labels, bool) {
			host := hostOf(labels.Get("instance"))
			if host == "" {
				return nil, false
			}
			return append(labels[:len(labels):len(labels)], itsm.Label{Name: "_host", Value: host}), true
		},
	}
}

func hostOf(instance string) string {
	instance = strings.TrimPrefix(strings.TrimPrefix(instance, "http://"), "https://")
	instance, _, _ = strings.Cut(instance, "/")
	if host, _, err := net.SplitHostPort(instance); err == nil {
		return host
	}
	return instance
}
