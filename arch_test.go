// Package signalbox_test holds the floor plan of the house as a test (docs/architecture.md).
package signalbox_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "signalbox"

// doors returns the floor plan: the rooms that each room may import.
func doors() map[string][]string {
	return map[string][]string{
		"itsm":      {},
		"cmdb":      {"itsm"},
		"sla":       {"itsm"},
		"ingest":    {"itsm"},
		"correlate": {"itsm", "cmdb", "sla"},
		"ui":        {"itsm", "cmdb", "sla"},
		"stream":    {"itsm"},
		"store":     {"itsm"},
		"app":       {"itsm", "cmdb", "sla", "ingest", "correlate", "ui", "stream", "store"},
		"cmd":       {"app"},
	}
}

// keepers returns which room alone may import a technology.
func keepers() map[string]string {
	return map[string]string{
		"github.com/segmentio/kafka-go":       "stream",
		"github.com/twmb/franz-go":            "stream",
		"github.com/ClickHouse/clickhouse-go": "store",
		"github.com/ClickHouse/ch-go":         "store",
		"github.com/ebitengine/purego":        "store",
		"github.com/gorilla/websocket":        "ui",
		"github.com/prometheus/alertmanager":  "ingest",
		"google.golang.org/protobuf":          "stream",
		"github.com/planetscale/vtprotobuf":   "stream",
		"github.com/stretchr/testify":         "",
		"github.com/pkg/errors":               "",
		"gopkg.in/yaml.v3":                    "",
	}
}

func room(dir string) string {
	first, _, _ := strings.Cut(path.Clean(dir), "/")
	return first
}

func TestDoors(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		checkFile(t, filepath.ToSlash(file))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, file string) {
	t.Helper()
	from := room(path.Dir(file))
	allowed, known := doors()[from]
	if !known {
		t.Errorf("%s: %q is not on the floor plan", file, from)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if rel, ours := strings.CutPrefix(name+"/", module+"/"); ours {
			if to := room(rel); to != from && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: no door from %s to %s", file, name, from, to)
			}
			continue
		}
		for tech, keeper := range keepers() {
			if (name == tech || strings.HasPrefix(name, tech+"/")) && from != keeper {
				t.Errorf("%s imports %s: it lives in %q alone", file, name, keeper)
			}
		}
	}
}

// TestParentsDoNotImportChildren keeps an adapter's parent free of the adapter.
func TestParentsDoNotImportChildren(t *testing.T) {
	for _, parent := range []string{"ingest", "cmdb", "store"} {
		files, err := filepath.Glob(parent + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				if strings.Contains(spec.Path.Value, module+"/"+parent+"/") && !strings.HasSuffix(file, "_test.go") {
					t.Errorf("%s imports its child %s", file, spec.Path.Value)
				}
			}
		}
	}
}
