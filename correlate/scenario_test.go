package correlate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/itsm"
)

// TestScenarios runs the specification: every script of testdata three times. A restored engine must say at
// every record what the live one says; records that come twice must change nothing.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 28 {
		t.Fatalf("%d scripts (%v), want 28 at least", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseScript(string(text))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			live := play(t, file, s, nil, 1)
			if t.Failed() {
				return
			}
			t.Run("restored", func(t *testing.T) {
				restored := play(t, file, s, newRecovery(), 1)
				for i := range min(len(live.said), len(restored.said)) {
					if live.said[i] != restored.said[i] {
						t.Fatalf("%s:%d: after a restore the engine says something else (-live +restored):\n%s",
							file, s.steps[i].line, diff(live.said[i], restored.said[i]))
					}
				}
			})
			t.Run("twice", func(t *testing.T) {
				twice := play(t, file, s, nil, 2)
				if want, got := asJSON(t, live.e.Incidents()), asJSON(t, twice.e.Incidents()); got != want {
					t.Errorf("%s: records that come twice change the incidents (-once +twice):\n%s", file, diff(want, got))
				}
				if want, got := asJSON(t, live.e.Alerts()), asJSON(t, twice.e.Alerts()); got != want {
					t.Errorf("%s: records that come twice change the other alerts (-once +twice):\n%s", file, diff(want, got))
				}
			})
		})
	}
}

// recovery keeps what a checkpoint topic holds and the versions that were adopted.
type recovery struct {
	saved    store
	versions map[string][]byte
}

func newRecovery() *recovery { return &recovery{store{}, map[string][]byte{}} }

// learn keeps the versions that an input adopts.
func (r *recovery) learn(in *itsm.Input) {
	if a := in.Adopt; a != nil {
		for _, v := range []*itsm.Version{a.Estate, a.Rules} {
			if v != nil {
				r.versions[v.ID] = v.Data
			}
		}
	}
}

// renew restores the engine from its checkpoint.
func (r *recovery) renew(tb testing.TB, e *Engine) *Engine {
	tb.Helper()
	r.saved.save(e)
	return r.saved.restore(tb, e.Position(), r.versions)
}

// play runs a script, each record so many times. With a recovery the engine is restored after every record.
func play(t *testing.T, file string, s *script, r *recovery, times int) *world {
	t.Helper()
	w := newWorld(t, newEngine(t))
	for i := range s.steps {
		st := &s.steps[i]
		w.where = fmt.Sprintf("%s:%d", file, st.line)
		in := w.resolve(st)
		var said strings.Builder
		for n := range times {
			updates := w.e.Apply(st.at, in)
			w.take(updates)
			if n == 0 && len(in.Alerts) < 200 {
				said.WriteString(asJSON(t, updates))
			}
			if r != nil {
				r.learn(&in)
				w.e = r.renew(t, w.e)
			}
		}
		w.said = append(w.said, said.String())
		for j := range st.commands {
			w.answer(file, &in.Commands[j], &st.commands[j])
		}
		if len(st.expect) > 0 {
			checkInvariants(t, w.e)
			w.compareWithTopics()
		}
		for j := range st.expect {
			w.check(file, &st.expect[j])
		}
		if t.Failed() {
			t.Log(w.dump())
			return w
		}
	}
	return w
}

// world is an engine and what its topics say.
type world struct {
	t          testing.TB
	e          *Engine
	where      string
	said       []string // the updates of each record
	rows       map[string]itsm.Incident
	causes     map[string][]itsm.Cause
	phases     map[string]itsm.Phases
	alerts     map[string]map[itsm.Fingerprint]itsm.AlertState // by the incident they were published in
	timeline   map[string]map[int]itsm.Entry
	outcomes   map[string]itsm.Outcome
	problems   map[string]itsm.Problem
	discovered map[string]bool
	fault      string
}

func newWorld(tb testing.TB, e *Engine) *world {
	tb.Helper()
	return &world{
		t: tb, e: e, rows: map[string]itsm.Incident{}, causes: map[string][]itsm.Cause{}, phases: map[string]itsm.Phases{}, alerts: map[string]map[itsm.Fingerprint]itsm.AlertState{},
		timeline: map[string]map[int]itsm.Entry{}, outcomes: map[string]itsm.Outcome{}, discovered: map[string]bool{}, problems: map[string]itsm.Problem{},
	}
}

