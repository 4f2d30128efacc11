package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestDocumentedMetrics looks up every metric that pages, dashboard and alert rules name in what the program registers.
func TestDocumentedMetrics(t *testing.T) {
	known := metricNames(t)
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	name := regexp.MustCompile(`signalbox_[a-z]+_[a-z_]+`)
	for _, pattern := range []string{"../docs/*.md", "../docs/adr/*.md", "../deployments/grafana/*.json", "../deployments/prometheus/*.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, metric := range name.FindAllString(string(text), -1) {
				if found++; !known[metric] && !known[suffix.ReplaceAllString(metric, "")] {
					t.Errorf("%s: there is no metric %s", file, metric)
				}
			}
		}
		if found == 0 && !strings.Contains(pattern, "adr") {
			t.Errorf("%s name no metric: the pattern is wrong", pattern)
		}
	}
}

// metricNames are those of a program with history, also those that have no value yet.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Server.Listen, cfg.Server.DataDir = "127.0.0.1:0", t.TempDir()
	cfg.ClickHouse.Addresses = []string{"127.0.0.1:1"} // never asked
	a, err := New(t.Context(), Options{Config: cfg, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	described := make(chan *prometheus.Desc)
	go func() {
		a.registry.Describe(described)
		close(described)
	}()
	names, name := map[string]bool{}, regexp.MustCompile(`fqName: "([^"]+)"`)
	for desc := range described {
		names[name.FindStringSubmatch(desc.String())[1]] = true
	}
	return names
}

// TestDocumentedConfigurations loads what the pages show of our own configuration file.
func TestDocumentedConfigurations(t *testing.T) {
	block := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	ours := regexp.MustCompile(`(?m)^(` + strings.Join(keysOf(reflect.TypeFor[Config]()), "|") + `):`)
	files, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range block.FindAllStringSubmatch(string(text), -1) {
			if !ours.MatchString(m[1]) {
				continue // of another program
			}
			found++
			if _, err := Load(writeTemp(t, "signalbox.yml", m[1]), nil); err != nil {
				t.Errorf("%s: %v\n%s", file, err, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no page shows a configuration: the pattern is wrong")
	}
}
