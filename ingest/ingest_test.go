package ingest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/ingest"
	"signalbox/ingest/alertmanager"
	"signalbox/ingest/events"
	"signalbox/ingest/ingesttest"
	"signalbox/itsm"
)

// logDoor is the log behind the doors.
type logDoor struct {
	answer func(context.Context) error // nil: it takes everything

	mu     sync.Mutex
	inputs []itsm.Input
}

func (d *logDoor) Append(ctx context.Context, in itsm.Input) error {
	if d.answer != nil {
		if err := d.answer(ctx); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inputs = append(d.inputs, in)
	return nil
}

// alerts returns everything that the log has.
func (d *logDoor) alerts() []itsm.Alert {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []itsm.Alert
	for _, in := range d.inputs {
		out = append(out, in.Alerts...)
	}
	return out
}

// house is the room with a log behind it.
type house struct {
	http.Handler
	*logDoor
	room     *ingest.Ingest
	registry *prometheus.Registry
}

func newHouse(t *testing.T, change ...func(*ingest.Config)) *house {
	t.Helper()
	return houseWith(t, func(o *ingest.Options) {
		for _, c := range change {
			c(&o.Config)
		}
	})
}

func houseWith(t *testing.T, change func(*ingest.Options)) *house {
	t.Helper()
	h := &house{logDoor: &logDoor{}, registry: prometheus.NewRegistry()}
	options := ingest.Options{
		Door: h.logDoor, Config: ingest.DefaultConfig(), Registerer: h.registry, Logger: slog.New(slog.DiscardHandler),
		Receivers: []ingest.Receiver{alertmanager.Webhook(), alertmanager.Post(), events.Receiver()},
	}
	change(&options)
	var err error
	h.room, err = ingest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.room.Register(mux)
	h.Handler = mux
	return h
}

const (
	webhookPath = "/api/v1/ingest/alertmanager"
	postPath    = "/api/v2/alerts"
	eventsPath  = "/api/v1/ingest/events"
)

// paths are the doors, each with how a body of alerts looks there.
func paths() map[string]func(...string) string {
	return map[string]func(...string) string{
		webhookPath: func(alerts ...string) string {
			return `{"version":"4","groupKey":"{}:{a=\"b\"}","externalURL":"http://am-0:9093","alerts":[` + strings.Join(alerts, ",") + `]}`
		},
		postPath: func(alerts ...string) string { return "[" + strings.Join(alerts, ",") + "]" },
		eventsPath: func(alerts ...string) string {
			var b strings.Builder
			for _, a := range alerts {
				b.WriteString(`{"alert":` + a + "}\n")
			}
			return b.String()
		},
	}
}

// answer is what a door says.
type answer struct {
	*httptest.ResponseRecorder
	Code         string           `json:"code"`
	Status       int              `json:"status"`
	Detail       string           `json:"detail"`
	Accepted     *int             `json:"accepted"`
	Refused      []ingest.Refusal `json:"refused"`
	RefusedCount int              `json:"refusedCount"`
}

// post sends a body and checks what holds for every answer.
func (h *house) post(t *testing.T, path string, body io.Reader, change ...func(*http.Request)) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, body)
	r.RemoteAddr = "10.1.2.3:4567"
	r.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(r)
	}
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(a.ResponseRecorder, r)
	return a.check(t)
}

// check reads an answer and makes sure that an error is a problem with a code.
func (a answer) check(t *testing.T) answer {
	t.Helper()
	kind := a.Header().Get("Content-Type")
	if strings.HasPrefix(a.Body.String(), "{") {
		if err := json.Unmarshal(a.Body.Bytes(), &a); err != nil {
			t.Fatalf("%s: %v", a.Body, err)
		}
	}
	got := a.Result().StatusCode
	switch {
	case kind == "application/problem+json":
		if a.Code == "" || a.Status != got || a.Detail == "" {
			t.Errorf("a problem lacks something: %d %s", got, a.Body)
		}
	case got >= 400 && !strings.HasPrefix(a.Body.String(), `"`): // the text of API v2
		t.Errorf("an error is no problem: %d %s %s", got, kind, a.Body)
	}
	if (got == http.StatusServiceUnavailable) != (a.Header().Get("Retry-After") != "") {
		t.Errorf("%d with Retry-After %q", got, a.Header().Get("Retry-After"))
	}
	if a.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be cached")
	}
	return a
}

