package explain

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"signalbox/correlate/learn"
)

// Rates is how often each type of alert fires on each item: in how many spans of time of all in which anything fired on what is
// related to the item, and the same weighted by half for each learn.RecentHalfLife. It outlives the Index that counts in it, knows
// items by their ids, and is bounded. All of it is integers, so that what was restored counts on exactly.
type Rates struct {
	base    span             // what was learned before; every set of related items begins with it
	spans   map[string]*span // by an item of the set, "" of the items without relations
	buckets [rateBuckets]map[string]map[string]*rate
	sizes   [rateBuckets]int

	// What the next checkpoint writes: spans, and types of items as a chunk until chunks are as much as buckets.
	movedSpans      map[string]bool
	moved           map[place]bool
	stale           [rateBuckets]bool
	chunks, chunked int
	places          int

	pending map[string][]byte // of a recovery
	dropped int               // since the last call of Dropped
}

// span is what was counted for one set of related items.
type span struct {
	key    string
	begun  bool      // begin is the span that goes on
	begin  time.Time // of the last span
	spans  int32
	recent int32
}

// longer returns the one that has counted more.
func longer(a, b *span) *span {
	switch {
	case a == nil:
		return b
	case b == nil, cmp.Or(cmp.Compare(a.spans, b.spans), strings.Compare(b.key, a.key)) >= 0:
		return a
	}
	return b
}

// rate is what was counted of one type on one item.
type rate struct {
	spans  int32
	recent int32
	last   time.Time // the last span that had it
}

// place is a type of alert on an item.
type place struct{ item, name string }

const (
	// The weight of a span that goes on.
	recentUnit = 1 << 16
	// Together they bound the types of items that are counted; in a full bucket the rarest makes place.
	rateBuckets = 256
	maxRates    = 1024
	// The silence after which an item's type is forgotten.
	forgetRate = 60 * 24 * time.Hour
	maxChunks  = 256
)

// NewRates returns what was learned from the past as what counting begins with; nil: nothing.
func NewRates(f *learn.File) *Rates {
	r := &Rates{}
	r.reset()
	if f != nil {
		r.learned(f)
	}
	return r
}

func (r *Rates) reset() {
	*r = Rates{spans: map[string]*span{}, movedSpans: map[string]bool{}, moved: map[place]bool{}, dropped: r.dropped}
}

// learned begins with a file.
func (r *Rates) learned(f *learn.File) {
	r.base = span{begin: f.Until, spans: int32(min(f.Windows, math.MaxInt32)), recent: units(f.RecentWindows)} //nolint:gosec // bounded
	r.movedSpans[baseSpan] = true
	for _, have := range f.Rates {
		p := place{have.Item, have.Type}
		of := r.add(p, nil)
		// The last of these spans is over: it is not the one that begins at the same moment.
		of.spans, of.recent, of.last = int32(min(have.Windows, math.MaxInt32)), units(have.RecentWindows), f.Until.Add(-1) //nolint:gosec // bounded
		r.touch(p)
	}
}

// Adopt begins anew with a file that knows more of the past than was counted, and tells whether it does; then what an Index has
// of the past is to be read again. What was counted since is in a longer file of the same history.
func (r *Rates) Adopt(f *learn.File) bool {
	if f.Windows == 0 || int(r.base.spans) >= f.Windows {
		return false
	}
	for _, s := range r.spans {
		if int(s.spans) >= f.Windows {
			return false
		}
	}
	for b := range r.buckets {
		for _, p := range r.list(b) {
			r.drop(p, r.of(p.item)[p.name], nil)
		}
	}
	for key := range r.spans {
		r.movedSpans[key] = true
	}
	clear(r.spans)
	r.learned(f)
	return true
}

func units(v float64) int32 { return int32(min(math.Round(v*recentUnit), math.MaxInt32)) }

// decayed is a sum of weights some time later.
func decayed(recent int32, after time.Duration) int32 {
	return int32(math.Round(float64(recent) * math.Exp2(-float64(max(0, after))/float64(learn.RecentHalfLife))))
}

func bucketOf(item string) int {
	h := uint32(2166136261)
	for i := range len(item) {
		h = (h ^ uint32(item[i])) * 16777619
	}
	return int(h % rateBuckets)
}

// of returns the types of an item.
func (r *Rates) of(item string) map[string]*rate { return r.buckets[bucketOf(item)][item] }

// span returns what is counted under a key.
func (r *Rates) span(key string) *span {
	s := r.spans[key]
	if s == nil {
		s = &span{key: key, begin: r.base.begin, spans: r.base.spans, recent: r.base.recent}
		r.spans[key] = s
		r.movedSpans[key] = true
	}
	return s
}

