package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// engine answers commands on the incidents of a world as the engine does: once for each id, with a
// new revision when they are possible.
type engine struct {
	w       *world
	states  map[string]itsm.Incident
	answers map[string]itsm.Outcome
	applied int
}

func newEngine(w *world, incidents ...itsm.Incident) *engine {
	e := &engine{w: w, states: map[string]itsm.Incident{}, answers: map[string]itsm.Outcome{}}
	for _, inc := range incidents {
		e.states[inc.ID] = inc
		w.putIncident(inc)
	}
	w.react = func(in itsm.Input) error {
		for i := range in.Commands {
			e.do(&in.Commands[i])
		}
		return nil
	}
	return e
}

func (e *engine) do(c *itsm.Command) {
	o, again := e.answers[c.ID]
	if !again {
		o = e.decide(c)
		e.answers[c.ID] = o
	}
	e.w.publish(itsm.TopicIncidents, "_command/"+c.ID, o)
}

func (e *engine) decide(c *itsm.Command) itsm.Outcome {
	inc := e.states[c.Incident.ID]
	o := itsm.Outcome{Command: c.ID, Status: http.StatusOK, Incident: inc.ID}
	switch {
	case c.Revision != nil && *c.Revision != inc.CommandRevision:
		o.Status, o.Reason = http.StatusConflict, "another command came first"
	case c.Action == itsm.ActionReopen:
		o.Status, o.Reason = http.StatusUnprocessableEntity, "reopen is not possible while the incident is new"
	case c.Action == itsm.ActionSplit:
		o.Status, o.Reason = http.StatusNotFound, "no such alert"
	default:
		e.applied++
		inc.Revision++
		inc.CommandRevision++
		inc.AcknowledgedBy = &c.By
		o.Revision = inc.Revision
		e.states[inc.ID] = inc
		e.w.putIncident(inc)
	}
	return o
}

func TestCommand_answersWithTheIncidentAfterIt(t *testing.T) {
	w := newRoom(t)
	newEngine(w, anIncident(1))
	w.putAlert("id1", anAlert("alertname=Down"))
	for _, ref := range []string{"id1", "INC-000001"} {
		got := w.do(http.MethodPost, "/api/v1/incidents/"+ref+"/acknowledge", `{"by":"maria","comment":"on it"}`)
		d := into[detail](t, got)
		if got.status != http.StatusOK || d.AcknowledgedBy == nil || *d.AcknowledgedBy != "maria" || len(d.Alerts) != 1 {
			t.Errorf("%s: %d %s", ref, got.status, got.body)
		}
		if want := `"` + string(rune('0'+d.CommandRevision)) + `"`; got.header.Get("ETag") != want {
			t.Errorf("ETag %s, want %s", got.header.Get("ETag"), want)
		}
	}
	in := w.seen()[0].Commands[0]
	if in.Action != itsm.ActionAcknowledge || in.Incident.ID != "id1" || in.By != "maria" || in.Comment != "on it" || in.ID == "" || in.Revision != nil {
		t.Errorf("recorded %+v", in)
	}
	if w.do(http.MethodPost, "/api/v1/incidents/id1/start", ""); w.seen()[2].Commands[0].By != anonymous {
		t.Errorf("nobody named: recorded %+v", w.seen()[2].Commands[0])
	}
}

