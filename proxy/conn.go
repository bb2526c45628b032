package proxy

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

// conn is one accepted TCP connection. It sits below TLS: it is the net.Conn
// that crypto/tls reads and writes, ClientHelloInfo.Conn and
// (*tls.Conn).NetConn lead back to it.
type conn struct {
	net.Conn // the socket
	server   *Server
	// watch is the connection's time, and the exchange's for HTTP/1.1; each
	// HTTP/2 stream has one of its own.
	watch watch
	// peer is filled step by step until settled is set, and then only read.
	peer    peer
	settled atomic.Bool
	// admitted: the host of the handshake admits the client.
	admitted atomic.Bool
	// draining: the tenant has left the table, and no further request is to
	// come. served: at least one has come.
	// multiplexed: it speaks HTTP/2.
	draining    atomic.Bool
	served      atomic.Bool
	multiplexed atomic.Bool

	socket syscall.RawConn // nil where the connection is not a socket
	early  []byte          // what was read ahead, for Read
	lent   *helloBuffer    // where early lies; nil for memory of its own

	hearing hearing // of the request that comes; written by http1Client alone

	// The following belong to the goroutine of the handshake.
	refusal     tenancy.Reason
	certificate *tls.Certificate

	claims    claims
	estate    estate
	owner     *party          // of the host that the handshake named; nil for nobody
	tenant    *metrics.Tenant // counts the connection since settle; may be nil
	closeOnce sync.Once
	closeErr  error
}

// Read hands out what was read ahead, then what the socket has.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.early) == 0 {
		n, err := c.Conn.Read(p)
		c.watch.pace.read.Add(int64(n))
		if n > 0 && c.hearing.listens && !c.server.hear(c) {
			return 0, net.ErrClosed
		}
		return n, err
	}
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.forgetEarly()
	}
	return n, nil
}

// forgetEarly forgets what was read ahead.
func (c *conn) forgetEarly() {
	if c.early = nil; c.lent != nil {
		c.server.buffers.hellos.Put(c.lent)
		c.lent = nil
	}
}

// Write writes to the socket. Over HTTP/2 the client has the idle time to take
// each piece, which is one TLS record at most; HTTP/1.1 times its writes itself.
func (c *conn) Write(p []byte) (int, error) {
	c.watch.pace.written.Add(int64(len(p)))
	if c.multiplexed.Load() {
		c.watch.sending(c.peer.timeouts.Idle)
		defer c.watch.sent()
	}
	return c.Conn.Write(p)
}

// Close closes the socket and takes the connection off the books. It may be
// called more than once and from several goroutines.
func (c *conn) Close() error {
	c.closeOnce.Do(func() {
		c.watch.close()
		c.closeErr = c.Conn.Close()
		if !c.multiplexed.Load() {
			c.server.forget(c)
			return
		}
		// The library may close on the goroutine that takes what the sweeper
		// says to streams, and the sweeper holds the lock that forget waits for.
		go c.server.forget(c)
	})
	return c.closeErr
}

// mayContinue reports whether the connection may carry one more request after
// the one at hand: not while the server goes down, nor once its tenant has left
// the table. Otherwise the answer says so ("Connection: close").
func (c *conn) mayContinue() bool {
	return !c.draining.Load() && !c.server.announced.Load()
}

// ending reports whether the connection is to close when it rests.
func (c *conn) ending() bool { return c.draining.Load() || c.server.stopping.Load() }

// drain lets the connection finish what it began, within d, and ends it at once
// if that is nothing.
func (c *conn) drain(d time.Duration) {
	c.watch.mu.Lock()
	if !c.draining.Swap(true) {
		c.watch.endAt.Store(c.server.clock.after(d))
	}
	c.watch.mu.Unlock()
	c.watch.release()
}

// undrain takes drain back.
func (c *conn) undrain() {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	if c.draining.Swap(false) {
		c.watch.endAt.Store(0)
	}
}

func (c *conn) wake() { _ = c.SetDeadline(past) }

func (c *conn) unwake() bool { return c.SetDeadline(time.Time{}) == nil }

// sever closes the socket with an RST, so that nothing that still lies in the
// kernel's buffer goes out to someone who is no longer admitted. The goroutine
// that serves the connection cleans up when its next operation ends.
func (c *conn) sever() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// abandon closes the connection in the middle of an answer. What the kernel
// holds for a client that has run out of time is thrown away: up to some
// megabytes would stay there for as long as it answers probes, and count against
// nobody.
func (c *conn) abandon() {
	if c.watch.expired() {
		c.sever()
	}
	_ = c.Close()
}

const (
	// lingerTime is how long a client that is still sending is listened to
	// after its last answer: to close at once would send an RST, and that makes
	// kernels throw away what the client has not read yet (RFC 9112 9.6).
	lingerTime = 5 * time.Second
	// lingerBytes bounds what is read of it meanwhile.
	lingerBytes = 64 << 20
)

// hearOut tells the client that nothing more follows, and reads what it still
// sends into room until it ends, too. The watch must be armed.
func (c *conn) hearOut(room []byte) {
	if tcp, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
	for total := 0; total < lingerBytes; {
		n, err := c.Conn.Read(room)
		if total += n; err != nil {
			return
		}
	}
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
		left = err == nil && n > 0
	})
	return left || err != nil
}

// acked returns how many bytes the client's side has acknowledged, 0 where the
// kernel does not tell. A write that waits is not seen from here otherwise: the
// kernel wakes it only when a large part of its buffer is free.
func (c *conn) acked() int64 {
	if c.socket == nil {
		return 0
	}
	var acked int64
	_ = c.socket.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO); err == nil {
			acked = int64(info.Bytes_acked)
		}
	})
	return acked
}

// linger ends a connection whose client may still be sending: it is told that
// nothing more follows, and heard out for a while. What comes is read into room.
func (c *conn) linger(stream clientStream, room []byte) {
	defer c.Close()
	if c.watch.resume(lingerTime) && stream.CloseWrite() == nil {
		c.hearOut(room)
	}
}
