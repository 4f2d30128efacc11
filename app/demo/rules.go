package demo

import (
	"maps"
	"net/url"
	"strings"
)

// labels are those of an alert, alertname among them.
type labels map[string]string

// rule is an alerting rule. In summary, description and expression {name} stands for a label.
type rule struct {
	severity, summary, description string
	expr                           string // what the graph link shows
	runbook                        string
}

const (
	kubeRunbook = "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/"
	nodeRunbook = "https://runbooks.prometheus-operator.dev/runbooks/node/"
	generalBook = "https://runbooks.prometheus-operator.dev/runbooks/general/"
	shopRunbook = "https://wiki.shop.example/runbooks/"
	otRunbook   = "https://wiki.plant-a.example/runbooks/"
)

// rules are the alerting rules of the example by name. Names, severities and texts are those of
// kube-prometheus, the node and snmp mixins, and of what the exporters' users write; only the
// waiting time (`for`) of the real rules, up to 15 minutes, is left out.
func rules() map[string]rule {
	all := map[string]rule{}
	for _, group := range []map[string]rule{kubernetesRules(), nodeRules(), networkRules(), shopRules(), plantRules()} {
		maps.Copy(all, group)
	}
	return all
}

// kubernetesRules come from kube-prometheus.
func kubernetesRules() map[string]rule {
	return map[string]rule{
		"Watchdog": {
			"none", "An alert that should always be firing to certify that Alertmanager is working properly.",
			"This is an alert meant to ensure that the entire alerting pipeline is functional.", "vector(1)", generalBook + "watchdog",
		},
		"TargetDown": {
			"warning", "One or more targets are unreachable.", "100% of the {job}/{service} targets in {namespace} namespace are down.",
			`up{job="{job}",namespace="{namespace}"} == 0`, generalBook + "targetdown",
		},
		"CPUThrottlingHigh": {
			"info", "Processes experience elevated CPU throttling.",
			"31.4% throttling of CPU in namespace {namespace} for container {container} in pod {pod}.",
			`rate(container_cpu_cfs_throttled_periods_total{pod="{pod}"}[5m])`, kubeRunbook + "cputhrottlinghigh",
		},
		"KubeNodeNotReady": {
			"warning", "Node is not ready.", "{node} has been unready for more than 15 minutes on cluster {cluster}.",
			`kube_node_status_condition{node="{node}",condition="Ready",status="true"} == 0`, kubeRunbook + "kubenodenotready",
		},
		"KubeNodeUnreachable": {
			"warning", "Node is unreachable.", "{node} is unreachable and some workloads may be rescheduled on cluster {cluster}.",
			`kube_node_spec_taint{node="{node}",key="node.kubernetes.io/unreachable"} == 1`, kubeRunbook + "kubenodeunreachable",
		},
		"KubePodNotReady": {
			"warning", "Pod has been in a non-ready state for more than 15 minutes.",
			"Pod {namespace}/{pod} has been in a non-ready state for longer than 15 minutes on cluster {cluster}.",
			`kube_pod_status_phase{namespace="{namespace}",pod="{pod}",phase=~"Pending|Unknown|Failed"}`, kubeRunbook + "kubepodnotready",
		},
		"KubePodCrashLooping": {
			"warning", "Pod is crash looping.",
			`Pod {namespace}/{pod} ({container}) is in waiting state (reason: "CrashLoopBackOff") on cluster {cluster}.`,
			`kube_pod_container_status_waiting_reason{pod="{pod}",reason="CrashLoopBackOff"}`, kubeRunbook + "kubepodcrashlooping",
		},
		"KubeDeploymentReplicasMismatch": {
			"warning", "Deployment has not matched the expected number of replicas.",
			"Deployment {namespace}/{deployment} has not matched the expected number of replicas for longer than 15 minutes on cluster {cluster}.",
			`kube_deployment_status_replicas_available{deployment="{deployment}"}`, kubeRunbook + "kubedeploymentreplicasmismatch",
		},
		"KubeDeploymentRolloutStuck": {
			"warning", "Deployment rollout is not progressing.",
			"Rollout of deployment {namespace}/{deployment} is not progressing for longer than 15 minutes on cluster {cluster}.",
			`kube_deployment_status_condition{deployment="{deployment}",condition="Progressing",status="false"}`, kubeRunbook + "kubedeploymentrolloutstuck",
		},
		"KubeJobFailed": {
			"warning", "Job failed to complete.",
			"Job {namespace}/{job_name} failed to complete. Removing failed job after investigation should clear this alert on cluster {cluster}.",
			`kube_job_failed{job_name="{job_name}"} > 0`, kubeRunbook + "kubejobfailed",
		},
	}
}