func TestCommand_outcomes(t *testing.T) {
	for _, tc := range []struct {
		name, action, body string
		headers            []string
		status             int
		code, detail       string
	}{
		{name: "as seen", action: "acknowledge", headers: []string{"If-Match", `"0"`}, status: 200},
		{name: "whatever was seen", action: "acknowledge", headers: []string{"If-Match", "*"}, status: 200},
		{name: "another came first", action: "acknowledge", headers: []string{"If-Match", `"4"`}, status: 409, code: "conflict", detail: "another command came first"},
		{name: "not possible", action: "reopen", status: 422, code: "not_possible", detail: "reopen is not possible while the incident is new"},
		{name: "unknown alert", action: "split", body: `{"alerts":["0000000000000001"]}`, status: 404, code: "not_found", detail: "no such alert"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newRoom(t)
			newEngine(w, anIncident(1))
			got := w.do(http.MethodPost, "/api/v1/incidents/id1/"+tc.action, tc.body, tc.headers...)
			if got.status != tc.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, tc.status)
			}
			if tc.code == "" {
				return
			}
			p := into[problem](t, got)
			if p.Code != tc.code || p.Detail != tc.detail {
				t.Errorf("problem %s: %s", p.Code, p.Detail)
			}
			if row, _ := w.snapshot(); (tc.status == 409) != (string(p.Incident) == row["id1"]) {
				t.Errorf("incident in the answer: %s", p.Incident)
			}
		})
	}
}

func TestCommand_refusals(t *testing.T) {
	w := newRoom(t)
	newEngine(w, anIncident(1))
	long := strings.Repeat("k", maxKey+1)
	for _, tc := range []struct {
		action, body string
		headers      []string
		code         string
		faults       []fault
	}{
		{action: "acknowledge", body: "{\n\"note\": 1,\n\"who\": 2}", code: "unknown_field", faults: []fault{{Field: "note", Reason: "unknown field", Line: 2}, {Field: "who", Reason: "unknown field", Line: 3}}},
		{action: "comment", body: `{"text":"a","text":"b"}`, code: "unknown_field", faults: []fault{{Field: "text", Reason: "stands twice", Line: 1}}},
		{action: "comment", body: `{"Text":"a"}`, code: "unknown_field", faults: []fault{{Field: "Text", Reason: "unknown field", Line: 1}}},
		{action: "comment", body: `{}`, code: "invalid_command", faults: []fault{{Field: "text", Reason: "is missing for comment"}}},
		{action: "comment", body: "{\"text\":\n5}", code: "invalid_command", faults: []fault{{Field: "text", Reason: "has the wrong type: number", Line: 2}}},
		{action: "acknowledge", body: "{\n\"until\":\"2026-01-02T10:00:00Z\"}", code: "invalid_command", faults: []fault{{Field: "until", Reason: "does not belong to acknowledge", Line: 2}}},
		{action: "priority", body: `{"priority":9}`, code: "invalid_command", faults: []fault{{Field: "priority", Reason: "must be 1 to 5 or null, got 9", Line: 1}}},
		{action: "confirm_cause", body: `{"item":"a","change":"b"}`, code: "invalid_command", faults: []fault{{Field: "item", Reason: "exactly one of item and change is needed", Line: 1}}},
		{action: "comment", body: `[]`, code: "invalid_body"},
		{action: "comment", body: `{"text":"a"} {}`, code: "invalid_body"},
		{action: "comment", body: `{"text":"a"`, code: "invalid_body"},
		{action: "comment", body: "{\"text\":\"\xff\"}", code: "invalid_utf8"},
		{action: "merge", body: `{"into":{"incident":"x"}}`, code: "invalid_body"},
		{action: "start", headers: []string{"If-Match", "seven"}, code: "invalid_if_match"},
		{action: "start", headers: []string{"Idempotency-Key", long}, code: "invalid_key"},
		{action: "start", headers: []string{"Idempotency-Key", "ä"}, code: "invalid_key"},
	} {
		got := w.do(http.MethodPost, "/api/v1/incidents/id1/"+tc.action, tc.body, tc.headers...)
		p := into[problem](t, got)
		if diff := cmp.Diff(tc.faults, p.Faults); got.status != 400 || p.Code != tc.code || p.Detail == "" || diff != "" {
			t.Errorf("%s %s: %d %s %s (-want +got):\n%s", tc.action, tc.body, got.status, p.Code, p.Detail, diff)
		}
	}
	if got := w.do(http.MethodPost, "/api/v1/incidents/id1/comment", `{"text":"`+strings.Repeat("x", maxCommandBody)+`"}`); got.status != 413 {
		t.Errorf("a body too large: %d", got.status)
	}
	if len(w.seen()) != 0 {
		t.Errorf("%d refused commands reached the log", len(w.seen()))
	}
}

