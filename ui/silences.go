package ui

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// maxSilenceBody bounds a silence that is posted.
const maxSilenceBody = 1 << 20

// gettableSilence is a silence as Alertmanager's API lists it.
type gettableSilence struct {
	itsm.Silence
	Annotations map[string]string `json:"annotations"` // always empty
	Status      silenceStatus     `json:"status"`
}

type silenceStatus struct {
	State itsm.SilenceState `json:"state"`
}

func gettable(s itsm.Silence, now time.Time) gettableSilence {
	return gettableSilence{Silence: s, Annotations: map[string]string{}, Status: silenceStatus{s.State(now)}}
}

// silenceRow is a silence as the web app shows it.
type silenceRow struct {
	itsm.Silence
	State  itsm.SilenceState `json:"state"`
	Alerts int               `json:"alerts"` // firing ones that it marks
}

// handleSilencePage lists all silences with what they hold, in the order of Alertmanager.
func (u *UI) handleSilencePage(w http.ResponseWriter, _ *http.Request) {
	marks := map[string]int{}
	for _, c := range u.views.firing() {
		if c.suppressed {
			for _, id := range c.text().SilencedBy {
				marks[id]++
			}
		}
	}
	now := time.Now()
	list := []gettableSilence{}
	u.views.mu.RLock()
	for _, s := range u.views.silences {
		list = append(list, gettable(s, now))
	}
	u.views.mu.RUnlock()
	slices.SortFunc(list, compareSilences)
	rows := make([]silenceRow, len(list))
	for i, g := range list {
		rows[i] = silenceRow{Silence: g.Silence, State: g.Status.State, Alerts: marks[g.ID]}
	}
	writeJSON(w, http.StatusOK, map[string][]silenceRow{"silences": rows})
}

// handleSilences lists silences as Alertmanager does: active ones first, then pending, then
// expired ones, each in the order in which they come to their end or beginning.
func (u *UI) handleSilences(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	filter, err := readMatchers(q, "filter")
	var active, pending, expired bool
	for name, to := range map[string]*bool{"active": &active, "pending": &pending, "expired": &expired} {
		if err == nil {
			err = readFlag(q, name, to)
		}
	}
	if err != nil {
		writeAlertmanagerError(w, http.StatusBadRequest, err.Error())
		return
	}
	now := time.Now()
	wanted := map[itsm.SilenceState]bool{itsm.SilenceActive: active, itsm.SilencePending: pending, itsm.SilenceExpired: expired}
	list := []gettableSilence{}
	u.views.mu.RLock()
	for _, s := range u.views.silences {
		g := gettable(s, now)
		values := map[string]string{}
		for _, m := range s.Matchers {
			values[m.Name] = m.Value
		}
		matches := wanted[g.Status.State]
		for _, m := range filter {
			value, has := values[m.Name]
			matches = matches && m.Matches(value, has)
		}
		if matches {
			list = append(list, g)
		}
	}
	u.views.mu.RUnlock()
	slices.SortFunc(list, compareSilences)
	writeJSON(w, http.StatusOK, list)
}

func compareSilences(a, b gettableSilence) int {
	order := []itsm.SilenceState{itsm.SilenceActive, itsm.SilencePending, itsm.SilenceExpired}
	times := a.EndsAt.Compare(b.EndsAt)
	switch a.Status.State {
	case itsm.SilencePending:
		times = a.StartsAt.Compare(b.StartsAt)
	case itsm.SilenceExpired:
		times = -times
	}
	return cmp.Or(cmp.Compare(slices.Index(order, a.Status.State), slices.Index(order, b.Status.State)), times, strings.Compare(a.ID, b.ID))
}

func (u *UI) findSilence(id string) (itsm.Silence, bool) {
	u.views.mu.RLock()
	defer u.views.mu.RUnlock()
	s, ok := u.views.silences[id]
	return s, ok
}

func (u *UI) handleSilence(w http.ResponseWriter, r *http.Request) {
	s, ok := u.findSilence(r.PathValue("silenceID"))
	if !ok {
		noSilence(w, r.PathValue("silenceID"))
		return
	}
	writeJSON(w, http.StatusOK, gettable(s, time.Now()))
}

func noSilence(w http.ResponseWriter, id string) {
	writeAlertmanagerError(w, http.StatusNotFound, fmt.Sprintf("there is no silence %q", id))
}

// postedSilence is what Alertmanager's API takes. Like it, we pass over fields that we do not know.
type postedSilence struct {
	ID        string         `json:"id"`
	Matchers  []itsm.Matcher `json:"matchers"`
	StartsAt  *time.Time     `json:"startsAt"`
	EndsAt    *time.Time     `json:"endsAt"`
	CreatedBy *string        `json:"createdBy"`
	Comment   *string        `json:"comment"`
}

