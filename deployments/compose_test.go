package deployments_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"signalbox/app"
)

func longer(t *testing.T, text string, than time.Duration) bool {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d > than
}

type service struct {
	Image       string
	Build       struct{ Context, Dockerfile string }
	Command     []string
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Networks    []string
	Ports       []string
	Volumes     []string
	Environment map[string]string
	Privileged  bool
	StopGrace   string `yaml:"stop_grace_period"`
	Healthcheck *struct{ Test []string }
}

// mounts returns host path, or volume, by path in the container.
func (s service) mounts() map[string]string {
	out := map[string]string{}
	for _, v := range s.Volumes {
		part := strings.Split(v, ":")
		out[part[1]] = part[0]
	}
	return out
}

type composition struct {
	Services          map[string]service
	Networks, Volumes map[string]yaml.Node
}

func compose(t *testing.T) composition {
	t.Helper()
	var c composition
	readYAML(t, "compose.yml", &c)
	if len(c.Services) == 0 {
		t.Fatal("compose.yml has no service")
	}
	return c
}

// TestCompose_schema holds the file to the schema of the Compose Specification.
func TestCompose_schema(t *testing.T) {
	schema, err := os.Open("testdata/compose-spec.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = schema.Close() }()
	doc, err := jsonschema.UnmarshalJSON(schema)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("compose-spec.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("compose-spec.json")
	if err != nil {
		t.Fatal(err)
	}
	var file any
	readYAML(t, "compose.yml", &file)
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(instance); err != nil {
		t.Error(err)
	}
	instance.(map[string]any)["services"].(map[string]any)["kafka"].(map[string]any)["imagee"] = "x"
	if compiled.Validate(instance) == nil {
		t.Error("a mistyped key passes: the schema holds nothing")
	}
}

// TestCompose_whole holds what the schema cannot know: what is named exists, versions are those that are tested, and
// nothing without a login is published beyond this machine.
func TestCompose_whole(t *testing.T) {
	c := compose(t)
	pinned := regexp.MustCompile(`^[a-z/-]+:v?\d+(\.\d+)+$`)
	for name, s := range c.Services {
		if s.Build.Context == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned", name, s.Image)
		}
		if s.Healthcheck == nil || len(s.Healthcheck.Test) < 2 {
			t.Errorf("%s: has no health check", name)
		}
		if s.Privileged {
			t.Errorf("%s: is privileged", name)
		}
		for other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s: depends on %q, which is no service", name, other)
			}
		}
		for _, n := range s.Networks {
			if _, ok := c.Networks[n]; !ok {
				t.Errorf("%s: there is no network %q", name, n)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is published beyond this machine", name, p)
			}
		}
		for inside, outside := range s.mounts() {
			if _, volume := c.Volumes[outside]; volume {
				continue
			}
			if info, err := os.Stat(outside); err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(outside, "./") {
				t.Errorf("%s: %s is mounted at %s: want a file of this folder, or a volume (%v)", name, outside, inside, err)
			}
		}
	}
	built := c.Services["signalbox"]
	if _, err := os.Stat(filepath.Join(built.Build.Context, built.Build.Dockerfile)); err != nil {
		t.Error(err)
	}
	tested := func(image, file, pattern, prefix string) {
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
		if m == nil || !strings.HasSuffix(image, ":"+prefix+m[1]) {
			t.Errorf("%s: %s is tested (%v)", image, file, m)
		}
	}
	tested(c.Services["kafka"].Image, "../scripts/kafka/pom.xml", `kafka_2\.13</artifactId><version>([^<]+)<`, "")
	tested(c.Services["alertmanager"].Image, "../go.mod", `prometheus/alertmanager v([\d.]+)`, "v")
}

