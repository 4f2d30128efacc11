package itsm

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Silence says that the alerts it matches need nobody's attention for a while. It marks them as
// suppressed and removes nothing. Its JSON form is that of Alertmanager's API v2. A later record
// with the same id replaces an earlier one; one that ends at or before its time is expired.
type Silence struct {
	ID        string    `json:"id"`
	Matchers  []Matcher `json:"matchers"` // all of them must match
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"` // it holds in [StartsAt, EndsAt)
	UpdatedAt time.Time `json:"updatedAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
}

// Matcher is a condition on one label. A label that is not there has the empty value.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"` // Value is a regular expression that must match as a whole
	IsEqual bool   `json:"isEqual"` // false: it must not match; true when missing in JSON
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Matcher) UnmarshalJSON(data []byte) error {
	in := struct {
		Name    string `json:"name"`
		Value   string `json:"value"`
		IsRegex bool   `json:"isRegex"`
		IsEqual *bool  `json:"isEqual"`
	}{}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*m = Matcher{Name: in.Name, Value: in.Value, IsRegex: in.IsRegex, IsEqual: in.IsEqual == nil || *in.IsEqual}
	return nil
}

// String writes the matcher as Alertmanager does.
func (m Matcher) String() string {
	op := map[[2]bool]string{{false, true}: "=", {false, false}: "!=", {true, true}: "=~", {true, false}: "!~"}[[2]bool{m.IsRegex, m.IsEqual}]
	return fmt.Sprintf("%s%s%q", m.Name, op, m.Value)
}

// The labels that an incident has as a group of alerts (docs/adr/0010-alertmanager-api.md). Tools
// that show it build matchers from them.
const (
	GroupIncident = "incident" // its number
	GroupCause    = "cause"    // the item of its best cause; not there without any
	GroupPriority = "priority"
)

// SilenceState says where a silence stands in time.
type SilenceState string

// The states of a silence, as Alertmanager names them.
const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceExpired SilenceState = "expired"
)

// State tells where the silence stands at a moment.
func (s *Silence) State(at time.Time) SilenceState {
	switch {
	case !at.Before(s.EndsAt):
		return SilenceExpired
	case at.Before(s.StartsAt):
		return SilencePending
	}
	return SilenceActive
}

// Limits of a silence.
const (
	maxMatchers    = 100
	maxSilenceText = 64 << 10 // of matchers and texts together
)

// Validate reports every fault of a silence as Faults.
func (s *Silence) Validate() error {
	var f Faults
	if s.ID == "" || len(s.ID) > 200 {
		f.Add("id", "1 to 200 bytes are expected")
	}
	for name, text := range map[string]string{"id": s.ID, "createdBy": s.CreatedBy, "comment": s.Comment} {
		if !utf8.ValidString(text) {
			f.Add(name, "is not valid UTF-8")
		}
	}
	switch {
	case s.StartsAt.IsZero():
		f.Add("startsAt", "is missing")
	case s.EndsAt.IsZero():
		f.Add("endsAt", "is missing")
	case s.EndsAt.Before(s.StartsAt):
		f.Add("endsAt", "is before startsAt")
	}
	ValidateTime("startsAt", s.StartsAt, &f)
	ValidateTime("endsAt", s.EndsAt, &f)
	ValidateTime("updatedAt", s.UpdatedAt, &f)
	if _, err := CompileMatchers(s.Matchers); err != nil {
		f.Add("matchers", "%s", err)
	}
	size := len(s.CreatedBy) + len(s.Comment)
	for _, m := range s.Matchers {
		size += len(m.Name) + len(m.Value)
	}
	if size > maxSilenceText {
		f.Add("matchers", "matchers, createdBy and comment are longer than %d bytes together", maxSilenceText)
	}
	slices.SortFunc(f, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return f.Err()
}

// Matchers are the compiled conditions of a silence. They are immutable and safe for concurrent use.
type Matchers struct {
	list []Matcher
	re   []*regexp.Regexp // nil where the value is no expression
}

// CompileMatchers checks conditions and makes them ready. One of them at least must ask for a
// label to be there: what matches an empty label set would silence everything.
func CompileMatchers(list []Matcher) (Matchers, error) {
	if len(list) == 0 {
		return Matchers{}, errors.New("at least one matcher is needed")
	}
	if len(list) > maxMatchers {
		return Matchers{}, fmt.Errorf("at most %d, got %d", maxMatchers, len(list))
	}
	ms := Matchers{list: slices.Clone(list), re: make([]*regexp.Regexp, len(list))}
	all := true
	for i, m := range list {
		if m.Name == "" || !utf8.ValidString(m.Name) || !utf8.ValidString(m.Value) {
			return Matchers{}, fmt.Errorf("matcher %d: a name and a value of valid UTF-8 are expected", i)
		}
		if m.IsRegex {
			re, err := regexp.Compile("^(?:" + m.Value + ")$")
			if err != nil {
				return Matchers{}, fmt.Errorf("matcher %d: %w", i, err)
			}
			ms.re[i] = re
		}
		all = all && ms.one(i, "")
	}
	if all {
		return Matchers{}, errors.New("at least one matcher must not match the empty value")
	}
	return ms, nil
}

func (ms *Matchers) one(i int, value string) bool {
	m := &ms.list[i]
	if ms.re[i] != nil {
		return ms.re[i].MatchString(value) == m.IsEqual
	}
	return (value == m.Value) == m.IsEqual
}

// Match tells whether all conditions hold; value gives the value of a label, "" for none.
func (ms *Matchers) Match(value func(name string) string) bool {
	for i := range ms.list {
		if !ms.one(i, value(ms.list[i].Name)) {
			return false
		}
	}
	return true
}

// Equality returns a label and the value that it must have, if there is such a condition.
func (ms *Matchers) Equality() (Label, bool) {
	for _, m := range ms.list {
		if m.IsEqual && !m.IsRegex && m.Value != "" {
			return Label{Name: m.Name, Value: m.Value}, true
		}
	}
	return Label{}, false
}

// Names tells whether a condition is on one of the labels.
func (ms *Matchers) Names(labels ...string) bool {
	return slices.ContainsFunc(ms.list, func(m Matcher) bool { return slices.Contains(labels, m.Name) })
}
