package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	kafka "github.com/segmentio/kafka-go"

	"signalbox/stream"
)

// taker collects what Follow gives, and refuses it for as long as it is asked to.
type taker struct {
	refuse atomic.Bool
	mu     sync.Mutex
	got    []string
	calls  int
}

func (k *taker) take(_ context.Context, values [][]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	if k.refuse.Load() {
		return errors.New("not now")
	}
	for _, v := range values {
		k.got = append(k.got, string(v))
	}
	return nil
}

func (k *taker) seen() (got []string, calls int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.got), k.calls
}

// follow reads a topic until the function it returns is called.
func (n *node) follow(o stream.FollowOptions) (stop func()) {
	ctx, cancel := context.WithCancel(n.env.ctx)
	done := make(chan struct{})
	go func() {
		n.Follow(ctx, o)
		close(done)
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// testFollow: a topic of somebody else's is read from its beginning, in order, by whoever it
// belongs to, and everything comes until it was taken.
func testFollow(e *env) {
	topic := e.prefix + "foreign"
	var k taker
	var ours atomic.Bool
	n := e.open()
	stop := n.follow(stream.FollowOptions{Topic: topic, Group: "follow", Ours: ours.Load, Take: k.take})
	defer stop()
	ours.Store(true) // the topic is not there yet
	e.createForeign(topic)
	var want []string
	write := func(values ...string) {
		for _, v := range values {
			e.produce(topic, "am-1", v)
		}
		want = append(want, values...)
	}
	all := func(what string, k *taker) {
		e.Helper()
		e.until(what, func() bool {
			got, _ := k.seen()
			return len(got) >= len(want)
		})
		if got, _ := k.seen(); !slices.Equal(got, want) {
			e.Fatalf("%s: got %v, want %v", what, got, want)
		}
	}
	want = append(want, "first")
	write("a", "b")
	all("what is there", &k)

	// What is refused comes again.
	k.refuse.Store(true)
	write("c")
	_, before := k.seen()
	e.until("it was offered twice", func() bool { _, calls := k.seen(); return calls > before+1 })
	k.refuse.Store(false)
	all("what was refused", &k)

	// Another process goes on where this one was; nobody reads while it is nobody's.
	ours.Store(false)
	stop()
	write("d")
	var next taker
	stopNext := e.open().follow(stream.FollowOptions{Topic: topic, Group: "follow", Take: next.take})
	defer stopNext()
	want = []string{"d"}
	all("what came meanwhile", &next)
	if got, _ := k.seen(); slices.Contains(got, "d") {
		e.Error("a process reads what is not its own")
	}
	var fresh []string
	for i := range 500 {
		fresh = append(fresh, fmt.Sprint("n", i))
	}
	if err := e.produceAll(topic, 1, fresh); err != nil {
		e.Fatal(err)
	}
	want = append(want, fresh...)
	all("the other partition", &next)
	e.until("it is told that nothing is left", func() bool { return n.metric("signalbox_stream_followed_behind_records") == 0 })

	// Another group begins at the beginning.
	var other taker
	stopOther := e.open().follow(stream.FollowOptions{Topic: topic, Group: "other", Take: other.take})
	defer stopOther()
	e.until("everything again", func() bool { got, _ := other.seen(); return len(got) == 5+len(fresh) })
}

// createForeign makes a topic of two partitions and writes the record "first" to it.
func (e *env) createForeign(topic string) {
	e.Helper()
	res, err := e.client().CreateTopics(e.ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}}})
	if err != nil || res.Errors[topic] != nil {
		e.Fatal(err, res.Errors[topic])
	}
	e.until("the topic can be written to", func() bool { return e.produceAll(topic, 0, []string{"first"}) == nil })
}

// produceAll writes records to a partition in one batch.
func (e *env) produceAll(topic string, partition int, values []string) error {
	records := make([]kafka.Record, len(values))
	for i, v := range values {
		records[i].Value = kafka.NewBytes([]byte(v))
	}
	res, err := e.client().Produce(e.ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Gzip, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = res.Error
	}
	return err
}
