package proxy

import (
	"cmp"
	"net/netip"

	"gatehouse/internal/clientip"
	"gatehouse/internal/limit"
	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// peer is the identity of a client connection: who calls, where, and what the
// handshake settled. It holds the tenant's id, never a table, so that an idle
// connection keeps no old table alive. It does not change after the handshake.
type peer struct {
	// client is the client's address: the socket's, or the one of the PROXY
	// header; unmapped. On an x_forwarded_for listener it is the proxy's, and
	// each request has its own.
	client netip.Addr
	// remote is the other end of the socket.
	remote netip.AddrPort
	// listener is where the connection was accepted, as it was written then;
	// rules has whom it believes now. counts are its counters.
	listener *tenancy.Listener
	counts   *metrics.Listener
	// handshakes are those that clients of the listener have begun lately.
	handshakes *limit.Keyed
	// sni is the normalised host of the handshake; a host under a wildcard
	// stands here in full.
	sni string
	// tenantID is the tenant that sni belonged to at the handshake; empty on a
	// plain HTTP listener.
	tenantID string
	// profile is the TLS policy of the handshake.
	profile tlsconfig.Profile
	// timeouts hold where no route is known.
	timeouts tenancy.Timeouts
	// limits hold for what is read before a route is known: those of the host
	// of the handshake, until then and on plain HTTP the table's.
	limits *tenancy.Limits
}

// identity is what requests on the connection may name hosts of.
func (p *peer) identity() tenancy.Identity {
	return tenancy.Identity{TenantID: p.tenantID, Profile: p.profile}
}

// rules is the listener as a table has it. One that has left the table stays
// open until the process ends, and keeps to what it was opened with.
func (p *peer) rules(t *tenancy.Table) *tenancy.Listener {
	return cmp.Or(t.Listener(p.listener), p.listener)
}

// believed reports whether a table lets the other end of the socket say who the
// client is. Where clients connect directly, nobody has to.
func (p *peer) believed(t *tenancy.Table, now int64) bool {
	return p.listener.Mode == clientip.Direct || p.rules(t).Trust.Contains(p.remote.Addr(), now)
}

// perRequest reports whether the client is known only once a request is read.
func (p *peer) perRequest() bool { return p.listener.Mode == clientip.XForwardedFor }
