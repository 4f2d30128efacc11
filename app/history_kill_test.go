package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signalbox/store/chdb"
)

// historyKills is how often TestHistory_killed ends the program with SIGKILL.
const historyKills = 12

// TestHistory_killed kills the program with its embedded ClickHouse engine under load, at random moments and in the
// middle of the engine's own writing of a part. History then has what a replay of the records publishes, each record once.
func TestHistory_killed(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process 12 times")
	}
	t.Setenv("SIGNALBOX_CLICKHOUSE_LIBRARY", requireChdb(t))
	h := newKillHarness(t, nil)
	h.waitReady()
	eventually(t, 30*time.Second, func() error { return allStored(t, h.url) })
	h.terminate()
	dir := h.path("data/clickhouse")
	engine := startEngine(t, dir)
	engine.keepParts()
	engine.stop()
	h.start()

	stop := h.loadHistory()
	inserting := 0
	for n := range historyKills {
		h.waitReady()
		if n%2 == 0 {
			pause(t.Context(), time.Duration(100+rand.IntN(1500))*time.Millisecond)
		} else if awaitPart(t, dir) {
			inserting++
		}
		h.kill()
		h.start()
	}
	stop()
	h.settle()
	h.terminate()
	engine = startEngine(t, dir)
	h.checkHistory(engine)
	t.Logf("%d kills, %d of them while the engine wrote a part", historyKills, inserting)
	if inserting == 0 {
		t.Error("no kill hit the writing of a part")
	}
}

// TestHistory_killedAtEachWrite kills the program at each of its writes to ClickHouse: before it is sent, when half of it
// is, and when its answer is lost. History then has what a replay of the records publishes, each record once.
func TestHistory_killedAtEachWrite(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a process 21 times")
	}
	requireChdb(t)
	engine := startEngine(t, t.TempDir())
	way := newDeadlyWay(t, engine.url)
	t.Setenv("SIGNALBOX_CLICKHOUSE_ADDRESSES", "["+strings.TrimPrefix(way.url, "http://")+"]")
	h := newKillHarness(t, nil)
	h.waitReady()
	eventually(t, 30*time.Second, func() error { return allStored(t, h.url) })
	engine.keepParts()

	stop := h.loadHistory()
	kills := 0
	for _, table := range []string{"positions", "alert_events", "incident_revisions", "timeline", "changes", "events", "versions"} {
		for _, stage := range []deadlyStage{beforeWrite, halfWritten, unanswered} {
			select {
			case <-way.arm(table, stage, h.cmd.Process):
				kills++
			case <-time.After(30 * time.Second):
				t.Fatalf("no write to %s in 30 s", table)
			}
			h.kill()
			h.start()
		}
	}
	stop()
	h.waitReady()
	h.settle()
	h.terminate()
	h.checkHistory(engine)
	t.Logf("%d kills", kills)
}

// requireChdb is the path of libchdb; where it may be missing, the test is skipped without it.
func requireChdb(t *testing.T) string {
	t.Helper()
	library := chdb.Find("")
	if _, err := os.Stat(library); err != nil && os.Getenv("REQUIRE_CHDB") == "" {
		t.Skip("libchdb is not there: make chdb")
	}
	return library
}

// loadHistory sends what fills every table, until the function is called.
func (h *killHarness) loadHistory() (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var load sync.WaitGroup
	for worker := range 2 {
		load.Go(func() { h.sendAlerts(ctx, worker) })
	}
	load.Go(func() { h.sendNoise(ctx) })
	load.Go(func() { h.sendCommands(ctx) })
	load.Go(func() { h.sendEstates(ctx) })
	return func() {
		cancel()
		load.Wait()
	}
}

// settle waits until nothing happens any more, longer than any of killRules' times, and all of it is stored.
func (h *killHarness) settle() {
	h.t.Helper()
	h.waitReady()
	var seen string
	var since time.Time
	eventually(h.t, time.Minute, func() error {
		if err := allStored(h.t, h.url); err != nil {
			since = time.Time{}
			return err
		}
		_, body, err := send(h.t.Context(), http.MethodGet, h.url+"/metrics", nil, nil)
		if err != nil {
			return err
		}
		var rows strings.Builder
		for line := range strings.Lines(string(body)) {
			if strings.HasPrefix(line, "signalbox_store_rows_total{") {
				rows.WriteString(line)
			}
		}
		if rows.String() != seen || since.IsZero() {
			seen, since = rows.String(), time.Now()
		}
		if quiet := time.Since(since); quiet < 6*time.Second {
			return fmt.Errorf("quiet for %s only", quiet)
		}
		return nil
	})
}

