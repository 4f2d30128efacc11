package app

import (
	"context"
	"os"
	"sync"

	"signalbox/itsm"
	"signalbox/stream"
)

// memberName tells other processes, and those who look at the status, who has a shard.
func memberName(listen string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "/" + listen
}

// journal lets a shard be taken over only while the group says that it is ours: who has slept longer
// than his session would fence the one who has it now.
type journal struct {
	*stream.Shard
	group *stream.Group
}

// Recover implements correlate.Journal.
func (j journal) Recover(ctx context.Context, load func(itsm.Entity) error) (itsm.Position, error) {
	if err := j.group.Confirm(ctx); err != nil {
		return itsm.Position{}, err
	}
	return j.Shard.Recover(ctx, load)
}

// runShard correlates a shard and writes its history for as long as the group gives it to us.
func (a *App) runShard(ctx context.Context, shard int) error {
	historyCtx, stop := context.WithCancel(ctx)
	var history sync.WaitGroup
	history.Go(func() { a.shareHistory(historyCtx, shard) })
	defer history.Wait()
	defer stop()
	return a.loops[shard].Run(ctx)
}

// caughtUp tells whether every shard of ours has recovered and applied its log.
func (a *App) caughtUp() bool {
	owners, shared := a.group.Owners()
	if !shared {
		return false
	}
	for _, o := range owners {
		if o.Here && !a.loops[o.Shard].CaughtUp() {
			return false
		}
	}
	return true
}
