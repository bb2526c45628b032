package proxy

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"gatehouse/internal/clientip"
	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// serveConns runs handle on each connection to a fresh listener.
func serveConns(t testing.TB, handle func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var open sync.Map
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, true)
			running.Go(func() {
				defer open.Delete(c)
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	})
	return l.Addr().String()
}

func tenantWith(keys string, backends ...string) string {
	for i, b := range backends {
		backends[i] = fmt.Sprintf("%q", "http://"+b)
	}
	return "hosts: [a.example]\naccess: {public: test}\nbackends: [" + strings.Join(backends, ", ") + "]\n" + keys
}

// roundTrip sends a request and reads the whole answer.
func roundTrip(t testing.TB, g *gateway, request string) (status int, body string, err error) {
	t.Helper()
	c := g.dial(t)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		return 0, "", err
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// A backend that dies, wherever it does, sees a POST at most once; a GET may be
// sent again as long as no byte of an answer has come.
func TestDyingBackends(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	points := map[string]struct {
		die      func(c net.Conn)
		gets     int32 // requests that arrive of one GET with two such backends
		received bool  // a whole request may have been received
	}{
		"at once":           {func(c net.Conn) {}, 0, false},
		"in the head":       {func(c net.Conn) { c.Read(make([]byte, 10)) }, 0, false},
		"after the request": {func(c net.Conn) { readRequest(c) }, 2, true},
		"in the status line": {func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, answer[:5])
		}, 1, true},
		"in the body": {func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, answer[:len(answer)-1])
		}, 1, true},
	}
	for name, p := range points {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				var arrived atomic.Int32
				die := func(c net.Conn) {
					p.die(c)
					if p.received {
						arrived.Add(1)
					}
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				g := startGateway(t, tenantWith("", serveConns(t, die), serveConns(t, die)), setup{})
				request := "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
				want := p.gets
				if method == "POST" {
					request = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nbody"
					want = min(want, 1)
				}
				status, _, err := roundTrip(t, g, request)
				if status != http.StatusBadGateway && !(err != nil && name == "in the body") {
					t.Errorf("answered with %d, %v", status, err)
				}
				if got := arrived.Load(); got != want {
					t.Errorf("it arrived %d times, want %d", got, want)
				}
			})
		}
	}
}

// readRequest reads a request with its body.
func readRequest(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		io.Copy(io.Discard, r.Body)
	}
}

