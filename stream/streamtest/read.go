package streamtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"signalbox/itsm"
	"signalbox/stream"

	"github.com/google/go-cmp/cmp"
)

// testVersions: a large input comes back whole, in another process, too; storing it twice changes
// nothing; an unknown one is not found.
func testVersions(e *env) {
	n := e.open()
	for name, data := range map[string]string{
		"empty": "", "small": "x", "several chunks": strings.Repeat("0123456789", 250_000),
	} {
		id, err := n.PutVersion(e.ctx, []byte(data))
		if err != nil {
			e.Fatal(err)
		}
		again, err := e.open().PutVersion(e.ctx, []byte(data))
		if err != nil || again != id || id != stream.VersionID([]byte(data)) {
			e.Errorf("%s: id %s, then %s, %v", name, id, again, err)
		}
		for _, reader := range []*node{n, e.open()} {
			got, err := reader.Version(e.ctx, id)
			if err != nil || string(got) != data {
				e.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(data))
			}
		}
	}
	if _, err := n.Version(e.ctx, "feedfeedfeedfeed"); !errors.Is(err, itsm.ErrNotFound) {
		e.Errorf("an unknown version: %v, want ErrNotFound", err)
	}
	var got []string
	for _, p := range n.published(itsm.TopicCMDB) {
		if id, ok := strings.CutPrefix(p.Key, "version/"); !ok || stream.VersionID(p.Value) != id {
			e.Errorf("tail gives %s with %d bytes", p.Key, len(p.Value))
		}
		got = append(got, p.Key)
	}
	if len(got) != 6 {
		e.Errorf("tail gives %v, want three versions, each twice", got)
	}
}

// testRetire: a version goes when no shard's checkpoint has it in force and no record that
// adopted it is kept, not before.
func testRetire(e *env) {
	n := e.open(func(o *stream.Options) { o.Config.EventsRetention = time.Hour })
	var ids []string
	for _, data := range []string{"old", "in force"} {
		id, err := n.PutVersion(e.ctx, []byte(strings.Repeat(data, 200_000)))
		if err != nil {
			e.Fatal(err)
		}
		ids = append(ids, id)
	}
	found := func() string {
		fresh := e.open()
		var there []string
		for i, name := range []string{"old", "in force"} {
			switch _, err := fresh.Version(e.ctx, ids[i]); {
			case err == nil:
				there = append(there, name)
			case !errors.Is(err, itsm.ErrNotFound):
				e.Fatal(err)
			}
		}
		return strings.Join(there, ", ")
	}
	later := time.Now().Add(2*time.Hour + time.Minute)
	retire := func(now time.Time, want string) {
		e.Helper()
		if err := n.Retire(e.ctx, now); err != nil {
			e.Fatal(err)
		}
		if got := found(); got != want {
			e.Errorf("there are %q, want %q", got, want)
		}
	}
	retire(later, "old, in force") // no shard has said what it needs
	sh, _, _ := n.own(0)
	at := position(1)
	at.Estate = ids[1]
	if err := sh.Checkpoint(e.ctx, nil, at); err != nil {
		e.Fatal(err)
	}
	retire(time.Now(), "old, in force") // a record that adopted it may be kept
	retire(later, "in force")
}

// testExport: an export from any offset has every kept input, adopted versions with their bytes,
// and no bookkeeping.
func testExport(e *env) {
	n := e.open().runDoor()
	id, err := n.PutVersion(e.ctx, []byte("rules"))
	if err != nil {
		e.Fatal(err)
	}
	sh, _, _ := n.own(0)
	n.append(itsm.Input{Alerts: alerts("a", 2)})
	n.append(itsm.Input{Adopt: &itsm.Adopt{Rules: &itsm.Version{ID: id}}})
	if err := sh.Tick(e.ctx, time.Now()); err != nil {
		e.Fatal(err)
	}
	n.append(itsm.Input{Alerts: alerts("b", 1)})
	fresh := e.open()
	all := fresh.recorded(0)
	if len(all) != 4 {
		e.Fatalf("%d records, want 4", len(all))
	}
	if a := all[1].Input.Adopt; a == nil || a.Rules == nil || string(a.Rules.Data) != "rules" || a.Estate != nil {
		e.Errorf("adoption %+v", a)
	}
	if diff := cmp.Diff(e.read(sh, 4), all); diff != "" {
		e.Errorf("the engine reads something else: %s", diff)
	}
	var rest []itsm.Record
	err = fresh.Events(e.ctx, 0, all[2].Offset, func(r itsm.Record) error { rest = append(rest, r); return nil })
	if diff := cmp.Diff(all[2:], rest); diff != "" || err != nil {
		e.Errorf("from offset %d: %v %s", all[2].Offset, err, diff)
	}
	stop := errors.New("enough")
	if err := fresh.Events(e.ctx, 0, 0, func(itsm.Record) error { return stop }); !errors.Is(err, stop) {
		e.Errorf("the caller's error: %v", err)
	}
	// A stamp before the one that it follows counts as that one, as the engine's clock has it.
	if err := sh.Tick(e.ctx, all[3].Time.Add(-time.Minute)); err != nil {
		e.Fatal(err)
	}
	if all = fresh.recorded(0); !all[4].Time.Equal(all[3].Time) {
		e.Errorf("time runs from %s to %s", all[3].Time, all[4].Time)
	}
}

