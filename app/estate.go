package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// estateFiles keeps the parts of the estate that come from files up to date. Each file is an
// origin of its own, "file:<base name>", so that an API client or an importer never loses its
// part to a file.
type estateFiles struct {
	paths []string
	put   func(ctx context.Context, files map[string][]byte) (string, error) // by origin, all or none
	log   *slog.Logger

	mu   sync.Mutex
	last map[string][]byte // content by origin as last taken
}

// load puts all files, together because they may name each other's items, unless none has changed
// since they were last taken. The error joins all faults.
func (e *estateFiles) load(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	files := make(map[string][]byte, len(e.paths))
	var errs []error
	for _, path := range e.paths {
		origin := "file:" + filepath.Base(path)
		if _, twice := files[origin]; twice {
			errs = append(errs, fmt.Errorf("%s: another estate file has the same name", path))
			continue
		}
		data, err := cmdb.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", path, err))
		}
		files[origin] = data
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if len(files) == 0 || maps.EqualFunc(files, e.last, bytes.Equal) {
		return nil // without files the estate is what the API was given
	}
	version, err := e.put(ctx, files)
	if err != nil {
		return err
	}
	e.last = files
	e.log.Info("estate files taken", "files", e.paths, "version", version)
	return nil
}

// watch looks at the files until ctx is done and takes them when they have changed and then rested from one
// look to the next: half of a file that is being written, or nothing of it, may be a valid estate, too. A file
// with faults is reported once per content; the estate in force stays.
func (e *estateFiles) watch(ctx context.Context, every time.Duration) {
	if every == 0 || len(e.paths) == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	taken := e.stamps()
	before := taken
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := e.stamps()
		rests := now == before
		before = now
		if now == taken || !rests {
			continue
		}
		taken = now
		if err := e.load(ctx); err != nil {
			e.log.Error("estate file refused; the estate in force stays", "err", err)
		}
	}
}

// stamps is the modification times and sizes of all files as one comparable text.
func (e *estateFiles) stamps() string {
	var b bytes.Buffer
	for _, path := range e.paths {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintln(&b, path, info.ModTime().UnixNano(), info.Size())
		}
	}
	return b.String()
}

// errBegun ends the search for a first record.
var errBegun = errors.New("the log has begun")

// beginLog makes the rules the first record of a new log, before any door opens: what comes after
// them is decided by them, and in a replay, too.
func (a *App) beginLog(ctx context.Context) error {
	err := a.stream.Events(ctx, 0, 0, func(itsm.Record) error { return errBegun })
	if errors.Is(err, errBegun) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the log: %w", err)
	}
	rules, err := a.storeRules(ctx)
	if err != nil {
		return err
	}
	if err := a.stream.Door().Append(ctx, itsm.Input{Adopt: &itsm.Adopt{Rules: rules}}); err != nil {
		return fmt.Errorf("adopt rules: %w", err)
	}
	return nil
}

func (a *App) storeRules(ctx context.Context) (*itsm.Version, error) {
	data, err := json.Marshal(a.opts.Config.Rules())
	if err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	id, err := a.stream.PutVersion(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("store rules: %w", err)
	}
	return &itsm.Version{ID: id, Data: data}, nil
}

// adoptRules makes the configuration of the engine a record, when it is not the one in force, so
// that a replay decides by the rules that the live run had.
func (a *App) adoptRules(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, waitAdopted)
	defer cancel()
	rules, err := a.storeRules(ctx)
	if err != nil {
		return err
	}
	if a.ui.RulesInForce(rules.ID) {
		return nil
	}
	if err := a.stream.Door().Append(ctx, itsm.Input{Adopt: &itsm.Adopt{Rules: rules}}); err != nil {
		return fmt.Errorf("adopt rules: %w", err)
	}
	if err := a.ui.WaitRules(ctx, rules.ID); err != nil {
		return fmt.Errorf("adopt rules: %w", err)
	}
	return nil
}