// However the bytes of a request and of its answer are cut, both arrive whole.
func TestDribble(t *testing.T) {
	t.Parallel()
	const request = "POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5;q=\"a b\"\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\nSum: 1\r\n\r\n"
	const answer = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5\r\nHELLO\r\n6\r\n WORLD\r\n0\r\n\r\n"
	seen := make(chan string, 1)
	backend := serveConns(t, func(c net.Conn) {
		for {
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			seen <- fmt.Sprintf("%s %s %v", r.URL, body, r.Trailer)
			for i := range answer {
				if _, err := io.WriteString(c, answer[i:i+1]); err != nil {
					return
				}
			}
		}
	})
	g := startGateway(t, tenantWith("", backend), setup{})
	c := g.dial(t)
	reader := bufio.NewReader(c)
	for range 3 {
		for i := range request {
			if _, err := io.WriteString(c, request[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := <-seen, "/x hello world map[Sum:[1]]"; got != want {
			t.Errorf("the backend saw %s, want %s", got, want)
		}
		resp, err := http.ReadResponse(reader, nil)
		for err == nil && resp.StatusCode == http.StatusEarlyHints {
			resp, err = http.ReadResponse(reader, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "HELLO WORLD" || err != nil {
			t.Errorf("the client got %q, %v", body, err)
		}
	}
}

// A client that does not take its answer is cut, and its backend let go.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	backend := serveConns(t, func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
		piece := make([]byte, 1<<20)
		for {
			_ = c.SetWriteDeadline(time.Now().Add(patience))
			if _, err := c.Write(piece); err != nil {
				ended <- err
				return
			}
		}
	})
	g := startGateway(t, tenantWith("timeouts: {idle: 300ms}\n", backend), setup{})
	c := g.dial(t)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if err := <-ended; err.(net.Error).Timeout() {
		t.Error("the backend waits for ever")
	}
}

// A backend that does not take a body is given up.
func TestBackendThatDoesNotRead(t *testing.T) {
	t.Parallel()
	stop := make(chan struct{})
	backend := serveConns(t, func(net.Conn) { <-stop })
	defer close(stop)
	g := startGateway(t, tenantWith("timeouts: {idle: 3s}\nlimits: {body: off}\n", backend), setup{})
	c := g.dial(t)
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000000\r\n\r\n")
	go func() {
		piece := make([]byte, 1<<20)
		for {
			if _, err := c.Write(piece); err != nil {
				return
			}
		}
	}()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("%v, %v; want 504", resp, err)
	}
}

// A fault of ours ends one request, with 500, and nothing else.
func TestFaultIsContained(t *testing.T) {
	g := startGateway(t, tenantWith("", serveConns(t, func(c net.Conn) {
		readRequest(c)
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})), setup{})
	run := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	whole := run.pools
	run.pools = nil
	status, body, err := roundTrip(t, g, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	if status != http.StatusInternalServerError || err != nil || !strings.Contains(body, "500") {
		t.Errorf("%d %q, %v; want our page of 500", status, body, err)
	}
	run.pools = whole
	if status, _, err := roundTrip(t, g, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); status != http.StatusNoContent {
		t.Errorf("the next request: %d, %v", status, err)
	}
}

func TestHostOfBackend(t *testing.T) {
	hosts := make(chan string, 2)
	addr := serveConns(t, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		hosts <- r.Host
		hosts <- r.Header.Get("X-Forwarded-Host")
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})
	tenant := "hosts: [a.example]\naccess: {public: test}\nbackends: [{url: \"http://" + addr + "\", host: backend}]\n"
	g := startGateway(t, tenant, setup{})
	if status, _, err := roundTrip(t, g, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); status != http.StatusNoContent {
		t.Fatal(status, err)
	}
	if got := <-hosts; got != addr {
		t.Errorf("Host is %q, want %q", got, addr)
	}
	if got := <-hosts; got != "a.example" {
		t.Errorf("X-Forwarded-Host is %q", got)
	}
}

// On an x_forwarded_for listener each request names its client.
func TestClientOfEachRequest(t *testing.T) {
	backend := serveConns(t, func(c net.Conn) {
		reader := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			from := strings.Join(r.Header["X-Forwarded-For"], "|")
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(from), from)
		}
	})
	var report conf.Report
	list := func(prefix string) conf.List[ipallow.EntrySpec] {
		entry := ipallow.EntrySpec{IP: conf.At[string]{V: prefix, Pos: conf.Pos{File: "x", Line: 1, Col: 1}}}
		return conf.List[ipallow.EntrySpec]{Items: []conf.At[ipallow.EntrySpec]{{V: entry, Pos: entry.IP.Pos}}, Pos: entry.IP.Pos}
	}
	rules := &tenancy.Listener{
		Name: "lb", Address: "127.0.0.1:0", Mode: clientip.XForwardedFor,
		Trust: ipallow.CompileSets(nil, nil, &report).Compile(list("127.0.0.9"), &report),
	}
	tenant := "hosts: [a.example]\naccess: {allow: [192.0.2.0/24]}\nbackends: [\"http://" + backend + "\"]\n"
	g := startGateway(t, tenant, setup{rules: rules})
	g.from = net.IPv4(127, 0, 0, 9)
	for _, c := range []struct {
		fields string
		status int
		body   string
	}{
		{"X-Forwarded-For: 192.0.2.7\r\n", 200, "192.0.2.7"},
		{"X-Forwarded-For: 10.9.9.9, 192.0.2.7\r\nX-Forwarded-For: 127.0.0.9\r\n", 200, "192.0.2.7"},
		{"X-Forwarded-For: 192.0.2.7, 10.9.9.9\r\n", 403, ""},
		{"", 400, ""},
		{"X-Forwarded-For: nonsense\r\n", 400, ""},
		{"X-Forwarded-For: 127.0.0.9\r\n", 400, ""},
	} {
		status, body, err := roundTrip(t, g, "GET / HTTP/1.1\r\nHost: a.example\r\n"+c.fields+"\r\n")
		if status != c.status || err != nil || c.body != "" && body != c.body {
			t.Errorf("%q: %d %q, %v; want %d %q", c.fields, status, body, err, c.status, c.body)
		}
	}
}