// testTail: a tail sees what every shard has published, from the beginning, without bookkeeping;
// it says when it has caught up, and goes on.
func testTail(e *env) {
	n := e.open(func(o *stream.Options) { o.Config.Shards = 2 })
	first, _, _ := n.own(0)
	second, _, _ := n.own(1)
	u := everywhere("one", 1)
	u.Causes = []itsm.Cause{}
	u.Phases = &itsm.Phases{Phases: []itsm.Phase{{State: itsm.StateNew}}}
	u.Priority = &itsm.PriorityReasons{}
	u.Outcome = &itsm.Outcome{Command: "cmd", Status: 200}
	u.Adopted = &itsm.Adopted{Shard: 0, Estate: "e"}
	if err := first.Write(e.ctx, []itsm.Update{u}); err != nil {
		e.Fatal(err)
	}
	if err := second.Write(e.ctx, []itsm.Update{everywhere("two", 1)}); err != nil {
		e.Fatal(err)
	}
	topics := []itsm.Topic{itsm.TopicIncidents, itsm.TopicAlerts, itsm.TopicTimeline, itsm.TopicProblems, itsm.TopicCMDB}
	one, two := alert("one").Fingerprint.String(), alert("two").Fingerprint.String()
	want := []string{
		"alerts one/" + one, "alerts two/" + two, "cmdb item/one", "cmdb item/two",
		"cmdb relation/one/runs_on/one-host", "cmdb relation/two/runs_on/two-host",
		"incidents _adopted/0", "incidents _causes/one", "incidents _command/cmd", "incidents _epoch", "incidents _priority/one", "incidents _sla/one",
		"incidents one", "incidents two", "problems one", "problems two", "timeline one/1", "timeline two/1",
	}
	if diff := cmp.Diff(want, keys(n.published(topics...))); diff != "" {
		e.Error(diff)
	}
	e.followTail(n, first, topics)
	called := false
	if err := n.Tail(e.ctx, stream.TailOptions{CaughtUp: func() { called = true }}); err != nil || !called {
		e.Errorf("a tail of nothing: %v, caught up: %t", err, called)
	}
	stop := errors.New("enough")
	err := n.Tail(e.ctx, stream.TailOptions{Topics: topics, Apply: func([]itsm.Published) error { return stop }})
	if !errors.Is(err, stop) {
		e.Errorf("the caller's error: %v", err)
	}
}

// followTail writes while a tail runs.
func (e *env) followTail(n *node, sh *stream.Shard, topics []itsm.Topic) {
	e.Helper()
	caughtUp, seen := make(chan struct{}), make(chan itsm.Published, 1000)
	done := make(chan error, 1)
	follower := e.open(func(o *stream.Options) { o.Config.Shards = n.Shards() })
	go func() {
		done <- follower.Tail(e.ctx, stream.TailOptions{
			Topics: topics, CaughtUp: func() { close(caughtUp) },
			Apply: func(ps []itsm.Published) error {
				for _, p := range ps {
					seen <- p
				}
				return nil
			},
		})
	}()
	wait := time.After(patience)
	select {
	case <-caughtUp:
	case err := <-done:
		e.Fatalf("the tail ended: %v", err)
	case <-wait:
		e.Fatal("not caught up")
	}
	for revision := 2; revision < 5; revision++ {
		if err := sh.Write(e.ctx, []itsm.Update{incident("one", revision, "live")}); err != nil {
			e.Fatal(err)
		}
		for inc := (itsm.Incident{}); inc.Revision != revision; {
			select {
			case p := <-seen:
				if p.Key == "one" {
					if err := json.Unmarshal(p.Value, &inc); err != nil {
						e.Fatal(err)
					}
				}
			case err := <-done:
				e.Fatalf("the tail ended: %v", err)
			case <-wait:
				e.Fatalf("revision %d does not come", revision)
			}
		}
	}
}

