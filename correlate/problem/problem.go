// Package problem finds candidates for problems in resolved incidents: what recurs, and what it costs. A Book
// is pure: the same incidents and decisions at the same times give the same candidates. It has no clock, does
// no I/O, and refuses to look at incidents that are still open: their causes may change.
//
// What people see of it, and where the rules are from, stands in docs/problems.md.
package problem

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"signalbox/itsm"
)

// Config is when incidents make a candidate.
type Config struct {
	// So many incidents of one signature are a recurrence …
	Recurrences int `yaml:"recurrences"`
	// … when they begin within this time.
	RecurWithin time.Duration `yaml:"recur_within"`
	// So many within 30 days are one, too.
	RecurrencesLong int `yaml:"recurrences_long"`
	// So many incidents of one signature are a fast cluster …
	Cluster int `yaml:"cluster"`
	// … when they begin within this time.
	ClusterWithin time.Duration `yaml:"cluster_within"`
	// An alert that flaps on so many days of 30 is a candidate of its own.
	FlappingDays int `yaml:"flapping_days"`
}

// DefaultConfig returns the values that are usual in problem management.
func DefaultConfig() Config {
	return Config{
		Recurrences: 3, RecurWithin: 7 * day, RecurrencesLong: 5, Cluster: 4, ClusterWithin: 4 * time.Hour, FlappingDays: 3,
	}
}

// Validate returns every fault, each beginning with its path in the configuration file.
func (c Config) Validate() error {
	var errs []error
	for _, n := range []struct {
		path  string
		value int
	}{
		{"recurrences", c.Recurrences}, {"recurrences_long", c.RecurrencesLong}, {"cluster", c.Cluster}, {"flapping_days", c.FlappingDays},
	} {
		if n.value < 2 {
			errs = append(errs, fmt.Errorf("problem.%s: must be at least 2, got %d", n.path, n.value))
		}
	}
	for _, d := range []struct {
		path  string
		value time.Duration
	}{{"recur_within", c.RecurWithin}, {"cluster_within", c.ClusterWithin}} {
		if d.value <= 0 || d.value > Window {
			errs = append(errs, fmt.Errorf("problem.%s: must be positive and at most %s, got %s", d.path, Window, d.value))
		}
	}
	return errors.Join(errs...)
}

const (
	day = 24 * time.Hour
	// Window is how long what happened counts.
	Window = 30 * day
	// A decision outlives for so long the last incident that it was about.
	keepDecided = 180 * day

	reopenings  = 2 // of one incident
	confirmed   = 2 // incidents of one kind of change
	classItems  = 3 // different items that make a matter one of their class
	together    = 15 * time.Minute
	pairSupport = 3   // times that two items failed together …
	pairLift    = 3.0 // … and how much more often than by chance

	maxFacts    = 5000 // resolved incidents remembered
	maxShown    = 1000 // candidates
	maxPartners = 20   // other items that fail together with one; with more it is no pair
	maxTypes    = 32
	maxAlerts   = 64 // fingerprints of a signature: the smallest, which are a fair sample
	maxServices = 20
)

// Fact is a resolved incident in short.
type Fact struct {
	ID, Number, Title string
	Item, Name, Class string // of the cause; empty: none is known
	Kind              string // type of the main alert
	Types             []string
	Alerts            []itsm.Fingerprint
	Change            string `json:",omitempty"` // Template of the change that is the best cause
	Confirmed         bool   `json:",omitempty"` // by a person
	OpenedAt          time.Time
	Minutes           float64
	Services          []string
	Reopened          int      `json:",omitempty"`
	Code              string   `json:",omitempty"` // of the resolution
	Groups            []string // ids of the candidates it belongs to
}

// Template is what changes of one kind have in common: kind and title without digits, which mostly are versions.
func Template(kind, title string) string {
	var b strings.Builder
	b.WriteString(kind)
	if title != "" {
		b.WriteString(": ")
	}
	digits := false
	for _, r := range title {
		if d := unicode.IsDigit(r); !d {
			b.WriteRune(r)
		} else if !digits {
			b.WriteByte('#')
		}
		digits = unicode.IsDigit(r)
	}
	return b.String()
}

// candidate is what some facts have in common, whether it is shown or not.
type candidate struct {
	ID      string
	Key     string // what is common as a whole; what Set adds is common in most
	Subject itsm.ProblemSubject
	Title   string
	Set     []string      `json:",omitempty"` // of the first fact: alert types or fingerprints
	Days    []string      `json:",omitempty"` // on which the alert flapped
	Linked  []string      `json:",omitempty"` // incidents in which it flapped
	Effect  *effect       `json:",omitempty"`
	Shown   *itsm.Problem `json:",omitempty"`
	facts   []*Fact       // by time
}

