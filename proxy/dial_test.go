package proxy

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/pool"
)

// silentTLS is a backend that accepts and says nothing, so that whoever wants TLS
// of it waits. It tells of each connection when it begins, and when it has ended.
func silentTLS(t *testing.T) (url string, begun, ended <-chan struct{}) {
	b, e := make(chan struct{}, 10), make(chan struct{}, 10)
	addr := serveConns(t, func(c net.Conn) {
		b <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
		e <- struct{}{}
	})
	return "https://" + addr, b, e
}

// endsSoon wants a connection to have ended before its dial has run out of time.
func endsSoon(t *testing.T, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the dial goes on")
	}
}

// TestLeaveWhileDialling: a client that leaves while its backend, or the auth
// service, is dialled ends that, and is nobody's fault.
func TestLeaveWhileDialling(t *testing.T) {
	t.Parallel()
	url, begun, ended := silentTLS(t)
	for name, keys := range map[string]string{
		"backend": "backends: [" + url + "]\n",
		"service": "backends: [\"http://127.0.0.1:1\"]\nforward_auth: {url: " + url + "/, timeout: 1m}\n",
	} {
		g := startGateway(t, "hosts: [a.example]\naccess: {public: test}\ntimeouts: {connect: 1m}\nejection: {failures: 1, last: true}\n"+keys, setup{plane: planeOf(t)})
		c := g.dial(t)
		_, _ = io.WriteString(c, get11("a.example", "/"))
		<-begun
		_ = c.Close()
		endsSoon(t, ended)
		eventually(t, "nothing is in progress", func() bool { return g.InFlight("acme", "") == 0 })
		for _, p := range g.Pools("acme") {
			for _, b := range p.Backends {
				if b.Standing != pool.Up {
					t.Errorf("%s: %+v", name, b)
				}
			}
		}
	}
}

// TestCutWhileDialling: what is no longer admitted is answered at once, not when its
// backend has been dialled.
func TestCutWhileDialling(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, begun, ended := silentTLS(t)
			text := func(allow string) string {
				return "hosts: [a.example]\naccess: {allow: [127.0.0.0/28]}\ntimeouts: {connect: 1m}\nbackends: [" + url + "]\n" +
					"routes: {/in/: {access: {allow: [" + allow + "]}}}\n"
			}
			w := newWorldOn(t, map[string]string{"acme": text("127.0.0.1")}, planeOf(t))
			answer := w.start(w.client("direct", "127.0.0.1", http2), "https://a.example/in/")
			<-begun
			w.set("acme", text("127.0.0.9"))
			endsSoon(t, ended)
			if got := <-answer; got != http.StatusForbidden {
				t.Errorf("answered with %d", got)
			}
		})
	}
}
