package ui

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"
	"signalbox/ui/query"
)

// History answers questions about the past. Each method yields at most q.Limit rows, newest first, with the
// cursor that q.After goes on behind; a mistake in the question is an itsm.FieldError.
type History interface {
	EachAlertEvent(ctx context.Context, q itsm.HistoryQuery, yield func(e itsm.AlertEvent, cursor string) error) error
	EachIncident(ctx context.Context, q itsm.HistoryQuery, yield func(inc itsm.Incident, cursor string) error) error
	EachChange(ctx context.Context, q itsm.HistoryQuery, yield func(e itsm.ChangeEvent, cursor string) error) error
	Volume(ctx context.Context, q itsm.HistoryQuery, step time.Duration) ([]itsm.VolumeBucket, error)
	Past
}

// Past answers questions about one incident. ErrNotFound: history does not know it.
type Past interface {
	Revisions(ctx context.Context, idOrNumber string, limit int) ([]itsm.Incident, error)
	Timeline(ctx context.Context, id string, limit int) ([]itsm.Entry, error)
}

// maxExport bounds one export; a longer history is exported window by window.
const maxExport = 1_000_000

// historyRoutes are the paths of the past.
func (u *UI) historyRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /api/v1/history/alerts":                  u.past(u.handlePastAlerts),
		"GET /api/v1/history/alerts/volume":           u.past(u.handleVolume),
		"GET /api/v1/history/incidents":               u.past(u.handlePastIncidents),
		"GET /api/v1/history/incidents/{id}":          u.past(u.handleRevisions),
		"GET /api/v1/history/incidents/{id}/timeline": u.past(u.handlePastTimeline),
		"GET /api/v1/history/changes":                 u.past(u.handlePastChanges),
	}
}

// past answers for a history that is missing, and turns errors into answers.
func (u *UI) past(next func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if u.history == nil {
			writeProblem(w, newProblem(http.StatusNotImplemented, "no_history", u.noHistory))
			return
		}
		var f itsm.FieldError
		switch err := next(w, r); {
		case err == nil, r.Context().Err() != nil:
		case errors.As(err, &f):
			writeProblem(w, badRequest("invalid_query", f.Error()))
		case errors.Is(err, itsm.ErrNotFound):
			writeProblem(w, newProblem(http.StatusNotFound, "not_found", err.Error()))
		default:
			u.logger.Error("history does not answer", "path", r.URL.Path, "err", err)
			writeProblem(w, problemOf(err))
		}
	}
}

// readWindow reads from, to, q, limit and cursor. Without from it is the last 24 hours before to, without to the
// present.
func readWindow(r *http.Request, schema query.Schema, limit int) (itsm.HistoryQuery, error) {
	values := r.URL.Query()
	q := itsm.HistoryQuery{To: time.Now(), Limit: limit, After: values.Get("cursor")}
	var err error
	if s := values.Get("to"); s != "" {
		if q.To, err = readTime("to", s); err != nil {
			return q, err
		}
	}
	q.From = q.To.Add(-24 * time.Hour)
	if s := values.Get("from"); s != "" {
		if q.From, err = readTime("from", s); err != nil {
			return q, err
		}
	}
	if !q.From.Before(q.To) {
		return q, itsm.FieldError{Field: "from", Reason: "must be before to"}
	}
	parsed, err := query.Parse(values.Get("q"), schema)
	if err != nil {
		return q, itsm.FieldError{Field: "q", Reason: err.Error()}
	}
	for _, m := range parsed.Fields {
		q.Matchers = append(q.Matchers, itsm.HistoryMatcher{Name: m.Name, Op: string(m.Op), Value: m.Value})
	}
	for _, m := range parsed.Labels {
		q.Matchers = append(q.Matchers, itsm.HistoryMatcher{Label: true, Name: m.Name, Op: string(m.Op), Value: m.Value})
	}
	q.Words = parsed.Words
	return q, nil
}

func readTime(field, s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2261 {
		return t, itsm.FieldError{Field: field, Reason: fmt.Sprintf("a time of RFC 3339 is expected, got %.40q", s)}
	}
	return t, nil
}

