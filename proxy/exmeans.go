package proxy

import (
	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

// takeMeans takes what any request costs. While there is enough, nobody notices;
// when it runs short, the tenant with the most for its weight is refused first.
func (s *Server) takeMeans(ex *exchange) bool {
	ex.party = ex.run.party
	if ex.hold(s.priceOf(ex)) && (!ex.multiplexed() || ex.spawn()) {
		return true
	}
	return s.refuseFor(ex, tenancy.TooManyInFlight, inFlightRetry)
}

// priceOf is what the exchange costs without bodies. Where the library has read
// its head, a large one lies in memory twice: as its fields and as ours. Elsewhere
// it has a buffer, which the connection pays for.
func (s *Server) priceOf(ex *exchange) int {
	if s.standard == nil && !ex.multiplexed() {
		return exchangePrice
	}
	return exchangePrice + max(2*headBytes(ex)-headRoom, 0)
}

// multiplexed reports whether the exchange is one of several on a connection,
// and so has a goroutine of its own.
func (ex *exchange) multiplexed() bool { return ex.watch != &ex.watch.conn.watch }

// hold takes n bytes of memory until the exchange ends, and reports false where
// its tenant has its part. It may be called by any goroutine of the exchange.
func (ex *exchange) hold(n int) bool {
	if ex.party == nil || !ex.s.means.take(ex.party, memory, n) {
		return false
	}
	ex.memory.Add(int64(n))
	return true
}

// spawn takes one goroutine more until the exchange ends.
func (ex *exchange) spawn() bool {
	if ex.party == nil || !ex.s.means.take(ex.party, goroutines, 1) {
		return false
	}
	ex.goroutines++
	return true
}

// takeBody takes what it costs to read the body, before a backend is taken. It
// reports false when the exchange is over: refused.
func (t *trip) takeBody() bool {
	ex := t.ex
	length := ex.body.length()
	if ex.framing == http1.NoBody || length == 0 {
		return true
	}
	taken := false
	switch {
	case !t.holds():
		taken = ex.hold(uploadPrice) && ex.spawn()
	case length <= headRoom:
		taken = true
	default:
		taken = ex.hold(max(int(length), copyRoom)) && ex.spawn()
	}
	if taken && ex.multiplexed() {
		taken = ex.openWindow(length)
	}
	if !taken {
		ex.s.refuseFor(ex, tenancy.TooManyInFlight, inFlightRetry)
	}
	return taken
}

// openWindow takes what a body over HTTP/2 may lie in before we read it.
func (ex *exchange) openWindow(length int64) bool {
	n := streamWindowBytes
	if length > 0 {
		n = int(min(length, streamWindowBytes))
	}
	if !ex.s.means.openWindow(ex.watch.conn, n) {
		return false
	}
	ex.window = n
	return true
}

// drop gives n bytes back.
func (ex *exchange) drop(n int) {
	ex.memory.Add(int64(-n))
	ex.s.means.give(ex.party, memory, n)
}

// keepOnly gives back all memory of the exchange but n bytes.
func (ex *exchange) keepOnly(n int) {
	if ex.party == nil {
		return
	}
	had := int(ex.memory.Swap(int64(n)))
	ex.s.means.give(ex.party, memory, had-n)
}

// leaveMeans gives back all that the exchange holds.
func (ex *exchange) leaveMeans() {
	if ex.party == nil {
		return
	}
	ex.keepOnly(0)
	ex.s.means.give(ex.party, goroutines, ex.goroutines)
	if ex.window > 0 {
		ex.s.means.closeWindow(ex.watch.conn, ex.window)
	}
	ex.party, ex.goroutines, ex.window = nil, 0, 0
}
