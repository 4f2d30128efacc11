package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"signalbox/itsm"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/consumer"
	"github.com/segmentio/kafka-go/protocol/joingroup"
)

// balancerName names our way of sharing. Members that know different ways cannot be in one group, so
// it changes when the meaning of claims does.
const balancerName = "signalbox-sticky-1"

// GroupOptions are what NewGroup needs.
type GroupOptions struct {
	// Name tells other members who we are.
	Name string
	// Own runs a shard until its context is done, then returns nil; it is called again when the shard
	// comes back. itsm.ErrFenced means that another process has taken over: if the shard is still ours
	// by the group's word, Own is called again. Any other error ends Run.
	Own func(ctx context.Context, shard int) error
}

// Group shares the shards among the processes that are members of one Kafka consumer group,
// `<prefix>signalbox`. A shard that stays with its member is not interrupted: membership decides who
// should run a shard, and only the producer's epoch who may write, so a member that is late, asleep or
// cut off can undo nothing.
type Group struct {
	s    *Stream
	opts GroupOptions
	log  *slog.Logger
	id   string

	// These belong to Run.
	coordinator coordinator
	member      string
	running     map[int]*run
	wake        chan struct{} // of size 1: something has ended

	mu        sync.Mutex
	ended     []ended
	owners    map[int]string // by shard: the name of the member that has it; nil before the first assignment
	mine      []int
	confirmed time.Time     // when we asked for the last time whether we are a member, and were
	told      chan struct{} // closed at the next such answer
}

// run is a shard that runs here, or ends.
type run struct {
	stop       context.CancelFunc // nil once it was told to end
	done       chan struct{}
	generation int // the last in which it was ours
}

type ended struct {
	shard int
	run   *run
	err   error
}

// ShardOwner says who has a shard.
type ShardOwner struct {
	Shard int
	// Name is the member's; empty while nobody has the shard.
	Name string
	// Here tells whether that is this process.
	Here bool
}

// NewGroup starts nothing; call Run.
func (s *Stream) NewGroup(opts GroupOptions) *Group {
	id := s.cfg.TopicPrefix + "signalbox"
	return &Group{
		s: s, opts: opts, id: id, log: s.log.With("group", id),
		coordinator: coordinator{s: s, group: id},
		running:     map[int]*run{}, wake: make(chan struct{}, 1), told: make(chan struct{}),
	}
}

// Owners tells who has which shard, by shard. The second result is false before the first assignment.
func (g *Group) Owners() ([]ShardOwner, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]ShardOwner, g.s.cfg.Shards)
	for n := range all {
		all[n] = ShardOwner{Shard: n, Name: g.owners[n], Here: slices.Contains(g.mine, n)}
	}
	return all, g.owners != nil
}