// take applies updates as the readers of the topics do, and holds what they rely on.
func (w *world) take(updates []itsm.Update) {
	w.t.Helper()
	for i := range updates {
		u := &updates[i]
		if inc := u.Incident; inc != nil {
			if have := w.rows[inc.ID].Revision; inc.Revision != have+1 {
				w.t.Fatalf("%s: revision %d of %s follows %d", w.where, inc.Revision, inc.Number, have)
			}
			if have := w.rows[inc.ID]; inc.CommandRevision < have.CommandRevision || inc.UpdatedAt.Before(have.UpdatedAt) {
				w.t.Fatalf("%s: %s goes back: %+v after %+v", w.where, inc.Number, inc, have)
			}
			w.rows[inc.ID] = *inc
		}
		if u.Phases != nil {
			w.phases[u.IncidentID] = *u.Phases
		}
		if u.Causes != nil {
			w.causes[u.IncidentID] = u.Causes
		}
		for _, a := range u.Alerts {
			if w.alerts[a.Incident] == nil {
				w.alerts[a.Incident] = map[itsm.Fingerprint]itsm.AlertState{}
			}
			if a.State == nil {
				delete(w.alerts[a.Incident], a.Fingerprint)
			} else {
				w.alerts[a.Incident][a.Fingerprint] = *a.State
			}
		}
		for _, entry := range u.Entries {
			if w.timeline[u.IncidentID] == nil {
				w.timeline[u.IncidentID] = map[int]itsm.Entry{}
			}
			w.timeline[u.IncidentID][entry.Seq] = entry
		}
		if u.Forget {
			w.forget(u)
		}
		w.takeProblem(u)
		if u.Outcome != nil {
			w.outcomes[u.Outcome.Command] = *u.Outcome
		}
		if u.Adopted != nil {
			w.fault = u.Adopted.Fault
		}
		for _, it := range u.Items {
			w.discovered[it.ID] = true
		}
		for _, r := range u.Relations {
			w.discovered[r.From+" "+string(r.Type)+" "+r.To] = true
		}
	}
}

// takeProblem holds that revisions of candidates only grow, until one is gone.
func (w *world) takeProblem(u *itsm.Update) {
	w.t.Helper()
	delete(w.problems, u.ForgetProblem)
	if p := u.Problem; p != nil {
		if have := w.problems[p.ID]; p.Revision <= have.Revision {
			w.t.Fatalf("%s: revision %d of %q follows %d", w.where, p.Revision, p.Title, have.Revision)
		}
		w.problems[p.ID] = *p
	}
}

func (w *world) forget(u *itsm.Update) {
	if len(w.alerts[u.IncidentID]) > 0 {
		w.t.Fatalf("%s: %s is forgotten and leaves alerts behind: %+v", w.where, u.IncidentID, w.alerts[u.IncidentID])
	}
	if len(w.timeline[u.IncidentID]) > u.ForgetEntries {
		w.t.Fatalf("%s: %s is forgotten and leaves entries behind", w.where, u.IncidentID)
	}
	delete(w.rows, u.IncidentID)
	delete(w.phases, u.IncidentID)
	delete(w.causes, u.IncidentID)
	delete(w.timeline, u.IncidentID)
}

