// Package demo is the example estate and the feed of alerts that `signalbox demo` shows.
package demo

import (
	"context"
	"log/slog"
)

// Options say where the feed sends.
type Options struct {
	URL    string
	Logger *slog.Logger
}

// Estate returns the example estate.
func Estate() []byte { return []byte("items: []\n") }

// Run sends.
func Run(ctx context.Context, _ Options) error { <-ctx.Done(); return nil }
