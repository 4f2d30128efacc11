package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// TestPeersWriteThrough acknowledges what a real pair of Alertmanagers tells of, and plans maintenance:
// silences appear there, are not made twice by a program that was killed, and end with their reason.
func TestPeersWriteThrough(t *testing.T) {
	t.Run("Debian", func(t *testing.T) { testWriteThrough(t, peer(t, "prometheus-alertmanager")) })
	t.Run("0.34", func(t *testing.T) {
		program, err := exec.LookPath("../.cache/alertmanager/alertmanager")
		if err != nil {
			t.Skip("scripts/alertmanager/build.sh was not run")
		}
		testWriteThrough(t, program)
	})
}

func testWriteThrough(t *testing.T, program string) {
	t.Helper()
	tool := peer(t, "amtool")
	pair := newAlertmanagerPair(t, program)
	members := pair.members
	house := startProgram(t, fmt.Sprintf(`
alertmanagers:
  - {name: prod, urls: ["%s", "%s"], interval: 1s, settle: 0s, silence: true}
`, members[0].url, members[1].url))
	house.waitReady()
	pair.start(t, house.url)
	putEstate(t, house.url, `items: [{id: host-m, class: host, identifiers: [{instance: host-m}]}]`)

	// An acknowledge becomes a silence with the labels as the Alertmanager knows them, at both members.
	replica := map[string]string{"prometheus_replica": "a"}
	pair.fire(t, "HostDown", "host-a", replica)
	number := awaitOne(t, house.url, 1)
	operate(t, house.url, number, "acknowledge", `{"by":"maria"}`)
	a := `alertname="HostDown",instance="host-a",prometheus_replica="a"`
	for _, m := range members {
		awaitSilences(t, m.url, map[string]string{a: "maria"})
		if out, err := amtool(t, tool, m.url, "silence", "query", "-o", "extended"); err != nil || !strings.Contains(out, number+" is acknowledged") {
			t.Errorf("amtool shows %s %v", out, err)
		}
	}
	// It comes back as no mark: the incident would leave the tab Open for the tab Suppressed.
	awaitReadings(t, house.url, 2)
	if inc := incident(t, house.url, number); inc.AlertCounts.Suppressed != 0 || inc.AlertCounts.Firing != 1 {
		t.Errorf("the alerts of the acknowledged incident are %+v", inc.AlertCounts)
	}
	// What joins is silenced, too.
	pair.fire(t, "HostDown", "host-b", nil)
	b := `alertname="HostDown",instance="host-b"`
	awaitSilences(t, members[0].url, map[string]string{a: "maria", b: "maria"})

	// A program that was killed finds its silences.
	house.kill()
	house.start()
	house.waitReady()
	awaitWanted(t, house.url, 2)
	for _, kind := range []string{"created", "changed", "expired"} {
		if n := metric(t, house.url, `signalbox_ingest_alertmanager_silences_written_total{alertmanager="prod",kind="`+kind+`"}`); n != 0 {
			t.Errorf("after a kill %v silences are %s", n, kind)
		}
	}
	awaitSilences(t, members[1].url, map[string]string{a: "maria", b: "maria"})

	operate(t, house.url, number, "unacknowledge", `{"by":"maria"}`)
	awaitSilences(t, members[1].url, map[string]string{})

	// The acknowledge does not need the Alertmanager; the silences appear when it is back.
	for _, m := range members {
		m.stop()
	}
	operate(t, house.url, number, "acknowledge", `{"by":"jonas"}`)
	for _, m := range members {
		m.start(t, house.url)
	}
	pair.fire(t, "HostDown", "host-a", replica)
	pair.fire(t, "HostDown", "host-b", nil)
	awaitSilences(t, members[0].url, map[string]string{a: "jonas", b: "jonas"})
	// One alert ends while it is silenced, and its silence with it; the other silence ends with the incident.
	for _, m := range members {
		m.post(t, map[string]string{"alertname": "HostDown", "instance": "host-a", "prometheus_replica": "a"}, time.Now())
	}
	awaitSilences(t, members[0].url, map[string]string{b: "jonas"})
	operate(t, house.url, number, "resolve", `{"code":"fixed","by":"jonas"}`)
	awaitExpired(t, members[0].url, 2)
	pair.end(t, "HostDown", "host-b")
	awaitSilences(t, members[0].url, map[string]string{})

	// Maintenance is silent before anything fires, and ends when it is done early.
	now := time.Now().UTC()
	window := func(status string) {
		postEvent(t, house.url, fmt.Sprintf(`{"change":{"id":"chg-7","kind":"maintenance","items":["host-m"],"title":"New disks","status":%q,"startsAt":%q,"endsAt":%q,"by":"lea"}}`,
			status, now.Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)))
	}
	window("planned")
	awaitSilences(t, members[1].url, map[string]string{`instance="host-m"`: "lea"})
	pair.fire(t, "DiskGone", "host-m", nil)
	awaitMark(t, house.url, "DiskGone host-m", "maintenance chg-7")
	for _, m := range members {
		if out, err := amtool(t, tool, m.url, "alert", "query", "--silenced", "alertname=DiskGone"); err != nil || !strings.Contains(out, "suppressed") {
			t.Errorf("the alert is not suppressed there: %s %v", out, err)
		}
	}
	window("succeeded")
	awaitSilences(t, members[1].url, map[string]string{})
}

