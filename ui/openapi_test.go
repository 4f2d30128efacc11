package ui_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"signalbox/app"
	"signalbox/store/chdb"
	"signalbox/ui"
)

// house is the whole program behind a real listener; every exchange with it is held against the
// OpenAPI document.
type house struct {
	t        *testing.T
	url      string
	contract *ui.Contract
}

func newHouse(t *testing.T) *house {
	t.Helper()
	contract, err := ui.NewContract()
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.DefaultConfig()
	cfg.Server.Listen, cfg.Server.DataDir = "127.0.0.1:0", t.TempDir()
	a, err := app.New(t.Context(), app.Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	h := &house{t: t, url: "http://" + a.Addr(), contract: contract}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	h.eventually("ready", func() bool { status, _ := h.send(http.MethodGet, "/-/ready", ""); return status == http.StatusOK })
	return h
}

// eventually asks until the answer is yes.
func (h *house) eventually(what string, ask func() bool) {
	h.t.Helper()
	deadline, tick := time.NewTimer(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-deadline.C:
			h.t.Fatalf("never: %s", what)
		}
	}
}

// send makes one exchange and checks it.
func (h *house) send(method, uri, body string, headers ...string) (int, []byte) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+uri, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		h.t.Fatal(err)
	}
	x := ui.Exchange{Method: method, URI: uri, Body: body, Header: req.Header, Status: resp.StatusCode, Got: resp.Header, Answer: got}
	if err := h.contract.Check(x); err != nil {
		h.t.Errorf("%s %s: %v", method, uri, err)
	}
	return resp.StatusCode, got
}

// want sends and insists on a status.
func (h *house) want(status int, method, uri, body string, headers ...string) []byte {
	h.t.Helper()
	got, answer := h.send(method, uri, body, headers...)
	if got != status {
		h.t.Errorf("%s %s: %d %.500s, want %d", method, uri, got, answer, status)
	}
	return answer
}

func get[T any](h *house, uri string) T {
	h.t.Helper()
	var v T
	if err := json.Unmarshal(h.want(http.StatusOK, http.MethodGet, uri, ""), &v); err != nil {
		h.t.Fatal(err)
	}
	return v
}

type board struct {
	Position struct {
		Epoch  string
		Offset int64
	}
	Incidents []struct {
		ID, State       string
		CommandRevision int
	}
}

const estate = `
items:
  - {id: sw-1, class: switch, name: Core switch 1, identifiers: [{hostname: sw-1}]}
  - {id: host-a, class: host, identifiers: [{hostname: host-a}]}
  - {id: host-b, class: host, identifiers: [{hostname: host-b}]}
  - {id: host-c, class: host, identifiers: [{hostname: host-c}]}
relations:
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: host-b, type: connects_to, to: sw-1}
  - {from: host-c, type: connects_to, to: sw-1}
`

// TestDocument lives through an incident with everything the document lists.
func TestDocument(t *testing.T) {
	h := newHouse(t)
	if err := h.contract.Valid(); err != nil {
		t.Errorf("not OpenAPI 3.1: %v", err)
	}
	h.estate()
	h.patterns()
	h.doors()
	h.eventually("two incidents", func() bool { return len(get[board](h, "/api/v1/board").Incidents) >= 2 })
	h.stream()
	h.lists()
	h.alertmanager()
	h.history()
	h.commands()
	h.problems()
	h.operation()
	if unused := h.contract.Unused(); len(unused) > 0 {
		t.Errorf("operations of the document that no test touches: %v", unused)
	}
}

