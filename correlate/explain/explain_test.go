package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// small is an index on an estate of relations, each written "a connects_to b"; classes names the class of items,
// host for the others. A class in capitals marks the vantage.
func small(t *testing.T, classes map[string]string, relations ...string) *Index {
	t.Helper()
	e := &cmdb.Estate{}
	add := func(id string) {
		if slices.ContainsFunc(e.Items, func(it itsm.Item) bool { return it.ID == id }) {
			return
		}
		class := classes[id]
		if class == "" {
			class = "host"
		}
		e.Items = append(e.Items, itsm.Item{ID: id, Class: strings.ToLower(class), Vantage: class != strings.ToLower(class)})
	}
	for _, text := range relations {
		w := strings.Fields(text)
		add(w[0])
		add(w[2])
		r := itsm.Relation{From: w[0], Type: itsm.RelationType(w[1]), To: w[2]}
		if len(w) > 3 {
			r.ValidTo = noon()
		}
		e.Relations = append(e.Relations, r)
	}
	for id := range classes {
		add(id)
	}
	g, err := cmdb.NewGraph(e)
	if err != nil {
		t.Fatal(err)
	}
	return NewIndex(g, DefaultConfig())
}

func (x *Index) node(t *testing.T, id string) cmdb.Node {
	t.Helper()
	n, ok := x.g.Node(id)
	if !ok {
		t.Fatalf("no item %s", id)
	}
	return n
}

// sightings makes observations "item Type" that begin one second after the other.
type sightings struct {
	x       *Index
	t       *testing.T
	ordinal uint64
	at      time.Time
}

func (s *sightings) see(text string) *Observation {
	s.t.Helper()
	item, kind, _ := strings.Cut(text, " ")
	s.ordinal++
	s.at = s.at.Add(time.Second)
	o := &Observation{Ordinal: s.ordinal, Node: s.x.node(s.t, item), Type: kind, Onset: s.at, Seen: s.at}
	if s.x.rates != nil {
		o.Past = s.x.Count(o.Node, o.Type, o.Onset)
	}
	return o
}

// hold puts observations into a new hypothesis and ranks it.
func (s *sightings) hold(ordinal uint64, texts ...string) *Hypothesis {
	s.t.Helper()
	h := &Hypothesis{Ordinal: ordinal, Cause: None, ConfirmedItem: None}
	for _, text := range texts {
		s.x.Attach(s.see(text), h)
	}
	s.x.Rank(s.at, h)
	return h
}

func TestSymptoms(t *testing.T) {
	v := newVocabulary()
	f := func(alertType string, want symptom) {
		t.Helper()
		if got := v.symptomOf(alertType); got != want {
			t.Errorf("%s: got %d, want %d", alertType, got, want)
		}
	}
	f("HostDown", symptomDown)
	f("KubePodNotReady", symptomDown)
	f("KubeNodeUnreachable", symptomDown)
	f("snmp_target_unreachable", symptomDown)
	f("link-down", symptomDown)
	f("TargetDown", symptomDown)
	f("HighErrorRate", symptomError)
	f("KubePodCrashLooping", symptomError)
	f("http_5xx_ratio", symptomError)
	f("HighLatency", symptomLatency)
	f("node_network_receive", symptomTraffic)
	f("NodeFilesystemAlmostFull", symptomSaturation)
	f("CPUThrottlingHigh", symptomSaturation)
	f("MachineStarved", symptomStarved)
	f("MachineBlocked", symptomBlocked)
	f("Fahrenheit", symptomOther)
	f("", symptomOther)
}

func TestSplit(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := strings.Join(split(s), " "); got != want {
			t.Errorf("%s: got %q, want %q", s, got, want)
		}
	}
	f("KubePodNotReady", "kube pod not ready")
	f("link-down", "link down")
	f("node_load_high", "node load high")
	f("HTTPServerDown", "http server down")
	f("Größe", "größe")
	f("--", "")
}

// TestTravels holds that the table is one of percents in which everything explains itself and in which no network
// explains what is not unreachable.
func TestTravels(t *testing.T) {
	for _, k := range []cmdb.Kind{
		self, cmdb.Group, cmdb.Member, cmdb.Host, cmdb.Depends, cmdb.Network, cmdb.Part, cmdb.Control, cmdb.Starve, cmdb.Block, cmdb.Measure,
	} {
		row := travels(k)
		for s, w := range row {
			if w < 0 || w > 100 {
				t.Errorf("kind %d, symptom %d: %d %%", k, s, w)
			}
			if k == self && w == 0 {
				t.Errorf("symptom %d does not explain itself", s)
			}
			if k == cmdb.Network && symptom(s) != symptomDown && w > 0 {
				t.Errorf("the network explains symptom %d", s)
			}
		}
		if p := passes(k); p < 0 || p > 100 {
			t.Errorf("kind %d passes %d %%", k, p)
		}
	}
}

