package correlate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/correlate"
	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
)

// journal is a log in memory with a checkpoint, and with faults on demand.
type journal struct {
	mu       sync.Mutex
	records  []itsm.Record
	next     int
	state    map[string]itsm.Entity
	at       itsm.Position
	written  []itsm.Update
	unsaved  int // updates since the last checkpoint
	cuts     []int
	recovers int
	fault    func(op string) error // nil: none
	arrived  chan struct{}
}

func newJournal() *journal {
	return &journal{state: map[string]itsm.Entity{}, arrived: make(chan struct{}, 1000), fault: func(string) error { return nil }}
}

// see looks at the journal, or changes it, while a loop may be running.
func (j *journal) see(look func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	look()
}

func (j *journal) add(in itsm.Input) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, itsm.Record{Offset: int64(len(j.records)), Time: time.Now(), Input: in})
	j.arrived <- struct{}{}
}

func (j *journal) Recover(_ context.Context, load func(itsm.Entity) error) (itsm.Position, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.fault("recover"); err != nil {
		return itsm.Position{}, err
	}
	j.recovers++
	j.next = int(j.at.Offset)
	for _, e := range j.state {
		if err := load(e); err != nil {
			return j.at, err
		}
	}
	return j.at, nil
}

func (j *journal) Read(ctx context.Context, wait time.Duration) ([]itsm.Record, error) {
	rs, err := j.take()
	if rs != nil || err != nil {
		return rs, err
	}
	select {
	case <-j.arrived:
	case <-time.After(wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return j.take()
}

func (j *journal) take() (rs []itsm.Record, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.fault("read"); err != nil {
		return nil, err
	}
	if j.next < len(j.records) {
		rs = j.records[j.next:]
	}
	j.next = len(j.records)
	return rs, nil
}

func (j *journal) Write(_ context.Context, us []itsm.Update) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.fault("write"); err != nil {
		return err
	}
	j.written = append(j.written, us...)
	j.unsaved += len(us)
	return nil
}

func (j *journal) Checkpoint(_ context.Context, es []itsm.Entity, at itsm.Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.fault("checkpoint"); err != nil {
		return err
	}
	size := 0
	for _, e := range es {
		size += len(e.Value)
		if e.Value == nil {
			delete(j.state, e.Key)
			continue
		}
		j.state[e.Key] = e
	}
	j.cuts = append(j.cuts, size)
	j.at, j.unsaved = at, 0
	return nil
}

func (j *journal) Tick(_ context.Context, at time.Time) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.fault("tick"); err != nil {
		return err
	}
	j.records = append(j.records, itsm.Record{Offset: int64(len(j.records)), Time: at})
	return nil
}

func (j *journal) end(context.Context) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int64(len(j.records)), nil
}

func (j *journal) Version(context.Context, string) ([]byte, error) { return nil, itsm.ErrNotFound }

