package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// newGatedWorld serves one tenant, and another one beside it without limits.
func newGatedWorld(t testing.TB, plane DataPlane, limits string) *world {
	return newWorldOn(t, gatedTenants(limits), plane)
}

func gatedTenants(limits string) map[string]string {
	return map[string]string{"globex": twoTenants["globex"], "acme": gatedTenant(limits)}
}

func gatedTenant(limits string) string {
	return `
hosts: [a.example, {host: own.apps.example, limits: {in_flight: 1, queue: 0}}]
access: {public: "a test"}
backends: ["{backend}"]
routes: {/route/: {limits: {requests: 1/h}}, /large/: {limits: {body: 100B}}}
` + limits
}

// ceilingOf returns what has been counted of acme so far.
func (w *world) ceilingOf(name string) *ceiling {
	snap := w.server.snapshot()
	return snap.of(snap.table.Tenant("acme")).counted[name]
}

// eachWay is the three ways to ask: over HTTP/1.1 of both planes, and HTTP/2.
func eachWay(t *testing.T, limits string, f func(t *testing.T, w *world, c *http.Client)) {
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane, "http2": OwnPlane} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newGatedWorld(t, plane, limits)
			f(t, w, w.client("direct", "127.0.0.1", name == "http2"))
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	eachWay(t, "limits: {body: 40B}\nrequest_buffer: 20B\n", func(t *testing.T, w *world, c *http.Client) {
		var came atomic.Int64
		w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			came.Store(n)
		})
		for _, test := range []struct {
			name, path   string
			bytes        int
			known        bool
			status, came int
		}{
			{"all there may be", "/", 40, true, 200, 40},
			{"one more", "/", 41, true, 413, -1},
			{"all, of unknown length", "/", 40, false, 200, 40},
			{"one more, of unknown length", "/", 41, false, 413, 40},
			{"much more, of unknown length", "/", 200_000, false, 413, 40},
			{"of another route", "/large/", 100, true, 200, 100},
			{"one more of another route", "/large/", 101, false, 413, 100},
		} {
			came.Store(-1)
			var body io.Reader = strings.NewReader(strings.Repeat("x", test.bytes))
			if !test.known {
				body = io.MultiReader(body, strings.NewReader(""))
			}
			response, err := c.Post("https://a.example"+test.path, "text/plain", body)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			response.Body.Close()
			if n := int(came.Load()); response.StatusCode != test.status || n > test.came {
				t.Errorf("%s: %d, and %d bytes came to the backend; want %d and at most %d", test.name, response.StatusCode, n, test.status, test.came)
			}
		}
		eventually(t, "the reason is logged", func() bool { return strings.Contains(w.log.String(), `"body_too_large"`) })
	})
}