func reached(x *Index, o *Observation) string {
	var out []string
	for _, r := range x.walk(o) {
		out = append(out, fmt.Sprintf("%s %d", x.g.Item(r.node).ID, r.weight))
	}
	return strings.Join(out, ", ")
}

func TestWalk(t *testing.T) {
	classes := map[string]string{
		"mon": "HOST", "core": "switch", "sw": "switch", "pod": "pod", "pod2": "pod", "web": "service", "db": "database",
		"filler": "machine", "labeller": "machine", "packer": "machine", "probe": "sensor",
	}
	x := small(t, classes, "mon connects_to core", "sw connects_to core", "h connects_to sw", "pod runs_on h", "pod member_of web",
		"pod2 member_of web", "web depends_on db", "filler feeds labeller", "labeller feeds packer", "probe measures labeller", "gone runs_on h until")
	f := func(sighting, want string) {
		t.Helper()
		s := sightings{x: x, t: t, at: noon()}
		if got := reached(x, s.see(sighting)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", sighting, got, want)
		}
	}
	// Unreachable: the way to it, each share a product of what passes.
	f("h HostDown", "h 80, sw 90, core 85")
	// A host that reports a full disk is reached.
	f("h DiskFull", "h 80")
	// A group stands for what its members share, not for its other members.
	f("pod PodDown", "pod 80, web 60, h 80, db 36, sw 76, core 72")
	f("web HighErrorRate", "web 80, pod 50, pod2 50, db 70, h 42")
	// What a machine waits for comes from one side only.
	f("packer MachineStarved", "packer 10, labeller 90, filler 72")
	f("filler MachineBlocked", "filler 10, labeller 90, packer 72")
	f("labeller MachineStarved", "labeller 10, filler 90")
	f("probe Whatever", "probe 80, labeller 50, filler 40, packer 40")
	// A relation that has ended before the onset is none.
	f("gone HostDown", "gone 80")
}

// TestWalkIsBounded holds the limits on hops, on the relations at one item and on candidates.
func TestWalkIsBounded(t *testing.T) {
	var chain, star []string
	for i := range 20 {
		chain = append(chain, fmt.Sprintf("a%02d depends_on a%02d", i, i+1))
	}
	for i := range 200 {
		star = append(star, fmt.Sprintf("hub depends_on d%03d", i))
	}
	x := small(t, nil, append(chain, star...)...)
	x.cfg.Hops = 2
	s := sightings{x: x, t: t, at: noon()}
	if got := len(x.walk(s.see("a00 HighErrorRate"))); got != 3 {
		t.Errorf("%d causes within two hops, want 3", got)
	}
	if got := len(x.walk(s.see("hub HighErrorRate"))); got != x.cfg.Candidates {
		t.Errorf("%d causes of a hub, want %d", got, x.cfg.Candidates)
	}
	x.cfg.FanOut = 10
	if got := len(x.walk(s.see("hub HighErrorRate"))); got != 11 {
		t.Errorf("%d causes with a fan-out of 10, want 11", got)
	}
}

// star is a switch with n hosts behind a core, beside a second switch with as many.
func star(t *testing.T, n int) *Index {
	t.Helper()
	relations := []string{"mon connects_to core", "sw connects_to core", "sw2 connects_to core"}
	for i := range n {
		relations = append(relations, fmt.Sprintf("h%d connects_to sw", i), fmt.Sprintf("g%d connects_to sw2", i))
	}
	return small(t, map[string]string{"mon": "HOST", "core": "switch", "sw": "switch", "sw2": "switch"}, relations...)
}

func scoreOf(causes []itsm.Cause, item string) float64 {
	for _, c := range causes {
		if c.Item == item && c.Change == nil {
			return c.Score
		}
	}
	return 0
}

// TestCoverage holds that a silent cause gains with each item that suffers and loses with each that does not, the
// more the longer it is silent.
func TestCoverage(t *testing.T) {
	x := star(t, 6)
	s := sightings{x: x, t: t, at: noon()}
	last := 0.0
	for n := 1; n <= 6; n++ {
		var texts []string
		for i := range n {
			texts = append(texts, fmt.Sprintf("h%d HostDown", i))
		}
		h := s.hold(uint64(n), texts...)
		soon, late := scoreOf(x.Rank(s.at, h), "sw"), scoreOf(x.Rank(s.at.Add(5*time.Minute), h), "sw")
		if soon <= last {
			t.Errorf("%d of 6: score %v after %v", n, soon, last)
		}
		if n < 6 && late >= soon || n == 6 && late != soon {
			t.Errorf("%d of 6: score %v at once and %v later", n, soon, late)
		}
		last = soon
		x.Forget(h)
	}
}

