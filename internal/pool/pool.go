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

// Options is what a pool needs from outside.
type Options struct {
	// Guard judges each address before it is dialled, after [ForbiddenAddr];
	// nil admits all others. Its error says why not. It must be safe for
	// concurrent use.
	Guard func(netip.AddrPort) error
}

// Pool is the running half of the backends of one route: whose turn it is, and
// the idle connections to each. It starts no goroutine; its owner calls Sweep
// now and then and Close in the end. All methods are safe for concurrent use.
type Pool struct {
	members []*Member
	turn    atomic.Uint32
}

// New returns a pool of backends. name tells it from others in errors. Backends
// of equal key count once, so that no attempt goes twice to the same one.
func New(name string, backends []*Backend, o Options) *Pool {
	p := new(Pool)
	for _, b := range backends {
		known := func(m *Member) bool { return m.backend.Key() == b.Key() }
		if !slices.ContainsFunc(p.members, known) {
			p.members = append(p.members, newMember(name, b, o))
		}
	}
	return p
}

// Round is one request's way through the backends of a pool: each at most
// once.
type Round struct {
	pool  *Pool
	first uint32
	taken uint32
}

// Round begins with the backend whose turn it is.
func (p *Pool) Round() Round { return Round{pool: p, first: p.turn.Add(1) - 1} }

// Next returns the next backend of the round, nil when each had its turn.
func (r *Round) Next() *Member {
	n := uint32(len(r.pool.members))
	if r.taken >= n {
		return nil
	}
	m := r.pool.members[(r.first%n+r.taken)%n]
	r.taken++
	return m
}

// Sweep closes connections that were idle for too long or that their backend
// has closed. It is meant to be called every few seconds; a pool without idle
// connections costs nothing.
func (p *Pool) Sweep(now time.Time) {
	for _, m := range p.members {
		m.sweep(now)
	}
}

// Close closes the idle connections. Those in use go on, and are closed
// instead of kept when their answer has ended.
func (p *Pool) Close() {
	for _, m := range p.members {
		m.close()
	}
}

// Idle returns how many idle connections the pool holds.
func (p *Pool) Idle() int {
	sum := 0
	for _, m := range p.members {
		m.mu.Lock()
		sum += len(m.idle)
		m.mu.Unlock()
	}
	return sum
}

// Member is one backend of a pool and the idle connections to it.
type Member struct {
	backend *Backend
	dialer  dialer
	told    atomic.Int64 // Unix nanoseconds of the last Tell

	mu     sync.Mutex
	idle   []*Conn // the one used last is at the end, and the next to be used
	closed bool
}

func newMember(pool string, b *Backend, o Options) *Member {
	m := &Member{backend: b}
	m.dialer = newDialer(pool, b, o.Guard)
	return m
}

// Backend returns the backend.
func (m *Member) Backend() *Backend { return m.backend }

// Tell reports whether a failure of the backend should be logged: once in a
// while.
func (m *Member) Tell(now time.Time) bool {
	last := m.told.Load()
	return now.UnixNano()-last >= int64(tellEvery) && m.told.CompareAndSwap(last, now.UnixNano())
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

// push reports whether c was taken in.
func (m *Member) push(c *Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.idle) >= idleConns {
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

func (m *Member) close() {
	m.mu.Lock()
	idle := m.idle
	m.idle, m.closed = nil, true
	m.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}