// testTailHoles: nobody waits for offsets that hold no record. Markers of transactions are such,
// and they are what a broker without compaction at hand can make.
func testTailHoles(e *env) {
	n := e.open()
	sh, _, _ := n.own(0)
	for i := range 3 {
		if err := sh.Write(e.ctx, []itsm.Update{incident("inc", i, "")}); err != nil {
			e.Fatal(err)
		}
		e.marker(e.prefix + "signalbox.incidents")
	}
	// The last thing on the topic is a hole, so a reader that waits for a record would hang.
	ps := n.published(itsm.TopicIncidents)
	var got []string
	for _, p := range ps {
		got = append(got, fmt.Sprintf("%s %d", p.Key, p.Offset))
	}
	if len(ps) < 4 || ps[len(ps)-1].Offset != ps[len(ps)-2].Offset+3 {
		// A revision, its owner record and the marker: three offsets.
		e.Errorf("offsets %v", got)
	}
}

// testForget: a forgotten incident leaves tombstones for all it had.
func testForget(e *env) {
	n := e.open()
	sh, _, _ := n.own(0)
	u := incident("inc", 1, "")
	u.Causes = []itsm.Cause{}
	u.Entries = []itsm.Entry{{Seq: 1, Data: []byte("{}")}, {Seq: 2, Data: []byte("{}")}}
	err := sh.Write(e.ctx, []itsm.Update{u, {IncidentID: "inc", Forget: true, ForgetEntries: 2}})
	if err != nil {
		e.Fatal(err)
	}
	left := map[string]bool{}
	for _, p := range n.published(itsm.TopicIncidents, itsm.TopicTimeline) {
		left[p.Key] = p.Value != nil
	}
	want := map[string]bool{"_epoch": true, "inc": false, "_causes/inc": false, "_priority/inc": false, "_sla/inc": false, "inc/1": false, "inc/2": false}
	if diff := cmp.Diff(want, left); diff != "" {
		e.Error(diff)
	}
}

// testLogReader: a reader begins anywhere, gives what is for others and nothing of the bookkeeping, passes holes, and
// says how far it is behind.
func testLogReader(e *env) {
	n := e.open().runDoor()
	sh, _, _ := n.own(0)
	for revision := 1; revision <= 3; revision++ {
		if err := sh.Write(e.ctx, []itsm.Update{incident("inc", revision, "")}); err != nil {
			e.Fatal(err)
		}
		e.marker(e.prefix + "signalbox.incidents") // a hole behind each revision
	}
	n.append(itsm.Input{Alerts: alerts("a", 2)})
	if err := sh.Tick(e.ctx, time.Now()); err != nil {
		e.Fatal(err)
	}
	if got := n.Partitions(itsm.TopicIncidents); got != 1 {
		e.Errorf("%d partitions of incidents", got)
	}
	all := n.blocks(itsm.TopicIncidents, 0)
	var keys []string
	for _, p := range all.Published {
		keys = append(keys, p.Key)
	}
	if diff := cmp.Diff([]string{"inc", "inc", "inc"}, keys); diff != "" || all.Lost != 0 || all.Behind != 0 {
		e.Errorf("lost %d, behind %d, keys %s", all.Lost, all.Behind, diff)
	}
	if rest := n.blocks(itsm.TopicIncidents, all.Published[1].Offset); len(rest.Published) != 2 || rest.Next != all.Next {
		e.Errorf("from the second revision: %d to %d", len(rest.Published), rest.Next)
	}
	events := n.blocks(itsm.TopicEvents, 0)
	if len(events.Records) != 2 || len(events.Records[0].Input.Alerts) != 2 || !events.Records[1].Input.Empty() {
		e.Errorf("records %+v", events.Records)
	}
	in := n.LogReader(itsm.TopicEvents, 0, events.Next)
	defer in.Close()
	if b, err := in.Next(e.ctx, time.Millisecond); err != nil || len(b.Records) != 0 || b.Next != events.Next {
		e.Errorf("at the end: %+v, %v", b, err)
	}
}

// blocks reads a partition from an offset to its present end as one block.
func (n *node) blocks(topic itsm.Topic, from int64) (all itsm.Block) {
	n.env.Helper()
	in := n.LogReader(topic, 0, from)
	defer in.Close()
	end := n.env.end(n.env.client(), n.env.prefix+"signalbox."+string(topic))
	for all.Next < end {
		b, err := in.Next(n.env.ctx, patience)
		if err != nil {
			n.env.Fatal(err)
		}
		all.Next, all.Behind, all.Lost = b.Next, b.Behind, all.Lost+b.Lost
		all.Published, all.Records = append(all.Published, b.Published...), append(all.Records, b.Records...)
	}
	return all
}
