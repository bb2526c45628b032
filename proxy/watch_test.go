package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/tenancy"
)

// watched connections of these tests are pipes in a bubble: its clock stands
// still until everybody waits.

// bubble runs f with a server whose sweeper runs, and one connection of it.
func bubble(t *testing.T, f func(s *Server, c *conn, client net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Drain: 10 * time.Second})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.sweeper(ctx) })
		near, client := net.Pipe()
		c := s.newConn(near, peer{listener: &tenancy.Listener{}})
		f(s, c, client)
		_ = client.Close()
		_ = c.Close()
		stop()
		running.Wait()
		select {
		case <-s.lifetime.open.none():
		default:
			t.Error("a closed connection is still on the books")
		}
	})
}

// within fails unless d lies between least and three ticks more.
func within(t *testing.T, what string, d, least time.Duration) {
	t.Helper()
	if d < least || d > least+3*tick {
		t.Errorf("%s took %v, want %v and at most three ticks more", what, d, least)
	}
}

func TestWatchExpires(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, client net.Conn) {
		began := time.Now()
		c.watch.arm(2 * time.Second)
		_, err := c.Read(make([]byte, 1))
		within(t, "the read", time.Since(began), 2*time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.watch.expired() {
			t.Errorf("Read = %v, expired %v; want a time-out", err, c.watch.expired())
		}
		c.watch.arm(time.Hour)
		if !c.watch.expired() {
			t.Error("arm takes an expiry back")
		}
		if !c.watch.resume(time.Second) || c.watch.expired() {
			t.Fatal("resume does not take the expiry back")
		}
		go func() { _, _ = client.Read(make([]byte, 1)) }()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Errorf("Write after resume: %v", err)
		}
		began = time.Now()
		_, err = c.Write([]byte("y"))
		within(t, "the write", time.Since(began), time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v, want a time-out", err)
		}
	})
}

// TestWatchHeadIsAbsolute: bytes that drip in do not extend the time of a head.
func TestWatchHeadIsAbsolute(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, client net.Conn) {
		var dripping sync.WaitGroup
		defer dripping.Wait()
		defer client.Close()
		dripping.Go(func() {
			for {
				if _, err := client.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(300 * time.Millisecond)
			}
		})
		if !c.watch.rest(time.Minute) || !c.watch.wakeUp(2*time.Second) {
			t.Fatal("the connection may not begin")
		}
		began := time.Now()
		for {
			if _, err := c.Read(make([]byte, 1)); err != nil {
				break
			}
		}
		within(t, "the head", time.Since(began), 2*time.Second)
	})
}

func TestWatchDisarm(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, client net.Conn) {
		c.watch.arm(time.Second)
		c.watch.disarm()
		go func() {
			time.Sleep(time.Minute)
			_, _ = client.Write([]byte("x"))
		}()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Errorf("Read = %v", err)
		}
	})
}

func TestWatchBackend(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		backend, far := net.Pipe()
		defer far.Close()
		defer backend.Close()
		c.watch.attach(backend, time.Second)
		c.watch.touch(3 * time.Second)
		began := time.Now()
		_, err := backend.Read(make([]byte, 1))
		within(t, "the read", time.Since(began), 3*time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !c.watch.backendExpired() {
			t.Errorf("Read = %v, backendExpired %v; want a time-out", err, c.watch.backendExpired())
		}
		if c.watch.expired() || c.watch.aborted() || c.watch.cut() {
			t.Error("the client's side is blamed for the backend's")
		}
		if c.watch.detach() {
			t.Error("detach calls a woken connection untouched")
		}
		c.watch.attach(backend, time.Minute)
		if c.watch.backendExpired() || !c.watch.detach() {
			t.Error("another attach does not begin anew")
		}
	})
}

// left is a client that may have gone, for the watch of a waiting exchange.
type left struct {
	*conn
	isGone bool
}

func (l *left) gone() bool { return l.isGone }

