package app

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadOnHangup reloads the way that service managers do, with a signal to the process.
func TestReloadOnHangup(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	config := filepath.Join(dir, "signalbox.yml")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("incident: {close_after: 1h}\n")
	cmd := program(t.Context(), t, "serve", "--config", config, "--listen", addr, "--data-dir", filepath.Join(dir, "data"))
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed
		}
	})
	url := "http://" + addr
	eventually(t, 20*time.Second, func() error { return ready(t.Context(), url) })

	shows := func(line string) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, func() error {
			_, body, err := send(t.Context(), http.MethodGet, url+"/metrics", nil, nil)
			if err == nil && !strings.Contains(string(body), "\n"+line+"\n") {
				err = fmt.Errorf("no %q in the metrics", line)
			}
			return err
		})
	}
	shows("signalbox_app_last_reload_successful 1")
	write("incident: {close_after: 0s}\n")
	shows("signalbox_app_last_reload_successful 0")
	write("incident: {close_after: 2h}\n")
	shows("signalbox_app_last_reload_successful 1")

	// It is the same process all the while, and it stops in order.
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stopped = true
	if err := cmd.Wait(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if want := "incident.close_after: must be positive"; !strings.Contains(log.String(), want) {
		t.Errorf("the log does not say why the second reload was refused (%s):\n%s", want, log.String())
	}
}
