package proxy

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"gatehouse/internal/http1"
)

// aheadOf is a connection of the standard data plane whose next request is in the
// library's hands, and not yet in a handler's.
func aheadOf(t *testing.T, c *conn) *standardConn {
	t.Helper()
	sc := &standardConn{Conn: tls.Server(c, &tls.Config{}), conn: c}
	sc.wire.limits = http1.DefaultLimits()
	const head = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
	if n := sc.wire.follow([]byte(head)); n != len(head) || !sc.wire.pending() {
		t.Fatalf("of a good head %d bytes are taken", n)
	}
	c.watch.retarget(sc)
	return sc
}

// TestReadAheadIsNoHead: the library reads ahead before its handler begins. A time
// that runs out then is not answered beside the request.
func TestReadAheadIsNoHead(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		sc := aheadOf(t, c)
		c.watch.rest(time.Second)
		c.watch.wakeUp(time.Second)
		if _, err := sc.Read(make([]byte, 1)); err == nil || !c.watch.expired() {
			t.Errorf("the read ends with %v, want a time-out", err)
		}
		if sc.refused || sc.stopped.Load() {
			t.Error("a request that has come whole is answered as one that has not")
		}
		if !sc.readFailed.Load() {
			t.Error("it is forgotten that nothing more can be read")
		}
	})
}

// TestReadAheadTimesNothing: bytes behind a request that is in the library's hands
// do not start the time of a head.
func TestReadAheadTimesNothing(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		sc := aheadOf(t, c)
		c.watch.rest(time.Hour)
		at := c.watch.clientAt.Load()
		sc.wire.doubtful = []byte("GET")
		if n, err := sc.Read(make([]byte, 3)); n != 3 || err != nil {
			t.Fatalf("read %d bytes, %v", n, err)
		}
		if c.watch.clientAt.Load() != at || c.watch.use.Load() != resting {
			t.Error("what comes behind a request counts as its beginning")
		}
	})
}
