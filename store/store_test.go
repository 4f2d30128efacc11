package store_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"signalbox/store"
	"signalbox/store/chdb"
	"signalbox/store/storetest"
)

// TestEngine runs the suite on the embedded engine, in this process and behind a listener: the
// library is loaded once in a process, on one folder.
func TestEngine(t *testing.T) {
	engine, err := chdb.Open(chdb.Find(""), t.TempDir())
	if errors.Is(err, chdb.ErrNoLibrary) && os.Getenv("REQUIRE_CHDB") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("InProcess", func(t *testing.T) {
		storetest.Run(t, store.Options{Config: store.DefaultConfig(), Transport: engine.Transport()})
	})
	t.Run("AwayTenMinutes", func(t *testing.T) {
		storetest.AwayTenMinutes(t, store.Options{Config: store.DefaultConfig(), Transport: engine.Transport()})
	})
	t.Run("Listener", func(t *testing.T) {
		server := httptest.NewServer(engine)
		t.Cleanup(server.Close)
		opts := store.Options{Config: store.DefaultConfig()}
		opts.Config.Addresses = []string{strings.TrimPrefix(server.URL, "http://")}
		storetest.Run(t, opts)
	})
}

// TestServer runs the suite on the server of CLICKHOUSE_ADDRESS (its HTTP port).
func TestServer(t *testing.T) {
	address := os.Getenv("CLICKHOUSE_ADDRESS")
	if address == "" {
		t.Skip("CLICKHOUSE_ADDRESS names no server")
	}
	opts := store.Options{Config: store.DefaultConfig()}
	opts.Config.Addresses = []string{address}
	storetest.Run(t, opts)
}
