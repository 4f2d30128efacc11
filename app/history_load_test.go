package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
	"signalbox/store"
	"signalbox/store/chdb"
	"signalbox/stream"
)

var loadEvents = flag.Int("load-events", 10_000_000, "how many alert events TestLoad_history asks about (make bench)")

// pastLoad is a log with a long past and a store that has it to catch up with, all in this process.
type pastLoad struct {
	t      *testing.T
	engine *chdb.Engine
	store  *store.Store
	log    *stream.Stream
	dir    string

	waiting int // alert events in the topic
}

// days is how long a time the alert events span that wait in the topic. Copies of them, moved back in time, make up the rest of
// -load-events.
const days = 16

// TestLoad_history fills the topic of alerts as an owner of a shard does while ClickHouse is away, lets the store catch up, and asks
// about ten million alert events what people ask.
func TestLoad_history(t *testing.T) {
	if *loadTest == 0 {
		t.Skip("figures are taken by make bench (-load 60s)")
	}
	p := &pastLoad{t: t, dir: t.TempDir(), waiting: *loadEvents / 5}
	requireChdb(t)
	p.open()
	begin := time.Now().UTC().Add(-days * 24 * time.Hour)
	took := p.publish(begin)
	t.Logf("%d alert events published in %.1f s, %d bytes each", p.waiting, took.Seconds(), p.size("kafka")/int64(p.waiting))
	cpu := processTime(t)
	took = p.catchUp()
	t.Logf("caught up with %d alert events in %.1f s = %.0f rows/s; %.1f µs of processor time each, reading and the broker included; %d MB resident with broker and engine",
		p.waiting, took.Seconds(), float64(p.waiting)/took.Seconds(), perAlert(processTime(t)-cpu, p.waiting), peakResident(t))
	t.Logf("on disk: %s bytes for each alert event", p.ask("SELECT round(sum(bytes_on_disk) / sum(rows)) FROM system.parts WHERE active AND database = 'signalbox' AND table = 'alert_events'"))
	p.copies(*loadEvents/p.waiting - 1)
	t.Logf("asking about %s alert events in %s parts", p.ask("SELECT count() FROM signalbox.alert_events"),
		p.ask("SELECT count() FROM system.parts WHERE active AND database = 'signalbox' AND table = 'alert_events'"))
	p.questions()
	t.Logf("%d MB resident at the most", peakResident(t))
}

// TestLoad_samples writes telemetry of 10,000 series as fast as it goes, in blocks of 100,000.
func TestLoad_samples(t *testing.T) {
	if *loadTest == 0 {
		t.Skip("figures are taken by make bench (-load 60s)")
	}
	p := &pastLoad{t: t, dir: t.TempDir()}
	requireChdb(t)
	p.open()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.store.Run(ctx, historyLog{p.log}) }()
	eventually(t, time.Minute, func() error {
		if s := p.store.State(); !s.Known {
			return errors.New("no tables yet")
		}
		return nil
	})
	const series, block, blocks = 10_000, 100_000, 100
	labels := make([]itsm.Labels, series)
	for i := range labels {
		labels[i] = itsm.NewLabels(map[string]string{"__name__": "sensor_value", "machine": fmt.Sprintf("m-%d", i/20), "sensor": strconv.Itoa(i % 20), "line": fmt.Sprintf("line-%d", i/2000)})
	}
	start := time.Now().UTC().Add(-time.Hour)
	samples := make([]itsm.Sample, block)
	var writing time.Duration
	cpu := processTime(t)
	for n := range blocks {
		for i := range samples {
			k := n*block + i
			samples[i] = itsm.Sample{Labels: labels[k%series], At: start.Add(time.Duration(k/series) * time.Second), Value: 20 + float64(k%97)/10}
		}
		began := time.Now()
		if err := p.store.InsertSamples(ctx, strconv.Itoa(n), samples); err != nil {
			t.Fatal(err)
		}
		writing += time.Since(began)
	}
	t.Logf("%d samples of %d series in blocks of %d: %.0f samples/s from one writer; %.2f µs of processor time each; %s bytes each on disk; %d MB resident",
		blocks*block, series, block, blocks*block/writing.Seconds(), perAlert(processTime(t)-cpu, blocks*block),
		p.ask("SELECT round(sum(bytes_on_disk) / sum(rows), 2) FROM system.parts WHERE active AND database = 'signalbox' AND table = 'samples'"), peakResident(t))
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func (p *pastLoad) open() {
	p.t.Helper()
	broker, err := stream.StartBroker(stream.BrokerOptions{
		DataDir: p.dir, Config: stream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.close(broker.Close()) })
	p.log, err = stream.Open(p.t.Context(), stream.Options{
		Config: stream.DefaultConfig(), Brokers: []string{broker.Addr()}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.close(p.log.Close()) })
	if p.engine, err = chdb.Open(chdb.Find(""), filepath.Join(p.dir, "clickhouse")); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.close(p.engine.Close()) })
	p.store, err = store.Open(store.Options{
		Config: store.DefaultConfig(), Transport: p.engine.Transport(), Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(p.t.Output(), nil)),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.close(p.store.Close()) })
}

