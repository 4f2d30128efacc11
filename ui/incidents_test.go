package ui

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

type incidentPage struct {
	Incidents []itsm.Incident `json:"incidents"`
	Total     int             `json:"total"`
	Next      *string         `json:"next"`
}

func ids(incs []itsm.Incident) string {
	out := make([]string, len(incs))
	for i, inc := range incs {
		out[i] = inc.ID
	}
	return strings.Join(out, " ")
}

func TestListIncidents(t *testing.T) {
	w := newWorld(t)
	maria, netops := "maria", "netops"
	w.putIncident(anIncident(1, func(i *itsm.Incident) { i.Priority, i.AlertCounts.Total, i.Assignee = 1, 30, &maria }))
	w.putIncident(anIncident(2, func(i *itsm.Incident) {
		i.Priority, i.State, i.Team, i.Title = 3, itsm.StateInProgress, &netops, "Line 2 stopped"
	}))
	w.putIncident(anIncident(3, func(i *itsm.Incident) { i.Priority, i.State, i.Services = 2, itsm.StateResolved, []string{"checkout"} }))
	w.putIncident(anIncident(4, mergedInto("id1")))
	w.putAlert("id1", anAlert("alertname=KubeNodeNotReady,node=n1"))
	w.putAlert("id1", anAlert("alertname=TargetDown,node=n2"))
	w.putAlert("id2", anAlert("alertname=TargetDown,node=n1"))

	for _, tc := range []struct{ query, want string }{
		{"", "id4 id3 id2 id1"},
		{"?sort=openedAt", "id1 id2 id3 id4"},
		{"?sort=priority", "id1 id3 id4 id2"},
		{"?sort=-priority", "id2 id4 id3 id1"},
		{"?sort=-alerts&limit=1", "id1"},
		{"?state=new", "id1"},
		{"?state=new,in_progress&sort=openedAt", "id1 id2"},
		{"?state=closed", "id4"},
		{"?q=" + url.QueryEscape(`priority<=2 state!="closed"`), "id3 id1"},
		{"?q=" + url.QueryEscape(`alertname=~"Kube.*"`), "id1"},
		{"?q=" + url.QueryEscape(`alertname="TargetDown" node="n1"`), "id2"},
		{"?q=" + url.QueryEscape(`alertname!="TargetDown"`), "id4 id3"},
		{"?q=" + url.QueryEscape(`alertname="TargetDown" alertname!="KubeNodeNotReady"`), "id2"},
		{"?q=" + url.QueryEscape(`owner="maria"`), "id1"},
		{"?q=" + url.QueryEscape(`team=netops`), "id2"},
		{"?q=" + url.QueryEscape(`service="checkout"`), "id3"},
		{"?q=" + url.QueryEscape(`cause="sw-1",alerts>1`), "id1"},
		{"?q=" + url.QueryEscape(`age>2h`), ""},
		{"?q=" + url.QueryEscape(`acknowledged=false item=host-3`), "id3"},
		{"?q=line", "id2"},
		{"?q=inc-000003", "id3"},
		{"?q=" + url.QueryEscape(`openedAt<1m resolvedAt>1h`), ""},
	} {
		got := w.get("/api/v1/incidents" + tc.query)
		if got.status != http.StatusOK {
			t.Errorf("%s: %d %s", tc.query, got.status, got.body)
			continue
		}
		if list := into[incidentPage](t, got); ids(list.Incidents) != tc.want {
			t.Errorf("%s: got %s, want %s", tc.query, ids(list.Incidents), tc.want)
		}
	}
}

