// Package ingesttest holds what every decoder of the doors promises, as one suite that each format
// runs. A format that differs says so in its Suite; the default is that everything holds.
package ingesttest

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/ingest"
	"signalbox/itsm"
)

// Suite is what the conformance suite must know of a format.
type Suite struct {
	Decode ingest.Decoder
	// Body returns a body that holds alerts, each given as the JSON text of its object.
	Body func(alerts ...string) []byte
	// Valid are bodies as they come from outside, by name; everything in them is taken.
	Valid map[string][]byte
	// Foreign are bodies that are not of the format, by name.
	Foreign map[string][]byte
	// IgnoresStatus marks a format in which the times alone say whether an alert fires.
	IgnoresStatus bool
	// StatusField is the field that says so instead, where it is not `status`.
	StatusField string
}

// Arrival is when and how the suite's bodies arrive.
func Arrival() ingest.Arrival {
	return ingest.Arrival{
		At: time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC), ResolveTimeout: 5 * time.Minute, IgnoreLabels: []string{"prometheus_replica", "__replica__"},
	}
}

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	t.Run("takes bodies from outside", s.takesValid)
	t.Run("refuses a foreign body whole", s.refusesForeign)
	t.Run("takes unusual alerts", s.takesUnusual)
	t.Run("refuses an alert alone", s.refusesAlone)
	t.Run("tells every fault", s.tellsEveryFault)
	t.Run("bounds what it tells", s.boundsRefusals)
	t.Run("counts unknown fields", s.countsUnknown)
	t.Run("takes ignored labels out", s.takesIgnoredOut)
	t.Run("keeps order", s.keepsOrder)
	t.Run("is a pure function", s.isPure)
	t.Run("does not alias the body", s.doesNotAlias)
	t.Run("survives broken bodies", s.survivesBroken)
}

// Good is the JSON text of an alert that every format takes.
func Good(name string) string {
	return fmt.Sprintf(`{"status":"firing","labels":{"alertname":"LinkDown","hostname":%q},"annotations":{"summary":"down"},`+
		`"startsAt":"2026-01-02T09:59:58.123456789Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://p/graph?g0.expr=up\u0026g0.tab=1"}`, name)
}

// CheckBatch holds what is true of the result of any body at all, so that fuzz targets can use it too.
func CheckBatch(tb testing.TB, b *ingest.Batch) {
	tb.Helper()
	for i := range b.Alerts {
		a := &b.Alerts[i]
		if err := a.Validate(); err != nil {
			tb.Errorf("alert %d was taken with faults: %v", i, err)
		}
		if a.Fingerprint != a.Labels.Fingerprint() {
			tb.Errorf("alert %d has the fingerprint of another", i)
		}
		for j, l := range a.Labels {
			if l.Value == "" || j > 0 && a.Labels[j-1].Name >= l.Name {
				tb.Errorf("alert %d has labels that are not canonical: %s", i, a.Labels)
			}
		}
		for j, l := range a.Annotations {
			if j > 0 && a.Annotations[j-1].Name >= l.Name {
				tb.Errorf("alert %d has annotations that are not sorted: %s", i, a.Annotations)
			}
		}
	}
	for i := range b.Changes {
		if err := b.Changes[i].Validate(); err != nil {
			tb.Errorf("change %d was taken with faults: %v", i, err)
		}
	}
	elements := 0
	for i, r := range b.Refused {
		if i == 0 || r.Index != b.Refused[i-1].Index {
			elements++
		}
		if r.Reason == "" || i > 0 && r.Index < b.Refused[i-1].Index {
			tb.Errorf("refusal %d: %+v", i, r)
		}
	}
	if elements > b.RefusedCount || elements < b.RefusedCount && len(b.Refused) < ingest.MaxRefusals {
		tb.Errorf("%d elements are listed, %d counted", elements, b.RefusedCount)
	}
}

