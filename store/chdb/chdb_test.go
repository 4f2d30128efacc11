package chdb_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"signalbox/store/chdb"
)

// engine opens the one engine of this process; the tests share it.
func engine(t *testing.T) *chdb.Engine {
	t.Helper()
	e, err := chdb.Open(chdb.Find(""), t.TempDir())
	if errors.Is(err, chdb.ErrNoLibrary) && os.Getenv("REQUIRE_CHDB") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestMissing: without the library there is an error that says so, and no crash.
func TestMissing(t *testing.T) {
	_, err := chdb.Open(filepath.Join(t.TempDir(), "libchdb.so"), t.TempDir())
	if !errors.Is(err, chdb.ErrNoLibrary) {
		t.Errorf("got %v", err)
	}
}

// TestEngine holds what clickhouse-go, and anybody with curl, may expect of the HTTP interface.
func TestEngine(t *testing.T) {
	e := engine(t)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	ways := map[string]*clickhouse.Options{
		"InProcess": {Protocol: clickhouse.HTTP, Addr: []string{"embedded:0"}, TransportFunc: func(*http.Transport) (http.RoundTripper, error) {
			return e.Transport(), nil
		}},
		"Listener": {Protocol: clickhouse.HTTP, Addr: []string{strings.TrimPrefix(server.URL, "http://")}},
	}
	for name, options := range ways {
		t.Run(name, func(t *testing.T) {
			conn, err := clickhouse.Open(options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			})
			testRows(t, conn)
			testSettings(t, conn)
			testFailures(t, conn)
			testCancel(t, conn)
		})
	}
	t.Run("Formats", func(t *testing.T) { testFormats(t, server.URL) })
}

// testRows: a large batch goes in and comes out as a stream; an empty answer is no error.
func testRows(t *testing.T, conn clickhouse.Conn) {
	t.Helper()
	ctx := t.Context()
	for _, statement := range []string{"DROP TABLE IF EXISTS t", "CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n"} {
		if err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	const count = 200_000
	b, err := conn.PrepareBatch(ctx, "INSERT INTO t (n, s)")
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(count) {
		if err := b.Append(n, "it's a 'text' \\ with\ttabs"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(ctx, "SELECT n, s FROM t ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	var want uint64
	for rows.Next() {
		var n uint64
		var s string
		if err := rows.Scan(&n, &s); err != nil || n != want || s != "it's a 'text' \\ with\ttabs" {
			t.Fatalf("row %d: %d %q %v", want, n, s, err)
		}
		want++
	}
	if err := rows.Err(); err != nil || want != count {
		t.Errorf("%d rows, %v", want, err)
	}
	rows, err = conn.Query(ctx, "SELECT n FROM t WHERE n > {least:UInt64}", clickhouse.Named("least", "1000000"))
	if err != nil || rows.Next() {
		t.Errorf("an empty answer: %v", err)
	}
}

// testSettings: a setting holds for its statement alone.
func testSettings(t *testing.T, conn clickhouse.Conn) {
	t.Helper()
	value := func(ctx context.Context) string {
		var v string
		if err := conn.QueryRow(ctx, "SELECT value FROM system.settings WHERE name = 'max_result_rows'").Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	with := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_result_rows": 77}))
	if got := value(with); got != "77" {
		t.Errorf("with the setting it is %s", got)
	}
	if got := value(t.Context()); got != "0" {
		t.Errorf("afterwards it is %s", got)
	}
}

// testFailures: the engine's errors come with their code, also those in the middle of an answer.
func testFailures(t *testing.T, conn clickhouse.Conn) {
	t.Helper()
	err := conn.Exec(t.Context(), "SELECT * FROM nowhere")
	if err == nil || !strings.Contains(err.Error(), "UNKNOWN_TABLE") {
		t.Errorf("got %v", err)
	}
	rows, err := conn.Query(t.Context(), "SELECT throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_block_size = 1000")
	for err == nil && rows.Next() {
	}
	if err == nil {
		err = rows.Err()
	}
	if err == nil {
		t.Error("a failure in the middle of an answer looks like its end")
	}
}

// testCancel: who goes away stops the statement, and the engine goes on.
func testCancel(t *testing.T, conn clickhouse.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := conn.Query(ctx, "SELECT number FROM numbers(1000000000)")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	_ = rows.Close() // what the rest was is nobody's business any more
	if err := conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// testFormats: a statement may name any format of ClickHouse.
func testFormats(t *testing.T, url string) {
	t.Helper()
	for body, want := range map[string]string{
		"SELECT 1 AS a, 'x' AS b FORMAT CSVWithNames": "\"a\",\"b\"\n1,\"x\"\n",
		"SELECT 1 AS a FORMAT JSONEachRow":            "{\"a\":1}\n",
		"SELECT 42":                                   "42\n",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", body, got, err)
		}
	}
}
