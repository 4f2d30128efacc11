package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"signalbox/ingest/alertmanager"
	"signalbox/itsm"
	"signalbox/stream"
)

// TestSourceSilent takes a heartbeat the whole way through two processes that both watch: it stops,
// that is one incident which names the source, restarts in the middle change nothing, and the
// incident's alert ends when it is back.
func TestSourceSilent(t *testing.T) {
	broker, err := stream.StartBroker(stream.BrokerOptions{
		DataDir: t.TempDir(), Config: stream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	change := func(c *Config) {
		c.Kafka.Brokers, c.Kafka.Shards = []string{broker.Addr()}, 2
		c.Incident.AutoResolveAfter = time.Second
		c.Alertmanagers = []alertmanager.Config{{
			Name: "plant", URLs: []string{"http://am-1.invalid:9093"}, Timeout: time.Second, Heartbeat: 3 * time.Second,
		}}
	}
	signalbox, stop := startAppUntil(t, change)
	other, stopOther := startAppUntil(t, change)
	began := time.Now().UTC().Truncate(time.Second)
	beat := func(status string) {
		t.Helper()
		body := fmt.Sprintf(`{"version":"4","externalURL":"http://am-1.invalid:9093","alerts":[{"status":%q,"labels":{"alertname":"Watchdog","severity":"none"},"startsAt":%q}]}`,
			status, began.Format(time.RFC3339))
		if code, answer, err := send(t.Context(), http.MethodPost, signalbox+"/api/v1/ingest/alertmanager", body, nil); err != nil || code != http.StatusOK {
			t.Fatal(code, string(answer), err)
		}
	}
	beat("firing")
	silent := awaitSilent(t, signalbox)
	if silent.Title != "Source plant is silent" || silent.Severity != itsm.SeverityCritical {
		t.Errorf("got %s, %s", silent.Title, silent.Severity)
	}
	alert := silent.Alerts[0]
	labels := itsm.NewLabels(map[string]string{"alertname": "SourceSilent", "source": "plant", "severity": "critical"})
	if diff := cmp.Diff(labels, alert.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if after := alert.StartsAt.Sub(lastBeat(t, signalbox)); after != 3*time.Second {
		t.Errorf("it is silent since %s after its last heartbeat, want 3s", after)
	}

	eventually(t, 30*time.Second, func() error { // the other one has seen it, too
		if metric(t, other, "signalbox_app_sources_silent") != 1 {
			return errors.New("not silent there")
		}
		return nil
	})
	stop()
	stopOther()
	signalbox, _ = startAppUntil(t, change)
	again := awaitSilent(t, signalbox)
	if again.ID != silent.ID || again.AlertCounts.Total != 1 || again.Alerts[0].Count != 1 || !again.Alerts[0].StartsAt.Equal(alert.StartsAt) {
		t.Errorf("after a restart: %+v", again)
	}

	eventually(t, 30*time.Second, func() error { // it beats until that is seen
		beat("firing")
		inc, err := theIncident(t.Context(), signalbox)
		if err == nil && (inc.State != itsm.StateResolved || inc.AlertCounts.Firing != 0) {
			err = fmt.Errorf("%s with %d firing alerts", inc.State, inc.AlertCounts.Firing)
		}
		return err
	})
	metrics := metric(t, signalbox, `signalbox_app_heartbeat_alerts_total{status="resolved"}`)
	if metrics < 1 {
		t.Errorf("%v alerts were resolved", metrics)
	}
}

// awaitSilent waits for the one incident, whose one alert fires.
func awaitSilent(t *testing.T, signalbox string) (inc itsm.Incident) {
	t.Helper()
	eventually(t, 30*time.Second, func() (err error) {
		if inc, err = theIncident(t.Context(), signalbox); err == nil && (len(inc.Alerts) != 1 || inc.AlertCounts.Firing != 1) {
			err = fmt.Errorf("%+v", inc.AlertCounts)
		}
		return err
	})
	return inc
}

// lastBeat is when the source plant was heard last.
func lastBeat(t *testing.T, signalbox string) time.Time {
	t.Helper()
	var list struct {
		Sources []struct {
			Name      string
			Heartbeat *struct {
				State  string
				LastAt time.Time
			}
		}
	}
	if err := get(t.Context(), signalbox+"/api/v1/sources", &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Sources {
		if s.Name == "plant" && s.Heartbeat != nil && strings.Contains("silent waiting", s.Heartbeat.State) {
			return s.Heartbeat.LastAt
		}
	}
	t.Fatalf("plant is not silent: %+v", list)
	return time.Time{}
}
