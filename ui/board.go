package ui

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// figures is what stands on top and at the foot of the board.
type figures struct {
	Comparison comparison `json:"comparison"`
	Counts     counts     `json:"counts"`
}

// figures counts as of now.
func (u *UI) figures(now time.Time) figures {
	u.views.mu.Lock()
	f := figures{Comparison: u.views.compare(now), Counts: u.views.totals()}
	u.views.mu.Unlock()
	senders := u.senders.Sources()
	for _, s := range senders {
		f.Counts.Refused += s.Refused
	}
	f.Counts.Sources = u.countSources(now, senders)
	return f
}

func (u *UI) handleBoard(w http.ResponseWriter, _ *http.Request) {
	f := u.figures(time.Now())
	at, rows := u.views.board()
	size := 512
	for _, r := range rows {
		size += len(r.raw) + 1
	}
	b := append(make([]byte, 0, size), `{"position":`...)
	b = append(b, marshal(at)...)
	b = append(b, `,"incidents":[`...)
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r.raw...)
	}
	b = append(b, `],"comparison":`...)
	b = append(b, marshal(f.Comparison)...)
	b = append(b, `,"counts":`...)
	b = append(b, marshal(f.Counts)...)
	writeBytes(w, http.StatusOK, append(b, '}'))
}

// board takes position and rows under one lock, so neither is newer than the other; the most
// urgent row comes first.
func (v *views) board() (position, []*row) {
	v.mu.RLock()
	at := position{Epoch: v.epoch, Offset: v.offset}
	rows := make([]*row, 0, len(v.open))
	for _, h := range v.open {
		rows = append(rows, h.row)
	}
	v.mu.RUnlock()
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), b.OpenedAt.Compare(a.OpenedAt), cmp.Compare(a.ID, b.ID))
	})
	return at, rows
}

// marshal encodes a struct of plain values, which cannot go wrong.
func marshal(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}

// pingFigures is what a ping carries beside its type, position and time: the members of figures.
func (u *UI) pingFigures(now time.Time) []byte {
	body := marshal(u.figures(now))
	return body[1 : len(body)-1]
}
