package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"signalbox/store/chdb"
)

// TestHistory runs the program with the embedded ClickHouse engine, kills it under load several times, and
// finds every change of every alert in history once.
func TestHistory(t *testing.T) {
	library := chdb.Find("")
	if _, err := os.Stat(library); err != nil && os.Getenv("REQUIRE_CHDB") == "" {
		t.Skip("libchdb is not there: make chdb")
	}
	addr, dir := freeAddr(t), t.TempDir()
	url := "http://" + addr
	sent := 0
	for round := range 3 {
		cmd := program(t.Context(), t, "serve", "--listen", addr, "--data-dir", dir)
		cmd.Env = append(cmd.Env, "SIGNALBOX_CLICKHOUSE_LIBRARY="+library)
		cmd.Stderr = t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 30*time.Second, func() error { return ready(t.Context(), url) })
		for range 20 {
			var alerts []map[string]any
			for range 50 {
				alerts = append(alerts, map[string]any{"labels": map[string]string{"alertname": "HostDown", "instance": fmt.Sprintf("h-%d:9100", sent)}})
				sent++
			}
			eventually(t, 10*time.Second, func() error {
				status, body, err := send(t.Context(), http.MethodPost, url+"/api/v2/alerts", alerts, nil)
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("status %d: %s", status, body)
				}
				return err
			})
		}
		signal := syscall.SIGKILL
		if round == 2 {
			signal = syscall.SIGTERM
			eventually(t, 30*time.Second, func() error { return stored(t, url, sent) })
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if round == 2 && err != nil {
			t.Errorf("stopped with %v", err)
		}
	}
}

// stored tells whether history has each alert once.
func stored(t *testing.T, url string, want int) error {
	t.Helper()
	seen, cursor := map[string]int{}, ""
	for {
		status, body, err := send(t.Context(), http.MethodGet, url+"/api/v1/history/alerts?limit=1000&q=status%3Dfiring&cursor="+cursor, nil, nil)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("status %d: %s, %w", status, body, err)
		}
		var page struct {
			Events []struct {
				Labels map[string]string `json:"labels"`
			} `json:"events"`
			Next *string `json:"next"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return err
		}
		for _, e := range page.Events {
			if seen[e.Labels["instance"]]++; seen[e.Labels["instance"]] > 1 {
				return fmt.Errorf("%s stands twice in history", e.Labels["instance"])
			}
		}
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if len(seen) != want {
		return fmt.Errorf("history has %d of %d alerts", len(seen), want)
	}
	return nil
}
