package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/api/v2/models"
	"go.yaml.in/yaml/v3"
)

// valid decodes an answer with a model of Alertmanager, which must find it valid.
func valid[T interface{ Validate(f F) error }, F any](w *world, path string) T {
	w.t.Helper()
	got := w.get(path)
	if got.status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	v := into[T](w.t, got)
	var formats F // nil: the default ones
	if err := v.Validate(formats); err != nil {
		w.t.Fatalf("%s: not valid for Alertmanager: %v\n%s", path, err, got.body)
	}
	return v
}

// alertmanagerWorld has an incident of three alerts, one of a single suppressed alert, alerts that
// have no incident, and what is not to be listed: a resolved alert and a cancelled incident's.
func alertmanagerWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.putIncident(anIncident(1))
	w.putIncident(anIncident(2, func(inc *itsm.Incident) { inc.Causes, inc.Priority = nil, 4 }))
	w.putIncident(anIncident(3, withState(itsm.StateCancelled)))
	w.putAlert("id1", anAlert("alertname=HostDown,instance=host-a:9100", func(a *itsm.AlertState) {
		a.StartsAt, a.LastStartsAt, a.LastSeenAt = day("09:00:00"), day("10:00:00"), day("10:01:00")
		a.Annotations = itsm.NewLabels(map[string]string{"summary": "it is down"})
		a.GeneratorURL = "http://prometheus.example/graph?g0.expr=up"
	}))
	w.putAlert("id1", anAlert("alertname=HostDown,instance=host-b:9100,priority=urgent"))
	w.putAlert("id1", anAlert("alertname=Slow,instance=host-c:9100", func(a *itsm.AlertState) { a.GeneratorURL = "see the wiki" }))
	w.putAlert("id1", anAlert("alertname=Over,instance=host-a:9100", resolved(time.Now().Add(-time.Minute))))
	w.putAlert("id2", anAlert("alertname=DiskFull,instance=host-d:9100", func(a *itsm.AlertState) {
		reason := "silenced in Alertmanager"
		a.Suppressed = &reason
	}))
	w.putAlert("id3", anAlert("alertname=Cancelled"))
	w.putAlert(itsm.NoIncident, anAlert("alertname=Watchdog"))
	w.putAlert(itsm.NoIncident, anAlert("job=nameless"))
	return w
}

