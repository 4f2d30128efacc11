package store

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// table is rows on their way to a table.
type table struct {
	name, columns string
	rows          [][]any
	offset, index int // the columns of a row's place in the log; -1: it has none
}

const (
	alertColumns = "at, fingerprint, incident, status, severity, item, labels, annotations, starts_at, ends_at, count, source, generator_url, " +
		"log_partition, log_offset"
	incidentColumns = "opened_at, id, revision, updated_at, number, state, severity, priority, title, cause, site, team, services, items, alerts, " +
		"merged_into, row, log_partition, log_offset"
	entryColumns   = "incident, seq, at, author, kind, text, entry, log_partition, log_offset"
	eventColumns   = "log_partition, log_offset, at, adopts, value"
	versionColumns = "id, data"
	changeColumns  = "at, id, kind, status, title, items, labels, starts_at, ends_at, author, url, log_partition, log_offset, log_index"
)

// rows is one block in memory.
type rows struct {
	alerts, incidents, entries, changes, events, versions [][]any
	count, bytes                                          int
}

func (r *rows) tables() []table {
	var out []table
	for _, t := range []table{
		{name: "alert_events", columns: alertColumns, rows: r.alerts},
		{name: "incident_revisions", columns: incidentColumns, rows: r.incidents},
		{name: "timeline", columns: entryColumns, rows: r.entries},
		{name: "changes", columns: changeColumns, rows: r.changes},
		{name: "versions", columns: versionColumns, rows: r.versions}, // before what adopts them
		{name: "events", columns: eventColumns, rows: r.events},
	} {
		columns := strings.Split(t.columns, ", ")
		t.offset, t.index = slices.Index(columns, "log_offset"), slices.Index(columns, "log_index")
		if len(t.rows) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// publish takes a record of a public topic. What cannot be decoded is counted and left out.
func (r *rows) publish(f *follower, p itsm.Published) {
	ok := false
	switch p.Topic {
	case itsm.TopicAlerts:
		ok = r.alert(f, p)
	case itsm.TopicIncidents:
		ok = r.incident(f, p)
	case itsm.TopicTimeline:
		ok = r.entry(f, p)
	}
	if !ok {
		f.s.met.refused.WithLabelValues(string(p.Topic)).Inc()
		return
	}
	r.count++
	r.bytes += len(p.Value)
}

// alertState is what the table keeps of an itsm.AlertState. Decoding is most of what a row costs here, so the rest is left alone.
type alertState struct {
	Fingerprint  itsm.Fingerprint
	Labels       map[string]string
	Annotations  map[string]string
	Status       itsm.Status
	Severity     string
	Item         *string
	LastStartsAt time.Time
	EndsAt       *time.Time
	LastSeenAt   time.Time
	Count        int
	Source       string
	GeneratorURL string
}

func (r *rows) alert(f *follower, p itsm.Published) bool {
	incident, _, found := strings.Cut(p.Key, "/")
	var a alertState
	if !found || json.Unmarshal(p.Value, &a) != nil {
		return false
	}
	if incident == itsm.NoIncident {
		incident = ""
	}
	at := a.LastSeenAt
	if a.EndsAt != nil && a.Status != itsm.StatusFiring && a.EndsAt.After(at) {
		at = *a.EndsAt
	}
	r.alerts = append(r.alerts, []any{
		at, uint64(a.Fingerprint), incident, string(a.Status), a.Severity, or(a.Item), a.Labels, a.Annotations,
		a.LastStartsAt, orNone(a.EndsAt), uint32(max(0, a.Count)), a.Source, a.GeneratorURL, uint16(f.partition), uint64(p.Offset), //nolint:gosec // small
	})
	return true
}

func (r *rows) incident(f *follower, p itsm.Published) bool {
	var inc itsm.Incident
	if json.Unmarshal(p.Value, &inc) != nil || inc.ID == "" {
		return false
	}
	cause := ""
	if len(inc.Causes) > 0 {
		cause = inc.Causes[0].Item
	}
	r.incidents = append(r.incidents, []any{
		inc.OpenedAt, inc.ID, uint32(max(0, inc.Revision)), inc.UpdatedAt, inc.Number, string(inc.State), string(inc.Severity), //nolint:gosec // small
		uint8(max(0, min(9, inc.Priority))), inc.Title, cause, inc.Site, or(inc.Team), inc.Services, inc.Items, //nolint:gosec // small
		uint32(max(0, inc.AlertCounts.Total)), or(inc.MergedInto), string(p.Value), uint16(f.partition), uint64(p.Offset), //nolint:gosec // small
	})
	return true
}

func (r *rows) entry(f *follower, p itsm.Published) bool {
	incident, _, found := strings.Cut(p.Key, "/")
	var e itsm.Entry
	if !found || json.Unmarshal(p.Value, &e) != nil {
		return false
	}
	r.entries = append(r.entries, []any{
		incident, uint32(max(0, e.Seq)), e.At, e.By, string(e.Kind), e.Text, string(p.Value), uint16(f.partition), uint64(p.Offset), //nolint:gosec // small
	})
	return true
}

// record takes an input as it lies in the log, and its changes; its alerts come back on the public topic.
func (r *rows) record(f *follower, rec itsm.Recorded) {
	adopts := rec.Input.Adopt != nil
	r.events = append(r.events, []any{uint16(f.partition), uint64(rec.Offset), rec.Time, adopts, string(rec.Value)}) //nolint:gosec // as Kafka counts them
	r.count++
	r.bytes += len(rec.Value)
	if f.partition > 0 {
		return // every shard gets every change; once is enough for people
	}
	for i, c := range rec.Input.Changes {
		r.change(f, rec, i, c)
	}
}

func (r *rows) change(f *follower, rec itsm.Recorded, index int, c itsm.Change) {
	starts := c.StartsAt
	if starts.IsZero() {
		starts = rec.Time
	}
	status := c.Status
	if status == "" {
		status = "succeeded"
	}
	items := c.Items
	if items == nil {
		items = []string{}
	}
	r.changes = append(r.changes, []any{
		rec.Time, c.ID, c.Kind, status, c.Title, items, c.Labels.Map(), starts, orNone(c.EndsAt), c.By, c.URL,
		uint16(f.partition), uint64(rec.Offset), uint32(index), //nolint:gosec // small
	})
	r.count++
	r.bytes += len(c.Title) + 200
}

// version takes the bytes of a version.
func (r *rows) version(id string, data []byte) {
	r.versions = append(r.versions, []any{id, string(data)})
	r.bytes += len(data)
}

func or(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// orNone is a time, or 1970 for none.
func orNone(t *time.Time) time.Time {
	if t == nil {
		return time.Unix(0, 0)
	}
	return *t
}
