package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestRequestFate(t *testing.T) {
	for want, names := range map[fate]string{
		removed: `Connection connection Keep-Alive Proxy-Connection Proxy-Authorization Proxy-Authenticate TE te Trailer
			Transfer-Encoding Upgrade HTTP2-Settings Host Content-Length Expect
			X-Forwarded-For x-forwarded-proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Prefix X-Forwarded Forwarded
			X-Real-IP True-Client-IP X-Client-IP X-Cluster-Client-IP CF-Connecting-IP cf-connecting-ip
			X-Original-URL X-Original-Host X-Original-For Client-Cert Client-Cert-Chain
			X-SSL-Client-Cert X-SSL-Client-Verify X-ARR-ClientCert X-ARR-SSL X-Auth-User X-Mirrored X_Mirrored X-Tenant X-Request-Id X-Request-ID Proxy
			X_Forwarded_For X.Forwarded.For X_Real-IP Content_Length Transfer_Encoding X_Tenant
			Front-End-Https X-Rewrite-URL X!Forwarded-For X~Tenant X_Auth+User Content|Length
			Remote-User REMOTE_USER X-Remote-User Remote-Addr Ssl-Client-Verify SSL_CLIENT_S_DN Proxy-Client-IP WL-Proxy-Client-IP`,
		passable: `X-HTTP-Method-Override My_Header a.b X_Custom`,
		kept: `Accept Cookie Authorization Content-Type Content-Encoding Cache-Control X-Custom X-Frame-Options Origin Range
			If-None-Match X-Auth X-Forward X-Originally X Xy Proxy-Status T Sec-WebSocket-Key Early-Data Via X-Odd! $x`,
	} {
		for name := range strings.FieldsSeq(names) {
			if got := requestFate([]byte(name)); got != want {
				t.Errorf("requestFate(%q) = %d, want %d", name, got, want)
			}
		}
	}
	// Client-Cert* is a prefix; Host_ and PROXY_ end in what becomes a hyphen
	// and merge with nothing.
	if got := requestFate([]byte("Client-Certify")); got != removed {
		t.Errorf("Client-Certify: %d, want removed", got)
	}
	for _, name := range []string{"Host_", "PROXY_"} {
		if got := requestFate([]byte(name)); got != passable {
			t.Errorf("%s: %d, want passable", name, got)
		}
	}
}

// TestRulesHoldForOtherSpellings: what the operator sets or removes does not come
// from a client by a name that a backend takes for the same.
func TestRulesHoldForOtherSpellings(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": `
hosts: [a.example]
access: {public: "a test"}
backends: ["{backend}"]
headers: {request: {set: {X-Backend-Token: real}, remove: [X-Debug-Mode]}}
pass_headers: [X_Debug_Mode]
`}, planeOf(t))
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			if strings.HasPrefix(name, "X") && (strings.Contains(name, "oken") || strings.Contains(name, "ode") || strings.Contains(name, "ther")) {
				fmt.Fprintln(rw, name, values)
			}
		}
	})
	_, body := w.send(w.client("direct", "127.0.0.1", false), http.MethodGet, "https://a.example/",
		"X~Backend~Token: forged\nX!Debug!Mode: 1\nX_Debug_Mode: 1\nX-Debug-Mode: 1\nX-Other: x")
	lines := slices.Sorted(strings.Lines(body))
	if got := strings.Join(lines, ""); got != "X-Backend-Token [real]\nX-Other [x]\n" {
		t.Errorf("the backend sees\n%s", got)
	}
}

func TestAmbiguousNamesAreBounded(t *testing.T) {
	if got := requestFate([]byte(strings.Repeat("a", 64) + "_")); got != removed {
		t.Errorf("a very long name with an underscore: %d, want removed", got)
	}
}

func TestAnswerFate(t *testing.T) {
	for _, name := range strings.Fields(`Connection Keep-Alive Proxy-Connection Proxy-Authenticate Transfer-Encoding Upgrade
		HTTP2-Settings TE Strict-Transport-Security strict-transport-security X-Request-Id`) {
		if answerFate([]byte(name)) != removed {
			t.Errorf("%s reaches the client", name)
		}
	}
	for _, name := range strings.Fields(`Content-Length Content-Type Date Server Set-Cookie Location Trailer ETag X_Y X-Powered-By`) {
		if answerFate([]byte(name)) != kept {
			t.Errorf("%s does not reach the client", name)
		}
	}
}

func BenchmarkRequestFate(b *testing.B) {
	names := [][]byte{}
	for _, n := range strings.Fields(`Accept Accept-Encoding Accept-Language Cookie User-Agent Sec-Fetch-Dest Sec-Fetch-Mode X-Csrf-Token Referer Cache-Control`) {
		names = append(names, []byte(n))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, n := range names {
			if requestFate(n) != kept {
				b.Fatal(string(n))
			}
		}
	}
}
