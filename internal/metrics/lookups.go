package metrics

import "sync/atomic"

// lookups is what is counted about names that backends are written by.
type lookups struct {
	good, failed atomic.Uint64
	ask          atomic.Pointer[func() NameCounts]
}

// NameCounts is how many names that backends are written by stand alike.
type NameCounts struct {
	Resolved int // their addresses are what DNS said last
	Kept     int // they could not be looked up since, and their last addresses are used
	Nowhere  int // no address is known
}

// LookedUp counts one lookup of a backend's name.
func (s *Set) LookedUp(ok bool) {
	switch {
	case s == nil:
	case ok:
		s.lookups.good.Add(1)
	default:
		s.lookups.failed.Add(1)
	}
}

// Names has each scrape ask how the names of backends stand.
func (s *Set) Names(ask func() NameCounts) {
	if s != nil {
		s.lookups.ask.Store(&ask)
	}
}

func (e emitter) lookups(l *lookups) {
	e.moved(backendLookups, l.good.Load(), "ok")
	e.moved(backendLookups, l.failed.Load(), "failed")
	ask := l.ask.Load()
	if ask == nil {
		return
	}
	n := (*ask)()
	if n == (NameCounts{}) {
		return
	}
	e.gauge(backendNames, float64(n.Resolved), "resolved")
	e.gauge(backendNames, float64(n.Kept), "kept")
	e.gauge(backendNames, float64(n.Nowhere), "nowhere")
}
