package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"signalbox/itsm"
	"signalbox/store"
)

// testEveryTopic: what is published comes back as it was, from every topic.
func testEveryTopic(e *env) {
	ends := begin.Add(time.Minute)
	cause := []itsm.Cause{{Item: "sw-1", Name: "Core switch", Score: 0.9}}
	for revision := 1; revision <= 3; revision++ {
		e.log.publish(itsm.TopicIncidents, "inc-1", itsm.Incident{
			ID: "inc-1", Number: "INC-000001", Revision: revision, State: itsm.StateNew, Severity: itsm.SeverityCritical, Priority: 2,
			Title: "3 hosts down", OpenedAt: begin, UpdatedAt: begin.Add(time.Duration(revision) * time.Second), Causes: cause, Items: []string{"sw-1", "host-1"},
		})
	}
	e.log.publish(itsm.TopicTimeline, "inc-1/1", itsm.Entry{Seq: 1, At: begin, By: "maria", Kind: "comment", Text: "looking", Data: json.RawMessage("{}")})
	e.log.alert(1, func(a *itsm.AlertState) { a.Status, a.EndsAt = itsm.StatusResolved, &ends })
	change := itsm.Change{ID: "deploy-77", Kind: "deploy", Items: []string{"checkout"}, Title: "checkout 1.9", Status: "succeeded", StartsAt: begin, By: "ci"}
	e.log.append(itsm.TopicEvents, func(b *itsm.Block) {
		b.Records = append(b.Records, itsm.Recorded{
			Record: itsm.Record{Offset: b.Next, Time: begin, Input: itsm.Input{Changes: []itsm.Change{change}}}, Value: []byte("bytes"),
		})
	})
	p := e.start(nil)
	e.until("everything is stored", func() bool {
		changes, err := p.changes(window(10))
		revisions, err2 := p.Revisions(e.ctx, "INC-000001", 10)
		entries, err3 := p.Timeline(e.ctx, "inc-1", 10)
		return errors.Join(err, err2, err3) == nil && p.count() == 1 && len(changes) == 1 && len(revisions) == 3 && len(entries) == 1
	})
	revisions, _ := p.Revisions(e.ctx, "inc-1", 10) // asked above
	if got := revisions[0]; got.Revision != 3 || got.Title != "3 hosts down" || !got.OpenedAt.Equal(begin) {
		e.Errorf("the newest revision is %+v", got)
	}
	changes, _ := p.changes(window(10, itsm.HistoryMatcher{Name: "item", Op: "=", Value: "checkout"})) // asked above
	if len(changes) != 1 || !cmp.Equal(changes[0].Change, change) {
		e.Errorf("changes of checkout: %s", cmp.Diff(change, changes))
	}
	events, err := p.events(window(10))
	if err != nil {
		e.Fatal(err)
	}
	want := itsm.AlertEvent{
		At: ends, Fingerprint: 2, Incident: "inc-1", Status: itsm.StatusResolved, Severity: itsm.SeverityWarning, Item: "host-1",
		Labels:      itsm.NewLabels(map[string]string{"alertname": "HostDown", "instance": "host-1:9100", "n": "1"}),
		Annotations: itsm.NewLabels(map[string]string{"summary": "Host host-1 is down"}),
		StartsAt:    begin.Add(time.Second), EndsAt: &ends, Count: 1, Source: "prom-a", GeneratorURL: "http://prom/graph",
	}
	if diff := cmp.Diff([]itsm.AlertEvent{want}, events); diff != "" {
		e.Error(diff)
	}
	incidents, err := p.incidents(window(10, itsm.HistoryMatcher{Name: "priority", Op: "<=", Value: "2"}))
	if err != nil || len(incidents) != 1 || incidents[0].Revision != 3 {
		e.Errorf("incidents %v, %v", incidents, err)
	}
}

