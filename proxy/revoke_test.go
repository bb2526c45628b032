package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/tenancy"
)

// inTime bounds what happens at once, on a machine that is busy. It is well below
// what would end a connection otherwise: first_byte, idle and keep_alive are a
// minute and more. That a revocation takes no second is for a test to say whose
// clock stands still meanwhile: see TestRevocationTakesNoTime.
const inTime = 20 * time.Second

// echo is a backend that talks WebSocket and sends back what it is told.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, data) != nil {
			return
		}
	}
}

// talk opens a WebSocket and says something over it.
func (w *world) talk(ip, url string) *websocket.Conn {
	w.t.Helper()
	c, _, err := websocket.Dial(w.t.Context(), url, &websocket.DialOptions{HTTPClient: w.client("direct", ip, false)})
	if err != nil {
		w.t.Fatalf("WebSocket to %s from %s: %v", url, ip, err)
	}
	w.t.Cleanup(func() { c.CloseNow() })
	say(w.t, c)
	return c
}

func say(t testing.TB, c *websocket.Conn) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatalf("the WebSocket takes nothing: %v", err)
	}
	if _, data, err := c.Read(t.Context()); err != nil || string(data) != "hello" {
		t.Fatalf("the WebSocket answers %q, %v", data, err)
	}
}

// diesWithin fails unless the WebSocket ends within d.
func diesWithin(t testing.TB, c *websocket.Conn, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if _, data, err := c.Read(ctx); err == nil {
		t.Errorf("the WebSocket says %q", data)
	}
	if ctx.Err() != nil {
		t.Errorf("the WebSocket is open after %v", d)
	}
}

// without is a tenant's file that admits one address less.
func without(text, ip string) string {
	return strings.NewReplacer(", "+ip, "", ip+", ", "").Replace(text)
}

// TestRevocationTakesNoTime: Apply itself ends what its table does not admit, on
// both sides. Nothing waits for the next tick, less for a second to pass.
func TestRevocationTakesNoTime(t *testing.T) {
	bubble(t, func(s *Server, c *conn, client net.Conn) {
		tenant := func(allow string) *tenancy.Table {
			return compileTable(t, "hosts: [a.example]\naccess: {allow: ["+allow+"]}\nbackends: [\"http://127.0.0.1:1\"]\n", setup{})
		}
		table := tenant("192.0.2.7, 192.0.2.8")
		s.Apply(table)
		c.peer.client = netip.MustParseAddr("192.0.2.7")
		c.peer.settle(table.Lookup("a.example"), "a.example")
		if !s.settle(c) {
			t.Fatal("the connection may not go on")
		}
		backend, far := net.Pipe()
		defer far.Close()
		defer backend.Close()
		c.watch.begin(judged{client: c.peer.client, method: []byte("GET"), authority: []byte("a.example"), path: []byte("/")})
		c.watch.attach(backend, time.Hour)
		var both sync.WaitGroup
		for _, side := range []net.Conn{client, backend} {
			_ = side.SetReadDeadline(time.Now().Add(time.Hour))
			both.Go(func() { _, _ = side.Read(make([]byte, 1)) })
		}
		<-time.After(time.Minute)
		if c.watch.cut() {
			t.Fatal("the connection is cut before its client is revoked")
		}
		began := time.Now()
		s.Apply(tenant("192.0.2.8"))
		both.Wait()
		if took := time.Since(began); took != 0 || !c.watch.cut() {
			t.Errorf("the connection ends after %v, cut %v; want that at once", took, c.watch.cut())
		}
	})
}

// TestRevokedWebSocketDies: a prefix that is removed ends its open
// WebSockets; those of others do not notice.
func TestRevokedWebSocketDies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	stays, goes, other := w.talk("127.0.0.1", "https://a.example/ws"), w.talk("127.0.0.2", "https://a.example/ws"), w.talk("127.0.0.2", "https://b.example/ws")
	w.set("acme", without(twoTenants["acme"], "127.0.0.2"))
	diesWithin(t, goes, inTime)
	say(t, stays)
	say(t, other)
	if n := counter(t, w.metrics, `gatehouse_revoked_total{tenant="acme"}`); n != 1 {
		t.Errorf("%v connections count as revoked, want 1", n)
	}
}