func (h *house) patterns() {
	h.t.Helper()
	h.want(http.StatusOK, http.MethodPost, "/api/v1/patterns/adopt", "")
	h.want(http.StatusOK, http.MethodPut, "/api/v1/patterns", `{"type_label":"alertname","scope":"anywhere","patterns":[
		{"cause":"QueueFull","effect":"BillingLate","score":0.9,"support":40,"lag_seconds":{"p50":10,"p90":20},"relation":""}],"rates":[]}`)
	h.want(http.StatusUnprocessableEntity, http.MethodPut, "/api/v1/patterns", `{"type_label":"alertname","patterns":[{"cause":"A"}]}`)
	h.want(http.StatusBadRequest, http.MethodPut, "/api/v1/patterns", `{`)
	h.want(http.StatusOK, http.MethodPost, "/api/v1/patterns/switch", `{"cause":"QueueFull","effect":"BillingLate","on":false}`)
	h.want(http.StatusNotFound, http.MethodPost, "/api/v1/patterns/switch", `{"cause":"QueueFull","effect":"Other","on":false}`)
	h.want(http.StatusBadRequest, http.MethodPost, "/api/v1/patterns/switch", `{"cause":"QueueFull"}`)
	got := h.want(http.StatusOK, http.MethodGet, "/api/v1/patterns", "")
	if !strings.Contains(string(got), `"state":"off"`) {
		h.t.Errorf("what was switched off: %s", got)
	}
}

func (h *house) estate() {
	h.t.Helper()
	h.want(http.StatusOK, http.MethodPut, "/api/v1/estate", estate, "Content-Type", "application/yaml")
	h.want(http.StatusOK, http.MethodPut, "/api/v1/estate?origin=importer:x", `{"items":[{"id":"web","class":"service"}],"relations":[{"from":"web","type":"runs_on","to":"host-a"}]}`)
	h.want(http.StatusBadRequest, http.MethodPut, "/api/v1/estate", "items: [{id: a}]", "Content-Type", "application/yaml")
	h.want(http.StatusOK, http.MethodGet, "/api/v1/estate", "")
	h.want(http.StatusOK, http.MethodGet, "/api/v1/estate", "", "Accept", "application/json")
	h.want(http.StatusOK, http.MethodGet, "/api/v1/items?class=host&q=host&limit=1", "")
	h.want(http.StatusOK, http.MethodGet, "/api/v1/items/sw-1/impact", "")
	h.want(http.StatusOK, http.MethodGet, "/api/v1/relations?item=sw-1&type=connects_to", "")
	h.want(http.StatusNotFound, http.MethodGet, "/api/v1/items/nope", "")
}

func (h *house) doors() {
	h.t.Helper()
	at := time.Now().UTC().Add(-time.Minute).Format(time.RFC3339)
	alert := func(name, host string) string {
		return fmt.Sprintf(`{"status":"firing","labels":{"alertname":%q,"hostname":%q,"severity":"critical"},"annotations":{"summary":"it is down"},"startsAt":%q}`, name, host, at)
	}
	h.want(http.StatusOK, http.MethodPost, "/api/v1/ingest/alertmanager?source=am-1", `{"version":"4","groupKey":"{}:{alertname=\"HostDown\"}","status":"firing","receiver":"signalbox",
		"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am","truncatedAlerts":0,"alerts":[`+alert("HostDown", "host-a")+`,`+alert("HostDown", "host-b")+
		`,`+alert("HostDown", "host-c")+`]}`)
	h.want(http.StatusBadRequest, http.MethodPost, "/api/v1/ingest/alertmanager", `{"version":"4","alerts":[{"status":"firing","labels":{}}]}`)
	h.want(http.StatusBadRequest, http.MethodPost, "/api/v1/ingest/alertmanager", `[`)
	h.want(http.StatusBadRequest, http.MethodPost, "/api/v1/ingest/alertmanager/events", `{}`)
	h.want(http.StatusOK, http.MethodPost, "/api/v2/alerts?source="+url.QueryEscape("http://am:9093/x y"), `[`+alert("Slow", "elsewhere")+`]`)
	h.want(http.StatusOK, http.MethodPost, "/api/v1/ingest/alertmanager/events", `[{"instance":"am-1","data":{"alertCreated":{"alert":{"labels":{"labels":[{"key":"alertname","value":"Slow"},
		{"key":"hostname","value":"elsewhere"},{"key":"severity","value":"critical"}]},"annotations":{"labels":[{"key":"summary","value":"it is down"}]},"startsAt":"`+at+`"}}}}]`)
	h.want(http.StatusBadRequest, http.MethodPost, "/api/v2/alerts", `[{"labels":{}}]`)
	h.want(http.StatusOK, http.MethodPost, "/api/v1/ingest/events", `{"change":{"id":"deploy-77","kind":"deploy","items":["web"],"title":"web 1.9","status":"succeeded"}}`+"\n"+`{"alert":`+alert("Odd", "elsewhere")+`}`,
		"Content-Type", "application/x-ndjson")
	h.want(http.StatusOK, http.MethodPost, "/api/v1/ingest/test", "")
}

