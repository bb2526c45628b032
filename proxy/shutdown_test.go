package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/tenancy"
)

// shutDown calls Shutdown and returns its error when it has returned.
func (w *world) shutDown(d time.Duration) <-chan error {
	result := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		result <- w.server.Shutdown(ctx)
	}()
	return result
}

// slowBackend answers once it is let go.
func (w *world) slowBackend() (arrived chan struct{}, finish chan struct{}) {
	arrived, finish = make(chan struct{}, 10), make(chan struct{})
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-finish:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(rw, "done")
	})
	return arrived, finish
}

// TestShutdownDrains: what is in flight ends well, what is idle ends at once,
// nothing new is accepted.
func TestShutdownDrains(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		idle := w.dial("127.0.0.1", "a.example")
		stillOpen(t, idle)
		idle2 := w.client("direct", "127.0.0.1", true)
		w.get(idle2, "https://b.example/")
		plain, err := net.Dial("tcp", w.addr("plain"))
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		_ = ask(t, plain, get11("a.example", "/"))
		arrived, finish := w.slowBackend()
		type result struct {
			response *http.Response
			err      error
		}
		answered := make(chan result, 1)
		go func() {
			response, err := w.client("direct", "127.0.0.1", h2).Get("https://a.example/")
			answered <- result{response, err}
		}()
		<-arrived
		down := w.shutDown(patience)
		endsWithin(t, idle, inTime)
		endsWithin(t, plain, inTime)
		eventually(t, "nothing is accepted", func() bool {
			c, err := net.Dial("tcp", w.addr("direct"))
			if err == nil {
				c.Close()
			}
			return err != nil
		})
		select {
		case err := <-down:
			t.Fatalf("Shutdown = %v while a request is in flight", err)
		default:
		}
		close(finish)
		got := <-answered
		if got.err != nil || got.response.StatusCode != 200 {
			t.Fatalf("HTTP/2 %v: what was in flight gets %v", h2, got.err)
		}
		if body, err := io.ReadAll(got.response.Body); err != nil || string(body) != "done" {
			t.Errorf("HTTP/2 %v: what was in flight gets %q, %v", h2, body, err)
		}
		got.response.Body.Close()
		if err := <-down; err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if err := <-w.served; err != nil {
			t.Errorf("Serve = %v", err)
		}
	}
}

// TestShutdownCutsInTheEnd: the drain has an end.
func TestShutdownCutsInTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	arrived, _ := w.slowBackend()
	c := w.dial("127.0.0.1", "a.example")
	_, _ = io.WriteString(c, get11("a.example", "/"))
	failed := make(chan error, 1)
	go func() {
		response, err := w.client("direct", "127.0.0.1", true).Get("https://b.example/")
		if err == nil {
			response.Body.Close()
		}
		failed <- err
	}()
	<-arrived
	<-arrived
	began := time.Now()
	err := <-w.shutDown(300 * time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown = %v, want that its time is over", err)
	}
	if took := time.Since(began); took > inTime {
		t.Errorf("Shutdown took %v", took)
	}
	endsWithin(t, c, inTime)
	if <-failed == nil {
		t.Error("a request over HTTP/2 outlives the drain")
	}
}

// TestServeEndsWithItsContext: nothing is waited for.
func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	ctx, end := context.WithCancel(t.Context())
	s := New(Options{})
	s.Apply(w.table)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() {
		served <- s.Serve(ctx, []Listener{{Rules: &tenancy.Listener{Name: "test", Plain: true}, Socket: socket}})
	}()
	c, err := net.Dial("tcp", socket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eventually(t, "the connection is there", func() bool { return s.means.taken(connections) == 1 })
	end()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve = %v, want the context's error", err)
	}
	endsWithin(t, c, inTime)
}

// TestAnnounce: every answer is the last of its connection, and new ones are
// still accepted.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	before := w.dial("127.0.0.1", "a.example")
	stillOpen(t, before)
	h2 := w.client("direct", "127.0.0.1", true)
	w.get(h2, "https://b.example/")
	w.server.Announce()
	for _, c := range []net.Conn{before, w.dial("127.0.0.1", "a.example")} {
		if answer := ask(t, c, get11("a.example", "/")); answer.StatusCode != 200 || !answer.Close {
			t.Errorf("status %d, Connection: close %v; want the last answer", answer.StatusCode, answer.Close)
		}
		endsWithin(t, c, inTime)
	}
	opened := counter(t, w.metrics, `gatehouse_accepted_connections_total{listener="`+w.addr("direct")+`"}`)
	for range 3 {
		if status, _ := w.get(h2, "https://b.example/"); status != 200 {
			t.Errorf("HTTP/2: status %d", status)
		}
	}
	eventually(t, "each request over HTTP/2 takes a connection of its own", func() bool {
		return counter(t, w.metrics, `gatehouse_accepted_connections_total{listener="`+w.addr("direct")+`"}`) == opened+3
	})
	plain, err := net.Dial("tcp", w.addr("plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if answer := ask(t, plain, get11("a.example", "/")); !answer.Close {
		t.Error("plain HTTP goes on")
	}
}

