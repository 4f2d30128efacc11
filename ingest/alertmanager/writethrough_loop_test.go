package alertmanager

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/itsm"
)

// silencedMember is an Alertmanager with one list of alerts.
type silencedMember struct {
	mu       sync.Mutex
	silences fakeSilences
	listed   []itsm.Labels
	away     bool
	refuses  string // silences with this value in a matcher
	asked    int    // how often it was asked for its silences
	written  int
}

func (m *silencedMember) count(of func(m *silencedMember) int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return of(m)
}

func (m *silencedMember) URL() string { return "http://fake" }

func (m *silencedMember) Alerts(_ context.Context, yield func(Listed) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.listed {
		if err := yield(Listed{Labels: l}); err != nil {
			return err
		}
	}
	return nil
}

func (m *silencedMember) Silences(_ context.Context, yield func(Silence) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.away {
		return errors.New("connection refused")
	}
	for _, s := range m.silences.at(time.Now()) {
		if err := yield(s); err != nil {
			return err
		}
	}
	return nil
}

func (m *silencedMember) PutSilence(_ context.Context, s itsm.Silence) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written++
	if m.refuses != "" && slices.ContainsFunc(s.Matchers, func(x itsm.Matcher) bool { return x.Value == m.refuses }) {
		return "", &StatusError{400, "exceeded maximum number of silences"}
	}
	return "", m.silences.put(time.Now(), s)
}

func (m *silencedMember) ExpireSilence(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.silences.expire(time.Now(), id)
	return nil
}

func (m *silencedMember) set(change func(*silencedMember)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// active are the instances that are silent.
func (m *silencedMember) active() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []string{}
	for _, s := range m.silences.at(time.Now()) {
		if s.Status.State == itsm.SilenceActive {
			for _, x := range s.Matchers {
				if x.Name == "instance" {
					out = append(out, x.Value)
				}
			}
		}
	}
	return out
}

// silencerWorld is a Silencer with what it looks at.
type silencerWorld struct {
	*Silencer
	members []*silencedMember

	mu    sync.Mutex
	holds []Hold
	ours  bool
}

// runSilencer runs one with two members in the bubble of a test.
func runSilencer(t *testing.T) *silencerWorld {
	t.Helper()
	w := &silencerWorld{members: []*silencedMember{{}, {}}, ours: true}
	for _, m := range w.members {
		m.listed = []itsm.Labels{labelSet("alertname=Down", "instance=a"), labelSet("alertname=Down", "instance=b")}
	}
	var err error
	w.Silencer, err = NewSilencer(SilencerOptions{
		Config: Config{Name: "prod", Interval: time.Minute}, Members: []SilenceMember{w.members[0], w.members[1]},
		Holds: func(time.Time, time.Duration) []Hold {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.holds
		},
		Installation: func() string { return "here" },
		Ours: func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.ours
		},
		Metrics: NewSilencerMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return w
}

// acknowledge has these instances acknowledged, and says that the board has changed.
func (w *silencerWorld) acknowledge(instances ...string) {
	var sets []itsm.Labels
	for _, i := range instances {
		sets = append(sets, labelSet("alertname=Down", "instance="+i))
	}
	w.mu.Lock()
	w.holds = []Hold{{Kind: HoldAcknowledged, ID: "id-1", Name: "INC-000001", By: "maria", Alerts: held(sets...)}}
	w.mu.Unlock()
	w.Kick()
}

// after lets time pass and looks at what is silent.
func (w *silencerWorld) after(t *testing.T, d time.Duration, member int, want ...string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if diff := gocmp.Diff(append([]string{}, want...), w.members[member].active()); diff != "" {
		t.Errorf("silent (-want +got):\n%s", diff)
	}
}

func TestSilencer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runSilencer(t)
		w.after(t, 10*time.Second, 0)
		w.acknowledge("a")
		w.after(t, 2*time.Second, 0, "a")
		if state := w.State(); state.Error != "" || state.Wanted != 1 || state.Held["id-1"] != 1 || !state.Writes || state.LastAt == nil {
			t.Errorf("state %+v", state)
		}
		asked := w.members[0].count(func(m *silencedMember) int { return m.asked })
		for range 20 { // a board on which other things change
			w.Kick()
			time.Sleep(100 * time.Millisecond)
		}
		if more := w.members[0].count(func(m *silencedMember) int { return m.asked }) - asked; more != 0 {
			t.Errorf("asked %d times for nothing", more)
		}
		for range 10 { // it never ends as long as it is wanted
			w.after(t, 7*time.Minute, 0, "a")
		}
		if n := w.members[0].count(func(m *silencedMember) int { return m.written }); n < 8 || n > 20 {
			t.Errorf("%d writes in 70 minutes", n)
		}
		w.acknowledge("a", "b")
		w.after(t, 2*time.Second, 0, "a", "b")
		w.acknowledge()
		w.after(t, 2*time.Second, 0)
		if got := w.members[1].count(func(m *silencedMember) int { return m.written }); got != 0 {
			t.Errorf("%d writes to the other member", got)
		}
	})
}

func TestSilencer_away(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runSilencer(t)
		time.Sleep(time.Minute)
		w.members[0].set(func(m *silencedMember) { m.away = true })
		w.acknowledge("a")
		w.after(t, 2*time.Second, 1, "a") // the other one spreads it
		w.members[1].set(func(m *silencedMember) { m.away = true })
		w.acknowledge("a", "b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if state := w.State(); !strings.Contains(state.Error, "connection refused") {
			t.Errorf("state %+v", state)
		}
		if failed := testutil.ToFloat64(w.o.Metrics.failed.WithLabelValues("prod")); failed < 60 || failed > 140 {
			t.Errorf("%v attempts in an hour", failed)
		}
		w.members[1].set(func(m *silencedMember) { m.away = false })
		w.after(t, lastRetry+time.Second, 1, "a", "b")
		if state := w.State(); state.Error != "" || state.Held["id-1"] != 2 {
			t.Errorf("state %+v", state)
		}
	})
}

// TestSilencer_refused: what an Alertmanager refuses does not keep the rest from being silent, and is tried again.
func TestSilencer_refused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runSilencer(t)
		w.members[0].set(func(m *silencedMember) { m.refuses = "a" })
		w.acknowledge("a", "b")
		w.after(t, 5*time.Second, 0, "b")
		if state := w.State(); !strings.Contains(state.Error, "exceeded maximum number") {
			t.Errorf("state %+v", state)
		}
		w.members[0].set(func(m *silencedMember) { m.refuses = "" })
		w.after(t, lastRetry+time.Second, 0, "b", "a")
	})
}

// TestSilencer_shared: of several processes one writes, and whoever takes over finds what is there.
func TestSilencer_shared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runSilencer(t)
		w.mu.Lock()
		w.ours = false
		w.mu.Unlock()
		w.acknowledge("a")
		w.after(t, 5*time.Minute, 0)
		w.mu.Lock()
		w.ours = true
		w.mu.Unlock()
		w.after(t, time.Minute+time.Second, 0, "a")
	})
}
