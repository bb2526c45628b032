package pool

import (
	"net/netip"
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
	// Names knows where backends are that are written by name; without it they
	// are nowhere.
	Names *Names
	// Owner is whose pool it is: looking names up is shared out among owners.
	Owner string
	// Adopt returns a member of a former pool that has the key and that no other
	// pool has adopted, as [Pool.Orphan] does; nil if there is none. It keeps its
	// connections, its counts and what is known of its health. A nil Adopt knows
	// none.
	Adopt func(key string) *Member
	// Drains are the backends that an operator has drained.
	Drains Drains
	// Take takes leave for one connection more to be open, and Give gives it
	// back. Without leave no request gets a new connection ([ErrNoLeave]). Nil
	// gives leave to all. Checks need none.
	Take func() bool
	Give func()
	// Place returns the number that stands for a name of a backend in what clients
	// are given to bring back: the same for the same name, and one that tells
	// nothing about it. Nil keeps no client with a backend.
	Place func(name string) uint64
	// Notify is told when a backend's condition changes; it may be nil. It is
	// called by whoever found out and must not wait.
	Notify func(Transition)
}

// Pool is the running half of a [Plan]: whose turn it is, and what is known of
// each backend. It starts no goroutine; its owner calls Sweep now and then and
// Close in the end. All methods are safe for concurrent use.
type Pool struct {
	name   string
	owner  string
	plan   *Plan
	guard  func(netip.AddrPort) error
	take   func() bool
	give   func()
	place  func(name string) uint64
	notify func(Transition)
	named  map[string]*name // hosts of the plan's backends that are no addresses
	turn   atomic.Uint64
	view   atomic.Pointer[view]
	drains atomic.Pointer[Drains]
	told   atomic.Int64 // Unix nanoseconds of the last Tell
	making sync.Mutex   // held while a view is made
	closed bool
	left   []*Member // whose addresses names have left, while they have requests in progress

	// ejecting is held from finding out that a member may be ejected to doing so. Of
	// other locks only those of conditions are taken meanwhile.
	ejecting sync.Mutex
}

// New returns the pool of a plan. name tells it from others in errors.
func New(name string, plan *Plan, o Options) *Pool {
	p := &Pool{name: name, owner: o.Owner, plan: plan, guard: o.Guard, take: o.Take, give: o.Give, place: o.Place, notify: o.Notify, named: o.Names.of(plan, o.Owner)}
	drains := o.Drains // and no more of o, whose Adopt leads to former pools
	p.drains.Store(&drains)
	// Whoever uses a member that it adopts asks it as soon as that belongs to it.
	p.view.Store(&view{roster: new(roster)})
	p.making.Lock()
	defer p.making.Unlock()
	p.store(p.assemble(func(key string) *Member {
		if o.Adopt == nil {
			return nil
		}
		m := o.Adopt(key)
		if m == nil || !m.join(p) {
			return nil
		}
		return m
	}))
	return p
}

// store puts seats into use. The pool's making is held.
func (p *Pool) store(r *roster) { p.view.Store(newView(p, r, time.Now())) }

// Name returns what tells the pool from others.
func (p *Pool) Name() string { return p.name }

// Plan returns what the pool was made from.
func (p *Pool) Plan() *Plan { return p.plan }

// Orphan returns the member that has the key, nil if there is none or if another
// pool has adopted it.
func (p *Pool) Orphan(key string) *Member {
	for _, s := range p.seats() {
		if s.key == key && s.owner.Load() == p {
			return s.Member
		}
	}
	return nil
}

// Tell reports whether it should be logged that the pool takes no request: once in
// a while.
func (p *Pool) Tell(now time.Time) bool { return tell(&p.told, now) }

// Sweep closes connections that were idle for too long or that their backend
// has closed. It is meant to be called every few seconds; a pool without idle
// connections costs nothing.
func (p *Pool) Sweep(now time.Time) {
	for _, s := range p.seats() {
		s.sweep(now)
	}
}

// CloseIdle closes all idle connections: others of their owner's are wanted more.
func (p *Pool) CloseIdle() { p.Sweep(time.Now().Add(idleTime)) }

// Close closes the idle connections to members that no other pool has adopted.
// Those in use go on, and are closed instead of kept when their answer has
// ended.
func (p *Pool) Close() {
	p.making.Lock()
	defer p.making.Unlock()
	p.closed = true
	for _, s := range p.seats() {
		s.leave(p)
	}
}

// Idle returns how many idle connections the pool holds.
func (p *Pool) Idle() int {
	sum := 0
	for _, s := range p.seats() {
		s.mu.Lock()
		sum += len(s.idle)
		s.mu.Unlock()
	}
	return sum
}
