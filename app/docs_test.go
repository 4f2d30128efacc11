package app

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/store"
)

// TestDocumentedMetrics looks up every metric that the pages name in what a running program exposes.
func TestDocumentedMetrics(t *testing.T) {
	url := startApp(t, nil)
	status, exposed, err := send(t.Context(), http.MethodGet, url+"/metrics", nil, nil)
	if err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	known := string(exposed) + strings.Join(historyMetrics(t), "\n")
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	adrs, err := filepath.Glob("../docs/adr/*.md")
	if err != nil {
		t.Fatal(err)
	}
	name, found := regexp.MustCompile(`signalbox_[a-z]+_[a-z_]+`), 0
	for _, page := range append(append(pages, adrs...), "../deployments/signalbox-rules.yml") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, metric := range name.FindAllString(string(text), -1) {
			if found++; !strings.Contains(known, "# HELP "+metric+" ") {
				t.Errorf("%s: there is no metric %s", page, metric)
			}
		}
	}
	if found == 0 {
		t.Error("the pages name no metric: the pattern is wrong")
	}
}

// historyMetrics are those of the store, which a program without history does not have.
func historyMetrics(t *testing.T) []string {
	t.Helper()
	reg := &described{Registerer: prometheus.NewRegistry()}
	cfg := store.DefaultConfig()
	cfg.Addresses = []string{"127.0.0.1:1"} // never asked
	s, err := store.Open(store.Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	return reg.helps
}

// described notes what is registered, also what has no value yet.
type described struct {
	prometheus.Registerer
	helps []string
}

func (d *described) MustRegister(cs ...prometheus.Collector) {
	name := regexp.MustCompile(`fqName: "([^"]+)"`)
	for _, c := range cs {
		descriptions := make(chan *prometheus.Desc, 10)
		c.Describe(descriptions)
		close(descriptions)
		for desc := range descriptions {
			d.helps = append(d.helps, "# HELP "+name.FindStringSubmatch(desc.String())[1]+" ")
		}
	}
	d.Registerer.MustRegister(cs...)
}