func TestCommand_comesOnceWithAKey(t *testing.T) {
	w := newRoom(t)
	e := newEngine(w, anIncident(1))
	first := w.do(http.MethodPost, "/api/v1/incidents/id1/acknowledge", "", "Idempotency-Key", "k 1")
	again := w.do(http.MethodPost, "/api/v1/incidents/id1/acknowledge", "", "Idempotency-Key", "k 1")
	if first.status != 200 || string(first.body) != string(again.body) || e.applied != 1 {
		t.Errorf("first %d %s, again %d %s, applied %d times", first.status, first.body, again.status, again.body, e.applied)
	}
	refused := w.do(http.MethodPost, "/api/v1/incidents/id1/reopen", "", "Idempotency-Key", "k2")
	if again := w.do(http.MethodPost, "/api/v1/incidents/id1/reopen", "", "Idempotency-Key", "k2"); refused.status != 422 || string(again.body) != string(refused.body) {
		t.Errorf("refused %s, again %s", refused.body, again.body)
	}
}

func TestCommand_isPendingAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRoom(t)
		w.putIncident(anIncident(1))
		began := time.Now()
		got := w.do(http.MethodPost, "/api/v1/incidents/id1/acknowledge", "", "Idempotency-Key", "k")
		if waited := time.Since(began); got.status != http.StatusAccepted || waited != 5*time.Second {
			t.Errorf("%d after %s", got.status, waited)
		}
		if diff := cmp.Diff(`{"command":"k"}`, string(got.body)); diff != "" {
			t.Error(diff)
		}
		w.publish(itsm.TopicIncidents, "_command/k", itsm.Outcome{Status: 200, Incident: "id1", Revision: 1})
		if got := w.do(http.MethodPost, "/api/v1/incidents/id1/acknowledge", "", "Idempotency-Key", "k"); got.status != http.StatusOK || len(w.seen()) != 1 {
			t.Errorf("asked again: %d, %d records", got.status, len(w.seen()))
		}
	})
}

// The outcome may be read before the row that it speaks of.
func TestCommand_waitsForTheRevisionOfItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRoom(t)
		w.putIncident(anIncident(1))
		w.react = func(in itsm.Input) error {
			w.publish(itsm.TopicIncidents, "_command/"+in.Commands[0].ID, itsm.Outcome{Status: 200, Incident: "id1", Revision: 2})
			return nil
		}
		answered := make(chan answer, 1)
		go func() { answered <- w.do(http.MethodPost, "/api/v1/incidents/id1/start", "") }()
		synctest.Wait()
		select {
		case got := <-answered:
			t.Errorf("answered with the revision before: %s", got.body)
		default:
		}
		w.putIncident(anIncident(1, func(i *itsm.Incident) { i.Revision = 2 }))
		if d := into[detail](t, <-answered); d.Revision != 2 {
			t.Errorf("revision %d", d.Revision)
		}
	})
}

func TestCommand_whenTheLogTakesNothing(t *testing.T) {
	w := newRoom(t)
	w.putIncident(anIncident(1))
	for code, err := range map[string]error{"overloaded": itsm.ErrOverloaded, "unavailable": errors.New("no broker")} {
		w.react = func(itsm.Input) error { return err }
		got := w.do(http.MethodPost, "/api/v1/incidents/id1/start", "")
		if p := into[problem](t, got); got.status != 503 || p.Code != code || got.header.Get("Retry-After") == "" {
			t.Errorf("%v: %d %s", err, got.status, got.body)
		}
	}
}