func (p *pastLoad) close(err error) {
	if err != nil {
		p.t.Error(err)
	}
}

// The world of the past: so many hosts, each with some of so many kinds of alerts, which fire and are resolved in turn.
const (
	pastHosts = 5_000
	pastKinds = 40
)

// publish writes what an owner of the shard would have, from a time on.
func (p *pastLoad) publish(begin time.Time) time.Duration {
	p.t.Helper()
	sh := p.log.Shard(0)
	defer func() { _ = sh.Close() }()
	if _, err := sh.Recover(p.t.Context(), func(itsm.Entity) error { return nil }); err != nil {
		p.t.Fatal(err)
	}
	start := time.Now()
	const batch = 2000
	step := days * 24 * time.Hour / time.Duration(p.waiting)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
	for n := 0; n < p.waiting; n += batch {
		changes := make([]itsm.AlertChange, batch)
		for i := range changes {
			at := begin.Add(time.Duration(n+i) * step)
			a := pastState(random.IntN(pastHosts), random.IntN(pastKinds), at)
			changes[i] = itsm.AlertChange{Incident: fmt.Sprintf("%016x", (n+i)/50), Fingerprint: a.Fingerprint, State: &a}
			if (n+i)%2 == 1 {
				a.Status, a.EndsAt = itsm.StatusResolved, &at
			}
		}
		if err := sh.Write(p.t.Context(), []itsm.Update{{Alerts: changes}}); err != nil {
			p.t.Fatal(err)
		}
	}
	return time.Since(start)
}

func pastState(host, kind int, at time.Time) itsm.AlertState {
	item := fmt.Sprintf("host-%d", host)
	labels := itsm.NewLabels(map[string]string{
		"alertname": fmt.Sprintf("Alert%d", kind), "instance": item + ":9100", "job": "node", "severity": []string{"critical", "warning", "info"}[kind%3],
		"datacenter": fmt.Sprintf("dc-%d", host%4), "rack": fmt.Sprintf("rack-%d", host%200), "team": fmt.Sprintf("team-%d", kind%8),
	})
	return itsm.AlertState{
		Labels: labels, Fingerprint: labels.Fingerprint(), Item: &item, Severity: []itsm.Severity{itsm.SeverityCritical, itsm.SeverityWarning, itsm.SeverityInfo}[kind%3],
		Annotations: itsm.NewLabels(map[string]string{
			"summary":     fmt.Sprintf("Instance %s:9100 of dc-%d: condition %d holds", item, host%4, kind),
			"description": fmt.Sprintf("Value %d of %s is above its limit for more than five minutes, see the runbook.", at.Unix()%1000, item),
		}),
		Status: itsm.StatusFiring, StartsAt: at, LastStartsAt: at, LastSeenAt: at, JoinedAt: at, Count: 1, Source: "prom-a", GeneratorURL: "http://prometheus:9090/graph?g0.expr=up",
	}
}

// catchUp lets the store follow the log until all of it is in ClickHouse.
func (p *pastLoad) catchUp() time.Duration {
	p.t.Helper()
	start := time.Now()
	ctx, stop := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- p.store.Run(ctx, historyLog{p.log}) }()
	eventually(p.t, 10*time.Minute, func() error {
		if s := p.store.State(); !s.Known || s.Behind > 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	took := time.Since(start)
	stop()
	if err := <-done; err != nil {
		p.t.Fatal(err)
	}
	if got := p.ask("SELECT count() FROM signalbox.alert_events"); got != strconv.Itoa(p.waiting) {
		p.t.Errorf("%s rows of %d", got, p.waiting)
	}
	return took
}

// copies adds what there is so many times, each time further back.
func (p *pastLoad) copies(n int) {
	p.t.Helper()
	columns := "fingerprint, incident, status, severity, item, labels, annotations, starts_at, ends_at, count, source, generator_url, log_partition, log_offset"
	for k := range n {
		p.ask(fmt.Sprintf("INSERT INTO signalbox.alert_events (at, %s) SELECT at - INTERVAL %d DAY, %s FROM signalbox.alert_events WHERE at >= now() - INTERVAL %d DAY",
			columns, (k+1)*days, columns, days))
	}
}

// ask runs a statement of the test's own.
func (p *pastLoad) ask(statement string) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, "http://embedded", strings.NewReader(statement))
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := p.engine.Transport().RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %s %v", statement, res.StatusCode, out, err)
	}
	return strings.TrimSpace(string(out))
}

