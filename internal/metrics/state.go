package metrics

import "sync/atomic"

// state is what is counted about the state folder and about the process.
type state struct {
	writeFailures atomic.Uint64
	unsaved       atomic.Bool
	ready         atomic.Pointer[func() bool]
}

// StateWritten counts a write to the state folder. While the last one failed,
// what should outlive the process is in memory alone.
func (s *Set) StateWritten(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.state.writeFailures.Add(1)
	}
	s.state.unsaved.Store(err != nil)
}

// Ready has each scrape ask whether the gateway takes traffic.
func (s *Set) Ready(ask func() bool) {
	if s != nil {
		s.state.ready.Store(&ask)
	}
}

func (e emitter) state(s *state) {
	e.counter(stateWriteFailures, s.writeFailures.Load())
	e.gauge(stateUnsaved, number(s.unsaved.Load()))
	if ask := s.ready.Load(); ask != nil {
		e.gauge(ready, number((*ask)()))
	}
}

// number is how a gauge says yes or no.
func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
