package ui

import (
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// handleItem answers /items/{id} and /items/{id}/impact: an id may hold slashes.
func (u *UI) handleItem(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if detail, ok := u.views.item(id); ok {
		writeJSON(w, http.StatusOK, detail)
		return
	}
	if id, ok := strings.CutSuffix(id, "/impact"); ok {
		u.writeImpact(w, r, id)
		return
	}
	writeProblem(w, newProblem(http.StatusNotFound, "item_not_found", fmt.Sprintf("there is no item %q", id)))
}

type impactEffect struct {
	Item        string           `json:"item"`
	Name        string           `json:"name"`
	Class       string           `json:"class"`
	Degradation cmdb.Degradation `json:"degradation"`
	Hops        int              `json:"hops"`
	Path        []string         `json:"path"`
	Reason      string           `json:"reason"`
}

type impactAnswer struct {
	Item      string         `json:"item"`
	At        time.Time      `json:"at"`
	Effects   []impactEffect `json:"effects"`
	Truncated bool           `json:"truncated"`
}

func (u *UI) writeImpact(w http.ResponseWriter, r *http.Request, id string) {
	at := time.Now().UTC()
	if s := r.URL.Query().Get("at"); s != "" {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			writeProblem(w, badRequest("invalid_time", fmt.Sprintf("at: a time such as 2026-01-02T15:04:05Z is expected, got %q", s)))
			return
		}
		at = t.UTC()
	}
	u.views.mu.RLock()
	answer, ok := u.views.estate.impact(id, at)
	u.views.mu.RUnlock()
	if !ok {
		writeProblem(w, newProblem(http.StatusNotFound, "item_not_found", fmt.Sprintf("there is no item %q", id)))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (e *estate) node(id string) (cmdb.Node, bool) {
	if e.graph == nil {
		return cmdb.None, false
	}
	return e.graph.Node(id)
}

func (e *estate) impact(id string, at time.Time) (impactAnswer, bool) {
	n, ok := e.node(id)
	if !ok {
		return impactAnswer{}, false
	}
	found := e.graph.Impact(n, at, cmdb.DefaultLimits())
	out := impactAnswer{Item: id, At: at, Truncated: found.Limit != "", Effects: []impactEffect{}}
	from := map[cmdb.Node]cmdb.Node{}
	for _, f := range found.Effects {
		from[f.Node] = f.Via.From
		path := []string{e.graph.Item(f.Node).ID}
		for at := f.Via.From; ; at = from[at] {
			path = append(path, e.graph.Item(at).ID)
			if at == n || len(path) > 20 {
				break
			}
		}
		slices.Reverse(path)
		out.Effects = append(out.Effects, impactEffect{
			Item: e.graph.Item(f.Node).ID, Name: e.graph.Name(f.Node), Class: e.graph.Item(f.Node).Class, Degradation: f.Degradation,
			Hops: f.Hops, Path: path, Reason: reason(e.graph, f.Via),
		})
	}
	return out, true
}

// reason says a step in words.
func reason(g *cmdb.Graph, s cmdb.Step) string {
	from, to := g.Name(s.From), g.Name(s.To)
	switch s.Kind {
	case cmdb.Group:
		return to + " is a member of " + from
	case cmdb.Member:
		return from + " is a member of " + to
	case cmdb.Host:
		return to + " runs on " + from
	case cmdb.Depends:
		return to + " depends on " + from
	case cmdb.Network:
		return to + " is reached through " + from
	case cmdb.Part:
		return from + " is part of " + to
	case cmdb.Control:
		return from + " controls " + to
	case cmdb.Starve:
		return from + " feeds " + to
	case cmdb.Block:
		return to + " feeds " + from
	default:
		return to + " measures " + from
	}
}

type pathNode struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Class string `json:"class"`
	Role  string `json:"role"`
	State string `json:"state"`
}

type pathLink struct {
	From     string            `json:"from"`
	To       string            `json:"to"`
	Type     itsm.RelationType `json:"type"`
	Lost     bool              `json:"lost"`
	Inferred bool              `json:"inferred"`
}

type pathAnswer struct {
	At            time.Time  `json:"at"`
	Cause         *string    `json:"cause"`
	Nodes         []pathNode `json:"nodes"`
	Links         []pathLink `json:"links"`
	AffectedTotal int        `json:"affectedTotal"`
	Sentence      string     `json:"sentence"`
}

// maxAffected bounds the affected items in a picture, maxSiblings those that work.
const (
	maxAffected = 40
	maxSiblings = 4
)

// handlePath draws how the failure of the best cause reaches the items, as of now and not as of
// joining: the path follows the present cause.
func (u *UI) handlePath(w http.ResponseWriter, r *http.Request) {
	h, ok := u.lookup(w, r)
	if !ok {
		return
	}
	answer, ok := u.views.path(h)
	if !ok {
		writeProblem(w, newProblem(http.StatusNotFound, "incident_not_found", "the incident was forgotten"))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (v *views) path(h *holder) (pathAnswer, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if h.row == nil {
		return pathAnswer{}, false
	}
	firing := map[string]bool{}
	for _, a := range v.alertsOf(h) {
		if a.firing() {
			firing[a.item.Value()] = true
		}
	}
	return v.estate.path(h.row, firing), true
}

// picture is a path being drawn.
type picture struct {
	e      *estate
	firing map[string]bool
	out    pathAnswer
	nodes  map[cmdb.Node]int
	links  map[[2]cmdb.Node]bool
}

func (e *estate) path(r *row, firing map[string]bool) pathAnswer {
	p := picture{e: e, firing: firing, nodes: map[cmdb.Node]int{}, links: map[[2]cmdb.Node]bool{}}
	p.out = pathAnswer{At: r.StartedAt, Nodes: []pathNode{}, Links: []pathLink{}, AffectedTotal: r.ItemCount}
	cause, ok := e.node(r.bestCause())
	if !ok {
		p.out.Sentence = "No item of the estate is known to be the cause."
		return p.out
	}
	id := r.bestCause()
	p.out.Cause = &id
	p.before(cause)
	p.add(cause, "cause")
	reached := 0
	for _, item := range r.Items {
		n, ok := e.node(item)
		if !ok || n == cause || reached >= maxAffected {
			continue
		}
		if steps := e.graph.Path(cause, n, r.StartedAt); steps != nil {
			reached++
			p.walk(steps)
		} else {
			p.add(n, "affected")
		}
	}
	p.sentence(cause, r)
	return p.out
}

// before draws the way from where monitoring looks to the cause, and what works beside it.
func (p *picture) before(cause cmdb.Node) {
	g := p.e.graph
	way := p.route(cause)
	if way == nil {
		return
	}
	p.add(way[0], "vantage")
	for i, n := range way[1:] {
		role := "way"
		if n == cause {
			role = "cause"
		}
		p.add(n, role)
		p.link(way[i], n, itsm.ConnectsTo, false)
	}
	before, siblings := way[len(way)-2], 0
	for n := range p.connected(before) {
		if siblings < maxSiblings && g.ClassID(n) == g.ClassID(cause) && !slices.Contains(way, n) && !p.firing[g.Item(n).ID] {
			siblings++
			p.add(n, "sibling")
			p.link(before, n, itsm.ConnectsTo, false)
		}
	}
}

// maxRoute bounds how many items are looked at for the way to a cause.
const maxRoute = 4096

// route is a shortest way over the network from a vantage to the cause, nil when there is none. With redundancy there
// may be several; one of them is enough for a picture.
func (p *picture) route(cause cmdb.Node) []cmdb.Node {
	g := p.e.graph
	towards := map[cmdb.Node]cmdb.Node{cause: cmdb.None} // the next item on the way to the cause
	for queue := []cmdb.Node{cause}; len(queue) > 0 && len(towards) < maxRoute; queue = queue[1:] {
		for n := range p.connected(queue[0]) {
			if _, seen := towards[n]; seen {
				continue
			}
			towards[n] = queue[0]
			if g.Item(n).Vantage {
				way := []cmdb.Node{n}
				for at := queue[0]; at != cmdb.None; at = towards[at] {
					way = append(way, at)
				}
				return way
			}
			if g.Class(n).Transit {
				queue = append(queue, n)
			}
		}
	}
	return nil
}

// connected yields the items that an item is connected to, in the order of the estate.
func (p *picture) connected(n cmdb.Node) iter.Seq[cmdb.Node] {
	g := p.e.graph
	return func(yield func(cmdb.Node) bool) {
		for _, r := range g.Relations(n) {
			other := r.To
			if other == g.Item(n).ID {
				other = r.From
			}
			if m, ok := g.Node(other); ok && r.Type == itsm.ConnectsTo && !yield(m) {
				return
			}
		}
	}
}

func (p *picture) add(n cmdb.Node, role string) {
	it := p.e.graph.Item(n)
	if i, ok := p.nodes[n]; ok {
		if role == "affected" && p.out.Nodes[i].Role == "way" {
			p.out.Nodes[i].Role = role
		}
		return
	}
	state := "reachable"
	switch {
	case role == "cause" && p.firing[it.ID]:
		state = "reporting"
	case p.firing[it.ID]:
		state = "firing"
	case role == "cause" || role == "affected" || role == "lost":
		state = "silent"
	}
	if role == "lost" {
		role = "way"
	}
	p.nodes[n] = len(p.out.Nodes)
	p.out.Nodes = append(p.out.Nodes, pathNode{ID: it.ID, Name: p.e.graph.Name(n), Class: it.Class, Role: role, State: state})
}

func (p *picture) link(from, to cmdb.Node, kind itsm.RelationType, lost bool) {
	if p.links[[2]cmdb.Node{from, to}] {
		return
	}
	p.links[[2]cmdb.Node{from, to}] = true
	g := p.e.graph
	p.out.Links = append(p.out.Links, pathLink{
		From: g.Item(from).ID, To: g.Item(to).ID, Type: kind, Lost: lost, Inferred: lost && !p.firing[g.Item(to).ID],
	})
}

func (p *picture) walk(steps []cmdb.Step) {
	for i, s := range steps {
		role := "lost"
		if i == len(steps)-1 {
			role = "affected"
		}
		p.add(s.To, role)
		p.link(s.From, s.To, s.Type, true)
	}
}

func (p *picture) sentence(cause cmdb.Node, r *row) {
	name := p.e.graph.Name(cause)
	silent := "reports nothing itself"
	if p.firing[p.e.graph.Item(cause).ID] {
		silent = "reports it itself"
	}
	switch n := r.ItemCount; {
	case n <= 1 && p.firing[p.e.graph.Item(cause).ID]:
		p.out.Sentence = name + " " + silent + "; nothing else is affected."
	default:
		p.out.Sentence = fmt.Sprintf("%s %s; its failure reaches %d affected items.", name, silent, n)
	}
}
