// Package alertmanager decodes what Alertmanager and Prometheus send: the webhook, version 4, the
// events of the event recorder, and POST /api/v2/alerts. It also reads the one alert object that webhook, API and our events files share. It
// knows nothing of HTTP and keeps nothing. All functions are safe for concurrent use; what they
// return does not alias the body.
package alertmanager

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/ingest"
	"signalbox/ingest/internal/scan"
	"signalbox/itsm"
)

// Webhook receives from Alertmanager (receivers: webhook_configs).
func Webhook() ingest.Receiver {
	return ingest.Receiver{Name: "alertmanager", Path: "/api/v1/ingest/alertmanager", Decode: DecodeWebhook}
}

// Post receives from Prometheus (alerting: alertmanagers), and whoever speaks Alertmanager's API v2.
func Post() ingest.Receiver {
	return ingest.Receiver{Name: "prometheus", Path: "/api/v2/alerts", Decode: DecodePost, Plain: true}
}

// batch decodes a list of alerts.
type batch struct {
	reader
	arrival ingest.Arrival
	out     ingest.Batch
	valid   bool // the whole body is UTF-8
}

func newBatch(body []byte, a ingest.Arrival) *batch {
	s := scan.New(body)
	b := &batch{reader: reader{Scanner: &s, slabSize: 1024}, arrival: a, valid: s.Valid()}
	b.out.Alerts = make([]itsm.Alert, 0, 1+len(body)/512)
	return b
}

// DecodePost decodes the body of POST /api/v2/alerts. As in Alertmanager a missing endsAt is the
// arrival plus resolve_timeout, and one that is not in the future makes the alert resolved, except
// of a one-shot event, whose endsAt is its startsAt: that it is over at once is its nature.
func DecodePost(body []byte, a ingest.Arrival) (ingest.Batch, error) {
	b := newBatch(body, a)
	err := b.Array(func(i int) error { return b.alert(i, b.post) })
	if err == nil {
		err = b.End()
	}
	return b.out, err
}

func (b *batch) post(a *itsm.Alert) {
	a.Status = itsm.StatusFiring
	switch {
	case a.EndsAt.IsZero():
		a.EndsAt = b.arrival.At.Add(b.arrival.ResolveTimeout)
	case !a.EndsAt.After(b.arrival.At) && !a.EndsAt.Equal(a.StartsAt):
		a.Status = itsm.StatusResolved
	}
}

// DecodeWebhook decodes the body of a webhook of version 4.
func DecodeWebhook(body []byte, a ingest.Arrival) (ingest.Batch, error) {
	b := newBatch(body, a)
	var version, group string
	alerts := false
	err := b.Object(func(name string) (err error) {
		from := b.Pos()
		switch name {
		case "version":
			version, err = b.orNull()
		case "groupKey":
			group, err = b.orNull()
		case "externalURL":
			b.out.Source, err = b.orNull()
		case "alerts":
			alerts = true
			return within(name, b.Array(func(i int) error { return b.alert(i, b.webhook) }))
		case "truncatedAlerts":
			b.out.Truncated, err = b.count()
		case "receiver", "status", "groupLabels", "commonLabels", "commonAnnotations",
			"notification_reason", "routeLabels": // the last two since 0.34
			err = b.Skip()
		default:
			b.out.Unknown++
			err = b.Skip()
		}
		if err == nil {
			err = b.fit(from, name)
		}
		return within(name, err)
	})
	if err == nil {
		err = b.End()
	}
	switch {
	case err != nil:
	case version != "4":
		err = fmt.Errorf("version: \"4\" is expected, got %.64q", version)
	case !alerts:
		err = errors.New("alerts: is missing")
	}
	b.grouped(0, group)
	return b.out, err
}

// grouped notes the group of the alerts from the first on. With group_by: ['...'] each alert is a group of its own; that
// is no grouping to compare with, so the key stays empty and the usual group_by stands in for it.
func (b *batch) grouped(first int, key string) {
	alerts := b.out.Alerts[first:]
	if len(alerts) == 1 && strings.HasSuffix(key, ":"+alerts[0].Labels.String()) {
		return
	}
	for i := range alerts {
		alerts[i].GroupKey = key
	}
}

func within(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%.64s: %w", name, err)
	}
	return nil
}

func (b *batch) webhook(a *itsm.Alert) { a.Status = itsm.Status(b.status) }

// orNull reads a string or null.
func (b *batch) orNull() (string, error) {
	if b.Null() {
		return "", nil
	}
	return b.String()
}

// count reads how many there are of something. What is no such number is passed over as none.
func (b *batch) count() (int, error) {
	b.Peek()
	from := b.Pos()
	if err := b.Skip(); err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(b.Since(from), 10, 31)
	if err != nil {
		return 0, nil //nolint:nilerr // nothing of the alerts depends on it.
	}
	return int(n), nil
}

// fit checks a name and what has been read since a position, and forgets how deep that was.
func (b *batch) fit(from int, name string) error {
	deepest := b.Deepest
	b.Deepest = 0
	switch {
	case deepest > scan.MaxDepth:
		return fmt.Errorf("is nested deeper than %d", scan.MaxDepth)
	case !b.valid && (!utf8.ValidString(b.Since(from)) || !utf8.ValidString(name)):
		return errors.New("is not valid UTF-8")
	}
	return nil
}

// alert reads one element and takes or refuses it.
func (b *batch) alert(i int, complete func(*itsm.Alert)) error {
	return b.take(i, func(a *itsm.Alert) error {
		err := b.read(a)
		complete(a)
		return err
	}, func(*itsm.Alert) {})
}

// take reads one element and takes or refuses it; taken is called for one that is taken.
func (b *batch) take(i int, read func(*itsm.Alert) error, taken func(*itsm.Alert)) error {
	from := b.Pos()
	if b.Peek() != '{' {
		b.out.Refuse(i, itsm.Faults{{Reason: "an alert is an object"}})
		err := b.Skip()
		b.Deepest = 0
		return err
	}
	n := len(b.out.Alerts)
	b.out.Alerts = append(b.out.Alerts, itsm.Alert{})
	a := &b.out.Alerts[n]
	if err := read(a); err != nil {
		return err
	}
	b.check(a, b.arrival.IgnoreLabels)
	if err := b.fit(from, ""); err != nil && len(b.faults) == 0 {
		b.faults.Add("", "%v", err)
	}
	if len(b.faults) > 0 {
		b.out.Refuse(i, b.faults)
		b.out.Alerts = b.out.Alerts[:n]
		return nil
	}
	taken(a)
	b.out.Unknown += b.unknown
	return nil
}
