package problem

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox/itsm"
)

// counted returns the facts that a candidate counts: those of the window, and of a class only those that no
// candidate of an item stands for already.
func (b *Book) counted(c *candidate, at time.Time) []*Fact {
	var out []*Fact
	for _, f := range c.facts {
		if f.OpenedAt.Add(Window).Before(at) || c.Subject.Kind == itsm.ProblemOfClass && b.ofItem(f) {
			continue
		}
		out = append(out, f)
	}
	for _, id := range c.Linked { // of an alert that flaps
		if f := b.facts[id]; f != nil && !f.OpenedAt.Add(Window).Before(at) {
			out = insertFact(out, f)
		}
	}
	return out
}

func (b *Book) ofItem(f *Fact) bool {
	return slices.ContainsFunc(f.Groups, func(id string) bool {
		c := b.candidates[id]
		return c != nil && c.Subject.Kind == itsm.ProblemOfItem && c.Shown != nil && c.Shown.State != itsm.ProblemEmerging
	})
}

// evidence returns the rules that hold, and whether one more incident would make one hold.
func (b *Book) evidence(c *candidate, facts []*Fact) (list []itsm.ProblemEvidence, near bool) {
	add := func(rule itsm.ProblemRule, count int, format string, args ...any) {
		list = append(list, itsm.ProblemEvidence{Rule: rule, Count: count, Text: fmt.Sprintf(format, args...)})
	}
	switch c.Subject.Kind {
	case itsm.ProblemOfAlert:
		if n := len(c.Days); n >= b.cfg.FlappingDays {
			add(itsm.RuleFlapping, n, "comes and goes on %d days, from %s to %s", n, c.Days[0], c.Days[n-1])
		}
		return list, len(c.Days) == b.cfg.FlappingDays-1 && len(c.Days) > 1
	case itsm.ProblemOfChange:
		if len(facts) >= confirmed {
			add(itsm.RuleChange, len(facts), "confirmed as the cause of %d incidents", len(facts))
		}
		return list, false
	case itsm.ProblemOfPair:
		n, lift := b.lift(c, facts)
		if n >= pairSupport && lift >= pairLift {
			add(itsm.RuleCoOccurrence, n, "began within %s of each other %d times, %s as often as by chance", minutes(together), n, times(lift))
		}
		return list, false
	case itsm.ProblemOfClass:
		if distinctItems(facts) < classItems {
			return nil, false
		}
	}
	short, shortAt := densest(facts, b.cfg.RecurWithin)
	if short >= b.cfg.Recurrences {
		add(itsm.RuleRecurrence, short, "%d incidents within %s, from %s", short, daysText(b.cfg.RecurWithin), dayOf(shortAt))
	} else if len(facts) >= b.cfg.RecurrencesLong {
		add(itsm.RuleRecurrence, len(facts), "%d incidents within 30 days, from %s", len(facts), dayOf(facts[0].OpenedAt))
	}
	if n, from := densest(facts, b.cfg.ClusterWithin); n >= b.cfg.Cluster {
		add(itsm.RuleFastCluster, n, "%d incidents within %s, from %s UTC; is it a major incident?", n, minutes(b.cfg.ClusterWithin), from.UTC().Format("2006-01-02 15:04"))
	}
	if c.Subject.Kind == itsm.ProblemOfClass {
		return list, false
	}
	if f := mostReopened(facts); f != nil && f.Reopened >= reopenings {
		add(itsm.RuleReopened, f.Reopened, "%s was opened again %d times", f.Number, f.Reopened)
	}
	if n, first := afterWorkaround(facts); n > 0 {
		add(itsm.RuleWorkaround, n, "%d more since %s was resolved by a workaround", n, first.Number)
	}
	return list, short >= 2 && short == b.cfg.Recurrences-1 || len(facts) >= 2 && len(facts) == b.cfg.RecurrencesLong-1
}

// densest returns the most facts that begin within a time, and when the first of them does.
func densest(facts []*Fact, within time.Duration) (n int, from time.Time) {
	first := 0
	for i, f := range facts {
		for f.OpenedAt.Sub(facts[first].OpenedAt) > within {
			first++
		}
		if i-first+1 > n {
			n, from = i-first+1, facts[first].OpenedAt
		}
	}
	return n, from
}

func mostReopened(facts []*Fact) *Fact {
	var most *Fact
	for _, f := range facts {
		if most == nil || f.Reopened > most.Reopened {
			most = f
		}
	}
	return most
}

// afterWorkaround counts the incidents after the first one that was resolved by a workaround.
func afterWorkaround(facts []*Fact) (int, *Fact) {
	for i, f := range facts {
		if strings.Contains(strings.ToLower(f.Code), "workaround") {
			return len(facts) - i - 1, f
		}
	}
	return 0, nil
}

func distinctItems(facts []*Fact) int {
	items := map[string]bool{}
	for _, f := range facts {
		items[f.Item] = true
	}
	return len(items)
}

