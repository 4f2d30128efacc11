// Package demo is the example estate and the feed of alerts that `signalbox demo` shows. The feed
// plays three outside systems (a Prometheus, an Alertmanager, the edge of a plant) and a few
// operators; it knows Signalbox by its public HTTP doors alone. What happens is a script that
// follows from the estate and the moment of the start, so a test can play it in virtual time.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"signalbox/cmdb"
)

//go:embed estate.yaml
var estate []byte

// Estate returns the example estate as an estate file.
func Estate() []byte { return bytes.Clone(estate) }

// Options say where the feed sends.
type Options struct {
	URL    string // of Signalbox, without a path
	Logger *slog.Logger
	Client *http.Client // nil: http.DefaultClient
}

// Run sends the feed until ctx is done, then returns nil. What is refused or cannot be sent is
// logged, and the feed goes on: the next re-send brings it again, as with the real senders.
func Run(ctx context.Context, opts Options) error {
	if opts.Client == nil {
		opts.Client = http.DefaultClient
	}
	parsed, err := cmdb.Parse("estate.yaml", estate)
	if err != nil {
		return fmt.Errorf("read the example estate: %w", err)
	}
	start := time.Now().UTC()
	for r := range newWorld(parsed, start).feed() {
		if !sleepUntil(ctx, start.Add(r.after)) {
			return nil
		}
		if err := opts.send(ctx, r); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			opts.Logger.Warn("the demo could not send; it goes on", "path", r.path, "err", err)
		}
	}
	return nil
}

// sleepUntil tells whether the moment came before the end of ctx.
func sleepUntil(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// patience bounds how long a request is tried again.
const patience = 10 * time.Second

// errLater says that a request may succeed later.
var errLater = errors.New("not now")

// send makes one request, and again while Signalbox is too busy, or has not shown yet what a
// command is about.
func (o *Options) send(ctx context.Context, r request) error {
	limit := time.Now().Add(patience)
	for {
		err := o.try(ctx, r)
		if !errors.Is(err, errLater) || time.Now().After(limit) || !sleepUntil(ctx, time.Now().Add(100*time.Millisecond)) {
			return err
		}
	}
}

func (o *Options) try(ctx context.Context, r request) error {
	path := r.path
	if r.about != "" {
		id, err := o.holder(ctx, r.about)
		if err != nil {
			return err
		}
		path = "/api/v1/incidents/" + url.PathEscape(id) + "/" + r.path
	}
	_, err := o.do(ctx, http.MethodPost, path, r.body)
	return err
}

// holder returns the id of the incident that holds an alert.
func (o *Options) holder(ctx context.Context, fingerprint string) (string, error) {
	data, err := o.do(ctx, http.MethodGet, "/api/v1/alerts?q="+url.QueryEscape("fingerprint="+fingerprint), nil)
	if err != nil {
		return "", err
	}
	var list struct {
		Alerts []struct {
			Incident *string `json:"incident"`
		} `json:"alerts"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return "", fmt.Errorf("decode the alerts: %w", err)
	}
	for _, a := range list.Alerts {
		if a.Incident != nil {
			return *a.Incident, nil
		}
	}
	return "", fmt.Errorf("no incident holds the alert %s: %w", fingerprint, errLater)
}

func (o *Options) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, o.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := o.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	data, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case resp.StatusCode == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("%s: %w", resp.Status, errLater)
	case resp.StatusCode >= 300:
		return nil, fmt.Errorf("%s: %.300s", resp.Status, data)
	}
	return data, nil
}
