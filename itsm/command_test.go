package itsm

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whole returns a valid command for each action, with everything that it may carry.
func whole() map[Action]string {
	return map[Action]string{
		ActionAcknowledge:   ``,
		ActionUnacknowledge: ``,
		ActionStart:         ``,
		ActionResume:        ``,
		ActionReopen:        ``,
		ActionClose:         ``,
		ActionCancel:        ``,
		ActionAssign:        `,"team":"netops","person":null`,
		ActionComment:       `,"text":"looking","public":true`,
		ActionPriority:      `,"priority":null,"reason":"one customer"`,
		ActionHold:          `,"reason":"awaiting_vendor","until":"2026-01-02T12:00:00Z"`,
		ActionSnooze:        `,"until":"2026-01-02T12:00:00Z"`,
		ActionResolve:       `,"code":"fixed","notes":"cable"`,
		ActionMerge:         `,"into":"INC-000001"`,
		ActionSplit:         `,"alerts":["0123456789abcdef"]`,
		ActionMove:          `,"alerts":["0123456789abcdef"],"to":{"alert":"fedcba9876543210"}`,
		ActionConfirmCause:  `,"item":"sw-1"`,
		ActionRejectCause:   `,"change":"deploy-77"`,
		ActionUndo:          `,"entry":4`,
	}
}

func command(t *testing.T, action Action, rest string) Command {
	t.Helper()
	var c Command
	text := `{"id":"k","action":"` + string(action) + `","incident":"INC-000002","by":"maria","commandRevision":3,"comment":"why"` + rest + `}`
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestCommand_JSONReadsBack(t *testing.T) {
	for _, action := range Actions() {
		rest, ok := whole()[action]
		if !ok {
			t.Fatalf("the test lacks %s", action)
		}
		c := command(t, action, rest)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", action, err)
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Command
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back); diff != "" {
			t.Errorf("%s: %s", action, diff)
		}
	}
}

func TestCommand_Validate(t *testing.T) {
	for _, tc := range []struct {
		action Action
		rest   string
		want   []string
	}{
		{ActionAcknowledge, `,"text":"no"`, []string{"text"}},
		{ActionAcknowledge, `,"team":null`, []string{"team"}},
		{ActionAssign, ``, []string{"person"}},
		{ActionAssign, `,"team":null`, nil},
		{ActionAssign, `,"person":"maria"`, nil},
		{ActionComment, ``, []string{"text"}},
		{ActionComment, `,"public":true`, []string{"text"}},
		{ActionPriority, ``, []string{"priority"}},
		{ActionPriority, `,"priority":0`, []string{"priority"}},
		{ActionPriority, `,"priority":6`, []string{"priority"}},
		{ActionPriority, `,"priority":5`, nil},
		{ActionHold, `,"until":"2026-01-02T12:00:00Z"`, []string{"reason"}},
		{ActionHold, `,"reason":"x"`, nil},
		{ActionHold, `,"reason":"x","until":"2500-01-02T12:00:00Z"`, []string{"until"}},
		{ActionSnooze, ``, []string{"until"}},
		{ActionSnooze, `,"until":"1960-01-02T12:00:00Z"`, []string{"until"}},
		{ActionResolve, ``, nil},
		{ActionResolve, `,"reason":"x","entry":0`, []string{"reason", "entry"}},
		{ActionMerge, ``, []string{"into"}},
		{ActionMerge, `,"to":"INC-000001"`, []string{"into", "to"}},
		{ActionSplit, `,"alerts":[]`, []string{"alerts"}},
		{ActionMove, ``, []string{"alerts", "to"}},
		{ActionConfirmCause, ``, []string{"item"}},
		{ActionConfirmCause, `,"item":"a","change":"b"`, []string{"item"}},
		{ActionRejectCause, `,"item":"a","notes":"n"`, []string{"notes"}},
		{ActionUndo, ``, []string{"entry"}},
		{ActionUndo, `,"entry":0`, nil},
		{"explode", ``, []string{"action"}},
	} {
		c := command(t, tc.action, tc.rest)
		if got := fields(t, c.Validate()); !slices.Equal(got, tc.want) {
			t.Errorf("%s%s: got faults in %q, want %q", tc.action, tc.rest, got, tc.want)
		}
	}
	empty := Command{}
	if got := fields(t, empty.Validate()); !slices.Equal(got, []string{"id", "incident", "action"}) {
		t.Errorf("an empty command has faults in %q", got)
	}
}

func TestIncidentRef_JSON(t *testing.T) {
	for text, want := range map[string]IncidentRef{
		`"INC-000001"`:                 {ID: "INC-000001"},
		`{"alert":"0123456789abcdef"}`: {Alert: 0x0123456789abcdef},
	} {
		var got IncidentRef
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if b, err := json.Marshal(got); err != nil || string(b) != text {
			t.Errorf("%s: written as %s, %v", text, b, err)
		}
	}
	for _, bad := range []string{`7`, `["a"]`, `{"id":"x"}`, `{"alert":"zz"}`, `true`} {
		var got IncidentRef
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is taken as %+v", bad, got)
		}
	}
}

func TestOptional_tellsAbsentAndNullApart(t *testing.T) {
	var v struct {
		A Optional[string] `json:"a,omitzero"`
		B Optional[string] `json:"b,omitzero"`
		C Optional[string] `json:"c,omitzero"`
	}
	const text = `{"b":null,"c":"x"}`
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	if v.A.Set || !v.B.Set || v.B.Value != nil || !v.C.Set || *v.C.Value != "x" {
		t.Errorf("got %+v", v)
	}
	if b, err := json.Marshal(v); err != nil || string(b) != text {
		t.Errorf("written as %s, %v", b, err)
	}
	if s := Some(5); !s.Set || *s.Value != 5 {
		t.Errorf("got %+v", s)
	}
}