func (p *postedSilence) missing() string {
	for _, f := range []struct {
		name  string
		there bool
	}{
		{"matchers", p.Matchers != nil},
		{"startsAt", p.StartsAt != nil},
		{"endsAt", p.EndsAt != nil},
		{"createdBy", p.CreatedBy != nil},
		{"comment", p.Comment != nil},
	} {
		if !f.there {
			return f.name
		}
	}
	return ""
}

// handlePostSilence makes a silence, or changes one. It answers when alerts are marked.
func (u *UI) handlePostSilence(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, err error) { writeAlertmanagerError(w, status, err.Error()) }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSilenceBody))
	if err != nil {
		refuse(bodyProblem(err, maxSilenceBody).Status, fmt.Errorf("read the silence: %w", err))
		return
	}
	var in postedSilence
	if err := json.Unmarshal(body, &in); err != nil {
		refuse(http.StatusBadRequest, fmt.Errorf("decode the silence: %w", err))
		return
	}
	if name := in.missing(); name != "" {
		refuse(http.StatusBadRequest, fmt.Errorf("%s in body is required", name))
		return
	}
	now := time.Now().UTC()
	s := itsm.Silence{
		ID: in.ID, Matchers: in.Matchers, StartsAt: in.StartsAt.UTC(), EndsAt: in.EndsAt.UTC(), UpdatedAt: now,
		CreatedBy: *in.CreatedBy, Comment: *in.Comment,
	}
	switch {
	case s.StartsAt.After(s.EndsAt) || s.StartsAt.Equal(s.EndsAt):
		refuse(http.StatusBadRequest, errors.New("failed to create silence: start time must be before end time"))
		return
	case s.EndsAt.Before(now):
		refuse(http.StatusBadRequest, errors.New("failed to create silence: end time can't be in the past"))
		return
	}
	records := []itsm.Silence{}
	if s.ID != "" {
		before, ok := u.findSilence(s.ID)
		if !ok {
			noSilence(w, s.ID)
			return
		}
		if !mayReplace(&before, &s, now) {
			s.ID = ""
			if before.State(now) != itsm.SilenceExpired {
				records = append(records, expired(before, now))
			}
		}
	}
	if s.ID == "" {
		s.ID = newUUID()
		if s.StartsAt.Before(now) {
			s.StartsAt = now
		}
	}
	if err := s.Validate(); err != nil {
		refuse(http.StatusBadRequest, fmt.Errorf("invalid silence: %w", err))
		return
	}
	if err := u.recordSilences(r.Context(), append(records, s)); err != nil {
		refuse(problemOf(err).Status, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"silenceID": s.ID})
}

// mayReplace tells whether a silence can be changed under its id, by Alertmanager's rules: what
// it has silenced so far stays true.
func mayReplace(before, after *itsm.Silence, now time.Time) bool {
	if !slices.Equal(before.Matchers, after.Matchers) {
		return false
	}
	switch before.State(now) {
	case itsm.SilenceActive:
		return after.StartsAt.Unix() == before.StartsAt.Unix() && !after.EndsAt.Before(now)
	case itsm.SilencePending:
		return !after.StartsAt.Before(now)
	}
	return false
}

// expired is a silence that ends now; one that has not begun never does.
func expired(s itsm.Silence, now time.Time) itsm.Silence {
	if s.StartsAt.After(now) {
		s.StartsAt = now
	}
	s.EndsAt, s.UpdatedAt = now, now
	return s
}

// handleDeleteSilence expires a silence. To expire one that is expired changes nothing.
func (u *UI) handleDeleteSilence(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("silenceID")
	s, ok := u.findSilence(id)
	if !ok {
		noSilence(w, id)
		return
	}
	if now := time.Now().UTC(); s.State(now) != itsm.SilenceExpired {
		if err := u.recordSilences(r.Context(), []itsm.Silence{expired(s, now)}); err != nil {
			writeAlertmanagerError(w, problemOf(err).Status, err.Error())
			return
		}
	}
	w.WriteHeader(http.StatusOK)
}

// errNotSeen is the answer when a silence is recorded and the engine has not said so in time.
var errNotSeen = fmt.Errorf("%w: the silence is recorded, but not in force yet; ask again", itsm.ErrOverloaded)

// recordSilences writes silences to the log and waits until the engine has taken them.
func (u *UI) recordSilences(ctx context.Context, list []itsm.Silence) error {
	seen, stop := u.views.await(func(v *views) bool {
		return !slices.ContainsFunc(list, func(s itsm.Silence) bool { return v.silences[s.ID].UpdatedAt.Before(s.UpdatedAt) })
	})
	defer stop()
	if err := u.door.Append(ctx, itsm.Input{Silences: list}); err != nil {
		return fmt.Errorf("record the silence: %w", err)
	}
	patience := time.NewTimer(u.outcomeWait)
	defer patience.Stop()
	select {
	case <-seen:
		return nil
	case <-patience.C:
		return errNotSeen
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newUUID makes a random UUID (RFC 9562, version 4): tools take nothing else for a silence's id.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
