package stream

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"signalbox/itsm"
)

func (r random) optional() *string {
	if !r.some() {
		return nil
	}
	s := r.text()
	return &s
}

func (r random) state() itsm.AlertState {
	a := itsm.AlertState{
		Fingerprint: itsm.Fingerprint(r.Uint64()), Labels: r.labels(0), Annotations: r.labels(0), Status: itsm.Status(r.text()),
		Severity: itsm.Severity(r.text()), Item: r.optional(), StartsAt: r.time(), LastStartsAt: r.time(), EndsAt: r.timeOrNil(),
		LastSeenAt: r.time(), JoinedAt: r.time(), Count: r.IntN(1000), Source: r.text(), GeneratorURL: r.text() + "\xff", Suppressed: r.optional(), Maintenance: r.optional(), Flapping: r.some(),
		Group: r.text(), Tried: r.text(),
	}
	if r.some() {
		a.Acknowledged = &itsm.Acknowledgement{By: r.word(), At: r.time()}
	}
	for range r.IntN(3) {
		a.SilencedBy = append(a.SilencedBy, r.text())
	}
	weights := []float64{0, 1, 0.25, 1.0 / 3, 1e-7, 1e21, -2.5e-9, r.Float64(), math.Copysign(0, -1)}
	for range r.IntN(4) {
		a.Evidence = append(a.Evidence, itsm.Evidence{Kind: itsm.EvidenceTime, Text: r.text(), Weight: weights[r.IntN(len(weights))]})
	}
	return a
}

// TestAlertStateJSON: the encoder by hand writes what json.Marshal does.
func TestAlertStateJSON(t *testing.T) {
	for seed := range uint64(500) {
		a := random{Rand: rand.New(rand.NewPCG(seed, 5)), full: seed%10 == 0}.state()
		want, err := json.Marshal(&a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendAlertState(nil, &a)
		if err != nil || string(got) != string(want) {
			t.Fatalf("seed %d: %v\n%s, want\n%s", seed, err, got, want)
		}
	}
	if n := reflect.TypeFor[itsm.AlertState]().NumField(); n != 22 {
		t.Errorf("AlertState has %d fields, appendAlertState knows 22", n)
	}
	a := itsm.AlertState{Evidence: []itsm.Evidence{{Weight: math.NaN()}}}
	if _, err := appendAlertState(nil, &a); err == nil {
		t.Error("NaN was encoded")
	}
	a = itsm.AlertState{StartsAt: itsm.MaxTime().AddDate(9000, 0, 0)}
	if _, err := appendAlertState(nil, &a); err == nil {
		t.Error("a year beyond 9999 was encoded")
	}
}
