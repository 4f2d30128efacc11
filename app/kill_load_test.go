package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/itsm"
)

// post sends a body until it is answered with something final, as Alertmanager does, and returns
// the status; 0 when ctx ended before.
func (h *killHarness) post(ctx context.Context, path string, body any, header map[string]string) int {
	for ; ctx.Err() == nil; pause(ctx, 10*time.Millisecond) {
		status, _, err := send(ctx, http.MethodPost, h.url+path, body, header)
		if err == nil && status != http.StatusServiceUnavailable && status != http.StatusAccepted {
			return status
		}
	}
	return 0
}

// sendAlerts sends alerts that fire once, each with a host of its own, some of them twice, as HA
// pairs do, and resolves some of them later.
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
		for range 1 + n%2 {
			if h.post(ctx, "/api/v2/alerts", batch, nil) == http.StatusOK {
				h.mu.Lock()
				for _, host := range hosts {
					h.alerts[host] = true
				}
				h.mu.Unlock()
			}
		}
		pause(ctx, slower*30*time.Millisecond)
		before = nil
		for _, a := range batch[max(0, len(batch)-20):][:5] { // a quarter is resolved with the next batch
			resolved := maps.Clone(a)
			resolved["endsAt"] = time.Now().UTC().Format(time.RFC3339Nano)
			before = append(before, resolved)
		}
	}
}

// sendNoise sends what comes and goes: alerts of a Prometheus that expire when they are not sent
// again, alerts that flap, events that are over at once, deploys. Some name no item.
func (h *killHarness) sendNoise(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var batch []map[string]any
		for range 1 + rand.IntN(5) {
			labels := map[string]string{
				"alertname": fmt.Sprintf("Noise%d", rand.IntN(4)), "severity": []string{"critical", "warning", "info", "page"}[rand.IntN(4)],
				"app": fmt.Sprintf("app-%d", rand.IntN(5)),
			}
			a := map[string]any{"labels": labels, "annotations": map[string]string{"summary": fmt.Sprintf("noise %d", rand.IntN(3))}}
			if rand.IntN(3) == 0 {
				labels["rack"] = fmt.Sprintf("rack-%d", rand.IntN(7))
			}
			if rand.IntN(4) == 0 {
				a["endsAt"] = time.Now().UTC().Format(time.RFC3339Nano)
			}
			batch = append(batch, a)
		}
		h.post(ctx, "/api/v2/alerts", batch, nil)
		if n%5 == 0 {
			at := time.Now().UTC().Format(time.RFC3339Nano)
			h.post(ctx, "/api/v1/ingest/events", fmt.Sprintf(`{"change":{"id":"deploy-%d","kind":"deploy","items":["rack-%d"],"title":"release %d","status":"succeeded","startsAt":%q}}
{"alert":{"status":"firing","labels":{"alertname":"Trap","rack":"rack-%d","trap":"%d"},"startsAt":%q,"endsAt":%q}}
`, n, n%7, n, at, n%7, rand.IntN(50), at, at), nil)
		}
		pause(ctx, slower*time.Duration(rand.IntN(100))*time.Millisecond)
	}
}

// sendCommands does what operators do, on incidents as they are. A command is repeated with its
// key until it is answered, so it must take effect once.
func (h *killHarness) sendCommands(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var page struct {
			Incidents []itsm.Incident `json:"incidents"`
		}
		if err := get(ctx, h.url+"/api/v1/incidents?limit=100", &page); err != nil || len(page.Incidents) == 0 {
			pause(ctx, 10*time.Millisecond)
			continue
		}
		inc := page.Incidents[rand.IntN(len(page.Incidents))]
		other := page.Incidents[rand.IntN(len(page.Incidents))]
		action, body := h.command(ctx, n, inc, other)
		if body == nil {
			continue
		}
		body["by"] = "maria"
		status := h.post(ctx, "/api/v1/incidents/"+inc.ID+"/"+string(action), body, map[string]string{"Idempotency-Key": fmt.Sprintf("key-%d", n)})
		h.mu.Lock()
		switch {
		case status == http.StatusOK && action == itsm.ActionComment:
			h.comments[body["text"].(string)] = inc.ID
		case status == http.StatusOK:
			h.commands++
		}
		h.mu.Unlock()
	}
}

