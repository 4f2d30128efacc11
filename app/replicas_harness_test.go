package app

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/stream"
)

// runBroker makes the test binary an embedded broker in a process of its own; its value is the port, its
// argument the folder.
const runBroker = "RUN_BROKER_ON"

// mainOfBroker never returns.
func mainOfBroker() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	port, err := strconv.Atoi(os.Getenv(runBroker))
	if err != nil {
		panic(err)
	}
	b, err := stream.StartBroker(stream.BrokerOptions{
		DataDir: os.Args[1], Port: port, Config: stream.DefaultConfig(), Logger: slog.Default(), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		panic(err)
	}
	<-ctx.Done()
	if err := b.Close(); err != nil {
		panic(err)
	}
	os.Exit(0) //nolint:forbidigo,gocritic // here it is the main function.
}

// brokerProcess is a broker that can be killed and started again.
type brokerProcess struct {
	t       *testing.T
	addr    string
	log     string // its file
	command func() *exec.Cmd
	cmd     *exec.Cmd
}

// kfakeProcess is the embedded broker in a process of its own.
func kfakeProcess(t *testing.T) *brokerProcess {
	t.Helper()
	dir, port := t.TempDir(), brokerPort(t)
	b := &brokerProcess{t: t, addr: "127.0.0.1:" + port, command: func() *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], dir)
		cmd.Env = append(os.Environ(), runBroker+"="+port)
		return cmd
	}}
	b.run()
	return b
}

// apacheProcess is an Apache Kafka of the test's own.
func apacheProcess(t *testing.T) *brokerProcess {
	t.Helper()
	dir, port := t.TempDir(), brokerPort(t)
	b := &brokerProcess{t: t, addr: "127.0.0.1:" + port, command: func() *exec.Cmd {
		return exec.CommandContext(context.WithoutCancel(t.Context()), "../scripts/kafka/kafka.sh", "run", dir, port)
	}}
	b.run()
	return b
}

// brokerPort finds a port that is free, and so is the next one, where Apache Kafka's controller listens. It is none that a
// connection could be given by chance while the broker is away.
func brokerPort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := 20000 + mathrand.IntN(10000)
		if listens(t, port) && listens(t, port+1) {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no two ports beside each other are free")
	return ""
}

// listens tells whether somebody could listen on a port of loopback now.
func listens(t *testing.T, port int) bool {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	return err == nil && l.Close() == nil
}

// run starts the broker until the test ends, and shows its log when the test failed.
func (b *brokerProcess) run() {
	b.t.Helper()
	b.log = filepath.Join(b.t.ArtifactDir(), "broker.log")
	b.t.Cleanup(func() {
		b.kill()
		if data, err := os.ReadFile(b.log); b.t.Failed() && err == nil {
			b.t.Logf("log of the broker:\n%s", data[max(0, len(data)-4000):])
		}
	})
	b.start()
}

