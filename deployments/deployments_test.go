// Package deployments_test loads every file of this folder with the program it is for, or parses it against
// what the file refers to.
package deployments_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"signalbox/app"
	"signalbox/cmdb"
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
		t.Fatalf("%s is missing: make programs", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// run fails the test with the program's output when it does not end with 0, and returns that output.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readYAML fills v from a file in which unknown keys are allowed.
func readYAML(t *testing.T, path string, v any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, path)), v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestSignalbox loads the configurations and estates of Signalbox.
func TestSignalbox(t *testing.T) {
	for _, file := range []string{"examples/signalbox.yml", "examples/signalbox-cluster.yml", "compose/signalbox.yml"} {
		if _, err := app.Load(file, nil); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	part, err := cmdb.Parse("estate.yaml", []byte(read(t, "compose/estate.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := cmdb.Parts{"file": part}.Merge()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmdb.NewGraph(whole); err != nil {
		t.Error(err)
	}
}

// TestPeers_Prometheus checks configurations and rules with Prometheus' own tool.
func TestPeers_Prometheus(t *testing.T) {
	promtool := peer(t, "promtool")
	rules, err := filepath.Abs("prometheus/signalbox-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"examples/prometheus.yml", "compose/prometheus.yml"} {
		config := regexp.MustCompile(`rule_files: \[.*\]`).ReplaceAllLiteralString(read(t, file), "rule_files: ["+rules+"]")
		if !strings.Contains(config, rules) {
			t.Errorf("%s: names no rule file", file)
		}
		run(t, promtool, "check", "config", write(t, filepath.Join(t.TempDir(), "prometheus.yml"), config))
	}
	run(t, promtool, "test", "rules", "prometheus/signalbox-alerts_test.yml")
}

// TestPeers_Alertmanager checks configurations with Alertmanager's own tool.
func TestPeers_Alertmanager(t *testing.T) {
	amtool := peer(t, "amtool")
	run(t, amtool, "check-config", "examples/alertmanager.yml", "compose/alertmanager.yml")
	// An alert reaches Signalbox and, after it, the receiver that was there before.
	run(t, amtool, "config", "routes", "test", "--config.file=examples/alertmanager.yml", "--verify.receivers=signalbox,default", "alertname=Any")
	run(t, amtool, "config", "routes", "test", "--config.file=compose/alertmanager.yml", "--verify.receivers=signalbox", "alertname=Any")
}

// TestAlerts holds that each alert says what it is about, is unit-tested, and leads to a section that says what to do.
func TestAlerts(t *testing.T) {
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert               string
				Labels, Annotations map[string]string
			}
		}
	}
	readYAML(t, "prometheus/signalbox-alerts.yml", &rules)
	var tests struct {
		Tests []struct {
			Cases []struct {
				Alert string      `yaml:"alertname"`
				Fires []yaml.Node `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, "prometheus/signalbox-alerts_test.yml", &tests)
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			if len(c.Fires) > 0 {
				fires[c.Alert] = true
			} else {
				quiet[c.Alert] = true
			}
		}
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(read(t, "../docs/operating.md"), -1) {
		anchors["docs/operating.md#"+strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	seen := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			seen++
			if !fires[rule.Alert] || !quiet[rule.Alert] {
				t.Errorf("%s: a unit test in which it fires and one in which it does not are expected", rule.Alert)
			}
			if s := rule.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity %q", rule.Alert, s)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s: summary or description is missing", rule.Alert)
			}
			if url := rule.Annotations["runbook_url"]; !anchors[url] {
				t.Errorf("%s: there is no section %q", rule.Alert, url)
			}
		}
	}
	if seen == 0 {
		t.Error("there is no alert")
	}
}

// dashboard is what the test looks at in Grafana's file.
type dashboard struct {
	UID           *string `json:"uid"`
	SchemaVersion int     `json:"schemaVersion"`
	Panels        []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int } `json:"gridPos"`
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Type string }
	}
}

// TestDashboard holds that the dashboard is whole: places, identities, data sources.
func TestDashboard(t *testing.T) {
	text := read(t, "grafana/signalbox.json")
	var d dashboard
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	// 42 is what Grafana 13 writes (@grafana/schema, defaultDashboard).
	if d.UID != nil || d.SchemaVersion != 42 {
		t.Errorf("uid %v, schemaVersion %d; want none, so that it can be imported twice, and 42", d.UID, d.SchemaVersion)
	}
	for _, m := range regexp.MustCompile(`"uid": ("[^"]*")`).FindAllStringSubmatch(text, -1) {
		if m[1] != `"${datasource}"` {
			t.Errorf("a data source is fixed: %s", m[1])
		}
	}
	if len(d.Templating.List) == 0 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Type != "datasource" {
		t.Errorf("the first variable must be the data source: %+v", d.Templating.List)
	}
	ids, taken := map[int]string{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if other := ids[p.ID]; other != "" {
			t.Errorf("%s and %s have the same id", p.Title, other)
		}
		ids[p.ID] = p.Title
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s overlaps %s at %d,%d, or leaves the 24 columns", p.Title, other, x, y)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
	}
}

// TestPeers_dashboard has Prometheus' own tool parse what every panel asks.
func TestPeers_dashboard(t *testing.T) {
	promtool := peer(t, "promtool")
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "grafana/signalbox.json")), &d); err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
		Labels map[string]string
	}
	var rules []rule
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			rules = append(rules, rule{Record: "panel", Expr: expr, Labels: map[string]string{"n": string(rune('a' + len(rules)%26)), "title": p.Title, "expr": expr}})
		}
	}
	if len(rules) < 40 {
		t.Errorf("%d expressions found", len(rules))
	}
	var out bytes.Buffer
	if err := yaml.NewEncoder(&out).Encode(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}}); err != nil {
		t.Fatal(err)
	}
	run(t, promtool, "check", "rules", write(t, filepath.Join(t.TempDir(), "panels.yml"), out.String()))
}

