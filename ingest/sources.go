package ingest

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"signalbox/itsm"
)

// Source is what the doors of this process know of one sender, whatever doors it comes through: an
// Alertmanager that sends webhooks and events is one source.
type Source struct {
	Name     string
	Kind     string     // the door of the last payload: alertmanager, alertmanager_events, prometheus, events
	Doors    []string   // all it has come through, in the order of the alphabet
	LastAt   *time.Time // of the last payload
	Accepted int64      // alerts and changes
	Refused  int64
	// LastRefused says why the last refused alert or payload was refused; nil: none was.
	LastRefused *string
	// PerMinute is how many alerts and changes were accepted in a minute, over the last five minutes.
	PerMinute float64
}

// Payload is the last payload of a source, as far as it is kept. Nothing of its headers is: they
// may carry passwords.
type Payload struct {
	At   time.Time
	Kind string // the door
	Size int    // of the body in bytes, decompressed
	Body []byte // its first MaxKeptBody bytes; nil: let go of, since many sources have sent much
	// Fault says why it was refused as a whole; empty: it was not.
	Fault    string
	Accepted int
	Refused  int
	// Refusals are the first MaxKeptRefusals, Alerts the first MaxKeptAlerts that were accepted.
	Refusals []Refusal
	Alerts   []itsm.Fingerprint
}

// What is kept of a source's last payload.
const (
	MaxKeptBody     = 64 << 10
	MaxKeptRefusals = 100
	MaxKeptAlerts   = 1000
)

const (
	maxSources  = 1000     // that are remembered
	maxBodies   = 16 << 20 // bytes of all bodies that are kept
	rateMinutes = 5        // over which a rate is taken
)

// sender is a source with its last payload and its latest minutes.
type sender struct {
	Source
	last    Payload
	minutes [rateMinutes + 1]int64 // accepted, by minute; the present one is not over
	minute  int64                  // the present one, since 1970
}

type sources struct {
	mu     sync.Mutex
	byName map[string]*sender
	bodies int // bytes held by the bodies
	most   int // that they may hold
}

func newSources() *sources { return &sources{byName: map[string]*sender{}, most: maxBodies} }

// note remembers a payload of a sender. The body and the alerts are copied: they belong to the caller.
func (s *sources) note(name string, p Payload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byName[name]
	if src == nil {
		if len(s.byName) >= maxSources {
			s.dropOldest()
		}
		src = &sender{Source: Source{Name: name}}
		s.byName[name] = src
	}
	src.Kind, src.LastAt = p.Kind, &p.At
	if i, found := slices.BinarySearch(src.Doors, p.Kind); !found {
		src.Doors = slices.Insert(slices.Clone(src.Doors), i, p.Kind) // a reader may hold the old ones
	}
	src.Accepted += int64(p.Accepted)
	src.Refused += int64(p.Refused)
	if why := p.why(); why != "" {
		src.LastRefused = &why
	}
	src.advance(p.At)
	src.minutes[src.minute%int64(len(src.minutes))] += int64(p.Accepted)
	s.keep(src, p)
}

// why is the reason of the first refusal; empty when nothing was refused.
func (p *Payload) why() string {
	if p.Fault != "" {
		return p.Fault
	}
	return firstReason(p.Refusals)
}

// advance begins the minute of a time.
func (s *sender) advance(at time.Time) {
	now := at.Unix() / 60
	if now-s.minute >= int64(len(s.minutes)) {
		s.minutes, s.minute = [rateMinutes + 1]int64{}, now
	}
	for s.minute < now {
		s.minute++
		s.minutes[s.minute%int64(len(s.minutes))] = 0
	}
}

// perMinute is the rate of the last minutes that are over.
func (s *sender) perMinute(now time.Time) float64 {
	s.advance(now)
	var sum int64
	for i, n := range s.minutes {
		if int64(i) != s.minute%int64(len(s.minutes)) {
			sum += n
		}
	}
	return float64(sum) / rateMinutes
}

// keep holds a payload in place of the one before, in the same memory where it fits.
func (s *sources) keep(src *sender, p Payload) {
	body, refusals, alerts := src.last.Body, src.last.Refusals, src.last.Alerts
	s.bodies -= cap(body)
	p.Body = append(body[:0], p.Body[:min(len(p.Body), MaxKeptBody)]...)
	if p.Body == nil {
		p.Body = []byte{} // an empty body is not one that was let go of
	}
	p.Refusals = append(refusals[:0], p.Refusals[:min(len(p.Refusals), MaxKeptRefusals)]...)
	p.Alerts = append(alerts[:0], p.Alerts[:min(len(p.Alerts), MaxKeptAlerts)]...)
	src.last = p
	for s.bodies += cap(p.Body); s.bodies > s.most; {
		oldest := s.oldest(func(o *sender) bool { return o.last.Body != nil })
		s.bodies -= cap(oldest.last.Body)
		oldest.last.Body = nil
	}
}

func (s *sources) dropOldest() {
	oldest := s.oldest(func(*sender) bool { return true })
	s.bodies -= cap(oldest.last.Body)
	delete(s.byName, oldest.Name)
}

// oldest returns the sender of those asked for that has been silent for longest.
func (s *sources) oldest(which func(*sender) bool) *sender {
	var oldest *sender
	for _, src := range s.byName {
		if which(src) && (oldest == nil || src.LastAt.Before(*oldest.LastAt)) {
			oldest = src
		}
	}
	return oldest
}

func (s *sources) list(now time.Time) []Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Source, 0, len(s.byName))
	for _, src := range s.byName {
		src.PerMinute = src.perMinute(now)
		out = append(out, src.Source)
	}
	slices.SortFunc(out, func(a, b Source) int {
		return cmp.Or(b.LastAt.Compare(*a.LastAt), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func (s *sources) payload(name string) (Payload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.byName[name]
	if src == nil {
		return Payload{}, false
	}
	p := src.last // its memory is used again
	p.Body, p.Refusals, p.Alerts = slices.Clone(p.Body), slices.Clone(p.Refusals), slices.Clone(p.Alerts)
	return p, true
}
