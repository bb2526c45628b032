package proxy

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/tenancy"
)

// v2Header is a PROXY header of version 2 for a TCP connection over IPv4, with
// an extension behind the addresses.
func v2Header(source string) string {
	b := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11")
	b = binary.BigEndian.AppendUint16(b, 12+4)
	b = append(b, net.ParseIP(source).To4()...)
	b = append(b, 127, 0, 0, 1, 0xab, 0xcd, 0x01, 0xbb)
	return string(append(b, 0x04, 0, 1, 0))
}

// throughBalancer opens a TLS connection behind a PROXY header that is sent in
// pieces.
func (w *world) throughBalancer(host string, pieces ...string) (*tls.Conn, error) {
	w.t.Helper()
	raw, err := from(balancer).Dial("tcp", w.addr("proxied"))
	if err != nil {
		return nil, err // a refusal's RST may be that fast
	}
	w.t.Cleanup(func() { raw.Close() })
	for _, piece := range pieces {
		if _, err := io.WriteString(raw, piece); err != nil {
			return nil, err
		}
	}
	_ = raw.SetDeadline(time.Now().Add(patience))
	c := tls.Client(raw, w.tlsConfig(host, "http/1.1"))
	return c, c.Handshake()
}

func TestProxyHeaderNamesTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	v1, v2 := "PROXY TCP4 192.0.2.7 127.0.0.1 50000 443\r\n", v2Header("192.0.2.7")
	for name, pieces := range map[string][]string{
		"version 1":           {v1},
		"version 2":           {v2},
		"version 1 in pieces": {v1[:3], v1[3:20], v1[20:]},
		"version 2 in pieces": {v2[:1], v2[1:13], v2[13:17], v2[17:]},
		"version 1 over IPv6": {"PROXY TCP6 ::ffff:192.0.2.7 ::1 50000 443\r\n"},
	} {
		c, err := w.throughBalancer("a.example", pieces...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := bodyOf(ask(t, c, get11("a.example", "/"))); got != "acme for 192.0.2.7" {
			t.Errorf("%s: the backend answers %q", name, got)
		}
	}
}

// TestProxyHeaderTogetherWithHello: what lies behind the header is not lost.
func TestProxyHeaderTogetherWithHello(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	raw, err := from(balancer).Dial("tcp", w.addr("proxied"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(&prefixed{Conn: raw, prefix: v2Header("192.0.2.7")}, w.tlsConfig("a.example"))
	if got := bodyOf(ask(t, c, get11("a.example", "/"))); got != "acme for 192.0.2.7" {
		t.Errorf("the backend answers %q", got)
	}
}

// prefixed writes its prefix in one piece with the first bytes.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	n := len(p.prefix)
	if n == 0 {
		return p.Conn.Write(b)
	}
	_, err := p.Conn.Write(append([]byte(p.prefix), b...))
	p.prefix = ""
	return len(b), err
}

func TestProxyHeaderIsRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for name, header := range map[string]string{
		"none":      "",
		"malformed": "PROXY TCP4 192.0.2.7\r\n",
		"unknown":   "PROXY UNKNOWN\r\n",
		"local":     "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00",
	} {
		if _, err := w.throughBalancer("a.example", header); err == nil {
			t.Errorf("%s: the handshake succeeds", name)
		}
	}
	series := `gatehouse_connection_refusals_total{listener="` + w.addr("proxied") + `",reason="proxy_header"}`
	eventually(t, "all are counted", func() bool { return counter(t, w.metrics, series) == 4 })
}

// TestProxyHeaderInTime: a balancer that says nothing, or says it too slowly, is
// cut off.
func TestProxyHeaderInTime(t *testing.T) {
	for _, says := range []string{"", "PROXY TCP4"} {
		bubble(t, func(s *Server, c *conn, client net.Conn) {
			var saying sync.WaitGroup
			defer saying.Wait()
			defer client.Close()
			saying.Go(func() {
				for _, letter := range []byte(says) {
					_, _ = client.Write([]byte{letter})
					<-time.After(time.Second)
				}
			})
			began := time.Now()
			if got := s.identify(c); got != tenancy.ProxyHeader {
				t.Errorf("saying %q is refused for %q", says, got)
			}
			within(t, "the wait", time.Since(began), proxyHeaderTimeout)
		})
	}
}

