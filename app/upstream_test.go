package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
)

// TestUpstream reads a real pair of Alertmanagers whose webhooks leave alerts out: what they left out
// comes in, what is silenced or inhibited there is marked, and what ended while it was silenced ends.
func TestUpstream(t *testing.T) {
	program, tool := peer(t, "prometheus-alertmanager"), peer(t, "amtool")
	pair := newAlertmanagerPair(t, program)
	signalbox := startApp(t, func(c *Config) {
		u := alertmanager.Config{Name: "prod", URLs: []string{pair.members[0].url, pair.members[1].url}}
		u.SetDefaults()
		u.Interval, u.Settle = time.Second, 0
		c.Alertmanagers = append(c.Alertmanagers, u)
	})
	pair.start(t, signalbox)

	// Three alerts of one group, and max_alerts is 1.
	for _, host := range []string{"host-a", "host-b", "host-c"} {
		pair.fire(t, "HostDown", host, nil)
	}
	awaitAlerts(t, signalbox, map[string]upstreamAlert{
		"HostDown host-a": {Status: "firing", Source: "prod"}, "HostDown host-b": {Status: "firing", Source: "prod"}, "HostDown host-c": {Status: "firing", Source: "prod"},
	})

	// A silence marks one of them, and an alert inhibits another.
	id := addSilence(t, tool, pair.members[0].url, "instance=host-a")
	pair.fire(t, "SiteDown", "host-b", map[string]string{"severity": "critical"})
	awaitAlerts(t, signalbox, map[string]upstreamAlert{
		"HostDown host-a": {Status: "firing", Source: "prod", Suppressed: "silenced by " + id + " in prod"},
		"HostDown host-b": {Status: "firing", Source: "prod", Suppressed: "inhibited by " + fingerprint("SiteDown", "host-b", "critical") + " in prod"},
		"HostDown host-c": {Status: "firing", Source: "prod"},
		"SiteDown host-b": {Status: "firing", Source: "prod"},
	})

	// It ends while it is silenced: no Alertmanager ever says so. One that never fires says nothing either.
	pair.end(t, "HostDown", "host-a")
	awaitAlerts(t, signalbox, map[string]upstreamAlert{
		"HostDown host-a": {Status: "resolved", Source: "prod"},
		"HostDown host-b": {Status: "firing", Source: "prod", Suppressed: "inhibited by " + fingerprint("SiteDown", "host-b", "critical") + " in prod"},
		"HostDown host-c": {Status: "firing", Source: "prod"},
		"SiteDown host-b": {Status: "firing", Source: "prod"},
	})

	// With one member gone the other says enough; with both gone everything stays as it is.
	pair.members[0].stop()
	addSilence(t, tool, pair.members[1].url, "instance=host-c")
	awaitMark(t, signalbox, "HostDown host-c", "silenced by ")
	pair.members[1].stop()
	failed := func() float64 {
		return metric(t, signalbox, `signalbox_ingest_alertmanager_readings_total{alertmanager="prod",result="failed"}`)
	}
	before := failed()
	eventually(t, time.Minute, func() error {
		if failed() < before+2 {
			return errors.New("no two readings have failed")
		}
		return nil
	})
	awaitMark(t, signalbox, "HostDown host-c", "silenced by ")
}

// TestUpstream_restart: an Alertmanager that was just started lists nothing until it is sent everything
// again, and that is no end of anything.
func TestUpstream_restart(t *testing.T) {
	pair := newAlertmanagerPair(t, peer(t, "prometheus-alertmanager"))
	signalbox := startApp(t, func(c *Config) {
		u := alertmanager.Config{Name: "prod", URLs: []string{pair.members[0].url}}
		u.SetDefaults()
		u.Interval = time.Second // and settle as it is
		c.Alertmanagers = append(c.Alertmanagers, u)
	})
	pair.members[0].start(t, signalbox)
	pair.members[0].fire(t, "HostDown", "host-a", nil)
	fires := map[string]upstreamAlert{"HostDown host-a": {Status: "firing", Source: "prod"}}
	awaitAlerts(t, signalbox, fires)
	pair.members[0].stop()
	pair.members[0].storage = t.TempDir()
	pair.members[0].start(t, signalbox)
	ok := func() float64 {
		return metric(t, signalbox, `signalbox_ingest_alertmanager_readings_total{alertmanager="prod",result="ok"}`)
	}
	before := ok()
	eventually(t, time.Minute, func() error {
		if ok() < before+4 {
			return errors.New("it was not read four times")
		}
		return nil
	})
	awaitAlerts(t, signalbox, fires)
}

