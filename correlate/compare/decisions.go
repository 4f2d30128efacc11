package compare

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"signalbox/itsm"
)

// Decision is what a person once decided about grouping or cause, and that stood.
type Decision struct {
	At   time.Time
	By   string
	Kind itsm.Action // merge, split, move, confirm_cause, reject_cause, or undo of a merge by the engine
	Text string      // as in the timeline
	// These and Those are periods (indices into Side.Holders). For merge and move they belong together, for split and
	// undo apart; a cause is of the incident that holds These.
	These, Those []int
	Cause        string // id of an item or change
}

// Verdict says which side would have come to a decision by itself.
type Verdict struct {
	Decision
	Right [2]bool
	Found [2]string // what the side has instead, or as well
}

// Tally counts the verdicts on one kind of decision.
type Tally struct {
	Kind  string
	Of    int
	Right [2]int
}

// judge looks what each side made of what people decided.
func (r *Report) judge() {
	byID := [2]map[string]*itsm.Incident{{}, {}}
	for s := range r.Sides {
		for i := range r.Sides[s].Incidents {
			byID[s][r.Sides[s].Incidents[i].ID] = &r.Sides[s].Incidents[i]
		}
	}
	all := Tally{Kind: "all"}
	for _, d := range r.Decisions {
		v := Verdict{Decision: d}
		i := slices.IndexFunc(r.Tallies, func(t Tally) bool { return t.Kind == string(d.Kind) })
		if i < 0 {
			i = len(r.Tallies)
			r.Tallies = append(r.Tallies, Tally{Kind: string(d.Kind)})
		}
		for s := range r.Sides {
			v.Right[s], v.Found[s] = d.verdict(r.Sides[s].Holders, byID[s])
			if v.Right[s] {
				r.Tallies[i].Right[s]++
				all.Right[s]++
			}
		}
		r.Tallies[i].Of++
		all.Of++
		r.Verdicts = append(r.Verdicts, v)
	}
	slices.SortFunc(r.Tallies, func(a, b Tally) int { return cmp.Compare(a.Kind, b.Kind) })
	if all.Of > 0 {
		r.Tallies = append(r.Tallies, all)
	}
}

func (d *Decision) verdict(holders []string, byID map[string]*itsm.Incident) (right bool, found string) {
	number := func(id string) string {
		if inc := byID[id]; inc != nil {
			return inc.Number
		}
		return "no incident"
	}
	left := mostly(holders, d.These)
	if d.Kind == itsm.ActionConfirmCause || d.Kind == itsm.ActionRejectCause {
		inc := byID[left]
		if inc == nil || len(inc.Causes) == 0 {
			return d.Kind == itsm.ActionRejectCause, number(left) + " names no cause"
		}
		first := &inc.Causes[0]
		named := first.Item == d.Cause
		if first.Change != nil {
			named = *first.Change == d.Cause
		}
		return named == (d.Kind == itsm.ActionConfirmCause), fmt.Sprintf("%s names %s", inc.Number, first.Name)
	}
	other := mostly(holders, d.Those)
	together := left == other && left != ""
	if together {
		found = "together in " + number(left)
	} else {
		found = fmt.Sprintf("apart in %s and %s", number(left), number(other))
	}
	return together == (d.Kind == itsm.ActionMerge || d.Kind == itsm.ActionMove), found
}

// mostly returns the incident that holds most of some periods; of equals the one with the smaller id.
func mostly(holders []string, periods []int) string {
	counts := map[string]int{}
	best := ""
	for _, p := range periods {
		id := holders[p]
		if id == "" {
			continue
		}
		counts[id]++
		if n, have := counts[id], counts[best]; n > have || n == have && id < best {
			best = id
		}
	}
	return best
}
