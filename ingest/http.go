package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"signalbox/ingest/alertmanager"
	"signalbox/ingest/events"
	"signalbox/itsm"
)

// payload is a decoded body.
type payload struct {
	input   itsm.Input
	source  string
	refused []alertmanager.Refusal
	unknown int
}

func (p *payload) accepted() int { return len(p.input.Alerts) + len(p.input.Changes) }

// fault is an answer other than 2xx.
type fault struct {
	status int
	code   string
	detail string
}

func (f *fault) Error() string { return f.detail }

// decode turns a body into a payload; its error means that the body is not of the format.
type decode func(r *http.Request, body []byte) (payload, error)

// handler is one door: read, decode, append, answer.
func (in *Ingest) handler(door string, decode decode) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		status := in.serve(w, r, door, decode)
		in.metrics.requests.WithLabelValues(door, strconv.Itoa(status)).Inc()
		in.metrics.seconds.WithLabelValues(door).Observe(time.Since(start).Seconds())
	})
}

func (in *Ingest) serve(w http.ResponseWriter, r *http.Request, door string, decode decode) int {
	select {
	case in.waiting <- struct{}{}:
		defer func() { <-in.waiting }()
	default:
		return writeFault(w, overloaded())
	}
	p, f := in.read(r, decode)
	if p.source == "" {
		p.source = sourceOf(r, "")
	}
	if f != nil {
		in.metrics.refused.WithLabelValues(door, f.code).Inc()
		in.sources.note(door, p.source, 0, 1, f.detail)
		return writeFault(w, f)
	}
	in.metrics.unknown.WithLabelValues(door).Add(float64(p.unknown))
	in.metrics.refused.WithLabelValues(door, "invalid").Add(float64(refusedCount(p.refused)))
	if p.accepted() > 0 {
		if err := in.door.Append(r.Context(), p.input); err != nil {
			if !errors.Is(err, itsm.ErrOverloaded) {
				in.log.Warn("the log did not take a payload; the sender will come again", "door", door, "source", p.source, "err", err)
			}
			return writeFault(w, overloaded())
		}
		in.metrics.accepted.WithLabelValues(door).Add(float64(p.accepted()))
	}
	reason := ""
	if len(p.refused) > 0 {
		reason = p.refused[0].Field + ": " + p.refused[0].Reason
	}
	in.sources.note(door, p.source, p.accepted(), refusedCount(p.refused), reason)
	return answer(w, door, &p)
}

// read reads and decodes a body; only so many at a time.
func (in *Ingest) read(r *http.Request, decode decode) (payload, *fault) {
	select {
	case in.reading <- struct{}{}:
		defer func() { <-in.reading }()
	case <-r.Context().Done():
		return payload{}, overloaded()
	}
	body, err := in.body(r)
	if err != nil {
		var f *fault
		if errors.As(err, &f) {
			return payload{}, f
		}
		return payload{}, &fault{http.StatusBadRequest, "unreadable_body", "read the body: " + err.Error()}
	}
	p, err := decode(r, body)
	if err != nil {
		return p, &fault{http.StatusBadRequest, "invalid_body", err.Error()}
	}
	return p, nil
}

func overloaded() *fault {
	return &fault{http.StatusServiceUnavailable, "overloaded", "too much is waiting for the log; send it again"}
}

// refusedCount counts alerts, not faults.
func refusedCount(list []alertmanager.Refusal) int {
	n := 0
	for i := range list {
		if i == 0 || list[i].Index != list[i-1].Index {
			n++
		}
	}
	return n
}

// body reads a request's body, decompressed, within the limit.
func (in *Ingest) body(r *http.Request) ([]byte, error) {
	tooLarge := &fault{http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("the body is larger than %d bytes", in.cfg.MaxBody)}
	var reader io.Reader = r.Body
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
		if r.ContentLength > in.cfg.MaxBody {
			return nil, tooLarge
		}
	case "gzip":
		gz, err := gzip.NewReader(io.LimitReader(r.Body, in.cfg.MaxBody))
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		reader = gz
	default:
		return nil, &fault{http.StatusUnsupportedMediaType, "unknown_encoding", fmt.Sprintf("Content-Encoding: gzip or none is expected, got %.40q", enc)}
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= in.cfg.MaxBody {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(reader, in.cfg.MaxBody+1))
	if err != nil {
		return nil, err
	}
	if n > in.cfg.MaxBody {
		return nil, tooLarge
	}
	return buf.Bytes(), nil
}

// sourceOf names the sender: ?source=, what the payload says, or the client's address.
func sourceOf(r *http.Request, payload string) string {
	if s := r.URL.Query().Get("source"); s != "" {
		return s
	}
	if payload != "" {
		return payload
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func (in *Ingest) options() alertmanager.Options {
	return alertmanager.Options{Now: time.Now().UTC(), ResolveTimeout: in.cfg.ResolveTimeout, IgnoreLabels: in.cfg.Identity.IgnoreLabels}
}

func (in *Ingest) webhook(r *http.Request, body []byte) (payload, error) {
	b, err := alertmanager.DecodeWebhook(body, in.options())
	return batchPayload(r, b, b.Source), err
}

func (in *Ingest) post(r *http.Request, body []byte) (payload, error) {
	b, err := alertmanager.DecodePost(body, in.options())
	return batchPayload(r, b, ""), err
}

func batchPayload(r *http.Request, b alertmanager.Batch, source string) payload {
	source = sourceOf(r, source)
	for i := range b.Alerts {
		b.Alerts[i].Source = source
	}
	return payload{input: itsm.Input{Alerts: b.Alerts}, source: source, refused: b.Refused, unknown: b.Unknown}
}

func (in *Ingest) events(r *http.Request, body []byte) (payload, error) {
	source := sourceOf(r, "")
	b, err := events.DecodeBody(body, events.BodyOptions{IgnoreLabels: in.cfg.Identity.IgnoreLabels, Source: source})
	return payload{input: b.Input, source: source, refused: b.Refused, unknown: b.Unknown}, err
}

// answer tells a sender what was taken. POST /api/v2/alerts answers as Alertmanager does: nothing,
// or 400 with a text when any alert was bad.
func answer(w http.ResponseWriter, door string, p *payload) int {
	status := http.StatusOK
	if len(p.refused) > 0 && (p.accepted() == 0 || door == "prometheus") {
		status = http.StatusBadRequest
	}
	if door == "prometheus" {
		if status == http.StatusOK {
			w.WriteHeader(status)
			return status
		}
		text := ""
		for i, r := range p.refused[:min(10, len(p.refused))] {
			if i > 0 {
				text += "; "
			}
			text += fmt.Sprintf("alert %d: %s: %s", r.Index, r.Field, r.Reason)
		}
		writeJSON(w, status, text)
		return status
	}
	refused := p.refused
	if refused == nil {
		refused = []alertmanager.Refusal{}
	}
	writeJSON(w, status, struct {
		Accepted int                    `json:"accepted"`
		Refused  []alertmanager.Refusal `json:"refused"`
	}{p.accepted(), refused})
	return status
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the sender has gone
}

func writeFault(w http.ResponseWriter, f *fault) int {
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the sender has gone
		"type": "about:blank", "title": http.StatusText(f.status), "status": f.status, "code": f.code, "detail": f.detail,
	})
	return f.status
}
