package explain

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/correlate/learn"
	"signalbox/itsm"
)

// shop is two services with four instances each, one behind the other.
func shop(t *testing.T) *sightings {
	t.Helper()
	classes := map[string]string{"cart": "service", "mail": "service"}
	relations := []string{"cart depends_on mail"}
	for _, service := range []string{"cart", "mail"} {
		for i := range 4 {
			id := fmt.Sprintf("%s-%d", service, i)
			classes[id] = "instance"
			relations = append(relations, id+" member_of "+service)
		}
	}
	return &sightings{x: small(t, classes, relations...), t: t, at: noon()}
}

// scores are the scores of the causes of a hypothesis.
func (s *sightings) scores(h *Hypothesis) map[string]float64 {
	out := map[string]float64{}
	for _, c := range s.x.Rank(s.at, h) {
		out[c.Item] = c.Score
	}
	return out
}

func TestSurprise_what_everything_reports_says_little(t *testing.T) {
	s := shop(t)
	var usual *Hypothesis
	for i := range 3 {
		usual = s.hold(uint64(i+1), fmt.Sprintf("cart-%d HighMemory", i))
	}
	s.hold(4, "mail-0 HighMemory")
	s.hold(5, "mail-1 HighMemory")
	rare := s.hold(6, "mail-2 DiskFull")
	if s.scores(rare)["mail-2"] < s.scores(usual)["cart-2"]+0.1 {
		t.Errorf("the only full disk scores %.3f, one of five high memories %.3f", s.scores(rare)["mail-2"], s.scores(usual)["cart-2"])
	}
}

func TestSurprise_is_told(t *testing.T) {
	s := shop(t)
	causes := s.x.Rank(s.at, s.hold(1, "mail-0 DiskFull", "mail-0 Throttled"))
	var told []string
	for _, e := range causes[0].Evidence {
		told = append(told, string(e.Kind)+": "+e.Text)
	}
	want := "surprise: 0 of 7 other instance items report DiskFull"
	if causes[0].Item != "mail-0" || !slices.Contains(told, want) {
		t.Errorf("%s: %q, want %q", causes[0].Item, told, want)
	}
}

func TestSurprise_what_all_members_share_is_the_group(t *testing.T) {
	for _, test := range []struct {
		name string
		seen []string
		want string
	}{
		{"all members", []string{"cart-0 BadConfig", "cart-1 BadConfig", "cart-2 BadConfig", "cart-3 BadConfig"}, "cart"},
		{"one member, in many ways", []string{"cart-0 BadConfig", "cart-0 DiskFull", "cart-0 Restarted"}, "cart-0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := shop(t)
			if causes := s.x.Rank(s.at, s.hold(1, test.seen...)); causes[0].Item != test.want {
				t.Errorf("first cause %s, want %s", causes[0].Item, test.want)
			}
		})
	}
}

// TestSurprise_weighs compares what two items report, each in an incident of its own: the first says more.
func TestSurprise_weighs(t *testing.T) {
	late := func(s *sightings, text string, after time.Duration) *Observation {
		o := s.see(text)
		o.Onset = noon().Add(after)
		return o
	}
	for _, test := range []struct {
		name       string
		more, less func(s *sightings) []*Observation
	}{
		{
			"two types over ten templates of one log",
			func(s *sightings) []*Observation {
				return []*Observation{s.see("cart-0 BadConfig"), s.see("cart-0 DiskFull")}
			},
			func(s *sightings) []*Observation {
				var out []*Observation
				for i := range 10 {
					out = append(out, s.see(fmt.Sprintf("mail-0 log_%d", i)))
				}
				return out
			},
		},
		{
			"what began with the trouble over what came later",
			func(s *sightings) []*Observation {
				return []*Observation{s.see("cart-0 BadConfig"), s.see("cart-0 DiskFull")}
			},
			func(s *sightings) []*Observation {
				return []*Observation{s.see("mail-0 BadConfig"), late(s, "mail-0 DiskFull", 10*time.Minute)}
			},
		},
		{
			"far beyond the limit over just beyond it",
			func(s *sightings) []*Observation {
				o := s.see("cart-0 DiskFull")
				o.Magnitude = 40
				return []*Observation{o}
			},
			func(s *sightings) []*Observation {
				o := s.see("mail-0 DiskFull")
				o.Magnitude = 6
				return []*Observation{o}
			},
		},
		{
			"a magnitude that is usual over a small one",
			func(s *sightings) []*Observation { return []*Observation{s.see("cart-0 DiskFull")} },
			func(s *sightings) []*Observation {
				o := s.see("mail-0 DiskFull")
				o.Magnitude = 1.5
				return []*Observation{o}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			score := func(of func(s *sightings) []*Observation, item string) float64 {
				s := shop(t)
				h := &Hypothesis{Ordinal: 1, Cause: None, ConfirmedItem: None}
				for _, o := range of(s) {
					s.x.Attach(o, h)
				}
				return s.scores(h)[item]
			}
			more, less := score(test.more, "cart-0"), score(test.less, "mail-0")
			if more <= less || less == 0 {
				t.Errorf("%.3f, want more than %.3f", more, less)
			}
		})
	}
}

