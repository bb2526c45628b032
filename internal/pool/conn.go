package pool

import (
	"cmp"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one connection to a backend: to its Read, Write and deadlines it is
// the TLS connection where there is one. It belongs to one request at a time.
type Conn struct {
	net.Conn
	member *Member
	raw    *rawConn  // below TLS
	since  time.Time // when it became idle
}

// Read reads from the backend. io.EOF is an end in order; a stream over TLS that
// ends without a close_notify was cut, by whomever, and is reported as
// io.ErrUnexpectedEOF (RFC 8446 6.1; crypto/tls says io.EOF to both).
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.raw.ended && c.member.backend.tls {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Backend returns the backend that the connection leads to.
func (c *Conn) Backend() *Backend { return c.member.backend }

// Written returns how many bytes have left for the backend since the connection
// was dialled, those of TLS included. While it does not change, the backend
// cannot have seen anything of a request.
func (c *Conn) Written() int64 { return c.raw.written.Load() }

// Keep gives the connection back for the next request. The caller has read the
// answer to its end, knows that end beyond doubt, and holds no byte behind it.
// A connection that has more to say nevertheless, or that finds no room, is
// closed. The caller must not touch it again.
func (c *Conn) Keep() {
	if c.buffered() {
		c.Close()
		return
	}
	c.since = time.Now()
	if !c.member.push(c) {
		c.Close()
	}
}

// Close closes the connection and does not wait: a close_notify that the kernel
// does not take at once stays unsaid. crypto/tls would try for five seconds,
// during which whoever closes the connections of one backend that reads nothing
// would serve nobody else.
func (c *Conn) Close() error {
	c.raw.closing = true
	return c.Conn.Close()
}

// CloseWrite ends the stream towards the backend and leaves the other one.
func (c *Conn) CloseWrite() error {
	if t, ok := c.Conn.(*tls.Conn); ok {
		// The close_notify is followed by a FIN: backends that do not look for
		// the former would wait for ever.
		if err := t.CloseWrite(); err != nil {
			return err
		}
	}
	return c.raw.TCPConn.CloseWrite()
}

// buffered reports whether bytes or an end of stream were read from the socket
// and wait inside TLS. No system call is made.
func (c *Conn) buffered() bool {
	t, ok := c.Conn.(*tls.Conn)
	if !ok {
		return false
	}
	c.raw.pretendEmpty = true
	var one [1]byte
	_, err := t.Read(one[:])
	c.raw.pretendEmpty = false
	return err != error(errEmpty)
}

// quiet reports whether the socket is open and has nothing to be read.
func (c *Conn) quiet() bool { return c.raw.quiet() }

// rawConn is the socket. It can pretend that nothing is there to be read, so
// that TLS can be asked what it holds.
type rawConn struct {
	*net.TCPConn
	pretendEmpty bool         // set and read by the one goroutine that reads
	closing      bool         // set by the goroutine that closes: writes do not wait
	ended        bool         // the socket's stream has ended
	written      atomic.Int64 // bytes that the kernel has taken
	control      syscall.RawConn
	poll         func(fd uintptr) // made once: a closure for each call would be an allocation
	polled       [1]unix.PollFd
	ready        bool
	give         func() // the leave back; nil where none was taken
	closed       sync.Once
}

func newRawConn(t *net.TCPConn) (*rawConn, error) {
	control, err := t.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &rawConn{TCPConn: t, control: control}
	r.poll = r.pollOnce
	return r, nil
}

// Read reads from the socket.
func (r *rawConn) Read(p []byte) (int, error) {
	if r.pretendEmpty {
		return 0, errEmpty
	}
	n, err := r.TCPConn.Read(p)
	if err == io.EOF {
		r.ended = true
	}
	return n, err
}

// Close closes the socket.
func (r *rawConn) Close() error {
	err := r.TCPConn.Close()
	r.closed.Do(func() {
		if r.give != nil {
			r.give()
		}
	})
	return err
}

// Write writes to the socket.
func (r *rawConn) Write(p []byte) (int, error) {
	if r.closing {
		return r.writeAtOnce(p)
	}
	n, err := r.TCPConn.Write(p)
	r.written.Add(int64(n))
	return n, err
}

// writeAtOnce writes what the kernel takes without waiting.
func (r *rawConn) writeAtOnce(p []byte) (n int, err error) {
	closed := r.control.Control(func(fd uintptr) {
		n, err = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
	if n = max(n, 0); n < len(p) {
		return n, cmp.Or(closed, err, io.ErrShortWrite)
	}
	return n, nil
}

func (r *rawConn) quiet() bool {
	r.ready = true
	if err := r.control.Control(r.poll); err != nil {
		return false
	}
	return !r.ready
}

// pollOnce asks the kernel without waiting. Data, an end of stream and a reset
// all count as ready.
func (r *rawConn) pollOnce(fd uintptr) {
	r.polled[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	n, err := unix.Poll(r.polled[:], 0)
	r.ready = n != 0 || err != nil
}

// errEmpty is what a socket says that pretends to be empty. crypto/tls goes on
// after a temporary net.Error and breaks the connection after any other.
var errEmpty = emptyError{}

type emptyError struct{}

func (emptyError) Error() string   { return "pool: nothing is buffered" }
func (emptyError) Timeout() bool   { return true }
func (emptyError) Temporary() bool { return true }
