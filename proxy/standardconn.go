package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/tenancy"
)

// errStopped is what reading meets once no more is to be read: a time-out, of
// which the library says nothing to the client.
var errStopped = os.ErrDeadlineExceeded

// standardConn is a client's connection as the library sees it. It keeps the
// connection's watch informed, keeps the deadlines of watch and library apart,
// and says in our words what the library refuses by itself.
type standardConn struct {
	*tls.Conn
	conn *conn
	time clientTime
	wire wireCheck

	// inHand: a handler has the request, and what is read or written belongs to
	// it. stopped: nothing more is read. readFailed: the client's stream has
	// ended, in order or not. writeFailed: it takes nothing more.
	inHand, stopped, readFailed, writeFailed atomic.Bool

	// The following belong to the library's goroutine.
	ex        *exchange     // of the request at hand
	keepAlive time.Duration // of the host that was asked last
	refused   bool          // a head was refused outside a handler
	lingers   bool          // the client may still be sending when we close

	mu       sync.Mutex
	woken    bool      // the watch has ended reads and writes
	deadline time.Time // for reads, as the library wants it
}

// rest says that the next request is waited for; if there is to be none, the
// library finds the end of the stream.
func (c *standardConn) rest() {
	c.wire.rest()
	c.readFailed.Store(false)
	c.inHand.Store(false)
	w := &c.conn.watch
	if !w.rest(c.keepAlive) || c.wire.begins() && !w.wakeUp(c.conn.peer.timeouts.Header) {
		c.stopped.Store(true)
	}
}

// begin says that the head of a request has been read. It reports false when
// the connection was told to end before.
func (c *standardConn) begin() bool {
	w := &c.conn.watch
	if c.stopped.Load() || w.use.Load() != inUse && !w.wakeUp(c.conn.peer.timeouts.Header) {
		return false
	}
	w.disarm()
	c.inHand.Store(true)
	return true
}

// Read reads for the library: heads, pieces of bodies, and, while a request
// without a body is in hand, one byte ahead.
func (c *standardConn) Read(p []byte) (int, error) {
	if c.stopped.Load() {
		return 0, errStopped
	}
	// The library begins to read ahead before its handler begins.
	handed := c.inHand.Load() || c.wire.pending()
	n, err := c.read(p)
	if handed {
		if err != nil && err != errStopped {
			c.readFailed.Store(true)
		}
		return n, err
	}
	return c.readHead(n, err)
}

// read reads what our parser has nothing against.
func (c *standardConn) read(p []byte) (n int, err error) {
	if c.wire.ended() {
		return 0, errStopped
	}
	if n = c.wire.again(p); n == 0 {
		n, err = c.Conn.Read(p)
	}
	good := c.wire.follow(p[:n])
	if good == 0 && n > 0 {
		return 0, errStopped
	}
	return good, err
}

// readHead follows the reading of a head: its first byte starts the time for
// the rest, and a time that has run out is answered.
func (c *standardConn) readHead(n int, err error) (int, error) {
	w := &c.conn.watch
	began := w.use.Load() == inUse
	switch {
	case n > 0 && !began && !w.wakeUp(c.conn.peer.timeouts.Header):
		return 0, io.EOF
	case n == 0 && began && w.expired() && w.resume(c.conn.peer.timeouts.Idle):
		c.refuse(http.StatusRequestTimeout, tenancy.TooSlow)
	case n == 0 && err == io.EOF && c.wire.begins():
		// The library would answer a head that the client has given up.
		_ = c.conn.Close()
		return 0, errStopped
	case c.refuseNext():
		return 0, errStopped
	}
	return n, err
}

// refuseNext refuses the head that the library reads now, unless our parser has
// nothing against it.
func (c *standardConn) refuseNext() bool {
	refusal := c.wire.next()
	if refusal == nil {
		return false
	}
	if !c.refused {
		c.refuse(refusal.Status, malformedReason(refusal))
	}
	return true
}

