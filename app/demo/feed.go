package demo

import (
	"bytes"
	"encoding/json"
	"iter"
	"time"

	"signalbox/itsm"
)

// request is one HTTP request of the feed.
type request struct {
	after time.Duration // since the start
	path  string        // of a door; of a command its action
	// about is the fingerprint of an alert: the command is for the incident that holds it. "" for a door.
	about string
	body  []byte
}

// sender is one of the outside systems.
type sender int

const (
	fromPrometheus   sender = iota // the one of the north; it sends to POST /api/v2/alerts
	fromAlertmanager               // the one of the south; its webhook
	fromTraps                      // what snmptrapd of the south received, as our own events
	fromEdge                       // the edge node of the plant, the same way
	fromPipeline                   // deploys, the same way
	fromOperators
)

const (
	prometheusNorth   = "http://prometheus.north.shop.example:9090"
	prometheusSouth   = "http://prometheus.south.shop.example:9090"
	alertmanagerSouth = "http://alertmanager.south.shop.example:9093"
)

// door is where a sender sends.
func (s sender) door() string {
	switch s {
	case fromPrometheus:
		return "/api/v2/alerts?source=prometheus-north"
	case fromAlertmanager:
		return "/api/v1/ingest/alertmanager"
	case fromTraps:
		return "/api/v1/ingest/events?source=snmptrapd-south"
	case fromEdge:
		return "/api/v1/ingest/events?source=edge-plant-a"
	default:
		return "/api/v1/ingest/events?source=pipeline"
	}
}

// graphs is the Prometheus that the links of a sender's alerts lead to, "" for none.
func (s sender) graphs() string {
	switch s {
	case fromPrometheus:
		return prometheusNorth
	case fromAlertmanager:
		return prometheusSouth
	}
	return ""
}

// alert is one alert of the script; times are since the start.
type alert struct {
	labels labels
	since  time.Duration
	until  time.Duration // when over is set
	over   bool
}

// wireAlert is an alert as Prometheus and Alertmanager write it.
type wireAlert struct {
	Status       string    `json:"status,omitempty"`
	Labels       labels    `json:"labels"`
	Annotations  labels    `json:"annotations"`
	StartsAt     time.Time `json:"startsAt"`
	EndsAt       time.Time `json:"endsAt,omitzero"`
	GeneratorURL string    `json:"generatorURL,omitempty"`
	Fingerprint  string    `json:"fingerprint,omitempty"`
}

func (l labels) fingerprint() string { return itsm.NewLabels(l).Fingerprint().String() }

// resend is how often Prometheus sends its firing alerts again (--rules.alert.resend-delay, a
// minute by default); they expire after four times as long when it falls silent.
const resend = 15 * time.Second

// feed yields the script and, between and after its steps for ever, what keeps it alive: the
// re-sends of Prometheus, without which its alerts would expire, and the port that flaps.
func (w *world) feed() iter.Seq[request] {
	return func(yield func(request) bool) {
		script := w.script()
		var firing []alert // of Prometheus
		for tick := resend; ; tick += resend {
			for len(script) > 0 && script[0].after < tick {
				s := script[0]
				script = script[1:]
				if s.from == fromPrometheus {
					firing = remember(firing, s.alerts)
				}
				for _, r := range w.requests(s) {
					if !yield(r) {
						return
					}
				}
			}
			for _, s := range []step{{after: tick, from: fromPrometheus, alerts: firing}, w.flap(tick)} {
				for _, r := range w.requests(s) {
					if !yield(r) {
						return
					}
				}
			}
		}
	}
}

// remember adds the alerts that fire and drops those that are over.
func remember(firing, news []alert) []alert {
	var out []alert
	changed := map[string]bool{}
	for _, a := range news {
		changed[a.labels.fingerprint()] = true
		if !a.over {
			out = append(out, a)
		}
	}
	for _, a := range firing {
		if !changed[a.labels.fingerprint()] {
			out = append(out, a)
		}
	}
	return out
}

// requests turns a step into what its sender sends.
func (w *world) requests(s step) []request {
	switch {
	case s.from == fromOperators:
		return []request{{after: s.after, path: s.action, about: s.about.fingerprint(), body: encode(s.body)}}
	case s.from == fromPipeline:
		return []request{{after: s.after, path: s.from.door(), body: encode(map[string]any{"change": s.body})}}
	case len(s.alerts) == 0:
		return nil
	case s.from == fromPrometheus:
		return []request{{after: s.after, path: s.from.door(), body: encode(w.posts(s))}}
	case s.from == fromAlertmanager:
		return w.webhooks(s)
	}
	var lines bytes.Buffer
	for _, a := range s.alerts {
		lines.Write(encode(map[string]any{"at": w.at(max(a.since, a.until)), "alert": w.wire(s.from, a)}))
		lines.WriteByte('\n')
	}
	return []request{{after: s.after, path: s.from.door(), body: lines.Bytes()}}
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil { // maps, texts and times: there is nothing that cannot be encoded
		panic(err)
	}
	return data
}

func (w *world) at(d time.Duration) time.Time { return w.start.Add(d) }

func (w *world) wire(from sender, a alert) wireAlert {
	r := w.rules[a.labels["alertname"]]
	out := wireAlert{
		Status: "firing", Labels: a.labels, Annotations: r.annotations(a.labels), StartsAt: w.at(a.since),
		GeneratorURL: r.graph(from.graphs(), a.labels),
	}
	if a.over {
		out.Status, out.EndsAt = "resolved", w.at(a.until)
	}
	return out
}

// posts are the alerts as Prometheus sends them: with the moment at which they expire unless they
// are sent again, and without a status.
func (w *world) posts(s step) []wireAlert {
	var out []wireAlert
	for _, a := range s.alerts {
		p := w.wire(s.from, a)
		if p.Status = ""; !a.over {
			p.EndsAt = w.at(s.after + 4*resend)
		}
		out = append(out, p)
	}
	return out
}

// webhook is the body of Alertmanager's webhook, version 4.
type webhook struct {
	Version           string      `json:"version"`
	GroupKey          string      `json:"groupKey"`
	TruncatedAlerts   int         `json:"truncatedAlerts"`
	Status            string      `json:"status"`
	Receiver          string      `json:"receiver"`
	GroupLabels       labels      `json:"groupLabels"`
	CommonLabels      labels      `json:"commonLabels"`
	CommonAnnotations labels      `json:"commonAnnotations"`
	ExternalURL       string      `json:"externalURL"`
	Alerts            []wireAlert `json:"alerts"`
}

// webhooks are the alerts as Alertmanager notifies of them: one request for each group of
// group_by: [alertname].
func (w *world) webhooks(s step) []request {
	var out []request
	done := map[string]bool{}
	for _, first := range s.alerts {
		name := first.labels["alertname"]
		if done[name] {
			continue
		}
		done[name] = true
		group := labels{"alertname": name}
		body := webhook{
			Version: "4", GroupKey: `{}:{alertname="` + name + `"}`, Status: "resolved", Receiver: "signalbox", GroupLabels: group,
			CommonLabels: group, CommonAnnotations: labels{}, ExternalURL: alertmanagerSouth,
		}
		for _, a := range s.alerts {
			if a.labels["alertname"] != name {
				continue
			}
			p := w.wire(s.from, a)
			p.Fingerprint = a.labels.fingerprint()
			if p.Status == "firing" {
				body.Status = "firing"
			}
			body.Alerts = append(body.Alerts, p)
		}
		out = append(out, request{after: s.after, path: s.from.door(), body: encode(body)})
	}
	return out
}
