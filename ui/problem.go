package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"signalbox/itsm"
)

// problem is an error as people and programs get it (RFC 9457).
type problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
	Faults []fault `json:"faults,omitempty"`
	// Incident is the current row after a conflict.
	Incident json.RawMessage `json:"incident,omitempty"`
}

// fault is one of several reasons, each with the field it is about.
type fault struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
	File   string `json:"file,omitempty"` // the origin of the part of the estate
	Line   int    `json:"line,omitempty"`
	Item   string `json:"item,omitempty"`
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

func newProblem(status int, code, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

func badRequest(code, detail string) *problem { return newProblem(http.StatusBadRequest, code, detail) }

// faulty is a 400 with every fault of a body.
func faulty(code string, faults ...fault) *problem {
	p := badRequest(code, "")
	for i, f := range faults {
		if i > 0 {
			p.Detail += "; "
		}
		if f.Line > 0 {
			p.Detail += "line " + strconv.Itoa(f.Line) + ", "
		}
		p.Detail += f.Field + ": " + f.Reason
	}
	p.Faults = faults
	return p
}

// retryAfter is how long an overloaded server asks to be left alone, in seconds.
const retryAfter = "1"

// problemOf turns an error of the pipeline into an answer.
func problemOf(err error) *problem {
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, itsm.ErrOverloaded):
		return newProblem(http.StatusServiceUnavailable, "overloaded", err.Error())
	}
	return newProblem(http.StatusServiceUnavailable, "unavailable", err.Error())
}

func writeProblem(w http.ResponseWriter, p *problem) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone when this fails
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // every answer is a plain value; a row that is no JSON is not taken in
		writeProblem(w, newProblem(http.StatusInternalServerError, "internal", "encode the answer: "+err.Error()))
		return
	}
	writeBytes(w, status, b)
}

func writeBytes(w http.ResponseWriter, status int, b []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client is gone when this fails
}