func (b *brokerProcess) start() {
	b.t.Helper()
	b.cmd = b.command()
	log, err := os.OpenFile(b.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	b.cmd.Stdout, b.cmd.Stderr = log, log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, 60*time.Second, func() error {
		conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", b.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

func (b *brokerProcess) kill() {
	_ = b.cmd.Process.Kill() // it may have ended
	_ = b.cmd.Wait()
}

// replica is one of several processes on one Kafka.
type replica struct {
	t    *testing.T
	name string
	addr string
	url  string
	log  *os.File
	cmd  *exec.Cmd
	up   atomic.Bool // the load balancer sends requests there
}

// replicas are several processes on one Kafka, behind a load balancer that takes the next one when one
// does not answer.
type replicas struct {
	*killHarness
	all  []*replica
	next atomic.Int64
}

const replicaShards = 4

// randomHex tells runs on one broker apart.
func randomHex() string {
	var id [4]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// newReplicas starts two processes, which share four shards.
func newReplicas(t *testing.T, brokers []string) *replicas {
	t.Helper()
	r := &replicas{killHarness: &killHarness{
		t: t, dir: t.ArtifactDir(), brokers: brokers, prefix: "replicas-" + randomHex() + ".", shards: replicaShards, several: true,
		alerts: map[string]bool{}, comments: map[string]string{}, revisions: map[string]int{}, shown: map[string][]byte{},
	}}
	config := fmt.Sprintf(`
kafka:
  brokers: [%q]
  topic_prefix: %s
  shards: %d
  session_timeout: 2s
  produce_timeout: 1s
incident: {resolve_timeout: 2s, auto_resolve_after: 1s, reopen_within: 2s, close_after: 2s, flap_count: 3, flap_window: 5s}
correlate: {gap: 2s, shard_by: [rack]}
`, strings.Join(brokers, `","`), r.prefix, replicaShards)
	if err := os.WriteFile(r.path("signalbox.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	balancer := httptest.NewServer(r.balancer())
	t.Cleanup(balancer.Close)
	r.url, r.addr = balancer.URL, strings.TrimPrefix(balancer.URL, "http://")
	r.add()
	r.add()
	return r
}

// add starts one more process and waits until it is ready.
func (r *replicas) add() *replica {
	r.t.Helper()
	n := &replica{t: r.t, name: fmt.Sprintf("n%d", len(r.all)), addr: freeAddr(r.t)}
	n.url = "http://" + n.addr
	log, err := os.Create(r.path(n.name + ".log"))
	if err != nil {
		r.t.Fatal(err)
	}
	n.log = log
	r.mu.Lock()
	r.all = append(r.all, n)
	r.mu.Unlock()
	r.t.Cleanup(func() {
		_ = n.cmd.Process.Kill() // it may have ended
		_ = n.cmd.Wait()
		_ = log.Close()
		if r.t.Failed() {
			if data, err := os.ReadFile(log.Name()); err == nil {
				r.t.Logf("log of %s:\n%s", n.name, data[max(0, len(data)-6000):])
			}
		}
	})
	r.run(n)
	return n
}

// run starts the process of a replica.
func (r *replicas) run(n *replica) {
	r.t.Helper()
	n.cmd = program(context.WithoutCancel(r.t.Context()), r.t,
		"serve", "--config", r.path("signalbox.yml"), "--listen", n.addr, "--data-dir", r.path(n.name))
	n.cmd.Stderr = n.log
	if err := n.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	n.ready()
	n.up.Store(true)
}

func (n *replica) ready() {
	n.t.Helper()
	eventually(n.t, 40*time.Second, func() error { return ready(n.t.Context(), n.url) })
}

// signal sends a signal; the balancer sends nothing there before up is set again.
func (n *replica) signal(s syscall.Signal) {
	n.t.Helper()
	n.up.Store(false)
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Fatal(err)
	}
}

// wait waits for the end of the process after a signal.
func (n *replica) wait(s syscall.Signal) {
	n.t.Helper()
	err := n.cmd.Wait()
	var exit *exec.ExitError
	if s == syscall.SIGTERM && err != nil {
		n.t.Fatalf("%s did not stop in peace: %v", n.name, err)
	}
	if s == syscall.SIGKILL && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != s) {
		n.t.Fatalf("%s ended by itself: %v", n.name, err)
	}
}

// balancer sends each request to the next process that is up.
func (r *replicas) balancer() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			r.mu.Lock()
			all := r.all
			r.mu.Unlock()
			target := ""
			for range all {
				n := all[int(r.next.Add(1))%len(all)]
				if n.up.Load() {
					target = n.url
					break
				}
			}
			to, err := url.Parse(target)
			if err != nil || target == "" {
				to = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} // nobody is up
			}
			p.SetURL(to)
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
	}
}

// shardFigures reads a metric that has the shard as its label.
func (n *replica) shardFigures(name string) (map[int]float64, error) {
	status, body, err := send(n.t.Context(), http.MethodGet, n.url+"/metrics", nil, nil)
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("metrics of %s: %d %w", n.name, status, err)
	}
	out := map[int]float64{}
	for lines := bufio.NewScanner(strings.NewReader(string(body))); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), name+`{shard="`)
		if !ok {
			continue
		}
		shard, value, _ := strings.Cut(rest, `"} `)
		k, err := strconv.Atoi(shard)
		if err != nil {
			return nil, err
		}
		if out[k], err = strconv.ParseFloat(value, 64); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// owned are the shards of a replica.