// askOnce asks and returns the status, and what Retry-After says.
func askOnce(t *testing.T, c *http.Client, url string) (status, retry int) {
	t.Helper()
	response, err := c.Get(url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	response.Body.Close()
	retry, _ = strconv.Atoi(response.Header.Get("Retry-After"))
	return response.StatusCode, retry
}

func TestRequestsLimit(t *testing.T) {
	t.Parallel()
	eachWay(t, "limits: {requests: 1/h, burst: 3}\n", func(t *testing.T, w *world, c *http.Client) {
		for i := range 3 {
			if status, _ := askOnce(t, c, "https://a.example/"); status != http.StatusOK {
				t.Fatalf("request %d of the burst is answered with %d", i, status)
			}
		}
		status, retry := askOnce(t, c, "https://a.example/")
		if status != http.StatusTooManyRequests || retry < 3590 || retry > 3600 {
			t.Errorf("one more is answered with %d, to come again after %d s; want 429 and an hour", status, retry)
		}
		if status, _ := askOnce(t, c, "https://b.example/"); status != http.StatusOK {
			t.Errorf("the other tenant's is answered with %d", status)
		}
		// What is counted survives a reload, of others and of the tenant itself.
		w.set("globex", twoTenants["globex"]+"timeouts: {idle: 10s}\n")
		w.set("acme", gatedTenant("limits: {requests: 1/h, burst: 3}\ntimeouts: {idle: 10s}\n"))
		if status, _ := askOnce(t, c, "https://a.example/"); status != http.StatusTooManyRequests {
			t.Errorf("after a reload it is answered with %d", status)
		}
		w.set("acme", gatedTenant("limits: {requests: 100/s}\n"))
		eventually(t, "the new limit is in force", func() bool {
			status, _ := askOnce(t, c, "https://a.example/")
			return status == http.StatusOK
		})
		w.set("acme", gatedTenant("limits: {requests: off}\n"))
		if status, _ := askOnce(t, c, "https://a.example/"); status != http.StatusOK {
			t.Errorf("without a limit it is answered with %d", status)
		}
		eventually(t, "the reason is logged", func() bool { return strings.Contains(w.log.String(), `"rate_limited"`) })
	})
}

// TestClientLimit: each client has its own, whatever others do.
func TestClientLimit(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "limits: {requests: 1/h, burst: 5, client: {requests: 1/h, burst: 2}}\n")
	for _, test := range []struct {
		from string
		want int
	}{
		{"127.0.0.1", 200},
		{"127.0.0.1", 200},
		{"127.0.0.1", 429},
		{"127.0.0.1", 429}, // and takes nothing of the tenant's
		{"127.0.0.2", 200},
		{"127.0.0.2", 200},
		{"127.0.0.2", 429},
		{"127.0.0.3", 200},
		{"127.0.0.4", 429}, // that was the tenant's last
	} {
		if status, _ := askOnce(t, w.client("direct", test.from, false), "https://a.example/"); status != test.want {
			t.Errorf("from %s: %d, want %d", test.from, status, test.want)
		}
	}
}

// TestLevelsHoldTogether: a route's limit is beside that of its tenant.
func TestLevelsHoldTogether(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "limits: {requests: 1/h, burst: 3}\n")
	c := w.client("direct", "127.0.0.1", false)
	for _, test := range []struct {
		path string
		want int
	}{{"/route/", 200}, {"/route/", 429}, {"/", 200}, {"/", 200}, {"/", 429}} {
		if status, _ := askOnce(t, c, "https://a.example"+test.path); status != test.want {
			t.Errorf("%s: %d, want %d", test.path, status, test.want)
		}
	}
}

// blocking lets backends answer one by one.
func (w *world) blocking() (answer chan struct{}) {
	answer = make(chan struct{})
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-answer:
		case <-r.Context().Done():
		}
	})
	return answer
}

// start asks on a connection of its own, and tells the status.
func (w *world) start(c *http.Client, url string) <-chan int {
	status := make(chan int, 1)
	go func() {
		response, err := c.Get(url)
		if err != nil {
			status <- -1
			return
		}
		_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
		response.Body.Close()
		status <- response.StatusCode
	}()
	return status
}

func (w *world) awaitLoad(name string, inside, waiting int) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d are in progress and %d wait", inside, waiting), func() bool {
		i, n := w.ceilingOf(name).inFlight.Load()
		return i == inside && n == waiting
	})
}

func TestInFlightLimit(t *testing.T) {
	t.Parallel()
	const level = `tenant "acme"`
	eachWay(t, "limits: {in_flight: 1, queue: 2, queue_wait: 1m}\n", func(t *testing.T, w *world, c *http.Client) {
		answer := w.blocking()
		first := w.start(c, "https://a.example/")
		w.awaitLoad(level, 1, 0)
		second := w.start(c, "https://a.example/")
		w.awaitLoad(level, 1, 1)
		third := w.start(c, "https://a.example/")
		w.awaitLoad(level, 1, 2)
		if status, retry := askOnce(t, c, "https://a.example/"); status != http.StatusServiceUnavailable || retry != 1 {
			t.Errorf("one more than may wait is answered with %d, to come again after %d s; want 503 and 1", status, retry)
		}
		for _, status := range []<-chan int{first, second, third} {
			answer <- struct{}{}
			if got := <-status; got != http.StatusOK {
				t.Errorf("one whose turn came is answered with %d", got)
			}
		}
		w.awaitLoad(level, 0, 0)
		eventually(t, "the reason is logged", func() bool { return strings.Contains(w.log.String(), `"too_many_in_flight"`) })
	})
}