// effect is what a fix is judged by, since facts are forgotten.
type effect struct {
	Before     int
	BeforeDays float64
	After      int
}

// Book holds the facts and candidates of one shard. One goroutine uses it.
type Book struct {
	cfg        Config
	shard      int
	facts      map[string]*Fact // by incident
	byItem     map[string][]*Fact
	candidates map[string]*candidate // by id
	byKey      map[string][]*candidate
	changed    map[string]bool // candidates to publish
	dirty      map[string]bool // entities to save: fact/… and candidate/…
	dropped    int
	shown      int
}

// NewBook returns an empty book. Candidates of different shards have different ids.
func NewBook(cfg Config, shard int) *Book {
	return &Book{
		cfg: cfg, shard: shard, facts: map[string]*Fact{}, byItem: map[string][]*Fact{}, candidates: map[string]*candidate{},
		byKey: map[string][]*candidate{}, changed: map[string]bool{}, dirty: map[string]bool{},
	}
}

// Configure brings other limits into force; what is known is judged by them when something happens.
func (b *Book) Configure(cfg Config) { b.cfg = cfg }

// Empty tells whether there is nothing that time alone could change.
func (b *Book) Empty() bool { return len(b.facts) == 0 && len(b.candidates) == 0 }

// Dropped returns how many facts and candidates were let go for want of room since the last call.
func (b *Book) Dropped() int {
	n := b.dropped
	b.dropped = 0
	return n
}

// Changed returns the ids of the candidates that stand differently since the last call.
func (b *Book) Changed() []string {
	if len(b.changed) == 0 {
		return nil
	}
	ids := sortedKeys(b.changed)
	clear(b.changed)
	return ids
}

// Problem returns a candidate as it stands, nil when it is not shown.
func (b *Book) Problem(id string) *itsm.Problem {
	if c := b.candidates[id]; c != nil && c.Shown != nil {
		p := *c.Shown
		return &p
	}
	return nil
}

// Problems returns all of them, the dearest first.
func (b *Book) Problems() []itsm.Problem {
	var out []itsm.Problem
	for _, id := range sortedKeys(b.candidates) {
		if p := b.Problem(id); p != nil {
			out = append(out, *p)
		}
	}
	slices.SortStableFunc(out, func(x, y itsm.Problem) int { return cmp.Compare(y.Cost, x.Cost) })
	return out
}

// Record takes a resolved incident in, or what is new of one. Types and Alerts may be in any order.
func (b *Book) Record(f Fact, at time.Time) {
	f.Types, f.Alerts = smallest(f.Types, maxTypes), smallest(f.Alerts, maxAlerts)
	f.Groups = nil
	var left []string
	if before := b.facts[f.ID]; before != nil {
		same := *before
		same.Groups = nil
		if string(encode(same)) == string(encode(f)) {
			return
		}
		left = before.Groups
		b.unlink(before)
	} else if len(b.facts) >= maxFacts {
		b.dropped++
		b.withdraw(b.oldest(), at)
	}
	b.add(&f)
	b.dirty["fact/"+f.ID] = true
	for _, c := range b.groups(&f) {
		b.join(c, &f)
		b.judge(c, at)
	}
	b.pair(&f, at)
	for _, fp := range f.Alerts {
		for _, c := range b.byKey["alert\x00"+fp.String()] {
			b.judge(c, at)
		}
	}
	for _, id := range left {
		if c := b.candidates[id]; c != nil && !slices.Contains(f.Groups, id) {
			b.judge(c, at)
		}
	}
}

// Withdraw forgets an incident that is none after all: it was cancelled or merged into another one.
func (b *Book) Withdraw(incident string, at time.Time) {
	if f := b.facts[incident]; f != nil {
		b.withdraw(f, at)
	}
}

// Flap is a moment at which an alert fired anew once more than it should, and the incident that held it.
type Flap struct {
	Fingerprint       itsm.Fingerprint
	Alert, Item, Name string // its type, the item that it is about, and that one's name
	Incident          string
	At                time.Time
}

// Flapped notes that an alert comes and goes.
func (b *Book) Flapped(flap Flap, at time.Time) {
	fp := flap.Fingerprint
	c := b.find("alert\x00"+fp.String(), nil, func() *candidate {
		return &candidate{
			Subject: itsm.ProblemSubject{Kind: itsm.ProblemOfAlert, Items: some(flap.Item), AlertTypes: some(flap.Alert), Fingerprint: &fp},
			Title:   on(flap.Alert, flap.Name) + " comes and goes",
		}
	})
	today := dayOf(flap.At)
	known, linked := slices.Contains(c.Days, today), slices.Contains(c.Linked, flap.Incident)
	if known && linked {
		return
	}
	if !known {
		c.Days = append(c.Days, today)
		slices.Sort(c.Days)
	}
	if !linked {
		c.Linked = lastOf(append(c.Linked, flap.Incident), itsm.MaxProblemIncidents)
	}
	b.dirty["candidate/"+c.ID] = true
	b.judge(c, at)
}