// TestUpstream_mutedBy034 reads an Alertmanager of the version whose API we serve: a time interval of the route
// keeps an alert back from its first moment.
func TestUpstream_mutedBy034(t *testing.T) {
	program, err := exec.LookPath("../.cache/alertmanager/alertmanager")
	if err != nil {
		t.Skip("there is no Alertmanager 0.34: scripts/alertmanager/build.sh")
	}
	m := newAlertmanagerPair(t, program).members[0]
	signalbox := startApp(t, func(c *Config) {
		u := alertmanager.Config{Name: "prod", URLs: []string{m.url}, Receiver: "signalbox"}
		u.SetDefaults()
		u.Interval, u.Settle = time.Second, 0
		c.Alertmanagers = append(c.Alertmanagers, u)
	})
	m.start(t, signalbox)
	m.fire(t, "Backup", "host-a", map[string]string{"team": "night"})
	m.fire(t, "HostDown", "host-a", map[string]string{"team": "day"})
	awaitAlerts(t, signalbox, map[string]upstreamAlert{
		"Backup host-a":   {Status: "firing", Source: "prod", Suppressed: "muted by always in prod"},
		"HostDown host-a": {Status: "firing", Source: "prod"},
	})
}

// upstreamAlert is what the tests look at.
type upstreamAlert struct{ Status, Source, Suppressed string }

func upstreamAlerts(ctx context.Context, signalbox string) (map[string]upstreamAlert, error) {
	var page struct {
		Alerts []struct {
			Labels         itsm.Labels
			Status, Source string
			Suppressed     *string
		}
	}
	if err := get(ctx, signalbox+"/api/v1/alerts?limit=100", &page); err != nil {
		return nil, err
	}
	out := map[string]upstreamAlert{}
	for _, a := range page.Alerts {
		seen := upstreamAlert{Status: a.Status, Source: a.Source}
		if a.Suppressed != nil {
			seen.Suppressed = *a.Suppressed
		}
		out[a.Labels.Get("alertname")+" "+a.Labels.Get("instance")] = seen
	}
	return out, nil
}

func awaitAlerts(t *testing.T, signalbox string, want map[string]upstreamAlert) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		got, err := upstreamAlerts(t.Context(), signalbox)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("alerts (-want +got):\n%s", diff)
		}
		return nil
	})
}

func awaitMark(t *testing.T, signalbox, alert, prefix string) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		got, err := upstreamAlerts(t.Context(), signalbox)
		if err != nil {
			return err
		}
		if a := got[alert]; a.Status != "firing" || !strings.HasPrefix(a.Suppressed, prefix) {
			return fmt.Errorf("%s: got %+v, want it firing and %q", alert, a, prefix)
		}
		return nil
	})
}

// alertmanagerPair are two real Alertmanagers that know each other.
type alertmanagerPair struct{ members []*alertmanagerMember }

type alertmanagerMember struct {
	program, addr, url, cluster, peer, storage string
	stop                                       func()
}

func newAlertmanagerPair(t *testing.T, program string) *alertmanagerPair {
	t.Helper()
	p := &alertmanagerPair{}
	for range 2 {
		addr := freeAddr(t)
		p.members = append(p.members, &alertmanagerMember{program: program, addr: addr, url: "http://" + addr, cluster: freeAddr(t), storage: t.TempDir()})
	}
	p.members[1].peer = p.members[0].cluster
	return p
}

func (p *alertmanagerPair) start(t *testing.T, signalbox string) {
	t.Helper()
	for _, m := range p.members {
		m.start(t, signalbox)
	}
}

func (m *alertmanagerMember) start(t *testing.T, signalbox string) {
	t.Helper()
	config := writeTemp(t, "alertmanager.yml", fmt.Sprintf(`
route:
  {receiver: signalbox, group_by: [alertname], group_wait: 500ms, group_interval: 1s, repeat_interval: 1h, routes: [{matchers: [team="night"], mute_time_intervals: [always]}]}
time_intervals: [{name: always, time_intervals: [{weekdays: ["sunday:saturday"]}]}]
inhibit_rules:
  - {source_matchers: [severity="critical"], target_matchers: [severity!="critical"], equal: [instance]}
receivers:
  - name: signalbox
    webhook_configs:
      - {url: "%s/api/v1/ingest/alertmanager", send_resolved: true, max_alerts: 1}
`, signalbox))
	args := []string{
		"--config.file=" + config, "--storage.path=" + m.storage, "--web.listen-address=" + m.addr, "--web.external-url=" + m.url,
		"--cluster.listen-address=" + m.cluster, "--cluster.settle-timeout=1s",
	}
	if m.peer != "" {
		args = append(args, "--cluster.peer="+m.peer)
	}
	m.stop = startPeer(t, m.program, args...)
	eventually(t, time.Minute, func() error { return ready(t.Context(), m.url) })
}

func (p *alertmanagerPair) fire(t *testing.T, name, instance string, labels map[string]string) {
	t.Helper()
	for _, m := range p.members {
		m.fire(t, name, instance, labels)
	}
}

func (p *alertmanagerPair) end(t *testing.T, name, instance string) {
	t.Helper()
	for _, m := range p.members {
		m.post(t, map[string]string{"alertname": name, "instance": instance}, time.Now())
	}
}

