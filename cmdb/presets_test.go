package cmdb

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Label sets as they come from kube-prometheus, from the chart kube-prometheus-stack, and from
// exporters beside a cluster.
func TestPresets(t *testing.T) {
	const stack = " container=kube-state-metrics endpoint=http instance=10.1.0.7:8080 job=kube-state-metrics pod=mon-kube-state-metrics-6c8d7f9b5c-x7k2p service=mon-kube-state-metrics"
	const agent = " container=node-exporter endpoint=https job=node-exporter namespace=monitoring pod=node-exporter-x7k2p service=node-exporter"
	tests := []struct {
		name, preset, labels string
		want                 []string
	}{
		{
			"KubePodCrashLooping", "kubernetes",
			"alertname=KubePodCrashLooping namespace=shop pod=cart-5d8f7c9b6d-x7k2p container=cart uid=1 job=kube-state-metrics instance=10.1.0.7:8443 endpoint=https-main service=kube-state-metrics prometheus=monitoring/k8s",
			[]string{"pod/shop/cart-5d8f7c9b6d-x7k2p", "+pod pod/shop/cart-5d8f7c9b6d-x7k2p", "+deployment deployment/shop/cart", "pod/shop/cart-5d8f7c9b6d-x7k2p member_of deployment/shop/cart"},
		},
		{
			"a pod with its node", "kubernetes", "namespace=shop pod=db-0 node=n1 job=kubelet instance=10.0.0.1:10250",
			[]string{"pod/shop/db-0", "+pod pod/shop/db-0", "+node node/n1", "+statefulset statefulset/shop/db", "pod/shop/db-0 runs_on node/n1", "pod/shop/db-0 member_of statefulset/shop/db"},
		},
		{
			"a pod of a daemon set", "kubernetes", "namespace=logs pod=fluent-bit-x7k2p",
			[]string{"pod/logs/fluent-bit-x7k2p", "+pod pod/logs/fluent-bit-x7k2p", "+daemonset daemonset/logs/fluent-bit", "pod/logs/fluent-bit-x7k2p member_of daemonset/logs/fluent-bit"},
		},
		{
			"a pod of a cron job", "kubernetes", "namespace=shop pod=backup-28465924-x7k2p",
			[]string{"pod/shop/backup-28465924-x7k2p", "+pod pod/shop/backup-28465924-x7k2p", "+cronjob cronjob/shop/backup", "pod/shop/backup-28465924-x7k2p member_of cronjob/shop/backup"},
		},
		{
			"the labels say the owner", "kubernetes", "namespace=shop pod=web-0 created_by_kind=ReplicaSet created_by_name=front-5d8f7c9b6d",
			[]string{"pod/shop/web-0", "+pod pod/shop/web-0", "+deployment deployment/shop/front", "pod/shop/web-0 member_of deployment/shop/front"},
		},
		{
			"owned by its node", "kubernetes", "namespace=kube-system pod=etcd-n1 owner_kind=Node owner_name=n1",
			[]string{"pod/kube-system/etcd-n1", "+pod pod/kube-system/etcd-n1"},
		},
		{
			"a static pod", "kubernetes", "namespace=kube-system pod=etcd-master-1 node=master-1",
			[]string{"pod/kube-system/etcd-master-1", "+pod pod/kube-system/etcd-master-1", "+node node/master-1", "pod/kube-system/etcd-master-1 runs_on node/master-1"},
		},
		{
			"a recording rule's workload", "kubernetes", "namespace=shop pod=web-x workload=web workload_type=deployment",
			[]string{"pod/shop/web-x", "+pod pod/shop/web-x", "+deployment deployment/shop/web", "pod/shop/web-x member_of deployment/shop/web"},
		},
		{"KubeDeploymentReplicasMismatch", "kubernetes", "namespace=shop deployment=cart" + stack, []string{"deployment/shop/cart", "+deployment deployment/shop/cart"}},
		{"KubeStatefulSetReplicasMismatch", "kubernetes", "namespace=shop statefulset=db job=kube-state-metrics", []string{"statefulset/shop/db", "+statefulset statefulset/shop/db"}},
		{"KubeDaemonSetRolloutStuck", "kubernetes", "namespace=logs daemonset=fluent-bit" + stack, []string{"daemonset/logs/fluent-bit", "+daemonset daemonset/logs/fluent-bit"}},
		{"KubeJobFailed of a cron job", "kubernetes", "namespace=shop job_name=backup-28401120" + stack, []string{"cronjob/shop/backup", "+cronjob cronjob/shop/backup"}},
		{"KubeJobFailed", "kubernetes", "namespace=shop job_name=migrate job=kube-state-metrics", []string{"job/shop/migrate", "+job job/shop/migrate"}},
		{"KubeNodeNotReady", "kubernetes", "namespace=monitoring node=n1 condition=Ready" + stack, []string{"node/n1", "+node node/n1"}},
		{"KubeletDown", "kubernetes", "job=kubelet node=n1 namespace=kube-system service=kubelet instance=10.0.0.1:10250", []string{"node/n1", "+node node/n1"}},
		{
			"KubePersistentVolumeFillingUp", "kubernetes",
			"namespace=shop persistentvolumeclaim=data-db-0 node=n1 job=kubelet service=kubelet instance=10.0.0.1:10250",
			[]string{"persistentvolumeclaim/shop/data-db-0", "+persistentvolumeclaim persistentvolumeclaim/shop/data-db-0"},
		},
		{"KubePersistentVolumeErrors", "kubernetes", "namespace=monitoring persistentvolume=pvc-1" + stack, []string{""}},
		{"TargetDown", "kubernetes", "job=cart namespace=shop service=cart", []string{"service/shop/cart", "+service service/shop/cart"}},
		{"KubeQuotaAlmostFull", "kubernetes", "namespace=shop resource=cpu job=kube-state-metrics service=kube-state-metrics", []string{"namespace/shop", "+namespace namespace/shop"}},
		{
			"labels that are not honoured", "kubernetes", "exported_namespace=shop exported_pod=db-0 namespace=monitoring" + stack,
			[]string{"pod/shop/db-0", "+pod pod/shop/db-0", "+statefulset statefulset/shop/db", "pod/shop/db-0 member_of statefulset/shop/db"},
		},
		{
			"kube-state-metrics itself", "kubernetes", "namespace=monitoring" + stack,
			[]string{
				"pod/monitoring/mon-kube-state-metrics-6c8d7f9b5c-x7k2p", "+pod pod/monitoring/mon-kube-state-metrics-6c8d7f9b5c-x7k2p", "+deployment deployment/monitoring/mon-kube-state-metrics",
				"pod/monitoring/mon-kube-state-metrics-6c8d7f9b5c-x7k2p member_of deployment/monitoring/mon-kube-state-metrics",
			},
		},
		{"an exporter's pod is not the thing", "kubernetes", "alertname=NodeFilesystemSpaceFillingUp instance=n1 device=/dev/sda1" + agent, []string{""}},
		{"the node that an exporter runs on is", "kubernetes", "instance=10.0.0.1:9100 node=n1" + agent, []string{"node/n1", "+node node/n1"}},
		{"the exporter's target is down", "kubernetes", "alertname=TargetDown job=node-exporter namespace=monitoring service=node-exporter", []string{"service/monitoring/node-exporter", "+service service/monitoring/node-exporter"}},
		{"no object", "kubernetes", "alertname=Watchdog", []string{""}},
		{"a pod without a namespace", "kubernetes", "pod=x", []string{""}},

		{"a node exporter in the cluster", "node", "instance=n1" + agent, []string{"host/n1", "+host host/n1"}},
		{"a node exporter", "node", "job=node instance=web-1.example.com:9100", []string{"host/web-1.example.com", "+host host/web-1.example.com"}},
		{"another job's name", "node", "job=node_exporter_linux instance=[fe80::1]:9100", []string{"host/fe80::1", "+host host/fe80::1"}},
		{"declared by id", "node", "job=node instance=declared:9100", []string{"declared"}},
		{"declared by its whole id", "node", "job=node instance=whole:9100", []string{"host/whole"}},
		{"declared by host name", "node", "job=node instance=by-hostname:9100", []string{"machine-1"}},
		{"declared by name", "node", "job=node instance=Web:9100", []string{"machine-2"}},
		{"two have the name", "node", "job=node instance=Twin:9100", []string{""}},
		{"another job", "node", "job=mysqld instance=declared:9104", []string{""}},
		{"no instance", "node", "job=node", []string{""}},

		{"windows", "windows", "job=windows-exporter instance=pc-7:9182", []string{"host/pc-7", "+host host/pc-7"}},
		{"snmp", "snmp", "job=snmp-if instance=10.0.0.2", []string{"device/10.0.0.2", "+device device/10.0.0.2"}},
		{"snmp by host", "snmp", "job=snmp host=declared", []string{"declared"}},
		{"blackbox", "blackbox", "job=blackbox instance=https://new.example.com/health", []string{"endpoint/https://new.example.com/health", "+endpoint endpoint/https://new.example.com/health"}},
		{"blackbox by url", "blackbox", "job=blackbox-http target=https://shop.example.com/", []string{"site"}},
		{
			"blackbox of a declared host", "blackbox", "job=blackbox-tcp instance=declared:22",
			[]string{"endpoint/declared:22", "+endpoint endpoint/declared:22", "endpoint/declared:22 depends_on declared"},
		},
		{
			"cadvisor", "cadvisor", "job=cadvisor container_label_io_kubernetes_pod_name=db-0 container_label_io_kubernetes_pod_namespace=shop namespace=monitoring pod=cadvisor-x7k2p",
			[]string{"pod/shop/db-0", "+pod pod/shop/db-0", "+statefulset statefulset/shop/db", "pod/shop/db-0 member_of statefulset/shop/db"},
		},
		{"cadvisor of a kubelet", "cadvisor", "job=kubelet namespace=shop pod=one container=x", []string{"pod/shop/one", "+pod pod/shop/one"}},
	}
	for _, tt := range tests {
		t.Run(tt.preset+"/"+tt.name, func(t *testing.T) {
			e := parsed(t, "e.yaml", `items:
  - {id: declared, class: host}
  - {id: host/whole, class: host}
  - {id: machine-1, class: host, identifiers: [{hostname: by-hostname}]}
  - {id: machine-2, class: host, name: Web}
  - {id: machine-3, class: host, name: Twin}
  - {id: machine-4, class: host, name: Twin}
  - {id: site, class: website, identifiers: [{url: "https://shop.example.com/"}]}
bindings: [{preset: `+tt.preset+`}]`)
			m := newBound(t, e).bind(labelsFrom(tt.labels))
			if diff := cmp.Diff(tt.want, told(m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if m.ID != "" && m.How != "preset "+tt.preset {
				t.Errorf("how: %q", m.How)
			}
		})
	}
}

// A machine that Kubernetes told of is the one that its exporter speaks of.
func TestPresetNodeJoinsKubernetes(t *testing.T) {
	b := newBound(t, &Estate{})
	b.bind(labelsFrom("job=kube-state-metrics node=n1"))
	if m := b.bind(labelsFrom("job=node-exporter instance=n1:9100 namespace=monitoring pod=node-exporter-x7k2p")); m.ID != "node/n1" || len(m.Items) > 0 {
		t.Errorf("got %+v", m)
	}
}

// What speaks of kube-state-metrics does not find the item that its own address identifies.
func TestPresetHidesTheExporter(t *testing.T) {
	e := parsed(t, "e.yaml", "items: [{id: ksm, class: pod, identifiers: [{instance: '10.1.0.7:8080'}]}]\nbindings: [{preset: kubernetes}]")
	for labels, want := range map[string]string{
		"job=kube-state-metrics instance=10.1.0.7:8080 namespace=shop pod=one": "pod/shop/one",
		"job=other instance=10.1.0.7:8080 namespace=shop pod=one":              "ksm",
	} {
		if m := newBound(t, e).bind(labelsFrom(labels)); m.ID != want {
			t.Errorf("%s: got %q, want %q", labels, m.ID, want)
		}
	}
}

func TestPresetTried(t *testing.T) {
	b := newBound(t, &Estate{Items: nil, Bindings: []Rule{{Preset: "kubernetes"}, {Preset: "node"}, {Preset: "snmp"}, {Preset: "blackbox"}}})
	for labels, want := range map[string][]string{
		"pod=x":               {"preset kubernetes: labels namespace and node are missing", "preset node: label job is missing", "preset snmp: label job is missing", "preset blackbox: label job is missing"},
		"job=node":            {"preset kubernetes: labels namespace and node are missing", "preset node: label instance is missing", "preset snmp: label job is node", "preset blackbox: label job is node"},
		"job=snmp instance=/": {"preset kubernetes: the exporter speaks of no object of the cluster", "preset node: label job is snmp", "preset snmp: labels instance and host are missing", "preset blackbox: label job is snmp"},
	} {
		if diff := cmp.Diff(want, b.bind(labelsFrom(labels)).Tried); diff != "" {
			t.Errorf("%s (-want +got):\n%s", labels, diff)
		}
	}
}

func TestPresetsCompile(t *testing.T) {
	want := []string{"blackbox", "cadvisor", "kubernetes", "node", "snmp", "windows"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(presets()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, expr := range []string{nodeJobs, windowsJobs, snmpJobs, blackboxJobs} {
		if _, err := regexp.Compile(expr); err != nil {
			t.Error(err)
		}
		if m, err := newMatcher("job", expr); err != nil || m.form == expression {
			t.Errorf("%s takes the slow way: %v", expr, err)
		}
	}
}
