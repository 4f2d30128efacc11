package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"signalbox/itsm"
)

var (
	loadTest    = flag.Duration("load", 0, "run the end-to-end load figures (make bench); the length of the steady phase")
	loadProfile = flag.String("load-profile", "", "write a CPU profile of the loaded program to this file")
)

// loaded is the program as a process of its own under load.
type loaded struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	dir  string
	addr string
}

func startLoaded(t *testing.T) *loaded {
	t.Helper()
	if *loadTest == 0 {
		t.Skip("figures are taken by make bench (-load 60s)")
	}
	l := &loaded{t: t, dir: t.TempDir(), addr: freeAddr(t)}
	l.url = "http://" + l.addr
	l.start()
	t.Cleanup(l.kill)
	return l
}

// start runs the program and returns how long it took until it was ready.
func (l *loaded) start() time.Duration {
	l.t.Helper()
	begin := time.Now()
	l.cmd = program(context.WithoutCancel(l.t.Context()), l.t, "serve", "--listen", l.addr, "--data-dir", filepath.Join(l.dir, "data"))
	l.cmd.Stderr = l.t.Output()
	if *loadProfile != "" {
		l.cmd.Env = append(l.cmd.Env, cpuProfile+"="+*loadProfile)
	}
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, time.Minute, func() error { return ready(l.t.Context(), l.url) })
	return time.Since(begin)
}

// cpu is the processor time that the program has taken so far.
func (l *loaded) cpu() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // user and system, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// stop lets the program end in peace, and writes its profile.
func (l *loaded) stop() {
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
	_ = l.cmd.Wait()
}

func (l *loaded) kill() {
	_ = l.cmd.Process.Kill()
	_ = l.cmd.Wait() // killed
}

// peakMemory is the program's largest resident size so far, in MB.
func (l *loaded) peakMemory() int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		return 0
	}
	return kb / 1024
}

// applied is the number of alerts that the engine has applied.
func (l *loaded) applied() int {
	l.t.Helper()
	_, body, err := send(l.t.Context(), http.MethodGet, l.url+"/metrics", nil, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if strings.HasPrefix(line, "signalbox_correlate_alerts_total{") {
			v, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			if err != nil {
				l.t.Fatal(err)
			}
			return int(v)
		}
	}
	l.t.Fatal("no metric signalbox_correlate_alerts_total")
	return 0
}

// drain waits until the engine has applied n alerts and returns how long that took.
func (l *loaded) drain(n int) time.Duration {
	l.t.Helper()
	begin := time.Now()
	eventually(l.t, time.Minute, func() error {
		if got := l.applied(); got < n {
			return fmt.Errorf("%d of %d alerts applied", got, n)
		}
		return nil
	})
	lag := time.Since(begin)
	if lag >= time.Second {
		l.t.Errorf("the figure does not count: the engine was %s behind at the end", lag)
	}
	return lag
}

// put adopts an estate of n hosts behind switches of 50.
func (l *loaded) put(n int) {
	l.t.Helper()
	var b bytes.Buffer
	b.WriteString(`{"items":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"id":"host-%d","class":"host","identifiers":[{"instance":"host-%d:9100"}]},`, i, i)
	}
	for i := range n/50 + 1 {
		fmt.Fprintf(&b, `{"id":"sw-%d","class":"switch"}%s`, i, strings.Repeat(",", min(1, n/50-i)))
	}
	b.WriteString(`],"relations":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"from":"host-%d","type":"connects_to","to":"sw-%d"}%s`, i, i/50, strings.Repeat(",", min(1, n-1-i)))
	}
	b.WriteString(`]}`)
	l.putEstate(b.Bytes())
}

// bodies encodes n distinct alerts, 100 per request, as a Prometheus sends them: a start, no end.
func bodies(n int) [][]byte {
	names := []string{"HostHighCpuLoad", "HostOutOfMemory", "HostDiskWillFillIn24Hours", "HostDown", "HostClockSkew"}
	start := time.Now().UTC().Format(time.RFC3339Nano)
	var out [][]byte
	for i := 0; i < n; i += 100 {
		var b bytes.Buffer
		b.WriteByte('[')
		for j := i; j < i+100; j++ {
			if j > i {
				b.WriteByte(',')
			}
			name := names[j%len(names)]
			fmt.Fprintf(&b, `{"labels":{"alertname":%q,"cluster":"prod-1","instance":"host-%d:9100","job":"node","namespace":"infra","severity":"critical","region":"eu-1","host":"host-%d"},`+
				`"annotations":{"summary":"%s on host-%d","runbook_url":"https://runbooks.example/%s"},"startsAt":%q,"generatorURL":"http://prometheus.example/graph?g0.expr=up"}`,
				name, j/len(names), j/len(names), name, j/len(names), name, start)
		}
		b.WriteByte(']')
		out = append(out, b.Bytes())
	}
	return out
}

