package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// TestBellRings: it rings every time, however fast it is rung, and not at all
// once it is closed.
func TestBellRings(t *testing.T) {
	t.Parallel()
	b, err := newBell()
	if err != nil {
		t.Fatal(err)
	}
	rang := make(chan struct{})
	go func() {
		defer close(rang)
		for range 30 {
			b.ring()
		}
		b.close()
		b.ring()
	}()
	select {
	case <-rang:
	case <-time.After(10 * time.Second):
		t.Fatal("the bell is silent")
	}
}

// TestProcessorsAreLookedAt: processors are scarce when what is ready waits for
// them twice in a row, and are not when nobody waits for a while. Nobody looks
// when nothing is asked for.
func TestProcessorsAreLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rounds, takes := 0, time.Duration(0)
		p := newProcessors()
		p.round = func() {
			rounds++
			<-time.After(takes)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go p.run(ctx)
		ask := func(d time.Duration) {
			for range d / time.Millisecond {
				p.stir(nil)
				p.stir(nil)
				<-time.After(time.Millisecond)
			}
			synctest.Wait()
		}
		if ask(time.Second); p.crowded.Load() || rounds < 190 {
			t.Errorf("after %d rounds that took nothing processors are scarce: %v", rounds, p.crowded.Load())
		}
		takes = 2 * time.Millisecond
		if ask(20 * time.Millisecond); !p.crowded.Load() {
			t.Error("what is ready waits for 2 ms, and processors are not scarce")
		}
		takes = 0
		if ask(200 * time.Millisecond); p.crowded.Load() {
			t.Error("nobody waits any more, and processors are scarce")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if before := rounds; !p.resting.Load() {
			t.Error("nothing is asked for, and somebody looks")
		} else if ask(20 * time.Millisecond); rounds == before || p.resting.Load() {
			t.Error("requests come, and nobody looks")
		}
	})
}

// TestProcessorsWakeUp: a request that came just before run began to rest does
// not keep those that follow from waking it.
func TestProcessorsWakeUp(t *testing.T) {
	t.Parallel()
	p := newProcessors()
	p.stir(nil)
	p.resting.Store(true)
	p.stir(nil)
	select {
	case <-p.stirred:
	default:
		t.Error("requests come, and nobody looks whether processors are scarce")
	}
}

// TestRequestsTakeTurns: while processors are scarce, who has asked for less is
// next.
func TestRequestsTakeTurns(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requestsTakeTurns(t, http2)
		})
	}
}

func requestsTakeTurns(t *testing.T, http2 bool) {
	w := busyWorld(t, twoTenants, 10)
	turns := w.server.processors.fair
	var clients []*http.Client
	urls := []string{"https://b.example/", "https://a.example/", "https://a.example/"}
	for _, url := range urls {
		c := w.client("direct", "127.0.0.1", http2)
		clients = append(clients, c) // whose connection is open from now on
		if status := giveUntil(w.server.processors, w.start(c, url)); status != http.StatusOK {
			t.Fatalf("%s: status %d", url, status)
		}
	}
	w.server.processors.crowded.Store(true)
	var answers []<-chan int
	for i, url := range urls {
		answers = append(answers, w.start(clients[i], url))
		eventually(t, "it waits", func() bool { return turns.Waiting() == i+1 })
	}
	other, first, second := answers[0], answers[1], answers[2]
	turns.Next()
	turns.Next()
	for name, answer := range map[string]<-chan int{"the first": first, "the other tenant's": other} {
		if got := <-answer; got != http.StatusOK {
			t.Errorf("%s is answered with %d", name, got)
		}
	}
	if n := turns.Waiting(); n != 1 {
		t.Errorf("%d wait, want the second of the one that had a turn", n)
	}
	if got := giveUntil(w.server.processors, second); got != http.StatusOK {
		t.Errorf("the second is answered with %d", got)
	}
}

// openIdle opens a connection for a.example to busy processors and has one request
// answered on it.
func (w *world) openIdle() *tls.Conn {
	w.t.Helper()
	done := make(chan *tls.Conn, 1)
	go func() {
		c, err := w.tryDial("127.0.0.1", w.tlsConfig("a.example", "http/1.1"))
		if err != nil {
			w.t.Error(err)
			close(done)
			return
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
			w.t.Errorf("answered with %v, %v", resp, err)
		}
		done <- c
	}()
	c := giveUntil(w.server.processors, done)
	if c == nil {
		w.t.FailNow()
	}
	return c
}

