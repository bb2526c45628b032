package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestIsolation: whatever a client of acme tries, nothing of it arrives at globex, and an auditor who may see both
// gets each tenant's answers on that tenant's connections only.
func TestIsolation(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	// Proof that the backends are there and that their logs speak.
	get(t, w.client(t, clientOfAcme), w.url("acme.example", "/own"), 200)
	get(t, w.client(t, clientOfGlobex), w.url("globex.example", "/own"), 200)

	t.Run("HTTP/1.1", w.tryHeads)
	t.Run("HTTP/2", w.tryStreams)
	t.Run("resumption", w.tryResumption)
	t.Run("balancer", w.tryBalancer)

	for _, s := range w.globex.requests(t) {
		if s.Client != clientOfGlobex && s.Client != auditor || s.Tenant != "globex" || strings.Contains(s.Target, "acme") {
			t.Errorf("the backend of globex saw %+v", s)
		}
	}
	for _, s := range w.acme.requests(t) {
		if s.Client != clientOfAcme && s.Client != auditor || s.Tenant != "acme" || strings.Contains(s.Target, "globex") {
			t.Errorf("the backend of acme saw %+v", s)
		}
	}
}

// tryHeads: on a connection whose handshake named acme, every spelling of globex is refused and every spelling of acme
// is acme.
func (w *world) tryHeads(t *testing.T) {
	port := fmt.Sprint(":", w.https)
	tries := []struct {
		head string // with TARGET standing for a path that names the goal
		goal string
		want int
	}{
		{plainGet("TARGET", "globex.example"), "globex", 421},
		{plainGet("TARGET", "GLOBEX.example"), "globex", 421},
		{plainGet("TARGET", "globex.example."), "globex", 421},
		{plainGet("TARGET", "globex.example"+port), "globex", 421},
		{plainGet("TARGET", "globex.example:80"), "globex", 421},
		{plainGet("TARGET", "nobody.example"), "globex", 421},
		{plainGet("TARGET", "127.0.0.1"), "globex", 421},
		{plainGet("https://globex.exampleTARGET", "globex.example"), "globex", 421},
		{plainGet("https://globex.exampleTARGET", "acme.example"), "globex", 400},
		{plainGet("https://acme.exampleTARGET", "globex.example"), "globex", 400},
		{plainGet("//globex.exampleTARGET", "acme.example"), "globex", 400},
		{plainGet("https://acme.example@globex.exampleTARGET", "acme.example"), "globex", 400},
		{plainGet("TARGET", "acme.example@globex.example"), "globex", 400},
		{plainGet("TARGET", "acme.example, globex.example"), "globex", 400},
		{plainGet("TARGET", "acme.example\r\nHost: globex.example"), "globex", 400},
		{plainGet("TARGET", "globex.example\r\nHost: acme.example"), "globex", 400},
		{plainGet("TARGET", "acme.example\r\n globex.example"), "globex", 400},
		{plainGet("TARGET", "acme.example\r\nX-Forwarded-Host: globex.example"), "acme", 200},
		{plainGet("TARGET", "acme.example\r\nX-Original-URL: https://globex.example/"), "acme", 200},
		{plainGet("TARGET", "ACME.Example"), "acme", 200},
		{plainGet("TARGET", "acme.example."), "acme", 200},
		{plainGet("TARGET", "acme.example"+port), "acme", 200},
		{plainGet("TARGET", "acme.example:80"), "acme", 200},
		{plainGet("https://acme.exampleTARGET", "acme.example"), "acme", 200},
	}
	for _, from := range []string{clientOfAcme, auditor} {
		for i, try := range tries {
			c, err := w.dial(t, from, "acme.example")
			if err != nil {
				t.Fatal(err)
			}
			head := strings.Replace(try.head, "TARGET", fmt.Sprintf("/for-%s-%d", try.goal, i), 1)
			answer, _, err := exchange(c, head)
			if err != nil || answer.StatusCode != try.want {
				t.Errorf("%q = %v, %v, want %d", head, status(answer), err, try.want)
			}
			c.Close()
		}
	}
	w.tryKeptConnection(t)
}

