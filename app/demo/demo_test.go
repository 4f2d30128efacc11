package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/cmdb"
	"signalbox/correlate"
	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/ingest/events"
	"signalbox/itsm"
)

// house is the doors and an engine without a log between them, in the time of the test.
type house struct {
	t   *testing.T
	mux *http.ServeMux

	mu     sync.Mutex // of the feed and who looks at the board
	engine *correlate.Engine
	// refused lists the requests that were not answered 200.
	refused  []string
	commands int
}

func newHouse(t *testing.T) *house {
	t.Helper()
	engine, err := correlate.New(correlate.Options{Shards: 1, Config: correlate.DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, engine: engine, mux: http.NewServeMux()}
	doors, err := ingest.New(ingest.Options{
		Door: h, Config: ingest.DefaultConfig(), Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Receivers: []ingest.Receiver{alertmanager.Webhook(), alertmanager.Post(), events.Receiver()},
	})
	if err != nil {
		t.Fatal(err)
	}
	doors.Register(h.mux)
	h.mux.HandleFunc("GET /api/v1/alerts", h.findAlert)
	h.mux.HandleFunc("POST /api/v1/incidents/{id}/{action}", h.command)
	h.apply(itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "example", Data: Estate()}}})
	return h
}

func (h *house) apply(in itsm.Input) []itsm.Update { return h.engine.Apply(time.Now().UTC(), in) }

// Append is the log.
func (h *house) Append(_ context.Context, in itsm.Input) error {
	h.apply(in)
	return nil
}

// RoundTrip is the network.
func (h *house) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := httptest.NewRecorder()
	h.mux.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		h.refused = append(h.refused, fmt.Sprintf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body))
	}
	return w.Result(), nil
}

func (h *house) findAlert(w http.ResponseWriter, r *http.Request) {
	text := strings.TrimPrefix(r.URL.Query().Get("q"), "fingerprint=")
	fp, err := itsm.ParseFingerprint(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	list := []map[string]string{}
	if id := h.engine.Holder(fp, time.Now()); id != "" {
		list = append(list, map[string]string{"incident": id})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"alerts": list})
}