// TestCompose_paths holds that the paths in commands and configurations are mounted where they are read.
func TestCompose_paths(t *testing.T) {
	c := compose(t)
	cfg, err := app.Load("compose/signalbox.yml", nil)
	if err != nil {
		t.Fatal(err)
	}
	signalbox := c.Services["signalbox"]
	if !slices.Equal(signalbox.Command, []string{"serve", "--config", "/etc/signalbox/signalbox.yml"}) {
		t.Errorf("command of Signalbox: %v", signalbox.Command)
	}
	if !longer(t, signalbox.StopGrace, cfg.Server.ShutdownTimeout) {
		t.Errorf("stop_grace_period %s: want more than server.shutdown_timeout %s", signalbox.StopGrace, cfg.Server.ShutdownTimeout)
	}
	needed := map[string][]string{
		"signalbox":    append([]string{"/etc/signalbox/signalbox.yml", cfg.Server.DataDir}, cfg.Estate.Files...),
		"kafka":        {c.Services["kafka"].Environment["KAFKA_LOG_DIRS"]},
		"prometheus":   options(c.Services["prometheus"], "config.file", "storage.tsdb.path"),
		"alertmanager": options(c.Services["alertmanager"], "config.file", "storage.path"),
		"grafana":      {c.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]},
	}
	var prometheus struct {
		RuleFiles []string `yaml:"rule_files"`
	}
	readYAML(t, "compose/prometheus.yml", &prometheus)
	needed["prometheus"] = append(needed["prometheus"], prometheus.RuleFiles...)
	for name, paths := range needed {
		mounts := c.Services[name].mounts()
		for _, p := range paths {
			if _, ok := mounts[p]; !ok {
				t.Errorf("%s: nothing is mounted at %q", name, p)
			}
		}
	}
	var provider struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, "compose/grafana-dashboards.yml", &provider)
	if got := needed["grafana"][0]; path.Dir(got) != provider.Providers[0].Options.Path {
		t.Errorf("dashboards are looked for in %s, the dashboard is %s", provider.Providers[0].Options.Path, got)
	}
}

// options returns the values of --name=value on the command line.
func options(s service, names ...string) []string {
	var out []string
	for _, name := range names {
		value := ""
		for _, arg := range s.Command {
			if v, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
				value = v
			}
		}
		out = append(out, value)
	}
	return out
}

// TestCompose_addresses holds that every host and port that a configuration names is a service that answers there,
// on a network that both are on.
func TestCompose_addresses(t *testing.T) {
	c := compose(t)
	ports := map[string]string{
		"signalbox": "7420", "kafka": "9092", "clickhouse": "8123", "prometheus": "9090", "alertmanager": "9093", "grafana": "3000",
	}
	for name, s := range c.Services {
		if len(s.Ports) > 0 && !strings.HasSuffix(s.Ports[0], ":"+ports[name]) {
			t.Errorf("%s: publishes %s, answers on %s", name, s.Ports[0], ports[name])
		}
		if test := strings.Join(s.Healthcheck.Test, " "); !regexp.MustCompile(`[: ]` + ports[name] + `\b`).MatchString(test) {
			t.Errorf("%s: answers on %s, its health check asks %s", name, ports[name], test)
		}
	}
	if got := c.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"]; got != "PLAINTEXT://kafka:9092" {
		t.Errorf("Kafka tells clients to come to %s", got)
	}
	address, found := regexp.MustCompile(`\b([a-z][a-z0-9-]*):(\d{2,5})\b`), 0
	for name, s := range c.Services {
		for _, file := range s.mounts() {
			if !strings.HasPrefix(file, "./compose/") {
				continue
			}
			for _, m := range address.FindAllStringSubmatch(read(t, file), -1) {
				host, port := m[1], m[2]
				other, known := c.Services[host]
				found++
				switch {
				case !known || ports[host] != port:
					t.Errorf("%s: no service answers on %s", file, m[0])
				case !slices.ContainsFunc(s.Networks, func(n string) bool { return slices.Contains(other.Networks, n) }):
					t.Errorf("%s: %s cannot reach %s: they share no network", file, name, host)
				}
			}
		}
	}
	if found < 8 {
		t.Errorf("%d addresses found: the pattern is wrong", found)
	}
	external := options(c.Services["alertmanager"], "web.external-url")[0]
	if u, err := url.Parse(external); err != nil || u.Host != "alertmanager:9093" {
		t.Errorf("external URL of Alertmanager: %q (%v)", external, err)
	}
}
