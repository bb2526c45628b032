package pool

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Run looks names up until ctx ends, and returns when no lookup is under way.
func (ns *Names) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ns.wake:
		case <-timer.C:
		}
		now := time.Now()
		for n, of := ns.take(now); n != nil; n, of = ns.take(now) {
			running.Go(func() { ns.look(ctx, n, of) })
		}
		timer.Reset(ns.pause(now))
	}
}

// take returns a name whose turn it is, and what its lookup counts among; nil for
// none.
func (ns *Names) take(now time.Time) (*name, *load) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for ns.busy < lookupsMax && len(ns.queue) > 0 && !ns.queue[0].due.After(now) {
		n := heap.Pop(&ns.queue).(*name)
		of := ns.loads[n.owner]
		if of == nil {
			of = &load{owner: n.owner}
			ns.loads[n.owner] = of
		}
		if of.busy >= ownerLookupsMax {
			of.waiting = append(of.waiting, n)
			continue
		}
		ns.busy++
		of.busy++
		n.asked = now
		return n, of
	}
	return nil, nil
}

// pause returns how long nothing is due. With an empty queue Watch ends the wait,
// and with every place taken the end of a lookup does.
func (ns *Names) pause(now time.Time) time.Duration {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if len(ns.queue) == 0 || ns.busy >= lookupsMax {
		return refreshMost
	}
	return max(0, ns.queue[0].due.Sub(now))
}

// look looks a name up, and has its pools use what came of it.
func (ns *Names) look(ctx context.Context, n *name, of *load) {
	bounded, cancel := context.WithTimeout(ctx, lookupTimeMax)
	defer cancel()
	answer, err := ns.options.Finder.Host(bounded, n.host)
	now := time.Now()
	if ctx.Err() != nil {
		return
	}
	before := n.known.Load()
	after := before.learn(answer, err, now)
	n.known.Store(after)
	isFirst := before.fault == nil && before.confirmed.IsZero()
	if isFirst {
		close(n.first)
	}
	for _, p := range ns.done(n, of, answer.TTL, now) {
		ns.settle(p)
	}
	if ns.options.Notify != nil {
		ns.options.Notify(Lookup{
			NameStatus: n.status(), Before: before.addresses, Failed: after.fault != nil,
			Barred: before.forbidden == nil && after.forbidden != nil,
			Turned: isFirst || (before.fault == nil) != (after.fault == nil),
		})
	}
}

// done gives the name its next turn and its place to another one, and returns the
// pools that have it.
func (ns *Names) done(n *name, of *load, ttl time.Duration, now time.Time) []*Pool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	defer ns.nudge()
	ns.free(of)
	if n.gone {
		return nil
	}
	var wait time.Duration
	if n.known.Load().fault == nil {
		n.failures = 0
		wait = min(max(ttl, refreshLeast), refreshMost)
	} else {
		wait = min(retryFirst<<min(n.failures, 10), retryMost)
		n.failures++
	}
	// What was asked together is not asked together for ever.
	n.due = now.Add(wait + spread(wait/10))
	heap.Push(&ns.queue, n)
	return n.pools
}

// free gives back the place of a lookup, to the next of its owner.
func (ns *Names) free(of *load) {
	ns.busy--
	of.busy--
	for len(of.waiting) > 0 {
		next := of.waiting[0]
		of.waiting = of.waiting[1:]
		if !next.gone {
			heap.Push(&ns.queue, next)
			return
		}
	}
	if of.busy == 0 {
		delete(ns.loads, of.owner)
	}
}