func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if got := a.Result().StatusCode; got != status || a.Code != code {
		t.Errorf("got %d %q, want %d %q: %.300s", got, a.Code, status, code, a.Body)
	}
}

func TestDoors_takeAll(t *testing.T) {
	for path, body := range paths() {
		h := newHouse(t)
		a := h.post(t, path, strings.NewReader(body(ingesttest.Good("a"), ingesttest.Good("b"))))
		a.want(t, http.StatusOK, "")
		if path == postPath {
			if a.Body.Len() != 0 {
				t.Errorf("%s: Alertmanager answers nothing, got %s", path, a.Body)
			}
		} else if a.Accepted == nil || *a.Accepted != 2 || a.Refused == nil || len(a.Refused) != 0 {
			t.Errorf("%s: got %s", path, a.Body)
		}
		got := h.alerts()
		if len(got) != 2 || len(h.inputs) != 1 || got[0].Labels.Get("hostname") != "a" || got[1].Labels.Get("hostname") != "b" {
			t.Errorf("%s: the log has %+v", path, got)
		}
	}
}

func TestDoors_takeTheRest(t *testing.T) {
	for path, body := range paths() {
		h := newHouse(t)
		a := h.post(t, path, strings.NewReader(body(ingesttest.Good("a"), `{"status":"firing","labels":{"x":5}}`, ingesttest.Good("b"))))
		if path == postPath { // as Alertmanager: 400, and the good ones are taken
			a.want(t, http.StatusBadRequest, "")
			var text string
			if err := json.Unmarshal(a.Body.Bytes(), &text); err != nil || text != "alert 1: labels.x: a string is expected" {
				t.Errorf("got %s, %v", a.Body, err)
			}
		} else {
			a.want(t, http.StatusOK, "")
			want := []ingest.Refusal{{Index: 1, Field: "labels.x", Reason: "a string is expected"}}
			if a.Accepted == nil || *a.Accepted != 2 || a.RefusedCount != 1 || !cmp.Equal(want, a.Refused) {
				t.Errorf("%s: got %s", path, a.Body)
			}
		}
		if n := len(h.alerts()); n != 2 {
			t.Errorf("%s: the log has %d alerts", path, n)
		}
	}
}

func TestDoors_refuseAll(t *testing.T) {
	for path, body := range paths() {
		h := newHouse(t)
		a := h.post(t, path, strings.NewReader(body(`{"status":"firing"}`, `{"status":"firing","labels":{"x":5},"startsAt":"x"}`)))
		if path == postPath {
			a.want(t, http.StatusBadRequest, "")
		} else {
			a.want(t, http.StatusBadRequest, "all_refused")
			if a.Accepted == nil || *a.Accepted != 0 || len(a.Refused) != 3 || a.RefusedCount != 2 {
				t.Errorf("%s: got %s", path, a.Body)
			}
		}
		if len(h.inputs) != 0 {
			t.Errorf("%s: the log has %+v", path, h.inputs)
		}
	}
}

func TestDoors_plainAnswerIsShort(t *testing.T) {
	h := newHouse(t)
	a := h.post(t, postPath, strings.NewReader("["+strings.Repeat("{},", 999)+"{}]"))
	a.want(t, http.StatusBadRequest, "")
	if text := a.Body.String(); len(text) > 2000 || !strings.Contains(text, "1000 alerts were refused") {
		t.Errorf("got %.3000s", text)
	}
}

func TestDoors_emptyListIsFine(t *testing.T) {
	for path, body := range paths() {
		if path == eventsPath {
			continue
		}
		h := newHouse(t)
		h.post(t, path, strings.NewReader(body())).want(t, http.StatusOK, "")
		if len(h.inputs) != 0 {
			t.Errorf("%s: a record is written for nothing", path)
		}
	}
}

func TestDoors_refuseForeignBodies(t *testing.T) {
	for path := range paths() {
		for _, body := range []string{"", "hello", "<xml/>", "1", "\ufeff[]", "[1", "\xff\xfe"} {
			h := newHouse(t)
			h.post(t, path, strings.NewReader(body)).want(t, http.StatusBadRequest, "invalid_body")
			if len(h.inputs) != 0 {
				t.Errorf("%s: the log has %+v", path, h.inputs)
			}
		}
	}
}

