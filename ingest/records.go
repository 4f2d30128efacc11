package ingest

import (
	"context"
	"fmt"
	"time"

	"signalbox/itsm"
)

// TakeRecords takes payloads of one format that did not come over HTTP: the records of a topic, in
// their order. It returns nil when the log has what could be taken of them; what is not of the
// format is counted, kept as its source's last payload, and passed over, since nobody is there to be told. After an error
// everything comes again: what is taken twice is taken once.
func (in *Ingest) TakeRecords(ctx context.Context, r Receiver, bodies [][]byte) error {
	var (
		all      itsm.Input
		payloads []Payload
		names    []string
		unknown  int
	)
	for _, body := range bodies {
		at := time.Now().UTC()
		batch, err := decodeRecord(&r, body, Arrival{At: at, ResolveTimeout: in.cfg.ResolveTimeout, IgnoreLabels: in.cfg.Identity.IgnoreLabels}, in.cfg.MaxBody)
		name := in.nameOf(batch.Source)
		if !validSource(name) {
			name = r.Name // who it was cannot be kept
		}
		payload := Payload{At: at, Kind: r.Name, Size: len(body), Body: body, Refused: 1}
		if err != nil {
			payload.Fault = err.Error()
		} else {
			for i := range batch.Alerts {
				if batch.Alerts[i].Source == "" {
					batch.Alerts[i].Source = name
				}
			}
			payload = payloadOf(&r, at, body, &batch)
			all.Alerts, all.Changes = append(all.Alerts, batch.Alerts...), append(all.Changes, batch.Changes...)
			unknown += batch.Unknown
		}
		payloads, names = append(payloads, payload), append(names, name)
	}
	if !all.Empty() {
		if err := in.door.Append(ctx, all); err != nil {
			return fmt.Errorf("record what came by %s: %w", r.Name, err)
		}
	}
	in.metrics.unknown.WithLabelValues(r.Name).Add(float64(unknown))
	for i := range payloads {
		p := &payloads[i]
		in.metrics.accepted.WithLabelValues(r.Name).Add(float64(p.Accepted))
		reason := "invalid"
		if p.Fault != "" {
			reason = "invalid_body"
		}
		in.metrics.refused.WithLabelValues(r.Name, reason).Add(float64(p.Refused))
		in.sources.note(names[i], *p)
	}
	return nil
}

func decodeRecord(r *Receiver, body []byte, a Arrival, limit int64) (Batch, error) {
	if int64(len(body)) > limit {
		return Batch{}, fmt.Errorf("the record is larger than %d bytes", limit)
	}
	return r.Decode(body, a)
}
