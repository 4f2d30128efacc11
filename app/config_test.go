package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/sla"
)

func TestLoad(t *testing.T) {
	tests := []struct {
		name, yaml string
		environ    []string
		wantErr    string // "" : must load
		check      func(c Config) bool
	}{
		{name: "nothing at all", check: func(c Config) bool { return c.Server.Listen == "127.0.0.1:7420" }},
		{name: "a key", yaml: "server: {listen: 127.0.0.1:1}", check: func(c Config) bool { return c.Server.Listen == "127.0.0.1:1" }},
		{
			name: "environment over file", yaml: "server: {listen: 127.0.0.1:1}", environ: []string{"SIGNALBOX_SERVER_LISTEN=127.0.0.1:2", "HOME=/"},
			check: func(c Config) bool { return c.Server.Listen == "127.0.0.1:2" },
		},
		{
			name: "a list from the environment", environ: []string{"SIGNALBOX_KAFKA_BROKERS=[a:1, b:2]"},
			check: func(c Config) bool { return len(c.Kafka.Brokers) == 2 && c.Kafka.Brokers[1] == "b:2" },
		},
		{name: "unknown key", yaml: "server:\n  lisen: x", wantErr: "signalbox.yml:2: server.lisen: unknown key; listen, insecure, data_dir, shutdown_timeout, log_level, log_format are known here"},
		{
			name: "an Alertmanager, with defaults",
			yaml: "alertmanagers:\n  - name: prod\n    urls: [http://a:9093, http://b:9093]\n    basic_auth: {username: u}\n  - {name: test, urls: [http://c], interval: 0}",
			check: func(c Config) bool {
				return len(c.Alertmanagers) == 2 && c.Alertmanagers[0].Interval == time.Minute && c.Alertmanagers[0].BasicAuth.Username == "u" && c.Alertmanagers[1].Interval == 0
			},
		},
		{
			name: "Alertmanagers from the environment", yaml: "alertmanagers: [{name: x, urls: [http://x]}]",
			environ: []string{`SIGNALBOX_ALERTMANAGERS=[{name: prod, urls: ["http://a:9093"]}]`},
			check: func(c Config) bool {
				return len(c.Alertmanagers) == 1 && c.Alertmanagers[0].Name == "prod" && c.Alertmanagers[0].Timeout == 30*time.Second
			},
		},
		{
			name: "unknown key in a list", yaml: "alertmanagers:\n  - name: prod\n    url: http://a",
			wantErr: "signalbox.yml:3: alertmanagers[0].url: unknown key; name, urls,",
		},
		{name: "no list", yaml: "alertmanagers: {name: prod}", wantErr: "signalbox.yml:1: alertmanagers: a list of mappings with the keys name, urls,"},
		{
			name: "unknown key in a list of the environment", environ: []string{"SIGNALBOX_ALERTMANAGERS=[{nam: prod}]"},
			wantErr: "environment variable SIGNALBOX_ALERTMANAGERS:1: alertmanagers[0].nam: unknown key",
		},
		{name: "faults of an Alertmanager", yaml: "alertmanagers: [{name: a, urls: ['am:9093']}]", wantErr: "signalbox.yml: alertmanagers[0].urls[0]: an address such as http://am-1:9093 is expected"},
		{name: "unknown section", yaml: "sever: {}", wantErr: "signalbox.yml:1: sever: unknown key; server, kafka,"},
		{name: "unknown variable", environ: []string{"SIGNALBOX_SERVER_LISEN=x"}, wantErr: "SIGNALBOX_SERVER_LISEN: there is no such configuration key"},
		{name: "bad variable", environ: []string{"SIGNALBOX_SERVER_SHUTDOWN_TIMEOUT=soon"}, wantErr: `SIGNALBOX_SERVER_SHUTDOWN_TIMEOUT: a duration such as 30s or 5m is expected, got "soon"`},
		{name: "two documents", yaml: "server: {}\n---\nserver: {}", wantErr: "one YAML document is expected"},
		{name: "wide open", yaml: "server: {listen: 0.0.0.0:7420}", wantErr: `server.listen: "0.0.0.0:7420" can be reached by others`},
		{name: "no host is wide open", yaml: "server: {listen: ':7420'}", wantErr: "server.listen"},
		{
			name: "wide open and said so", yaml: "server: {listen: 0.0.0.0:7420, insecure: true}",
			check: func(c Config) bool { return c.Server.Insecure },
		},
		{name: "all faults at once", yaml: "server: {log_level: loud, log_format: xml}\nestate: {watch_interval: -1s}", wantErr: "server.log_format: must be text or json"},
		{name: "all faults at once, the other", yaml: "server: {log_level: loud, log_format: xml}", wantErr: "server.log_level: must be debug, info, warn or error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := ""
			if tt.yaml != "" {
				path = filepath.Join(t.TempDir(), "signalbox.yml")
				if err := os.WriteFile(path, []byte(tt.yaml), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cfg, err := Load(path, tt.environ)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(cfg) {
				t.Errorf("loaded %+v", cfg)
			}
		})
	}
}

func FuzzDecodeConfig(f *testing.F) {
	f.Add([]byte("server: {listen: 127.0.0.1:1}\nincident: {close_after: 24h}\n"))
	f.Add([]byte("severity:\n  table: {page: critical}\n"))
	f.Add([]byte("---\n---\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		cfg := DefaultConfig()
		if decodeConfig("f", data, &cfg) == nil {
			_ = cfg.Validate() // must not panic whatever was accepted
		}
	})
}

// TestLoad_readsLists reads lists of mappings as strictly as everything else, and tells an empty list from none.
func TestLoad_readsLists(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signalbox.yml")
	load := func(text string, environ ...string) (Config, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(file, environ)
	}
	cfg, err := load(`sla:
  calendars:
    - name: office
      time_zone: Europe/Berlin
      hours: {mon-fri: ["08:00-12:00", "13:00-24:00"]}
      holidays: [{date: 2026-12-25, name: Christmas Day}]
  targets:
    - {name: P1, metric: resolution, priorities: [1], within: 4h, pause_on: [], warn_at: [0.8]}
    - {name: rest, metric: resolution, within: 8h, calendar: office}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := sla.Config{
		Calendars: []sla.CalendarConfig{{
			Name: "office", TimeZone: "Europe/Berlin", Hours: map[string][]string{"mon-fri": {"08:00-12:00", "13:00-24:00"}},
			Holidays: []sla.HolidayConfig{{Date: "2026-12-25", Name: "Christmas Day"}},
		}},
		Targets: []sla.TargetConfig{
			{Name: "P1", Metric: "resolution", Priorities: []int{1}, Within: 4 * time.Hour, PauseOn: []string{}, WarnAt: []float64{0.8}},
			{Name: "rest", Metric: "resolution", Within: 8 * time.Hour, Calendar: "office"},
		},
	}
	if diff := cmp.Diff(want, cfg.SLA); diff != "" {
		t.Error(diff)
	}
	cfg, err = load("", `SIGNALBOX_SLA_TARGETS=[{name: a, metric: response, within: 15m}]`)
	if err != nil || len(cfg.SLA.Targets) != 1 || cfg.SLA.Targets[0].Within != 15*time.Minute {
		t.Errorf("from the environment: %+v %v", cfg.SLA, err)
	}
	for text, want := range map[string]string{
		"sla: {targets: [{name: a, metrics: response}]}":              `:1: sla.targets[0].metrics: unknown key; name, metric, `,
		"sla:\n  targets:\n    - within: 4\n      priorities: [high]": `:4: sla.targets[0].priorities: a list is expected`,
		"sla: {targets: {name: a}}":                                   `:1: sla.targets: a list of mappings with the keys name, metric, `,
		"sla: {targets: [4h]}":                                        `:1: sla.targets[0]: a mapping with the keys name, metric, `,
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	if _, err := load("", `SIGNALBOX_SLA_TARGETS=[{nam: a}]`); err == nil || !strings.Contains(err.Error(), "environment variable SIGNALBOX_SLA_TARGETS:1: sla.targets[0].nam: unknown key") {
		t.Errorf("from the environment: %v", err)
	}
}
