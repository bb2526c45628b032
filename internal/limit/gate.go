package limit

import (
	"sync"
	"time"
)

// Bounds are how many may be inside of a gate, and how many may wait for that.
type Bounds struct {
	Most  int // 0: any number
	Queue int
	Wait  time.Duration
}

// Gate lets a number in at a time. A few more may wait for their turn: first
// come, first served, and not for long, because whoever waited for a queue of
// seconds has mostly gone when it is let in. The zero Gate lets everybody in. All
// methods may be called at the same time.
type Gate struct {
	mu          sync.Mutex
	bounds      Bounds
	inside      int
	waiting     int
	first, last *Ticket
}

// Ticket is a place in the queue of a gate.
type Ticket struct {
	gate       *Gate
	wait       time.Duration
	turn       chan struct{} // closed once the ticket is let in
	cancelled  chan struct{} // closed by Cancel
	once       sync.Once
	prev, next *Ticket
	queued     bool
}

// Set changes the bounds. Those inside stay inside, and those that wait keep
// their places and the time that they were promised.
func (g *Gate) Set(b Bounds) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bounds = b
	g.admit()
}

// Enter lets the caller in (true), gives it a place in the queue (a ticket), or
// turns it away (neither). Whoever is let in calls Leave.
func (g *Gate) Enter() (wait *Ticket, inside bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first == nil && g.room() {
		g.inside++
		return nil, true
	}
	if g.waiting >= g.bounds.Queue {
		return nil, false
	}
	t := &Ticket{gate: g, wait: g.bounds.Wait, turn: make(chan struct{}), cancelled: make(chan struct{})}
	g.append(t)
	return t, false
}

// Leave makes room for the next.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.admit()
}

// Load returns how many are inside, and how many wait.
func (g *Gate) Load() (inside, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside, g.waiting
}

// admit lets those in that there is room for. The caller holds mu.
func (g *Gate) admit() {
	for g.first != nil && g.room() {
		t := g.first
		g.remove(t)
		g.inside++
		close(t.turn)
	}
}

func (g *Gate) room() bool { return g.inside < g.bounds.Most || g.bounds.Most == 0 }

func (g *Gate) append(t *Ticket) {
	t.prev, t.queued = g.last, true
	if g.last != nil {
		g.last.next = t
	} else {
		g.first = t
	}
	g.last = t
	g.waiting++
}

func (g *Gate) remove(t *Ticket) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		g.first = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		g.last = t.prev
	}
	t.prev, t.next, t.queued = nil, nil, false
	g.waiting--
}

// Wait waits for the ticket's turn and reports whether it is let in: not if the
// time of the bounds has passed first, or it was cancelled. Whoever is let in
// calls Leave. It is called once.
func (t *Ticket) Wait() (inside bool) {
	late := time.NewTimer(t.wait)
	defer late.Stop()
	select {
	case <-t.turn:
		return true
	case <-late.C:
	case <-t.cancelled:
	}
	return !t.withdraw()
}

// Cancel ends the wait. It may be called at any time, and more than once; a
// ticket whose turn has come already is inside all the same.
func (t *Ticket) Cancel() { t.once.Do(func() { close(t.cancelled) }) }

// withdraw takes the ticket out of the queue; false if it was let in before.
func (t *Ticket) withdraw() bool {
	t.gate.mu.Lock()
	defer t.gate.mu.Unlock()
	if !t.queued {
		return false
	}
	t.gate.remove(t)
	return true
}