func readLimit(r *http.Request) (int, error) {
	s := r.URL.Query().Get("limit")
	if s == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxLimit {
		return 0, itsm.FieldError{Field: "limit", Reason: fmt.Sprintf("a number from 1 to %d is expected, got %q", maxLimit, s)}
	}
	return n, nil
}

func textFields(fields ...string) query.Schema {
	s := query.Schema{Fields: map[string]query.Kind{}}
	for _, f := range fields {
		s.Fields[f] = query.Text
	}
	return s
}

func pastAlertSchema() query.Schema {
	s := textFields("status", "severity", "item", "incident", "source", "fingerprint")
	s.Labels = true
	return s
}

func pastIncidentSchema() query.Schema {
	s := textFields("number", "id", "state", "severity", "title", "cause", "site", "team", "service", "item")
	s.Fields["priority"], s.Fields["alerts"] = query.Number, query.Number
	return s
}

// list is what one kind of history needs to be listed and exported.
type list[T any] struct {
	name   string // of the rows in the answer
	schema query.Schema
	each   func(ctx context.Context, q itsm.HistoryQuery, yield func(row T, cursor string) error) error
	head   []string // of the CSV export
	record func(T) []string
}

func (l list[T]) serve(w http.ResponseWriter, r *http.Request) error {
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		return l.page(w, r)
	case "csv":
		return l.export(w, r, "text/csv; charset=utf-8", l.csv)
	case "jsonl":
		return l.export(w, r, "application/x-ndjson", l.jsonl)
	default:
		return itsm.FieldError{Field: "format", Reason: fmt.Sprintf("json, csv or jsonl is expected, got %.20q", format)}
	}
}

func (l list[T]) page(w http.ResponseWriter, r *http.Request) error {
	limit, err := readLimit(r)
	if err != nil {
		return err
	}
	q, err := readWindow(r, l.schema, limit+1) // one more tells whether there is a next page
	if err != nil {
		return err
	}
	rows, last := []T{}, ""
	var next *string
	err = l.each(r.Context(), q, func(row T, cursor string) error {
		if len(rows) == limit {
			next = &last
			return nil
		}
		rows, last = append(rows, row), cursor
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{l.name: rows, "next": next})
	return nil
}

// export streams a whole window. What fails after the first byte cuts the connection, so that nobody takes a part
// for the whole.
func (l list[T]) export(w http.ResponseWriter, r *http.Request, kind string, write func(io.Writer) (func(T) error, func() error)) error {
	q, err := readWindow(r, l.schema, maxExport)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	row, flush := write(out)
	begun := false
	begin := func() {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Disposition", `attachment; filename="`+l.name+"."+r.URL.Query().Get("format")+`"`)
		}
	}
	err = l.each(r.Context(), q, func(v T, _ string) error {
		begin()
		return row(v)
	})
	if err != nil && !begun {
		return err
	}
	begin()
	if err = errors.Join(err, flush(), out.Flush()); err != nil {
		panic(http.ErrAbortHandler) // net/http's own way to cut an answer off
	}
	return nil
}

func (l list[T]) csv(w io.Writer) (func(T) error, func() error) {
	c := csv.NewWriter(w)
	_ = c.Write(l.head) // into memory; Error tells later
	return func(v T) error { return c.Write(inert(l.record(v))) }, func() error { c.Flush(); return c.Error() }
}

// inert keeps a spreadsheet from running what a sender wrote: a cell that would be a formula begins with an apostrophe, which
// shows it as text. Nothing of ours begins so, and JSON lines keep every value as it is.
func inert(cells []string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return cells
}

func (l list[T]) jsonl(w io.Writer) (func(T) error, func() error) {
	enc := json.NewEncoder(w)
	return func(v T) error { return enc.Encode(v) }, func() error { return nil }
}

func (u *UI) handlePastAlerts(w http.ResponseWriter, r *http.Request) error {
	return list[itsm.AlertEvent]{
		name: "events", schema: pastAlertSchema(), each: u.history.EachAlertEvent,
		head: []string{"at", "status", "severity", "alertname", "item", "incident", "startsAt", "endsAt", "count", "source", "fingerprint", "labels", "annotations"},
		record: func(e itsm.AlertEvent) []string {
			return []string{
				stamp(e.At), string(e.Status), string(e.Severity), e.Labels.Get("alertname"), e.Item, e.Incident, stamp(e.StartsAt), stampOf(e.EndsAt),
				strconv.Itoa(e.Count), e.Source, e.Fingerprint.String(), e.Labels.String(), e.Annotations.String(),
			}
		},
	}.serve(w, r)
}