// post sends bodies over 4 connections, all of them once, or round and round for a time. It
// counts alerts that were answered 2xx.
func (l *loaded) post(bodies [][]byte, length time.Duration) (accepted int, took time.Duration) {
	l.t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 4, MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	var next, ok atomic.Int64
	begin := time.Now()
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if length == 0 && n >= len(bodies) || length > 0 && time.Since(begin) > length {
					return
				}
				req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.url+"/api/v2/alerts", bytes.NewReader(bodies[n%len(bodies)]))
				if err != nil {
					l.t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					l.t.Error(err)
					return
				}
				_ = resp.Body.Close() // the status is all that counts
				if resp.StatusCode/100 == 2 {
					ok.Add(100)
				}
			}
		})
	}
	senders.Wait()
	return int(ok.Load()), time.Since(begin)
}

// TestLoad_ingest prints how many alerts a second go in, durable and correlated.
func TestLoad_ingest(t *testing.T) {
	l := startLoaded(t)
	l.put(20_000)
	wave := bodies(50_000)
	cpu := l.cpu()
	accepted, took := l.post(wave, 0)
	lag := l.drain(accepted)
	t.Logf("first wave: %d new alerts in %.2f s = %.0f/s accepted; applied %.2f s after the last answer; %.1f µs of processor time each; %d MB",
		accepted, took.Seconds(), float64(accepted)/took.Seconds(), lag.Seconds(), perAlert(l.cpu()-cpu, accepted), l.peakMemory())
	cpu = l.cpu()
	again, took := l.post(wave, *loadTest)
	lag = l.drain(accepted + again)
	t.Logf("steady: %d alerts in %.1f s = %.0f/s accepted; applied %.2f s after the last answer; %.1f µs of processor time each; %d MB",
		again, took.Seconds(), float64(again)/took.Seconds(), lag.Seconds(), perAlert(l.cpu()-cpu, again), l.peakMemory())
	l.stop()
	l.compare(wave, float64(again)/took.Seconds())
}

// compare sends the same to a real Alertmanager, on this machine and at this hour: the one that the
// environment variable ALERTMANAGER names, else Debian's.
func (l *loaded) compare(wave [][]byte, ours float64) {
	l.t.Helper()
	path := os.Getenv("ALERTMANAGER")
	if path == "" {
		var err error
		if path, err = exec.LookPath("prometheus-alertmanager"); err != nil {
			l.t.Log("no Alertmanager to compare with: ALERTMANAGER names none, and Debian's prometheus-alertmanager is not installed")
			return
		}
	}
	dir := l.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "alertmanager.yml"), []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	version, err := exec.CommandContext(l.t.Context(), path, "--version").CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v", path, err)
	}
	addr := freeAddr(l.t)
	am := &loaded{t: l.t, addr: addr, url: "http://" + addr, cmd: exec.CommandContext(l.t.Context(), path, "--config.file="+filepath.Join(dir, "alertmanager.yml"),
		"--storage.path="+dir, "--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=error")}
	if err := am.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	defer am.kill()
	eventually(l.t, time.Minute, func() error { return ready(l.t.Context(), am.url) })
	accepted, took := am.post(wave, 0)
	first := float64(accepted) / took.Seconds()
	cpu := am.cpu()
	accepted, took = am.post(wave, *loadTest)
	steady := float64(accepted) / took.Seconds()
	name, _, _ := strings.Cut(string(version), " (")
	l.t.Logf("%s: first wave %.0f/s, steady %.0f/s, %.1f µs of processor time each, %d MB; Signalbox takes %.2f times as many, acknowledged by its broker and correlated",
		name, first, steady, perAlert(am.cpu()-cpu, accepted), am.peakMemory(), ours/steady)
}

// perAlert is in microseconds.
func perAlert(d time.Duration, alerts int) float64 {
	return float64(d.Microseconds()) / float64(alerts)
}