func TestDoors_whateverTheContentType(t *testing.T) {
	for path, body := range paths() {
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"} {
			h := newHouse(t)
			h.post(t, path, strings.NewReader(body(ingesttest.Good("a"))), func(r *http.Request) { r.Header.Set("Content-Type", kind) }).want(t, http.StatusOK, "")
		}
	}
}

func TestDoors_otherMethods(t *testing.T) {
	h := newHouse(t)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, webhookPath, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func zip(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encoding(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Content-Encoding", name) }
}

func TestDoors_encodings(t *testing.T) {
	body := paths()[postPath](ingesttest.Good("a"))
	zipped := zip(t, body)
	broken := bytes.Clone(zipped)
	broken[len(broken)-6] ^= 0xff // the checksum
	for _, tc := range []struct {
		name, encoding string
		body           []byte
		status         int
		code           string
	}{
		{"none", "", []byte(body), 200, ""},
		{"identity", "identity", []byte(body), 200, ""},
		{"gzip", "gzip", zipped, 200, ""},
		{"upper case", "GZIP", zipped, 200, ""},
		{"x-gzip", "x-gzip", zipped, 200, ""},
		{"two members", "gzip", append(zip(t, body[:20]), zip(t, body[20:])...), 200, ""},
		{"not gzip", "gzip", []byte(body), 400, "unreadable_body"},
		{"cut short", "gzip", zipped[:len(zipped)-10], 400, "unreadable_body"},
		{"wrong checksum", "gzip", broken, 400, "unreadable_body"},
		{"empty", "gzip", nil, 400, "unreadable_body"},
		{"gzip that nobody named", "", zipped, 400, "invalid_body"},
		{"brotli", "br", []byte(body), 415, "unknown_encoding"},
		{"gzip twice", "gzip, gzip", zipped, 415, "unknown_encoding"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			h.post(t, postPath, bytes.NewReader(tc.body), encoding(tc.encoding)).want(t, tc.status, tc.code)
			if taken := len(h.alerts()) == 1; taken != (tc.status == 200) {
				t.Errorf("taken: %v", taken)
			}
		})
	}
}

// chunked hides how long a body is.
func chunked(r *http.Request) { r.ContentLength = -1 }

func TestDoors_bodySize(t *testing.T) {
	const limit = 400 << 10
	small := func(c *ingest.Config) { c.MaxBody = limit }
	fill := func(size int) string {
		body := paths()[postPath](ingesttest.Good("a"))
		return body[:len(body)-1] + strings.Repeat(" ", size-len(body)) + "]"
	}
	for name, how := range map[string][]func(*http.Request){"with length": nil, "chunked": {chunked}} {
		h := newHouse(t, small)
		h.post(t, postPath, strings.NewReader(fill(limit)), how...).want(t, http.StatusOK, "")
		h.post(t, postPath, strings.NewReader(fill(limit+1)), how...).want(t, http.StatusRequestEntityTooLarge, "body_too_large")
		if n := len(h.alerts()); n != 1 {
			t.Errorf("%s: the log has %d alerts", name, n)
		}
	}
	for name, size := range map[string]int{"fits": limit, "a byte more": limit + 1, "a bomb": 8 * limit} {
		h := newHouse(t, small)
		a := h.post(t, postPath, bytes.NewReader(zip(t, fill(size))), encoding("gzip"))
		if size <= limit {
			a.want(t, http.StatusOK, "")
		} else {
			a.want(t, http.StatusRequestEntityTooLarge, "body_too_large")
		}
		if taken := len(h.alerts()) == 1; taken != (size <= limit) {
			t.Errorf("%s: taken: %v", name, taken)
		}
	}
	// A gzip stream that is itself too long, of blocks that do not shrink.
	var stored bytes.Buffer
	w, err := gzip.NewWriterLevel(&stored, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, fill(limit)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	newHouse(t, small).post(t, postPath, &stored, encoding("gzip"), chunked).want(t, http.StatusRequestEntityTooLarge, "body_too_large")
}

func TestDoors_defaultLimitIs32MiB(t *testing.T) {
	space := zip(t, strings.Repeat(" ", 1<<20))
	fits := bytes.Join([][]byte{zip(t, "["), bytes.Repeat(space, 31), zip(t, strings.Repeat(" ", 1<<20-2)+"]")}, nil)
	bomb := append(bytes.Repeat(space, 32), zip(t, "[]")...)
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	newHouse(t).post(t, postPath, bytes.NewReader(fits), encoding("gzip")).want(t, http.StatusOK, "")
	newHouse(t).post(t, postPath, bytes.NewReader(bomb), encoding("gzip")).want(t, http.StatusRequestEntityTooLarge, "body_too_large")
}

func TestDoors_source(t *testing.T) {
	for path, body := range paths() {
		said := "10.1.2.3" // the client's address
		if path == webhookPath {
			said = "http://am-0:9093"
		}
		for query, want := range map[string]string{"": said, "?source=": said, "?source=prom-a": "prom-a", "?source=" + strings.Repeat("s", 1024): strings.Repeat("s", 1024), "?x=y": said} {
			h := newHouse(t)
			h.post(t, path+query, strings.NewReader(body(ingesttest.Good("a")))).want(t, http.StatusOK, "")
			if got := h.alerts(); len(got) != 1 || got[0].Source != want {
				t.Errorf("%s%s: got %+v, want source %q", path, query, got, want)
			}
		}
		for _, query := range []string{"?source=%ff", "?source=" + strings.Repeat("s", 1025)} {
			h := newHouse(t)
			h.post(t, path+query, strings.NewReader(body(ingesttest.Good("a")))).want(t, http.StatusBadRequest, "invalid_source")
			if len(h.inputs) != 0 {
				t.Errorf("%.50s: the log has %+v", query, h.inputs)
			}
		}
	}
	h := newHouse(t)
	h.post(t, eventsPath+"?source=relay", strings.NewReader(`{"alert":{"status":"firing","labels":{"a":"b"}},"source":"plc-7"}`)).want(t, http.StatusOK, "")
	if got := h.alerts(); got[0].Source != "plc-7" {
		t.Errorf("the source of a line is %q", got[0].Source)
	}
	h.post(t, postPath, strings.NewReader(paths()[postPath](ingesttest.Good("a"))), func(r *http.Request) { r.RemoteAddr = "@" }).want(t, http.StatusOK, "")
	if got := h.alerts(); got[1].Source != "@" { // a socket without addresses
		t.Errorf("the source is %q", got[1].Source)
	}
}

// TestDoors_namedSource: the members of a pair are one source, and what one leaves out is told under that name.
func TestDoors_namedSource(t *testing.T) {
	var truncated []string
	h := houseWith(t, func(o *ingest.Options) {
		o.Names = map[string]string{"http://am-0:9093": "prod", "http://am-1:9093": "prod"}
		o.Truncated = func(source string) { truncated = append(truncated, source) }
	})
	for _, tt := range []struct{ url, query, want string }{
		{"http://am-0:9093", "", "prod"},
		{"http://am-1:9093/", "", "prod"},
		{"http://am-2:9093", "", "http://am-2:9093"},
		{"http://am-0:9093", "?source=other", "other"},
	} {
		body := `{"version":"4","externalURL":"` + tt.url + `","truncatedAlerts":2,"alerts":[` + ingesttest.Good("a") + `]}`
		h.post(t, webhookPath+tt.query, strings.NewReader(body)).want(t, http.StatusOK, "")
		if got := h.alerts(); got[len(got)-1].Source != tt.want {
			t.Errorf("%s%s: got source %q, want %q", tt.url, tt.query, got[len(got)-1].Source, tt.want)
		}
	}
	h.post(t, webhookPath, strings.NewReader(paths()[webhookPath](ingesttest.Good("a")))).want(t, http.StatusOK, "")
	if diff := cmp.Diff([]string{"prod", "prod", "http://am-2:9093", "other"}, truncated); diff != "" {
		t.Errorf("truncated (-want +got):\n%s", diff)
	}
}

func TestDoors_events(t *testing.T) {
	h := newHouse(t)
	h.post(t, eventsPath, strings.NewReader(`{"at":"2026-01-02T10:00:00Z","change":{"id":"deploy-77","kind":"deploy","items":["checkout"]}}`)).want(t, http.StatusOK, "")
	if len(h.inputs) != 1 || len(h.inputs[0].Changes) != 1 || h.inputs[0].Changes[0].ID != "deploy-77" {
		t.Errorf("the log has %+v", h.inputs)
	}
}

func TestDoors_overload(t *testing.T) {
	for path, body := range paths() {
		for name, err := range map[string]error{"full": fmt.Errorf("shard 0: %w", itsm.ErrOverloaded), "no leader": errors.New("no leader"), "stopped": context.Canceled} {
			h := newHouse(t)
			h.answer = func(context.Context) error { return err }
			a := h.post(t, path, strings.NewReader(body(ingesttest.Good("a"))))
			a.want(t, http.StatusServiceUnavailable, "overloaded")
			if a.Accepted != nil {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
	}
}

func TestDoors_answerWhenTheLogHasIt(t *testing.T) {
	h := newHouse(t, func(c *ingest.Config) { c.MaxWaiting = 2 })
	arrived, durable := make(chan struct{}), make(chan struct{})
	h.answer = func(context.Context) error {
		arrived <- struct{}{}
		<-durable
		return nil
	}
	body := paths()[postPath](ingesttest.Good("a"))
	answers := make(chan answer, 2)
	for range 2 {
		go func() { answers <- h.post(t, postPath, strings.NewReader(body)) }()
		<-arrived
	}
	select {
	case a := <-answers:
		t.Fatalf("answered %d before the log had it", a.Result().StatusCode)
	default:
	}
	// Two wait; a third is told to come again, before its body is read.
	h.post(t, postPath, unread{t}).want(t, http.StatusServiceUnavailable, "overloaded")
	close(durable)
	for range 2 {
		(<-answers).want(t, http.StatusOK, "")
	}
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

// during sends a request as long as a context lasts.
func during(ctx context.Context) func(*http.Request) {
	return func(r *http.Request) { *r = *r.WithContext(ctx) }
}

func TestDoors_senderThatLeaves(t *testing.T) {
	h := newHouse(t)
	h.answer = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, postPath, strings.NewReader(paths()[postPath](ingesttest.Good("a"))))
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(w, r)
	}()
	leave()
	<-done
	answer{ResponseRecorder: w}.check(t).want(t, http.StatusServiceUnavailable, "overloaded")
}

// large is a body beyond what is read without a place.
func large() string {
	body := paths()[postPath](ingesttest.Good("large"))
	return body[:len(body)-1] + strings.Repeat(" ", 300<<10) + "]"
}

func TestDoors_largeBodiesHoldNobodyUp(t *testing.T) {
	h := newHouse(t, func(c *ingest.Config) { c.MaxLarge = 1 })
	slow, feed := io.Pipe()
	first, second := make(chan answer, 1), make(chan answer, 1)
	go func() { first <- h.post(t, postPath, slow) }()
	text := large()
	if _, err := io.WriteString(feed, text[:270<<10]); err != nil { // it has the place now
		t.Fatal(err)
	}
	go func() { second <- h.post(t, postPath, strings.NewReader(large())) }()
	h.post(t, postPath, strings.NewReader(paths()[postPath](ingesttest.Good("small")))).want(t, http.StatusOK, "")
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.post(t, postPath, strings.NewReader(large()), during(gone)).want(t, http.StatusServiceUnavailable, "overloaded")
	select {
	case <-second:
		t.Fatal("a second large body has found a place")
	default:
	}
	if _, err := io.WriteString(feed, text[270<<10:]); err != nil {
		t.Fatal(err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	(<-first).want(t, http.StatusOK, "")
	(<-second).want(t, http.StatusOK, "")
}

// raw sends a request by hand and returns the status and the code of the answer.
func raw(t *testing.T, h http.Handler, head, body string, closeWrite bool) (int, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "POST "+postPath+" HTTP/1.1\r\nHost: x\r\n"+head+"\r\n"+body); err != nil {
		t.Fatal(err)
	}
	if closeWrite {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var p struct{ Code string }
	if resp.StatusCode != http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, p.Code
}

func TestDoors_brokenTransport(t *testing.T) {
	good := paths()[postPath](ingesttest.Good("a"))
	for _, tc := range []struct {
		name, head, body string
		status           int
	}{
		{"shorter than it says", "Content-Length: 5000\r\n", good, 400},
		{"longer than it says", fmt.Sprintf("Content-Length: %d\r\n", len(good)-5), good, 400},
		{"cut chunk", "Transfer-Encoding: chunked\r\n", "40\r\n" + good[:20], 400},
		{"bad chunk", "Transfer-Encoding: chunked\r\n", "zz\r\n" + good + "\r\n0\r\n\r\n", 400},
		{"chunks", "Transfer-Encoding: chunked\r\n", fmt.Sprintf("5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", good[:5], len(good)-5, good[5:]), 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			if status, code := raw(t, h, tc.head, tc.body, true); status != tc.status {
				t.Errorf("got %d %s", status, code)
			}
			if taken := len(h.alerts()) == 1; taken != (tc.status == 200) {
				t.Errorf("taken: %v", taken)
			}
		})
	}
}

func TestDoors_bodyThatNeverComes(t *testing.T) {
	h := newHouse(t, func(c *ingest.Config) { c.ReadTimeout = 20 * time.Millisecond })
	if status, code := raw(t, h, "Content-Length: 5000\r\n", "[", false); status != http.StatusServiceUnavailable || code != "body_timeout" {
		t.Errorf("got %d %q", status, code)
	}
}

// timed is a writer that notes the deadlines of the request's body: set or lifted.
type timed struct {
	*httptest.ResponseRecorder
	deadlines []string
}

func (w *timed) SetReadDeadline(at time.Time) error {
	word := "set"
	if at.IsZero() {
		word = "lifted"
	}
	w.deadlines = append(w.deadlines, word)
	return nil
}

// TestDoors_deadline: the wait for a place is not taken off a body's time, nor is the wait for the
// log; a body that could not be read keeps its deadline, because the server reads on before it
// answers.
func TestDoors_deadline(t *testing.T) {
	small := paths()[postPath](ingesttest.Good("a"))
	for _, tc := range []struct {
		name, body, encoding string
		want                 []string
	}{
		{"small", small, "", []string{"set", "lifted"}},
		{"large", large(), "", []string{"set", "set", "lifted"}},
		{"broken", small, "gzip", []string{"set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t)
			w := &timed{ResponseRecorder: httptest.NewRecorder()}
			var atLog []string
			h.answer = func(context.Context) error {
				atLog = slices.Clone(w.deadlines)
				return nil
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, postPath, strings.NewReader(tc.body))
			r.Header.Set("Content-Encoding", tc.encoding)
			h.ServeHTTP(w, r)
			if diff := cmp.Diff(tc.want, w.deadlines); diff != "" {
				t.Error(diff)
			}
			if w.Code == http.StatusOK && !slices.Equal(atLog, tc.want) {
				t.Errorf("while waiting for the log: %v", atLog)
			}
		})
	}
}

func TestDoors_longGroup(t *testing.T) {
	const n = 10_000
	alerts := make([]string, n)
	for i := range alerts {
		alerts[i] = ingesttest.Good(fmt.Sprint("host-", i))
	}
	h := newHouse(t)
	a := h.post(t, webhookPath, strings.NewReader(paths()[webhookPath](alerts...)))
	a.want(t, http.StatusOK, "")
	if got := h.alerts(); len(got) != n || *a.Accepted != n || got[n-1].Labels.Get("hostname") != "host-9999" || got[n-1].GroupKey != `{}:{a="b"}` {
		t.Errorf("%d of %d are taken", len(got), n)
	}
}

// TestDoors_highAvailability sends what two Prometheus and two Alertmanagers send of one condition.
func TestDoors_highAvailability(t *testing.T) {
	h := newHouse(t)
	for _, replica := range []string{"0", "1"} {
		alert := `{"status":"firing","labels":{"alertname":"A","prometheus_replica":"` + replica + `","__replica__":"` + replica + `"},"startsAt":"2026-01-02T09:00:00Z"}`
		for _, am := range []string{"am-0", "am-1"} {
			for range 2 { // and again
				h.post(t, webhookPath+"?source="+am, strings.NewReader(paths()[webhookPath](alert))).want(t, http.StatusOK, "")
			}
		}
	}
	got := h.alerts()
	for _, a := range got {
		a.Source = got[0].Source
		if diff := cmp.Diff(got[0], a); diff != "" {
			t.Errorf("two sendings of one condition differ: %s", diff)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d are taken; the engine tells copies apart, not the door", len(got))
	}
}

func TestDoors_manyAtOnce(t *testing.T) {
	h := newHouse(t, func(c *ingest.Config) { c.MaxLarge = 2 })
	server := httptest.NewServer(h)
	defer server.Close()
	const senders, each = 8, 20
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				for path, body := range paths() {
					text := body(ingesttest.Good(fmt.Sprint(s, "-", i)), `{"labels":{}}`)
					if i%10 == 0 && path == postPath {
						text = large()
					}
					req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(text))
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := server.Client().Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					_, err = io.Copy(io.Discard, resp.Body)
					if err := errors.Join(err, resp.Body.Close()); err != nil {
						t.Error(err)
					}
				}
			}
			h.room.Sources()
		})
	}
	wg.Wait()
	if got := len(h.alerts()); got != senders*each*3 {
		t.Errorf("got %d alerts, want %d", got, senders*each*3)
	}
}