// run starts a loop on the journal; the function returned stops it and gives its error.
func (j *journal) run(t *testing.T) (*correlate.Loop, func() error) {
	t.Helper()
	loop, err := correlate.NewLoop(correlate.LoopOptions{
		Journal: j, Versions: j, End: j.end, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		NewEngine: func() (*correlate.Engine, error) {
			return correlate.New(correlate.Options{Shards: 1, Config: correlate.DefaultConfig()})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	return loop, func() error {
		stop()
		return <-done
	}
}

func firing(name string) itsm.Input {
	ls := itsm.NewLabels(map[string]string{"alertname": name, "severity": "critical"})
	return itsm.Input{Alerts: []itsm.Alert{{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, StartsAt: time.Now(), Source: "test"}}}
}

// revisions are the revisions of the only incident in the order of their publication.
func (j *journal) revisions() []int {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []int
	for _, u := range j.written {
		if u.Incident != nil {
			out = append(out, u.Incident.Revision)
		}
	}
	return out
}

// What is applied is published, then saved within a second, and a new owner goes on from there.
func TestLoop_checkpointsEverySecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		loop, stop := j.run(t)
		<-loop.Ready()
		alert := firing("DiskFull")
		j.add(alert)
		synctest.Wait()
		if got := j.revisions(); !slices.Equal(got, []int{1}) {
			t.Fatalf("published revisions %v, want [1]", got)
		}
		time.Sleep(1500 * time.Millisecond)
		cuts := 0
		j.see(func() {
			if cuts = len(j.cuts); j.at.Offset != 1 || j.unsaved != 0 {
				t.Errorf("after a second the checkpoint is at %d with %d updates unsaved", j.at.Offset, j.unsaved)
			}
		})
		time.Sleep(10 * time.Second)
		j.see(func() {
			if len(j.cuts) != cuts {
				t.Errorf("an idle shard wrote %d checkpoints", len(j.cuts)-cuts)
			}
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		_, stop = j.run(t)
		j.add(alert) // the same period again: nothing new
		synctest.Wait()
		if got := j.revisions(); !slices.Equal(got, []int{1}) {
			t.Errorf("published revisions %v after a restart, want [1]", got)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Much that changes within a second is saved in pieces, so that a checkpoint stays one batch.
func TestLoop_checkpointsWhenMuchChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		loop, stop := j.run(t)
		<-loop.Ready()
		for round := range 6 {
			var in itsm.Input
			for i := range 5000 {
				in.Alerts = append(in.Alerts, firing(fmt.Sprintf("A%d-%d", round, i)).Alerts...)
			}
			j.add(in)
			synctest.Wait()
		}
		j.see(func() {
			if len(j.cuts) < 2 {
				t.Errorf("%d checkpoints without time passing, want several", len(j.cuts))
			}
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if j.unsaved != 0 {
			t.Error("a graceful stop leaves something unsaved")
		}
	})
}

// A due timer fires by a record, exactly once, when nothing else comes.
func TestLoop_ticksWhenATimerIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		loop, stop := j.run(t)
		<-loop.Ready()
		in := firing("JobFailed")
		in.Alerts[0].EndsAt = time.Now().Add(time.Minute)
		j.add(in)
		time.Sleep(time.Hour)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		var ticks []time.Time
		for _, r := range j.records[1:] {
			ticks = append(ticks, r.Time)
		}
		last := j.written[len(j.written)-1]
		if len(ticks) == 0 || len(ticks) > 3 || last.Incident == nil || last.Incident.AlertCounts.Expired != 1 {
			t.Errorf("ticks at %v, last update %+v; want one at each deadline and an expired alert", ticks, last.Incident)
		}
	})
}

// While the log is not available the shard is taken over again and again; then everything is
// there once, with revisions that go on.
func TestLoop_takesOverAgain(t *testing.T) {
	for _, op := range []string{"recover", "read", "write", "checkpoint", "tick"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				loop, stop := j.run(t)
				<-loop.Ready()
				j.add(firing("First"))
				time.Sleep(2 * time.Second) // saved
				left, hit := 3, 0
				fault := func(at string) error {
					if (at == op || op == "recover" && at == "read") && left > 0 {
						left, hit = left-1, hit+1
						return fmt.Errorf("%w: test", itsm.ErrUnavailable)
					}
					return nil
				}
				j.see(func() { j.fault = fault })
				in := firing("First")
				in.Alerts[0].EndsAt = time.Now().Add(30 * time.Second) // ends by a tick
				in.Alerts = append(in.Alerts, firing("Second").Alerts...)
				j.add(in)
				time.Sleep(2 * time.Minute)
				if !loop.CaughtUp() {
					t.Error("the loop has not caught up")
				}
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if hit != 3 || j.recovers < 2 {
					t.Errorf("%d faults, %d takeovers", hit, j.recovers)
				}
				if diff := cmp.Diff(rows(replayed(t, j.records)), rows(j.written), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("what was published differs from a run without faults (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// replayed are the updates that follow from records in one go.
func replayed(t *testing.T, records []itsm.Record) []itsm.Update {
	t.Helper()
	e, err := correlate.New(correlate.Options{Shards: 1, Config: correlate.DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	var out []itsm.Update
	for _, r := range records {
		out = append(out, e.Apply(r.Time, r.Input)...)
	}
	return out
}

// rows are the incidents of updates by id and revision.
func rows(updates []itsm.Update) map[string]itsm.Incident {
	out := map[string]itsm.Incident{}
	for _, u := range updates {
		if u.Incident != nil {
			out[fmt.Sprintf("%s/%d", u.IncidentID, u.Incident.Revision)] = *u.Incident
		}
	}
	return out
}

// A fault that will not pass ends the loop, and so does a newer owner.
func TestLoop_endsOnWhatWillNotPass(t *testing.T) {
	for _, cause := range []error{itsm.ErrFenced, errors.New("a bug")} {
		synctest.Test(t, func(t *testing.T) {
			j := newJournal()
			loop, stop := j.run(t)
			<-loop.Ready()
			j.see(func() {
				j.fault = func(op string) error {
					if op == "write" {
						return cause
					}
					return nil
				}
			})
			j.add(firing("DiskFull"))
			synctest.Wait()
			if err := stop(); !errors.Is(err, cause) {
				t.Errorf("the loop ended with %v, want %v", err, cause)
			}
			if j.at.Offset != 0 {
				t.Error("a checkpoint passes what was not published")
			}
		})
	}
}
