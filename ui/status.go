package ui

import (
	"net/http"
	"time"
)

type status struct {
	Version string       `json:"version"`
	Ready   bool         `json:"ready"`
	Listen  string       `json:"listen"`
	Sources []Source     `json:"sources"`
	Estate  estateStatus `json:"estate"`
	// History is nil where none is kept.
	History *historyStatus `json:"history"`
	figures
}

type estateStatus struct {
	Version   *string `json:"version"`
	Items     int     `json:"items"`
	Relations int     `json:"relations"`
}

// historyStatus is how far the writing of history is.
type historyStatus struct {
	Behind       *int64     `json:"behind"` // offsets of the log; nil: not known yet
	FailingSince *time.Time `json:"failingSince"`
	Failure      *string    `json:"failure"`
}

func (u *UI) historyStatus() *historyStatus {
	if u.historyState == nil {
		return nil
	}
	state := u.historyState()
	out := &historyStatus{FailingSince: state.FailingSince}
	if state.Known {
		out.Behind = &state.Behind
	}
	if state.FailingSince != nil {
		out.Failure = &state.Failure
	}
	return out
}

func (u *UI) handleStatus(w http.ResponseWriter, r *http.Request) {
	s := status{Version: u.version, Ready: u.ready(), Listen: u.listen, Sources: u.senders.Sources(), Estate: u.estateStatus(), History: u.historyStatus(), figures: u.figures(time.Now())}
	if s.Sources == nil {
		s.Sources = []Source{}
	}
	if s.Listen == "" {
		s.Listen = "http://" + r.Host
	}
	writeJSON(w, http.StatusOK, s)
}
