package chdb

import (
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

func columnType(name string) column.Type { return column.Type(name) }

// Transport answers clickhouse-go's requests in this process (Options.TransportFunc).
func (e *Engine) Transport() http.RoundTripper { return transport{e} }

type transport struct{ engine *Engine }

// RoundTrip implements http.RoundTripper. The response is there with its first byte.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	read, write := io.Pipe()
	w := &responder{header: http.Header{}, body: write, begun: make(chan struct{})}
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	in := r.Clone(r.Context())
	in.Body = body
	go func() {
		defer func() { _ = body.Close() }() // the transport's duty, whatever happened
		t.engine.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		_ = write.Close() // never fails
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		_ = read.CloseWithError(r.Context().Err()) // never fails
		return nil, r.Context().Err()
	}
	res := &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: read, ContentLength: -1, Request: r,
	}
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil {
		res.ContentLength = n // the client takes 0 for "no result"
	}
	return res, nil
}

// responder is an http.ResponseWriter whose body is a pipe.
type responder struct {
	header http.Header
	body   *io.PipeWriter
	status int
	once   sync.Once
	begun  chan struct{}
}

func (w *responder) Header() http.Header { return w.header }

func (w *responder) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		close(w.begun)
	})
}

func (w *responder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