func TestAlert_Group(t *testing.T) {
	a := Alert{Labels: NewLabels(map[string]string{"alertname": "A", "cluster": "c", "pod": "p"})}
	b := Alert{Labels: NewLabels(map[string]string{"alertname": "A", "cluster": "c", "pod": "q"})}
	c := Alert{Labels: NewLabels(map[string]string{"alertname": "A", "service": "c"})}
	if a.Group() != b.Group() || a.Group() == c.Group() {
		t.Errorf("groups are %q, %q, %q", a.Group(), b.Group(), c.Group())
	}
	if a.GroupKey = "{}:{}"; a.Group() != "{}:{}" {
		t.Errorf("Alertmanager's own key is lost: %q", a.Group())
	}
}

func TestInput_Empty(t *testing.T) {
	if !(&Input{}).Empty() {
		t.Error("nothing is not a tick")
	}
	for name, in := range map[string]Input{
		"adopt": {Adopt: &Adopt{}}, "changes": {Changes: []Change{{}}}, "alerts": {Alerts: []Alert{{}}}, "commands": {Commands: []Command{{}}},
	} {
		if in.Empty() {
			t.Errorf("%s are a tick", name)
		}
	}
}

// keys returns the field names of a JSON object, sorted.
func keys(t *testing.T, v any) []string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	var out []string
	for k, v := range m {
		if strings.HasPrefix(string(v), "null") && slices.Contains([]string{"services", "links", "externalRefs", "items", "causes", "labels", "annotations"}, k) {
			t.Errorf("%s is null instead of empty", k)
		}
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func sorted(text string) []string {
	out := strings.Fields(text)
	slices.Sort(out)
	return out
}

const incidentFields = `id number revision commandRevision state title severity impact urgency priority priorityOverride category site services
	team assignee startedAt openedAt updatedAt acknowledgedAt acknowledgedBy onHoldReason holdUntil snoozedUntil resolvedAt resolutionCode
	resolutionNotes closedAt reopenCount flapping fleeting maintenance mergedInto links externalRefs items itemCount alertCounts causes sla slaDueAt`

func TestIncident_JSONHasEveryField(t *testing.T) {
	for _, tc := range []struct {
		name string
		v    any
		want string
	}{
		{"complete", Incident{Alerts: []AlertState{}}, incidentFields + " alerts"},
		{"row", Incident{Alerts: []AlertState{{}}}.Row(), incidentFields},
		{"counts", AlertCounts{}, "firing resolved expired suppressed maintenance total"},
		{"cause", Cause{Evidence: []Evidence{{Kind: EvidenceOwn, Text: "x", Weight: 1}}}, "item change name class score reporting recovered evidence"},
		{"cause of a row", Incident{Causes: []Cause{{Evidence: []Evidence{{}}}}}.Row().Causes[0], "item change name class score reporting recovered"},
		{"evidence", Evidence{}, "kind text weight"},
		{"alert", AlertState{}, `fingerprint labels annotations status severity item startsAt lastStartsAt endsAt lastSeenAt joinedAt count
			source generatorURL acknowledged suppressed silencedBy maintenance flapping evidence group`},
		{"entry", Entry{}, "seq at by kind text undoable data"},
		{"link", Link{}, "type to"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(sorted(tc.want), keys(t, tc.v)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIncident_JSONReadsBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 10, 0, 0, 123456789, time.UTC)
	item, who := "host-a", "maria"
	inc := Incident{
		ID: "i", Number: "INC-000001", Revision: 7, State: StateOnHold, Title: "x", Severity: SeverityMajor, Services: []string{"s"}, Team: &who,
		StartedAt: at, OpenedAt: at, UpdatedAt: at, HoldUntil: &at, Links: []Link{{LinkSplitTo, "j"}}, SLA: []Clock{{Name: "P1", Metric: MetricResolution, State: ClockRunning, TargetSeconds: 60, StartedAt: at, DueAt: &at}}, SLADueAt: &at, ExternalRefs: []ExternalRef{{System: "jira", ID: "1"}},
		Items: []string{item}, ItemCount: 1, AlertCounts: AlertCounts{Firing: 1, Total: 1},
		Causes: []Cause{{Item: item, Score: 0.5, Evidence: []Evidence{{EvidenceTime, "t", 1}}}},
		Alerts: []AlertState{{
			Fingerprint: 1, Labels: Labels{{"a", "b"}}, Status: StatusFiring, Item: &item, StartsAt: at, Acknowledged: &Acknowledgement{who, at},
			SilencedBy: []string{}, Evidence: []Evidence{},
		}},
	}
	b, err := json.Marshal(inc)
	if err != nil {
		t.Fatal(err)
	}
	var back Incident
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(inc, back); diff != "" {
		t.Error(diff)
	}
}

func TestIncident_RowLeavesTheOriginalAlone(t *testing.T) {
	inc := Incident{Causes: []Cause{{Item: "a", Evidence: []Evidence{{EvidenceOwn, "x", 1}}}}, Alerts: []AlertState{{Count: 1}}}
	row := inc.Row()
	if row.Alerts != nil || row.Causes[0].Evidence != nil || row.Causes[0].Item != "a" {
		t.Errorf("got %+v", row)
	}
	if len(inc.Alerts) != 1 || len(inc.Causes[0].Evidence) != 1 {
		t.Error("the incident has lost something")
	}
}
