package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// smallBody is up to where a body is read without a place among the large ones: slow senders of
// small bodies hold up nobody.
const smallBody = 256 << 10

// body reads a request's body, decompressed, within the limits. A large one holds a place until
// done is called, which bounds the memory of all.
func (in *Ingest) body(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	// The server has no deadline for bodies: a sender that stops in the middle would stay for ever.
	// A writer that cannot set one is a test's.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(in.cfg.ReadTimeout))
	defer func() {
		if err == nil { // otherwise the server still reads what is left, before it sends our answer
			_ = control.SetReadDeadline(time.Time{})
		}
	}()

	reader, compressed, err := in.decompressed(r)
	if err != nil {
		return nil, done, in.bodyError(err, compressed)
	}
	var buf bytes.Buffer
	if n := r.ContentLength; n > 0 {
		buf.Grow(int(min(n, smallBody)) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(reader, smallBody))
	if err == nil && n == smallBody {
		if done, err = place(r.Context(), in.large); err == nil {
			_ = control.SetReadDeadline(time.Now().Add(in.cfg.ReadTimeout)) // it was we who kept it waiting
			n, err = buf.ReadFrom(io.LimitReader(reader, in.cfg.MaxBody+1-smallBody))
			n += smallBody
		}
	}
	if err == nil && n > in.cfg.MaxBody {
		err = in.tooLarge()
	}
	return buf.Bytes(), done, in.bodyError(err, compressed)
}

// decompressed returns a reader of the plain body, and the limit on what comes over the wire.
func (in *Ingest) decompressed(r *http.Request) (io.Reader, *io.LimitedReader, error) {
	wire := &io.LimitedReader{R: r.Body, N: in.cfg.MaxBody + 1}
	if r.ContentLength > in.cfg.MaxBody {
		return nil, wire, in.tooLarge()
	}
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
		return wire, wire, nil
	case "gzip", "x-gzip":
		gz, err := gzip.NewReader(wire)
		if err != nil {
			return nil, wire, fmt.Errorf("decompress: %w", err)
		}
		return gz, wire, nil
	default:
		return nil, wire, &fault{http.StatusUnsupportedMediaType, "unknown_encoding", fmt.Sprintf("Content-Encoding: gzip or none is expected, got %.40q", enc)}
	}
}

func (in *Ingest) tooLarge() error {
	return &fault{http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("the body is larger than %d bytes", in.cfg.MaxBody)}
}

// bodyError says what an error of reading means for the sender.
func (in *Ingest) bodyError(err error, wire *io.LimitedReader) error {
	switch {
	case err == nil:
		return nil
	case wire.N <= 0: // what looks like a body cut short was cut by us
		return in.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded): // a 4xx would make Alertmanager give the alerts up
		return &fault{http.StatusServiceUnavailable, "body_timeout", fmt.Sprintf("the body did not come within %s", in.cfg.ReadTimeout)}
	}
	return err
}

// place waits for a place among the large bodies.
func place(ctx context.Context, places chan struct{}) (release func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return func() {}, overloaded()
	}
}
