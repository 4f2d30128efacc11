package ingest

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Source is what the doors know of one sender.
type Source struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`   // the door: alertmanager, alertmanager_events, prometheus, events
	LastAt   *time.Time `json:"lastAt"` // of the last payload
	Accepted int64      `json:"accepted"`
	Refused  int64      `json:"refused"`
	// LastRefused says why the last refused alert or payload was refused; nil: none was.
	LastRefused *string `json:"lastRefused"`
}

// maxSources bounds the senders that are remembered.
const maxSources = 1000

type sources struct {
	mu     sync.Mutex
	byName map[[2]string]*Source
}

func newSources() *sources { return &sources{byName: map[[2]string]*Source{}} }

// note remembers a payload of a sender.
func (s *sources) note(kind, name string, accepted, refused int, reason string) {
	now := time.Now().UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{kind, name}
	src := s.byName[key]
	if src == nil {
		if len(s.byName) >= maxSources {
			s.dropOldest()
		}
		src = &Source{Name: name, Kind: kind}
		s.byName[key] = src
	}
	src.LastAt = &now
	src.Accepted += int64(accepted)
	src.Refused += int64(refused)
	if reason != "" {
		src.LastRefused = &reason
	}
}

func (s *sources) dropOldest() {
	var oldest [2]string
	var at time.Time
	for key, src := range s.byName {
		if at.IsZero() || src.LastAt.Before(at) {
			oldest, at = key, *src.LastAt
		}
	}
	delete(s.byName, oldest)
}

func (s *sources) list() []Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Source, 0, len(s.byName))
	for _, src := range s.byName {
		out = append(out, *src)
	}
	slices.SortFunc(out, func(a, b Source) int {
		if c := b.LastAt.Compare(*a.LastAt); c != 0 {
			return c
		}
		return strings.Compare(a.Kind+a.Name, b.Kind+b.Name)
	})
	return out
}
