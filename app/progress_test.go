package app

import (
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		name     string
		terminal bool
		steps    []time.Duration
		want     string
	}{
		{"short work says nothing", false, []time.Duration{time.Second, time.Second}, ""},
		{"a line every five seconds", false, []time.Duration{4 * time.Second, time.Second, time.Second, 4 * time.Second}, "reading: 50 %, 7 alerts, 5s left\nreading: 100 %, 7 alerts\n"},
		{
			"a bar for the eye", true,
			[]time.Duration{time.Second, time.Millisecond, time.Second},
			"\r\033[Kreading [##########....................] 33 %, 7 alerts, 2s left" +
				"\r\033[Kreading [##############################] 100 %, 7 alerts\r\033[K",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			p := newProgress(&out, "reading")
			now := p.start
			p.terminal, p.now = tt.terminal, func() time.Time { return now }
			for i, step := range tt.steps {
				now = now.Add(step)
				p.show(float64(i+1)/float64(len(tt.steps)), "7 alerts")
			}
			p.done()
			if got := out.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestProgressOfUnknownLength(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, "reading")
	p.now = func() time.Time { return p.start.Add(time.Minute) }
	p.show(-1, "7 alerts")
	if got, want := out.String(), "reading: 7 alerts\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
