package proxy

import (
	"time"

	"gatehouse/tenancy"
)

// timeouts.total bounds an exchange as a whole, from the end of the request's
// head: waiting in queues, all attempts, both bodies. It ends the way of a
// request that is not admitted any more; only that the client may be told so, as
// long as nothing of an answer is out. It says nothing about a backend: who is
// to blame for the time is not known.

// bound has the exchange end with its whole time, where its route has one. Some
// of that may have been spent on waiting for a turn.
func (ex *exchange) bound() {
	if total := ex.verdict.Route.Timeouts().Total; total > 0 {
		ex.watch.totalAt.Store(ex.watch.clock.at(ex.started.Add(total)))
	}
}

// unbound ends it: a tunnel lasts as long as it is used.
func (w *watch) unbound() { w.totalAt.Store(0) }

// notAfter returns t, or the end of the exchange's whole time if that is before.
func (ex *exchange) notAfter(t time.Time) time.Time {
	if total := ex.verdict.Route.Timeouts().Total; total > 0 && ex.started.Add(total).Before(t) {
		return ex.started.Add(total)
	}
	return t
}

// overdue reports whether the exchange's whole time has passed. The sweeper may
// not have seen it yet.
func (ex *exchange) overdue() bool {
	total := ex.verdict.Route.Timeouts().Total
	return total > 0 && time.Since(ex.started) >= total
}

// overdue reports whether the request in progress was cut for its whole time
// alone.
func (w *watch) overdue() bool {
	return w.requestCut.Load() && !w.isCut.Load() && w.whyCut() == tenancy.TotalTimeout
}

// expireTotal ends the request in progress unless its time was begun anew, or has
// ended, since it was read.
func (w *watch) expireTotal(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.totalAt.CompareAndSwap(at, 0) {
		w.cutRequest(tenancy.TotalTimeout)
	}
}

// refuseOverdue says 504 to a client that can still be told, and cuts an answer
// that has begun.
func (s *Server) refuseOverdue(ex *exchange) {
	if ex.status == 0 {
		ex.watch.resume(ex.idle)
	}
	s.refuse(ex, tenancy.TotalTimeout.Status(), tenancy.TotalTimeout)
}