// Write writes for the library. What it says while no handler has the request
// is its refusal of a head.
func (c *standardConn) Write(p []byte) (int, error) {
	if c.inHand.Load() {
		return c.send(p)
	}
	if !c.refuseNext() && !c.refused {
		c.refuse(refusalStatus(p), tenancy.BadRequest)
	}
	return len(p), nil
}

// refusalStatus returns our status for a refusal of the library.
func refusalStatus(answer []byte) int {
	const before = len("HTTP/1.1 ")
	if len(answer) < before+3 {
		return http.StatusBadRequest
	}
	switch status, _ := strconv.Atoi(string(answer[before : before+3])); status {
	case http.StatusRequestHeaderFieldsTooLarge, http.StatusExpectationFailed:
		return status
	}
	return http.StatusBadRequest
}

// refuse answers a head that did not become a request.
func (c *standardConn) refuse(status int, reason tenancy.Reason) {
	c.refused, c.lingers = true, true
	c.stopped.Store(true)
	s := c.conn.server
	ex := s.takeExchange()
	defer s.giveExchange(ex)
	ex.peer, ex.client, ex.watch = &c.conn.peer, c.conn.peer.client, &c.conn.watch
	ex.proto = "HTTP/1.1"
	ex.begin()
	ex.watch.disarm()
	ex.status, ex.reason = status, reason
	page := appendPage(nil, &answerPage{status: status, ref: ex.ref[:], unix: s.clock.seconds(), close: true})
	if _, err := c.send(page); err == nil {
		_, p := pageOf(status)
		ex.bytesOut = int64(p.length())
	}
	s.finish(ex)
}

// send writes in pieces of one TLS record; the client has the idle time to take
// each.
func (c *standardConn) send(p []byte) (sent int, err error) {
	for len(p) > 0 && err == nil {
		var n int
		c.time.begin(c.idle())
		n, err = c.Conn.Write(p[:min(len(p), headRoom)])
		c.time.end()
		sent, p = sent+n, p[n:]
	}
	if err != nil {
		c.writeFailed.Store(true)
	}
	return sent, err
}

func (c *standardConn) idle() time.Duration {
	if c.ex != nil {
		return c.ex.idle
	}
	return c.conn.peer.timeouts.Idle
}

// failed reports whether the client takes no more of its answer.
func (c *standardConn) failed() error {
	if c.writeFailed.Load() {
		return errClient
	}
	return nil
}

// stop ends a read in progress and those to come.
func (c *standardConn) stop() {
	c.stopped.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetReadDeadline(past)
}

// Close ends the connection in order. A client that may still be sending is
// heard out before.
func (c *standardConn) Close() error {
	if c.writeFailed.Load() {
		c.conn.abandon()
		return nil
	}
	if c.lingers {
		c.lingers = false
		room := c.conn.server.buffers.takeHead()
		c.conn.linger(c.Conn, room[:])
		c.conn.server.buffers.heads.Put(room)
		return nil
	}
	return errors.Join(c.Conn.Close(), c.conn.Close())
}

// SetDeadline sets the library's deadline for reads. It has none for writes
// but that of the watch.
func (c *standardConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline sets the library's deadline, which holds unless the watch has
// ended everything. The library ends a read in progress or takes that back.
func (c *standardConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if t.IsZero() && (c.woken || c.stopped.Load()) {
		return nil
	}
	return c.conn.SetReadDeadline(t)
}

// SetWriteDeadline does nothing: the watch has the times of writes.
func (c *standardConn) SetWriteDeadline(time.Time) error { return nil }

func (c *standardConn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = true
	c.conn.wake()
}

func (c *standardConn) unwake() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = false
	return c.conn.unwake() && c.conn.SetReadDeadline(c.deadline) == nil
}

func (c *standardConn) gone() bool { return c.conn.gone() }

func (c *standardConn) sever() { c.conn.sever() }
