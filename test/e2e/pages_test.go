package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestPages: each tenant's pages come from its own backend, over both protocols, with what the backend must know.
func TestPages(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	for _, protocol := range []struct{ flag, line string }{{"--http1.1", "HTTP/1.1 200"}, {"--http2", "HTTP/2 200"}} {
		t.Run(protocol.flag, func(t *testing.T) {
			got := w.curl(t, clientOfAcme, protocol.flag, w.url("acme.example", "/orders?id=7"))
			got.has(t, protocol.line, "x-backend: acme", "x-request-id: ", "tenant=acme", "client="+clientOfAcme,
				"proto=https", "host="+w.authority("acme.example"), "forwarded_host="+w.authority("acme.example"), "target=/orders?id=7")
			w.curl(t, clientOfAcme, protocol.flag, w.url("shop.acme.example", "/")).has(t, protocol.line, "tenant=acme")
			w.curl(t, clientOfGlobex, protocol.flag, w.url("globex.example", "/")).has(t, protocol.line, "x-backend: globex", "tenant=globex")
		})
	}
}

// TestForgedFields: what a client says about itself does not reach the backend.
func TestForgedFields(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	for _, protocol := range []string{"--http1.1", "--http2"} {
		got := w.curl(t, clientOfAcme, protocol, "-H", "X-Forwarded-For: 198.51.100.1", "-H", "X-Tenant: globex",
			"-H", "X-Request-Id: mine", "-H", "X-Forwarded-Proto: http", w.url("acme.example", "/"))
		got.has(t, "tenant=acme", "client="+clientOfAcme+" ", "proto=https")
		got.hasNot(t, "198.51.100.1", "ref=mine")
	}
}

// TestRedirect: plain HTTP is a redirect built from the table for hosts of the table, and nothing for others.
func TestRedirect(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	plain := func(host, path string) string { return fmt.Sprintf("http://%s:%d%s", host, w.http, path) }

	got := w.curl(t, clientOfAcme, plain("acme.example", "/orders?id=7"))
	got.has(t, "HTTP/1.1 308", "location: "+w.url("acme.example", "/orders?id=7")+"\r\n")
	got = w.curl(t, clientOfAcme, plain("shop.acme.example", "/"))
	got.has(t, "HTTP/1.1 308", "location: "+w.url("shop.acme.example", "/")+"\r\n")

	got = w.curl(t, clientOfAcme, plain("nobody.example", "/"))
	got.has(t, "HTTP/1.1 404")
	got.hasNot(t, "location:")
	if requests := w.acme.requests(t); len(requests) != 0 {
		t.Errorf("the backend saw %v, want nothing of plain HTTP", requests)
	}
}

// TestRefusalPage: a stranger's 403 says nothing but the reference.
func TestRefusalPage(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	for _, protocol := range []string{"--http1.1", "--http2"} {
		got := w.curl(t, stranger, protocol, w.url("acme.example", "/"))
		got.has(t, " 403", "cache-control: no-store", "x-request-id: ")
		got.hasNot(t, "gatehouse", "acme", "server:", "x-backend", "127.0.0", "ip_not_allowed")
		_, tail, _ := strings.Cut(strings.ToLower(got.stdout), "x-request-id: ")
		if ref, _, _ := strings.Cut(tail, "\r\n"); strings.Count(strings.ToLower(got.stdout), ref) != 2 {
			t.Errorf("the page does not show its reference %q:\n%s", ref, got.stdout)
		}
	}
	if requests := w.acme.requests(t); len(requests) != 0 {
		t.Errorf("the backend saw %v, want nothing of a stranger", requests)
	}
}

// TestHSTS: hosts with a certificate from a file send our HSTS, whatever the backend said before; hosts of the
// internal CA send none, also on our own pages.
func TestHSTS(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	w.curl(t, clientOfAcme, w.url("acme.example", "/")).hasNot(t, "strict-transport-security")
	w.curl(t, stranger, w.url("acme.example", "/")).hasNot(t, "strict-transport-security")

	f := newWorld(t)
	f.useFile(t, "acme.example", "*.acme.example", "globex.example")
	f.start(t)
	const ours = "strict-transport-security: max-age=63072000\r\n"
	for _, protocol := range []string{"--http1.1", "--http2"} {
		got := f.curl(t, clientOfAcme, protocol, f.url("acme.example", "/"))
		got.has(t, " 200", ours)
		got.hasNot(t, "max-age=1\r\n")
		f.curl(t, stranger, protocol, f.url("acme.example", "/")).has(t, " 403", ours)
	}
}
