package proxy

import (
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

// turnWait is a wait for a turn that ends when it is late.
type turnWait struct {
	turn      limit.Turn
	cancelled chan struct{} // receives something
	late      *time.Timer
}

// takeWait returns one that was used before. Thousands may wait at once, and while
// garbage is collected whoever allocates for the first time is to scan 64 KiB
// before.
func (p *processors) takeWait(d time.Duration) *turnWait {
	w, ok := p.waits.Get().(*turnWait)
	if !ok {
		return &turnWait{cancelled: make(chan struct{}, 1), late: time.NewTimer(d)}
	}
	w.late.Reset(d)
	return w
}

// giveWait takes back what is over and what nobody cancels any more.
func (p *processors) giveWait(w *turnWait) {
	w.late.Stop()
	select {
	case <-w.cancelled:
	default:
	}
	p.waits.Put(w)
}

// Wait waits for the turn and reports whether it has come.
func (w *turnWait) Wait() bool {
	select {
	case given := <-w.turn.Given():
		return given
	case <-w.cancelled:
	case <-w.late.C:
	}
	return w.turn.Withdraw()
}

// Cancel ends the wait. It may be called at any time, and more than once.
func (w *turnWait) Cancel() {
	select {
	case w.cancelled <- struct{}{}:
	default:
	}
}

// await waits for the turn of a request. Both ends of the watch are over to whoever
// looks at them: a client that leaves does not wait.
func (p *processors) await(watch *watch, tenant string, weight int) (given bool, waited time.Duration) {
	began := time.Now()
	w := p.takeWait(turnWaitMost)
	p.fair.Enter(&w.turn, tenant, weight, requestCost)
	watch.attach(waiter{w}, unbounded)
	watch.waiting(true)
	given = w.Wait()
	watch.waiting(false)
	watch.detach()
	p.giveWait(w)
	return given, time.Since(began)
}

// hearing is what became of the request that a connection is reading before it was
// read.
type hearing struct {
	listens bool          // the next Read waits for a request
	stirred bool          // it was noted
	given   bool          // it has had its turn
	refused bool          // it had none
	waited  time.Duration // for its turn
}

// hear waits for the turn of a request that has just begun to come, where
// processors are scarce. To decrypt it and to find out what is asked costs half of
// what a refusal does, and ten thousand clients may ask at the same moment. It
// reports false when there is nobody to hear any more.
func (s *Server) hear(c *conn) bool {
	h := &c.hearing
	*h = hearing{stirred: true}
	if !s.processors.stir(c.owner) {
		return true
	}
	if !c.watch.wakeUp(turnWaitMost + c.peer.timeouts.Header) {
		return false
	}
	h.given, h.waited = s.processors.await(&c.watch, c.peer.tenantID, int(c.owner.weight.Load()))
	h.refused = !h.given
	return !c.watch.cut() && !c.watch.aborted()
}

// takeTurn waits for the request's turn where processors are scarce, unless it was
// waited for before. It reports false when the exchange is over.
func (s *Server) takeTurn(ex *exchange) bool {
	var had hearing
	if !ex.multiplexed() {
		had, ex.watch.conn.hearing = ex.watch.conn.hearing, hearing{}
	}
	ex.queued += had.waited
	given := had.given
	if !given && !had.refused {
		var who *party
		tenant, weight := "", 1
		if t := ex.verdict.Tenant; t != nil {
			who, tenant, weight = ex.run.party, t.ID(), t.Weight()
		}
		if had.stirred && !s.processors.shared() || !had.stirred && !s.processors.stir(who) {
			return true
		}
		var waited time.Duration
		given, waited = s.processors.await(ex.watch, tenant, weight)
		ex.queued += waited
		if s.leftQueue(ex) {
			return false
		}
	}
	return given || s.refuseFor(ex, tenancy.TooManyInFlight, inFlightRetry)
}
