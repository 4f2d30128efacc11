package compare

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// figures fills the numbers that describe each side.
func (r *Report) figures() {
	var columns [2][]Figure
	reasons := map[string]bool{}
	for s := range r.Sides {
		for reason := range r.Sides[s].Suppressed {
			reasons[reason] = true
		}
	}
	for s := range r.Sides {
		columns[s] = r.side(s, slices.Sorted(maps.Keys(reasons)))
	}
	for i := range columns[0] {
		f := columns[0][i]
		f.B = columns[1][i].A
		r.Figures = append(r.Figures, f)
	}
}

// side is the figures of one side, in A.
func (r *Report) side(s int, reasons []string) []Figure {
	side := &r.Sides[s]
	live, periods, single, causeless, reopened, loose := 0, 0, 0, 0, 0, 0
	var sizes []int
	for i := range side.Incidents {
		inc := &side.Incidents[i]
		held := 0
		for j := range inc.Alerts {
			held += inc.Alerts[j].Count
		}
		periods += held
		if inc.MergedInto != nil {
			continue
		}
		live++
		sizes = append(sizes, held)
		reopened += inc.ReopenCount
		if held == 1 {
			single++
		}
		if len(inc.Causes) == 0 {
			causeless++
		}
		if p := inc.Priority; p >= 1 && p <= len(r.Priorities) {
			r.Priorities[p-1][s]++
		}
	}
	for _, holder := range side.Holders {
		if holder == "" {
			loose++
		}
	}
	slices.Sort(sizes)
	count := func(name string, n int) Figure { return Figure{Name: name, A: new(float64(n))} }
	out := []Figure{count("Incidents", live), {Name: "Compression (1 − incidents / firing periods)", Digits: 3}}
	if periods > 0 {
		out[1].A = new(1 - float64(live)/float64(periods))
	}
	median, largest := 0, 0
	if len(sizes) > 0 {
		median, largest = sizes[len(sizes)/2], sizes[len(sizes)-1]
	}
	out = append(out,
		count("Firing periods in the largest incident", largest), count("Firing periods in an incident, median", median),
		count("Incidents of a single firing period", single), count("Incidents without a cause", causeless),
		count("Alerts in no incident", loose), count("Incidents that flapped", side.Flapping), count("Opened again", reopened),
		count("Merged by the engine later", side.Merges), count("Changes of the first cause", side.CauseChanges))
	for _, reason := range reasons {
		out = append(out, count("Alerts suppressed: "+reason, side.Suppressed[reason]))
	}
	return out
}

// scores fills the figures against truth.
func (r *Report) scores() {
	a, b := r.Sides[0].Score, r.Sides[1].Score
	if a == nil || b == nil {
		return
	}
	count := func(n int) *float64 { return new(float64(n)) }
	r.Scores = []Figure{
		{"Agreement of incidents with faults (ARI)", a.ARI, b.ARI, 3},
		{"Agreement of incidents with faults (AMI)", a.AMI, b.AMI, 3},
		{"Agreement, noise included (ARI)", a.ARINoise, b.ARINoise, 3},
		{"Purity of incidents", a.Purity, b.Purity, 3},
		{"Faults whole in one incident (inverse purity)", a.InversePurity, b.InversePurity, 3},
		{"True cause is the first named", a.CauseAt1, b.CauseAt1, 3},
		{"True cause is among the first three", a.CauseAt3, b.CauseAt3, 3},
		{"Faults", count(a.Faults), count(b.Faults), 0},
		{"Faults found", count(a.FaultsFound), count(b.FaultsFound), 0},
	}
}

// TextA is the figure of A as people read it.
func (f Figure) TextA() string { return f.text(f.A) }

// TextB is the figure of B as people read it.
func (f Figure) TextB() string { return f.text(f.B) }

func (f Figure) text(v *float64) string {
	if v == nil {
		return "–"
	}
	text := strconv.FormatFloat(*v, 'f', f.Digits, 64)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}

// Difference is B − A with its sign; empty when there is none.
func (f Figure) Difference() string {
	if f.A == nil || f.B == nil {
		return ""
	}
	text := fmt.Sprintf("%+.*f", f.Digits, *f.B-*f.A)
	if strings.Trim(text, "+-0.") == "" {
		return ""
	}
	return text
}
