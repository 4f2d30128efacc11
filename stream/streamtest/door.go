package streamtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"signalbox/itsm"
	"signalbox/stream"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// testRoundTrip: what is appended is what the shard reads, with every field, stamped with the
// time at which it was accepted.
func testRoundTrip(e *env) {
	n := e.open().runDoor()
	id, err := n.PutVersion(e.ctx, []byte("an estate"))
	if err != nil {
		e.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 123_456_789).UTC()
	revision, until := 3, at.Add(time.Hour)
	ls := itsm.NewLabels(map[string]string{"alertname": "DiskFull", "host": "db-1", "empty": "", "ünïcode": "ß\n\x00"})
	inputs := []itsm.Input{
		{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: id, Data: []byte("an estate")}}},
		{Alerts: []itsm.Alert{{
			Labels: ls, Fingerprint: ls.Fingerprint(), Annotations: itsm.NewLabels(map[string]string{"summary": "full"}),
			Status: itsm.StatusResolved, StartsAt: at, EndsAt: until, GeneratorURL: "http://prometheus/graph", Source: "webhook",
			GroupKey: `{}:{job="a"}`, Resend: true, ObservedAt: at.Add(time.Nanosecond),
		}}},
		{Changes: []itsm.Change{{
			ID: "CHG-1", Kind: "deploy", Items: []string{"web"}, Labels: ls, Title: "release", Status: "succeeded", StartsAt: at,
			EndsAt: &until, By: "ci", URL: "http://ci/1",
		}}},
		{Commands: []itsm.Command{{
			ID: "c1", Action: itsm.ActionHold, Incident: itsm.IncidentRef{ID: "INC-000001"}, By: "anna", Revision: &revision,
			Reason: "vendor", Until: &until,
		}}},
	}
	before := time.Now().Add(-time.Millisecond)
	for _, in := range inputs {
		n.append(in)
	}
	sh, _, _ := n.own(0)
	rs := e.read(sh, len(inputs))
	var got []itsm.Input
	for _, r := range rs {
		got = append(got, r.Input)
		if r.Time.Before(before) || r.Time.After(time.Now().Add(time.Second)) {
			e.Errorf("record %d is stamped %s", r.Offset, r.Time)
		}
	}
	if diff := cmp.Diff(inputs, got, cmpopts.EquateEmpty()); diff != "" {
		e.Error(diff)
	}
	n.append(itsm.Input{})
	if again := n.recorded(0); len(again) != len(inputs) {
		e.Errorf("%d records after an empty input, want %d", len(again), len(inputs))
	}
}

// testOrder: what one sender appends after an answer comes after what was answered, and offsets
// only grow.
func testOrder(e *env) {
	n := e.open().runDoor()
	var want []string
	for i := range 50 {
		name := fmt.Sprintf("a%02d", i)
		want = append(want, name)
		n.append(itsm.Input{Alerts: []itsm.Alert{alert(name)}})
	}
	sh, _, _ := n.own(0)
	rs := e.read(sh, len(want))
	if diff := cmp.Diff(want, names(rs)); diff != "" {
		e.Error(diff)
	}
	for i := 1; i < len(rs); i++ {
		if rs[i].Offset <= rs[i-1].Offset {
			e.Errorf("offset %d after %d", rs[i].Offset, rs[i-1].Offset)
		}
	}
}

// testSizes: a record holds at most 1,000 alerts and 512 KiB, unless a single alert is larger. A
// larger request is split in order.
func testSizes(e *env) {
	for _, c := range []struct {
		name        string
		alerts      []itsm.Alert
		wantRecords []int
	}{
		{"alerts", alerts("n", 2500), []int{1000, 1000, 500}},
		{"bytes", large(12, 100<<10), []int{5, 5, 2}},
		{"one too large", append(large(1, 600<<10), alerts("n", 3)...), []int{1, 3}},
	} {
		sub := &env{T: e.T, ctx: e.ctx, brokers: e.brokers, prefix: e.prefix + strings.ReplaceAll(c.name, " ", "-") + "."}
		n := sub.open().runDoor()
		n.append(itsm.Input{Alerts: c.alerts})
		rs := n.recorded(0)
		var got []int
		for _, r := range rs {
			got = append(got, len(r.Input.Alerts))
		}
		if diff := cmp.Diff(c.wantRecords, got); diff != "" {
			e.Errorf("%s: %s", c.name, diff)
		}
		var want []string
		for _, a := range c.alerts {
			want = append(want, a.Labels.Get("alertname"))
		}
		if diff := cmp.Diff(want, names(rs)); diff != "" {
			e.Errorf("%s: %s", c.name, diff)
		}
	}
}

