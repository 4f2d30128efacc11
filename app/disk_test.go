package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// A full disk refuses what is sent, with 503 and a time to come again, and stops nothing: once
// there is room again everything goes on, and what was acknowledged is there.
func TestServe_diskFull(t *testing.T) {
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("prlimit (util-linux) makes the disk full")
	}
	h := newKillHarness(t, nil)
	h.waitReady()
	limit := func(bytes string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "prlimit", "--pid", strconv.Itoa(h.cmd.Process.Pid), "--fsize="+bytes+":").CombinedOutput()
		if err != nil {
			t.Fatalf("prlimit: %v: %s", err, out)
		}
	}
	alert := func(host string, ends time.Time) []map[string]any {
		return []map[string]any{{"labels": map[string]string{"alertname": "HostDown", "host": host}, "endsAt": ends.UTC().Format(time.RFC3339Nano)}}
	}
	soon := time.Now().Add(500 * time.Millisecond)
	if status := h.post(t.Context(), "/api/v2/alerts", alert("short", soon), nil); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	limit("1")
	body, err := json.Marshal(alert("refused", soon))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // the status is all that counts
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a full disk answers %d, Retry-After %q; want 503 and a time", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	// The end of the first alert cannot be recorded; the program says so and stays.
	eventually(t, 10*time.Second, func() error {
		if err := ready(t.Context(), h.url); err == nil {
			return errors.New("it is ready although its log cannot be written")
		}
		return nil
	})
	limit("unlimited")
	h.waitReady()
	if status := h.post(t.Context(), "/api/v2/alerts", alert("after", time.Now().Add(time.Hour)), nil); status != http.StatusOK {
		t.Errorf("status %d after the disk has room again", status)
	}
	eventually(t, 10*time.Second, func() error {
		rows, err := pages(t.Context(), h.url+"/api/v1/alerts", "alerts")
		if err != nil {
			return err
		}
		got := map[string]itsm.Status{}
		for _, raw := range rows {
			var a itsm.AlertState
			if err := json.Unmarshal(raw, &a); err != nil {
				return err
			}
			got[a.Labels.Get("host")] = a.Status
		}
		if got["after"] != itsm.StatusFiring || got["refused"] != "" {
			return fmt.Errorf("alerts %v", got)
		}
		var page struct {
			Incidents []itsm.Incident `json:"incidents"`
		}
		if err := get(t.Context(), h.url+"/api/v1/incidents", &page); err != nil {
			return err
		}
		if len(page.Incidents) != 1 || page.Incidents[0].AlertCounts.Total != 2 || page.Incidents[0].AlertCounts.Expired != 1 {
			return fmt.Errorf("incidents %+v", page.Incidents)
		}
		return nil
	})
	h.terminate()
}

// Two programs on one folder would spoil it: the second one says so and ends.
func TestServe_folderInUse(t *testing.T) {
	h := newKillHarness(t, nil)
	h.waitReady()
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0", "--data-dir", h.path("data")},
		{"export", "--data-dir", h.path("data"), "--out", filepath.Join(t.TempDir(), "events.jsonl")},
	} {
		var out bytes.Buffer
		cmd := program(t.Context(), t, args...)
		cmd.Stderr = &out
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out.String(), "is in use by another process") {
			t.Errorf("%s: %v, %s", args[0], err, out.String())
		}
	}
	if err := ready(t.Context(), h.url); err != nil {
		t.Errorf("the first program: %v", err)
	}
	h.terminate()
}