// decode decodes a body that is of the format.
func (s *Suite) decode(t *testing.T, body []byte) ingest.Batch {
	t.Helper()
	b, err := s.Decode(body, Arrival())
	if err != nil {
		t.Fatalf("%.500s: %v", body, err)
	}
	CheckBatch(t, &b)
	return b
}

func (s *Suite) takesValid(t *testing.T) {
	if len(s.Valid) == 0 {
		t.Fatal("the suite has no bodies from outside")
	}
	for name, body := range s.Valid {
		t.Run(name, func(t *testing.T) {
			b := s.decode(t, body)
			if b.Accepted() == 0 || b.RefusedCount > 0 || b.Unknown > 0 {
				t.Errorf("accepted %d, unknown fields %d, refused %+v", b.Accepted(), b.Unknown, b.Refused)
			}
		})
	}
}

func (s *Suite) refusesForeign(t *testing.T) {
	bodies := map[string][]byte{
		"empty": nil, "space": []byte(" \n"), "text": []byte("hello"), "number": []byte("1"), "byte order mark": append([]byte("\ufeff"), s.Body(Good("a"))...),
		"XML": []byte("<alerts/>"), "NUL": {0}, "UTF-16": {0xff, 0xfe, '[', 0},
	}
	maps.Copy(bodies, s.Foreign)
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			if b, err := s.Decode(body, Arrival()); err == nil {
				t.Errorf("taken: %+v", b)
			} else if err.Error() == "" {
				t.Error("the error says nothing")
			}
		})
	}
}

// unusual are alerts that must be taken, as the text of their object.
func unusual() map[string]string {
	return map[string]string{
		"no alertname":       `{"status":"firing","labels":{"x":"1"}}`,
		"nulls":              `{"status":"firing","labels":{"x":"1"},"annotations":null,"startsAt":null,"endsAt":null,"generatorURL":null}`,
		"empty times":        `{"status":"firing","labels":{"x":"1"},"startsAt":"","endsAt":""}`,
		"zero time":          `{"status":"firing","labels":{"x":"1"},"startsAt":"0001-01-01T00:00:00Z"}`,
		"offset":             `{"status":"firing","labels":{"x":"1"},"startsAt":"2026-01-02T11:59:58+02:00"}`,
		"empty value":        `{"status":"firing","labels":{"x":"1","gone":""}}`,
		"empty name, valued": `{"status":"firing","labels":{"x":"1","":""}}`,
		"empty annotations":  `{"status":"firing","labels":{"x":"1"},"annotations":{}}`,
		"escapes":            `{"status":"firing","labels":{"\u0078":"\ud83d\ude00\n\u0000"}}`,
		"half a surrogate":   `{"status":"firing","labels":{"x":"\ud83d"}}`,
		"UTF-8 names":        `{"status":"firing","labels":{"größe":"1","温度":"2"}}`,
		"unsorted":           `{"status":"firing","labels":{"z":"1","a":"2","m":"3"}}`,
		"128 labels":         `{"status":"firing","labels":{` + pairs(128) + `}}`,
		"long name, value":   `{"status":"firing","labels":{"` + strings.Repeat("n", 1<<10) + `":"` + strings.Repeat("v", 64<<10) + `"}}`,
		"nested":             `{"status":"firing","labels":{"x":"1"},"new":` + nest(58) + `}`,
		"first time":         `{"status":"firing","labels":{"x":"1"},"startsAt":"1970-01-01T00:00:00Z"}`,
		"last year":          `{"status":"firing","labels":{"x":"1"},"startsAt":"2026-01-01T00:00:00Z","endsAt":"2261-12-31T23:59:59.999999999Z"}`,
		"fingerprint":        `{"status":"firing","labels":{"x":"1"},"fingerprint":"0000000000000000"}`,
	}
}