// enter makes sure that a span goes on at a moment.
func (r *Rates) enter(s *span, at time.Time, forget func(place, *rate)) {
	if s.begun && at.Sub(s.begin) < learn.RateWindow {
		return
	}
	s.recent = decayed(s.recent, at.Sub(s.begin)) + recentUnit
	s.begun, s.begin, s.spans = true, at.UTC(), s.spans+1
	r.movedSpans[s.key] = true
	// Each span looks for what is long silent in one of the buckets.
	bucket := int(at.Unix()/int64(learn.RateWindow/time.Second)) & (rateBuckets - 1)
	for item, types := range r.buckets[bucket] {
		for name, of := range types {
			if at.Sub(of.last) > forgetRate {
				r.drop(place{item, name}, of, forget)
			}
		}
	}
}

// add begins to count a type of an item.
func (r *Rates) add(p place, forget func(place, *rate)) *rate {
	b := bucketOf(p.item)
	if of := r.buckets[b][p.item][p.name]; of != nil {
		return of
	}
	if r.sizes[b] >= maxRates {
		rarest, of := r.rarest(b)
		r.drop(rarest, of, forget)
		r.dropped++
	}
	return r.insert(p)
}

func (r *Rates) insert(p place) *rate {
	b := bucketOf(p.item)
	if r.buckets[b] == nil {
		r.buckets[b] = map[string]map[string]*rate{}
	}
	if r.buckets[b][p.item] == nil {
		r.buckets[b][p.item] = map[string]*rate{}
	}
	of := &rate{}
	r.buckets[b][p.item][p.name] = of
	r.sizes[b]++
	r.places++
	return of
}

// rarest is the type of an item in a bucket that was counted least, the one longest ago.
func (r *Rates) rarest(bucket int) (place, *rate) {
	var pick *rate
	var at place
	for item, types := range r.buckets[bucket] {
		for name, of := range types {
			if pick == nil || cmp.Or(cmp.Compare(of.spans, pick.spans), of.last.Compare(pick.last),
				strings.Compare(item, at.item), strings.Compare(name, at.name)) < 0 {
				pick, at = of, place{item, name}
			}
		}
	}
	return at, pick
}

func (r *Rates) drop(p place, of *rate, forget func(place, *rate)) {
	if forget != nil {
		forget(p, of)
	}
	b := bucketOf(p.item)
	delete(r.buckets[b][p.item], p.name)
	if len(r.buckets[b][p.item]) == 0 {
		delete(r.buckets[b], p.item)
	}
	r.sizes[b]--
	r.places--
	r.touch(p)
}

func (r *Rates) touch(p place) { r.moved[p] = true }

// Dropped returns how many types of items were dropped since the last call because there are too many.
func (r *Rates) Dropped() int {
	n := r.dropped
	r.dropped = 0
	return n
}

// Places returns how many types of items are counted.
func (r *Rates) Places() int { return r.places }

// Dirty returns about how many bytes Changed would write.
func (r *Rates) Dirty() int { return 60 * (len(r.moved) + len(r.movedSpans)) }

// baseSpan is the name under which the base is saved; no id of an item begins so.
const baseSpan = "\x00"

// Changed hands what has changed since the last call to put, as entities "rate/…"; a nil value deletes one.
func (r *Rates) Changed(put func(key string, value []byte)) {
	for _, key := range slices.Sorted(maps.Keys(r.movedSpans)) {
		if key == baseSpan {
			put("rate/base", encodeSpan(&r.base))
		} else if s := r.spans[key]; s != nil {
			put("rate/span/"+key, encodeSpan(s))
		} else {
			put("rate/span/"+key, nil)
		}
	}
	clear(r.movedSpans)
	if len(r.moved) == 0 {
		return
	}
	moved := slices.SortedFunc(maps.Keys(r.moved), comparePlaces)
	for _, p := range moved {
		r.stale[bucketOf(p.item)] = true
	}
	clear(r.moved)
	r.chunked += len(moved)
	if r.chunks < maxChunks && 2*r.chunked <= r.places {
		put(chunkKey(r.chunks), r.encode(moved))
		r.chunks++
		return
	}
	for b, stale := range r.stale {
		if stale {
			put(fmt.Sprintf("rate/bucket/%02x", b), r.encode(r.list(b)))
		}
	}
	for n := range r.chunks {
		put(chunkKey(n), nil)
	}
	r.chunks, r.chunked, r.stale = 0, 0, [rateBuckets]bool{}
}

func chunkKey(n int) string { return fmt.Sprintf("rate/chunk/%02x", n) }