// TestPrimedRequestsTakeTurns: a request that began to come before processors were
// scarce waits all the same.
func TestPrimedRequestsTakeTurns(t *testing.T) {
	t.Parallel()
	w := busyWorld(t, twoTenants, 10)
	turns := w.server.processors.fair
	c := w.openIdle()
	asked := w.server.processors.asked.Load()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\n")
	eventually(t, "its beginning is read", func() bool { return w.server.processors.asked.Load() > asked })
	w.server.processors.mixed.Store(true)
	w.server.processors.crowded.Store(true)
	_, _ = io.WriteString(c, "Host: a.example\r\n\r\n")
	eventually(t, "it waits", func() bool { return turns.Waiting() == 1 })
	turns.Next()
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("answered with %v, %v", resp, err)
	}
}

// TestHeardRequestCountsItsWait: what a request has waited before it was read is
// part of the time that it took.
func TestHeardRequestCountsItsWait(t *testing.T) {
	t.Parallel()
	w := busyWorld(t, twoTenants, 10)
	c := w.openIdle()
	w.server.processors.mixed.Store(true)
	w.server.processors.crowded.Store(true)
	_, _ = io.WriteString(c, "GET /waits HTTP/1.1\r\nHost: a.example\r\n\r\n")
	eventually(t, "it waits", func() bool { return w.server.processors.fair.Waiting() == 1 })
	time.Sleep(20 * time.Millisecond) // much more than the rest takes
	w.server.processors.fair.Next()
	var line string
	eventually(t, "it is logged", func() bool {
		for l := range strings.Lines(w.log.String()) {
			if strings.Contains(l, `"path":"/waits"`) {
				line = l
			}
		}
		return line != ""
	})
	var times struct {
		Took   float64 `json:"duration_ms"`
		Queued float64 `json:"queued_ms"`
	}
	if err := json.Unmarshal([]byte(line), &times); err != nil || times.Queued < 20 || times.Took < times.Queued {
		t.Errorf("it took %v ms, of which %v in the queue (%v): %s", times.Took, times.Queued, err, line)
	}
}

// TestWaitEndsWithTheClient: a client that leaves before it was heard does not wait
// for its turn, nor does one that is cut.
func TestWaitEndsWithTheClient(t *testing.T) {
	t.Parallel()
	w := busyWorld(t, twoTenants, 10)
	turns := w.server.processors.fair
	for name, leave := range map[string]func(c *tls.Conn){
		"leaves": func(c *tls.Conn) {
			_ = c.NetConn().(*net.TCPConn).SetLinger(0)
			_ = c.NetConn().Close()
		},
		"is cut": func(*tls.Conn) { w.server.registry.each(func(w *watch) { w.cutAll(tenancy.IPNotAllowed) }) },
	} {
		w.server.processors.crowded.Store(false)
		c := w.openIdle()
		w.server.processors.mixed.Store(true)
		w.server.processors.crowded.Store(true)
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		eventually(t, "it waits", func() bool { return turns.Waiting() == 1 })
		began := time.Now()
		leave(c)
		eventually(t, "nobody waits", func() bool { return turns.Waiting() == 0 && w.server.means.taken(connections) == 0 })
		if d := time.Since(began); d >= turnWaitMost {
			t.Errorf("a client that %s waits for %v", name, d)
		}
	}
}