// questions asks each kind of question for a while, each time about something else, as the page does.
func (p *pastLoad) questions() {
	p.t.Helper()
	label := func(name, op, value string) itsm.HistoryMatcher {
		return itsm.HistoryMatcher{Label: true, Name: name, Op: op, Value: value}
	}
	host := func() string { return fmt.Sprintf("host-%d", rand.IntN(pastHosts)) }
	const day = 24 * time.Hour
	for _, c := range []struct {
		name   string
		window time.Duration
		random bool // the window lies anywhere in the last 80 days
		ask    func(*itsm.HistoryQuery)
	}{
		{"the newest of the last day", day, false, func(*itsm.HistoryQuery) {}},
		{"any hour", time.Hour, true, func(*itsm.HistoryQuery) {}},
		{"an item's past, 7 days", 7 * day, true, func(q *itsm.HistoryQuery) {
			q.Matchers = []itsm.HistoryMatcher{{Name: "item", Op: "=", Value: host()}}
		}},
		{"an item's past, 80 days", 80 * day, false, func(q *itsm.HistoryQuery) {
			q.Matchers = []itsm.HistoryMatcher{{Name: "item", Op: "=", Value: host()}}
		}},
		{"a label of one host, 7 days", 7 * day, true, func(q *itsm.HistoryQuery) {
			q.Matchers = []itsm.HistoryMatcher{label("instance", "=", host()+":9100")}
		}},
		{"a label of one host, 80 days", 80 * day, false, func(q *itsm.HistoryQuery) {
			q.Matchers = []itsm.HistoryMatcher{label("instance", "=", host()+":9100")}
		}},
		{"a label by expression, 7 days", 7 * day, true, func(q *itsm.HistoryQuery) {
			q.Matchers = []itsm.HistoryMatcher{label("instance", "=~", host()+":.*"), label("alertname", "!=", "Alert7")}
		}},
		{"a rare word, 7 days", 7 * day, true, func(q *itsm.HistoryQuery) { q.Words = []string{host() + ":9100"} }},
		{"a rare word, 80 days", 80 * day, false, func(q *itsm.HistoryQuery) { q.Words = []string{host() + ":9100"} }},
		{"a word that nothing has, 80 days", 80 * day, false, func(q *itsm.HistoryQuery) { q.Words = []string{"turbine" + strconv.Itoa(rand.IntN(1000))} }},
		{"an incident's alerts, 80 days", 80 * day, false, func(q *itsm.HistoryQuery) {
			q.Matchers = []itsm.HistoryMatcher{{Name: "incident", Op: "=", Value: fmt.Sprintf("%016x", rand.IntN(p.waiting/50))}}
		}},
	} {
		p.measure(c.name, func() (int, error) {
			q := p.window(c.window, c.random)
			c.ask(&q)
			rows := 0
			err := p.store.EachAlertEvent(p.t.Context(), q, func(itsm.AlertEvent, string) error { rows++; return nil })
			return rows, err
		})
	}
	for _, window := range []time.Duration{day, 7 * day, 80 * day} {
		p.measure(fmt.Sprintf("chart, %d days", window/day), func() (int, error) {
			buckets, err := p.store.Volume(p.t.Context(), p.window(window, false), window/120)
			return len(buckets), err
		})
	}
	p.measure("chart of one item, 80 days", func() (int, error) {
		q := p.window(80*day, false)
		q.Matchers = []itsm.HistoryMatcher{{Name: "item", Op: "=", Value: host()}}
		buckets, err := p.store.Volume(p.t.Context(), q, 80*day/120)
		return len(buckets), err
	})
}

func (p *pastLoad) window(length time.Duration, random bool) itsm.HistoryQuery {
	to := time.Now()
	if random {
		to = to.Add(-time.Duration(rand.Int64N(int64(80*24*time.Hour - length + 1))))
	}
	return itsm.HistoryQuery{From: to.Add(-length), To: to, Limit: 201}
}

// asked is how often each question is asked.
const asked = 20

// measure asks again and again and tells how long that took.
func (p *pastLoad) measure(name string, ask func() (rows int, err error)) {
	p.t.Helper()
	var took []time.Duration
	total := 0
	for range asked {
		start := time.Now()
		rows, err := ask()
		if err != nil {
			p.t.Fatalf("%s: %v", name, err)
		}
		took, total = append(took, time.Since(start)), total+rows
	}
	slices.Sort(took)
	p.t.Logf("%-34s p50 %4d ms, p99 %4d ms, worst %4d ms; %d rows on average", name,
		took[len(took)/2].Milliseconds(), took[(len(took)*99-1)/100].Milliseconds(), took[len(took)-1].Milliseconds(), total/len(took))
}

// size is how many bytes a folder of the data takes.
func (p *pastLoad) size(dir string) (n int64) {
	p.t.Helper()
	err := filepath.WalkDir(filepath.Join(p.dir, dir), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// processTime is the processor time that this process has taken.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakResident is the largest resident size of this process so far, in MB.
func peakResident(t *testing.T) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Maxrss / 1024
}