// command chooses what to do with an incident; a nil body means nothing.
func (h *killHarness) command(ctx context.Context, n int, inc, other itsm.Incident) (itsm.Action, map[string]any) {
	soon := time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano)
	switch n % 16 {
	case 0, 1, 2:
		return itsm.ActionComment, map[string]any{"text": fmt.Sprintf("note %d", n)}
	case 3:
		return itsm.ActionAcknowledge, map[string]any{}
	case 4:
		return itsm.ActionAssign, map[string]any{"team": "netops", "person": "maria"}
	case 5:
		return itsm.ActionPriority, map[string]any{"priority": 1 + n/16%5, "reason": "drill"}
	case 6:
		return itsm.ActionHold, map[string]any{"reason": "awaiting_vendor", "until": soon}
	case 7:
		return itsm.ActionSnooze, map[string]any{"until": soon}
	case 8:
		return itsm.ActionResolve, map[string]any{"code": "fixed"}
	case 9:
		return itsm.ActionReopen, map[string]any{}
	case 10:
		return itsm.ActionMerge, map[string]any{"into": other.ID}
	case 11, 12:
		return h.moveSome(ctx, n, inc, other)
	case 13:
		return itsm.ActionConfirmCause, map[string]any{"item": fmt.Sprintf("rack-%d", n%7)}
	case 14:
		return itsm.ActionRejectCause, map[string]any{"item": fmt.Sprintf("rack-%d", n%7)}
	}
	return h.undoLast(ctx, inc)
}

// moveSome splits the first alerts off, or moves them to another incident.
func (h *killHarness) moveSome(ctx context.Context, n int, inc, other itsm.Incident) (itsm.Action, map[string]any) {
	var page struct {
		Alerts []itsm.AlertState `json:"alerts"`
	}
	if err := get(ctx, h.url+"/api/v1/incidents/"+inc.ID+"/alerts?limit=3", &page); err != nil || len(page.Alerts) == 0 {
		return "", nil
	}
	var alerts []string
	for _, a := range page.Alerts {
		alerts = append(alerts, a.Fingerprint.String())
	}
	if n%16 == 11 {
		return itsm.ActionSplit, map[string]any{"alerts": alerts}
	}
	return itsm.ActionMove, map[string]any{"alerts": alerts, "to": other.ID}
}

// undoLast takes back the last decision that can be.
func (h *killHarness) undoLast(ctx context.Context, inc itsm.Incident) (itsm.Action, map[string]any) {
	rows, err := pages(ctx, h.url+"/api/v1/incidents/"+inc.ID+"/timeline", "entries")
	if err != nil {
		return "", nil
	}
	for _, raw := range slices.Backward(rows) {
		var entry itsm.Entry
		if json.Unmarshal(raw, &entry) == nil && entry.Undoable {
			return itsm.ActionUndo, map[string]any{"entry": entry.Seq}
		}
	}
	return "", nil
}

// sendEstates changes what is known of the racks while alerts come in: their names, and now and
// then what they hang on.
func (h *killHarness) sendEstates(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		var b strings.Builder
		b.WriteString("items:\n  - {id: core, class: switch}\n")
		for rack := range 7 {
			fmt.Fprintf(&b, "  - {id: rack-%d, class: switch, name: Rack %d of %d, identifiers: [{rack: rack-%d}]}\n", rack, rack, n, rack)
		}
		if n%3 == 2 {
			b.WriteString("relations:\n")
			for rack := range 3 {
				fmt.Fprintf(&b, "  - {from: rack-%d, type: connects_to, to: core}\n", rack)
			}
		}
		status, _, err := send(ctx, http.MethodPut, h.url+"/api/v1/estate?origin=test", b.String(), nil)
		if err == nil && status == http.StatusOK {
			h.mu.Lock()
			h.estates++
			h.mu.Unlock()
		}
		pause(ctx, 180*time.Millisecond+slower*20*time.Millisecond)
	}
}

