package explain

import (
	"strings"
	"unicode"

	"signalbox/cmdb"
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
			"gone stopped outage no+data lost notready unavailable not+running probe+failed ping+failed"},
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

// self stands beside the kinds of cmdb: the observation is about the cause itself.
const self cmdb.Kind = 200

// caller also stands beside them: the cause depends on the item, and sends it another traffic when it is hurt.
const caller cmdb.Kind = 201

// travels is the editable table of how likely the failure of the cause shows as the symptom on the
// item, by the relation nearest to the item, in percent. 0: it does not travel so.
func travels(k cmdb.Kind) [symptoms]int {
	switch k {
	//                          other down error latency traffic saturation starved blocked
	case self:
		return [symptoms]int{80, 80, 80, 80, 80, 80, 10, 10}
	case caller:
		return [symptoms]int{0, 0, 0, 0, 70, 0, 0, 0}
	case cmdb.Group:
		return [symptoms]int{70, 60, 90, 90, 70, 70, 0, 0}
	case cmdb.Member:
		return [symptoms]int{0, 50, 50, 50, 0, 0, 0, 0}
	case cmdb.Host:
		return [symptoms]int{0, 80, 50, 50, 0, 0, 30, 30}
	case cmdb.Depends:
		return [symptoms]int{0, 60, 70, 70, 0, 0, 30, 30}
	case cmdb.Network:
		return [symptoms]int{0, 90, 0, 0, 0, 0, 0, 0}
	case cmdb.Part:
		return [symptoms]int{20, 50, 50, 50, 0, 0, 30, 30}
	case cmdb.Control:
		return [symptoms]int{20, 90, 50, 30, 0, 0, 80, 80}
	case cmdb.Starve:
		return [symptoms]int{0, 40, 0, 0, 30, 0, 90, 0}
	case cmdb.Block:
		return [symptoms]int{0, 40, 0, 0, 30, 0, 0, 90}
	case cmdb.Measure:
		return [symptoms]int{50, 50, 50, 50, 50, 50, 0, 0}
	}
	return [symptoms]int{}
}

// passes is how much of a failure goes on over one more relation, in percent.
func passes(k cmdb.Kind) int {
	switch k {
	case cmdb.Network:
		return 95
	case cmdb.Control:
		return 90
	case cmdb.Host:
		return 85
	case cmdb.Starve, cmdb.Block:
		return 80
	case cmdb.Group:
		return 70
	case cmdb.Depends, cmdb.Part, caller, learned:
		return 60
	case cmdb.Member:
		return 40
	}
	return 0
}

// apart tells whether the effect of such a relation still runs and reports, though badly, when
// its cause is gone. Over the others it is unreachable with the cause.
func apart(k cmdb.Kind) bool {
	return k == cmdb.Depends || k == caller || k == learned || k == cmdb.Control || k == cmdb.Starve || k == cmdb.Block
}

// sentence says the relation in words that can be checked.
func sentence(k cmdb.Kind, item, cause string) string {
	switch k {
	case cmdb.Group:
		return item + " is a member of " + cause
	case cmdb.Member:
		return cause + " is a member of " + item
	case cmdb.Host:
		return item + " runs on " + cause
	case cmdb.Depends:
		return item + " depends on " + cause
	case cmdb.Network:
		return item + " is reached through " + cause
	case cmdb.Part:
		return cause + " is part of " + item
	case cmdb.Control:
		return cause + " controls " + item
	case cmdb.Starve:
		return cause + " feeds " + item
	case cmdb.Block:
		return item + " feeds " + cause
	case cmdb.Measure:
		return item + " measures " + cause
	case caller:
		return cause + " depends on " + item
	case learned:
		return item + " follows " + cause + " by a pattern"
	}
	return item + " reports it itself"
}

// those says in words which items of a class a cause hurts over a relation.
func those(k cmdb.Kind, class, cause string) string {
	switch k {
	case cmdb.Group:
		return class + " items in " + cause
	case cmdb.Host:
		return class + " items on " + cause
	case cmdb.Depends:
		return class + " items that depend on " + cause
	case cmdb.Network:
		return class + " items behind " + cause
	case cmdb.Control:
		return class + " items controlled by " + cause
	case cmdb.Starve:
		return class + " items fed by " + cause
	case cmdb.Block:
		return class + " items that feed " + cause
	case caller:
		return class + " items that get their traffic by way of " + cause
	case learned:
		return class + " items that follow " + cause + " by a pattern"
	case cmdb.Member, cmdb.Part:
		return class + " items that " + cause + " belongs to"
	}
	return class + " items around " + cause
}