// compareWithTopics holds that whoever follows the topics knows what the engine knows. A re-send moves when an
// alert was last seen without saying so.
func (w *world) compareWithTopics() {
	w.t.Helper()
	held := map[string]map[itsm.Fingerprint]itsm.AlertState{}
	for id, alerts := range w.alerts {
		for row := w.rows[id]; row.MergedInto != nil; row = w.rows[id] {
			id = *row.MergedInto
		}
		if held[id] == nil {
			held[id] = map[itsm.Fingerprint]itsm.AlertState{}
		}
		for fp, a := range alerts {
			if _, twice := held[id][fp]; twice && id != itsm.NoIncident {
				w.t.Fatalf("%s: alert %s stands twice under %s", w.where, fp, w.rows[id].Number)
			}
			held[id][fp] = a
		}
	}
	incidents := w.e.Incidents()
	if len(incidents) != len(w.rows) {
		w.t.Fatalf("%s: the topic has %d incidents, the engine %d", w.where, len(w.rows), len(incidents))
	}
	same := func(what string, got, want any) {
		w.t.Helper()
		if want, got := asJSON(w.t, want), asJSON(w.t, got); got != want {
			w.t.Fatalf("%s: %s on the topic is not what the engine holds (-engine +topic):\n%s", w.where, what, diff(want, got))
		}
	}
	for i := range incidents {
		inc := &incidents[i]
		same(inc.Number, w.rows[inc.ID], inc.Row())
		if w.e.targets.Configured() && inc.State.Open() {
			same("phases of "+inc.Number, w.phases[inc.ID], itsm.Phases{Rules: w.e.rules, Phases: w.e.ids[inc.ID].phases})
		}
		if len(inc.Causes) > 0 {
			same("the causes of "+inc.Number, w.causes[inc.ID], inc.Causes)
		}
		if len(held[inc.ID]) != len(inc.Alerts) {
			w.t.Fatalf("%s: %s has %d alerts on the topic, %d in the engine", w.where, inc.Number, len(held[inc.ID]), len(inc.Alerts))
		}
		for _, a := range inc.Alerts[:min(500, len(inc.Alerts))] {
			b := held[inc.ID][a.Fingerprint]
			b.LastSeenAt = a.LastSeenAt
			same("an alert of "+inc.Number, b, a)
		}
	}
	problems := w.e.Problems()
	if len(problems) != len(w.problems) {
		w.t.Fatalf("%s: %d candidates for problems on the topic, %d in the engine", w.where, len(w.problems), len(problems))
	}
	for i := range problems {
		same("the candidate "+problems[i].Title, w.problems[problems[i].ID], problems[i])
	}
	if loose := w.e.Alerts(); len(loose) != len(held[itsm.NoIncident]) {
		w.t.Fatalf("%s: %d alerts without incident on the topic, %d in the engine", w.where, len(held[itsm.NoIncident]), len(loose))
	}
}

// resolve fills in what a command can only say now: the number of the entry to undo.
func (w *world) resolve(st *step) itsm.Input {
	in := st.in
	in.Commands = slices.Clone(in.Commands)
	for i := range in.Commands {
		if subject := st.commands[i].problem; subject != "" {
			p := w.problem(subject)
			if p == nil {
				w.t.Fatalf("%s: there is no %s", w.where, subject)
			}
			in.Commands[i].Problem = p.ID
		}
		kind := st.commands[i].entry
		if kind == "" {
			continue
		}
		inc, err := w.e.refer(in.Commands[i].Incident)
		if err != nil {
			w.t.Fatalf("%s: %v", w.where, err)
		}
		last := 0
		for seq, entry := range w.timeline[inc.row.ID] {
			if entry.Kind == kind && entry.Undoable {
				last = max(last, seq)
			}
		}
		if last == 0 {
			w.t.Fatalf("%s: %s has no entry %q that can be undone", w.where, inc.row.Number, kind)
		}
		in.Commands[i].Entry = &last
	}
	return in
}

// answer holds the outcome of a command.
func (w *world) answer(file string, c *itsm.Command, want *told) {
	w.t.Helper()
	got := w.outcomes[c.ID]
	if got.Status != want.status || !strings.Contains(got.Reason, want.reason) {
		w.t.Errorf("%s:%d: %s is answered %d %q, want %d %q", file, want.line, c.Action, got.Status, got.Reason, want.status, want.reason)
	}
	if p := w.problems[got.Problem]; got.Problem != "" && got.Status == 200 && got.Revision > p.Revision {
		w.t.Errorf("%s:%d: the outcome speaks of revision %d, the topic has %d", file, want.line, got.Revision, p.Revision)
	}
	if row := w.rows[got.Incident]; got.Incident != "" && got.Status == 200 && got.Revision > row.Revision {
		w.t.Errorf("%s:%d: the outcome speaks of revision %d, the topic has %d", file, want.line, got.Revision, row.Revision)
	}
}

