package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs the program as people do: each file of testdata/script is one behaviour of a
// command, with its files, its words and its exit code. Beside the usual commands there are
//
//	exits CODE PROGRAM ARGS…   run a program to its end and expect this exit code
//	await URL                  wait until the URL answers 200
//	post URL FILE, put URL FILE
//	                           send a file and expect 200
//	refused METHOD URL STATUS OUT [FILE]
//	                           send a file or nothing, expect the status, and write the answer to OUT
//	get URL FILE               write what the URL answers to a file
//	rows FILE                  print "number id revision state" of each incident of a file
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			l, err := net.Listen("tcp", "127.0.0.1:0") // free a moment ago
			if err != nil {
				return err
			}
			env.Setenv("ADDR", l.Addr().String())
			return l.Close()
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": scriptExits, "await": scriptAwait, "post": scriptPost, "put": scriptPut, "refused": scriptRefused, "get": scriptGet, "rows": scriptRows,
		},
	})
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	last := errors.New("never asked")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if _, last = scriptRequest(http.MethodGet, args[0], nil); last == nil {
			return
		}
	}
	ts.Fatalf("await %s: %v", args[0], last)
}

func scriptPost(ts *testscript.TestScript, _ bool, args []string) {
	_, err := scriptRequest(http.MethodPost, args[0], strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
}

func scriptPut(ts *testscript.TestScript, _ bool, args []string) {
	_, err := scriptRequest(http.MethodPut, args[0], strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
}

func scriptRefused(ts *testscript.TestScript, _ bool, args []string) {
	body := ""
	if len(args) > 4 {
		body = ts.ReadFile(args[4])
	}
	answer, err := scriptRequest(args[0], args[1], strings.NewReader(body))
	if err == nil || !strings.HasPrefix(err.Error(), args[2]+" ") {
		ts.Fatalf("%v, want %s", err, args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), answer, 0o600))
}

func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	body, err := scriptRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	ts.Check(writeFile(ts.MkAbs(args[1]), func(w io.Writer) error {
		_, err := w.Write(body)
		return err
	}))
}

func scriptRequest(method, url string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // only read
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return answer, err
}

// scriptRows takes an incidents file or an answer of GET /api/v1/incidents.
func scriptRows(ts *testscript.TestScript, _ bool, args []string) {
	type incident struct {
		Number   string `json:"number"`
		ID       string `json:"id"`
		Revision int    `json:"revision"`
		State    string `json:"state"`
	}
	text := ts.ReadFile(args[0])
	var list struct{ Incidents []incident }
	if json.Unmarshal([]byte(text), &list) != nil || list.Incidents == nil {
		for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
			var one incident
			ts.Check(json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &one))
			list.Incidents = append(list.Incidents, one)
		}
	}
	for _, i := range list.Incidents {
		fmt.Fprintln(ts.Stdout(), i.Number, i.ID, i.Revision, i.State)
	}
}