func (u *UI) handlePastIncidents(w http.ResponseWriter, r *http.Request) error {
	return list[itsm.Incident]{
		name: "incidents", schema: pastIncidentSchema(), each: u.history.EachIncident,
		head: []string{"number", "openedAt", "resolvedAt", "closedAt", "state", "severity", "priority", "title", "cause", "alerts", "items", "team", "assignee", "acknowledgedAt", "mergedInto", "id"},
		record: func(inc itsm.Incident) []string {
			cause := ""
			if len(inc.Causes) > 0 {
				cause = inc.Causes[0].Item
			}
			return []string{
				inc.Number, stamp(inc.OpenedAt), stampOf(inc.ResolvedAt), stampOf(inc.ClosedAt), string(inc.State), string(inc.Severity),
				strconv.Itoa(inc.Priority), inc.Title, cause, strconv.Itoa(inc.AlertCounts.Total), strconv.Itoa(inc.ItemCount), orEmpty(inc.Team),
				orEmpty(inc.Assignee), stampOf(inc.AcknowledgedAt), orEmpty(inc.MergedInto), inc.ID,
			}
		},
	}.serve(w, r)
}

func (u *UI) handlePastChanges(w http.ResponseWriter, r *http.Request) error {
	return list[itsm.ChangeEvent]{
		name: "changes", schema: textFields("id", "kind", "status", "title", "item", "by"), each: u.history.EachChange,
		head: []string{"at", "id", "kind", "status", "title", "items", "startsAt", "endsAt", "by", "url"},
		record: func(e itsm.ChangeEvent) []string {
			c := e.Change
			return []string{stamp(e.At), c.ID, c.Kind, c.Status, c.Title, strings.Join(c.Items, " "), stamp(c.StartsAt), stampOf(c.EndsAt), c.By, c.URL}
		},
	}.serve(w, r)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func stampOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// handleVolume counts alerts over time, in about as many steps as were asked for.
func (u *UI) handleVolume(w http.ResponseWriter, r *http.Request) error {
	q, err := readWindow(r, pastAlertSchema(), 1)
	if err != nil {
		return err
	}
	buckets := 120
	if s := r.URL.Query().Get("buckets"); s != "" {
		if buckets, err = strconv.Atoi(s); err != nil || buckets < 1 || buckets > maxLimit {
			return itsm.FieldError{Field: "buckets", Reason: fmt.Sprintf("a number from 1 to %d is expected, got %.20q", maxLimit, s)}
		}
	}
	step := roundStep(q.To.Sub(q.From) / time.Duration(buckets))
	volume, err := u.history.Volume(r.Context(), q, step)
	if err != nil {
		return err
	}
	if volume == nil {
		volume = []itsm.VolumeBucket{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"from": q.From.UTC(), "to": q.To.UTC(), "stepSeconds": step.Seconds(), "buckets": volume})
	return nil
}

// roundStep is the next step that people read easily.
func roundStep(d time.Duration) time.Duration {
	for _, step := range []time.Duration{
		time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if d <= step {
			return step
		}
	}
	return (d + 24*time.Hour - 1).Truncate(24 * time.Hour)
}

func (u *UI) handleRevisions(w http.ResponseWriter, r *http.Request) error {
	limit, err := readLimit(r)
	if err != nil {
		return err
	}
	revisions, err := u.history.Revisions(r.Context(), r.PathValue("id"), limit)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"revisions": revisions})
	return nil
}

func (u *UI) handlePastTimeline(w http.ResponseWriter, r *http.Request) error {
	limit, err := readLimit(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	revisions, err := u.history.Revisions(r.Context(), id, 1)
	if err != nil {
		return err
	}
	entries, err := u.history.Timeline(r.Context(), revisions[0].ID, limit)
	if err != nil && !errors.Is(err, itsm.ErrNotFound) {
		return err
	}
	if entries == nil {
		entries = []itsm.Entry{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"entries": entries})
	return nil
}