// TestPeers compares the counts with those of a naive search, while the estate grows and reports come and go.
func TestPeers(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		classes := map[string]string{}
		for i := range 12 {
			classes[fmt.Sprint("i", i)] = []string{"host", "service"}[i%2]
		}
		s := &sightings{x: small(t, classes, "i0 depends_on i1"), t: t, at: noon()}
		edges := map[int][]int{0: {1}, 1: {0}}
		type held struct {
			o *Observation
			h *Hypothesis
		}
		var attached []held
		for step := range 60 {
			switch a, b := random.IntN(12), random.IntN(12); {
			case random.IntN(4) == 0 && a != b:
				r := itsm.Relation{From: fmt.Sprint("i", a), To: fmt.Sprint("i", b), Type: itsm.DependsOn}
				s.x.Rewire(s.x.g.Discover(nil, []itsm.Relation{r}))
				edges[a], edges[b] = append(edges[a], b), append(edges[b], a)
			case len(attached) > 0 && random.IntN(3) == 0:
				i := random.IntN(len(attached))
				s.x.Detach(attached[i].o, attached[i].h)
				attached = slices.Delete(attached, i, i+1)
			default:
				o := s.see(fmt.Sprintf("i%d %c", a, 'A'+rune(b%3)))
				h := &Hypothesis{Ordinal: uint64(step + 1), Cause: None, ConfirmedItem: None}
				s.x.Attach(o, h)
				attached = append(attached, held{o, h})
			}
			for n := range 12 {
				want := related{sizes: map[uint16]int{}, having: map[typeOf]int{}}
				seen := map[int]bool{n: true}
				for todo := []int{n}; len(todo) > 0; todo = todo[1:] {
					at := s.x.node(t, fmt.Sprint("i", todo[0]))
					class := s.x.g.ClassID(at)
					want.sizes[class]++
					for _, one := range attached {
						if one.o.Node == at {
							want.having[typeOf{class, one.o.Type}]++
						}
					}
					for _, next := range edges[todo[0]] {
						if !seen[next] {
							seen[next] = true
							todo = append(todo, next)
						}
					}
				}
				if len(edges[n]) == 0 {
					want = related{}
				}
				got := s.x.peers.of(s.x.node(t, fmt.Sprint("i", n)))
				if !maps.Equal(got.sizes, want.sizes) || !maps.Equal(got.having, want.having) {
					t.Fatalf("seed %d, step %d, i%d: %v, want %v", seed, step, n, got, want)
				}
			}
		}
	}
}

func TestFamilyOf(t *testing.T) {
	x := small(t, map[string]string{"a": "host"})
	got := []string{}
	for _, alertType := range []string{"log_82", "log_9", "Disk2Full", "HostDown"} {
		got = append(got, x.familyOf(alertType))
	}
	if diff := cmp.Diff([]string{"log_", "log_", "DiskFull", "HostDown"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSurprise_the_past(t *testing.T) {
	past := &learn.File{
		Until: noon().Add(-10 * time.Minute), Windows: 100, RecentWindows: 3,
		Rates: []learn.FileRate{
			{Item: "cart-0", Type: "Slow", Windows: 90, RecentWindows: 0},
			{Item: "cart-1", Type: "Slow", Windows: 3, RecentWindows: 3},
			{Item: "cart-2", Type: "Slow", Windows: 3, RecentWindows: 0},
		},
	}
	score := func(item string, f *learn.File) float64 {
		s := shop(t)
		s.x.Follow(NewRates(f))
		return s.scores(s.hold(1, item+" Slow"))[item]
	}
	always, lately, seldom, never := score("cart-0", past), score("cart-1", past), score("cart-2", past), score("mail-0", past)
	if always >= seldom || lately >= seldom || seldom >= never {
		t.Errorf("slow always %.3f, lately %.3f, seldom %.3f, never %.3f: what is usual says least", always, lately, seldom, never)
	}
	if unknown := score("mail-0", nil); never <= unknown {
		t.Errorf("what never happened in a long past scores %.3f, without a past %.3f", never, unknown)
	}
}
