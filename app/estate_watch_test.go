package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEstateFiles_halfWritten looks at a file while it is written: an editor empties it first, and an empty
// file is a valid estate. Only what rests from one look to the next is taken.
func TestEstateFiles_halfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var taken []string
		e := &estateFiles{paths: []string{path}, log: slog.New(slog.DiscardHandler), put: func(_ context.Context, files map[string][]byte) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			taken = append(taken, string(files["file:estate.yaml"]))
			return "v", nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		if err := e.load(ctx); err != nil {
			t.Fatal(err)
		}
		go e.watch(ctx, time.Second)
		synctest.Wait() // it has looked for the first time
		for _, text := range []string{"", "sec", "second"} {
			write(text)
			time.Sleep(time.Second) // virtual: one look
			synctest.Wait()
		}
		seen := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(taken)
		}
		if diff := cmp.Diff([]string{"first"}, seen()); diff != "" {
			t.Errorf("taken while it was written (-want +got):\n%s", diff)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"first", "second"}, seen()); diff != "" {
			t.Errorf("taken at last (-want +got):\n%s", diff)
		}
	})
}
