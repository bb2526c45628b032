package proxy

import (
	"time"

	"gatehouse/tenancy"
)

// A backend whose machine has lost its power or its network refuses nothing. New
// connections to it run into the time for connecting; a request on one that was
// open waits for an answer as long as a slow backend may take, unless somebody
// asks the kernel whether the request was ever acknowledged. That is done for
// requests that another backend can answer instead. The others wait: the network
// may be back in a moment, and nobody can do more for them.

// hearer is a backend connection that knows what has become of what was written.
type hearer interface{ Heard() (all, gone bool) }

// heardBy has the sweeper look, from d on, whether the backend in use has
// acknowledged its request, until it has.
func (w *watch) heardBy(d time.Duration) { w.heardAt.Store(w.clock.now() + int64(d)) }

// lookForBackend ends the wait for a backend that is gone.
func (w *watch) lookForBackend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := w.backend.(hearer)
	if !ok || w.heardAt.Load() == 0 {
		return
	}
	switch all, gone := b.Heard(); {
	case all:
		w.heardAt.Store(0)
	case gone:
		w.heardAt.Store(0)
		w.isUnheard.Store(true)
		w.wakeBackend()
	}
}

// vanished reports whether the attempt has ended because the backend is gone,
// and the request may go on to another one.
func (t *trip) vanished(unsent bool) bool {
	if !t.ex.watch.isUnheard.Load() || t.spoke || !t.mayRepeat(unsent) {
		return false
	}
	t.lostSight = true
	t.round.Failed(time.Now(), "acknowledged nothing in time")
	t.why = tenancy.BackendTimeout
	return true
}
