package streamtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/itsm"
	"signalbox/stream"

	"github.com/google/go-cmp/cmp"
)

func position(offset int64) itsm.Position {
	return itsm.Position{Offset: offset, Clock: time.Unix(1_700_000_000+offset, 17).UTC()}
}

// testCheckpoint: recovery gives back exactly the last state of every entity, and the position.
func testCheckpoint(e *env) {
	n := e.open()
	sh, at, entities := n.own(0)
	if diff := cmp.Diff(itsm.Position{}, at); diff != "" || len(entities) != 0 {
		e.Errorf("a new shard is at %+v with %v", at, entities)
	}
	last := position(7)
	last.Estate, last.Rules, last.Patterns = "e1", "r1", "p1"
	for _, c := range []struct {
		entities []itsm.Entity
		at       itsm.Position
	}{
		{[]itsm.Entity{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("1")}, {Key: "c", Value: []byte("1")}}, position(1)},
		{[]itsm.Entity{{Key: "a", Value: []byte("2")}, {Key: "b"}}, position(5)},
		{nil, last},
	} {
		if err := sh.Checkpoint(e.ctx, c.entities, c.at); err != nil {
			e.Fatal(err)
		}
	}
	_, at, entities = e.open().own(0)
	if diff := cmp.Diff(last, at); diff != "" {
		e.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"a": "2", "c": "1"}, entities); diff != "" {
		e.Error(diff)
	}
}

// testCheckpointWhole: of a checkpoint that was cut off on its way, recovery sees nothing.
func testCheckpointWhole(e *env) {
	net := newNetwork()
	n := e.open(net.use, func(o *stream.Options) { o.Config.ProduceTimeout = time.Second })
	sh, _, _ := n.own(0)
	var before, after []itsm.Entity
	want := map[string]string{}
	for i := range 1000 {
		key := strconv.Itoa(i)
		want[key] = strings.Repeat("old", 100)
		before = append(before, itsm.Entity{Key: key, Value: []byte(want[key])})
		after = append(after, itsm.Entity{Key: key, Value: []byte("new")})
	}
	if err := sh.Checkpoint(e.ctx, before, position(1)); err != nil {
		e.Fatal(err)
	}
	net.setDown(true)
	if err := sh.Checkpoint(e.ctx, after, position(2)); err == nil {
		e.Fatal("a checkpoint over a broken network succeeded")
	}
	if err := sh.Checkpoint(e.ctx, after, position(2)); err == nil {
		e.Error("something was written after an error, before the next Recover")
	}
	_, at, entities := e.open().own(0)
	if diff := cmp.Diff(position(1), at); diff != "" {
		e.Error(diff)
	}
	if diff := cmp.Diff(want, entities); diff != "" {
		e.Error(diff)
	}
}

// testCheckpointTooLarge: what does not fit into one batch is refused, what fits when compressed
// is not, and the last checkpoint stays.
func testCheckpointTooLarge(e *env) {
	n := e.open()
	sh, _, _ := n.own(0)
	compressible := []itsm.Entity{{Key: "a", Value: []byte(strings.Repeat("abcdefgh", 9<<20))}}
	if err := sh.Checkpoint(e.ctx, compressible, position(1)); err != nil {
		e.Fatal(err)
	}
	noise := make([]byte, 66<<20)
	_, _ = rand.Read(noise) // never fails
	if err := sh.Checkpoint(e.ctx, []itsm.Entity{{Key: "a", Value: noise}}, position(2)); err == nil {
		e.Error("a checkpoint of 66 MiB was taken")
	}
	_, at, entities := n.own(0)
	if at.Offset != 1 || entities["a"] != string(compressible[0].Value) {
		e.Errorf("recovered position %d with %d bytes", at.Offset, len(entities["a"]))
	}
}

