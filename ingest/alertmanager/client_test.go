package alertmanager

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// newClient returns a client of a server that answers with a function.
func newClient(t *testing.T, change func(*Config), answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return clientOf(t, server.URL+"/prefix/", change)
}

func clientOf(t *testing.T, url string, change func(*Config)) *Client {
	t.Helper()
	c := Config{Name: "prod", URLs: []string{url}}
	c.SetDefaults()
	if change != nil {
		change(&c)
	}
	clients, err := NewClients(&c)
	if err != nil {
		t.Fatal(err)
	}
	return clients[0]
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClient_Alerts(t *testing.T) {
	c := newClient(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/prefix/api/v2/alerts" || r.URL.Query().Get("silenced") != "true" || r.URL.Query().Get("inhibited") != "true" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, `[{"annotations":{"summary":"x"},"endsAt":"2026-03-01T12:05:00Z","fingerprint":"1","startsAt":"2026-03-01T13:00:00+01:00",
			"receivers":[{"name":"a"},{"name":"b"}],"status":{"inhibitedBy":["f"],"silencedBy":["s"],"mutedBy":["n"],"state":"suppressed"},
			"updatedAt":"2026-03-01T12:01:00Z","generatorURL":"http://g","labels":{"b":"2","a":"1"},"next":{}},
			{"labels":{},"status":{"inhibitedBy":null}}]`)
	})
	var got []Listed
	if err := c.Alerts(t.Context(), func(l Listed) error {
		got = append(got, l)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []Listed{{
		Labels: itsm.Labels{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}, Annotations: itsm.Labels{{Name: "summary", Value: "x"}},
		StartsAt: noon(), EndsAt: noon().Add(5 * time.Minute), UpdatedAt: noon().Add(time.Minute), GeneratorURL: "http://g",
		Receivers: []string{"a", "b"}, SilencedBy: []string{"s"}, InhibitedBy: []string{"f"}, MutedBy: []string{"n"},
	}, {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	stop := errors.New("stop")
	if err := c.Alerts(t.Context(), func(Listed) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want the caller's", err)
	}
}

func TestClient_Muted(t *testing.T) {
	c := newClient(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/prefix/api/v2/alerts/groups" || r.URL.Query().Get("muted") != "true" {
			t.Errorf("asked %s", r.URL)
		}
		_, _ = io.WriteString(w, `[
			{"receiver":{"name":"signalbox"},"labels":{},"alerts":[{"fingerprint":"0000000000000001","status":{"mutedBy":["nights"]}},{"fingerprint":"0000000000000002","status":{"mutedBy":["nights"]}}]},
			{"receiver":{"name":"signalbox"},"labels":{"a":"b"},"alerts":[{"fingerprint":"0000000000000002","status":{"mutedBy":[]}},{"fingerprint":"0000000000000003","status":{}},{"fingerprint":"x","status":{"mutedBy":["nights"]}}]},
			{"receiver":{"name":"pager"},"labels":{},"alerts":[{"fingerprint":"0000000000000001","status":{"mutedBy":[]}},{"fingerprint":"0000000000000004","status":{"mutedBy":["nights"]}}]}]`)
	})
	got, err := c.Muted(t.Context(), regexp.MustCompile("^signalbox$"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[itsm.Fingerprint][]string{1: {"nights"}}, got); diff != "" {
		t.Errorf("muted (-want +got):\n%s", diff)
	}
}

func TestClient_foreignAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		code int
		body string
		want string
	}{
		{"no list", 200, `{}`, "a list is expected"},
		{"nothing", 200, ``, "EOF"},
		{"cut off", 200, `[{"labels":{}}`, "EOF"},
		{"not JSON", 200, `<html>`, "invalid character"},
		{"another type", 200, `[{"labels":{"a":1}}]`, "[0]: json: cannot unmarshal number"},
		{"refused", 403, `no`, "answered 403 Forbidden: no"},
		{"refused without a word", 502, ``, "answered 502 Bad Gateway"},
		{"refused with many", 500, strings.Repeat("x", 5000), "answered 500 Internal Server Error: " + strings.Repeat("x", 300)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, nil, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.code)
				_, _ = io.WriteString(w, tt.body)
			})
			err := c.Alerts(t.Context(), func(Listed) error { return nil })
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestClient_timeout(t *testing.T) {
	release := make(chan struct{})
	c := newClient(t, func(c *Config) { c.Timeout = 50 * time.Millisecond }, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	if _, err := c.Status(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that the time is over", err)
	}
}

func TestClient_login(t *testing.T) {
	var seen string
	answer := func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"uptime":"2026-03-01T12:00:00Z","versionInfo":{"version":"0.34.2"},"cluster":{"status":"ready"}}`)
	}
	password := write(t, "password", "hunter2\n")
	c := newClient(t, func(c *Config) { c.BasicAuth.Username, c.BasicAuth.PasswordFile = "maria", password }, answer)
	s, err := c.Status(t.Context())
	if err != nil || seen != "Basic bWFyaWE6aHVudGVyMg==" {
		t.Errorf("sent %q, %v", seen, err)
	}
	if s.VersionInfo.Version != "0.34.2" || !s.Uptime.Equal(noon()) || s.Cluster.Status != "ready" {
		t.Errorf("status %+v", s)
	}
	if err := os.WriteFile(password, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(t.Context()); err != nil || seen != "Basic bWFyaWE6bmV3" {
		t.Errorf("after a change of the password: sent %q, %v", seen, err)
	}
	c = newClient(t, func(c *Config) { c.Authorization.CredentialsFile = write(t, "token", " abc\n") }, answer)
	if _, err := c.Status(t.Context()); err != nil || seen != "Bearer abc" {
		t.Errorf("sent %q, %v", seen, err)
	}
	c = newClient(t, func(c *Config) { c.Authorization.CredentialsFile = "does-not-exist" }, answer)
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "authorization.credentials_file") {
		t.Errorf("error %v, want one that names the key", err)
	}
}