func TestQueueEnds(t *testing.T) {
	t.Parallel()
	const level = `tenant "acme"`
	w := newGatedWorld(t, OwnPlane, "limits: {in_flight: 1, queue_wait: 1m}\n")
	answer := w.blocking()
	defer close(answer)
	c := w.client("direct", "127.0.0.1", false)
	w.start(c, "https://a.example/")
	w.awaitLoad(level, 1, 0)
	t.Run("a client leaves", func(t *testing.T) {
		conn := w.dial("127.0.0.1", "a.example")
		_, _ = io.WriteString(conn, get11("a.example", "/"))
		w.awaitLoad(level, 1, 1)
		_ = conn.NetConn().Close()
		w.awaitLoad(level, 1, 0)
		eventually(t, "it is logged", func() bool { return strings.Contains(w.log.String(), `"status":499`) })
	})
	t.Run("a client is revoked", func(t *testing.T) {
		conn := w.dial("127.0.0.2", "a.example")
		_, _ = io.WriteString(conn, get11("a.example", "/"))
		w.awaitLoad(level, 1, 1)
		w.main = "block: [127.0.0.2]\n"
		w.apply()
		endsWithin(t, conn, inTime)
		w.awaitLoad(level, 1, 0)
	})
	t.Run("the limit is gone", func(t *testing.T) {
		answer <- struct{}{}
		for _, text := range []string{"limits: {requests: 1000/s}\n", ""} {
			w.set("acme", gatedTenant("limits: {in_flight: 1, queue_wait: 1m}\n"))
			first := w.start(c, "https://a.example/")
			w.awaitLoad(level, 1, 0)
			second := w.start(c, "https://a.example/")
			w.awaitLoad(level, 1, 1)
			former := w.ceilingOf(level)
			w.set("acme", gatedTenant(text))
			eventually(t, "both are in progress", func() bool { inside, waiting := former.inFlight.Load(); return inside == 2 && waiting == 0 })
			for range 2 {
				answer <- struct{}{}
			}
			if a, b := <-first, <-second; a != http.StatusOK || b != http.StatusOK {
				t.Errorf("answered with %d and %d", a, b)
			}
		}
		w.set("acme", gatedTenant("limits: {in_flight: 1, queue_wait: 1m}\n"))
		w.start(c, "https://a.example/")
		w.awaitLoad(level, 1, 0)
	})
	t.Run("it takes too long", func(t *testing.T) {
		w.set("acme", gatedTenant("limits: {in_flight: 1, queue_wait: 10ms}\n"))
		if status, _ := askOnce(t, c, "https://a.example/"); status != http.StatusServiceUnavailable {
			t.Errorf("answered with %d, want 503", status)
		}
	})
}

// TestInFlightLimitChanges: what is in progress counts on, and nobody is cut.
func TestInFlightLimitChanges(t *testing.T) {
	t.Parallel()
	const level = `tenant "acme"`
	w := newGatedWorld(t, OwnPlane, "limits: {in_flight: 3}\n")
	answer := w.blocking()
	c := w.client("direct", "127.0.0.1", false)
	var asked []<-chan int
	for range 3 {
		asked = append(asked, w.start(c, "https://a.example/"))
	}
	w.awaitLoad(level, 3, 0)
	w.set("acme", gatedTenant("limits: {in_flight: 1, queue: 1, queue_wait: 1m}\n"))
	w.awaitLoad(level, 3, 0)
	asked = append(asked, w.start(c, "https://a.example/"))
	w.awaitLoad(level, 3, 1)
	w.set("acme", gatedTenant("limits: {in_flight: 4}\n"))
	w.awaitLoad(level, 4, 0)
	close(answer)
	for _, status := range asked {
		if got := <-status; got != http.StatusOK {
			t.Errorf("answered with %d", got)
		}
	}
	w.awaitLoad(level, 0, 0)
}

