package ingest

import (
	"time"

	"signalbox/itsm"
)

// Receiver is one outside format and where it comes in.
type Receiver struct {
	// Name stands in metrics and is the kind of a Source.
	Name string
	// Path takes POST requests.
	Path   string
	Decode Decoder
	// Plain answers as Alertmanager's API v2 does: nothing when all is well, 400 with a text when
	// any alert was refused, although the others are taken.
	Plain bool
}

// Decoder turns a body into what it says. Its error means that the body as a whole is not of the
// format; an alert that cannot be taken is refused alone, in Batch.Refused. Unknown fields of a
// foreign format are counted and passed over: a sender's next release must not cost an alert.
//
// A Decoder is a pure function and safe for concurrent use; what it returns does not alias the
// body. Package ingesttest holds what every Decoder promises.
type Decoder func(body []byte, a Arrival) (Batch, error)

// Arrival is what a Decoder must know beside the body.
type Arrival struct {
	At time.Time
	// ResolveTimeout is when an alert that its source must re-send expires.
	ResolveTimeout time.Duration
	IgnoreLabels   []string // identity.ignore_labels
}

// Batch is what a body says, in the order of the body.
type Batch struct {
	Alerts  []itsm.Alert // Source is empty where the body does not name one
	Changes []itsm.Change
	Unknown int // fields that were passed over
	// Source is what the body says of its sender; empty when nothing.
	Source string
	// Truncated is how many alerts the sender left out of the body.
	Truncated int
	// Refused lists why alerts and changes were not taken, at most MaxRefusals; RefusedCount is how
	// many were not.
	Refused      []Refusal
	RefusedCount int
}

// Refusal says why one element of a body was not taken. Index is its place in the body, from 0;
// Field a path such as "labels.alertname", empty for the whole element.
type Refusal struct {
	Index  int    `json:"index"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// MaxRefusals bounds the list of refusals of one body, so that the answer to a body of nothing but
// faults is not many times its size.
const MaxRefusals = 10_000

// Accepted is how many alerts and changes were taken.
func (b *Batch) Accepted() int { return len(b.Alerts) + len(b.Changes) }

// Refuse notes that an element is not taken.
func (b *Batch) Refuse(index int, faults itsm.Faults) {
	b.RefusedCount++
	for _, f := range faults {
		if len(b.Refused) == MaxRefusals {
			return
		}
		b.Refused = append(b.Refused, Refusal{Index: index, Field: f.Field, Reason: f.Reason})
	}
}