// awaitExpired waits until an Alertmanager has this many expired silences.
func awaitExpired(t *testing.T, server string, want int) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		var list []struct {
			Status struct{ State itsm.SilenceState }
		}
		if err := get(t.Context(), server+"/api/v2/silences", &list); err != nil {
			return err
		}
		expired := 0
		for _, s := range list {
			if s.Status.State == itsm.SilenceExpired {
				expired++
			}
		}
		if expired < want {
			return fmt.Errorf("%d silences are expired, not %d", expired, want)
		}
		return nil
	})
}

// awaitSilences waits until an Alertmanager has these silences in force: who made each, by its matchers.
func awaitSilences(t *testing.T, server string, want map[string]string) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		var list []struct {
			itsm.Silence
			Status struct{ State itsm.SilenceState }
		}
		if err := get(t.Context(), server+"/api/v2/silences", &list); err != nil {
			return err
		}
		got := map[string]string{}
		for _, s := range list {
			if s.Status.State == itsm.SilenceExpired {
				continue
			}
			words := make([]string, 0, len(s.Matchers))
			for _, m := range s.Matchers {
				words = append(words, m.String())
			}
			key := strings.Join(words, ",")
			if _, twice := got[key]; twice {
				return fmt.Errorf("two silences for %s", key)
			}
			got[key] = s.CreatedBy
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("silences (-want +got):\n%s", diff)
		}
		return nil
	})
}

func awaitWanted(t *testing.T, signalbox string, want float64) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		if got := metric(t, signalbox, `signalbox_ingest_alertmanager_silences_wanted{alertmanager="prod"}`); got != want {
			return fmt.Errorf("%v silences are wanted, not %v", got, want)
		}
		return nil
	})
}

// awaitReadings waits until the Alertmanager was read a number of times more.
func awaitReadings(t *testing.T, signalbox string, more float64) {
	t.Helper()
	read := func() float64 {
		return metric(t, signalbox, `signalbox_ingest_alertmanager_readings_total{alertmanager="prod",result="ok"}`)
	}
	before := read()
	eventually(t, time.Minute, func() error {
		if read() < before+more {
			return errors.New("it was not read")
		}
		return nil
	})
}

// awaitOne waits until there is one incident with a number of firing alerts, and returns its number.
func awaitOne(t *testing.T, signalbox string, firing int) string {
	t.Helper()
	var number string
	eventually(t, time.Minute, func() error {
		inc, err := theIncident(t.Context(), signalbox)
		if err == nil && inc.AlertCounts.Firing != firing {
			err = fmt.Errorf("%d alerts fire, not %d", inc.AlertCounts.Firing, firing)
		}
		number = inc.Number
		return err
	})
	return number
}

func incident(t *testing.T, signalbox, number string) itsm.Incident {
	t.Helper()
	var inc itsm.Incident
	if err := get(t.Context(), signalbox+"/api/v1/incidents/"+number, &inc); err != nil {
		t.Fatal(err)
	}
	return inc
}

func operate(t *testing.T, signalbox, number, action, body string) {
	t.Helper()
	status, answer, err := send(t.Context(), http.MethodPost, signalbox+"/api/v1/incidents/"+number+"/"+action, body, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s %v", action, status, answer, err)
	}
}

func postEvent(t *testing.T, signalbox, line string) {
	t.Helper()
	status, answer, err := send(t.Context(), http.MethodPost, signalbox+"/api/v1/ingest/events", line, nil)
	var result struct{ Refused []json.RawMessage }
	if err != nil || status != http.StatusOK || json.Unmarshal(answer, &result) != nil || len(result.Refused) > 0 {
		t.Fatalf("post: %d %s %v", status, answer, err)
	}
}
