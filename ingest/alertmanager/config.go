package alertmanager

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"signalbox/itsm"
)

// Config is one entry of the section `alertmanagers` of the configuration file: an Alertmanager, or
// the members of a highly available pair, as one source.
type Config struct {
	// Name of the source, as it stands on every alert that comes from it. Required.
	Name string `yaml:"name"`
	// Addresses of the members, such as http://am-1:9093. Required.
	URLs []string `yaml:"urls"`
	// What the members call themselves in their webhooks (--web.external-url). Empty: the addresses.
	ExternalURLs []string `yaml:"external_urls"`
	// Regular expression of the receivers that send here; alerts for none of them are not taken when the Alertmanager is read. Empty: all receivers.
	Receiver string `yaml:"receiver"`
	// How often the members' alerts are read. 0: only when a webhook says that it left alerts out. Default 1m.
	Interval time.Duration `yaml:"interval"`
	// How long one answer of a member may take. Default 30s.
	Timeout time.Duration `yaml:"timeout"`
	// How long a member must have been up before what it does not list counts as ended: longer than every Prometheus needs to send all its alerts again. Default 5m.
	Settle time.Duration `yaml:"settle"`
	// How long the source may be without a heartbeat (a Watchdog) before that is an alert. 0: judged from its first one on, by what the heartbeat says itself, else after 4h15m.
	Heartbeat time.Duration `yaml:"heartbeat"`
	// Whether acknowledged alerts and maintenance become silences in this Alertmanager.
	Silence bool `yaml:"silence"`
	// How to log in with a name.
	BasicAuth BasicAuthConfig `yaml:"basic_auth"`
	// How to log in with a token.
	Authorization AuthorizationConfig `yaml:"authorization"`
	// How to connect with https.
	TLS TLSConfig `yaml:"tls_config"`
}

// BasicAuthConfig is the key `basic_auth` of an Alertmanager.
type BasicAuthConfig struct {
	// The name to log in with. Empty: no such login.
	Username string `yaml:"username"`
	// File that holds the password alone; it is read at each request.
	PasswordFile string `yaml:"password_file"`
}

// AuthorizationConfig is the key `authorization` of an Alertmanager.
type AuthorizationConfig struct {
	// File that holds a bearer token alone; it is read at each request. Empty: no such login.
	CredentialsFile string `yaml:"credentials_file"`
}

// TLSConfig is the key `tls_config` of an Alertmanager.
type TLSConfig struct {
	// File with the certificates that sign the members' (PEM). Empty: the system's.
	CAFile string `yaml:"ca_file"`
	// File with our own certificate (PEM), where the members ask for one.
	CertFile string `yaml:"cert_file"`
	// File with the key of our own certificate (PEM).
	KeyFile string `yaml:"key_file"`
	// What the members' certificates must name. Empty: the host in the address.
	ServerName string `yaml:"server_name"`
	// Take any certificate. Whoever stands between can read and change everything.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify"`
}

// SetDefaults puts in place what holds for keys that are not given.
func (c *Config) SetDefaults() {
	c.Interval, c.Timeout, c.Settle = time.Minute, 30*time.Second, 5*time.Minute
}

// minInterval is the shortest period of reading.
const minInterval = time.Second

// ValidateAll returns every fault of the section, each with its path in the file.
func ValidateAll(list []Config) error {
	var errs []error
	seen := map[string]string{}
	for i := range list {
		path := fmt.Sprintf("alertmanagers[%d].", i)
		fault := func(bad bool, key, format string, args ...any) {
			if bad {
				errs = append(errs, errors.New(path+key+": "+fmt.Sprintf(format, args...)))
			}
		}
		once := func(what, key, value string) {
			first, twice := seen[what+value]
			fault(twice, key, "%q stands at %s, too", value, first)
			seen[what+value] = path + key
		}
		c := &list[i]
		c.validate(fault)
		if c.Name != "" {
			once("name ", "name", c.Name)
		}
		for j, u := range c.URLs {
			once("url ", fmt.Sprintf("urls[%d]", j), trimURL(u))
		}
		for j, u := range c.ExternalURLs {
			once("external ", fmt.Sprintf("external_urls[%d]", j), trimURL(u))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validate(fault func(bad bool, key, format string, args ...any)) {
	fault(c.Name == "", "name", "is missing")
	fault(len(c.Name) > itsm.MaxLabelName || !utf8.ValidString(c.Name), "name", "at most %d bytes of valid UTF-8 are expected", itsm.MaxLabelName)
	fault(len(c.URLs) == 0, "urls", "is missing")
	for key, list := range map[string][]string{"urls": c.URLs, "external_urls": c.ExternalURLs} {
		for i, u := range list {
			err := checkURL(u)
			fault(err != nil, fmt.Sprintf("%s[%d]", key, i), "%v", err)
		}
	}
	_, err := c.receivers()
	fault(err != nil, "receiver", "%v", err)
	fault(c.Interval != 0 && c.Interval < minInterval, "interval", "must be 0 or at least %s, got %s", minInterval, c.Interval)
	fault(c.Timeout <= 0, "timeout", "must be positive, got %s", c.Timeout)
	fault(c.Settle < 0, "settle", "must not be negative, got %s", c.Settle)
	fault(c.Silence && c.Interval == 0, "interval", "must not be 0 with silence: what ends while it is silenced is never told by webhook")
	fault(c.Heartbeat < 0, "heartbeat", "must not be negative, got %s", c.Heartbeat)
	fault(c.BasicAuth.Username == "" && c.BasicAuth.PasswordFile != "", "basic_auth.username", "is missing")
	fault(c.BasicAuth.Username != "" && c.Authorization.CredentialsFile != "", "authorization", "does not go with basic_auth")
	fault((c.TLS.CertFile == "") != (c.TLS.KeyFile == ""), "tls_config.cert_file", "goes with key_file")
}

// receivers is the expression for receivers; like Alertmanager's it must match as a whole.
func (c *Config) receivers() (*regexp.Regexp, error) {
	if c.Receiver == "" {
		return regexp.Compile("")
	}
	return regexp.Compile("^(?:" + c.Receiver + ")$")
}

// checkURL says what is wrong with an address.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("an address such as http://am-1:9093 is expected") // the error has the text, and that may have a password
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("an address such as http://am-1:9093 is expected, got %q", u.Redacted())
	case u.User != nil:
		return errors.New("name and password go into basic_auth")
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("nothing is expected after the path, got %q", text)
	}
	return nil
}

func trimURL(u string) string { return strings.TrimRight(u, "/") }

// Names is what the members of each Alertmanager call themselves, and the name of their source: the
// URL in their webhooks, and the host in the events of their recorders. A host that has members of
// several Alertmanagers means none of them.
func Names(list []Config) map[string]string {
	out, hosts := map[string]string{}, map[string]string{}
	for i := range list {
		external := list[i].ExternalURLs
		if len(external) == 0 {
			external = list[i].URLs
		}
		for _, text := range external {
			out[trimURL(text)] = list[i].Name
			u, err := url.Parse(text)
			if err != nil {
				continue // Validate says so
			}
			if other, twice := hosts[u.Hostname()]; twice && other != list[i].Name {
				hosts[u.Hostname()] = ""
				continue
			}
			hosts[u.Hostname()] = list[i].Name
		}
	}
	for host, name := range hosts {
		if host != "" && name != "" {
			out[host] = name
		}
	}
	return out
}