func (h *house) lists() {
	h.t.Helper()
	b := get[board](h, "/api/v1/board")
	id := b.Incidents[0].ID
	for _, uri := range []string{
		"/api/v1/incidents", "/api/v1/incidents?state=new&sort=-alerts&limit=1&q=priority%3C%3D5", "/api/v1/incidents/" + id, "/api/v1/incidents/" + id + "/alerts?sort=-startsAt",
		"/api/v1/incidents/" + id + "/timeline?sort=-seq", "/api/v1/incidents/" + id + "/path", "/api/v1/incidents/" + id + "/sla", "/api/v1/incidents/" + id + "/impact", "/api/v1/alerts?limit=2&q=status%3Dfiring", "/api/v1/items/host-a",
		"/api/v1/status", "/api/v1/openapi.yaml", "/api/v1/sources",
	} {
		h.want(http.StatusOK, http.MethodGet, uri, "")
	}
	h.want(http.StatusOK, http.MethodGet, "/api/v1/sources/"+url.PathEscape("http://am:9093/x y")+"/last", "")
	h.want(http.StatusNotFound, http.MethodGet, "/api/v1/sources/nobody/last", "")
	h.want(http.StatusBadRequest, http.MethodGet, "/api/v1/incidents?limit=0", "")
	h.want(http.StatusNotFound, http.MethodGet, "/api/v1/incidents/nope", "")
}

// alertmanager reads and tries to write as the tools of Alertmanager do.
func (h *house) alertmanager() {
	h.t.Helper()
	if alerts := get[[]struct{ Fingerprint string }](h, "/api/v2/alerts?filter=alertname%3D~%22Host.%2A%22&active=true&silenced=false"); len(alerts) != 3 {
		h.t.Errorf("alerts of three hosts are expected, got %d", len(alerts))
	}
	for _, uri := range []string{"alerts/groups?muted=false&receiver=signalbox", "receivers", "status", "silences?expired=false"} {
		h.want(http.StatusOK, http.MethodGet, "/api/v2/"+uri, "")
	}
	h.want(http.StatusBadRequest, http.MethodGet, "/api/v2/alerts?filter=HostDown", "")
	h.want(http.StatusNotFound, http.MethodGet, "/api/v2/silence/7b0e5e4f-3a53-4d5e-9d7c-2f2ba62b9a55", "")
	h.want(http.StatusNotFound, http.MethodDelete, "/api/v2/silence/7b0e5e4f-3a53-4d5e-9d7c-2f2ba62b9a55", "")
	body := fmt.Sprintf(`{"matchers":[{"name":"alertname","value":"Host.*","isRegex":true}],"startsAt":%q,"endsAt":%q,"createdBy":"maria","comment":"planned"}`,
		time.Now().Format(time.RFC3339), time.Now().Add(time.Hour).Format(time.RFC3339))
	h.want(http.StatusOK, http.MethodPost, "/api/v2/silences", body)
	silences := get[[]struct{ ID string }](h, "/api/v2/silences")
	if len(silences) != 1 {
		h.t.Fatalf("one silence is expected, got %v", silences)
	}
	h.want(http.StatusOK, http.MethodGet, "/api/v2/alerts", "")
	h.want(http.StatusOK, http.MethodGet, "/api/v2/silence/"+silences[0].ID, "")
	page := get[struct {
		Silences []struct {
			State  string
			Alerts int
		}
	}](h, "/api/v1/silences")
	if len(page.Silences) != 1 || page.Silences[0].State != "active" || page.Silences[0].Alerts != 3 {
		h.t.Errorf("one silence that holds three alerts is expected, got %+v", page)
	}
	h.want(http.StatusOK, http.MethodDelete, "/api/v2/silence/"+silences[0].ID, "")
	h.want(http.StatusOK, http.MethodGet, "/api/v2/silences", "")
}

