package proxy

import (
	"net/http"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// The gates behind the table's verdict: what depends on who else asks at the
// moment. They are asked in the order of the product contract: what one client
// may have before anything is spent on it, then what tenant, host and route may
// have, the length of the body, and then a backend. Each level is asked from the
// route outwards, so that the tenant's own comes last. Where nothing is limited
// that is a look at an empty slice.

// held is what an exchange holds of a ceiling.
type held uint8

const (
	heldClient held = 1 << iota // of its client's requests in progress
	heldPlace                   // of the requests in progress
	heldSocket                  // of the WebSockets
)

// admitClient asks whether the client may have one request more. It reports
// false when the exchange is over: refused.
func (s *Server) admitClient(ex *exchange) bool {
	ex.bounds = ex.run.below(ex.verdict.Route)
	if len(ex.bounds) == 0 {
		return true
	}
	now, address := s.clock.at(ex.started), limit.AddressOf(ex.client)
	for i, b := range ex.bounds {
		rules := &b.rules.Client
		level := b.rules.Name
		if rules.Requests.Burst > 0 {
			if wait := b.counted.clients.Take(address, now, rules.Requests); wait > 0 {
				return s.refuseFor(ex.at(level, "client.requests"), tenancy.RateLimited, wait)
			}
		}
		if rules.InFlight > 0 {
			if !b.counted.held.Take(address, rules.InFlight) {
				return s.refuseFor(ex.at(level, "client.in_flight"), tenancy.TooManyInFlight, inFlightRetry)
			}
			ex.held[i] |= heldClient
		}
	}
	return true
}

// inFlightRetry is when to come again where too much is in progress: an answer
// takes less than that, as a rule.
const inFlightRetry = time.Second

// admitRequest asks whether route, host and tenant may have one request more, and
// waits for its turn where that is allowed. It reports false when the exchange
// is over.
func (s *Server) admitRequest(ex *exchange) bool {
	now := s.clock.at(ex.started)
	for _, b := range ex.bounds {
		if b.rules.Requests.Burst > 0 {
			if wait := b.counted.requests.Take(now, b.rules.Requests); wait > 0 {
				return s.refuseFor(ex.at(b.rules.Name, "requests"), tenancy.RateLimited, wait)
			}
		}
	}
	for i := range ex.bounds {
		if !s.enter(ex, i) {
			return false
		}
		ex.paced = ex.paced || ex.bounds[i].rules.Bandwidth > 0
	}
	if ex.framing == http1.ContentLength && ex.body.length() > ex.verdict.Route.Limits().Body {
		return s.refuseFor(ex, tenancy.BodyTooLarge, 0)
	}
	return true
}

// errBodyTooLarge ends a body that turns out to be longer than it may be.
var errBodyTooLarge = &http1.Error{Status: http.StatusRequestEntityTooLarge, Text: "the body is longer than it may be"}

// enter takes a place among what may be in progress on the level i. A request for a
// WebSocket takes two, because it is not known yet whether it becomes one.
func (s *Server) enter(ex *exchange, i int) bool {
	b := &ex.bounds[i]
	if ex.websocket && b.rules.WebSockets > 0 && !s.takePlace(ex, i, &b.counted.sockets, heldSocket, "websockets") {
		return false
	}
	return b.rules.InFlight.Most == 0 || s.takePlace(ex, i, &b.counted.inFlight, heldPlace, "in_flight")
}

// becomeSocket gives back the places of a request that has become a WebSocket,
// where those are counted apart.
func (ex *exchange) becomeSocket() {
	const both = heldPlace | heldSocket
	for i, b := range ex.bounds {
		if ex.held[i]&both == both {
			ex.held[i] &^= heldPlace
			b.counted.inFlight.Leave()
		}
	}
}

// takePlace enters the gate of the limit which on the level i. It reports false
// when the exchange is over.
func (s *Server) takePlace(ex *exchange, i int, gate *limit.Gate, takes held, which string) bool {
	ticket, inside := gate.Enter()
	over := false
	if ticket != nil {
		inside, over = s.queue(ex, ticket)
	}
	if inside {
		ex.held[i] |= takes
	}
	switch {
	case over:
		return false
	case !inside:
		return s.refuseFor(ex.at(ex.bounds[i].rules.Name, which), tenancy.TooManyInFlight, inFlightRetry)
	}
	return true
}

// queue waits for the ticket's turn. The exchange is over when its client leaves
// or is cut meanwhile; it may be inside all the same.
func (s *Server) queue(ex *exchange, ticket ticket) (inside, over bool) {
	w, began := ex.watch, time.Now()
	w.attach(waiter{ticket}, unbounded)
	w.waiting(true)
	inside = ticket.Wait()
	w.waiting(false)
	w.detach()
	ex.queued += time.Since(began)
	return inside, s.endedEarly(ex)
}

// ticket is a place in a queue.
type ticket interface {
	Wait() (inside bool)
	Cancel()
}

// waiter is a ticket that a watch can end the wait of.
type waiter struct{ ticket }

// SetDeadline is called with deadlines in the past alone.
func (w waiter) SetDeadline(time.Time) error {
	w.Cancel()
	return nil
}

// at notes which limit of which level refuses.
func (ex *exchange) at(level, limit string) *exchange {
	ex.level, ex.limit = level, limit
	return ex
}

// refuseFor refuses with the usual status of a reason, and false. wait is when to
// come again; 0 for the usual.
func (s *Server) refuseFor(ex *exchange, reason tenancy.Reason, wait time.Duration) bool {
	ex.retry = wait
	s.refuse(ex, reason.Status(), reason)
	return false
}

// leave gives back what the exchange holds.
func (ex *exchange) leave() {
	ex.leaveMeans()
	for i, b := range ex.bounds {
		h := ex.held[i]
		if h&heldClient != 0 {
			b.counted.held.Give(limit.AddressOf(ex.client))
		}
		if h&heldPlace != 0 {
			b.counted.inFlight.Leave()
		}
		if h&heldSocket != 0 {
			b.counted.sockets.Leave()
		}
	}
	ex.bounds = nil
}
