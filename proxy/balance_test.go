package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// statusBackend is a backend that answers with its name, and with the status that is
// chosen for each request.
func statusBackend(t testing.TB, name string, status func(*http.Request) int) string {
	return serveConns(t, func(c net.Conn) {
		reader := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprintf(c, "HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s", status(r), len(name), name)
		}
	})
}

// namedBackend is a backend that answers with its name, and with status if that is not
// zero.
func namedBackend(t testing.TB, name string, status *atomic.Int32) string {
	return statusBackend(t, name, func(*http.Request) int {
		if status != nil && status.Load() != 0 {
			return int(status.Load())
		}
		return http.StatusOK
	})
}

// whoAnswers sends a request with these fields and returns who answered.
func whoAnswers(t testing.TB, g *gateway, fields string) (int, string) {
	t.Helper()
	status, body, err := roundTrip(t, g, "GET / HTTP/1.1\r\nHost: a.example\r\n"+fields+"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

// refusedPort returns an address that refuses connections: it is bound, so that
// nobody else gets it meanwhile, and nobody listens.
func refusedPort(t testing.TB) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
}

// Requests that agree in what is hashed go to one backend; those that do not
// have it, by their client's address.
func TestPlacement(t *testing.T) {
	t.Parallel()
	for balance, fields := range map[string]func(i int) string{
		"{hash: {header: X-Workspace}}": func(i int) string { return fmt.Sprintf("x-WORKSPACE: %d\r\n", i) },
		"{hash: {cookie: sid}}":         func(i int) string { return fmt.Sprintf("Cookie: asid=x; sid=%d;x=y\r\n", i) },
	} {
		g := startGateway(t, tenantWith("balance: "+balance+"\n", namedBackend(t, "a", nil), namedBackend(t, "b", nil), namedBackend(t, "c", nil)), setup{})
		seen := make(map[string]int)
		for i := range 90 { // so that three ports of whose hashes nobody knows get some each
			_, first := whoAnswers(t, g, fields(i))
			seen[first]++
			if i >= 30 {
				continue
			}
			if _, again := whoAnswers(t, g, fields(i)); again != first {
				t.Errorf("%s: request %d went to %s and then to %s", balance, i, first, again)
			}
		}
		if len(seen) != 3 {
			t.Errorf("%s: 90 values went to %v, want all three backends", balance, seen)
		}
		_, first := whoAnswers(t, g, "")
		for range 5 {
			if _, again := whoAnswers(t, g, "Cookie: sidx=5\r\n"); again != first {
				t.Errorf("%s: without the value: %s and then %s", balance, first, again)
			}
		}
	}
}

func TestCookieIn(t *testing.T) {
	for field, want := range map[string]string{
		"sid=1":          "1",
		"a=b; sid=1":     "1",
		"a=b;sid=1; c":   "1",
		"sid=":           "",
		"sid=a=b":        "a=b",
		"xsid=1":         "none",
		"sidx=1":         "none",
		"SID=1":          "none",
		"":               "none",
		";;;":            "none",
		"sid":            "none",
		"sid=1; sid=2":   "1",
		"  sid=1  ; x=y": "1",
	} {
		value, ok := cookieIn([]byte(field), "sid")
		got := string(value)
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", field, got, want)
		}
	}
}

// Where no backend takes requests, that is said, with a time to come again.
func TestNoHealthyBackend(t *testing.T) {
	t.Parallel()
	tenant := "hosts: [a.example]\naccess: {public: test}\nbackends:\n" +
		"  - {url: \"http://" + namedBackend(t, "a", nil) + "\", state: drain}\n" +
		"  - {url: \"http://" + namedBackend(t, "b", nil) + "\", state: down}\n"
	g := startGateway(t, tenant, setup{})
	c := g.dial(t)
	_ = c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q; want 503 and a time", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	eventually(t, "the refusal is counted", func() bool {
		return counter(t, g.metrics, `gatehouse_refusals_total{reason="no_healthy_backend",tenant="acme"}`) == 1
	})
}

// poolStatus returns how the backends of the first route stand.
func poolStatus(g *gateway) (words string) {
	run := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	for _, b := range run.pools[0].Status(time.Now()) {
		words += string(b.Standing) + " "
	}
	return strings.TrimSpace(words)
}

