package proxy

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conn is one accepted TCP connection. It sits below TLS: it is the net.Conn
// that crypto/tls reads and writes, and (*tls.Conn).NetConn leads back to it.
type conn struct {
	net.Conn // the socket
	server   *Server
	// watch is the connection's time, and the exchange's for HTTP/1.1; each
	// HTTP/2 stream has one of its own.
	watch watch
	// peer is settled step by step until the handshake is done; after that it
	// is only read.
	peer peer

	// early is what arrived behind the PROXY header; Read hands it out first.
	// Only the reading goroutine touches it.
	early []byte
	// socket is nil where the connection is not a socket.
	socket syscall.RawConn
	// lasting says that the connection carries a request or may carry another;
	// see drain.
	draining  atomic.Bool
	closeOnce sync.Once
	closeErr  error
	unclaimed func() // gives back the places in the connection budget
}

// Read hands out what arrived with the PROXY header, then what the socket has.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		if len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close closes the socket and takes the connection off the books. It may be
// called more than once and from several goroutines.
func (c *conn) Close() error {
	c.closeOnce.Do(func() {
		c.closeErr = c.Conn.Close()
		c.server.registry.remove(&c.watch)
		c.unclaimed()
	})
	return c.closeErr
}

// mayContinue reports whether the connection may carry one more request after
// the one at hand: not while the server goes down, nor once its tenant has left
// the table. An answer then says so ("Connection: close").
func (c *conn) mayContinue() bool {
	return !c.draining.Load() && !c.server.announced.Load()
}

func (c *conn) wake() { _ = c.Conn.SetDeadline(past) }

func (c *conn) unwake() bool { return c.Conn.SetDeadline(time.Time{}) == nil }

// sever closes the socket with an RST, so that nothing that still lies in the
// kernel's buffer goes out to someone who is no longer admitted. The goroutine
// that serves the connection cleans up when its next operation ends.
func (c *conn) sever() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// gone looks at the socket for a FIN or RST of the client. A TLS close_notify
// without FIN does not show here: that is a half-close, which is answered.
func (c *conn) gone() bool {
	if c.socket == nil {
		return false
	}
	var left bool
	err := c.socket.Control(func(fd uintptr) {
		polled := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(polled[:], 0)
		left = err == nil && n > 0 && polled[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
	})
	return left || err != nil
}