// TestLoad_ready prints how long a killed program with 100,000 active alerts needs to be ready.
func TestLoad_ready(t *testing.T) {
	l := startLoaded(t)
	l.put(20_000)
	accepted, _ := l.post(bodies(100_000), 0)
	eventually(t, time.Minute, func() error {
		if got := l.applied(); got < accepted {
			return fmt.Errorf("%d of %d alerts applied", got, accepted)
		}
		return nil
	})
	l.kill()
	t.Logf("ready with %d active alerts after SIGKILL: %.2f s; %d MB", accepted, l.start().Seconds(), l.peakMemory())
	l.stop()
}

// TestLoad_estate prints how long a large estate needs to come into force, and to be there again.
func TestLoad_estate(t *testing.T) {
	l := startLoaded(t)
	begin := time.Now()
	l.putLarge(100_000, 300_000)
	took := time.Since(begin)
	l.kill()
	t.Logf("estate of 100,000 items and 300,000 relations: in force %.2f s after PUT, ready %.2f s after SIGKILL; %d MB",
		took.Seconds(), l.start().Seconds(), l.peakMemory())
}

// putLarge adopts an estate of so many hosts that depend on each other.
func (l *loaded) putLarge(items, relations int) {
	l.t.Helper()
	var b bytes.Buffer
	b.WriteString(`{"items":[`)
	for i := range items {
		fmt.Fprintf(&b, `{"id":"host-%d","class":"host","attributes":{"site":"site-%d"},"identifiers":[{"instance":"host-%d:9100"}]}%s`,
			i, i%50, i, strings.Repeat(",", min(1, items-1-i)))
	}
	b.WriteString(`],"relations":[`)
	for i := range relations {
		from := i % items
		fmt.Fprintf(&b, `{"from":"host-%d","type":"depends_on","to":"host-%d"}%s`,
			from, (from+1+i/items*7)%items, strings.Repeat(",", min(1, relations-1-i)))
	}
	b.WriteString(`]}`)
	l.putEstate(b.Bytes())
}

func (l *loaded) putEstate(body []byte) {
	l.t.Helper()
	if status, answer, err := send(l.t.Context(), http.MethodPut, l.url+"/api/v1/estate?origin=load", body, nil); err != nil || status != http.StatusOK {
		l.t.Fatalf("estate: %d %s %v", status, answer, err)
	}
}

// TestLoad_latency prints the time from the 2xx answer to the row on the websocket. In the middle
// the embedded broker compacts its log, when it answers nobody.
func TestLoad_latency(t *testing.T) {
	for _, rate := range []int{1000, 5000} {
		for _, watchers := range []int{1, 100} {
			t.Run(fmt.Sprintf("%d alerts a second, %d watchers", rate, watchers), func(t *testing.T) {
				l, compact := startInProcess(t)
				l.latency(rate, watchers, compact)
			})
		}
	}
}

// startInProcess runs the program in this process, so that its broker can be told to compact.
func startInProcess(t *testing.T) (_ *loaded, compact func() error) {
	t.Helper()
	if *loadTest == 0 {
		t.Skip("figures are taken by make bench (-load 60s)")
	}
	cfg := DefaultConfig()
	cfg.Server.Listen, cfg.Server.DataDir = "127.0.0.1:0", t.TempDir()
	a, err := New(t.Context(), Options{Config: cfg, Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Error(err)
		}
	})
	l := &loaded{t: t, addr: a.Addr(), url: "http://" + a.Addr()}
	eventually(t, time.Minute, func() error { return ready(t.Context(), l.url) })
	return l, a.broker.Compact
}

// latencyItems is the number of incidents whose rows change; each is one unrelated item.
const latencyItems = 200

