package pool

import "sync/atomic"

// A request has a connection of its own while it is in progress, and takes an
// idle one before it opens another. So there are never more connections to a
// member than it had requests in progress at a time, and to bound these bounds
// those.

// enter counts the request as in progress at a member, and reports false where
// the member has as much to do as it may.
func (r *Round) enter(m *Member) bool {
	most := &r.pool.plan.Rules.Breaker
	if !take(&m.inFlight, most.Connections) {
		r.crowded = true
		return false
	}
	if most.Pending > 0 {
		if !take(&m.pending, most.Pending) {
			m.inFlight.Add(-1)
			r.crowded = true
			return false
		}
		r.waits = true
	}
	r.member = m
	return true
}

// take counts one more, unless there are most already; 0 is no bound.
func take(n *atomic.Int64, most int) bool {
	if most == 0 {
		n.Add(1)
		return true
	}
	for {
		now := n.Load()
		if now >= int64(most) {
			return false
		}
		if n.CompareAndSwap(now, now+1) {
			return true
		}
	}
}

// heard says that the backend whose turn it is has answered, or will not.
func (r *Round) heard() {
	if r.waits {
		r.waits = false
		r.member.pending.Add(-1)
	}
}

// Crowded reports whether the round has passed over a backend because that had as
// much to do as it may.
func (r *Round) Crowded() bool { return r.crowded }
