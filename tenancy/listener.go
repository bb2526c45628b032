package tenancy

import (
	"net/netip"

	"gatehouse/internal/clientip"
	"gatehouse/ipallow"
)

// Listener is an address that connections are accepted on, and how the address
// of a client is known there. It is immutable once compiled; two listeners are
// compared by Address.
type Listener struct {
	Name    string        // the address as written: its label in logs and metrics
	Address string        // host:port as net.Listen takes it; the host may be empty
	Mode    clientip.Mode // how client addresses are known
	Trust   *ipallow.List // the peers that are believed, unless Mode is Direct
	Plain   bool          // plain HTTP: redirects and ACME challenges only

	port uint16
	host netip.Addr // invalid: every address of the machine
}

// Port returns the port that is listened on; 0 asks the system for one.
func (l *Listener) Port() uint16 { return l.port }

// perRequest reports whether the client is known only once the head of a
// request is read, so that every gate about addresses runs for each request.
func (l *Listener) perRequest() bool {
	return l != nil && l.Mode == clientip.XForwardedFor
}
