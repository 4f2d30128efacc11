package app

import (
	"os/exec"
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
