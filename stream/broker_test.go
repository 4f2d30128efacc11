package stream

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func startBroker(tb testing.TB, dir string) *Broker {
	tb.Helper()
	b, err := StartBroker(BrokerOptions{DataDir: dir, Config: DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func openStream(tb testing.TB, addr string) (*Stream, func()) {
	tb.Helper()
	return openConfigured(tb, addr, DefaultConfig())
}

func openConfigured(tb testing.TB, addr string, cfg Config) (*Stream, func()) {
	tb.Helper()
	s, err := Open(tb.Context(), Options{
		Config: cfg, Brokers: []string{addr}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Door().Run(ctx) }()
	return s, func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			tb.Error(err)
		}
	}
}

func someAlert(name string) itsm.Alert {
	ls := itsm.NewLabels(map[string]string{"alertname": name, "host": "h1"})
	return itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, StartsAt: time.Unix(1000, 5).UTC(), Source: "test"}
}

// TestBrokerKeepsItsLog: what was acknowledged is there after the broker was closed and opened again, checkpoint
// and versions included.
func TestBrokerKeepsItsLog(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	s, stop := openStream(t, b.Addr())
	if err := s.Door().Append(t.Context(), itsm.Input{Alerts: []itsm.Alert{someAlert("One"), someAlert("Two")}}); err != nil {
		t.Fatal(err)
	}
	id, err := s.PutVersion(t.Context(), []byte("an estate"))
	if err != nil {
		t.Fatal(err)
	}
	sh := s.Shard(0)
	if _, err := sh.Recover(t.Context(), func(itsm.Entity) error { return nil }); err != nil {
		t.Fatal(err)
	}
	at := itsm.Position{Offset: 1, Clock: time.Unix(2000, 0).UTC()}
	if err := sh.Checkpoint(t.Context(), []itsm.Entity{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}, at); err != nil {
		t.Fatal(err)
	}
	epoch := s.Epoch()
	stop()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	b = startBroker(t, dir)
	defer closeBroker(t, b)
	s, stop = openStream(t, b.Addr())
	defer stop()
	if s.Epoch() != epoch {
		t.Errorf("epoch %s, want %s", s.Epoch(), epoch)
	}
	var names []string
	if err := s.Events(t.Context(), 0, 0, func(r itsm.Record) error {
		for _, a := range r.Input.Alerts {
			names = append(names, a.Labels.Get("alertname"))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"One", "Two"}, names); diff != "" {
		t.Error(diff)
	}
	if data, err := s.Version(t.Context(), id); err != nil || string(data) != "an estate" {
		t.Errorf("version %q, %v", data, err)
	}
	sh = s.Shard(0)
	var keys []string
	got, err := sh.Recover(t.Context(), func(e itsm.Entity) error {
		keys = append(keys, e.Key+"="+string(e.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(at, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a=1", "b=2"}, keys); diff != "" {
		t.Error(diff)
	}
	end, err := sh.End(t.Context())
	if err != nil || end < 1 {
		t.Errorf("end %d, %v", end, err)
	}
}

func TestBrokerOwnsItsDirectory(t *testing.T) {
	dir := t.TempDir()
	b := startBroker(t, dir)
	defer closeBroker(t, b)
	_, err := StartBroker(BrokerOptions{DataDir: dir, Config: DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second broker: %v", err)
	}
}
