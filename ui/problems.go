package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"signalbox/itsm"
)

// candidateRow is a candidate for a problem as it stands on the topic. It is never changed.
type candidateRow struct {
	itsm.Problem
	raw []byte
}

// applyProblem takes a candidate, which one shard alone writes.
func (v *views) applyProblem(p *itsm.Published) error {
	if p.Value == nil {
		delete(v.problems, p.Key)
		return nil
	}
	c := &candidateRow{raw: bytes.Clone(p.Value)}
	if err := json.Unmarshal(p.Value, &c.Problem); err != nil {
		return fmt.Errorf("decode candidate %s: %w", p.Key, err)
	}
	v.problems[p.Key] = c
	return nil
}

func (v *views) problem(id string) *candidateRow {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.problems[id]
}

func (u *UI) handleProblems(w http.ResponseWriter, r *http.Request) {
	p, bad := readPaging(r, "-cost", "lastAt", "incidents", "updatedAt")
	if bad != nil {
		writeProblem(w, bad)
		return
	}
	var states []itsm.ProblemState
	for _, word := range splitList(r.URL.Query().Get("state")) {
		if !slices.Contains(itsm.ProblemStates(), itsm.ProblemState(word)) {
			writeProblem(w, badRequest("invalid_state", fmt.Sprintf("state: one of %v is expected, got %q", itsm.ProblemStates(), word)))
			return
		}
		states = append(states, itsm.ProblemState(word))
	}
	u.views.mu.RLock()
	all := make([]*candidateRow, 0, len(u.views.problems))
	for _, c := range u.views.problems {
		all = append(all, c)
	}
	u.views.mu.RUnlock()
	list := paginate(all, p, func(c *candidateRow) bool { return states == nil || slices.Contains(states, c.State) },
		func(c *candidateRow) sortKey { return problemKey(p, c) })
	writeBytes(w, http.StatusOK, list.body("problems", func(c *candidateRow) []byte { return c.raw }))
}

func problemKey(p paging, c *candidateRow) sortKey {
	k := sortKey{id: c.ID}
	switch p.sort {
	case "cost":
		k.n = int64(c.Cost * 10) // it is rounded to a tenth
	case "lastAt":
		k.n = c.LastAt.UnixNano()
	case "incidents":
		k.n = int64(c.IncidentCount)
	case "updatedAt":
		k.n = c.UpdatedAt.UnixNano()
	}
	return k
}

func noCandidate(id string) *problem {
	return newProblem(http.StatusNotFound, "not_found", fmt.Sprintf("there is no candidate for a problem with the id %q", id))
}

func (u *UI) handleProblem(w http.ResponseWriter, r *http.Request) {
	c := u.views.problem(r.PathValue("id"))
	if c == nil {
		writeProblem(w, noCandidate(r.PathValue("id")))
		return
	}
	writeBytes(w, http.StatusOK, c.raw)
}

func (u *UI) handleProblemCommand(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	status := u.problemCommand(w, r)
	u.metrics.commands.WithLabelValues(strconv.Itoa(status)).Inc()
	u.metrics.commandSeconds.Observe(time.Since(began).Seconds())
}

// problemCommand answers a decision on a candidate and returns the status of the answer.
func (u *UI) problemCommand(w http.ResponseWriter, r *http.Request) int {
	fail := func(p *problem) int {
		writeProblem(w, p)
		return p.Status
	}
	action, id := itsm.Action(r.PathValue("action")), r.PathValue("id")
	if !slices.Contains(itsm.ProblemActions(), action) {
		return fail(newProblem(http.StatusNotFound, "unknown_action", fmt.Sprintf("there is no action %q on a candidate", string(action))))
	}
	if u.views.problem(id) == nil {
		return fail(noCandidate(id))
	}
	c, bad := readCommand(w, r, itsm.Command{Action: action, Problem: id})
	if bad != nil {
		return fail(bad)
	}
	done, err := u.recordCommand(r.Context(), &c)
	switch {
	case err != nil:
		return fail(problemOf(err))
	case !done:
		writeJSON(w, http.StatusAccepted, map[string]string{"command": c.ID})
		return http.StatusAccepted
	}
	u.views.mu.RLock()
	o := u.views.outcomes[c.ID]
	u.views.mu.RUnlock()
	after := u.views.problem(id)
	switch {
	case o.Status != http.StatusOK:
		return fail(refusal(&o.Outcome, nil))
	case after == nil: // gone again at once
		return fail(noCandidate(id))
	}
	writeBytes(w, http.StatusOK, after.raw)
	return http.StatusOK
}
