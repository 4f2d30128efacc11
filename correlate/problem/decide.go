package problem

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// judge brings a candidate to where it stands now: shown or not, with what its facts say.
func (b *Book) judge(c *candidate, at time.Time) {
	if b.candidates[c.ID] != c {
		return
	}
	if n := len(c.Days); n > 0 {
		oldest := dayOf(at.Add(-Window))
		if c.Days = slices.DeleteFunc(c.Days, func(d string) bool { return d < oldest }); len(c.Days) < n {
			b.dirty["candidate/"+c.ID] = true
		}
	}
	facts := b.counted(c, at)
	rules, near := b.evidence(c, facts)
	quiet := len(facts) == 0 && len(c.Days) == 0
	if c.Shown == nil {
		switch {
		case len(c.facts) == 0 && len(c.Days) == 0:
			b.remove(c)
		case len(rules) > 0 || near:
			b.show(c, facts, rules, at)
		}
		return
	}
	p := c.Shown
	switch p.State {
	case itsm.ProblemSuppressed:
		if !p.Until.After(at) {
			b.release(c, rules, at)
		}
	case itsm.ProblemEmerging, itsm.ProblemProposed, itsm.ProblemStale:
		b.move(c, rules, near, quiet, at)
	case itsm.ProblemAccepted, itsm.ProblemDismissed:
		last := p.LastAt
		if p.DecidedAt != nil && p.DecidedAt.After(last) {
			last = *p.DecidedAt
		}
		if last.Add(keepDecided).Before(at) {
			b.remove(c)
			return
		}
	}
	if c.Shown.State == "" || c.Shown.State == itsm.ProblemStale && c.Shown.UpdatedAt.Add(Window).Before(at) {
		b.remove(c)
		return
	}
	b.refresh(c, facts, rules, at)
}

// move changes the states that the engine alone decides.
func (b *Book) move(c *candidate, rules []itsm.ProblemEvidence, near, quiet bool, at time.Time) {
	p := c.Shown
	next := p.State
	switch {
	case len(rules) > 0:
		next = itsm.ProblemProposed
	case p.State == itsm.ProblemEmerging && !near:
		next = "" // it came to nothing
	case p.State == itsm.ProblemProposed && quiet:
		next = itsm.ProblemStale
	}
	b.enter(c, next, at)
}

// release lets the engine decide again after a suppression or a decision that was taken back.
func (b *Book) release(c *candidate, rules []itsm.ProblemEvidence, at time.Time) {
	next := itsm.ProblemStale
	if len(rules) > 0 {
		next = itsm.ProblemProposed
	}
	c.Shown.Until = nil
	b.enter(c, next, at)
}

func (b *Book) enter(c *candidate, next itsm.ProblemState, at time.Time) {
	if next == itsm.ProblemProposed && c.Shown.State != next {
		c.Shown = clone(c.Shown)
		t := at
		c.Shown.ProposedAt = &t
	}
	if next != c.Shown.State {
		c.Shown = clone(c.Shown)
		c.Shown.State = next
		b.changed[c.ID] = true
		b.again(c, at)
	}
}

// again counts for the class what a candidate of an item no longer stands for, or the other way round.
func (b *Book) again(c *candidate, at time.Time) {
	if c.Subject.Kind != itsm.ProblemOfItem {
		return
	}
	for _, f := range c.facts {
		for _, id := range slices.Clone(f.Groups) {
			if o := b.candidates[id]; o != nil && o.Subject.Kind == itsm.ProblemOfClass && o.Shown != nil {
				b.judge(o, at)
			}
		}
	}
}

func (b *Book) show(c *candidate, facts []*Fact, rules []itsm.ProblemEvidence, at time.Time) {
	b.makeRoom()
	b.shown++
	c.Shown = &itsm.Problem{ID: c.ID, State: itsm.ProblemEmerging, Title: c.Title, Subject: c.Subject}
	if len(rules) > 0 {
		b.enter(c, itsm.ProblemProposed, at)
	}
	b.refresh(c, facts, rules, at)
}

// makeRoom drops the cheapest candidate that nobody has decided on when there are too many.
func (b *Book) makeRoom() {
	if b.shown < maxShown {
		return
	}
	var cheapest *candidate
	for _, id := range sortedKeys(b.candidates) {
		c := b.candidates[id]
		if c.Shown == nil {
			continue
		}
		if c.Shown.DecidedAt == nil && (cheapest == nil || c.Shown.Cost < cheapest.Shown.Cost) {
			cheapest = c
		}
	}
	if cheapest != nil {
		b.dropped++
		b.remove(cheapest)
	}
}

