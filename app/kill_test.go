package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// kills is how often TestKilledUnderLoad ends the program with SIGKILL.
const kills = 20

// TestKilledUnderLoad sends alerts, commands and estates while the program is killed at random
// moments. Whatever was acknowledged is there exactly once, ids stay and revisions never go back,
// and the state equals a replay of the exported records.
func TestKilledUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process 20 times")
	}
	h := newKillHarness(t)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for worker := range 3 {
		load.Go(func() { h.sendAlerts(ctx, worker) })
	}
	load.Go(func() { h.sendCommands(ctx) })
	load.Go(func() { h.sendEstates(ctx) })
	for n := range kills {
		// Some kills hit the recovery itself, most the work after it.
		if n%4 != 3 {
			h.waitReady()
			h.checkRevisions()
		}
		pause(ctx, time.Duration(50+rand.IntN(450))*time.Millisecond)
		h.kill()
		h.start()
	}
	h.waitReady()
	pause(ctx, 300*time.Millisecond)
	stop()
	load.Wait()

	h.checkRevisions()
	h.checkAcknowledged()
	live := h.incidents()
	h.terminate()
	h.checkReplay(live)
	t.Logf("%d kills, %d alerts acknowledged, %d commands answered, %d estates adopted, %d incidents",
		kills, len(h.acked), h.commands, h.estates, len(live))
	if len(h.acked) == 0 || h.commands == 0 || h.estates == 0 {
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

type killHarness struct {
	t              *testing.T
	dir, addr, url string
	cmd            *exec.Cmd
	log            *os.File

	mu                sync.Mutex
	acked             map[string]bool // host label of each acknowledged alert
	commands, estates int
	revisions         map[string]int
}

func newKillHarness(t *testing.T) *killHarness {
	t.Helper()
	addr := freeAddr(t)
	h := &killHarness{t: t, dir: t.TempDir(), addr: addr, url: "http://" + addr, acked: map[string]bool{}, revisions: map[string]int{}}
	log, err := os.Create(filepath.Join(h.dir, "log"))
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

func (h *killHarness) start() {
	h.t.Helper()
	h.cmd = program(context.WithoutCancel(h.t.Context()), h.t, "serve", "--listen", h.addr, "--data-dir", filepath.Join(h.dir, "data"))
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

// sendAlerts sends alerts, each with a host of its own, and resolves some of them later. What
// was not answered 2xx is sent again, as Alertmanager does.
func (h *killHarness) sendAlerts(ctx context.Context, worker int) {
	var before []map[string]any
	for n := 0; ctx.Err() == nil; n++ {
		batch := slices.Clone(before)
		var hosts []string
		for i := range 20 {
			host := fmt.Sprintf("w%d-n%d-i%d", worker, n, i)
			hosts = append(hosts, host)
			batch = append(batch, map[string]any{
				"labels":   map[string]string{"alertname": "HostDown", "host": host, "rack": fmt.Sprintf("rack-%d", (n+i)%7), "severity": "critical"},
				"startsAt": time.Now().UTC().Format(time.RFC3339Nano), "endsAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano),
			})
		}
		for ctx.Err() == nil {
			status, _, err := send(ctx, http.MethodPost, h.url+"/api/v2/alerts", batch, nil)
			if err == nil && status == http.StatusOK {
				h.mu.Lock()
				for _, host := range hosts {
					h.acked[host] = true
				}
				h.mu.Unlock()
				break
			}
			pause(ctx, 10*time.Millisecond)
		}
		pause(ctx, 15*time.Millisecond)
		before = nil
		for _, a := range batch[max(0, len(batch)-20):][:5] { // a quarter is resolved with the next batch
			resolved := maps.Clone(a)
			resolved["endsAt"] = time.Now().UTC().Format(time.RFC3339Nano)
			before = append(before, resolved)
		}
	}
}

// sendCommands comments and acknowledges. A command is repeated with its key until it is
// answered, so it must take effect once.
func (h *killHarness) sendCommands(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var page struct {
			Incidents []struct {
				ID string `json:"id"`
			} `json:"incidents"`
		}
		if err := get(ctx, h.url+"/api/v1/incidents?limit=50", &page); err != nil || len(page.Incidents) == 0 {
			pause(ctx, 10*time.Millisecond)
			continue
		}
		id := page.Incidents[n%len(page.Incidents)].ID
		action, body := "comment", map[string]any{"text": fmt.Sprintf("note %d", n), "by": "maria"}
		if n%3 == 0 {
			action, body = "acknowledge", map[string]any{"by": "maria"}
		}
		for ctx.Err() == nil {
			status, _, err := send(ctx, http.MethodPost, h.url+"/api/v1/incidents/"+id+"/"+action, body,
				map[string]string{"Idempotency-Key": fmt.Sprintf("key-%d", n)})
			if err == nil && status != http.StatusServiceUnavailable && status != http.StatusAccepted {
				h.mu.Lock()
				h.commands++
				h.mu.Unlock()
				break
			}
			pause(ctx, 10*time.Millisecond)
		}
	}
}

// sendEstates changes what is known of the racks while alerts come in.
func (h *killHarness) sendEstates(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var b strings.Builder
		b.WriteString("items:\n")
		for rack := range 7 {
			fmt.Fprintf(&b, "  - {id: rack-%d, class: switch, name: Rack %d of %d, identifiers: [{rack: rack-%d}]}\n", rack, rack, n, rack)
		}
		status, _, err := send(ctx, http.MethodPut, h.url+"/api/v1/estate?origin=test", b.String(), nil)
		if err == nil && status == http.StatusOK {
			h.mu.Lock()
			h.estates++
			h.mu.Unlock()
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// checkRevisions reads every incident and compares it with what was seen before.
func (h *killHarness) checkRevisions() {
	h.t.Helper()
	seen := map[string]int{}
	for _, raw := range h.rows("/api/v1/incidents", "incidents") {
		var row struct {
			ID       string `json:"id"`
			Revision int    `json:"revision"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			h.t.Fatal(err)
		}
		seen[row.ID] = row.Revision
	}
	for id, before := range h.revisions {
		if now, there := seen[id]; !there || now < before {
			h.t.Errorf("incident %s was at revision %d and is now at %d (there: %t)", id, before, now, there)
		}
	}
	h.revisions = seen
}

func (h *killHarness) rows(path, field string) []json.RawMessage {
	h.t.Helper()
	rows, err := pages(h.t.Context(), h.url+path, field)
	if err != nil {
		h.t.Fatal(err)
	}
	return rows
}

// checkAcknowledged requires each acknowledged alert to be in one incident, with one period.
func (h *killHarness) checkAcknowledged() {
	h.t.Helper()
	count := map[string]int{}
	for _, inc := range h.incidents() {
		if inc.MergedInto != nil {
			continue
		}
		for _, a := range inc.Alerts {
			count[a.Labels.Get("host")] += a.Count
		}
	}
	for host := range h.acked {
		if count[host] != 1 {
			h.t.Errorf("alert of %s was acknowledged and counts %d times", host, count[host])
		}
	}
}

// incidents returns every incident with all its alerts, as the API shows them.
func (h *killHarness) incidents() []itsm.Incident {
	h.t.Helper()
	var out []itsm.Incident
	for _, raw := range h.rows("/api/v1/incidents?sort=openedAt", "incidents") {
		var inc itsm.Incident
		if err := json.Unmarshal(raw, &inc); err != nil {
			h.t.Fatal(err)
		}
		for _, raw := range h.rows("/api/v1/incidents/"+inc.ID+"/alerts", "alerts") {
			var a itsm.AlertState
			if err := json.Unmarshal(raw, &a); err != nil {
				h.t.Fatal(err)
			}
			inc.Alerts = append(inc.Alerts, a)
		}
		out = append(out, inc)
	}
	return out
}

// checkReplay exports the recorded inputs, replays them and compares every incident.
func (h *killHarness) checkReplay(live []itsm.Incident) {
	h.t.Helper()
	events, out := filepath.Join(h.dir, "events.jsonl"), filepath.Join(h.dir, "incidents.jsonl")
	runProgram(h.t, "export", "--data-dir", filepath.Join(h.dir, "data"), "--out", events)
	runProgram(h.t, "replay", "--events", events, "--out", out)
	data, err := os.ReadFile(out)
	if err != nil {
		h.t.Fatal(err)
	}
	replayed := map[string]itsm.Incident{}
	for line := range strings.Lines(string(data)) {
		var inc itsm.Incident
		if err := json.Unmarshal([]byte(line), &inc); err != nil {
			h.t.Fatal(err)
		}
		replayed[inc.ID] = inc
	}
	if len(replayed) != len(live) {
		h.t.Errorf("%d incidents live, %d replayed", len(live), len(replayed))
	}
	byFingerprint := func(a, b itsm.AlertState) int {
		return strings.Compare(a.Fingerprint.String(), b.Fingerprint.String())
	}
	for _, inc := range live {
		again := replayed[inc.ID]
		slices.SortFunc(inc.Alerts, byFingerprint)
		slices.SortFunc(again.Alerts, byFingerprint)
		row := again.Row()
		row.Alerts = again.Alerts // the lists of the API have rows, without evidence of causes
		if inc.MergedInto != nil {
			inc.Alerts, row.Alerts = nil, nil // followed to the successor on reading
		}
		for _, alerts := range [][]itsm.AlertState{inc.Alerts, row.Alerts} {
			for i := range alerts { // on the topic as of the last publication: a re-send publishes nothing
				alerts[i].LastSeenAt = time.Time{}
			}
		}
		if diff := cmp.Diff(asJSON(h.t, inc), asJSON(h.t, row)); diff != "" {
			h.t.Errorf("incident %s differs from its replay (-live +replay):\n%s", inc.Number, diff)
			return
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
