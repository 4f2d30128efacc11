package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"signalbox/itsm"

	"golang.org/x/sync/errgroup"
)

// TailOptions say what to read and where to.
type TailOptions struct {
	Topics []itsm.Topic
	// Apply gets what was published, in the order of each topic's partitions, on one goroutine at
	// a time. The values belong to it. Its error ends the tail.
	Apply func([]itsm.Published) error
	// CaughtUp is called once, after Apply has seen everything that was there at the call of Tail.
	CaughtUp func()
}

// Tail reads public topics from their beginning and then for ever. Keys that begin with "_" are
// delivered except owner records; of cmdb's versions only whole ones are, as "version/<id>".
// Records that compaction removed are not seen, and nobody waits for them. It returns nil when
// ctx is done.
func (s *Stream) Tail(ctx context.Context, opts TailOptions) error {
	g, ctx := errgroup.WithContext(ctx)
	t := &tail{s: s, opts: opts}
	var places []place
	for _, topic := range opts.Topics {
		for p := range partitions(topic, s.cfg.Shards) {
			places = append(places, place{topic, p})
		}
	}
	t.behind = len(places)
	if t.behind == 0 && opts.CaughtUp != nil {
		opts.CaughtUp()
	}
	for _, at := range places {
		g.Go(func() error { return t.follow(ctx, at) })
	}
	err := g.Wait()
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return err
}

func partitions(t itsm.Topic, shards int) int { return partition(t, shards-1) + 1 }

type tail struct {
	s    *Stream
	opts TailOptions

	mu     sync.Mutex // Apply is one goroutine's at a time
	behind int        // places that have not caught up yet
}

// follow reads one partition.
func (t *tail) follow(ctx context.Context, at place) error {
	f := t.s.fetcher(at.topic, at.partition, 0)
	defer f.close()
	give := newPatience(forever)
	versions := newAssembler(func(string) bool { return true })
	target, caughtUp := int64(-1), false
	for {
		c, err := f.fetch(ctx, requestTimeout)
		switch {
		case errors.Is(err, errWaited):
			continue
		case errors.Is(err, errTrimmed):
			f.offset = f.start // what is missing was replaced by what follows
			continue
		case err != nil:
			t.s.met.readErrors.Inc()
			if err := give.retry(ctx, err); err != nil {
				return fmt.Errorf("tail %s/%d: %w", at.topic, at.partition, err)
			}
			continue
		}
		give.reset()
		if target < 0 {
			target = f.end
		}
		var out []itsm.Published
		err = c.each(func(e entry) error {
			if p, ok := published(at.topic, e, versions); ok {
				out = append(out, p)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("tail %s/%d: %w", at.topic, at.partition, err)
		}
		arrived := !caughtUp && f.offset >= target
		caughtUp = caughtUp || arrived
		if err := t.apply(out, arrived); err != nil {
			return fmt.Errorf("apply %s: %w", at.topic, err)
		}
	}
}

func (t *tail) apply(out []itsm.Published, arrived bool) error {
	if len(out) == 0 && !arrived {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(out) > 0 {
		if err := t.opts.Apply(out); err != nil {
			return err
		}
	}
	if arrived {
		if t.behind--; t.behind == 0 && t.opts.CaughtUp != nil {
			t.opts.CaughtUp()
		}
	}
	return nil
}

// published copies a record out of the fetched bytes.
func published(topic itsm.Topic, e entry, versions *assembler) (itsm.Published, bool) {
	p := itsm.Published{Topic: topic, Offset: e.offset}
	if ours(e.key) || e.key == nil {
		return p, false
	}
	if topic == itsm.TopicCMDB && strings.HasPrefix(string(e.key), versionPrefix) {
		id, data, done := versions.take(e)
		p.Key, p.Value = versionPrefix+id, data
		return p, done
	}
	own := append(append(make([]byte, 0, len(e.key)+len(e.value)), e.key...), e.value...)
	p.Key = unsafe.String(unsafe.SliceData(own), len(e.key)) // the key's bytes never change
	if e.value != nil {
		p.Value = own[len(e.key):]
	}
	return p, true
}