func pairs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"l%d":"v"`, i)
	}
	return b.String()[1:]
}

func nest(n int) string { return strings.Repeat("[", n) + "1" + strings.Repeat("]", n) }

func (s *Suite) takesUnusual(t *testing.T) {
	for name, text := range unusual() {
		t.Run(name, func(t *testing.T) {
			b := s.decode(t, s.Body(text))
			if len(b.Alerts) != 1 || b.RefusedCount != 0 {
				t.Fatalf("%.200s: refused %+v", text, b.Refused)
			}
			a := b.Alerts[0]
			if at := a.StartsAt; at.Location() != time.UTC {
				t.Errorf("startsAt is not in UTC: %s", at)
			}
			if name == "offset" && !a.StartsAt.Equal(time.Date(2026, 1, 2, 9, 59, 58, 0, time.UTC)) {
				t.Errorf("startsAt is %s", a.StartsAt)
			}
		})
	}
}

// bad are alerts that must be refused: the text of their object, and the field that is told. "*"
// is any field.
func bad() map[string][2]string {
	alert := func(rest string) string { return `{"status":"firing","labels":{"x":"1"},` + rest + `}` }
	labels := func(rest string) string { return `{"status":"firing","labels":` + rest + `}` }
	return map[string][2]string{
		"no labels":           {`{"status":"firing"}`, "labels"},
		"empty labels":        {labels(`{}`), "labels"},
		"null labels":         {labels(`null`), "labels"},
		"only empty values":   {labels(`{"x":""}`), "labels"},
		"only a replica":      {labels(`{"__replica__":"0"}`), "labels"},
		"labels are a list":   {labels(`[{"name":"x","value":"1"}]`), "labels"},
		"labels are text":     {labels(`"x=1"`), "labels"},
		"number":              {labels(`{"x":"1","n":5}`), "labels.n"},
		"null value":          {labels(`{"x":"1","n":null}`), "labels.n"},
		"nested value":        {labels(`{"x":"1","n":{"a":"b"}}`), "labels.n"},
		"twice":               {labels(`{"x":"1","n":"1","n":"2"}`), "labels.n"},
		"twice, once empty":   {labels(`{"x":"1","n":"1","n":""}`), "labels.n"},
		"empty name":          {labels(`{"x":"1","":"v"}`), "labels"},
		"129 labels":          {labels(`{` + pairs(129) + `}`), "labels"},
		"long name":           {labels(`{"` + strings.Repeat("n", 1<<10+1) + `":"v"}`), "labels." + strings.Repeat("n", 64) + "…"},
		"long value":          {labels(`{"x":"` + strings.Repeat("v", 64<<10+1) + `"}`), "labels.x"},
		"value no UTF-8":      {labels("{\"x\":\"\xff\"}"), "labels.x"},
		"value, escape":       {labels("{\"x\":\"\\n\xff\"}"), "labels.x"},
		"surrogate bytes":     {labels("{\"x\":\"\xed\xa0\x80\"}"), "labels.x"},
		"name no UTF-8":       {labels("{\"x\xc3\":\"1\"}"), "labels"},
		"annotation no UTF-8": {alert("\"annotations\":{\"s\":\"\xff\"}"), "annotations.s"},
		"annotation number":   {alert(`"annotations":{"s":1}`), "annotations.s"},
		"annotations list":    {alert(`"annotations":[]`), "annotations"},
		"url no UTF-8":        {alert("\"generatorURL\":\"\xff\""), "generatorURL"},
		"url number":          {alert(`"generatorURL":1`), "generatorURL"},
		"unknown no UTF-8":    {alert("\"new\":\"\xff\""), "*"},
		"name of unknown":     {alert("\"new\xff\":1"), "*"},
		"too deep":            {alert(`"new":` + nest(70)), "*"},
		"too deep in labels":  {labels(`{"x":` + nest(70) + `}`), "labels.x"},
		"no time":             {alert(`"startsAt":"yesterday"`), "startsAt"},
		"time without zone":   {alert(`"startsAt":"2026-01-02T10:00:00"`), "startsAt"},
		"time is a number":    {alert(`"startsAt":1767348000`), "startsAt"},
		"before 1970":         {alert(`"startsAt":"1969-12-31T23:59:59Z"`), "startsAt"},
		"after 2262":          {alert(`"endsAt":"2263-01-01T00:00:00Z"`), "endsAt"},
		"far":                 {alert(`"startsAt":"9999-12-31T23:59:59Z","endsAt":"9999-12-31T23:59:59Z"`), "startsAt"},
		"ends before start":   {alert(`"startsAt":"2026-01-02T10:00:00Z","endsAt":"2026-01-02T09:00:00Z"`), "endsAt"},
		"status is a number":  {`{"status":1,"labels":{"x":"1"}}`, "status"},
		"null":                {`null`, "*"},
		"text":                {`"alert"`, "*"},
		"list":                {`[]`, "*"},
		"empty":               {`{}`, "labels"},
	}
}

func (s *Suite) refusesAlone(t *testing.T) {
	for name, tc := range bad() {
		if tc[1] == "status" && s.StatusField != "" {
			tc[1] = s.StatusField
		}
		t.Run(name, func(t *testing.T) {
			b := s.decode(t, s.Body(Good("a"), tc[0], Good("b")))
			if len(b.Alerts) != 2 || b.Alerts[0].Labels.Get("hostname") != "a" || b.Alerts[1].Labels.Get("hostname") != "b" {
				t.Errorf("the good ones are not taken: %+v", b.Alerts)
			}
			if b.RefusedCount != 1 || len(b.Refused) == 0 {
				t.Fatalf("refused %d: %+v", b.RefusedCount, b.Refused)
			}
			if r := b.Refused[0]; r.Index != 1 || tc[1] != "*" && r.Field != tc[1] {
				t.Errorf("got %+v, want index 1 and field %q", r, tc[1])
			}
		})
	}
	if s.IgnoresStatus {
		return
	}
	for _, status := range []string{`"expired"`, `"Firing"`, `""`, `null`} {
		b := s.decode(t, s.Body(`{"labels":{"x":"1"},"status":`+status+`}`))
		if b.RefusedCount != 1 || b.Refused[0].Field != "status" {
			t.Errorf("status %s: %+v", status, b.Refused)
		}
	}
}

func (s *Suite) tellsEveryFault(t *testing.T) {
	b := s.decode(t, s.Body(`{"status":"firing","labels":{"a":1,"b":"2"},"annotations":[],"startsAt":"x","endsAt":"1960-01-01T00:00:00Z"}`))
	var got []string
	for _, r := range b.Refused {
		got = append(got, r.Field)
	}
	if diff := cmp.Diff([]string{"labels.a", "annotations", "startsAt", "endsAt"}, got); diff != "" {
		t.Error(diff)
	}
	if b.RefusedCount != 1 {
		t.Errorf("%d alerts are counted", b.RefusedCount)
	}
}

func (s *Suite) boundsRefusals(t *testing.T) {
	alerts := make([]string, ingest.MaxRefusals+5)
	for i := range alerts {
		alerts[i] = `{}`
	}
	alerts[0] = `{"status":"firing","labels":{"` + strings.Repeat(`x":1,"`, 100_000) + `x":1}}`
	b := s.decode(t, s.Body(alerts...))
	if b.RefusedCount != len(alerts) || len(b.Refused) > ingest.MaxRefusals {
		t.Errorf("%d listed, %d counted", len(b.Refused), b.RefusedCount)
	}
	if n := len(b.Refused); n > 0 && b.Refused[n/2].Index == 0 {
		t.Error("one alert fills the list")
	}
}

func (s *Suite) countsUnknown(t *testing.T) {
	b := s.decode(t, s.Body(`{"status":"firing","labels":{"x":"1"},"new":{"a":[1,true,null,"x"]},"newer":-1.5e3}`, Good("a")))
	if len(b.Alerts) != 2 || b.Unknown != 2 {
		t.Errorf("accepted %d, unknown %d, want 2 and 2: %+v", len(b.Alerts), b.Unknown, b.Refused)
	}
}

func (s *Suite) takesIgnoredOut(t *testing.T) {
	var seen []itsm.Fingerprint
	for _, replica := range []string{`"__replica__":"r0",`, `"prometheus_replica":"p1",`, `"prometheus_replica":"p1","__replica__":"r1",`, ``} {
		b := s.decode(t, s.Body(`{"status":"firing","labels":{`+replica+`"alertname":"A","zone":"z"}}`))
		if len(b.Alerts) != 1 {
			t.Fatalf("refused: %+v", b.Refused)
		}
		if got, want := b.Alerts[0].Labels.String(), `{alertname="A", zone="z"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		seen = append(seen, b.Alerts[0].Fingerprint)
	}
	for _, f := range seen {
		if f != seen[0] {
			t.Errorf("replicas are several alerts: %v", seen)
		}
	}
}