// TestProxyHeaderOfStrangers: whoever is not listed is closed, and on a direct
// listener a header is noise.
func TestProxyHeaderOfStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {header: 1m}}\n" // which ends neither
	w.apply()
	for _, listener := range []string{"proxied", "direct"} {
		c, err := from("127.0.0.2").Dial("tcp", w.addr(listener))
		if err != nil {
			continue // the RST was faster
		}
		defer c.Close()
		_, _ = io.WriteString(c, "PROXY TCP4 192.0.2.7 127.0.0.1 50000 443\r\n")
		if got := endsWithin(t, c, inTime); strings.Contains(got, "HTTP") {
			t.Errorf("%s: a stranger hears %q", listener, got)
		}
	}
}

// TestProxyHeaderClientIsBlocked: the block list is asked about the client, not
// about the balancer.
func TestProxyHeaderClientIsBlocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "block: [192.0.2.66]\n"
	w.apply()
	if _, err := w.throughBalancer("b.example", v2Header("192.0.2.66")); err == nil {
		t.Error("a blocked client shakes hands")
	}
	if _, err := w.throughBalancer("b.example", v2Header("192.0.2.67")); err != nil {
		t.Errorf("another client of the same balancer: %v", err)
	}
}

// forwarded asks once, in the name of clients, and returns status and body.
func forwarded(t *testing.T, c net.Conn, r *bufio.Reader, host, field string) (int, string) {
	t.Helper()
	request := "GET / HTTP/1.1\r\nHost: " + host + "\r\n"
	if field != "" {
		request += "X-Forwarded-For: " + field + "\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := readAnswer(t, r)
	return answer.StatusCode, bodyOf(answer)
}

// TestForwardedFor: on such a listener every request has a client of its own,
// and what is refused to one does not end the connection of all.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "block: [192.0.2.66]\n"
	w.apply()
	c, err := tls.DialWithDialer(from(balancer), "tcp", w.addr("forwarded"), w.tlsConfig("a.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for _, step := range []struct {
		field  string
		status int
		body   string
	}{
		{"192.0.2.7", 200, "acme for 192.0.2.7"},
		{"6.6.6.6, 192.0.2.7, " + balancer, 200, "acme for 192.0.2.7"},
		{"192.0.2.8", 403, ""},
		{"192.0.2.66", 403, ""},
		{"192.0.2.7", 200, "acme for 192.0.2.7"},
	} {
		status, body := forwarded(t, c, r, "a.example", step.field)
		if status != step.status || step.body != "" && body != step.body {
			t.Errorf("X-Forwarded-For: %s gets %d %q, want %d %q", step.field, status, body, step.status, step.body)
		}
	}
	if status, _ := forwarded(t, c, r, "a.example", ""); status != http.StatusBadRequest {
		t.Errorf("no X-Forwarded-For gets %d, want 400", status)
	}
}

func TestForwardedForOfStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	if _, err := tls.DialWithDialer(from("127.0.0.2"), "tcp", w.addr("forwarded"), w.tlsConfig("a.example")); err == nil {
		t.Error("a peer that is not listed shakes hands")
	}
}

// TestForwardedForRevocation: what is revoked there is the request, not the
// connection.
func TestForwardedForRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	arrived := make(chan struct{}, 2)
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	c, err := tls.DialWithDialer(from(balancer), "tcp", w.addr("forwarded"), w.tlsConfig("a.example"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
	<-arrived
	began := time.Now()
	w.set("acme", strings.ReplaceAll(twoTenants["acme"], ", 192.0.2.7", ""))
	if answer := readAnswer(t, r); answer.StatusCode != 403 {
		t.Errorf("a revoked request gets %d, want 403", answer.StatusCode)
	}
	if took := time.Since(began); took > inTime {
		t.Errorf("the revocation took %v", took)
	}
	w.answerWith(nil)
	if status, body := forwarded(t, c, r, "a.example", "127.0.0.2"); status != 200 {
		t.Errorf("another client of the same connection gets %d %q", status, body)
	}
}
