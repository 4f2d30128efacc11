package app

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"signalbox/itsm"
)

// parseLabels reads name="value" pairs separated by commas, with or without braces around them,
// as Prometheus writes a label set.
func parseLabels(text string) (itsm.Labels, error) {
	rest := strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(rest, "{"); ok {
		if rest, ok = strings.CutSuffix(inner, "}"); !ok {
			return nil, errors.New("the closing brace is missing")
		}
		rest = strings.TrimSpace(rest)
	}
	var labels itsm.Labels
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, fmt.Errorf(`name="value" is expected at %q`, rest)
		}
		quoted, err := strconv.QuotedPrefix(strings.TrimSpace(after))
		if err != nil {
			return nil, fmt.Errorf("the value of %s must be quoted", name)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("the value of %s: %w", name, err)
		}
		if labels.Has(name) {
			return nil, fmt.Errorf("%s stands twice", name)
		}
		labels = append(labels, itsm.Label{Name: name, Value: value})
		rest = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(after), quoted))
		if rest != "" {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return nil, fmt.Errorf("a comma is expected at %q", rest)
			}
			rest = strings.TrimSpace(rest)
		}
	}
	if len(labels) == 0 {
		return nil, errors.New("at least one label is needed")
	}
	labels.Sort()
	return labels, nil
}