func (h *house) command(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	h.commands++
	c := itsm.Command{
		ID: strconv.Itoa(h.commands), Action: itsm.Action(r.PathValue("action")), Incident: itsm.IncidentRef{ID: r.PathValue("id")},
	}
	if err := json.Unmarshal(body, &c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := c.Validate(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, u := range h.apply(itsm.Input{Commands: []itsm.Command{c}}) {
		if o := u.Outcome; o != nil && o.Command == c.ID && o.Status != http.StatusOK {
			http.Error(w, o.Reason, o.Status)
		}
	}
}

// board is what is not closed.
func (h *house) board() []itsm.Incident {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engine.Advance(time.Now().UTC())
	return slices.DeleteFunc(h.engine.Incidents(), func(i itsm.Incident) bool { return i.State == itsm.StateClosed })
}

// play runs the feed in virtual time and shows the board at the given moments after the start.
func play(t *testing.T, looks map[time.Duration]func(t *testing.T, board []itsm.Incident)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		start := time.Now()
		go func() {
			done <- Run(ctx, Options{URL: "http://signalbox.test", Logger: slog.New(slog.DiscardHandler), Client: &http.Client{Transport: h}})
		}()
		for _, at := range slices.Sorted(maps.Keys(looks)) {
			time.Sleep(time.Until(start.Add(at)))
			synctest.Wait()
			looks[at](t, h.board())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, r := range h.refused {
			t.Error("refused:", r)
		}
	})
}

// describe is a board in the words of a test's failure.
func describe(board []itsm.Incident) string {
	var b strings.Builder
	for _, i := range board {
		fmt.Fprintf(&b, "%s P%d %s %q, %d of %d firing, causes", i.Number, i.Priority, i.State, i.Title, i.AlertCounts.Firing, i.AlertCounts.Total)
		for _, c := range i.Causes[:min(2, len(i.Causes))] {
			fmt.Fprintf(&b, " %s (%.2f)", c.Name, c.Score)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// latest returns the incident that was opened last of a board of n.
func latest(t *testing.T, board []itsm.Incident, n int) itsm.Incident {
	t.Helper()
	if len(board) != n {
		t.Fatalf("%d incidents, want %d:\n%s", len(board), n, describe(board))
	}
	return slices.MaxFunc(board, func(a, b itsm.Incident) int { return cmp.Compare(a.Number, b.Number) })
}

// TestRun plays the story that the program promises at its start.
func TestRun(t *testing.T) {
	play(t, map[time.Duration]func(*testing.T, []itsm.Incident){
		10 * time.Second: checkCalm,
		22 * time.Second: checkStorm,
		34 * time.Second: checkDeploy,
		55 * time.Second: checkPlant,
		62 * time.Second: checkReturn,
		30 * time.Minute: checkLater,
	})
}

// checkStorm looks for one P1 that names the switch which says nothing.
func checkStorm(t *testing.T, board []itsm.Incident) {
	t.Helper()
	storm := latest(t, board, 10)
	cause := storm.Causes[0]
	if cause.Item != "core-2" || cause.Change != nil || cause.Reporting || cause.Score < 0.7 {
		t.Errorf("the first cause of the storm is %+v, want the silent core switch 2", cause)
	}
	if storm.Priority != 1 || storm.AlertCounts.Firing != 140 || !strings.Contains(storm.Title, "Core switch 2") {
		t.Errorf("want one P1 with 140 alerts that names the switch:\n%s", describe(board))
	}
	if others := slices.DeleteFunc(board, func(i itsm.Incident) bool { return i.Priority != 1 }); len(others) != 1 {
		t.Errorf("want one P1:\n%s", describe(others))
	}
}

// checkDeploy looks for a second incident, with the deploy as its cause.
func checkDeploy(t *testing.T, board []itsm.Incident) {
	t.Helper()
	checkout := latest(t, board, 11)
	cause := checkout.Causes[0]
	if cause.Change == nil || *cause.Change != "deploy-77" || cause.Item != "checkout" {
		t.Errorf("the first cause is %+v, want the deploy of checkout", cause)
	}
	if checkout.AlertCounts.Firing != 7 || checkout.Priority != 2 {
		t.Errorf("want a P2 with 7 alerts:\n%s", describe(board))
	}
}

// checkPlant looks for one incident of the plant that names the gateway and holds what suffers.
func checkPlant(t *testing.T, board []itsm.Incident) {
	t.Helper()
	plant := latest(t, board, 12)
	if cause := plant.Causes[0]; cause.Item != "plc-gateway-2" {
		t.Errorf("the first cause is %+v, want PLC gateway 2", cause)
	}
	for _, item := range []string{"plc-gateway-2", "filler-2", "labeller-2", "order-4711"} {
		if !slices.Contains(plant.Items, item) {
			t.Errorf("%s is not in the incident: %v", item, plant.Items)
		}
	}
	if plant.AlertCounts.Firing != 15 || plant.Site != "plant-a" {
		t.Errorf("want 15 alerts in plant-a:\n%s", describe(board))
	}
}

// checkCalm looks at the board before anything has happened.
func checkCalm(t *testing.T, board []itsm.Incident) {
	t.Helper()
	latest(t, board, 9)
	var flapping, onHold, acknowledged, assigned int
	priorities, severities, sites := map[int]bool{}, map[itsm.Severity]bool{}, map[string]bool{}
	for _, i := range board {
		priorities[i.Priority], severities[i.Severity], sites[i.Site] = true, true, true
		if i.Flapping {
			flapping++
		}
		if i.AcknowledgedAt != nil {
			acknowledged++
		}
		if i.Assignee != nil || i.Team != nil {
			assigned++
		}
		if i.State == itsm.StateOnHold {
			onHold++
			if i.OnHoldReason == nil || *i.OnHoldReason != "awaiting_vendor" || i.HoldUntil == nil {
				t.Errorf("on hold without a reason or an end: %v, %v", i.OnHoldReason, i.HoldUntil)
			}
		}
		for _, a := range i.Alerts {
			if a.Item == nil {
				t.Errorf("no item for %v: %s", a.Labels, a.Tried)
			}
		}
	}
	if flapping != 1 || onHold != 1 || acknowledged < 3 || assigned < 3 {
		t.Errorf("%d flapping, %d on hold, %d acknowledged, %d assigned:\n%s", flapping, onHold, acknowledged, assigned, describe(board))
	}
	if priorities[1] || len(priorities) < 3 || len(severities) < 4 || !sites["dc-south"] || !sites["plant-a"] {
		t.Errorf("priorities %v, severities %v, sites %v:\n%s", priorities, severities, sites, describe(board))
	}
}

// checkReturn looks for the storm being over as soon as the switch is back.
func checkReturn(t *testing.T, board []itsm.Incident) {
	t.Helper()
	checkOver(t, board, itsm.StateNew)
}

// checkLater looks for a storm that resolved itself, and for everything else still being sent.
func checkLater(t *testing.T, board []itsm.Incident) {
	t.Helper()
	checkOver(t, board, itsm.StateResolved)
	for _, i := range board {
		if i.AlertCounts.Expired > 0 {
			t.Errorf("alerts expired although they are sent again:\n%s", describe(board))
		}
	}
}

// checkOver looks at the board after the switch has come back: the storm is over and nothing else.
func checkOver(t *testing.T, board []itsm.Incident, state itsm.State) {
	t.Helper()
	latest(t, board, 12)
	for _, i := range board {
		over := len(i.Causes) > 0 && i.Causes[0].Item == "core-2"
		switch {
		case over && (i.State != state || i.AlertCounts.Firing > 0 || i.AlertCounts.Resolved != 140):
			t.Errorf("the storm is %s with %+v, want %s", i.State, i.AlertCounts, state)
		case !over && !i.State.Open():
			t.Errorf("%s %q is %s", i.Number, i.Title, i.State)
		}
	}
}

func TestEstate(t *testing.T) {
	e, err := cmdb.Parse("estate.yaml", Estate())
	if err != nil {
		t.Fatal(err)
	}
	g, err := cmdb.NewGraph(e)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(e.Items); n < 280 || n > 320 {
		t.Errorf("%d items, want about 300", n)
	}
	for _, it := range e.Items {
		n, _ := g.Node(it.ID)
		if len(g.Relations(n)) == 0 {
			t.Errorf("%s has no relation", it.ID)
		}
	}
	// IT hurts OT: the database of the MES stands behind the switch that dies.
	core, _ := g.Node("core-2")
	mes, _ := g.Node("mes")
	if len(g.Path(core, mes, time.Time{})) == 0 {
		t.Error("core switch 2 does not hurt the MES")
	}
}

// TestWorld_script checks that what is sent is complete: a text and a runbook for each alert, no
// rule that nobody uses, and nothing about the switch that is silent.
func TestWorld_script(t *testing.T) {
	e, err := cmdb.Parse("estate.yaml", Estate())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(e, time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC))
	used := map[string]bool{}
	for _, s := range w.script() {
		for _, a := range s.alerts {
			used[a.labels["alertname"]] = true
			sent := w.wire(s.from, a)
			if sent.Annotations["summary"] == "" || !strings.HasPrefix(sent.Annotations["runbook_url"], "https://") {
				t.Errorf("no summary or runbook: %v", sent)
			}
			for _, text := range sent.Annotations {
				if strings.ContainsAny(text, "{}") {
					t.Errorf("%s: a label is missing for %q", a.labels["alertname"], text)
				}
			}
			if s.from.graphs() != "" && !strings.HasPrefix(sent.GeneratorURL, "http://prometheus.") {
				t.Errorf("%s: generatorURL %q", a.labels["alertname"], sent.GeneratorURL)
			}
			for name, value := range a.labels {
				if value == "core-2" {
					t.Errorf("%s names core switch 2 in %s", a.labels["alertname"], name)
				}
			}
		}
	}
	for name := range w.rules {
		if !used[name] {
			t.Errorf("rule %s is not used", name)
		}
	}
}

// busy answers 503 to the first requests and then as the house does.
type busy struct {
	house http.RoundTripper
	left  int
}

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.left > 0 {
		b.left--
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusServiceUnavailable)
		return w.Result(), nil
	}
	return b.house.RoundTrip(r)
}

func TestRun_triesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		client := &http.Client{Transport: &busy{house: h, left: 5}}
		if err := Run(ctx, Options{URL: "http://signalbox.test", Logger: slog.New(slog.DiscardHandler), Client: client}); err != nil {
			t.Error(err)
		}
		latest(t, h.board(), 9)
	})
}

// TestRun_goesOn checks that a request that is refused does not end the demo.
func TestRun_goesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Second) // nothing is sent at that moment
		defer cancel()
		var logged strings.Builder
		sent := 0
		refuse := roundTrip(func(*http.Request) *http.Response {
			sent++
			w := httptest.NewRecorder()
			w.WriteHeader(http.StatusBadRequest)
			return w.Result()
		})
		log := slog.New(slog.NewTextHandler(&logged, nil))
		if err := Run(ctx, Options{URL: "http://signalbox.test", Logger: log, Client: &http.Client{Transport: refuse}}); err != nil {
			t.Error(err)
		}
		if sent < 20 || strings.Count(logged.String(), "400 Bad Request") != sent {
			t.Errorf("%d requests, logged:\n%s", sent, logged.String())
		}
	})
}

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// TestTargets holds that what the example promises can be adopted.
func TestTargets(t *testing.T) {
	rules := correlate.DefaultConfig()
	rules.SLA = Targets()
	if err := rules.Validate(); err != nil {
		t.Error(err)
	}
}
