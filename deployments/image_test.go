package deployments_test

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// instruction is one line of a Dockerfile.
type instruction struct{ word, rest string }

func dockerfile(t *testing.T) []instruction {
	t.Helper()
	var out []instruction
	for line := range strings.Lines(strings.ReplaceAll(read(t, "Dockerfile"), "\\\n", "")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		out = append(out, instruction{word, rest})
	}
	return out
}

// ignored says whether a path of the repository is kept from the build, as Dockerfile.dockerignore has it: whole
// folders, anywhere when they begin with **/.
func ignored(t *testing.T, file string) bool {
	t.Helper()
	for pattern := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		pattern = strings.TrimSpace(pattern)
		rest, anywhere := strings.CutPrefix(pattern, "**/")
		for p := path.Clean(file); p != "." && p != "/"; p = path.Dir(p) {
			if p == pattern || anywhere && path.Base(p) == rest {
				return true
			}
		}
	}
	return false
}

// TestDockerfile holds that what is copied exists and reaches the build, and that the image runs as the program expects.
func TestDockerfile(t *testing.T) {
	stages, copies := []string{}, 0
	last := map[string]string{}
	for _, in := range dockerfile(t) {
		switch in.word {
		case "FROM":
			if _, name, ok := strings.Cut(in.rest, " AS "); ok {
				stages = append(stages, name)
			}
			last = map[string]string{}
		case "COPY":
			copies++
			checkCopy(t, in.rest, stages)
		}
		last[in.word] = in.rest
	}
	if copies == 0 {
		t.Error("nothing is copied")
	}
	user, _, _ := strings.Cut(last["USER"], ":")
	if user == "" || user == "0" || user == "root" {
		t.Errorf("the image runs as %q", last["USER"])
	}
	if last["EXPOSE"] != "7420" || last["ENTRYPOINT"] != `["/usr/bin/signalbox"]` || !strings.HasSuffix(last["HEALTHCHECK"], `CMD ["/usr/bin/signalbox", "ready"]`) {
		t.Errorf("the end of the image: %v", last)
	}
}

func checkCopy(t *testing.T, rest string, stages []string) {
	t.Helper()
	words := strings.Fields(rest)
	from := ""
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		if name, ok := strings.CutPrefix(words[0], "--from="); ok {
			from = name
		}
		words = words[1:]
	}
	if from != "" {
		if !slices.Contains(stages, from) {
			t.Errorf("COPY %s: there is no stage %q", rest, from)
		}
		return
	}
	for _, source := range words[:len(words)-1] {
		if _, err := os.Stat(filepath.Join("..", source)); err != nil || ignored(t, source) {
			t.Errorf("COPY %s: %s is missing, or Dockerfile.dockerignore keeps it away (%v)", rest, source, err)
		}
	}
}

// TestDockerignore holds that nothing the program is compiled from is kept from the build. The web app's dist is
// excepted: the image builds its own.
func TestDockerignore(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Module,GoFiles,EmbedFiles", "../cmd/signalbox").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, file := range append(p.GoFiles, p.EmbedFiles...) {
			rel, err := filepath.Rel(root, filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if seen++; ignored(t, filepath.ToSlash(rel)) && !strings.HasPrefix(rel, "ui/web/dist/") {
				t.Errorf("%s does not reach the build of the image", rel)
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d files seen", seen)
	}
}

// TestStatic builds the program as the image does, and runs it: it needs no linker, serves, tells a health check that
// it is ready, and why it keeps no history.
func TestStatic(t *testing.T) {
	flags := regexp.MustCompile(`RUN CGO_ENABLED=0 .*go build (-tags \w+) -trimpath .* \./cmd/signalbox\n`).FindStringSubmatch(read(t, "Dockerfile"))
	if flags == nil {
		t.Fatal("the Dockerfile does not build a static program")
	}
	program := filepath.Join(t.TempDir(), "signalbox")
	build := exec.CommandContext(t.Context(), "go", append(append([]string{"build"}, strings.Fields(flags[1])...), "-o", program, "../cmd/signalbox")...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	libraries, err := file.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) || len(libraries) > 0 {
		t.Errorf("the program is not static: it needs %v", libraries)
	}

	addr := freeAddr(t)
	var log bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	serve := exec.CommandContext(ctx, program, "serve", "--listen", addr, "--data-dir", t.TempDir())
	serve.Env, serve.Stderr = []string{}, &log // nothing of this machine, as in the image
	serve.Cancel = func() error { return serve.Process.Signal(syscall.SIGTERM) }
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	ready := errors.New("not asked")
	for tick := time.NewTicker(50 * time.Millisecond); ready != nil && ctx.Err() == nil; <-tick.C {
		ready = exec.CommandContext(ctx, program, "ready", "--url", "http://"+addr).Run()
	}
	_ = serve.Process.Signal(syscall.SIGTERM) // when it has ended, Wait says how
	if err := errors.Join(ready, serve.Wait()); err != nil || !strings.Contains(log.String(), "cannot load the embedded ClickHouse engine") {
		t.Errorf("it is to serve, and to say why there is no history: %v\n%s", err, log.String())
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
