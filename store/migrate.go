package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
)

//go:embed schema/*.sql
var schema embed.FS

// errNewer means that a newer program has changed the tables.
var errNewer = errors.New("newer schema")

// tables are created in this order.
func tables() []string {
	return []string{"migrations", "positions", "alert_events", "incident_revisions", "timeline", "changes", "events", "versions", "series", "samples"}
}

// migration changes tables that an earlier version has created. New tables need none.
type migration struct {
	version    uint32
	statements []string
}

// migrations lists every change of the schema since the first, by version.
func migrations(n names) []migration {
	var byOffset []string
	for _, table := range []string{"alert_events", "incident_revisions", "timeline", "changes"} {
		byOffset = append(byOffset, "ALTER TABLE "+n.Table(table)+" "+n.OnCluster()+" ADD INDEX IF NOT EXISTS by_offset log_offset TYPE minmax GRANULARITY 1")
	}
	return []migration{{version: 1}, {version: 2, statements: byOffset}}
}

// names is what the templates of the schema know.
type names struct {
	Database, Cluster                      string
	RetentionDays, EventsDays, SamplesDays int
}

// Table is the full name of a table.
func (n names) Table(name string) string { return n.Database + "." + name }

// OnCluster names the cluster in DDL.
func (n names) OnCluster() string {
	if n.Cluster == "" {
		return ""
	}
	return "ON CLUSTER " + n.Cluster
}

// Engine is a table engine, replicated on a cluster.
func (n names) Engine(engine, table string, args ...string) string {
	if n.Cluster == "" {
		return engine + "(" + strings.Join(args, ", ") + ")"
	}
	path := "'/clickhouse/tables/{shard}/" + n.Database + "/" + table + "'"
	return "Replicated" + engine + "(" + strings.Join(append([]string{path, "'{replica}'"}, args...), ", ") + ")"
}

// Once is the setting by which a table takes a block once, however often it is sent. A cluster counts the blocks by
// itself, but forgets them after an hour by default, and a server may be away for longer.
func (n names) Once() string {
	if n.Cluster == "" {
		return "non_replicated_deduplication_window = 1000"
	}
	return "replicated_deduplication_window = 1000, replicated_deduplication_window_seconds = 604800"
}

func (c *Config) names() names {
	return names{
		Database: c.Database, Cluster: c.Cluster,
		RetentionDays: days(c.Retention), EventsDays: days(c.EventsRetention), SamplesDays: days(c.SamplesRetention),
	}
}

func days(d time.Duration) int { return int((d + 24*time.Hour - 1) / (24 * time.Hour)) }

// statement renders the file of a table.
func (n names) statement(table string) (string, error) {
	text, err := schema.ReadFile("schema/" + table + ".sql")
	if err != nil {
		return "", err
	}
	t, err := template.New(table).Parse(string(text))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, n); err != nil {
		return "", err
	}
	return b.String(), nil
}

// migrate creates what is missing, applies what is new and brings the retention up to date.
func (s *Store) migrate(ctx context.Context) error {
	n := s.names
	if err := s.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+n.Database+" "+n.OnCluster()); err != nil {
		return fmt.Errorf("create database %s: %w", n.Database, err)
	}
	for _, table := range tables() {
		statement, err := n.statement(table)
		if err != nil {
			return fmt.Errorf("schema of %s: %w", table, err)
		}
		if err := s.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("create table %s: %w", table, err)
		}
	}
	var have uint32
	if err := s.conn.QueryRow(ctx, "SELECT max(version) FROM "+n.Table("migrations")).Scan(&have); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	list := migrations(n)
	if newest := list[len(list)-1].version; have > newest {
		return fmt.Errorf("%w: the tables of %s have version %d, this program knows %d: run the newer program, or choose another clickhouse.database",
			errNewer, n.Database, have, newest)
	}
	for _, m := range list {
		if m.version <= have {
			continue
		}
		for _, statement := range m.statements {
			if err := s.conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("migration %d: %w", m.version, err)
			}
		}
		if err := s.conn.Exec(ctx, fmt.Sprintf("INSERT INTO %s (version) VALUES (%d)", n.Table("migrations"), m.version)); err != nil {
			return fmt.Errorf("note migration %d: %w", m.version, err)
		}
	}
	return s.keep(ctx)
}

// ttl is what a table forgets, and when.
type ttl struct {
	table, expression string
	days              int
}

func (n names) ttls() []ttl {
	return []ttl{
		{"alert_events", "toDateTime(at) + INTERVAL %d DAY", n.RetentionDays},
		{"incident_revisions", "toDateTime(updated_at) + INTERVAL %d DAY", n.RetentionDays},
		{"timeline", "toDateTime(at) + INTERVAL %d DAY", n.RetentionDays},
		{"changes", "toDateTime(at) + INTERVAL %d DAY", n.RetentionDays},
		{"events", "toDateTime(at) + INTERVAL %d DAY DELETE WHERE NOT adopts", n.EventsDays},
		{"series", "day + INTERVAL %d DAY", n.SamplesDays},
		{"samples", "toDateTime(at) + INTERVAL %d DAY", n.SamplesDays},
	}
}

// TTL is the retention of a table, for its file.
func (n names) TTL(table string) (string, error) {
	for _, t := range n.ttls() {
		if t.table == table {
			return "TTL " + fmt.Sprintf(t.expression, t.days), nil
		}
	}
	return "", fmt.Errorf("no retention is known of table %s", table)
}

// keep brings a changed retention to tables that exist.
func (s *Store) keep(ctx context.Context) error {
	for _, t := range s.names.ttls() {
		var create string
		err := s.conn.QueryRow(ctx, "SELECT create_table_query FROM system.tables WHERE database = {database:String} AND name = {table:String}",
			named("database", s.names.Database), named("table", t.table)).Scan(&create)
		if err != nil {
			return fmt.Errorf("look at table %s: %w", t.table, err)
		}
		if strings.Contains(create, fmt.Sprintf("toIntervalDay(%d)", t.days)) {
			continue
		}
		alter := fmt.Sprintf("ALTER TABLE %s %s MODIFY TTL "+t.expression, s.names.Table(t.table), s.names.OnCluster(), t.days)
		if err := s.conn.Exec(ctx, alter); err != nil {
			return fmt.Errorf("change the retention of %s: %w", t.table, err)
		}
	}
	return nil
}
