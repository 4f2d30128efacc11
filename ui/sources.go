package ui

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"signalbox/itsm"
)

// Source is what the doors of this process know of one sender.
type Source struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`   // the door of the last payload: alertmanager, prometheus, events …
	Doors    []string   `json:"doors"`  // all it has come through
	LastAt   *time.Time `json:"lastAt"` // of the last payload; nil: nothing came in through this process
	Accepted int64      `json:"accepted"`
	Refused  int64      `json:"refused"`
	// LastRefused says why the last refused alert or payload was refused; nil: none was.
	LastRefused *string `json:"lastRefused"`
	PerMinute   float64 `json:"perMinute"` // accepted, over the last minutes
}

// Payload is the last payload of a source, as far as it is kept.
type Payload struct {
	At       time.Time
	Kind     string // the door
	Size     int    // of the body in bytes
	Body     []byte // its beginning; nil: let go of
	Fault    string // why it was refused as a whole; empty: it was not
	Accepted int
	Refused  int
	// Refusals and Alerts (those accepted) are the first of them.
	Refusals []Refusal
	Alerts   []itsm.Fingerprint
}

// Refusal says why one element of a payload was not taken.
type Refusal struct {
	Index  int    `json:"index"` // its place in the payload, from 0
	Field  string `json:"field"` // empty: the whole element
	Reason string `json:"reason"`
}

// Senders is what the doors know of who sends. It is safe for concurrent use.
type Senders interface {
	// Sources lists them.
	Sources() []Source
	// LastPayload returns the last payload of one; false when it has sent none. The caller owns it.
	LastPayload(source string) (Payload, bool)
}

// Upstream is how an Alertmanager was found when it was read.
type Upstream struct {
	Reads    bool             `json:"reads"`      // this process reads it
	LastRead *time.Time       `json:"lastReadAt"` // nil: no reading has succeeded
	Error    *string          `json:"error"`      // why the last one failed; nil: it did not
	Members  []UpstreamMember `json:"members"`
	// Alerts of the last reading that succeeded, by state.
	Active    int `json:"active"`
	Silenced  int `json:"silenced"`
	Inhibited int `json:"inhibited"`
	Muted     int `json:"muted"`
}

// UpstreamMember is how the last reading found a member of a pair.
type UpstreamMember struct {
	URL     string  `json:"url"`
	Up      bool    `json:"up"`
	Version string  `json:"version"`
	Error   *string `json:"error"`
}

// nobody is who sends when there are no doors.
type nobody struct{}

func (nobody) Sources() []Source                  { return nil }
func (nobody) LastPayload(string) (Payload, bool) { return Payload{}, false }

// sourceRow is a source with what became of its alerts, which every process knows.
type sourceRow struct {
	Source
	sourceAlerts
	Heartbeat *SourceHeartbeat `json:"heartbeat"` // nil: it has none
	Upstream  *Upstream        `json:"upstream"`  // nil: it is not configured
}

// sourceAlerts counts current alerts whose last word came from a source.
type sourceAlerts struct {
	Firing     int `json:"firing"`
	Bound      int `json:"bound"`   // of the firing ones
	Unbound    int `json:"unbound"` // of the firing ones
	Suppressed int `json:"suppressed"`
}

// bySource counts the current alerts.
func (v *views) bySource() map[string]*sourceAlerts {
	out := map[string]*sourceAlerts{}
	for _, c := range v.current() {
		name := c.source.Value()
		n := out[name]
		if n == nil {
			n = &sourceAlerts{}
			out[name] = n
		}
		if !c.firing() {
			continue
		}
		n.Firing++
		if c.unbound() {
			n.Unbound++
		} else {
			n.Bound++
		}
		if c.suppressed {
			n.Suppressed++
		}
	}
	return out
}

// sourceRows lists by name who has sent something to this process, those that only others have
// heard, and those that are expected.
func (u *UI) sourceRows(now time.Time) []sourceRow {
	counts := u.views.bySource()
	heartbeats := map[string]*SourceHeartbeat{}
	for _, h := range u.Heartbeats(now) {
		if h.State != HeartbeatForgotten {
			heartbeats[h.Source] = &h
		}
	}
	for _, names := range []map[string]bool{keys(heartbeats), keys(u.expected())} {
		for name := range names {
			if counts[name] == nil {
				counts[name] = &sourceAlerts{}
			}
		}
	}
	delete(counts, "")
	delete(counts, itsm.OwnSource)
	rows := []sourceRow{}
	for _, s := range u.senders.Sources() {
		row := sourceRow{Source: s, Heartbeat: heartbeats[s.Name]}
		if n := counts[s.Name]; n != nil {
			row.sourceAlerts = *n
			delete(counts, s.Name)
		}
		rows = append(rows, row)
	}
	for name, n := range counts {
		rows = append(rows, sourceRow{Source: Source{Name: name, Doors: []string{}}, sourceAlerts: *n, Heartbeat: heartbeats[name]})
	}
	upstream := u.upstream()
	for i := range rows {
		if up, ok := upstream[rows[i].Name]; ok {
			rows[i].Upstream = &up
		}
	}
	slices.SortFunc(rows, func(a, b sourceRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

func keys[T any](m map[string]T) map[string]bool {
	out := map[string]bool{}
	for name := range m {
		out[name] = true
	}
	return out
}

func (u *UI) handleSources(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string][]sourceRow{"sources": u.sourceRows(time.Now())})
}

// lastPayload is the last payload of a source with what became of its alerts.
type lastPayload struct {
	Source    string         `json:"source"`
	At        time.Time      `json:"at"`
	Kind      string         `json:"kind"`
	Size      int            `json:"size"`
	Body      *string        `json:"body"` // its beginning; null: let go of
	Truncated bool           `json:"truncated"`
	Fault     *string        `json:"fault"`
	Accepted  int            `json:"accepted"`
	Refused   int            `json:"refused"`
	Refusals  []Refusal      `json:"refusals"`
	Alerts    []payloadAlert `json:"alerts"`
}

// payloadAlert is an alert of a payload as it stands now.
type payloadAlert struct {
	Fingerprint    itsm.Fingerprint `json:"fingerprint"`
	Labels         *itsm.Labels     `json:"labels"` // null: it is not among the alerts that are known
	Status         *string          `json:"status"`
	Item           *string          `json:"item"`  // null: not bound
	Tried          string           `json:"tried"` // what binding tried then
	Incident       *string          `json:"incident"`
	IncidentNumber *string          `json:"incidentNumber"`
}

func (u *UI) handleLastPayload(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	p, ok := u.senders.LastPayload(name)
	if !ok {
		writeProblem(w, newProblem(http.StatusNotFound, "unknown_source", fmt.Sprintf("nothing has come from a source %.200q through this process", name)))
		return
	}
	out := lastPayload{
		Source: name, At: p.At, Kind: p.Kind, Size: p.Size, Truncated: len(p.Body) < p.Size, Accepted: p.Accepted, Refused: p.Refused,
		Refusals: p.Refusals, Alerts: u.views.standOf(p.Alerts),
	}
	if out.Refusals == nil {
		out.Refusals = []Refusal{}
	}
	if p.Fault != "" {
		out.Fault = &p.Fault
	}
	if p.Body != nil {
		body := string(wholeRunes(p.Body))
		out.Body = &body
	}
	writeJSON(w, http.StatusOK, out)
}

// wholeRunes takes the last character off when it was cut.
func wholeRunes(b []byte) []byte {
	for cut := 1; cut < utf8.UTFMax && cut <= len(b); cut++ {
		if tail := b[len(b)-cut:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return b[:len(b)-cut]
			}
			break
		}
	}
	return b
}

// standOf tells how alerts stand now, each once, in the order in which they are given.
func (v *views) standOf(wanted []itsm.Fingerprint) []payloadAlert {
	found := v.lookUp(wanted)
	out := make([]payloadAlert, 0, len(wanted))
	listed := map[itsm.Fingerprint]bool{}
	for _, fp := range wanted {
		if listed[fp] {
			continue
		}
		listed[fp] = true
		p := payloadAlert{Fingerprint: fp}
		if c, ok := found[fp]; ok {
			text := c.text()
			p.Labels, p.Tried = &text.Labels, text.Tried
			status := string(c.statusWord())
			p.Status = &status
			if item := c.item.Value(); item != "" {
				p.Item = &item
			}
			if c.incident != nil {
				p.Incident, p.IncidentNumber = &c.incident.ID, &c.incident.Number
			}
		}
		out = append(out, p)
	}
	return out
}

// lookUp finds alerts by fingerprint, each in the incident in which it fired last.
func (v *views) lookUp(wanted []itsm.Fingerprint) map[itsm.Fingerprint]currentAlert {
	out := make(map[itsm.Fingerprint]currentAlert, len(wanted))
	v.mu.RLock()
	defer v.mu.RUnlock()
	look := func(h *holder) {
		if len(h.alerts) == 0 {
			return
		}
		for _, fp := range wanted {
			a := h.alerts[fp]
			if best, ok := out[fp]; a != nil && (!ok || a.later(best.alert)) {
				out[fp] = currentAlert{alert: a, incident: v.root(h).row}
			}
		}
	}
	for _, h := range v.incidents {
		look(h)
	}
	look(v.loose)
	return out
}
