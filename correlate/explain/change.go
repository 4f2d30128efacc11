package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// strengthChange is what it says for a cause, in thousandths, that it was changed just now.
const strengthChange = 2500

// skew is by how much a change may seem to begin after what it caused: clocks differ.
const skew = 5 * time.Second

// riskOf is the editable table of how much more or less than a deploy a change of a kind counts, in percent: what was
// approved often and done the same way each time breaks little, what was hurried or never announced breaks much.
func riskOf(kind string) int64 {
	switch kind {
	case "emergency", "detected":
		return 120
	case "normal":
		return 80
	case "standard", itsm.ChangeMaintenance:
		return 50
	}
	return 100
}

// outcomeOf is the same for how a change ended: one that failed or was taken back has shown that something was wrong.
func outcomeOf(status string) int64 {
	if status == "failed" || status == "rolled_back" {
		return 130
	}
	return 100
}

// changeOn returns the change of an item that best explains trouble since a moment: of those that began before it the
// strongest, the last of equals; else one that began with it.
func (x *Index) changeOn(n cmdb.Node, since time.Time, rejected []string) (*Change, int64) {
	var with, best *Change
	strength := int64(0)
	for _, c := range slices.Backward(x.changes[n]) {
		switch {
		case c.Status == "planned" || slices.Contains(rejected, c.ID) || c.StartsAt.Sub(since) > skew:
		case c.StartsAt.After(since):
			with = c
		case since.Sub(c.ended()) > x.cfg.LookBack:
		default:
			if s := x.changeStrength(c, since); best == nil || s > strength {
				best, strength = c, s
			}
		}
	}
	switch {
	case best != nil:
		return best, strength
	case with != nil:
		return with, x.changeStrength(with, since)
	}
	return nil, 0
}

// ended is when a change was over, or began while it goes on.
func (c *Change) ended() time.Time {
	if c.EndsAt.After(c.StartsAt) {
		return c.EndsAt
	}
	return c.StartsAt
}

func (x *Index) changeStrength(c *Change, since time.Time) int64 {
	age := max(0, since.Sub(c.ended()))
	s := strengthChange * math.Exp2(-float64(age)/float64(x.cfg.ChangeDecay)) * x.experience[c.Alike].factor()
	return int64(math.Round(s)) * riskOf(c.Kind) * outcomeOf(c.Status) / 10_000
}

// changeText says what a change has to do with trouble since a moment.
func (x *Index) changeText(c *Change, since time.Time) string {
	at := c.StartsAt
	if !c.EndsAt.IsZero() && !c.EndsAt.After(since) {
		at = c.EndsAt
	}
	kind := c.Kind
	if outcomeOf(c.Status) != 100 {
		kind += ", " + map[string]string{"failed": "failed", "rolled_back": "rolled back"}[c.Status]
	}
	text := fmt.Sprintf("%s (%s) came %s before", cmp.Or(c.Title, c.ID), kind, duration(since.Sub(at)))
	if at.After(since) {
		text = fmt.Sprintf("%s (%s) came at the same time", cmp.Or(c.Title, c.ID), kind)
	}
	if e := x.experience[c.Alike]; e != (Experience{}) {
		text += fmt.Sprintf("; %d of %d such changes that people judged were causes", e.Confirmed, e.Confirmed+e.Rejected)
	}
	return text
}

// Experience is how often people have confirmed and rejected something as a cause.
type Experience struct{ Confirmed, Rejected int }

// factor is what experience makes of a strength, 0 … 2, and 1 without any: twice the mean of a Beta distribution whose
// prior is one decision each way.
func (e Experience) factor() float64 {
	return 2 * float64(e.Confirmed+1) / float64(e.Confirmed+e.Rejected+2)
}

// Experienced has the index use what people have decided so far. The engine goes on changing it.
func (x *Index) Experienced(experience map[string]Experience) { x.experience = experience }

// Blames names what a person who judges an item as a cause of h says something about: the item, and the class of what
// it hurts most, or its own alerts when it hurts nothing.
func (x *Index) Blames(h *Hypothesis, n cmdb.Node) string {
	what := x.MainType(h, n)
	if _, class, _ := x.Explained(h, n); class != "" {
		what = class
	}
	return "item " + x.id(n) + " of " + what
}

// experienced lets earlier decisions on an item weigh: they make it half to one and a half times as strong. It returns
// what they add.
func (x *Index) experienced(h *Hypothesis, n cmdb.Node, strength int64) (e Experience, added int64) {
	if len(x.experience) == 0 {
		return e, 0
	}
	e = x.experience[x.Blames(h, n)]
	return e, int64(math.Round(float64(strength) * (e.factor() - 1) / 2))
}

// decided says what people have decided of an item before.
func (e Experience) decided() string {
	return fmt.Sprintf("people confirmed it %d times and rejected it %d times as the cause of the like", e.Confirmed, e.Rejected)
}