func TestDoors_metrics(t *testing.T) {
	h := newHouse(t)
	h.post(t, webhookPath, strings.NewReader(paths()[webhookPath](ingesttest.Good("a"), `{}`, `{"status":"firing","labels":{"a":"b"},"new":1,"newer":2}`)))
	h.post(t, webhookPath, strings.NewReader(`{"version":"4","alerts":[],"next":1}`))
	h.post(t, webhookPath, strings.NewReader(`nonsense`))
	h.post(t, eventsPath, strings.NewReader(`{"change":{"id":"c","kind":"deploy","items":["i"]}}`))
	h.answer = func(context.Context) error { return itsm.ErrOverloaded }
	h.post(t, postPath, strings.NewReader(paths()[postPath](ingesttest.Good("a"))))
	want := `
# HELP signalbox_ingest_accepted_total Alerts and changes that the log has.
# TYPE signalbox_ingest_accepted_total counter
signalbox_ingest_accepted_total{door="alertmanager"} 2
signalbox_ingest_accepted_total{door="events"} 1
# HELP signalbox_ingest_refused_total Alerts and changes that were refused, by reason.
# TYPE signalbox_ingest_refused_total counter
signalbox_ingest_refused_total{door="alertmanager",reason="invalid"} 1
signalbox_ingest_refused_total{door="alertmanager",reason="invalid_body"} 1
signalbox_ingest_refused_total{door="events",reason="invalid"} 0
signalbox_ingest_refused_total{door="prometheus",reason="overloaded"} 1
# HELP signalbox_ingest_requests_total Requests, by door and HTTP status.
# TYPE signalbox_ingest_requests_total counter
signalbox_ingest_requests_total{code="200",door="alertmanager"} 2
signalbox_ingest_requests_total{code="200",door="events"} 1
signalbox_ingest_requests_total{code="400",door="alertmanager"} 1
signalbox_ingest_requests_total{code="503",door="prometheus"} 1
# HELP signalbox_ingest_unknown_fields_total Fields that no format we know has; they were passed over.
# TYPE signalbox_ingest_unknown_fields_total counter
signalbox_ingest_unknown_fields_total{door="alertmanager"} 3
signalbox_ingest_unknown_fields_total{door="events"} 0
signalbox_ingest_unknown_fields_total{door="prometheus"} 0
`
	if err := testutil.GatherAndCompare(h.registry, strings.NewReader(want), "signalbox_ingest_accepted_total", "signalbox_ingest_refused_total",
		"signalbox_ingest_requests_total", "signalbox_ingest_unknown_fields_total"); err != nil {
		t.Error(err)
	}
}