// history asks for the past: of the embedded engine where it is there, else for the way to get it.
func (h *house) history() {
	h.t.Helper()
	id := get[board](h, "/api/v1/board").Incidents[0].ID
	want := http.StatusOK
	if _, err := os.Stat(chdb.Find("")); err != nil && os.Getenv("REQUIRE_CHDB") == "" {
		want = http.StatusNotImplemented
	} else {
		h.eventually("the incident is history", func() bool {
			status, _ := h.send(http.MethodGet, "/api/v1/history/incidents/"+id+"/timeline", "")
			return status == http.StatusOK
		})
	}
	for _, uri := range []string{
		"alerts?limit=1&q=status%3Dfiring", "alerts?format=csv", "alerts?format=jsonl", "alerts/volume?buckets=10", "incidents?q=priority%3C%3D5",
		"incidents/" + id, "incidents/" + id + "/timeline", "changes",
	} {
		h.want(want, http.MethodGet, "/api/v1/history/"+uri, "")
	}
	if want == http.StatusOK {
		h.want(http.StatusBadRequest, http.MethodGet, "/api/v1/history/alerts?from=yesterday", "")
		h.want(http.StatusNotFound, http.MethodGet, "/api/v1/history/incidents/nope", "")
	}
}

// stream reads a ping and, from the beginning of the topic, a delta; then is sent to fetch the board.
func (h *house) stream() {
	h.t.Helper()
	b := get[board](h, "/api/v1/board")
	for uri, want := range map[string]string{
		fmt.Sprintf("/api/v1/stream?epoch=%s&offset=%d", b.Position.Epoch, b.Position.Offset): "ping",
		fmt.Sprintf("/api/v1/stream?epoch=%s&offset=0", b.Position.Epoch):                     "delta",
		"/api/v1/stream?epoch=older&offset=0":                                                 "resync",
	} {
		conn, resp, err := websocket.DefaultDialer.DialContext(h.t.Context(), "ws"+strings.TrimPrefix(h.url, "http")+uri, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			h.t.Fatal(err)
		}
		for kind := ""; kind != want; {
			_, message, err := conn.ReadMessage()
			if err != nil {
				h.t.Fatalf("%s: %v before a %s came", uri, err, want)
			}
			x := ui.Exchange{Method: http.MethodGet, URI: uri, Status: resp.StatusCode, Got: http.Header{"Content-Type": {"application/json"}}, Answer: message}
			if err := h.contract.Check(x); err != nil {
				h.t.Errorf("%s: %v", uri, err)
			}
			var m struct{ Type string }
			if err := json.Unmarshal(message, &m); err != nil {
				h.t.Fatal(err)
			}
			kind = m.Type
		}
		if err := conn.Close(); err != nil {
			h.t.Fatal(err)
		}
	}
	h.want(http.StatusBadRequest, http.MethodGet, "/api/v1/stream?epoch=x&offset=0", "") // no websocket
}

// commands does to one incident everything that can be done.
// The method problems makes a candidate by opening an incident again twice, and decides on it.
func (h *house) problems() {
	h.t.Helper()
	h.want(http.StatusOK, http.MethodPost, "/api/v2/alerts", `[{"labels":{"alertname":"Leak","hostname":"elsewhere","severity":"critical"}}]`)
	type list struct{ Incidents []struct{ ID string } }
	var leaks list
	h.eventually("an incident of the leak", func() bool {
		leaks = get[list](h, "/api/v1/incidents?q="+url.QueryEscape(`alertname="Leak"`))
		return len(leaks.Incidents) == 1
	})
	for _, action := range []string{"resolve", "reopen", "resolve", "reopen", "resolve"} {
		h.want(http.StatusOK, http.MethodPost, "/api/v1/incidents/"+leaks.Incidents[0].ID+"/"+action, "")
	}
	type candidates struct {
		Problems []struct{ ID, State string }
		Total    int
	}
	var page candidates
	h.eventually("a candidate", func() bool {
		page = get[candidates](h, "/api/v1/problems?state=proposed&sort=-cost&limit=1")
		return page.Total == 1
	})
	one := "/api/v1/problems/" + page.Problems[0].ID
	h.want(http.StatusOK, http.MethodGet, one, "")
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		status       int
		action, body string
	}{
		{200, "accept", `{"by":"maria","reason":"worth a look"}`},
		{200, "fixed", ""},
		{422, "fixed", `{"fixedAt":"2020-01-01T00:00:00Z"}`},
		{400, "dismiss", ""},
		{200, "dismiss", `{"reason":"the pipe is replaced"}`},
		{200, "suppress", `{"until":"` + later + `"}`},
		{422, "suppress", `{"until":"2020-01-01T00:00:00Z"}`},
		{200, "reopen", ""},
		{422, "reopen", ""},
		{400, "accept", `{"team":"netops"}`},
	} {
		h.want(c.status, http.MethodPost, one+"/"+c.action, c.body)
	}
	if page = get[candidates](h, "/api/v1/problems"); page.Total != 1 || page.Problems[0].State != "proposed" {
		h.t.Errorf("one proposed candidate is expected, got %+v", page)
	}
	h.want(http.StatusBadRequest, http.MethodGet, "/api/v1/problems?state=old", "")
	h.want(http.StatusNotFound, http.MethodGet, "/api/v1/problems/nope", "")
	h.want(http.StatusNotFound, http.MethodPost, "/api/v1/problems/nope/accept", "")
}

