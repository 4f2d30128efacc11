package correlate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/itsm"

	"go.yaml.in/yaml/v3"
)

// script is a scenario as testdata/README.md describes it.
type script struct {
	about string // the comment that it begins with
	steps []step
}

// step is one record and what is expected after it.
type step struct {
	line     int
	at       time.Time
	in       itsm.Input
	commands []told // for each command of in
	expect   []expectation
}

// told is what a line says of a command beside the command itself.
type told struct {
	line    int
	entry   itsm.EntryKind // undo the last entry of this kind
	status  int
	reason  string // a part of the reason of a refusal
	problem string // the command is about a candidate: problem:1
}

// expectation is one line of an expect block: a subject and what is demanded of it.
type expectation struct {
	line    int
	subject string // "", an incident's number, or an alert
	alert   string
	demands []demand
}

// demand compares a property with a text; op is one of = != ~ >= <=.
type demand struct{ key, op, want string }

// scriptParser reads a script from top to bottom.
type scriptParser struct {
	out      script
	line     int
	now      time.Time
	begun    bool
	items    []map[string]any
	rels     []map[string]any
	bindings []map[string]any
	rules    map[string]any
	versions int
	serial   int
}

// parseScript reads a script; the error names the line.
func parseScript(text string) (*script, error) {
	p := &scriptParser{now: start().Truncate(24 * time.Hour), rules: map[string]any{}}
	for i, line := range strings.Split(text, "\n") {
		p.line = i + 1
		if err := p.read(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	if p.out.about == "" {
		return nil, errors.New("line 1: begin with a comment that says what the operator should see and why")
	}
	if !slices.ContainsFunc(p.out.steps, func(s step) bool { return len(s.expect) > 0 }) {
		return nil, errors.New("nothing is expected")
	}
	return &p.out, nil
}

func (p *scriptParser) read(line string) error {
	if about, ok := strings.CutPrefix(line, "# "); ok {
		if p.line == 1 {
			p.out.about = about
		}
		return nil
	}
	words, err := fields(line)
	if err != nil || len(words) == 0 {
		return err
	}
	if strings.HasPrefix(line, " ") {
		return p.demand(words)
	}
	switch words[0] {
	case "item", "relation", "binding", "rules":
		if p.begun {
			return errors.New(`after the first "at" the estate changes by "at TIME add …"`)
		}
		return p.estate(line, words)
	case "at":
		if len(words) < 3 {
			return errors.New("at TIME WHAT is expected")
		}
		if err := p.move(words[1]); err != nil {
			return err
		}
		p.out.steps = append(p.out.steps, step{line: p.line, at: p.now})
		return p.event(words[2:])
	case "and":
		if !p.begun {
			return errors.New(`"and" continues an "at"`)
		}
		return p.event(words[1:])
	}
	return fmt.Errorf("%q is no word of a scenario", words[0])
}

// fields splits a line at spaces; double quotes keep spaces together. A "# " ends the line. A word that
// stands in quotes as a whole keeps the opening one, so that it is told apart.
func fields(line string) ([]string, error) {
	var out []string
	var word strings.Builder
	inWord, quoted := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			if !inWord {
				word.WriteByte('"')
			}
			quoted, inWord = !quoted, true
		case c == ' ' && !quoted:
			if inWord {
				out = append(out, word.String())
			}
			word.Reset()
			inWord = false
		case c == '#' && !inWord && (i+1 == len(line) || line[i+1] == ' '):
			return out, nil
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		out = append(out, word.String())
	}
	return out, nil
}

// expand writes ranges out: h[1-3] or h[a,b] is one text for each value, and [=] repeats the value
// of the range before it.
func expand(text string) ([]string, error) {
	open := strings.IndexByte(text, '[')
	if open < 0 {
		return []string{text}, nil
	}
	length := strings.IndexByte(text[open:], ']')
	if length < 0 {
		return nil, fmt.Errorf("%q: a range is not closed", text)
	}
	values, err := rangeOf(text[open+1 : open+length])
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range values {
		rest := text[open+length+1:]
		for {
			next := strings.IndexByte(rest, '[')
			if next < 0 || !strings.HasPrefix(rest[next:], "[=]") {
				break
			}
			rest = rest[:next] + v + rest[next+3:]
		}
		tails, err := expand(rest)
		if err != nil {
			return nil, err
		}
		for _, tail := range tails {
			out = append(out, text[:open]+v+tail)
		}
	}
	return out, nil
}

func rangeOf(text string) ([]string, error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return strings.Split(text, ","), nil
	}
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(last)
	if err := errors.Join(err1, err2); err != nil || b < a {
		return nil, fmt.Errorf("[%s]: a range of numbers is expected", text)
	}
	var out []string
	for i := a; i <= b; i++ {
		out = append(out, fmt.Sprintf("%0*d", len(first), i))
	}
	return out, nil
}

