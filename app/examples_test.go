package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples loads every configuration of docs/examples with the program it is for.
func TestExamples(t *testing.T) {
	if _, err := Load("../docs/examples/signalbox.yml", nil); err != nil {
		t.Errorf("signalbox.yml: %v", err)
	}
}

// TestPeers_examples checks the files for Prometheus and Alertmanager with their own tools.
func TestPeers_examples(t *testing.T) {
	for _, args := range [][]string{
		{peer(t, "promtool"), "check", "config", "../docs/examples/prometheus.yml"},
		{peer(t, "promtool"), "check", "rules", "../deployments/signalbox-rules.yml"},
		{peer(t, "promtool"), "test", "rules", "../deployments/signalbox-rules_test.yml"},
		{peer(t, "amtool"), "check-config", "../docs/examples/alertmanager.yml"},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	// An alert reaches Signalbox and, after it, the receiver that was there before.
	out, err := exec.CommandContext(t.Context(), peer(t, "amtool"), "config", "routes", "test",
		"--config.file=../docs/examples/alertmanager.yml", "--verify.receivers=signalbox,default", "alertname=Any").CombinedOutput()
	if err != nil {
		t.Errorf("routes: %v\n%s", err, out)
	}
}

// TestPeers_unit has systemd read the unit, and say how much of the machine a taken-over program could still reach.
func TestPeers_unit(t *testing.T) {
	program := peer(t, "systemd-analyze")
	text, err := os.ReadFile("../deployments/signalbox.service")
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/local/bin/signalbox"
	if !strings.Contains(string(text), "ExecStart="+installed+" serve ") {
		t.Fatalf("the unit does not start %s", installed)
	}
	// systemd asks for the program to be there.
	unit := filepath.Join(t.TempDir(), "signalbox.service")
	if err := os.WriteFile(unit, []byte(strings.Replace(string(text), "="+installed, "=/bin/true", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", unit}, {"security", "--offline=true", "--threshold=20", unit}} {
		if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}
