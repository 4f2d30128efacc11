package ui

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
)

// builtApp is a built web app, as far as the server knows one.
func builtApp(t *testing.T) worldOption {
	t.Helper()
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	app, err := readWeb(fstest.MapFS{
		".keep":                 file(""),
		"index.html":            file("<!doctype html>"),
		"index.html.br":         file("index br"),
		"favicon.svg":           file("<svg/>"),
		"assets/app-1a2b.js":    file("let app"),
		"assets/app-1a2b.js.br": file("app br"),
		"assets/app-1a2b.js.gz": file("app gzip"),
		"assets/app-1a2b.css":   file("body{}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(u *UI) { u.web = app }
}

func TestWeb(t *testing.T) {
	w := newRoom(t, builtApp(t))
	const forever, ask = "public, max-age=31536000, immutable", "no-cache"
	for _, tc := range []struct {
		name, path, accept         string
		body, kind, encoding, kept string
	}{
		{name: "the app", path: "/", body: "<!doctype html>", kind: "text/html; charset=utf-8", kept: ask},
		{name: "a screen of the app", path: "/incidents/INC-000001", body: "<!doctype html>", kind: "text/html; charset=utf-8", kept: ask},
		{name: "compressed", path: "/", accept: "gzip, deflate, br, zstd", body: "index br", encoding: "br", kind: "text/html; charset=utf-8", kept: ask},
		{name: "an asset stays for ever", path: "/assets/app-1a2b.js", body: "let app", kind: "text/javascript; charset=utf-8", kept: forever},
		{name: "brotli before gzip", path: "/assets/app-1a2b.js", accept: "gzip, br", body: "app br", encoding: "br", kind: "text/javascript; charset=utf-8", kept: forever},
		{name: "gzip alone", path: "/assets/app-1a2b.js", accept: "gzip", body: "app gzip", encoding: "gzip", kind: "text/javascript; charset=utf-8", kept: forever},
		{name: "brotli refused", path: "/assets/app-1a2b.js", accept: "br;q=0, gzip;q=0.5", body: "app gzip", encoding: "gzip", kind: "text/javascript; charset=utf-8", kept: forever},
		{name: "not built compressed", path: "/assets/app-1a2b.css", accept: "br", body: "body{}", kind: "text/css; charset=utf-8", kept: forever},
		{name: "a file without a hash in its name", path: "/favicon.svg", body: "<svg/>", kind: "image/svg+xml", kept: ask},
	} {
		got := w.do(http.MethodGet, tc.path, "", "Accept-Encoding", tc.accept)
		h := got.header
		if got.status != 200 || string(got.body) != tc.body || h.Get("Content-Type") != tc.kind || h.Get("Content-Encoding") != tc.encoding || h.Get("Cache-Control") != tc.kept {
			t.Errorf("%s: %d %q %v", tc.name, got.status, got.body, h)
		}
		if h.Get("Vary") != "Accept-Encoding" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", tc.name, h)
		}
		again := w.do(http.MethodGet, tc.path, "", "Accept-Encoding", tc.accept, "If-None-Match", h.Get("ETag"))
		if again.status != http.StatusNotModified || len(again.body) != 0 {
			t.Errorf("%s: asked again with its ETag: %d", tc.name, again.status)
		}
	}
}

func TestWeb_loadsNothingFromElsewhere(t *testing.T) {
	policy := newRoom(t, builtApp(t)).get("/").header.Get("Content-Security-Policy")
	for _, rule := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, rule+";") && !strings.HasSuffix(policy, rule) {
			t.Errorf("%s is missing in %s", rule, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("policy %s", policy)
	}
}

func TestWeb_refusals(t *testing.T) {
	w := newRoom(t, builtApp(t))
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{method: http.MethodGet, path: "/nothing", status: 404},
		{method: http.MethodGet, path: "/assets/", status: 404},
		{method: http.MethodGet, path: "/assets/app-0000.js", status: 404},
		{method: http.MethodGet, path: "/.keep", status: 404},
		{method: http.MethodGet, path: "/index.html.br", status: 404},
		{method: http.MethodPost, path: "/", status: 405, allow: "GET"},
		{method: http.MethodDelete, path: "/api/v1/estate", status: 405, allow: "GET, PUT"},
	} {
		got := w.do(tc.method, tc.path, "")
		if got.status != tc.status || got.header.Get("Allow") != tc.allow || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %d %v", tc.method, tc.path, got.status, got.header)
		}
	}
	if got := w.do(http.MethodHead, "/", ""); got.status != 200 || len(got.body) != 0 || got.header.Get("Content-Length") != "15" {
		t.Errorf("HEAD: %d %q %v", got.status, got.body, got.header)
	}
}

// Without Node the program still builds, and says what is missing.
func TestWeb_notBuilt(t *testing.T) {
	app, err := readWeb(fstest.MapFS{".keep": &fstest.MapFile{}})
	if err != nil {
		t.Fatal(err)
	}
	got := newRoom(t, func(u *UI) { u.web = app }).get("/")
	if got.status != 200 || !strings.Contains(string(got.body), "make") || got.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %s", got.status, got.body)
	}
}
