package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"signalbox/app/demo"
)

const serveHelp = `run it: doors, engine, board and API in one process

Without flags everything is embedded: a broker that speaks the Kafka protocol keeps its log in
./data, and the board is on http://127.0.0.1:7420. Point Alertmanager's webhook at
http://127.0.0.1:7420/api/v1/ingest/alertmanager; the board shows the lines to copy.

Examples:
  signalbox serve --estate estate.yaml
  signalbox serve --config signalbox.yml --listen 127.0.0.1:8000`

const demoHelp = `run it with an example estate and a storm to watch

Two data centres of a web shop and a bottling plant; alerts come in through the public HTTP
doors, with times of now. Each demo begins with an empty board: its data is removed at the end,
unless --data-dir names an empty folder to keep it in.

Example:
  signalbox demo --listen 127.0.0.1:8000`

// serveFlags are the flags that serve and demo share.
type serveFlags struct {
	config, listen, dataDir string
	insecure                bool
	demo                    bool // the embedded broker, whatever the environment names: examples do not belong there; and targets
	estate                  files
}

func (f *serveFlags) register(flags *flag.FlagSet) {
	flags.StringVar(&f.config, "config", "", "configuration `FILE` (signalbox.yml)")
	flags.StringVar(&f.listen, "listen", "", "listen on `ADDR` instead of 127.0.0.1:7420")
	flags.StringVar(&f.dataDir, "data-dir", "", "keep the embedded broker's log in `DIR` instead of ./data")
	flags.Var(&f.estate, "estate", "estate `FILE`; may be given several times")
	flags.BoolVar(&f.insecure, "insecure", false, "allow --listen on an address that others reach, without login")
}

// load reads the configuration and lays the flags over it.
func (f *serveFlags) load(environ []string) (Config, error) {
	return loadConfig(f.config, environ, func(cfg *Config) {
		if f.listen != "" {
			cfg.Server.Listen = f.listen
		}
		if f.dataDir != "" {
			cfg.Server.DataDir = f.dataDir
		}
		if f.demo {
			cfg.Kafka.Brokers, cfg.SLA = nil, demo.Targets()
		}
		cfg.Server.Insecure = cfg.Server.Insecure || f.insecure
		cfg.Estate.Files = append(cfg.Estate.Files, f.estate...)
	})
}

func serve(ctx context.Context, p Process, flags *flag.FlagSet) error {
	var f serveFlags
	f.register(flags)
	if err := parse(p, flags); err != nil {
		return err
	}
	return f.run(ctx, p, nil)
}

func demoCommand(ctx context.Context, p Process, flags *flag.FlagSet) error {
	f := serveFlags{demo: true}
	flags.StringVar(&f.listen, "listen", "", "listen on `ADDR` instead of 127.0.0.1:7420")
	flags.StringVar(&f.dataDir, "data-dir", "", "keep the data in `DIR`, which must be empty, instead of removing it at the end")
	if err := parse(p, flags); err != nil {
		return err
	}
	if f.dataDir == "" {
		dir, err := os.MkdirTemp("", "signalbox-demo-")
		if err != nil {
			return fmt.Errorf("make a folder for the demo: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		f.dataDir = dir
	} else if entries, err := os.ReadDir(f.dataDir); err == nil && len(entries) > 0 {
		return fmt.Errorf("--data-dir %s: is not empty, and the demo begins with an empty board (signalbox serve --data-dir %s goes on with it)",
			f.dataDir, f.dataDir)
	}
	return f.run(ctx, p, func(ctx context.Context, a *App) error {
		return a.demo(ctx)
	})
}

// run builds the house and runs it, with a companion beside it when one is given.
func (f *serveFlags) run(ctx context.Context, p Process, beside func(context.Context, *App) error) error {
	cfg, err := f.load(p.Environ)
	if err != nil {
		return err
	}
	if _, err := estateInput(cfg.Estate.Files); err != nil { // before anything starts, so that nobody waits for it
		return fmt.Errorf("load the estate: %w", err)
	}
	log, err := newLogger(p.Stderr, cfg.Server)
	if err != nil {
		return err
	}
	a, err := New(ctx, Options{Config: cfg, Logger: log, Version: p.Version, ConfigPath: f.config, Environ: p.Environ})
	if err != nil {
		return err
	}
	defer func() {
		if err := a.Close(); err != nil {
			log.Warn("not closed cleanly", "err", err)
		}
	}()
	printWelcome(p.Stdout, cfg, a.Addr(), beside != nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.Run(ctx) })
	group.Go(func() error { return a.reloadOnHangup(ctx) })
	if beside != nil {
		group.Go(func() error { return beside(ctx, a) })
	}
	return group.Wait()
}

// reloadOnHangup is POST /-/reload for service managers, which send SIGHUP.
func (a *App) reloadOnHangup(ctx context.Context) error {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			_ = a.reload(ctx) // it is logged and counted
		case <-ctx.Done():
			return nil
		}
	}
}

// demo adopts the example estate and sends the example's alerts through the HTTP doors.
func (a *App) demo(ctx context.Context) error {
	if err := a.waitReady(ctx); err != nil {
		return nil //nolint:nilerr // ended before it was ready.
	}
	if _, err := a.ui.PutEstate(ctx, "demo", demo.Estate()); err != nil {
		return fmt.Errorf("adopt the example estate: %w", err)
	}
	return demo.Run(ctx, demo.Options{URL: "http://" + a.Addr(), Logger: a.log.With("component", "demo")})
}

func printWelcome(w io.Writer, cfg Config, addr string, isDemo bool) {
	reach := "only this machine can reach it (--listen and --insecure change that)"
	if cfg.Server.Insecure {
		reach = "whoever reaches this address can read and command it: there is no login"
	}
	fmt.Fprintf(w, "\nSignalbox listens on http://%s: %s.\n", addr, reach)
	if !isDemo {
		fmt.Fprintf(w, "Open it for the lines that your Alertmanager and Prometheus need. Data is kept in %s.\n\n", cfg.Server.DataDir)
		return
	}
	fmt.Fprint(w, `
The demo needs a minute. Try:
  0 s   a calm board of nine incidents; arrow keys move, Enter opens, ? lists all keys
  15 s  a core switch dies without a word; its 140 alerts become one P1 that names it
  25 s  a deploy breaks checkout nearby: a second incident, with the change as its cause
  40 s  in the plant a PLC gateway is lost, the filler starves, the labeller blocks, an order is late
  60 s  the switch comes back; the P1 resolves itself five minutes later
Acknowledge (A), split, undo (Z) as you like. Ctrl-C ends the demo.

`)
}
