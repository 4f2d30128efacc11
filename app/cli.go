// Package app wires the rooms of Signalbox into one program and holds its commands. It decides
// nothing itself: every other room can be understood without it.
package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Process is what the operating system gives to the program.
type Process struct {
	Args           []string // without the program's name
	Stdout, Stderr io.Writer
	Environ        []string
	Version        string
}

// command is one word of the command line.
type command struct {
	name, usage, help string
	run               func(ctx context.Context, p Process, flags *flag.FlagSet) error
}

func commands() []command {
	return []command{
		{"serve", "[--config FILE] [--listen ADDR] [--data-dir DIR] [--estate FILE…] [--insecure]", serveHelp, serve},
		{"demo", "[--listen ADDR] [--data-dir DIR]", demoHelp, demoCommand},
		{"ready", "[--url URL]", readyHelp, readyCommand},
		{"check", "[--config FILE] [--estate FILE…]", checkHelp, check},
		{"replay", "(--events FILE | --data-dir DIR [--from TIME] [--to TIME]) (--out FILE [--assignments FILE] | --compare FILE [--report FILE]) [--estate FILE…] [--config FILE [--try]] [--patterns FILE]", replayHelp, replay},
		{"score", "--assignments FILE --incidents FILE --truth FILE [--causes FILE]", scoreHelp, scoreCommand},
		{"learn", "--events FILE [--estate FILE…] [--type LABEL] --out FILE", learnHelp, learnCommand},
		{"simulate", "(--out DIR | --table [--seeds N]) [--seed N] [--items N] [--hours N] [--faults N] [--simultaneous N] [--silent SHARE] [--noise RATE] [--coverage SHARE] [--wrong-relations SHARE]", simulateHelp, simulateCommand},
		{"export", "--data-dir DIR --out FILE [--config FILE] [--shard N]", exportHelp, export},
		{"bind", "--estate FILE… --explain LABELS", bindHelp, bind},
	}
}

// errUsage marks a mistake in the command line; the exit code is 2.
var errUsage = errors.New("usage")

// errFound says that a check found faults, which are printed already; the exit code is 1.
var errFound = errors.New("faults found")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// Main runs one command and returns the exit code: 0 done, 1 it could not be done, 2 the command
// line is wrong.
func Main(ctx context.Context, p Process) int {
	if len(p.Args) > 1 && p.Args[0] == "help" {
		p.Args = []string{p.Args[1], "--help"}
	}
	if len(p.Args) == 0 || p.Args[0] == "help" || p.Args[0] == "--help" || p.Args[0] == "-h" {
		printHelp(p.Stdout)
		return 0
	}
	if p.Args[0] == "version" || p.Args[0] == "--version" {
		fmt.Fprintln(p.Stdout, "signalbox", p.Version)
		return 0
	}
	for _, c := range commands() {
		if c.name != p.Args[0] {
			continue
		}
		flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
		flags.SetOutput(io.Discard) // parse says what is wrong
		flags.Usage = func() { c.printHelp(flags) }
		p.Args = p.Args[1:]
		return exitCode(p, c.name, c.run(ctx, p, flags))
	}
	fmt.Fprintf(p.Stderr, "signalbox: there is no command %q; signalbox --help lists them\n", p.Args[0])
	return 2
}

func exitCode(p Process, name string, err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errFound):
		return 1
	case errors.Is(err, errUsage):
		fmt.Fprintf(p.Stderr, "signalbox %s: %s\nsignalbox %s --help shows how\n", name, strings.TrimPrefix(err.Error(), "usage: "), name)
		return 2
	}
	fmt.Fprintf(p.Stderr, "signalbox %s: %s\n", name, err)
	return 1
}

// parse reads the flags of a command; none takes further words.
func parse(p Process, flags *flag.FlagSet) error {
	if err := flags.Parse(p.Args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(p.Stdout)
			flags.Usage()
			return err
		}
		return usagef("%s", strings.Replace(err.Error(), "provided but not defined: -", "is not known: --", 1))
	}
	if flags.NArg() > 0 {
		return usagef("%q is not expected here", flags.Arg(0))
	}
	return nil
}

func printHelp(w io.Writer) {
	fmt.Fprint(w, `Signalbox turns alert storms and machine telemetry into a few explained incidents, live.

  signalbox serve                                  run it, on http://127.0.0.1:7420
  signalbox serve --estate estate.yaml             with what you know of your hosts and services
  signalbox demo                                   run it with an example estate and a storm to watch
  signalbox bind --estate estate.yaml --explain 'instance="sw-1:9116"'
  signalbox replay --estate estate.yaml --events day.jsonl.gz --out incidents.jsonl

Commands:
`)
	for _, c := range commands() {
		first, _, _ := strings.Cut(strings.TrimSpace(c.help), "\n")
		fmt.Fprintf(w, "  %-8s %s\n", c.name, first)
	}
	fmt.Fprint(w, "\nsignalbox COMMAND --help explains one of them.\n")
}

// printHelp explains one command to the output of its flags.
func (c command) printHelp(flags *flag.FlagSet) {
	w := flags.Output()
	fmt.Fprintf(w, "signalbox %s %s\n\n%s\n\nFlags:\n", c.name, c.usage, strings.TrimSpace(c.help))
	flags.VisitAll(func(f *flag.Flag) {
		word, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "  %-20s %s\n", strings.TrimSpace("--"+f.Name+" "+word), text)
	})
}

// files is a flag that may be given several times.
type files []string

// String implements flag.Value.
func (f *files) String() string { return strings.Join(*f, " ") }

// Set implements flag.Value.
func (f *files) Set(v string) error {
	*f = append(*f, v)
	return nil
}

func logLevel(name string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return level, fmt.Errorf("server.log_level: must be debug, info, warn or error, got %q", name)
	}
	return level, nil
}

func newLogger(w io.Writer, c ServerConfig) (*slog.Logger, error) {
	level, err := logLevel(c.LogLevel)
	if err != nil {
		return nil, err
	}
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}