// An https backend is verified; one that cannot be is not asked.
func TestHTTPSBackends(t *testing.T) {
	t.Parallel()
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %d %s", r.Proto, len(body), r.TLS.ServerName)
	}))
	backend.EnableHTTP2 = true
	backend.Config.ErrorLog = log.New(io.Discard, "", 0)
	backend.StartTLS()
	t.Cleanup(backend.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: backend.Certificate().Raw})
	for _, c := range []struct {
		keys   string
		status int
		body   string
	}{
		{"ca: ca.pem, server_name: example.com", 200, "HTTP/1.1 %d example.com"},
		{"ca: ca.pem, server_name: other.test", 502, ""},
		{"server_name: example.com", 502, ""},
	} {
		tenant := fmt.Sprintf("hosts: [a.example]\naccess: {public: test}\nbackends: [{url: %q, %s}]\n", backend.URL, c.keys)
		g := startGateway(t, tenant, setup{files: fstest.MapFS{"ca.pem": {Data: ca}}})
		for _, length := range []int{0, 10, 40_000, 200_000, 10} {
			request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("x", length))
			status, body, err := roundTrip(t, g, request)
			if status != c.status || c.status == 200 && (err != nil || body != fmt.Sprintf(c.body, length)) {
				t.Errorf("%s: %d %q, %v; want %d", c.keys, status, body, err, c.status)
			}
		}
	}
}

// Whatever backends do, an answer that arrives whole belongs to its request.
func TestAnswersAreNotMixed(t *testing.T) {
	t.Parallel()
	backend := serveConns(t, misbehave)
	g := startGateway(t, tenantWith("request_buffer: 100B\n", backend, serveConns(t, misbehave)), setup{})
	var clients sync.WaitGroup
	var whole atomic.Int32
	for n := range 8 {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for i := range 60 {
				nonce := fmt.Sprintf("%d-%d", n, i)
				body := strings.Repeat("b", random.IntN(300))
				request := fmt.Sprintf("PUT /%s HTTP/1.1\r\nHost: a.example\r\nContent-Length: %d\r\n\r\n%s", nonce, len(body), body)
				status, text, err := roundTrip(t, g, request)
				if status != http.StatusOK || err != nil {
					continue // cut or refused: it does not pass for whole
				}
				whole.Add(1)
				if want := nonce + strings.Repeat(".", 50); text != want {
					t.Errorf("%s was answered with %q", nonce, text)
				}
			}
		})
	}
	clients.Wait()
	if whole.Load() < 100 {
		t.Errorf("only %d of 480 answers were whole", whole.Load())
	}
}

// misbehave answers with the path that was asked for, and sometimes says too
// much, too little, or nothing at all.
func misbehave(c net.Conn) {
	reader := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		trouble := rand.IntN(12)
		if trouble == 0 {
			return
		}
		if trouble != 1 { // an answer before the body was read
			io.Copy(io.Discard, r.Body)
		}
		body := strings.TrimPrefix(r.URL.Path, "/") + strings.Repeat(".", 50)
		var out bytes.Buffer
		fmt.Fprintf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		switch trouble {
		case 1:
			c.Write(out.Bytes())
			return
		case 2:
			c.Write(out.Bytes()[:rand.IntN(out.Len())])
			return
		case 3:
			out.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		case 4:
			// The surplus comes with the answer's end: what comes later, when the
			// next request is on its way, nobody can tell from its answer.
			c.Write(out.Next(out.Len() - 1))
			out.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		}
		c.Write(out.Bytes())
	}
}
