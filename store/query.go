package store

import (
	"encoding/base64"
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"signalbox/itsm"
)

// The questions. What a query adds stands at {where}; values are parameters of ClickHouse, never text.
const (
	queryAlerts = `SELECT at, fingerprint, incident, status, severity, item, labels, annotations, starts_at, ends_at, count, source, generator_url
FROM {table:alert_events}
WHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')} AND {where}
ORDER BY at DESC, fingerprint DESC, incident DESC, status DESC, count DESC
LIMIT 1 BY at, fingerprint, incident, status, count
LIMIT {limit:UInt32}`

	// A period that fires is written again when something about it changes (its begin is corrected, it is silenced
	// and released), and counts once, where it was first seen in the window. That makes equal rows one, too.
	queryVolume = `SELECT toDateTime64(intDiv(toUnixTimestamp64Milli(began), {step:Int64}) * {step:Int64} / 1000, 3, 'UTC') AS bucket, grade, count()
FROM (SELECT min(at) AS began, argMin(severity, at) AS grade FROM {table:alert_events}
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE status = 'firing' AND {where}
GROUP BY cityHash64(fingerprint, incident, count))
GROUP BY bucket, grade
ORDER BY bucket, grade`

	// The rows themselves are long; they are read only of the incidents that are shown.
	queryIncidents = `SELECT opened_at, id, row
FROM {table:incident_revisions}
WHERE (opened_at, id, revision) IN (
    SELECT opened_at, id, revision
    FROM (
        SELECT * EXCEPT row, text FROM {table:incident_revisions}
        PREWHERE opened_at >= {from:DateTime64(9, 'UTC')} AND opened_at < {to:DateTime64(9, 'UTC')}
        ORDER BY opened_at DESC, id DESC, revision DESC
        LIMIT 1 BY opened_at, id
    )
    WHERE {where}
    ORDER BY opened_at DESC, id DESC
    LIMIT {limit:UInt32}
)
ORDER BY opened_at DESC, id DESC
LIMIT 1 BY opened_at, id`

	queryRevisions = `SELECT row
FROM {table:incident_revisions}
WHERE id = {id:String} OR number = {id:String}
ORDER BY revision DESC
LIMIT 1 BY id, revision
LIMIT {limit:UInt32}`

	queryTimeline = `SELECT entry
FROM {table:timeline} FINAL
WHERE incident = {id:String}
ORDER BY seq DESC
LIMIT {limit:UInt32}`

	queryChanges = `SELECT at, id, kind, status, title, items, labels, starts_at, ends_at, author, url, log_partition, log_offset, log_index
FROM {table:changes} FINAL
PREWHERE at >= {from:DateTime64(9, 'UTC')} AND at < {to:DateTime64(9, 'UTC')}
WHERE {where}
ORDER BY at DESC, id DESC, log_partition DESC, log_offset DESC, log_index DESC
LIMIT {limit:UInt32}`
)

// field is what a matcher may name.
type field struct {
	column  string
	numeric bool
	list    bool   // any element may match
	named   string // of anyLabel: the label that has the column "name" of its own
	indexed bool   // of anyLabel: an index knows the values of labels
}

// anyLabel is the field of those rows that have labels.
const anyLabel = ""

func alertFields() map[string]field {
	return map[string]field{
		"status": {column: "status"}, "severity": {column: "severity"}, "item": {column: "item"}, "incident": {column: "incident"},
		"source": {column: "source"}, "fingerprint": {column: "lower(hex(fingerprint))"}, anyLabel: {indexed: true},
	}
}

func incidentFields() map[string]field {
	return map[string]field{
		"number": {column: "number"}, "id": {column: "id"}, "state": {column: "state"}, "severity": {column: "severity"}, "title": {column: "title"},
		"cause": {column: "cause"}, "site": {column: "site"}, "team": {column: "team"}, "service": {column: "services", list: true},
		"item": {column: "items", list: true}, "priority": {column: "priority", numeric: true}, "alerts": {column: "alerts", numeric: true},
	}
}

func changeFields() map[string]field {
	return map[string]field{
		"id": {column: "id"}, "kind": {column: "kind"}, "status": {column: "status"}, "title": {column: "title"},
		"item": {column: "items", list: true}, "by": {column: "author"},
	}
}

func seriesFields() map[string]field {
	return map[string]field{anyLabel: {named: metricName}}
}

// builder collects conditions with their parameters.
type builder struct {
	where []string
	args  []any
}

func (b *builder) param(kind, value string) string {
	name := "p" + strconv.Itoa(len(b.args))
	b.args = append(b.args, driver.NamedValue{Name: name, Value: value})
	return "{" + name + ":" + kind + "}"
}

func (b *builder) set(name string, value any) {
	b.args = append(b.args, driver.NamedValue{Name: name, Value: value})
}

// into puts the conditions into a question.
func (b *builder) into(text string) string {
	where := "1"
	if len(b.where) > 0 {
		where = strings.Join(b.where, " AND ")
	}
	return strings.Replace(text, "{where}", where, 1)
}

