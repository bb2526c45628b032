package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// shakeHands completes the TLS handshake of a connection, which may take as
// long as the head of a request. After nil the connection is to be closed.
func (s *Server) shakeHands(c *conn) *tls.Conn {
	c.watch.arm(c.peer.timeouts.Header)
	if !s.takeTurnFor(c, s.processors.hellos, networkOf(c.peer.client), 1, helloCost) {
		s.budget.shaken(c)
		s.refused(c, c.refusal, "")
		return nil
	}
	if !s.preview(c) {
		s.budget.shaken(c)
		s.refused(c, c.refusal, "")
		return nil
	}
	t := tls.Server(c, s.greeting)
	err := t.HandshakeContext(context.Background())
	if err != nil {
		c.forgetEarly() // of which TLS may have left something
	}
	s.budget.shaken(c)
	switch {
	case c.refusal != tenancy.NoReason:
		s.refused(c, c.refusal, t.ConnectionState().ServerName)
	case err != nil:
		c.peer.counts.Handshake(false)
		s.log.Debug("handshake ended early", "client", s.options.LogClient.show(c.peer.client), "late", c.watch.expired(), "error", err)
	case t.ConnectionState().NegotiatedProtocol == tlsconfig.ChallengeProto:
		s.showedProof(c, t)
	default:
		c.watch.disarm()
		c.certificate = nil
		c.peer.counts.Handshake(true)
		return t
	}
	return nil
}

// configFor answers a ClientHello with the TLS policy of the host that it
// names, or with the refusing one. An error ends the handshake before anything is
// computed, and would send internal_error if the connection were not closed.
func (s *Server) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c, now := hello.Conn.(*conn), s.clock.seconds()
	if looksForProof(hello) {
		return s.challengeConfig(c, hello)
	}
	snap := s.snapshot()
	table := snap.table
	v := table.Connect(&tenancy.Hello{
		Client:   c.peer.client,
		Listener: c.peer.listener,
		SNI:      hello.ServerName,
		Now:      now,
	}, nil)
	if v.Action != tenancy.Forward {
		return s.refuseHello(c, v.Reason)
	}
	c.peer.settle(v.Host, hello.ServerName)
	c.admitted.Store(v.Host.Admits(c.peer.client, table.At(now)))
	c.certificate = s.certificates.Load().Find(c.peer.tenantID, c.peer.sni, hello)
	if c.certificate == nil {
		return s.refuseHello(c, tenancy.NoCertificate)
	}
	if t := v.Host.Tenant(); !s.join(c, snap.of(t)) || !s.sign(c, t.ID(), t.Weight()) {
		return nil, errClosed
	}
	return s.policies.Config(c.peer.profile), nil
}

// errClosed ends a handshake whose connection was closed.
var errClosed = errors.New("the connection was closed")

// refuseHello has the handshake end as that with an unknown host does. crypto/tls
// agrees on keys before it looks for a certificate, which costs half of what a
// handshake does: all that are refused take their turns as one party.
func (s *Server) refuseHello(c *conn, why tenancy.Reason) (*tls.Config, error) {
	if !s.sign(c, "", 1) {
		return nil, errClosed
	}
	c.refusal = why
	return s.policies.Refusing(), nil
}

// join counts the connection as its tenant's, unless it is that already. Where
// the tenant has its part of what all share, the connection is closed, and false.
func (s *Server) join(c *conn, tenant *running) bool {
	if c.owner == tenant.party {
		return true
	}
	if s.means.adopt(c, tenant.party) {
		c.owner = tenant.party
		return true
	}
	c.refusal = tenancy.TooManyConnections
	c.sever()
	return false
}

// sign waits until the handshake may compute, for a tenant or for nobody's.
func (s *Server) sign(c *conn, tenant string, weight int) bool {
	return s.takeTurnFor(c, s.processors.fair, tenant, weight, handshakeCost)
}

// takeTurnFor waits for a connection's turn. Where too many wait, those of the
// party with the most for its weight get none: the connection is closed, and
// false.
func (s *Server) takeTurnFor(c *conn, turns *limit.Fair, party string, weight int, cost time.Duration) bool {
	t := s.processors.takeWait(c.peer.timeouts.Header)
	defer s.processors.giveWait(t)
	turns.Enter(&t.turn, party, weight, cost)
	given := t.Wait()
	if !given {
		c.refusal = tenancy.TooManyConnections
		c.sever()
	}
	return given
}

// Whoever has many addresses has them side by side, as a rule: those of one
// network take turns as one.
const (
	networkBits4 = 24
	networkBits6 = 48 // what a site is given (RFC 6177)
)

// networkOf returns the name of a client's network.
func networkOf(a netip.Addr) string {
	a = a.Unmap()
	bits := networkBits4
	if a.Is6() {
		bits = networkBits6
	}
	network, _ := a.Prefix(bits) // of a valid address it is one
	name := network.Addr().As16()
	return string(name[:])
}

// settle notes which host the handshake named.
func (p *peer) settle(h *tenancy.Host, sni string) {
	p.sni = fullName(h, sni)
	p.tenantID = h.Tenant().ID()
	p.profile = h.Profile()
	p.timeouts = h.Timeouts()
	p.limits = h.Limits()
}

// fullName returns the normalised name of a host that a handshake names, in full
// where it lies under a wildcard.
func fullName(h *tenancy.Host, sni string) string {
	if !h.Wildcard() {
		return h.Name()
	}
	name, _ := tenancy.NormalizeHost(make([]byte, 0, tenancy.HostBytesMax), []byte(sni))
	return string(name)
}

// chosenCertificate gives crypto/tls the certificate that configFor has found.
func chosenCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return hello.Conn.(*conn).certificate, nil
}

// tenantOf tells the session tickets whose a name is.
func (s *Server) tenantOf(sni string) (id string, ok bool) {
	host := s.snapshot().table.Lookup(sni)
	if host == nil {
		return "", false
	}
	return host.Tenant().ID(), true
}

// refused counts a connection that is refused before it has carried anything,
// and logs it unless the same address was logged within the last minute.
func (s *Server) refused(c *conn, reason tenancy.Reason, sni string) {
	c.peer.counts.Refused(uint8(reason))
	if !s.refusals.first(c.peer.client, s.clock.now()) {
		return
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, "refused a connection",
		slog.String("listener", c.peer.listener.Name),
		slog.String("client", s.options.LogClient.show(c.peer.client)),
		slog.String("reason", reason.String()),
		slog.String("sni", sni[:min(len(sni), logHostMax)]))
}