// testSearch: each kind of condition finds what it says, whatever characters stand in a value.
func testSearch(e *env) {
	odd := "a'b\\c\td\n100%_ü"
	for n := range 20 {
		e.log.alert(n, func(a *itsm.AlertState) {
			if n == 7 {
				a.Labels = itsm.NewLabels(map[string]string{"alertname": "Odd", "path": odd})
				a.Severity = itsm.SeverityCritical
			}
		})
	}
	p := e.start(nil)
	e.until("all are stored", func() bool { return p.count() == 20 })
	field := func(name, value string) itsm.HistoryMatcher {
		return itsm.HistoryMatcher{Name: name, Op: "=", Value: value}
	}
	label := func(name, op, value string) itsm.HistoryMatcher {
		return itsm.HistoryMatcher{Label: true, Name: name, Op: op, Value: value}
	}
	for _, c := range []struct {
		matchers []itsm.HistoryMatcher
		words    []string
		want     int
	}{
		{want: 20},
		{matchers: []itsm.HistoryMatcher{label("alertname", "=", "Odd")}, want: 1},
		{matchers: []itsm.HistoryMatcher{label("alertname", "!=", "Odd")}, want: 19},
		{matchers: []itsm.HistoryMatcher{label("path", "=", odd)}, want: 1},
		{matchers: []itsm.HistoryMatcher{label("path", "=", "a'b")}, want: 0},
		{matchers: []itsm.HistoryMatcher{label("instance", "=~", "host-[12]:.*")}, want: 4},
		{matchers: []itsm.HistoryMatcher{label("instance", "=~", "host")}, want: 0}, // anchored
		{matchers: []itsm.HistoryMatcher{label("instance", "!~", "host-[12]:.*")}, want: 16},
		{matchers: []itsm.HistoryMatcher{field("item", "host-3"), field("severity", "warning")}, want: 2},
		{matchers: []itsm.HistoryMatcher{field("severity", "critical")}, want: 1},
		{matchers: []itsm.HistoryMatcher{field("incident", "inc-1")}, want: 20},
		{words: []string{"HOST-3 is"}, want: 2},
		{words: []string{"100%_ü"}, want: 1},
		{words: []string{"100x_ü"}, want: 0},
	} {
		q := window(100, c.matchers...)
		q.Words = c.words
		got, err := p.events(q)
		if err != nil || len(got) != c.want {
			e.Errorf("%v %q: %d events, %v; want %d", c.matchers, c.words, len(got), err, c.want)
		}
	}
}

// testPages: pages follow each other without gap or repetition, also within one instant.
func testPages(e *env) {
	for n := range 50 {
		e.log.alert(n, func(a *itsm.AlertState) { a.LastSeenAt = begin.Add(time.Duration(n/20) * time.Second) })
	}
	p := e.start(nil)
	e.until("all are stored", func() bool { return p.count() == 50 })
	seen := map[itsm.Fingerprint]bool{}
	q := window(7)
	for pages := 1; ; pages++ {
		page := 0
		err := p.EachAlertEvent(e.ctx, q, func(event itsm.AlertEvent, cursor string) error {
			if seen[event.Fingerprint] {
				e.Errorf("%s comes twice", event.Fingerprint)
			}
			seen[event.Fingerprint] = true
			q.After = cursor
			page++
			return nil
		})
		if err != nil {
			e.Fatal(err)
		}
		if page < q.Limit {
			if pages != 8 || len(seen) != 50 {
				e.Errorf("%d events on %d pages, want 50 on 8", len(seen), pages)
			}
			return
		}
	}
}