func TestClientInFlightLimit(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "limits: {client: {in_flight: 1}}\n")
	answer := w.blocking()
	one, other := w.client("direct", "127.0.0.1", false), w.client("direct", "127.0.0.2", false)
	first := w.start(one, "https://a.example/")
	address := limit.AddressOf(netip.MustParseAddr("127.0.0.1"))
	eventually(t, "it is in progress", func() bool { return w.ceilingOf(`tenant "acme"`).held.Held(address) == 1 })
	if status, _ := askOnce(t, one, "https://a.example/"); status != http.StatusServiceUnavailable {
		t.Errorf("a second one of the client is answered with %d, want 503", status)
	}
	second := w.start(other, "https://a.example/")
	close(answer)
	if a, b := <-first, <-second; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("answered with %d and %d", a, b)
	}
	eventually(t, "nothing is in progress", func() bool { return w.ceilingOf(`tenant "acme"`).held.Held(address) == 0 })
}

func TestHostInFlightLimit(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "")
	answer := w.blocking()
	c := w.client("direct", "127.0.0.1", false)
	first := w.start(c, "https://own.apps.example/")
	w.awaitLoad(`host "own.apps.example"`, 1, 0)
	if status, _ := askOnce(t, c, "https://own.apps.example/"); status != http.StatusServiceUnavailable {
		t.Errorf("a second one of the host is answered with %d, want 503", status)
	}
	second := w.start(c, "https://a.example/")
	close(answer)
	if a, b := <-first, <-second; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("answered with %d and %d", a, b)
	}
}

// TestWebSocketLimit: they count as requests in progress unless they have a
// limit of their own.
func TestWebSocketLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limits        string
		second, plain int
	}{
		{"limits: {in_flight: 1, queue: 0}\n", 503, 503},
		{"limits: {in_flight: 1, queue: 0, websockets: 1}\n", 503, 200},
	} {
		w := newGatedWorld(t, OwnPlane, test.limits)
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				echo(rw, r)
			}
		})
		first := w.talk("127.0.0.1", "https://a.example/")
		say(t, first)
		_, response, err := websocket.Dial(t.Context(), "https://a.example/", &websocket.DialOptions{HTTPClient: w.client("direct", "127.0.0.1", false)})
		if err == nil || response == nil || response.StatusCode != test.second {
			t.Errorf("%s: a second WebSocket is answered with %v, %v; want %d", test.limits, response, err, test.second)
		}
		if status, _ := askOnce(t, w.client("direct", "127.0.0.1", false), "https://a.example/"); status != test.plain {
			t.Errorf("%s: a request is answered with %d, want %d", test.limits, status, test.plain)
		}
		_ = first.CloseNow()
		eventually(t, "another WebSocket is let in", func() bool {
			c, _, err := websocket.Dial(t.Context(), "https://a.example/", &websocket.DialOptions{HTTPClient: w.client("direct", "127.0.0.1", false)})
			if err != nil {
				return false
			}
			_ = c.CloseNow()
			return true
		})
	}
}

// TestUpgradeThatIsNone: a request that asks for a WebSocket and gets an answer
// counts as what it is.
func TestUpgradeThatIsNone(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, planeOf(t), "limits: {in_flight: 1, queue: 0, websockets: 50}\n")
	asked, answer := make(chan bool, 2), make(chan bool)
	w.answerWith(func(http.ResponseWriter, *http.Request) {
		asked <- true
		<-answer
	})
	ask := func() chan int {
		status := make(chan int, 1)
		go func() {
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.example/", nil)
			request.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
			response, err := w.client("direct", "127.0.0.1", false).Do(request)
			if err != nil {
				status <- -1
				return
			}
			_ = response.Body.Close()
			status <- response.StatusCode
		}()
		return status
	}
	first := ask()
	<-asked
	if got := <-ask(); got != http.StatusServiceUnavailable {
		t.Errorf("the second is answered with %d, want 503", got)
	}
	close(answer)
	if got := <-first; got != http.StatusOK {
		t.Errorf("the first is answered with %d", got)
	}
	eventually(t, "nothing is held", func() bool {
		inside, _ := w.ceilingOf(`tenant "acme"`).inFlight.Load()
		sockets, _ := w.ceilingOf(`tenant "acme"`).sockets.Load()
		return inside == 0 && sockets == 0
	})
}