func (n *replica) owned() (map[int]bool, error) {
	figures, err := n.shardFigures("signalbox_stream_shard_owned")
	if err != nil {
		return nil, err
	}
	out := map[int]bool{}
	for shard, v := range figures {
		if v == 1 {
			out[shard] = true
		}
	}
	return out, nil
}

// recoveries tells how often each shard was restored at a replica.
func (n *replica) recoveries() map[int]float64 {
	n.t.Helper()
	figures, err := n.shardFigures("signalbox_correlate_recoveries_total")
	if err != nil {
		n.t.Fatal(err)
	}
	return figures
}

// waitShared waits until these replicas have all shards between them, evenly, each caught up, and returns
// who has which.
func (r *replicas) waitShared(among ...*replica) map[*replica]map[int]bool {
	r.t.Helper()
	var shares map[*replica]map[int]bool
	eventually(r.t, time.Minute, func() error {
		shares = map[*replica]map[int]bool{}
		seen := map[int]bool{}
		fewest, most := math.MaxInt, 0
		for _, n := range among {
			owned, err := n.owned()
			if err != nil {
				return err
			}
			if err := ready(r.t.Context(), n.url); err != nil {
				return fmt.Errorf("%s: %w", n.name, err)
			}
			shares[n] = owned
			fewest, most = min(fewest, len(owned)), max(most, len(owned))
			for s := range owned {
				seen[s] = true
			}
		}
		if len(seen) != replicaShards || most-fewest > 1 {
			return fmt.Errorf("shards %v have an owner, %d to %d each", seen, fewest, most)
		}
		return nil
	})
	return shares
}

// wantStayed requires the shards that a replica had before and has still not to have been restored.
func (n *replica) wantStayed(before, after map[int]bool, recoveries map[int]float64) {
	n.t.Helper()
	now := n.recoveries()
	for shard := range after {
		if before[shard] && now[shard] != recoveries[shard] {
			n.t.Errorf("shard %d stayed at %s and was restored %v times more", shard, n.name, now[shard]-recoveries[shard])
		}
	}
}

// waitLoad waits until more has come through every door.
func (r *replicas) waitLoad() {
	r.t.Helper()
	acknowledged := func() [4]int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return [4]int{len(r.alerts), len(r.comments), r.commands, r.estates}
	}
	before := acknowledged()
	eventually(r.t, time.Minute, func() error {
		now := acknowledged()
		for i := range now {
			if now[i] == before[i] {
				return fmt.Errorf("the load does not reach every door: alerts, comments, other commands, estates: %v after %v", now, before)
			}
		}
		return nil
	})
}

// underLoad runs what happens while alerts, changes, commands and estates come in through the balancer and
// watchers look on, lets everything come to rest, and requires what was acknowledged to be there once and the
// incidents to be those of a replay.
func (r *replicas) underLoad(happens func()) {
	r.t.Helper()
	ctx, stop := context.WithCancel(r.t.Context())
	defer stop()
	var load, watching sync.WaitGroup
	for worker := range 2 {
		load.Go(func() { r.sendAlerts(ctx, worker) })
	}
	load.Go(func() { r.sendNoise(ctx) })
	load.Go(func() { r.sendCommands(ctx) })
	load.Go(func() { r.sendEstates(ctx) })
	load.Go(func() { r.poll(ctx) })
	board := newBoardWatcher(r.killHarness)
	watchCtx, stopWatching := context.WithCancel(r.t.Context())
	defer stopWatching()
	watching.Go(func() { board.run(watchCtx) })

	r.waitLoad()
	happens()
	r.waitLoad()
	pause(ctx, 2*time.Second) // so that alerts expire and what is due fires
	stop()
	load.Wait()
	r.checkAcknowledged()
	r.checkComments()
	board.check()
	stopWatching()
	watching.Wait()
	for _, n := range r.all {
		if n.up.Load() {
			n.signal(syscall.SIGTERM)
			n.wait(syscall.SIGTERM)
		}
	}
	r.checkTopics()
	r.t.Logf("%d alerts, %d comments and %d other commands acknowledged, %d estates adopted; %d incidents, %d revisions seen, %d by a watcher that resumed %d times",
		len(r.alerts), len(r.comments), r.commands, r.estates, len(r.revisions), len(r.shown), board.deltas, board.resumed)
}
