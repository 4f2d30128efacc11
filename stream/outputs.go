package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"signalbox/itsm"

	"golang.org/x/sync/errgroup"
)

// maxBatch is where a batch of outputs is closed; only a single larger record goes beyond it. The
// memory of batches is kept, here and in the broker.
const maxBatch = 2 << 20

// outputs turns updates into batches, one list for each topic.
type outputs struct {
	alerts, timeline, problems, cmdb, incidents spool
	key, value                                  []byte
}

// spool is the list of batches for one place. Its memory is kept.
type spool struct {
	batches []*batch
	n       int
}

func (sp *spool) reset() { sp.n = 0 }

func (sp *spool) add(key, value []byte) {
	if sp.n == 0 || sp.batches[sp.n-1].size() > 0 && sp.batches[sp.n-1].size()+len(key)+len(value) > maxBatch {
		if sp.n == len(sp.batches) {
			sp.batches = append(sp.batches, new(batch))
		}
		sp.batches[sp.n].reset()
		sp.n++
	}
	sp.batches[sp.n-1].add(key, value)
}

// Write publishes updates and returns when all are acknowledged: alerts, timeline, problems and
// cmdb first, incidents last, so that whoever sees a revision finds what belongs to it.
func (sh *Shard) Write(ctx context.Context, updates []itsm.Update) error {
	o := &sh.out
	o.alerts.reset()
	o.timeline.reset()
	o.problems.reset()
	o.cmdb.reset()
	o.incidents.reset()
	for i := range updates {
		if err := o.add(&updates[i]); err != nil {
			return fmt.Errorf("encode update of shard %d: %w", sh.n, err)
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return sh.flush(gctx, itsm.TopicAlerts, &o.alerts) })
	g.Go(func() error { return sh.flush(gctx, itsm.TopicTimeline, &o.timeline) })
	g.Go(func() error { return sh.flush(gctx, itsm.TopicProblems, &o.problems) })
	g.Go(func() error { return sh.flush(gctx, itsm.TopicCMDB, &o.cmdb) })
	err := g.Wait()
	if err == nil {
		err = sh.flush(ctx, itsm.TopicIncidents, &o.incidents)
	}
	if err != nil {
		return fmt.Errorf("publish updates of shard %d: %w", sh.n, err)
	}
	return nil
}

// flush writes the batches of a topic in order. Each ends with our owner record: compaction then
// never empties a producer's last batch, which some readers cannot bear.
func (sh *Shard) flush(ctx context.Context, t itsm.Topic, sp *spool) error {
	if sp.n == 0 {
		return nil
	}
	mark, err := json.Marshal(owner{Producer: sh.prod.id, Epoch: sh.prod.epoch})
	if err != nil {
		return err
	}
	for _, b := range sp.batches[:sp.n] {
		b.add(ownerKey(sh.n), mark)
		if err := sh.prod.write(ctx, place{t, partition(t, sh.n)}, b); err != nil {
			return err
		}
	}
	return nil
}

func (o *outputs) add(u *itsm.Update) error {
	for i := range u.Alerts {
		if err := o.alert(&u.Alerts[i]); err != nil {
			return err
		}
	}
	for i := range u.Entries {
		v, err := json.Marshal(&u.Entries[i])
		if err != nil {
			return fmt.Errorf("timeline entry %d of %s: %w", u.Entries[i].Seq, u.IncidentID, err)
		}
		o.timeline.add(o.entryKey(u.IncidentID, u.Entries[i].Seq), v)
	}
	if u.Problem != nil {
		v, err := json.Marshal(u.Problem)
		if err != nil {
			return fmt.Errorf("problem %s: %w", u.Problem.ID, err)
		}
		o.problems.add([]byte(u.Problem.ID), v)
	}
	if u.ForgetProblem != "" {
		o.problems.add([]byte(u.ForgetProblem), nil)
	}
	for i := range u.Items {
		v, err := json.Marshal(&u.Items[i])
		if err != nil {
			return fmt.Errorf("item %s: %w", u.Items[i].ID, err)
		}
		o.cmdb.add([]byte("item/"+u.Items[i].ID), v)
	}
	for i := range u.Relations {
		r := &u.Relations[i]
		v, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("relation %s %s %s: %w", r.From, r.Type, r.To, err)
		}
		o.cmdb.add([]byte("relation/"+r.From+"/"+string(r.Type)+"/"+r.To), v)
	}
	return o.incident(u)
}

