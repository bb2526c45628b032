package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestTriesAreBounded: a request that may be sent again is, to three backends at
// most, and to none once the time for all tries has passed.
func TestTriesAreBounded(t *testing.T) {
	t.Parallel()
	const connect = 1500 * time.Millisecond
	for name, c := range map[string]struct {
		takes time.Duration // the second backend, until it hangs up
		want  int32
	}{
		"number": {0, 3},
		// The second try begins within twice the connect timeout and takes as
		// much, so that a third one would not.
		"time": {attemptsTime * connect, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var arrived atomic.Int32
			die := func(conn net.Conn) {
				readRequest(conn)
				if arrived.Add(1) == 2 {
					<-time.After(c.takes)
				}
			}
			backends := make([]string, 5)
			for i := range backends {
				backends[i] = serveConns(t, die)
			}
			g := startGateway(t, tenantWith(fmt.Sprintf("timeouts: {connect: %dms}\n", connect.Milliseconds()), backends...), setup{})
			status, _, err := roundTrip(t, g, get11("a.example", "/"))
			if status != http.StatusBadGateway {
				t.Errorf("answered with %d, %v, want 502", status, err)
			}
			if got := arrived.Load(); got != c.want {
				t.Errorf("it arrived %d times, want %d", got, c.want)
			}
		})
	}
}

// TestUploadsAreNotHeld: while a backend takes nothing, a client cannot get rid
// of more than sockets hold.
func TestUploadsAreNotHeld(t *testing.T) {
	t.Parallel()
	const announced, most = 1 << 30, 64 << 20
	for name, framing := range map[string]string{
		"length": fmt.Sprintf("Content-Length: %d\r\n\r\n", announced),
		"chunk":  fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", announced),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stop := make(chan struct{})
			backend := serveConns(t, func(net.Conn) { <-stop })
			defer close(stop)
			g := startGateway(t, tenantWith("limits: {body: off}\n", backend), setup{})
			c := g.dial(t)
			write(t, c, "POST / HTTP/1.1\r\nHost: a.example\r\n"+framing)
			taken, piece := 0, make([]byte, 1<<20)
			for taken < most {
				_ = c.SetWriteDeadline(time.Now().Add(time.Second))
				n, err := c.Write(piece)
				taken += n
				if isTimeout(err) {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Errorf("%d bytes were taken", taken)
		})
	}
}

// TestHTTP2HintsAlone: hints and then the end are no answer.
func TestHTTP2HintsAlone(t *testing.T) {
	t.Parallel()
	backend := serveConns(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
	})
	w := newWorld(t, map[string]string{
		"acme": fmt.Sprintf("hosts: [a.example]\naccess: {public: test}\nbackends: [%q]\n", "http://"+backend),
	})
	if status, _ := w.get(w.client("direct", "127.0.0.1", true), "https://a.example/"); status != http.StatusBadGateway {
		t.Errorf("status %d, want 502", status)
	}
}
