package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"gatehouse/internal/clientip"
	"gatehouse/internal/limit"
	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

const (
	// acceptPauseMin and acceptPauseMax bound the pause after an error of
	// accepting. Without it a process that has run out of file descriptors
	// spins; a second is short enough to be there when some are free again.
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Listener is an open socket and the rules for what is accepted on it.
type Listener struct {
	Rules  *tenancy.Listener
	Socket net.Listener
}

// Listen opens the socket of a listener of the table.
func Listen(ctx context.Context, rules *tenancy.Listener) (Listener, error) {
	var config net.ListenConfig
	// Go would ask for Multipath TCP; plain sockets are faster, and some
	// middleboxes drop the other kind.
	config.SetMultipathTCP(false)
	socket, err := config.Listen(ctx, "tcp", rules.Address)
	if err != nil {
		return Listener{}, fmt.Errorf("listen on %q: %w", rules.Name, cause(err))
	}
	return Listener{Rules: rules, Socket: socket}, nil
}

// cause returns what the system said, without the address that the caller names.
func cause(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// acceptsAtOnce is how many connections are taken in a row, a millisecond's work,
// before the network is asked who else is ready.
const acceptsAtOnce = 32

// accept takes connections until the listener is closed.
func (s *Server) accept(l Listener) {
	counts, handshakes := s.metrics.Listener(l.Rules.Name), s.shaker(l.Rules.Name)
	b, err := newBell()
	if err == nil {
		defer b.close()
	}
	pause, n := time.Duration(0), 0
	for {
		socket, err := l.Socket.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(socket, l.Rules, counts, handshakes)
			if n++; n%acceptsAtOnce == 0 && b != nil {
				b.ring()
			}
		case errors.Is(err, net.ErrClosed):
			return
		default:
			counts.AcceptError()
			if pause == 0 {
				s.log.Error("accepting connections meets an error; trying again", "listener", l.Rules.Name, "error", err)
			}
			pause = min(max(2*pause, acceptPauseMin), acceptPauseMax)
			if !s.waitUnlessStopped(pause) {
				return
			}
		}
	}
}

// waitUnlessStopped waits for d and reports whether the server still runs then.
func (s *Server) waitUnlessStopped(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.lifetime.stop:
		return false
	}
}

// admit takes a connection on the books, or closes it before a byte is read: a
// flood of refused ones costs no goroutine. Where the client is known from the
// socket, the block list and the client's budget are asked here.
func (s *Server) admit(socket net.Conn, rules *tenancy.Listener, counts *metrics.Listener, handshakes *limit.Keyed) {
	remote, table := remoteOf(socket), s.snapshot().table
	c := s.newConn(socket, peer{
		client: remote.Addr(), remote: remote, listener: rules, counts: counts, handshakes: handshakes,
		timeouts: table.Timeouts(), limits: table.Limits(),
	})
	if reason := s.judgeAddress(c); reason != tenancy.NoReason {
		s.refuseConn(c, reason)
		return
	}
	if !s.means.enrol(c) || !s.budget.claim(c) {
		s.refuseConn(c, tenancy.TooManyConnections)
		return
	}
	go s.serve(c)
}

// judgeAddress asks what can be asked about a connection that has not said
// anything yet.
func (s *Server) judgeAddress(c *conn) tenancy.Reason {
	if c.peer.listener.Mode == clientip.Direct {
		return s.judgeClient(c)
	}
	if !c.peer.believed(s.snapshot().table, s.clock.seconds()) {
		return tenancy.ProxyHeader
	}
	return tenancy.NoReason
}

// judgeClient asks the block list and the budget about the client, once its
// address is known.
func (s *Server) judgeClient(c *conn) tenancy.Reason {
	table := s.snapshot().table
	v := table.Admit(c.peer.client, s.clock.seconds(), nil)
	if v.Action != tenancy.Forward {
		return v.Reason
	}
	rules := c.peer.rules(table)
	most := rules.Connections
	if most == 0 {
		most = connectionsPerClientMax
	}
	if !s.mayShake(c, rules.Handshakes) || !s.budget.claimClient(c, most, s.means.room(c.peer.listener.Plain)) {
		return tenancy.TooManyConnections
	}
	return tenancy.NoReason
}

// mayShake reports whether the client may begin a handshake. A connection is one:
// whoever opens it and says nothing has had its turn.
func (s *Server) mayShake(c *conn, q limit.Quota) bool {
	if q.Burst == 0 {
		return true
	}
	return c.peer.handshakes.Take(limit.AddressOf(c.peer.client), s.clock.at(time.Now()), q) == 0
}

// newConn takes a socket on the books: in the registry, and among those that
// Serve waits for.
func (s *Server) newConn(socket net.Conn, p peer) *conn {
	c := &conn{Conn: socket, server: s, peer: p}
	c.watch.clock, c.watch.conn, c.watch.target = s.clock, c, c
	if sc, ok := socket.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.socket = raw
		}
	}
	c.peer.counts.Accepted()
	s.lifetime.open.add()
	s.registry.add(&c.watch)
	return c
}

// forget takes a closed connection off the books.
func (s *Server) forget(c *conn) {
	s.registry.remove(&c.watch)
	s.budget.unclaim(c)
	s.means.leave(c)
	c.peer.counts.Closed()
	c.tenant.Connection(-1)
	s.lifetime.open.done()
}

// refuseConn closes a connection without an answer. The RST leaves no socket
// behind in TIME_WAIT.
func (s *Server) refuseConn(c *conn, reason tenancy.Reason) {
	s.refused(c, reason, "")
	c.sever()
	_ = c.Close()
}

// remoteOf returns the address of the other end.
func remoteOf(socket net.Conn) netip.AddrPort {
	tcp, ok := socket.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	remote := tcp.AddrPort()
	return netip.AddrPortFrom(remote.Addr().Unmap().WithZone(""), remote.Port())
}
