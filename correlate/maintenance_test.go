package correlate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/itsm"
)

// TestEngine_maintenance: a window is published as it was reported for as long as it is one and can be in
// force, however long it is, and by one shard alone.
func TestEngine_maintenance(t *testing.T) {
	at := time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC)
	ends := at.Add(30 * 24 * time.Hour) // longer than changes are remembered
	window := itsm.Change{ID: "chg-1", Kind: itsm.ChangeMaintenance, Items: []string{"sw-1"}, StartsAt: at, EndsAt: &ends}
	withdrawn, deploy := window, window
	withdrawn.Status, deploy.Kind = "rolled_back", "deploy"

	published := func(updates []itsm.Update) (windows []itsm.Change, forgotten []string) {
		for _, u := range updates {
			if u.Maintenance != nil {
				windows = append(windows, *u.Maintenance)
			}
			if u.ForgetMaintenance != "" {
				forgotten = append(forgotten, u.ForgetMaintenance)
			}
		}
		return windows, forgotten
	}
	e := newEngine(t)
	say := func(c itsm.Change, windows []itsm.Change, forgotten []string) {
		t.Helper()
		gotWindows, gotForgotten := published(e.Apply(at, itsm.Input{Changes: []itsm.Change{c}}))
		if diff := cmp.Diff(windows, gotWindows) + cmp.Diff(forgotten, gotForgotten); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.Kind, c.Status, diff)
		}
	}
	say(window, []itsm.Change{window}, nil)
	say(withdrawn, []itsm.Change{withdrawn}, nil)
	say(window, []itsm.Change{window}, nil)
	say(deploy, nil, []string{"chg-1"})
	say(deploy, nil, nil)
	say(window, []itsm.Change{window}, nil)
	if windows, forgotten := published(e.Advance(ends.Add(-time.Second))); windows != nil || forgotten != nil {
		t.Errorf("before its end: %v %v", windows, forgotten)
	}
	if _, forgotten := published(e.Advance(ends)); !cmp.Equal(forgotten, []string{"chg-1"}) {
		t.Errorf("at its end: forgotten are %v", forgotten)
	}

	other, err := New(Options{Shard: 1, Shards: 2, Config: DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	if windows, _ := published(other.Apply(at, itsm.Input{Changes: []itsm.Change{window}})); windows != nil {
		t.Errorf("the second shard publishes %v, too", windows)
	}
}
