package explain

import "testing"

func TestCondition(t *testing.T) {
	for alertType, want := range map[string]string{
		"DiskFullWarning":        "DiskFull",
		"DiskFullCritical":       "DiskFull",
		"DiskFull":               "DiskFull",
		"CriticalDiskFull":       "DiskFull",
		"disk_full_crit":         "disk_full",
		"Disk full - warning":    "Disk full",
		"CPUWarning":             "CPU",
		"Warning":                "Warning",
		"MinorCompactionPending": "CompactionPending",
		"WarningLightsFailed":    "LightsFailed",
		"Forewarned":             "Forewarned",
		"":                       "",
	} {
		if got := Condition(alertType); got != want {
			t.Errorf("%q: %q, want %q", alertType, got, want)
		}
	}
}
