package ui

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// TestEachKnown: each alert comes once, as it fired last, whatever became of its incidents.
func TestEachKnown(t *testing.T) {
	w := newRoom(t)
	ended := time.Now().UTC().Add(-time.Hour)
	w.putIncident(anIncident(1, withState(itsm.StateClosed)))
	w.putIncident(anIncident(2))
	w.putIncident(anIncident(3, mergedInto("id2")))
	why := "silenced by s in prod"
	again := anAlert("alertname=A", func(a *itsm.AlertState) { a.Suppressed = &why })
	closed, merged, loose := anAlert("alertname=B"), anAlert("alertname=C", resolved(ended)), anAlert("alertname=D")
	w.putAlert("id1", anAlert("alertname=A", resolved(ended)))
	w.putAlert("id2", again)
	w.putAlert("id1", closed)
	w.putAlert("id3", merged)
	w.putAlert(itsm.NoIncident, loose)

	got := map[itsm.Fingerprint]itsm.AlertState{}
	w.ui.EachKnown(func(k Known) {
		s, err := k.State()
		if err != nil {
			t.Error(err)
		}
		var end time.Time
		if s.EndsAt != nil {
			end = *s.EndsAt
		}
		if _, twice := got[k.Fingerprint]; twice || k.Source != s.Source || k.Status != s.Status || !k.StartsAt.Equal(s.LastStartsAt) || !k.EndsAt.Equal(end) || k.Suppressed != (s.Suppressed != nil) {
			t.Errorf("%+v is not what the whole says, or came twice: %+v", k, s)
		}
		got[k.Fingerprint] = s
	})
	want := map[itsm.Fingerprint]itsm.AlertState{}
	for _, a := range []itsm.AlertState{again, closed, merged, loose} {
		a.SilencedBy = []string{}
		want[a.Fingerprint] = a
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
}