func TestRowsAreTheTopicsBytes(t *testing.T) {
	w := newWorld(t)
	w.offbeat = true
	raw := `{"id":"id1","number":"INC-1","revision":2,"state":"new","causes":[{"item":"a","change":null,"name":"a","class":"c","score":1,"reporting":true,"recovered":false}],"later":{"x":[1]}}`
	w.publish(itsm.TopicIncidents, "id1", []byte(raw))
	for path, want := range map[string]string{
		"/api/v1/incidents":     `{"incidents":[` + raw + `],"total":1,"next":null}`,
		"/api/v1/incidents/id1": strings.TrimSuffix(strings.Replace(raw, `"recovered":false`, `"recovered":false,"evidence":[]`, 1), "}") + `,"alerts":[],"alertsNext":null}`,
	} {
		if diff := cmp.Diff(want, string(w.get(path).body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestRefusedQueries(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1))
	for _, tc := range []struct {
		method, path string
		status       int
		code         string
	}{
		{"GET", "/api/v1/incidents?limit=0", 400, "invalid_limit"},
		{"GET", "/api/v1/incidents?limit=1001", 400, "invalid_limit"},
		{"GET", "/api/v1/incidents?limit=x", 400, "invalid_limit"},
		{"GET", "/api/v1/incidents?sort=colour", 400, "invalid_sort"},
		{"GET", "/api/v1/incidents?cursor=zzz", 400, "invalid_cursor"},
		{"GET", "/api/v1/incidents?cursor=!!", 400, "invalid_cursor"},
		{"GET", "/api/v1/incidents?state=open", 400, "invalid_state"},
		{"GET", "/api/v1/incidents?q=" + url.QueryEscape(`a=~"("`), 400, "invalid_query"},
		{"GET", "/api/v1/alerts?q=" + url.QueryEscape(`count>x`), 400, "invalid_query"},
		{"GET", "/api/v1/alerts?sort=priority", 400, "invalid_sort"},
		{"GET", "/api/v1/incidents/nope", 404, "incident_not_found"},
		{"GET", "/api/v1/incidents/nope/alerts", 404, "incident_not_found"},
		{"GET", "/api/v1/incidents/nope/timeline", 404, "incident_not_found"},
		{"POST", "/api/v1/incidents/nope/acknowledge", 404, "incident_not_found"},
		{"POST", "/api/v1/incidents/id1/dance", 404, "unknown_action"},
		{"GET", "/api/v1/incidents/id1/acknowledge", 405, "method_not_allowed"},
		{"POST", "/api/v1/board", 405, "method_not_allowed"},
		{"GET", "/api/v1/nothing", 404, "no_such_path"},
		{"GET", "/api/v1/relations?type=likes", 400, "invalid_type"},
		{"GET", "/api/v1/stream?epoch=e&offset=x", 400, "invalid_offset"},
	} {
		got := w.do(tc.method, tc.path, "")
		if got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, got.status, got.header.Get("Content-Type"))
			continue
		}
		p := into[problem](t, got)
		if got.status != tc.status || p.Status != tc.status || p.Code != tc.code || p.Detail == "" || p.Title == "" {
			t.Errorf("%s %s: %d %s, want %d %s", tc.method, tc.path, got.status, got.body, tc.status, tc.code)
		}
	}
}

// Rows that come in between pages neither shift nor double what follows.
func TestCursorsAreStableUnderInserts(t *testing.T) {
	for _, order := range []string{"openedAt", "-openedAt", "priority", "-alerts", "-updatedAt"} {
		w := newWorld(t)
		rnd := rand.New(rand.NewPCG(1, 2))
		add := func(n int) {
			w.putIncident(anIncident(n, func(i *itsm.Incident) {
				i.Priority, i.AlertCounts.Total = 1+rnd.IntN(5), rnd.IntN(9)
				i.OpenedAt = day("10:00:00").Add(time.Duration(rnd.IntN(50)) * time.Second)
				i.UpdatedAt = i.OpenedAt
			}))
		}
		for n := range 300 {
			add(n)
		}
		seen := map[string]int{}
		w.offbeat = true // so many pages take long to hold against the document
		path := "/api/v1/incidents?limit=17&sort=" + order
		for next, pages := "", 0; ; pages++ {
			got := into[incidentPage](t, w.get(path+next))
			for _, inc := range got.Incidents {
				seen[inc.ID]++
			}
			if got.Next == nil {
				break
			}
			if strings.Trim(*got.Next, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Fatalf("cursor %q", *got.Next)
			}
			next = "&cursor=" + *got.Next
			add(1000 + pages)
		}
		for n := range 300 {
			if id := fmt.Sprintf("id%d", n); seen[id] != 1 {
				t.Errorf("sort %s: %s was seen %d times", order, id, seen[id])
			}
		}
	}
}

func TestCursorOfAnotherOrder(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1))
	w.putIncident(anIncident(2))
	next := *into[incidentPage](t, w.get("/api/v1/incidents?limit=1")).Next
	if got := w.get("/api/v1/incidents?sort=priority&cursor=" + next); got.status != 400 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

type detail struct {
	itsm.Incident
	AlertsNext *string `json:"alertsNext"`
}