func (s *Suite) keepsOrder(t *testing.T) {
	const n = 10_000
	alerts := make([]string, n)
	for i := range alerts {
		alerts[i] = Good(fmt.Sprint("host-", i))
	}
	b := s.decode(t, s.Body(alerts...))
	if len(b.Alerts) != n {
		t.Fatalf("got %d alerts", len(b.Alerts))
	}
	for i := range b.Alerts {
		if got, want := b.Alerts[i].Labels.Get("hostname"), fmt.Sprint("host-", i); got != want {
			t.Fatalf("alert %d is %s", i, got)
		}
	}
}

// mixed is a body of everything.
func (s *Suite) mixed() []byte {
	var alerts []string
	for _, text := range unusual() {
		alerts = append(alerts, text, Good(strconv.Itoa(len(alerts))))
	}
	for _, tc := range bad() {
		alerts = append(alerts, tc[0])
	}
	return s.Body(alerts...)
}

func (s *Suite) isPure(t *testing.T) {
	body := s.mixed()
	original := bytes.Clone(body)
	want := s.decode(t, body)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				got, err := s.Decode(body, Arrival())
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("two decodings differ (%v)", err)
				}
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(body, original) {
		t.Error("the body has changed")
	}
}

func (s *Suite) doesNotAlias(t *testing.T) {
	body := s.mixed()
	want := s.decode(t, bytes.Clone(body))
	got := s.decode(t, body)
	for i := range body {
		body[i] = 'X'
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for i := range got.Alerts { // sets are cut from one slab: none may reach into the next
		_ = append(got.Alerts[i].Labels, itsm.Label{Name: "intruder", Value: "1"})
		_ = append(got.Alerts[i].Annotations, itsm.Label{Name: "intruder", Value: "1"})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// spoilers are bytes that mean something in JSON, or must not be there.
const spoilers = "{}[]\",:\\u0-.eEtfn \n\x00\x1f\x80\xff"

func (s *Suite) survivesBroken(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	bodies := [][]byte{s.Body(Good("a"), Good("b"), `{"status":"firing","labels":{"x":"\u00fc\n"},"new":[1,{"a":null}]}`)}
	for _, body := range s.Valid {
		if len(body) < 20_000 {
			bodies = append(bodies, body)
		}
	}
	try := func(body []byte) {
		if b, err := s.Decode(body, Arrival()); err == nil {
			CheckBatch(t, &b)
		}
	}
	for _, body := range bodies {
		for end := 0; end < len(body); end += 1 + len(body)/2000 {
			try(body[:end])
		}
		for range 2000 {
			broken := bytes.Clone(body)
			for range 1 + r.IntN(4) {
				broken[r.IntN(len(broken))] = spoilers[r.IntN(len(spoilers))]
			}
			try(broken)
		}
	}
}
