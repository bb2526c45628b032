package pool

import (
	"container/heap"
	"context"
	"maps"
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/dnsquery"
)

const (
	// refreshLeast is how often a name is looked up at most, whatever its records
	// say: some say zero. It is also how soon a name is looked up again when one of
	// its addresses could not be reached.
	refreshLeast = 5 * time.Second
	// refreshMost is how long an answer counts at most. Records say a day where
	// nobody thought of a move; the resolver's own memory answers the questions
	// that this adds.
	refreshMost = 5 * time.Minute
	// retryFirst and retryMost are the pauses after a lookup that came to nothing:
	// each is twice the former, so that a resolver that is down is not stormed
	// when it comes back.
	retryFirst = time.Second
	retryMost  = 30 * time.Second

	// lookupsMax bounds the lookups that are under way: each takes two sockets.
	lookupsMax = 32
	// ownerLookupsMax keeps a tenant whose names nobody answers for from taking
	// every place of them.
	ownerLookupsMax = 4
	// lookupTimeMax bounds one lookup with its search list, aliases and servers.
	lookupTimeMax = 10 * time.Second
)

// Finder answers where a host is: *dnsquery.Resolver.
type Finder interface {
	Host(ctx context.Context, name string) (dnsquery.HostAnswer, error)
}

// NamesOptions is what [Names] needs from outside.
type NamesOptions struct {
	Finder Finder
	// Changed is told when a pool has other addresses than before; it may be nil.
	Changed func(*Pool)
	// Notify is told of each lookup; it may be nil. It must not wait.
	Notify func(Lookup)
}

// Lookup is what came of looking a name up.
type Lookup struct {
	NameStatus              // as it is since
	Before     []netip.Addr // the addresses that were used until then
	Failed     bool
	Turned     bool // the one before it came to the opposite, or there was none
	Barred     bool // the last good answer before had no address that is forbidden, and this has
}

// Names keeps what hosts lead to that backends are written by, for all pools.
// Run looks them up again as their records say; Watch says which. Methods may be
// called at the same time.
type Names struct {
	options NamesOptions
	wake    chan struct{}

	mu    sync.Mutex
	queue dueQueue[*name]
	known map[string]*name
	pools map[*Pool]bool // that are watched and have names
	busy  int
	loads map[string]*load // of owners that have lookups under way
}

// load is the lookups of one owner.
type load struct {
	owner   string
	busy    int
	waiting []*name // that are due and find no place
}

// NewNames returns one that knows no name yet.
func NewNames(o NamesOptions) *Names {
	return &Names{options: o, wake: make(chan struct{}, 1), known: make(map[string]*name), loads: make(map[string]*load)}
}

// of returns the names that backends of a plan are written by. Those that are new
// are looked up at once.
func (ns *Names) of(plan *Plan, owner string) map[string]*name {
	if ns == nil {
		return nil
	}
	var named map[string]*name
	for _, b := range plan.Backends {
		if b.literal.IsValid() {
			continue
		}
		if named == nil {
			named = make(map[string]*name)
		}
		named[b.dialHost] = ns.get(b.dialHost, owner)
	}
	return named
}

func (ns *Names) get(host, owner string) *name {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.known[host]
	if n == nil {
		n = &name{turn: turn{due: time.Now()}, host: host, of: ns, owner: owner, first: make(chan struct{})}
		n.known.Store(&knowledge{since: n.due})
		ns.known[host] = n
		heap.Push(&ns.queue, n)
		ns.nudge()
	}
	return n
}

// Watch has the names looked up that these pools have, and no others. The names of
// a new pool are looked up from the start, and forgotten by the next Watch that
// does not name it.
func (ns *Names) Watch(pools []*Pool) {
	for _, p := range ns.enlist(pools) {
		ns.settle(p) // its names may have been looked up since it was made
	}
}

// enlist returns the pools among them that have names and were not watched
// before.
func (ns *Names) enlist(pools []*Pool) (fresh []*Pool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	former := ns.pools
	ns.pools = make(map[*Pool]bool)
	for _, n := range ns.known {
		n.pools = nil
	}
	for _, p := range pools {
		for _, n := range p.named {
			if len(n.pools) == 0 {
				n.owner = p.owner
			}
			n.pools = append(n.pools, p)
		}
		if len(p.named) == 0 {
			continue
		}
		if ns.pools[p] = true; !former[p] {
			fresh = append(fresh, p)
		}
	}
	maps.DeleteFunc(ns.known, func(_ string, n *name) bool {
		n.gone = len(n.pools) == 0
		if n.gone {
			ns.queue.drop(&n.turn)
		}
		return n.gone
	})
	ns.requeue()
	ns.nudge()
	return fresh
}

// requeue gives those that wait for a place their turn again: they may have
// another owner by now, whose lookups are none that they wait for.
func (ns *Names) requeue() {
	for owner, of := range ns.loads {
		for _, n := range of.waiting {
			if !n.gone {
				heap.Push(&ns.queue, n)
			}
		}
		if of.waiting = nil; of.busy == 0 {
			delete(ns.loads, owner)
		}
	}
}

func (ns *Names) settle(p *Pool) {
	if p.settle() && ns.options.Changed != nil {
		ns.options.Changed(p)
	}
}

// Status returns what is known of each name, in no order.
func (ns *Names) Status() []NameStatus {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	list := make([]NameStatus, 0, len(ns.known))
	for _, n := range ns.known {
		list = append(list, n.status())
	}
	return list
}

// nudge has Run look at the queue. The channel holds one: more say the same.
func (ns *Names) nudge() {
	select {
	case ns.wake <- struct{}{}:
	default:
	}
}

// hurry has the name looked up soon, because one of its addresses was not
// reached: it may have moved before its records say so.
func (n *name) hurry() {
	if n == nil {
		return
	}
	now, last := time.Now(), n.hurried.Load()
	if now.UnixNano()-last < int64(refreshLeast) || !n.hurried.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if soon := n.asked.Add(refreshLeast); n.at >= 0 && !n.gone && soon.Before(n.due) {
		n.due = soon
		heap.Fix(&n.of.queue, n.at)
		n.of.nudge()
	}
}
