package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is clients that ask without a pause.
type traffic struct {
	stop    chan struct{}
	running sync.WaitGroup
	gets    atomic.Int64
	posts   atomic.Int64
}

// ask has clients of acme send GETs, none of which may fail, and POSTs, which may.
func (w *world) ask(t *testing.T, clients int) *traffic {
	t.Helper()
	l := &traffic{stop: make(chan struct{})}
	for i := range clients {
		c := w.client(t, clientOfAcme)
		l.running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				if n%4 == 0 {
					l.posts.Add(1)
					answer, err := c.Post(w.url("acme.example", fmt.Sprintf("/post-%d-%d", i, n)), "text/plain", strings.NewReader("once"))
					if err == nil {
						_, _ = io.Copy(io.Discard, answer.Body)
						answer.Body.Close()
					}
					continue
				}
				l.gets.Add(1)
				answer, err := c.Get(w.url("acme.example", "/get"))
				if err != nil {
					t.Errorf("GET: %v", err)
					return
				}
				_, err = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if err != nil || answer.StatusCode != http.StatusOK {
					t.Errorf("GET = %d, %v, want 200", answer.StatusCode, err)
				}
			}
		})
	}
	return l
}

func (l *traffic) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.running.Wait()
	t.Logf("%d GETs, %d POSTs", l.gets.Load(), l.posts.Load())
}

// after waits until so many more GETs have begun.
func (l *traffic) after(t *testing.T, n int64) {
	t.Helper()
	until := l.gets.Load() + n
	eventually(t, time.Minute, "requests go on", func() bool { return l.gets.Load() >= until })
}

// TestBackendKilled: of several backends one is killed and comes back, again and
// again, while requests come: no GET fails, and no POST arrives twice.
func TestBackendKilled(t *testing.T) {
	w := newWorld(t)
	other := startNginx(t, "acme")
	w.write(t, "tenants/acme.yaml", acmeText(w.acme.url(), other.url())+"health: {path: /healthz, every: 500ms, rise: 1}\n")
	w.start(t)
	l := w.ask(t, 4)
	for range 3 {
		l.after(t, 300)
		other.kill()
		l.after(t, 300)
		other.restart(t)
	}
	l.after(t, 300)
	l.end(t)
	arrived := make(map[string]int)
	for _, n := range []*nginx{w.acme, other} {
		for _, s := range n.requests(t) {
			if strings.HasPrefix(s.Target, "/post-") {
				arrived[s.Target]++
			}
		}
	}
	for target, n := range arrived {
		if n > 1 {
			t.Errorf("POST %s arrived %d times", target, n)
		}
	}
}

// flapper is a backend that answers, resets what it has read, closes what it
// accepts, and notes what has arrived, in turn.
type flapper struct {
	mu      sync.Mutex
	arrived map[string]int
	turn    int
}

func (f *flapper) serve(c net.Conn) {
	defer c.Close()
	reader := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		f.mu.Lock()
		f.arrived[r.Method+" "+r.URL.Path]++
		f.turn++
		turn := f.turn % 10
		f.mu.Unlock()
		if turn < 4 {
			_ = c.(*net.TCPConn).SetLinger(0)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		if turn == 9 {
			return // without a word that it would
		}
	}
}

// TestFlappingBackend: a backend that resets requests, ends connections at will
// and answers in between costs no GET, and no POST arrives twice.
func TestFlappingBackend(t *testing.T) {
	w := newWorld(t)
	f := &flapper{arrived: make(map[string]int)}
	w.write(t, "tenants/acme.yaml", acmeText(serveTCP(t, f.serve), w.acme.url())+"ejection: {failures: 3, first: 1s}\n")
	w.start(t)
	l := w.ask(t, 4)
	l.after(t, 2000)
	l.end(t)
	f.mu.Lock() // its last connections may still be open
	defer f.mu.Unlock()
	for _, s := range w.acme.requests(t) {
		if strings.HasPrefix(s.Target, "/post-") {
			f.arrived["POST "+s.Target]++
		}
	}
	for what, n := range f.arrived {
		if strings.HasPrefix(what, "POST") && n > 1 {
			t.Errorf("%s arrived %d times", what, n)
		}
	}
}

// serveTCP serves each connection until the test ends, and returns the URL.
func serveTCP(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}

// TestSilentBackendIsEjected: a backend that accepts and says nothing costs as
// many requests as it takes to eject it, and status says why it gets no more.
func TestSilentBackendIsEjected(t *testing.T) {
	t.Parallel() // most of it is waiting
	w := newWorld(t)
	silent := serveTCP(t, func(c net.Conn) {
		defer c.Close()
		_, _ = io.Copy(io.Discard, c)
	})
	w.write(t, "tenants/acme.yaml", acmeText(silent, w.acme.url())+"ejection: 2\ntimeouts: {first_byte: 4s}\n")
	w.start(t)
	c := w.client(t, clientOfAcme)
	late := 0
	for range 20 {
		answer, err := c.Get(w.url("acme.example", "/"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode == http.StatusGatewayTimeout {
			late++
		}
	}
	if late != 2 {
		t.Errorf("%d of 20 requests were 504, want 2", late)
	}
	status := w.gatehouse(t, "status").stdout
	if !strings.Contains(status, "ejected") || !strings.Contains(status, "no answer in time") || !strings.Contains(status, "1 of 2") {
		t.Errorf("status does not say who is out and why:\n%s", status)
	}
}
