package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// The built web app, or only .keep when nobody has built it: Go builds without Node.
//
//go:embed all:web/dist
var dist embed.FS

//go:embed placeholder/index.html
var placeholder []byte

// contentPolicy lets the page load its own files and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

// web serves the embedded app. It is immutable.
type web struct {
	files map[string]*asset // by path, without the leading slash
	index *asset
}

// asset is a file in the encodings it was built in.
type asset struct {
	kind      string
	plain     []byte
	br, gzip  []byte // nil: not built
	etag      string
	immutable bool // its name carries a hash of its content
}

func newWeb() (*web, error) {
	root, err := fs.Sub(dist, "web/dist")
	if err != nil {
		return nil, fmt.Errorf("open the web app: %w", err)
	}
	return readWeb(root)
}

func readWeb(root fs.FS) (*web, error) {
	w := &web{files: map[string]*asset{}}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		if ext := path.Ext(name); ext == ".br" || ext == ".gz" {
			return nil
		}
		a, err := readAsset(root, name)
		w.files[name] = a
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the web app: %w", err)
	}
	w.index = w.files["index.html"]
	if w.index == nil {
		w.index = newAsset("index.html", placeholder)
	}
	return w, nil
}

func readAsset(root fs.FS, name string) (*asset, error) {
	plain, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	a := newAsset(name, plain)
	for ext, to := range map[string]*[]byte{".br": &a.br, ".gz": &a.gzip} {
		if *to, err = fs.ReadFile(root, name+ext); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return a, nil
}

func newAsset(name string, plain []byte) *asset {
	sum := sha256.Sum256(plain)
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = http.DetectContentType(plain)
	}
	return &asset{
		kind: kind, plain: plain, etag: hex.EncodeToString(sum[:8]), immutable: strings.HasPrefix(name, "assets/"),
	}
}

// appRoute tells whether the app itself has a screen at a path, which then begins at its index.
func appRoute(p string) bool {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/"); first {
	case "", "index.html", "incidents", "alerts", "problems", "patterns", "silences", "history", "sources", "estate", "connect":
		return true
	}
	return false
}

// find returns the file of the app at a path; nil: there is none.
func (w *web) find(p string) *asset {
	a := w.files[strings.TrimPrefix(path.Clean(p), "/")]
	if a == nil && appRoute(p) {
		a = w.index
	}
	return a
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Type", a.kind)
	h.Set("Vary", "Accept-Encoding")
	if a.immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	body, encoding := a.encoded(r.Header.Get("Accept-Encoding"))
	etag := strconv.Quote(a.etag + encoding)
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = bytes.NewReader(body).WriteTo(w) // the client is gone when this fails
}

func (a *asset) encoded(accept string) (body []byte, encoding string) {
	switch {
	case a.br != nil && accepts(accept, "br"):
		return a.br, "br"
	case a.gzip != nil && accepts(accept, "gzip"):
		return a.gzip, "gzip"
	}
	return a.plain, ""
}

// accepts reads an Accept-Encoding header; an encoding of quality 0 is refused.
func accepts(header, encoding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(params), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