// TestBranched holds who is to blame when some branches suffer and others do not.
func TestBranched(t *testing.T) {
	x := star(t, 4)
	f := func(now time.Duration, want bool, texts ...string) {
		t.Helper()
		s := sightings{x: x, t: t, at: noon()}
		h := s.hold(1, texts...)
		clear(x.gathered)
		core := x.node(t, "core")
		b := belief{}
		x.near(core, s.at.Add(now), func(e *entry) { b.add(e) })
		if got := x.branched(core, &b, s.at.Add(now)); got != want {
			t.Errorf("%v: branched %v, want %v", texts, got, want)
		}
		x.Forget(h)
	}
	whole := []string{"h0 HostDown", "h1 HostDown", "h2 HostDown", "h3 HostDown"}
	f(0, true, whole...)                                                         // one switch entirely, the other not at all
	f(0, true, "h0 HostDown", "h1 HostDown")                                     // one in part, the other not at all
	f(0, false, append(whole, "g0 HostDown", "g1 HostDown")...)                  // both
	f(0, false)                                                                  // nothing
	f(20*time.Minute, false, "h0 HostDown", "h1 HostDown", "h2 HostDown")        // too long ago to count
	f(0, false, "sw SwitchDown", "sw2 SwitchDown")                               // the branches themselves report
	f(0, true, "sw SwitchDown", "h0 HostDown", "h1 HostDown", "h2 HostDown")     // one reports
	f(0, false, "sw SwitchDown", "h0 HostDown", "sw2 SwitchDown", "g2 HostDown") // both report
	f(0, false, append([]string{"g0 HostDown", "g1 HostDown"}, whole[:1]...)...) // both in part
}

// TestRanking holds the order of causes and that scores and weights are shares.
func TestRanking(t *testing.T) {
	x := star(t, 3)
	x.AddChange(Change{ID: "c1", Kind: "deploy", Title: "firmware", Status: "succeeded", Nodes: []cmdb.Node{x.node(t, "sw")}, StartsAt: noon().Add(-time.Minute)})
	s := sightings{x: x, t: t, at: noon()}
	h := s.hold(1, "sw SwitchDown", "h0 HostDown", "h1 HostDown", "h2 HostDown")
	causes := x.Rank(s.at, h)
	if c := causes[0]; c.Change == nil || *c.Change != "c1" || c.Item != "sw" {
		t.Errorf("the best cause is %+v, want the change of sw", c)
	}
	if h.Change != "c1" || h.Cause != x.node(t, "sw") {
		t.Errorf("the hypothesis notes %v %q", h.Cause, h.Change)
	}
	for i, c := range causes {
		sum := 0.0
		for _, e := range c.Evidence {
			sum += e.Weight
		}
		if c.Score < 0 || c.Score > 1 || sum < 0.99 || sum > 1.01 || i > 0 && c.Score > causes[i-1].Score {
			t.Errorf("cause %d: %+v", i, c)
		}
	}
	h.RejectedChanges = []string{"c1"}
	if c := x.Rank(s.at, h)[0]; c.Change != nil || c.Item != "sw" || !c.Reporting {
		t.Errorf("with the change rejected the best cause is %+v, want sw", c)
	}
	h.RejectedItems = []cmdb.Node{x.node(t, "sw")}
	if c := x.Rank(s.at, h)[0]; c.Item != "core" {
		t.Errorf("with sw rejected the best cause is %+v, want core", c)
	}
	h.ConfirmedItem = x.node(t, "h2")
	if c := x.Rank(s.at, h)[0]; c.Item != "h2" || c.Score != 1 || c.Evidence[0].Kind != itsm.EvidenceOperator {
		t.Errorf("with h2 confirmed the best cause is %+v", c)
	}
}