// move sets the time: 10:00:05 on the day of the scenario, or +5s after the last one.
func (p *scriptParser) move(text string) error {
	at, err := p.time(text)
	if err != nil {
		return err
	}
	if at.Before(p.now) {
		return fmt.Errorf("%s: is before the last record", text)
	}
	p.now = at
	if !p.begun {
		p.begun = true
		p.adopt()
	}
	return nil
}

func (p *scriptParser) time(text string) (time.Time, error) {
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		d, err := time.ParseDuration(text)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q: a time such as 10:00:05, +5s or -1m is expected", text)
		}
		return p.now.Add(d), nil
	}
	days := 0
	if day, rest, ok := strings.Cut(text, "/"); ok {
		n, err := strconv.Atoi(day)
		if err != nil || n < 1 {
			return time.Time{}, fmt.Errorf("%q: a day such as 2/10:00:05 is expected", text)
		}
		days, text = n-1, rest
	}
	t, err := time.Parse(time.TimeOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q: a time such as 10:00:05, +5s or -1m is expected", text)
	}
	return start().Truncate(24*time.Hour).AddDate(0, 0, days).Add(t.Sub(t.Truncate(24 * time.Hour))), nil
}

// adopt puts the first estate and rules into a record before everything else.
func (p *scriptParser) adopt() {
	in := itsm.Input{Adopt: &itsm.Adopt{}}
	if len(p.items) > 0 || len(p.bindings) > 0 {
		in.Adopt.Estate = p.version()
	}
	if len(p.rules) > 0 {
		in.Adopt.Rules = p.ruleVersion()
	}
	if in.Adopt.Estate != nil || in.Adopt.Rules != nil {
		p.out.steps = append(p.out.steps, step{line: p.line, at: p.now.Add(-time.Second), in: in})
	}
}

func (p *scriptParser) version() *itsm.Version {
	p.versions++
	data, err := json.Marshal(map[string]any{"items": p.items, "relations": p.rels, "bindings": p.bindings})
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return &itsm.Version{ID: fmt.Sprintf("v%d", p.versions), Data: data}
}

func (p *scriptParser) ruleVersion() *itsm.Version {
	p.versions++
	text, err := yaml.Marshal(p.rules)
	if err != nil {
		panic(err)
	}
	cfg := DefaultConfig()
	if err := yaml.Unmarshal(text, &cfg); err != nil {
		panic(err) // rule has tried it
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		panic(err)
	}
	return &itsm.Version{ID: fmt.Sprintf("r%d", p.versions), Data: data}
}