// Sweep looks at everything that time alone changes. It is due each midnight (UTC).
func (b *Book) Sweep(at time.Time) {
	for _, id := range sortedKeys(b.facts) {
		if f := b.facts[id]; f.OpenedAt.Add(Window).Before(at) {
			b.withdraw(f, at)
		}
	}
	for _, id := range sortedKeys(b.candidates) {
		if c := b.candidates[id]; c != nil {
			b.judge(c, at)
		}
	}
}

// Wake looks again at a candidate that was suppressed until now.
func (b *Book) Wake(id string, at time.Time) {
	if c := b.candidates[id]; c != nil && c.Shown != nil && c.Shown.State == itsm.ProblemSuppressed && !c.Shown.Until.After(at) {
		b.judge(c, at)
	}
}

// Waiting returns when each suppressed candidate is to be woken.
func (b *Book) Waiting() map[string]time.Time {
	out := map[string]time.Time{}
	for id, c := range b.candidates {
		if p := c.Shown; p != nil && p.State == itsm.ProblemSuppressed {
			out[id] = *p.Until
		}
	}
	return out
}

// groups finds or makes the candidates that a fact belongs to, the most specific first.
func (b *Book) groups(f *Fact) []*candidate {
	var out []*candidate
	what := cmp.Or(f.Kind, "An incident")
	if f.Item == "" {
		set := make([]string, len(f.Alerts))
		for i, fp := range f.Alerts {
			set[i] = fp.String()
		}
		out = append(out, b.find("alerts\x00"+f.Kind, set, func() *candidate {
			return &candidate{Subject: itsm.ProblemSubject{Kind: itsm.ProblemOfAlerts, AlertTypes: f.Types}, Title: what + " comes again"}
		}))
	} else {
		out = append(out, b.find("item\x00"+f.Item+"\x00"+f.Change, f.Types, func() *candidate {
			return &candidate{
				Subject: itsm.ProblemSubject{Kind: itsm.ProblemOfItem, Items: []string{f.Item}, Class: f.Class, AlertTypes: f.Types, Change: f.Change},
				Title:   on(what, cmp.Or(f.Name, f.Item)) + " comes again",
			}
		}), b.find("class\x00"+f.Class+"\x00"+f.Change, f.Types, func() *candidate {
			return &candidate{
				Subject: itsm.ProblemSubject{Kind: itsm.ProblemOfClass, Class: f.Class, AlertTypes: f.Types, Change: f.Change},
				Title:   what + " on one " + f.Class + " after another",
			}
		}))
	}
	if f.Confirmed && f.Change != "" {
		out = append(out, b.find("change\x00"+f.Change, nil, func() *candidate {
			return &candidate{Subject: itsm.ProblemSubject{Kind: itsm.ProblemOfChange, Change: f.Change}, Title: "Incidents after " + f.Change}
		}))
	}
	return out
}

// find returns the candidate with a key whose set is mostly the same, else makes it.
func (b *Book) find(key string, set []string, make func() *candidate) *candidate {
	for _, c := range b.byKey[key] {
		if alike(c.Set, set) {
			return c
		}
	}
	c := make()
	c.Key, c.Set, c.ID = key, set, b.id(key, set)
	b.insert(c)
	b.dirty["candidate/"+c.ID] = true
	return c
}

func (b *Book) insert(c *candidate) {
	b.candidates[c.ID] = c
	b.byKey[c.Key] = append(b.byKey[c.Key], c)
	slices.SortFunc(b.byKey[c.Key], func(x, y *candidate) int { return strings.Compare(x.ID, y.ID) })
}

func (b *Book) remove(c *candidate) {
	delete(b.candidates, c.ID)
	b.byKey[c.Key] = slices.DeleteFunc(b.byKey[c.Key], func(o *candidate) bool { return o == c })
	if len(b.byKey[c.Key]) == 0 {
		delete(b.byKey, c.Key)
	}
	for _, f := range c.facts {
		f.Groups = slices.DeleteFunc(f.Groups, func(id string) bool { return id == c.ID })
		b.dirty["fact/"+f.ID] = true
	}
	b.dirty["candidate/"+c.ID] = true
	if c.Shown != nil {
		b.shown--
		b.changed[c.ID] = true
	}
}

