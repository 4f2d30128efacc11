package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// With several shards numbers name the shard, an estate is in force once all have adopted it, and
// what would cross shards is refused with the reason.
func TestServe_severalShards(t *testing.T) {
	h := newKillHarness(t, nil)
	h.terminateWhenReady()
	conf := func(shards int) {
		t.Helper()
		text := fmt.Sprintf("kafka: {shards: %d}\ncorrelate: {shard_by: [site]}\n", shards)
		if err := os.WriteFile(h.path("signalbox.yml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The folder that the first start has filled holds one shard.
	conf(2)
	var out bytes.Buffer
	cmd := program(t.Context(), t, "serve", "--config", h.path("signalbox.yml"), "--listen", "127.0.0.1:0", "--data-dir", h.path("data"))
	cmd.Stderr = &out
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(out.String(), "set kafka.shards to 1") {
		t.Errorf("another number of shards: %v, %s", err, out.String())
	}

	if err := os.RemoveAll(h.path("data")); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.waitReady()
	estate := "items:\n  - {id: a, class: host, identifiers: [{site: vienna}]}\n"
	if status, body, err := send(t.Context(), http.MethodPut, h.url+"/api/v1/estate", estate, nil); err != nil || status != http.StatusOK {
		t.Fatalf("estate: %d %s %v", status, body, err)
	}
	byShard := map[int]itsm.Incident{}
	for _, site := range []string{"vienna", "graz", "linz", "wels"} {
		ls := itsm.NewLabels(map[string]string{"alertname": "HostDown", "site": site})
		alert := []map[string]any{{"labels": ls, "endsAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)}}
		if status := h.post(t.Context(), "/api/v2/alerts", alert, nil); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		eventually(t, 5*time.Second, func() error {
			shard := ls.Shard([]string{"site"}, 2)
			for _, inc := range h.incidents(t) {
				if strings.HasPrefix(inc.Number, fmt.Sprintf("INC-%d-", shard)) {
					byShard[shard] = inc
					return nil
				}
			}
			return fmt.Errorf("no incident of shard %d for %s", shard, site)
		})
	}
	if len(byShard) != 2 {
		t.Fatal("all sites are on one shard; choose others")
	}
	for action, body := range map[string]map[string]any{
		"merge": {"into": byShard[1].ID},
		"move":  {"to": byShard[1].Number, "alerts": []string{"0000000000000001"}},
	} {
		status, answer, err := send(t.Context(), http.MethodPost, h.url+"/api/v1/incidents/"+byShard[0].ID+"/"+action, body, nil)
		if err != nil || status != http.StatusUnprocessableEntity {
			t.Errorf("%s across shards: %d %s %v, want 422", action, status, answer, err)
		}
	}
	for _, inc := range byShard { // by number and by id, each command reaches its shard
		for _, ref := range []string{inc.ID, inc.Number} {
			status, answer, err := send(t.Context(), http.MethodPost, h.url+"/api/v1/incidents/"+ref+"/comment", map[string]any{"text": "seen"}, nil)
			if err != nil || status != http.StatusOK {
				t.Errorf("comment on %s: %d %s %v", ref, status, answer, err)
			}
		}
	}
	h.kill()
	h.start()
	h.waitReady()
	if got := len(h.incidents(t)); got < 2 {
		t.Errorf("%d incidents after a kill", got)
	}
	h.terminate()
}

func (h *killHarness) terminateWhenReady() {
	h.t.Helper()
	h.waitReady()
	h.terminate()
}

// incidents are the rows of all incidents.
func (h *killHarness) incidents(t *testing.T) []itsm.Incident {
	t.Helper()
	rows, err := pages(t.Context(), h.url+"/api/v1/incidents", "incidents")
	if err != nil {
		t.Fatal(err)
	}
	var out []itsm.Incident
	for _, raw := range rows {
		var inc itsm.Incident
		if err := json.Unmarshal(raw, &inc); err != nil {
			t.Fatal(err)
		}
		out = append(out, inc)
	}
	return out
}