// nodeRules come from the node mixin, InstanceDown from the documentation of Prometheus.
func nodeRules() map[string]rule {
	return map[string]rule{
		"InstanceDown": {
			"page", "Instance {instance} down", "{instance} of job {job} has been down for more than 5 minutes.",
			`up{instance="{instance}"} == 0`, shopRunbook + "instancedown",
		},
		"NodeFilesystemAlmostOutOfSpace": {
			"warning", "Filesystem has less than 5% space left.",
			"Filesystem on {device}, mounted on {mountpoint}, at {instance} has only 4.62% available space left.",
			`node_filesystem_avail_bytes{instance="{instance}",mountpoint="{mountpoint}"}`, nodeRunbook + "nodefilesystemalmostoutofspace",
		},
		"NodeRAIDDegraded": {
			"critical", "RAID Array is degraded.",
			"RAID array '{device}' at {instance} is in degraded state due to one or more disks failures. " +
				"Number of spare drives is insufficient to fix issue automatically.",
			`node_md_disks{instance="{instance}",state="failed"}`, nodeRunbook + "noderaiddegraded",
		},
	}
}

// networkRules come from the snmp mixin and from what users of blackbox_exporter write.
func networkRules() map[string]rule {
	return map[string]rule{
		"SNMPTargetDown": {
			"critical", "SNMP Target is down.", "SNMP target {snmp_target} on instance {instance} from job {job} is down.",
			`up{job="snmp",instance="{instance}"} == 0`, shopRunbook + "snmptargetdown",
		},
		"linkDown": {
			"warning", "Link down: {ifDescr} of {instance}", "snmptrapd received linkDown from {instance} for {ifDescr}.", "", shopRunbook + "linkdown",
		},
		"BlackboxProbeFailed": {
			"critical", "Blackbox probe failed (instance {instance})", "Probe of {instance} failed.",
			`probe_success{instance="{instance}"} == 0`, shopRunbook + "blackboxprobefailed",
		},
		"BlackboxSslCertificateWillExpireSoon": {
			"warning", "Blackbox SSL certificate will expire soon (instance {instance})",
			"SSL certificate of {instance} expires in less than 20 days.",
			`probe_ssl_earliest_cert_expiry{instance="{instance}"} - time()`, shopRunbook + "certificates",
		},
		"CoolingSupplyAirTemperatureHigh": {
			"major", "Supply air is 2.1 K above its set point.", "{instance} supplies air of 24.1 °C, the set point is 22.0 °C.",
			`coolingSupplyAirTemperature{instance="{instance}"}`, shopRunbook + "cooling",
		},
	}
}

// shopRules are the shop's own and those of its database exporters.
func shopRules() map[string]rule {
	return map[string]rule{
		"PostgresqlDown": {
			"critical", "Postgresql down (instance {instance})", "Postgresql instance is down.", `pg_up{instance="{instance}"} == 0`, shopRunbook + "postgresql",
		},
		"RedisDown": {
			"critical", "Redis down (instance {instance})", "Redis instance is down.", `redis_up{instance="{instance}"} == 0`, shopRunbook + "redis",
		},
		"ErrorBudgetBurn": {
			"error", "{service} burns its error budget", "{service} answers too many requests with an error; its budget of 28 days lasts for hours only.",
			`service:requests:errors_ratio5m{service="{service}"}`, shopRunbook + "errorbudgetburn",
		},
	}
}

// plantRules are the alarms of the plant.
func plantRules() map[string]rule {
	return map[string]rule{
		"GatewayConnectionLost": {
			"critical", "PLC gateway does not answer", "{asset} has not answered the edge node for 3 polls.", "", otRunbook + "gateway",
		},
		"PLCConnectionLost": {"major", "PLC connection lost", "No Modbus answer from {asset}; its last values are stale.", "", otRunbook + "plc"},
		"MachineStopped":    {"major", "Machine stopped", "{asset} has stopped: its controller lost the line interlock.", "", otRunbook + "stop"},
		"MachineStarved":    {"major", "Machine is starved", "{asset} waits for bottles at its infeed.", "", otRunbook + "starved"},
		"MachineBlocked":    {"major", "Machine is blocked", "{asset} cannot hand on: its outfeed is full.", "", otRunbook + "blocked"},
		"SensorSignalLost":  {"minor", "Sensor signal lost", "{asset} gives no value (quality bad).", "", otRunbook + "sensor"},
		"ProductionOrderDelayed": {
			"major", "Production order is late", "{asset} will end 35 minutes after its due time at the present rate.", "", otRunbook + "orders",
		},
		"MESDatabaseUnavailable": {
			"critical", "MES cannot reach its database", "{asset} buffers confirmations; it can do so for about 20 minutes.", "", otRunbook + "mes",
		},
		"BearingTemperatureHigh": {"high", "Bearing temperature high", "{asset} reads 84.2 °C, high limit 80 °C, rising 0.4 K per hour.", "", otRunbook + "bearing"},
		"SyrupBrixOutOfRange":    {"minor", "Syrup Brix out of range", "{asset} blends 11.4 °Bx, limits 10.9 to 11.3 °Bx.", "", otRunbook + "brix"},
	}
}

// fill puts labels into a text.
func fill(text string, l labels) string {
	for name, value := range l {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// annotations are what a rule tells of an alert.
func (r rule) annotations(l labels) labels {
	return labels{"summary": fill(r.summary, l), "description": fill(r.description, l), "runbook_url": r.runbook}
}

// graph is the link to the expression in a Prometheus.
func (r rule) graph(prometheus string, l labels) string {
	if r.expr == "" || prometheus == "" {
		return ""
	}
	return prometheus + "/graph?g0.expr=" + url.QueryEscape(fill(r.expr, l)) + "&g0.tab=1"
}