// awaitPart returns when the engine in this folder writes a part; false when that was not seen.
func awaitPart(t *testing.T, dir string) bool {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		found, err := filepath.Glob(filepath.Join(dir, "store", "*", "*", "tmp_insert_*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return true
		}
	}
	return false
}

// runEngine makes the test binary a ClickHouse: it serves the embedded engine on a folder at this address.
const runEngine = "RUN_CLICKHOUSE_AT"

// mainOfEngine never returns.
func mainOfEngine() {
	engine, err := chdb.Open(chdb.Find(""), os.Args[1])
	if err != nil {
		panic(err)
	}
	panic(http.ListenAndServe(os.Getenv(runEngine), engine)) //nolint:gosec // for one test
}

// engineProcess is a ClickHouse in a process of its own.
type engineProcess struct {
	t   *testing.T
	url string
	cmd *exec.Cmd
}

func startEngine(t *testing.T, dir string) *engineProcess {
	t.Helper()
	addr := freeAddr(t)
	e := &engineProcess{t: t, url: "http://" + addr}
	e.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], dir)
	e.cmd.Env = append(os.Environ(), runEngine+"="+addr)
	e.cmd.Stderr = t.Output()
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	eventually(t, 30*time.Second, func() error {
		_, err := e.ask("SELECT 1")
		return err
	})
	return e
}

func (e *engineProcess) stop() {
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait() // killed
	e.cmd = nil
}

// ask runs a statement and returns its result.
func (e *engineProcess) ask(statement string) (string, error) {
	status, body, err := send(e.t.Context(), http.MethodPost, e.url, statement, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: %d: %s", statement, status, body)
	}
	return string(body), err
}

// keepParts keeps the tables from merging, which would hide a row that was written twice; also in whoever opens them later.
func (e *engineProcess) keepParts() {
	e.t.Helper()
	for _, table := range []string{"alert_events", "incident_revisions", "timeline", "changes", "events"} {
		statement := "ALTER TABLE signalbox." + table + " MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1, " +
			"parts_to_throw_insert = 100000, parts_to_delay_insert = 100000"
		if _, err := e.ask(statement); err != nil {
			e.t.Fatal(err)
		}
	}
}

// deadlyStage is where in a write the sender dies.
type deadlyStage int

const (
	beforeWrite deadlyStage = iota
	halfWritten
	unanswered
)

// deadlyWay stands between the program and ClickHouse and kills the program at a write.
type deadlyWay struct {
	url   string
	to    *url.URL
	relay *httputil.ReverseProxy

	mu    sync.Mutex
	table string
	stage deadlyStage
	kill  *os.Process
	dead  chan struct{}
}

func newDeadlyWay(t *testing.T, to string) *deadlyWay {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	w := &deadlyWay{to: target, relay: httputil.NewSingleHostReverseProxy(target)}
	w.relay.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// arm kills a process at its next write to a table; the channel is closed when that is done.
func (w *deadlyWay) arm(table string, stage deadlyStage, process *os.Process) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.table, w.stage, w.kill, w.dead = table, stage, process, make(chan struct{})
	return w.dead
}

// ServeHTTP implements http.Handler.
func (w *deadlyWay) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if w.kill == nil || !strings.HasPrefix(r.URL.Query().Get("query"), "INSERT INTO signalbox."+w.table+" ") {
		w.mu.Unlock()
		w.relay.ServeHTTP(rw, r)
		return
	}
	process, dead := w.kill, w.dead
	w.kill = nil
	w.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the program was killed by another of its writes
	}
	switch w.stage {
	case beforeWrite:
	case halfWritten:
		w.write(r, io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}))
	case unanswered:
		w.write(r, bytes.NewReader(body))
	}
	_ = process.Signal(syscall.SIGKILL) // the test looks how it ended
	close(dead)
	panic(http.ErrAbortHandler)
}

// write sends a write on and waits for what becomes of it.
func (w *deadlyWay) write(r *http.Request, body io.Reader) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.RequestURI = w.to.Scheme, w.to.Host, ""
	out.Body, out.ContentLength = io.NopCloser(body), -1
	if res, err := http.DefaultTransport.RoundTrip(out); err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

// broken is a connection that ends in the middle.
type broken struct{}

// Read implements io.Reader.
func (broken) Read([]byte) (int, error) { return 0, errors.New("the sender is dead") }