type alertPage struct {
	Alerts []struct {
		itsm.AlertState
		Incident       *string `json:"incident"`
		IncidentNumber *string `json:"incidentNumber"`
	} `json:"alerts"`
	Total int     `json:"total"`
	Next  *string `json:"next"`
}

func TestDetail(t *testing.T) {
	w := newWorld(t)
	inc := anIncident(1, func(i *itsm.Incident) { i.CommandRevision = 4 })
	inc.Causes[0].Evidence = []itsm.Evidence{{Kind: itsm.EvidenceCoverage, Text: "3 of 3", Weight: 1}}
	for n := range 130 {
		w.putAlert("id1", anAlert(fmt.Sprintf("alertname=Down,n=%d", n)))
	}
	w.publish(itsm.TopicIncidents, "_causes/id1", inc.Causes)
	w.putIncident(inc)
	for _, ref := range []string{"id1", "INC-000001"} {
		got := w.get("/api/v1/incidents/" + ref)
		if got.status != 200 || got.header.Get("ETag") != `"4"` {
			t.Fatalf("%s: %d, ETag %s", ref, got.status, got.header.Get("ETag"))
		}
		d := into[detail](t, got)
		if len(d.Alerts) != 100 || d.AlertsNext == nil || d.Causes[0].Evidence == nil {
			t.Fatalf("%s: %d alerts, next %v, evidence %v", ref, len(d.Alerts), d.AlertsNext, d.Causes[0].Evidence)
		}
		rest := into[alertPage](t, w.get("/api/v1/incidents/"+ref+"/alerts?cursor="+*d.AlertsNext))
		if len(rest.Alerts) != 30 || rest.Total != 130 || rest.Next != nil {
			t.Errorf("%s: %d more of %d", ref, len(rest.Alerts), rest.Total)
		}
	}
}

func TestTimeline(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1))
	for _, seq := range []int{1, 3, 2, 4} { // partitions are read side by side; order is by number
		w.publish(itsm.TopicTimeline, fmt.Sprintf("id1/%d", seq), itsm.Entry{Seq: seq, At: day("10:00:00"), By: "engine", Kind: itsm.EntryOpened, Text: "x", Data: []byte("{}")})
	}
	w.publish(itsm.TopicTimeline, "id1/2", itsm.Entry{Seq: 2, At: day("10:00:00"), By: "engine", Kind: itsm.EntryOpened, Text: "again", Data: []byte("{}")})
	w.publish(itsm.TopicTimeline, "id1/3", nil)
	type timeline struct {
		Entries []itsm.Entry
		Next    *string
	}
	seqs := func(l timeline) (out string) {
		var outSb236 strings.Builder
		for _, e := range l.Entries {
			fmt.Fprintf(&outSb236, "%d %s ", e.Seq, e.Text)
		}
		out += outSb236.String()
		return out
	}
	if got := seqs(into[timeline](t, w.get("/api/v1/incidents/id1/timeline"))); got != "1 x 2 again 4 x " {
		t.Errorf("got %q", got)
	}
	first := into[timeline](t, w.get("/api/v1/incidents/id1/timeline?sort=-seq&limit=2"))
	rest := into[timeline](t, w.get("/api/v1/incidents/id1/timeline?sort=-seq&limit=2&cursor="+*first.Next))
	if got := seqs(first) + seqs(rest); got != "4 x 2 again 1 x " || rest.Next != nil {
		t.Errorf("newest first: %q", got)
	}
}

func TestAlertsFollowMerges(t *testing.T) {
	w := newWorld(t)
	for n := 1; n <= 3; n++ {
		w.putIncident(anIncident(n))
		w.putAlert(fmt.Sprintf("id%d", n), anAlert(fmt.Sprintf("alertname=A,n=%d", n)))
		w.putAlert(fmt.Sprintf("id%d", n), anAlert("alertname=Same", resolved(time.Now().Add(time.Duration(n)*time.Second))))
	}
	count := func(path string) int { return into[alertPage](t, w.get(path)).Total }
	w.putIncident(anIncident(3, mergedInto("id2")))
	w.putIncident(anIncident(2, mergedInto("id1")))
	if got := count("/api/v1/incidents/id1/alerts"); got != 4 {
		t.Errorf("after two merges: %d alerts, want 4", got)
	}
	all := into[alertPage](t, w.get("/api/v1/alerts"))
	for _, a := range all.Alerts {
		if a.Incident == nil || *a.Incident != "id1" || *a.IncidentNumber != "INC-000001" {
			t.Errorf("alert %s is in %v", a.Fingerprint, a.Incident)
		}
	}
	w.putIncident(anIncident(2, func(i *itsm.Incident) { i.Revision = 3 })) // undone
	if one, two := count("/api/v1/incidents/id1/alerts"), count("/api/v1/incidents/id2/alerts"); one != 2 || two != 3 {
		t.Errorf("after the undo: %d and %d alerts, want 2 and 3", one, two)
	}
}