func TestIngest_Sources(t *testing.T) {
	h := newHouse(t)
	h.post(t, webhookPath, strings.NewReader(paths()[webhookPath](ingesttest.Good("a"))))
	h.post(t, postPath+"?source=prom-a", strings.NewReader(paths()[postPath](ingesttest.Good("a"), `{}`)))
	h.post(t, postPath+"?source=prom-a", strings.NewReader(`nonsense`))
	h.post(t, eventsPath+"?source=prom-a", strings.NewReader(`{"change":{"id":"c","kind":"deploy","items":["i"]}}`))
	got := h.room.Sources()
	if len(got) != 2 || got[0].Name != "prom-a" || got[0].Kind != "events" || got[1].Name != "http://am-0:9093" || got[1].Kind != "alertmanager" {
		t.Fatalf("got %+v", got)
	}
	if s := got[0]; s.Accepted != 2 || s.Refused != 2 || s.LastRefused == nil || !strings.Contains(*s.LastRefused, "a list is expected") || s.LastAt.IsZero() {
		t.Errorf("got %+v", s)
	}
	if want := []string{"events", "prometheus"}; !slices.Equal(got[0].Doors, want) {
		t.Errorf("doors %v, want %v", got[0].Doors, want)
	}
	if s := got[1]; s.Accepted != 1 || s.Refused != 0 || s.LastRefused != nil {
		t.Errorf("got %+v", s)
	}
	for i := range 1200 { // made-up names do not fill the memory, and the last one is there
		h.post(t, postPath+fmt.Sprintf("?source=s%d", i), strings.NewReader("[]"))
	}
	if got := h.room.Sources(); len(got) != 1000 || got[0].Name != "s1199" {
		t.Errorf("%d sources, the last %s", len(got), got[0].Name)
	}
}

