// Command signalbox turns alert storms and machine telemetry into a few explained incidents, live.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"signalbox/app"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends at once
	code := app.Main(ctx, app.Process{
		Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Version: version,
	})
	stop()
	os.Exit(code)
}
