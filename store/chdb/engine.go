// Package chdb embeds the ClickHouse engine: it loads libchdb at run time and speaks ClickHouse's
// HTTP interface over it, as an http.RoundTripper for clickhouse-go in this process and as an
// http.Handler behind a listener. It refuses to know any table: schema and queries are the
// parent's, and the same for an embedded engine and a cluster.
package chdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"sort"
	"sync"
	"unsafe"
)

// maxConns bounds how many statements run at the same time.
const maxConns = 8

// Engine is an embedded ClickHouse engine. One process has one; its methods may be called by
// several goroutines.
type Engine struct {
	lib     *lib
	dir     string
	version string

	slots chan struct{} // one for each statement that runs
	mu    sync.Mutex
	idle  []unsafe.Pointer // connections
}

// Open loads the library from a path and starts the engine on a folder, which it creates. The
// error is ErrNoLibrary where the library is missing.
func Open(library, dir string) (*Engine, error) {
	l, err := load(library)
	if err != nil {
		return nil, err
	}
	l.setSignalHandlers(false) // they are the program's
	e := &Engine{lib: l, dir: dir, version: text(l.version()), slots: make(chan struct{}, maxConns)}
	conn, err := l.open(dir)
	if err != nil {
		return nil, err
	}
	e.idle = append(e.idle, conn)
	return e, nil
}

// Version is that of the library.
func (e *Engine) Version() string { return e.version }

// Close ends the engine. No statement may run any more.
func (e *Engine) Close() error {
	for range maxConns {
		e.slots <- struct{}{}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, conn := range e.idle {
		e.lib.closeConn(conn)
	}
	e.idle = nil
	return nil
}

// take lends a connection: one statement at a time runs on each.
func (e *Engine) take(ctx context.Context) (unsafe.Pointer, error) {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e.mu.Lock()
	n := len(e.idle)
	if n > 0 {
		conn := e.idle[n-1]
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		return conn, nil
	}
	e.mu.Unlock()
	conn, err := e.lib.open(e.dir)
	if err != nil {
		<-e.slots
	}
	return conn, err
}

func (e *Engine) give(conn unsafe.Pointer) {
	e.mu.Lock()
	e.idle = append(e.idle, conn)
	e.mu.Unlock()
	<-e.slots
}

// statement is what one request asks for.
type statement struct {
	query, format string
	params        map[string]string // {name:Type} in the query
	settings      map[string]string // of this statement alone
	data          io.Reader         // of an insert in a format
}

// run executes a statement and hands its result over in pieces, in the order of the result. A
// statement without a result hands nothing over.
func (e *Engine) run(ctx context.Context, s statement, yield func([]byte) error) (err error) {
	conn, err := e.take(ctx)
	if err != nil {
		return err
	}
	defer e.give(conn)
	handle := *(*unsafe.Pointer)(conn)
	if len(s.settings) > 0 {
		defer func() { err = errors.Join(err, e.set(handle, s.settings, true)) }()
		if err := e.set(handle, s.settings, false); err != nil {
			return err
		}
	}
	if s.data != nil {
		return e.insert(handle, s)
	}
	if streams.MatchString(s.query) {
		return e.stream(ctx, handle, s, yield)
	}
	return e.whole(handle, s, yield)
}

// streams matches what the library can stream; it refuses to stream everything else.
var streams = regexp.MustCompile(`(?i)^\s*(SELECT|WITH)\b`)

// set gives a connection settings, or takes them back.
func (e *Engine) set(handle unsafe.Pointer, settings map[string]string, back bool) error {
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		query := "SET " + quoteName(name) + " = " + quote(settings[name])
		if back {
			query = "SET " + quoteName(name) + " = DEFAULT"
		}
		if err := e.exec(handle, query); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) exec(handle unsafe.Pointer, query string) error {
	return e.whole(handle, statement{query: query, format: "Native"}, func([]byte) error { return nil })
}

// call runs a statement with one of the library's two functions for it.
func (e *Engine) call(handle unsafe.Pointer, s statement, fn queryFunc) unsafe.Pointer {
	var names, values texts
	for name, value := range s.params {
		names.add(name)
		values.add(value)
	}
	result := fn(handle, bytesOf(s.query), uintptr(len(s.query)), bytesOf(s.format), uintptr(len(s.format)),
		first(names.addresses), first(names.lengths), first(values.addresses), first(values.lengths), uintptr(len(names.keep)))
	runtime.KeepAlive(s)
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	return result
}

func (e *Engine) whole(handle unsafe.Pointer, s statement, yield func([]byte) error) error {
	result := e.call(handle, s, e.lib.query)
	defer e.lib.resultDestroy(result)
	if err := failure(text(e.lib.resultError(result))); err != nil {
		return err
	}
	if n := e.lib.resultLength(result); n > 0 {
		return yield(unsafe.Slice((*byte)(e.lib.resultBuffer(result)), n))
	}
	return nil
}

// Failure is an error that the engine has answered, in ClickHouse's words.
type Failure struct{ Text string }

// Error implements error.
func (f *Failure) Error() string { return f.Text }

func failure(message string) error {
	if message == "" {
		return nil
	}
	return &Failure{message}
}

func (e *Engine) stream(ctx context.Context, handle unsafe.Pointer, s statement, yield func([]byte) error) error {
	result := e.call(handle, s, e.lib.stream)
	defer e.lib.resultDestroy(result)
	if err := failure(text(e.lib.resultError(result))); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			e.lib.cancel(handle, result)
			return err
		}
		more, err := e.piece(handle, result, yield)
		if err != nil {
			e.lib.cancel(handle, result)
			return err
		}
		if !more {
			return nil
		}
	}
}

func (e *Engine) piece(handle, result unsafe.Pointer, yield func([]byte) error) (more bool, err error) {
	part := e.lib.fetch(handle, result)
	defer e.lib.resultDestroy(part)
	if err := failure(text(e.lib.resultError(part))); err != nil {
		return false, err
	}
	n := e.lib.resultLength(part)
	if n == 0 {
		return false, nil
	}
	return true, yield(unsafe.Slice((*byte)(e.lib.resultBuffer(part)), n))
}

// insertChunk is how much of an insert's data is handed over at a time.
const insertChunk = 1 << 20

func (e *Engine) insert(handle unsafe.Pointer, s statement) error {
	stream := e.lib.insert(handle, bytesOf(s.query), uintptr(len(s.query)), bytesOf(s.format), uintptr(len(s.format)))
	runtime.KeepAlive(s)
	defer e.lib.insertDestroy(stream)
	if err := failure(text(e.lib.insertError(stream))); err != nil {
		return err
	}
	buf := make([]byte, insertChunk)
	for {
		n, err := io.ReadFull(s.data, buf)
		if n > 0 && e.lib.insertAppend(stream, first(buf), uintptr(n)) != 0 {
			return failure(text(e.lib.insertError(stream)))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			e.lib.insertCancel(stream)
			return fmt.Errorf("read the rows to insert: %w", err)
		}
	}
	result := e.lib.insertDone(stream)
	defer e.lib.resultDestroy(result)
	return failure(text(e.lib.resultError(result)))
}
