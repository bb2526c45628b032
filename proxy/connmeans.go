package proxy

import "sync"

// estate is what a connection holds of the means, and of which party's.
type estate struct {
	mu      sync.Mutex
	party   *party // nil: holds nothing, and is to hold nothing any more
	held    amounts
	windows int // what its streams' clients may send ahead
}

// The prices of a connection. Until its protocol is known it counts as the
// dearer one, so that nothing has to be taken when there is no way to refuse.
var (
	freshConn = amounts{memory: connPrice, goroutines: 2, connections: 1}
	// http1Saves is what HTTP/1.1 of our own does without.
	http1Saves = amounts{memory: connPrice - restPrice, goroutines: 1}
)

// enrol takes what a connection that was just accepted costs.
func (m *means) enrol(c *conn) bool {
	p := m.beginners(c.peer.listener.Plain)
	if !m.takeAll(p, freshConn) {
		return false
	}
	c.estate.mu.Lock()
	defer c.estate.mu.Unlock()
	c.estate.party, c.estate.held = p, freshConn
	return true
}

// adopt makes a connection the tenant's whose host its handshake names. Where the
// tenant has its part, the connection holds nothing any more and is to be closed:
// false.
func (m *means) adopt(c *conn, tenant *party) bool {
	e := &c.estate
	e.mu.Lock()
	defer e.mu.Unlock()
	from := e.party
	if e.party = nil; from == nil || !m.moveAll(from, tenant, e.held) {
		return false
	}
	e.party = tenant
	return true
}

// lighten gives back what the connection does without from now on.
func (m *means) lighten(c *conn, saved amounts) {
	e := &c.estate
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.party == nil {
		return
	}
	m.giveAll(e.party, saved)
	for k := range kinds {
		e.held[k] -= saved[k]
	}
}

// leave gives back all that a connection holds.
func (m *means) leave(c *conn) {
	e := &c.estate
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.party != nil {
		m.giveAll(e.party, e.held)
		e.party = nil
	}
}

// openWindow takes the memory for what the client of a stream may send ahead of
// its backend: n bytes, but for all streams of the connection no more than the
// connection's own window.
func (m *means) openWindow(c *conn, n int) bool {
	e := &c.estate
	e.mu.Lock()
	defer e.mu.Unlock()
	more := min(e.windows+n, connWindowBytes) - min(e.windows, connWindowBytes)
	if e.party == nil || !m.take(e.party, memory, more) {
		return false
	}
	e.windows += n
	e.held[memory] += more
	return true
}

// closeWindow takes openWindow back.
func (m *means) closeWindow(c *conn, n int) {
	e := &c.estate
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.party == nil {
		return
	}
	e.windows -= n
	less := min(e.windows+n, connWindowBytes) - min(e.windows, connWindowBytes)
	m.give(e.party, memory, less)
	e.held[memory] -= less
}

// borrow takes memory for a head of the connection's, and lend gives it back.
func (m *means) borrow(c *conn, n int) bool {
	e := &c.estate
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.party == nil || !m.take(e.party, memory, n) {
		return false
	}
	e.held[memory] += n
	return true
}

func (m *means) repay(c *conn, n int) {
	if n > 0 {
		m.lighten(c, amounts{memory: n})
	}
}
