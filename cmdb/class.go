package cmdb

import "strings"

// Category is the discipline that a class of items belongs to; an incident takes it from its cause.
type Category string

// The categories.
const (
	CategoryNetwork     Category = "network"
	CategoryCompute     Category = "compute"
	CategoryApplication Category = "application"
	CategoryData        Category = "data"
	CategoryProduction  Category = "production"
	CategoryOther       Category = "other"
)

// Class is what is known of a class of items by its word.
type Class struct {
	Category Category
	// Transit classes pass failure on along connects_to.
	Transit bool
	// Named classes are what people outside operations know by name: services and what makes
	// products. An incident lists the hurt ones.
	Named bool
}

// classWords lists the words of each class. A class counts as the row that has its last words, so that
// "core-switch" is a switch and "network device" more than a device.
func classWords() []struct {
	class Class
	words string
} {
	return []struct {
		class Class
		words string
	}{
		{Class{CategoryNetwork, true, false}, "switch router gateway firewall loadbalancer balancer bridge hub ap wlc modem wan link vpn fabric nat network-device networkdevice"},
		{Class{CategoryNetwork, false, false}, "network subnet vlan interface port dns proxy"},
		{Class{CategoryProduction, true, false}, "plc rtu controller iogateway control-device controldevice"},
		{Class{CategoryProduction, false, true}, "line machine equipment filler labeller packer enterprise plant cell robot conveyor"},
		{Class{CategoryProduction, false, false}, "area sensor actuator drive valve pump motor instrument hmi device"},
		{Class{CategoryApplication, false, true}, "service application app website shop product"},
		{Class{CategoryApplication, false, false}, "instance pod deployment statefulset daemonset job cronjob container process api function namespace workload replicaset"},
		{Class{CategoryData, false, false}, "database db queue broker cache storage volume bucket topic table replica persistentvolumeclaim cluster"},
		{Class{CategoryCompute, false, false}, "host node server vm hypervisor rack machineroom datacenter site room chassis ups pdu"},
	}
}

// ClassOf returns what is known of a class; an unknown word is of CategoryOther.
func ClassOf(word string) Class {
	word = strings.Map(func(r rune) rune {
		if strings.ContainsRune("_ /.", r) {
			return '-'
		}
		return r
	}, strings.ToLower(word))
	for {
		for _, row := range classWords() {
			for w := range strings.FieldsSeq(row.words) {
				if w == word {
					return row.class
				}
			}
		}
		_, rest, more := strings.Cut(word, "-")
		if !more {
			return Class{Category: CategoryOther}
		}
		word = rest
	}
}
