package alertmanager

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/itsm"
)

// fakeMember is an Alertmanager in memory.
type fakeMember struct {
	url string

	mu      sync.Mutex
	started time.Time
	listed  map[string]Listed
	down    error
	reads   []time.Time
	takes   time.Duration // how long an answer takes
	config  string
	muted   map[itsm.Fingerprint][]string
}

func newFakeMember(url string, names ...string) *fakeMember {
	m := &fakeMember{url: url, started: time.Now().Add(-time.Hour), listed: map[string]Listed{}}
	for _, n := range names {
		m.list(n, nil)
	}
	return m
}

func (m *fakeMember) list(name string, change func(*Listed)) {
	l := Listed{Labels: labelsOf(name), StartsAt: time.Now().UTC(), UpdatedAt: time.Now().UTC(), Receivers: []string{"signalbox"}}
	if change != nil {
		change(&l)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listed[name] = l
}

func (m *fakeMember) forget(names ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		delete(m.listed, name)
	}
}

func (m *fakeMember) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

func (m *fakeMember) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started, m.listed = time.Now(), map[string]Listed{}
}

func (m *fakeMember) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.reads)
}

func (m *fakeMember) URL() string { return m.url }

func (m *fakeMember) Status(context.Context) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads = append(m.reads, time.Now())
	s := Status{Uptime: m.started}
	s.VersionInfo.Version, s.Config.Original = "0.34.2", m.config
	return s, m.down
}

func (m *fakeMember) Muted(context.Context, *regexp.Regexp) (map[itsm.Fingerprint][]string, error) {
	return m.muted, nil
}

func (m *fakeMember) Alerts(_ context.Context, yield func(Listed) error) error {
	m.mu.Lock()
	listed, takes := maps.Clone(m.listed), m.takes
	m.mu.Unlock()
	time.Sleep(takes) // virtual
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		l := listed[name]
		l.Labels = slices.Clone(l.Labels)
		if err := yield(l); err != nil {
			return err
		}
	}
	return nil
}

// house is what a poller sends to and reads from: it makes of records what the engine does.
type house struct {
	t  *testing.T
	mu sync.Mutex
	// full refuses what comes.
	full   bool
	ours   bool
	states map[itsm.Fingerprint]itsm.AlertState
	got    []string

	poller   *Poller
	registry *prometheus.Registry
}

func (h *house) Append(_ context.Context, in itsm.Input) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full {
		return itsm.ErrOverloaded
	}
	for _, a := range in.Alerts {
		line := string(a.Status) + " " + a.Labels.Get("alertname")
		if a.Suppressed != "" {
			line += " " + a.Suppressed
		}
		h.got = append(h.got, line)
	}
	apply(h.states, changes{marks: in.Alerts}, time.Now().UTC())
	return nil
}

func (h *house) known() map[itsm.Fingerprint]Known {
	h.mu.Lock()
	defer h.mu.Unlock()
	return knownAll(h.states)
}

// took returns what has come since it was last asked.
func (h *house) took() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.got
	h.got = nil
	slices.Sort(got)
	return got
}

func (h *house) want(what string, lines ...string) {
	h.t.Helper()
	if got := h.took(); !slices.Equal(got, lines) {
		h.t.Errorf("%s: got %q, want %q", what, got, lines)
	}
}

func (h *house) set(change func(*house)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// runPoller runs a poller in the bubble of a test until the test ends.
func runPoller(t *testing.T, change func(*Config), members ...*fakeMember) *house {
	t.Helper()
	h := &house{t: t, ours: true, states: map[itsm.Fingerprint]itsm.AlertState{}, registry: prometheus.NewRegistry()}
	c := Config{Name: "prod"}
	c.SetDefaults()
	if change != nil {
		change(&c)
	}
	o := PollerOptions{
		Config: c, Door: h, Known: h.known, IgnoreLabels: []string{"replica"}, Metrics: NewPollerMetrics(h.registry), Logger: slog.New(slog.DiscardHandler),
		Ours: func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.ours
		},
	}
	for _, m := range members {
		o.Members = append(o.Members, m)
	}
	var err error
	if h.poller, err = NewPoller(o); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.poller.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return h
}

// readings waits until a member has been read so many times more.
func readings(t *testing.T, m *fakeMember, n int) {
	t.Helper()
	want := m.count() + n
	for waited := time.Duration(0); m.count() < want; waited += time.Second {
		if waited > time.Hour {
			t.Fatalf("%d readings within an hour, want %d", m.count(), want)
		}
		time.Sleep(time.Second)
	}
	synctest.Wait()
}