// alike tells whether two sets have at least half of their words in common (Jaccard).
func alike(a, b []string) bool {
	both := 0
	for _, w := range b {
		if _, ok := slices.BinarySearch(a, w); ok {
			both++
		}
	}
	return 2*both >= len(a)+len(b)-both
}

// id follows from the shard and from what is common. 64 bits are enough for what a shard holds.
func (b *Book) id(key string, set []string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(strconv.Itoa(b.shard) + "\x00" + key + "\x00" + strings.Join(set, "\x00"))) // never fails
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (b *Book) add(f *Fact) {
	b.facts[f.ID] = f
	if f.Item != "" {
		b.byItem[f.Item] = insertFact(b.byItem[f.Item], f)
	}
}

func (b *Book) join(c *candidate, f *Fact) {
	if !slices.Contains(f.Groups, c.ID) {
		f.Groups = append(f.Groups, c.ID)
		c.facts = insertFact(c.facts, f)
		b.dirty["fact/"+f.ID] = true
	}
}

func insertFact(list []*Fact, f *Fact) []*Fact {
	i, _ := slices.BinarySearchFunc(list, f, compareFacts)
	return slices.Insert(list, i, f)
}

func compareFacts(x, y *Fact) int {
	return cmp.Or(x.OpenedAt.Compare(y.OpenedAt), strings.Compare(x.ID, y.ID))
}

func (b *Book) oldest() *Fact {
	var old *Fact
	for _, f := range b.facts {
		if old == nil || compareFacts(f, old) < 0 {
			old = f
		}
	}
	return old
}

func (b *Book) withdraw(f *Fact, at time.Time) {
	b.unlink(f)
	for _, id := range f.Groups {
		if c := b.candidates[id]; c != nil {
			b.judge(c, at)
		}
	}
}

// unlink takes a fact out of everything.
func (b *Book) unlink(f *Fact) {
	delete(b.facts, f.ID)
	b.dirty["fact/"+f.ID] = true
	without := func(o *Fact) bool { return o == f }
	if f.Item != "" {
		if b.byItem[f.Item] = slices.DeleteFunc(b.byItem[f.Item], without); len(b.byItem[f.Item]) == 0 {
			delete(b.byItem, f.Item)
		}
	}
	for _, id := range f.Groups {
		if c := b.candidates[id]; c != nil {
			c.facts = slices.DeleteFunc(c.facts, without)
		}
	}
}

// Restore takes one entity of a checkpoint back: kind and name are its key. Restored comes after the last.
func (b *Book) Restore(kind, name string, value []byte) error {
	if kind == "fact" {
		f := &Fact{}
		if err := json.Unmarshal(value, f); err != nil {
			return err
		}
		b.facts[name] = f
		return nil
	}
	c := &candidate{}
	if err := json.Unmarshal(value, c); err != nil {
		return err
	}
	b.insert(c)
	if c.Shown != nil {
		b.shown++
	}
	return nil
}

// Restored links what was restored.
func (b *Book) Restored() {
	for _, id := range sortedKeys(b.facts) {
		f := b.facts[id]
		b.add(f)
		f.Groups = slices.DeleteFunc(f.Groups, func(id string) bool { return b.candidates[id] == nil })
		for _, id := range f.Groups {
			b.candidates[id].facts = insertFact(b.candidates[id].facts, f)
		}
	}
	clear(b.dirty)
	clear(b.changed)
}

// Dirty returns how many entities Save would give.
func (b *Book) Dirty() int { return len(b.dirty) }

// Save gives the entities that have changed since the last call, nil for one that is gone.
func (b *Book) Save(put func(key string, value []byte)) {
	for key := range b.dirty {
		kind, id, _ := strings.Cut(key, "/")
		switch f, c := b.facts[id], b.candidates[id]; {
		case kind == "fact" && f != nil:
			put(key, encode(f))
		case kind == "candidate" && c != nil:
			put(key, encode(c))
		default:
			put(key, nil)
		}
	}
	clear(b.dirty)
}

// encode marshals what always marshals: our own structs of texts, numbers and times.
func encode(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		return []byte("null")
	}
	return out
}

// smallest returns the first of a set in order, each once.
func smallest[T cmp.Ordered](list []T, most int) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.Clip(list[:min(most, len(list))])
}

func lastOf[T any](list []T, most int) []T { return list[max(0, len(list)-most):] }

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func on(what, item string) string {
	if item == "" {
		return what
	}
	return what + " on " + item
}

func dayOf(at time.Time) string { return at.UTC().Format(time.DateOnly) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
