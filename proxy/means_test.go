package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/limit"
)

// meansWorld serves two tenants that share so much of one of the means. Requests
// for /slow wait until answer is closed.
func meansWorld(t *testing.T, plane DataPlane, k kind, all int) (w *world, answer chan struct{}) {
	w = newWorldOf(t, &world{
		tenants: gatedTenants("request_buffer: 20KiB\n"),
		prepare: func(s *Server) { s.means.shares[k] = limit.NewShare(all) },
	}, plane)
	answer = make(chan struct{})
	t.Cleanup(func() {
		select {
		case <-answer:
		default:
			close(answer)
		}
	})
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws":
			echo(rw, r)
		case "/slow":
			<-answer
		case "/large-head":
			rw.Header().Set("X-Large", strings.Repeat("x", 20<<10))
		case "/large":
			_, _ = rw.Write(make([]byte, 200<<10))
		}
	})
	return w, answer
}

// askWhole is askOnce for a connection that is to be used again.
func askWhole(t *testing.T, c *http.Client, url string) (status, retry int) {
	t.Helper()
	answer, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Errorf("GET %s: %v", url, err)
	}
	retry, _ = strconv.Atoi(answer.Header.Get("Retry-After"))
	return answer.StatusCode, retry
}

// nothingHeld waits until the clients' connections are closed and all that was
// taken of the means is back, idle connections to backends aside. A connection of
// HTTP/2 may be busy for a moment after its last answer.
func (w *world) nothingHeld(clients ...*http.Client) {
	w.t.Helper()
	for _, k := range []kind{connections, memory, goroutines} {
		eventually(w.t, "no "+k.String()+" are taken", func() bool {
			for _, c := range clients {
				c.CloseIdleConnections()
			}
			return w.server.means.taken(k) == 0
		})
	}
}

// TestMemoryIsShared: a tenant that takes all it can leaves some for others, its
// share survives a reload, and it is told in log and metrics.
func TestMemoryIsShared(t *testing.T) {
	t.Parallel()
	w, answer := meansWorld(t, OwnPlane, memory, 18*(exchangePrice+restPrice))
	c := w.client("direct", "127.0.0.1", false)
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusOK {
		t.Errorf("the first is answered with %d", status)
	}
	var slow []<-chan int
	for i := range 16 {
		other := w.client("direct", fmt.Sprintf("127.0.0.%d", 10+i), false)
		t.Cleanup(other.CloseIdleConnections)
		slow = append(slow, w.start(other, "https://a.example/slow"))
		eventually(t, "one more is in progress", func() bool {
			return w.server.Stats().Tenants["acme"].InFlight == i+1
		})
	}
	if status, retry := askWhole(t, c, "https://a.example/"); status != http.StatusServiceUnavailable || retry != 1 {
		t.Errorf("one more of the tenant with the most is answered with %d, to come again after %d s; want 503 and 1", status, retry)
	}
	if status, _ := askWhole(t, c, "https://b.example/"); status != http.StatusOK {
		t.Errorf("the other tenant's is answered with %d", status)
	}
	w.set("acme", gatedTenant("timeouts: {idle: 10s}\n"))
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusServiceUnavailable {
		t.Errorf("after a reload it is answered with %d, want 503", status)
	}
	if n := counter(t, w.metrics, `gatehouse_shed_total{means="memory",tenant="acme"}`); n != 2 {
		t.Errorf("%v refusals are counted, want 2", n)
	}
	if n := counter(t, w.metrics, `gatehouse_tenant_means{means="memory",tenant="acme"}`); n < 16*exchangePrice {
		t.Errorf("acme is said to hold %v bytes", n)
	}
	if n := strings.Count(w.events.String(), `who="tenant acme" means=memory`); n != 1 {
		t.Errorf("that it has its part is logged %d times, want once", n)
	}
	for _, part := range w.server.Stats().Parts["acme"] {
		if part.Means == "memory" && (part.Held < 16*exchangePrice || part.Part < part.Held*9/10) {
			t.Errorf("acme holds %d of its part of %d", part.Held, part.Part)
		}
	}
	close(answer)
	for _, status := range slow {
		if got := <-status; got != http.StatusOK {
			t.Errorf("one that has begun is answered with %d", got)
		}
	}
	eventually(t, "the requests have given back what they held", func() bool { return w.server.means.taken(memory) <= 20*restPrice })
}

// TestEverythingIsGivenBack: whatever an exchange was, nothing of the means is
// held when its connection is gone.
func TestEverythingIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane, "http2": OwnPlane} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := meansWorld(t, plane, memory, 64<<20)
			c := w.client("direct", "127.0.0.1", name == "http2")
			for _, path := range []string{"/", "/large", "/large-head", "/none"} {
				if status, _ := askWhole(t, c, "https://a.example"+path); status != http.StatusOK {
					t.Errorf("%s is answered with %d", path, status)
				}
			}
			for _, size := range []int{0, 100, 18 << 10, 200 << 10} {
				for _, chunked := range []bool{false, true} {
					if got := post(t, c, size, chunked, strings.Repeat("h", 14<<10)); got != http.StatusOK {
						t.Errorf("a body of %d bytes, chunked %v: %d", size, chunked, got)
					}
				}
			}
			if got := post(t, c, 10, false, strings.Repeat("h", 40<<10)); got != http.StatusOK {
				t.Errorf("a large head: %d", got)
			}
			if name != "http2" {
				talk := w.talk("127.0.0.1", "https://a.example/ws")
				say(t, talk)
				if n := w.server.means.taken(memory); n > 10*connPrice+tunnelPrice {
					t.Errorf("a tunnel at rest and a few connections hold %d bytes", n)
				}
				_ = talk.CloseNow()
			}
			w.nothingHeld(c)
		})
	}
}

