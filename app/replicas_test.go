package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// onBrokers runs a test of two processes on the embedded broker in a process of its own and, where KAFKA_BROKERS
// names one, on Apache Kafka.
func onBrokers(t *testing.T, test func(r *replicas)) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs several processes under load")
	}
	t.Run("kfake", func(t *testing.T) { test(newReplicas(t, []string{kfakeProcess(t).addr})) })
	t.Run("kafka", func(t *testing.T) {
		brokers := os.Getenv("KAFKA_BROKERS")
		if brokers == "" {
			t.Skip("KAFKA_BROKERS names no broker")
		}
		test(newReplicas(t, strings.Split(brokers, ",")))
	})
}

// TestReplicaKilled kills one of two processes under load. The other takes its shards over, and when it comes
// again they are shared again; the shards that stayed were not restored.
func TestReplicaKilled(t *testing.T) {
	onBrokers(t, func(r *replicas) {
		a, b := r.all[0], r.all[1]
		r.underLoad(func() {
			before, restored := r.waitShared(a, b), b.recoveries()
			a.signal(syscall.SIGKILL)
			a.wait(syscall.SIGKILL)
			alone := r.waitShared(b)
			b.wantStayed(before[b], alone[b], restored)
			restored = b.recoveries()
			r.run(a)
			again := r.waitShared(a, b)
			b.wantStayed(alone[b], again[b], restored)
		})
	})
}

// TestReplicaJoins lets a third process join two under load, and leave in peace. No more shards move than that
// takes.
func TestReplicaJoins(t *testing.T) {
	onBrokers(t, func(r *replicas) {
		a, b := r.all[0], r.all[1]
		r.underLoad(func() {
			before := r.waitShared(a, b)
			restored := map[*replica]map[int]float64{a: a.recoveries(), b: b.recoveries()}
			c := r.add()
			three := r.waitShared(a, b, c)
			moved := 0
			for _, n := range []*replica{a, b} {
				n.wantStayed(before[n], three[n], restored[n])
				moved += len(before[n]) - len(three[n])
				restored[n] = n.recoveries()
			}
			if moved != 1 {
				r.t.Errorf("%d shards moved to the third process, want 1", moved)
			}
			c.signal(syscall.SIGTERM)
			c.wait(syscall.SIGTERM)
			two := r.waitShared(a, b)
			for _, n := range []*replica{a, b} {
				n.wantStayed(three[n], two[n], restored[n])
			}
		})
	})
}

// TestReplicaAsleep stops one of two processes for longer than its session and lets it wake up under load. It
// undoes nothing of what the other has done with its shards meanwhile.
func TestReplicaAsleep(t *testing.T) {
	onBrokers(t, func(r *replicas) {
		a, b := r.all[0], r.all[1]
		r.underLoad(func() {
			before, restored := r.waitShared(a, b), b.recoveries()
			a.signal(syscall.SIGSTOP)
			alone := r.waitShared(b)
			b.wantStayed(before[b], alone[b], restored)
			pause(r.t.Context(), time.Second) // the other works on its shards
			restored = b.recoveries()
			a.signal(syscall.SIGCONT)
			again := r.waitShared(a, b)
			b.wantStayed(alone[b], again[b], restored)
			a.up.Store(true)
		})
	})
}

// TestBrokerRestarted kills the broker under load and starts it again. Senders get 503 with Retry-After
// meanwhile; then everything goes on.
func TestBrokerRestarted(t *testing.T) {
	if testing.Short() {
		t.Skip("runs several processes under load")
	}
	test := func(t *testing.T, broker *brokerProcess) {
		t.Helper()
		r := newReplicas(t, []string{broker.addr})
		a, b := r.all[0], r.all[1]
		r.underLoad(func() {
			r.waitShared(a, b)
			broker.kill()
			for _, n := range r.all {
				n.wantUnavailable(t.Context())
			}
			broker.start()
			r.waitShared(a, b)
		})
	}
	t.Run("kfake", func(t *testing.T) { test(t, kfakeProcess(t)) })
	t.Run("kafka", func(t *testing.T) {
		if os.Getenv("KAFKA_BROKERS") == "" {
			t.Skip("KAFKA_BROKERS is not set: no Apache Kafka is wanted")
		}
		test(t, apacheProcess(t))
	})
}

// wantUnavailable requires a sender to be told to come again.
func (n *replica) wantUnavailable(ctx context.Context) {
	n.t.Helper()
	body := `[{"labels":{"alertname":"Probe","probe":"` + n.name + `"}}]`
	eventually(n.t, 20*time.Second, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+"/api/v2/alerts", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("%s answered %d while there is no broker", n.name, resp.StatusCode)
		}
		if resp.Header.Get("Retry-After") == "" {
			return errors.New("no Retry-After")
		}
		return nil
	})
}