// TestPeers_systemd verifies the unit, and that little is exposed.
func TestPeers_systemd(t *testing.T) {
	analyze := peer(t, "systemd-analyze")
	self, err := os.Executable() // a program that exists
	if err != nil {
		t.Fatal(err)
	}
	unit := write(t, filepath.Join(t.TempDir(), "signalbox.service"), strings.ReplaceAll(read(t, "signalbox.service"), "/usr/local/bin/signalbox", self))
	if out := run(t, analyze, "verify", "--man=no", unit); strings.Contains(out, "signalbox.service") { // of other units of this machine it may say what it likes
		t.Errorf("verify says:\n%s", out)
	}
	run(t, analyze, "security", "--offline=true", "--threshold=15", unit) // 1.5 of 10
}

// TestUnit holds what the unit promises about the program: its command line, and time enough to stop.
func TestUnit(t *testing.T) {
	unit := read(t, "signalbox.service")
	for _, want := range []string{
		"\nExecStart=/usr/local/bin/signalbox serve --config /etc/signalbox/signalbox.yml\n",
		"\nExecReload=/bin/kill -HUP $MAINPID\n", "\nDynamicUser=yes\n", "\nStateDirectory=signalbox\n",
		"\nEnvironment=SIGNALBOX_SERVER_DATA_DIR=%S/signalbox\n",
	} {
		if !strings.Contains(unit, want) {
			t.Errorf("missing: %s", strings.TrimSpace(want))
		}
	}
	cfg, err := app.Load("", []string{"SIGNALBOX_SERVER_DATA_DIR=/var/lib/signalbox"})
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`\nTimeoutStopSec=(\d+)\n`).FindStringSubmatch(unit); m == nil || !longer(t, m[1]+"s", cfg.Server.ShutdownTimeout) {
		t.Errorf("TimeoutStopSec %v: want more than server.shutdown_timeout %s", m, cfg.Server.ShutdownTimeout)
	}
}