// testZombie: from the moment a new owner has recovered, the earlier one writes nothing any more,
// on any topic.
func testZombie(e *env) {
	n := e.open()
	undecodable := func(*stream.Shard) error { return nil }
	for _, c := range []struct {
		name  string
		write func(*stream.Shard) error
	}{
		{"tick", func(sh *stream.Shard) error { return sh.Tick(e.ctx, time.Now()) }},
		{"checkpoint", func(sh *stream.Shard) error { return sh.Checkpoint(e.ctx, nil, position(9)) }},
		{"incidents", func(sh *stream.Shard) error { return sh.Write(e.ctx, []itsm.Update{incident("zombie", 1, "")}) }},
		{"alerts", func(sh *stream.Shard) error {
			return sh.Write(e.ctx, []itsm.Update{{Alerts: []itsm.AlertChange{{Incident: "zombie", Fingerprint: 1}}}})
		}},
		{"timeline", func(sh *stream.Shard) error {
			return sh.Write(e.ctx, []itsm.Update{{IncidentID: "zombie", Entries: []itsm.Entry{{Seq: 1, Data: []byte("{}")}}}})
		}},
		{"problems", func(sh *stream.Shard) error {
			return sh.Write(e.ctx, []itsm.Update{{Problem: &itsm.Problem{ID: "zombie"}}})
		}},
		{"cmdb", func(sh *stream.Shard) error {
			return sh.Write(e.ctx, []itsm.Update{{Items: []itsm.Item{{ID: "zombie"}}}})
		}},
		{"dead letter", undecodable},
	} {
		old, _, _ := n.own(0)
		if c.name == "dead letter" {
			e.produce(e.prefix+"signalbox.events", "0", "not a record")
			c.write = func(sh *stream.Shard) error { _, err := sh.Read(e.ctx, patience); return err }
		}
		next, _, _ := n.own(0)
		err := c.write(old)
		e.wantFenced(c.name, err)
		if err := next.Tick(e.ctx, time.Now()); err != nil {
			e.Errorf("%s: the new owner cannot write: %v", c.name, err)
		}
	}
	for _, p := range n.published(itsm.TopicIncidents, itsm.TopicAlerts, itsm.TopicTimeline, itsm.TopicProblems, itsm.TopicCMDB) {
		if strings.Contains(p.Key, "zombie") {
			e.Errorf("%s has %s of an earlier owner", p.Topic, p.Key)
		}
	}
}

// testTakeover: owners that take a shard from each other all the time leave each key's newest
// value: nobody writes after a later owner has begun, and nothing checkpointed is lost.
func testTakeover(e *env) {
	const owners, enough = 3, 120
	ctx, stop := context.WithCancel(e.ctx)
	defer stop()
	// Each write lets those who wait come nearer to a takeover.
	written := make(chan struct{}, 1000*owners)
	for range 3 * owners {
		written <- struct{}{}
	}
	var g sync.WaitGroup
	for i := range owners {
		n := e.open()
		g.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				for range 3 {
					select {
					case <-written:
					case <-ctx.Done():
						return
					}
				}
				err := countOn(n, fmt.Sprintf("%d/%d", i, round), func(count int) bool {
					written <- struct{}{}
					if count >= enough {
						stop()
					}
					return ctx.Err() == nil
				})
				if err != nil && !errors.Is(err, itsm.ErrFenced) {
					e.Errorf("owner %d: %v", i, err)
					stop()
				}
			}
		})
	}
	g.Wait()
	n := e.open()
	if err := countOn(n, "last", func(int) bool { return false }); err != nil {
		e.Fatal(err)
	}
	_, _, entities := n.own(0)
	seen := map[string]bool{}
	last, owner := 0, ""
	for _, p := range n.published(itsm.TopicIncidents) {
		if p.Key != "counter" {
			continue
		}
		var inc itsm.Incident
		if err := json.Unmarshal(p.Value, &inc); err != nil {
			e.Fatal(err)
		}
		if inc.Title != owner {
			if seen[inc.Title] {
				e.Errorf("%s wrote revision %d after %s had begun", inc.Title, inc.Revision, owner)
			}
			seen[inc.Title], owner = true, inc.Title
		} else if inc.Revision != last+1 {
			e.Errorf("%s wrote %d after %d", owner, inc.Revision, last)
		}
		last = inc.Revision
	}
	if got := entities["counter"]; owner != "last" || got != strconv.Itoa(last) {
		e.Errorf("state has %s, the topic ends with %d of %s", got, last, owner)
	}
	e.Logf("counted to %d with %d owners that wrote", last, len(seen))
}