// refresh describes a candidate anew; only what is different is a new revision.
func (b *Book) refresh(c *candidate, facts []*Fact, rules []itsm.ProblemEvidence, at time.Time) {
	before := c.Shown
	p := clone(before)
	c.Shown = p
	c.count(facts)
	p.Evidence, p.Effect = rules, c.measure(at)
	p.Incidents, p.Days, p.Services = nil, nil, nil
	p.IncidentCount, p.Minutes, p.Cost = len(facts), 0, 0
	days := map[string]int{}
	for _, f := range facts {
		p.Minutes += f.Minutes
		p.Cost += f.Minutes * float64(max(1, len(f.Services)))
		days[dayOf(f.OpenedAt)]++
		for _, s := range f.Services {
			if !slices.Contains(p.Services, s) && len(p.Services) < maxServices {
				p.Services = append(p.Services, s)
			}
		}
	}
	p.Minutes, p.Cost = round(p.Minutes, 10), round(p.Cost, 10)
	for _, f := range slices.Backward(lastOf(facts, itsm.MaxProblemIncidents)) {
		p.Incidents = append(p.Incidents, itsm.ProblemIncident{
			ID: f.ID, Number: f.Number, Title: f.Title, Item: f.Item, OpenedAt: f.OpenedAt, Minutes: round(f.Minutes, 10), Services: len(f.Services),
		})
	}
	for _, d := range c.Days {
		days[d] = max(days[d], 1)
	}
	for _, d := range sortedKeys(days) {
		p.Days = append(p.Days, itsm.ProblemDay{Day: d, Incidents: days[d]})
	}
	switch n := len(facts); {
	case n > 0:
		p.FirstAt, p.LastAt = facts[0].OpenedAt, facts[n-1].OpenedAt
	case len(c.Days) > 0:
		p.FirstAt, p.LastAt = midnight(c.Days[0]), midnight(c.Days[len(c.Days)-1])
	}
	counts := before.IncidentCount == p.IncidentCount && before.Minutes == p.Minutes && before.Cost == p.Cost // nearly always says it, and costs less
	if before.Revision > 0 && !b.changed[c.ID] && counts && string(encode(before)) == string(encode(p)) {
		c.Shown = before
		return
	}
	b.touch(c, at)
}

func (b *Book) touch(c *candidate, at time.Time) {
	c.Shown.Revision++
	c.Shown.UpdatedAt = at
	b.changed[c.ID], b.dirty["candidate/"+c.ID] = true, true
}

// midnight is when a day of dayOf begins.
func midnight(day string) time.Time {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}
	}
	return at
}

func clone(p *itsm.Problem) *itsm.Problem {
	q := *p
	return &q
}

// Decide applies what a person decides of a candidate and returns its revision. The errors are itsm.ErrNotFound
// and itsm.ErrUnprocessable.
func (b *Book) Decide(cmd *itsm.Command, at time.Time) (revision int, err error) {
	c := b.candidates[cmd.Problem]
	if c == nil || c.Shown == nil {
		return 0, fmt.Errorf("%w: candidate %s", itsm.ErrNotFound, cmd.Problem)
	}
	p, by := clone(c.Shown), cmp.Or(cmd.By, "anonymous")
	facts := b.counted(c, at)
	rules, _ := b.evidence(c, facts)
	switch cmd.Action { //nolint:exhaustive // Validate has let no other through
	case itsm.ActionAccept:
		p.State = itsm.ProblemAccepted
	case itsm.ActionDismiss:
		p.State = itsm.ProblemDismissed
	case itsm.ActionSuppress:
		if !cmd.Until.After(at) {
			return 0, fmt.Errorf("%w: until: must be in the future", itsm.ErrUnprocessable)
		}
		p.State = itsm.ProblemSuppressed
	case itsm.ActionFixed:
		if err := b.fixed(c, p, cmd, facts, at); err != nil {
			return 0, err
		}
	case itsm.ActionReopen:
		if p.DecidedAt == nil {
			return 0, fmt.Errorf("%w: nobody has decided anything on it", itsm.ErrUnprocessable)
		}
		p.DecidedAt, p.DecidedBy, p.Reason, p.FixedAt, p.Until = nil, nil, nil, nil, nil
		c.Shown, c.Effect = p, nil
		b.release(c, rules, at)
		b.refresh(c, facts, rules, at)
		return c.Shown.Revision, nil
	}
	t := at
	p.DecidedAt, p.DecidedBy, p.Reason, p.Until = &t, &by, nil, nil
	if reason := strings.TrimSpace(cmp.Or(cmd.Reason, cmd.Comment)); reason != "" {
		p.Reason = &reason
	}
	if cmd.Action == itsm.ActionSuppress {
		until := cmd.Until.UTC()
		p.Until = &until
	}
	moved := p.State != c.Shown.State
	c.Shown = p
	b.changed[c.ID] = true // a decision is a revision, even when it says the same again
	b.refresh(c, facts, rules, at)
	if moved {
		b.again(c, at)
	}
	return c.Shown.Revision, nil
}

// fixed notes since when a fix is in place, and what the time before it was like.
func (b *Book) fixed(c *candidate, p *itsm.Problem, cmd *itsm.Command, facts []*Fact, at time.Time) error {
	since := at
	if cmd.FixedAt != nil {
		since = cmd.FixedAt.UTC()
	}
	if since.After(at) || since.Before(at.Add(-Window)) {
		return fmt.Errorf("%w: fixedAt: must lie in the last 30 days", itsm.ErrUnprocessable)
	}
	var before []*Fact
	for _, f := range facts {
		if !f.OpenedAt.After(since) {
			before = append(before, f)
		}
	}
	if len(before) == 0 {
		return fmt.Errorf("%w: fixedAt: there is no incident before it to compare with", itsm.ErrUnprocessable)
	}
	p.State, p.FixedAt = itsm.ProblemAccepted, &since
	// The first incident began the time that is counted; to count it, too, would make the rate too high.
	c.Effect = &effect{Before: len(before) - 1, BeforeDays: since.Sub(before[0].OpenedAt).Hours() / 24}
	return nil
}