// TestRevocationByRoute: what counts is the access of the route in use.
func TestRevocationByRoute(t *testing.T) {
	t.Parallel()
	const before = `
hosts: [a.example]
access: {allow: [127.0.0.1, 127.0.0.2]}
backends: ["{backend}"]
routes:
  /admin/: {access: {allow: [127.0.0.1, 127.0.0.2]}}
`
	w := newWorld(t, map[string]string{"acme": before})
	w.answerWith(echo)
	admin, public := w.talk("127.0.0.2", "https://a.example/admin/ws"), w.talk("127.0.0.2", "https://a.example/ws")
	w.set("acme", strings.Replace(before, "/admin/: {access: {allow: [127.0.0.1, 127.0.0.2]", "/admin/: {access: {allow: [127.0.0.1]", 1))
	diesWithin(t, admin, inTime)
	say(t, public)
}

// TestBlockCutsWhatIsOpen: the block list is asked about every tenant.
func TestBlockCutsWhatIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	goes, stays := w.talk("127.0.0.2", "https://b.example/ws"), w.talk("127.0.0.1", "https://b.example/ws")
	idle := w.dial("127.0.0.2", "b.example")
	w.main = "block: [127.0.0.2]\n"
	w.apply()
	diesWithin(t, goes, inTime)
	endsWithin(t, idle, inTime)
	say(t, stays)
}

// TestRevocationCutsAnswers: an answer in flight ends in a way that shows.
func TestRevocationCutsAnswers(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := rw.Write(make([]byte, 1000)); err != nil {
					return
				}
				_ = http.NewResponseController(rw).Flush()
			}
		})
		response, err := w.client("direct", "127.0.0.2", h2).Get("https://a.example/")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(response.Body, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w.set("acme", without(twoTenants["acme"], "127.0.0.2"))
		_, err = io.Copy(io.Discard, response.Body)
		if took := time.Since(began); err == nil || took > inTime {
			t.Errorf("HTTP/2 %v: the answer ends after %v with %v, want an error at once", h2, took, err)
		}
		response.Body.Close()
	}
}

// TestRevocationEndsTheWait: a client that waits for its backend hears nothing
// more, and the backend request ends.
func TestRevocationEndsTheWait(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		arrived, ended := make(chan struct{}, 1), make(chan struct{}, 1)
		w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-r.Context().Done()
			ended <- struct{}{}
		})
		failed := make(chan error, 1)
		go func() {
			response, err := w.client("direct", "127.0.0.2", h2).Get("https://a.example/")
			if err == nil {
				response.Body.Close()
			}
			failed <- err
		}()
		<-arrived
		began := time.Now()
		w.set("acme", without(twoTenants["acme"], "127.0.0.2"))
		if err := <-failed; err == nil {
			t.Errorf("HTTP/2 %v: a revoked request is answered", h2)
		}
		<-ended
		if took := time.Since(began); took > inTime {
			t.Errorf("HTTP/2 %v: the revocation took %v", h2, took)
		}
	}
}

// TestUntilPasses: an entry whose last day is over ends what it admitted, with
// no reload.
func TestUntilPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"acme": `
hosts: [a.example]
access: {allow: [127.0.0.1, {ip: 127.0.0.2, until: 2100-01-31}]}
backends: ["{backend}"]
`})
	stays, goes := w.dial("127.0.0.1", "a.example"), w.dial("127.0.0.2", "a.example")
	for _, c := range []net.Conn{stays, goes} {
		if got := ask(t, c, get11("a.example", "/")); got.StatusCode != 200 {
			t.Fatalf("status %d", got.StatusCode)
		}
	}
	last := time.Date(2100, 1, 31, 23, 59, 59, 0, time.UTC)
	if got := w.server.nextUntil.Load(); got != last.Unix()+1 {
		t.Errorf("the next end is noted as %v, want a second after %v", time.Unix(got, 0).UTC(), last)
	}
	everybody := func(string) bool { return true }
	w.server.judgeOpen(w.server.snapshot(), everybody, last)
	stillOpen(t, goes)
	w.server.judgeOpen(w.server.snapshot(), everybody, last.Add(time.Second))
	endsWithin(t, goes, inTime)
	stillOpen(t, stays)
}

// stillOpen fails if a connection carries no further request.
func stillOpen(t testing.TB, c net.Conn) {
	t.Helper()
	if got := ask(t, c, get11("a.example", "/")); got.StatusCode != 200 {
		t.Errorf("status %d", got.StatusCode)
	}
}

// TestRefusedClientIsNotCut: who was never admitted gets its refusals, whatever
// is reloaded; and is let in when the table changes its mind.
func TestRefusedClientIsNotCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.dial("127.0.0.3", "a.example")
	r := bufio.NewReader(c)
	for _, step := range []struct {
		text   string
		status int
	}{
		{twoTenants["acme"], 403},
		{without(twoTenants["acme"], "127.0.0.2"), 403},
		{strings.Replace(twoTenants["acme"], "127.0.0.2", "127.0.0.3", 1), 200},
	} {
		w.set("acme", step.text)
		_, _ = io.WriteString(c, get11("a.example", "/"))
		if got := readAnswer(t, r); got.StatusCode != step.status {
			t.Errorf("status %d, want %d", got.StatusCode, step.status)
		}
	}
	w.set("acme", twoTenants["acme"])
	endsWithin(t, c, inTime)
}