// TestBodiesTakeTurns: both directions of a large body wait for turns, and a
// client that leaves does not wait for its own.
func TestBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	const length = 1 << 20
	w := busyWorld(t, twoTenants, 10)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			n, _ := io.Copy(io.Discard, r.Body)
			if n != length {
				rw.WriteHeader(http.StatusTeapot)
			}
			return
		}
		_, _ = rw.Write(make([]byte, length))
	})
	c := w.client("direct", "127.0.0.1", false)
	turns := w.server.processors.fair
	giveUntil(w.server.processors, w.start(c, "https://b.example/"))
	for name, ask := range map[string]func() (*http.Response, error){
		"answer": func() (*http.Response, error) { return c.Get("https://b.example/") },
		"request": func() (*http.Response, error) {
			return c.Post("https://b.example/", "", bytes.NewReader(make([]byte, length)))
		},
	} {
		done := make(chan error, 1)
		go func() {
			res, err := ask()
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			done <- err
		}()
		given := 0
		for waits := true; waits; {
			select {
			case err := <-done:
				if waits = false; err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case <-time.After(time.Millisecond):
				w.server.processors.hellos.Next()
				if _, ok := turns.Next(); ok {
					given++
				}
			}
		}
		if given < 3 || given > 40 {
			t.Errorf("the body of the %s took %d turns, want a few", name, given)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://b.example/", strings.NewReader(""))
	go func() {
		if res, err := c.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	}()
	eventually(t, "its body waits", func() bool { return turns.Waiting() == 1 })
	leave()
	eventually(t, "nobody waits", func() bool { return turns.Waiting() == 0 })
}

// busyWorld is a world whose processors are busy: turns come when the test says
// so, and so many wait for them.
func busyWorld(t *testing.T, tenants map[string]string, waiting int) *world {
	w := newWorldOf(t, &world{tenants: tenants, prepare: func(s *Server) {
		p := s.processors
		p.fair, p.hellos = limit.NewFair(time.Duration(waiting)*handshakeCost), limit.NewFair(time.Minute)
		p.round = func() { <-t.Context().Done() }
		p.hellos.Enter(new(limit.Turn), "busy", 1, helloCost)
	}}, planeOf(t))
	p := w.server.processors
	eventually(t, "the processors are busy", func() bool { return p.rung.Load() != 0 })
	// Nobody but the test finds them scarce.
	p.rung.Store(0)
	return w
}

// giveUntil gives turns until something comes of done.
func giveUntil[T any](p *processors, done <-chan T) T {
	for {
		select {
		case got := <-done:
			return got
		case <-time.After(time.Millisecond):
			p.hellos.Next()
			p.fair.Next()
		}
	}
}

// TestRoundsAreShared: work that takes no turns does not keep turns from being
// given, and turns leave it its part.
func TestRoundsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessors()
		p.width = 1
		for _, others := range []time.Duration{0, 2 * time.Millisecond, 20 * time.Millisecond} {
			var given time.Duration
			p.round = func() { <-time.After(given + others) }
			for range 10 {
				for range 20 {
					p.fair.Enter(new(limit.Turn), "acme", 1, handshakeCost)
				}
				given = p.give()
				p.turn(given)
			}
			want := min(max(others/4, roundLeast), roundMost)
			if given < want || given >= want+handshakeCost {
				t.Errorf("beside work of %v turns of %v are given at a time, want about %v", others, given, want)
			}
			for {
				if _, waited := p.fair.Next(); !waited {
					break
				}
			}
		}
	})
}

// TestRoundsStayShort: turns that cost three times what they are said to are given
// one at a time all the same.
func TestRoundsStayShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcessors()
		p.width = 1
		var given time.Duration
		p.round = func() { <-time.After(3 * given) }
		for range 20 {
			for range 10 {
				p.fair.Enter(new(limit.Turn), "acme", 1, handshakeCost)
				p.hellos.Enter(new(limit.Turn), "network", 1, helloCost)
			}
			given = p.give()
			p.turn(given)
		}
		if most := 2*roundLeast + handshakeCost; given > most {
			t.Errorf("turns of %v are given at a time, want %v at most", given, most)
		}
	})
}

// TestAloneTakesNoTurns: a tenant that nobody else asks beside shares with nobody.
func TestAloneTakesNoTurns(t *testing.T) {
	p, now := newProcessors(), time.Now()
	p.round = func() {}
	a, b := new(party), new(party)
	if p.stir(a) {
		t.Error("a request waits while processors are not scarce")
	}
	p.crowded.Store(true)
	p.waited = now.Add(time.Hour)
	p.stir(b)
	if !p.stir(a) {
		t.Error("a request takes no turn beside those of another tenant")
	}
	p.look(now)
	if p.look(now.Add(aloneAfter)); !p.stir(a) {
		t.Error("it takes none soon after the other's")
	}
	if p.look(now.Add(aloneAfter + lookEvery)); p.stir(a) {
		t.Error("a tenant that is alone takes turns")
	}
	if !p.stir(b) {
		t.Error("the other's request takes no turn")
	}
}
