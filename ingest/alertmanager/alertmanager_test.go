package alertmanager

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/api/v2/models"
	"github.com/prometheus/alertmanager/template"

	"signalbox/ingest"
	"signalbox/ingest/ingesttest"
	"signalbox/itsm"
)

// message is what Alertmanager marshals for a webhook: notify/webhook.Message, whose package brings
// half of Alertmanager with it for these three fields.
type message struct {
	*template.Data
	Version         string `json:"version"`
	GroupKey        string `json:"groupKey"`
	TruncatedAlerts uint64 `json:"truncatedAlerts"`
}

// testdata returns the recorded bodies whose name has a prefix. They are what Prometheus and
// Alertmanager have sent (the version is in the name), but for the host's name.
func testdata(tb testing.TB, prefix string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob("testdata/" + prefix + "*.json")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no %s in testdata (%v)", prefix, err)
	}
	out := map[string][]byte{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		out[filepath.Base(file)] = b
	}
	return out
}

func webhookBody(alerts ...string) []byte {
	return []byte(`{"receiver":"signalbox","status":"firing","alerts":[` + strings.Join(alerts, ",") +
		`],"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am","version":"4","groupKey":"{}:{}","truncatedAlerts":0}`)
}

func postBody(alerts ...string) []byte { return []byte("[" + strings.Join(alerts, ", ") + "]\n") }

func TestDecodeWebhook_conforms(t *testing.T) {
	ingesttest.Run(t, ingesttest.Suite{
		Decode: DecodeWebhook, Body: webhookBody, Valid: testdata(t, "webhook"),
		Foreign: map[string][]byte{
			"list":                 postBody(ingesttest.Good("a")),
			"empty object":         []byte(`{}`),
			"no version":           []byte(`{"alerts":[]}`),
			"version 3":            []byte(`{"version":"3","alerts":[]}`),
			"version is a number":  []byte(`{"version":4,"alerts":[]}`),
			"no alerts":            []byte(`{"version":"4"}`),
			"alerts are no list":   []byte(`{"version":"4","alerts":{}}`),
			"alerts are null":      []byte(`{"version":"4","alerts":null}`),
			"group key, no UTF-8":  []byte("{\"version\":\"4\",\"groupKey\":\"\xff\",\"alerts\":[]}"),
			"url is no UTF-8":      []byte("{\"version\":\"4\",\"externalURL\":\"\xff\",\"alerts\":[]}"),
			"unknown is no UTF-8":  []byte("{\"version\":\"4\",\"alerts\":[],\"new\":[\"\xff\"]}"),
			"a name is no UTF-8":   []byte("{\"version\":\"4\",\"alerts\":[],\"new\xff\":1}"),
			"group key, a number":  []byte(`{"version":"4","groupKey":1,"alerts":[]}`),
			"too deep":             []byte(`{"version":"4","alerts":[],"new":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`),
			"endless":              bytes.Repeat([]byte("["), 1<<20),
			"endless in an alert":  []byte(`{"version":"4","alerts":[{"new":` + strings.Repeat("[", 1<<20)),
			"cut short":            webhookBody(ingesttest.Good("a"))[:300],
			"two bodies":           append(webhookBody(ingesttest.Good("a")), webhookBody(ingesttest.Good("b"))...),
			"trailing comma":       webhookBody(ingesttest.Good("a"), ""),
			"control character":    webhookBody("{\"labels\":{\"a\":\"\n\"}}"),
			"bad escape":           webhookBody(`{"labels":{"a":"\x"}}`),
			"single quotes":        []byte(`{'version':'4','alerts':[]}`),
			"event recorder's":     []byte(`{"timestamp":"2026-01-02T10:00:00Z","alertCreated":{}}`),
			"a name without value": []byte(`{"version":"4","alerts":[],"x"}`),
		},
	})
}

func TestDecodePost_conforms(t *testing.T) {
	ingesttest.Run(t, ingesttest.Suite{
		Decode: DecodePost, Body: postBody, Valid: testdata(t, "post"), IgnoresStatus: true,
		Foreign: map[string][]byte{
			"webhook":    webhookBody(ingesttest.Good("a")),
			"one alert":  []byte(ingesttest.Good("a")),
			"null":       []byte("null"),
			"cut short":  postBody(ingesttest.Good("a"))[:100],
			"no comma":   []byte("[" + ingesttest.Good("a") + ingesttest.Good("b") + "]"),
			"one too":    []byte("[]]"),
			"two bodies": []byte("[][]"),
			"comma":      []byte("[,]"),
			"endless":    bytes.Repeat([]byte("["), 1<<20),
			"braces":     bytes.Repeat([]byte(`{"a":`), 1<<18),
		},
	})
}

