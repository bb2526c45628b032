package metrics

import "sync/atomic"

// logs asks how many lines went nowhere.
type logs struct {
	access, events atomic.Pointer[func() uint64]
}

// AccessLogDropped has each scrape ask how many lines of the access log were
// dropped.
func (s *Set) AccessLogDropped(ask func() uint64) {
	if s != nil {
		s.logs.access.Store(&ask)
	}
}

// LogDropped has each scrape ask the same about the log of events; nil drops
// none.
func (s *Set) LogDropped(ask func() uint64) {
	if s != nil && ask != nil {
		s.logs.events.Store(&ask)
	}
}

func (e emitter) logs(l *logs) {
	e.counter(accessLogDropped, asked(&l.access))
	e.counter(logDropped, asked(&l.events))
}

// asked is the answer, 0 where there is nobody to ask.
func asked(ask *atomic.Pointer[func() uint64]) uint64 {
	if f := ask.Load(); f != nil {
		return (*f)()
	}
	return 0
}
