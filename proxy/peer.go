package proxy

import (
	"net/netip"

	"gatehouse/internal/clientip"
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
	// listener is where the connection was accepted, counts its counters.
	listener *tenancy.Listener
	counts   *metrics.Listener
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
}

// identity is what requests on the connection may name hosts of.
func (p *peer) identity() tenancy.Identity {
	return tenancy.Identity{TenantID: p.tenantID, Profile: p.profile}
}

// perRequest reports whether the client is known only once a request is read.
func (p *peer) perRequest() bool { return p.listener.Mode == clientip.XForwardedFor }
