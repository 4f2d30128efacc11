package ui

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"signalbox/itsm"

	"github.com/google/go-cmp/cmp"
)

// adopting lets every shard adopt what enters the door, as the engines do.
func (w *world) adopting() {
	w.react = func(in itsm.Input) error {
		for n := range w.ui.shards {
			w.adopt(n, in)
		}
		return nil
	}
}

func (w *world) adopt(shard int, in itsm.Input) {
	if in.Adopt != nil && in.Adopt.Estate != nil {
		w.publish(itsm.TopicIncidents, "_adopted/"+strconv.Itoa(shard), itsm.Adopted{Shard: shard, Estate: in.Adopt.Estate.ID})
	}
}

// put puts an estate and returns its version.
func (w *world) put(path, file string) string {
	w.t.Helper()
	got := w.do(http.MethodPut, path, file)
	if got.status != http.StatusOK {
		w.t.Fatalf("PUT %s: %d %s", path, got.status, got.body)
	}
	return into[struct{ Version string }](w.t, got).Version
}

const twoHosts = `
items:
  - {id: sw-1, class: switch, name: Core switch 1, attributes: {site: plant-a}, identifiers: [{instance: "sw-1:9116"}]}
  - {id: host-a, class: host, criticality: 1}
  - {id: host-b, class: host, owner: netops}
relations:
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: host-b, type: connects_to, to: sw-1, validTo: 2026-01-01T00:00:00Z}
`

func TestPutEstate_answersOnceEveryShardHasAdoptedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRoom(t, shards(2))
		adopted := make(chan itsm.Input, 1)
		w.react = func(in itsm.Input) error { adopted <- in; return nil }
		answered := make(chan answer, 1)
		go func() { answered <- w.do(http.MethodPut, "/api/v1/estate", twoHosts) }()
		in := <-adopted
		w.adopt(0, in)
		synctest.Wait()
		select {
		case got := <-answered:
			t.Fatalf("answered %d before the second shard had it", got.status)
		default:
		}
		w.adopt(1, in)
		got := <-answered
		if v := into[struct{ Version string }](t, got).Version; got.status != http.StatusOK || v != in.Adopt.Estate.ID {
			t.Errorf("got %d %s, want version %s", got.status, got.body, in.Adopt.Estate.ID)
		}
		if got := w.get("/api/v1/items/host-a"); got.status != http.StatusOK {
			t.Errorf("the item is not shown at once: %d", got.status)
		}
	})
}

func TestPutEstate_listsEveryFaultWithLineAndItem(t *testing.T) {
	w := newRoom(t)
	got := w.do(http.MethodPut, "/api/v1/estate?origin=plan", `items:
  - {id: a, class: switch, identifiers: [{x: "1"}]}
  - {id: a, class: host}
  - {id: c, class: host, colour: red}
  - {id: d, class: host, identifiers: [{x: "1"}]}
relations:
  - {from: a, type: likes, to: c}
`)
	p := into[problem](t, got)
	var places []string
	for _, f := range p.Faults {
		places = append(places, f.File+" "+strconv.Itoa(f.Line)+" "+f.Item)
		if f.Reason == "" || f.Field == "" {
			t.Errorf("fault %+v", f)
		}
	}
	if diff := cmp.Diff([]string{"plan 3 a", "plan 4 c", "plan 5 d", "plan 7 "}, places); got.status != 400 || p.Code != "invalid_estate" || diff != "" {
		t.Errorf("%d %s (-want +got):\n%s", got.status, p.Code, diff)
	}
	if len(w.seen()) != 0 {
		t.Error("a faulty estate reached the log")
	}
}