func (h *house) commands() {
	h.t.Helper()
	var id, other string
	for _, inc := range get[board](h, "/api/v1/board").Incidents {
		alerts := get[struct{ Total int }](h, "/api/v1/incidents/"+inc.ID+"/alerts").Total
		if alerts > 1 && id == "" {
			id = inc.ID
		} else {
			other = inc.ID
		}
	}
	fingerprint := get[struct {
		Alerts []struct{ Fingerprint string }
	}](h, "/api/v1/incidents/"+id+"/alerts").Alerts[0].Fingerprint
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		status       int
		action, body string
	}{
		{200, "start", ""},
		{200, "acknowledge", `{"by":"maria","comment":"on it"}`},
		{200, "unacknowledge", ""},
		{200, "hold", `{"reason":"awaiting_vendor","until":"` + later + `"}`},
		{200, "resume", ""},
		{200, "assign", `{"team":"netops","person":"maria"}`},
		{200, "assign", `{"team":null,"person":null}`},
		{200, "comment", `{"text":"looks like the switch","public":false}`},
		{200, "priority", `{"priority":2,"reason":"a holiday"}`},
		{200, "priority", `{"priority":null}`},
		{200, "snooze", `{"until":"` + later + `"}`},
		{200, "confirm_cause", `{"item":"sw-1"}`},
		{200, "reject_cause", `{"item":"host-b"}`},
		{200, "split", `{"alerts":["` + fingerprint + `"]}`},
		{200, "move", `{"alerts":["FINGERPRINT OF ANOTHER"],"to":"` + other + `"}`},
		{422, "merge", `{"into":"ITSELF"}`},
		{200, "resolve", `{"code":"fixed","notes":"replaced"}`},
		{200, "reopen", ""},
		{200, "cancel", ""},
		{422, "hold", `{"reason":"awaiting_vendor"}`},
		{400, "hold", `{"why":"?"}`},
		{404, "dance", ""},
	} {
		body := strings.ReplaceAll(c.body, "ITSELF", id)
		if strings.Contains(body, "FINGERPRINT") {
			left := get[struct {
				Alerts []struct{ Fingerprint string }
			}](h, "/api/v1/incidents/"+id+"/alerts").Alerts
			i := slices.IndexFunc(left, func(a struct{ Fingerprint string }) bool { return a.Fingerprint != fingerprint })
			body = strings.ReplaceAll(body, "FINGERPRINT OF ANOTHER", left[i].Fingerprint)
		}
		h.want(c.status, http.MethodPost, "/api/v1/incidents/"+id+"/"+c.action, body)
	}
	h.want(http.StatusConflict, http.MethodPost, "/api/v1/incidents/"+other+"/acknowledge", "", "If-Match", `"7000"`)
	h.want(http.StatusOK, http.MethodPost, "/api/v1/incidents/"+other+"/comment", `{"text":"x"}`, "Idempotency-Key", "k1")
	h.want(http.StatusNotFound, http.MethodPost, "/api/v1/incidents/nope/acknowledge", "")
	h.mergeAndUndo(other)
}