// countOn takes the shard over and counts on from its state while more says so.
func countOn(n *node, owner string, more func(count int) bool) error {
	sh := n.Shard(0)
	defer func() { _ = sh.Close() }() // it only gives a connection back
	count := 0
	_, err := sh.Recover(n.env.ctx, func(e itsm.Entity) (err error) {
		count, err = strconv.Atoi(string(e.Value))
		return err
	})
	if err != nil {
		return err
	}
	for {
		count++
		if err := sh.Write(n.env.ctx, []itsm.Update{incident("counter", count, owner)}); err != nil {
			return err
		}
		state := []itsm.Entity{{Key: "counter", Value: strconv.AppendInt(nil, int64(count), 10)}}
		if err := sh.Checkpoint(n.env.ctx, state, position(int64(count))); err != nil {
			return err
		}
		if !more(count) {
			return nil
		}
	}
}

// testResentBatch: a batch that is sent again because its answer got lost is there once.
func testResentBatch(e *env) {
	net := newNetwork()
	n := e.open(net.use)
	sh, _, _ := n.own(0)
	const updates = 10
	for i := range updates {
		net.mu.Lock()
		net.loseReply = i % 3
		net.mu.Unlock()
		if err := sh.Write(e.ctx, []itsm.Update{incident("inc", i, "")}); err != nil {
			e.Fatal(err)
		}
	}
	net.mu.Lock()
	lost := net.lost
	net.mu.Unlock()
	if lost == 0 {
		e.Fatal("no answer was lost")
	}
	var got []int
	for _, p := range e.open().published(itsm.TopicIncidents) {
		var inc itsm.Incident
		if p.Key == "inc" {
			if err := json.Unmarshal(p.Value, &inc); err != nil {
				e.Fatal(err)
			}
			got = append(got, inc.Revision)
		}
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, got); diff != "" {
		e.Errorf("after %d lost answers: %s", lost, diff)
	}
}

// testEnd: the position that End names is the one that an engine has when it has applied all.
func testEnd(e *env) {
	n := e.open().runDoor()
	sh, at, _ := n.own(0)
	end, err := sh.End(e.ctx)
	if err != nil || end != at.Offset {
		e.Errorf("the end of a new shard is %d, %v, its position %d", end, err, at.Offset)
	}
	n.append(itsm.Input{Alerts: alerts("a", 1)})
	n.append(itsm.Input{Alerts: alerts("b", 1)})
	sh, _, _ = n.own(0) // its fence stands behind the records
	if end, err = sh.End(e.ctx); err != nil {
		e.Fatal(err)
	}
	rs := e.read(sh, 2)
	if got := rs[1].Offset + 1; got != end {
		e.Errorf("end %d, position %d", end, got)
	}
	// Idle for ever, the shard moves its stored position behind what no engine sees.
	if err := sh.Checkpoint(e.ctx, nil, position(end)); err != nil {
		e.Fatal(err)
	}
	next, at, _ := n.own(0)
	if _, err := next.Read(e.ctx, 50*time.Millisecond); err != nil {
		e.Fatal(err)
	}
	end, err = next.End(e.ctx)
	_, moved, _ := n.own(0)
	if at.Offset >= moved.Offset || err != nil || end != moved.Offset {
		e.Errorf("position %d, then %d; end %d, %v", at.Offset, moved.Offset, end, err)
	}
	if moved.Clock != at.Clock {
		e.Errorf("clock %s, then %s", at.Clock, moved.Clock)
	}
}

