package ui

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"signalbox/itsm"
)

// maxPatterns bounds a patterns file in bytes.
const maxPatterns = 64 << 20

// patternJSON says that alerts of one type follow alerts of another.
type patternJSON struct {
	Cause      string          `json:"cause"`
	Effect     string          `json:"effect"`
	Score      float64         `json:"score"`
	Support    int             `json:"support"`
	LagSeconds json.RawMessage `json:"lag_seconds"`
	Relation   string          `json:"relation"`
	Off        bool            `json:"off,omitempty"`
}

// patternsFile is a patterns file without what it counted.
type patternsFile struct {
	TypeLabel string        `json:"type_label"`
	Scope     string        `json:"scope"`
	Patterns  []patternJSON `json:"patterns"`
}

func (f *patternsFile) find(cause, effect string) *patternJSON {
	i := slices.IndexFunc(f.Patterns, func(p patternJSON) bool { return p.Cause == cause && p.Effect == effect })
	if i < 0 {
		return nil
	}
	return &f.Patterns[i]
}

// with returns the patterns in force and those that are proposed, whose figures are newer. What is off stays so.
func (f patternsFile) with(proposed patternsFile) patternsFile {
	out := patternsFile{TypeLabel: cmp.Or(proposed.TypeLabel, f.TypeLabel), Scope: cmp.Or(proposed.Scope, f.Scope), Patterns: slices.Clone(f.Patterns)}
	for _, p := range proposed.Patterns {
		if have := out.find(p.Cause, p.Effect); have != nil {
			p.Off = have.Off
			*have = p
		} else {
			out.Patterns = append(out.Patterns, p)
		}
	}
	slices.SortFunc(out.Patterns, func(a, b patternJSON) int {
		return cmp.Or(strings.Compare(a.Cause, b.Cause), strings.Compare(a.Effect, b.Effect))
	})
	return out
}

// patternsInForce returns the patterns that the shards have adopted, none when they have adopted none.
func (u *UI) patternsInForce() (version string, f patternsFile, err error) {
	u.views.mu.RLock()
	for _, a := range u.views.adopted {
		version = max(version, a.Patterns)
	}
	data := u.views.versions[version]
	u.views.mu.RUnlock()
	if version == "" || data == nil {
		return version, f, nil
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return version, f, fmt.Errorf("decode patterns %s: %w", version, err)
	}
	return version, f, nil
}

// proposals are what continuous learning has found here.
func (u *UI) proposals() (f patternsFile, err error) {
	if u.proposed == nil {
		return f, nil
	}
	data := u.proposed()
	if data == nil {
		return f, nil
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("decode proposed patterns: %w", err)
	}
	return f, nil
}

// patternAnswer is a pattern with what became of it: proposed, adopted or off.
type patternAnswer struct {
	patternJSON
	State string `json:"state"`
}

func (u *UI) handleGetPatterns(w http.ResponseWriter, _ *http.Request) {
	version, have, err := u.patternsInForce()
	proposed, err2 := u.proposals()
	if err := errors.Join(err, err2); err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	list := []patternAnswer{}
	for _, p := range have.with(proposed).Patterns {
		a := patternAnswer{patternJSON: p, State: "adopted"}
		switch {
		case have.find(p.Cause, p.Effect) == nil:
			a.State = "proposed"
		case p.Off:
			a.State = "off"
		}
		a.Off = false // the state says it
		list = append(list, a)
	}
	writeJSON(w, http.StatusOK, map[string]any{"version": version, "scope": cmp.Or(have.Scope, proposed.Scope), "patterns": list})
}

func (u *UI) handlePutPatterns(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPatterns))
	if err != nil {
		writeProblem(w, bodyProblem(err, maxPatterns))
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		writeProblem(w, badRequest("invalid_patterns", "a patterns file as learn writes it is expected: "+err.Error()))
		return
	}
	u.answerPatterns(w, r, func(patternsFile) ([]byte, error) { return compact.Bytes(), nil })
}

func (u *UI) handleAdoptPatterns(w http.ResponseWriter, r *http.Request) {
	u.answerPatterns(w, r, func(have patternsFile) ([]byte, error) {
		proposed, err := u.proposals()
		if err != nil || len(proposed.Patterns) == 0 {
			return nil, err
		}
		return json.Marshal(have.with(proposed))
	})
}

func (u *UI) handleSwitchPattern(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Cause  string `json:"cause"`
		Effect string `json:"effect"`
		On     *bool  `json:"on"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil || body.On == nil {
		writeProblem(w, badRequest("invalid_switch", "an object with cause, effect and on is expected"))
		return
	}
	u.answerPatterns(w, r, func(have patternsFile) ([]byte, error) {
		p := have.find(body.Cause, body.Effect)
		if p == nil {
			return nil, newProblem(http.StatusNotFound, "not_found", "no such pattern is adopted")
		}
		p.Off = !*body.On
		return json.Marshal(have)
	})
}

// answerPatterns adopts what next makes of the patterns in force; nil: they stay.
func (u *UI) answerPatterns(w http.ResponseWriter, r *http.Request, next func(patternsFile) ([]byte, error)) {
	version, err := u.putPatterns(r.Context(), next)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"version": version})
}

func (u *UI) putPatterns(ctx context.Context, next func(patternsFile) ([]byte, error)) (string, error) {
	select {
	case u.putting <- struct{}{}:
		defer func() { <-u.putting }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	version, have, err := u.patternsInForce()
	if err != nil {
		return "", err
	}
	data, err := next(have)
	if err != nil || data == nil {
		return version, err
	}
	id, err := u.store.PutVersion(ctx, data)
	if err != nil {
		return "", fmt.Errorf("store the patterns: %w", err)
	}
	says := func(a itsm.Adopted) bool { return a.Patterns == id }
	if u.inForce(says) {
		return id, nil
	}
	if err := u.door.Append(ctx, itsm.Input{Adopt: &itsm.Adopt{Patterns: &itsm.Version{ID: id, Data: data}}}); err != nil {
		return "", fmt.Errorf("adopt the patterns: %w", err)
	}
	return id, u.waitAdopted(ctx, "patterns "+id, says, func(v *views) bool { return v.versions[id] != nil })
}

// Related calls yield for each relation of the estate in force, declared and discovered.
func (u *UI) Related(yield func(from, to, relation string)) {
	u.views.mu.RLock()
	all := u.views.estate.relations
	u.views.mu.RUnlock()
	for _, r := range all {
		yield(r.From, r.To, string(r.Type))
	}
}