func large(n, size int) []itsm.Alert {
	as := alerts("large", n)
	for i := range as {
		as[i].Annotations = itsm.NewLabels(map[string]string{"dump": strings.Repeat("x", size)})
	}
	return as
}

// testGather: what waits goes into one record.
func testGather(e *env) {
	n := e.open(func(o *stream.Options) { o.Config.Linger = time.Second })
	const senders = 20
	var g sync.WaitGroup
	for i := range senders {
		g.Go(func() {
			if err := n.Door().Append(e.ctx, itsm.Input{Alerts: alerts(fmt.Sprintf("s%02d-", i), 2)}); err != nil {
				e.Error(err)
			}
		})
	}
	e.until("all wait", func() bool { return int(n.metric("signalbox_stream_queue_entries")) == senders })
	n.runDoor()
	g.Wait()
	if rs := n.recorded(0); len(rs) != 1 || len(rs[0].Input.Alerts) != 2*senders {
		e.Errorf("%d records with %d alerts, want 1 with %d", len(rs), len(names(rs)), 2*senders)
	}
}

// testAnswersAfterAck: Append does not return before the broker has answered.
func testAnswersAfterAck(e *env) {
	net := newNetwork()
	n := e.open(net.use).runDoor()
	net.mu.Lock()
	net.hold = make(chan struct{})
	release := sync.OnceFunc(func() { close(net.hold) })
	net.mu.Unlock()
	defer release()
	answered := make(chan error, 1)
	go func() { answered <- n.Door().Append(e.ctx, itsm.Input{Alerts: alerts("a", 3)}) }()
	select {
	case <-net.waiting:
	case <-e.ctx.Done():
		e.Fatal("nothing was written")
	}
	select {
	case err := <-answered:
		e.Errorf("answered before the broker: %v", err)
	default:
	}
	release()
	select {
	case err := <-answered:
		if err != nil {
			e.Error(err)
		}
	case <-e.ctx.Done():
		e.Fatal("no answer")
	}
}

// testOverload: what does not fit into the queue is refused at once, all of it, and what is in
// the queue is not lost.
func testOverload(e *env) {
	n := e.open(func(o *stream.Options) {
		o.Config.QueueEntries = 2
		o.Config.Shards = 2
		o.ShardBy = []string{"alertname"}
	})
	both := onEveryShard(2)
	answered := make(chan error, 1)
	go func() {
		answered <- n.Door().Append(e.ctx, itsm.Input{Alerts: []itsm.Alert{both[1], both[1]}, Changes: []itsm.Change{{ID: "c", Kind: "deploy"}}})
	}()
	// One change for each shard, and the alerts of shard 1, whose queue is full now.
	e.until("the first waits", func() bool { return n.metric("signalbox_stream_queue_entries") == 3 })
	if err := n.Door().Append(e.ctx, itsm.Input{Alerts: both}); !errors.Is(err, itsm.ErrOverloaded) {
		e.Errorf("a full queue: %v, want ErrOverloaded", err)
	}
	if got := n.metric("signalbox_stream_queue_entries"); got != 3 {
		e.Errorf("%v wait after a refusal, want 3: all or nothing", got)
	}
	n.runDoor()
	if err := <-answered; err != nil {
		e.Error(err)
	}
	n.append(itsm.Input{Alerts: both})
	got := len(names(n.recorded(0))) + len(names(n.recorded(1)))
	if got != 4 {
		e.Errorf("%d alerts are there, want 4", got)
	}
}

// testEngineBehind: a door takes no more than the log keeps until the engine has read it.
func testEngineBehind(e *env) {
	n := e.open(func(o *stream.Options) { o.Config.EventsMaxBytes = 8 << 20 }).runDoor()
	sh, _, _ := n.own(0)
	taken := 0
	var err error
	for ; err == nil && taken < 100; taken++ {
		err = n.Door().Append(e.ctx, itsm.Input{Alerts: large(1, 400<<10)})
	}
	if !errors.Is(err, itsm.ErrOverloaded) || taken < 5 {
		e.Fatalf("after %d × 400 KiB of 8 MiB: %v, want ErrOverloaded at about half", taken, err)
	}
	rs := e.read(sh, taken-1)
	if len(rs) != taken-1 {
		e.Errorf("%d records, want %d", len(rs), taken-1)
	}
	n.append(itsm.Input{Alerts: alerts("after", 1)})
}