// names are the alertnames of alerts, sorted, with the job where there is none.
func names(alerts []*models.GettableAlert) string {
	var out []string
	for _, a := range alerts {
		name := a.Labels["alertname"]
		if instance, ok := a.Labels["instance"]; ok {
			name += "/" + strings.TrimSuffix(instance, ":9100")
		}
		out = append(out, name+a.Labels["job"])
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestAlertmanager_alert(t *testing.T) {
	w := alertmanagerWorld(t)
	before := time.Now()
	list := valid[models.GettableAlerts](w, "/api/v2/alerts?filter="+url.QueryEscape(`instance="host-a:9100"`))
	if len(list) != 1 {
		t.Fatalf("one firing alert is expected, got %s", names(list))
	}
	a := list[0]
	if end := time.Time(*a.EndsAt); end.Before(before) {
		t.Errorf("a firing alert ends at %v, which readers take for a resolve", end)
	}
	a.EndsAt = nil
	text := func(s string) *string { return &s }
	labels := itsm.NewLabels(map[string]string{"alertname": "HostDown", "instance": "host-a:9100"})
	want := &models.GettableAlert{
		Alert:       models.Alert{Labels: models.LabelSet(labels.Map()), GeneratorURL: "http://prometheus.example/graph?g0.expr=up"},
		Annotations: models.LabelSet{"summary": "it is down"}, Fingerprint: text(labels.Fingerprint().String()),
		Receivers: []*models.ReceiverReference{{Name: text("signalbox")}},
		Status:    &models.AlertStatus{State: text("active"), SilencedBy: []string{}, InhibitedBy: []string{}, MutedBy: []string{}},
	}
	at := *a.StartsAt
	want.StartsAt, want.UpdatedAt = &at, a.UpdatedAt
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	if start, seen := time.Time(*a.StartsAt), time.Time(*a.UpdatedAt); !start.Equal(day("10:00:00")) || !seen.Equal(day("10:01:00")) {
		t.Errorf("alert starts %v, updated %v; want the start of the present period and when it was last seen", start, seen)
	}
}

func TestAlertmanager_alerts(t *testing.T) {
	w := alertmanagerWorld(t)
	const all = "DiskFull/host-d HostDown/host-a HostDown/host-b Slow/host-c Watchdog nameless"
	for _, tc := range []struct {
		query, want string
	}{
		{"", all},
		{"active=true&silenced=false&inhibited=false&unprocessed=false", "HostDown/host-a HostDown/host-b Slow/host-c Watchdog nameless"}, // amtool
		{"active=false", "DiskFull/host-d"},
		{"active=false&silenced=false", ""},
		{"inhibited=false&unprocessed=false", all},
		{"receiver=signal.*", all},
		{"receiver=signal", ""},
		{"receiver_matchers=" + url.QueryEscape(`owner="x"`), ""},
		{"receiver_matchers=" + url.QueryEscape(`owner!="x"`), all},
		{`filter=alertname=HostDown`, "HostDown/host-a HostDown/host-b"},
		{`filter=alertname=~"Host.*"&filter=instance!="host-a:9100"`, "HostDown/host-b"},
		{`filter=alertname=~"Host"`, ""},
		{`filter=alertname=""`, "nameless"},
		{`filter=alertname!=""`, "DiskFull/host-d HostDown/host-a HostDown/host-b Slow/host-c Watchdog"},
		{`filter=instance!~"host-[ab]:9100"`, "DiskFull/host-d Slow/host-c Watchdog nameless"},
		{`filter=incident="INC-000001"`, "HostDown/host-a HostDown/host-b Slow/host-c"},
		{`filter=cause=sw-1&filter=alertname=Slow`, "Slow/host-c"},
		{`filter=priority=2`, "HostDown/host-a Slow/host-c"},
		{`filter=priority=urgent`, "HostDown/host-b"},
		{`filter=incident=""`, "Watchdog nameless"},
		{`filter=incident!="INC-000001"`, "DiskFull/host-d Watchdog nameless"},
		{`filter=nothing=here`, ""},
	} {
		q := tc.query
		if strings.HasPrefix(q, "filter=") {
			values := url.Values{}
			for part := range strings.SplitSeq(strings.TrimPrefix(q, "filter="), "&filter=") {
				values.Add("filter", part)
			}
			q = values.Encode()
		}
		list := valid[models.GettableAlerts](w, "/api/v2/alerts?"+q)
		if got := names(list); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.query, got, tc.want)
		}
		if !slices.IsSortedFunc(list, func(a, b *models.GettableAlert) int { return strings.Compare(*a.Fingerprint, *b.Fingerprint) }) {
			t.Errorf("%s: not in the order of fingerprints", tc.query)
		}
	}
	if got := w.get("/api/v2/alerts?filter=a%3Db"); string(got.body) != "[]" {
		t.Errorf("no alert: got %s", got.body)
	}
}