func (w *world) check(file string, x *expectation) {
	w.t.Helper()
	var property func(key string) (string, bool)
	switch {
	case x.alert != "":
		fps, err := fingerprintsOf(x.alert)
		if err != nil || len(fps) != 1 {
			w.t.Fatalf("%s:%d: %q: one alert is expected (%v)", file, x.line, x.alert, err)
		}
		property = func(key string) (string, bool) { return w.alertProperty(fps[0], key) }
	case strings.HasPrefix(x.subject, "problem:"):
		p := w.problem(x.subject)
		if p == nil {
			w.t.Errorf("%s:%d: there is no %s", file, x.line, x.subject)
			return
		}
		property = func(key string) (string, bool) { return problemProperty(p, key) }
	case x.subject != "":
		inc := w.incident(x.subject)
		if inc == nil {
			w.t.Errorf("%s:%d: there is no %s", file, x.line, x.subject)
			return
		}
		property = func(key string) (string, bool) { return w.incidentProperty(inc, key) }
	default:
		property = w.property
	}
	for _, d := range x.demands {
		got, ok := property(d.key)
		if !ok {
			w.t.Fatalf("%s:%d: %q is no property of this", file, x.line, d.key)
		}
		if d.key == "alerts" {
			sets, err := labelSets(d.want)
			if err != nil {
				w.t.Fatalf("%s:%d: %v", file, x.line, err)
			}
			d.want = textsOf(sets)
		}
		if !d.meets(got) {
			w.t.Errorf("%s:%d: %s %s is %q, want %s %q", file, x.line, x.subject, d.key, got, d.op, d.want)
		}
	}
}

func (w *world) incident(number string) *itsm.Incident {
	for _, inc := range w.e.Incidents() {
		if inc.Number == number {
			return &inc
		}
	}
	return nil
}

// problem finds a candidate by its place in the order of cost: problem:1 is the dearest.
func (w *world) problem(subject string) *itsm.Problem {
	n, err := strconv.Atoi(strings.TrimPrefix(subject, "problem:"))
	all := w.e.Problems()
	if err != nil || n < 1 || n > len(all) {
		return nil
	}
	return &all[n-1]
}

func problemProperty(p *itsm.Problem, key string) (string, bool) {
	rules, texts := map[itsm.ProblemRule]bool{}, make([]string, len(p.Evidence))
	for i, v := range p.Evidence {
		rules[v.Rule], texts[i] = true, v.Text
	}
	numbers := make([]string, len(p.Incidents))
	for i, inc := range p.Incidents {
		numbers[i] = short(inc.Number)
	}
	effect := itsm.ProblemEffect{Verdict: "none"}
	if p.Effect != nil {
		effect = *p.Effect
	}
	v, ok := map[string]string{
		"state": string(p.State), "kind": string(p.Subject.Kind), "title": p.Title, "rules": sortedText(rules), "why": strings.Join(texts, "; "),
		"items": strings.Join(p.Subject.Items, ","), "class": p.Subject.Class, "types": strings.Join(p.Subject.AlertTypes, ","), "change": p.Subject.Change,
		"incidents": strings.Join(numbers, ","), "count": strconv.Itoa(p.IncidentCount), "minutes": fmt.Sprint(p.Minutes), "cost": fmt.Sprint(p.Cost),
		"services": strings.Join(p.Services, ","), "days": strconv.Itoa(len(p.Days)), "reason": orNone(p.Reason), "by": orNone(p.DecidedBy),
		"verdict": string(effect.Verdict), "before": strconv.Itoa(effect.Before), "after": strconv.Itoa(effect.After), "p": fmt.Sprint(effect.P),
	}[key]
	return v, ok
}

func textOf(ls itsm.Labels) string {
	words := []string{ls.Get("alertname")}
	for _, l := range ls {
		if l.Name != "alertname" {
			words = append(words, l.Name+"="+l.Value)
		}
	}
	return strings.Join(words, " ")
}

