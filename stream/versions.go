package stream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/itsm"
)

const (
	versionPrefix = "version/"
	chunkSize     = 900 << 10
)

// manifest says that a version is complete. It is written after the chunks and deleted before
// them.
type manifest struct {
	Size   int       `json:"size"`
	Chunks int       `json:"chunks"`
	At     time.Time `json:"at"`
}

// versions stores large immutable inputs on the cmdb topic: chunks under version/<id>/<n>, then
// a manifest under version/<id>.
type versions struct {
	s    *Stream
	memo memo

	// writing keeps Retire from deleting what is just being stored again.
	writing sync.Mutex
}

func newVersions(s *Stream) *versions { return &versions{s: s} }

// VersionID returns the id of a version: it follows from the bytes.
func VersionID(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// PutVersion stores a large input and returns its id. It returns when Kafka has the whole. Doing
// it again changes nothing.
func (s *Stream) PutVersion(ctx context.Context, data []byte) (string, error) {
	s.versions.writing.Lock()
	defer s.versions.writing.Unlock()
	id := VersionID(data)
	now := time.Now()
	m := manifest{Size: len(data), At: now.UTC()}
	var b batch
	for rest := data; len(rest) > 0; m.Chunks++ {
		n := min(len(rest), chunkSize)
		b.reset()
		b.add([]byte(chunkKey(id, m.Chunks)), rest[:n])
		if _, err := s.produce(ctx, itsm.TopicCMDB, 0, b.seal(anonymous(), time.Now())); err != nil {
			return "", fmt.Errorf("store chunk %d of version %s: %w", m.Chunks, id, err)
		}
		rest = rest[n:]
	}
	value, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("encode manifest: %w", err)
	}
	b.reset()
	b.add([]byte(versionPrefix+id), value)
	if _, err := s.produce(ctx, itsm.TopicCMDB, 0, b.seal(anonymous(), time.Now())); err != nil {
		return "", fmt.Errorf("store manifest of version %s: %w", id, err)
	}
	s.versions.memo.put(id, data)
	return id, nil
}

func chunkKey(id string, n int) string { return versionPrefix + id + "/" + strconv.Itoa(n) }

// Version returns the bytes of a version, or an error that wraps itsm.ErrNotFound. The caller
// does not change them.
func (s *Stream) Version(ctx context.Context, id string) ([]byte, error) {
	if data, ok := s.versions.memo.get(id); ok {
		return data, nil
	}
	var found []byte
	ok := false
	a := newAssembler(func(v string) bool { return v == id })
	err := s.scan(ctx, itsm.TopicCMDB, 0, func(e entry) error {
		if _, data, done := a.take(e); done {
			found, ok = data, data != nil
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read version %s: %w", id, err)
	}
	if !ok {
		return nil, fmt.Errorf("version %s: %w", id, itsm.ErrNotFound)
	}
	s.versions.memo.put(id, found)
	return found, nil
}

// assembler puts versions together from the records of the cmdb topic in order. After a version
// was stored twice, compaction leaves the later chunks and the later manifest, in order still.
type assembler struct {
	want   func(id string) bool
	chunks map[string]map[int][]byte
}

func newAssembler(want func(string) bool) *assembler {
	return &assembler{want: want, chunks: map[string]map[int][]byte{}}
}

// take looks at one record. Its last result, done, says that a version is complete (data, never nil) or deleted
// (nil).
func (a *assembler) take(e entry) (id string, data []byte, done bool) {
	rest, ok := strings.CutPrefix(string(e.key), versionPrefix)
	if !ok {
		return "", nil, false
	}
	id, number, isChunk := strings.Cut(rest, "/")
	if !a.want(id) {
		return "", nil, false
	}
	if isChunk {
		if n, err := strconv.Atoi(number); err == nil && e.value != nil {
			if a.chunks[id] == nil {
				a.chunks[id] = map[int][]byte{}
			}
			a.chunks[id][n] = append([]byte(nil), e.value...)
		}
		return "", nil, false
	}
	if e.value == nil {
		delete(a.chunks, id)
		return id, nil, true
	}
	var m manifest
	if json.Unmarshal(e.value, &m) != nil || m.Size < 0 || m.Size > maxFrame {
		return "", nil, false
	}
	data = make([]byte, 0, m.Size)
	for i := range m.Chunks {
		data = append(data, a.chunks[id][i]...)
	}
	delete(a.chunks, id)
	// The id follows from the bytes: a version with a chunk missing does not pass.
	if VersionID(data) != id {
		return "", nil, false
	}
	return id, data, true
}

// needed returns the versions that the last checkpoint of any shard has in force, whichever process
// wrote it. The second result is false while a shard has none.
func (s *Stream) needed(ctx context.Context) (map[string]bool, bool, error) {
	ids := map[string]bool{}
	for n := range s.cfg.Shards {
		at, found, err := s.lastPosition(ctx, n)
		if err != nil || !found {
			return nil, false, err
		}
		ids[at.Estate], ids[at.Rules], ids[at.Patterns] = true, true, true
	}
	return ids, true, nil
}

const retirePause = time.Hour

func (s *Stream) retireOften(ctx context.Context) {
	t := time.NewTicker(retirePause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if err := s.Retire(ctx, now); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "old versions stay for now", "err", err)
			}
		}
	}
}

// Retire deletes the versions that nobody needs any more: no shard's checkpoint has them in
// force, and they are so old that the records which adopted them have left `events`, so that an
// export can still tell what was adopted. It does nothing before every shard has checkpointed.
func (s *Stream) Retire(ctx context.Context, now time.Time) error {
	needed, complete, err := s.needed(ctx)
	if err != nil {
		return fmt.Errorf("find the versions in force: %w", err)
	}
	if !complete {
		return nil
	}
	s.versions.writing.Lock()
	defer s.versions.writing.Unlock()
	stored := map[string]manifest{}
	err = s.scan(ctx, itsm.TopicCMDB, 0, func(e entry) error {
		id, ok := strings.CutPrefix(string(e.key), versionPrefix)
		if !ok || strings.Contains(id, "/") {
			return nil
		}
		delete(stored, id)
		var m manifest
		if e.value != nil && json.Unmarshal(e.value, &m) == nil {
			stored[id] = m
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	var errs []error
	for id, m := range stored {
		if needed[id] || now.Sub(m.At) < s.cfg.EventsRetention+time.Hour {
			continue
		}
		var b batch
		b.add([]byte(versionPrefix+id), nil)
		for n := range m.Chunks {
			b.add([]byte(chunkKey(id, n)), nil)
		}
		if _, err := s.produce(ctx, itsm.TopicCMDB, 0, b.seal(anonymous(), time.Now())); err != nil {
			errs = append(errs, fmt.Errorf("delete version %s: %w", id, err))
			continue
		}
		s.met.retired.Inc()
	}
	return errors.Join(errs...)
}