// build turns a question into SQL with its arguments.
func (s *Store) build(text string, q itsm.HistoryQuery, fields map[string]field) (string, []any, error) {
	var b builder
	for _, m := range q.Matchers {
		condition, err := b.matcher(m, fields)
		if err != nil {
			return "", nil, err
		}
		b.where = append(b.where, condition)
	}
	searched := "text"
	if text == queryChanges {
		searched = "lowerUTF8(title)"
	}
	for _, word := range q.Words {
		b.where = append(b.where, searched+" LIKE "+b.param("String", "%"+escapeLike(strings.ToLower(word))+"%"))
	}
	if q.After != "" {
		at, key, err := decodeCursor(q.After, len(orderOf(text)))
		if err != nil {
			return "", nil, err
		}
		b.where = append(b.where, afterCursor(&b, text, at, key))
	}
	b.set("from", moment(q.From))
	b.set("to", moment(q.To))
	b.set("limit", strconv.Itoa(q.Limit))
	return b.into(s.named(text)), b.args, nil
}

// named puts the tables' full names in.
func (s *Store) named(text string) string {
	for _, table := range tables() {
		text = strings.ReplaceAll(text, "{table:"+table+"}", s.names.Table(table))
	}
	return text
}

// moment is a time as a parameter, to the nanosecond.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000000000") }

func (b *builder) matcher(m itsm.HistoryMatcher, fields map[string]field) (string, error) {
	f, known := fields[m.Name]
	if m.Label {
		f, known = fields[anyLabel]
	}
	switch {
	case !known || !m.Label && m.Name == anyLabel:
		return "", fault("q", "%s is no field here", m.Name)
	case m.Label && m.Name == f.named:
		f = field{column: "name"}
	case m.Label:
		f = field{column: "labels[" + b.param("String", m.Name) + "]", indexed: f.indexed}
	}
	if f.numeric {
		return b.number(m, f)
	}
	value := m.Value
	switch m.Op {
	case "=", "!=":
	case "=~", "!~":
		if _, err := syntax.Parse(value, syntax.Perl); err != nil {
			return "", fault("q", "%s: %s", m.Name, err)
		}
		value = "^(?s:" + value + ")$"
	default:
		return "", fault("q", "%s is a text; use =, !=, =~ or !~", m.Name)
	}
	if f.indexed && m.Op == "=" && value != "" {
		// The index knows which values there are, not of which label.
		return "has(mapValues(labels), " + b.param("String", value) + ") AND " + f.column + " = " + b.param("String", value), nil
	}
	condition := func(column string) string {
		if m.Op == "=" || m.Op == "!=" {
			return column + " = " + b.param("String", value)
		}
		return "match(" + column + ", " + b.param("String", value) + ")"
	}
	var out string
	if f.list {
		out = "arrayExists(x -> " + condition("x") + ", " + f.column + ")"
	} else {
		out = condition(f.column)
	}
	if m.Op[0] == '!' {
		out = "NOT (" + out + ")"
	}
	return out, nil
}

func (b *builder) number(m itsm.HistoryMatcher, f field) (string, error) {
	switch m.Op {
	case "=", "!=", "<", "<=", ">", ">=":
	default:
		return "", fault("q", "%s is a number; use =, !=, <, <=, > or >=", m.Name)
	}
	if _, err := strconv.ParseFloat(m.Value, 64); err != nil {
		return "", fault("q", "%s: %q is not a number", m.Name, m.Value)
	}
	return f.column + " " + m.Op + " " + b.param("Float64", m.Value), nil
}

// fault is a mistake in what was asked, in one of its fields.
func fault(field, format string, args ...any) error {
	return itsm.FieldError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// A cursor is the place of the last row of a page: its time and the rest of its order.
func encodeCursor(at time.Time, key ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(append([]string{moment(at)}, key...), "\x00")))
}

func decodeCursor(c string, places int) (at string, key []string, err error) {
	data, err := base64.RawURLEncoding.DecodeString(c)
	parts := strings.Split(string(data), "\x00")
	if err == nil && len(parts) == places+1 {
		_, err = time.Parse("2006-01-02 15:04:05.000000000", parts[0])
	}
	if err != nil || len(parts) != places+1 {
		return "", nil, fault("cursor", "not one of ours")
	}
	return parts[0], parts[1:], nil
}

// place is a column of an order, behind the time.
type place struct{ column, kind string }

func orderOf(text string) []place {
	switch text {
	case queryAlerts:
		return []place{{"fingerprint", "UInt64"}, {"incident", "String"}, {"status", "String"}, {"count", "UInt32"}}
	case queryChanges:
		return []place{{"id", "String"}, {"log_partition", "UInt16"}, {"log_offset", "UInt64"}, {"log_index", "UInt32"}}
	}
	return []place{{"id", "String"}}
}

func afterCursor(b *builder, text, at string, key []string) string {
	timeColumn := "at"
	if text == queryIncidents {
		timeColumn = "opened_at"
	}
	columns, values := []string{timeColumn}, []string{b.param("DateTime64(9, 'UTC')", at)}
	for i, o := range orderOf(text) {
		columns, values = append(columns, o.column), append(values, b.param(o.kind, key[i]))
	}
	return "(" + strings.Join(columns, ", ") + ") < (" + strings.Join(values, ", ") + ")"
}