func TestIngest_LastPayload(t *testing.T) {
	h := newHouse(t)
	if _, ok := h.room.LastPayload("prom-a"); ok {
		t.Error("there is a payload before there was one")
	}
	body := paths()[postPath](ingesttest.Good("a"), `{}`, ingesttest.Good("b"))
	h.post(t, postPath+"?source=prom-a", strings.NewReader(body), func(r *http.Request) { r.Header.Set("Authorization", "Bearer hidden") })
	got, ok := h.room.LastPayload("prom-a")
	if !ok || got.Kind != "prometheus" || string(got.Body) != body || got.Size != len(body) || got.Accepted != 2 || got.Refused != 1 || got.Fault != "" {
		t.Errorf("got %+v", got)
	}
	if strings.Contains(fmt.Sprintf("%+v", got), "hidden") {
		t.Error("a header is kept")
	}
	if len(got.Refusals) != 1 || got.Refusals[0].Index != 1 {
		t.Errorf("refused %+v", got.Refusals)
	}
	alerts := h.alerts()
	if len(got.Alerts) != 2 || got.Alerts[0] != alerts[0].Fingerprint || got.Alerts[1] != alerts[1].Fingerprint {
		t.Errorf("accepted %v", got.Alerts)
	}
	before := string(got.Body)
	h.post(t, postPath+"?source=prom-a", strings.NewReader(`nonsense`))
	if string(got.Body) != before {
		t.Error("a payload that was given away has changed")
	}
	if got, _ = h.room.LastPayload("prom-a"); string(got.Body) != "nonsense" || got.Fault == "" || len(got.Alerts) != 0 || len(got.Refusals) != 0 {
		t.Errorf("got %+v", got)
	}
	large := "[" + strings.Repeat(" ", ingest.MaxKeptBody) + "]"
	h.post(t, postPath+"?source=prom-a", strings.NewReader(large))
	if got, _ = h.room.LastPayload("prom-a"); string(got.Body) != large[:ingest.MaxKeptBody] || got.Size != len(large) {
		t.Errorf("%d bytes of %d are kept", len(got.Body), got.Size)
	}
}

