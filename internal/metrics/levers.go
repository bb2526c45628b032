package metrics

import "sync/atomic"

// Lever is a kind of order that operators give by command.
type Lever uint8

// The kinds of orders.
const (
	LeverBlock       Lever = iota // a network is blocked
	LeverSuspend                  // a tenant is suspended
	LeverMaintenance              // a tenant is in maintenance
	LeverDrain                    // a tenant or a backend is drained
)

// LeverNames are the values of the label lever, by Lever.
var LeverNames = [...]string{"block", "suspend", "maintenance", "drain"}

// LeverCounts says how many orders of each kind are in force.
type LeverCounts [len(LeverNames)]int

// levers asks for them.
type levers struct {
	ask  atomic.Pointer[func() LeverCounts]
	lost atomic.Pointer[func() bool]
}

// Levers has each scrape ask how many orders are in force.
func (s *Set) Levers(ask func() LeverCounts) {
	if s != nil {
		s.levers.ask.Store(&ask)
	}
}

// LeversLost has each scrape ask whether orders of an earlier process may be
// missing.
func (s *Set) LeversLost(ask func() bool) {
	if s != nil {
		s.levers.lost.Store(&ask)
	}
}

func (e emitter) levers(l *levers) {
	if lost := l.lost.Load(); lost != nil {
		e.gauge(leversLost, number((*lost)()))
	}
	ask := l.ask.Load()
	if ask == nil {
		return
	}
	for lever, n := range (*ask)() {
		e.gauge(leversInForce, float64(n), LeverNames[lever])
	}
}