func TestClient_tls(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }))
	server.Config.ErrorLog = nil
	defer server.Close()
	ca := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"not signed by anybody we know": {nil, "certificate"},
		"its signer is configured":      {func(c *Config) { c.TLS.CAFile = ca }, ""},
		"another name":                  {func(c *Config) { c.TLS.CAFile, c.TLS.ServerName = ca, "elsewhere.test" }, "elsewhere.test"},
		"whatever it is":                {func(c *Config) { c.TLS.InsecureSkipVerify = true }, ""},
	} {
		_, err := clientOf(t, server.URL, tt.change).Status(t.Context())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
	for _, bad := range []TLSConfig{{CAFile: "does-not-exist"}, {CAFile: write(t, "empty", "")}, {CertFile: "does-not-exist", KeyFile: "x"}} {
		if _, err := NewClients(&Config{URLs: []string{"https://a"}, TLS: bad}); err == nil || !strings.HasPrefix(err.Error(), "tls_config.") {
			t.Errorf("%+v: error %v, want one that names the key", bad, err)
		}
	}
}

func TestClient_silences(t *testing.T) {
	var sent string
	c := newClient(t, nil, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = r.Method + " " + r.URL.EscapedPath() + " " + string(body)
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, `{"silenceID":"s2"}`)
		case r.Method == http.MethodGet:
			_, _ = io.WriteString(w, `[{"id":"s1","status":{"state":"active"},"updatedAt":"2026-03-01T12:00:00Z","comment":"c","createdBy":"maria",
				"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T13:00:00Z","matchers":[{"name":"a","value":"b","isRegex":false,"isEqual":true}]}]`)
		case strings.HasSuffix(r.URL.Path, "/old"):
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `"silence old already expired"`)
		case strings.HasSuffix(r.URL.Path, "/gone"):
			w.WriteHeader(http.StatusNotFound)
		case strings.HasSuffix(r.URL.Path, "/bad"):
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	var got []Silence
	if err := c.Silences(t.Context(), func(s Silence) error {
		got = append(got, s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := Silence{Silence: itsm.Silence{
		ID: "s1", Matchers: []itsm.Matcher{{Name: "a", Value: "b", IsEqual: true}}, StartsAt: noon(), EndsAt: noon().Add(time.Hour), UpdatedAt: noon(), CreatedBy: "maria", Comment: "c",
	}}
	want.Status.State = itsm.SilenceActive
	if diff := cmp.Diff([]Silence{want}, got); diff != "" {
		t.Errorf("silences (-want +got):\n%s", diff)
	}

	s := got[0].Silence
	s.ID = ""
	if id, err := c.PutSilence(t.Context(), s); err != nil || id != "s2" {
		t.Errorf("put: %q, %v", id, err)
	}
	path, body, _ := strings.Cut(sent, " {")
	var posted map[string]any
	if err := json.Unmarshal([]byte("{"+body), &posted); err != nil || path != "POST /prefix/api/v2/silences" || posted["id"] != nil || posted["createdBy"] != "maria" || posted["updatedAt"] != nil {
		t.Errorf("sent %s", sent)
	}
	for id, ok := range map[string]bool{"s1": true, "old": true, "gone": true, "bad": false} {
		if err := c.ExpireSilence(t.Context(), id); (err == nil) != ok {
			t.Errorf("expire %s: %v", id, err)
		}
	}
	_ = c.ExpireSilence(t.Context(), "a/b")
	if sent != "DELETE /prefix/api/v2/silence/a%2Fb " {
		t.Errorf("sent %s", sent)
	}
}
