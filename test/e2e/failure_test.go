package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// answeredIn wants a status within a time.
func (w *world) answeredIn(t *testing.T, want int, atLeast, atMost time.Duration) {
	t.Helper()
	c := w.client(t, clientOfAcme)
	started := time.Now()
	get(t, c, w.url("acme.example", "/"), want)
	if took := time.Since(started); took < atLeast || took > atMost {
		t.Errorf("%d after %v, want it after %v to %v", want, took, atLeast, atMost)
	}
}

// TestDeadBackend: a port where nobody listens, and one that does not even refuse, are 502 within the time of connect.
func TestDeadBackend(t *testing.T) {
	t.Parallel() // most of it is waiting
	w := newWorld(t)
	w.defaults = "{timeouts: {connect: 5s}}" // the built-in one is shorter
	w.writeMain(t)
	w.write(t, "tenants/acme.yaml", acmeText(fmt.Sprintf("http://127.0.0.1:%d", freePorts(t, 1)[0])))
	w.start(t)
	w.answeredIn(t, http.StatusBadGateway, 0, 20*time.Second)

	w.write(t, "tenants/acme.yaml", acmeText(deaf(t)))
	w.reload(t)
	w.answeredIn(t, http.StatusBadGateway, 4900*time.Millisecond, 20*time.Second)
}

// TestNextBackend: as long as one backend can be reached, a dead one costs nobody an answer.
func TestNextBackend(t *testing.T) {
	w := newWorld(t)
	w.write(t, "tenants/acme.yaml", acmeText(fmt.Sprintf("http://127.0.0.1:%d", freePorts(t, 1)[0]), w.acme.url()))
	w.start(t)
	c := w.client(t, clientOfAcme)
	for range 6 {
		get(t, c, w.url("acme.example", "/"), 200)
	}
}

// deaf is an address where connecting neither succeeds nor fails: its accept queue is full and nobody empties it.
func deaf(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	port := freePorts(t, 1)[0]
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	unanswered := 0
	for range 64 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			t.Cleanup(func() { c.Close() })
			unanswered = 0
		} else if unanswered++; unanswered == 2 { // one may be the machine's own slowness
			return "http://" + address
		}
	}
	t.Fatal("the accept queue does not fill up")
	return ""
}

// TestSilentBackend: a backend that takes the request and says nothing is 504 when its time is over.
func TestSilentBackend(t *testing.T) {
	t.Parallel() // most of it is waiting
	w := newWorld(t)
	w.defaults = "{timeouts: {first_byte: 1s}}"
	w.writeMain(t)
	backend := silent(t)
	w.write(t, "tenants/acme.yaml", acmeText(backend.url()))
	w.start(t)
	w.answeredIn(t, http.StatusGatewayTimeout, 900*time.Millisecond, 20*time.Second)
	if heard := backend.heard(); !strings.HasPrefix(heard, "GET / HTTP/1.1\r\n") {
		t.Errorf("the backend heard %q, want the request", heard)
	}
}

// TestMalformed: what can be read in two ways is answered with 400 and the connection ends; the backend hears nothing.
func TestMalformed(t *testing.T) {
	w := newWorld(t)
	backend := silent(t)
	w.write(t, "tenants/acme.yaml", acmeText(backend.url()))
	w.start(t)
	const host = "Host: acme.example\r\n"
	for _, head := range []string{
		"GET / HTTP/1.1\n" + "Host: acme.example\n\n",
		"GET  / HTTP/1.1\r\n" + host + "\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : acme.example\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Bad Name: x\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n" + host + "\r\n",
		"GET /../etc/passwd HTTP/1.1\r\n" + host + "\r\n",
		"GET /%2e%2e/admin HTTP/1.1\r\n" + host + "\r\n",
		"GET /a%2fb HTTP/1.1\r\n" + host + "\r\n",
		"GET /%zz HTTP/1.1\r\n" + host + "\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\n" + host + "Connection: Authorization\r\n\r\n",
	} {
		c, err := w.dial(t, clientOfAcme, "acme.example")
		if err != nil {
			t.Fatal(err)
		}
		answer, _, err := exchange(c, head)
		if err != nil || answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%q = %v, %v, want 400", head, status(answer), err)
			continue
		}
		if !answer.Close && !strings.HasPrefix(head, "GET /") {
			t.Errorf("%q: the connection stays open", head)
		}
	}
	if heard := backend.heard(); heard != "" {
		t.Errorf("the backend heard %q, want nothing", heard)
	}
}

// TestMalformedChunk: a body that turns out malformed ends the request at the backend too, without a word of the rest.
func TestMalformedChunk(t *testing.T) {
	w := newWorld(t)
	backend := silent(t)
	w.write(t, "tenants/acme.yaml", acmeText(backend.url()))
	w.start(t)
	c, err := w.dial(t, clientOfAcme, "acme.example")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"5\r\nhello\r\n5;\nx\r\nGET /smuggled HTTP/1.1\r\nHost: acme.example\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(c) // reset or closed: both end it
	if answer := string(text); answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
		t.Errorf("answer %q, want 400 or none", answer)
	}
	if heard := backend.heard(); strings.Contains(heard, "smuggled") || strings.HasSuffix(heard, "0\r\n\r\n") {
		t.Errorf("the backend heard %q, want neither the rest nor an end", heard)
	}
}
