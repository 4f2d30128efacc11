package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

func benchFile(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"at":"2026-01-02T10:00:00Z","alert":{"status":"firing","labels":{"alertname":"HostDown","hostname":"host-%d","job":"node","severity":"critical","site":"plant-a"},`+
			`"annotations":{"summary":"Host is down for more than 5 minutes."},"startsAt":"2026-01-02T09:59:58.123Z","generatorURL":"http://p/graph?g0.expr=up\u0026g0.tab=1"},"source":"prom-a"}`+"\n", i)
	}
	return b.Bytes()
}

func BenchmarkReader(b *testing.B) {
	const n = 10_000
	text := benchFile(n)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(text), ReaderOptions{Name: "f.jsonl", IgnoreLabels: []string{"prometheus_replica", "__replica__"}})
		lines := 0
		for {
			if _, err := r.Read(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			lines++
		}
		if lines != n {
			b.Fatalf("%d lines", lines)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/line")
}

func BenchmarkWriter(b *testing.B) {
	records, err := readAll(NewReader(bytes.NewReader(benchFile(1000)), ReaderOptions{}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w := NewWriter(io.Discard)
		for _, r := range records {
			if err := w.Write(r); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
}
