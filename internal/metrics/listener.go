package metrics

import "sync/atomic"

// Listener holds the counters of one address that the gateway accepts on. All
// its methods may be called at the same time; a nil Listener counts nothing.
type Listener struct {
	name string

	accepted        atomic.Uint64
	acceptErrors    atomic.Uint64
	open            atomic.Int64
	handshakes      atomic.Uint64
	handshakeErrors atomic.Uint64
	refusals        [reasonsMax]atomic.Uint64
}

// Accepted counts one accepted connection, which is open until Closed.
func (l *Listener) Accepted() {
	if l != nil {
		l.accepted.Add(1)
		l.open.Add(1)
	}
}

// Closed counts off a connection that Accepted counted.
func (l *Listener) Closed() {
	if l != nil {
		l.open.Add(-1)
	}
}

// AcceptError counts one error of accepting itself.
func (l *Listener) AcceptError() {
	if l != nil {
		l.acceptErrors.Add(1)
	}
}

// Handshake counts one TLS handshake that was completed, or that broke off for
// a cause outside the gateway's rules (a scanner, an old client, a lost line).
func (l *Listener) Handshake(ok bool) {
	switch {
	case l == nil:
	case ok:
		l.handshakes.Add(1)
	default:
		l.handshakeErrors.Add(1)
	}
}

// Refused counts a refusal of a connection, or of a request that names no
// tenant; reason is an index of the table given to New, and one outside of it
// is not counted.
func (l *Listener) Refused(reason uint8) {
	if l != nil && int(reason) < len(l.refusals) {
		l.refusals[reason].Add(1)
	}
}
