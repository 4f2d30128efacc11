package app

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progress tells on w how far some work has come: a bar where somebody is watching, else a line every few seconds,
// so that short work says nothing. It is safe for concurrent use.
type progress struct {
	w        io.Writer
	what     string
	terminal bool
	now      func() time.Time

	mu          sync.Mutex
	start, last time.Time
	drawn       bool
}

const (
	redraw    = 100 * time.Millisecond // faster than an eye cares
	nextLine  = 5 * time.Second        // in a file that keeps what was said
	barLength = 30
)

func newProgress(w io.Writer, what string) *progress {
	p := &progress{w: w, what: what, terminal: isTerminal(w), now: time.Now}
	p.start = p.now()
	p.last = p.start
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show says which share of the work is done, negative when nobody knows, and with what.
func (p *progress) show(share float64, with string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	every := nextLine
	if p.terminal {
		every = redraw
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	parts := make([]string, 0, 3)
	if share >= 0 {
		parts = append(parts, fmt.Sprintf("%.0f %%", 100*min(share, 1)))
	}
	if with != "" {
		parts = append(parts, with)
	}
	if spent := now.Sub(p.start); share > 0.01 && share < 1 {
		parts = append(parts, fmt.Sprintf("%s left", time.Duration(float64(spent)*(1-share)/share).Round(time.Second)))
	}
	text := strings.Join(parts, ", ")
	if !p.terminal {
		fmt.Fprintf(p.w, "%s: %s\n", p.what, text)
		return
	}
	bar := ""
	if share >= 0 {
		full := int(barLength * min(share, 1))
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", barLength-full) + "] "
	}
	fmt.Fprintf(p.w, "\r\033[K%s %s%s", p.what, bar, text)
	p.drawn = true
}

// done wipes the bar away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.w, "\r\033[K")
		p.drawn = false
	}
}