// post sends a body with a field of that value.
func post(t *testing.T, c *http.Client, size int, chunked bool, field string) int {
	t.Helper()
	var body io.Reader = strings.NewReader(strings.Repeat("x", size))
	if chunked {
		body = io.MultiReader(body, strings.NewReader(""))
	}
	r, err := http.NewRequest(http.MethodPost, "https://a.example/", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Field", field)
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestWithoutMemory: what needs more than there is gets 503 before a backend is
// asked, or goes on in small pieces.
func TestWithoutMemory(t *testing.T) {
	t.Parallel()
	const enough = 9 * (connPrice + exchangePrice + 4<<10) / 8 // for one request without anything
	eachWayShort := func(f func(t *testing.T, w *world, c *http.Client)) {
		for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane, "http2": OwnPlane} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w, _ := meansWorld(t, plane, memory, enough)
				f(t, w, w.client("direct", "127.0.0.1", name == "http2"))
			})
		}
	}
	eachWayShort(func(t *testing.T, w *world, c *http.Client) {
		if status, _ := askWhole(t, c, "https://a.example/large"); status != http.StatusOK {
			t.Errorf("a large answer: %d", status)
		}
		for _, size := range []int{18 << 10, 100 << 10} {
			w.nothingHeld(c) // there is room for one connection
			if got := post(t, c, size, false, ""); got != http.StatusServiceUnavailable {
				t.Errorf("a body of %d bytes: %d, want 503", size, got)
			}
		}
		w.nothingHeld(c)
		if status, _ := askWhole(t, c, "https://a.example/large-head"); status != http.StatusServiceUnavailable {
			t.Errorf("an answer with a large head: %d, want 503", status)
		}
		w.nothingHeld(c)
	})
}

// TestLargeHeadWithoutMemory: a head that there is no memory for is 503.
func TestLargeHeadWithoutMemory(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plane  DataPlane
		enough int // for a request with a small head
	}{
		"own":      {OwnPlane, connPrice + exchangePrice},
		"standard": {StandardPlane, connPrice + exchangePrice + 20<<10},
		"http2":    {OwnPlane, connPrice + exchangePrice + 20<<10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := meansWorld(t, test.plane, memory, 9*test.enough/8)
			c := w.client("direct", "127.0.0.1", name == "http2")
			if got := post(t, c, 0, false, "small"); got != http.StatusOK {
				t.Errorf("a small head: %d, want 200", got)
			}
			w.nothingHeld(c)
			if got := post(t, c, 0, false, strings.Repeat("h", 60<<10)); got != http.StatusServiceUnavailable {
				t.Errorf("a large head: %d, want 503", got)
			}
			w.nothingHeld(c)
		})
	}
}

// TestConnectionsAreShared: a tenant that opens all the connections it can leaves
// some for others, and so do those that never say whose they are.
func TestConnectionsAreShared(t *testing.T) {
	t.Parallel()
	w, _ := meansWorld(t, OwnPlane, connections, 18)
	var open []io.Closer
	for i := range 16 {
		c, err := w.tryDial(fmt.Sprintf("127.0.0.%d", 10+i), w.tlsConfig("a.example"))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		open = append(open, c)
	}
	if _, err := w.tryDial("127.0.0.9", w.tlsConfig("a.example")); err == nil {
		t.Error("one more connection of the tenant with the most is served")
	}
	c, err := w.tryDial("127.0.0.8", w.tlsConfig("b.example"))
	if err != nil {
		t.Fatalf("the other tenant's: %v", err)
	}
	open = append(open, c)
	for _, c := range open {
		c.Close()
	}
	w.nothingHeld()
}

// TestGoroutinesAreShared: streams and bodies count.
func TestGoroutinesAreShared(t *testing.T) {
	t.Parallel()
	w, answer := meansWorld(t, OwnPlane, goroutines, 18)
	c := w.client("direct", "127.0.0.1", true)
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusOK {
		t.Errorf("the first stream is answered with %d", status)
	}
	var slow []<-chan int
	for range 14 {
		slow = append(slow, w.start(c, "https://a.example/slow"))
	}
	eventually(t, "all are in progress", func() bool { return w.server.Stats().Tenants["acme"].InFlight == 14 })
	eventually(t, "each has a goroutine, and the connection two", func() bool { return w.server.means.taken(goroutines) == 2+14 })
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusServiceUnavailable {
		t.Errorf("one more stream is answered with %d, want 503", status)
	}
	close(answer)
	for _, status := range slow {
		<-status
	}
	if got := post(t, c, 100<<10, true, ""); got != http.StatusOK {
		t.Errorf("a body when there is room again: %d", got)
	}
	w.nothingHeld(c)
}

