package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const readyHelp = `ask a running Signalbox whether it is ready: exit 0 when its board is complete, 1 when not

For health checks of containers, which have no other program to ask with.

Example:
  signalbox ready --url http://127.0.0.1:7420`

// readyTimeout is below the time that health checks usually give.
const readyTimeout = 4 * time.Second

func readyCommand(ctx context.Context, p Process, flags *flag.FlagSet) error {
	url := flags.String("url", "http://127.0.0.1:7420", "ask the Signalbox at `URL`")
	if err := parse(p, flags); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(*url, "/")+"/-/ready", nil)
	if err != nil {
		return usagef("--url: %v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("it does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return fmt.Errorf("its answer broke off: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	_, err = p.Stdout.Write(body)
	return err
}
