package correlate

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// largeEstate has n items: racks of 40 hosts behind a switch, with two applications on each host,
// services over the applications, and a core.
func largeEstate(n int) string {
	var items, relations []string
	add := func(id, class, extra string) {
		items = append(items, fmt.Sprintf(`{"id":%q,"class":%q%s}`, id, class, extra))
	}
	relate := func(from, kind, to string) {
		relations = append(relations, fmt.Sprintf(`{"from":%q,"type":%q,"to":%q}`, from, kind, to))
	}
	add("mon", "host", `,"vantage":true`)
	add("core", "switch", "")
	relate("mon", "connects_to", "core")
	for rack := 0; len(items) < n; rack++ {
		sw := fmt.Sprintf("sw-%d", rack)
		add(sw, "switch", "")
		relate(sw, "connects_to", "core")
		service := fmt.Sprintf("service-%d", rack)
		add(service, "service", "")
		if rack > 0 {
			relate(service, "depends_on", fmt.Sprintf("service-%d", rack/2))
		}
		for h := range 40 {
			host := fmt.Sprintf("host-%d-%d", rack, h)
			add(host, "host", fmt.Sprintf(`,"identifiers":[{"host":%q}]`, host))
			relate(host, "connects_to", sw)
			for a := range 2 {
				app := fmt.Sprintf("app-%d-%d-%d", rack, h, a)
				add(app, "instance", fmt.Sprintf(`,"identifiers":[{"app":%q}]`, app))
				relate(app, "runs_on", host)
				relate(app, "member_of", service)
			}
		}
	}
	return `{"items":[` + strings.Join(items, ",") + `],"relations":[` + strings.Join(relations, ",") + `]}`
}

func firing(at time.Time, labels map[string]string) itsm.Alert {
	ls := itsm.NewLabels(labels)
	return itsm.Alert{
		Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, StartsAt: at, EndsAt: at.Add(5 * time.Minute), Source: "prom",
		Annotations: itsm.NewLabels(map[string]string{"summary": "something is wrong", "runbook_url": "https://runbooks.example/x"}),
	}
}

// hostAlert is the i-th of many different alerts on many hosts.
func hostAlert(at time.Time, i int) itsm.Alert {
	return firing(at, map[string]string{
		"alertname": fmt.Sprintf("Rule%d", i/44000), "host": fmt.Sprintf("host-%d-%d", i%1100, i/1100%40), "severity": "warning",
		"cluster": "c1", "job": "node", "team": "infra",
	})
}