func (l *loaded) latency(rate, watchers int, compact func() error) {
	l.t.Helper()
	var b strings.Builder
	for i := range latencyItems {
		fmt.Fprintf(&b, "  - {id: item-%d, class: application, identifiers: [{app: app-%d}]}\n", i, i)
	}
	l.putEstate([]byte("items:\n" + b.String()))
	m := &meter{accepted: map[string][]time.Time{}}
	ctx, stop := context.WithCancel(l.t.Context())
	var watching sync.WaitGroup
	for n := range watchers {
		conn := l.dial()
		watching.Go(func() {
			defer func() { _ = conn.Close() }()
			for {
				_, data, err := conn.ReadMessage()
				if err != nil {
					return
				}
				if n == 0 { // the others only take their share of the server's work
					m.delta(time.Now(), data)
				}
			}
		})
		context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	const length = 15 * time.Second
	paused := make(chan time.Duration, 1)
	time.AfterFunc(length/2, func() {
		start := time.Now()
		if err := compact(); err != nil {
			l.t.Errorf("compact: %v", err)
		}
		paused <- time.Since(start)
	})
	l.sendAtRate(m, rate, length)
	eventually(l.t, 10*time.Second, m.complete)
	stop()
	watching.Wait()
	p50, p99, worst := m.quantiles()
	if sent := float64(len(m.took)) / length.Seconds(); sent < 0.9*float64(rate) {
		l.t.Errorf("the figure does not count: the sender managed %.0f alerts/s only", sent)
	}
	l.t.Logf("%d alerts/s, %d watchers: accepted to row p50 %d ms, p99 %d ms, worst %d ms (%d alerts; one compaction of %d ms)",
		rate, watchers, p50.Milliseconds(), p99.Milliseconds(), worst.Milliseconds(), len(m.took), (<-paused).Milliseconds())
}

func (l *loaded) dial() *websocket.Conn {
	l.t.Helper()
	var board struct {
		Position struct {
			Epoch  string `json:"epoch"`
			Offset int64  `json:"offset"`
		} `json:"position"`
	}
	if err := get(l.t.Context(), l.url+"/api/v1/board", &board); err != nil {
		l.t.Fatal(err)
	}
	conn, resp, err := websocket.DefaultDialer.DialContext(l.t.Context(),
		fmt.Sprintf("ws://%s/api/v1/stream?epoch=%s&offset=%d", l.addr, board.Position.Epoch, board.Position.Offset), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return conn
}

// sendAtRate sends 20 requests a second; each alert is new and goes to one of the items in turn.
func (l *loaded) sendAtRate(m *meter, rate int, length time.Duration) {
	l.t.Helper()
	const perSecond = 20
	ticker := time.NewTicker(time.Second / perSecond)
	defer ticker.Stop()
	serial := 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		<-ticker.C
		var alerts []map[string]any
		for range rate / perSecond {
			alerts = append(alerts, map[string]any{"labels": map[string]string{
				"alertname": "RequestErrors", "severity": "critical",
				"app": fmt.Sprintf("app-%d", serial%latencyItems), "path": strconv.Itoa(serial / latencyItems),
			}})
			serial++
		}
		status, body, err := send(l.t.Context(), http.MethodPost, l.url+"/api/v2/alerts", alerts, nil)
		if err != nil || status != http.StatusOK {
			l.t.Fatalf("%d %s %v", status, body, err)
		}
		m.accept(time.Now(), serial-len(alerts), serial)
	}
}

// meter pairs the n-th accepted alert of an item with the first row that counts n alerts.
type meter struct {
	mu       sync.Mutex
	accepted map[string][]time.Time
	took     []time.Duration
	rows     map[string][]shownRow
}

type shownRow struct {
	at    time.Time
	total int
}

func (m *meter) accept(at time.Time, from, to int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for serial := from; serial < to; serial++ {
		item := fmt.Sprintf("item-%d", serial%latencyItems)
		m.accepted[item] = append(m.accepted[item], at)
	}
}

func (m *meter) delta(at time.Time, data []byte) {
	var msg struct {
		Upsert []itsm.Incident `json:"upsert"`
	}
	if json.Unmarshal(data, &msg) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows == nil {
		m.rows = map[string][]shownRow{}
	}
	for _, inc := range msg.Upsert {
		if len(inc.Items) > 0 {
			m.rows[inc.Items[0]] = append(m.rows[inc.Items[0]], shownRow{at, inc.AlertCounts.Total})
		}
	}
}

// complete pairs what is there and says what is missing.
func (m *meter) complete() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took = m.took[:0]
	missing := 0
	for item, accepted := range m.accepted {
		row := 0
		for n, at := range accepted {
			for row < len(m.rows[item]) && m.rows[item][row].total <= n {
				row++
			}
			if row == len(m.rows[item]) {
				missing++
				continue
			}
			// A row may overtake the answer to the sender; that alert took no time.
			m.took = append(m.took, max(0, m.rows[item][row].at.Sub(at)))
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d alerts are not on the board", missing)
	}
	return nil
}

func (m *meter) quantiles() (p50, p99, worst time.Duration) {
	slices.Sort(m.took)
	at := func(q float64) time.Duration { return m.took[int(math.Ceil(q*float64(len(m.took))))-1] }
	return at(0.5), at(0.99), at(1)
}