func TestPutEstate_refusals(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	for _, tc := range []struct {
		name, path, file string
		react            func(itsm.Input) error
		status           int
		code             string
	}{
		{name: "relation to an unknown item", path: "/api/v1/estate", file: "items: [{id: a, class: host}]\nrelations: [{from: a, type: runs_on, to: b}]", status: 400, code: "invalid_estate"},
		{name: "not YAML", path: "/api/v1/estate", file: "items: [", status: 400, code: "invalid_estate"},
		{name: "no name of an origin", path: "/api/v1/estate?origin=a%00b", file: "items: []", status: 400, code: "invalid_origin"},
		{
			name: "the log is full", path: "/api/v1/estate", file: "items: [{id: a, class: host}]", status: 503, code: "overloaded",
			react: func(itsm.Input) error { return itsm.ErrOverloaded },
		},
		{
			name: "the log is gone", path: "/api/v1/estate", file: "items: [{id: a, class: host}]", status: 503, code: "unavailable",
			react: func(itsm.Input) error { return errors.New("no broker") },
		},
		{
			name: "a shard refuses", path: "/api/v1/estate", file: "items: [{id: a, class: host}]", status: 422, code: "refused",
			react: func(in itsm.Input) error {
				w.publish(itsm.TopicIncidents, "_adopted/0", itsm.Adopted{Fault: "estate " + in.Adopt.Estate.ID + ": a relation crosses shards"})
				return nil
			},
		},
	} {
		w.react = tc.react
		got := w.do(http.MethodPut, tc.path, tc.file)
		if p := into[problem](t, got); got.status != tc.status || p.Code != tc.code || got.status == 503 && got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s, want %d %s", tc.name, got.status, got.body, tc.status, tc.code)
		}
	}
	if got := w.get("/api/v1/estate"); strings.Contains(string(got.body), "id:") {
		t.Errorf("a refused estate is shown: %s", got.body)
	}
}

func TestPutEstate_replacesThePartOfOneOrigin(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	ids := func() string {
		var out []string
		for _, it := range into[struct{ Items []itsm.Item }](t, w.get("/api/v1/items")).Items {
			out = append(out, it.ID)
		}
		return strings.Join(out, " ")
	}
	w.put("/api/v1/estate", "items: [{id: a, class: host}]")
	w.put("/api/v1/estate?origin=importer:x", "items: [{id: b, class: host}]\nrelations: [{from: b, type: runs_on, to: a}]")
	w.put("/api/v1/estate?origin=api", `{"items":[{"id":"a","class":"host"},{"id":"c","class":"host"}]}`)
	if got := ids(); got != "a b c" {
		t.Errorf("items %q", got)
	}
	// What another part relies on cannot go.
	if got := w.do(http.MethodPut, "/api/v1/estate", "items: [{id: c, class: host}]"); got.status != 400 {
		t.Errorf("removed what importer:x relates to: %d", got.status)
	}
	w.put("/api/v1/estate?origin=importer:x", "items: []")
	if got := ids(); got != "a c" {
		t.Errorf("after the part was emptied: items %q", got)
	}
}

