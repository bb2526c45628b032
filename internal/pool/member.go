package pool

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// idleTime is how long an idle connection is kept. Backends commonly close
	// theirs after 60 s (Tomcat, most load balancers) or 75 s (nginx); who
	// closes first never writes into a closing connection.
	idleTime = 50 * time.Second
	// idleConns bounds the idle connections to one backend of one pool. A
	// burst leaves at most this many behind for idleTime; each costs about
	// 1 KiB here (5 KiB with TLS) and a worker or a descriptor over there.
	idleConns = 256
	// tellEvery is how often a backend's failures are worth a line in the log:
	// each request to a dead one fails.
	tellEvery = 10 * time.Second
)

// Member is one backend of a pool, or one address of a backend that is written by
// name: the idle connections to it, and what is known of its health. When a table
// is replaced, another pool may adopt it.
type Member struct {
	backend *Backend
	key     string
	place   netip.Addr // where it is; not valid while its name leads nowhere
	name    *name      // nil where the backend is written by its address
	dialer  dialer
	take    func() bool // leave for a connection; nil: always given
	give    func()
	owner   atomic.Pointer[Pool] // whose views have to know of changes
	told    atomic.Int64         // Unix nanoseconds of the last Tell

	inFlight  atomic.Int64
	pending   atomic.Int64 // of those, the ones whose answer has not begun; where that is bounded
	failures  atomic.Int64 // in a row
	probing   atomic.Bool  // one request tries it after an ejection
	condition condition
	rate      ErrorRate
	drained   atomic.Pointer[Drained] // by whom it is taken out of the rotation; nil for nobody

	mu     sync.Mutex
	idle   []*Conn // the one used last is at the end, and the next to be used
	closed bool
}

// newMember returns a member of the pool that is at an address.
func newMember(p *Pool, b *Backend, at netip.Addr) *Member {
	m := &Member{backend: b, key: memberKey(b, at), place: at, name: p.named[b.dialHost], take: p.take, give: p.give}
	m.condition.begin(p.plan.Rules.Health, time.Now())
	m.dialer = newDialer(p, b, at)
	m.join(p)
	return m
}

// join has the member belong to the pool from now on, unless it was let go.
func (m *Member) join(p *Pool) bool {
	m.mu.Lock()
	closed := m.closed
	if !closed {
		m.owner.Store(p)
	}
	m.mu.Unlock()
	if !closed {
		m.adopted(p)
	}
	return !closed
}

// Key returns a string that is equal for members that are reached in the same
// way: [Backend.Key], and the address where that is not part of it.
func (m *Member) Key() string { return m.key }

// Address returns where the member is if its backend is written by name, and
// false if it is written by its address, or if the name leads nowhere so far.
func (m *Member) Address() (a netip.Addr, ok bool) {
	if m.name == nil {
		return netip.Addr{}, false
	}
	return m.place, m.place.IsValid()
}

// placeless reports whether the member stands for a name that leads nowhere so
// far.
func (m *Member) placeless() bool { return !m.place.IsValid() }

// InFlight returns how many requests the member has in progress.
func (m *Member) InFlight() int { return int(m.inFlight.Load()) }

// Backend returns the backend.
func (m *Member) Backend() *Backend { return m.backend }

// Tell reports whether a failure of the backend should be logged: once in a
// while.
func (m *Member) Tell(now time.Time) bool {
	return tell(&m.told, now)
}

// tell reports whether it is time to tell again, and notes that it is told.
func tell(told *atomic.Int64, now time.Time) bool {
	last := told.Load()
	return now.UnixNano()-last >= int64(tellEvery) && told.CompareAndSwap(last, now.UnixNano())
}

// Reuse returns an idle connection, nil when there is none. What it returns
// was silent and open a moment ago; the backend may still close it before it
// reads the next request.
func (m *Member) Reuse() *Conn {
	for {
		c := m.pop()
		if c == nil {
			return nil
		}
		if time.Since(c.since) < idleTime && c.quiet() {
			return c
		}
		c.Close()
	}
}

func (m *Member) pop() *Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := len(m.idle) - 1
	if last < 0 {
		return nil
	}
	c := m.idle[last]
	m.idle[last] = nil
	m.idle = m.idle[:last]
	return c
}

// push reports whether c was taken in. A drained member keeps no connection.
func (m *Member) push(c *Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.idle) >= idleConns || m.drained.Load().holds(c.since) {
		return false
	}
	m.idle = append(m.idle, c)
	return true
}

func (m *Member) sweep(now time.Time) {
	var gone []*Conn
	m.mu.Lock()
	m.idle = slices.DeleteFunc(m.idle, func(c *Conn) bool {
		done := now.Sub(c.since) >= idleTime || !c.quiet()
		if done {
			gone = append(gone, c)
		}
		return done
	})
	m.mu.Unlock()
	for _, c := range gone {
		c.Close()
	}
}

// leave lets the member go, unless it belongs to another pool.
func (m *Member) leave(p *Pool) {
	m.mu.Lock()
	if m.owner.Load() != p {
		m.mu.Unlock()
		return
	}
	idle := m.idle
	m.idle, m.closed = nil, true
	m.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}