// gated returns an exchange that has been judged, of a tenant with these limits.
func gated(t testing.TB, limits string) (*Server, *exchange) {
	w := newGatedWorld(t, OwnPlane, limits)
	ex := w.server.takeExchange()
	ex.peer, ex.client = new(peer), netip.MustParseAddr("192.0.2.7")
	c := new(conn)
	ex.watch, c.watch.conn = &c.watch, c
	ex.body, ex.started = new(http1Body), time.Now()
	ex.verdict = tenancy.Verdict{Action: tenancy.Forward, Tenant: w.table.Tenant("acme"), Route: w.table.Lookup("a.example").Routes()[2]}
	ex.run = w.server.snapshot().of(w.table.Tenant("acme"))
	return w.server, ex
}

const allLimits = "limits: {requests: 1000000/s, in_flight: 100, websockets: 5, client: {requests: 1000000/s, in_flight: 10}}\n"

func BenchmarkGates(b *testing.B) {
	for name, limits := range map[string]string{"all": allLimits, "none": ""} {
		b.Run(name, func(b *testing.B) {
			s, ex := gated(b, limits)
			b.ReportAllocs()
			for b.Loop() {
				ex.started = ex.started.Add(time.Microsecond)
				if !s.admitClient(ex) || !s.takeMeans(ex) || !s.admitRequest(ex) {
					b.Fatal("refused")
				}
				ex.leave()
				ex.held = [tenancy.CeilingsMax]held{}
			}
		})
	}
}

func TestGatesDoNotAllocate(t *testing.T) {
	s, ex := gated(t, allLimits)
	allocs := testing.AllocsPerRun(100, func() {
		ex.started = ex.started.Add(time.Second)
		if !s.admitClient(ex) || !s.takeMeans(ex) || !s.admitRequest(ex) {
			t.Fatal("refused")
		}
		ex.leave()
		ex.held = [tenancy.CeilingsMax]held{}
	})
	if allocs > 0 {
		t.Errorf("the gates allocate %v times", allocs)
	}
}

// TestLimitsAreTold: what is near its ceiling shows in metrics and status.
func TestLimitsAreTold(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "limits: {requests: 1/h, burst: 4, in_flight: 2, queue: 1, queue_wait: 1m, websockets: 5, client: {requests: 1/h, burst: 9, in_flight: 5}}\n")
	answer := w.blocking()
	c := w.client("direct", "127.0.0.1", false)
	var asked []<-chan int
	for range 3 {
		asked = append(asked, w.start(c, "https://a.example/"))
	}
	w.awaitLoad(`tenant "acme"`, 2, 1)
	w.server.sweep()
	for series, want := range map[string]float64{
		`gatehouse_limit_used_ratio{limit="requests",tenant="acme"}`:   0.749, // a little has come back
		`gatehouse_limit_used_ratio{limit="in_flight",tenant="acme"}`:  1,
		`gatehouse_limit_used_ratio{limit="websockets",tenant="acme"}`: 0,
		`gatehouse_requests_queued{tenant="acme"}`:                     1,
	} {
		if got := counter(t, w.metrics, series); got < want || got > want+0.001 {
			t.Errorf("%s = %v, want %v", series, got, want)
		}
	}
	uses := w.server.Stats().Limits
	if n := len(uses["globex"]); n != 0 {
		t.Errorf("a tenant without limits has %d", n)
	}
	told := make(map[string]string)
	for _, u := range uses["acme"] {
		if u.Level == `tenant "acme"` {
			told[u.Limit] = u.Text + "; now " + u.Now
		}
	}
	for limit, want := range map[string]string{
		"client.requests":  "1/h, 9 at once; now the only client has sent 33% of what may come at once",
		"client.in_flight": "5; now the only client has 3",
		"requests":         "1/h, 4 at once; now 75% of what may come at once",
		"in_flight":        "2, and 1 wait up to 1m; now 2, and 1 wait",
		"websockets":       "5; now 0",
	} {
		if told[limit] != want {
			t.Errorf("%s is told as %q, want %q", limit, told[limit], want)
		}
	}
	close(answer)
	for _, status := range asked {
		<-status
	}
	w.set("acme", gatedTenant(""))
	if got := counter(t, w.metrics, `gatehouse_requests_queued{tenant="acme"}`); got != 0 {
		t.Errorf("%v wait in the end", got)
	}
}