func TestAlertmanager_suppressedAlertSaysWhy(t *testing.T) {
	w := alertmanagerWorld(t)
	silence := []string{"7b0e5e4f-3a53-4d5e-9d7c-2f2ba62b9a55"}
	suppressed := func(name, reason string, by ...string) {
		w.putAlert("id2", anAlert("alertname="+name, func(a *itsm.AlertState) { a.Suppressed, a.SilencedBy = &reason, by }))
	}
	suppressed("Ours", "silenced by maria: switch is replaced", silence...)
	suppressed("Inhibited", "inhibited by 3f2c1a in prod")
	const muted = "silenced in Alertmanager"
	for query, want := range map[string]int{`silencedBy="` + silence[0] + `"`: 1, `silencedBy!=""`: 1, `silencedBy="" suppressed!=""`: 2} {
		if page := into[struct{ Total int }](t, w.get("/api/v1/alerts?q="+url.QueryEscape(query))); page.Total != want {
			t.Errorf("%s: %d alerts, want %d", query, page.Total, want)
		}
	}
	for query, want := range map[string]string{
		"active=false":                                  "DiskFull/host-d Inhibited Ours",
		"active=false&inhibited=false":                  "DiskFull/host-d Ours",
		"active=false&silenced=false":                   "Inhibited",
		"active=false&silenced=false&inhibited=false":   "",
		"active=false&filter=alertname%3DInhibited":     "Inhibited",
		"filter=incident%3DINC-000002&inhibited=false":  "DiskFull/host-d Ours",
		"filter=incident%3DINC-000002&silenced=false":   "Inhibited",
		"filter=incident%3DINC-000002&unprocessed=true": "DiskFull/host-d Inhibited Ours",
	} {
		list := valid[models.GettableAlerts](w, "/api/v2/alerts?"+query)
		if got := names(list); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
		for _, a := range list {
			want := &models.AlertStatus{State: a.Status.State, SilencedBy: []string{}, InhibitedBy: []string{}, MutedBy: []string{}}
			switch a.Labels["alertname"] {
			case "Ours":
				want.SilencedBy = silence
			case "Inhibited":
				want.InhibitedBy = []string{"inhibited by 3f2c1a in prod"}
			default:
				want.MutedBy = []string{muted}
			}
			if diff := cmp.Diff(want, a.Status); diff != "" || *a.Status.State != models.AlertStatusStateSuppressed {
				t.Errorf("%s: status %s (-want +got):\n%s", a.Labels, *a.Status.State, diff)
			}
		}
	}
}

func TestAlertmanager_groups(t *testing.T) {
	w := alertmanagerWorld(t)
	type group struct{ Labels, Alerts string }
	read := func(query string) []group {
		var out []group
		for _, g := range valid[models.AlertGroups](w, "/api/v2/alerts/groups"+query) {
			for _, a := range g.Alerts {
				for name := range g.Labels {
					if a.Labels[name] == "" {
						t.Errorf("group %v: its label %s is not on the alert %v", g.Labels, name, a.Labels)
					}
				}
			}
			if *g.Receiver.Name != "signalbox" || g.RouteLabels == nil {
				t.Errorf("group %v: receiver %s, route labels %v", g.Labels, *g.Receiver.Name, g.RouteLabels)
			}
			out = append(out, group{itsm.NewLabels(g.Labels).String(), names(g.Alerts)})
		}
		return out
	}
	first := group{`{cause="sw-1", incident="INC-000001", priority="2"}`, "HostDown/host-a HostDown/host-b Slow/host-c"}
	second := group{`{incident="INC-000002", priority="4"}`, "DiskFull/host-d"}
	nameless, watchdog := group{`{}`, "nameless"}, group{`{alertname="Watchdog"}`, "Watchdog"}
	for query, want := range map[string][]group{
		"":                             {first, second, nameless, watchdog},
		"?muted=false":                 {first, nameless, watchdog},
		"?silenced=false":              {first, nameless, watchdog},
		"?active=false":                {second},
		"?active=false&silenced=false": nil,
		"?receiver=other":              nil,
		"?filter=alertname%3DSlow":     {{first.Labels, "Slow/host-c"}},
		"?filter=priority%3D2":         {{first.Labels, "HostDown/host-a Slow/host-c"}},
	} {
		if diff := cmp.Diff(want, read(query)); diff != "" {
			t.Errorf("groups%s (-want +got):\n%s", query, diff)
		}
	}
}

// TestAlertmanager_movingAlertIsListedOnce: between two records it is in both places.
func TestAlertmanager_movingAlertIsListedOnce(t *testing.T) {
	w := newWorld(t)
	w.putIncident(anIncident(1))
	w.putAlert(itsm.NoIncident, anAlert("alertname=HostDown"))
	w.putAlert("id1", anAlert("alertname=HostDown"))
	groups := valid[models.AlertGroups](w, "/api/v2/alerts/groups")
	if len(groups) != 1 || groups[0].Labels["incident"] != "INC-000001" || len(groups[0].Alerts) != 1 {
		t.Errorf("one alert in its incident is expected, got %d groups", len(groups))
	}
}

