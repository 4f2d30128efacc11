package alertmanager

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidateAll(t *testing.T) {
	valid := func(change func(*Config)) Config {
		c := Config{Name: "prod", URLs: []string{"http://am-1:9093", "https://am-2/prefix/"}}
		c.SetDefaults()
		if change != nil {
			change(&c)
		}
		return c
	}
	tests := []struct {
		name   string
		config Config
		want   string // "": valid
	}{
		{"valid", valid(nil), ""},
		{"no name", valid(func(c *Config) { c.Name = "" }), "alertmanagers[0].name: is missing"},
		{"long name", valid(func(c *Config) { c.Name = strings.Repeat("x", 1025) }), "alertmanagers[0].name: at most 1024"},
		{"no address", valid(func(c *Config) { c.URLs = nil }), "alertmanagers[0].urls: is missing"},
		{"no scheme", valid(func(c *Config) { c.URLs = []string{"am-1:9093"} }), "alertmanagers[0].urls[0]: an address such as"},
		{"password in the address", valid(func(c *Config) { c.URLs = []string{"http://u:p@am"} }), "alertmanagers[0].urls[0]: name and password go into basic_auth"},
		{"a path of the API", valid(func(c *Config) { c.URLs = []string{"http://am/?x=1"} }), "alertmanagers[0].urls[0]: nothing is expected after the path"},
		{"twice", valid(func(c *Config) { c.URLs = []string{"http://am", "http://am/"} }), `alertmanagers[0].urls[1]: "http://am" stands at alertmanagers[0].urls[0], too`},
		{"external", valid(func(c *Config) { c.ExternalURLs = []string{"ftp://am"} }), "alertmanagers[0].external_urls[0]: an address"},
		{"receiver", valid(func(c *Config) { c.Receiver = "(" }), "alertmanagers[0].receiver: error parsing regexp"},
		{"interval", valid(func(c *Config) { c.Interval = 1 }), "alertmanagers[0].interval: must be 0 or at least 1s"},
		{"timeout", valid(func(c *Config) { c.Timeout = 0 }), "alertmanagers[0].timeout: must be positive"},
		{"heartbeat", valid(func(c *Config) { c.Heartbeat = -1 }), "alertmanagers[0].heartbeat: must not be negative"},
		{"settle", valid(func(c *Config) { c.Settle = -1 }), "alertmanagers[0].settle: must not be negative"},
		{"password without name", valid(func(c *Config) { c.BasicAuth.PasswordFile = "p" }), "alertmanagers[0].basic_auth.username: is missing"},
		{"two logins", valid(func(c *Config) { c.BasicAuth.Username, c.Authorization.CredentialsFile = "u", "t" }), "alertmanagers[0].authorization: does not go with basic_auth"},
		{"half a certificate", valid(func(c *Config) { c.TLS.KeyFile = "k" }), "alertmanagers[0].tls_config.cert_file: goes with key_file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ValidateAll([]Config{tt.config})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	err := ValidateAll([]Config{valid(nil), valid(func(c *Config) { c.URLs = []string{"http://other"} })})
	if err == nil || !strings.Contains(err.Error(), `alertmanagers[1].name: "prod" stands at alertmanagers[0].name, too`) {
		t.Errorf("the same name twice: error %v", err)
	}
}

func TestNames(t *testing.T) {
	got := Names([]Config{
		{Name: "prod", URLs: []string{"http://am-1:9093/", "http://am-2:9093"}},
		{Name: "test", URLs: []string{"http://10.0.0.1:9093"}, ExternalURLs: []string{"https://alerts.example.com/test/"}},
		{Name: "lab", URLs: []string{"http://am-2:9095"}},
	})
	want := map[string]string{
		"http://am-1:9093": "prod", "http://am-2:9093": "prod", "am-1": "prod",
		"https://alerts.example.com/test": "test", "alerts.example.com": "test", "http://am-2:9095": "lab", // am-2 has both
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
