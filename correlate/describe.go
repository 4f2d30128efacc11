package correlate

import (
	"fmt"
	"strings"

	"signalbox/cmdb"
	"signalbox/itsm"
)

// describe derives what people read from what the incident holds, and says why it has its priority; nil when it was
// merged away.
func (e *Engine) describe(inc *incident) *itsm.PriorityReasons {
	r := &inc.row
	e.describeHeld(inc)
	if r.MergedInto != nil && !inc.opening { // the rest says what it was
		return nil
	}
	r.Severity = worst(inc.firing, worst(inc.all, r.Severity))
	why := e.assess(inc)
	central := inc.hyp.Cause
	if central == cmdb.None && len(inc.front) > 0 {
		central = inc.front[0]
	}
	r.Category, r.Site = string(cmdb.CategoryOther), ""
	if central != cmdb.None {
		r.Category, r.Site = string(e.graph.Class(central).Category), e.graph.Item(central).Attributes["site"]
	}
	r.Title = e.title(inc)
	return why
}

// describeHeld says what the incident holds.
func (e *Engine) describeHeld(inc *incident) {
	inc.row.Maintenance, inc.row.Fleeting = inc.maintained(), e.fleeting(inc)
	inc.row.AlertCounts, inc.row.ItemCount, inc.row.Items = inc.counts, len(inc.nodes), e.itemIDs(inc)
}

func worst(counts [6]int, otherwise itsm.Severity) itsm.Severity {
	for rank, n := range counts {
		if n > 0 {
			return itsm.Severities()[rank]
		}
	}
	return otherwise
}

// itemIDs lists the cause, when it reports, and then the items in the order of their joining.
func (e *Engine) itemIDs(inc *incident) []string {
	out := make([]string, 0, min(maxItems, len(inc.nodes)))
	cause := inc.hyp.Cause
	if cause != cmdb.None && inc.nodes[cause] > 0 {
		out = append(out, e.graph.Item(cause).ID)
	} else {
		cause = cmdb.None
	}
	for _, n := range inc.front {
		if n != cause && len(out) < maxItems {
			out = append(out, e.graph.Item(n).ID)
		}
	}
	return out
}

// maxTitle is the length of a title in characters.
const maxTitle = 60

// title says what is hurt and by what.
func (e *Engine) title(inc *incident) string {
	cause := inc.hyp.Cause
	kind := e.kind(inc)
	if cause == cmdb.None {
		if kind == itsm.SourceSilent {
			return silentTitle(inc)
		}
		if n := inc.counts.Total; n > 1 {
			return fit(fmt.Sprintf("%s, %d alerts", kind, n))
		}
		return fit(kind)
	}
	name := e.graph.Name(cause)
	items, class, relation := e.index.Explained(inc.hyp, cause)
	switch {
	case inc.hyp.Change != "":
		if len(inc.row.Causes) > 0 {
			return fitBoth(name+" hurt after ", inc.row.Causes[0].Name)
		}
		return fitBoth(name+" hurt after ", inc.hyp.Change)
	case items == 0:
		return fitBoth(kind+" on ", name)
	case relation == cmdb.Network:
		return fitBoth(fmt.Sprintf("%d %s behind ", items, plural("item", items)), name, " unreachable")
	case relation == cmdb.Group:
		return fitBoth(fmt.Sprintf("%d %s of ", items, plural(class, items)), name, " affected")
	default:
		return fitBoth("", name, fmt.Sprintf(" hurts %d %s", items, plural(class, items)))
	}
}

// silentTitle names the source whose heartbeat is overdue: the name of the alert does not say which.
func silentTitle(inc *incident) string {
	names := map[string]bool{}
	for _, m := range inc.list {
		if l := m.alert.labels; l.Get("alertname") == itsm.SourceSilent {
			names[l.Get("source")] = true
		}
	}
	if len(names) > 1 {
		return fmt.Sprintf("%d sources are silent", len(names))
	}
	for name := range names {
		return fitBoth("Source ", name, " is silent")
	}
	return itsm.SourceSilent
}

// kind is the type of alert that the title names: of the cause's own alerts, else of the first one.
func (e *Engine) kind(inc *incident) string {
	switch kind := e.index.MainType(inc.hyp, inc.hyp.Cause); {
	case kind != "":
		return kind
	case len(inc.list) > 0:
		return inc.list[0].alert.kind()
	}
	return "no alerts"
}

func plural(word string, n int) string {
	before, y := strings.CutSuffix(word, "y")
	switch {
	case n == 1 || strings.HasSuffix(word, "s"):
		return word
	case strings.HasSuffix(word, "ch") || strings.HasSuffix(word, "sh") || strings.HasSuffix(word, "x"):
		return word + "es"
	case y && before != "" && !strings.ContainsRune("aeiou", rune(before[len(before)-1])):
		return before + "ies"
	}
	return word + "s"
}

func fit(s string) string {
	runes := []rune(s)
	if len(runes) <= maxTitle {
		return s
	}
	return string(runes[:maxTitle-1]) + "…"
}

// fitBoth shortens the name in the middle, so that what stands around it is kept.
func fitBoth(before, name string, after ...string) string {
	rest := strings.Join(after, "")
	room := maxTitle - len([]rune(before)) - len([]rune(rest))
	if runes := []rune(name); len(runes) > max(room, 1) {
		name = string(runes[:max(room, 2)-1]) + "…"
	}
	return fit(before + name + rest)
}