func TestAlertmanager_status(t *testing.T) {
	w := newWorld(t)
	got := w.get("/api/v2/status")
	status := into[models.AlertmanagerStatus](t, got)
	if err := status.Validate(nil); err != nil {
		t.Errorf("not valid for Alertmanager: %v\n%s", err, got.body)
	}
	if since := time.Since(time.Time(*status.Uptime)); since < 0 || since > time.Minute {
		t.Errorf("started %v ago", since)
	}
	if v := status.VersionInfo; *v.Version != alertmanagerVersion || *v.Revision != "test" {
		t.Errorf("version %s, revision %s", *v.Version, *v.Revision)
	}
	var config struct {
		Route struct {
			Receiver string
			GroupBy  []string `yaml:"group_by"`
		}
		Receivers []map[string]string
	}
	if err := yaml.Unmarshal([]byte(*status.Config.Original), &config); err != nil {
		t.Fatal(err)
	}
	if r := config.Route; r.Receiver != "signalbox" || !slices.Equal(r.GroupBy, []string{"incident", "cause", "priority"}) || len(config.Receivers) != 1 {
		t.Errorf("configuration: %+v", config)
	}
}

func TestAlertmanager_receivers(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]int{"": 1, "?receiver_matchers=owner%21%3Dx": 1, "?receiver_matchers=owner%3Dx": 0} {
		got := w.get("/api/v2/receivers" + query)
		list := into[[]*models.Receiver](t, got)
		if len(list) != want {
			t.Errorf("receivers%s: %s", query, got.body)
		}
		for _, r := range list {
			if err := r.Validate(nil); err != nil || *r.Name != "signalbox" {
				t.Errorf("receiver %s: %v", got.body, err)
			}
		}
	}
}

func TestAlertmanager_silences(t *testing.T) {
	w := newWorld(t)
	if list := valid[models.GettableSilences](w, "/api/v2/silences?filter=a%3Db&active=true&expired=false&pending=false"); list == nil || len(list) != 0 {
		t.Errorf("silences: %v", list)
	}
	const one = "/api/v2/silence/7b0e5e4f-3a53-4d5e-9d7c-2f2ba62b9a55"
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if got := w.do(method, one, ""); got.status != http.StatusNotFound || !strings.Contains(into[string](t, got), "no silence") {
			t.Errorf("%s one: %d %s", method, got.status, got.body)
		}
	}
	if got := w.do(http.MethodPut, one, ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, DELETE" {
		t.Errorf("PUT: %d, allowed %q", got.status, got.header.Get("Allow"))
	}
}

// TestAlertmanager_silenceMistakes: a silence is refused with a text that amtool can print.
func TestAlertmanager_silenceMistakes(t *testing.T) {
	w := newWorld(t)
	const ahead, behind = "2200-01-01T00:00:00Z", "2001-01-01T00:00:00Z"
	silence := func(matchers, starts, ends string) string {
		return `{"matchers":` + matchers + `,"startsAt":"` + starts + `","endsAt":"` + ends + `","createdBy":"maria","comment":"x"}`
	}
	const good = `[{"name":"a","value":"b","isRegex":false}]`
	for body, want := range map[string]string{
		``:                           "decode the silence",
		`{"matchers":[]}`:            "startsAt in body is required",
		silence(`[]`, behind, ahead): "at least one matcher is needed",
		silence(`[{"name":"a","value":".*","isRegex":true}]`, behind, ahead):                 "must not match the empty value",
		silence(`[{"name":"a","value":"b","isRegex":false,"isEqual":false}]`, behind, ahead): "must not match the empty value",
		silence(`[{"name":"a","value":"(","isRegex":true}]`, behind, ahead):                  "error parsing regexp",
		silence(good, behind, behind):                 "start time must be before end time",
		silence(good, behind, "2002-01-01T00:00:00Z"): "end time can't be in the past",
		silence(good, "tomorrow", ahead):              "decode the silence",
		strings.Replace(silence(good, behind, ahead), `{`, `{"id":"7b0e5e4f-3a53-4d5e-9d7c-2f2ba62b9a55",`, 1): "there is no silence",
	} {
		got := w.do(http.MethodPost, "/api/v2/silences", body)
		if got.status != http.StatusBadRequest && got.status != http.StatusNotFound || got.header.Get("Content-Type") != "application/json" ||
			!strings.Contains(into[string](t, got), want) {
			t.Errorf("%s: %d %s, want %q", body, got.status, got.body, want)
		}
	}
}

