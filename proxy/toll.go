package proxy

import (
	"sync"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// turnAway is when a piece of a body that was turned away tries again.
const turnAway = 20 * time.Millisecond

// toll is what one direction of a body owes for the processor time it has taken.
type toll struct {
	owed time.Duration
	turn limit.Turn
}

// pay pays for passing on n bytes.
func (ex *exchange) pay(t *toll, n int, quit <-chan struct{}) bool {
	return ex.owe(t, pieceCost+time.Duration(n)*byteCost, quit)
}

// owe waits for a turn once enough has been taken, with what is to be taken now.
// It reports false when the exchange has ended meanwhile; quit, where it is not
// nil, ends the wait, too. Nobody's time runs: neither client nor backend is
// waited for.
func (ex *exchange) owe(t *toll, cost time.Duration, quit <-chan struct{}) bool {
	t.owed += cost
	p := ex.s.processors
	if t.owed < crowdedQuantum || t.owed < quantum && !p.crowded.Load() {
		return true
	}
	ex.watch.touch(unbounded)
	owed, tenant := t.owed, ex.verdict.Tenant
	for t.owed = 0; ; {
		p.fair.Enter(&t.turn, tenant.ID(), tenant.Weight(), owed)
		given, goesOn := t.await(ex, quit)
		if given || !goesOn || !ex.rest(turnAway) {
			return given
		}
	}
}

// await waits for the turn, or until the exchange ends.
func (t *toll) await(ex *exchange, quit <-chan struct{}) (given, goesOn bool) {
	timer := time.NewTimer(paceTime)
	defer timer.Stop()
	for {
		select {
		case given = <-t.turn.Given():
			return given, true
		case <-quit:
		case <-timer.C:
			if ex.goesOn() {
				timer.Reset(paceTime)
				continue
			}
		}
		t.turn.Withdraw()
		return false, false
	}
}

// turnWaitMost is how long a request waits for its turn.
const turnWaitMost = 5 * time.Second

// turnWait is the wait of a request.
type turnWait struct {
	turn      limit.Turn
	cancelled chan struct{}
	once      sync.Once
}

// takeTurn waits for the request's turn where processors are scarce. It reports
// false when the exchange is over.
func (s *Server) takeTurn(ex *exchange) bool {
	if c := ex.watch.conn; c.heard {
		c.heard = false
		return true
	}
	var who *party
	tenant, weight := "", 1
	if t := ex.verdict.Tenant; t != nil {
		who, tenant, weight = ex.run.party, t.ID(), t.Weight()
	}
	if !s.processors.stir(who) {
		return true
	}
	w := &turnWait{cancelled: make(chan struct{})}
	s.processors.fair.Enter(&w.turn, tenant, weight, requestCost)
	given, over := s.queue(ex, w)
	switch {
	case over:
		return false
	case !given:
		return s.refuseFor(ex, tenancy.TooManyInFlight, inFlightRetry)
	}
	return true
}

// Wait waits for the turn and reports whether it has come.
func (w *turnWait) Wait() bool {
	late := time.NewTimer(turnWaitMost)
	defer late.Stop()
	select {
	case given := <-w.turn.Given():
		return given
	case <-w.cancelled:
	case <-late.C:
	}
	return w.turn.Withdraw()
}

// Cancel ends the wait. It may be called at any time, and more than once.
func (w *turnWait) Cancel() { w.once.Do(func() { close(w.cancelled) }) }

// hear waits for the turn of what a connection has just received, where processors
// are scarce. To decrypt it and to find out what is asked costs half of what a
// refusal does, and ten thousand clients may ask at the same moment.
func (s *Server) hear(c *conn) {
	p := s.processors
	switch {
	case c.multiplexed.Load():
		if p.shared() {
			s.takeTurnToHear(c, frameCost)
		}
	case c.listens: // the turn is that of the request
		c.listens = false
		if c.heard = !p.stir(c.owner); !c.heard {
			c.watch.wakeUp(turnWaitMost + c.peer.timeouts.Header)
			c.heard = s.takeTurnToHear(c, requestCost)
		}
	}
}

// takeTurnToHear waits for a connection's turn. Who is turned away tries again when
// those who were there before have had theirs. It reports false when the turn has
// not come in time: the connection is heard all the same, and the request waits
// anew.
func (s *Server) takeTurnToHear(c *conn, cost time.Duration) bool {
	t := s.processors.takeWait(turnWaitMost)
	defer s.processors.giveWait(t)
	for {
		s.processors.fair.Enter(&t.turn, c.peer.tenantID, int(c.owner.weight.Load()), cost)
		select {
		case given := <-t.turn.Given():
			if given {
				return true
			}
		case <-t.late.C:
			return t.turn.Withdraw()
		}
		select {
		case <-time.After(turnsWaitMost):
		case <-t.late.C:
			return false
		}
	}
}

// timedTurn is a turn that is waited for until late.
type timedTurn struct {
	turn limit.Turn
	late *time.Timer
}

// takeWait returns a turn for a wait of so long, one that was used before. Whoever
// has waited thousands of times at once would allocate as often, and while garbage
// is collected whoever allocates for the first time is to scan 64 KiB before.
func (p *processors) takeWait(d time.Duration) *timedTurn {
	t, ok := p.waits.Get().(*timedTurn)
	if !ok {
		return &timedTurn{late: time.NewTimer(d)}
	}
	t.late.Reset(d)
	return t
}

// giveWait takes back what has come or was withdrawn.
func (p *processors) giveWait(t *timedTurn) {
	t.late.Stop()
	p.waits.Put(t)
}
