package alertmanager

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/ingest/ingesttest"
	"signalbox/ingest/internal/scan"
	"signalbox/itsm"
)

// recorded returns the events that Alertmanager 0.34.2 has sent, one by one.
func recorded(tb testing.TB) [][]byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/recorder.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(b), []byte("\n"))
}

func TestDecodeRecorder_recorded(t *testing.T) {
	const fires, resolves = "firing ", "resolved 2026-11-25T12:32:05Z"
	var got []string
	for _, line := range recorded(t) {
		b, err := DecodeRecorder(line, ingesttest.Arrival())
		if err != nil || b.RefusedCount > 0 || b.Unknown > 0 || b.Source != "am-1" {
			t.Fatalf("%s: %v, %+v", line, err, b)
		}
		ingesttest.CheckBatch(t, &b)
		said := ""
		for _, a := range b.Alerts {
			if f := a.Fingerprint.String(); a.Labels.String() != `{alertname="Recorded", instance="a", severity="critical"}` || f != "132905c2712edc7a" {
				t.Errorf("got %s %s", f, a.Labels)
			}
			said = string(a.Status) + " "
			if !a.EndsAt.IsZero() {
				said += a.EndsAt.Format("2006-01-02T15:04:05Z07:00")
			}
		}
		got = append(got, said)
	}
	want := []string{"", fires, fires, fires, "", "", "", "", resolves, resolves, resolves, ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	list := append(append([]byte("["), bytes.Join(recorded(t), []byte(","))...), ']')
	if b, err := DecodeRecorder(list, ingesttest.Arrival()); err != nil || len(b.Alerts) != 6 {
		t.Errorf("as a list: %v, %d alerts", err, len(b.Alerts))
	}
}

// TestDecodeRecorder_agreesWithWebhook: what comes at both doors is one alert.
func TestDecodeRecorder_agreesWithWebhook(t *testing.T) {
	web, err := DecodeWebhook([]byte(`{"version":"4","groupKey":"{}:{alertname=\"Recorded\"}","alerts":[{"status":"firing","labels":{"alertname":"Recorded","instance":"a",
		"severity":"critical"},"annotations":{"summary":"s"},"startsAt":"2026-11-25T12:31:59.66337837Z","endsAt":"0001-01-01T00:00:00Z"}]}`), ingesttest.Arrival())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{2, 3} { // grouped, notified
		b, err := DecodeRecorder(recorded(t)[i], ingesttest.Arrival())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(web.Alerts, b.Alerts); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDecodeRecorder_faults(t *testing.T) {
	for body, field := range map[string]string{
		`{"data":{"alertCreated":{"alert":{"labels":{"labels":[{"key":"x","value":1}]}}}}}`:                           "labels.x",
		`{"data":{"alertCreated":{"alert":{"labels":{"x":"1"}}}}}`:                                                    "labels",
		`{"data":{"alertCreated":{"alert":{"labels":{"labels":[{"key":"x","value":"1"}]},"resolved":"yes"}}}}`:        "resolved",
		`{"data":{"alertResolved":{"alert":{"hash":"1"}}}}`:                                                           "details",
		`{"data":{"alertCreated":{"alert":{"labels":{"labels":[{"key":"x","value":"1"}]},"startsAt":"yesterday"}}}}`:  "startsAt",
		`{"data":{"alertCreated":{"alert":{"labels":{"labels":[{"key":"x","value":"1"},{"key":"x","value":"2"}]}}}}}`: "labels.x",
		`{"data":{"alertCreated":{"alert":{"labels":{"labels":[{"key":"__replica__","value":"r"}]}}}}}`:               "labels",
		"{\"data\":{\"alertCreated\":{\"alert\":{\"labels\":{\"labels\":[{\"key\":\"x\",\"value\":\"\xff\"}]}}}}}":    "labels.x",
	} {
		b, err := DecodeRecorder([]byte(body), ingesttest.Arrival())
		if err != nil || b.RefusedCount != 1 || b.Refused[0].Field != field {
			t.Errorf("%s: %v, %+v, want %s", body, err, b.Refused, field)
		}
	}
	for body, says := range map[string]string{
		`{}`: "data: is missing", `[{"data":{}},{"x":1}]`: "[1]: data: is missing", `{"data":{"alertCreated":{}}}`: "data: alertCreated: alert: is missing",
		`{"data":1}`: "data: ", `1`: "", `{"instance":1,"data":{}}`: "instance: ", `{"data":{}}{}`: "",
	} {
		if _, err := DecodeRecorder([]byte(body), ingesttest.Arrival()); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", body, err, says)
		}
	}
	if b, err := DecodeRecorder([]byte(`{"data":{"next":{"alert":1}}}`), ingesttest.Arrival()); err != nil || b.Unknown != 1 || b.Accepted() != 0 {
		t.Errorf("an unknown kind: %+v, %v", b, err)
	}
}

func FuzzRecorder(f *testing.F) {
	topic, err := os.ReadFile("testdata/recorder_topic.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(topic) {
		f.Add(line)
	}
	for _, line := range recorded(f) {
		f.Add(line)
		f.Add(append(append([]byte("["), line...), ']'))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := DecodeRecorder(body, ingesttest.Arrival())
		if err != nil {
			return
		}
		ingesttest.CheckBatch(t, &b)
		if !json.Valid(body) {
			t.Fatalf("%q is taken", body)
		}
		for _, a := range b.Alerts {
			if a.Status == itsm.StatusFiring && !a.EndsAt.IsZero() {
				t.Fatalf("%q: a firing alert ends", body)
			}
		}
	})
}

// recorderBody holds alerts in the event recorder's form of labels and status.
func recorderBody(alerts ...string) []byte {
	events := make([]string, len(alerts))
	for i, text := range alerts {
		events[i] = `{"instance":"am-1","data":{"alertCreated":{"alert":` + inRecorderForm(text) + `}}}`
	}
	return []byte("[" + strings.Join(events, ",") + "]")
}

// inRecorderForm rewrites the text of an alert, and leaves what is wrong with it as it is.
func inRecorderForm(text string) string {
	quote := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\x00", `\u0000`).Replace
	members := func(text string, member func(name, value string) string) string {
		var out []string
		s := scan.New([]byte(text))
		err := s.Object(func(name string) error {
			s.Peek()
			from := s.Pos()
			err := s.Skip()
			out = append(out, member(quote(name), s.Since(from)))
			return err
		})
		if err != nil {
			return text
		}
		return strings.Join(out, ",")
	}
	if !strings.HasPrefix(text, "{") {
		return text
	}
	return "{" + members(text, func(name, value string) string {
		switch {
		case (name == "labels" || name == "annotations") && strings.HasPrefix(value, "{"):
			return `"` + name + `":{"labels":[` + members(value, func(name, value string) string {
				return `{"key":"` + name + `","value":` + value + `}`
			}) + `]}`
		case name == "status":
			name = "resolved"
			switch value {
			case `"firing"`:
				value = "false"
			case `"resolved"`:
				value = "true"
			}
		}
		return `"` + name + `":` + value
	}) + "}"
}

func TestDecodeRecorder_conforms(t *testing.T) {
	ingesttest.Run(t, ingesttest.Suite{
		Decode: DecodeRecorder, Body: recorderBody, Valid: map[string][]byte{"0.34.2": append(append([]byte("["), bytes.Join(recorded(t), []byte(","))...), ']')},
		IgnoresStatus: true, StatusField: "resolved",
		Foreign: map[string][]byte{
			"webhook": webhookBody(ingesttest.Good("a")), "post": postBody(ingesttest.Good("a")), "null": []byte("null"), "no data": []byte("{}"),
			"endless": bytes.Repeat([]byte("["), 1<<20), "instance is no UTF-8": []byte("{\"instance\":\"\xff\",\"data\":{}}"),
			"a kind is no UTF-8": []byte("{\"data\":{\"\xff\":{}}}"), "two bodies": []byte(`{"data":{}}{"data":{}}`),
		},
	})
}
