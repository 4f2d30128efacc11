package streamtest

import (
	"errors"
	"io"
	"slices"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// client connects without package stream, as any other user of the topics would.
func (e *env) client() *kafka.Client {
	e.Helper()
	transport := &kafka.Transport{}
	e.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(e.brokers...), Timeout: patience, Transport: transport}
}

// produce writes a record to partition 0 of a topic behind everybody's back.
func (e *env) produce(topic, key, value string) {
	e.Helper()
	res, err := e.client().Produce(e.ctx, &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes([]byte(value))}),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		e.Fatal(err)
	}
}

// rawRecord is a record with the batch it came in.
type rawRecord struct {
	batch int64 // the offset of the batch
	owned bool  // a producer with an id wrote it
	key   string
	value []byte
}

// raw reads partition 0 of a topic as it is.
func (e *env) raw(topic string) []rawRecord {
	e.Helper()
	var all []rawRecord
	c := e.client()
	for offset, end := int64(0), int64(-1); offset != end; {
		res, err := c.Fetch(e.ctx, &kafka.FetchRequest{Topic: topic, Offset: offset, MinBytes: 1, MaxBytes: 64 << 20, MaxWait: time.Second})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			e.Fatal(err)
		}
		end = res.HighWatermark
		stream, ok := res.Records.(*protocol.RecordStream)
		if !ok {
			e.Fatalf("records come as %T", res.Records)
		}
		before := offset
		for _, r := range stream.Records {
			b, ok := r.(*protocol.RecordBatch)
			if !ok {
				continue
			}
			rs, last := e.batch(b)
			all = append(all, rs...)
			offset = max(offset, last+1)
		}
		if offset == before {
			e.Fatalf("nothing at %d of %s, which ends at %d", offset, topic, end)
		}
	}
	return all
}

func (e *env) batch(b *protocol.RecordBatch) (all []rawRecord, last int64) {
	e.Helper()
	for {
		r, err := b.ReadRecord()
		if errors.Is(err, io.EOF) {
			return all, last
		}
		if err != nil {
			e.Fatal(err)
		}
		key, err := protocol.ReadAll(r.Key)
		value, err2 := protocol.ReadAll(r.Value)
		if err := errors.Join(err, err2); err != nil {
			e.Fatal(err)
		}
		last = r.Offset
		all = append(all, rawRecord{batch: b.BaseOffset, owned: b.ProducerID >= 0, key: string(key), value: slices.Clone(value)})
	}
}

// marker ends an empty transaction on partition 0 of a topic, which leaves an offset without a
// record. Apache Kafka answers before the marker is written, so marker waits for it.
func (e *env) marker(topic string) {
	e.Helper()
	c := e.client()
	before := e.end(c, topic)
	id := prefix("marker") // an id's next transaction could meet the end of its last one
	init, err := c.InitProducerID(e.ctx, &kafka.InitProducerIDRequest{
		TransactionalID: id, TransactionTimeoutMs: 60000, ProducerID: -1, ProducerEpoch: -1,
	})
	if err == nil {
		err = init.Error
	}
	if err != nil {
		e.Fatal(err)
	}
	add, err := c.AddPartitionsToTxn(e.ctx, &kafka.AddPartitionsToTxnRequest{
		TransactionalID: id, ProducerID: init.Producer.ProducerID, ProducerEpoch: init.Producer.ProducerEpoch,
		Topics: map[string][]kafka.AddPartitionToTxn{topic: {{Partition: 0}}},
	})
	if err != nil {
		e.Fatal(err)
	}
	for _, p := range add.Topics[topic] {
		if p.Error != nil {
			e.Fatal(p.Error)
		}
	}
	done, err := c.EndTxn(e.ctx, &kafka.EndTxnRequest{
		TransactionalID: id, ProducerID: init.Producer.ProducerID, ProducerEpoch: init.Producer.ProducerEpoch, Committed: true,
	})
	if err == nil {
		err = done.Error
	}
	if err != nil {
		e.Fatal(err)
	}
	for e.end(c, topic) == before {
		if e.ctx.Err() != nil {
			e.Fatal("the marker does not come")
		}
	}
}

// end is where partition 0 of a topic ends.
func (e *env) end(c *kafka.Client, topic string) int64 {
	e.Helper()
	res, err := c.ListOffsets(e.ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(0)}}})
	if err != nil {
		e.Fatal(err)
	}
	p := res.Topics[topic][0]
	if p.Error != nil {
		e.Fatal(p.Error)
	}
	return p.LastOffset
}
