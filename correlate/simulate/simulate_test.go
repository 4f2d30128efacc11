package simulate

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox/cmdb"
	"signalbox/itsm"
)

func small(seed uint64) Config {
	c := DefaultConfig()
	c.Seed, c.Items, c.Faults, c.Hours = seed, 150, 6, 4
	return c
}

func files(t *testing.T, c Config) [4]string {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var b [4]bytes.Buffer
	for i, err := range []error{s.WriteEstate(&b[0]), s.WriteEvents(&b[1], nil), s.WriteTruth(&b[2]), s.WriteCauses(&b[3])} {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	return [4]string{b[0].String(), b[1].String(), b[2].String(), b[3].String()}
}

func TestNew_sameConfigurationSameBytes(t *testing.T) {
	c := small(3)
	c.Wrong, c.Simultaneous = 0.1, 2
	first := files(t, c)
	if files(t, c) != first {
		t.Error("two storms of one configuration differ")
	}
	c.Seed++
	if files(t, c) == first {
		t.Error("another seed gives the same storm")
	}
}

// TestNew_filesFitTogether checks for many configurations that the estate can be read, that lines are in order, that every
// firing line has its truth, and that every fault that was reported has causes that exist.
func TestNew_filesFitTogether(t *testing.T) {
	for seed := range uint64(12) {
		c := small(seed)
		c.Items = 100 + int(seed)*90
		c.Wrong, c.Simultaneous, c.Coverage = float64(seed%3)*0.2, 1+int(seed%4), 1-float64(seed%2)*0.5
		f := files(t, c)
		checkFiles(t, f)
	}
}

func FuzzNew(f *testing.F) {
	f.Add(uint64(1), 200, 3.0, 5, 2, 0.5, 1.0, 0.7, 0.1)
	f.Add(uint64(2), 100, 1.0, 0, 1, 0.0, 0.0, 0.0, 1.0)
	f.Fuzz(func(t *testing.T, seed uint64, items int, hours float64, faults, at int, silent, noise, coverage, wrong float64) {
		c := Config{seed, items, hours, faults, at, silent, noise, coverage, wrong}
		if c.Items > 500 || c.Hours > 24 || c.Faults > 20 || c.Noise > 5 {
			t.Skip("too large for a fuzz test")
		}
		if c.Validate() != nil {
			return
		}
		checkFiles(t, files(t, c))
	})
}

func checkFiles(t *testing.T, f [4]string) {
	t.Helper()
	estate, err := cmdb.Parse("estate.json", []byte(f[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmdb.NewGraph(estate); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i := range estate.Items {
		ids[estate.Items[i].ID] = true
	}
	truth, faults := map[int]bool{}, map[string]bool{}
	for _, row := range rows(t, f[2]) {
		n, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		truth[n], faults[row[1]] = true, true
	}
	var last time.Time
	d := json.NewDecoder(bytes.NewReader([]byte(f[1])))
	for n := 1; d.More(); n++ {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.At.Before(last) {
			t.Errorf("line %d is earlier than the one before", n)
		}
		last = l.At
		if firing := l.Alert != nil && l.Alert.Status == "firing"; firing != truth[n] {
			t.Errorf("line %d: firing %v, has a truth %v", n, firing, truth[n])
		}
		if l.Alert != nil && l.Alert.StartsAt.After(l.At) {
			t.Errorf("line %d says what begins later", n)
		}
	}
	delete(faults, "")
	for _, row := range rows(t, f[3]) {
		delete(faults, row[0])
		for item := range strings.SplitSeq(row[1], "|") {
			if !ids[item] {
				t.Errorf("fault %s has the unknown cause %s", row[0], item)
			}
		}
	}
	if len(faults) > 0 {
		t.Errorf("faults without a cause: %v", faults)
	}
}

func rows(t *testing.T, text string) [][]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader([]byte(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

// lab is a small world whose delays do not matter.
type lab struct {
	*run
	ids map[string]int32
}

func newLab(units, relations string) *lab {
	w := &world{classes: map[string][]int32{}}
	l := &lab{ids: map[string]int32{}}
	for _, u := range fields(units) {
		l.ids[u] = w.add(unit{item: itsm.Item{ID: u}})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, r := range fields(relations) {
		p := bytes.Split([]byte(r), []byte(">"))
		w.relate(rng, l.ids[string(p[0])], itsm.RelationType(p[1]), l.ids[string(p[2])])
	}
	for i := range w.edges {
		w.edges[i].passes = true
	}
	l.run = newRun(w, func(int32, *status, *status) {})
	return l
}

func fields(s string) []string {
	var out []string
	for f := range strings.FieldsSeq(s) {
		out = append(out, f)
	}
	return out
}

func (l *lab) is(id string) state { return l.status[l.ids[id]].is }

func TestPhysics(t *testing.T) {
	type blows map[string]state
	for _, c := range []struct {
		name, units, relations string
		least                  map[string]int
		blows                  blows
		want                   map[string]state
	}{
		{
			name: "a dead switch cuts off what is behind it", units: "sw a b", relations: "a>connects_to>sw b>connects_to>sw",
			blows: blows{"sw": down}, want: map[string]state{"sw": down, "a": cut, "b": cut},
		},
		{
			name: "one of two switches cuts off nothing", units: "s1 s2 a", relations: "a>connects_to>s1 a>connects_to>s2",
			blows: blows{"s1": down}, want: map[string]state{"s1": down, "a": 0},
		},
		{
			name: "both cut off everything", units: "s1 s2 a p", relations: "a>connects_to>s1 a>connects_to>s2 p>runs_on>a",
			blows: blows{"s1": down, "s2": down}, want: map[string]state{"a": cut, "p": cut},
		},
		{
			name: "a host takes what runs on it and what calls that", units: "h db svc", relations: "db>runs_on>h svc>depends_on>db",
			blows: blows{"h": down}, want: map[string]state{"db": down, "svc": erring},
		},
		{
			name: "things behind one dead switch still talk to each other", units: "sw a b svc db",
			relations: "a>connects_to>sw b>connects_to>sw svc>runs_on>a db>runs_on>b svc>depends_on>db",
			blows:     blows{"sw": down}, want: map[string]state{"svc": cut, "db": cut},
		},
		{
			name: "a group survives one of three members and not two", units: "a b c g", relations: "a>member_of>g b>member_of>g c>member_of>g",
			least: map[string]int{"g": 2}, blows: blows{"a": down}, want: map[string]state{"g": 0},
		},
		{
			name: "a group with too few members fails", units: "a b c g", relations: "a>member_of>g b>member_of>g c>member_of>g",
			least: map[string]int{"g": 2}, blows: blows{"a": down, "b": erring}, want: map[string]state{"g": erring, "c": 0},
		},
		{
			name: "a bad release shows on every member", units: "a b g", relations: "a>member_of>g b>member_of>g",
			least: map[string]int{"g": 1}, blows: blows{"g": erring}, want: map[string]state{"a": erring, "b": erring},
		},
		{
			name: "a controller stops its machine, which starves and blocks others", units: "plc m1 m2 m3",
			relations: "plc>controls>m2 m1>feeds>m2 m2>feeds>m3",
			blows:     blows{"plc": down}, want: map[string]state{"m1": blocked, "m2": down | cut, "m3": starved},
		},
		{
			name: "a wearing machine shows on its sensor", units: "m s", relations: "s>measures>m",
			blows: blows{"m": hot}, want: map[string]state{"s": hot},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(c.units, c.relations)
			for id, n := range c.least {
				l.units[l.ids[id]].min = n
			}
			for id, is := range c.blows {
				l.fail(l.ids[id], own{1, is})
			}
			l.until(time.Hour)
			for id, want := range c.want {
				if got := l.is(id); got != want {
					t.Errorf("%s is %b, want %b", id, got, want)
				}
			}
			l.now = time.Hour
			for id := range c.blows {
				l.mend(l.ids[id], 1)
			}
			l.until(3 * time.Hour)
			if len(l.status) > 0 {
				t.Errorf("after the end %v are still not well", slices.Collect(keys(l.status)))
			}
		})
	}
}

// TestPhysics_blame checks that each of two faults in one place is blamed for its own effects.
func TestPhysics_blame(t *testing.T) {
	l := newLab("sw a db svc", "a>connects_to>sw svc>depends_on>db")
	l.fail(l.ids["sw"], own{1, down})
	l.fail(l.ids["db"], own{2, down})
	l.until(time.Hour)
	for id, want := range map[string]int32{"sw": 1, "a": 1, "db": 2, "svc": 2} {
		s := l.status[l.ids[id]]
		if got := s.blame(s.is); got != want {
			t.Errorf("%s blames %d, want %d", id, got, want)
		}
	}
}

func TestConfig_Validate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"--items":           func(c *Config) { c.Items = 99 },
		"--hours":           func(c *Config) { c.Hours = 0 },
		"--faults":          func(c *Config) { c.Faults = -1 },
		"--simultaneous":    func(c *Config) { c.Simultaneous = 0 },
		"--silent":          func(c *Config) { c.Silent = 2 },
		"--coverage":        func(c *Config) { c.Coverage = -0.1 },
		"--wrong-relations": func(c *Config) { c.Wrong = 1.1 },
		"--noise":           func(c *Config) { c.Noise = -1 },
	} {
		c := DefaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Validate(); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
