// Package streamtest holds the promises of package stream as a test suite. It knows a broker by
// its address only, so the same suite runs on the embedded broker and on Apache Kafka. It refuses
// to look inside: what it checks is what a user of stream, or of the topics, can see.
package streamtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
	"signalbox/stream"

	"github.com/prometheus/client_golang/prometheus"
)

// patience is how long anything may take.
const patience = 30 * time.Second

// Run checks every promise against the brokers that start returns. Each test has topics of its
// own, so the brokers may serve others, too.
func Run(t *testing.T, start func(t *testing.T) (brokers []string)) {
	t.Helper()
	brokers := start(t)
	for _, c := range []struct {
		name string
		test func(*env)
	}{
		{"RoundTrip", testRoundTrip},
		{"Order", testOrder},
		{"RecordsCloseAtSize", testSizes},
		{"RecordsGather", testGather},
		{"AnswersAfterAck", testAnswersAfterAck},
		{"Overload", testOverload},
		{"EngineBehind", testEngineBehind},
		{"BrokerAway", testBrokerAway},
		{"EveryShard", testEveryShard},
		{"ShardMismatch", testShardMismatch},
		{"EpochStays", testEpoch},
		{"Checkpoint", testCheckpoint},
		{"CheckpointWhole", testCheckpointWhole},
		{"CheckpointTooLarge", testCheckpointTooLarge},
		{"ZombieRefused", testZombie},
		{"Takeover", testTakeover},
		{"ResentBatch", testResentBatch},
		{"OwnerEndsBatches", testOwnerEndsBatches},
		{"EndIsReached", testEnd},
		{"DeadLetters", testDeadLetters},
		{"HeldBack", testHeldBack},
		{"Tick", testTick},
		{"Versions", testVersions},
		{"Retire", testRetire},
		{"Group", testGroup},
		{"GroupFenced", testGroupFenced},
		{"GroupError", testGroupError},
		{"Export", testExport},
		{"Tail", testTail},
		{"TailHoles", testTailHoles},
		{"LogReader", testLogReader},
		{"Forget", testForget},
		{"Follow", testFollow},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			c.test(&env{T: t, ctx: ctx, brokers: brokers, prefix: prefix(c.name)})
		})
	}
}

func prefix(name string) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(name) + "-" + hex.EncodeToString(b[:]) + "."
}

// env is one test with its own topics.
type env struct {
	*testing.T
	ctx     context.Context //nolint:containedctx // it lives as long as the test
	brokers []string
	prefix  string
}

// node is one process of several.
type node struct {
	*stream.Stream
	env *env
	reg *prometheus.Registry
}

// open connects a node. Its door does not run yet.
func (e *env) open(change ...func(*stream.Options)) *node {
	e.Helper()
	n, err := e.tryOpen(change...)
	if err != nil {
		e.Fatal(err)
	}
	return n
}

func (e *env) tryOpen(change ...func(*stream.Options)) (*node, error) {
	n := &node{env: e, reg: prometheus.NewRegistry()}
	opts := stream.Options{
		Config: stream.DefaultConfig(), Brokers: e.brokers, Registerer: n.reg, Logger: slog.New(slog.DiscardHandler),
	}
	opts.Config.TopicPrefix = e.prefix
	for _, f := range change {
		f(&opts)
	}
	s, err := stream.Open(e.ctx, opts)
	if err != nil {
		return nil, err
	}
	n.Stream = s
	e.Cleanup(func() {
		if err := s.Close(); err != nil {
			e.Error(err)
		}
	})
	return n, nil
}

// runDoor runs the door until the test ends.
func (n *node) runDoor() *node {
	ctx, stop := context.WithCancel(n.env.ctx)
	done := make(chan error, 1)
	go func() { done <- n.Door().Run(ctx) }()
	n.env.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			n.env.Error(err)
		}
	})
	return n
}

func (n *node) append(in itsm.Input) {
	n.env.Helper()
	if err := n.Door().Append(n.env.ctx, in); err != nil {
		n.env.Fatal(err)
	}
}

