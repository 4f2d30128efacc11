package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"signalbox/itsm"
	"signalbox/stream"
)

// member is one process of a group: what runs there, and how often each shard began.
type member struct {
	group *stream.Group
	stop  context.CancelFunc
	done  chan error

	mu      sync.Mutex
	begun   map[int]int
	running map[int]bool
	fenced  chan struct{} // each value fences one shard
}

func (e *env) join(name string) *member {
	e.Helper()
	n := e.open(func(o *stream.Options) {
		o.Config.Shards = 4
		o.Config.SessionTimeout = 6 * time.Second // the least that Kafka takes by default
	})
	m := &member{done: make(chan error, 1), begun: map[int]int{}, running: map[int]bool{}, fenced: make(chan struct{})}
	m.group = n.NewGroup(stream.GroupOptions{Name: name, Own: m.own})
	ctx, stop := context.WithCancel(e.ctx)
	m.stop = stop
	go func() { m.done <- m.group.Run(ctx) }()
	e.Cleanup(stop)
	return m
}

func (m *member) own(ctx context.Context, shard int) error {
	m.note(shard, true)
	defer m.note(shard, false)
	select {
	case <-ctx.Done():
		return nil
	case <-m.fenced:
		return fmt.Errorf("shard %d: %w", shard, itsm.ErrFenced)
	}
}

func (m *member) note(shard int, runs bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if runs {
		m.begun[shard]++
		m.running[shard] = true
	} else {
		delete(m.running, shard)
	}
}

func (m *member) shards() []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []int
	for n := range 4 {
		if m.running[n] {
			all = append(all, n)
		}
	}
	return all
}

func (m *member) leave(e *env) {
	e.Helper()
	m.stop()
	if err := <-m.done; err != nil {
		e.Errorf("leave: %v", err)
	}
}

// testGroup: members share the shards evenly; who keeps a shard is not interrupted, whoever comes or
// goes, and everybody knows who has what.
func testGroup(e *env) {
	a := e.join("a")
	e.until("the first member has all shards", func() bool { return len(a.shards()) == 4 })
	b := e.join("b")
	e.until("the shards are shared", func() bool { return len(a.shards()) == 2 && len(b.shards()) == 2 })
	if both := slices.Sorted(slices.Values(slices.Concat(a.shards(), b.shards()))); !slices.Equal(both, []int{0, 1, 2, 3}) {
		e.Errorf("shards %v run at one, %v at the other", a.shards(), b.shards())
	}
	for _, m := range []*member{a, b} {
		owners, ok := m.group.Owners()
		if !ok {
			e.Fatal("a member does not know the owners")
		}
		for _, o := range owners {
			if want := map[bool]string{true: "a", false: "b"}[slices.Contains(a.shards(), o.Shard)]; o.Name != want || o.Here != (m == a == (want == "a")) {
				e.Errorf("owner of shard %d: %+v, want %s", o.Shard, o, want)
			}
		}
	}
	kept := a.shards()
	b.leave(e)
	e.until("the first member has all again", func() bool { return len(a.shards()) == 4 })
	for _, n := range kept {
		if a.begun[n] != 1 {
			e.Errorf("shard %d stayed and began %d times", n, a.begun[n])
		}
	}
	a.leave(e)
	if left := a.shards(); len(left) > 0 {
		e.Errorf("shards %v still run after Run has returned", left)
	}
}

// testGroupFenced: a shard whose owner was fenced begins again once the group has said that it is his.
func testGroupFenced(e *env) {
	a := e.join("a")
	e.until("all shards run", func() bool { return len(a.shards()) == 4 })
	a.fenced <- struct{}{}
	e.until("the fenced shard runs again", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		sum := 0
		for _, n := range a.begun {
			sum += n
		}
		return sum == 5 && len(a.running) == 4
	})
	a.leave(e)
}

// testGroupError: a shard that can run nowhere ends the member with its error.
func testGroupError(e *env) {
	broken := errors.New("broken")
	n := e.open()
	err := n.NewGroup(stream.GroupOptions{Name: "a", Own: func(context.Context, int) error { return broken }}).Run(e.ctx)
	if !errors.Is(err, broken) {
		e.Errorf("Run: %v, want the shard's error", err)
	}
}
