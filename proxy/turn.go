package proxy

import (
	"time"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

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

// await waits for the turn of a request, until the client leaves or is cut.
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

// hearing is what became of a request before it was read. Only the data plane that
// reads and serves on one goroutine has requests heard.
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
	ex.queued += ex.heard.waited
	given := ex.heard.given
	if !given && !ex.heard.refused {
		if !s.waits(ex) {
			return true
		}
		tenant, weight := "", 1
		if t := ex.verdict.Tenant; t != nil {
			tenant, weight = t.ID(), t.Weight()
		}
		var waited time.Duration
		given, waited = s.processors.await(ex.watch, tenant, weight)
		ex.queued += waited
		if s.endedEarly(ex) {
			return false
		}
	}
	return given || s.refuseFor(ex, tenancy.TooManyInFlight, inFlightRetry)
}

// waits notes the request, unless it was noted before, and reports whether it is
// to wait for its turn.
func (s *Server) waits(ex *exchange) bool {
	if ex.heard.stirred {
		return s.processors.shared()
	}
	var who *party
	if ex.run != nil {
		who = ex.run.party
	}
	return s.processors.stir(who)
}
