package compare

import (
	"cmp"
	_ "embed" // the template
	"fmt"
	"html/template"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed report.html.tmpl
var page string

// pageListed bounds each list of the page, cellListed those within a table's cell.
const (
	pageListed = 200
	cellListed = 20
)

// HTML writes the report as a page of its own, with pictures; it needs nothing from anywhere.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"stamp": stamp, "plural": plural, "signed": signed, "first": firstOf, "more": moreOf, "label": Ref.label, "words": func(s any) string {
			return strings.ReplaceAll(fmt.Sprint(s), "_", " ")
		},
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("report template: %w", err)
	}
	return t.Execute(w, view{Report: r, Opened: r.opened(), Ranked: r.ranked(), Flow: r.flow(), Disputed: r.disputed()})
}

// view is what the template shows: the report and its pictures.
type view struct {
	*Report
	Opened, Ranked *bars
	Flow           *flow
	Disputed       []Verdict // one side has it right, the other has not
}

// firstOf bounds a list; those within a table's cell are shorter.
func firstOf(list any) any {
	v := reflect.ValueOf(list)
	return v.Slice(0, min(v.Len(), mostOf(list))).Interface()
}

// moreOf is how many of a list firstOf leaves out.
func moreOf(list any) int { return max(0, reflect.ValueOf(list).Len()-mostOf(list)) }

func mostOf(list any) int {
	if _, ok := list.([]Ref); ok {
		return cellListed
	}
	return pageListed
}

func (r *Report) disputed() []Verdict {
	var out []Verdict
	for _, v := range r.Verdicts {
		if v.Right[0] != v.Right[1] {
			out = append(out, v)
		}
	}
	return out
}

// bars is a picture of two bars in each of some places; lengths are in units of the picture.
type bars struct {
	Width, Height, Floor float64 // of the picture; where the bars stand
	Each                 string  // what a place stands for
	Bars                 []bar
	Lines                []mark // of the scale
	Ticks                []mark // below
}

type bar struct {
	X, Y, W, H float64
	Side       string
	Title      string
}

type mark struct {
	X, Y float64
	Text string
}

const (
	plotLeft, plotTop   = 40.0, 10.0
	plotWidth, plotHigh = 860.0, 200.0
)

// draw puts pairs of counts side by side.
func draw(counts [][2]int, names []string, every int) *bars {
	b := &bars{Width: plotLeft + plotWidth + 10, Height: plotTop + plotHigh + 30, Floor: plotTop + plotHigh}
	most := 1
	for _, c := range counts {
		most = max(most, c[0], c[1])
	}
	step := niceStep(most)
	top := (most + step - 1) / step * step
	for v := 0; v <= top; v += step {
		b.Lines = append(b.Lines, mark{plotLeft, b.Floor - plotHigh*float64(v)/float64(top), strconv.Itoa(v)})
	}
	place := plotWidth / float64(len(counts))
	wide := min(place*0.4, 40)
	for i, c := range counts {
		middle := plotLeft + place*(float64(i)+0.5)
		for s, n := range c {
			high := plotHigh * float64(n) / float64(top)
			b.Bars = append(b.Bars, bar{
				X: middle - wide + wide*float64(s), Y: b.Floor - high, W: wide, H: high, Side: "ab"[s : s+1],
				Title: fmt.Sprintf("%s: %s in %s", names[i], plural(n, "incident"), "AB"[s:s+1]),
			})
		}
		if i%every == 0 {
			b.Ticks = append(b.Ticks, mark{middle, b.Floor + 16, names[i]})
		}
	}
	return b
}

// niceStep is 1, 2 or 5 times a power of ten, for about four lines.
func niceStep(most int) int {
	for scale := 1; ; scale *= 10 {
		for _, n := range []int{1, 2, 5} {
			if most <= 4*n*scale {
				return n * scale
			}
		}
	}
}

// opened draws when incidents opened.
func (r *Report) opened() *bars {
	span := r.To.Sub(r.From)
	const most = 60
	steps := []time.Duration{
		time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
	}
	each := steps[len(steps)-1]
	for _, s := range steps {
		if span <= (most-1)*s {
			each = s
			break
		}
	}
	from := r.From.UTC().Truncate(each)
	n := min(int(r.To.Sub(from)/each)+1, 10*most) // ten years of weeks
	counts, names := make([][2]int, n), make([]string, n)
	form := "15:04"
	if each >= 24*time.Hour {
		form = "2 Jan"
	} else if span > 24*time.Hour {
		form = "2 Jan 15:04"
	}
	for i := range names {
		names[i] = from.Add(time.Duration(i) * each).Format(form)
	}
	for s := range r.Sides {
		for i := range r.Sides[s].Incidents {
			inc := &r.Sides[s].Incidents[i]
			if at := int(inc.OpenedAt.Sub(from) / each); inc.MergedInto == nil && at >= 0 && at < n {
				counts[at][s]++
			}
		}
	}
	b := draw(counts, names, max(1, (n+7)/8))
	b.Each = spell(each)
	return b
}

