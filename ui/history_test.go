package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// pastWorld is a history of n alert events, one a second, newest first; a cursor is the number of events before.
type pastWorld struct {
	n     int
	title string
	asked itsm.HistoryQuery
	step  time.Duration
}

func (p *pastWorld) EachAlertEvent(_ context.Context, q itsm.HistoryQuery, yield func(itsm.AlertEvent, string) error) error {
	p.asked = q
	from, _ := strconv.Atoi(q.After) // empty: 0
	for i := from; i < min(p.n, from+q.Limit); i++ {
		e := itsm.AlertEvent{
			At: time.Unix(int64(1_000_000-i), 0).UTC(), Fingerprint: itsm.Fingerprint(i), Status: itsm.StatusFiring, Item: fmt.Sprintf("a,\"%d\"", i),
			Labels: itsm.NewLabels(map[string]string{"alertname": "A"}),
		}
		if err := yield(e, strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	return nil
}

func (p *pastWorld) EachIncident(_ context.Context, q itsm.HistoryQuery, yield func(itsm.Incident, string) error) error {
	p.asked = q
	return yield(itsm.Incident{ID: "i1", Number: "INC-000001", Title: p.title}, "x")
}

func (p *pastWorld) EachChange(_ context.Context, q itsm.HistoryQuery, yield func(itsm.ChangeEvent, string) error) error {
	p.asked = q
	return yield(itsm.ChangeEvent{Change: itsm.Change{ID: "deploy-77", Kind: "deploy", Items: []string{"checkout", "cart"}}}, "x")
}

func (p *pastWorld) Volume(_ context.Context, q itsm.HistoryQuery, step time.Duration) ([]itsm.VolumeBucket, error) {
	p.asked, p.step = q, step
	return nil, nil
}

func (p *pastWorld) Revisions(_ context.Context, id string, _ int) ([]itsm.Incident, error) {
	if id != "INC-000001" {
		return nil, itsm.ErrNotFound
	}
	return []itsm.Incident{{ID: "i1", Number: id, Revision: 2}, {ID: "i1", Number: id, Revision: 1}}, nil
}

func (p *pastWorld) Timeline(_ context.Context, id string, _ int) ([]itsm.Entry, error) {
	return []itsm.Entry{{Seq: 1, Text: "of " + id, Data: json.RawMessage("{}")}}, nil
}

func pastServer(t *testing.T, h History) func(path string) (int, string) {
	t.Helper()
	w := newWorld(t)
	w.ui.history, w.ui.noHistory = h, "fetch it"
	mux := http.NewServeMux()
	w.ui.Register(mux)
	return func(path string) (int, string) {
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v1/history"+path, nil))
		return rec.Code, rec.Body.String()
	}
}

// TestHistoryMissing: whoever asks without a history is told what to do.
func TestHistoryMissing(t *testing.T) {
	get := pastServer(t, nil)
	status, body := get("/alerts")
	if status != http.StatusNotImplemented || !strings.Contains(body, `"code":"no_history","detail":"fetch it"`) {
		t.Errorf("%d %s", status, body)
	}
}

// TestHistoryPages: pages follow each other to the end, whose next is null.
func TestHistoryPages(t *testing.T) {
	get := pastServer(t, &pastWorld{n: 25})
	var got []int
	cursor := ""
	for {
		status, body := get("/alerts?limit=10&cursor=" + cursor)
		var page struct {
			Events []itsm.AlertEvent
			Next   *string
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		got = append(got, len(page.Events))
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if diff := cmp.Diff([]int{10, 10, 5}, got); diff != "" {
		t.Error(diff)
	}
}

// TestHistoryQuestion: what is asked for reaches history; without a window it is the last day.
func TestHistoryQuestion(t *testing.T) {
	past := &pastWorld{}
	get := pastServer(t, past)
	get("/alerts?from=2026-01-02T10:00:00Z&to=2026-01-02T11:00:00Z&limit=5&q=" + "severity%3D%22critical%22+instance%3D~%22h-.*%22+Down")
	want := itsm.HistoryQuery{
		From: time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 2, 11, 0, 0, 0, time.UTC), Limit: 6, Words: []string{"down"},
		Matchers: []itsm.HistoryMatcher{{Name: "severity", Op: "=", Value: "critical"}, {Label: true, Name: "instance", Op: "=~", Value: "h-.*"}},
	}
	if diff := cmp.Diff(want, past.asked); diff != "" {
		t.Error(diff)
	}
	get("/incidents")
	if got := past.asked.To.Sub(past.asked.From); got != 24*time.Hour {
		t.Errorf("the window is %s", got)
	}
	get("/alerts/volume?from=2026-01-02T10:00:00Z&to=2026-01-02T12:00:00Z&buckets=100")
	if past.step != 5*time.Minute {
		t.Errorf("the step is %s", past.step)
	}
}

// TestHistoryExport: an export is the whole window in the form that was asked for.
func TestHistoryExport(t *testing.T) {
	get := pastServer(t, &pastWorld{n: 2500})
	status, body := get("/alerts?format=csv")
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if status != http.StatusOK || len(lines) != 2501 || !strings.HasPrefix(lines[0], "at,status,severity,alertname,item") ||
		!strings.Contains(lines[1], `1970-01-12T13:46:40Z,firing,,A,"a,""0""",`) {
		t.Errorf("%d, %d lines, %s", status, len(lines), lines[:2])
	}
	_, body = get("/alerts?format=jsonl")
	lines = strings.Split(strings.TrimSpace(body), "\n")
	var e itsm.AlertEvent
	if err := json.Unmarshal([]byte(lines[2499]), &e); err != nil || len(lines) != 2500 || e.Fingerprint != 2499 {
		t.Errorf("%d lines, last %+v, %v", len(lines), e, err)
	}
}

// TestHistoryExport_file: a browser saves an export under a name that says its form, a change with all of its items.
func TestHistoryExport_file(t *testing.T) {
	w := newWorld(t)
	w.ui.history = &pastWorld{}
	mux := http.NewServeMux()
	w.ui.Register(mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/v1/history/changes?format=csv", nil))
	if got := rec.Header().Get("Content-Disposition"); got != `attachment; filename="changes.csv"` {
		t.Errorf("the file is %s", got)
	}
	if !strings.Contains(rec.Body.String(), ",deploy-77,deploy,,,checkout cart,") {
		t.Errorf("the file says %s", rec.Body)
	}
}

// TestHistoryExport_formulas: what a sender wrote is no formula in a spreadsheet; everything else is as it was.
func TestHistoryExport_formulas(t *testing.T) {
	for cell, want := range map[string]string{
		"=HYPERLINK(\"http://evil\")": "'=HYPERLINK(\"http://evil\")", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1",
		"": "", "a=b": "a=b", "7": "7", "{a=\"=1\"}": "{a=\"=1\"}", "ü-1": "ü-1",
	} {
		if got := inert([]string{"x", cell})[1]; got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
	get := pastServer(t, &pastWorld{title: "=1+1"})
	if _, body := get("/incidents?format=csv"); !strings.Contains(body, ",'=1+1,") {
		t.Errorf("the export says %s", body)
	}
	if _, body := get("/incidents?format=jsonl"); !strings.Contains(body, `"title":"=1+1"`) {
		t.Errorf("the export says %s", body)
	}
}

// TestHistoryOfIncident: one incident by its number, with its timeline.
func TestHistoryOfIncident(t *testing.T) {
	get := pastServer(t, &pastWorld{})
	if status, body := get("/incidents/INC-000001"); status != http.StatusOK || strings.Count(body, `"revision":`) != 2 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := get("/incidents/INC-000001/timeline"); status != http.StatusOK || !strings.Contains(body, "of i1") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := get("/incidents/INC-000009"); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
}

// TestHistoryMistakes: each mistake is a 400 that names its parameter.
func TestHistoryMistakes(t *testing.T) {
	get := pastServer(t, &pastWorld{})
	for path, want := range map[string]string{
		"/alerts?from=yesterday":                                    "from: a time of RFC 3339",
		"/alerts?from=2026-01-02T10:00:00Z&to=2026-01-02T10:00:00Z": "from: must be before to",
		"/alerts?limit=0":                                           "limit: a number from 1 to 1000",
		"/alerts?q=severity%3C3":                                    "q: at character",
		"/alerts?format=xml":                                        "format: json, csv or jsonl",
		"/alerts/volume?buckets=x":                                  "buckets: a number",
		"/incidents?q=nonsense%3D1":                                 "q: at character",
	} {
		if status, body := get(path); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
}