// testBrokerAway: while the broker cannot be reached, senders and shards get an error that says
// so, within the time limit; when it is back, the same door goes on, and so does the shard once it
// was taken over again.
func testBrokerAway(e *env) {
	net := newNetwork()
	n := e.open(net.use, func(o *stream.Options) { o.Config.ProduceTimeout = time.Second }).runDoor()
	sh, _, _ := n.own(0)
	n.append(itsm.Input{Alerts: alerts("before", 1)})
	net.setDown(true)
	for what, err := range map[string]error{
		"append":     n.Door().Append(e.ctx, itsm.Input{Alerts: alerts("meanwhile", 1)}),
		"write":      sh.Write(e.ctx, []itsm.Update{incident("i", 1, "")}),
		"checkpoint": sh.Checkpoint(e.ctx, nil, position(1)),
	} {
		if !errors.Is(err, itsm.ErrUnavailable) {
			e.Errorf("%s without a broker: %v, want ErrUnavailable", what, err)
		}
	}
	if _, err := sh.Recover(e.ctx, func(itsm.Entity) error { return nil }); !errors.Is(err, itsm.ErrUnavailable) {
		e.Errorf("a takeover without a broker: %v, want ErrUnavailable", err)
	}
	net.setDown(false)
	n.append(itsm.Input{Alerts: alerts("after", 1)})
	if _, err := sh.Recover(e.ctx, func(itsm.Entity) error { return nil }); err != nil {
		e.Fatal(err)
	}
	got := names(e.read(sh, 2))
	if len(got) < 2 || got[0] != "before00000" || got[len(got)-1] != "after00000" {
		e.Errorf("the shard reads %v", got)
	}
	if err := sh.Write(e.ctx, []itsm.Update{incident("i", 1, "")}); err != nil {
		e.Error(err)
	}
}

// onEveryShard returns one alert for each shard, when alertname chooses it.
func onEveryShard(shards int) []itsm.Alert {
	found := make([]itsm.Alert, shards)
	for i, left := 0, shards; left > 0; i++ {
		a := alert(fmt.Sprintf("on%d", i))
		if s := a.Labels.Shard([]string{"alertname"}, shards); found[s].Labels == nil {
			found[s], left = a, left-1
		}
	}
	return found
}

// testEveryShard: alerts go to the shard of their labels; changes and adoptions to all; commands
// to the shard that their incident's number names, to all when it names none.
func testEveryShard(e *env) {
	const shards = 3
	n := e.open(func(o *stream.Options) { o.Config.Shards = shards; o.ShardBy = []string{"alertname"} }).runDoor()
	id, err := n.PutVersion(e.ctx, []byte("rules"))
	if err != nil {
		e.Fatal(err)
	}
	as := onEveryShard(shards)
	n.append(itsm.Input{
		Adopt: &itsm.Adopt{Rules: &itsm.Version{ID: id}}, Changes: []itsm.Change{{ID: "CHG", Kind: "deploy"}}, Alerts: as,
		Commands: []itsm.Command{
			{ID: "named", Action: itsm.ActionClose, Incident: itsm.IncidentRef{ID: "INC-1-000007"}},
			{ID: "unnamed", Action: itsm.ActionClose, Incident: itsm.IncidentRef{Alert: 1}},
		},
	})
	for shard := range shards {
		var adopted, changes int
		var commands []string
		rs := n.recorded(shard)
		for _, r := range rs {
			if r.Input.Adopt != nil {
				adopted++
			}
			changes += len(r.Input.Changes)
			for _, c := range r.Input.Commands {
				commands = append(commands, c.ID)
			}
		}
		want := []string{"unnamed"}
		if shard == 1 {
			want = []string{"named", "unnamed"}
		}
		if diff := cmp.Diff(want, commands); diff != "" || adopted != 1 || changes != 1 {
			e.Errorf("shard %d: %d adoptions, %d changes, commands %s", shard, adopted, changes, diff)
		}
		if diff := cmp.Diff([]string{as[shard].Labels.Get("alertname")}, names(rs)); diff != "" {
			e.Errorf("shard %d: %s", shard, diff)
		}
	}
}

// testShardMismatch: the number of shards is fixed when the topics are created.
func testShardMismatch(e *env) {
	e.open(func(o *stream.Options) { o.Config.Shards = 2 })
	_, err := e.tryOpen(func(o *stream.Options) { o.Config.Shards = 3 })
	if err == nil || !strings.Contains(err.Error(), "set kafka.shards to 2") {
		e.Errorf("3 shards on topics of 2: %v", err)
	}
}

// testEpoch: the incidents topic keeps its epoch, another one has another.
func testEpoch(e *env) {
	first := e.open().Epoch()
	if again := e.open().Epoch(); first == "" || again != first {
		e.Errorf("epoch %q, then %q", first, again)
	}
	other := e.open(func(o *stream.Options) { o.Config.TopicPrefix = e.prefix + "other." }).Epoch()
	if other == first {
		e.Errorf("two topics have epoch %q", first)
	}
}