func TestPoller_followsAPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeMember("http://a", "X", "Y"), newFakeMember("http://b", "X", "Z")
		h := runPoller(t, nil, a, b)
		h.want("at once, the union", "firing X", "firing Y", "firing Z")
		readings(t, a, 1)
		h.want("nothing new")

		silenced := func(l *Listed) { l.SilencedBy = []string{"s1"} }
		a.list("X", silenced)
		readings(t, a, 1)
		h.want("the other member tells of it still")
		b.list("X", silenced)
		readings(t, a, 1)
		h.want("both keep it back", "firing X silenced by s1 in prod")
		readings(t, a, 1)
		h.want("it is marked already")
		if got, want := h.poller.State(), (State{Name: "prod", Reads: true, Active: 2, Silenced: 1}); got.Active != want.Active || got.Silenced != want.Silenced || got.LastRead == nil || !got.Reads {
			t.Errorf("state %+v, want %+v", got, want)
		}

		a.forget("X")
		readings(t, a, 2)
		h.want("one lists it still")
		b.forget("X")
		readings(t, a, 1)
		h.want("gone, once")
		readings(t, a, 1)
		h.want("gone, twice", "resolved X")
		readings(t, a, 2)
		h.want("it has ended")
	})
}

func TestPoller_identity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMember("http://a")
		for _, replica := range []string{"r1", "r2"} {
			m.list(replica, func(l *Listed) {
				l.Labels = itsm.NewLabels(map[string]string{"alertname": "X", "replica": replica, "empty": ""})
			})
		}
		m.list("bad", func(l *Listed) { l.Labels = nil })
		m.list("elsewhere", func(l *Listed) { l.Receivers = []string{"pager", "signalbox-test"} })
		h := runPoller(t, func(c *Config) { c.Receiver = "signalbox" }, m)
		h.want("one alert of two replicas", "firing X")
		if got := h.known()[labelsOf("X").Fingerprint()]; got.Status != itsm.StatusFiring {
			t.Errorf("its identity has labels that are ignored: %+v", h.known())
		}
		if n := testutil.ToFloat64(h.poller.o.Metrics.refused.WithLabelValues("prod")); n != 1 {
			t.Errorf("%v refused, want the one without labels", n)
		}
	})
}

func TestPoller_muted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMember("http://a", "X", "Y")
		m.muted = map[itsm.Fingerprint][]string{labelsOf("Y").Fingerprint(): {"nights"}}
		m.config = "route: {mute_time_intervals: [nights]}"
		h := runPoller(t, nil, m)
		h.want("at once", "firing X", "firing Y muted by nights in prod")
	})
}

// TestPoller_restart: what has just been started lists nothing, and that says nothing.
func TestPoller_restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMember("http://a", "X", "Y")
		h := runPoller(t, nil, m)
		h.want("at first", "firing X", "firing Y")
		m.restart()
		readings(t, m, 2)
		h.want("nothing is listed")
		m.list("X", nil) // its Prometheus sends it again; Y ended meanwhile
		time.Sleep(6 * time.Minute)
		h.want("up for long enough", "resolved Y")
	})
}

// TestPoller_noUptime: what does not say since when it is up may have just begun.
func TestPoller_noUptime(t *testing.T) {
	for settle, want := range map[time.Duration][]string{0: {"resolved X"}, time.Minute: nil} {
		synctest.Test(t, func(t *testing.T) {
			m := newFakeMember("http://a", "X")
			m.started = time.Time{}
			h := runPoller(t, func(c *Config) { c.Settle = settle }, m)
			h.want("at first", "firing X")
			m.forget("X")
			readings(t, m, 10)
			h.want(settle.String(), want...)
		})
	}
}

func TestPoller_nobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeMember("http://a", "X"), newFakeMember("http://b", "X")
		h := runPoller(t, nil, a, b)
		h.want("at first", "firing X")
		a.fail(errors.New("boom"))
		b.forget("X")
		readings(t, a, 1)
		b.fail(errors.New("bang"))
		time.Sleep(time.Hour)
		h.want("nothing is known") // a reading that fails lies between those that do not list it
		s := h.poller.State()
		if !strings.Contains(s.Error, "http://a: boom") || !strings.Contains(s.Error, "http://b: bang") || s.LastRead == nil || s.Members[0].Up || s.Members[1].Error != "bang" {
			t.Errorf("state %+v", s)
		}
		n := a.count()
		time.Sleep(time.Hour)
		if n = a.count() - n; n < 10 || n > 15 {
			t.Errorf("%d readings in an hour without answers, want one each 5 minutes", n)
		}

		b.fail(nil)
		time.Sleep(6 * time.Minute)
		h.took()
		if s := h.poller.State(); s.Error != "" || !s.Members[1].Up || s.Members[0].Up {
			t.Errorf("state with one member back: %+v", s)
		}
		n = b.count()
		time.Sleep(10 * time.Minute)
		if n = b.count() - n; n < 9 || n > 12 {
			t.Errorf("%d readings in ten minutes, want one a minute again", n)
		}
	})
}

