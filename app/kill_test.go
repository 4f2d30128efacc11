package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// kills is how often TestKilledUnderLoad ends the program with SIGKILL.
const kills = 20

// killRules make happen within seconds what takes minutes otherwise: alerts expire, incidents
// flap, resolve themselves, open again and close while the program is killed.
const killRules = `
incident: {resolve_timeout: 2s, auto_resolve_after: 1s, reopen_within: 2s, close_after: 2s, flap_count: 3, flap_window: 5s}
correlate: {gap: 2s}
`

// TestKilledUnderLoad sends alerts, changes, commands and estates while the program is killed at
// random moments. Whatever was acknowledged is there exactly once; ids stay, revisions never go
// back, every revision that was ever shown is the one of a replay, and so is the recovered state.
// So it is on the embedded broker and, where KAFKA_BROKERS names one, on Apache Kafka.
func TestKilledUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process 20 times")
	}
	t.Run("kfake", func(t *testing.T) { testKilledUnderLoad(t, nil) })
	t.Run("kafka", func(t *testing.T) {
		brokers := os.Getenv("KAFKA_BROKERS")
		if brokers == "" {
			t.Skip("KAFKA_BROKERS names no broker")
		}
		testKilledUnderLoad(t, strings.Split(brokers, ","))
	})
}

func testKilledUnderLoad(t *testing.T, brokers []string) {
	t.Helper()
	h := newKillHarness(t, brokers)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for worker := range 3 {
		load.Go(func() { h.sendAlerts(ctx, worker) })
	}
	load.Go(func() { h.sendNoise(ctx) })
	load.Go(func() { h.sendCommands(ctx) })
	load.Go(func() { h.sendEstates(ctx) })
	load.Go(func() { h.poll(ctx) })
	board := newBoardWatcher(h)
	var watching sync.WaitGroup
	watchCtx, stopWatching := context.WithCancel(t.Context())
	watching.Go(func() { board.run(watchCtx) })

	for n := range kills {
		// Some kills hit the recovery itself, most the work after it.
		if n%4 != 3 {
			h.waitReady()
		}
		pause(ctx, time.Duration(50+rand.IntN(450))*time.Millisecond)
		h.kill()
		h.start()
	}
	h.waitReady()
	pause(ctx, 300*time.Millisecond)
	h.kill()
	stop()
	load.Wait()
	h.checkRecovered()

	h.start()
	h.waitReady()
	h.checkAcknowledged()
	h.checkComments()
	board.check()
	stopWatching()
	watching.Wait()
	h.terminate()
	h.checkTopics()
	t.Logf("%d kills; %d alerts, %d comments and %d other commands acknowledged, %d estates adopted; %d incidents, %d revisions seen, %d by a watcher that resumed %d times",
		kills+1, len(h.alerts), len(h.comments), h.commands, h.estates, len(h.revisions), len(h.shown), board.deltas, board.resumed)
	if len(h.alerts) == 0 || len(h.comments) == 0 || h.commands == 0 || h.estates == 0 || board.resumed == 0 {
		t.Error("the load did not reach every door; nothing was shown")
	}
}

// pause waits, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// killHarness is the program as a process of its own, and what was seen of it.
type killHarness struct {
	t              *testing.T
	dir, addr, url string
	cmd            *exec.Cmd
	log            *os.File

	brokers []string // of a Kafka that outlives the process; nil: the process has a broker of its own
	prefix  string
	shards  int
	several bool // processes on one Kafka: url is their load balancer's

	mu       sync.Mutex
	alerts   map[string]bool   // host label of each acknowledged alert that fires once
	comments map[string]string // text of each acknowledged comment → incident
	commands int               // other commands answered
	estates  int               // adopted

	revisions map[string]int    // the newest that was seen, by incident
	shown     map[string][]byte // every row that was seen, by incident and revision
}

func newKillHarness(t *testing.T, brokers []string) *killHarness {
	t.Helper()
	prefix, config := "killed-"+randomHex()+".", killRules
	if brokers != nil {
		// Nobody takes the shard over before the session of the one that was killed has ended.
		config += fmt.Sprintf("kafka: {brokers: [%q], topic_prefix: %s, session_timeout: 1s}\n", strings.Join(brokers, `","`), prefix)
	}
	h := startProgram(t, config)
	h.brokers, h.prefix = brokers, prefix
	return h
}

// startProgram starts the program as a process of its own with a configuration.
func startProgram(t *testing.T, config string) *killHarness {
	t.Helper()
	addr := freeAddr(t)
	h := &killHarness{
		t: t, dir: t.ArtifactDir(), addr: addr, url: "http://" + addr, shards: 1,
		alerts: map[string]bool{}, comments: map[string]string{}, revisions: map[string]int{}, shown: map[string][]byte{},
	}
	if err := os.WriteFile(h.path("signalbox.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(h.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	h.log = log
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill() // it may have ended
		_ = h.cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			if data, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("log of the program:\n%s", data[max(0, len(data)-8000):])
			}
		}
	})
	h.start()
	return h
}

func (h *killHarness) path(name string) string { return filepath.Join(h.dir, name) }

func (h *killHarness) start() {
	h.t.Helper()
	h.cmd = program(context.WithoutCancel(h.t.Context()), h.t,
		"serve", "--config", h.path("signalbox.yml"), "--listen", h.addr, "--data-dir", h.path("data"))
	h.cmd.Stderr = h.log
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *killHarness) kill() {
	h.t.Helper()
	if err := h.cmd.Process.Kill(); err != nil {
		h.t.Fatalf("kill: %v", err)
	}
	err := h.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		h.t.Fatalf("the program ended by itself: %v", err)
	}
}

func (h *killHarness) terminate() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatal(err)
	}
	if err := h.cmd.Wait(); err != nil {
		h.t.Fatalf("graceful stop: %v", err)
	}
}

func (h *killHarness) waitReady() {
	h.t.Helper()
	eventually(h.t, 30*time.Second, func() error { return ready(h.t.Context(), h.url) })
}

// poll reads the list of incidents all the time, also while the program starts.
func (h *killHarness) poll(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
		begun := h.newest()
		rows, err := pages(ctx, h.url+"/api/v1/incidents", "incidents")
		if err != nil {
			continue // it is down, or its board is not complete yet
		}
		seen := map[string]bool{}
		for _, raw := range rows {
			seen[h.see(raw, begun)] = true
		}
		for id := range begun {
			if !seen[id] {
				h.t.Errorf("incident %s has vanished", id)
			}
		}
	}
}

// newest is a copy of the newest revisions seen so far.
func (h *killHarness) newest() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.several { // one process may have read a moment less than another
		return map[string]int{}
	}
	return maps.Clone(h.revisions)
}

// see notes a row that the program showed. It must not be older than what had been seen when it
// was asked for.
func (h *killHarness) see(raw []byte, begun map[string]int) string {
	var row struct {
		ID       string `json:"id"`
		Revision int    `json:"revision"`
	}
	if err := json.Unmarshal(raw, &row); err != nil {
		h.t.Errorf("row %s: %v", raw, err)
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if row.Revision < begun[row.ID] {
		h.t.Errorf("incident %s was at revision %d and went back to %d", row.ID, begun[row.ID], row.Revision)
	}
	h.revisions[row.ID] = max(h.revisions[row.ID], row.Revision)
	h.shown[fmt.Sprintf("%s/%d", row.ID, row.Revision)] = raw
	return row.ID
}
