package app

import (
	"signalbox/ingest"
	"signalbox/ui"
)

// senders tells the pages what the doors know of who sends.
type senders struct{ doors *ingest.Ingest }

// Sources implements ui.Senders.
func (s senders) Sources() []ui.Source {
	list := s.doors.Sources()
	out := make([]ui.Source, len(list))
	for i, src := range list {
		out[i] = ui.Source(src)
	}
	return out
}

// LastPayload implements ui.Senders.
func (s senders) LastPayload(source string) (ui.Payload, bool) {
	p, ok := s.doors.LastPayload(source)
	out := ui.Payload{
		At: p.At, Kind: p.Kind, Size: p.Size, Body: p.Body, Fault: p.Fault, Accepted: p.Accepted, Refused: p.Refused,
		Refusals: make([]ui.Refusal, len(p.Refusals)), Alerts: p.Alerts,
	}
	for i, r := range p.Refusals {
		out.Refusals[i] = ui.Refusal(r)
	}
	return out, ok
}