// TestChangeDecay holds that a change counts for less the older it is, and for nothing when it came after, is only
// planned, or is too old.
func TestChangeDecay(t *testing.T) {
	x := small(t, map[string]string{"web": "service"})
	n := x.node(t, "web")
	f := func(age time.Duration, status string, want int64) {
		t.Helper()
		x.AddChange(Change{ID: "c", Kind: "deploy", Status: status, Nodes: []cmdb.Node{n}, StartsAt: noon().Add(-age)})
		if _, got := x.changeOn(n, noon(), nil); got != want {
			t.Errorf("%v %s: strength %d, want %d", age, status, got, want)
		}
	}
	f(0, "succeeded", strengthChange)
	f(30*time.Minute, "succeeded", strengthChange/2)
	f(time.Hour, "rolled_back", strengthChange/4*13/10)
	f(25*time.Hour, "succeeded", 0)
	f(time.Minute, "planned", 0)
	f(-3*time.Second, "started", strengthChange) // clocks differ
	f(-10*time.Second, "succeeded", 0)
	x.AddChange(Change{ID: "before", Kind: "deploy", Nodes: []cmdb.Node{n}, StartsAt: noon().Add(-time.Minute)})
	x.AddChange(Change{ID: "with", Kind: "deploy", Nodes: []cmdb.Node{n}, StartsAt: noon().Add(time.Second)})
	if c, _ := x.changeOn(n, noon(), nil); c == nil || c.ID != "before" {
		t.Errorf("the change before the trouble goes before one that seems to begin with it, got %+v", c)
	}
}

// TestAttachDetach holds that taking an observation back leaves what was there before, whatever the order.
func TestAttachDetach(t *testing.T) {
	x := star(t, 3)
	s := sightings{x: x, t: t, at: noon()}
	h := s.hold(1, "h0 HostDown", "h1 HostDown")
	want := fmt.Sprintf("%+v", x.Rank(s.at, h))
	extra := []*Observation{s.see("h2 HostDown"), s.see("h1 DiskFull"), s.see("h1 HostDown"), s.see("sw SwitchDown")}
	for _, o := range extra {
		x.Attach(o, h)
	}
	if got := fmt.Sprintf("%+v", x.Rank(s.at, h)); got == want {
		t.Fatal("four more observations change nothing")
	}
	for _, o := range extra {
		x.Detach(o, h)
	}
	at := s.at.Add(-4 * time.Second)
	if got := fmt.Sprintf("%+v", x.Rank(at, h)); got != fmt.Sprintf("%+v", x.Rank(at, s.again(h))) {
		t.Errorf("after taking them back:\n%s", got)
	}
}

// again builds the hypothesis anew from its observations.
func (s *sightings) again(h *Hypothesis) *Hypothesis {
	var all []*Observation
	for _, in := range h.body.items {
		all = append(all, in.observations...)
	}
	slices.SortFunc(all, func(a, b *Observation) int { return int(a.Ordinal) - int(b.Ordinal) }) //nolint:gosec // few
	s.x.Forget(h)
	fresh := &Hypothesis{Ordinal: h.Ordinal, Cause: None, ConfirmedItem: None}
	for _, o := range all {
		o.Reset()
		s.x.Attach(o, fresh)
	}
	return fresh
}

// TestAssign holds that a first alert opens, its siblings follow, and decisions of people bind.
func TestAssign(t *testing.T) {
	x := star(t, 4)
	s := sightings{x: x, t: t, at: noon()}
	verdicts, merges := x.Assign(noon(), []*Observation{s.see("h0 HostDown"), s.see("h1 HostDown"), s.see("h2 HostDown"), s.see("g0 DiskFull")})
	if len(merges) != 0 || verdicts[0].Join != nil || verdicts[0].New != verdicts[1].New || verdicts[1].New != verdicts[2].New {
		t.Errorf("three hosts of one switch in one record are not one incident: %+v %v", verdicts, merges)
	}
	if verdicts[3].New == verdicts[0].New {
		t.Error("a full disk elsewhere is in the same incident")
	}
	for _, v := range verdicts {
		if len(v.Evidence) == 0 {
			t.Errorf("%s: no evidence", v.Observation.Type)
		}
	}
	h := s.hold(1, "h0 HostDown", "h1 HostDown", "h2 HostDown")
	join := func() *Hypothesis {
		v, _ := x.Assign(s.at, []*Observation{s.see("h3 HostDown")})
		return v[0].Join
	}
	if join() != h {
		t.Error("the fourth host does not join")
	}
	h.RejectedItems = []cmdb.Node{x.node(t, "sw"), x.node(t, "core")}
	x.Rank(s.at, h)
	if join() == h {
		t.Error("it joins although its causes are rejected there")
	}
	h.RejectedItems, h.ConfirmedItem = nil, x.node(t, "sw")
	x.Rank(s.at, h)
	if join() != h {
		t.Error("it does not join the incident whose confirmed cause explains it")
	}
	s.at = s.at.Add(time.Hour)
	if join() == h {
		t.Error("it joins after the window")
	}
}