// testVolume: alerts that began to fire are counted by step and severity; what ended is not, and what is
// written again while it fires counts no more, but does when it fires anew.
func testVolume(e *env) {
	for n := range 120 {
		e.log.alert(n, func(a *itsm.AlertState) {
			if n%4 == 0 {
				a.Severity = itsm.SeverityCritical
			}
			if n >= 100 {
				a.Status = itsm.StatusResolved
			}
		})
	}
	later := func(a *itsm.AlertState) { a.Severity, a.LastSeenAt = itsm.SeverityMajor, begin.Add(110*time.Second) }
	e.log.alert(1, later, func(a *itsm.AlertState) { a.LastStartsAt = begin })
	e.log.alert(2, later, func(a *itsm.AlertState) { a.Count = 2 })
	p := e.start(nil)
	e.until("all are stored", func() bool { return p.count() == 122 })
	got, err := p.Volume(e.ctx, window(1), time.Minute)
	if err != nil {
		e.Fatal(err)
	}
	at := begin.Truncate(time.Minute)
	want := []itsm.VolumeBucket{
		{At: at, Counts: map[itsm.Severity]int{itsm.SeverityCritical: 15, itsm.SeverityWarning: 45}},
		{At: at.Add(time.Minute), Counts: map[itsm.Severity]int{itsm.SeverityCritical: 10, itsm.SeverityMajor: 1, itsm.SeverityWarning: 30}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		e.Error(diff)
	}
}

// testMistakes: a bad question is the asker's error, and names the part that is wrong.
func testMistakes(e *env) {
	p := e.start(nil)
	e.until("the tables are there", func() bool { return p.count() == 0 })
	for want, q := range map[string]itsm.HistoryQuery{
		"q: nonsense is no field here":      window(1, itsm.HistoryMatcher{Name: "nonsense", Op: "=", Value: "x"}),
		"q: severity is a text":             window(1, itsm.HistoryMatcher{Name: "severity", Op: "<", Value: "x"}),
		"q: item: error parsing regexp":     window(1, itsm.HistoryMatcher{Name: "item", Op: "=~", Value: "("}),
		"cursor: not one of ours":           {From: begin, To: begin.Add(1), Limit: 1, After: "!"},
		"cursor: not one of ours, but long": {From: begin, To: begin.Add(1), Limit: 1, After: "YWJj"},
	} {
		_, err := p.events(q)
		var f itsm.FieldError
		if want, _, _ = strings.Cut(want, ", but"); !errors.As(err, &f) || !strings.HasPrefix(err.Error(), want) {
			e.Errorf("got %v, want %s", err, want)
		}
	}
}

// testCrash: a process that dies before, in the middle of or after any of its writes neither loses nor doubles a row.
func testCrash(e *env) {
	const size = 500
	total := 0
	more := func() {
		e.log.alert(total)
		total++
	}
	e.prepare()
	for _, table := range []string{"positions", "alert_events"} {
		for _, stage := range []string{"before", "half", "after"} {
			for _, nth := range []int64{1, 2} { // of its writes to the table
				for range size {
					more()
				}
				e.crash(table, stage, nth, more)
			}
		}
	}
	p := e.start(nil)
	e.until(fmt.Sprintf("all %d are stored", total), func() bool { return p.count() >= total })
	if got := p.count(); got != total {
		e.Errorf("%d rows, want %d", got, total)
	}
	if raw := p.raw(); raw != total {
		e.Errorf("%d rows in the table, want %d: some were written twice", raw, total)
	}
}

// prepare creates the tables and keeps alert events from merging, which would hide a row that was written twice.
func (e *env) prepare() {
	e.Helper()
	first := e.start(nil)
	e.until("the tables are there", func() bool { return first.count() == 0 })
	first.kill()
	e.exec("SYSTEM STOP MERGES {db}.alert_events")
}

// exec runs a statement about the test's database.
func (e *env) exec(statement string) {
	e.Helper()
	if err := e.conn().Exec(e.ctx, strings.ReplaceAll(statement, "{db}", e.opts.Config.Database)); err != nil {
		e.Fatal(err)
	}
}

// crash runs a process until its nth write to a table, where it dies. More is called meanwhile, so that there is one.
func (e *env) crash(table, stage string, nth int64, more func()) {
	e.Helper()
	var dead atomic.Bool
	var seen atomic.Int64
	crashed := make(chan struct{})
	die := func() error {
		if dead.CompareAndSwap(false, true) {
			close(crashed)
		}
		return errors.New("the process is dead")
	}
	p := e.start(func(at string, r *http.Request) error {
		if dead.Load() {
			return errors.New("the process is dead")
		}
		if at == "other" || !strings.Contains(r.URL.Query().Get("query"), "."+table+" ") {
			return nil
		}
		if at == "before" && seen.Add(1) == nth && stage == "half" {
			r.Body = &half{body: r.Body, then: die}
			r.ContentLength = -1
			return nil
		}
		if at == stage && seen.Load() == nth {
			return die()
		}
		return nil
	})
	deadline := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-crashed:
			p.kill()
			return
		case <-tick.C:
			more()
		case <-deadline:
			e.Fatalf("no write %d to %s", nth, table)
		}
	}
}

// half is a request of which only the first half is sent.
type half struct {
	body io.ReadCloser
	then func() error

	rest []byte
	cut  bool
}