func spell(d time.Duration) string {
	switch {
	case d >= 7*24*time.Hour:
		return "week"
	case d >= 24*time.Hour:
		return "day"
	case d > time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	case d == time.Hour:
		return "hour"
	case d > time.Minute:
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return "minute"
}

// ranked draws how many incidents have each priority.
func (r *Report) ranked() *bars {
	names := make([]string, len(r.Priorities))
	for i := range names {
		names[i] = fmt.Sprintf("P%d", i+1)
	}
	return draw(slices.Clone(r.Priorities[:]), names, 1)
}

// flow is a picture of what became of incidents: those of A left, those of B right, bands as thick as the alerts they
// share.
type flow struct {
	Width, Height float64
	Nodes         []bar
	Labels        []flowLabel
	Bands         []band
	Left          int // changes that are not in the picture
}

type flowLabel struct {
	mark
	End bool // the text ends there
}

type band struct{ Path, Title string }

const (
	flowWidth, flowNode    = 920.0, 14.0
	flowLeft, flowRight    = 300.0, 620.0
	flowLeast, flowGap     = 16.0, 6.0
	flowMost, flowThickest = 12, 120.0
	flowSide               = 8  // nodes of one side of a change
	flowLabels             = 38 // letters beside a node
)

// flow draws the largest changes; nil when there are none.
func (r *Report) flow() *flow {
	f := &flow{Width: flowWidth}
	largest := 1
	var shown []Change
	for _, c := range r.Changes {
		if len(shown) == flowMost {
			f.Left++
			continue
		}
		shown = append(shown, c.folded(flowSide))
		largest = max(largest, c.Alerts)
	}
	if len(shown) == 0 {
		return nil
	}
	y := 10.0
	for _, c := range shown {
		y = f.change(c, y, flowThickest/float64(largest)) + 2*flowGap
	}
	f.Height = y
	return f
}

// folded keeps the largest incidents of each side and puts the others together.
func (c Change) folded(most int) Change {
	places := func(refs []Ref) (at []int, out []Ref) {
		order := make([]int, len(refs))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(refs[j].Alerts, refs[i].Alerts) })
		at = make([]int, len(refs))
		for rank, i := range order {
			switch {
			case rank < most-1 || len(refs) <= most:
				at[i] = rank
				out = append(out, refs[i])
			case rank == most-1:
				out = append(out, Ref{Title: fmt.Sprintf("%d others", len(refs)-rank)})
				fallthrough
			default:
				at[i] = most - 1
				out[most-1].Alerts += refs[i].Alerts
			}
		}
		return at, out
	}
	out := Change{Kind: c.Kind, Alerts: c.Alerts}
	var as, bs []int
	as, out.A = places(c.A)
	bs, out.B = places(c.B)
	for range out.A {
		out.Shared = append(out.Shared, make([]int, len(out.B)))
	}
	for i := range c.A {
		for j := range c.B {
			out.Shared[as[i]][bs[j]] += c.Shared[i][j]
		}
	}
	return out
}

// change draws one change from y down and returns where it ends.
func (f *flow) change(c Change, y, scale float64) float64 {
	column := func(refs []Ref, x float64, side int) (tops []float64, bottom float64) {
		at := y
		for _, ref := range refs {
			high := max(flowLeast, float64(ref.Alerts)*scale)
			title := fmt.Sprintf("%s: %s, %s", "AB"[side:side+1], ref.label(), plural(ref.Alerts, "alert"))
			f.Nodes = append(f.Nodes, bar{X: x, Y: at, W: flowNode, H: high, Side: "ab"[side : side+1], Title: title})
			label := flowLabel{mark{x - 6, at + high/2 + 4, shorten(ref.label(), flowLabels)}, true}
			if side == 1 {
				label = flowLabel{mark{x + flowNode + 6, at + high/2 + 4, shorten(ref.label(), flowLabels)}, false}
			}
			f.Labels = append(f.Labels, label)
			tops = append(tops, at)
			at += high + flowGap
		}
		return tops, at
	}
	left, endLeft := column(c.A, flowLeft, 0)
	right, endRight := column(c.B, flowRight, 1)
	for i := range c.A {
		for j := range c.B {
			n := c.Shared[i][j]
			if n == 0 {
				continue
			}
			// A node that is drawn thicker than its alerts gives each band a larger share.
			from := max(flowLeast, float64(c.A[i].Alerts)*scale) * float64(n) / float64(c.A[i].Alerts)
			to := max(flowLeast, float64(c.B[j].Alerts)*scale) * float64(n) / float64(c.B[j].Alerts)
			x0, x1 := flowLeft+flowNode, flowRight
			middle := (x0 + x1) / 2
			f.Bands = append(f.Bands, band{
				Path: fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fL%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1fZ", x0, left[i], middle, left[i], middle, right[j], x1, right[j],
					x1, right[j]+to, middle, right[j]+to, middle, left[i]+from, x0, left[i]+from),
				Title: fmt.Sprintf("%s of %s are in %s", plural(n, "alert"), c.A[i].label(), c.B[j].label()),
			})
			left[i] += from
			right[j] += to
		}
	}
	return max(endLeft, endRight)
}

// shorten cuts a text to at most so many letters.
func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most-1]) + "…"
}
