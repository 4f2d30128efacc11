package correlate

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"signalbox/cmdb"
	"signalbox/correlate/explain"
	"signalbox/itsm"
)

// writer appends values in a compact form. Alerts are the bulk of a checkpoint; JSON would cost
// more time than everything else that the engine does with a new one.
type writer struct{ b []byte }

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

func (w *writer) text(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

// time writes nanoseconds since 1970 with one bit more for "none".
func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	w.b = append(w.b, 1)
	w.b = binary.AppendVarint(w.b, t.UnixNano())
}

func (w *writer) times(list []time.Time) {
	w.uint(uint64(len(list)))
	for _, t := range list {
		w.time(t)
	}
}

func (w *writer) labels(ls itsm.Labels) {
	w.uint(uint64(len(ls)))
	for i := range ls {
		w.text(ls[i].Name)
		w.text(ls[i].Value)
	}
}

// reader reads what writer wrote. After a fault every value is zero and err says so.
type reader struct {
	b   []byte
	err error
}

var errTorn = errors.New("the entity is torn")

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.err, r.b = errTorn, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads the length of a list whose elements take at least one byte.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.err, r.b = errTorn, nil
		return 0
	}
	return int(n) //nolint:gosec // bounded by the length
}

func (r *reader) text() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) bool() bool {
	if len(r.b) == 0 {
		r.err = errTorn
		return false
	}
	v := r.b[0] != 0
	r.b = r.b[1:]
	return v
}

func (r *reader) time() time.Time {
	if !r.bool() {
		return time.Time{}
	}
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.err, r.b = errTorn, nil
		return time.Time{}
	}
	r.b = r.b[n:]
	return time.Unix(0, v).UTC()
}

func (r *reader) times() (list []time.Time) {
	for range r.count() {
		list = append(list, r.time())
	}
	return list
}

func (r *reader) labels() itsm.Labels {
	n := r.count()
	if n == 0 {
		return nil
	}
	ls := make(itsm.Labels, 0, n)
	for range n {
		ls = append(ls, itsm.Label{Name: r.text(), Value: r.text()})
	}
	return ls
}

// alertFormat 2 knew nothing of what suppresses an alert, 3 nothing of magnitudes, 4 nothing of the past, 5 nothing of what flaps by itself, 6
// nothing of suspects.
const alertFormat = 7

func (a *alert) encode() []byte {
	w := writer{b: make([]byte, 0, 512)}
	w.uint(alertFormat)
	w.uint(uint64(a.fingerprint))
	w.labels(a.labels)
	w.labels(a.annotations)
	for _, s := range []string{string(a.severity), a.group, a.source, a.url, a.item, a.tried} {
		w.text(s)
	}
	for _, v := range []bool{a.quiet, a.open, a.expired, a.counted, a.once} {
		w.bool(v)
	}
	for _, t := range []time.Time{a.start, a.end, a.purgeAt} {
		w.time(t)
	}
	w.uint(uint64(len(a.members)))
	for _, m := range a.members {
		m.encode(&w)
	}
	w.time(a.latest)
	w.time(a.floor)
	w.times(a.shots)
	for _, m := range a.members {
		m.last.encode(&w)
	}
	w.uint(uint64(len(a.silences)))
	for _, s := range a.silences {
		w.text(s.ID)
	}
	w.text(a.mark.source)
	w.text(a.mark.reason)
	for _, m := range a.members {
		if m.obs != nil {
			w.uint(math.Float64bits(m.obs.Magnitude))
			for _, v := range m.obs.Past.List() {
				w.uint(uint64(*v)) //nolint:gosec // counts
			}
		}
	}
	for _, m := range a.members {
		w.bool(m.flapping)
		w.uint(uint64(m.unsettled)) //nolint:gosec // not negative
		w.time(m.settleAt)
		m.shown.encode(&w)
		encodeSuspects(&w, m.obs)
	}
	return w.b
}

func (l *last) encode(w *writer) {
	w.bool(l != nil)
	if l == nil {
		return
	}
	w.labels(l.annotations)
	for _, s := range []string{string(l.severity), l.group, l.source, l.url, l.item, l.tried} {
		w.text(s)
	}
	w.time(l.seen)
}

func decodeLast(r *reader) *last {
	if !r.bool() {
		return nil
	}
	l := &last{annotations: r.labels(), severity: itsm.Severity(r.text())}
	l.group, l.source, l.url, l.item, l.tried, l.seen = r.text(), r.text(), r.text(), r.text(), r.text(), r.time()
	return l
}

func (m *member) encode(w *writer) {
	if m.inc != nil {
		w.uint(m.inc.ordinal)
	} else {
		w.uint(0)
	}
	w.text(m.home)
	w.uint(uint64(len(m.via)))
	for _, v := range m.via {
		w.uint(v)
	}
	for _, t := range []time.Time{m.startsAt, m.lastStartsAt, m.endsAt, m.joinedAt} {
		w.time(t)
	}
	w.uint(uint64(m.count)) //nolint:gosec // not negative
	w.text(string(m.status))
	w.uint(uint64(len(m.evidence)))
	for _, v := range m.evidence {
		w.text(string(v.Kind))
		w.text(v.Text)
		w.uint(math.Float64bits(v.Weight))
	}
	w.bool(m.acknowledged != nil)
	if m.acknowledged != nil {
		w.text(m.acknowledged.By)
		w.time(m.acknowledged.At)
	}
	w.times(m.recent)
	w.bool(m.obs != nil)
	if o := m.obs; o != nil {
		w.uint(o.Ordinal)
		w.text(o.Type)
		w.text(o.Group)
		w.time(o.Onset)
		w.time(o.Seen)
		w.bool(o.Pinned)
	}
}

