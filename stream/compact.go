package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The broker inside, kfake, compacts a partition by deleting its files and writing new ones. So that a crash in
// between loses nothing, hard links to the old files stand in a folder of their own meanwhile;
// repair puts them back. Nobody writes in that time: at start nobody knows our address, and later
// the work is done inside kfake's only goroutine.

// Compact compacts the log now and returns when that is done. No request is answered meanwhile.
// The broker does it by itself when it is worth the pause.
func (b *Broker) Compact() error { return b.compactNow(context.Background()) }

func (b *Broker) compactNow(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted.Store(true)
	// A request that nobody else sends brings us onto kfake's goroutine, where no other is served.
	ctx, cancel := context.WithTimeout(ctx, compactWait)
	defer cancel()
	_, err := b.client.DescribeUserScramCredentials(ctx, &kafka.DescribeUserScramCredentialsRequest{
		Users: []kafka.UserScramCredentialsUser{{Name: clientID}},
	})
	select {
	case err = <-b.result:
	default:
		b.wanted.Store(false)
		err = fmt.Errorf("reach the broker: %w", err)
	}
	return err
}

// atRest runs on a request, between all others.
func (b *Broker) atRest(kmsg.Request) (kmsg.Response, error, bool) {
	if b.wanted.CompareAndSwap(true, false) {
		b.result <- b.compact()
	}
	return nil, nil, false
}

var errNoRoom = errors.New("not enough free space to compact")

func (b *Broker) compact() error {
	start := time.Now()
	parts, size, err := b.compactedParts()
	if err != nil {
		return err
	}
	b.compactAt = start // also after a failure: not again before an hour
	if free, err := freeSpace(b.dir); err == nil && free < size+size/8 {
		b.log.log.Warn("the log stays as it is", "err", fmt.Errorf("%w: %d bytes wanted in %s, %d are free", errNoRoom, size, b.dir, free))
		return nil
	}
	if err := b.link(parts); err != nil {
		return fmt.Errorf("link the old log: %w", err)
	}
	warnings := b.log.warnings.Load()
	b.cluster.Compact()
	if b.log.warnings.Load() != warnings {
		// The disk holds less than it should, the links all of it: the next start puts them back.
		b.cluster.Close()
		return errors.New("the compaction went wrong, see the warnings before; the broker has stopped, its next start restores the log")
	}
	for _, part := range parts {
		dir := filepath.Join(b.logDir(), partitionsDir, part)
		// The snapshot describes the old files.
		if err := os.Remove(filepath.Join(dir, snapshotFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the old snapshot: %w", err)
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	if err := b.unlink(); err != nil {
		return fmt.Errorf("remove the links to the old log: %w", err)
	}
	b.live = b.measure()
	b.met.pause.Observe(time.Since(start).Seconds())
	b.log.log.Info("log compacted", "before_bytes", size, "seconds", time.Since(start).Seconds())
	return nil
}

// Names that kfake uses.
const (
	partitionsDir = "partitions"
	snapshotFile  = "snapshot.json"
)

func (b *Broker) linksDir() string { return filepath.Join(b.dir, "kafka.compacting") }

// compactedParts returns the folders of the partitions that a compaction rewrites, and their size.
func (b *Broker) compactedParts() (parts []string, size int64, err error) {
	entries, err := os.ReadDir(filepath.Join(b.logDir(), partitionsDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, fmt.Errorf("list partitions: %w", err)
	}
	for _, e := range entries {
		escaped, number, _ := cutLast(e.Name(), "-")
		topic, err := url.PathUnescape(escaped)
		n, notNumber := strconv.ParseInt(number, 10, 32)
		if err != nil || notNumber != nil {
			continue
		}
		info, part := b.cluster.TopicInfo(topic), b.cluster.PartitionInfo(topic, int32(n))
		if info == nil || part == nil || info.Configs[cleanupPolicy] == nil || !strings.Contains(*info.Configs[cleanupPolicy], "compact") {
			continue
		}
		parts = append(parts, e.Name())
		size += part.NumBytes
	}
	return parts, size, nil
}

// link makes the links. The folder gets its name when all are there.
func (b *Broker) link(parts []string) error {
	unfinished := b.linksDir() + ".tmp"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	for _, part := range parts {
		from, to := filepath.Join(b.logDir(), partitionsDir, part), filepath.Join(unfinished, part)
		if err := os.MkdirAll(to, 0o750); err != nil {
			return err
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name() == snapshotFile {
				continue
			}
			if err := linkFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return err
			}
		}
		if err := syncDir(to); err != nil {
			return err
		}
	}
	if len(parts) == 0 {
		return nil
	}
	if err := syncDir(unfinished); err != nil {
		return err
	}
	if err := os.Rename(unfinished, b.linksDir()); err != nil {
		return err
	}
	return syncDir(b.dir)
}

// linkFile links, or copies where the file system knows no links.
func linkFile(from, to string) (err error) {
	if os.Link(from, to) == nil {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	return dst.Sync()
}

// unlink lets the old log go, in one step.
func (b *Broker) unlink() error {
	gone := b.linksDir() + ".tmp"
	if err := os.Rename(b.linksDir(), gone); err != nil {
		if errors.Is(err, os.ErrNotExist) { // there was nothing to compact
			return nil
		}
		return err
	}
	if err := syncDir(b.dir); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// repair puts the log back that a compaction was interrupted on. It can itself be interrupted.
func (b *Broker) repair() error {
	if err := os.RemoveAll(b.linksDir() + ".tmp"); err != nil {
		return err
	}
	entries, err := os.ReadDir(b.linksDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parts := filepath.Join(b.logDir(), partitionsDir)
	for _, e := range entries {
		to := filepath.Join(parts, e.Name())
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(b.linksDir(), e.Name()), to); err != nil {
			return err
		}
	}
	if err := syncDir(parts); err != nil {
		return err
	}
	b.log.log.Warn("a compaction was interrupted; the log is as it was before", "partitions", len(entries))
	return os.Remove(b.linksDir())
}

// syncDir makes the names in a folder survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

func freeSpace(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
