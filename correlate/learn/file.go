package learn

import (
	"encoding/json"
	"io"
	"math"
)

// File is the patterns file: what was learned, by names.
type File struct {
	// TypeLabel names the label that is the type of an alert.
	TypeLabel string `json:"type_label"`
	// Scope is how far effects reach.
	Scope Scope `json:"scope"`
	// SpanSeconds is the length of the history.
	SpanSeconds float64       `json:"span_seconds"`
	Patterns    []FilePattern `json:"patterns"`
	Rates       []FileRate    `json:"rates"`
}

// FilePattern is an Edge.
type FilePattern struct {
	Cause      string  `json:"cause"`
	Effect     string  `json:"effect"`
	Score      float64 `json:"score"`
	Support    int     `json:"support"`
	LagSeconds FileLag `json:"lag_seconds"`
	Relation   string  `json:"relation"`
}

// FileLag holds quantiles of a lag in seconds.
type FileLag struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
}

// FileRate is a Rate.
type FileRate struct {
	Item        string  `json:"item"`
	Type        string  `json:"type"`
	Count       int     `json:"count"`
	Spontaneous float64 `json:"spontaneous"`
}

// NewFile names what was learned; items holds the names of the items.
func NewFile(typeLabel string, items, types []string, r Result) File {
	f := File{
		TypeLabel: typeLabel, Scope: r.Scope, SpanSeconds: rounded(r.Span.Seconds()),
		Patterns: make([]FilePattern, 0, len(r.Edges)), Rates: make([]FileRate, 0, len(r.Rates)),
	}
	for _, e := range r.Edges {
		f.Patterns = append(f.Patterns, FilePattern{
			Cause: types[e.Cause], Effect: types[e.Effect], Score: rounded(e.Score), Support: e.Support, Relation: e.Relation,
			LagSeconds: FileLag{rounded(e.P50.Seconds()), rounded(e.P90.Seconds())},
		})
	}
	for _, e := range r.Rates {
		f.Rates = append(f.Rates, FileRate{Item: items[e.Item], Type: types[e.Type], Count: e.Count, Spontaneous: rounded(e.Spontaneous)})
	}
	return f
}

// rounded keeps three decimals: what lies below says nothing.
func rounded(v float64) float64 { return math.Round(1000*v) / 1000 }

// Write writes the file as JSON, indented.
func (f File) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(f)
}
