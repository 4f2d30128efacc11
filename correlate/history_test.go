package correlate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"signalbox/correlate/learn"
	"signalbox/itsm"
	"signalbox/sla"
)

func start() time.Time { return time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC) }

// labelSet reads "alertname key=value …".
func labelSet(text string) itsm.Labels {
	fields := strings.Fields(text)
	m := map[string]string{"alertname": fields[0]}
	for _, f := range fields[1:] {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return itsm.NewLabels(m)
}

// estates are three states of one small estate: a network with pods, services over a database and a redundancy
// group, machines; then with hosts moved, gone and renamed, and with relations that begin and end.
func estates() [][]byte {
	base := `
item mon host vantage
item core switch name="Core switch" criticality=1
item sw-[1-3] switch
relation mon connects_to core
relation sw-[1-3] connects_to core
item h[1-3][1-3] host
relation h1[1-3] connects_to sw-1
relation h2[1-3] connects_to sw-2
item p[1-3][1-3] pod
relation p[1-3][1-3] runs_on h1[=]
item web service min=2 criticality=1
relation p1[1-3] member_of web
item db database
item [cart,mail] service
relation [cart,mail,web] depends_on db
item filler machine
item labeller machine
item plc plc
relation filler feeds labeller buffer=1m
relation plc controls filler
binding preset=kubernetes
`
	return [][]byte{
		estateOf(base + "relation h3[1-3] connects_to sw-3\n"),
		estateOf(strings.ReplaceAll(base, "item [cart,mail] service", "item cart service\nitem post service by=item=mail\nitem mail application by=old=mail") +
			"relation h3[1-3] connects_to sw-2\n"),
		estateOf(base + "relation h3[1-2] connects_to sw-3 to=10:20:00\nrelation h3[1-3] connects_to sw-1 from=10:20:00\n"),
	}
}

// estateOf reads the lines of an estate as testdata/README.md describes them.
func estateOf(text string) []byte {
	p := &scriptParser{now: start(), rules: map[string]any{}}
	for line := range strings.SplitSeq(text, "\n") {
		if err := p.read(line); err != nil {
			panic(fmt.Sprintf("%s: %v", line, err))
		}
	}
	return p.version().Data
}

// history is a random life of the small estate: alerts that come, go, repeat, come late and expire, changes, commands,
// other estates and rules, and silence.
type history struct {
	rand    *rand.Rand
	at      time.Time
	records []itsm.Record
	serial  int
	estates [][]byte
	rules   bool // adopt other estates and rules, and let people command
}

func newHistory(source rand.Source, length int) []itsm.Record {
	h := &history{rand: rand.New(source), at: start(), estates: estates(), rules: true} //nolint:gosec // a repeatable test
	h.add(itsm.Input{Adopt: &itsm.Adopt{Estate: h.estate(0)}})
	if h.rand.IntN(2) == 0 {
		h.add(itsm.Input{Adopt: &itsm.Adopt{Patterns: h.patterns()}})
	}
	for len(h.records) < length {
		h.step()
	}
	return h.records
}

func (h *history) estate(i int) *itsm.Version {
	return &itsm.Version{ID: fmt.Sprintf("v%d", i+1), Data: h.estates[i]}
}

func (h *history) add(in itsm.Input) {
	h.records = append(h.records, itsm.Record{Offset: int64(len(h.records)), Time: h.at, Input: in})
}

func (h *history) step() {
	pauses := []time.Duration{0, time.Millisecond, time.Second, 7 * time.Second, time.Minute, 3 * time.Minute, 11 * time.Minute, 2 * time.Hour, 30 * time.Hour}
	h.at = h.at.Add(pauses[h.weighted(10, 20, 40, 20, 10, 4, 3, 1, 1)] + time.Duration(h.rand.IntN(1000))*time.Microsecond)
	in := itsm.Input{}
	for range 1 + h.rand.IntN(4) {
		what := h.weighted(60, 4, 12, 1, 1, 3)
		switch {
		case what == 1:
			in.Changes = append(in.Changes, h.change())
		case what == 2 && h.rules:
			in.Commands = append(in.Commands, h.command())
		case what == 3 && h.rules:
			in.Adopt = &itsm.Adopt{Estate: h.estate(h.rand.IntN(len(h.estates)))}
		case what == 4 && h.rules:
			if in.Adopt = (&itsm.Adopt{Rules: h.newRules()}); h.rand.IntN(2) == 0 {
				in.Adopt = &itsm.Adopt{Patterns: h.patterns()}
			}
		case what == 5 && h.rules:
			in.Silences = append(in.Silences, h.silence())
		default:
			in.Alerts = append(in.Alerts, h.alert())
		}
	}
	h.add(in)
}

func (h *history) weighted(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := h.rand.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	return 0
}

func (h *history) change() itsm.Change {
	c := itsm.Change{
		ID: fmt.Sprintf("c%d", h.rand.IntN(4)), Kind: "deploy", Items: []string{h.item()}, Status: itsm.ChangeStatuses()[h.rand.IntN(5)],
		StartsAt: h.at.Add(time.Duration(h.rand.IntN(4)-3) * time.Minute), Title: "release",
	}
	if h.rand.IntN(2) == 0 {
		end := h.at.Add(time.Duration(h.rand.IntN(20)-2) * time.Minute)
		c.Kind, c.EndsAt, c.Status = itsm.ChangeMaintenance, &end, []string{"", "planned", "started", "failed"}[h.rand.IntN(4)]
		if h.rand.IntN(4) == 0 {
			c.EndsAt = nil
		}
	}
	return c
}

func (h *history) silence() itsm.Silence {
	s := itsm.Silence{
		ID: fmt.Sprintf("s%d", h.rand.IntN(5)), CreatedBy: "maria", Comment: strconv.Itoa(h.rand.IntN(2)),
		StartsAt: h.at.Add(time.Duration(h.rand.IntN(6)-4) * time.Minute), UpdatedAt: h.at,
	}
	s.EndsAt = s.StartsAt.Add(time.Duration(h.rand.IntN(20)) * time.Minute)
	m := itsm.Matcher{Name: "item", Value: h.item(), IsEqual: true}
	switch h.rand.IntN(5) {
	case 0:
		m = itsm.Matcher{Name: "alertname", Value: "Host.*|High.*", IsRegex: true, IsEqual: true}
	case 1:
		m = itsm.Matcher{Name: "alertname", Value: "HostDown", IsEqual: true}
	case 2:
		m = itsm.Matcher{Name: "incident", Value: fmt.Sprintf("INC-%06d", 1+h.rand.IntN(12)), IsEqual: true}
	}
	s.Matchers = []itsm.Matcher{m}
	if h.rand.IntN(3) == 0 {
		s.Matchers = append(s.Matchers, itsm.Matcher{Name: "priority", Value: strconv.Itoa(1 + h.rand.IntN(5)), IsEqual: h.rand.IntN(4) > 0})
	}
	if h.rand.IntN(6) == 0 {
		s.Matchers = append(s.Matchers, itsm.Matcher{Name: "cause", Value: h.item(), IsEqual: true})
	}
	if h.rand.IntN(3) == 0 {
		s.Matchers = append(s.Matchers, itsm.Matcher{Name: "severity", Value: "critical"})
	}
	return s
}

func (h *history) newRules() *itsm.Version {
	cfg := DefaultConfig()
	minutes := 1 + h.rand.IntN(10)
	cfg.Incident.AutoResolveAfter = time.Duration(minutes) * time.Minute
	id := fmt.Sprintf("r%d", minutes)
	if n := h.rand.IntN(3); n > 0 {
		id += fmt.Sprintf("-%d", n)
		cfg.SLA.Targets = []sla.TargetConfig{
			{Name: "urgent", Metric: itsm.MetricResolution, Priorities: []int{1, 2}, Within: time.Duration(n) * 10 * time.Minute},
			{Name: "rest", Metric: itsm.MetricResolution, Within: time.Duration(n) * 20 * time.Minute, PauseOn: []string{}},
			{Name: "answer", Metric: itsm.MetricResponse, Within: time.Duration(n) * 3 * time.Minute},
		}
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		panic(err)
	}
	return &itsm.Version{ID: id, Data: data}
}

// patterns are some, with a past of their own now and then.
func (h *history) patterns() *itsm.Version {
	f := learn.File{TypeLabel: "alertname", Scope: []learn.Scope{learn.ScopeRelated, learn.ScopeTwoHops, learn.ScopeAnywhere}[h.rand.IntN(3)], Until: h.at}
	for _, p := range []string{"DiskFull HighLatency", "HostDown HighErrorRate", "HighErrorRate DiskFull", "Unknown HostDown"} {
		cause, effect, _ := strings.Cut(p, " ")
		f.Patterns = append(f.Patterns, learn.FilePattern{
			Cause: cause, Effect: effect, Score: 0.5 + h.rand.Float64()/2, Support: 10, LagSeconds: learn.FileLag{P50: 10, P90: 100}, Off: h.rand.IntN(4) == 0,
		})
	}
	if h.rand.IntN(2) == 0 {
		f.Windows, f.RecentWindows = h.rand.IntN(50), 0.5
		f.Rates = []learn.FileRate{{Item: "db", Type: "DiskFull", Windows: f.Windows / 2, RecentWindows: 0.25}}
	}
	data, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return &itsm.Version{ID: fmt.Sprintf("p%d", h.rand.Uint32()), Data: data}
}

// item is mostly one of a few neighbours, so that alerts meet.
func (h *history) item() string {
	switch h.rand.IntN(4) {
	case 0:
		return fmt.Sprintf("h1%d", 1+h.rand.IntN(3))
	case 1:
		return fmt.Sprintf("%s%d%d", []string{"h", "p"}[h.rand.IntN(2)], 1+h.rand.IntN(3), 1+h.rand.IntN(3))
	}
	items := strings.Fields("core sw-1 sw-2 sw-3 web db cart mail post filler labeller plc p11 p12 nothing")
	return items[h.rand.IntN(len(items))]
}

func (h *history) alert() itsm.Alert {
	names := strings.Fields("HostDown HostDown PodDown TargetDown DiskFull HighLatency HighErrorRate MachineStarved MachineBlocked Watchdog Unknown")
	text := names[h.rand.IntN(len(names))] + " item=" + h.item()
	switch h.rand.IntN(12) {
	case 0:
		text += " severity=info"
	case 1:
		text = fmt.Sprintf("KubePodNotReady namespace=shop pod=cart-7d9f8b6c5-x2x4%d node=n%d severity=critical", 2+h.rand.IntN(3), h.rand.IntN(2))
	case 2:
		text = fmt.Sprintf("Lonely job=j%d", h.rand.IntN(3))
	case 3:
		text += " severity=critical"
	}
	ls := labelSet(text)
	a := itsm.Alert{Labels: ls, Fingerprint: ls.Fingerprint(), Status: itsm.StatusFiring, Source: fmt.Sprintf("prom-%d", h.rand.IntN(2))}
	if h.rand.IntN(4) > 0 {
		a.StartsAt = h.at.Add(-time.Duration(h.rand.IntN(300)) * time.Second)
	}
	switch h.rand.IntN(6) {
	case 0, 1:
		a.Status = itsm.StatusResolved
		if h.rand.IntN(2) == 0 {
			a.EndsAt = h.at
		}
		if h.rand.IntN(2) == 0 {
			a.StartsAt = time.Time{}
		}
	case 2:
		a.EndsAt = h.at.Add(time.Duration(h.rand.IntN(400)) * time.Second)
	case 3:
		a.Resend = true
	case 4:
		if !a.StartsAt.IsZero() {
			a.EndsAt = a.StartsAt
		}
	}
	if a.Status == itsm.StatusFiring && h.rand.IntN(4) == 0 {
		a.Suppressed = "inhibited"
	}
	if h.rand.IntN(3) == 0 {
		a.Annotations = itsm.NewLabels(map[string]string{"summary": strconv.Itoa(h.rand.IntN(3))})
	}
	return a
}

// seen is the fingerprint of an alert that has come, mostly of a late one.
func (h *history) seen() itsm.Fingerprint {
	for range 4 {
		if r := h.records[len(h.records)-1-h.rand.IntN(min(20, len(h.records)))]; len(r.Input.Alerts) > 0 {
			return r.Input.Alerts[h.rand.IntN(len(r.Input.Alerts))].Fingerprint
		}
	}
	return labelSet("HostDown item=h11").Fingerprint()
}

func (h *history) ref() itsm.IncidentRef {
	if h.rand.IntN(2) == 0 {
		return itsm.IncidentRef{ID: fmt.Sprintf("INC-%06d", 1+h.rand.IntN(12))}
	}
	return itsm.IncidentRef{Alert: h.seen()}
}

func (h *history) command() itsm.Command {
	h.serial++
	actions := itsm.Actions()
	c := itsm.Command{ID: fmt.Sprintf("k%d", h.serial), Action: actions[h.rand.IntN(len(actions))], Incident: h.ref(), By: "maria"}
	until := h.at.Add(time.Duration(1+h.rand.IntN(20)) * time.Minute)
	switch c.Action {
	case itsm.ActionAssign:
		c.Person = itsm.Some("paul")
	case itsm.ActionComment:
		c.Text = "seen"
	case itsm.ActionPriority:
		c.Priority = itsm.Some(1 + h.rand.IntN(5))
	case itsm.ActionHold:
		c.Reason, c.Until = "awaiting_vendor", &until
	case itsm.ActionSnooze:
		c.Until = &until
	case itsm.ActionMerge:
		ref := h.ref()
		c.Into = &ref
	case itsm.ActionSplit:
		c.Incident = itsm.IncidentRef{Alert: h.seen()}
		c.Alerts = []itsm.Fingerprint{c.Incident.Alert}
	case itsm.ActionMove:
		ref := h.ref()
		c.Incident = itsm.IncidentRef{Alert: h.seen()}
		c.To, c.Alerts = &ref, []itsm.Fingerprint{c.Incident.Alert}
	case itsm.ActionConfirmCause, itsm.ActionRejectCause:
		if c.Item = h.item(); h.rand.IntN(4) == 0 {
			c.Item, c.Change = "", fmt.Sprintf("c%d", h.rand.IntN(4))
		}
	case itsm.ActionUndo:
		n := 1 + h.rand.IntN(8)
		c.Entry = &n
	}
	return c
}
