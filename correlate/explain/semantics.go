package explain

import (
	"strings"
	"unicode"

	"signalbox/itsm"
)

// symptom is what kind of trouble an alert type speaks of. It decides along which relations the
// trouble can have come.
type symptom uint8

const (
	symptomOther symptom = iota
	symptomDown          // gone, unreachable, silent
	symptomError
	symptomLatency
	symptomTraffic
	symptomSaturation
	symptomStarved // a machine waits for what it is fed
	symptomBlocked // a machine cannot hand on what it made
	symptoms       // how many there are
)

// phrase says what items with the symptom do, for evidence sentences.
func (s symptom) phrase() string {
	switch s {
	case symptomDown:
		return "down"
	case symptomError:
		return "failing"
	case symptomLatency:
		return "slow"
	case symptomSaturation:
		return "short of resources"
	case symptomStarved:
		return "starved"
	case symptomBlocked:
		return "blocked"
	default:
		return "affected"
	}
}

// symptomWords is the editable table from words of an alert type to its symptom; the first row
// that has a word of the type wins. A word of two parts matches neighbours, a part ending in "-"
// matches beginnings.
func symptomWords() []struct {
	symptom symptom
	words   string
} {
	return []struct {
		symptom symptom
		words   string
	}{
		{symptomStarved, "starv- no+infeed waiting+infeed no+material"},
		{symptomBlocked, "blocked backed+up no+outfeed outfeed+full"},
		{symptomDown, "down unreachable not+reachable absent offline dead heartbeat missing missed disconnect- not+ready " +
			"gone stopped outage no+data lost notready unavailable not+running"},
		{symptomLatency, "latency slow- duration delay- lag response mrt apdex elapsed"},
		{symptomError, "error- err errs fail- 5xx 4xx 500 503 exception- crash- reject- availability sr rr loss restart- oom " +
			"oomkill- panic- mismatch timeout- timed+out fault- stuck invalid refused denied burn budget jam- alarm trip-"},
		{symptomTraffic, "network receive- transmit- packet- traffic request- throughput bandwidth rx tx qps rps"},
		{symptomSaturation, "cpu memory mem disk filesystem full saturat- load pressure throttl- space inode- queue- backlog " +
			"thread- fd quota usage utili- volume temperature overheat- exhaust- swap heap buffer-"},
	}
}

// vocabulary is symptomWords taken apart.
type vocabulary struct {
	words  map[string]symptom
	pairs  map[[2]string]symptom
	starts []struct {
		prefix  string
		symptom symptom
	}
}

func newVocabulary() vocabulary {
	v := vocabulary{words: map[string]symptom{}, pairs: map[[2]string]symptom{}}
	for _, row := range symptomWords() {
		for w := range strings.FieldsSeq(row.words) {
			a, b, pair := strings.Cut(w, "+")
			prefix, starts := strings.CutSuffix(w, "-")
			switch {
			case pair:
				v.pairs[[2]string{a, b}] = row.symptom
			case starts:
				v.starts = append(v.starts, struct {
					prefix  string
					symptom symptom
				}{prefix, row.symptom})
			default:
				v.words[w] = row.symptom
			}
		}
	}
	return v
}

// symptomOf returns the symptom that the words of an alert type speak of.
func (v vocabulary) symptomOf(alertType string) symptom {
	best := symptoms
	rank := [symptoms]int{}
	for i, row := range symptomWords() {
		rank[row.symptom] = i + 1
	}
	take := func(s symptom) {
		if best == symptoms || rank[s] < rank[best] {
			best = s
		}
	}
	words := split(alertType)
	for i, w := range words {
		if s, ok := v.words[w]; ok {
			take(s)
		}
		if i+1 < len(words) {
			if s, ok := v.pairs[[2]string{w, words[i+1]}]; ok {
				take(s)
			}
		}
		for _, p := range v.starts {
			if strings.HasPrefix(w, p.prefix) {
				take(p.symptom)
			}
		}
	}
	if best == symptoms {
		return symptomOther
	}
	return best
}

// split takes an alert type apart into lower-case words: "KubePodNotReady", "link-down" and
// "node_load_high" alike.
func split(s string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && !unicode.IsUpper(runes[i-1]):
			end()
		case unicode.IsUpper(r) && i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]):
			end()
		}
		word = append(word, r)
	}
	end()
	return out
}

// kind is a relation seen from the item that is hurt: what the cause is to it.
type kind uint8

const (
	kindSelf    kind = iota
	kindGroup        // the item is a member of the cause: a fault of the group itself shows on its members
	kindMember       // the cause is a member of the item
	kindHost         // the item runs on the cause
	kindDepends      // the item depends on the cause
	kindNetwork      // the item connects to the cause, a transit item
	kindPart         // the cause is part of the item
	kindControl      // the cause controls the item
	kindStarve       // the cause feeds the item
	kindBlock        // the item feeds the cause
	kindMeasure      // the item measures the cause
	kinds
)

// sentence says the relation in words that can be checked.
func (k kind) sentence(item, cause string) string {
	switch k {
	case kindGroup:
		return item + " is a member of " + cause
	case kindMember:
		return cause + " is a member of " + item
	case kindHost:
		return item + " runs on " + cause
	case kindDepends:
		return item + " depends on " + cause
	case kindNetwork:
		return item + " connects to " + cause
	case kindPart:
		return cause + " is part of " + item
	case kindControl:
		return cause + " controls " + item
	case kindStarve:
		return cause + " feeds " + item
	case kindBlock:
		return item + " feeds " + cause
	case kindMeasure:
		return item + " measures " + cause
	default:
		return item + " itself reports it"
	}
}

// kindOf returns what the far end of a relation is to the near end: inverse says that the near
// end, the hurt one, is the relation's to.
func kindOf(t itsm.RelationType, inverse bool) kind {
	switch t {
	case itsm.DependsOn:
		return kindDepends
	case itsm.RunsOn:
		return kindHost
	case itsm.MemberOf:
		if inverse {
			return kindMember
		}
		return kindGroup
	case itsm.PartOf:
		return kindPart
	case itsm.ConnectsTo:
		return kindNetwork
	case itsm.Controls:
		return kindControl
	case itsm.Feeds:
		if inverse {
			return kindStarve
		}
		return kindBlock
	default:
		return kindMeasure
	}
}

// travels is the editable table of how likely the failure of the cause shows as the symptom on the
// item, by the relation nearest to the item, in percent. 0: it does not travel so.
func travels() [kinds][symptoms]int {
	return [kinds][symptoms]int{
		//              other down error latency traffic saturation starved blocked
		kindSelf:    {80, 80, 80, 80, 80, 80, 10, 10},
		kindGroup:   {90, 90, 90, 90, 90, 90, 0, 0},
		kindMember:  {0, 50, 50, 50, 0, 0, 0, 0},
		kindHost:    {0, 80, 50, 50, 0, 0, 30, 30},
		kindDepends: {0, 50, 50, 50, 0, 0, 30, 30},
		kindNetwork: {0, 90, 0, 0, 0, 0, 0, 0},
		kindPart:    {20, 50, 50, 50, 0, 10, 30, 30},
		kindControl: {20, 90, 50, 30, 0, 0, 80, 80},
		kindStarve:  {0, 30, 0, 0, 30, 0, 90, 0},
		kindBlock:   {0, 30, 0, 0, 30, 0, 0, 90},
		kindMeasure: {50, 50, 50, 50, 50, 50, 0, 0},
	}
}
