package proxy

import (
	"context"
	"time"

	"gatehouse/tenancy"
)

// poolSweepTicks is the number of ticks between two looks at the idle backend
// connections: they live for minutes, so five seconds are exact enough.
const poolSweepTicks = 10

// sweeper moves the clock and looks at everything that is open once a tick,
// until ctx ends.
func (s *Server) sweeper(ctx context.Context) {
	ticker := time.NewTicker(s.sweepEvery)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.sweep()
		if n%poolSweepTicks == 0 {
			s.sweepPools(time.Now())
		}
	}
}

// sweep is one tick: times that have run out, clients that have gone, entries
// of access lists that have ended.
func (s *Server) sweep() {
	s.clock.advance()
	now := s.clock.now()
	s.registry.each(func(w *watch) { w.sweep(now) })
	s.sweepUntil()
	s.refusals.sweep(now)
	s.measureLimits(now)
	s.access.flush()
}

// sweep acts on what has happened to the watch by now.
func (w *watch) sweep(now int64) {
	if w.pace.waits.Load() != 0 {
		w.measure()
	}
	if at := w.clientAt.Load(); due(at, now) {
		w.expireClient(at)
	}
	if at := w.backendAt.Load(); due(at, now) {
		w.expireBackend(at)
	}
	if at := w.endAt.Load(); due(at, now) {
		w.cutAll(tenancy.Draining)
	}
	if at := w.totalAt.Load(); due(at, now) {
		w.expireTotal(at)
	}
	if at := w.sendAt.Load(); due(at, now) {
		w.expireSend(at)
	}
	if due(w.heardAt.Load(), now) {
		w.lookForBackend()
	}
	if w.isWaiting.Load() {
		w.lookForClient()
	}
}

func due(at, now int64) bool { return at > 0 && at <= now }

// expireClient wakes the client's side unless its time was set anew since it
// was read.
func (w *watch) expireClient(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clientAt.CompareAndSwap(at, lapsed) && w.target != nil {
		w.target.wake()
	}
}

// expireBackend does the same with the backend's side.
func (w *watch) expireBackend(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.backendAt.CompareAndSwap(at, lapsed) {
		w.wakeBackend()
	}
}

// expireSend ends an HTTP/2 connection whose client takes nothing at all. To
// reset its streams would not do: the RST_STREAM stands in line, too, and the
// library waits for it.
func (w *watch) expireSend(at int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sendAt.CompareAndSwap(at, 0) && w.target != nil {
		w.target.sever()
	}
}

// lookForClient ends the wait for the backend when the client has gone.
func (w *watch) lookForClient() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.target != nil && w.target.gone() {
		w.isAborted.Store(true)
		w.wakeBackend()
	}
}

// cutAll ends the connection or stream and whatever is in progress on it.
func (w *watch) cutAll(why tenancy.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.target == nil || w.isCut.Load() {
		return
	}
	w.allCutFor.Store(uint32(why))
	w.isCut.Store(true)
	w.wakeBackend()
	w.target.sever()
}

// cutRequest ends the request in progress and leaves the connection where that
// is possible: while the exchange waits for its backend, nothing of the answer
// is out yet, and a refusal can take its place. The caller holds mu. It reports
// false if that has been done before.
func (w *watch) cutRequest(why tenancy.Reason) bool {
	if w.target == nil || w.requestCut.Load() {
		return false
	}
	w.cutFor.Store(uint32(why))
	w.requestCut.Store(true)
	w.wakeBackend()
	answering := w.pace.answering()
	if answering && w.pace.waits.Load() >= aWrite {
		w.clientAt.Store(lapsed) // what it has not taken is thrown away
	}
	if answering || !w.isWaiting.Load() {
		w.target.wake()
	}
	return true
}
