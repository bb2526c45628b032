package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// corpusBackend is the backend of one case. It reads requests as net/http does,
// so that what a second parser takes for a request is answered as one, and
// keeps every byte that comes.
type corpusBackend struct {
	listener *net.TCPListener
	early    int // bytes after which an early answer is given
	running  sync.WaitGroup

	mu      sync.Mutex
	answers []corpusAnswer // those to come
	conns   []*corpusConn
}

// corpusConn is a connection that remembers what it receives. Only Read may read
// from the socket: *net.TCPConn has a WriteTo that io.Copy would use instead.
type corpusConn struct {
	net.Conn
	received bytes.Buffer
	ended    chan struct{} // closed when the gateway has ended it; received is read after that
}

func (c *corpusConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.received.Write(p[:n])
	return n, err
}

// lastCaller is where the call comes from that ends a backend: connections are
// accepted in the order in which they were made, so none is missed.
const lastCaller = "127.0.0.2"

func listenCorpus(t *testing.T, c *corpusCase) *corpusBackend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &corpusBackend{listener: l.(*net.TCPListener), answers: c.answers}
	if len(c.backend) > 0 {
		b.early = len(c.backend[0])
	}
	b.running.Go(b.accept)
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for _, c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
		b.running.Wait()
	})
	return b
}

func (b *corpusBackend) addr() string { return b.listener.Addr().String() }

func (b *corpusBackend) accept() {
	for {
		tcp, err := b.listener.AcceptTCP()
		if err != nil {
			return
		}
		if strings.HasPrefix(tcp.RemoteAddr().String(), lastCaller+":") {
			tcp.Close()
			return
		}
		c := &corpusConn{Conn: tcp, ended: make(chan struct{})}
		b.mu.Lock()
		b.conns = append(b.conns, c)
		b.mu.Unlock()
		b.running.Go(func() { b.serve(c) })
	}
}

// serve answers requests until there is none, and reads to the end.
func (b *corpusBackend) serve(c *corpusConn) {
	defer close(c.ended)
	defer c.Close()
	requests := bufio.NewReader(c)
	for b.answer(c, requests) {
	}
	_, _ = io.Copy(io.Discard, requests)
}

// answer answers one request. It reports whether another one may follow.
func (b *corpusBackend) answer(c *corpusConn, requests *bufio.Reader) bool {
	r, err := http.ReadRequest(requests)
	if err != nil {
		return false
	}
	a := b.next()
	if a.early {
		piece := make([]byte, 512)
		for c.received.Len() < b.early && err == nil {
			_, err = r.Body.Read(piece)
		}
	} else {
		if r.Header.Get("Expect") != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil && err != io.EOF {
		return false
	}
	_, _ = io.WriteString(c, a.text)
	switch a.end {
	case "fin":
		_ = c.Conn.(*net.TCPConn).CloseWrite()
	case "rst":
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	if a.early || a.end != "" || strings.HasPrefix(a.text, "HTTP/1.1 101") {
		return false
	}
	return true
}

// next returns the answer whose turn it is.
func (b *corpusBackend) next() corpusAnswer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.answers) == 0 {
		return corpusAnswer{text: "HTTP/1.1 204 No Content\r\n\r\n"}
	}
	a := b.answers[0]
	b.answers = b.answers[1:]
	return a
}

// conn returns the n-th connection, which must have come by now.
func (b *corpusBackend) conn(t *testing.T, n int) *corpusConn {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= len(b.conns) {
		t.Fatalf("the backend was connected to %d times only", len(b.conns))
	}
	return b.conns[n]
}

// asked reports whether there has been a connection.
func (b *corpusBackend) asked() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns) > 0
}

// endOf waits until the gateway has ended a connection.
func endOf(t *testing.T, c *corpusConn) string {
	t.Helper()
	select {
	case <-c.ended:
		return c.received.String()
	case <-time.After(patience):
		t.Fatal("the backend's connection does not end")
		return ""
	}
}

// all returns what has come on each connection, once all have ended. The
// gateway must make none any more.
func (b *corpusBackend) all(t *testing.T) []string {
	t.Helper()
	last, err := from(lastCaller).Dial("tcp", b.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	_, _ = last.Read(make([]byte, 1)) // it is closed when all others are known
	b.mu.Lock()
	conns := b.conns
	b.mu.Unlock()
	var received []string
	for _, c := range conns {
		received = append(received, endOf(t, c))
	}
	return received
}
