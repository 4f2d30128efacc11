package chdb

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// hello is the question that clickhouse-go asks first on each connection.
const hello = "SELECT displayName(), version(), revision(), timezone()"

// maxQuery bounds the text of a statement.
const maxQuery = 8 << 20

// ServeHTTP answers ClickHouse's HTTP interface as far as clickhouse-go uses it: the statement in
// the body or in `query`, parameters in `param_*`, settings under their names, results and rows in
// any format of ClickHouse. There are no sessions, no compression, no external tables and no login.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	s := statement{query: values.Get("query"), format: values.Get("default_format"), params: map[string]string{}, settings: map[string]string{}}
	if s.format == "" {
		s.format = "TabSeparated"
	}
	for name := range values {
		param, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			s.params[param] = values.Get(name)
		case !ofTransport(name):
			s.settings[name] = values.Get(name)
		}
	}
	if s.query != "" {
		s.query, s.format = cutFormat(s.query, s.format)
		s.data = r.Body
	} else {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
		if err != nil {
			fail(w, err)
			return
		}
		if s.query = string(body); s.query == hello {
			e.greet(w, values)
			return
		}
		if format := trailingFormat.FindStringSubmatch(s.query); format != nil {
			s.query, s.format = strings.TrimSuffix(s.query, format[0]), format[1]
		}
	}
	e.answer(w, r, s)
}

// answer streams a result. What fails before its first byte is a status; later it stands in the
// body, marked as ClickHouse does.
func (e *Engine) answer(w http.ResponseWriter, r *http.Request, s statement) {
	begun := false
	w.Header().Set("Content-Type", "application/octet-stream")
	err := e.run(r.Context(), s, func(piece []byte) error {
		begun = true
		if _, err := w.Write(piece); err != nil {
			return err
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		return nil
	})
	var failed *Failure
	switch {
	case err == nil && !begun:
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	case err == nil:
	case begun && errors.As(err, &failed):
		_, _ = io.WriteString(w, "\r\n__exception__\r\n"+failed.Text) // the client is gone when this fails
	case begun:
	default:
		fail(w, err)
	}
}

func fail(w http.ResponseWriter, err error) {
	var failed *Failure
	if !errors.As(err, &failed) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if code := exceptionCode.FindStringSubmatch(failed.Text); code != nil {
		w.Header().Set("X-ClickHouse-Exception-Code", code[1])
	}
	http.Error(w, failed.Text, http.StatusInternalServerError)
}

var (
	exceptionCode  = regexp.MustCompile(`^(?:Code: |code: )(\d+)[.,]`)
	trailingFormat = regexp.MustCompile(`(?is)\s+FORMAT\s+(\w+)\s*;?\s*$`)
)

// cutFormat takes the format off an INSERT: the engine wants it apart from the statement.
func cutFormat(query, format string) (string, string) {
	if m := trailingFormat.FindStringSubmatch(query); m != nil {
		return strings.TrimSuffix(query, m[0]), m[1]
	}
	return query, format
}

// ofTransport tells which values of a request are no settings of the statement.
func ofTransport(name string) bool {
	switch name {
	case "query", "default_format", "client_protocol_version", "database", "query_id", "quota_key", "session_id", "wait_end_of_query",
		"compress", "decompress", "buffer_size", "user", "password":
		return true
	}
	return false
}

// greet answers hello at the client's own revision with revision 0: from then on the client expects
// blocks without block info, which is how the library writes them.
func (e *Engine) greet(w http.ResponseWriter, values url.Values) {
	revision, err := strconv.ParseUint(values.Get("client_protocol_version"), 10, 64)
	if err != nil {
		revision = 0
	}
	var block proto.Block
	for _, c := range []struct{ name, kind string }{
		{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"},
	} {
		if err := block.AddColumn(c.name, columnType(c.kind)); err != nil {
			fail(w, err)
			return
		}
	}
	var buf chproto.Buffer
	err = block.Append("chdb", e.version, uint32(0), "UTC")
	if err == nil {
		err = block.Encode(&buf, revision)
	}
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(buf.Buf)))
	_, _ = bytes.NewReader(buf.Buf).WriteTo(w) // the client is gone when this fails
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "") + "`" }
