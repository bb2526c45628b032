package proxy

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestStandardHeads: what the library lets through and our parser refuses is
// refused; the rest arrives in one plain form.
func TestStandardHeads(t *testing.T) {
	t.Parallel()
	b := listenBackend(t)
	g := startGateway(t, tenantWith("", b.addr), setup{plane: StandardPlane})
	get := func(fields string) string { return "GET / HTTP/1.1\nHost: a.example\n" + fields + "\n" }
	plain := func(fields string) string { return "GET / HTTP/1.1\nHost: a.example\n" + fields + "{fwd}\n\n" }
	tests := []struct {
		name, head string
		want       string // the status of a refusal, or what arrives
	}{
		{"no token as method", "G(T / HTTP/1.1\nHost: a.example\n\n", "400"},
		{"long method", strings.Repeat("G", 33) + " / HTTP/1.1\nHost: a.example\n\n", "400"},
		{"HTTP/1.2", "GET / HTTP/1.2\nHost: a.example\n\n", "400"},
		{"HTTP/2.0", "GET / HTTP/2.0\nHost: a.example\n\n", "400"},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\n\nSM\n\n", "400"},
		{"HTTP/0.9", "GET /\n\n", "400"},
		{"CONNECT", "CONNECT a.example:443 HTTP/1.1\nHost: a.example:443\n\n", "405"},
		{"CONNECT with a path", "CONNECT / HTTP/1.1\nHost: a.example\n\n", "405"},
		{"asterisk", "GET * HTTP/1.1\nHost: a.example\n\n", "400"},
		{"http over TLS", "GET http://a.example/ HTTP/1.1\nHost: a.example\n\n", "400"},
		{"fragment", "GET /#x HTTP/1.1\nHost: a.example\n\n", "400"},
		{"other scheme", "GET ftp://a.example/ HTTP/1.1\nHost: a.example\n\n", "400"},
		{"user in the target", "GET http://me@a.example/ HTTP/1.1\nHost: a.example\n\n", "400"},
		{"long target", "GET /{17000 a} HTTP/1.1\nHost: a.example\n\n", "414"},
		{"no Host", "GET / HTTP/1.1\n\n", "400"},
		{"no Host in HTTP/1.0", "GET / HTTP/1.0\n\n", "400"},
		{"two Hosts", get("Host: a.example\n"), "400"},
		{"listed Host", "GET / HTTP/1.1\nHost: a.example,b.example\n\n", "400"},
		{"port out of range", "GET / HTTP/1.1\nHost: a.example:65536\n\n", "400"},
		{"two lengths that differ", get("Content-Length: 1\nContent-Length: 2\n"), "400"},
		{"length with a sign", get("Content-Length: +1\n"), "400"},
		{"long length", get("Content-Length: 0000000000000000000\n"), "400"},
		{"two codings", get("Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n"), "400"},
		{"another coding", get("Transfer-Encoding: gzip, chunked\n"), "400"},
		{"blank before the colon", get("X : 1\n"), "400"},
		{"NUL in a value", get("X: \\x00\n"), "400"},
		{"too many fields", get(strings.Repeat("X: 1\n", 128)), "431"},
		{"large head", get("X: {70000 x}\n"), "431"},
		{"forwarding field nominated", get("Connection: X-Forwarded-For\n"), "400"},
		{"Host nominated", get("Connection: host\n"), "400"},
		{"option that is no token", get("Connection: a b\n"), "400"},
		{"many options", get("Connection: a{40 ,}\n"), "400"},
		{"another expectation", get("Expect: wonders\n"), "417"},
		{"equal lengths", get("Content-Length: 0\nContent-Length: 0\n"), "400"},
		{"a length beside a coding", get("Content-Length: 3\nTransfer-Encoding: chunked\n"), "400"},
		{"Host beside another target", "GET https://a.example/ HTTP/1.1\nHost: other.example\n\n", "400"},
		{"folded line", get("X: 1\n 2\n"), "400"},
		{"bare LF", "GET / HTTP/1.1\\n\\\nHost: a.example\\n\\\n\\n\\\n", "400"},
		{"bare LF in a head that goes on", "GET / HTTP/1.1\\n\\\nHost: a.example\n", "400"},
		{"coding in HTTP/1.0", "GET / HTTP/1.0\nHost: a.example\nTransfer-Encoding: chunked\n\n", "400"},
		{"a listed expectation", get("Expect: 100-continue, wonders\nContent-Length: 1\n"), "417"},

		{"nominated field", get("Connection: x-a\nX-A: 1\nX-B: 2\n"), plain("X-B: 2\n")},
		{"ambiguous names", get("X_A: 1\nx.a: 1\nX-B: 2\n"), plain("X-B: 2\n")},
		{"upgrade to h2c", get("Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AA\n"), plain("")},
		{"two upgrades", get("Connection: Upgrade\nUpgrade: websocket\nUpgrade: websocket\n"), plain("")},
		{"upgrade without Connection", get("Upgrade: websocket\n"), plain("")},

		{"Pragma", get("Pragma: no-cache\n"), plain("Cache-Control: no-cache\nPragma: no-cache\n")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := g.dial(t)
			defer c.Close()
			write(t, c, expand(test.head))
			if len(test.want) > 3 {
				receive(t, b.connection(t, 1), expand(test.want), unordered)
				write(t, b.connection(t, 1), expand("HTTP/1.1 204 No Content\n\n"))
				receive(t, c, expand("HTTP/1.1 204"), exactly)
				return
			}
			_ = c.SetReadDeadline(time.Now().Add(patience))
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			page, err := io.ReadAll(answer.Body)
			if err != nil || answer.Status[:3] != test.want || !answer.Close || !strings.Contains(string(page), answer.Header.Get("X-Request-Id")) {
				t.Errorf("status %s, Connection: close %v, %q, %v; want a page of ours with %s", answer.Status, answer.Close, page, err, test.want)
			}
		})
	}
	b.expectNothing(t, "a")
}

// TestStandardRefusalsAreKnown: what the library refuses by itself is counted
// and logged like what we refuse.
func TestStandardRefusalsAreKnown(t *testing.T) {
	w := newWorldOn(t, twoTenants, StandardPlane)
	c := w.dial("127.0.0.1", "a.example")
	answer := ask(t, c, "GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: x\r\n\r\n")
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", answer.StatusCode)
	}
	eventually(t, "the refusal is logged with its ref", func() bool {
		return strings.Contains(w.log.String(), answer.Header.Get("X-Request-Id")) &&
			strings.Contains(w.log.String(), `"status":400,"reason":"bad_request"`)
	})
	if n := counter(t, w.metrics, `gatehouse_refusals_total{reason="bad_request",tenant="acme"}`); n != 1 {
		t.Errorf("%v refusals are counted, want 1", n)
	}
}
