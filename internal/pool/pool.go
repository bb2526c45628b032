package pool

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options is what a pool needs from outside.
type Options struct {
	// Guard judges each address before it is dialled, after [ForbiddenAddr];
	// nil admits all others. Its error says why not. It must be safe for
	// concurrent use.
	Guard func(netip.AddrPort) error
	// Adopt returns a member of a former pool that is reached in the way that
	// [Backend.Key] says and that no other pool has adopted; nil if there is none.
	// It keeps its connections, its counts and what is known of its health. A nil
	// Adopt knows none.
	Adopt func(key string) *Member
	// Drains are the backends that an operator has drained.
	Drains Drains
	// Notify is told when a backend's condition changes; it may be nil. It is
	// called by whoever found out and must not wait.
	Notify func(Transition)
}

// Pool is the running half of a [Plan]: whose turn it is, and what is known of
// each backend. It starts no goroutine; its owner calls Sweep now and then and
// Close in the end. All methods are safe for concurrent use.
type Pool struct {
	name   string
	plan   *Plan
	notify func(Transition)
	seats  []seat
	table  []uint8 // see newTable; nil where nothing is hashed
	turn   atomic.Uint64
	view   atomic.Pointer[view]
	drains atomic.Pointer[Drains]
	making sync.Mutex // held while a view is made
}

// seat is a backend of the plan and its running half.
type seat struct {
	*Member
	declared *Backend // as the present plan has it; Member may know a former one
}

// New returns the pool of a plan. name tells it from others in errors. Backends
// of equal key count once, so that no attempt goes twice to the same one.
func New(name string, plan *Plan, o Options) *Pool {
	p := &Pool{name: name, plan: plan, notify: o.Notify}
	p.drains.Store(&o.Drains)
	for _, b := range plan.Backends {
		known := func(s seat) bool { return s.declared.Key() == b.Key() }
		if slices.ContainsFunc(p.seats, known) {
			continue
		}
		var m *Member
		if o.Adopt != nil {
			m = o.Adopt(b.Key())
		}
		if m == nil {
			m = newMember(name, b, o)
		}
		m.adopted(p)
		m.owner.Store(p)
		p.seats = append(p.seats, seat{m, b})
	}
	if plan.Rules.Balance.Hashes() {
		p.table = newTable(p.seats)
	}
	p.changed(time.Now())
	return p
}

// Name returns what tells the pool from others.
func (p *Pool) Name() string { return p.name }

// Plan returns what the pool was made from.
func (p *Pool) Plan() *Plan { return p.plan }

// Orphan returns the member that is reached in the way that [Backend.Key] says,
// nil if there is none or if another pool has adopted it.
func (p *Pool) Orphan(key string) *Member {
	for _, s := range p.seats {
		if s.Backend().Key() == key && s.owner.Load() == p {
			return s.Member
		}
	}
	return nil
}

// Sweep closes connections that were idle for too long or that their backend
// has closed. It is meant to be called every few seconds; a pool without idle
// connections costs nothing.
func (p *Pool) Sweep(now time.Time) {
	for _, s := range p.seats {
		s.sweep(now)
	}
}

// Close closes the idle connections to members that no other pool has adopted.
// Those in use go on, and are closed instead of kept when their answer has
// ended.
func (p *Pool) Close() {
	for _, s := range p.seats {
		if s.owner.Load() == p {
			s.close()
		}
	}
}

// Idle returns how many idle connections the pool holds.
func (p *Pool) Idle() int {
	sum := 0
	for _, s := range p.seats {
		s.mu.Lock()
		sum += len(s.idle)
		s.mu.Unlock()
	}
	return sum
}
