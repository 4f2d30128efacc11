package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// startPeer runs a program until stop is called or the test ends, and shows its log when the test failed.
func startPeer(t *testing.T, name string, args ...string) (stop func()) {
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
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		_ = logFile.Close()
	})
	t.Cleanup(func() {
		stop()
		if data, err := os.ReadFile(logFile.Name()); t.Failed() && err == nil {
			t.Logf("log of %s:\n%s", filepath.Base(name), data[max(0, len(data)-4000):])
		}
	})
	return stop
}

// startApp runs the house in this process and returns its URL.
func startApp(t *testing.T, change func(*Config)) string {
	t.Helper()
	url, _ := startAppUntil(t, change)
	return url
}

// startAppUntil is startApp with a way to stop it before the test ends.
func startAppUntil(t *testing.T, change func(*Config)) (url string, stop func()) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.ClickHouse.Library = "off" // history has a test of its own
	cfg.Server.Listen, cfg.Server.DataDir = "127.0.0.1:0", t.TempDir()
	if change != nil {
		change(&cfg)
	}
	a, err := New(t.Context(), Options{Config: cfg, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(stop)
	url = "http://" + a.Addr()
	eventually(t, 20*time.Second, func() error { return ready(t.Context(), url) })
	return url, stop
}

const peersEstate = `
items:
  - {id: sw-1, class: switch, name: Rack switch 1}
  - {id: host-a, class: host, identifiers: [{instance: "host-a:9100"}]}
  - {id: host-b, class: host, identifiers: [{instance: "host-b:9100"}]}
  - {id: host-c, class: host, identifiers: [{instance: "host-c:9100"}]}
relations:
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: host-b, type: connects_to, to: sw-1}
  - {from: host-c, type: connects_to, to: sw-1}
`

// TestPeers_PrometheusAndAlertmanager lets real Prometheus servers evaluate a rule over three hosts
// and send what fires through both doors: host-a directly, host-b by way of a real Alertmanager,
// host-c both ways. What comes twice, or again and again, stays one alert with one period.
func TestPeers_PrometheusAndAlertmanager(t *testing.T) {
	prometheus, alertmanager := peer(t, "prometheus"), peer(t, "prometheus-alertmanager")
	signalbox := startApp(t, func(c *Config) { c.Incident.AutoResolveAfter = time.Second })
	putEstate(t, signalbox, peersEstate)
	hosts := startHosts(t)
	webhook := startAlertmanager(t, alertmanager, signalbox)
	servers := []*prometheusServer{
		{host: "host-a", hosts: hosts.url, receivers: []string{signalbox}},
		{host: "host-b", hosts: hosts.url, receivers: []string{webhook}},
		{host: "host-c", hosts: hosts.url, receivers: []string{webhook, signalbox}},
	}
	for _, p := range servers {
		p.start(t, prometheus)
	}
	for _, p := range servers {
		eventually(t, time.Minute, func() error { return p.sees(t.Context()) })
	}

	// The switch is dead and says nothing: one incident names it.
	hosts.down.Store(true)
	first := awaitIncident(t, signalbox, seen(itsm.StateNew, itsm.StatusFiring, 1))
	groups := map[string]string{}
	for _, a := range first.Alerts {
		groups[*a.Item] = a.Group
	}
	if got, want := groups["host-b"], `{}:{alertname="HostDown"}`; got != want {
		t.Errorf("group of the alert that Alertmanager grouped: got %s, want %s", got, want)
	}

	// Both doors hear all of it again, and nothing changes.
	again := accepted(t, signalbox)
	eventually(t, time.Minute, func() error {
		now := accepted(t, signalbox)
		if now["prometheus"] < again["prometheus"]+4 || now["alertmanager"] < again["alertmanager"]+4 {
			return fmt.Errorf("two re-sends of two alerts through each door are expected, got %v after %v", now, again)
		}
		return nil
	})
	if got, err := theIncident(t.Context(), signalbox); err != nil || got.Revision != first.Revision {
		t.Errorf("re-sends: got revision %d (%v), want %d as before", got.Revision, err, first.Revision)
	}

	hosts.down.Store(false)
	over := awaitIncident(t, signalbox, seen(itsm.StateResolved, itsm.StatusResolved, 1))
	if over.ID != first.ID || over.ResolvedAt == nil {
		t.Errorf("resolved: got %s at %v, want %s with its time", over.ID, over.ResolvedAt, first.ID)
	}

	// The same trouble comes back: the incident opens again, each alert with a second period.
	hosts.down.Store(true)
	back := awaitIncident(t, signalbox, seen(itsm.StateNew, itsm.StatusFiring, 2))
	if back.ID != first.ID || back.ReopenCount != 1 {
		t.Errorf("fired again: got %s, reopened %d times; want %s, once", back.ID, back.ReopenCount, first.ID)
	}
	hosts.down.Store(false)
	awaitIncident(t, signalbox, seen(itsm.StateResolved, itsm.StatusResolved, 2))
}

// incidentSeen is what the test looks at.
type incidentSeen struct {
	State     itsm.State
	Cause     string
	Reporting bool // the cause itself has an alert
	Counts    itsm.AlertCounts
	Alerts    map[string]alertSeen // by item
}

type alertSeen struct {
	Status  itsm.Status
	Periods int
}

// seen is an incident of the silent switch in which all three hosts are alike.
func seen(state itsm.State, status itsm.Status, periods int) incidentSeen {
	alert := alertSeen{status, periods}
	want := incidentSeen{
		State: state, Cause: "sw-1", Counts: itsm.AlertCounts{Total: 3},
		Alerts: map[string]alertSeen{"host-a": alert, "host-b": alert, "host-c": alert},
	}
	if status == itsm.StatusFiring {
		want.Counts.Firing = 3
	} else {
		want.Counts.Resolved = 3
	}
	return want
}

// awaitIncident waits until there is one incident and it looks as wanted.
func awaitIncident(t *testing.T, signalbox string, want incidentSeen) itsm.Incident {
	t.Helper()
	var inc itsm.Incident
	eventually(t, time.Minute, func() (err error) {
		if inc, err = theIncident(t.Context(), signalbox); err != nil {
			return err
		}
		got := incidentSeen{State: inc.State, Counts: inc.AlertCounts, Alerts: map[string]alertSeen{}}
		if len(inc.Causes) > 0 {
			got.Cause, got.Reporting = inc.Causes[0].Item, inc.Causes[0].Reporting
		}
		for _, a := range inc.Alerts {
			item := "unbound " + a.Fingerprint.String()
			if a.Item != nil {
				item = *a.Item
			}
			got.Alerts[item] = alertSeen{a.Status, a.Count}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("incident %s (-want +got):\n%s", inc.Number, diff)
		}
		return nil
	})
	return inc
}

// theIncident returns the one incident that is not merged into another, with its alerts.
func theIncident(ctx context.Context, signalbox string) (itsm.Incident, error) {
	var page struct {
		Incidents []itsm.Incident `json:"incidents"`
	}
	if err := get(ctx, signalbox+"/api/v1/incidents", &page); err != nil {
		return itsm.Incident{}, err
	}
	live := slices.DeleteFunc(page.Incidents, func(inc itsm.Incident) bool { return inc.MergedInto != nil })
	if len(live) != 1 {
		return itsm.Incident{}, fmt.Errorf("one incident is expected, got %d", len(live))
	}
	var inc itsm.Incident
	return inc, get(ctx, signalbox+"/api/v1/incidents/"+live[0].ID, &inc)
}

// accepted counts the alerts that each door has taken.
func accepted(t *testing.T, signalbox string) map[string]int64 {
	t.Helper()
	var status struct {
		Sources []struct {
			Kind              string
			Accepted, Refused int64
		}
	}
	if err := get(t.Context(), signalbox+"/api/v1/status", &status); err != nil {
		t.Fatal(err)
	}
	count := map[string]int64{}
	for _, s := range status.Sources {
		count[s.Kind] += s.Accepted
		if s.Refused > 0 {
			t.Fatalf("the door for %s refused %d alerts", s.Kind, s.Refused)
		}
	}
	return count
}

func putEstate(t *testing.T, signalbox, estate string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	status, body, err := send(ctx, http.MethodPut, signalbox+"/api/v1/estate?origin=test", estate, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("estate: %d %s %v", status, body, err)
	}
}

// hosts answers the scrapes for all hosts; they go down together.
type hosts struct {
	url  string
	down atomic.Bool
}

func startHosts(t *testing.T) *hosts {
	t.Helper()
	h := &hosts{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		value := 1
		if h.down.Load() {
			value = 0
		}
		for _, name := range []string{"host-a", "host-b", "host-c"} {
			fmt.Fprintf(w, "host_up{instance=\"%s:9100\"} %d\n", name, value)
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// startAlertmanager runs an Alertmanager that sends everything to Signalbox, and returns its URL.
func startAlertmanager(t *testing.T, program, signalbox string) string {
	t.Helper()
	config := writeTemp(t, "alertmanager.yml", fmt.Sprintf(`
route: {receiver: signalbox, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 2s}
receivers:
  - name: signalbox
    webhook_configs:
      - {url: "%s/api/v1/ingest/alertmanager", send_resolved: true}
`, signalbox))
	addr := freeAddr(t)
	startPeer(t, program, "--config.file="+config, "--storage.path="+t.TempDir(), "--web.listen-address="+addr, "--cluster.listen-address=")
	eventually(t, time.Minute, func() error { return ready(t.Context(), "http://"+addr) })
	return "http://" + addr
}

// prometheusServer is a Prometheus with a rule for one host.
type prometheusServer struct {
	host, hosts string
	receivers   []string // URLs that speak Alertmanager's API
	url         string   // its own, set by start
}

func (p *prometheusServer) start(t *testing.T, program string) {
	t.Helper()
	rules := writeTemp(t, "rules.yml", fmt.Sprintf(`
groups:
  - name: hosts
    rules:
      - {alert: HostDown, expr: 'host_up{instance="%s:9100"} == 0', labels: {severity: critical}, annotations: {summary: "{{ $labels.instance }} is down"}}
`, p.host))
	var receivers []string
	for _, r := range p.receivers {
		receivers = append(receivers, strings.TrimPrefix(r, "http://"))
	}
	config := writeTemp(t, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - {job_name: hosts, honor_labels: true, static_configs: [{targets: ["%s"]}]}
alerting: {alertmanagers: [{api_version: v2, static_configs: [{targets: [%s]}]}]}
`, rules, strings.TrimPrefix(p.hosts, "http://"), strings.Join(receivers, ", ")))
	addr := freeAddr(t)
	startPeer(t, program, "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+addr, "--rules.alert.resend-delay=5s")
	p.url = "http://" + addr
}

// sees returns nil when the server has scraped the hosts and knows its receivers: before that it
// drops what it should send.
func (p *prometheusServer) sees(ctx context.Context) error {
	var receivers struct {
		Data struct{ ActiveAlertmanagers []struct{ URL string } }
	}
	var scraped struct {
		Data struct{ Result []any }
	}
	if err := errors.Join(
		get(ctx, p.url+"/api/v1/alertmanagers", &receivers), get(ctx, p.url+"/api/v1/query?query="+url.QueryEscape("host_up"), &scraped),
	); err != nil {
		return err
	}
	if len(receivers.Data.ActiveAlertmanagers) != len(p.receivers) || len(scraped.Data.Result) != 3 {
		return fmt.Errorf("Prometheus for %s: receivers %v, scraped %v", p.host, receivers.Data, scraped.Data)
	}
	return nil
}

func writeTemp(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
