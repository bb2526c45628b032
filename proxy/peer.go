package proxy

import (
	"net/netip"

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
	// remote is the address of the other end of the socket.
	remote netip.AddrPort
	// listener is where the connection was accepted.
	listener *tenancy.Listener
	// sni is the host of the handshake as the table writes it; a host under a
	// wildcard stands here in full.
	sni string
	// tenantID is the tenant that sni belonged to at the handshake; empty on
	// the plain HTTP listener.
	tenantID string
	// profile is the TLS policy of the handshake.
	profile tlsconfig.Profile
}
