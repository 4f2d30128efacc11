package ui

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/itsm"
)

const (
	// How long the answer to a command is waited for.
	outcomeWait = 5 * time.Second
	// How long outcomes are kept: as long as the engine remembers keys.
	outcomeMemory = 24 * time.Hour

	maxCommandBody = 1 << 20
	maxKey         = 200
	// Anonymous is who commands while nobody has to log in and the body names nobody.
	anonymous = "anonymous"
)

func (u *UI) handleCommand(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	status := u.command(w, r)
	u.metrics.commands.WithLabelValues(strconv.Itoa(status)).Inc()
	u.metrics.commandSeconds.Observe(time.Since(began).Seconds())
}

// command answers a command and returns the status of the answer.
func (u *UI) command(w http.ResponseWriter, r *http.Request) int {
	fail := func(p *problem) int {
		writeProblem(w, p)
		return p.Status
	}
	action := itsm.Action(r.PathValue("action"))
	if !slices.Contains(itsm.Actions(), action) {
		return fail(newProblem(http.StatusNotFound, "unknown_action", fmt.Sprintf("there is no action %q", string(action))))
	}
	h, ok := u.lookup(w, r)
	if !ok {
		return http.StatusNotFound
	}
	c, bad := readCommand(w, r, itsm.Command{Action: action, Incident: itsm.IncidentRef{ID: h.id}})
	if bad != nil {
		return fail(bad)
	}
	switch done, err := u.recordCommand(r.Context(), &c); {
	case err != nil:
		return fail(problemOf(err))
	case done:
		return u.writeOutcome(w, c.ID, h)
	}
	writeJSON(w, http.StatusAccepted, map[string]string{"command": c.ID})
	return http.StatusAccepted
}

// recordCommand writes a command to the log and waits for its outcome; false: it has not come in time.
func (u *UI) recordCommand(ctx context.Context, c *itsm.Command) (bool, error) {
	answered, stop := u.views.await(func(v *views) bool { return v.answered(c.ID) })
	defer stop()
	u.views.mu.RLock()
	_, repeated := u.views.outcomes[c.ID]
	u.views.mu.RUnlock()
	if !repeated {
		if err := u.door.Append(ctx, itsm.Input{Commands: []itsm.Command{*c}}); err != nil {
			return false, fmt.Errorf("record the command: %w", err)
		}
	}
	patience := time.NewTimer(u.outcomeWait)
	defer patience.Stop()
	select {
	case <-answered:
		return true, nil
	case <-patience.C:
	case <-ctx.Done():
	}
	return false, nil
}

// answered tells whether the outcome of a command is there, and the revision it speaks of.
func (v *views) answered(id string) bool {
	o, ok := v.outcomes[id]
	if !ok || o.Status != http.StatusOK {
		return ok
	}
	if o.Problem != "" { // one that the decision has made needless is gone
		p := v.problems[o.Problem]
		return p == nil || p.Revision >= o.Revision
	}
	h := v.incidents[o.Incident]
	return h != nil && h.row != nil && h.row.Revision >= o.Revision
}

func (u *UI) writeOutcome(w http.ResponseWriter, id string, h *holder) int {
	u.views.mu.RLock()
	o := u.views.outcomes[id]
	if after := u.views.incidents[o.Incident]; after != nil && after.row != nil {
		h = after
	}
	current := h.row
	u.views.mu.RUnlock()
	if o.Status == http.StatusOK {
		u.writeDetail(w, h)
		return o.Status
	}
	p := refusal(&o.Outcome, current)
	writeProblem(w, p)
	return p.Status
}

// refusal is the answer to a command that the engine has refused; current is the incident as it stands.
func refusal(o *itsm.Outcome, current *row) *problem {
	p := newProblem(o.Status, "refused", o.Reason)
	switch o.Status {
	case http.StatusNotFound:
		p.Code = "not_found"
	case http.StatusConflict:
		p.Code = "conflict"
		if current != nil {
			p.Incident = current.raw
		}
	case http.StatusUnprocessableEntity:
		p.Code = "not_possible"
	}
	return p
}