func TestPutEstateFiles_areTakenTogether(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	w.put("/api/v1/estate", "items: [{id: a, class: host}]")
	files := map[string][]byte{
		"file:it.yaml": []byte("items: [{id: b, class: host}]\nrelations: [{from: b, type: connects_to, to: c}]"),
		"file:ot.yaml": []byte("items: [{id: c, class: plc}]\nrelations: [{from: c, type: connects_to, to: b}]"),
	}
	first, err := w.ui.PutEstateFiles(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	delete(files, "file:ot.yaml")
	if _, err := w.ui.PutEstateFiles(t.Context(), files); err == nil {
		t.Error("the part of a file that is gone is still in force")
	}
	second, err := w.ui.PutEstateFiles(t.Context(), map[string][]byte{"file:it.yaml": []byte("items: [{id: b, class: host}]")})
	if err != nil || second == first {
		t.Fatal(second, err)
	}
	if got := into[struct{ Total int }](t, w.get("/api/v1/items")).Total; got != 2 {
		t.Errorf("%d items, want a of the API and b of the file", got)
	}
}

func TestPutEstate_thatChangesNothingIsNoRecord(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	first := w.put("/api/v1/estate", twoHosts)
	if again := w.put("/api/v1/estate", twoHosts); again != first || len(w.seen()) != 1 {
		t.Errorf("version %s then %s, %d records", first, again, len(w.seen()))
	}
}

func TestGetEstate_isAFileThatCanBePutAgain(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	file := twoHosts + `
bindings:
  - preset: kubernetes
  - match: {job: shop-.*}
    ignore: [instance]
    item: "pod/{{.namespace}}/{{.pod}}"
    discover: {class: pod, relations: [{type: runs_on, to: "node/{{.node}}"}]}
`
	version := w.put("/api/v1/estate", file)
	asJSON := w.do(http.MethodGet, "/api/v1/estate", "", "Accept", "application/json")
	asYAML := w.get("/api/v1/estate")
	if asYAML.header.Get("Content-Type") != "application/yaml" || asJSON.header.Get("Content-Type") != "application/json" || asYAML.header.Get("ETag") != strconv.Quote(version) {
		t.Errorf("headers %v and %v", asYAML.header, asJSON.header)
	}
	for _, got := range []answer{asYAML, asJSON} {
		other := newRoom(t)
		other.adopting()
		other.put("/api/v1/estate", string(got.body))
		if diff := cmp.Diff(string(asJSON.body), string(other.do(http.MethodGet, "/api/v1/estate", "", "Accept", "application/json").body)); diff != "" {
			t.Errorf("after PUT of %s:\n%s", got.header.Get("Content-Type"), diff)
		}
	}
	empty := newRoom(t)
	empty.adopting()
	empty.put("/api/v1/estate", string(empty.get("/api/v1/estate").body))
}

func TestItems(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	w.put("/api/v1/estate", twoHosts)
	w.publish(itsm.TopicCMDB, "item/pod/shop/cart-1", itsm.Item{ID: "pod/shop/cart-1", Class: "pod", Attributes: map[string]string{"namespace": "shop"}})
	w.publish(itsm.TopicCMDB, "item/host-a", itsm.Item{ID: "host-a", Class: "pod"})
	w.publish(itsm.TopicCMDB, "relation/pod/shop/cart-1/runs_on/host-a", itsm.Relation{From: "pod/shop/cart-1", Type: itsm.RunsOn, To: "host-a"})
	for _, tc := range []struct{ query, want string }{
		{"", "host-a host-b pod/shop/cart-1 sw-1"},
		{"?class=host,switch", "host-a host-b sw-1"},
		{"?q=core", "sw-1"},
		{"?q=9116", "sw-1"},
		{"?q=" + url.QueryEscape(`site="plant-a"`), "sw-1"},
		{"?q=" + url.QueryEscape(`criticality<=1`), "host-a"},
		{"?q=" + url.QueryEscape(`owner=netops class=~"h.*"`), "host-b"},
		{"?q=" + url.QueryEscape(`discovered=true`), "pod/shop/cart-1"},
		{"?sort=-id&limit=1", "sw-1"},
	} {
		var ids []string
		for _, it := range into[struct{ Items []itsm.Item }](t, w.get("/api/v1/items"+tc.query)).Items {
			ids = append(ids, it.ID)
		}
		if got := strings.Join(ids, " "); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.query, got, tc.want)
		}
	}
	for _, path := range []string{"/api/v1/items/pod%2Fshop%2Fcart-1", "/api/v1/items/pod/shop/cart-1"} {
		w.offbeat = strings.Count(path, "/") > 4 // people type it so
		got := into[itemDetail](t, w.get(path))
		if got.ID != "pod/shop/cart-1" || !got.Discovered || len(got.Relations) != 1 || !got.Relations[0].Discovered {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := into[itemDetail](t, w.get("/api/v1/items/host-a")); got.Class != "host" || got.Discovered {
		t.Errorf("a discovered item won over a declared one: %+v", got)
	}
	w.publish(itsm.TopicCMDB, "item/pod/shop/cart-1", nil)
	w.publish(itsm.TopicCMDB, "relation/pod/shop/cart-1/runs_on/host-a", nil)
	if got := w.get("/api/v1/items/pod/shop/cart-1"); got.status != 404 {
		t.Errorf("forgotten item: %d", got.status)
	}
}

func TestItem_showsItsAlertsAndIncidents(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	w.put("/api/v1/estate", twoHosts)
	none := func(i *itsm.Incident) { i.Causes = nil }
	w.putIncident(anIncident(1, none))
	w.putIncident(anIncident(2))
	w.putIncident(anIncident(3, none))
	w.putIncident(anIncident(4, withState(itsm.StateClosed)))
	w.putAlert("id1", anAlert("alertname=Down,instance=host-a"))
	w.putAlert("id4", anAlert("alertname=Old,instance=host-a"))
	names := func(path string) (alerts, incidents string) {
		d := into[struct {
			Alerts []struct {
				Labels   itsm.Labels
				Incident string
			}
			Incidents []struct{ ID string }
		}](t, w.get(path))
		var alertsSb296 strings.Builder
		for _, a := range d.Alerts {
			alertsSb296.WriteString(a.Labels.Get("alertname") + "@" + a.Incident)
		}
		alerts += alertsSb296.String()
		var incidentsSb299 strings.Builder
		for _, i := range d.Incidents {
			incidentsSb299.WriteString(i.ID)
		}
		incidents += incidentsSb299.String()
		return alerts, incidents
	}
	if a, i := names("/api/v1/items/host-a"); a != "Down@id1" || i != "id1" {
		t.Errorf("host-a: alerts %s, incidents %s", a, i)
	}
	if a, i := names("/api/v1/items/sw-1"); a != "" || i != "id2" {
		t.Errorf("sw-1, the silent cause: alerts %q, incidents %q", a, i)
	}
}

func TestRelations(t *testing.T) {
	w := newWorld(t, shards(2))
	w.adopting()
	w.put("/api/v1/estate", twoHosts+"  - {from: host-a, type: depends_on, to: host-b}\n")
	for _, tc := range []struct{ query, want string }{
		{"", "host-a connects_to sw-1, host-a depends_on host-b, host-b connects_to sw-1"},
		{"?item=host-b", "host-a depends_on host-b, host-b connects_to sw-1"},
		{"?type=depends_on", "host-a depends_on host-b"},
		{"?item=nobody", ""},
	} {
		var rows []string
		for next := ""; ; {
			got := into[struct {
				Relations []itsm.Relation
				Next      *string
			}](t, w.get("/api/v1/relations?limit=1&"+strings.TrimPrefix(tc.query, "?")+next))
			for _, r := range got.Relations {
				rows = append(rows, r.From+" "+string(r.Type)+" "+r.To)
			}
			if got.Next == nil {
				break
			}
			next = "&cursor=" + *got.Next
		}
		if got := strings.Join(rows, ", "); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.query, got, tc.want)
		}
	}
}