// TestWindows: what clients may send ahead on one connection counts once.
func TestWindows(t *testing.T) {
	m := newMeans(Options{}, newClock())
	c, p := new(conn), new(party)
	p.weight.Store(1)
	c.estate.party = p
	var want []int
	for i := range 6 {
		if !m.openWindow(c, streamWindowBytes) {
			t.Fatal("a window is refused")
		}
		want = append(want, min((i+1)*streamWindowBytes, connWindowBytes))
		if got := m.taken(memory); got != want[i] {
			t.Errorf("%d windows hold %d bytes, want %d", i+1, got, want[i])
		}
	}
	for i := 5; i > 0; i-- {
		m.closeWindow(c, streamWindowBytes)
		if got := m.taken(memory); got != want[i-1] {
			t.Errorf("%d windows hold %d bytes, want %d", i, got, want[i-1])
		}
	}
	m.leave(c)
	m.closeWindow(c, streamWindowBytes)
	if got := m.taken(memory); got != 0 {
		t.Errorf("a closed connection holds %d bytes", got)
	}
}

// TestMeansOptions: what there is, is what the options say, within bounds.
func TestMeansOptions(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "[{memory 0 4294967296} {goroutines 0 524288} {connections 0 131072} {backend_connections 0 524288}]"},
		{Options{Memory: 1, Connections: 1_000_000}, "[{memory 0 16777216} {goroutines 0 524288} {connections 0 131072} {backend_connections 0 524288}]"},
		{Options{Memory: 1 << 30, Connections: 500, BackendConnections: 300}, "[{memory 0 1073741824} {goroutines 0 524288} {connections 0 500} {backend_connections 0 300}]"},
	} {
		if got := fmt.Sprint(newMeans(test.o, newClock()).uses()); got != test.want {
			t.Errorf("%+v: %s, want %s", test.o, got, test.want)
		}
	}
}

// TestBackendConnectionsAreShared: a tenant that keeps many backends busy leaves
// descriptors for others. What it cannot have is 503 and no fault of the backend.
func TestBackendConnectionsAreShared(t *testing.T) {
	t.Parallel()
	w, answer := meansWorld(t, OwnPlane, backendConns, 18)
	c := w.client("direct", "127.0.0.1", true)
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusOK {
		t.Errorf("the first is answered with %d", status)
	}
	var slow []<-chan int
	for range 16 {
		slow = append(slow, w.start(c, "https://a.example/slow"))
	}
	eventually(t, "all are at their backend", func() bool { return w.server.means.taken(backendConns) == 16 })
	if status, retry := askWhole(t, c, "https://a.example/"); status != http.StatusServiceUnavailable || retry == 0 {
		t.Errorf("one more is answered with %d, to come again after %d s; want 503 and a time", status, retry)
	}
	if status, _ := askWhole(t, w.client("direct", "127.0.0.1", false), "https://b.example/"); status != http.StatusOK {
		t.Errorf("the other tenant's is answered with %d", status)
	}
	close(answer)
	for _, status := range slow {
		if got := <-status; got != http.StatusOK {
			t.Errorf("one that has begun is answered with %d", got)
		}
	}
	if strings.Contains(w.events.String(), "a backend is") {
		t.Error("a backend is said to have changed")
	}
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusOK {
		t.Errorf("when there is room again: %d", status)
	}
	c.CloseIdleConnections()
	eventually(t, "no request is in progress", func() bool { return w.server.means.taken(connections) <= 1 })
	if idle := w.server.means.taken(backendConns); idle < 1 || idle > 17 {
		t.Errorf("%d connections to backends are kept", idle)
	}
}

// TestIdleConnectionsMakeRoom: what a tenant keeps open to one backend does not
// keep it from another.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	other := statusBackend(t, "other", func(*http.Request) int { return http.StatusOK })
	w, answer := meansWorld(t, OwnPlane, backendConns, 9)
	w.set("acme", strings.Replace(gatedTenant(""), "routes: {", "routes: {/other/: {backends: [\"http://"+other+"\"]}, ", 1))
	c := w.client("direct", "127.0.0.1", true)
	if status, _ := askWhole(t, c, "https://a.example/"); status != http.StatusOK {
		t.Errorf("the first is answered with %d", status)
	}
	var slow []<-chan int
	for range 8 {
		slow = append(slow, w.start(c, "https://a.example/slow"))
	}
	eventually(t, "all are at their backend", func() bool { return w.server.means.taken(backendConns) == 8 })
	close(answer)
	for _, status := range slow {
		<-status
	}
	if status, _ := askWhole(t, c, "https://a.example/other/"); status != http.StatusOK {
		t.Errorf("at another backend: %d", status)
	}
	if n := w.server.means.taken(backendConns); n > 2 {
		t.Errorf("%d connections to backends are open, want the last one's", n)
	}
}
