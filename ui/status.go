package ui

import (
	"net/http"
	"time"
)

// Source is what the doors know of one sender.
type Source struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`   // the door: alertmanager, prometheus, events
	LastAt   *time.Time `json:"lastAt"` // of the last payload
	Accepted int64      `json:"accepted"`
	Refused  int64      `json:"refused"`
	// LastRefused says why the last refused alert or payload was refused; nil: none was.
	LastRefused *string `json:"lastRefused"`
}

type status struct {
	Version string       `json:"version"`
	Ready   bool         `json:"ready"`
	Listen  string       `json:"listen"`
	Sources []Source     `json:"sources"`
	Estate  estateStatus `json:"estate"`
	figures
}

type estateStatus struct {
	Version   *string `json:"version"`
	Items     int     `json:"items"`
	Relations int     `json:"relations"`
}

func (u *UI) handleStatus(w http.ResponseWriter, r *http.Request) {
	s := status{Version: u.version, Ready: u.ready(), Listen: u.listen, Sources: u.sources(), Estate: u.estateStatus(), figures: u.figures(time.Now())}
	if s.Sources == nil {
		s.Sources = []Source{}
	}
	if s.Listen == "" {
		s.Listen = "http://" + r.Host
	}
	writeJSON(w, http.StatusOK, s)
}