// incident adds the records of the incidents topic: causes, phases and the reasons of its priority before the row they explain, the
// answer to a command after the row that it speaks of.
func (o *outputs) incident(u *itsm.Update) error {
	if u.Forget {
		for seq := 1; seq <= u.ForgetEntries; seq++ {
			o.timeline.add(o.entryKey(u.IncidentID, seq), nil)
		}
		o.incidents.add([]byte(causesKey(u.IncidentID)), nil)
		o.incidents.add([]byte(phasesKey(u.IncidentID)), nil)
		o.incidents.add([]byte(priorityKey(u.IncidentID)), nil)
		o.incidents.add([]byte(u.IncidentID), nil)
	}
	for _, r := range []struct {
		there bool
		key   string
		value any
	}{
		{u.Causes != nil, causesKey(u.IncidentID), u.Causes},
		{u.Phases != nil, phasesKey(u.IncidentID), u.Phases},
		{u.Priority != nil, priorityKey(u.IncidentID), u.Priority},
		{u.Incident != nil, "", u.Incident},
		{u.Outcome != nil, "_command/", u.Outcome},
		{u.Adopted != nil, "_adopted/", u.Adopted},
		{u.Silence != nil, silencePrefix, u.Silence},
		{u.Heartbeat != nil, heartbeatPrefix, u.Heartbeat},
		{u.Maintenance != nil, maintenancePrefix, u.Maintenance},
	} {
		if !r.there {
			continue
		}
		v, err := json.Marshal(r.value)
		if err != nil {
			return fmt.Errorf("incident %s: %w", u.IncidentID, err)
		}
		switch x := r.value.(type) {
		case *itsm.Incident:
			r.key = x.ID
		case *itsm.Outcome:
			r.key += x.Command
		case *itsm.Adopted:
			r.key += strconv.Itoa(x.Shard)
		case *itsm.Silence:
			r.key += x.ID
		case *itsm.Heartbeat:
			r.key += x.Key()
		case *itsm.Change:
			r.key += x.ID
		}
		o.incidents.add([]byte(r.key), v)
	}
	if u.ForgetHeartbeat != "" {
		o.incidents.add([]byte(heartbeatPrefix+u.ForgetHeartbeat), nil)
	}
	if u.ForgetSilence != "" {
		o.incidents.add([]byte(silencePrefix+u.ForgetSilence), nil)
	}
	if u.ForgetMaintenance != "" {
		o.incidents.add([]byte(maintenancePrefix+u.ForgetMaintenance), nil)
	}
	return nil
}

const (
	silencePrefix     = "_silence/"
	heartbeatPrefix   = "_heartbeat/"
	maintenancePrefix = "_maintenance/"
)

func causesKey(incident string) string { return "_causes/" + incident }

func priorityKey(incident string) string { return "_priority/" + incident }

func phasesKey(incident string) string { return "_sla/" + incident }

func (o *outputs) entryKey(incident string, seq int) []byte {
	o.key = append(append(o.key[:0], incident...), '/')
	o.key = strconv.AppendInt(o.key, int64(seq), 10)
	return o.key
}

func (o *outputs) alert(a *itsm.AlertChange) error {
	o.key = append(append(o.key[:0], a.Incident...), '/')
	o.key = appendHex(o.key, uint64(a.Fingerprint))
	if a.State == nil {
		o.alerts.add(o.key, nil)
		return nil
	}
	var err error
	if o.value, err = appendAlertState(o.value[:0], a.State); err != nil {
		return fmt.Errorf("alert %s of %s: %w", a.Fingerprint, a.Incident, err)
	}
	o.alerts.add(o.key, o.value)
	return nil
}
