package stream

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/itsm"
)

// typical are alerts of the size that Prometheus sends.
func typical(n int) []itsm.Alert {
	as := make([]itsm.Alert, n)
	for i := range as {
		ls := itsm.NewLabels(map[string]string{
			"alertname": "InstanceDown", "instance": fmt.Sprintf("host-%04d.example.com:9100", i), "job": "node", "severity": "critical",
			"site": "vienna", "prometheus": "prom-a",
		})
		as[i] = itsm.Alert{
			Labels: ls, Fingerprint: ls.Fingerprint(), Annotations: itsm.NewLabels(map[string]string{"summary": "Instance is down for five minutes."}),
			Status: itsm.StatusFiring, StartsAt: time.Unix(1_700_000_000, int64(i)).UTC(), Source: "alertmanager",
			GeneratorURL: "http://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1", Resend: true,
		}
	}
	return as
}

func perAlert(b *testing.B, alerts int) {
	b.Helper()
	b.ReportMetric(float64(b.N*alerts)/b.Elapsed().Seconds(), "alerts/s")
}

func BenchmarkEncode(b *testing.B) {
	in := itsm.Input{Alerts: typical(1000)}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendTime(buf[:0], time.Unix(1, 0))
		for i := range in.Alerts {
			buf = appendAlert(buf, &in.Alerts[i])
		}
	}
	b.SetBytes(int64(len(buf)))
	perAlert(b, 1000)
}

func BenchmarkDecode(b *testing.B) {
	buf := encodeRecord(b, time.Unix(1, 0), itsm.Input{Alerts: typical(1000)})
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := decodeRecord(buf); err != nil {
			b.Fatal(err)
		}
	}
	perAlert(b, 1000)
}

// BenchmarkAppend is the way in: from the door to the acknowledgement of synced writes, with the
// embedded broker. "one" is a single sender of single alerts, so its time is linger and sync.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name            string
		alerts, senders int
	}{{"one", 1, 1}, {"1000", 1000, 1}, {"1000x8", 1000, 8}, {"10x64", 10, 64}} {
		b.Run(c.name, func(b *testing.B) {
			broker := startBroker(b, b.TempDir())
			defer broker.Close() //nolint:errcheck // the benchmark is over
			s, stop := openStream(b, broker.Addr())
			defer stop()
			in := itsm.Input{Alerts: typical(c.alerts)}
			b.SetParallelism(c.senders)
			b.ReportAllocs()
			b.ResetTimer()
			var failed atomic.Pointer[error]
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := s.Door().Append(b.Context(), in); err != nil {
						failed.Store(&err)
						return
					}
				}
			})
			if err := failed.Load(); err != nil {
				b.Fatal(*err)
			}
			perAlert(b, c.alerts)
		})
	}
}

// BenchmarkRead is the way to the engine.
func BenchmarkRead(b *testing.B) {
	broker := startBroker(b, b.TempDir())
	defer broker.Close() //nolint:errcheck // the benchmark is over
	s, stop := openStream(b, broker.Addr())
	defer stop()
	const records = 50
	in := itsm.Input{Alerts: typical(1000)}
	for range records {
		if err := s.Door().Append(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		sh := s.Shard(0)
		if _, err := sh.Recover(b.Context(), func(itsm.Entity) error { return nil }); err != nil {
			b.Fatal(err)
		}
		for n := 0; n < records; {
			rs, err := sh.Read(b.Context(), time.Second)
			if err != nil {
				b.Fatal(err)
			}
			n += len(rs)
		}
		if err := sh.Close(); err != nil {
			b.Fatal(err)
		}
	}
	perAlert(b, records*1000)
}

// BenchmarkWrite publishes what follows from a record of 1,000 alerts: ten incidents and their
// alerts; and a checkpoint.
func BenchmarkWrite(b *testing.B) {
	broker := startBroker(b, b.TempDir())
	defer broker.Close() //nolint:errcheck // the benchmark is over
	s, stop := openStream(b, broker.Addr())
	defer stop()
	sh := s.Shard(0)
	if _, err := sh.Recover(b.Context(), func(itsm.Entity) error { return nil }); err != nil {
		b.Fatal(err)
	}
	defer sh.Close() //nolint:errcheck // it only gives a connection back
	as := typical(1000)
	updates := make([]itsm.Update, 10)
	for i := range updates {
		id := fmt.Sprintf("%016x", i)
		u := itsm.Update{IncidentID: id, Incident: &itsm.Incident{ID: id, Number: "INC-000001", Revision: 1, Title: "Instance down"}}
		u.Entries = []itsm.Entry{{Seq: 1, By: itsm.ByEngine, Kind: itsm.EntryAlert, Text: "100 alerts joined", Data: []byte("{}")}}
		for j := range 100 {
			a := &as[i*100+j]
			u.Alerts = append(u.Alerts, itsm.AlertChange{Incident: id, Fingerprint: a.Fingerprint, State: &itsm.AlertState{
				Fingerprint: a.Fingerprint, Labels: a.Labels, Annotations: a.Annotations, Status: a.Status, StartsAt: a.StartsAt,
				LastStartsAt: a.StartsAt, LastSeenAt: a.StartsAt, JoinedAt: a.StartsAt, Count: 1, Source: a.Source, GeneratorURL: a.GeneratorURL,
				Evidence: []itsm.Evidence{{Kind: itsm.EvidenceTime, Text: "2 s after the first alert", Weight: 1}},
			}})
		}
		updates[i] = u
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := sh.Write(b.Context(), updates); err != nil {
			b.Fatal(err)
		}
	}
	perAlert(b, 1000)
}