func (h *half) Read(p []byte) (int, error) {
	if !h.cut {
		all, err := io.ReadAll(h.body)
		if err != nil {
			return 0, err
		}
		h.rest, h.cut = all[:len(all)/2], true
	}
	if len(h.rest) == 0 {
		return 0, h.then()
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	return n, nil
}

func (h *half) Close() error { return h.body.Close() }

// testServerForgets: a server that dies in the middle of a write may know a block that it does not have, or have a block
// that it does not know. Neither loses nor doubles a row.
func testServerForgets(e *env) {
	e.prepare()
	for n := range 500 {
		e.log.alert(n)
	}
	// It has the block and does not know it.
	e.exec("ALTER TABLE {db}.alert_events MODIFY SETTING non_replicated_deduplication_window = 0")
	e.crash("alert_events", "after", 1, func() {})
	e.exec("ALTER TABLE {db}.alert_events MODIFY SETTING non_replicated_deduplication_window = 1000")
	p := e.start(nil)
	e.until("it goes on", func() bool { state := p.State(); return state.Known && state.Behind == 0 })
	if raw := p.raw(); raw != 500 {
		e.Errorf("%d rows of a block that is not known, want 500", raw)
	}
	p.kill()
	// It knows the block and does not have it.
	for n := range 500 {
		e.log.alert(500 + n)
	}
	e.crash("alert_events", "after", 1, func() {})
	e.exec("SYSTEM START MERGES {db}.alert_events")
	e.exec("ALTER TABLE {db}.alert_events DELETE WHERE fingerprint > 500 SETTINGS mutations_sync = 1")
	p = e.start(nil)
	e.until("it goes on", func() bool { state := p.State(); return state.Known && state.Behind == 0 })
	if raw := p.raw(); raw != 1000 {
		e.Errorf("%d rows, want 1000: a block that is not there was taken for known", raw)
	}
}

// testSleeper: a process that falls asleep before it notes a block, or between the note and the rows, and wakes up after another has
// taken over and gone on, writes nothing twice and undoes nothing.
func testSleeper(e *env) {
	total := 0
	publish := func() {
		for range 300 {
			e.log.alert(total)
			total++
		}
	}
	e.prepare()
	for name, asleepAt := range map[string]func(stage string, r *http.Request) bool{
		"before the note": func(stage string, r *http.Request) bool {
			return stage == "other" && r.URL.Query().Get("param_topic") == string(itsm.TopicAlerts)
		},
		"before the rows": func(stage string, r *http.Request) bool {
			return stage == "before" && strings.Contains(r.URL.Query().Get("query"), ".alert_events ")
		},
	} {
		var seen atomic.Int64
		asleep, awake := make(chan struct{}), make(chan struct{})
		sleeper := e.start(func(stage string, r *http.Request) error {
			// The first question for the place is that of the start.
			if asleepAt(stage, r) && (stage == "before" || seen.Add(1) > 1) {
				select {
				case <-awake:
				case asleep <- struct{}{}:
					<-awake
				}
			}
			return nil
		})
		publish()
		select {
		case <-asleep:
		case <-time.After(patience):
			e.Fatalf("%s: it does not get there", name)
		}
		other := e.start(nil)
		publish()
		e.until(name+": the other has stored all", func() bool { return other.count() == total })
		other.kill()
		close(awake)
		publish()
		e.until(name+": the sleeper goes on", func() bool { return sleeper.count() == total })
		if raw := sleeper.raw(); raw != total {
			e.Errorf("%s: %d rows in the table, want %d", name, raw, total)
		}
		sleeper.kill()
	}
}

// raw counts the rows as they are, without the queries' own care.
func (p *process) raw() int {
	var n uint64
	if err := p.env.conn().QueryRow(p.env.ctx, "SELECT count() FROM "+p.env.opts.Config.Database+".alert_events").Scan(&n); err != nil {
		p.env.Fatal(err)
	}
	return int(n) //nolint:gosec // a few
}

// testAway: while the engine is away nothing is read on, and all of it comes later.
func testAway(e *env) {
	var away atomic.Bool
	away.Store(true)
	p := e.start(func(string, *http.Request) error {
		if away.Load() {
			return errors.New("connection refused")
		}
		return nil
	})
	for n := range 3000 {
		e.log.alert(n)
	}
	e.until("it has tried", func() bool { return p.failures() > 1 })
	away.Store(false)
	e.until("all are stored", func() bool { return p.count() == 3000 })
	if p.failures() == 0 {
		e.Error("no failure was counted")
	}
}

// AwayTenMinutes holds, in virtual time, that an engine which is away for ten minutes costs nothing but delay: what waits in
// memory stays bounded while records keep coming, no error ends anything, and afterwards each row is there once. The engine must
// answer in this process, since a network has no virtual time.
func AwayTenMinutes(t *testing.T, opts store.Options) {
	t.Helper()
	const perSecond, seconds = 200, 600
	synctest.Test(t, func(t *testing.T) {
		opts.Config.Database = database()
		e := &env{T: t, ctx: t.Context(), opts: opts, log: newLog()}
		var away atomic.Bool
		p := e.start(func(string, *http.Request) error {
			if away.Load() {
				return errors.New("connection refused")
			}
			return nil
		})
		total := 0
		second := func() {
			for range perSecond {
				e.log.alert(total)
				total++
			}
			time.Sleep(time.Second) // of virtual time
			synctest.Wait()
		}
		for range 5 {
			second()
		}
		e.until("the first are stored", func() bool { return p.raw() == total })
		e.exec("SYSTEM STOP MERGES {db}.alert_events")
		if state := p.State(); state.FailingSince != nil || !state.Known {
			e.Errorf("before: %+v", state)
		}
		before := e.log.taken.Load()
		away.Store(true)
		began, total0 := time.Now(), total
		for range seconds {
			second()
		}
		held := e.log.taken.Load() - before
		if held == 0 || held > 4*perSecond {
			e.Errorf("%d records wait in memory after %d have come", held, total-total0)
		}
		state := p.State()
		if state.FailingSince == nil || state.FailingSince.Sub(began) > 10*time.Second || !strings.Contains(state.Failure, "connection refused") {
			e.Errorf("away for ten minutes: %+v", state)
		}
		if p.failures() == 0 || p.gauge("signalbox_store_failing_seconds") < seconds-10 {
			e.Error("the metrics do not tell")
		}
		away.Store(false)
		e.until("all are stored", func() bool { return p.raw() >= total })
		if raw := p.raw(); raw != total {
			e.Errorf("%d rows of %d records", raw, total)
		}
		if state := p.State(); state.FailingSince != nil || p.gauge("signalbox_store_failing_seconds") != 0 {
			e.Errorf("afterwards: %+v", state)
		}
		p.kill()
	})
}

func (p *process) failures() float64 { return p.gauge("signalbox_store_failures_total") }

// gauge is the value of a metric without labels.
func (p *process) gauge(name string) float64 {
	families, err := p.reg.Gather()
	if err != nil {
		p.env.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue() + f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return 0
}

// testLost: what retention removed before it was stored is counted, and the rest is stored. What was gone before
// history began is no loss.
func testLost(e *env) {
	for n := range 10 {
		e.log.alert(n)
	}
	e.log.start = 6
	p := e.start(nil)
	e.until("what is there is stored", func() bool { return p.count() == 8 })
	p.kill()
	for n := range 10 {
		e.log.alert(10 + n)
	}
	e.log.start = 42
	p = e.start(nil)
	e.until("the rest is stored", func() bool { return p.count() == 14 })
	err := testutil.GatherAndCompare(p.reg, strings.NewReader(`
# HELP signalbox_store_lost_total Offsets that retention had removed from the log before they were stored.
# TYPE signalbox_store_lost_total counter
signalbox_store_lost_total{topic="alerts"} 12
`), "signalbox_store_lost_total")
	if err != nil {
		e.Error(err)
	}
}

// testRetention: a changed retention reaches tables that exist.
func testRetention(e *env) {
	e.log.alert(1, func(a *itsm.AlertState) { a.LastSeenAt = begin.Add(-72 * time.Hour) })
	p := e.start(nil)
	e.until("it is stored", func() bool { return p.count() == 1 })
	p.kill()
	e.opts.Config.Retention = 48 * time.Hour
	p = e.start(nil)
	e.until("it has expired", func() bool {
		return e.conn().Exec(e.ctx, "OPTIMIZE TABLE "+e.opts.Config.Database+".alert_events FINAL") == nil && p.count() == 0
	})
}

// testNewerSchema: an older program refuses the tables of a newer one, and says what to do.
func testNewerSchema(e *env) {
	p := e.start(nil)
	e.until("the tables are there", func() bool { return p.count() == 0 })
	p.kill()
	if err := e.conn().Exec(e.ctx, "INSERT INTO "+e.opts.Config.Database+".migrations (version) VALUES (999)"); err != nil {
		e.Fatal(err)
	}
	err := <-e.start(nil).ended()
	if err == nil || !strings.Contains(err.Error(), "have version 999, this program knows") {
		e.Errorf("got %v", err)
	}
}
