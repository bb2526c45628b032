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
	if !s.processors.stir(ex.run) {
		return true
	}
	tenant, weight := "", 1
	if t := ex.verdict.Tenant; t != nil {
		tenant, weight = t.ID(), t.Weight()
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