// tryKeptConnection: a connection that was good once does not carry another tenant's request later.
func (w *world) tryKeptConnection(t *testing.T) {
	c, err := w.dial(t, auditor, "acme.example")
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(c)
	for i, want := range []struct {
		host string
		code int
	}{{"acme.example", 200}, {"globex.example", 421}} {
		if _, err := io.WriteString(c, plainGet(fmt.Sprintf("/for-%s-kept-%d", want.host, i), want.host)); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != want.code {
			t.Fatalf("%s on a kept connection of acme = %v, %v, want %d", want.host, status(answer), err, want.code)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
	}
}

func status(a *http.Response) int {
	if a == nil {
		return 0
	}
	return a.StatusCode
}

// tryStreams: an HTTP/2 connection is reused for another authority, as browsers do when certificates would allow it.
func (w *world) tryStreams(t *testing.T) {
	// Connections are kept by the host of the URL, so all of these travel on the one whose handshake named acme.
	c := w.client(t, auditor, "h2")
	for i, try := range []struct {
		authority string
		want      int
	}{
		{"acme.example", 200},
		{"shop.acme.example", 200},
		{"ACME.example.:99", 200},
		{"globex.example", 421},
		{"GLOBEX.example.", 421},
		{"nobody.example", 421},
		{"acme.example", 200},
	} {
		goal := "acme"
		if try.want != 200 {
			goal = "globex"
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url("acme.example", fmt.Sprintf("/for-%s-stream-%d", goal, i)), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = try.authority
		answer, err := c.Do(r)
		if err != nil {
			t.Fatalf("stream for %s: %v", try.authority, err)
		}
		answer.Body.Close()
		if answer.StatusCode != try.want || answer.Proto != "HTTP/2.0" {
			t.Errorf("stream for %s on acme's connection = %d over %s, want %d over HTTP/2.0", try.authority, answer.StatusCode, answer.Proto, try.want)
		}
	}
}

// onlySession is a cache that offers one tenant's session to whoever is called.
type onlySession struct{ state *tls.ClientSessionState }

func (o *onlySession) Get(string) (*tls.ClientSessionState, bool) { return o.state, o.state != nil }

func (o *onlySession) Put(_ string, s *tls.ClientSessionState) {
	if o.state == nil {
		o.state = s
	}
}

// tryResumption: a ticket of acme's is worth nothing at globex and at unknown names, and what is answered there is
// globex's own and judged anew.
func (w *world) tryResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			cache := &onlySession{}
			offer := func(c *tls.Config) {
				c.MinVersion, c.MaxVersion, c.ClientSessionCache = version, version, cache
				c.InsecureSkipVerify = true // Go's client withholds a session whose certificate has another name
			}
			first := w.resume(t, auditor, "acme.example", offer, 200)
			if first || cache.state == nil {
				t.Fatalf("first connection: resumed %v, ticket %v", first, cache.state != nil)
			}
			if !w.resume(t, auditor, "acme.example", offer, 200) {
				t.Error("acme's ticket is not taken at acme; the test shows nothing")
			}
			if w.resume(t, auditor, "globex.example", offer, 421) {
				t.Error("acme's ticket is taken at globex")
			}
			if c, err := w.dial(t, auditor, "nobody.example", offer); err == nil {
				t.Errorf("acme's ticket opens an unknown name: resumed %v", c.ConnectionState().DidResume)
			}
			// The ticket was given to one client; another one who holds it is judged by its own address.
			w.resume(t, stranger, "acme.example", offer, 403)
		})
	}
}

// resume connects with the offer, asks for acme and reports whether the handshake resumed a session.
func (w *world) resume(t *testing.T, from, sni string, offer func(*tls.Config), want int) bool {
	t.Helper()
	c, err := w.dial(t, from, sni, offer)
	if err != nil {
		t.Fatalf("%s from %s: %v", sni, from, err)
	}
	defer c.Close()
	goal := "acme"
	if want != 200 {
		goal = "globex"
	}
	answer, _, err := exchange(c, plainGet("/for-"+goal+"-resumed", "acme.example"))
	if err != nil || answer.StatusCode != want {
		t.Fatalf("acme on a connection to %s from %s = %v, %v, want %d", sni, from, status(answer), err, want)
	}
	return c.ConnectionState().DidResume
}

// tryBalancer: the address in the PROXY header counts, from the listed peer only, and on its listener only.
func (w *world) tryBalancer(t *testing.T) {
	c, err := w.dialThroughBalancer(t, "203.0.113.7", "globex.example")
	if err != nil {
		t.Fatal(err)
	}
	if answer, _, err := exchange(c, plainGet("/for-acme-balancer", "globex.example")); err != nil || answer.StatusCode != 403 {
		t.Errorf("acme's network at globex = %v, %v, want 403", status(answer), err)
	}
	for _, try := range []struct {
		from string
		port int
		what string
	}{
		{clientOfAcme, w.proxied, "a PROXY header from a peer that is not listed"},
		{balancer, w.https, "a PROXY header on the direct listener"},
	} {
		raw, err := dialer(try.from).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", try.port))
		if err != nil {
			continue // closed before connect returned, which is as good
		}
		fmt.Fprintf(raw, "PROXY TCP4 127.0.0.3 127.0.0.1 40000 %d\r\n", try.port)
		if _, err := w.secure(t, raw, "globex.example"); err == nil {
			t.Errorf("%s is taken", try.what)
		}
	}
	raw, err := dialer(balancer).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.proxied))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.secure(t, raw, "acme.example"); err == nil {
		t.Error("the listed peer may leave its PROXY header out")
	}
}