func TestImpact_isAsOfAMoment(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	w.put("/api/v1/estate", twoHosts)
	for at, want := range map[string]string{"": "host-a", "?at=2025-06-01T00:00:00Z": "host-a host-b"} {
		got := into[impactAnswer](t, w.get("/api/v1/items/sw-1/impact"+at))
		var hurt []string
		for _, e := range got.Effects {
			hurt = append(hurt, e.Item)
			if e.Hops != 1 || strings.Join(e.Path, " ") != "sw-1 "+e.Item || e.Reason == "" {
				t.Errorf("%s: effect %+v", at, e)
			}
		}
		if strings.Join(hurt, " ") != want {
			t.Errorf("%s: hurts %v, want %s", at, hurt, want)
		}
	}
	for path, status := range map[string]int{"/api/v1/items/sw-1/impact?at=noon": 400, "/api/v1/items/nope/impact": 404, "/api/v1/items/nope": 404} {
		if got := w.get(path); got.status != status {
			t.Errorf("%s: %d, want %d", path, got.status, status)
		}
	}
}

func TestPath_drawsTheWayFromWhereMonitoringLooks(t *testing.T) {
	w := newRoom(t)
	w.adopting()
	w.put("/api/v1/estate", `
items:
  - {id: prom, class: host, vantage: true}
  - {id: core, class: switch}
  - {id: sw-1, class: switch, name: Core switch 1}
  - {id: sw-2, class: switch}
  - {id: host-a, class: host}
  - {id: app, class: application}
relations:
  - {from: prom, type: connects_to, to: core}
  - {from: sw-1, type: connects_to, to: core}
  - {from: sw-2, type: connects_to, to: core}
  - {from: host-a, type: connects_to, to: sw-1}
  - {from: app, type: runs_on, to: host-a}
`)
	w.putIncident(anIncident(1, func(i *itsm.Incident) { i.Items, i.ItemCount = []string{"host-a", "app"}, 2 }))
	w.putAlert("id1", anAlert("alertname=Down"))
	got := into[pathAnswer](t, w.get("/api/v1/incidents/id1/path"))
	roles := map[string]string{}
	for _, n := range got.Nodes {
		roles[n.ID] = n.Role + " " + n.State
	}
	want := map[string]string{
		"prom": "vantage reachable", "core": "way reachable", "sw-1": "cause silent", "sw-2": "sibling reachable", "host-a": "affected firing",
		"app": "affected silent",
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	var lost []string
	for _, l := range got.Links {
		if l.Lost {
			lost = append(lost, l.From+">"+l.To)
		}
	}
	if diff := cmp.Diff([]string{"sw-1>host-a", "host-a>app"}, lost); diff != "" {
		t.Errorf("lost links (-want +got):\n%s", diff)
	}
	if got.Cause == nil || *got.Cause != "sw-1" || got.AffectedTotal != 2 || got.Sentence != "Core switch 1 reports nothing itself; its failure reaches 2 affected items." {
		b, _ := json.Marshal(got)
		t.Errorf("got %s", b)
	}
	w.putIncident(anIncident(2, func(i *itsm.Incident) { i.Causes = nil }))
	if got := into[pathAnswer](t, w.get("/api/v1/incidents/id2/path")); got.Cause != nil || len(got.Nodes) != 0 || got.Sentence == "" {
		t.Errorf("without a cause: %+v", got)
	}
}
