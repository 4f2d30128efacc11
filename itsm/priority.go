package itsm

import "fmt"

// PriorityTable looks a priority (1 highest … 5) up from impact and urgency (1 … 3 each), as
// Table[impact-1][urgency-1].
type PriorityTable [3][3]int

// DefaultPriorityTable is the usual ITIL table.
func DefaultPriorityTable() PriorityTable {
	return PriorityTable{{1, 2, 3}, {2, 3, 4}, {3, 4, 5}}
}

// Lookup returns the priority. Values outside 1 … 3 count as the nearest.
func (t PriorityTable) Lookup(impact, urgency int) int {
	return t[clamp(impact)-1][clamp(urgency)-1]
}

func clamp(v int) int { return max(1, min(3, v)) }

// Validate reports every cell outside 1 … 5.
func (t PriorityTable) Validate() error {
	var f Faults
	for i, row := range t {
		for j, p := range row {
			if p < 1 || p > 5 {
				f.Add(fmt.Sprintf("priority[%d][%d]", i, j), "must be 1 to 5, got %d", p)
			}
		}
	}
	return f.Err()
}
