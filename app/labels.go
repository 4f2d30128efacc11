package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"signalbox/itsm"
)

// parseLabels reads name="value" pairs separated by commas, with or without braces and quotes
// around them, as Prometheus writes a label set; or a JSON object.
func parseLabels(text string) (itsm.Labels, error) {
	rest := strings.TrimSpace(text)
	var object itsm.Labels
	if json.Unmarshal([]byte(rest), &object) == nil && len(object) > 0 {
		return object, nil
	}
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
		var value string
		if value, rest, ok = labelValue(strings.TrimSpace(after)); !ok {
			return nil, fmt.Errorf("the value of %s: the closing quote is missing", name)
		}
		if labels.Has(name) {
			return nil, fmt.Errorf("%s stands twice", name)
		}
		labels = append(labels, itsm.Label{Name: name, Value: value})
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

// labelValue splits a value, quoted or up to the next comma, from what follows it.
func labelValue(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		value, after, more := strings.Cut(text, ",")
		if more {
			after = "," + after
		}
		return strings.TrimSpace(value), after, true
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", false
	}
	value, err = strconv.Unquote(quoted)
	return value, strings.TrimSpace(text[len(quoted):]), err == nil
}