func TestPoller_logIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMember("http://a", "X")
		h := runPoller(t, nil, m)
		h.want("at first", "firing X")
		m.list("Y", nil)
		h.set(func(h *house) { h.full = true })
		readings(t, m, 1)
		if s := h.poller.State(); !strings.Contains(s.Error, "send to the log") || !s.Members[0].Up {
			t.Errorf("state %+v", s)
		}
		h.set(func(h *house) { h.full = false })
		readings(t, m, 2)
		h.want("tried again", "firing Y")
	})
}

func TestPoller_kick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMember("http://a", "X")
		h := runPoller(t, func(c *Config) { c.Interval = 0 }, m)
		time.Sleep(time.Hour)
		h.want("it does not read by itself")
		h.poller.Kick()
		h.want("kicked", "firing X")
		m.takes = time.Second
		for range 100 { // ten seconds of webhooks that leave alerts out
			h.poller.Kick()
			time.Sleep(100 * time.Millisecond)
		}
		if n := m.count(); n > 4 {
			t.Errorf("%d readings of a second each in ten seconds", n)
		}
		time.Sleep(time.Hour)
		m.forget("X")
		h.poller.Kick()
		time.Sleep(time.Hour)
		h.poller.Kick()
		time.Sleep(time.Hour)
		h.want("without a period nothing ends")
	})
}

// TestPoller_anotherProcessReads: this one keeps still, but for webhooks that came to it.
func TestPoller_anotherProcessReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMember("http://a", "X")
		h := runPoller(t, func(c *Config) { c.Interval = time.Minute }, m)
		h.want("at first", "firing X")
		m.forget("X")
		readings(t, m, 1)
		h.set(func(h *house) { h.ours = false })
		n := m.count()
		time.Sleep(time.Hour)
		if m.count() != n || h.poller.State().Reads {
			t.Errorf("%d readings that were another's", m.count()-n)
		}
		m.list("Y", nil)
		h.poller.Kick()
		h.want("kicked", "firing Y")
		time.Sleep(2 * time.Minute)
		h.set(func(h *house) { h.ours = true })
		readings(t, m, 1)
		h.want("the first reading of a row")
		readings(t, m, 1)
		h.want("the second", "resolved X")
	})
}

func TestPoller_metrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFakeMember("http://a", "X", "Y"), newFakeMember("http://b")
		a.list("Y", func(l *Listed) { l.InhibitedBy = []string{"f"} })
		b.fail(errors.New("boom"))
		h := runPoller(t, nil, a, b)
		h.want("at first", "firing X", "firing Y inhibited by f in prod")
		const want = `
# HELP signalbox_ingest_alertmanager_alerts Alerts that the last reading listed: active, silenced, inhibited or muted.
# TYPE signalbox_ingest_alertmanager_alerts gauge
signalbox_ingest_alertmanager_alerts{alertmanager="prod",state="active"} 1
signalbox_ingest_alertmanager_alerts{alertmanager="prod",state="inhibited"} 1
signalbox_ingest_alertmanager_alerts{alertmanager="prod",state="muted"} 0
signalbox_ingest_alertmanager_alerts{alertmanager="prod",state="silenced"} 0
# HELP signalbox_ingest_alertmanager_member_up 1 when the member answered the last reading.
# TYPE signalbox_ingest_alertmanager_member_up gauge
signalbox_ingest_alertmanager_member_up{alertmanager="prod",member="http://a"} 1
signalbox_ingest_alertmanager_member_up{alertmanager="prod",member="http://b"} 0
# HELP signalbox_ingest_alertmanager_sent_total Alerts that differed from a reading and were sent to the log: gap, mark or end.
# TYPE signalbox_ingest_alertmanager_sent_total counter
signalbox_ingest_alertmanager_sent_total{alertmanager="prod",kind="gap"} 2
`
		if err := testutil.GatherAndCompare(h.registry, strings.NewReader(want),
			"signalbox_ingest_alertmanager_alerts", "signalbox_ingest_alertmanager_member_up", "signalbox_ingest_alertmanager_sent_total"); err != nil {
			t.Error(err)
		}
	})
}

func TestNewPoller_namesWhatIsMissing(t *testing.T) {
	if _, err := NewPoller(PollerOptions{Config: Config{Name: "x", Receiver: "("}}); err == nil || !strings.HasPrefix(err.Error(), "receiver: ") {
		t.Errorf("error %v", err)
	}
	if _, err := NewPoller(PollerOptions{}); err == nil {
		t.Error("no error without anything")
	}
}
