package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// runMain makes the test binary behave as the program itself, so that tests can kill it.
const runMain = "RUN_SIGNALBOX_MAIN"

// cpuProfile names the file that the program writes a CPU profile to when it is stopped, and beside
// it (.heap) one of its memory.
const cpuProfile = "CPU_PROFILE"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		mainOfProgram()
	}
	if os.Getenv(runBroker) != "" {
		mainOfBroker()
	}
	if os.Getenv(runEngine) != "" {
		mainOfEngine()
	}
	if err := os.Setenv("SIGNALBOX_CLICKHOUSE_LIBRARY", "off"); err != nil { // history has a test of its own
		panic(err)
	}
	testscript.Main(m, map[string]func(){"signalbox": mainOfProgram})
}

// mainOfProgram is what cmd/signalbox does; it never returns.
func mainOfProgram() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if path := os.Getenv(cpuProfile); path != "" {
		f, err := os.Create(path)
		if err = errors.Join(err, pprof.StartCPUProfile(f)); err != nil {
			panic(err)
		}
	}
	code := Main(ctx, Process{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Version: "test"})
	stop()
	if path := os.Getenv(cpuProfile); path != "" {
		pprof.StopCPUProfile()
		f, err := os.Create(path + ".heap")
		if err = errors.Join(err, pprof.WriteHeapProfile(f)); err != nil {
			panic(err)
		}
	}
	os.Exit(code) //nolint:forbidigo // here it is the main function.
}

// program returns the program with these arguments as a process of its own.
func program(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), runMain+"=1")
	return cmd
}

// runProgram runs one command to its end.
func runProgram(t *testing.T, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := program(t.Context(), t, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("signalbox %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
}

// freeAddr returns a loopback address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// eventually calls check until it returns nil, and fails with its last error after the limit.
func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %v", limit, err)
		}
	}
}

func ready(ctx context.Context, url string) error {
	status, body, err := send(ctx, http.MethodGet, url+"/-/ready", nil, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", status, body)
	}
	return err
}

// send makes one request with a JSON body (nil: none).
func send(ctx context.Context, method, url string, body any, header map[string]string) (int, []byte, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		reader = bytes.NewReader(b)
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, data, err
}

// get reads a JSON answer into v.
func get(ctx context.Context, url string, v any) error {
	status, body, err := send(ctx, http.MethodGet, url, nil, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("GET %s: %d: %s", url, status, body)
	}
	return json.Unmarshal(body, v)
}

// pages reads every page of a list.
func pages(ctx context.Context, url, field string) ([]json.RawMessage, error) {
	var all []json.RawMessage
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	for next := ""; ; {
		var page map[string]json.RawMessage
		if err := get(ctx, url+sep+"limit=1000&cursor="+next, &page); err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		var cursor *string
		if err := errors.Join(json.Unmarshal(page[field], &rows), json.Unmarshal(page["next"], &cursor)); err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if cursor == nil {
			return all, nil
		}
		next = *cursor
	}
}
