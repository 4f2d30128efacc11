package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/itsm"
)

// fault is an answer other than 2xx.
type fault struct {
	status int
	code   string
	detail string
}

func (f *fault) Error() string { return f.detail }

func overloaded() *fault {
	return &fault{http.StatusServiceUnavailable, "overloaded", "too much is waiting for the log; send it again"}
}

// handler is one door: read, decode, append, answer.
func (in *Ingest) handler(door Receiver) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		w.Header().Set("Cache-Control", "no-store")
		status := in.serve(w, r, &door)
		in.metrics.requests.WithLabelValues(door.Name, strconv.Itoa(status)).Inc()
		in.metrics.seconds.WithLabelValues(door.Name).Observe(time.Since(start).Seconds())
	})
}

func (in *Ingest) serve(w http.ResponseWriter, r *http.Request, door *Receiver) int {
	select {
	case in.waiting <- struct{}{}:
		defer func() { <-in.waiting }()
	default:
		return in.refuse(w, door, overloaded())
	}
	body, done, err := in.body(w, r)
	defer done()
	if err != nil {
		return in.refuse(w, door, faultOf(err))
	}
	arrival := Arrival{At: time.Now().UTC(), ResolveTimeout: in.cfg.ResolveTimeout, IgnoreLabels: in.cfg.Identity.IgnoreLabels}
	batch, err := door.Decode(body, arrival)
	source, named := in.sourceOf(r, batch.Source)
	switch {
	case !named:
		return in.refuse(w, door, &fault{http.StatusBadRequest, "invalid_source", "source: at most 1024 bytes of valid UTF-8 are expected"})
	case err != nil:
		in.sources.note(source, Payload{At: arrival.At, Kind: door.Name, Size: len(body), Body: body, Fault: err.Error(), Refused: 1})
		return in.refuse(w, door, &fault{http.StatusBadRequest, "invalid_body", err.Error()})
	}
	in.metrics.unknown.WithLabelValues(door.Name).Add(float64(batch.Unknown))
	if err := in.append(r, door, source, &batch); err != nil {
		return in.refuse(w, door, overloaded())
	}
	in.metrics.refused.WithLabelValues(door.Name, "invalid").Add(float64(batch.RefusedCount))
	in.sources.note(source, payloadOf(door, arrival.At, body, &batch))
	if batch.Truncated > 0 {
		in.metrics.truncated.WithLabelValues(door.Name).Add(float64(batch.Truncated))
		in.truncated(source)
	}
	return answer(w, door, &batch)
}

// payloadOf is what is kept of a payload that was taken.
func payloadOf(door *Receiver, at time.Time, body []byte, b *Batch) Payload {
	p := Payload{At: at, Kind: door.Name, Size: len(body), Body: body, Accepted: b.Accepted(), Refused: b.RefusedCount, Refusals: b.Refused}
	p.Alerts = make([]itsm.Fingerprint, min(len(b.Alerts), MaxKeptAlerts))
	for i := range p.Alerts {
		p.Alerts[i] = b.Alerts[i].Fingerprint
	}
	return p
}

// append hands what was taken to the log. An error means that the sender should come again.
func (in *Ingest) append(r *http.Request, door *Receiver, source string, b *Batch) error {
	if b.Accepted() == 0 {
		return nil
	}
	for i := range b.Alerts {
		if b.Alerts[i].Source == "" {
			b.Alerts[i].Source = source
		}
	}
	if err := in.door.Append(r.Context(), itsm.Input{Alerts: b.Alerts, Changes: b.Changes}); err != nil {
		if !errors.Is(err, itsm.ErrOverloaded) {
			in.log.Warn("the log did not take a payload; the sender will come again", "door", door.Name, "source", source, "err", err)
		}
		return err
	}
	in.metrics.accepted.WithLabelValues(door.Name).Add(float64(b.Accepted()))
	return nil
}

// refuse answers that nothing of a payload was taken.
func (in *Ingest) refuse(w http.ResponseWriter, door *Receiver, f *fault) int {
	in.metrics.refused.WithLabelValues(door.Name, f.code).Inc()
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	write(w, f.status, "application/problem+json", problemOf(f))
	return f.status
}

// sourceOf names the sender: ?source=, what the body says or the name that is configured for it, or
// the client's address. It is false for a name that cannot be kept.
func (in *Ingest) sourceOf(r *http.Request, said string) (string, bool) {
	said = in.nameOf(said)
	if s := r.URL.Query().Get("source"); s != "" {
		said = s
	}
	if said != "" {
		return said, validSource(said)
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host, true
	}
	return r.RemoteAddr, true
}

// nameOf is the name that is configured for what a body says of its sender, else what it says.
func (in *Ingest) nameOf(said string) string {
	if name, ok := in.names[strings.TrimRight(said, "/")]; ok {
		return name
	}
	return said
}

func validSource(name string) bool {
	return name != "" && len(name) <= itsm.MaxLabelName && utf8.ValidString(name)
}

// problem is an error as people and programs get it (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func problemOf(f *fault) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status, Code: f.code, Detail: f.detail}
}

func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	return &fault{http.StatusBadRequest, "unreadable_body", "read the body: " + err.Error()}
}

// result is what the answer says of a payload; beside a problem when nothing was taken.
type result struct {
	*problem
	Accepted     int       `json:"accepted"`
	Refused      []Refusal `json:"refused"`
	RefusedCount int       `json:"refusedCount"`
}

// answer tells a sender what was taken.
func answer(w http.ResponseWriter, door *Receiver, b *Batch) int {
	if door.Plain {
		return answerPlain(w, b)
	}
	res := result{Accepted: b.Accepted(), Refused: b.Refused, RefusedCount: b.RefusedCount}
	if res.Refused == nil {
		res.Refused = []Refusal{}
	}
	if b.RefusedCount > 0 && b.Accepted() == 0 {
		res.problem = problemOf(&fault{http.StatusBadRequest, "all_refused", firstReason(b.Refused)})
		write(w, http.StatusBadRequest, "application/problem+json", res)
		return http.StatusBadRequest
	}
	write(w, http.StatusOK, "application/json", res)
	return http.StatusOK
}

// answerPlain answers as Alertmanager's API v2: nothing, or why alerts were refused as a text.
func answerPlain(w http.ResponseWriter, b *Batch) int {
	if b.RefusedCount == 0 {
		w.WriteHeader(http.StatusOK)
		return http.StatusOK
	}
	const most = 10
	reasons := make([]string, 0, most+1)
	for _, r := range b.Refused[:min(most, len(b.Refused))] {
		reasons = append(reasons, fmt.Sprintf("alert %d: %s", r.Index, reason(r)))
	}
	if len(b.Refused) > most {
		reasons = append(reasons, fmt.Sprintf("%d alerts were refused", b.RefusedCount))
	}
	write(w, http.StatusBadRequest, "application/json", strings.Join(reasons, "; "))
	return http.StatusBadRequest
}

func reason(r Refusal) string {
	if r.Field == "" {
		return r.Reason
	}
	return r.Field + ": " + r.Reason
}

func firstReason(list []Refusal) string {
	if len(list) == 0 {
		return ""
	}
	return reason(list[0])
}

func write(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the sender is gone when this fails
}
