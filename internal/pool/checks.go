package pool

import (
	"container/heap"
	"context"
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
	queue dueQueue
	known map[*Member]*watched
	busy  int
}

// watched is a member that is looked at.
type watched struct {
	member *Member
	rule   Health
	group  *group
	due    time.Time
	at     int  // its place in the queue; -1 while it is looked at
	gone   bool // the table has it no longer
}

// group counts the checks of one pool that are under way.
type group struct{ busy int }

// NewChecks returns one that looks at nothing yet.
func NewChecks() *Checks {
	return &Checks{
		wake:  make(chan struct{}, 1),
		known: make(map[*Member]*watched),
		probe: func(ctx context.Context, m *Member, h *Health) error { return m.check(ctx, h) },
	}
}

// Watch has the backends of these pools looked at, as their plans say, and no
// others. Those that are known keep their turn.
func (c *Checks) Watch(pools []*Pool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, now := make(map[*Member]*watched), time.Now()
	for _, p := range pools {
		if p.plan.Rules.Health.Path == "" {
			continue
		}
		all := new(group)
		for _, s := range p.seats {
			if s.declared.state == Down {
				continue
			}
			w := c.known[s.Member]
			if w == nil || w.rule != p.plan.Rules.Health {
				w = &watched{member: s.Member, rule: p.plan.Rules.Health, group: all, due: now.Add(spread(firstChecks))}
				heap.Push(&c.queue, w)
			}
			next[s.Member] = w
		}
	}
	for m, w := range c.known {
		if next[m] != w {
			w.gone = true
			c.queue.drop(w)
		}
	}
	c.known = next
	c.nudge()
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

// dueQueue is a heap: what is due first comes first.
type dueQueue []*watched

// Len, Less, Swap, Push and Pop are for container/heap.
func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push appends.
func (q *dueQueue) Push(x any) {
	w := x.(*watched)
	w.at = len(*q)
	*q = append(*q, w)
}

// Pop takes the last one off.
func (q *dueQueue) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	w.at = -1
	return w
}

// drop takes w out, if it is in.
func (q *dueQueue) drop(w *watched) {
	if w.at >= 0 && w.at < len(*q) && (*q)[w.at] == w {
		heap.Remove(q, w.at)
	}
}
