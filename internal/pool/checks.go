package pool

import (
	"container/heap"
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// checksMax bounds the checks that are under way: each has a socket and a
	// goroutine. That many last two seconds each when nothing answers.
	checksMax = 1024
	// poolChecksMax keeps a pool whose backends are all silent from taking every
	// place of them.
	poolChecksMax = 16
	// checkRetry is when a check that found no place tries again.
	checkRetry = 100 * time.Millisecond
	// firstChecks is the time over which the first checks of new backends are
	// spread.
	firstChecks = time.Second
)

// Checks looks at backends without being asked anything by a client. Run does
// so; Watch says at which. Methods may be called at the same time.
type Checks struct {
	wake  chan struct{}
	probe func(context.Context, *Member, *Health) error

	mu    sync.Mutex
	queue dueQueue[*watched]
	pools map[*Pool]*group
	busy  int
}

// watched is a member that is looked at.
type watched struct {
	turn   // in no queue while it is looked at
	member *Member
	rule   Health
	group  *group
	gone   bool // the pool has it no longer
}

// group is the backends of one pool that are looked at.
type group struct {
	members map[*Member]*watched
	busy    int // checks that are under way
}

// NewChecks returns one that looks at nothing yet.
func NewChecks() *Checks {
	return &Checks{
		wake:  make(chan struct{}, 1),
		pools: make(map[*Pool]*group),
		probe: func(ctx context.Context, m *Member, h *Health) error { return m.check(ctx, h) },
	}
}

// Watch has the backends of these pools looked at, as their plans say, and no
// others. Those that are known keep their turn.
func (c *Checks) Watch(pools []*Pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := make(map[*Member]*watched)
	for _, g := range c.pools {
		maps.Copy(known, g.members)
	}
	former := c.pools
	c.pools = make(map[*Pool]*group, len(pools))
	now := time.Now()
	for _, p := range pools {
		if p.plan.Rules.Health.Path == "" {
			continue
		}
		g := former[p]
		if g == nil {
			g = new(group)
		}
		g.members = c.enlist(p, g, known, now)
		c.pools[p] = g
	}
	for _, w := range known {
		c.dismiss(w)
	}
	c.nudge()
}

// Refresh has the backends looked at that a watched pool has by now: names lead
// to other addresses from time to time.
func (c *Checks) Refresh(p *Pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.pools[p]
	if g == nil {
		return
	}
	known := g.members
	g.members = c.enlist(p, g, known, time.Now())
	for _, w := range known {
		c.dismiss(w)
	}
	c.nudge()
}

// enlist returns the members of a pool that are looked at, and takes those out of
// known that it has found there.
func (c *Checks) enlist(p *Pool, g *group, known map[*Member]*watched, now time.Time) map[*Member]*watched {
	list := make(map[*Member]*watched)
	for _, s := range p.seats() {
		if s.declared.state == Down || s.placeless() {
			continue
		}
		w := known[s.Member]
		if w == nil || w.rule != p.plan.Rules.Health {
			w = &watched{turn: turn{due: now.Add(spread(firstChecks))}, member: s.Member, rule: p.plan.Rules.Health, group: g}
			heap.Push(&c.queue, w)
		} else {
			delete(known, s.Member)
		}
		list[s.Member] = w
	}
	return list
}

func (c *Checks) dismiss(w *watched) {
	w.gone = true
	c.queue.drop(&w.turn)
}

// nudge has Run look at the queue. The channel holds one: more say the same.
func (c *Checks) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run looks at the backends until ctx ends, and returns when no check is under
// way.
func (c *Checks) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
		now := time.Now()
		for w := c.take(now); w != nil; w = c.take(now) {
			running.Go(func() { c.look(ctx, w) })
		}
		timer.Reset(c.pause(now))
	}
}

// look makes one check.
func (c *Checks) look(ctx context.Context, w *watched) {
	fault := c.probe(ctx, w.member, &w.rule)
	now := time.Now()
	if ctx.Err() == nil {
		w.member.observe(&w.rule, fault, now)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	w.group.busy--
	if !w.gone {
		w.due = now.Add(w.rule.Every - w.rule.Every/10 + spread(w.rule.Every/5))
		heap.Push(&c.queue, w)
		c.nudge()
	}
}

// take returns a member whose turn it is, nil for none.
func (c *Checks) take(now time.Time) *watched {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && !c.queue[0].due.After(now) {
		w := c.queue[0]
		if c.busy >= checksMax || w.group.busy >= poolChecksMax {
			w.due = now.Add(checkRetry)
			heap.Fix(&c.queue, 0)
			continue
		}
		heap.Pop(&c.queue)
		c.busy++
		w.group.busy++
		return w
	}
	return nil
}

// pause returns how long nothing is due. With an empty queue Watch ends the wait.
func (c *Checks) pause(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		return checkEveryMost
	}
	return max(0, c.queue[0].due.Sub(now))
}

// spread returns a random time below d.
func spread(d time.Duration) time.Duration { return rand.N(max(d, 1)) }
