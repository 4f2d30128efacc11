package chdb

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// lib holds the functions of libchdb that we call (chdb.h of chdb-io/chdb-core). A handle is an
// address that only the library reads.
type lib struct {
	version           func() unsafe.Pointer
	setSignalHandlers func(enabled bool)
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(conn unsafe.Pointer)

	query  queryFunc
	stream queryFunc
	fetch  func(conn, result unsafe.Pointer) unsafe.Pointer
	cancel func(conn, result unsafe.Pointer)

	insert        func(conn, query unsafe.Pointer, n uintptr, format unsafe.Pointer, fn uintptr) unsafe.Pointer
	insertAppend  func(stream, data unsafe.Pointer, n uintptr) int32
	insertDone    func(stream unsafe.Pointer) unsafe.Pointer
	insertCancel  func(stream unsafe.Pointer)
	insertError   func(stream unsafe.Pointer) unsafe.Pointer
	insertDestroy func(stream unsafe.Pointer)

	resultBuffer  func(result unsafe.Pointer) unsafe.Pointer
	resultLength  func(result unsafe.Pointer) uintptr
	resultError   func(result unsafe.Pointer) unsafe.Pointer
	resultWritten func(result unsafe.Pointer) uint64
	resultDestroy func(result unsafe.Pointer)
}

// queryFunc is chdb_query_with_params_n, or chdb_stream_query_with_params_n: texts with their lengths.
type queryFunc func(conn, query unsafe.Pointer, queryLen uintptr, format unsafe.Pointer, formatLen uintptr,
	names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer

// ErrNoLibrary says that libchdb could not be loaded.
var ErrNoLibrary = errors.New("the embedded ClickHouse engine is missing")

// ErrLeftOut is the ErrNoLibrary of a program that cannot load any library (build tag nochdb).
var ErrLeftOut = fmt.Errorf("%w: this program was built without it", ErrNoLibrary)

// bytesOf is the address of a text for the length of a call; an empty one needs an address, too.
func bytesOf(s string) unsafe.Pointer {
	if s == "" {
		s = "\x00"
	}
	return unsafe.Pointer(unsafe.StringData(s)) //nolint:gosec // read by the library during the call only
}

// text copies a NUL-terminated text of the library, "" for none.
func text(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// texts is an array of texts as the library takes them.
type texts struct {
	keep      []string
	addresses []unsafe.Pointer
	lengths   []uintptr
}

func (t *texts) add(s string) {
	t.keep = append(t.keep, s)
	t.addresses = append(t.addresses, bytesOf(s))
	t.lengths = append(t.lengths, uintptr(len(s)))
}

func first[T any](list []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(list)) } //nolint:gosec // as in bytesOf

// open starts the engine on a folder, or connects to it once more.
func (l *lib) open(dir string) (unsafe.Pointer, error) {
	var args texts
	args.add("clickhouse\x00")
	args.add("--path=" + dir + "\x00")
	p := l.connect(int32(len(args.addresses)), first(args.addresses)) //nolint:gosec // two
	runtime.KeepAlive(args)
	if p == nil {
		return nil, fmt.Errorf("open the embedded engine in %s: it refused; the folder is used by another process, or not writable", dir)
	}
	return p, nil
}