func textsOf(sets []itsm.Labels) string {
	texts := make([]string, len(sets))
	for i := range sets {
		texts[i] = textOf(sets[i])
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// property is one of the whole board.
func (w *world) property(key string) (string, bool) {
	live, open := 0, 0
	for _, inc := range w.e.Incidents() {
		if inc.MergedInto == nil {
			live++
			if inc.State.Open() {
				open++
			}
		}
	}
	switch key {
	case "incidents":
		return strconv.Itoa(live), true
	case "open":
		return strconv.Itoa(open), true
	case "problems":
		return strconv.Itoa(len(w.e.Problems())), true
	case "loose":
		return strconv.Itoa(len(w.e.Alerts())), true
	case "discovered":
		return sortedText(w.discovered), true
	case "fault":
		return w.fault, true
	}
	return "", false
}

// alertProperty is one of an alert in the incident that holds it now.
func (w *world) alertProperty(fp itsm.Fingerprint, key string) (string, bool) {
	in, state := "gone", itsm.AlertState{}
	for _, a := range w.e.Alerts() {
		if a.Fingerprint == fp {
			in, state = "none", a
		}
	}
	for _, inc := range w.e.Incidents() {
		for _, a := range inc.Alerts {
			if a.Fingerprint == fp && inc.MergedInto == nil {
				in, state = short(inc.Number), a
			}
		}
	}
	switch key {
	case "in":
		return in, true
	case "status":
		return string(state.Status), true
	case "count":
		return strconv.Itoa(state.Count), true
	case "item":
		return orNone(state.Item), true
	case "severity":
		return string(state.Severity), true
	case "starts":
		return clockText(state.StartsAt), true
	case "last":
		return clockText(state.LastStartsAt), true
	case "ends":
		return orNever(state.EndsAt), true
	case "evidence":
		return kindsOf(state.Evidence), true
	case "why":
		return whyOf(state.Evidence), true
	case "suppressed":
		if state.Suppressed == nil {
			return "", true
		}
		return *state.Suppressed, true
	case "maintenance":
		return orNone(state.Maintenance), true
	case "flapping":
		return yesNo(state.Flapping), true
	case "tried":
		return state.Tried, true
	case "summary":
		return state.Annotations.Get("summary"), true
	}
	return "", false
}

func short(number string) string {
	return "#" + strings.TrimLeft(strings.TrimPrefix(number, "INC-"), "0")
}

func orNone[T any](v *T) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprint(*v)
}

func orNever(t *time.Time) string {
	if t == nil {
		return "none"
	}
	return clockText(*t)
}

func clockText(t time.Time) string { return t.Format(time.TimeOnly) }

func kindsOf(list []itsm.Evidence) string {
	kinds := map[itsm.EvidenceKind]bool{}
	for _, e := range list {
		kinds[e.Kind] = true
	}
	return sortedText(kinds)
}

func whyOf(list []itsm.Evidence) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.Text
	}
	return strings.Join(texts, "; ")
}

func causeText(c *itsm.Cause) string {
	if c.Change != nil {
		return "change:" + *c.Change
	}
	return c.Item
}

// incidentProperty is one of an incident.
func (w *world) incidentProperty(inc *itsm.Incident, key string) (string, bool) {
	best := itsm.Cause{Item: "none"}
	causes := make([]string, len(inc.Causes))
	for i := range inc.Causes {
		causes[i] = causeText(&inc.Causes[i])
	}
	if len(inc.Causes) > 0 {
		best = inc.Causes[0]
	}
	sets := make([]itsm.Labels, len(inc.Alerts))
	for i := range inc.Alerts {
		sets[i] = inc.Alerts[i].Labels
	}
	switch key {
	case "cause":
		return causeText(&best), true
	case "on":
		return best.Item, true
	case "reporting":
		return yesNo(best.Reporting), true
	case "recovered":
		return yesNo(best.Recovered), true
	case "score":
		return fmt.Sprint(best.Score), true
	case "causes":
		return strings.Join(causes, ","), true
	case "evidence":
		return kindsOf(best.Evidence), true
	case "why":
		return whyOf(best.Evidence), true
	case "alerts":
		return textsOf(sets), true
	case "merged":
		return w.numbers(inc.MergedInto), true
	case "links":
		links := make([]string, len(inc.Links))
		for i, l := range inc.Links {
			links[i] = string(l.Type) + ":" + w.numbers(&l.To)
		}
		return strings.Join(links, ","), true
	case "timeline":
		return w.timelineOf(inc.ID, func(e itsm.Entry) string { return string(e.Kind) }, ","), true
	case "log":
		return w.timelineOf(inc.ID, func(e itsm.Entry) string { return e.By + ": " + e.Text }, " | "), true
	}
	return rowProperty(inc, key)
}

func (w *world) numbers(id *string) string {
	if id == nil {
		return "none"
	}
	return short(w.rows[*id].Number)
}

