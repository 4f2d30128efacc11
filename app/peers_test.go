package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/itsm"
)

// peer finds a program of Debian's packages. Under REQUIRE_PEERS (make test) a missing one is a
// failure, elsewhere the test is skipped.
func peer(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("REQUIRE_PEERS") != "" {
		t.Fatalf("%s is missing: scripts/setup.sh %s", name, name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// startPeer runs a program until the test ends and shows its log when the test failed.
func startPeer(t *testing.T, name string, args ...string) {
	t.Helper()
	logFile, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(name)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		_ = logFile.Close()
		if data, err := os.ReadFile(logFile.Name()); t.Failed() && err == nil {
			t.Logf("log of %s:\n%s", filepath.Base(name), data[max(0, len(data)-4000):])
		}
	})
}

// startApp runs the house in this process and returns its URL.
func startApp(t *testing.T, change func(*Config)) string {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Server.Listen, cfg.Server.DataDir = "127.0.0.1:0", t.TempDir()
	if change != nil {
		change(&cfg)
	}
	a, err := New(t.Context(), Options{Config: cfg, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	url := "http://" + a.Addr()
	eventually(t, 20*time.Second, func() error { return ready(t.Context(), url) })
	return url
}

const peersEstate = `
items:
  - {id: sw-1, class: switch, name: Rack switch 1}
  - {id: host-a, class: host, identifiers: [{instance: "host-a:9100"}]}
  - {id: host-b, class: host, identifiers: [{instance: "host-b:9100"}]}
relations:
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: host-b, type: connects_to, to: sw-1}
`

// TestPeers_PrometheusAndAlertmanager lets a real Prometheus evaluate a rule and send what fires
// through both doors: by way of a real Alertmanager's webhook, and directly.
func TestPeers_PrometheusAndAlertmanager(t *testing.T) {
	prometheus, alertmanager := peer(t, "prometheus"), peer(t, "prometheus-alertmanager")
	url := startApp(t, func(c *Config) { c.Incident.AutoResolveAfter = time.Second })
	if status, body, err := send(t.Context(), http.MethodPut, url+"/api/v1/estate?origin=test", peersEstate, nil); err != nil || status != http.StatusOK {
		t.Fatalf("estate: %d %s %v", status, body, err)
	}
	var down atomic.Bool
	targets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		value := 1
		if down.Load() {
			value = 0
		}
		fmt.Fprintf(w, "host_up{instance=\"host-a:9100\"} %d\nhost_up{instance=\"host-b:9100\"} %d\n", value, value)
	}))
	t.Cleanup(targets.Close)

	am := freeAddr(t)
	startPeer(t, alertmanager, "--config.file="+alertmanagerConfig(t, url), "--storage.path="+t.TempDir(),
		"--web.listen-address="+am, "--cluster.listen-address=")
	for door, target := range map[string]string{"webhook": am, "direct": strings.TrimPrefix(url, "http://")} {
		startPeer(t, prometheus, "--config.file="+prometheusConfig(t, door, target, strings.TrimPrefix(targets.URL, "http://")),
			"--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+freeAddr(t), "--rules.alert.resend-delay=2s")
	}

	down.Store(true)
	var id string
	eventually(t, time.Minute, func() (err error) {
		id, err = oneIncident(t.Context(), url, "new", 4, 0)
		return err
	})
	t.Logf("incident %s holds both hosts through both doors", id)
	down.Store(false)
	eventually(t, time.Minute, func() error {
		again, err := oneIncident(t.Context(), url, "resolved", 0, 4)
		if err == nil && again != id {
			err = fmt.Errorf("incident %s became %s", id, again)
		}
		return err
	})
}

// oneIncident checks that there is one incident, in this state, with so many firing and resolved
// alerts, caused by the switch, which no alert names.
func oneIncident(ctx context.Context, url, state string, firing, resolved int) (string, error) {
	var page struct {
		Incidents []itsm.Incident `json:"incidents"`
	}
	if err := get(ctx, url+"/api/v1/incidents", &page); err != nil {
		return "", err
	}
	live := 0
	var inc itsm.Incident
	for _, i := range page.Incidents {
		if i.MergedInto == nil {
			live++
			inc = i
		}
	}
	got, err := json.Marshal(page.Incidents)
	if err != nil {
		return "", err
	}
	want := itsm.AlertCounts{Firing: firing, Resolved: resolved, Total: firing + resolved}
	if live != 1 || string(inc.State) != state || inc.AlertCounts != want {
		return "", fmt.Errorf("want one %s incident with %+v, got %s", state, want, got)
	}
	if len(inc.Causes) == 0 || inc.Causes[0].Item != "sw-1" || inc.Causes[0].Reporting {
		return "", fmt.Errorf("want the silent switch as cause, got %s", got)
	}
	return inc.ID, nil
}

func writeTemp(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func alertmanagerConfig(t *testing.T, url string) string {
	t.Helper()
	return writeTemp(t, "alertmanager.yml", fmt.Sprintf(`
route: {receiver: signalbox, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 5s}
receivers:
  - name: signalbox
    webhook_configs:
      - {url: "%s/api/v1/ingest/alertmanager", send_resolved: true}
`, url))
}

func prometheusConfig(t *testing.T, door, alertmanager, target string) string {
	t.Helper()
	rules := writeTemp(t, "rules.yml", `
groups:
  - name: hosts
    interval: 1s
    rules:
      - {alert: HostDown, expr: host_up == 0, labels: {severity: critical}, annotations: {summary: "{{ $labels.instance }} is down"}}
`)
	return writeTemp(t, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {door: %s}}
rule_files: [%s]
scrape_configs:
  - {job_name: hosts, honor_labels: true, static_configs: [{targets: ["%s"]}]}
alerting: {alertmanagers: [{api_version: v2, static_configs: [{targets: ["%s"]}]}]}
`, door, rules, target, alertmanager))
}
