package score

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Files names the files of one run; one that ends in .gz is gzip. Causes may be empty.
type Files struct {
	Assignments string
	Incidents   string
	Truth       string
	Causes      string
}

// Run reads the files and scores them. Errors name the file and, where there is one, the line.
func Run(f Files) (Score, error) {
	var in Input
	var err error
	if in.Incidents, err = open(f.Incidents, ReadIncidents); err != nil {
		return Score{}, err
	}
	if in.Assignments, err = open(f.Assignments, ReadAssignments); err != nil {
		return Score{}, err
	}
	if in.Truth, err = open(f.Truth, ReadTruth); err != nil {
		return Score{}, err
	}
	if f.Causes != "" {
		if in.Expected, err = open(f.Causes, ReadCauses); err != nil {
			return Score{}, err
		}
	}
	s, err := Compute(in)
	if bad, ok := errors.AsType[*AssignmentError](err); ok {
		return Score{}, fmt.Errorf("%s:%d: %w", f.Assignments, bad.Assignment.Row, err)
	}
	return s, err
}

func open[T any](path string, read func(name string, r io.Reader) ([]T, error)) ([]T, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // it names the path
	}
	defer func() { _ = file.Close() }() // only read
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bufio.NewReaderSize(file, 1<<16))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		defer func() { _ = z.Close() }()
		r = z
	}
	return read(path, r)
}

// ReadAssignments reads a CSV with the columns line and incident. A line stands once.
func ReadAssignments(name string, r io.Reader) ([]Assignment, error) {
	var out []Assignment
	seen := make(map[int]bool)
	err := readCSV(name, r, []string{"line", "incident"}, func(at int, row []string) error {
		line, err := lineNumber(row[0], seen)
		out = append(out, Assignment{Line: line, Incident: row[1], Row: at})
		return err
	})
	return out, err
}

// ReadTruth reads a CSV with the columns line and fault. A line stands once.
func ReadTruth(name string, r io.Reader) ([]Truth, error) {
	var out []Truth
	seen := make(map[int]bool)
	err := readCSV(name, r, []string{"line", "fault"}, func(_ int, row []string) error {
		line, err := lineNumber(row[0], seen)
		out = append(out, Truth{Line: line, Fault: row[1]})
		return err
	})
	return out, err
}

// ReadCauses reads a CSV with the columns fault and cause; a cause may list several items
// separated by |. A fault stands once.
func ReadCauses(name string, r io.Reader) ([]Expected, error) {
	var out []Expected
	seen := make(map[string]bool)
	err := readCSV(name, r, []string{"fault", "cause"}, func(_ int, row []string) error {
		if row[0] == "" {
			return errors.New("the fault is empty")
		}
		if seen[row[0]] {
			return fmt.Errorf("fault %q stands twice", row[0])
		}
		seen[row[0]] = true
		e := Expected{Fault: row[0]}
		for item := range strings.SplitSeq(row[1], "|") {
			if item = strings.TrimSpace(item); item != "" {
				e.Items = append(e.Items, item)
			}
		}
		if len(e.Items) == 0 {
			return fmt.Errorf("fault %q has no cause", row[0])
		}
		out = append(out, e)
		return nil
	})
	return out, err
}

func lineNumber(text string, seen map[int]bool) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("line must be a number from 1, got %q", text)
	}
	if seen[n] {
		return 0, fmt.Errorf("line %d stands twice", n)
	}
	seen[n] = true
	return n, nil
}

// readCSV hands each row and its line to take, its fields in the order of columns. The header may order them
// otherwise; a column that is missing, unknown or doubled is an error.
func readCSV(name string, r io.Reader, columns []string, take func(at int, row []string) error) error {
	c := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	c.ReuseRecord = true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s:1: the header %s is missing", name, strings.Join(columns, ","))
	}
	if err != nil {
		return csvError(name, err)
	}
	at := make([]int, len(columns))
	for i, column := range columns {
		at[i] = slices.Index(header, column)
		if at[i] < 0 {
			return fmt.Errorf("%s:1: the header must be %s, column %s is missing", name, strings.Join(columns, ","), column)
		}
	}
	if len(header) != len(columns) {
		for _, column := range header {
			if !slices.Contains(columns, column) {
				return fmt.Errorf("%s:1: unknown column %q, the header must be %s", name, column, strings.Join(columns, ","))
			}
		}
		return fmt.Errorf("%s:1: a column stands twice, the header must be %s", name, strings.Join(columns, ","))
	}
	row := make([]string, len(columns))
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvError(name, err)
		}
		for i := range row {
			row[i] = strings.Clone(fields[at[i]])
		}
		line, _ := c.FieldPos(0)
		if err := take(line, row); err != nil {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
}