func TestWatchAbort(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		client := &left{conn: c}
		c.watch.target = client
		backend, far := net.Pipe()
		defer far.Close()
		defer backend.Close()
		client.isGone = true
		time.Sleep(2 * time.Second)
		if c.watch.aborted() {
			t.Fatal("a client is looked for while nobody waits")
		}
		c.watch.attach(backend, time.Minute)
		c.watch.waiting(true)
		began := time.Now()
		_, err := backend.Read(make([]byte, 1))
		if time.Since(began) > time.Second || err == nil {
			t.Errorf("the wait ended after %v with %v, want an error within a second", time.Since(began), err)
		}
		if !c.watch.aborted() || c.watch.detach() {
			t.Error("the abort is not known, or the backend connection counts as untouched")
		}
		again, farther := net.Pipe()
		defer farther.Close()
		defer again.Close()
		c.watch.attach(again, time.Minute)
		if _, err := again.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection attached after the abort reads %v, want a time-out", err)
		}
	})
}

func TestWatchCutAll(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, client net.Conn) {
		backend, far := net.Pipe()
		defer far.Close()
		defer backend.Close()
		c.watch.attach(backend, time.Minute)
		c.watch.cutAll(tenancy.IPNotAllowed)
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Error("the client's connection is open after the cut")
		}
		if _, err := backend.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the backend's connection reads %v, want a time-out", err)
		}
		if !c.watch.cut() || c.watch.resume(time.Second) {
			t.Error("a cut connection can be resumed")
		}
	})
}

func TestWatchCutRequest(t *testing.T) {
	for _, waits := range []bool{true, false} {
		bubble(t, func(_ *Server, c *conn, _ net.Conn) {
			c.watch.begin(judged{path: []byte("/")})
			c.watch.waiting(waits)
			c.watch.mu.Lock()
			c.watch.cutRequest(tenancy.IPNotAllowed)
			c.watch.mu.Unlock()
			if !c.watch.cut() || !c.watch.backendExpired() {
				t.Error("the request is not cut")
			}
			c.watch.arm(time.Second)
			began := time.Now()
			_, _ = c.Read(make([]byte, 1))
			if woken := time.Since(began) == 0; woken == waits {
				t.Errorf("waiting %v: the client's side was woken: %v", waits, woken)
			}
			c.watch.end()
			if c.watch.cut() {
				t.Error("the cut outlives its request")
			}
		})
	}
}

func TestWatchTotal(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		c.watch.begin(judged{path: []byte("/")})
		c.watch.waiting(true)
		backend, far := net.Pipe()
		defer far.Close()
		defer backend.Close()
		c.watch.attach(backend, time.Minute)
		c.watch.totalAt.Store(c.watch.clock.after(2 * time.Second))
		began := time.Now()
		_, _ = backend.Read(make([]byte, 1))
		within(t, "the wait", time.Since(began), 2*time.Second)
		if !c.watch.overdue() || c.watch.whyCut() != tenancy.TotalTimeout || !c.watch.resume(time.Second) {
			t.Error("the request is not overdue, or its client cannot be told")
		}
		c.watch.end()
		c.watch.begin(judged{path: []byte("/")})
		c.watch.totalAt.Store(c.watch.clock.after(time.Second))
		c.watch.end()
		time.Sleep(time.Minute)
		if c.watch.cut() {
			t.Error("the time of a request that has ended cuts the connection")
		}
	})
}

// TestRestAndRelease: idle connections end, busy ones go on until they rest.
func TestRestAndRelease(t *testing.T) {
	bubble(t, func(s *Server, c *conn, client net.Conn) {
		if !c.watch.rest(time.Minute) || !c.watch.wakeUp(time.Minute) {
			t.Fatal("a connection of a running server may not rest")
		}
		s.stopping.Store(true)
		c.watch.release()
		c.watch.arm(time.Second)
		began := time.Now()
		_, _ = c.Read(make([]byte, 1))
		within(t, "a read of the request in progress", time.Since(began), time.Second)
		if c.watch.rest(time.Minute) {
			t.Error("a connection that has carried its request may rest while the server goes down")
		}
		s.stopping.Store(false)
		c.watch.use.Store(inUse)
		if !c.watch.resume(time.Minute) || !c.watch.rest(time.Minute) {
			t.Fatal("the connection may not rest again")
		}
		s.stopping.Store(true)
		go c.watch.release()
		began = time.Now()
		_, _ = c.Read(make([]byte, 1))
		if took := time.Since(began); took != 0 {
			t.Errorf("an idle connection ended after %v, want at once", took)
		}
		if c.watch.wakeUp(time.Second) {
			t.Error("a released connection may begin a request")
		}
		_ = client
	})
}

