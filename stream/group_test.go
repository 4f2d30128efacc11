package stream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBalance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		shards int
		claims map[string]map[int]int
		want   map[string][]int
	}{
		{"alone", 3, map[string]map[int]int{"a": nil}, map[string][]int{"a": {0, 1, 2}}},
		{"begin together", 4, map[string]map[int]int{"a": nil, "b": nil}, map[string][]int{"a": {0, 1}, "b": {2, 3}}},
		{"one joins", 4, map[string]map[int]int{"b": {0: 1, 1: 1, 2: 1, 3: 1}, "a": nil}, map[string][]int{"b": {0, 1}, "a": {2, 3}}},
		{"one leaves", 4, map[string]map[int]int{"b": {1: 2, 3: 2}, "c": {0: 2}}, map[string][]int{"b": {1, 3}, "c": {0, 2}}},
		{"who has one more keeps it", 3, map[string]map[int]int{"a": {2: 4}, "b": {0: 4, 1: 4}}, map[string][]int{"a": {2}, "b": {0, 1}}},
		{"who slept claims in vain", 4, map[string]map[int]int{"a": {0: 3, 1: 3}, "b": {0: 5, 1: 5, 2: 3, 3: 3}}, map[string][]int{"a": {2, 3}, "b": {0, 1}}},
		{"more members than shards", 1, map[string]map[int]int{"a": nil, "b": {0: 1}}, map[string][]int{"b": {0}}},
		{"unknown shards", 1, map[string]map[int]int{"a": {7: 1}}, map[string][]int{"a": {0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := balance(c.shards, c.claims)
			for m, shards := range got {
				if len(shards) == 0 {
					delete(got, m)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// However members come and go, every shard has one owner, nobody has two more than another, and no
// more shards move than that takes.
func TestBalance_movesLittle(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
	const shards = 12
	claims := map[string]map[int]int{"m0": nil}
	for generation := range 500 {
		switch member := fmt.Sprintf("m%d", r.IntN(8)); {
		case claims[member] == nil:
			claims[member] = map[int]int{}
		case len(claims) > 1:
			delete(claims, member)
		}
		out := balance(shards, claims)
		owners := map[int]string{}
		kept, fewest, most := 0, shards, 0
		for m, ns := range out {
			for _, n := range ns {
				if owners[n] != "" {
					t.Fatalf("shard %d has two owners", n)
				}
				owners[n] = m
				if _, had := claims[m][n]; had {
					kept++
				}
			}
			fewest, most = min(fewest, len(ns)), max(most, len(ns))
		}
		if len(owners) != shards || most-fewest > 1 {
			t.Fatalf("%d of %d shards have an owner; %d to %d each", len(owners), shards, fewest, most)
		}
		// A member can keep at most its even share.
		sizes := []int{}
		for m := range claims {
			sizes = append(sizes, len(claims[m]))
		}
		slices.SortFunc(sizes, func(a, b int) int { return b - a })
		want := 0
		for i, had := range sizes {
			quota := shards / len(sizes)
			if i < shards%len(sizes) {
				quota++
			}
			want += min(had, quota)
		}
		if kept != want {
			t.Fatalf("%d shards stayed, %d could have", kept, want)
		}
		for m, ns := range out {
			claims[m] = map[int]int{}
			for _, n := range ns {
				claims[m][n] = generation
			}
		}
	}
}
