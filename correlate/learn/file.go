package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// File is the patterns file: what was learned, by names.
type File struct {
	// TypeLabel names the label that is the type of an alert.
	TypeLabel string `json:"type_label"`
	// Scope is how far effects reach.
	Scope Scope `json:"scope"`
	// SpanSeconds is the length of the history.
	SpanSeconds float64 `json:"span_seconds"`
	// Until is the time of the last alert.
	Until time.Time `json:"until"`
	// Windows counts the spans of ten minutes in which anything fired, RecentWindows weighs each by half for every hour
	// before Until.
	Windows       int           `json:"windows"`
	RecentWindows float64       `json:"recent_windows"`
	Patterns      []FilePattern `json:"patterns"`
	Rates         []FileRate    `json:"rates"`
}

// FilePattern is an Edge.
type FilePattern struct {
	Cause      string  `json:"cause"`
	Effect     string  `json:"effect"`
	Score      float64 `json:"score"`
	Support    int     `json:"support"`
	LagSeconds FileLag `json:"lag_seconds"`
	Relation   string  `json:"relation"`
	// Off: a person has switched it off; it explains nothing.
	Off bool `json:"off,omitempty"`
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
	// Windows and RecentWindows are those in which this one fired.
	Windows       int     `json:"windows"`
	RecentWindows float64 `json:"recent_windows"`
}

// NewFile names what was learned; items holds the names of the items.
func NewFile(typeLabel string, items, types []string, r Result) File {
	f := File{
		TypeLabel: typeLabel, Scope: r.Scope, SpanSeconds: rounded(r.Span.Seconds()),
		Until: r.Until, Windows: r.Seen.Windows, RecentWindows: rounded(r.Seen.Recent),
		Patterns: make([]FilePattern, 0, len(r.Edges)), Rates: make([]FileRate, 0, len(r.Rates)),
	}
	for _, e := range r.Edges {
		f.Patterns = append(f.Patterns, FilePattern{
			Cause: types[e.Cause], Effect: types[e.Effect], Score: rounded(e.Score), Support: e.Support, Relation: e.Relation,
			LagSeconds: FileLag{rounded(e.P50.Seconds()), rounded(e.P90.Seconds())},
		})
	}
	for _, e := range r.Rates {
		f.Rates = append(f.Rates, FileRate{Item: items[e.Item], Type: types[e.Type], Count: e.Count, Spontaneous: rounded(e.Spontaneous), Windows: e.Seen.Windows, RecentWindows: rounded(e.Seen.Recent)})
	}
	return f
}

// Read reads and checks a patterns file; name stands in errors.
func Read(name string, r io.Reader) (*File, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var f File
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.TypeLabel == "" {
		return nil, fmt.Errorf("%s: type_label: is missing", name)
	}
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
		}
	}
	bad(f.Windows >= 0 && f.RecentWindows >= 0, "windows, recent_windows: must not be negative")
	for i, p := range f.Patterns {
		bad(p.Cause != "" && p.Effect != "", "patterns[%d]: cause and effect are needed", i)
		bad(p.Score >= 0 && p.Score <= 1, "patterns[%d].score: must be 0 to 1, got %g", i, p.Score)
	}
	for i, e := range f.Rates {
		bad(e.Item != "" && e.Type != "", "rates[%d]: item and type are needed", i)
		bad(e.Windows >= 0 && e.Windows <= f.Windows, "rates[%d].windows: must be 0 to %d, got %d", i, f.Windows, e.Windows)
		bad(e.RecentWindows >= 0 && e.RecentWindows <= f.RecentWindows+0.01, "rates[%d].recent_windows: must be 0 to %g, got %g", i, f.RecentWindows, e.RecentWindows)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &f, nil
}

// rounded keeps three decimals: what lies below says nothing.
func rounded(v float64) float64 { return math.Round(1000*v) / 1000 }

// Write writes the file as JSON, indented.
func (f File) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(f)
}