func loaded(b *testing.B, items, active int) (*Engine, time.Time) {
	b.Helper()
	e, err := New(Options{Shards: 1, Config: DefaultConfig()})
	if err != nil {
		b.Fatal(err)
	}
	now := start()
	e.Apply(now, itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v1", Data: []byte(largeEstate(items))}}})
	if e.fault != "" {
		b.Fatal(e.fault)
	}
	return activate(e, now, active)
}

// activate makes so many alerts fire.
func activate(e *Engine, now time.Time, active int) (*Engine, time.Time) {
	for i := 0; i < active; i += 100 {
		in := itsm.Input{}
		for j := i; j < i+100; j++ {
			in.Alerts = append(in.Alerts, hostAlert(now, j))
		}
		now = now.Add(time.Millisecond)
		e.Apply(now, in)
	}
	e.Changed()
	return e, now
}

// BenchmarkDuplicate is a re-send of an active alert, 100 in a record.
func BenchmarkDuplicate(b *testing.B) {
	e, now := loaded(b, 100_000, 100_000)
	in := itsm.Input{}
	for i := range 100 {
		in.Alerts = append(in.Alerts, hostAlert(now, i*997))
	}
	b.ResetTimer()
	for i := 0; i < b.N; i += 100 {
		now = now.Add(time.Microsecond)
		for j := range in.Alerts {
			in.Alerts[j].EndsAt = now.Add(5 * time.Minute)
		}
		e.Apply(now, in)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkNew is a new alert on 100,000 items with 100,000 active ones, 100 in a record.
func BenchmarkNew(b *testing.B) {
	e, now := loaded(b, 100_000, 100_000)
	alerts := make([]itsm.Alert, b.N+100)
	for i := range alerts {
		alerts[i] = hostAlert(now, 100_000+i)
	}
	b.ResetTimer()
	for i := 0; i < b.N; i += 100 {
		now = now.Add(time.Millisecond)
		e.Apply(now, itsm.Input{Alerts: alerts[i : i+100]})
		if i%10_000 == 0 {
			e.Changed()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkNewOne is the same with each alert in a record of its own: how long one decision takes.
func BenchmarkNewOne(b *testing.B) {
	e, now := loaded(b, 100_000, 100_000)
	alerts := make([]itsm.Alert, b.N)
	for i := range alerts {
		alerts[i] = hostAlert(now, 100_000+i)
	}
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for i := range alerts {
		now = now.Add(100 * time.Microsecond)
		began := time.Now()
		e.Apply(now, itsm.Input{Alerts: alerts[i : i+1]})
		took[i] = time.Since(began)
		if i%10_000 == 0 {
			e.Changed()
		}
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}

// BenchmarkActive is a new alert, 100 in a record, with so many active ones before: what one costs does not grow with them. It
// tells what each active one takes of memory as well.
func BenchmarkActive(b *testing.B) {
	for _, active := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(strconv.Itoa(active), func(b *testing.B) {
			e, now := loaded(b, 100_000, 0)
			empty := heapInUse()
			e, now = activate(e, now, active)
			held := heapInUse() - empty
			var took []time.Duration
			for i := active; b.Loop(); i += 100 {
				b.StopTimer()
				now = now.Add(time.Millisecond)
				in := itsm.Input{}
				for j := range 100 {
					in.Alerts = append(in.Alerts, hostAlert(now, i+j))
				}
				b.StartTimer()
				began := time.Now()
				e.Apply(now, in)
				took = append(took, time.Since(began))
				if len(took)%100 == 0 {
					e.Changed()
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "alerts/s")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/100, "p99-µs/alert")
			b.ReportMetric(float64(held)/float64(active), "B/active")
		})
	}
}

// heapInUse is what is in use after a collection, in bytes.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // less than the memory
}

// BenchmarkStorm is 10,000 alerts that come from one silent switch, 100 in a record.
func BenchmarkStorm(b *testing.B) {
	for range b.N {
		b.StopTimer()
		e, now := loaded(b, 10_000, 0)
		now = now.Add(time.Minute)
		var alerts []itsm.Alert
		for i := range 10_000 {
			alerts = append(alerts, firing(now, map[string]string{
				"alertname": "TargetDown", "host": fmt.Sprintf("host-%d-%d", i%82, i/82%40), "severity": "critical", "n": strconv.Itoa(i),
			}))
		}
		b.StartTimer()
		for i := 0; i < len(alerts); i += 100 {
			now = now.Add(time.Millisecond)
			e.Apply(now, itsm.Input{Alerts: alerts[i : i+100]})
		}
		b.StopTimer()
		live := 0
		for _, inc := range e.incidents {
			if inc.row.MergedInto == nil {
				live++
			}
		}
		b.ReportMetric(float64(live), "incidents")
		b.StartTimer()
	}
	b.ReportMetric(float64(10_000*b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkReconsider looks at a rack's trouble and all around it: 30 hosts of which each reports two things, one in three has
// an application that reports as well, and the service over all of them.
func BenchmarkReconsider(b *testing.B) {
	e, now := loaded(b, 10_000, 0)
	for h := range 30 {
		now = now.Add(time.Second)
		host := fmt.Sprintf("host-3-%d", h)
		in := itsm.Input{Alerts: []itsm.Alert{
			firing(now, map[string]string{"alertname": "TargetDown", "host": host}), firing(now, map[string]string{"alertname": "DiskFull", "host": host}),
		}}
		if h%3 == 0 {
			in.Alerts = append(in.Alerts, firing(now, map[string]string{"alertname": "ErrorRate", "app": fmt.Sprintf("app-3-%d-0", h)}))
		}
		e.Apply(now, in)
	}
	inc := e.inOrder()[0]
	b.ReportAllocs()
	for b.Loop() {
		e.index.Reconsider(now, inc.hyp)
	}
}

// BenchmarkReconsiderAll is what follows a minute after applications here and there have failed that have little to do with
// each other.
func BenchmarkReconsiderAll(b *testing.B) {
	alerts, incidents := 0, 0
	for range b.N {
		b.StopTimer()
		e, now := loaded(b, 100_000, 0)
		alerts = 0
		for rack := range 800 {
			for h := rack % 7; h < 40; h += 7 {
				now = now.Add(time.Millisecond)
				app := fmt.Sprintf("app-%d-%d-0", rack, h)
				e.Apply(now, itsm.Input{Alerts: []itsm.Alert{firing(now, map[string]string{"alertname": "ErrorRate", "app": app})}})
				alerts++
			}
		}
		incidents = len(e.incidents)
		b.StartTimer()
		e.Advance(now.Add(2 * time.Minute))
	}
	b.ReportMetric(float64(incidents), "incidents")
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(alerts*b.N), "µs/alert")
}

// BenchmarkRestore is a recovery with 100,000 active alerts.
func BenchmarkRestore(b *testing.B) {
	e, err := New(Options{Shards: 1, Config: DefaultConfig()})
	if err != nil {
		b.Fatal(err)
	}
	now := start()
	estate := []byte(largeEstate(100_000))
	e.Apply(now, itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: "v1", Data: estate}}})
	for i := 0; i < 100_000; i += 100 {
		in := itsm.Input{}
		for j := i; j < i+100; j++ {
			in.Alerts = append(in.Alerts, hostAlert(now, j))
		}
		e.Apply(now, in)
	}
	entities := e.Changed()
	b.ResetTimer()
	for range b.N {
		fresh, err := New(Options{Shards: 1, Config: DefaultConfig()})
		if err != nil {
			b.Fatal(err)
		}
		for _, entity := range entities {
			if err := fresh.Restore(entity); err != nil {
				b.Fatal(err)
			}
		}
		if err := fresh.Restored(e.Position(), estate, nil); err != nil {
			b.Fatal(err)
		}
	}
}