// readCommand reads the headers and the body of a command; what it says of the action and of whom it concerns stays.
func readCommand(w http.ResponseWriter, r *http.Request, c itsm.Command) (itsm.Command, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCommandBody))
	if err != nil {
		return c, bodyProblem(err, maxCommandBody)
	}
	if !utf8.Valid(body) {
		return c, badRequest("invalid_utf8", "the body is not valid UTF-8")
	}
	if bad := decodeCommand(body, &c); bad != nil {
		return c, bad
	}
	if c.ID = r.Header.Get("Idempotency-Key"); c.ID == "" {
		c.ID = rand.Text()
	} else if len(c.ID) > maxKey || strings.ContainsFunc(c.ID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return c, badRequest("invalid_key", fmt.Sprintf("Idempotency-Key: at most %d printable ASCII characters are expected", maxKey))
	}
	if c.By == "" {
		c.By = anonymous
	}
	if c.Problem == "" { // decisions on candidates are not checked against each other
		if c.Revision, err = ifMatch(r.Header.Get("If-Match")); err != nil {
			return c, badRequest("invalid_if_match", err.Error())
		}
	}
	var faults itsm.Faults
	if err := c.Validate(); errors.As(err, &faults) {
		return c, faulty("invalid_command", faultsOf(faults, body)...)
	} else if err != nil {
		return c, badRequest("invalid_command", err.Error())
	}
	return c, nil
}

func bodyProblem(err error, limit int) *problem {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("the body is larger than %d bytes", limit))
	}
	return badRequest("unreadable_body", "read the body: "+err.Error())
}

// ifMatch reads the commandRevision of an If-Match header; nil when it does not ask for one.
func ifMatch(header string) (*int, error) {
	text := strings.Trim(strings.TrimPrefix(strings.TrimSpace(header), "W/"), `"`)
	if text == "" || text == "*" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("If-Match: a commandRevision in quotes is expected, got %q", header)
	}
	return &n, nil
}

// commandFields are the fields that a body may carry; which of them an action uses is
// itsm.Command.Validate's to say.
func commandFields() []string {
	return []string{
		"by", "comment", "team", "person", "text", "public", "priority", "reason", "until", "code", "notes", "into", "to", "alerts",
		"item", "change", "entry", "fixedAt",
	}
}

// decodeCommand reads a body strictly: an unknown or repeated field is a fault with its line. An
// empty body is an empty object.
func decodeCommand(body []byte, c *itsm.Command) *problem {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	var faults []fault
	seen := map[string]bool{}
	err := eachMember(body, func(name string, at int64) {
		f := fault{Field: name, Line: lineAt(body, at)}
		switch {
		case !slices.Contains(commandFields(), name):
			f.Reason = "unknown field"
		case seen[name]:
			f.Reason = "stands twice"
		default:
			seen[name] = true
			return
		}
		faults = append(faults, f)
	})
	if err != nil {
		return badRequest("invalid_body", "the body is not a JSON object: "+err.Error())
	}
	if faults != nil {
		return faulty("unknown_field", faults...)
	}
	if err := json.Unmarshal(body, c); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return faulty("invalid_command", fault{Field: t.Field, Reason: "has the wrong type: " + t.Value, Line: lineAt(body, t.Offset)})
		}
		return badRequest("invalid_body", err.Error())
	}
	return nil
}

// eachMember calls yield with the name of each member of the object that body is.
func eachMember(body []byte, yield func(name string, at int64)) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return errors.New("an object is expected")
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // the decoder takes nothing else here
		at := dec.InputOffset()
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
		yield(name, at)
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("one object is expected, something follows it")
	}
	return nil
}

func lineAt(body []byte, offset int64) int {
	return 1 + bytes.Count(body[:max(0, min(int(offset), len(body)))], []byte("\n"))
}

// faultsOf adds the lines of the fields to the faults of a command.
func faultsOf(in itsm.Faults, body []byte) []fault {
	lines := map[string]int{}
	if len(bytes.TrimSpace(body)) > 0 {
		_ = eachMember(body, func(name string, at int64) { lines[name] = lineAt(body, at) }) // it was read before
	}
	out := make([]fault, len(in))
	for i, f := range in {
		out[i] = fault{Field: f.Field, Reason: f.Reason, Line: lines[f.Field]}
	}
	return out
}

// forgetOutcomes drops what the engine does not remember either.
func (v *views) forgetOutcomes(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, o := range v.outcomes {
		if now.Sub(o.at) > outcomeMemory {
			delete(v.outcomes, id)
		}
	}
}
