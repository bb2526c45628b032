package proxy

import (
	"gatehouse/internal/wire"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// preview looks whose host a connection wants before TLS does, and makes it that
// tenant's: one whose tenant has its part of what all share is closed before
// TLS allocates or computes anything. It reports false where that was done. Everything
// else, what it does not understand included, is left to TLS, which reads the same
// bytes again.
func (s *Server) preview(c *conn) bool {
	if len(c.early) > wire.HelloBytesMax {
		return true
	}
	buf := s.buffers.takeHello()
	n := copy(buf[:], c.early)
	h, more, ok := wire.PeekHello(buf[:n])
	for more && n < len(buf) {
		got, err := c.Conn.Read(buf[n:])
		if n += got; err != nil {
			break // it comes again
		}
		h, more, ok = wire.PeekHello(buf[:n])
	}
	c.early, c.lent = buf[:n], buf
	if ok && !h.Offers(tlsconfig.ChallengeProto) && !s.joinHost(c, string(h.Name)) {
		c.forgetEarly()
		return false
	}
	if n == 0 {
		c.forgetEarly()
	}
	return true
}

// joinHost counts the connection as the tenant's whose host it names. Where that
// has no certificate yet, TLS is to say so: as if there were no such host.
func (s *Server) joinHost(c *conn, name string) bool {
	snap := s.snapshot()
	v := snap.table.Connect(&tenancy.Hello{
		Client:   c.peer.client,
		Listener: c.peer.listener,
		SNI:      name,
		Now:      s.clock.seconds(),
	}, nil)
	if v.Action != tenancy.Forward {
		return true
	}
	t := v.Host.Tenant()
	return s.certificates.Load().Find(t.ID(), fullName(v.Host, name), nil) == nil || s.join(c, snap.of(t))
}