// drainsFor has the connections of a tenant that leaves the table end in d.
func drainsFor(t *testing.T, d time.Duration) *world {
	t.Helper()
	return newWorldOf(t, &world{tenants: twoTenants, prepare: func(s *Server) { s.options.Drain = d }}, planeOf(t))
}

// TestRemovedTenantDrains: what a removed tenant has begun may end, and nothing
// new begins.
func TestRemovedTenantDrains(t *testing.T) {
	t.Parallel()
	w := drainsFor(t, time.Hour)
	quick, idle := w.dial("127.0.0.1", "a.example"), w.dial("127.0.0.1", "a.example")
	stillOpen(t, idle)
	arrived, finish := w.slowBackend()
	_, _ = io.WriteString(quick, get11("a.example", "/"))
	<-arrived
	w.set("acme", "")
	endsWithin(t, idle, inTime)
	close(finish)
	answer := readAnswer(t, bufio.NewReader(quick))
	if answer.StatusCode != 200 || !answer.Close {
		t.Errorf("what was in flight gets %d, Connection: close %v; want 200 and the end", answer.StatusCode, answer.Close)
	}
	if _, err := w.tryDial("127.0.0.1", w.tlsConfig("a.example")); !isUnrecognizedName(err) {
		t.Errorf("a new connection: %v, want unrecognized_name", err)
	}
}

// TestDrainOfRemovedTenantEnds: what a removed tenant has begun is cut once it
// has had its time.
func TestDrainOfRemovedTenantEnds(t *testing.T) {
	t.Parallel()
	w := drainsFor(t, 2*time.Second)
	slow := w.dial("127.0.0.1", "a.example")
	arrived, _ := w.slowBackend()
	_, _ = io.WriteString(slow, get11("a.example", "/"))
	<-arrived
	began := time.Now()
	w.set("acme", "")
	if got := endsWithin(t, slow, inTime); got != "" {
		t.Errorf("what was cut has got %q", got)
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("the drain took %v, want 2 s at least", took)
	}
	if n := counter(t, w.metrics, `gatehouse_requests_in_flight{tenant="acme"}`); n != 0 {
		t.Error("a removed tenant has series")
	}
}

// TestReturnedTenantGoesOn: a tenant that comes back within its drain keeps its
// connections.
func TestReturnedTenantGoesOn(t *testing.T) {
	t.Parallel()
	w := drainsFor(t, time.Hour)
	w.answerWith(echo)
	c := w.talk("127.0.0.1", "https://a.example/ws")
	ends := func() (at int64) {
		w.server.registry.each(func(x *watch) { at = max(at, x.endAt.Load()) })
		return at
	}
	w.set("acme", "")
	if ends() == 0 {
		t.Error("the drain has no end")
	}
	w.set("acme", twoTenants["acme"])
	if ends() != 0 {
		t.Error("the connection is to be cut although its tenant is back")
	}
	say(t, c)
}

// TestReloadKeepsWhatIsUnchanged: tenants that stay keep their running half, and
// routes with the same backends their pools.
func TestReloadKeepsWhatIsUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.dial("127.0.0.1", "a.example")
	stillOpen(t, c)
	before := w.server.snapshot()
	acme, globex := before.of(before.table.Tenant("acme")), before.of(before.table.Tenant("globex"))
	w.set("acme", without(twoTenants["acme"], "127.0.0.2"))
	after := w.server.snapshot()
	if got := after.of(after.table.Tenant("globex")); got != globex {
		t.Error("an unchanged tenant has another running half")
	}
	changed := after.of(after.table.Tenant("acme"))
	if changed == acme || changed.pools[0] != acme.pools[0] {
		t.Error("a changed tenant has its former running half, or another pool for the same backends")
	}
	stillOpen(t, c)
	if n := acme.pools[0].Idle(); n != 1 {
		t.Errorf("%d idle connections to the backend, want the one of before", n)
	}
	w.set("acme", strings.Replace(twoTenants["acme"], `["{backend}"]`, `["http://127.0.0.1:1"]`, 1))
	if n := acme.pools[0].Idle(); n != 0 {
		t.Errorf("%d idle connections to a backend that is not used any more", n)
	}
}
