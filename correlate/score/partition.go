package score

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// cell counts what one class and one group have in common.
type cell struct{ class, group, n int }

// table is the contingency table of two partitions of n things. Its lists are sorted, so that
// every sum is the same in every run.
type table struct {
	n       int
	cells   []cell
	classes map[int]int // sizes
	groups  map[int]int
}

// contingency counts two equally long lists of labels.
func contingency(classes, groups []int) *table {
	t := &table{n: len(classes), classes: make(map[int]int), groups: make(map[int]int)}
	type pair struct{ class, group int }
	both := make(map[pair]int)
	for i := range classes {
		t.classes[classes[i]]++
		t.groups[groups[i]]++
		both[pair{classes[i], groups[i]}]++
	}
	t.cells = make([]cell, 0, len(both))
	for p, n := range both {
		t.cells = append(t.cells, cell{p.class, p.group, n})
	}
	slices.SortFunc(t.cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.group, b.group))
	})
	return t
}

// ari is the adjusted Rand index; 1 when the partitions are equal, also trivially.
func (t *table) ari() float64 {
	var both, a, b float64 // integers below 2^53: exact in any order
	for _, c := range t.cells {
		both += pairs(c.n)
	}
	for _, n := range t.classes {
		a += pairs(n)
	}
	for _, n := range t.groups {
		b += pairs(n)
	}
	if both == a && both == b {
		return 1
	}
	expected := a * b / pairs(t.n)
	return (both - expected) / ((a+b)/2 - expected)
}

func pairs(n int) float64 { return float64(n) * float64(n-1) / 2 }

// ami is the adjusted mutual information with the arithmetic mean as normaliser, as scikit-learn
// defines it, its guard against a vanishing denominator included.
func (t *table) ami() float64 {
	if len(t.classes) == len(t.groups) && (len(t.classes) == 1 || len(t.classes) == t.n) {
		return 1
	}
	n := float64(t.n)
	mi := 0.0
	for _, c := range t.cells {
		v := float64(c.n)
		mi += v / n * math.Log(n*v/(float64(t.classes[c.class])*float64(t.groups[c.group])))
	}
	a, b := sizes(t.classes), sizes(t.groups)
	expected := 0.0
	for _, x := range a {
		for _, y := range b {
			expected += overlap(x.size, y.size, t.n) * float64(x.times) * float64(y.times)
		}
	}
	d := (entropy(a, n)+entropy(b, n))/2 - expected
	const least = 0x1p-52
	if d < 0 {
		d = min(d, -least)
	} else {
		d = max(d, least)
	}
	return (mi - expected) / d
}

// multiple is a size that several classes have.
type multiple struct{ size, times int }

func sizes(of map[int]int) []multiple {
	times := make(map[int]int)
	for _, n := range of {
		times[n]++
	}
	out := make([]multiple, 0, len(times))
	for _, n := range slices.Sorted(maps.Keys(times)) {
		out = append(out, multiple{n, times[n]})
	}
	return out
}

func entropy(of []multiple, n float64) float64 {
	h := 0.0
	for _, m := range of {
		p := float64(m.size) / n
		h -= float64(m.times) * p * math.Log(p)
	}
	return h
}

// overlap is what a class of size a and a group of size b are expected to add to the mutual
// information when n things are dealt at random. Their common part k is hypergeometric: start at
// its mode with weight 1, walk both ways by the ratio of neighbouring probabilities until the
// weight vanishes, and divide by the sum of the weights. No factorial, so nothing overflows.
func overlap(a, b, n int) float64 {
	const vanishing = 1e-20
	low, high := max(0, a+b-n), min(a, b)
	mode := min(max((a+1)*(b+1)/(n+2), low), high)
	weight, total := 0.0, 0.0
	add := func(w float64, k int) {
		weight += w
		if k > 0 {
			total += w * float64(k) / float64(n) * math.Log(float64(n)*float64(k)/(float64(a)*float64(b)))
		}
	}
	w := 1.0
	for k := mode; k <= high && w > vanishing; k++ {
		add(w, k)
		w *= float64(a-k) * float64(b-k) / (float64(k+1) * float64(n-a-b+k+1))
	}
	w = 1.0
	for k := mode; k > low; k-- {
		w *= float64(k) * float64(n-a-b+k) / (float64(a-k+1) * float64(b-k+1))
		if w <= vanishing {
			break
		}
		add(w, k-1)
	}
	return total / weight
}

// purity is the share of things that belong to the largest class of their group.
func (t *table) purity() float64 {
	best := make(map[int]int, len(t.groups))
	for _, c := range t.cells {
		best[c.group] = max(best[c.group], c.n)
	}
	return share(best, t.n)
}

// inversePurity is the share of things that are in the largest group of their class.
func (t *table) inversePurity() float64 {
	best := make(map[int]int, len(t.classes))
	for _, c := range t.cells {
		best[c.class] = max(best[c.class], c.n)
	}
	return share(best, t.n)
}

func share(best map[int]int, n int) float64 {
	sum := 0
	for _, v := range best {
		sum += v
	}
	return float64(sum) / float64(n)
}