func (e *Engine) restoreAlert(value []byte) error {
	r := reader{b: value}
	format := r.uint()
	if format < 2 || format > alertFormat {
		return errors.New("an unknown form; was it written by a newer version?")
	}
	a := &alert{fingerprint: itsm.Fingerprint(r.uint()), node: cmdb.None}
	a.labels, a.annotations = r.labels(), r.labels()
	a.severity = itsm.Severity(r.text())
	a.group, a.source, a.url, a.item, a.tried = r.text(), r.text(), r.text(), r.text(), r.text()
	a.quiet, a.open, a.expired, a.counted, a.once = r.bool(), r.bool(), r.bool(), r.bool(), r.bool()
	a.start, a.end, a.purgeAt = r.time(), r.time(), r.time()
	for range r.count() {
		a.members = append(a.members, decodeMember(&r, a))
	}
	a.latest, a.floor, a.shots = r.time(), r.time(), r.times()
	for _, m := range a.members {
		m.last = decodeLast(&r)
	}
	if format > 2 {
		for range r.count() {
			a.silencedBy = append(a.silencedBy, r.text())
		}
		a.mark = mark{source: r.text(), reason: r.text()}
	}
	for _, m := range a.members {
		if format > 3 && m.obs != nil {
			m.obs.Magnitude = math.Float64frombits(r.uint())
			for _, v := range m.obs.Past.List() {
				if format > 4 {
					*v = int32(r.uint()) //nolint:gosec // was one
				}
			}
		}
	}
	for _, m := range a.members {
		if format > 5 {
			m.flapping, m.unsettled, m.settleAt, m.shown = r.bool(), int(r.uint()), r.time(), decodeLast(&r) //nolint:gosec // was an int
		}
		if format > 6 && m.obs != nil {
			m.obs.Suspects = decodeSuspects(&r)
		}
	}
	if r.err != nil {
		return r.err
	}
	a.mild = e.index.Mild(a.kind())
	e.alerts[a.fingerprint] = a
	return nil
}

func encodeSuspects(w *writer, o *explain.Observation) {
	if o == nil {
		return
	}
	w.uint(uint64(len(o.Suspects)))
	for _, s := range o.Suspects {
		w.text(s.Item)
		w.text(s.Type)
		for _, v := range []int{int(s.Lag), s.Support, int(s.Weight)} {
			w.uint(uint64(v)) //nolint:gosec // not negative
		}
	}
}

func decodeSuspects(r *reader) (list []explain.Suspect) {
	for range r.count() {
		list = append(list, explain.Suspect{
			Item: r.text(), Type: r.text(), Lag: time.Duration(r.uint()), Support: int(r.uint()), Weight: uint8(r.uint()), //nolint:gosec // written so
		})
	}
	return list
}

func decodeMember(r *reader, a *alert) *member {
	m := &member{alert: a, ordinal: r.uint(), home: r.text()}
	for range r.count() {
		m.via = append(m.via, r.uint())
	}
	m.startsAt, m.lastStartsAt, m.endsAt, m.joinedAt = r.time(), r.time(), r.time(), r.time()
	m.count = int(r.uint()) //nolint:gosec // was an int
	m.status = itsm.Status(r.text())
	for range r.count() {
		m.evidence = append(m.evidence, itsm.Evidence{Kind: itsm.EvidenceKind(r.text()), Text: r.text(), Weight: math.Float64frombits(r.uint())})
	}
	if r.bool() {
		m.acknowledged = &itsm.Acknowledgement{By: r.text(), At: r.time()}
	}
	m.recent = r.times()
	if r.bool() {
		m.obs = &explain.Observation{Ordinal: r.uint(), Node: cmdb.None, Type: r.text(), Group: r.text(), Onset: r.time(), Seen: r.time(), Pinned: r.bool()}
	}
	return m
}

// encodeSeen writes what moves with every re-send: last record and expiry.
func encodeSeen(list []*alert) []byte {
	list = slices.Clone(list)
	slices.SortFunc(list, func(x, y *alert) int { return cmp.Compare(x.fingerprint, y.fingerprint) })
	w := writer{b: make([]byte, 0, 32*len(list)+1)}
	for _, a := range list {
		w.uint(uint64(a.fingerprint))
		w.time(a.lastSeen)
		w.time(a.expires)
	}
	return w.b
}

// restoreSeen reads it back and tells whose it was; what is known of alerts that are gone is passed over.
func (e *Engine) restoreSeen(value []byte) ([]itsm.Fingerprint, error) {
	r := reader{b: value}
	var fps []itsm.Fingerprint
	for len(r.b) > 0 {
		fp := itsm.Fingerprint(r.uint())
		seen, expires := r.time(), r.time()
		if a := e.alerts[fp]; a != nil {
			a.lastSeen, a.expires = seen, expires
		}
		fps = append(fps, fp)
	}
	return fps, r.err
}
