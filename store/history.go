package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"signalbox/itsm"
)

// EachAlertEvent yields what became of alerts in a window, newest first, at most q.Limit of them,
// each with the cursor that q.After goes on behind. A mistake in the question is an itsm.FieldError.
func (s *Store) EachAlertEvent(ctx context.Context, q itsm.HistoryQuery, yield func(e itsm.AlertEvent, cursor string) error) error {
	return s.each(ctx, queryAlerts, q, alertFields(), func(rows driver.Rows) error {
		var e itsm.AlertEvent
		var fingerprint uint64
		var count uint32
		var status, severity string
		var labels, annotations map[string]string
		var ends time.Time
		err := rows.Scan(&e.At, &fingerprint, &e.Incident, &status, &severity, &e.Item, &labels, &annotations, &e.StartsAt, &ends, &count,
			&e.Source, &e.GeneratorURL)
		if err != nil {
			return err
		}
		e.Fingerprint, e.Status, e.Severity, e.Count = itsm.Fingerprint(fingerprint), itsm.Status(status), itsm.Severity(severity), int(count)
		e.Labels, e.Annotations, e.EndsAt = itsm.NewLabels(labels), itsm.NewLabels(annotations), some(ends)
		return yield(e, encodeCursor(e.At, strconv.FormatUint(fingerprint, 10), e.Incident, status, strconv.Itoa(e.Count)))
	})
}

// EachIncident yields the incidents that opened in a window, as they stand now, newest first, as
// EachAlertEvent does.
func (s *Store) EachIncident(ctx context.Context, q itsm.HistoryQuery, yield func(inc itsm.Incident, cursor string) error) error {
	return s.each(ctx, queryIncidents, q, incidentFields(), func(rows driver.Rows) error {
		var opened time.Time
		var id, row string
		if err := rows.Scan(&opened, &id, &row); err != nil {
			return err
		}
		var inc itsm.Incident
		if err := json.Unmarshal([]byte(row), &inc); err != nil {
			return fmt.Errorf("incident %s: %w", id, err)
		}
		return yield(inc, encodeCursor(opened, id))
	})
}

// EachChange yields the changes that were reported in a window, newest first, as EachAlertEvent does.
func (s *Store) EachChange(ctx context.Context, q itsm.HistoryQuery, yield func(e itsm.ChangeEvent, cursor string) error) error {
	return s.each(ctx, queryChanges, q, changeFields(), func(rows driver.Rows) error {
		var e itsm.ChangeEvent
		var labels map[string]string
		var ends time.Time
		var partition uint16
		var offset uint64
		var index uint32
		c := &e.Change
		err := rows.Scan(&e.At, &c.ID, &c.Kind, &c.Status, &c.Title, &c.Items, &labels, &c.StartsAt, &ends, &c.By, &c.URL, &partition, &offset, &index)
		if err != nil {
			return err
		}
		c.Labels, c.EndsAt = itsm.NewLabels(labels), some(ends)
		return yield(e, encodeCursor(e.At, c.ID, strconv.Itoa(int(partition)), strconv.FormatUint(offset, 10), strconv.Itoa(int(index))))
	})
}

func some(t time.Time) *time.Time {
	if t.Unix() == 0 {
		return nil
	}
	return &t
}

// each runs a question of a window.
func (s *Store) each(ctx context.Context, text string, q itsm.HistoryQuery, fields map[string]field, yield func(driver.Rows) error) (err error) {
	sql, args, err := s.build(text, q, fields)
	if err != nil {
		return err
	}
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := yield(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Volume counts the alerts that began to fire in each step of a window, by severity. Steps without
// an alert are left out; steps are multiples of step since 1970.
func (s *Store) Volume(ctx context.Context, q itsm.HistoryQuery, step time.Duration) ([]itsm.VolumeBucket, error) {
	sql, args, err := s.build(queryVolume, q, alertFields())
	if err != nil {
		return nil, err
	}
	args = append(args, named("step", strconv.FormatInt(step.Milliseconds(), 10)))
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	var out []itsm.VolumeBucket
	for rows.Next() {
		var at time.Time
		var severity string
		var n uint64
		if err := rows.Scan(&at, &severity, &n); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		if len(out) == 0 || !out[len(out)-1].At.Equal(at) {
			out = append(out, itsm.VolumeBucket{At: at, Counts: map[itsm.Severity]int{}})
		}
		out[len(out)-1].Counts[itsm.Severity(severity)] = int(n) //nolint:gosec // a count of rows
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// Revisions returns the revisions of one incident, newest first, at most limit; ErrNotFound when
// history does not know it.
func (s *Store) Revisions(ctx context.Context, idOrNumber string, limit int) ([]itsm.Incident, error) {
	return column[itsm.Incident](ctx, s, queryRevisions, idOrNumber, limit)
}

// Timeline returns the timeline of one incident, newest first, at most limit entries.
func (s *Store) Timeline(ctx context.Context, id string, limit int) ([]itsm.Entry, error) {
	return column[itsm.Entry](ctx, s, queryTimeline, id, limit)
}

// column reads a column of JSON.
func column[T any](ctx context.Context, s *Store, text, id string, limit int) (out []T, err error) {
	rows, err := s.conn.Query(ctx, s.named(text), named("id", id), named("limit", strconv.Itoa(limit)))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		var v T
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return nil, fmt.Errorf("history of %s: %w", id, err)
		}
		out = append(out, v)
	}
	if len(out) == 0 && rows.Err() == nil {
		return nil, fmt.Errorf("history of %s: %w", id, itsm.ErrNotFound)
	}
	return out, rows.Err()
}
