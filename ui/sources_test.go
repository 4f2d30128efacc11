package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

// fakeSenders is what doors would know.
type fakeSenders struct {
	sources  []Source
	payloads map[string]Payload
}

func (f fakeSenders) Sources() []Source { return f.sources }

func (f fakeSenders) LastPayload(source string) (Payload, bool) {
	p, ok := f.payloads[source]
	return p, ok
}

func TestSources(t *testing.T) {
	at := time.Now().UTC()
	w := newRoom(t, func(u *UI) {
		u.senders = fakeSenders{sources: []Source{{Name: "prom-a", Kind: "prometheus", Doors: []string{"prometheus"}, LastAt: &at, Accepted: 5, PerMinute: 1.5}}}
	})
	from := func(source string) func(*itsm.AlertState) {
		return func(a *itsm.AlertState) { a.Source = source }
	}
	w.putIncident(anIncident(1))
	w.putAlert("id1", anAlert("alertname=A"))
	w.putAlert("id1", anAlert("alertname=B", func(a *itsm.AlertState) { a.Item, a.Tried = nil, "instance=x" }))
	w.putAlert("id1", anAlert("alertname=C", func(a *itsm.AlertState) { s := "silenced"; a.Suppressed = &s }))
	w.putAlert("id1", anAlert("alertname=D", resolved(at)))
	w.putAlert("id1", anAlert("alertname=E", from("am")))
	w.putAlert(itsm.NoIncident, anAlert("alertname=F", from("am"), func(a *itsm.AlertState) { a.Item = nil }))
	w.putAlert(itsm.NoIncident, anAlert("alertname=G", from("")))
	got := into[struct{ Sources []sourceRow }](t, w.get("/api/v1/sources")).Sources
	want := []sourceRow{
		{Source: Source{Name: "am", Doors: []string{}}, sourceAlerts: sourceAlerts{Firing: 2, Bound: 1, Unbound: 1}},
		{
			Source:       Source{Name: "prom-a", Kind: "prometheus", Doors: []string{"prometheus"}, LastAt: &at, Accepted: 5, PerMinute: 1.5},
			sourceAlerts: sourceAlerts{Firing: 3, Bound: 2, Unbound: 1, Suppressed: 1},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sourceRow{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLastPayload(t *testing.T) {
	const name = "http://am:9093"
	bound, unbound := anAlert("alertname=A"), anAlert("alertname=B", func(a *itsm.AlertState) { a.Item, a.Tried = nil, "instance=x" })
	stranger := anAlert("alertname=C").Fingerprint
	at := time.Now().UTC()
	w := newRoom(t, func(u *UI) {
		u.senders = fakeSenders{payloads: map[string]Payload{
			name: {
				At: at, Kind: "alertmanager", Size: 100, Body: []byte("{\"größ"[:5]), Accepted: 4, Refused: 1, Refusals: []Refusal{{3, "labels", "is empty"}},
				Alerts: []itsm.Fingerprint{bound.Fingerprint, unbound.Fingerprint, stranger, bound.Fingerprint},
			},
			"gone": {At: at, Kind: "events", Size: 5, Fault: "nonsense", Refused: 1},
		}}
	})
	w.putIncident(anIncident(1))
	w.putIncident(anIncident(2, mergedInto("id1")))
	w.putAlert("id2", bound)
	w.putAlert(itsm.NoIncident, unbound)

	got := into[lastPayload](t, w.get("/api/v1/sources/"+url.PathEscape(name)+"/last"))
	firing, item, incident, number, body := "firing", "host-a", "id1", "INC-000001", "{\"gr"
	want := lastPayload{
		Source: name, At: at, Kind: "alertmanager", Size: 100, Body: &body, Truncated: true, Accepted: 4, Refused: 1,
		Refusals: []Refusal{{3, "labels", "is empty"}},
		Alerts: []payloadAlert{
			{Fingerprint: bound.Fingerprint, Labels: &bound.Labels, Status: &firing, Item: &item, Incident: &incident, IncidentNumber: &number},
			{Fingerprint: unbound.Fingerprint, Labels: &unbound.Labels, Status: &firing, Tried: "instance=x"},
			{Fingerprint: stranger},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	gone := into[lastPayload](t, w.get("/api/v1/sources/gone/last"))
	if gone.Body != nil || !gone.Truncated || gone.Fault == nil || *gone.Fault != "nonsense" {
		t.Errorf("got %+v", gone)
	}
	if a := w.get("/api/v1/sources/nobody/last"); a.status != http.StatusNotFound || !strings.Contains(string(a.body), `"unknown_source"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
