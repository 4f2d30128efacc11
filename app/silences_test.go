package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"signalbox/itsm"
)

const silencesEstate = `
items:
  - {id: sw-1, class: switch}
  - {id: host-a, class: host, identifiers: [{instance: "host-a:9100"}]}
  - {id: host-b, class: host, identifiers: [{instance: "host-b:9100"}]}
  - {id: host-c, class: host, identifiers: [{instance: "host-c:9100"}]}
relations:
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: host-b, type: connects_to, to: sw-1}
  - {from: host-c, type: connects_to, to: sw-1}
`

// TestPeersSilences posts what karma and Grafana post when somebody silences a group that they show.
func TestPeersSilences(t *testing.T) {
	signalbox := startApp(t, nil)
	putEstate(t, signalbox, silencesEstate)
	postHosts(t, signalbox, "host-a", "host-b", "host-c")
	inc := awaitIncident(t, signalbox, seen(itsm.StateNew, itsm.StatusFiring, 1))
	now := time.Now().UTC()
	minute := now.Truncate(time.Minute).Format("2006-01-02T15:04:05.000Z") // both cut the seconds off
	until := now.Truncate(time.Minute).Add(time.Hour).Format("2006-01-02T15:04:05.000Z")
	// The labels of a group, those that its alerts share, and the values of the others.
	group := fmt.Sprintf(`{"name":"incident","value":%q,"isRegex":false,"isEqual":true},{"name":"cause","value":"sw-1","isRegex":false,"isEqual":true},
		{"name":"priority","value":"%d","isRegex":false,"isEqual":true},{"name":"severity","value":"critical","isRegex":false,"isEqual":true}`, inc.Number, inc.Priority)
	karma := `{"matchers":[` + group + `,{"name":"instance","value":"(host-a:9100|host-b:9100)","isRegex":true,"isEqual":true}],
		"startsAt":"` + minute + `","endsAt":"` + until + `","createdBy":"karma","comment":"ACK! This alert was acknowledged using karma"`
	grafana := `{"id":"","startsAt":"` + minute + `","endsAt":"` + until + `","comment":"created by Grafana","createdBy":"admin","duration":"1h",
		"isRegex":false,"timeZone":"browser","matcherName":"","matcherValue":"","matchers":[` + group + `]}`

	byKarma := postSilence(t, signalbox, karma+"}")
	awaitSuppressed(t, signalbox, 2)
	// It is what karma reads that tells a suppressed alert from others: groups, with the id.
	var groups []struct {
		Alerts []struct {
			Labels map[string]string
			Status struct {
				State      string
				SilencedBy []string
			}
		}
	}
	if err := get(t.Context(), signalbox+"/api/v2/alerts/groups", &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, a := range g.Alerts {
			silenced := a.Labels["instance"] == "host-a:9100" || a.Labels["instance"] == "host-b:9100"
			if got := a.Status.State == "suppressed" && len(a.Status.SilencedBy) == 1 && a.Status.SilencedBy[0] == byKarma; got != silenced {
				t.Errorf("%v: %+v, silenced: %v", a.Labels, a.Status, silenced)
			}
		}
	}
	// The incident gets another priority, and so the group another label: the acknowledgement stands.
	status, body, err := send(t.Context(), http.MethodPost, signalbox+"/api/v1/incidents/"+inc.Number+"/priority", `{"priority":5,"reason":"at night"}`, nil)
	if err != nil || status != http.StatusOK {
		t.Fatal(status, string(body), err)
	}
	byGrafana := postSilence(t, signalbox, grafana)
	awaitSuppressed(t, signalbox, 3)
	if again := postSilence(t, signalbox, karma+`,"id":"`+byKarma+`"}`); again == byKarma {
		t.Error("a silence that begins at another second keeps its id; Alertmanager makes a new one")
	} else {
		byKarma = again
	}
	awaitSuppressed(t, signalbox, 3)
	for _, id := range []string{byKarma, byGrafana} {
		if status, body, err := send(t.Context(), http.MethodDelete, signalbox+"/api/v2/silence/"+id, nil, nil); err != nil || status != http.StatusOK {
			t.Errorf("expire %s: %d %s %v", id, status, body, err)
		}
	}
	awaitSuppressed(t, signalbox, 0)
	var silences []struct {
		Status struct{ State string }
	}
	if err := get(t.Context(), signalbox+"/api/v2/silences", &silences); err != nil {
		t.Fatal(err)
	}
	if len(silences) != 3 {
		t.Errorf("three expired silences are expected, got %+v", silences)
	}
	for _, s := range silences {
		if s.Status.State != "expired" {
			t.Errorf("got %+v", s)
		}
	}
}

func postSilence(t *testing.T, signalbox, body string) string {
	t.Helper()
	status, text, err := send(t.Context(), http.MethodPost, signalbox+"/api/v2/silences", body, nil)
	if err != nil || status != http.StatusOK {
		t.Fatalf("silence: %d %s %v", status, text, err)
	}
	var answer struct{ SilenceID string }
	if err := json.Unmarshal(text, &answer); err != nil || answer.SilenceID == "" {
		t.Fatalf("silence: %s %v", text, err)
	}
	return answer.SilenceID
}

func awaitSuppressed(t *testing.T, signalbox string, want int) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		inc, err := theIncident(t.Context(), signalbox)
		if err == nil && inc.AlertCounts.Suppressed != want {
			err = fmt.Errorf("%d alerts are suppressed, want %d", inc.AlertCounts.Suppressed, want)
		}
		return err
	})
}
