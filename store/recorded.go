package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"signalbox/itsm"
)

const (
	queryAdopting = `SELECT log_offset, value
FROM {table:events} FINAL
WHERE log_partition = {shard:UInt16} AND log_offset < {before:UInt64} AND adopts
ORDER BY log_offset`

	queryRecorded = `SELECT log_offset, value
FROM {table:events}
WHERE log_partition = {shard:UInt16} AND log_offset < {before:UInt64} AND NOT adopts
AND at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
ORDER BY log_offset
LIMIT 1 BY log_offset`

	queryVersion = `SELECT data
FROM {table:versions}
WHERE id = {id:String}
LIMIT 1`
)

// RecordedQuery asks for recorded inputs.
type RecordedQuery struct {
	Shard int
	// From and To bound the records' own times; zero: unbounded. What adopts an estate or rules comes whatever its time.
	From, To time.Time
	// Before bounds the offsets.
	Before int64
}

// EachRecorded yields recorded inputs in the order of the log, with the bytes that they had there.
func (s *Store) EachRecorded(ctx context.Context, q RecordedQuery, yield func(offset int64, value []byte) error) error {
	type record struct {
		offset int64
		value  []byte
	}
	var adopting []record // few: somebody changed an estate or rules
	err := s.records(ctx, queryAdopting, q, func(offset int64, value []byte) error {
		adopting = append(adopting, record{offset, value})
		return nil
	})
	if err != nil {
		return err
	}
	flush := func(before int64) error {
		for len(adopting) > 0 && adopting[0].offset < before {
			if err := yield(adopting[0].offset, adopting[0].value); err != nil {
				return err
			}
			adopting = adopting[1:]
		}
		return nil
	}
	err = s.records(ctx, queryRecorded, q, func(offset int64, value []byte) error {
		if err := flush(offset); err != nil {
			return err
		}
		return yield(offset, value)
	})
	if err != nil {
		return err
	}
	return flush(q.Before)
}

func (s *Store) records(ctx context.Context, text string, q RecordedQuery, yield func(int64, []byte) error) (err error) {
	from, to := q.From, q.To
	if from.IsZero() {
		from = time.Unix(0, 0)
	}
	if to.IsZero() {
		to = time.Date(2261, 1, 1, 0, 0, 0, 0, time.UTC) // within what 64 bits of nanoseconds hold
	}
	rows, err := s.conn.Query(ctx, s.named(text), named("shard", strconv.Itoa(q.Shard)), named("before", strconv.FormatInt(q.Before, 10)),
		named("from", moment(from)), named("to", moment(to)))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var offset uint64
		var value string
		if err := rows.Scan(&offset, &value); err != nil {
			return err
		}
		if err := yield(int64(offset), []byte(value)); err != nil { //nolint:gosec // as Kafka counts them
			return err
		}
	}
	return rows.Err()
}

// Version returns the bytes of a version that a record adopted, or an error that wraps itsm.ErrNotFound.
func (s *Store) Version(ctx context.Context, id string) ([]byte, error) {
	rows, err := s.conn.Query(ctx, s.named(queryVersion), named("id", id))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	var data string
	found := rows.Next()
	if found {
		err = rows.Scan(&data)
	}
	if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read version %s: %w", id, err)
	}
	if !found {
		return nil, fmt.Errorf("version %s: %w", id, itsm.ErrNotFound)
	}
	return []byte(data), nil
}

// Stored is the offset before which a partition of a topic has been stored, or is just being.
func (s *Store) Stored(ctx context.Context, topic itsm.Topic, partition int) (int64, error) {
	at, err := s.position(ctx, topic, partition)
	return at.upto, err
}