// Confirm returns when this process is known to be a member still: it has heard so within its session.
// Who has slept longer waits until the group has spoken, since another may have its shards by now. It
// returns the context's error when ctx is done.
func (g *Group) Confirm(ctx context.Context) error {
	for {
		g.mu.Lock()
		known, told := time.Since(g.confirmed) < g.s.cfg.SessionTimeout, g.told
		g.mu.Unlock()
		if known {
			return nil
		}
		select {
		case <-told:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *Group) confirm(asked time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.confirmed = asked
	close(g.told)
	g.told = make(chan struct{})
}

// Run is a member of the group until ctx is done; then every shard here ends in peace before the
// group is left, and Run returns nil.
func (g *Group) Run(ctx context.Context) (err error) {
	defer func() {
		g.endAll()
		g.leave(context.WithoutCancel(ctx))
		g.coordinator.close()
	}()
	for pause := minPause; ctx.Err() == nil; {
		gen, err := g.join(ctx)
		if err == nil {
			pause = minPause
			g.assign(ctx, gen)
			err = g.stay(ctx, gen)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			continue // the group is to be shared anew
		case errors.Is(err, errRun) || refused(err):
			return err
		case lapsed(err):
			continue // others have come or gone meanwhile
		}
		g.s.met.groupErrors.Inc()
		g.log.WarnContext(ctx, "not a member of the group now; trying again, the shards here go on", "err", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
	return nil
}

// The pause before the group is joined again doubles from the first to the second.
const minPause, maxPause = 100 * time.Millisecond, 2 * time.Second

// errRun marks the error of a shard.
var errRun = errors.New("a shard ended")

// refused tells whether to ask again would help nobody.
func refused(err error) bool {
	return errors.Is(err, kafka.GroupAuthorizationFailed) || errors.Is(err, kafka.InvalidSessionTimeout) || errors.Is(err, kafka.InvalidGroupId)
}

// lapsed tells whether the group has moved on without us, so that to join again is all there is to do.
func lapsed(err error) bool {
	return errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration)
}

// generation is one sharing-out of the shards.
type generation struct {
	id     int
	mine   []int
	owners map[int]string
}

// claim is what a member tells of itself when it joins.
type claim struct {
	Name string `json:"name"`
	// Shards are those that run there, each with the last generation that gave it to the member.
	Shards map[int]int `json:"shards"`
}

// join joins the group, shares the shards out if we are its leader, and returns what is ours.
func (g *Group) join(ctx context.Context) (generation, error) {
	if err := g.settle(ctx); err != nil {
		return generation{}, err
	}
	data, err := json.Marshal(claim{Name: g.opts.Name, Shards: g.claims()})
	if err != nil {
		return generation{}, err
	}
	topic := g.s.cfg.topicName(topicEvents)
	joined, err := g.coordinator.join(ctx, g.member, topic, data)
	switch {
	case errors.Is(err, kafka.MemberIDRequired): // the coordinator gives out the id first
		g.member = joined.MemberID
		return g.join(ctx)
	case errors.Is(err, kafka.UnknownMemberId):
		g.member = ""
	}
	if err != nil {
		return generation{}, fmt.Errorf("join the consumer group %s: %w", g.id, err)
	}
	g.member = joined.MemberID
	var shares map[string]share
	if joined.LeaderID == g.member {
		if shares, err = g.share(joined.Members); err != nil {
			return generation{}, err
		}
	}
	asked := time.Now()
	mine, err := g.coordinator.sync(ctx, g.member, joined.GenerationID, topic, shares)
	if err != nil {
		return generation{}, fmt.Errorf("share the shards in the consumer group %s: %w", g.id, err)
	}
	gen := generation{id: int(joined.GenerationID), mine: mine.shards}
	if err := json.Unmarshal(mine.data, &gen.owners); err != nil {
		return generation{}, fmt.Errorf("read who owns which shard: %w", err)
	}
	g.confirm(asked)
	return gen, nil
}

// share is the leader's work. Every member is told the whole of it.
func (g *Group) share(members []joingroup.ResponseMember) (map[string]share, error) {
	claims := map[string]map[int]int{}
	names := map[string]string{}
	for _, m := range members {
		var sub consumer.Subscription
		var c claim
		err := protocol.Unmarshal(m.Metadata, consumer.MaxVersionSupported, &sub)
		if err == nil {
			err = json.Unmarshal(sub.UserData, &c)
		}
		if err != nil {
			return nil, fmt.Errorf("read the claims of member %s: %w", m.MemberID, err)
		}
		claims[m.MemberID], names[m.MemberID] = c.Shards, c.Name
	}
	shared := balance(g.s.cfg.Shards, claims)
	owners := map[int]string{}
	for id, shards := range shared {
		for _, n := range shards {
			owners[n] = names[id]
		}
	}
	data, err := json.Marshal(owners)
	if err != nil {
		return nil, err
	}
	all := map[string]share{}
	for id := range claims {
		all[id] = share{shards: shared[id], data: data}
	}
	return all, nil
}

// balance shares the shards out evenly and moves as few as that takes. The claims are by member the shards
// that run there and the generation of each: of two members that claim one shard the later has it, since
// the other has slept through its loss.
func balance(shards int, claims map[string]map[int]int) map[string][]int {
	members := slices.Sorted(maps.Keys(claims))
	out := make(map[string][]int, len(members))
	var free []int
	for n := range shards {
		owner, latest := "", -1
		for _, m := range members {
			if generation, ok := claims[m][n]; ok && generation > latest {
				owner, latest = m, generation
			}
		}
		if owner == "" {
			free = append(free, n)
			continue
		}
		out[owner] = append(out[owner], n)
	}
	// Where it does not come out even, those keep one more that have one more.
	slices.SortStableFunc(members, func(a, b string) int { return len(out[b]) - len(out[a]) })
	quota := func(i int) int {
		q := shards / len(members)
		if i < shards%len(members) {
			q++
		}
		return q
	}
	for i, m := range members {
		if q := quota(i); len(out[m]) > q {
			free = append(free, out[m][q:]...)
			out[m] = out[m][:q:q]
		}
	}
	slices.Sort(free)
	for i, m := range members {
		n := min(quota(i)-len(out[m]), len(free))
		out[m] = append(out[m], free[:n]...)
		free = free[n:]
		slices.Sort(out[m])
	}
	return out
}

// claims are the shards that run here.
func (g *Group) claims() map[int]int {
	all := map[int]int{}
	for n, r := range g.running {
		if r.stop != nil {
			all[n] = r.generation
		}
	}
	return all
}

// assign lets the shards that are no longer ours end, and starts the others that do not run.
func (g *Group) assign(ctx context.Context, gen generation) {
	for n, r := range g.running {
		switch {
		case slices.Contains(gen.mine, n):
			r.generation = gen.id
		case r.stop != nil:
			g.log.InfoContext(ctx, "shard goes to another member", "shard", n, "owner", gen.owners[n])
			r.stop()
			r.stop = nil
		}
	}
	g.mu.Lock()
	g.owners, g.mine = gen.owners, gen.mine
	g.mu.Unlock()
	g.s.met.groupGeneration.Set(float64(gen.id))
	for n := range g.s.cfg.Shards {
		owned := 0.0
		if slices.Contains(gen.mine, n) {
			owned = 1
		}
		g.s.met.owned.WithLabelValues(strconv.Itoa(n)).Set(owned)
	}
	g.log.InfoContext(ctx, "shards shared out", "generation", gen.id, "here", gen.mine, "shards", g.s.cfg.Shards)
	g.start(ctx, gen, gen.mine)
}

// start runs those of the shards that do not run. One that still ends is waited for.
func (g *Group) start(ctx context.Context, gen generation, shards []int) {
	for _, n := range shards {
		before := g.running[n]
		if before != nil && before.stop != nil {
			continue
		}
		own, stop := context.WithCancel(ctx)
		r := &run{stop: stop, done: make(chan struct{}), generation: gen.id}
		g.running[n] = r
		go func() {
			defer close(r.done)
			defer stop()
			if before != nil {
				<-before.done
			}
			g.end(ended{n, r, g.opts.Own(own, n)})
		}()
	}
}

func (g *Group) end(e ended) {
	g.mu.Lock()
	g.ended = append(g.ended, e)
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// settle takes note of what has ended. Its error is that of a shard that cannot go on anywhere.
func (g *Group) settle(ctx context.Context) error {
	g.mu.Lock()
	all := g.ended
	g.ended = nil
	g.mu.Unlock()
	var errs []error
	for _, e := range all {
		if g.running[e.shard] == e.run {
			delete(g.running, e.shard)
		}
		switch {
		case errors.Is(e.err, itsm.ErrFenced):
			g.s.met.fenced.Inc()
			g.log.WarnContext(ctx, "shard was taken over by another process; nothing of what that one wrote is touched", "shard", e.shard)
		case e.err != nil:
			errs = append(errs, fmt.Errorf("%w: %w", errRun, e.err))
		}
	}
	return errors.Join(errs...)
}

// stay keeps the membership alive and returns nil when the shards are to be shared out anew.
func (g *Group) stay(ctx context.Context, gen generation) error {
	beat := time.NewTicker(g.s.cfg.SessionTimeout / 10)
	defer beat.Stop()
	for {
		if err := g.settle(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake:
			continue
		case <-beat.C:
		}
		// Who was fenced may only come again when the group has said since that the shard is his.
		gone := slices.DeleteFunc(slices.Clone(gen.mine), func(n int) bool { return g.running[n] != nil })
		asked := time.Now()
		err := g.coordinator.heartbeat(ctx, g.member, int32(gen.id)) //nolint:gosec // Kafka counts in 32 bits
		switch {
		case err == nil:
			g.confirm(asked)
			g.start(ctx, gen, gone)
		case errors.Is(err, kafka.RebalanceInProgress):
			return nil
		case lapsed(err):
			g.log.WarnContext(ctx, "the session was lost; joining again", "err", err)
			return nil
		case transient(err):
			g.s.met.groupErrors.Inc() // the session may outlive it
		default:
			return fmt.Errorf("heartbeat in the consumer group %s: %w", g.id, err)
		}
	}
}

// endAll lets every shard end and waits for it.
func (g *Group) endAll() {
	for _, r := range g.running {
		if r.stop != nil {
			r.stop()
		}
	}
	for _, r := range g.running {
		<-r.done
	}
}

// leave tells the others at once that our shards are free; otherwise they would wait for our session to end.
func (g *Group) leave(ctx context.Context) {
	if g.member == "" {
		return
	}
	err := g.coordinator.leave(ctx, g.member)
	if err != nil {
		g.log.WarnContext(ctx, "the group was not left; our shards are free when the session has ended", "err", err)
	}
}

const leaveTimeout = 2 * time.Second
