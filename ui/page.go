package ui

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The sizes of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// sortKey is the place of a row in an order: a number or a text, then the id, which makes it
// unique. A cursor is the key of the last row of a page, so rows that come in between neither
// shift nor double what follows.
type sortKey struct {
	n    int64
	text string
	id   string
}

func (k sortKey) compare(o sortKey) int {
	return cmp.Or(cmp.Compare(k.n, o.n), strings.Compare(k.text, o.text), strings.Compare(k.id, o.id))
}

// paging is what a request asks of a list.
type paging struct {
	sort    string // without the minus
	reverse bool
	limit   int
	after   *sortKey
}

// readPaging reads limit, cursor and sort; sorts lists the allowed orders, the first is the
// default and may begin with a minus.
func readPaging(r *http.Request, sorts ...string) (paging, *problem) {
	q := r.URL.Query()
	p := paging{limit: defaultLimit, sort: sorts[0]}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLimit {
			return p, badRequest("invalid_limit", fmt.Sprintf("limit: a number from 1 to %d is expected, got %q", maxLimit, s))
		}
		p.limit = n
	}
	if s := q.Get("sort"); s != "" {
		p.sort = s
	}
	p.sort, p.reverse = strings.TrimPrefix(p.sort, "-"), strings.HasPrefix(p.sort, "-")
	if !slices.ContainsFunc(sorts, func(s string) bool { return strings.TrimPrefix(s, "-") == p.sort }) {
		return p, badRequest("invalid_sort", fmt.Sprintf("sort: one of %s is expected, - before it reverses, got %q",
			strings.ReplaceAll(strings.Join(sorts, ", "), "-", ""), q.Get("sort")))
	}
	if s := q.Get("cursor"); s != "" {
		key, err := p.decodeCursor(s)
		if err != nil {
			return p, badRequest("invalid_cursor", "cursor: "+err.Error())
		}
		p.after = key
	}
	return p, nil
}

// cursor is the JSON inside the opaque text.
type cursor struct {
	Sort string `json:"s"`
	N    int64  `json:"n,omitempty"`
	Text string `json:"t,omitempty"`
	ID   string `json:"i"`
}

func (p paging) order() string {
	if p.reverse {
		return "-" + p.sort
	}
	return p.sort
}

func (p paging) encodeCursor(k sortKey) string {
	// Marshalling a struct of texts and numbers cannot go wrong.
	b, _ := json.Marshal(cursor{Sort: p.order(), N: k.n, Text: k.text, ID: k.id})
	return base64.RawURLEncoding.EncodeToString(b)
}

func (p paging) decodeCursor(s string) (*sortKey, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	var c cursor
	if err != nil || json.Unmarshal(b, &c) != nil {
		return nil, fmt.Errorf("not one that a page gave: %.40q", s)
	}
	if c.Sort != p.order() {
		return nil, fmt.Errorf("it belongs to the order %q, not to %q", c.Sort, p.order())
	}
	return &sortKey{n: c.N, text: c.Text, id: c.ID}, nil
}

// page is one page of a list.
type page[T any] struct {
	rows  []T
	total int
	next  *string
}

// paginate picks a page from all that match, in one pass and memory for a few pages.
func paginate[T any](all []T, p paging, match func(T) bool, key func(T) sortKey) page[T] {
	type keyed struct {
		key sortKey
		row T
	}
	order := func(a, b keyed) int {
		if p.reverse {
			return b.key.compare(a.key)
		}
		return a.key.compare(b.key)
	}
	var out page[T]
	var best []keyed
	want := p.limit + 1 // one more tells whether there is a next page
	for _, row := range all {
		if !match(row) {
			continue
		}
		out.total++
		k := keyed{key(row), row}
		if p.after != nil && order(k, keyed{key: *p.after}) <= 0 {
			continue
		}
		if best = append(best, k); len(best) >= 4*want+1000 {
			slices.SortFunc(best, order)
			clear(best[want:])
			best = best[:want]
		}
	}
	slices.SortFunc(best, order)
	if len(best) > p.limit {
		next := p.encodeCursor(best[p.limit-1].key)
		out.next = &next
		best = best[:p.limit]
	}
	out.rows = make([]T, len(best))
	for i, k := range best {
		out.rows[i] = k.row
	}
	return out
}

// body is the page as JSON under a name; raw gives the bytes of a row.
func (p page[T]) body(name string, raw func(T) []byte) []byte {
	size := 128
	for _, r := range p.rows {
		size += len(raw(r)) + 1
	}
	b := make([]byte, 0, size)
	b = append(append(append(b, `{"`...), name...), `":[`...)
	for i, r := range p.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, raw(r)...)
	}
	b = append(b, `],"total":`...)
	b = strconv.AppendInt(b, int64(p.total), 10)
	b = append(b, `,"next":`...)
	if p.next == nil {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '"'), *p.next...), '"')
	}
	return append(b, '}')
}

// splitList reads "a,b" as a set; nil when empty.
func splitList(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
