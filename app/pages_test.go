package app

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"signalbox/cmdb"
	"signalbox/ingest"
	"signalbox/ingest/events"
)

// blocks returns the code blocks of a page that begin with three back quotes and a word.
func blocks(t *testing.T, page, word string) []string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, part := range strings.Split(string(data), "\n```"+word+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		out = append(out, block+"\n")
	}
	return out
}

// TestPages_estates loads the estates that people copy from the pages.
func TestPages_estates(t *testing.T) {
	loaded := 0
	for _, page := range []string{"../README.md", "../docs/estate.md"} {
		for _, block := range blocks(t, page, "yaml") {
			if !strings.HasPrefix(block, "items:") {
				continue
			}
			part, err := cmdb.Parse(page, []byte(block))
			if err != nil {
				t.Error(err)
				continue
			}
			whole, err := cmdb.Parts{"file": part}.Merge()
			if err != nil {
				t.Error(err)
				continue
			}
			if _, err := cmdb.NewGraph(whole); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			loaded++
		}
	}
	if loaded != 2 {
		t.Errorf("%d estates found, want one on each page", loaded)
	}
}

// TestPeers_pages loads every configuration that people copy from the pages with the program it is for. What is a part
// for a file that they have is completed by the least that such a file has.
func TestPeers_pages(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	loaded := map[string]int{}
	for _, page := range append(files, "../README.md") {
		for _, block := range blocks(t, page, "yaml") {
			var parts map[string]any
			if err := yaml.Unmarshal([]byte(block), &parts); err != nil {
				t.Errorf("%s: %v\n%s", page, err, block)
				continue
			}
			kind := kindOfConfiguration(parts)
			loaded[kind]++
			switch kind {
			case "estate": // TestPages_estates
			case "alertmanager":
				amtool := peer(t, "amtool")
				if _, newer := parts["event_recorder"]; newer { // than Debian's
					if amtool, err = exec.LookPath("../.cache/alertmanager/amtool"); err != nil {
						t.Logf("%s: event_recorder is not checked: there is no amtool of Alertmanager 0.34 in .cache/alertmanager", page)
						continue
					}
				}
				checkWith(t, page, completeAlertmanager(parts), amtool, "check-config")
			case "prometheus":
				checkWith(t, page, parts, peer(t, "promtool"), "check", "config")
			case "rules":
				checkWith(t, page, parts, peer(t, "promtool"), "check", "rules")
			default:
				if _, err := Load(writeTemp(t, "signalbox.yml", block), nil); err != nil {
					t.Errorf("%s: %v\n%s", page, err, block)
				}
			}
		}
	}
	if loaded["alertmanager"] == 0 || loaded["estate"] == 0 || loaded["rules"] == 0 {
		t.Errorf("loaded: %v", loaded)
	}
}

// kindOfConfiguration tells whose file it is by the keys that only that one has.
func kindOfConfiguration(parts map[string]any) string {
	for kind, keys := range map[string][]string{
		"estate": {"items"}, "alertmanager": {"route", "receivers", "event_recorder"}, "prometheus": {"scrape_configs", "alerting", "rule_files", "remote_write"},
		"rules": {"groups"},
	} {
		for _, key := range keys {
			if _, ok := parts[key]; ok {
				return kind
			}
		}
	}
	return "signalbox"
}

// completeAlertmanager adds the receiver that the user's own file has.
func completeAlertmanager(parts map[string]any) map[string]any {
	route, ok := parts["route"].(map[string]any)
	if !ok {
		route = map[string]any{}
		parts["route"] = route
	}
	if route["receiver"] == nil {
		route["receiver"] = "default"
		receivers, _ := parts["receivers"].([]any) // none: default is the only one
		parts["receivers"] = append(receivers, map[string]any{"name": "default"})
	}
	return parts
}

func checkWith(t *testing.T, page string, config map[string]any, program string, args ...string) {
	t.Helper()
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, append(args, writeTemp(t, "config.yml", string(text)))...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s%s", page, err, out, text)
	}
}

// TestPages_change sends the change that people copy to the decoder of its door.
func TestPages_change(t *testing.T) {
	const page = "../docs/connecting.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^(\{"change":.*\})'$`).FindSubmatch(data)
	if line == nil {
		t.Fatal("no change found")
	}
	sent := bytes.ReplaceAll(line[1], []byte("'$(date -u +%FT%TZ)'"), []byte("2026-01-02T09:58:00Z")) // as the shell does
	body, err := events.DecodeBody(sent, ingest.Arrival{})
	if err != nil || len(body.Refused) > 0 || len(body.Changes) != 1 {
		t.Errorf("%s: %v, %+v", page, err, body)
	}
}

// TestPages_dependencies: each direct dependency has its reason on the page that decides them.
func TestPages_dependencies(t *testing.T) {
	page, err := os.ReadFile("../docs/adr/0008-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1)
	if len(direct) == 0 {
		t.Fatal("go.mod has no direct dependency?")
	}
	for _, m := range direct {
		name := m[1]
		if host, rest, _ := strings.Cut(name, "/"); host == "github.com" || host == "go.uber.org" {
			name = rest
		}
		if !strings.Contains(string(page), name) {
			t.Errorf("%s is not named on the page", m[1])
		}
	}
}
