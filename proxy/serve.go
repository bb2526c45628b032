package proxy

import (
	"crypto/tls"
	"runtime/debug"

	"gatehouse/internal/clientip"
	"gatehouse/tenancy"
)

// nextProtoHTTP2 is what ALPN calls HTTP/2 over TLS (RFC 9113 section 3.2).
const nextProtoHTTP2 = "h2"

// serve takes a connection from accept to its protocol. It runs on a goroutine
// of its own and ends when the protocol begins: the handshake has made its
// stack grow, which the long life of an idle connection shall not pay for.
func (s *Server) serve(c *conn) {
	defer s.contain(c)
	if c.peer.listener.Mode == clientip.ProxyProtocol {
		if reason := s.identify(c); reason != tenancy.NoReason {
			s.refuseConn(c, reason)
			return
		}
	}
	if c.peer.listener.Plain {
		s.budget.shaken(c)
		if !s.settle(c) {
			_ = c.Close()
			return
		}
		go s.servePlain(c)
		return
	}
	t := s.shakeHands(c)
	switch {
	case t == nil || !s.settle(c):
		_ = c.Close()
	case t.ConnectionState().NegotiatedProtocol == nextProtoHTTP2:
		go s.serveOver(c, t, s.http2.serve)
	case s.standard != nil:
		s.standard.serve(c, t)
	default:
		s.means.lighten(c, http1Saves)
		go s.serveOver(c, t, s.serveHTTP1)
	}
}

// serveOver serves a protocol over TLS until the connection ends.
func (s *Server) serveOver(c *conn, t *tls.Conn, protocol func(*conn, *tls.Conn)) {
	defer s.contain(c)
	protocol(c, t)
	_ = c.Close()
}

// contain keeps a fault of ours to the connection that it happened on.
func (s *Server) contain(c *conn) {
	fault := recover()
	if fault == nil {
		return
	}
	_ = c.Close()
	s.faulty("a connection met a fault of the gateway and was closed", c, fault)
}

// faulty counts and logs a fault of ours.
func (s *Server) faulty(text string, c *conn, fault any) {
	s.metrics.Panicked()
	s.log.Error(text, "listener", c.peer.listener.Name, "tenant", c.peer.tenantID,
		"fault", fault, "stack", string(debug.Stack()))
}