// What a dead backend does has it ejected; what its application or a client does
// wrong has not.
func TestWhatEjects(t *testing.T) {
	t.Parallel()
	status := func(code int32) func(t testing.TB) string {
		return func(t testing.TB) string {
			var s atomic.Int32
			s.Store(code)
			return namedBackend(t, "bad", &s)
		}
	}
	raw := func(answer string) func(t testing.TB) string {
		return func(t testing.TB) string {
			return serveConns(t, func(c net.Conn) {
				readRequest(c)
				io.WriteString(c, answer)
			})
		}
	}
	for name, test := range map[string]struct {
		backend func(t testing.TB) string
		ejects  bool
	}{
		"refuses":       {refusedPort, true},
		"closes":        {func(t testing.TB) string { return serveConns(t, readRequest) }, true},
		"closes early":  {func(t testing.TB) string { return serveConns(t, func(net.Conn) {}) }, true},
		"502":           {status(502), true},
		"503":           {status(503), true},
		"504":           {status(504), true},
		"500":           {status(500), false},
		"404":           {status(404), false},
		"malformed":     {raw("HTTP/9 garbage\r\n\r\n"), false},
		"cut in a head": {raw("HTTP/1.1 200 OK\r\nContent-"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, tenantWith("ejection: 3\n", test.backend(t), namedBackend(t, "good", nil)), setup{})
			for range 10 {
				whoAnswers(t, g, "")
			}
			want := "up up"
			if test.ejects {
				want = "ejected up"
			}
			if got := poolStatus(g); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

// A backend that accepts and says nothing costs a few requests, not all.
func TestSilentBackendIsEjected(t *testing.T) {
	t.Parallel()
	silent := serveConns(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	g := startGateway(t, tenantWith("ejection: 2\ntimeouts: {first_byte: 3s}\n", silent, namedBackend(t, "good", nil)), setup{})
	late := 0
	for range 12 {
		if status, _ := whoAnswers(t, g, ""); status == http.StatusGatewayTimeout {
			late++
		}
	}
	if late != 2 {
		t.Errorf("%d requests were answered with 504, want 2", late)
	}
}

// A reload that changes the weights keeps what is known of the backends, and
// their connections.
func TestReloadKeepsConditions(t *testing.T) {
	t.Parallel()
	dead, good := refusedPort(t), namedBackend(t, "good", nil)
	g := startGateway(t, tenantWith("ejection: 1\n", dead, good), setup{})
	whoAnswers(t, g, "")
	whoAnswers(t, g, "")
	if got := poolStatus(g); got != "ejected up" {
		t.Fatal(got)
	}
	before := g.snapshot().of(g.snapshot().table.Tenant("acme")).pools[0]
	g.Apply(compileTable(t, tenantWith("ejection: 1\nbalance: least_requests\n", dead, good), setup{}))
	after := g.snapshot().of(g.snapshot().table.Tenant("acme")).pools[0]
	if before == after || before.Plan().Key() == after.Plan().Key() {
		t.Fatal("the pool is the same")
	}
	if got := poolStatus(g); got != "ejected up" {
		t.Errorf("after the reload: %s", got)
	}
	if got := after.Idle(); got != 1 {
		t.Errorf("%d idle connections, want the one from before", got)
	}
}

// Exhausted means of our own say nothing about a backend.
func TestDialFault(t *testing.T) {
	if got := dialFault(fmt.Errorf("x"), false); got != "" {
		t.Errorf("a foreign error: %q", got)
	}
	for _, own := range []error{pool.ErrNoLeave, syscall.EMFILE, syscall.ENOMEM} {
		err := &pool.DialError{Err: own}
		if fault, reason := dialFault(err, false), dialReason(err); fault != "" || reason != tenancy.TooManyInFlight {
			t.Errorf("%v is %q of the backend and %v; want no fault of it", own, fault, reason)
		}
	}
	if got := dialFault(&pool.DialError{Err: &pool.ForbiddenError{}}, false); got != "" {
		t.Errorf("a forbidden address: %q", got)
	}
	for _, hurried := range []bool{true, false} {
		want := "no connection in time"
		if hurried {
			want = ""
		}
		if got := dialFault(&pool.DialError{Err: errTimeout{}}, hurried); got != want {
			t.Errorf("hurried %t: %q, want %q", hurried, got, want)
		}
	}
}

type errTimeout struct{}

func (errTimeout) Error() string   { return "i/o timeout" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }
