package alertmanager

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"signalbox/itsm"
)

// maxAnswer bounds what is read of one answer, in bytes.
const maxAnswer = 512 << 20

// Client speaks Alertmanager's API v2 with one member. It is safe for concurrent use.
type Client struct {
	base    string
	timeout time.Duration
	http    *http.Client
	login   func(*http.Request) error
}

// NewClients returns a client for each member, in the order of the configuration.
func NewClients(c *Config) ([]*Client, error) {
	encrypt, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: encrypt, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * time.Minute, TLSHandshakeTimeout: 10 * time.Second,
	}
	out := make([]*Client, 0, len(c.URLs))
	for _, u := range c.URLs {
		out = append(out, &Client{base: trimURL(u), timeout: c.Timeout, http: &http.Client{Transport: transport}, login: c.login})
	}
	return out, nil
}

func (t *TLSConfig) load() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config.ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_config.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls_config.cert_file: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// login adds who we are to a request. The files are read each time, so that a secret can be changed
// without a restart.
func (c *Config) login(r *http.Request) error {
	switch {
	case c.BasicAuth.Username != "":
		password, err := secret(c.BasicAuth.PasswordFile)
		if err != nil {
			return fmt.Errorf("basic_auth.password_file: %w", err)
		}
		r.SetBasicAuth(c.BasicAuth.Username, password)
	case c.Authorization.CredentialsFile != "":
		token, err := secret(c.Authorization.CredentialsFile)
		if err != nil {
			return fmt.Errorf("authorization.credentials_file: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

func secret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}

// URL is the member's address.
func (c *Client) URL() string { return c.base }

// Listed is an alert as GET /api/v2/alerts lists it: with the labels that the Alertmanager knows it
// by, replica labels too, and EndsAt is when it expires there unless it is sent again.
type Listed struct {
	Labels       itsm.Labels
	Annotations  itsm.Labels
	StartsAt     time.Time
	EndsAt       time.Time
	UpdatedAt    time.Time // when the Alertmanager was last told of it
	GeneratorURL string
	Receivers    []string
	SilencedBy   []string // ids of silences
	InhibitedBy  []string // fingerprints of alerts
	MutedBy      []string // names of time intervals; Alertmanager itself tells with its groups only
}

// Alerts reads all alerts that fire, suppressed ones too, one after the other.
func (c *Client) Alerts(ctx context.Context, yield func(Listed) error) error {
	return c.get(ctx, "/api/v2/alerts?active=true&silenced=true&inhibited=true&muted=true&unprocessed=true", func(r io.Reader) error {
		return decodeListed(r, yield)
	})
}

// Muted reads which time intervals keep alerts from every receiver that matches, by the fingerprints
// of the Alertmanager. The list of alerts does not tell, groups do, since 0.28. An alert that is not in
// it is not muted.
func (c *Client) Muted(ctx context.Context, receiver *regexp.Regexp) (map[itsm.Fingerprint][]string, error) {
	type group struct {
		Receiver struct {
			Name string `json:"name"`
		} `json:"receiver"`
		Alerts []struct {
			Fingerprint string `json:"fingerprint"`
			Status      struct {
				MutedBy []string `json:"mutedBy"`
			} `json:"status"`
		} `json:"alerts"`
	}
	muted, loud := map[itsm.Fingerprint][]string{}, map[itsm.Fingerprint]bool{}
	err := c.get(ctx, "/api/v2/alerts/groups?active=true&silenced=false&inhibited=false&muted=true", func(r io.Reader) error {
		return decodeArray(r, func(g group) error {
			if !receiver.MatchString(g.Receiver.Name) {
				return nil
			}
			for _, a := range g.Alerts {
				fp, err := itsm.ParseFingerprint(a.Fingerprint)
				switch {
				case err != nil:
				case len(a.Status.MutedBy) == 0:
					loud[fp] = true
				default:
					muted[fp] = a.Status.MutedBy
				}
			}
			return nil
		})
	})
	for fp := range loud { // one of several routes lets it through
		delete(muted, fp)
	}
	return muted, err
}

// Silence is a silence as GET /api/v2/silences lists it.
type Silence struct {
	itsm.Silence
	Status struct {
		State itsm.SilenceState `json:"state"`
	} `json:"status"`
}

// Silences reads all silences, expired ones too, one after the other.
func (c *Client) Silences(ctx context.Context, yield func(Silence) error) error {
	return c.get(ctx, "/api/v2/silences", func(r io.Reader) error {
		return decodeArray(r, yield)
	})
}

// PutSilence creates a silence when it has no id, else changes the one of that id, and returns the
// id it has then: a change that Alertmanager cannot make in place expires the old one and makes another.
func (c *Client) PutSilence(ctx context.Context, s itsm.Silence) (id string, err error) {
	body, err := json.Marshal(struct {
		ID        string         `json:"id,omitempty"`
		Matchers  []itsm.Matcher `json:"matchers"`
		StartsAt  time.Time      `json:"startsAt"`
		EndsAt    time.Time      `json:"endsAt"`
		CreatedBy string         `json:"createdBy"`
		Comment   string         `json:"comment"`
	}{s.ID, s.Matchers, s.StartsAt, s.EndsAt, s.CreatedBy, s.Comment})
	if err != nil {
		return "", fmt.Errorf("encode silence: %w", err)
	}
	var out struct {
		SilenceID string `json:"silenceID"`
	}
	err = c.do(ctx, http.MethodPost, "/api/v2/silences", body, func(r io.Reader) error { return json.NewDecoder(r).Decode(&out) })
	return out.SilenceID, err
}

// ExpireSilence ends a silence. One that is not there, or that is expired, is no error.
func (c *Client) ExpireSilence(ctx context.Context, id string) error {
	err := c.do(ctx, http.MethodDelete, "/api/v2/silence/"+url.PathEscape(id), nil, func(io.Reader) error { return nil })
	answer, ok := errors.AsType[*StatusError](err)
	if ok && (answer.Code == http.StatusNotFound || answer.Code == http.StatusInternalServerError && strings.Contains(answer.Text, "already expired")) {
		return nil
	}
	return err
}

// Status is what a member says of itself.
type Status struct {
	Uptime      time.Time `json:"uptime"` // when it was started
	VersionInfo struct {
		Version string `json:"version"`
	} `json:"versionInfo"`
	Cluster struct {
		Status string `json:"status"` // ready, settling, disabled
	} `json:"cluster"`
	Config struct {
		Original string `json:"original"` // its alertmanager.yml
	} `json:"config"`
}

// Mutes tells whether routes of the Alertmanager keep alerts back at some times.
func (s *Status) Mutes() bool {
	return strings.Contains(s.Config.Original, "mute_time_intervals:") || strings.Contains(s.Config.Original, "active_time_intervals:")
}

// Status asks a member about itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.get(ctx, "/api/v2/status", func(r io.Reader) error { return json.NewDecoder(r).Decode(&s) })
	return s, err
}

// StatusError is an answer that is not 2xx.
type StatusError struct {
	Code int
	Text string // the beginning of the body
}

func (e *StatusError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("answered %d %s", e.Code, http.StatusText(e.Code))
	}
	return fmt.Sprintf("answered %d %s: %s", e.Code, http.StatusText(e.Code), e.Text)
}

func (c *Client) get(ctx context.Context, path string, read func(io.Reader) error) error {
	return c.do(ctx, http.MethodGet, path, nil, read)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	if err := c.login(req); err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	limited := &io.LimitedReader{R: res.Body, N: maxAnswer}
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(limited, 300)) // what came of it explains enough
		return &StatusError{res.StatusCode, strings.ToValidUTF8(strings.TrimSpace(string(text)), "�")}
	}
	if err := read(limited); err != nil {
		if limited.N <= 0 {
			return fmt.Errorf("%s %s: the answer is larger than %d bytes", method, c.base+path, maxAnswer)
		}
		return fmt.Errorf("%s %s: %w", method, c.base+path, err)
	}
	return nil
}

// decodeListed reads what GET /api/v2/alerts answers.
func decodeListed(r io.Reader, yield func(Listed) error) error {
	type named struct {
		Name string `json:"name"`
	}
	type wire struct {
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		StartsAt     time.Time         `json:"startsAt"`
		EndsAt       time.Time         `json:"endsAt"`
		UpdatedAt    time.Time         `json:"updatedAt"`
		GeneratorURL string            `json:"generatorURL"`
		Receivers    []named           `json:"receivers"`
		Status       struct {
			SilencedBy  []string `json:"silencedBy"`
			InhibitedBy []string `json:"inhibitedBy"`
			MutedBy     []string `json:"mutedBy"`
		} `json:"status"`
	}
	return decodeArray(r, func(w wire) error {
		out := Listed{
			Labels: itsm.NewLabels(w.Labels), Annotations: itsm.NewLabels(w.Annotations), StartsAt: w.StartsAt.UTC(), EndsAt: w.EndsAt.UTC(),
			UpdatedAt: w.UpdatedAt.UTC(), GeneratorURL: w.GeneratorURL,
			SilencedBy: w.Status.SilencedBy, InhibitedBy: w.Status.InhibitedBy, MutedBy: w.Status.MutedBy,
		}
		for _, n := range w.Receivers {
			out.Receivers = append(out.Receivers, n.Name)
		}
		return yield(out)
	})
}

// decodeArray reads a list element by element, so that a long one is never in memory as a whole.
func decodeArray[T any](r io.Reader, yield func(T) error) error {
	dec := json.NewDecoder(r)
	switch t, err := dec.Token(); {
	case err != nil:
		return err
	case t != json.Delim('['):
		return fmt.Errorf("a list is expected, got %v", t)
	}
	for i := 0; dec.More(); i++ {
		var element T
		if err := dec.Decode(&element); err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		if err := yield(element); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}