func TestCommand_bodies(t *testing.T) {
	fp := itsm.NewLabels(map[string]string{"a": "b"}).Fingerprint()
	until := day("12:00:00")
	seq, four := 7, 4
	for _, tc := range []struct {
		action, body string
		want         itsm.Command
	}{
		{"assign", `{"team":"netops","person":null}`, itsm.Command{Team: itsm.Some("netops"), Person: itsm.Optional[string]{Set: true}}},
		{"comment", `{"text":"x","public":true}`, itsm.Command{Text: "x", Public: true}},
		{"priority", `{"priority":4,"reason":"r"}`, itsm.Command{Priority: itsm.Optional[int]{Set: true, Value: &four}, Reason: "r"}},
		{"priority", `{"priority":null}`, itsm.Command{Priority: itsm.Optional[int]{Set: true}}},
		{"hold", `{"reason":"awaiting_vendor","until":"2026-01-02T12:00:00Z"}`, itsm.Command{Reason: "awaiting_vendor", Until: &until}},
		{"snooze", `{"until":"2026-01-02T12:00:00Z"}`, itsm.Command{Until: &until}},
		{"resolve", `{"code":"fixed","notes":"n"}`, itsm.Command{Code: "fixed", Notes: "n"}},
		{"merge", `{"into":"id2"}`, itsm.Command{Into: &itsm.IncidentRef{ID: "id2"}}},
		{"split", `{"alerts":["` + fp.String() + `"]}`, itsm.Command{Alerts: []itsm.Fingerprint{fp}}},
		{"move", `{"alerts":["` + fp.String() + `"],"to":{"alert":"` + fp.String() + `"}}`, itsm.Command{Alerts: []itsm.Fingerprint{fp}, To: &itsm.IncidentRef{Alert: fp}}},
		{"confirm_cause", `{"item":"sw-1"}`, itsm.Command{Item: "sw-1"}},
		{"reject_cause", `{"change":"deploy-77"}`, itsm.Command{Change: "deploy-77"}},
		{"undo", `{"entry":7}`, itsm.Command{Entry: &seq}},
	} {
		w := newRoom(t)
		w.ui.outcomeWait = 0
		w.putIncident(anIncident(1))
		if got := w.do(http.MethodPost, "/api/v1/incidents/id1/"+tc.action, tc.body); got.status != http.StatusAccepted {
			t.Errorf("%s %s: %d %s", tc.action, tc.body, got.status, got.body)
			continue
		}
		got := w.seen()[0].Commands[0]
		tc.want.ID, tc.want.Action, tc.want.By, tc.want.Incident = got.ID, itsm.Action(tc.action), anonymous, itsm.IncidentRef{ID: "id1"}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.action, tc.body, diff)
		}
	}
}

func TestTestAlert(t *testing.T) {
	w := newRoom(t)
	got := into[struct{ Accepted int }](t, w.do(http.MethodPost, "/api/v1/ingest/test", ""))
	a := w.seen()[0].Alerts[0]
	if got.Accepted != 1 || a.Labels.Get("alertname") != "SignalboxTest" || a.EndsAt.Sub(a.StartsAt) != testAlertLife || a.Fingerprint != a.Labels.Fingerprint() {
		t.Errorf("%+v, recorded %+v", got, a)
	}
	w.react = func(itsm.Input) error { return itsm.ErrOverloaded }
	if got := w.do(http.MethodPost, "/api/v1/ingest/test", ""); got.status != 503 {
		t.Errorf("the log is full: %d", got.status)
	}
}