func csvError(name string, err error) error {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("%s:%d: %w", name, p.Line, p.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// incidentLine is one line of the incidents file. What a score does not need stays unparsed, but
// every field is named, so that an unknown one is found. Itsm.Incident is the full form.
type incidentLine struct {
	ID         string      `json:"id"`
	Number     string      `json:"number"`
	MergedInto *string     `json:"mergedInto"`
	Causes     []causeLine `json:"causes"`
	Alerts     []alertLine `json:"alerts"`
	unread
}

type causeLine struct {
	Item      string          `json:"item"`
	Change    json.RawMessage `json:"change"`
	Name      json.RawMessage `json:"name"`
	Class     json.RawMessage `json:"class"`
	Score     json.RawMessage `json:"score"`
	Reporting json.RawMessage `json:"reporting"`
	Recovered json.RawMessage `json:"recovered"`
	Evidence  json.RawMessage `json:"evidence"`
}

type alertLine struct {
	Count        int             `json:"count"`
	Fingerprint  json.RawMessage `json:"fingerprint"`
	Labels       json.RawMessage `json:"labels"`
	Annotations  json.RawMessage `json:"annotations"`
	Status       json.RawMessage `json:"status"`
	Severity     json.RawMessage `json:"severity"`
	Item         json.RawMessage `json:"item"`
	StartsAt     json.RawMessage `json:"startsAt"`
	LastStartsAt json.RawMessage `json:"lastStartsAt"`
	EndsAt       json.RawMessage `json:"endsAt"`
	LastSeenAt   json.RawMessage `json:"lastSeenAt"`
	JoinedAt     json.RawMessage `json:"joinedAt"`
	Source       json.RawMessage `json:"source"`
	GeneratorURL json.RawMessage `json:"generatorURL"`
	Acknowledged json.RawMessage `json:"acknowledged"`
	Suppressed   json.RawMessage `json:"suppressed"`
	SilencedBy   json.RawMessage `json:"silencedBy"`
	Evidence     json.RawMessage `json:"evidence"`
	Group        json.RawMessage `json:"group"`
	Tried        json.RawMessage `json:"tried"`
	Maintenance  json.RawMessage `json:"maintenance"`
	Flapping     json.RawMessage `json:"flapping"`
}

type unread struct {
	Revision         json.RawMessage `json:"revision"`
	CommandRevision  json.RawMessage `json:"commandRevision"`
	State            json.RawMessage `json:"state"`
	Title            json.RawMessage `json:"title"`
	Severity         json.RawMessage `json:"severity"`
	Impact           json.RawMessage `json:"impact"`
	Urgency          json.RawMessage `json:"urgency"`
	Priority         json.RawMessage `json:"priority"`
	PriorityOverride json.RawMessage `json:"priorityOverride"`
	Category         json.RawMessage `json:"category"`
	Site             json.RawMessage `json:"site"`
	Services         json.RawMessage `json:"services"`
	Team             json.RawMessage `json:"team"`
	Assignee         json.RawMessage `json:"assignee"`
	StartedAt        json.RawMessage `json:"startedAt"`
	OpenedAt         json.RawMessage `json:"openedAt"`
	UpdatedAt        json.RawMessage `json:"updatedAt"`
	AcknowledgedAt   json.RawMessage `json:"acknowledgedAt"`
	AcknowledgedBy   json.RawMessage `json:"acknowledgedBy"`
	OnHoldReason     json.RawMessage `json:"onHoldReason"`
	HoldUntil        json.RawMessage `json:"holdUntil"`
	SnoozedUntil     json.RawMessage `json:"snoozedUntil"`
	ResolvedAt       json.RawMessage `json:"resolvedAt"`
	ResolutionCode   json.RawMessage `json:"resolutionCode"`
	ResolutionNotes  json.RawMessage `json:"resolutionNotes"`
	ClosedAt         json.RawMessage `json:"closedAt"`
	ReopenCount      json.RawMessage `json:"reopenCount"`
	Flapping         json.RawMessage `json:"flapping"`
	Links            json.RawMessage `json:"links"`
	ExternalRefs     json.RawMessage `json:"externalRefs"`
	Items            json.RawMessage `json:"items"`
	ItemCount        json.RawMessage `json:"itemCount"`
	AlertCounts      json.RawMessage `json:"alertCounts"`
	SLA              json.RawMessage `json:"sla"`
	SLADueAt         json.RawMessage `json:"slaDueAt"`
	Fleeting         json.RawMessage `json:"fleeting"`
	Maintenance      json.RawMessage `json:"maintenance"`
}

// ReadIncidents reads an incidents file: one incident a line. Empty lines are skipped.
func ReadIncidents(name string, r io.Reader) ([]Incident, error) {
	var out []Incident
	seen := make(map[string]bool)
	b := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		text, err := b.ReadBytes('\n')
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			inc, err := readIncident(text)
			if err == nil && seen[inc.ID] {
				err = fmt.Errorf("incident %q stands twice", inc.ID)
			}
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
			seen[inc.ID] = true
			out = append(out, inc)
		}
		if last {
			return out, nil
		}
	}
}

func readIncident(text []byte) (Incident, error) {
	var l incidentLine
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return Incident{}, err
	}
	if rest, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Incident{}, fmt.Errorf("one incident a line, %v stands behind it", rest)
	}
	if l.ID == "" {
		return Incident{}, errors.New("id is missing")
	}
	inc := Incident{ID: l.ID, Number: l.Number, Merged: l.MergedInto != nil}
	for _, c := range l.Causes {
		inc.Causes = append(inc.Causes, c.Item)
	}
	for _, a := range l.Alerts {
		inc.Periods += a.Count
	}
	return inc, nil
}
