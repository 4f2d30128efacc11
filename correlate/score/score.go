// Package score judges a replay against known truth: how well incidents agree with faults
// (adjusted Rand, adjusted mutual information, purity), how much they compress, and how often the
// true cause is named first. It reads the files of formats.md section 4 and computes; it knows
// nothing of the engine and changes nothing.
//
// Everything here is a pure function of its arguments and safe for concurrent use. The same
// files give the same score to the last digit: no sum runs in the order of a map.
package score

import (
	"fmt"
	"slices"
)

// Score is the result, in the order and with the names of its public JSON form. A nil figure is
// undefined for the given files.
type Score struct {
	Lines         int      `json:"lines"`     // firing lines that have a truth row
	Incidents     int      `json:"incidents"` // those that were not merged away
	Compression   *float64 `json:"compression"`
	ARI           *float64 `json:"ari"`
	AMI           *float64 `json:"ami"`
	ARINoise      *float64 `json:"ari_noise"`
	Purity        *float64 `json:"purity"`
	InversePurity *float64 `json:"inverse_purity"`
	CauseAt1      *float64 `json:"cause_at_1"`
	CauseAt3      *float64 `json:"cause_at_3"`
	Faults        int      `json:"faults"`
	FaultsFound   int      `json:"faults_found"`
}

// Assignment says which incident holds a firing line now; an empty incident means none.
type Assignment struct {
	Line     int
	Incident string
	Row      int // where it stands in its file, for errors
}

// AssignmentError reports an assignment to an incident that does not exist or was merged away.
type AssignmentError struct{ Assignment Assignment }

// Error implements error.
func (e *AssignmentError) Error() string {
	return fmt.Sprintf("line %d is assigned to incident %q, which is not in the incidents file or was merged away",
		e.Assignment.Line, e.Assignment.Incident)
}

// Truth says which fault caused the alert of a line; an empty fault means noise.
type Truth struct {
	Line  int
	Fault string
}

// Incident is what a score needs of an incident of the incidents file.
type Incident struct {
	ID      string
	Number  string
	Merged  bool
	Periods int      // firing periods of its alerts
	Causes  []string // items of its causes, best first
}

// Expected lists the acceptable causes of a fault.
type Expected struct {
	Fault string
	Items []string
}

// Input is the content of the files of one run. Expected may be nil: nothing is known of causes.
type Input struct {
	Assignments []Assignment
	Incidents   []Incident
	Truth       []Truth
	Expected    []Expected
}

// Compute scores one run. It returns an *AssignmentError when a line is assigned to an incident that
// is not among the live ones.
func Compute(in Input) (Score, error) {
	j, err := join(in)
	if err != nil {
		return Score{}, err
	}
	s := Score{Lines: len(j.fault), Incidents: j.live}
	s.Compression = ratio(j.periods-j.live, j.periods)
	s.agreement(j)
	answers := j.answers()
	s.Faults = len(answers)
	for _, a := range answers {
		if a.found() {
			s.FaultsFound++
		}
	}
	s.CauseAt1 = causeAt(1, answers, in)
	s.CauseAt3 = causeAt(3, answers, in)
	return s, nil
}

// agreement fills the figures that compare two partitions of the lines.
func (s *Score) agreement(j *joined) {
	var faults, groups []int // of the lines with a fault
	alone := make([]int, len(j.fault))
	for i, f := range j.fault {
		if f != noise {
			faults, groups = append(faults, f), append(groups, j.group[i])
			alone[i] = f
			continue
		}
		alone[i] = j.faults + i // each noise line its own class
	}
	if len(j.fault) > 0 {
		s.ARINoise = new(contingency(alone, j.group).ari())
		s.Purity = new(contingency(j.fault, j.group).purity())
	}
	if len(faults) > 0 {
		t := contingency(faults, groups)
		s.ARI, s.AMI, s.InversePurity = new(t.ari()), new(t.ami()), new(t.inversePurity())
	}
}

const noise = -1

// joined is the lines that count, with fault and group as small numbers. Groups below incidents
// are incidents (indices into Input.Incidents); the rest are lines without one.
type joined struct {
	fault, group []int
	names        []string // of the faults
	faults       int
	incidents    int
	live         int
	periods      int
}

func join(in Input) (*joined, error) {
	j := &joined{incidents: len(in.Incidents)}
	index := make(map[string]int, 2*len(in.Incidents))
	for i, inc := range in.Incidents {
		if !inc.Merged {
			j.live++
			j.periods += inc.Periods
		}
		if inc.Number != "" {
			index[inc.Number] = i
		}
	}
	for i, inc := range in.Incidents {
		index[inc.ID] = i
	}
	holder := make(map[int]string, len(in.Assignments))
	for _, a := range in.Assignments {
		holder[a.Line] = a.Incident
		if i, known := index[a.Incident]; a.Incident != "" && (!known || in.Incidents[i].Merged) {
			return nil, &AssignmentError{a}
		}
	}
	numbers := map[string]int{"": noise}
	truth := slices.Clone(in.Truth)
	slices.SortStableFunc(truth, func(a, b Truth) int { return a.Line - b.Line })
	for _, t := range truth {
		incident, firing := holder[t.Line]
		if !firing {
			continue
		}
		f, known := numbers[t.Fault]
		if !known {
			f = j.faults
			numbers[t.Fault] = f
			j.faults++
			j.names = append(j.names, t.Fault)
		}
		g := j.incidents + len(j.group) // a group of its own
		if incident != "" {
			g = index[incident]
		}
		j.fault, j.group = append(j.fault, f), append(j.group, g)
	}
	return j, nil
}

// answer is the incident that answers for a fault.
type answer struct {
	fault    string
	incident int // index, -1 when no incident holds any of its lines
	lines    int // of the fault
	held     int // lines of the fault in the incident
	size     int // counted lines in the incident
}

// found tells whether the fault and its answer mean each other.
func (a answer) found() bool { return 2*a.held > a.lines && 2*a.held > a.size }

// answers returns the answer of each fault. Of incidents that hold equally many lines of it, the
// one that stands first in the incidents file answers.
func (j *joined) answers() []answer {
	size := make([]int, j.incidents)
	held := make([]map[int]int, j.faults)
	out := make([]answer, j.faults)
	for f := range out {
		out[f] = answer{fault: j.names[f], incident: -1}
		held[f] = make(map[int]int)
	}
	for i, f := range j.fault {
		g := j.group[i]
		if g < j.incidents {
			size[g]++
		}
		if f != noise {
			out[f].lines++
			if g < j.incidents {
				held[f][g]++
			}
		}
	}
	for f := range out {
		a := &out[f]
		for g, n := range held[f] {
			if n > a.held || n == a.held && g < a.incident {
				a.incident, a.held, a.size = g, n, size[g]
			}
		}
	}
	return out
}

// causeAt returns the share of the expected faults that have an acceptable item among the first
// k causes of their answer.
func causeAt(k int, answers []answer, in Input) *float64 {
	hits := 0
	for _, e := range in.Expected {
		i := slices.IndexFunc(answers, func(a answer) bool { return a.fault == e.Fault })
		if i < 0 || answers[i].incident < 0 {
			continue
		}
		causes := in.Incidents[answers[i].incident].Causes
		if slices.ContainsFunc(causes[:min(k, len(causes))], func(item string) bool { return slices.Contains(e.Items, item) }) {
			hits++
		}
	}
	return ratio(hits, len(in.Expected))
}

func ratio(a, b int) *float64 {
	if b == 0 {
		return nil
	}
	return new(float64(a) / float64(b))
}
