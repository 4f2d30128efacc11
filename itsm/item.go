package itsm

import (
	"strconv"
	"strings"
	"time"
)

// Item is a configuration item: a host, a service, a machine, a line.
type Item struct {
	ID          string            `json:"id" yaml:"id"`
	Class       string            `json:"class" yaml:"class"`
	Name        string            `json:"name,omitempty" yaml:"name,omitempty"`               // default: the id
	Criticality int               `json:"criticality,omitempty" yaml:"criticality,omitempty"` // 1 (highest) … 5, default 3
	Redundancy  *Redundancy       `json:"redundancy,omitempty" yaml:"redundancy,omitempty"`
	Vantage     bool              `json:"vantage,omitempty" yaml:"vantage,omitempty"` // monitoring looks from here
	Attributes  map[string]string `json:"attributes,omitempty" yaml:"attributes,omitempty"`
	Owner       string            `json:"owner,omitempty" yaml:"owner,omitempty"` // team
	// Identifiers recognise the item: any one set whose labels all match.
	Identifiers []map[string]string `json:"identifiers,omitempty" yaml:"identifiers,omitempty"`
	// Discovered marks an item that the engine found in labels; it never wins over a declared one.
	Discovered bool `json:"discovered,omitempty" yaml:"-"`
}

// Redundancy says how many members of a group must work: a number ("1") or a share ("50%").
type Redundancy struct {
	Min Threshold `json:"min" yaml:"min"`
}

// Threshold is a count ("2") or a share of the members ("50%").
type Threshold string

// RelationType is the kind of a relation; each has its own direction of impact (docs/architecture.md).
type RelationType string

// The relation types, to be read as "from TYPE to".
const (
	DependsOn  RelationType = "depends_on"
	RunsOn     RelationType = "runs_on"
	MemberOf   RelationType = "member_of"
	PartOf     RelationType = "part_of"
	ConnectsTo RelationType = "connects_to"
	Controls   RelationType = "controls"
	Feeds      RelationType = "feeds"
	Measures   RelationType = "measures"
)

// RelationTypes lists every relation type.
func RelationTypes() []RelationType {
	return []RelationType{DependsOn, RunsOn, MemberOf, PartOf, ConnectsTo, Controls, Feeds, Measures}
}

// Relation is a typed, directed connection of two items, valid in [ValidFrom, ValidTo); zero
// times are open ends.
type Relation struct {
	From       string            `json:"from" yaml:"from"`
	Type       RelationType      `json:"type" yaml:"type"`
	To         string            `json:"to" yaml:"to"`
	Attributes map[string]string `json:"attributes,omitempty" yaml:"attributes,omitempty"`
	ValidFrom  time.Time         `json:"validFrom,omitzero" yaml:"validFrom,omitempty"`
	ValidTo    time.Time         `json:"validTo,omitzero" yaml:"validTo,omitempty"`
	Discovered bool              `json:"discovered,omitempty" yaml:"-"`
}

// Of returns how many of n members the threshold asks for; a share is rounded up. A threshold
// that is neither a count nor a share asks for one.
func (t Threshold) Of(n int) int {
	if share, ok := strings.CutSuffix(string(t), "%"); ok {
		if v, err := strconv.Atoi(share); err == nil {
			return (n*v + 99) / 100
		}
		return 1
	}
	if v, err := strconv.Atoi(string(t)); err == nil {
		return v
	}
	return 1
}
