package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"signalbox/cmdb"
)

// strengthChange is what it says for a cause, in thousandths, that it was changed just now.
const strengthChange = 2500

// skew is by how much a change may seem to begin after what it caused: clocks differ.
const skew = 5 * time.Second

// changeOn returns the change of an item that best explains trouble since a moment: the last that began before it, else
// one that began with it.
func (x *Index) changeOn(n cmdb.Node, since time.Time, rejected []string) (*Change, int64) {
	var with *Change
	for _, c := range slices.Backward(x.changes[n]) {
		switch {
		case c.Status == "planned" || slices.Contains(rejected, c.ID) || c.StartsAt.Sub(since) > skew:
		case c.StartsAt.After(since):
			with = c
		case since.Sub(c.ended()) > x.cfg.LookBack:
		default:
			return c, x.changeStrength(c, since)
		}
	}
	if with == nil {
		return nil, 0
	}
	return with, x.changeStrength(with, since)
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
	return int64(math.Round(strengthChange * math.Exp2(-float64(age)/float64(x.cfg.ChangeDecay))))
}

func changeText(c *Change, now time.Time) string {
	at := c.StartsAt
	if !c.EndsAt.IsZero() && !c.EndsAt.After(now) {
		at = c.EndsAt
	}
	if at.After(now) {
		return fmt.Sprintf("%s (%s) came at the same time", cmp.Or(c.Title, c.ID), c.Kind)
	}
	return fmt.Sprintf("%s (%s) came %s before", cmp.Or(c.Title, c.ID), c.Kind, duration(now.Sub(at)))
}