// TestFreshConnectionHasAMoment: who has just connected is not cut off when the
// server begins to go down.
func TestFreshConnectionHasAMoment(t *testing.T) {
	bubble(t, func(s *Server, c *conn, _ net.Conn) {
		s.stopping.Store(true)
		if !c.watch.rest(time.Minute) {
			t.Fatal("a fresh connection is refused its first request")
		}
		began := time.Now()
		_, _ = c.Read(make([]byte, 1))
		within(t, "the wait", time.Since(began), freshGrace)
	})
}

func TestDrainEndsLater(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		c.watch.arm(time.Hour)
		c.drain(5 * time.Second)
		if c.mayContinue() {
			t.Error("a draining connection may continue")
		}
		began := time.Now()
		_, _ = c.Read(make([]byte, 1))
		within(t, "the drain", time.Since(began), 5*time.Second)
	})
}

func TestUndrain(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, client net.Conn) {
		c.watch.arm(time.Hour)
		c.drain(2 * time.Second)
		c.undrain()
		go func() {
			time.Sleep(time.Minute)
			_, _ = client.Write([]byte("x"))
		}()
		if _, err := c.Read(make([]byte, 1)); err != nil || !c.mayContinue() {
			t.Errorf("Read = %v, mayContinue %v; want the connection to go on", err, c.mayContinue())
		}
	})
}

func TestKeepCopies(t *testing.T) {
	w := &watch{clock: newClock()}
	path := []byte("/a")
	w.begin(judged{path: path})
	w.keep()
	path[1] = 'b'
	if got := string(w.request.path); got != "/a" {
		t.Errorf("the path on the books is %q, want /a", got)
	}
}

// TestCloseBehindSweep: HTTP/2 closes a connection on the goroutine that resets
// streams, and the sweeper waits for that one.
func TestCloseBehindSweep(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	near, far := net.Pipe()
	defer far.Close()
	c := s.newConn(near, peer{listener: &tenancy.Listener{}})
	c.multiplexed.Store(true)
	s.registry.each(func(*watch) {
		closed := make(chan struct{})
		go func() {
			_ = c.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(patience):
			t.Error("closing waits for the sweeper")
		}
	})
	eventually(t, "it is off the books", func() bool {
		select {
		case <-s.lifetime.open.none():
			return true
		default:
			return false
		}
	})
}

func TestWatchAllocatesNothing(t *testing.T) {
	s := New(Options{})
	near, far := net.Pipe()
	defer far.Close()
	c := s.newConn(near, peer{listener: &tenancy.Listener{}})
	defer c.Close()
	got := testing.AllocsPerRun(100, func() { exercise(c, far) })
	if got != 0 {
		t.Errorf("a request's calls of the watch allocate %v times, want 0", got)
	}
}

// exercise is what one request asks of its watch.
func exercise(c *conn, backend net.Conn) {
	w := &c.watch
	w.rest(time.Minute)
	w.wakeUp(time.Minute)
	w.disarm()
	w.begin(judged{})
	w.attach(backend, time.Minute)
	w.waiting(true)
	w.touch(time.Minute)
	w.waiting(false)
	w.detach()
	w.arm(time.Minute)
	w.end()
}

func BenchmarkWatch(b *testing.B) {
	s := New(Options{})
	near, far := net.Pipe()
	defer far.Close()
	c := s.newConn(near, peer{listener: &tenancy.Listener{}})
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		exercise(c, far)
	}
}
