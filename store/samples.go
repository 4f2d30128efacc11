package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"signalbox/itsm"
)

const (
	querySeries = `SELECT id, any(labels)
FROM {table:series}
WHERE day >= toDate({from:DateTime64(9, 'UTC')}) AND day <= toDate({to:DateTime64(9, 'UTC')}) AND {where}
GROUP BY id
LIMIT {series:UInt32}`

	querySamples = `SELECT series, at, value
FROM {table:samples}
PREWHERE series IN (SELECT id FROM {table:series}
WHERE day >= toDate({from:DateTime64(9, 'UTC')}) AND day <= toDate({to:DateTime64(9, 'UTC')}) AND {where})
WHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
ORDER BY series, at
LIMIT 1 BY series, at
LIMIT {limit:UInt32}`

	seriesColumns = "day, name, id, labels"
	sampleColumns = "series, at, value"
)

// metricName is the label that names a series' metric.
const metricName = "__name__"

// MaxSeries bounds the series of one question.
const MaxSeries = 10_000

// maxKnown bounds how many series are remembered as stored. Who has more stores some again, which changes nothing.
const maxKnown = 1_000_000

// daily is a series on a day.
type daily struct {
	day    int64 // since 1970
	series uint64
}

// known remembers which series were stored, by day.
type known struct {
	mu  sync.Mutex
	all map[daily]struct{}
}

// InsertSamples writes one block of telemetry. The token names the block: ClickHouse takes a block of one token once, so whoever
// does not know whether it went through sends the same again.
func (s *Store) InsertSamples(ctx context.Context, token string, samples []itsm.Sample) error {
	ids, at, values := make([]uint64, len(samples)), make([]time.Time, len(samples)), make([]float64, len(samples))
	fresh := map[daily]itsm.Labels{}
	s.series.mu.Lock()
	for i := range samples {
		sample := &samples[i]
		ids[i], at[i], values[i] = uint64(sample.Labels.Fingerprint()), sample.At, sample.Value
		key := daily{sample.At.Unix() / (24 * 60 * 60), ids[i]}
		if _, has := s.series.all[key]; !has {
			fresh[key] = sample.Labels
		}
	}
	s.series.mu.Unlock()
	if len(fresh) > 0 { // before their samples, or those could not be found
		if err := s.insertSeries(ctx, fresh); err != nil {
			return err
		}
	}
	return s.insertColumns(ctx, "samples", sampleColumns, token, ids, at, values)
}

func (s *Store) insertSeries(ctx context.Context, fresh map[daily]itsm.Labels) error {
	var days []time.Time
	var labelSets []map[string]string
	var names []string
	var ids []uint64
	for key, labels := range fresh {
		days, names = append(days, time.Unix(key.day*24*60*60, 0).UTC()), append(names, labels.Get(metricName))
		ids, labelSets = append(ids, key.series), append(labelSets, labels.Map())
	}
	// What is fresh depends on what this process remembers, so the block is not the same when it comes again: no token, the
	// table merges equal rows.
	if err := s.insertColumns(ctx, "series", seriesColumns, "", days, names, ids, labelSets); err != nil {
		return err
	}
	s.series.mu.Lock()
	defer s.series.mu.Unlock()
	if len(s.series.all)+len(fresh) > maxKnown {
		s.series.all = nil
	}
	if s.series.all == nil {
		s.series.all = map[daily]struct{}{}
	}
	for key := range fresh {
		s.series.all[key] = struct{}{}
	}
	return nil
}

// insertColumns writes a block that lies in memory by columns.
func (s *Store) insertColumns(ctx context.Context, table, columns, token string, data ...any) error {
	settings := clickhouse.Settings{"insert_deduplicate": 0}
	if token != "" {
		settings = clickhouse.Settings{"insert_deduplication_token": table + "/" + token}
	}
	b, err := s.conn.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(settings)), "INSERT INTO "+s.names.Table(table)+" ("+columns+")")
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	for i, column := range data {
		if err := b.Column(i).Append(column); err != nil {
			return fmt.Errorf("insert into %s: %w", table, errors.Join(err, b.Abort()))
		}
	}
	if err := b.Send(); err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	return nil
}

// EachSample yields telemetry, series by series and by time within each, at most q.Limit samples. A mistake in the question is an
// itsm.FieldError.
func (s *Store) EachSample(ctx context.Context, q itsm.SampleQuery, yield func(itsm.Sample) error) (err error) {
	if len(q.Matchers) == 0 {
		return fault("q", "a label of the series is expected, such as __name__=\"up\"")
	}
	labels, err := s.seriesOf(ctx, q)
	if err != nil || len(labels) == 0 {
		return err
	}
	sql, args, err := s.buildSamples(querySamples, q)
	if err != nil {
		return err
	}
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id uint64
		var sample itsm.Sample
		if err := rows.Scan(&id, &sample.At, &sample.Value); err != nil {
			return err
		}
		sample.Labels = labels[id]
		if sample.Labels == nil {
			continue // of a series that came between the two questions
		}
		if err := yield(sample); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Store) seriesOf(ctx context.Context, q itsm.SampleQuery) (_ map[uint64]itsm.Labels, err error) {
	sql, args, err := s.buildSamples(querySeries, q)
	if err != nil {
		return nil, err
	}
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := map[uint64]itsm.Labels{}
	for rows.Next() {
		var id uint64
		var labels map[string]string
		if err := rows.Scan(&id, &labels); err != nil {
			return nil, err
		}
		out[id] = itsm.NewLabels(labels)
	}
	if len(out) > MaxSeries {
		return nil, fault("q", "more than %d series match; say more of what you want", MaxSeries)
	}
	return out, rows.Err()
}

// buildSamples turns a question about telemetry into SQL with its arguments.
func (s *Store) buildSamples(text string, q itsm.SampleQuery) (string, []any, error) {
	var b builder
	for _, m := range q.Matchers {
		m.Label = true
		condition, err := b.matcher(m, seriesFields())
		if err != nil {
			return "", nil, err
		}
		b.where = append(b.where, condition)
	}
	b.set("from", moment(q.From))
	b.set("to", moment(q.To))
	b.set("limit", strconv.Itoa(q.Limit))
	b.set("series", strconv.Itoa(MaxSeries+1))
	return b.into(s.named(text)), b.args, nil
}
