package compare

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// listed bounds each list of the text; the HTML has more.
const listed = 20

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) error {
	t := &text{w: w}
	t.line("%s: %d alerts, %d firing periods, %s to %s", r.History, r.Alerts, r.Periods, stamp(r.From), stamp(r.To))
	t.line("A: %s", r.Sides[0].Name)
	t.line("B: %s", r.Sides[1].Name)
	for _, note := range r.Notes {
		t.line("%s", note)
	}
	if len(r.Settings) > 0 {
		rows := [][]string{{"Setting", "A", "B"}}
		for _, s := range r.Settings {
			rows = append(rows, []string{s.Key, s.A, s.B})
		}
		t.table(rows)
	}
	t.figures("Figures", r.Figures)
	t.figures("Against truth", r.Scores)
	rows := [][]string{{"Incidents by priority", "A", "B", ""}}
	for i, n := range r.Priorities {
		rows = append(rows, []string{fmt.Sprintf("P%d", i+1), strconv.Itoa(n[0]), strconv.Itoa(n[1]), signed(n[1] - n[0])})
	}
	t.table(rows)
	t.grouping(r)
	t.differences("First cause is another one", r.Causes, r.Compared)
	t.differences("Priority is another one", r.Ranks, r.Compared)
	t.decisions(r)
	return t.err
}

// text writes lines until one fails.
type text struct {
	w   io.Writer
	err error
}

func (t *text) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, strings.TrimRight(fmt.Sprintf(format, args...), " ")+"\n")
	}
}

// table aligns columns under a head: the first to the left, the others to the right.
func (t *text) table(rows [][]string) {
	t.line("")
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		t.line("%s", b.String())
	}
}

func (t *text) figures(title string, figures []Figure) {
	if len(figures) == 0 {
		return
	}
	rows := [][]string{{title, "A", "B", "B − A"}}
	for _, f := range figures {
		rows = append(rows, []string{f.Name, f.TextA(), f.TextB(), f.Difference()})
	}
	t.table(rows)
}

func (t *text) grouping(r *Report) {
	t.line("")
	t.line("Grouping: %s", r.Summary())
	for i, c := range r.Changes {
		if i == listed {
			t.line("  … %d more", len(r.Changes)-listed)
			break
		}
		t.line("  %s, %s", c.Kind, plural(c.Alerts, "alert"))
		t.refs("A", c.A)
		t.refs("B", c.B)
	}
	for i, m := range r.Moves {
		if i == listed {
			t.line("  … %d more moves", len(r.Moves)-listed)
			break
		}
		t.line("  moved, %s: %s -> %s", plural(m.Alerts, "alert"), m.From.label(), m.To.label())
	}
}

func (t *text) refs(side string, refs []Ref) {
	const most = 5
	for i, ref := range refs {
		if i == most {
			t.line("    %s … %d more", side, len(refs)-most)
			return
		}
		t.line("    %s %s (%d)", side, ref.label(), ref.Alerts)
	}
}

func (r Ref) label() string { return strings.TrimSpace(r.Number + " " + r.Title) }

func (t *text) differences(title string, list []Differs, of int) {
	t.line("")
	t.line("%s: %d of %d", title, len(list), of)
	for i, d := range list {
		if i == listed {
			t.line("  … %d more", len(list)-listed)
			return
		}
		t.line("  %s: %s -> %s in %s", d.A.label(), d.AS, d.BS, d.B.Number)
	}
}

func (t *text) decisions(r *Report) {
	if len(r.Tallies) == 0 {
		return
	}
	rows := [][]string{{"What people decided", "decisions", "A would have", "B would have"}}
	for _, tally := range r.Tallies {
		rows = append(rows, []string{strings.ReplaceAll(tally.Kind, "_", " "), strconv.Itoa(tally.Of), strconv.Itoa(tally.Right[0]), strconv.Itoa(tally.Right[1])})
	}
	t.table(rows)
	shown := 0
	for _, v := range r.Verdicts {
		if v.Right[0] == v.Right[1] {
			continue
		}
		if shown++; shown > listed {
			t.line("  …")
			return
		}
		better := "A"
		if v.Right[1] {
			better = "B"
		}
		t.line("  only %s: %s, %s by %s (A: %s; B: %s)", better, stamp(v.At), v.Text, v.By, v.Found[0], v.Found[1])
	}
}

// Summary counts what became of the incidents.
func (r *Report) Summary() string {
	counts := map[Kind]int{}
	for _, c := range r.Changes {
		counts[c.Kind]++
	}
	parts := []string{plural(r.Same, "incident") + " the same in both"}
	for _, kind := range []Kind{Split, Merged, Regrouped, Gone, Appeared} {
		if n := counts[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if r.Moved > 0 {
		parts = append(parts, plural(r.Moved, "alert")+" moved")
	}
	return strings.Join(parts, ", ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func signed(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%+d", n)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}