func (m *alertmanagerMember) fire(t *testing.T, name, instance string, labels map[string]string) {
	t.Helper()
	all := map[string]string{"alertname": name, "instance": instance}
	maps.Copy(all, labels)
	m.post(t, all, time.Now().Add(time.Hour))
}

func (m *alertmanagerMember) post(t *testing.T, labels map[string]string, endsAt time.Time) {
	t.Helper()
	body, err := json.Marshal([]any{map[string]any{"labels": labels, "endsAt": endsAt}})
	if err != nil {
		t.Fatal(err)
	}
	status, answer, err := send(t.Context(), http.MethodPost, m.url+"/api/v2/alerts", string(body), nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("post to the Alertmanager: %d %s %v", status, answer, err)
	}
}

func fingerprint(name, instance, severity string) string {
	return itsm.NewLabels(map[string]string{"alertname": name, "instance": instance, "severity": severity}).Fingerprint().String()
}

func addSilence(t *testing.T, program, server, matcher string) string {
	t.Helper()
	out, err := amtool(t, program, server, "silence", "add", "--author=maria", "--comment=test", matcher)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// metric reads a counter or gauge of the house; one that has not begun is 0.
func metric(t *testing.T, signalbox, series string) float64 {
	t.Helper()
	status, body, err := send(t.Context(), http.MethodGet, signalbox+"/metrics", nil, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("metrics: %d %v", status, err)
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

// TestUpstream_gapThenWebhook: what came by reading and then by webhook, with the digits of its start that the
// API cuts off, is one period; what ended here and fires again has a second one.
func TestUpstream_gapThenWebhook(t *testing.T) {
	began := time.Now().UTC().Add(-time.Minute).Truncate(time.Second).Add(123456789 * time.Nanosecond)
	var mu sync.Mutex
	listed, updated := true, time.Now().UTC()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		const api = "2006-01-02T15:04:05.000Z"
		switch {
		case r.URL.Path == "/api/v2/status":
			fmt.Fprintf(w, `{"uptime":"%s","versionInfo":{"version":"0.34.2"}}`, began.Format(api))
		case listed:
			fmt.Fprintf(w, `[{"labels":{"alertname":"HostDown","instance":"a"},"annotations":{},"startsAt":"%s","updatedAt":"%s","status":{"silencedBy":[],"inhibitedBy":[]},"receivers":[{"name":"x"}]}]`,
				began.Format(api), updated.Format(api))
		default:
			fmt.Fprint(w, `[]`)
		}
	}))
	defer server.Close()
	signalbox := startApp(t, func(c *Config) {
		u := alertmanager.Config{Name: "prod", URLs: []string{server.URL}}
		u.SetDefaults()
		u.Interval, u.Settle = time.Second, 0
		c.Alertmanagers = append(c.Alertmanagers, u)
	})
	fires := func(periods int) func() error {
		return func() error {
			inc, err := theIncident(t.Context(), signalbox)
			if err != nil {
				return err
			}
			if a := inc.Alerts[0]; a.Status != itsm.StatusFiring || a.Count != periods || periods == 1 && began.Sub(a.LastStartsAt).Abs() >= time.Millisecond {
				return fmt.Errorf("got %s with %d periods since %s, want it firing with %d since %s", a.Status, a.Count, a.LastStartsAt, periods, began)
			}
			return nil
		}
	}
	awaitAlerts(t, signalbox, map[string]upstreamAlert{"HostDown a": {Status: "firing", Source: "prod"}})
	status, body, err := send(t.Context(), http.MethodPost, signalbox+"/api/v1/ingest/alertmanager", fmt.Sprintf(
		`{"version":"4","groupKey":"{}","externalURL":"%s","alerts":[{"status":"firing","labels":{"alertname":"HostDown","instance":"a"},"startsAt":"%s"}]}`,
		server.URL, began.Format(time.RFC3339Nano)), nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("webhook: %d %s %v", status, body, err)
	}
	eventually(t, time.Minute, fires(1))

	mu.Lock()
	listed = false
	mu.Unlock()
	awaitAlerts(t, signalbox, map[string]upstreamAlert{"HostDown a": {Status: "resolved", Source: "prod"}})
	mu.Lock()
	listed = true // as it was: it was not told of the alert since
	mu.Unlock()
	readings := func() float64 {
		return metric(t, signalbox, `signalbox_ingest_alertmanager_readings_total{alertmanager="prod",result="ok"}`)
	}
	before := readings()
	eventually(t, time.Minute, func() error {
		if readings() < before+3 {
			return errors.New("it was not read three times")
		}
		return nil
	})
	awaitAlerts(t, signalbox, map[string]upstreamAlert{"HostDown a": {Status: "resolved", Source: "prod"}})
	mu.Lock()
	updated = time.Now().UTC()
	mu.Unlock()
	eventually(t, time.Minute, fires(2))
}