// TestFirstRequestDuringShutdown: who has connected but said nothing yet when
// the drain begins has a moment. No tick passes, so that it lasts for as long as
// the test takes; TestFreshConnectionHasAMoment says how long it is.
func TestFirstRequestDuringShutdown(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, &world{rests: true, tenants: twoTenants}, planeOf(t))
	c := w.dial("127.0.0.1", "a.example")
	eventually(t, "the connection rests", func() bool {
		found := false
		w.server.registry.each(func(x *watch) { found = found || x.use.Load() == resting })
		return found
	})
	down := w.shutDown(patience)
	eventually(t, "the drain has begun", w.server.stopping.Load)
	if answer := readAnswerTo(t, c, get11("a.example", "/")); answer.StatusCode != 200 || !answer.Close {
		t.Errorf("status %d, Connection: close %v; want the last answer", answer.StatusCode, answer.Close)
	}
	c.Close()
	if err := <-down; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
}

func readAnswerTo(t testing.TB, c net.Conn, request string) *http.Response {
	t.Helper()
	_, _ = io.WriteString(c, request)
	return readAnswer(t, bufio.NewReader(c))
}

// flaky is a listener whose Accept fails at first.
type flaky struct {
	mu     sync.Mutex
	errors []error
	tries  []time.Time
}

func (f *flaky) Accept() (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries = append(f.tries, time.Now())
	if len(f.errors) > 0 {
		err := f.errors[0]
		f.errors = f.errors[1:]
		return nil, err
	}
	return nil, net.ErrClosed
}

func (f *flaky) Close() error   { return nil }
func (f *flaky) Addr() net.Addr { return &net.TCPAddr{} }

// TestAcceptBacksOff: without descriptors the loop waits instead of spinning.
func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{}
		for range 12 {
			f.errors = append(f.errors, &net.OpError{Op: "accept", Err: syscall.EMFILE})
		}
		s := New(Options{})
		began := time.Now()
		s.accept(Listener{Rules: &tenancy.Listener{Name: "test"}, Socket: f})
		last := time.Duration(0)
		for i := 1; i < len(f.tries); i++ {
			pause := f.tries[i].Sub(f.tries[i-1])
			if pause < last || pause < acceptPauseMin || pause > acceptPauseMax {
				t.Errorf("pause %d is %v after %v", i, pause, last)
			}
			last = pause
		}
		if took := time.Since(began); len(f.tries) != 13 || last != acceptPauseMax {
			t.Errorf("%d tries in %v, the last pause %v", len(f.tries), took, last)
		}
	})
}

// TestAcceptStopsWhileItWaits: the pause does not delay the end.
func TestAcceptStopsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		f := &flaky{errors: []error{syscall.EMFILE, syscall.EMFILE}}
		began := time.Now()
		close(s.lifetime.stop)
		s.accept(Listener{Rules: &tenancy.Listener{Name: "test"}, Socket: f})
		if took := time.Since(began); took > 2*acceptPauseMax {
			t.Errorf("accept ends after %v", took)
		}
	})
}

// broken is a socket whose use is a fault of the program.
type broken struct{ net.Conn }

func (broken) Read([]byte) (int, error) { panic("a fault") }

// TestFaultsStayOnTheirConnection: a panic closes its connection and nothing
// else.
func TestFaultsStayOnTheirConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	near, far := net.Pipe()
	defer far.Close()
	rules := w.table.Listeners()[1]
	w.server.admit(broken{near}, rules, w.metrics.Listener(rules.Name), nil)
	endsWithin(t, far, inTime)
	eventually(t, "the fault is counted", func() bool {
		return counter(t, w.metrics, "gatehouse_panics_total") == 1
	})
	if status, _ := w.get(w.client("direct", "127.0.0.1", false), "https://a.example/"); status != 200 {
		t.Errorf("another client gets %d", status)
	}
	eventually(t, "no handshake counts as unfinished", func() bool { return w.server.budget.handshakes.Load() == 0 })
}

// TestFaultsStayOnTheirStream: over HTTP/2 not even the connection ends.
func TestFaultsStayOnTheirStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.server.newConn(broken{}, peer{listener: w.table.Listeners()[0]})
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("the library is left with %v, want what makes it reset the stream", got)
		}
		if n := counter(t, w.metrics, "gatehouse_panics_total"); n != 1 {
			t.Errorf("%v faults are counted, want 1", n)
		}
		w.server.forget(c)
	}()
	w.server.serveStream(c, nil, nil) // there is no request to make sense of
}
