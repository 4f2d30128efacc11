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
	figures
}

type estateStatus struct {
	Version   *string `json:"version"`
	Items     int     `json:"items"`
	Relations int     `json:"relations"`
}

func (u *UI) handleStatus(w http.ResponseWriter, r *http.Request) {
	s := status{Version: u.version, Ready: u.ready(), Listen: u.listen, Sources: u.senders.Sources(), Estate: u.estateStatus(), figures: u.figures(time.Now())}
	if s.Sources == nil {
		s.Sources = []Source{}
	}
	if s.Listen == "" {
		s.Listen = "http://" + r.Host
	}
	writeJSON(w, http.StatusOK, s)
}
