package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
	"signalbox/store"
)

// testRecorded: inputs come back in the log's order with their bytes, a window of them with whatever adopts something before it,
// and the versions that were adopted.
func testRecorded(e *env) {
	e.log.versions["v1"] = []byte("items: []\x00\xff")
	put := func(at time.Duration, value string, in itsm.Input) {
		e.log.append(itsm.TopicEvents, func(b *itsm.Block) {
			b.Records = append(b.Records, itsm.Recorded{Record: itsm.Record{Offset: b.Next, Time: begin.Add(at), Input: in}, Value: []byte(value)})
		})
	}
	put(0, "one", itsm.Input{})
	put(time.Second, "adopts", itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v1"}, Rules: &itsm.Version{ID: "gone"}}})
	put(3*time.Second, "three\x00\xff'", itsm.Input{})
	put(2*time.Second, "before the one before it", itsm.Input{})
	put(4*time.Second, "adopts again", itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v1"}}})
	put(5*time.Second, "six", itsm.Input{})
	p := e.start(nil)
	recorded := func(q store.RecordedQuery) (all []string) {
		err := p.EachRecorded(e.ctx, q, func(offset int64, value []byte) error {
			all = append(all, fmt.Sprintf("%d %s", offset, value))
			return nil
		})
		if err != nil {
			return []string{err.Error()}
		}
		return all
	}
	whole := store.RecordedQuery{Before: math.MaxInt64}
	e.until("all are stored", func() bool { return len(recorded(whole)) == 6 })
	for _, c := range []struct {
		q    store.RecordedQuery
		want []string
	}{
		{whole, []string{"0 one", "3 adopts", "6 three\x00\xff'", "9 before the one before it", "12 adopts again", "15 six"}},
		{store.RecordedQuery{Before: 9}, []string{"0 one", "3 adopts", "6 three\x00\xff'"}},
		{store.RecordedQuery{Before: 100, From: begin.Add(2 * time.Second), To: begin.Add(3 * time.Second)}, []string{"3 adopts", "9 before the one before it", "12 adopts again"}},
		{store.RecordedQuery{Before: 100, Shard: 1}, nil},
	} {
		if diff := cmp.Diff(c.want, recorded(c.q)); diff != "" {
			e.Errorf("%+v: %s", c.q, diff)
		}
	}
	if data, err := p.Version(e.ctx, "v1"); err != nil || string(data) != "items: []\x00\xff" {
		e.Errorf("version: %q, %v", data, err)
	}
	if _, err := p.Version(e.ctx, "gone"); !errors.Is(err, itsm.ErrNotFound) {
		e.Errorf("a version that was gone: %v", err)
	}
	if upto, err := p.Stored(e.ctx, itsm.TopicEvents, 0); err != nil || upto < 16 {
		e.Errorf("stored up to %d, %v", upto, err)
	}
}

// testSamples: telemetry comes back by series and time, once, however often its block was sent.
func testSamples(e *env) {
	p := e.start(nil)
	e.until("the tables are there", func() bool { return e.conn().Exec(e.ctx, "SELECT 1 FROM "+e.opts.Config.Database+".samples") == nil })
	up := func(n int) itsm.Labels {
		return itsm.NewLabels(map[string]string{"__name__": "up", "instance": fmt.Sprintf("host-%d:9100", n), "odd": "a'b\\c"})
	}
	var block []itsm.Sample
	for minute := range 3 {
		for n := range 4 {
			block = append(block, itsm.Sample{Labels: up(n), At: begin.Add(time.Duration(minute) * time.Minute).Truncate(time.Microsecond), Value: float64(10*n + minute)})
		}
	}
	block = append(block, itsm.Sample{Labels: itsm.NewLabels(map[string]string{"__name__": "load1"}), At: begin, Value: math.NaN()})
	for range 2 { // the second is a repeat after a lost answer
		if err := p.InsertSamples(e.ctx, "telemetry/0/0-13", block); err != nil {
			e.Fatal(err)
		}
	}
	ask := func(minutes, limit int, matchers ...itsm.HistoryMatcher) (all []itsm.Sample, err error) {
		q := itsm.SampleQuery{From: begin.Add(-time.Minute), To: begin.Add(time.Duration(minutes)*time.Minute - time.Second), Matchers: matchers, Limit: limit}
		err = p.EachSample(e.ctx, q, func(s itsm.Sample) error { all = append(all, s); return nil })
		return all, err
	}
	name := itsm.HistoryMatcher{Name: "__name__", Op: "=", Value: "up"}
	all, err := ask(3, 100, name)
	if err != nil || len(all) != 12 {
		e.Fatalf("%d samples, %v", len(all), err)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Labels.String() == all[i-1].Labels.String() && !all[i-1].At.Before(all[i].At) {
			e.Errorf("%v is not before %v", all[i-1], all[i])
		}
	}
	one, err := ask(2, 100, name, itsm.HistoryMatcher{Name: "instance", Op: "=~", Value: "host-2:.*"})
	want := []itsm.Sample{block[2], block[6]}
	if diff := cmp.Diff(want, one); diff != "" || err != nil {
		e.Errorf("%v %s", err, diff)
	}
	if nan, err := ask(1, 1, itsm.HistoryMatcher{Name: "__name__", Op: "=", Value: "load1"}); err != nil || len(nan) != 1 || !math.IsNaN(nan[0].Value) {
		e.Errorf("%v, %v", nan, err)
	}
	if few, err := ask(3, 5, name); err != nil || len(few) != 5 {
		e.Errorf("%d samples with a limit of 5, %v", len(few), err)
	}
	var f itsm.FieldError
	if _, err := ask(1, 1); !errors.As(err, &f) || !strings.HasPrefix(err.Error(), "q: a label of the series") {
		e.Errorf("without a label: %v", err)
	}
	var rows uint64
	if err := e.conn().QueryRow(e.ctx, "SELECT count() FROM "+e.opts.Config.Database+".samples").Scan(&rows); err != nil || rows != 13 {
		e.Errorf("%d rows, %v: the repeat was stored", rows, err)
	}
}
