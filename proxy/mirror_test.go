package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// copiesSeen is a backend that passes on what it is sent, and answers.
func copiesSeen(t testing.TB) (address string, seen chan string) {
	seen = make(chan string, 1000)
	return serveConns(t, func(c net.Conn) {
		reader := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			seen <- fmt.Sprintf("%s %s %s %s mark %q", c.RemoteAddr(), r.Method, r.URL, body, r.Header[mirrorMark])
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
		}
	}), seen
}

func mirrorTenant(main, shadow, rules string) string {
	return fmt.Sprintf("hosts: [a.example]\naccess: {public: test}\nbackends: [\"http://%s\"]\nmirror: {backends: [\"http://%s\"]%s}\n", main, shadow, rules)
}

// receiveCopy returns what the mirror was sent, without who sent it.
func receiveCopy(t *testing.T, seen chan string) (from, what string) {
	t.Helper()
	select {
	case text := <-seen:
		from, what, _ = strings.Cut(text, " ")
		return from, what
	case <-time.After(patience):
		t.Fatal("the mirror was sent nothing")
		return "", ""
	}
}

// The mirror gets head and body, marked; the client gets the original's answer; a
// connection to the mirror is used again.
func TestMirrorCopies(t *testing.T) {
	t.Parallel()
	main, mainSeen := copiesSeen(t)
	shadow, seen := copiesSeen(t)
	g := startGateway(t, mirrorTenant(main, shadow, ", methods: [GET, POST]"), setup{})
	former := ""
	for i, test := range []struct{ request, want string }{
		{"GET /a?b=c HTTP/1.1\r\nHost: a.example\r\nX-Mirrored: 7\r\n\r\n", "GET /a?b=c  mark"},
		{"POST /p HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello", "POST /p hello mark"},
	} {
		if status, body, err := roundTrip(t, g, test.request); status != http.StatusOK || body != "abc" || err != nil {
			t.Fatalf("%d %q, %v", status, body, err)
		}
		if _, got := receiveCopy(t, mainSeen); got != test.want+" []" {
			t.Errorf("the original: %s", got)
		}
		from, got := receiveCopy(t, seen)
		if got != test.want+` ["1"]` {
			t.Errorf("the copy: %s", got)
		}
		if i > 0 && from != former {
			t.Error("the copies came over two connections")
		}
		former = from
		eventually(t, "the copy to end", func() bool { return g.copies.busy.Load() == 0 })
	}
	if got := counter(t, g.metrics, `gatehouse_mirrored_total{result="answered",tenant="acme"}`); got != 2 {
		t.Errorf("%v copies are counted, want 2", got)
	}
}

// What is not listed, drawn or held is not copied.
func TestMirrorLeavesOut(t *testing.T) {
	t.Parallel()
	main := namedBackend(t, "main", nil)
	shadow, seen := copiesSeen(t)
	long := "PUT /long HTTP/1.1\r\nHost: a.example\r\nContent-Length: 65536\r\n\r\n" + strings.Repeat("x", 65536)
	for _, test := range []struct {
		rules, request string
		dropped        float64
	}{
		{"", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx", 0},
		{", methods: [HEAD]", get11("a.example", "/"), 0},
		{", share: 0%", get11("a.example", "/"), 0},
		{"", "PUT / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 0},
		{"", long, 1},
	} {
		g := startGateway(t, mirrorTenant(main, shadow, test.rules), setup{})
		if status, body, err := roundTrip(t, g, test.request); status != http.StatusOK || body != "main" || err != nil {
			t.Fatalf("%.40q: %d %q, %v", test.request, status, body, err)
		}
		if g.copies.busy.Load() != 0 || len(seen) != 0 {
			t.Errorf("%.40q with %q: it was copied", test.request, test.rules)
		}
		if got := counter(t, g.metrics, `gatehouse_mirrored_total{result="dropped",tenant="acme"}`); got != test.dropped {
			t.Errorf("%.40q: %v copies are dropped, want %v", test.request, got, test.dropped)
		}
	}
}

// A mirror that is dead, silent or wrong delays and fails nobody.
func TestMirrorFailsAlone(t *testing.T) {
	t.Parallel()
	main := namedBackend(t, "main", nil)
	for name, shadow := range map[string]string{
		"refuses": refusedPort(t),
		"closes":  serveConns(t, readRequest),
		"garbage": serveConns(t, func(c net.Conn) { readRequest(c); io.WriteString(c, "nonsense\r\n\r\n") }),
		"cut":     serveConns(t, func(c net.Conn) { readRequest(c); io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, "ejection: off\n"+mirrorTenant(main, shadow, ""), setup{})
			for range 3 {
				if status, who := whoAnswers(t, g, ""); status != http.StatusOK || who != "main" {
					t.Errorf("%d %s", status, who)
				}
			}
			eventually(t, "three failures", func() bool {
				return counter(t, g.metrics, `gatehouse_mirrored_total{result="failed",tenant="acme"}`) == 3
			})
		})
	}
}

// A mirror that says nothing has so many copies and no more, and does not hold up
// the end of the server.
func TestMirrorIsBounded(t *testing.T) {
	t.Parallel()
	silent := serveConns(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	g := startGateway(t, mirrorTenant(namedBackend(t, "main", nil), silent, ""), setup{})
	for range mirrorCopiesMax + 6 {
		if status, who := whoAnswers(t, g, ""); status != http.StatusOK || who != "main" {
			t.Fatalf("%d %s", status, who)
		}
	}
	if got := g.copies.busy.Load(); got != mirrorCopiesMax {
		t.Errorf("%d copies are under way, want %d", got, mirrorCopiesMax)
	}
	if got := counter(t, g.metrics, `gatehouse_mirrored_total{result="dropped",tenant="acme"}`); got != 6 {
		t.Errorf("%v were dropped, want 6", got)
	}
}
