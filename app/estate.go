package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	put   func(ctx context.Context, origin string, data []byte) (string, error)
	log   *slog.Logger

	mu   sync.Mutex
	last map[string][]byte // content by path as last taken
}

// load puts every file whose content is not the one last taken. All files are tried; the error
// joins all faults.
func (e *estateFiles) load(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, path := range e.paths {
		data, err := cmdb.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("read %s: %w", path, err))
			continue
		}
		if bytes.Equal(data, e.last[path]) {
			continue
		}
		version, err := e.put(ctx, "file:"+filepath.Base(path), data)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if e.last == nil {
			e.last = map[string][]byte{}
		}
		e.last[path] = data
		e.log.Info("estate file taken", "file", path, "version", version)
	}
	return errors.Join(errs...)
}

// watch looks at the files until ctx is done. A file with faults is reported once per content;
// the estate in force stays.
func (e *estateFiles) watch(ctx context.Context, every time.Duration) {
	if every == 0 || len(e.paths) == 0 {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	seen := e.stamps()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := e.stamps()
		if now == seen {
			continue
		}
		seen = now
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

// adoptRules makes the configuration of the engine a record, when it is not the one in force, so
// that a replay decides by the rules that the live run had.
func (a *App) adoptRules(ctx context.Context) error {
	data, err := json.Marshal(a.opts.Config.Rules())
	if err != nil {
		return fmt.Errorf("encode rules: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, waitAdopted)
	defer cancel()
	id, err := a.stream.PutVersion(ctx, data)
	if err != nil {
		return fmt.Errorf("store rules: %w", err)
	}
	if a.ui.RulesInForce(id) {
		return nil
	}
	if err := a.stream.Door().Append(ctx, itsm.Input{Adopt: &itsm.Adopt{Rules: &itsm.Version{ID: id, Data: data}}}); err != nil {
		return fmt.Errorf("adopt rules: %w", err)
	}
	if err := a.ui.WaitRules(ctx, id); err != nil {
		return fmt.Errorf("adopt rules: %w", err)
	}
	return nil
}
