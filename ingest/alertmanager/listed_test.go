package alertmanager

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/alertmanager/api/v2/models"

	"signalbox/itsm"
)

// TestDecodeListed_recorded reads what real Alertmanagers listed of a silenced, an inhibited and two other alerts.
func TestDecodeListed_recorded(t *testing.T) {
	for _, version := range []string{"0.25", "0.34"} {
		data, err := os.ReadFile("testdata/listed_" + version + ".json")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		if err := decodeListed(bytes.NewReader(data), func(l Listed) error {
			state := "active"
			switch {
			case len(l.SilencedBy) == 1:
				state = "silenced"
			case len(l.InhibitedBy) == 1:
				state = "inhibited"
			}
			if !l.StartsAt.Equal(noon()) || !l.UpdatedAt.After(l.StartsAt) || !slices.Equal(l.Receivers, []string{"signalbox"}) {
				t.Errorf("%s: %+v", version, l)
			}
			got[l.Labels.Get("alertname")+" "+l.Labels.Get("instance")] = state
			return nil
		}); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		want := map[string]string{"HostDown host-a:9100": "silenced", "HostDown host-b:9100": "inhibited", "SiteDown host-b:9100": "active", "Backup ": "active"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
}

// FuzzDecodeListed holds what we read of a list against Alertmanager's own types.
func FuzzDecodeListed(f *testing.F) {
	for _, version := range []string{"0.25", "0.34"} {
		data, err := os.ReadFile("testdata/listed_" + version + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`[{"labels":{"a":"b"},"status":{"mutedBy":["x"]},"startsAt":"2026-03-01T12:00:00.5+01:00"}, null]`))
	f.Add([]byte(`[]x`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got []Listed
		if decodeListed(bytes.NewReader(data), func(l Listed) error {
			got = append(got, l)
			return nil
		}) != nil {
			return
		}
		var want models.GettableAlerts
		if json.NewDecoder(bytes.NewReader(data)).Decode(&want) != nil {
			return // their times are read otherwise
		}
		if len(got) != len(want) {
			t.Fatalf("%d alerts, want %d", len(got), len(want))
		}
		for i, w := range want {
			if w == nil {
				w = &models.GettableAlert{}
			}
			if diff := cmp.Diff(itsm.NewLabels(w.Labels), got[i].Labels); diff != "" {
				t.Errorf("labels of %d (-want +got):\n%s", i, diff)
			}
			if w.StartsAt != nil && !got[i].StartsAt.Equal(time.Time(*w.StartsAt)) && !got[i].StartsAt.IsZero() {
				t.Errorf("startsAt of %d: got %s, want %s", i, got[i].StartsAt, w.StartsAt)
			}
			if w.Status != nil && !slices.Equal(got[i].SilencedBy, w.Status.SilencedBy) {
				t.Errorf("silencedBy of %d: got %q, want %q", i, got[i].SilencedBy, w.Status.SilencedBy)
			}
		}
	})
}
