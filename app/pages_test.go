package app

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

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