func (h *house) mergeAndUndo(into string) {
	h.t.Helper()
	var from string
	for _, inc := range get[board](h, "/api/v1/board").Incidents {
		if inc.ID != into {
			from = inc.ID
		}
	}
	h.want(http.StatusOK, http.MethodPost, "/api/v1/incidents/"+from+"/merge", `{"into":"`+into+`"}`)
	var entry int
	for _, e := range get[struct {
		Entries []struct {
			Seq      int
			Undoable bool
		}
	}](h, "/api/v1/incidents/"+into+"/timeline").Entries {
		if e.Undoable {
			entry = e.Seq
		}
	}
	h.want(http.StatusOK, http.MethodPost, "/api/v1/incidents/"+into+"/undo", fmt.Sprintf(`{"entry":%d}`, entry))
	h.want(http.StatusOK, http.MethodPost, "/api/v1/incidents/"+into+"/resolve", "")
	h.want(http.StatusOK, http.MethodPost, "/api/v1/incidents/"+into+"/close", "")
}

func (h *house) operation() {
	h.t.Helper()
	h.want(http.StatusOK, http.MethodGet, "/-/healthy", "")
	h.want(http.StatusOK, http.MethodPost, "/-/reload", "")
	if metrics := h.want(http.StatusOK, http.MethodGet, "/metrics", ""); !bytes.Contains(metrics, []byte("signalbox_ui_requests_total")) {
		h.t.Errorf("metrics without those of the board")
	}
}

// TestForeignOrigins are refused before any other check, wherever they come to.
func TestForeignOrigins(t *testing.T) {
	h := newHouse(t)
	for id, route := range h.contract.Operations() {
		method, path, _ := strings.Cut(route, " ")
		h.foreign(id, method, strings.NewReplacer("{id}", "nope", "{action}", "dance").Replace(path))
	}
	h.foreign("unknown path", http.MethodGet, "/api/v9/nothing")
	h.foreign("unknown method", http.MethodDelete, "/api/v1/board")
	h.foreign("the app", http.MethodGet, "/")
	h.want(http.StatusOK, http.MethodGet, "/api/v1/board", "", "Origin", h.url)
}

func (h *house) foreign(what, method, path string) {
	h.t.Helper()
	for _, origin := range []string{"https://evil.example", "null", h.url + "0"} {
		status, body := h.send(method, path, "{", "Origin", origin, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
		if status != http.StatusForbidden || !bytes.Contains(body, []byte(`"foreign_origin"`)) {
			h.t.Errorf("%s: %s %s from %s: %d %s", what, method, path, origin, status, body)
		}
	}
}

// TestRoutes finds every route that the code registers in the document, and the other way round.
func TestRoutes(t *testing.T) {
	contract, err := ui.NewContract()
	if err != nil {
		t.Fatal(err)
	}
	route := regexp.MustCompile(`"(GET|POST|PUT|DELETE|PATCH) (/[^"]+)"`)
	door := regexp.MustCompile(`ingest.Receiver{.*Path: "(/[^"]+)"`) // each is a POST
	registered := map[string]bool{}
	for _, room := range []string{"../ui", "../ingest", "../app"} {
		err := filepath.WalkDir(room, func(file string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "web" || d.Name() == "demo" || d.Name() == "testdata"):
				return filepath.SkipDir
			case filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go"):
				return nil
			}
			code, err := os.ReadFile(file)
			for _, m := range route.FindAllStringSubmatch(string(code), -1) {
				registered[m[1]+" "+strings.ReplaceAll(m[2], "...}", "}")] = true
			}
			for _, m := range door.FindAllStringSubmatch(string(code), -1) {
				registered["POST "+m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	registered["GET /api/v1/items/{id}/impact"] = true // one handler serves it with the item: ids may hold slashes
	documented := map[string]bool{}
	for _, route := range contract.Operations() {
		documented[route] = true
	}
	if diff := cmp.Diff(documented, registered); diff != "" {
		t.Errorf("routes (-document +code):\n%s", diff)
	}
}