// boardWatcher follows the board as a browser does: a snapshot, then deltas from its position,
// and after a broken connection deltas from the position it had reached.
type boardWatcher struct {
	h        *killHarness
	board    chan map[string]json.RawMessage // the rows by id, taken out by whoever looks
	position struct {
		Epoch  string `json:"epoch"`
		Offset int64  `json:"offset"`
	}
	deltas, resumed int
}

func newBoardWatcher(h *killHarness) *boardWatcher {
	w := &boardWatcher{h: h, board: make(chan map[string]json.RawMessage, 1)}
	w.board <- map[string]json.RawMessage{}
	return w
}

func (w *boardWatcher) run(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, 10*time.Millisecond) {
		if w.position.Epoch == "" && w.snapshot(ctx) != nil {
			continue
		}
		conn, resp, err := websocket.DefaultDialer.DialContext(ctx,
			fmt.Sprintf("ws://%s/api/v1/stream?epoch=%s&offset=%d", w.h.addr, w.position.Epoch, w.position.Offset), nil)
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		w.resumed++
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		for w.message(conn) {
		}
		stop()
		_ = conn.Close()
	}
}

func (w *boardWatcher) snapshot(ctx context.Context) error {
	var board struct {
		Position  json.RawMessage   `json:"position"`
		Incidents []json.RawMessage `json:"incidents"`
	}
	begun := w.h.newest()
	if err := get(ctx, w.h.url+"/api/v1/board", &board); err != nil {
		return err
	}
	rows := map[string]json.RawMessage{}
	for _, raw := range board.Incidents {
		rows[w.h.see(raw, begun)] = raw
	}
	<-w.board
	w.board <- rows
	return json.Unmarshal(board.Position, &w.position)
}

// message takes one message in and tells whether to go on.
func (w *boardWatcher) message(conn *websocket.Conn) bool {
	_, data, err := conn.ReadMessage()
	if err != nil {
		return false
	}
	var msg struct {
		Type     string            `json:"type"`
		Position json.RawMessage   `json:"position"`
		Upsert   []json.RawMessage `json:"upsert"`
		Remove   []string          `json:"remove"`
	}
	if err := json.Unmarshal(data, &msg); err != nil {
		w.h.t.Errorf("message %s: %v", data, err)
		return false
	}
	if msg.Type == "resync" {
		w.position.Epoch = ""
		return false
	}
	rows := <-w.board
	for _, raw := range msg.Upsert {
		rows[w.h.see(raw, nil)] = raw
		w.deltas++
	}
	for _, id := range msg.Remove {
		delete(rows, id)
	}
	w.board <- rows
	return json.Unmarshal(msg.Position, &w.position) == nil
}

// check waits until the watcher's board is the one that a new reader gets.
func (w *boardWatcher) check() {
	w.h.t.Helper()
	eventually(w.h.t, 10*time.Second, func() error {
		var board struct {
			Incidents []json.RawMessage `json:"incidents"`
		}
		if err := get(w.h.t.Context(), w.h.url+"/api/v1/board", &board); err != nil {
			return err
		}
		rows := <-w.board
		defer func() { w.board <- rows }()
		if len(rows) != len(board.Incidents) {
			return fmt.Errorf("the watcher has %d rows, the board %d", len(rows), len(board.Incidents))
		}
		for _, raw := range board.Incidents {
			var row struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(raw, &row); err != nil {
				return err
			}
			if string(rows[row.ID]) != string(raw) {
				return fmt.Errorf("the watcher has %s, the board %s", rows[row.ID], raw)
			}
		}
		return nil
	})
}
