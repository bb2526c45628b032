package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/http1"
)

func TestSharedAnswer(t *testing.T) {
	for _, test := range []struct {
		value string
		want  bool
	}{{"public, max-age=60", true}, {"max-age=0,S-MAXAGE=60", true}, {"private", false}, {"no-store, publicity", false}, {"", false}} {
		if got := sharedAnswer([]http1.Field{{Name: []byte("Cache-Control"), Value: []byte(test.value)}}); got != test.want {
			t.Errorf("%q: %t, want %t", test.value, got, test.want)
		}
	}
}

func TestStorable(t *testing.T) {
	const now = 784903551 // Tue, 15 Nov 1994 12:45:51 GMT
	for _, test := range []struct {
		fields string
		want   bool
	}{
		{"", false},
		{"Cache-Control: max-age=60", true},
		{"Cache-Control: Max-Age = \"60\"", true},
		{"Cache-Control: max-age=0\nExpires: Tue, 15 Nov 1994 12:45:52 GMT", false},
		{"Cache-Control: max-age=60\nCache-Control: private", false},
		{"Cache-Control: max-age=60\nCache-Control: max-age=0", true},
		{"Cache-Control: max-age=0, stale-while-revalidate=600", true},
		{"Cache-Control: private=\"X-Foo\", max-age=60", true},
		{"Cache-Control: x=\"a, private\", max-age=60", true},
		{"Cache-Control: private, stale-if-error=60", false},
		{"Cache-Control: no-store, max-age=60", false},
		{"Expires: Tue, 15 Nov 1994 12:45:52 GMT", true},
		{"Expires: Tue, 15 Nov 1994 12:45:51 GMT", false},
		{"Expires: 0", false},
		{"Expires: Tue, 15 Nov 1994 12:45:52 GMT\nCache-Control: no-cache, private", false},
	} {
		var fields []http1.Field
		for line := range strings.Lines(test.fields) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			fields = append(fields, http1.Field{Name: []byte(name), Value: []byte(value)})
		}
		if got := storable(fields, now); got != test.want {
			t.Errorf("%q: %t, want %t", test.fields, got, test.want)
		}
	}
}

// TestCookiesAreNotShared: an answer that shared caches may keep, by the backend's
// word or the operator's, carries no client's bucket, place or session.
func TestCookiesAreNotShared(t *testing.T) {
	t.Parallel()
	a := newAuthService(t)
	backend := func() string {
		b := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Cache-Control", r.URL.Query().Get("says"))
		}))
		t.Cleanup(b.Close)
		return b.URL
	}
	w := newWorldOn(t, map[string]string{"acme": fmt.Sprintf(`
hosts: [a.example]
access: {public: "a test"}
backends: [%q, %q]
sticky: place
canary: {backends: [%q, %q], weight: 50%%, sticky: 1h}
forward_auth: {url: %q}
routes:
  /static/: {headers: {response: {set: {Cache-Control: "public, max-age=60"}}}}
  /mine/: {headers: {response: {set: {Cache-Control: "private"}}}}
`, backend(), backend(), backend(), backend(), a.URL)}, planeOf(t))
	ours := []string{"__Host-canary-", "place=", "session=longer"}
	for target, want := range map[string][]string{
		"/?says=no-cache":          ours,
		"/?says=public":            nil,
		"/?says=s-maxage=5":        nil,
		"/static/?says=no-cache":   nil,
		"/mine/?says=public":       ours,
		"/static/x?says=no-store":  nil,
		"/?says=max-age=600":       ours[:2],
		"/?says=max-age=0":         ours,
		"/?says=private,max-age=5": ours,
	} {
		response, _ := w.send(w.client("direct", "127.0.0.1", false), "GET", "https://a.example"+target, "Cookie: who=ada")
		cookies := response.Header["Set-Cookie"]
		slices.Sort(cookies)
		good := response.StatusCode == http.StatusOK && len(cookies) == len(want)
		for i := range want {
			good = good && strings.HasPrefix(cookies[i], want[i])
		}
		if !good {
			t.Errorf("%s: %d, the cookies are %q, want %q", target, response.StatusCode, cookies, want)
		}
	}
}

// TestCookiesOfWebSocket: WebSockets are placed as well, and dealt into buckets, and
// the 101 says so.
func TestCookiesOfWebSocket(t *testing.T) {
	t.Parallel()
	backend := serveConns(t, func(c net.Conn) {
		readRequest(c)
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
	})
	g := startGateway(t, stickyTenant(fmt.Sprintf("sticky: place\ncanary: {backends: [\"http://%s\"], weight: 50%%, sticky: 1h}", backend), backend), setup{plane: planeOf(t)})
	c := g.dial(t)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	resp := ask(t, c, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if resp.StatusCode != http.StatusSwitchingProtocols || len(resp.Cookies()) != 2 {
		t.Errorf("%d with cookies %v, want 101 and two", resp.StatusCode, resp.Cookies())
	}
}