// estate reads one line of the estate or of the rules.
func (p *scriptParser) estate(line string, words []string) error {
	switch words[0] {
	case "binding":
		b := map[string]any{}
		for _, w := range words[1:] {
			k, v, ok := strings.Cut(w, "=")
			if !ok {
				return fmt.Errorf("%q: KEY=VALUE is expected", w)
			}
			b[k] = v
			if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
				var x any
				if err := yaml.Unmarshal([]byte(v), &x); err != nil {
					return fmt.Errorf("%s: %w", k, err)
				}
				b[k] = x
			}
		}
		p.bindings = append(p.bindings, b)
		return nil
	case "rules":
		for _, w := range words[1:] {
			if err := p.rule(w); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := expand(line)
	if err != nil {
		return err
	}
	for _, one := range all {
		words, err := fields(one)
		if err != nil {
			return err
		}
		if words[0] == "item" {
			err = p.item(words[1:])
		} else {
			err = p.relation(words[1:])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rule sets a key of the configuration, such as incident.close_after=1h.
func (p *scriptParser) rule(word string) error {
	path, v, ok := strings.Cut(word, "=")
	if !ok {
		return fmt.Errorf("%q: KEY=VALUE is expected", word)
	}
	keys := strings.Split(path, ".")
	m := p.rules
	for _, k := range keys[:len(keys)-1] {
		if _, ok := m[k]; !ok {
			m[k] = map[string]any{}
		}
		m = m[k].(map[string]any)
	}
	var value any
	if err := yaml.Unmarshal([]byte(v), &value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	m[keys[len(keys)-1]] = value
	text, err := yaml.Marshal(p.rules)
	if err != nil {
		return err
	}
	cfg := DefaultConfig()
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&cfg); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return cfg.Validate()
}

// item reads "ID CLASS [KEY=VALUE…]". Without by=… the label item=ID recognises it.
func (p *scriptParser) item(words []string) error {
	if len(words) < 2 {
		return errors.New("item ID CLASS is expected")
	}
	it := map[string]any{"id": words[0], "class": words[1]}
	attributes := map[string]string{}
	var identifiers []map[string]string
	for _, w := range words[2:] {
		k, v, ok := strings.Cut(w, "=")
		switch {
		case w == "vantage":
			it["vantage"] = true
		case !ok:
			return fmt.Errorf("%q: KEY=VALUE is expected", w)
		case k == "by":
			set := map[string]string{}
			for pair := range strings.SplitSeq(v, ",") {
				name, value, _ := strings.Cut(pair, "=")
				set[name] = value
			}
			identifiers = append(identifiers, set)
		case k == "criticality":
			n, err := strconv.Atoi(v)
			if err != nil {
				return fmt.Errorf("criticality: %w", err)
			}
			it[k] = n
		case k == "min":
			it["redundancy"] = map[string]any{"min": v}
		case k == "name", k == "owner":
			it[k] = v
		default:
			attributes[k] = v
		}
	}
	if identifiers == nil {
		identifiers = []map[string]string{{"item": words[0]}}
	}
	it["identifiers"] = identifiers
	if len(attributes) > 0 {
		it["attributes"] = attributes
	}
	p.items = append(p.items, it)
	return nil
}

// relation reads "FROM TYPE TO [from=TIME] [to=TIME] [buffer=3m]".
func (p *scriptParser) relation(words []string) error {
	if len(words) < 3 {
		return errors.New("relation FROM TYPE TO is expected")
	}
	r := map[string]any{"from": words[0], "type": words[1], "to": words[2]}
	attributes := map[string]string{}
	for _, w := range words[3:] {
		k, v, _ := strings.Cut(w, "=")
		if k != "from" && k != "to" {
			attributes[k] = v
			continue
		}
		at, err := p.time(v)
		if err != nil {
			return err
		}
		r[map[string]string{"from": "validFrom", "to": "validTo"}[k]] = at
	}
	if len(attributes) > 0 {
		r["attributes"] = attributes
	}
	p.rels = append(p.rels, r)
	return nil
}

// event reads what happens in the present record.
func (p *scriptParser) event(words []string) error {
	s := &p.out.steps[len(p.out.steps)-1]
	switch words[0] {
	case "tick":
		return nil
	case "fire", "resolve":
		alerts, err := p.alerts(words)
		s.in.Alerts = append(s.in.Alerts, alerts...)
		return err
	case "change":
		c, err := p.change(words[1:])
		s.in.Changes = append(s.in.Changes, c)
		return err
	case "silence":
		silence, err := p.silence(words[1:])
		s.in.Silences = append(s.in.Silences, silence)
		return err
	case "command":
		c, t, err := p.command(words[1:])
		s.in.Commands, s.commands = append(s.in.Commands, c), append(s.commands, t)
		return err
	case "add", "remove", "rules":
		return p.edit(s, words)
	case "expect":
		return p.demand(words[1:])
	}
	return fmt.Errorf("%q is nothing that happens", words[0])
}

// silence reads "ID UNTIL MATCHER… [by=PERSON] [comment=TEXT] [starts=TIME]"; a matcher is NAME=VALUE, NAME!=VALUE,
// NAME=~EXPRESSION or NAME!~EXPRESSION.
func (p *scriptParser) silence(words []string) (itsm.Silence, error) {
	if len(words) < 3 {
		return itsm.Silence{}, errors.New("silence ID UNTIL MATCHER… is expected")
	}
	s := itsm.Silence{ID: words[0], StartsAt: p.now, UpdatedAt: p.now, CreatedBy: "maria"}
	var err error
	if s.EndsAt, err = p.time(words[1]); err != nil {
		return s, err
	}
	for _, w := range words[2:] {
		at := strings.IndexAny(w, "=!")
		if at < 1 {
			return s, fmt.Errorf("%q: a matcher is expected", w)
		}
		name, rest := w[:at], w[at:]
		m := itsm.Matcher{Name: name, IsEqual: rest[0] == '='}
		rest = strings.TrimPrefix(rest, "!")
		if m.Value, m.IsRegex = strings.CutPrefix(rest, "~"); !m.IsRegex {
			m.Value = strings.TrimPrefix(rest, "=")
			m.Value, m.IsRegex = strings.CutPrefix(m.Value, "~")
		}
		switch name {
		case "by":
			s.CreatedBy = m.Value
		case "comment":
			s.Comment = m.Value
		case "starts":
			if s.StartsAt, err = p.time(m.Value); err != nil {
				return s, err
			}
		default:
			s.Matchers = append(s.Matchers, m)
		}
	}
	return s, s.Validate()
}

// edit changes the estate or the rules in the middle.
func (p *scriptParser) edit(s *step, words []string) error {
	if s.in.Adopt == nil {
		s.in.Adopt = &itsm.Adopt{}
	}
	if words[0] == "rules" {
		if err := p.estate("", words); err != nil {
			return err
		}
		s.in.Adopt.Rules = p.ruleVersion()
		return nil
	}
	line := strings.Join(words[1:], " ")
	if words[0] == "add" {
		if err := p.estate(line, words[1:]); err != nil {
			return err
		}
	} else if err := p.remove(line); err != nil {
		return err
	}
	s.in.Adopt.Estate = p.version()
	return nil
}

// remove takes an item with its relations, or a relation, out of the estate.
func (p *scriptParser) remove(line string) error {
	all, err := expand(line)
	if err != nil {
		return err
	}
	for _, one := range all {
		w := strings.Fields(one)
		before := len(p.items) + len(p.rels)
		switch {
		case len(w) == 2 && w[0] == "item":
			p.items = slices.DeleteFunc(p.items, func(it map[string]any) bool { return it["id"] == w[1] })
			p.rels = slices.DeleteFunc(p.rels, func(r map[string]any) bool { return r["from"] == w[1] || r["to"] == w[1] })
		case len(w) == 4 && w[0] == "relation":
			p.rels = slices.DeleteFunc(p.rels, func(r map[string]any) bool { return r["from"] == w[1] && r["type"] == w[2] && r["to"] == w[3] })
		}
		if len(p.items)+len(p.rels) == before {
			return fmt.Errorf("%s: is not there", one)
		}
	}
	return nil
}

// alerts reads "fire NAME LABEL=VALUE… @OPTION…", ranges written out.
func (p *scriptParser) alerts(words []string) ([]itsm.Alert, error) {
	status := itsm.StatusFiring
	if words[0] == "resolve" {
		status = itsm.StatusResolved
	}
	proto := itsm.Alert{Status: status, Source: "prom"}
	if status == itsm.StatusFiring {
		proto.StartsAt = p.now
	} else {
		proto.EndsAt = p.now
	}
	var labels []string
	notes := map[string]string{}
	for _, w := range words[1:] {
		option, ok := strings.CutPrefix(w, "@")
		if !ok {
			labels = append(labels, w)
			continue
		}
		if err := p.option(&proto, option, notes); err != nil {
			return nil, err
		}
	}
	proto.Annotations = itsm.NewLabels(notes)
	sets, err := labelSets(strings.Join(labels, " "))
	var out []itsm.Alert
	for _, ls := range sets {
		a := proto
		a.Labels, a.Fingerprint = ls, ls.Fingerprint()
		out = append(out, a)
	}
	return out, err
}

func (p *scriptParser) option(a *itsm.Alert, option string, notes map[string]string) (err error) {
	k, v, _ := strings.Cut(option, "=")
	switch {
	case k == "starts" && v == "none":
		a.StartsAt = time.Time{}
	case k == "starts":
		a.StartsAt, err = p.time(v)
	case k == "ends" && v == "none":
		a.EndsAt = time.Time{}
	case k == "ends":
		a.EndsAt, err = p.time(v)
	case k == "once":
		a.EndsAt = a.StartsAt
	case k == "source":
		a.Source = v
	case k == "suppressed":
		a.Suppressed = v
	case k == "resend":
		a.Resend = true
	case strings.HasPrefix(k, "note."):
		notes[strings.TrimPrefix(k, "note.")] = v
	default:
		return fmt.Errorf("@%s: is no option of an alert", option)
	}
	return err
}

// labelSets reads alerts as "NAME LABEL=VALUE…", with ranges, several separated by ";". Replica labels are
// left out, as every door does.
func labelSets(text string) ([]itsm.Labels, error) {
	var out []itsm.Labels
	for part := range strings.SplitSeq(text, ";") {
		all, err := expand(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			m := map[string]string{}
			for i, f := range strings.Fields(one) {
				k, v, ok := strings.Cut(f, "=")
				switch {
				case ok:
					m[k] = v
				case i == 0:
					m["alertname"] = f
				default:
					return nil, fmt.Errorf("%q: LABEL=VALUE is expected", f)
				}
			}
			out = append(out, itsm.NewLabels(m).Without([]string{"prometheus_replica", "__replica__"}))
		}
	}
	return out, nil
}

func fingerprintsOf(text string) ([]itsm.Fingerprint, error) {
	sets, err := labelSets(text)
	out := make([]itsm.Fingerprint, len(sets))
	for i := range sets {
		out[i] = sets[i].Fingerprint()
	}
	return out, err
}

// change reads "ID KIND [items=a,b] [title=…] [status=…] [starts=TIME] [ends=TIME] [LABEL=VALUE]".
func (p *scriptParser) change(words []string) (itsm.Change, error) {
	if len(words) < 3 {
		return itsm.Change{}, errors.New("change ID KIND KEY=VALUE… is expected")
	}
	c := itsm.Change{ID: words[0], Kind: words[1], StartsAt: p.now}
	labels := map[string]string{}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		switch k {
		case "items":
			c.Items = strings.Split(v, ",")
		case "title":
			c.Title = v
		case "status":
			c.Status = v
		case "starts", "ends":
			at, err := p.time(v)
			if err != nil {
				return c, err
			}
			if k == "starts" {
				c.StartsAt = at
			} else {
				c.EndsAt = &at
			}
		default:
			labels[k] = v
		}
	}
	c.Labels = itsm.NewLabels(labels)
	return c, c.Validate()
}

// refer reads #7, or an alert in quotes.
func refer(word string) (itsm.IncidentRef, error) {
	if alert, ok := strings.CutPrefix(word, `"`); ok {
		fps, err := fingerprintsOf(alert)
		if err != nil || len(fps) != 1 {
			return itsm.IncidentRef{}, fmt.Errorf("%q: one alert is expected", alert)
		}
		return itsm.IncidentRef{Alert: fps[0]}, nil
	}
	number, err := numberOf(word)
	return itsm.IncidentRef{ID: number}, err
}

func numberOf(word string) (string, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(word, "#"))
	if err != nil || !strings.HasPrefix(word, "#") {
		return "", fmt.Errorf("%q: an incident such as #1 is expected", word)
	}
	return fmt.Sprintf("INC-%06d", n), nil
}

// command reads "ACTION INCIDENT [KEY=VALUE…] [-> STATUS [REASON]]".
func (p *scriptParser) command(words []string) (itsm.Command, told, error) {
	t := told{line: p.line, status: 200}
	if i := slices.Index(words, "->"); i >= 0 && i+1 < len(words) {
		n, err := strconv.Atoi(words[i+1])
		if err != nil {
			return itsm.Command{}, t, fmt.Errorf("-> %s: a status is expected", words[i+1])
		}
		t.status, t.reason = n, strings.TrimPrefix(strings.Join(words[i+2:], " "), `"`)
		words = words[:i]
	}
	if len(words) < 2 {
		return itsm.Command{}, t, errors.New("command ACTION INCIDENT is expected")
	}
	p.serial++
	var ref itsm.IncidentRef
	var err error
	if strings.HasPrefix(words[1], "problem:") {
		t.problem = words[1]
	} else {
		ref, err = refer(words[1])
	}
	c := itsm.Command{ID: fmt.Sprintf("command-%d", p.serial), Action: itsm.Action(words[0]), Incident: ref, By: "maria"}
	for _, w := range words[2:] {
		k, v, _ := strings.Cut(w, "=")
		err = errors.Join(err, p.argument(&c, &t, k, v))
	}
	return c, t, err
}

func (p *scriptParser) argument(c *itsm.Command, t *told, key, v string) (err error) {
	ref := func() *itsm.IncidentRef {
		var r itsm.IncidentRef
		r, err = refer(v)
		return &r
	}
	texts := map[string]*string{
		"id": &c.ID, "by": &c.By, "comment": &c.Comment, "text": &c.Text, "reason": &c.Reason, "code": &c.Code, "notes": &c.Notes,
		"item": &c.Item, "change": &c.Change,
	}
	if text := texts[key]; text != nil {
		*text = v
		return nil
	}
	switch key {
	case "if-match":
		n, bad := strconv.Atoi(v)
		c.Revision, err = &n, bad
	case "team", "person":
		o := itsm.Some(v)
		if v == "null" {
			o.Value = nil
		}
		if key == "team" {
			c.Team = o
		} else {
			c.Person = o
		}
	case "priority":
		if c.Priority.Set = true; v != "null" {
			n, bad := strconv.Atoi(v)
			c.Priority.Value, err = &n, bad
		}
	case "until":
		at, bad := p.time(v)
		c.Until, err = &at, bad
	case "fixed-at":
		at, bad := p.time(v)
		c.FixedAt, err = &at, bad
	case "into":
		c.Into = ref()
	case "to":
		c.To = ref()
	case "alerts":
		c.Alerts, err = fingerprintsOf(v)
	case "entry":
		n, bad := strconv.Atoi(v)
		if bad != nil {
			n, t.entry = 0, itsm.EntryKind(v)
		}
		c.Entry = &n
	default:
		return fmt.Errorf("%q is no part of a command", key)
	}
	return err
}

// demand reads "[SUBJECT] KEY OP VALUE…", where the subject is #1 or an alert in quotes.
func (p *scriptParser) demand(words []string) error {
	if len(p.out.steps) == 0 {
		return errors.New("an indented line continues an expect")
	}
	x := expectation{line: p.line}
	switch {
	case len(words) == 0:
		return nil
	case strings.HasPrefix(words[0], "#"):
		number, err := numberOf(words[0])
		if err != nil {
			return err
		}
		x.subject, words = number, words[1:]
	case strings.HasPrefix(words[0], "problem:"):
		x.subject, words = words[0], words[1:]
	case strings.HasPrefix(words[0], `"`):
		x.subject, x.alert, words = words[0][1:], words[0][1:], words[1:]
	}
	for _, w := range words {
		d, ok := demandOf(w)
		if !ok {
			return fmt.Errorf("%q: KEY=VALUE is expected, with = != ~ >= or <=", w)
		}
		x.demands = append(x.demands, d)
	}
	s := &p.out.steps[len(p.out.steps)-1]
	s.expect = append(s.expect, x)
	return nil
}

func demandOf(word string) (demand, bool) {
	i := strings.IndexAny(word, "=~!<>")
	if i <= 0 {
		return demand{}, false
	}
	for _, op := range []string{"!=", ">=", "<=", "=", "~"} {
		if strings.HasPrefix(word[i:], op) {
			return demand{word[:i], op, word[i+len(op):]}, true
		}
	}
	return demand{}, false
}

// meets tells whether a property, as a text, is what was demanded.
func (d demand) meets(got string) bool {
	switch d.op {
	case "=":
		return got == d.want
	case "!=":
		return got != d.want
	case "~":
		return strings.Contains(got, d.want)
	}
	a, err1 := strconv.ParseFloat(got, 64)
	b, err2 := strconv.ParseFloat(d.want, 64)
	if err := errors.Join(err1, err2); err != nil {
		return false
	}
	if d.op == ">=" {
		return a >= b
	}
	return a <= b
}

func sortedText[K ~string](set map[K]bool) string {
	words := make([]string, 0, len(set))
	for _, k := range slices.Sorted(maps.Keys(set)) {
		words = append(words, string(k))
	}
	return strings.Join(words, ",")
}
