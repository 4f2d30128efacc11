package ingest

import (
	"fmt"
	"testing"
	"time"
)

func TestSources_boundsBodies(t *testing.T) {
	s := newSources()
	s.most = 10 * MaxKeptBody
	at := time.Unix(1_000_000, 0)
	body := make([]byte, 2*MaxKeptBody)
	for i := range 25 {
		s.note(fmt.Sprint("s", i%20), Payload{At: at.Add(time.Duration(i) * time.Second), Body: body, Size: len(body)})
	}
	held, bytes := 0, 0
	for _, src := range s.byName {
		bytes += cap(src.last.Body)
		if src.last.Body != nil {
			held++
		}
	}
	if bytes > s.most || s.bodies != bytes || held == 0 {
		t.Errorf("%d bodies hold %d bytes, counted %d, at most %d", held, bytes, s.bodies, s.most)
	}
	if p, _ := s.payload("s4"); len(p.Body) != MaxKeptBody {
		t.Errorf("the body of the last payload is gone")
	}
	if p, ok := s.payload("s5"); !ok || p.Body != nil || p.Size != len(body) {
		t.Errorf("the oldest body is there still: %d bytes of %d", len(p.Body), p.Size)
	}
	for i := range maxSources + 10 {
		s.note(fmt.Sprint("new", i), Payload{At: at.Add(time.Hour), Body: []byte("x")})
	}
	bytes = 0
	for _, src := range s.byName {
		bytes += cap(src.last.Body)
	}
	if len(s.byName) != maxSources || s.bodies != bytes {
		t.Errorf("%d sources hold %d bytes, counted %d", len(s.byName), bytes, s.bodies)
	}
}

func TestSources_rate(t *testing.T) {
	s := newSources()
	at := time.Unix(60_000_000, 0)
	rate := func(at time.Time) float64 { return s.list(at)[0].PerMinute }
	for i := range 10 {
		s.note("a", Payload{At: at.Add(time.Duration(i) * 30 * time.Second), Accepted: 5})
	}
	for _, c := range []struct {
		after time.Duration
		want  float64
	}{{4 * time.Minute, 8}, {5 * time.Minute, 10}, {6 * time.Minute, 8}, {9 * time.Minute, 2}, {10 * time.Minute, 0}, {time.Hour, 0}} {
		if got := rate(at.Add(c.after)); got != c.want {
			t.Errorf("after %s: %v a minute, want %v", c.after, got, c.want)
		}
	}
	s.note("a", Payload{At: at, Accepted: 1000}) // the clock went back
	if got := rate(at.Add(2 * time.Hour)); got != 0 {
		t.Errorf("%v a minute after the clock went back", got)
	}
}