// testDeadLetters: what cannot be decoded is kept with the reason and counted, and the loop goes
// on.
func testDeadLetters(e *env) {
	n := e.open().runDoor()
	topic := e.prefix + "signalbox.events"
	n.append(itsm.Input{Alerts: alerts("before", 1)})
	e.produce(topic, "0", "\xff\xff\xff")
	n.append(itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "0123456789abcdef"}}}) // no such version
	n.append(itsm.Input{Alerts: alerts("after", 1)})
	sh, _, _ := n.own(0)
	got := names(e.read(sh, 2))
	if diff := cmp.Diff([]string{"before00000", "after00000"}, got); diff != "" {
		e.Error(diff)
	}
	if diff := cmp.Diff([]string{"before00000", "after00000"}, names(n.recorded(0))); diff != "" {
		e.Errorf("export: %s", diff)
	}
	if got := n.metric("signalbox_stream_dead_letters_total"); got != 2 {
		e.Errorf("%v dead letters counted, want 2", got)
	}
	var letters []stream.DeadLetter
	for _, r := range e.raw(e.prefix + "signalbox.deadletter") {
		var dl stream.DeadLetter
		if err := json.Unmarshal(r.value, &dl); err == nil && dl.Topic != "" {
			letters = append(letters, dl)
		}
	}
	if len(letters) != 2 || letters[0].Topic != topic || string(letters[0].Value) != "\xff\xff\xff" || letters[0].Reason == "" ||
		!strings.Contains(letters[1].Reason, "not found") {
		e.Errorf("dead letters %+v", letters)
	}
}

// testHeldBack: a record stamped more than 5 s ahead waits until it is not, and is counted.
func testHeldBack(e *env) {
	n := e.open()
	sh, _, _ := n.own(0)
	ahead := time.Now().Add(6 * time.Second)
	if err := sh.Tick(e.ctx, time.Now()); err != nil {
		e.Fatal(err)
	}
	if err := sh.Tick(e.ctx, ahead); err != nil {
		e.Fatal(err)
	}
	rs := e.read(sh, 2)
	if early := time.Until(ahead); early > 5*time.Second {
		e.Errorf("given out %s ahead of its time", early)
	}
	if got := n.metric("signalbox_stream_records_held_back_total"); got != 1 {
		e.Errorf("%v held back, want 1", got)
	}
	if !rs[1].Time.Equal(ahead) {
		e.Errorf("stamped %s, want %s", rs[1].Time, ahead)
	}
}

// testTick: a tick is a record without anything but its time.
func testTick(e *env) {
	n := e.open()
	sh, _, _ := n.own(0)
	at := time.Now().Add(-time.Hour).UTC()
	if err := sh.Tick(e.ctx, at); err != nil {
		e.Fatal(err)
	}
	r := e.read(sh, 1)[0]
	if !r.Input.Empty() || !r.Time.Equal(at) {
		e.Errorf("read %+v, want a tick at %s", r, at)
	}
	if diff := cmp.Diff([]itsm.Record{r}, n.recorded(0)); diff != "" {
		e.Error(diff)
	}
}

// testOwnerEndsBatches: every batch on a compacted topic ends with a record that outlives
// compaction, so that no batch of a shard is ever emptied.
func testOwnerEndsBatches(e *env) {
	n := e.open()
	sh, _, _ := n.own(0)
	var updates []itsm.Update
	for i := range 50 {
		updates = append(updates, everywhere(fmt.Sprintf("i%d", i), 1))
	}
	if err := sh.Write(e.ctx, updates); err != nil {
		e.Fatal(err)
	}
	if err := sh.Checkpoint(e.ctx, []itsm.Entity{{Key: "a", Value: []byte("1")}}, position(1)); err != nil {
		e.Fatal(err)
	}
	for _, topic := range []string{"incidents", "alerts", "timeline", "problems", "cmdb", "state"} {
		batches := map[int64]string{}
		sizes := map[int64]int{}
		for _, r := range e.raw(e.prefix + "signalbox." + topic) {
			if r.owned {
				batches[r.batch] = r.key
				sizes[r.batch]++
			}
		}
		largest := 0
		for at, key := range batches {
			largest = max(largest, sizes[at])
			if !strings.HasPrefix(key, "_owner/0") && !strings.HasPrefix(key, "_fence/0") {
				e.Errorf("%s: the batch at %d ends with %s", topic, at, key)
			}
		}
		if largest < 2 {
			e.Errorf("%s: batches of %v records", topic, sizes)
		}
	}
}
