package correlate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/correlate/learn"
	"signalbox/itsm"
)

// patterns are those that were adopted, and what may be the cause of what comes.
type patterns struct {
	version  string
	file     *learn.File              // without rates
	byEffect map[string][]pattern     // those that are on
	causes   map[string]time.Duration // by type: how long its alerts may have effects
	recent   map[string][]*alert      // by such a type, by start and fingerprint
}

type pattern struct {
	learn.FilePattern
	within time.Duration
}

// Bounds of looking for what a pattern names.
const (
	maxLag    = 300 * time.Second
	minLag    = 5 * time.Second // scrapes and evaluations are so far apart
	maxRecent = 512
)

// use brings patterns into force.
func (p *patterns) use(version string, f *learn.File) {
	*p = patterns{version: version, file: f, byEffect: map[string][]pattern{}, causes: map[string]time.Duration{}, recent: map[string][]*alert{}}
	if f == nil {
		return
	}
	for _, one := range f.Patterns {
		if one.Off || one.Relation == "self" {
			continue // what is on the item itself is found there
		}
		within := min(maxLag, max(minLag, time.Duration(2*one.LagSeconds.P90*float64(time.Second))))
		p.byEffect[one.Effect] = append(p.byEffect[one.Effect], pattern{one, within})
		p.causes[one.Cause] = max(p.causes[one.Cause], within)
	}
}

func (e *Engine) adoptPatterns(v *itsm.Version) error {
	if v.ID == e.patterns.version { // the same bytes
		return nil
	}
	f, err := learn.Read("patterns", bytes.NewReader(v.Data))
	if err != nil {
		return err
	}
	if e.rates.Adopt(f) {
		e.reindex()
	}
	e.usePatterns(v.ID, f)
	e.dirty.patterns = true
	return nil
}

func (e *Engine) usePatterns(version string, f *learn.File) {
	if f != nil {
		f.Rates = nil // they are counted on elsewhere
	}
	e.patterns.use(version, f)
	for _, fp := range sortedKeys(e.alerts) {
		e.mayCause(e.alerts[fp])
	}
}

// mayCause notes an alert whose type patterns know as a cause.
func (e *Engine) mayCause(a *alert) {
	if len(e.patterns.causes) == 0 {
		return
	}
	kind := a.kind()
	within, ok := e.patterns.causes[kind]
	if !ok {
		return
	}
	e.mayNotCause(a)
	if a.start.IsZero() || a.node == cmdb.None || a.start.Before(e.clock.Add(-within)) {
		return
	}
	list := e.patterns.recent[kind]
	i, _ := slices.BinarySearchFunc(list, a, func(x, y *alert) int {
		return cmp.Or(x.start.Compare(y.start), cmp.Compare(x.fingerprint, y.fingerprint))
	})
	list = slices.Insert(list, i, a)
	drop := 0
	for drop < len(list) && (len(list)-drop > maxRecent || list[drop].start.Before(e.clock.Add(-within))) {
		drop++
	}
	e.patterns.recent[kind] = slices.Delete(list, 0, drop)
}

// mayNotCause takes an alert out again, before it changes or goes.
func (e *Engine) mayNotCause(a *alert) {
	if len(e.patterns.recent) == 0 {
		return
	}
	if list := e.patterns.recent[a.kind()]; len(list) > 0 {
		e.patterns.recent[a.kind()] = slices.DeleteFunc(list, func(b *alert) bool { return b == a })
	}
}

// suspect asks the patterns for what may have caused a new observation.
func (e *Engine) suspect(a *alert, o *explain.Observation) {
	if o.Node == cmdb.None {
		return
	}
	var found []explain.Suspect
	for _, p := range e.patterns.byEffect[o.Type] {
		found = append(found, e.before(a, o, p)...)
	}
	o.Suspects = explain.Suspects(found)
}

// before finds what an observation may have followed by a pattern: the nearest items in its scope that have its cause.
func (e *Engine) before(a *alert, o *explain.Observation, p pattern) []explain.Suspect {
	var found []explain.Suspect
	nearest := 0
	for _, b := range e.patterns.recent[p.Cause] {
		lag := o.Onset.Sub(b.start)
		if b == a || b.node == cmdb.None || lag < 0 || max(lag, e.clock.Sub(b.start)) > p.within || !b.open && !b.once {
			continue
		}
		relations := e.index.Between(o.Node, b.node)
		if !explain.Reaches(e.patterns.file.Scope, relations) || len(found) > 0 && relations > nearest {
			continue
		}
		if relations < nearest {
			found = found[:0]
		}
		nearest = relations
		if i := slices.IndexFunc(found, func(s explain.Suspect) bool { return s.Item == b.item }); i >= 0 {
			found[i].Lag = min(found[i].Lag, lag)
			continue
		}
		found = append(found, explain.Suspect{Item: b.item, Type: p.Cause, Lag: lag, Support: p.Support})
	}
	for i := range found {
		found[i].Weight = uint8(min(100, 100*p.Score/float64(len(found)))) //nolint:gosec // percent
	}
	return found
}

// savedPatterns is the entity of a checkpoint.
type savedPatterns struct {
	Version string
	File    *learn.File
}

func (e *Engine) restorePatterns(value []byte) error {
	var s savedPatterns
	if err := json.Unmarshal(value, &s); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	e.patterns.version, e.patterns.file = s.Version, s.File
	return nil
}
