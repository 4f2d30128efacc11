package simulate

import "time"

// state is what is wrong with a thing: a set of conditions.
type state uint16

const (
	down       state = 1 << iota // it does not run
	cut                          // it runs, but monitoring cannot reach it
	erring                       // it answers with errors, or works badly
	slow                         // it answers late
	saturated                    // it has no capacity left
	starved                      // a machine gets nothing to work on
	blocked                      // a machine cannot hand on what it made
	hot                          // a machine wears: it vibrates, heats up
	conditions = iota
)

// gone is when a thing can say nothing itself.
const gone = down | cut

// check is an alert rule about one thing.
type check struct {
	name     string
	on       state         // any of it is reported
	outside  bool          // seen from outside, so it works when the thing is gone
	wait     time.Duration // the rule's "for"
	severity string
}

// rules returns the checks of a class. Of the names of a row an estate uses one: nobody names alerts alike.
func rules(class string) []struct {
	names []string
	check
} {
	type row = struct {
		names []string
		check
	}
	outside := func(names []string, on state, wait time.Duration) row {
		return row{names, check{on: on, outside: true, wait: wait, severity: "critical"}}
	}
	inside := func(names []string, on state, wait time.Duration) row {
		return row{names, check{on: on, wait: wait, severity: "warning"}}
	}
	const s, m = time.Second, time.Minute
	switch class {
	case "host":
		return []row{
			outside([]string{"NodeDown", "TargetDown", "HostUnreachable", "KubeNodeNotReady", "NodeExporterAbsent"}, gone, m),
			inside([]string{"NodeCPUHighUsage", "NodeSystemSaturation", "HostHighCpuLoad"}, saturated, 2*m),
			inside([]string{"NodeMemoryMajorPagesFaults", "HostMemoryUnderMemoryPressure", "NodeMemoryHighUtilization"}, saturated, m),
		}
	case "switch", "router":
		return []row{outside([]string{"SnmpTargetUnreachable", "SwitchDown", "DevicePingUnreachable", "NetworkDeviceNotResponding"}, gone, 30*s)}
	case "instance":
		return []row{
			outside([]string{"KubePodNotReady", "InstanceDown", "PodUnavailable"}, gone, m),
			inside([]string{"KubePodCrashLooping", "InstanceErrorRateHigh", "ApplicationExceptions"}, erring, 30*s),
			inside([]string{"InstanceLatencyHigh", "RequestDurationHigh"}, slow, m),
		}
	case "service":
		return []row{
			outside([]string{"ServiceUnavailable", "BlackboxProbeFailed", "EndpointDown"}, down, 30*s),
			inside([]string{"HighErrorRate", "ErrorBudgetBurn", "Http5xxRateHigh"}, erring, m),
			inside([]string{"HighRequestLatency", "LatencyP99High", "SlowResponses"}, slow, 2*m),
		}
	case "database":
		return []row{
			outside([]string{"PostgresqlDown", "MysqlDown", "DatabaseUnreachable"}, gone, 30*s),
			inside([]string{"PostgresqlSlowQueries", "MysqlSlowQueries"}, slow, m),
			inside([]string{"DatabaseConnectionsSaturated", "PostgresqlTooManyConnections"}, saturated, m),
			inside([]string{"DatabaseIoErrors", "PostgresqlFailedTransactions"}, erring, m),
		}
	case "queue":
		return []row{
			outside([]string{"RabbitmqNodeDown", "KafkaBrokerDown"}, gone, 30*s),
			inside([]string{"KafkaUnderReplicatedPartitionsError", "RabbitmqErrors"}, erring, m),
			inside([]string{"QueueBacklogGrowing", "KafkaConsumerLag"}, slow|saturated, 2*m),
		}
	case "cluster":
		return []row{inside([]string{"ClusterUnavailableMembers", "KubeClusterNotReady"}, erring|down, m)}
	}
	return plantRules(class, outside, inside)
}

func plantRules[R any](class string, outside, inside func([]string, state, time.Duration) R) []R {
	const s = time.Second
	switch class {
	case "plc":
		return []R{
			outside([]string{"PlcHeartbeatLost", "PLC_COMM_LOST", "PlcOffline"}, gone, 5*s),
			inside([]string{"PlcFault", "PLC_DIAG_ERROR"}, erring, 0),
		}
	case "gateway":
		return []R{outside([]string{"GatewayOffline", "OpcUaServerDisconnected"}, gone, 20*s)}
	case "equipment":
		return []R{
			outside([]string{"EquipmentCommLost", "MACHINE_OFFLINE"}, cut, 10*s),
			inside([]string{"EquipmentFault", "MACHINE_ALARM", "MotorTripped"}, erring, 0),
			outside([]string{"EquipmentStopped", "MACHINE_STOPPED"}, down, 5*s),
			inside([]string{"EquipmentStarved", "NO_INFEED"}, starved, 5*s),
			inside([]string{"EquipmentBlocked", "OUTFEED_BLOCKED"}, blocked, 5*s),
			inside([]string{"BearingVibrationHigh", "MotorTemperatureHigh"}, hot, 10*s),
		}
	case "sensor":
		return []R{
			outside([]string{"SensorNoData", "SignalLost"}, gone, 30*s),
			inside([]string{"ValueOutOfRange", "HIHI_LIMIT"}, hot, 5*s),
		}
	case "line":
		return []R{inside([]string{"LineStopped", "LINE_DOWN", "LineThroughputLow"}, erring|down, 30*s)}
	}
	return nil // racks, storage, areas: nobody looks at them
}
