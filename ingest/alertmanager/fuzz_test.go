package alertmanager

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/template"

	"signalbox/ingest"
	"signalbox/ingest/ingesttest"
	"signalbox/ingest/internal/scan"
	"signalbox/itsm"
)

func seeds(f *testing.F, body func(...string) []byte, prefix string) {
	f.Helper()
	for _, b := range testdata(f, prefix) {
		f.Add(b)
	}
	f.Add(body())
	f.Add(body(ingesttest.Good("a"), `{"labels":{"":"","x":"\ud83d"},"annotations":null,"new":[{}]}`, `null`))
	f.Add(body("{\"status\":\"resolved\",\"labels\":{\"x\":\"\xff\"},\"startsAt\":\"2026-01-02T10:00:00,5Z\"}"))
}

// element is an alert as encoding/json reads it, to hold ours against.
type element struct {
	Status       string
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     string
	EndsAt       string
	GeneratorURL string
}

// compareElements holds the alerts that were taken against encoding/json. A body that
// encoding/json reads in another way (other case of names, fields that stand twice) is left out.
func compareElements(t *testing.T, b *ingest.Batch, raw []json.RawMessage) {
	t.Helper()
	if b.Accepted()+b.RefusedCount != len(raw) {
		t.Fatalf("%d taken, %d refused, %d there", b.Accepted(), b.RefusedCount, len(raw))
	}
	refused := map[int]bool{}
	for _, r := range b.Refused {
		refused[r.Index] = true
	}
	next := 0
	for i, text := range raw {
		if refused[i] {
			continue
		}
		got := b.Alerts[next]
		next++
		var e element
		if ambiguous(text) || json.Unmarshal(text, &e) != nil {
			continue
		}
		w := want(template.Alert{
			Status: string(got.Status), Labels: e.Labels, Annotations: e.Annotations, StartsAt: parse(t, e.StartsAt), EndsAt: got.EndsAt,
			GeneratorURL: e.GeneratorURL,
		})
		w.Labels = w.Labels.Without(ingesttest.Arrival().IgnoreLabels)
		w.Fingerprint, w.GroupKey = w.Labels.Fingerprint(), got.GroupKey
		if e.EndsAt != "" && !parse(t, e.EndsAt).IsZero() {
			w.EndsAt = parse(t, e.EndsAt).UTC()
		}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Fatalf("%s: %s", text, diff)
		}
	}
}

// ambiguous tells whether encoding/json would take a name in another case, or one of several.
func ambiguous(text []byte) bool {
	seen := map[string]bool{}
	s := scan.New(text)
	return s.Object(func(name string) error {
		folded := strings.ToLower(name)
		if seen[folded] || folded != strings.ToLower(strings.ToValidUTF8(name, "?")) {
			return s.Expected("a name once")
		}
		seen[folded] = true
		for _, known := range []string{"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL"} {
			if name != known && strings.EqualFold(name, known) {
				return s.Expected("a name as it is")
			}
		}
		return s.Skip()
	}) != nil
}

func parse(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("a time that is none was taken: %q", text)
	}
	return at
}

func FuzzAPIv2(f *testing.F) {
	seeds(f, postBody, "post")
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := DecodePost(body, ingesttest.Arrival())
		var raw []json.RawMessage
		jsonErr := json.Unmarshal(body, &raw)
		if raw == nil && jsonErr == nil {
			return // null
		}
		if (err == nil) != (jsonErr == nil) {
			t.Fatalf("%q: got %v, encoding/json %v", body, err, jsonErr)
		}
		if err == nil {
			ingesttest.CheckBatch(t, &b)
			compareElements(t, &b, raw)
		}
	})
}

func FuzzWebhook(f *testing.F) {
	seeds(f, webhookBody, "webhook")
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := DecodeWebhook(body, ingesttest.Arrival())
		if err != nil {
			return
		}
		ingesttest.CheckBatch(t, &b)
		var m map[string]json.RawMessage
		if err := json.Unmarshal(body, &m); err != nil {
			t.Fatalf("%q: taken, encoding/json says %v", body, err)
		}
		var version, url string
		var raw []json.RawMessage
		for name, v := range map[string]any{"version": &version, "externalURL": &url, "alerts": &raw} {
			if m[name] == nil {
				continue
			}
			if err := json.Unmarshal(m[name], v); err != nil {
				t.Fatalf("%q: %s is taken, encoding/json says %v", body, name, err)
			}
		}
		if strings.Count(string(body), "\"version\"") == 1 && version != "4" {
			t.Fatalf("version %q is taken", version)
		}
		if !repeats(body) {
			if b.Source != url {
				t.Fatalf("source %q, encoding/json has %q", b.Source, url)
			}
			compareElements(t, &b, raw)
		}
	})
}

// repeats tells whether a name stands twice in an object.
func repeats(body []byte) bool {
	seen := map[string]bool{}
	s := scan.New(body)
	return s.Object(func(name string) error {
		if seen[name] {
			return s.Expected("a name once")
		}
		seen[name] = true
		return s.Skip()
	}) != nil
}

// FuzzLabels holds the label scanner against encoding/json and itsm's own.
func FuzzLabels(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":"b"}`, `{"z":"1","a":"\u00fc"}`, `{"a":"","b":"x"}`, `{"a":"1","a":"2"}`, `{"a":null}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := scan.New(text)
		r := &reader{Scanner: &s, slabSize: 16}
		var got itsm.Labels
		err := r.labels("annotations", &got)
		if err == nil {
			err = s.End()
		}
		if (err == nil) != json.Valid(text) {
			t.Fatalf("%q: got %v", text, err)
		}
		var want itsm.Labels
		wantErr := json.Unmarshal(text, &want)
		if err != nil || !s.Valid() {
			return
		}
		if (len(r.faults) == 0) != (wantErr == nil) {
			t.Fatalf("%q: faults %v, itsm says %v", text, r.faults, wantErr)
		}
		if wantErr == nil && !cmp.Equal(want, got) {
			t.Fatalf("%q: %s", text, cmp.Diff(want, got))
		}
	})
}

// FuzzTime holds the time scanner against time.Time's own JSON form, which is RFC 3339 to the letter.
func FuzzTime(f *testing.F) {
	for _, text := range []string{
		"", "2026-01-02T15:04:05Z", "2026-01-02T15:04:05.123456789+05:30", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02T24:00:00Z",
		"2026-01-02t15:04:05z", "2026-01-02 15:04:05Z", "2026-01-02T15:04:05,5Z", "2026-01-02T5:04:05Z", "2026-01-02T15:04:60Z",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		s := scan.New(quoted)
		r := &reader{Scanner: &s}
		var got, want time.Time
		if err := r.time("startsAt", &got); err != nil {
			t.Fatal(err)
		}
		if err := s.End(); err != nil {
			t.Fatal(err)
		}
		if want.UnmarshalJSON(quoted) != nil {
			return // ours may take a little more
		}
		if len(r.faults) > 0 || !got.Equal(want) || got.Location() != time.UTC {
			t.Fatalf("%q: got %s, %v, want %s", text, got, r.faults, want)
		}
	})
}