func TestAlertmanager_mistakes(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]string{
		"/api/v2/alerts?active=maybe":              `active: true or false is expected, got "maybe"`,
		"/api/v2/alerts?filter=HostDown":           `filter: bad matcher format: HostDown`,
		"/api/v2/alerts?filter=a%3D~%22(%22":       "filter: error parsing regexp: missing closing ): `^(?:()$`",
		"/api/v2/alerts?receiver=(":                "receiver: error parsing regexp: missing closing ): `^(?:()$`",
		"/api/v2/alerts?receiver_matchers=x":       `receiver_matchers: bad matcher format: x`,
		"/api/v2/alerts/groups?muted=1.5":          `muted: true or false is expected, got "1.5"`,
		"/api/v2/alerts/groups?filter=%7Ba%3Db%7D": `filter: unexpected open or close brace: {a=b}`,
		"/api/v2/receivers?receiver_matchers=%22":  `receiver_matchers: bad matcher format: "`,
		"/api/v2/silences?pending=soon":            `pending: true or false is expected, got "soon"`,
		"/api/v2/silences?filter=x&active=true":    `filter: bad matcher format: x`,
		"/api/v2/alerts?filter=a%3Db&filter=%21":   `filter: bad matcher format: !`,
		"/api/v2/alerts/groups?receiver=%5B":       "receiver: error parsing regexp: missing closing ]: `[)$`",
	} {
		got := w.get(path)
		if got.status != http.StatusBadRequest || got.header.Get("Content-Type") != "application/json" || into[string](t, got) != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// TestAlertmanager_readsWhileAlertsCome holds that every answer is whole while records are applied.
func TestAlertmanager_readsWhileAlertsCome(t *testing.T) {
	w := newRoom(t)
	w.putIncident(anIncident(1))
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, path := range []string{"/api/v2/alerts?filter=alertname%3D~%22A.%2A%22", "/api/v2/alerts/groups"} {
					if got := w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)); got.status != http.StatusOK || !json.Valid(got.body) {
						t.Errorf("%s: %d %.200s", path, got.status, got.body)
					}
				}
			}
		})
	}
	for i := range 300 {
		a := anAlert(fmt.Sprintf("alertname=A%d", i%20))
		if i%3 == 0 {
			w.publish(itsm.TopicAlerts, "id1/"+a.Fingerprint.String(), nil)
		} else {
			w.putAlert("id1", a)
		}
		w.putIncident(anIncident(1, func(inc *itsm.Incident) { inc.Revision, inc.Priority = i+1, 1+i%5 }))
	}
	close(stop)
	readers.Wait()
}

// BenchmarkAlertmanager lists 10,000 firing alerts in 100 incidents.
func BenchmarkAlertmanager(b *testing.B) {
	w := newRoom(b)
	var records []itsm.Published
	for i := range 10_000 {
		inc := fmt.Sprintf("id%d", i%100)
		a := anAlert(fmt.Sprintf("alertname=A%d,instance=host-%d:9100,job=node,namespace=shop,severity=critical", i%200, i))
		records = append(records, w.record(itsm.TopicAlerts, inc+"/"+a.Fingerprint.String(), a))
	}
	for i := range 100 {
		w.putIncident(anIncident(i))
	}
	w.batch(records...)
	for _, path := range []string{"/api/v2/alerts", "/api/v2/alerts?filter=alertname%3DA7", "/api/v2/alerts/groups"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				if got := w.send(httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)); got.status != http.StatusOK {
					b.Fatal(got.status)
				}
			}
		})
	}
}
