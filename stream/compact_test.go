package stream

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// lastValues is what a tail leaves: the newest value of each key, and how many records it saw.
func lastValues(t *testing.T, s *Stream) (map[string]string, int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	last, n, caughtUp := map[string]string{}, 0, false
	err := s.Tail(ctx, TailOptions{
		Topics: []itsm.Topic{itsm.TopicIncidents, itsm.TopicTimeline, itsm.TopicCMDB},
		Apply: func(ps []itsm.Published) error {
			for _, p := range ps {
				n++
				last[string(p.Topic)+" "+p.Key] = string(p.Value)
			}
			return nil
		},
		CaughtUp: func() { caughtUp = true; stop() },
	})
	if err != nil || !caughtUp {
		t.Fatalf("tail: %v, caught up: %t", err, caughtUp)
	}
	return last, n
}

func revision(id string, revision int) itsm.Update {
	return itsm.Update{
		IncidentID: id, Incident: &itsm.Incident{ID: id, Revision: revision},
		Entries: []itsm.Entry{{Seq: 1, Text: strconv.Itoa(revision), Data: []byte("{}")}},
	}
}

func recovered(t *testing.T, s *Stream) (*Shard, itsm.Position, map[string]string) {
	t.Helper()
	sh := s.Shard(0)
	t.Cleanup(func() { _ = sh.Close() })
	state := map[string]string{}
	at, err := sh.Recover(t.Context(), func(e itsm.Entity) error { state[e.Key] = string(e.Value); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return sh, at, state
}

// fill writes many revisions of few incidents, and as many checkpoints.
func fill(t *testing.T, sh *Shard, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		id := fmt.Sprintf("inc-%d", i%7)
		if err := sh.Write(t.Context(), []itsm.Update{revision(id, i)}); err != nil {
			t.Fatal(err)
		}
		at := itsm.Position{Offset: int64(i), Clock: time.Unix(int64(i), 0).UTC()}
		if err := sh.Checkpoint(t.Context(), []itsm.Entity{{Key: id, Value: fmt.Append(nil, i)}}, at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCompaction: with compaction between and during writes, a tail from the beginning gets the
// newest value of every key, a new owner the last checkpoint, and far fewer records are read.
func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	s, stop := openStream(t, b.Addr())
	sh, _, _ := recovered(t, s)
	fill(t, sh, 0, 100)
	before, n := lastValues(t, s)
	if err := b.Compact(); err != nil {
		t.Fatal(err)
	}
	after, less := lastValues(t, s)
	if diff := cmp.Diff(before, after); diff != "" || less > n/4 {
		t.Errorf("%d records, after compaction %d: %s", n, less, diff)
	}
	var g sync.WaitGroup
	g.Go(func() {
		for range 5 {
			if err := b.Compact(); err != nil {
				t.Error(err)
			}
		}
	})
	fill(t, sh, 100, 100)
	g.Wait()
	want, _ := lastValues(t, s)
	_, at, state := recovered(t, s)
	if at.Offset != 199 || len(state) != 7 || state["inc-3"] != "199" {
		t.Errorf("recovered %d, %v", at.Offset, state)
	}
	if got := testutil.CollectAndCount(b.met.pause); got != 1 {
		t.Errorf("%d metrics of the pause", got)
	}
	stop()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = startBroker(t, dir)
	defer closeBroker(t, b)
	s, stop = openStream(t, b.Addr())
	defer stop()
	got, _ := lastValues(t, s)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
}

func closeBroker(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestCompactionWaits: what was replaced stays over starts of the broker while somebody has not read it, and goes afterwards.
func TestCompactionWaits(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	s, stop := openStream(t, b.Addr())
	sh, _, _ := recovered(t, s)
	fill(t, sh, 0, 100)
	_, written := lastValues(t, s)
	unread := true
	for _, want := range []bool{true, false} {
		stop()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		unread = want
		var err error
		b, err = StartBroker(BrokerOptions{
			DataDir: dir, Config: DefaultConfig(), Unread: func() bool { return unread }, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		s, stop = openStream(t, b.Addr())
		if _, n := lastValues(t, s); unread && n != written || !unread && n > written/4 {
			t.Errorf("unread %t: %d records of %d", unread, n, written)
		}
	}
	stop()
	closeBroker(t, b)
}

// TestInterruptedCompaction: wherever a crash hits a compaction, which deletes files and writes
// new ones, the next start finds everything.
func TestInterruptedCompaction(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	s, stop := openStream(t, b.Addr())
	sh, _, _ := recovered(t, s)
	fill(t, sh, 0, 50)
	want, _ := lastValues(t, s)
	parts, _, err := b.compactedParts()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.link(parts); err != nil {
		t.Fatal(err)
	}
	stop()
	closeBroker(t, b)
	for name, harm := range map[string]func(t *testing.T, dir string){
		"while linking": func(t *testing.T, dir string) {
			t.Helper()
			rename(t, filepath.Join(dir, "kafka.compacting"), filepath.Join(dir, "kafka.compacting.tmp"))
		},
		"before": func(*testing.T, string) {},
		"old files gone": func(t *testing.T, dir string) {
			t.Helper()
			eachSegment(t, dir, "signalbox.", func(path string) error { return os.Remove(path) })
		},
		"new files cut off": func(t *testing.T, dir string) {
			t.Helper()
			eachSegment(t, dir, "signalbox.", func(path string) error {
				if err := os.Remove(path); err != nil {
					return err
				}
				return os.WriteFile(path, []byte("half a batch"), 0o600)
			})
		},
		"repair interrupted": func(t *testing.T, dir string) {
			t.Helper()
			part := "signalbox.state-0"
			if err := os.RemoveAll(filepath.Join(dir, "kafka", "partitions", part)); err != nil {
				t.Fatal(err)
			}
			rename(t, filepath.Join(dir, "kafka.compacting", part), filepath.Join(dir, "kafka", "partitions", part))
		},
		"after": func(t *testing.T, dir string) {
			t.Helper()
			rename(t, filepath.Join(dir, "kafka.compacting"), filepath.Join(dir, "kafka.compacting.tmp"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			crashed := t.TempDir()
			if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			harm(t, crashed)
			b := startBroker(t, crashed)
			defer closeBroker(t, b)
			s, stop := openStream(t, b.Addr())
			defer stop()
			got, _ := lastValues(t, s)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			_, at, state := recovered(t, s)
			if at.Offset != 49 || len(state) != 7 {
				t.Errorf("recovered %d, %v", at.Offset, state)
			}
			for _, left := range []string{b.linksDir(), b.linksDir() + ".tmp"} {
				if _, err := os.Stat(left); !os.IsNotExist(err) {
					t.Errorf("%s is still there: %v", left, err)
				}
			}
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// eachSegment visits the segments of the compacted partitions.
func eachSegment(t *testing.T, dir, prefix string, visit func(path string) error) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(dir, "kafka", "partitions"), func(path string, d fs.DirEntry, err error) error {
		part := filepath.Base(filepath.Dir(path))
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".dat") || !strings.HasPrefix(part, prefix) ||
			strings.Contains(part, "events") || strings.Contains(part, "deadletter") {
			return err
		}
		n++
		return visit(path)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d segments, %v", n, err)
	}
}

// TestRetention: old inputs leave the log, offsets go on where they were even when all have left
// and the broker is started again, and what is in force stays however old it is.
func TestRetention(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	s, stop := openStream(t, b.Addr())
	sh, _, _ := recovered(t, s)
	old := time.Now().Add(-30 * 24 * time.Hour)
	var bt batch
	for i := range 5 {
		bt.reset()
		bt.add(shardKey(0), appendTime(nil, old.Add(time.Duration(i)*time.Minute)))
		if _, err := s.produce(t.Context(), topicEvents, 0, bt.seal(anonymous(), old)); err != nil {
			t.Fatal(err)
		}
	}
	bt.reset()
	bt.add([]byte("inc-old"), []byte(`{"id":"inc-old"}`))
	if _, err := s.produce(t.Context(), itsm.TopicIncidents, 0, bt.seal(anonymous(), old)); err != nil {
		t.Fatal(err)
	}
	fill(t, sh, 0, 3)
	rs := readAll(t, sh, 5)
	if err := sh.Checkpoint(t.Context(), nil, itsm.Position{Offset: rs[4].Offset + 1, Clock: old}); err != nil {
		t.Fatal(err)
	}
	if err := b.retain(t.Context(), time.Now().Add(8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	stop()
	closeBroker(t, b)

	b = startBroker(t, dir)
	defer closeBroker(t, b)
	s, stop = openStream(t, b.Addr())
	defer stop()
	n := 0
	if err := s.Events(t.Context(), 0, 0, func(itsm.Record) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("%d inputs are left, %v", n, err)
	}
	if last, _ := lastValues(t, s); last["incidents inc-old"] == "" {
		t.Error("retention has eaten an incident in force")
	}
	sh, at, _ := recovered(t, s)
	if err := sh.Tick(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if r := readAll(t, sh, 1)[0]; r.Offset <= rs[4].Offset || at.Offset <= rs[4].Offset {
		t.Errorf("offset %d after %d, position %d", r.Offset, rs[4].Offset, at.Offset)
	}
}

func readAll(t *testing.T, sh *Shard, want int) []itsm.Record {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var all []itsm.Record
	for len(all) < want {
		rs, err := sh.Read(ctx, 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rs...)
	}
	return all
}

// TestLostRecords: when records leave the log before they were applied, the shard says so and
// goes on with what there is.
func TestLostRecords(t *testing.T) {
	b := startBroker(t, t.TempDir())
	defer closeBroker(t, b)
	s, stop := openStream(t, b.Addr())
	defer stop()
	old := time.Now().Add(-30 * 24 * time.Hour)
	for range 3 {
		var bt batch
		bt.add(shardKey(0), appendTime(nil, old))
		if _, err := s.produce(t.Context(), topicEvents, 0, bt.seal(anonymous(), old)); err != nil {
			t.Fatal(err)
		}
	}
	sh, _, _ := recovered(t, s)
	if err := b.retain(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := sh.Tick(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if r := readAll(t, sh, 1)[0]; r.Time.Equal(old) {
		t.Errorf("read %+v", r)
	}
	if got := testutil.ToFloat64(s.met.lost); got != 3 {
		t.Errorf("%v lost records counted, want 3", got)
	}
	if got := testutil.ToFloat64(b.met.trimmed); got != 3 {
		t.Errorf("%v trimmed records counted, want 3", got)
	}
}

// TestRetentionBySize: events keeps to its size, also to one that was set later.
func TestRetentionBySize(t *testing.T) {
	cfg := DefaultConfig()
	dir := t.TempDir()
	b := startBroker(t, dir)
	_, stop := openStream(t, b.Addr()) // creates the topics with room for all
	stop()
	closeBroker(t, b)
	cfg.EventsMaxBytes = 1 << 20
	b, err := StartBroker(BrokerOptions{DataDir: dir, Config: cfg, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	defer closeBroker(t, b)
	s, stop := openConfigured(t, b.Addr(), cfg)
	defer stop()
	for i := range 8 {
		a := someAlert(strconv.Itoa(i))
		a.Annotations = itsm.NewLabels(map[string]string{"dump": strings.Repeat("x", 300<<10)})
		if err := s.Door().Append(t.Context(), itsm.Input{Alerts: []itsm.Alert{a}}); err != nil {
			t.Fatal(err)
		}
	}
	b.tidy(t.Context(), time.Now())
	var left []string
	err = s.Events(t.Context(), 0, 0, func(r itsm.Record) error {
		left = append(left, r.Input.Alerts[0].Labels.Get("alertname"))
		return nil
	})
	if diff := cmp.Diff([]string{"5", "6", "7"}, left); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