func TestCurrentAlerts(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1))
	w.putIncident(anIncident(2, withState(itsm.StateClosed)))
	w.putAlert("id1", anAlert("alertname=A,severity=page"))
	w.putAlert("id1", anAlert("alertname=B", resolved(time.Now())))
	w.putAlert("id2", anAlert("alertname=C"))
	w.putAlert(itsm.NoIncident, anAlert("alertname=Watchdog", func(a *itsm.AlertState) { a.Severity, a.Item, a.Tried = itsm.SeverityNone, nil, "instance" }))
	for _, tc := range []struct{ q, want string }{
		{``, "A B Watchdog"},
		{`status=firing`, "A Watchdog"},
		{`alertname="A"`, "A"},
		{`labels.severity="page"`, "A"},
		{`severity=none`, "Watchdog"},
		{`bound=false`, "Watchdog"},
		{`incident="INC-000001"`, "A B"},
		{`incident=""`, "Watchdog"},
		{`item="host-a" source=prom-a count>=1 age<5m`, "A B"},
		{`endsAt>1h`, "B"},
		{`watch`, "Watchdog"},
		{`alertname!~"A|B"`, "Watchdog"},
	} {
		got := into[alertPage](t, w.get("/api/v1/alerts?sort=severity&q="+url.QueryEscape(tc.q)))
		names := map[string]bool{}
		for _, a := range got.Alerts {
			names[a.Labels.Get("alertname")] = true
		}
		for name := range strings.SplitSeq(tc.want, " ") {
			if !names[name] {
				t.Errorf("%s: %s is missing in %v", tc.q, name, names)
			}
			delete(names, name)
		}
		if len(names) > 0 {
			t.Errorf("%s: also %v", tc.q, names)
		}
	}
	w.publish(itsm.TopicAlerts, "-/"+anAlert("alertname=Watchdog").Fingerprint.String(), nil)
	if got := into[alertPage](t, w.get("/api/v1/alerts")); got.Total != 2 {
		t.Errorf("after the tombstone: %d", got.Total)
	}
}

func TestOldRevisionsAndGarbageDoNotCount(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1, func(i *itsm.Incident) { i.Revision, i.Title = 5, "newer" }))
	w.putIncident(anIncident(1, func(i *itsm.Incident) { i.Revision, i.Title = 4, "older" }))
	w.batch(
		itsm.Published{Topic: itsm.TopicIncidents, Key: "id1", Value: []byte("{")},
		itsm.Published{Topic: itsm.TopicIncidents, Key: "id2", Value: []byte(`{"id":"id1"}`)},
		itsm.Published{Topic: itsm.TopicIncidents, Key: "_what", Value: []byte("x")},
		itsm.Published{Topic: itsm.TopicIncidents, Key: "_adopted/x", Value: []byte("{}")},
		itsm.Published{Topic: itsm.TopicIncidents, Key: "_command/x", Value: []byte("[]")},
		itsm.Published{Topic: itsm.TopicIncidents, Key: "_epoch", Value: []byte("a b")},
		itsm.Published{Topic: itsm.TopicAlerts, Key: "id1", Value: []byte("{}")},
		itsm.Published{Topic: itsm.TopicAlerts, Key: "id1/xyz", Value: []byte("{}")},
		itsm.Published{Topic: itsm.TopicTimeline, Key: "id1/x", Value: []byte("{}")},
		itsm.Published{Topic: itsm.TopicCMDB, Key: "item/x", Value: []byte("[]")},
		itsm.Published{Topic: itsm.TopicCMDB, Key: "what/x", Value: []byte("{}")},
	)
	if got := into[detail](t, w.get("/api/v1/incidents/id1")); got.Title != "newer" {
		t.Errorf("title %q", got.Title)
	}
	if got := into[incidentPage](t, w.get("/api/v1/incidents")); got.Total != 1 {
		t.Errorf("%d incidents", got.Total)
	}
}
