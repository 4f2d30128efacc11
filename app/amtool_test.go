package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// amtool runs Alertmanager's own command against a server and returns what it prints.
func amtool(t *testing.T, program, server string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--alertmanager.url=" + server, "--no-version-check"}, args...)...)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir()) // no configuration of the user's
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("amtool %q: %w: %s", args, err, errs.String())
	}
	return out.String(), nil
}

// TestPeers_amtoolReads lets Debian's amtool read what a silent switch does to three hosts.
func TestPeers_amtoolReads(t *testing.T) {
	program := peer(t, "amtool")
	signalbox := startApp(t, nil)
	putEstate(t, signalbox, peersEstate)
	postHosts(t, signalbox, "host-a", "host-b", "host-c")
	inc := awaitIncident(t, signalbox, seen(itsm.StateNew, itsm.StatusFiring, 1))
	run := func(args ...string) string {
		t.Helper()
		out, err := amtool(t, program, signalbox, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	for query, want := range map[string][]string{
		"":                              {"host-a:9100", "host-b:9100", "host-c:9100", "watch:9100"},
		"HostDown":                      {"host-a:9100", "host-b:9100", "host-c:9100"}, // amtool means the alertname
		`alertname=~"Host.*"`:           {"host-a:9100", "host-b:9100", "host-c:9100"},
		`alertname=~"Host"`:             nil,
		`instance!="host-a:9100"`:       {"host-b:9100", "host-c:9100", "watch:9100"},
		`instance!~"host-[ab].*"`:       {"host-c:9100", "watch:9100"},
		`cause="sw-1"`:                  {"host-a:9100", "host-b:9100", "host-c:9100"},
		`incident="` + inc.Number + `"`: {"host-a:9100", "host-b:9100", "host-c:9100"},
	} {
		args := []string{"alert", "query"}
		if query != "" {
			args = append(args, query)
		}
		if got := instances(t, run(append(args, "-o", "json")...)); !slices.Equal(got, want) {
			t.Errorf("alert query %s: got %v, want %v", query, got, want)
		}
	}
	for _, tc := range []struct {
		args string
		want []string // words of the output; with a minus: not in it
	}{
		{"alert query", []string{"Watchdog", "HostDown", "host-a is down", "active"}},
		{"alert query -o extended", []string{`instance="host-a:9100"`, `summary="host-a is down"`, "http://prometheus.example/graph", "active"}},
		{"alert query -r signal.*", []string{"HostDown"}},
		{"alert query -r other", []string{"-HostDown"}},
		{"alert query --silenced", []string{"-HostDown"}},
		{"config show", []string{"receiver: signalbox", "group_by: [incident, cause, priority]"}},
		{"config routes test alertname=HostDown", []string{"signalbox"}}, // reads the configuration as Alertmanager would
		{"cluster show", []string{"disabled"}},
		{"silence query", []string{"Created By"}},
	} {
		out := run(strings.Fields(tc.args)...)
		for _, word := range tc.want {
			unwanted, absent := strings.CutPrefix(word, "-")
			if strings.Contains(out, unwanted) == absent {
				t.Errorf("amtool %s: want %q in\n%s", tc.args, word, out)
			}
		}
	}
	if out := run("silence", "query", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("silences: %s", out)
	}
}

// TestPeers_amtoolSilences: Debian's amtool adds, lists, changes and expires silences unchanged.
func TestPeers_amtoolSilences(t *testing.T) {
	program := peer(t, "amtool")
	signalbox := startApp(t, nil)
	putEstate(t, signalbox, peersEstate)
	postHosts(t, signalbox, "host-a", "host-b", "host-c")
	inc := awaitIncident(t, signalbox, seen(itsm.StateNew, itsm.StatusFiring, 1))
	run := func(args ...string) string {
		t.Helper()
		out, err := amtool(t, program, signalbox, args...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	byHost := run("silence", "add", "alertname=HostDown", `instance=~"host-[ab].*"`, "--comment=switch is replaced", "--author=maria", "--duration=2h")
	awaitSuppressed(t, signalbox, 2)
	if got := instances(t, run("alert", "query", "-o", "json")); !slices.Equal(got, []string{"host-c:9100", "watch:9100"}) {
		t.Errorf("not silenced: %v", got)
	}
	if got := instances(t, run("alert", "query", "--silenced", "-o", "json")); !slices.Equal(got, []string{"host-a:9100", "host-b:9100"}) {
		t.Errorf("silenced: %v", got)
	}
	for _, words := range []string{byHost, "maria", "switch is replaced", `alertname="HostDown"`} {
		if out := run("silence", "query"); !strings.Contains(out, words) {
			t.Errorf("silence query: want %q in\n%s", words, out)
		}
	}
	if out := run("silence", "query", "instance=other", "-q"); out != "" {
		t.Errorf("silences of another label: %s", out)
	}
	// karma and Grafana make silences of the labels that a group has.
	byIncident := run("silence", "add", "incident="+inc.Number, "--comment=x", "--author=paul")
	awaitSuppressed(t, signalbox, 3)
	if again := run("silence", "update", "--duration=5h", byHost); !strings.Contains(again, byHost) {
		t.Errorf("a longer silence has another id: %s", again)
	}
	if out, err := amtool(t, program, signalbox, "silence", "add", "alertname=~.*", "--comment=x", "--author=maria"); err == nil || !strings.Contains(err.Error(), "empty value") {
		t.Errorf("a silence of everything: %s %v", out, err)
	}
	// What is queried as JSON can be imported: they are what they were, or with force copies.
	file := filepath.Join(t.TempDir(), "silences.json")
	if err := os.WriteFile(file, []byte(run("silence", "query", "-o", "json")), 0o600); err != nil {
		t.Fatal(err)
	}
	var imported []string
	for _, way := range []struct {
		flag string
		want int
	}{{"--no-force", 2}, {"--force", 4}} {
		run("silence", "import", way.flag, file)
		if imported = strings.Fields(run("silence", "query", "-q")); len(imported) != way.want {
			t.Errorf("import %s: %d silences are expected, got %q", way.flag, way.want, imported)
		}
	}
	run(append([]string{"silence", "expire"}, imported...)...)
	awaitSuppressed(t, signalbox, 0)
	if out := run("silence", "query", "--expired", "-q"); !strings.Contains(out, byHost) || !strings.Contains(out, byIncident) {
		t.Errorf("expired silences: %s", out)
	}
}

// TestKarmaFindsAVersion: karma reads it from the metrics before it reads alerts.
func TestKarmaFindsAVersion(t *testing.T) {
	signalbox := startApp(t, nil)
	status, body, err := send(t.Context(), http.MethodGet, signalbox+"/metrics", nil, nil)
	if err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	if m := regexp.MustCompile(`(?m)^alertmanager_build_info{.*version="(\d+)\.(\d+)\.(\d+)".*} 1$`).FindSubmatch(body); m == nil {
		t.Error("there is no alertmanager_build_info with a semantic version")
	}
}

// instances reads the instance labels of alerts in amtool's JSON, sorted.
func instances(t *testing.T, out string) []string {
	t.Helper()
	var alerts []struct {
		Labels map[string]string
	}
	if err := json.Unmarshal([]byte(out), &alerts); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var names []string
	for _, a := range alerts {
		names = append(names, a.Labels["instance"])
	}
	slices.Sort(names)
	return names
}

// postHosts sends that hosts are down, and a heartbeat, which opens no incident.
func postHosts(t *testing.T, signalbox string, hosts ...string) {
	t.Helper()
	at := time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)
	alerts := []string{fmt.Sprintf(`{"labels":{"alertname":"Watchdog","instance":"watch:9100","severity":"none"},"startsAt":%q}`, at)}
	for _, host := range hosts {
		alerts = append(alerts, fmt.Sprintf(`{"labels":{"alertname":"HostDown","instance":"%s:9100","severity":"critical"},"startsAt":%q,
			"annotations":{"summary":"%s is down"},"generatorURL":"http://prometheus.example/graph"}`, host, at, host))
	}
	status, body, err := send(t.Context(), http.MethodPost, signalbox+"/api/v2/alerts", "["+strings.Join(alerts, ",")+"]", nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("alerts: %d %s %v", status, body, err)
	}
}