// own takes a shard over and returns it with what its last checkpoint held.
func (n *node) own(shard int) (*stream.Shard, itsm.Position, map[string]string) {
	n.env.Helper()
	sh := n.Shard(shard)
	n.env.Cleanup(func() { _ = sh.Close() }) // it only gives a connection back
	entities := map[string]string{}
	at, err := sh.Recover(n.env.ctx, func(e itsm.Entity) error {
		entities[e.Key] = string(e.Value)
		return nil
	})
	if err != nil {
		n.env.Fatal(err)
	}
	return sh, at, entities
}

// read reads at least so many records.
func (e *env) read(sh *stream.Shard, want int) []itsm.Record {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	var all []itsm.Record
	for len(all) < want {
		rs, err := sh.Read(ctx, 50*time.Millisecond)
		if err != nil {
			e.Fatalf("%d of %d records: %v", len(all), want, err)
		}
		all = append(all, rs...)
	}
	return all
}

// recorded returns the inputs of a shard as an export sees them.
func (n *node) recorded(shard int) []itsm.Record {
	n.env.Helper()
	var all []itsm.Record
	err := n.Events(n.env.ctx, shard, 0, func(r itsm.Record) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		n.env.Fatal(err)
	}
	return all
}

// published returns what a tail that begins now sees until it has caught up.
func (n *node) published(topics ...itsm.Topic) []itsm.Published {
	n.env.Helper()
	ctx, stop := context.WithTimeout(n.env.ctx, patience)
	defer stop()
	var all []itsm.Published
	caughtUp := false
	err := n.Tail(ctx, stream.TailOptions{
		Topics:   topics,
		Apply:    func(ps []itsm.Published) error { all = append(all, ps...); return nil },
		CaughtUp: func() { caughtUp = true; stop() },
	})
	if err != nil || !caughtUp {
		n.env.Fatalf("tail: %v, caught up: %t", err, caughtUp)
	}
	return all
}

// metric sums a metric up over its labels.
func (n *node) metric(name string) (sum float64) {
	n.env.Helper()
	families, err := n.reg.Gather()
	if err != nil {
		n.env.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// until waits for a condition.
func (e *env) until(what string, holds func() bool) {
	e.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			e.Fatalf("waited too long until %s", what)
		}
	}
}

func alert(name string) itsm.Alert {
	ls := itsm.NewLabels(map[string]string{"alertname": name})
	return itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring}
}

func alerts(prefix string, n int) []itsm.Alert {
	var all []itsm.Alert
	for i := range n {
		all = append(all, alert(fmt.Sprintf("%s%05d", prefix, i)))
	}
	return all
}

func names(rs []itsm.Record) []string {
	var all []string
	for _, r := range rs {
		for _, a := range r.Input.Alerts {
			all = append(all, a.Labels.Get("alertname"))
		}
	}
	return all
}

// incident is an update with one revision.
func incident(id string, revision int, title string) itsm.Update {
	inc := itsm.Incident{ID: id, Revision: revision, Title: title}
	return itsm.Update{IncidentID: id, Incident: &inc}
}

// everywhere is an update that reaches every public topic.
func everywhere(id string, revision int) itsm.Update {
	u := incident(id, revision, "")
	a := alert(id)
	u.Alerts = []itsm.AlertChange{{Incident: id, Fingerprint: a.Fingerprint, State: &itsm.AlertState{Fingerprint: a.Fingerprint, Labels: a.Labels}}}
	u.Entries = []itsm.Entry{{Seq: revision, By: itsm.ByEngine, Kind: itsm.EntryOpened, Data: []byte(`{}`)}}
	u.Problem = &itsm.Problem{ID: id, Revision: revision}
	u.Items = []itsm.Item{{ID: id, Class: "host"}}
	u.Relations = []itsm.Relation{{From: id, Type: "runs_on", To: id + "-host"}}
	return u
}

func keys(ps []itsm.Published) []string {
	var all []string
	for _, p := range ps {
		all = append(all, string(p.Topic)+" "+p.Key)
	}
	slices.Sort(all)
	return all
}

// wantFenced checks the error of an owner that is no longer one.
func (e *env) wantFenced(what string, err error) {
	e.Helper()
	if !errors.Is(err, itsm.ErrFenced) {
		e.Errorf("%s by the earlier owner: %v, want ErrFenced", what, err)
	}
}
