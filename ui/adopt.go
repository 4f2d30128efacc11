package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"signalbox/cmdb"
	"signalbox/itsm"

	"go.yaml.in/yaml/v3"
)

// adoptEstate brings the estate up to date after a batch: a newly adopted version is read and
// checked outside the lock, then takes the place of the old one; what was discovered is added.
func (u *UI) adoptEstate() {
	v := u.views
	v.mu.RLock()
	wanted, have, data, forgotten := v.wanted, v.estate.version, v.versions[v.wanted], v.forgotten
	parts := v.estate.parts
	v.mu.RUnlock()
	if wanted == have && !forgotten {
		v.mu.Lock()
		v.estate.discover(v.found.items, v.found.relations)
		v.found = discovery{}
		v.mu.Unlock()
		return
	}
	if wanted != have {
		if data == nil {
			return // the version comes with a later batch
		}
		var err error
		if parts, err = cmdb.Decode(data); err != nil {
			u.estateFault(wanted, err)
			return
		}
	}
	next, err := newEstate(wanted, parts)
	if err != nil {
		u.estateFault(wanted, err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	items, relations := make([]itsm.Item, 0, len(v.items)), make([]itsm.Relation, 0, len(v.relations))
	for _, it := range v.items {
		items = append(items, it)
	}
	for _, r := range v.relations {
		relations = append(relations, r)
	}
	next.discover(items, relations)
	v.estate, v.found, v.forgotten = next, discovery{}, false
}

func (u *UI) estateFault(version string, err error) {
	u.metrics.estateFaults.Inc()
	u.logger.Error("estate in force cannot be shown; the one before stays on display", "version", version, "err", err)
}

// newEstate is a declared estate ready to be shown.
func newEstate(version string, parts cmdb.Parts) (*estate, error) {
	declared, err := parts.Merge()
	if err != nil {
		return nil, err
	}
	graph, err := cmdb.NewGraph(declared)
	if err != nil {
		return nil, err
	}
	e := emptyEstate()
	e.version, e.parts, e.declared, e.graph = version, parts, declared, graph
	for i := range declared.Items {
		e.addItem(declared.Items[i])
	}
	for i := range declared.Relations {
		e.addRelation(declared.Relations[i])
	}
	return e, nil
}

// discover adds what the engines found in labels.
func (e *estate) discover(items []itsm.Item, relations []itsm.Relation) {
	if e.graph == nil {
		graph, err := cmdb.NewGraph(e.declared)
		if err != nil { // the empty estate has no fault
			return
		}
		e.graph = graph
	}
	for _, it := range items {
		e.addItem(it)
	}
	for _, r := range relations {
		e.addRelation(r)
	}
	e.graph.Discover(items, relations)
}

// maxEstate bounds an estate file in bytes.
const maxEstate = 256 << 20

var originWords = regexp.MustCompile(`^[A-Za-z0-9._:/@ -]{1,200}$`)

// PutEstate replaces the part of one origin by an estate file and returns the version once every
// shard has adopted it. Faults in the file are a problem with all of them. A file that changes
// nothing is answered at once.
func (u *UI) PutEstate(ctx context.Context, origin string, data []byte) (string, error) {
	return u.putParts(ctx, map[string][]byte{origin: data}, func(string) bool { return false })
}

// PutEstateFiles makes estate files the parts of the origins "file:NAME", by that origin, in place of
// all such parts there were. They are taken together or not at all, so they may name each other's items.
func (u *UI) PutEstateFiles(ctx context.Context, files map[string][]byte) (string, error) {
	return u.putParts(ctx, files, func(origin string) bool { return strings.HasPrefix(origin, "file:") })
}

// putParts adopts the estate in force with some parts replaced and those that drop names left out.
func (u *UI) putParts(ctx context.Context, files map[string][]byte, drop func(origin string) bool) (string, error) {
	parts, faults, err := parseParts(files)
	if err != nil {
		return "", err
	}
	select {
	case u.putting <- struct{}{}:
		defer func() { <-u.putting }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	u.views.mu.RLock()
	for origin, part := range u.views.estate.parts {
		if parts[origin] == nil && !drop(origin) {
			parts[origin] = part
		}
	}
	have := u.views.estate.version
	u.views.mu.RUnlock()
	if faults != nil {
		return "", estateProblem(errors.Join(faults, parts.Dangling()))
	}
	if _, err := newEstate("", parts); err != nil {
		return "", estateProblem(err)
	}
	encoded, err := parts.Encode()
	if err != nil {
		return "", fmt.Errorf("encode the estate: %w", err)
	}
	id, err := u.store.PutVersion(ctx, encoded)
	if err != nil {
		return "", fmt.Errorf("store the estate: %w", err)
	}
	adopted := func(a itsm.Adopted) bool { return a.Estate == id }
	if id == have && u.inForce(adopted) {
		return id, nil
	}
	if err := u.door.Append(ctx, itsm.Input{Adopt: &itsm.Adopt{Estate: &itsm.Version{ID: id, Data: encoded}}}); err != nil {
		return "", fmt.Errorf("adopt the estate: %w", err)
	}
	return id, u.waitAdopted(ctx, "estate "+id, adopted, func(v *views) bool { return v.estate.version == id })
}

// parseParts reads the estate file of each origin. Faults are those of all files; err is what leaves nothing to
// look at.
func parseParts(files map[string][]byte) (parts cmdb.Parts, faults, err error) {
	parts = cmdb.Parts{}
	unread := false
	for _, origin := range slices.Sorted(maps.Keys(files)) {
		if !originWords.MatchString(origin) {
			return nil, nil, badRequest("invalid_origin", "origin: a name of at most 200 letters, digits and . _ : / @ - is expected")
		}
		part, fault := cmdb.Parse(origin, files[origin])
		parts[origin], unread = part, unread || part == nil
		faults = errors.Join(faults, fault)
	}
	if unread {
		return nil, nil, estateProblem(faults)
	}
	return parts, faults, nil
}

// estateProblem lists every fault with its line and item.
func estateProblem(err error) *problem {
	p := badRequest("invalid_estate", err.Error())
	for _, err := range leaves(err) {
		f := fault{Field: "estate", Reason: err.Error()}
		if of, ok := errors.AsType[cmdb.Fault](err); ok {
			f.File, f.Line, f.Item, f.Reason = of.File, of.Line, of.Item, of.Reason
		}
		p.Faults = append(p.Faults, f)
	}
	return p
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, err := range joined.Unwrap() {
		out = append(out, leaves(err)...)
	}
	return out
}

// inForce tells whether every shard says so of its versions.
func (u *UI) inForce(says func(itsm.Adopted) bool) bool {
	u.views.mu.RLock()
	defer u.views.mu.RUnlock()
	return u.views.allAdopted(u.shards, says)
}

func (v *views) allAdopted(shards int, says func(itsm.Adopted) bool) bool {
	if len(v.adopted) < shards {
		return false
	}
	for _, a := range v.adopted {
		if !says(a) {
			return false
		}
	}
	return true
}

// waitAdopted waits until every shard has adopted a version and the views show it, or one has refused it.
func (u *UI) waitAdopted(ctx context.Context, what string, says func(itsm.Adopted) bool, shown func(*views) bool) error {
	var refused string
	done, stop := u.views.await(func(v *views) bool {
		for _, a := range v.adopted {
			if !says(a) && strings.Contains(a.Fault, what) {
				refused = a.Fault
				return true
			}
		}
		return v.allAdopted(u.shards, says) && shown(v)
	})
	defer stop()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("wait for every shard to adopt %s: %w", what, ctx.Err())
	}
	if refused != "" {
		return newProblem(http.StatusUnprocessableEntity, "refused", refused)
	}
	return nil
}

// RulesInForce tells whether every shard has adopted the rules of this version.
func (u *UI) RulesInForce(id string) bool {
	return u.inForce(func(a itsm.Adopted) bool { return a.Rules == id })
}

// WaitRules returns when every shard has adopted the rules of this version, or with why one has not.
func (u *UI) WaitRules(ctx context.Context, id string) error {
	return u.waitAdopted(ctx, "rules "+id, func(a itsm.Adopted) bool { return a.Rules == id }, func(*views) bool { return true })
}

// CloseStreams sends every watcher away, with a code that says that the server stops.
func (u *UI) CloseStreams() { u.hub.close() }

func (u *UI) handlePutEstate(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEstate))
	if err != nil {
		writeProblem(w, bodyProblem(err, maxEstate))
		return
	}
	origin := r.URL.Query().Get("origin")
	if origin == "" {
		origin = "api"
	}
	version, err := u.PutEstate(r.Context(), origin, body)
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"version": version})
}

func (u *UI) handleGetEstate(w http.ResponseWriter, r *http.Request) {
	u.views.mu.RLock()
	e := u.views.estate
	u.views.mu.RUnlock()
	w.Header().Set("ETag", `"`+e.version+`"`)
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "json") && !strings.Contains(accept, "yaml") {
		writeJSON(w, http.StatusOK, e.declared)
		return
	}
	b, err := yaml.Marshal(e.declared)
	if err != nil {
		writeProblem(w, newProblem(http.StatusInternalServerError, "internal", "encode the estate: "+err.Error()))
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // the client is gone when this fails
}
