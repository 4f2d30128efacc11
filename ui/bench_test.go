package ui

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signalbox/itsm"
)

// benchRow is as large as rows are in practice: about 1.5 kB.
func benchRow(n, revision int) []byte {
	return marshal(anIncident(n, func(i *itsm.Incident) {
		i.Revision, i.Services = revision, []string{"checkout", "cart", "search"}
		for k := range 20 {
			i.Items = append(i.Items, fmt.Sprintf("host-%d-%d", n, k))
		}
	}).Row())
}

// BenchmarkFlush is one round of the hub at 20,000 row changes a second and 100 watchers: 2,000
// changes of 5,000 rows are published, encoded once, and 100 clients fetch what they have to send.
func BenchmarkFlush(b *testing.B) {
	const rows, changes, watchers = 5000, 2000, 100
	h := newHub(newMetrics(prometheus.NewRegistry()))
	h.reset("e")
	raw, ids := make([][]byte, rows), make([]string, rows)
	for n := range raw {
		raw[n], ids[n] = benchRow(n, 1), fmt.Sprint("id", n)
	}
	at := position{Epoch: "e", Offset: -1}
	offset, sent := int64(0), 0
	b.ReportAllocs()
	for b.Loop() {
		batch := make([]change, changes)
		for i := range batch {
			n := int(offset) % rows
			batch[i] = change{id: ids[n], row: raw[n], offset: offset}
			offset++
		}
		h.publish(batch, offset-1)
		h.begin(nil)
		var last turn
		for range watchers {
			last = h.next(at, -1)
			for _, f := range last.frames {
				sent += f.size
			}
		}
		at.Offset = last.to
	}
	b.ReportMetric(float64(sent)/float64(b.N)/watchers/1e6, "MB/watcher")
}

// BenchmarkApply is what a record of the incidents topic costs on its way into the board.
func BenchmarkApply(b *testing.B) {
	w := newRoom(b)
	const rows, batch = 5000, 200
	published := make([]itsm.Published, batch)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range published {
			n++
			id := n % rows
			published[i] = itsm.Published{Topic: itsm.TopicIncidents, Key: fmt.Sprint("id", id), Value: benchRow(id, n), Offset: int64(n)}
		}
		b.StartTimer()
		if err := w.ui.Apply(published); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/row")
}

// BenchmarkWatchers sends 20,000 row changes a second to 100 watchers over loopback connections,
// for a second of wall time in each iteration.
func BenchmarkWatchers(b *testing.B) {
	const rows, batches, batch, watchers = 5000, 100, 200, 100
	w := newWorld(b)
	for range watchers {
		at, pos := w.snapshot()
		c := w.connect(nil, at, pos)
		go drain(c)
		b.Cleanup(c.leave)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		tick := time.NewTicker(time.Second / batches)
		for range batches {
			records := make([]itsm.Published, batch)
			for i := range records {
				n++
				records[i] = itsm.Published{Topic: itsm.TopicIncidents, Key: fmt.Sprint("id", n%rows), Value: benchRow(n%rows, n)}
			}
			w.batch(records...)
			<-tick.C
		}
		tick.Stop()
	}
}

// drain reads without looking at what it reads.
func drain(c *watcher) {
	defer close(c.done)
	for {
		_, r, err := c.conn.NextReader()
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return
		}
	}
}

// BenchmarkAlertsQuery is a filtered page of a list of 100,000 alerts.
func BenchmarkAlertsQuery(b *testing.B) {
	w := newRoom(b)
	w.putIncident(anIncident(1))
	var batch []itsm.Published
	for n := range 100_000 {
		a := anAlert(fmt.Sprintf("alertname=Alert%d,instance=host-%d:9100,job=node", n%50, n))
		batch = append(batch, w.record(itsm.TopicAlerts, "id1/"+a.Fingerprint.String(), a))
	}
	w.batch(batch...)
	w.offbeat = true
	for b.Loop() {
		if got := w.get("/api/v1/alerts?limit=100&q=alertname%3DAlert7"); got.status != 200 || !strings.Contains(string(got.body), `"total":2000`) {
			b.Fatalf("%d %.200s", got.status, got.body)
		}
	}
}
