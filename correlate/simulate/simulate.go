// Package simulate makes storms whose truth is known: a random estate of information and operational technology, faults in
// it, and the alerts that monitoring would send. Its physics is its own and knows nothing of the engine: things have
// conditions (down, cut off, erring …) that travel along relations with delays, and checks that see a condition report it
// after their scrape, evaluation and "for". What it refuses to do is to judge; package score does.
//
// Everything follows from the configuration: the same one gives the same bytes. A Storm may be read concurrently.
package simulate

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"signalbox/cmdb"
)

// Config says what storm to make.
type Config struct {
	Seed         uint64
	Items        int     // of the estate, about
	Hours        float64 // how long it is watched; the first hour has no faults when there are more than three
	Faults       int     // occasions at which something fails
	Simultaneous int     // faults at each occasion, in one neighbourhood within two minutes
	Silent       float64 // share of the faults whose cause reports nothing itself
	Noise        float64 // alerts without a fault, per item and day
	Coverage     float64 // share of the checks that exist
	Wrong        float64 // share of the relations that the written estate lacks (half) or has wrong (half)
}

// DefaultConfig returns a medium estate with moderate noise.
func DefaultConfig() Config {
	return Config{Seed: 1, Items: 1000, Hours: 12, Faults: 24, Simultaneous: 1, Silent: 0.3, Noise: 0.5, Coverage: 0.8}
}

// Validate returns everything that is wrong with a configuration, by the names of the command's flags.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	share := func(name string, v float64) { check(v >= 0 && v <= 1, "--%s must be 0 to 1, got %g", name, v) }
	check(c.Items >= 100 && c.Items <= 100_000, "--items must be 100 to 100000, got %d", c.Items)
	check(c.Hours >= 1 && c.Hours <= 24*31, "--hours must be 1 to 744, got %g", c.Hours)
	check(c.Faults >= 0 && c.Faults <= 100_000, "--faults must be 0 to 100000, got %d", c.Faults)
	check(c.Simultaneous >= 1 && c.Simultaneous <= 10, "--simultaneous must be 1 to 10, got %d", c.Simultaneous)
	check(c.Noise >= 0 && c.Noise <= 100 && !math.IsNaN(c.Noise), "--noise must be 0 to 100, got %g", c.Noise)
	share("silent", c.Silent)
	share("coverage", c.Coverage)
	share("wrong-relations", c.Wrong)
	return errors.Join(errs...)
}

// Storm is an estate, what was reported of it, and the truth.
type Storm struct {
	Estate *cmdb.Estate // as people have written it down, with their mistakes
	Causes []Cause      // of the faults that somebody could see

	events []event
	world  *world
}

// Cause is the truth about one fault.
type Cause struct {
	Fault string
	Kind  string   // in words, such as "switch down"
	Items []string // any is right: their failure would have given the same alerts
}

// event is one line of the events file.
type event struct {
	at, start time.Duration
	unit      int32
	check     int32
	fault     int32 // 0: none
	replica   int8  // 0: the source has no twin
	resolved  bool
	change    *change
	order     int // of creation: ties stay as they were made
}

type change struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Items    []string  `json:"items"`
	Title    string    `json:"title"`
	Status   string    `json:"status"`
	StartsAt time.Time `json:"startsAt"`
	By       string    `json:"by"`
}

// alert is the foreign object of a line.
type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      *time.Time        `json:"endsAt,omitempty"`
}

type line struct {
	At     time.Time `json:"at"`
	Change *change   `json:"change,omitempty"`
	Alert  *alert    `json:"alert,omitempty"`
	Source string    `json:"source,omitempty"`
}

// begin is when every simulated history begins.
func begin() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// Lines returns how many lines the events file has.
func (s *Storm) Lines() int { return len(s.events) }

// WriteEvents writes the events file. Progress may be nil; it is told the share that is written.
func (s *Storm) WriteEvents(w io.Writer, progress func(share float64)) error {
	enc := json.NewEncoder(w)
	for i := range s.events {
		if err := enc.Encode(s.line(&s.events[i])); err != nil {
			return err
		}
		if progress != nil && i%10_000 == 0 {
			progress(float64(i) / float64(len(s.events)))
		}
	}
	if progress != nil {
		progress(1)
	}
	return nil
}

func (s *Storm) line(e *event) line {
	l := line{At: begin().Add(e.at), Change: e.change}
	if e.change != nil {
		return l
	}
	u := &s.world.units[e.unit]
	c := u.checks[e.check]
	a := &alert{Status: "firing", Labels: map[string]string{"alertname": c.name, "severity": c.severity}, StartsAt: begin().Add(e.start)}
	maps.Copy(a.Labels, u.labels)
	if e.replica > 0 {
		a.Labels["prometheus_replica"] = string(rune('a' - 1 + e.replica))
	}
	a.Annotations = map[string]string{"summary": c.name + " on " + u.item.Name}
	if e.resolved {
		a.Status, a.EndsAt = "resolved", new(l.At)
	}
	l.Alert, l.Source = a, "prometheus-"+u.site
	return l
}

// WriteTruth writes line,fault for every firing line of the events file.
func (s *Storm) WriteTruth(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"line", "fault"}) // Error tells
	for i := range s.events {
		if e := &s.events[i]; e.change == nil && !e.resolved {
			_ = out.Write([]string{strconv.Itoa(i + 1), faultName(e.fault)}) // Error tells
		}
	}
	out.Flush()
	return out.Error()
}

// WriteCauses writes fault,cause for every fault that was reported at all.
func (s *Storm) WriteCauses(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"fault", "cause"}) // Error tells
	for _, c := range s.Causes {
		_ = out.Write([]string{c.Fault, strings.Join(c.Items, "|")}) // Error tells
	}
	out.Flush()
	return out.Error()
}

// WriteEstate writes the estate file, one thing a line.
func (s *Storm) WriteEstate(w io.Writer) error {
	section := func(name string, n int, at func(int) any) error {
		if _, err := fmt.Fprintf(w, "%q: [", name); err != nil {
			return err
		}
		for i := range n {
			data, err := json.Marshal(at(i))
			if err != nil {
				return err
			}
			if i > 0 {
				data = append([]byte(",\n"), data...)
			}
			if _, err := w.Write(data); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, "]")
		return err
	}
	if _, err := io.WriteString(w, "{"); err != nil {
		return err
	}
	if err := section("items", len(s.Estate.Items), func(i int) any { return &s.Estate.Items[i] }); err != nil {
		return err
	}
	if _, err := io.WriteString(w, ",\n"); err != nil {
		return err
	}
	if err := section("relations", len(s.Estate.Relations), func(i int) any { return &s.Estate.Relations[i] }); err != nil {
		return err
	}
	_, err := io.WriteString(w, "}\n")
	return err
}

func faultName(n int32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("f%04d", n)
}