func (w *world) timelineOf(id string, text func(itsm.Entry) string, sep string) string {
	var out []string
	for seq := 1; seq <= len(w.timeline[id]); seq++ {
		entry, ok := w.timeline[id][seq]
		if !ok {
			w.t.Fatalf("%s: entry %d of %s was never published", w.where, seq, id)
		}
		out = append(out, text(entry))
	}
	return strings.Join(out, sep)
}

func yesNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// rowProperty is what a row of the board shows.
func rowProperty(inc *itsm.Incident, key string) (string, bool) {
	properties := map[string]string{
		"state": string(inc.State), "title": inc.Title, "severity": string(inc.Severity), "category": inc.Category, "site": inc.Site,
		"impact": strconv.Itoa(inc.Impact), "urgency": strconv.Itoa(inc.Urgency), "priority": strconv.Itoa(inc.Priority),
		"override": orNone(inc.PriorityOverride), "team": orNone(inc.Team), "assignee": orNone(inc.Assignee),
		"services": strings.Join(inc.Services, ","), "items": strings.Join(inc.Items, ","), "itemCount": strconv.Itoa(inc.ItemCount),
		"firing": strconv.Itoa(inc.AlertCounts.Firing), "resolved": strconv.Itoa(inc.AlertCounts.Resolved),
		"expired": strconv.Itoa(inc.AlertCounts.Expired), "suppressed": strconv.Itoa(inc.AlertCounts.Suppressed), "total": strconv.Itoa(inc.AlertCounts.Total),
		"maintained": strconv.Itoa(inc.AlertCounts.Maintenance), "maintenance": windowText(inc.Maintenance),
		"acknowledged": orNone(inc.AcknowledgedBy), "hold": orNone(inc.OnHoldReason), "holdUntil": orNever(inc.HoldUntil),
		"snoozed": orNever(inc.SnoozedUntil), "reopened": strconv.Itoa(inc.ReopenCount), "flapping": yesNo(inc.Flapping), "fleeting": yesNo(inc.Fleeting),
		"code": orNone(inc.ResolutionCode), "started": clockText(inc.StartedAt), "opened": clockText(inc.OpenedAt),
		"resolvedAt": orNever(inc.ResolvedAt), "closedAt": orNever(inc.ClosedAt), "revision": strconv.Itoa(inc.Revision), "commandRevision": strconv.Itoa(inc.CommandRevision),
		"sla": clocksText(inc.SLA), "slaDue": orNever(inc.SLADueAt),
	}
	v, ok := properties[key]
	return v, ok
}

func windowText(w *itsm.Window) string {
	if w == nil {
		return "none"
	}
	return w.Change
}

func clocksText(clocks []itsm.Clock) string {
	if len(clocks) == 0 {
		return "none"
	}
	out := make([]string, len(clocks))
	for i, c := range clocks {
		out[i] = c.Name + ":" + string(c.State)
	}
	return strings.Join(out, ",")
}

// dump shows the board, for a failed scenario.
func (w *world) dump() string {
	var b strings.Builder
	for _, inc := range w.e.Incidents() {
		fmt.Fprintf(&b, "%s %s P%d %q merged=%s items=%v counts=%+v\n", short(inc.Number), inc.State, inc.Priority, inc.Title,
			w.numbers(inc.MergedInto), inc.Items, inc.AlertCounts)
		for i, c := range inc.Causes {
			if i < 5 {
				fmt.Fprintf(&b, "   cause %s %.3f %s\n", causeText(&c), c.Score, whyOf(c.Evidence))
			}
		}
		for i, a := range inc.Alerts {
			if i < 12 {
				fmt.Fprintf(&b, "   alert %s %s ×%d: %s\n", textOf(a.Labels), a.Status, a.Count, whyOf(a.Evidence))
			}
		}
		fmt.Fprintf(&b, "   log %s\n", w.timelineOf(inc.ID, func(e itsm.Entry) string {
			return fmt.Sprintf("%d %s %s: %s", e.Seq, e.Kind, e.By, e.Text)
		}, " | "))
	}
	for _, p := range w.e.Problems() {
		fmt.Fprintf(&b, "problem %s %s %q cost=%v count=%d %+v\n", p.State, p.Subject.Kind, p.Title, p.Cost, p.IncidentCount, p.Evidence)
	}
	for _, a := range w.e.Alerts() {
		fmt.Fprintf(&b, "loose %s %s ×%d\n", textOf(a.Labels), a.Status, a.Count)
	}
	return b.String()
}