func TestConfig_Validate(t *testing.T) {
	if err := ingest.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*ingest.Config){
		"identity.ignore_labels[1]": func(c *ingest.Config) { c.Identity.IgnoreLabels = []string{"a", ""} },
		"limits":                    func(c *ingest.Config) { c.MaxBody = 0 },
		"limits of waiting":         func(c *ingest.Config) { c.MaxWaiting = -1 },
		"limits of large bodies":    func(c *ingest.Config) { c.MaxLarge = 0 },
		"limits of time":            func(c *ingest.Config) { c.ReadTimeout = 0 },
		"limits of resolving":       func(c *ingest.Config) { c.ResolveTimeout = 0 },
	} {
		c := ingest.DefaultConfig()
		change(&c)
		word, _, _ := strings.Cut(name, " ")
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNew_namesWhatIsMissing(t *testing.T) {
	whole := ingest.Options{
		Door: &logDoor{}, Receivers: []ingest.Receiver{events.Receiver()}, Config: ingest.DefaultConfig(), Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.DiscardHandler),
	}
	for name, change := range map[string]func(*ingest.Options){
		"Door":       func(o *ingest.Options) { o.Door = nil },
		"Receivers":  func(o *ingest.Options) { o.Receivers = nil },
		"Registerer": func(o *ingest.Options) { o.Registerer = nil },
		"Logger":     func(o *ingest.Options) { o.Logger = nil },
		"limits":     func(o *ingest.Options) { o.Config = ingest.Config{} },
	} {
		o := whole
		change(&o)
		if _, err := ingest.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
