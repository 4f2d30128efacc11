package explain

import (
	"strings"
	"unicode"
)

// severityWords are words in the names of alert types that say how bad a condition is, not which it is.
func severityWord(word string) bool {
	switch strings.ToLower(word) {
	case "warning", "warn", "critical", "crit", "major", "minor":
		return true
	}
	return false
}

// Condition is an alert type without the words that say how bad it is: DiskFullWarning and DiskFullCritical
// are one condition, DiskFull. A type of nothing but such words stays as it is.
func Condition(alertType string) string {
	var out strings.Builder
	for rest := alertType; rest != ""; {
		n := wordEnd(rest)
		if !severityWord(strings.TrimLeft(rest[:n], "_-. ")) {
			out.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	if strings.Trim(out.String(), "_-. ") == "" {
		return alertType
	}
	return out.String()
}

// wordEnd is where the first word of a name ends, what separates it from the one before included: DiskFull and disk_full are two words.
func wordEnd(name string) int {
	runes := []rune(name)
	for i := 1; i < len(runes); i++ {
		before, r := runes[i-1], runes[i]
		if !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			continue // no word has begun yet
		}
		acronym := i+1 < len(runes) && unicode.IsUpper(before) && unicode.IsLower(runes[i+1])
		if strings.ContainsRune("_-. ", r) || unicode.IsUpper(r) && (!unicode.IsUpper(before) || acronym) {
			return len(string(runes[:i]))
		}
	}
	return len(name)
}

// conditionOf is Condition, remembered.
func (x *Index) conditionOf(alertType string) string {
	c, ok := x.conditions[alertType]
	if !ok {
		c = Condition(alertType)
		if len(x.conditions) > 10_000 {
			clear(x.conditions)
		}
		x.conditions[alertType] = c
	}
	return c
}

// twin tells whether one of the types before is the same condition as the one at i.
func (x *Index) twin(types []typeCount, i int) bool {
	for j := range i {
		if x.conditionOf(types[j].name) == x.conditionOf(types[i].name) {
			return true
		}
	}
	return false
}