// What is on top and at the foot of the board.
func TestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRoom(t, func(u *UI) {
			u.senders = fakeSenders{sources: []Source{{Name: "prom-a", Kind: "prometheus", Doors: []string{}, Accepted: 5, Refused: 2}}}
		})
		group := func(key string) func(*itsm.AlertState) { return func(a *itsm.AlertState) { a.Group = key } }
		w.putIncident(anIncident(1))
		w.putIncident(anIncident(2))
		w.putIncident(anIncident(3))
		w.putAlert("id1", anAlert("alertname=A,n=1", group("g1")))
		w.putAlert("id1", anAlert("alertname=A,n=2", group("g1"), func(a *itsm.AlertState) { a.Item = nil }))
		w.putAlert("id1", anAlert("alertname=B", group("g2")))
		w.putAlert("id2", anAlert("alertname=B,n=2", group("g2"), func(a *itsm.AlertState) { s := "silenced"; a.Suppressed = &s }))
		w.putAlert("id3", anAlert("alertname=C", group("g3"), resolved(time.Now().Add(-14*time.Minute))))
		w.putAlert("id3", anAlert("alertname=D", group("g4"), resolved(time.Now().Add(-16*time.Minute))))
		w.putAlert(itsm.NoIncident, anAlert("alertname=Watchdog", group("g5")))
		read := func() (f figures) {
			f = into[figures](t, w.get("/api/v1/board"))
			if diff := cmp.Diff(f, into[figures](t, w.get("/api/v1/status"))); diff != "" {
				t.Errorf("board and status differ:\n%s", diff)
			}
			return f
		}
		want := figures{
			Comparison: comparison{WindowSeconds: 900, Alerts: 5, Groups: 3, Incidents: 3},
			Counts:     counts{Suppressed: 1, Unbound: 1, Refused: 2, AlertsFiring: 5, Sources: sourceFigures{Known: 1, Silent: []string{}}},
		}
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.putIncident(anIncident(2, mergedInto("id1"))) // its alerts follow
		time.Sleep(2 * time.Minute)                     // C ended 16 minutes ago now
		want.Comparison = comparison{WindowSeconds: 900, Alerts: 4, Groups: 2, Incidents: 1}
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("after a merge and two minutes (-want +got):\n%s", diff)
		}
	})
}

// TestStatus_history: the status tells whether history is written, and since when it is not.
func TestStatus_history(t *testing.T) {
	w := newRoom(t)
	if s := into[status](t, w.get("/api/v1/status")); s.History != nil {
		t.Errorf("without history: %+v", s.History)
	}
	since := time.Now().UTC().Add(-time.Minute)
	var state itsm.HistoryState
	w.ui.historyState = func() itsm.HistoryState { return state }
	behind, failure := int64(7), "connection refused"
	for _, c := range []struct {
		state itsm.HistoryState
		want  historyStatus
	}{
		{itsm.HistoryState{}, historyStatus{}},
		{itsm.HistoryState{Known: true, Behind: 7}, historyStatus{Behind: &behind}},
		{itsm.HistoryState{Known: true, Behind: 7, FailingSince: &since, Failure: failure}, historyStatus{Behind: &behind, FailingSince: &since, Failure: &failure}},
	} {
		state = c.state
		if diff := cmp.Diff(&c.want, into[status](t, w.get("/api/v1/status")).History); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStatus(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	s := into[status](t, w.get("/api/v1/status"))
	if !s.Ready || s.Version != "test" || s.Listen != "http://example.com" || s.Estate.Version != nil || s.Sources == nil {
		t.Errorf("got %+v", s)
	}
	version := w.put("/api/v1/estate", twoHosts)
	s = into[status](t, w.get("/api/v1/status"))
	if diff := cmp.Diff(estateStatus{Version: &version, Items: 3, Relations: 2}, s.Estate); diff != "" {
		t.Error(diff)
	}
	w.ui.ready = func() bool { return false }
	w.ui.listen = "https://board.example"
	if s = into[status](t, w.get("/api/v1/status")); s.Ready || s.Listen != "https://board.example" {
		t.Errorf("got %+v", s)
	}
}

func TestProblemsAreStable(t *testing.T) {
	got := newRoom(t).get("/api/v1/incidents/nope")
	want := `{"type":"about:blank","title":"Not Found","status":404,"code":"incident_not_found","detail":"there is no incident \"nope\""}`
	if diff := cmp.Diff(want, strings.TrimSpace(string(got.body))); diff != "" || !json.Valid(got.body) {
		t.Error(diff)
	}
}