func TestDecode_emptyList(t *testing.T) {
	for name, b := range map[string]func() (ingest.Batch, error){
		"post":    func() (ingest.Batch, error) { return DecodePost([]byte(" [ ] "), ingesttest.Arrival()) },
		"webhook": func() (ingest.Batch, error) { return DecodeWebhook(webhookBody(), ingesttest.Arrival()) },
	} {
		if got, err := b(); err != nil || got.Accepted() != 0 || got.RefusedCount != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestDecode_fingerprint holds ours against the ones that Alertmanager itself has sent.
func TestDecode_fingerprint(t *testing.T) {
	for name, body := range testdata(t, "webhook") {
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatal(err)
		}
		b, err := DecodeWebhook(body, ingest.Arrival{At: ingesttest.Arrival().At})
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range b.Alerts {
			if got, want := a.Fingerprint.String(), m.Alerts[i].Fingerprint; got != want {
				t.Errorf("%s, alert %d: got %s, Alertmanager says %s", name, i, got, want)
			}
		}
	}
}

// randomAlert returns an alert as Alertmanager's types hold it.
func randomAlert(r *rand.Rand) template.Alert {
	texts := []string{"a", "instance", "", "<&>", "ü温度😀", "\u2028\u2029", `"\`, "\t\n\r\b\f\x00\x1f\x7f", "a b", strings.Repeat("long ", 50), "\ufffd"}
	set := func(least int) template.KV {
		kv := template.KV{}
		for range least + r.IntN(8) {
			kv["l"+texts[r.IntN(len(texts))]] = texts[r.IntN(len(texts))]
		}
		return kv
	}
	at := time.Unix(r.Int64N(1.7e9), r.Int64N(1e9)).In(time.FixedZone("", 60*(r.IntN(1440)-720)))
	a := template.Alert{Status: "firing", Labels: set(1), Annotations: set(0), StartsAt: at, GeneratorURL: texts[r.IntN(len(texts))]}
	a.Labels["alertname"] = "A"
	switch r.IntN(4) {
	case 0:
		a.Status, a.EndsAt = "resolved", at.Add(time.Duration(r.Int64N(1e15)))
	case 1:
		a.EndsAt = at
	case 2:
		a.StartsAt = time.Time{}
	}
	return a
}

// want is what we make of an alert that Alertmanager's own types have read.
func want(e template.Alert) itsm.Alert {
	kept := map[string]string{}
	for n, v := range e.Labels {
		if v != "" {
			kept[n] = v
		}
	}
	utc := func(t time.Time) time.Time {
		if t.IsZero() {
			return time.Time{}
		}
		return t.UTC()
	}
	a := itsm.Alert{
		Labels: itsm.NewLabels(kept), Annotations: itsm.NewLabels(e.Annotations), Status: itsm.Status(e.Status), StartsAt: utc(e.StartsAt),
		EndsAt: utc(e.EndsAt), GeneratorURL: e.GeneratorURL,
	}
	a.Fingerprint = a.Labels.Fingerprint()
	return a
}

func TestDecodeWebhook_readsWhatAlertmanagerMarshals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 300 {
		m := message{Data: &template.Data{
			Receiver: "r", Status: "firing", NotificationReason: "new alerts", RouteLabels: template.KV{"team": "x"}, GroupLabels: template.KV{"a": "b"},
			ExternalURL: fmt.Sprintf("http://am-%d?a&b", round),
		}, Version: "4", GroupKey: fmt.Sprintf(`{}:{alertname="A", n="%d"}`, round), TruncatedAlerts: uint64(round)}
		for range r.IntN(20) {
			m.Alerts = append(m.Alerts, randomAlert(r))
		}
		if m.Alerts == nil {
			m.Alerts = template.Alerts{}
		}
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back message // what the types read; marshalling loses the location of times
		if err := json.Unmarshal(body, &back); err != nil {
			t.Fatal(err)
		}
		b, err := DecodeWebhook(body, ingesttest.Arrival())
		if err != nil || b.RefusedCount > 0 || b.Unknown > 0 {
			t.Fatalf("%s: %v, refused %+v, unknown %d", body, err, b.Refused, b.Unknown)
		}
		if b.Source != m.ExternalURL || len(b.Alerts) != len(m.Alerts) {
			t.Fatalf("source %q, %d alerts", b.Source, len(b.Alerts))
		}
		for i, a := range back.Alerts {
			w := want(a)
			w.GroupKey = m.GroupKey
			if diff := cmp.Diff(w, b.Alerts[i]); diff != "" {
				t.Fatal(diff)
			}
		}
	}
}

func TestDecodePost_readsWhatAlertmanagerMarshals(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	arrival := ingesttest.Arrival()
	for range 300 {
		var list models.PostableAlerts
		for range r.IntN(20) {
			a := randomAlert(r)
			p := &models.PostableAlert{Annotations: models.LabelSet(a.Annotations), Alert: models.Alert{Labels: models.LabelSet(a.Labels)}}
			for text, into := range map[string]encoding.TextUnmarshaler{
				a.StartsAt.Format(time.RFC3339Nano): &p.StartsAt, a.EndsAt.Format(time.RFC3339Nano): &p.EndsAt, a.GeneratorURL: &p.GeneratorURL,
			} {
				if err := into.UnmarshalText([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			list = append(list, p)
		}
		body, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if list == nil {
			body = []byte("[]")
		}
		comparePost(t, body, arrival)
	}
}

// comparePost decodes a body of API v2 with Alertmanager's types and with ours.
func comparePost(t *testing.T, body []byte, arrival ingest.Arrival) {
	t.Helper()
	var back models.PostableAlerts
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	b, err := DecodePost(body, arrival)
	if err != nil || len(b.Alerts) != len(back) {
		t.Fatalf("%.2000s: %v, %d of %d, refused %+v", body, err, len(b.Alerts), len(back), b.Refused)
	}
	for i, p := range back {
		e := template.Alert{
			Status: "firing", Labels: template.KV(p.Labels), Annotations: template.KV(p.Annotations), StartsAt: time.Time(p.StartsAt),
			EndsAt: time.Time(p.EndsAt), GeneratorURL: string(p.GeneratorURL),
		}
		if e.EndsAt.IsZero() {
			e.EndsAt = arrival.At.Add(arrival.ResolveTimeout)
		} else if !e.EndsAt.After(arrival.At) && !e.EndsAt.Equal(e.StartsAt) {
			e.Status = "resolved"
		}
		if diff := cmp.Diff(want(e), b.Alerts[i]); diff != "" {
			t.Fatalf("%s", diff)
		}
	}
}

func TestDecode_recordedAsAlertmanagerReadsThem(t *testing.T) {
	for _, body := range testdata(t, "post") {
		arrival := ingesttest.Arrival()
		arrival.IgnoreLabels = nil // Alertmanager knows no replicas
		comparePost(t, body, arrival)
	}
}

func TestDecodePost_times(t *testing.T) {
	now := ingesttest.Arrival().At
	later := now.Add(5 * time.Minute)
	for _, tc := range []struct {
		name, starts, ends string
		status             itsm.Status
		startsAt, endsAt   time.Time
	}{
		{"none", "", "", itsm.StatusFiring, time.Time{}, later},
		{"Go's zero", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", itsm.StatusFiring, time.Time{}, later},
		{"started", "2026-01-02T09:00:00Z", "", itsm.StatusFiring, now.Add(-time.Hour), later},
		{"expires", "2026-01-02T09:00:00Z", "2026-01-02T10:04:00Z", itsm.StatusFiring, now.Add(-time.Hour), now.Add(4 * time.Minute)},
		{"over", "2026-01-02T09:00:00Z", "2026-01-02T09:59:59Z", itsm.StatusResolved, now.Add(-time.Hour), now.Add(-time.Second)},
		{"over now", "2026-01-02T09:00:00Z", "2026-01-02T10:00:00Z", itsm.StatusResolved, now.Add(-time.Hour), now},
		{"only over", "", "2026-01-02T09:59:59Z", itsm.StatusResolved, time.Time{}, now.Add(-time.Second)},
		{"one-shot", "2026-01-02T09:59:00Z", "2026-01-02T09:59:00Z", itsm.StatusFiring, now.Add(-time.Minute), now.Add(-time.Minute)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := fmt.Sprintf(`[{"labels":{"a":"b"},"startsAt":%q,"endsAt":%q,"status":"resolved"}]`, tc.starts, tc.ends)
			b, err := DecodePost([]byte(body), ingesttest.Arrival())
			if err != nil || len(b.Alerts) != 1 {
				t.Fatalf("%v, %+v", err, b.Refused)
			}
			a := b.Alerts[0]
			if a.Status != tc.status || !a.StartsAt.Equal(tc.startsAt) || !a.EndsAt.Equal(tc.endsAt) {
				t.Errorf("got %s from %s to %s", a.Status, a.StartsAt, a.EndsAt)
			}
		})
	}
	body := `[{"labels":{"a":"b"},"startsAt":"2026-01-02T11:00:00Z"}]` // begins after it would expire
	if b, err := DecodePost([]byte(body), ingesttest.Arrival()); err != nil || len(b.Refused) != 1 || b.Refused[0].Field != "endsAt" {
		t.Errorf("Alertmanager refuses this: %+v, %v", b, err)
	}
}

func TestDecodePost_takesWhatGetReturns(t *testing.T) {
	body := `[{"annotations":{},"endsAt":"2026-01-02T10:04:00.000Z","fingerprint":"f5f09dc365321c2f","receivers":[{"name":"x"}],"startsAt":"2026-01-02T09:00:00.000Z",
		"status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},"updatedAt":"2026-01-02T10:00:00.000Z","labels":{"alertname":"A"}}]`
	b, err := DecodePost([]byte(body), ingesttest.Arrival())
	if err != nil || len(b.Alerts) != 1 || b.Unknown != 0 {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestDecodeWebhook_versions(t *testing.T) {
	// 0.34 has notification_reason and routeLabels, older ones lack them; the next one has more.
	base := string(webhookBody(ingesttest.Good("a")))
	for more, unknown := range map[string]int{
		``: 0,
		`"notification_reason":"new alerts","routeLabels":{"team":"x"},`: 0,
		`"notification_reason":null,"next":{"a":[1]},"after":"x",`:       2,
	} {
		b, err := DecodeWebhook([]byte("{"+more+base[1:]), ingesttest.Arrival())
		if err != nil || len(b.Alerts) != 1 || b.Unknown != unknown {
			t.Errorf("%s: unknown %d, %v", more, b.Unknown, err)
		}
	}
	b, err := DecodeWebhook([]byte(`{"alerts":[`+ingesttest.Good("a")+`],"version":"4","groupKey":null,"externalURL":null}`), ingesttest.Arrival())
	if err != nil || len(b.Alerts) != 1 || b.Source != "" || b.Alerts[0].GroupKey != "" {
		t.Errorf("the order of fields matters, or null does: %+v, %v", b, err)
	}
}

// TestDecodeWebhook_groupOfOne: the groups of group_by: ['...'] are the alerts themselves, so the usual
// grouping is what the board compares with.
func TestDecodeWebhook_groupOfOne(t *testing.T) {
	const a, b = `{"status":"firing","labels":{"alertname":"Down","instance":"a:1"}}`, `{"status":"firing","labels":{"alertname":"Down","instance":"b:1"}}`
	for _, c := range []struct{ name, key, alerts, want string }{
		{"by every label", `{}/{}:{alertname="Down", instance="a:1"}`, a, `{alertname="Down"}`},
		{"by a name", `{}/{}:{alertname="Down"}`, a, `{}/{}:{alertname="Down"}`},
		{"by a name, two", `{}/{}:{alertname="Down"}`, a + "," + b, `{}/{}:{alertname="Down"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DecodeWebhook(fmt.Appendf(nil, `{"version":"4","groupKey":%q,"alerts":[%s]}`, c.key, c.alerts), ingesttest.Arrival())
			if err != nil || len(got.Alerts) == 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			for _, a := range got.Alerts {
				if g := a.Group(); g != c.want {
					t.Errorf("group %s, want %s", g, c.want)
				}
			}
		})
	}
}

func TestDecodeWebhook_truncated(t *testing.T) {
	for text, want := range map[string]int{`0`: 0, `7`: 7, ` 12 `: 12, `null`: 0, `-1`: 0, `"3"`: 0, `1.5`: 0, `99999999999999999999`: 0, `{}`: 0} {
		b, err := DecodeWebhook([]byte(`{"version":"4","truncatedAlerts":`+text+`,"alerts":[`+ingesttest.Good("a")+`]}`), ingesttest.Arrival())
		if err != nil || b.Truncated != want || len(b.Alerts) != 1 {
			t.Errorf("truncatedAlerts %s: got %d, %v; want %d", text, b.Truncated, err, want)
		}
	}
}
