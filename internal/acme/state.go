package acme

import "time"

// State is how it stands with a host, in a word.
type State string

// The states.
const (
	StateValid      State = "valid"       // it has a certificate that is not due
	StateQueued     State = "queued"      // it waits for its turn in the budget
	StateIssuing    State = "issuing"     // an order runs
	StatePendingDNS State = "pending-dns" // its owner must let DNS lead here
	StatePendingCAA State = "pending-caa" // its owner must let CAA allow the authority
	StateFailed     State = "failed"      // an order failed; NextTry says when it goes on
	StateParked     State = "parked"      // nothing is tried until something changes
	StateExpired    State = "expired"     // its certificate ended before another was had
)

// States lists all states, in the order in which they are counted and shown.
func States() []State {
	return []State{
		StateValid, StateQueued, StateIssuing, StatePendingDNS, StatePendingCAA,
		StateFailed, StateParked, StateExpired,
	}
}

// state says how it stands with a host.
func (e *entry) state(s *Settings, now time.Time) State {
	if e.issuing {
		return StateIssuing
	}
	needs := e.needs(s, now)
	parked := e.check.parked()
	expired := e.held != nil && e.held.expired(now)
	switch {
	case needs && parked == StateParked:
		return StateParked
	case expired:
		return StateExpired
	case !needs && e.held != nil:
		return StateValid
	case needs && parked != "":
		return parked
	case e.trouble != nil && e.trouble.fails > 0 && e.trouble.ready(now).After(now):
		return StateFailed
	}
	return StateQueued
}