func comparePlaces(a, b place) int {
	return cmp.Or(strings.Compare(a.item, b.item), strings.Compare(a.name, b.name))
}

func (r *Rates) list(bucket int) []place {
	var out []place
	for item, types := range r.buckets[bucket] {
		for name := range types {
			out = append(out, place{item, name})
		}
	}
	slices.SortFunc(out, comparePlaces)
	return out
}

const rateFormat = 1

func encodeSpan(s *span) []byte {
	b := []byte{rateFormat, 0}
	if s.begun {
		b[1] = 1
	}
	b = appendTime(b, s.begin)
	b = binary.AppendVarint(b, int64(s.spans))
	return binary.AppendVarint(b, int64(s.recent))
}

// encode writes types of items; what is gone has no spans.
func (r *Rates) encode(list []place) []byte {
	b := []byte{rateFormat}
	for _, p := range list {
		of := r.of(p.item)[p.name]
		if of == nil {
			of = &rate{}
		}
		for _, s := range []string{p.item, p.name} {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
		b = binary.AppendVarint(b, int64(of.spans))
		b = binary.AppendVarint(b, int64(of.recent))
		b = appendTime(b, of.last)
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), t.UnixNano())
}

// Restore takes one entity back; name is what follows "rate/" in its key.
func (r *Rates) Restore(name string, value []byte) {
	if r.pending == nil {
		r.pending = map[string][]byte{}
	}
	r.pending[name] = value
}

// Restored ends a recovery.
func (r *Rates) Restored() error {
	if r.pending == nil {
		return nil
	}
	pending := r.pending
	r.reset()
	for _, name := range slices.Sorted(maps.Keys(pending)) { // buckets before the newer chunks, and those in order
		kind, key, _ := strings.Cut(name, "/")
		var err error
		switch kind {
		case "base":
			var s *span
			if s, err = decodeSpan(pending[name], ""); err == nil {
				r.base = *s
			}
		case "span":
			r.spans[key], err = decodeSpan(pending[name], key)
		case "bucket":
			_, err = r.decode(pending[name])
		case "chunk":
			err = r.restoreChunk(key, pending[name])
		default:
			err = errors.New("an entity of an unknown kind; was it written by a newer version?")
		}
		if err != nil {
			return fmt.Errorf("rate/%s: %w", name, err)
		}
	}
	clear(r.moved)
	return nil
}

func (r *Rates) restoreChunk(key string, value []byte) error {
	var n int
	if _, err := fmt.Sscanf(key, "%02x", &n); err != nil {
		return err
	}
	list, err := r.decode(value)
	for _, p := range list {
		r.stale[bucketOf(p.item)] = true
	}
	r.chunks, r.chunked = n+1, r.chunked+len(list)
	return err
}

var errTorn = errors.New("the entity is torn")

type rateReader struct {
	b   []byte
	bad bool
}

func (r *rateReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *rateReader) text() string {
	size, n := binary.Uvarint(r.b)
	if n <= 0 || size > uint64(len(r.b)-n) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[n : n+int(size)]) //nolint:gosec // bounded by the length
	r.b = r.b[n+int(size):]           //nolint:gosec // see above
	return s
}

func (r *rateReader) flag() bool {
	if len(r.b) == 0 {
		r.bad = true
		return false
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v != 0
}

func (r *rateReader) time() time.Time {
	if !r.flag() {
		return time.Time{}
	}
	return time.Unix(0, r.int()).UTC()
}

func decodeSpan(value []byte, key string) (*span, error) {
	if len(value) == 0 || value[0] != rateFormat {
		return nil, errTorn
	}
	r := rateReader{b: value[1:]}
	s := &span{key: key, begun: r.flag(), begin: r.time(), spans: int32(r.int()), recent: int32(r.int())} //nolint:gosec // written so
	if r.bad {
		return nil, errTorn
	}
	return s, nil
}

// decode takes types of items back and says which.
func (r *Rates) decode(value []byte) ([]place, error) {
	if len(value) == 0 || value[0] != rateFormat {
		return nil, errTorn
	}
	in := rateReader{b: value[1:]}
	var list []place
	for len(in.b) > 0 && !in.bad {
		p := place{in.text(), in.text()}
		of := rate{spans: int32(in.int()), recent: int32(in.int()), last: in.time()} //nolint:gosec // written so
		have := r.of(p.item)[p.name]
		switch {
		case of.spans == 0 && have != nil:
			r.drop(p, have, nil)
		case of.spans > 0 && have == nil:
			*r.insert(p) = of
		case of.spans > 0:
			*have = of
		}
		list = append(list, p)
	}
	if in.bad {
		return nil, errTorn
	}
	return list, nil
}
