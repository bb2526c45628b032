package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A crowd is the connections of clients that mean no good. They stay open until
// it goes home.
type crowd struct {
	mu    sync.Mutex
	conns []net.Conn
}

// crowders is how many of a crowd come at a time.
const crowders = 50

// newCrowd returns one that goes home when the test ends.
func newCrowd(t *testing.T) *crowd {
	c := new(crowd)
	t.Cleanup(c.home)
	return c
}

// come has n of them come by means of one.
func (c *crowd) come(n int, one func(i int) net.Conn) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range crowders {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if conn := one(int(i)); conn != nil {
					c.mu.Lock()
					c.conns = append(c.conns, conn)
					c.mu.Unlock()
				}
			}
		})
	}
	all.Wait()
}

// home closes what is open.
func (c *crowd) home() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// stay returns how many have not been turned away by now: whoever has been, reads
// an end.
func (c *crowd) stay() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			n++
		}
	}
	return n
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// knock connects and says nothing.
func (w *world) knock(from string) net.Conn {
	c, err := dialer(from).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.https))
	if err != nil {
		return nil // turned away at once
	}
	return c
}

// tell connects to a host, sends a text and goes on with neither reading nor
// writing. Whoever is turned away has no connection.
func (w *world) tell(t *testing.T, from, host, text string) net.Conn {
	raw := w.knock(from)
	if raw == nil {
		return nil
	}
	_ = raw.(*net.TCPConn).SetReadBuffer(4 << 10)
	c, err := w.secure(t, raw, host)
	if err != nil {
		return nil
	}
	if _, err := io.WriteString(c, text); err != nil {
		c.Close()
		return nil
	}
	return c
}

// A bulk is a backend that takes bodies of any length, answers GETs of /large
// with more than any buffer holds, and those of /slow when it is told to.
type bulk struct {
	*httptest.Server
	proceed chan struct{}
	once    sync.Once
}

// bulkAnswer is more than what all buffers on the way hold.
const bulkAnswer = 64 << 20

func newBulk(t *testing.T) *bulk {
	b := &bulk{proceed: make(chan struct{})}
	piece := make([]byte, 64<<10)
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/slow":
			select {
			case <-b.proceed:
			case <-r.Context().Done():
			}
		case r.Method != http.MethodGet:
			_, _ = io.Copy(io.Discard, r.Body)
		case strings.HasSuffix(r.URL.Path, "/large"):
			for range bulkAnswer / len(piece) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(func() {
		b.release()
		b.CloseClientConnections()
		b.Close()
	})
	return b
}

// release has it answer what is slow.
func (b *bulk) release() { b.once.Do(func() { close(b.proceed) }) }