// pair looks for items whose incidents begin together with a new one.
func (b *Book) pair(f *Fact, at time.Time) {
	if f.Item == "" {
		return
	}
	partners := map[string]bool{}
	for item, list := range b.byItem {
		if item != f.Item && near(list, f) != nil {
			partners[item] = true
		}
	}
	if len(partners) > maxPartners { // when so much fails at once, that two do says nothing of them
		return
	}
	for _, other := range sortedKeys(partners) {
		two := []string{min(f.Item, other), max(f.Item, other)}
		var members []*Fact
		counts := [2]int{}
		for i, item := range two {
			for _, g := range b.byItem[item] {
				if near(b.byItem[two[1-i]], g) != nil {
					members = append(members, g)
					counts[i]++
				}
			}
		}
		if min(counts[0], counts[1]) < pairSupport {
			continue
		}
		c := b.find("pair\x00"+two[0]+"\x00"+two[1], nil, func() *candidate {
			return &candidate{
				Subject: itsm.ProblemSubject{Kind: itsm.ProblemOfPair, Items: two},
				Title:   b.nameOf(two[0]) + " and " + b.nameOf(two[1]) + " fail together",
			}
		})
		for _, g := range members {
			b.join(c, g)
		}
		b.judge(c, at)
	}
}

func (b *Book) nameOf(item string) string {
	list := b.byItem[item]
	return cmp.Or(list[len(list)-1].Name, item)
}

// near returns a fact of a list that began together with another one.
func near(list []*Fact, f *Fact) *Fact {
	i, _ := slices.BinarySearchFunc(list, f.OpenedAt.Add(-together), func(g *Fact, t time.Time) int { return g.OpenedAt.Compare(t) })
	if i < len(list) && list[i].OpenedAt.Sub(f.OpenedAt) <= together {
		return list[i]
	}
	return nil
}

// lift compares how often two items failed together with how often they would if they knew nothing of each other:
// n₁ × n₂ × 2 × together ÷ the time that is known.
func (b *Book) lift(c *candidate, facts []*Fact) (int, float64) {
	one, two := b.byItem[c.Subject.Items[0]], b.byItem[c.Subject.Items[1]]
	n := 0
	for _, f := range facts {
		if f.Item == c.Subject.Items[0] {
			n++
		}
	}
	n = min(n, len(facts)-n)
	if n == 0 {
		return 0, 0
	}
	first, last := one[0].OpenedAt, one[len(one)-1].OpenedAt
	if two[0].OpenedAt.Before(first) {
		first = two[0].OpenedAt
	}
	if end := two[len(two)-1].OpenedAt; end.After(last) {
		last = end
	}
	known := max(last.Sub(first), day)
	chance := float64(len(one)) * float64(len(two)) * 2 * together.Minutes() / known.Minutes()
	return n, float64(n) / chance
}

// test is the exact conditional test of two Poisson rates (Przyborowski and Wilenski 1940): given all incidents,
// those after the fix are binomial with the share of its time. It returns the chance of so few.
func test(before, after int, beforeDays, afterDays float64) float64 {
	n, share := before+after, afterDays/(beforeDays+afterDays)
	if n == 0 || share <= 0 || share >= 1 {
		return 1
	}
	sum := 0.0
	for k := range after + 1 {
		sum += math.Exp(choose(n, k) + float64(k)*math.Log(share) + float64(n-k)*math.Log1p(-share))
	}
	return min(1, sum)
}

// choose is the logarithm of a binomial coefficient.
func choose(n, k int) float64 {
	gamma := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return gamma(n) - gamma(k) - gamma(n-k)
}

// measure says what has happened since the fix.
func (c *candidate) measure(at time.Time) *itsm.ProblemEffect {
	p := c.Shown
	if p.FixedAt == nil || c.Effect == nil {
		return nil
	}
	out := &itsm.ProblemEffect{
		Before: c.Effect.Before, BeforeDays: round(c.Effect.BeforeDays, 100), After: c.Effect.After,
		AfterDays: round(min(at.Sub(*p.FixedAt), Window).Hours()/24, 100), Verdict: itsm.VerdictTooEarly,
	}
	out.P = round(test(out.Before, out.After, out.BeforeDays, out.AfterDays), 1000)
	switch {
	case out.P < 0.05:
		out.Verdict = itsm.VerdictFell
	case out.After > 0 && float64(out.After)*out.BeforeDays >= float64(out.Before)*out.AfterDays:
		out.Verdict = itsm.VerdictNotFallen
	}
	return out
}

// count takes the facts of the present into what a fix is judged by.
func (c *candidate) count(facts []*Fact) {
	p := c.Shown
	if p.FixedAt == nil || c.Effect == nil {
		return
	}
	n := 0
	for _, f := range facts {
		if f.OpenedAt.After(*p.FixedAt) && f.OpenedAt.Sub(*p.FixedAt) <= Window {
			n++
		}
	}
	c.Effect.After = max(c.Effect.After, n) // facts go after 30 days
}

func round(v, by float64) float64 { return math.Round(v*by) / by }

func minutes(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes()))
}

func daysText(d time.Duration) string {
	if d%day == 0 {
		return fmt.Sprintf("%d days", int(d/day))
	}
	return minutes(d)
}

func times(lift float64) string {
	if lift >= 100 {
		return "more than 100 times"
	}
	return fmt.Sprintf("%.0f times", lift)
}
