// Package itsm is the vocabulary of Signalbox: the words that every room shares, in the terms of
// ITIL, ISA-18.2, Prometheus and Kafka. It holds types, their public JSON forms, validation,
// fingerprints and sentinel errors. It refuses to hold behaviour: what happens to an alert or an
// incident is decided in the rooms. It imports only the standard library.
//
// All values are plain data; they are safe for concurrent reading and not for concurrent writing.
package itsm

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinel errors of the whole house. Match them with errors.Is.
var (
	// ErrOverloaded means that a bounded queue is full; the sender should come again (HTTP 503).
	ErrOverloaded = errors.New("overloaded, send again later")
	// ErrNotFound means that no such incident, alert, item or version exists (HTTP 404).
	ErrNotFound = errors.New("not found")
	// ErrConflict means that somebody else's command came first (HTTP 409).
	ErrConflict = errors.New("conflict")
	// ErrUnprocessable means that a command is well formed but not possible now (HTTP 422).
	ErrUnprocessable = errors.New("not possible")
	// ErrUnavailable means that the log cannot be reached or cannot be written now. What was on its
	// way may be there or not; whoever owns a shard takes it over again and reads.
	ErrUnavailable = errors.New("the log is not available")
	// ErrFenced means that a newer owner has taken over the shard.
	ErrFenced = errors.New("fenced by a newer owner of the shard")
)

// FieldError is a fault in one field of an input. Field is a path such as "labels.alertname", empty
// for the whole.
type FieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Error implements error.
func (e FieldError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

// Faults collects every fault of an input, so that a sender sees all of them at once.
type Faults []FieldError

// Add appends a fault.
func (f *Faults) Add(field, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
}

// Err returns nil when there is no fault, and the faults as one error otherwise.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Error implements error: all faults, separated by semicolons.
func (f Faults) Error() string {
	parts := make([]string, len(f))
	for i, e := range f {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "; ")
}
