package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (w *world) plain() net.Conn {
	w.t.Helper()
	c, err := from("127.0.0.1").Dial("tcp", w.addr("plain"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// TestPlainRedirects: every method, to the name and port of the table, with path
// and query byte for byte.
func TestPlainRedirects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.plain()
	r := bufio.NewReader(c)
	for _, test := range []struct{ request, location string }{
		{"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "https://a.example:8443/"},
		{"GET /x/%2e%7e?a=%00&b HTTP/1.1\r\nHost: A.Example.:80\r\n\r\n", "https://a.example:8443/x/%2e%7e?a=%00&b"},
		{"GET /? HTTP/1.1\r\nHost: a.example\r\n\r\n", "https://a.example:8443/?"},
		{"DELETE /x HTTP/1.1\r\nHost: One.apps.example\r\n\r\n", "https://one.apps.example:8443/x"},
		{"GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n", "https://a.example:8443/x?y"},
		{"GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "https://a.example:8443/"},
		{"GET //evil.example/ HTTP/1.1\r\nHost: b.example\r\nX-Forwarded-Host: evil.example\r\n\r\n", "https://b.example:8443//evil.example/"},
	} {
		_, _ = io.WriteString(c, test.request)
		answer := readAnswer(t, r)
		if answer.StatusCode != http.StatusPermanentRedirect || answer.Header.Get("Location") != test.location {
			t.Errorf("%q gets %d to %q, want 308 to %q", test.request, answer.StatusCode, answer.Header.Get("Location"), test.location)
		}
		if answer.Header.Get("Strict-Transport-Security") != "" {
			t.Error("HSTS over plain HTTP (RFC 6797 section 7.2)")
		}
	}
	eventually(t, "the redirect of globex is counted", func() bool {
		return counter(t, w.metrics, `gatehouse_requests_total{class="3xx",tenant="globex"}`) == 1
	})
}

// TestPlainStrangers: who is not in the table learns nothing, not even where it
// might have been sent.
func TestPlainStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.plain()
	r := bufio.NewReader(c)
	for _, host := range []string{"evil.example", "127.0.0.1", "[::1]:80", "deep.one.apps.example"} {
		_, _ = io.WriteString(c, get11(host, "/"))
		answer := readAnswer(t, r)
		if answer.StatusCode != 404 || answer.Header.Get("Location") != "" {
			t.Errorf("Host: %s gets %d to %q, want 404", host, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
	series := `gatehouse_connection_refusals_total{listener="` + w.addr("plain") + `",reason="unknown_host"}`
	eventually(t, "the four refusals are counted", func() bool { return counter(t, w.metrics, series) == 4 })
}

// TestPlainHead: the answer to HEAD has no body, and the next request is found.
func TestPlainHead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.plain()
	_, _ = io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /next HTTP/1.1\r\nHost: a.example\r\n\r\n")
	r := bufio.NewReader(c)
	head, err := http.ReadResponse(r, &http.Request{Method: http.MethodHead})
	if err != nil || head.StatusCode != 404 {
		t.Fatalf("%v, %v", head, err)
	}
	if next := readAnswer(t, r); next.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("the request behind it gets %d", next.StatusCode)
	}
}

// TestPlainEnds: what may hide a second request is the last one.
func TestPlainEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for _, test := range []struct {
		request string
		status  int
	}{
		{"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n", 308},
		{"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n", 308},
		{"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", 308},
		{"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n", 308},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\nHost: a.example\n\n", 400},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		{"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 405},
		{"GET /" + strings.Repeat("x", plainHeadMax) + " HTTP/1.1\r\nHost: a.example\r\n\r\n", 0},
	} {
		c := w.plain()
		_, _ = io.WriteString(c, test.request)
		_ = c.SetReadDeadline(time.Now().Add(inTime))
		r := bufio.NewReader(c)
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			if test.status != 0 {
				t.Errorf("%.60q: %v", test.request, err)
			}
			continue
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		if test.status != 0 && answer.StatusCode != test.status {
			t.Errorf("%.60q gets %d, want %d", test.request, answer.StatusCode, test.status)
		}
		if test.status == 0 && answer.StatusCode/100 != 4 {
			t.Errorf("%.60q gets %d, want a refusal", test.request, answer.StatusCode)
		}
		if _, err := r.ReadByte(); err == nil {
			t.Errorf("%.60q: more follows", test.request)
		} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("%.60q: the connection stays open", test.request)
		}
	}
}

// TestPlainHearsOut: an answer arrives in order although what the client sends
// besides, a body or further requests, is not wanted.
func TestPlainHearsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for _, head := range []string{
		"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000000\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
	} {
		c := w.plain()
		_, _ = io.WriteString(c, head+strings.Repeat("x", 200_000))
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 308 ") {
			t.Errorf("%.40q: the client reads %.40q, %v", head, got, err)
		}
	}
}

// TestPlainHeadInTime: a head that drips in is cut off.
func TestPlainHeadInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {header: 1s}}\n"
	w.apply()
	c := w.plain()
	_, _ = io.WriteString(c, "GET / HT")
	endsWithin(t, c, 8*time.Second) // before the built-in time
}

// TestPlainHides: where refuse_with is 404, a refused client cannot tell the
// host from a stranger's.
func TestPlainHides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"acme": `
hosts: [a.example]
access: {allow: [127.0.0.2], refuse_with: 404}
backends: ["{backend}"]
`})
	c := w.plain()
	r := bufio.NewReader(c)
	var answers []string
	for _, host := range []string{"a.example", "nobody.example"} {
		_, _ = io.WriteString(c, get11(host, "/"))
		answer := readAnswer(t, r)
		ref := answer.Header.Get("X-Request-Id")
		answer.Header.Del("X-Request-Id")
		answer.Header.Del("Date")
		answers = append(answers, answer.Status+strings.ReplaceAll(bodyOf(answer), ref, "")+strings.Join(headerLines(answer), ""))
	}
	if answers[0] != answers[1] {
		t.Errorf("the hidden host answers\n%s\nand a stranger\n%s", answers[0], answers[1])
	}
}

func headerLines(r *http.Response) []string {
	var b strings.Builder
	_ = r.Header.Write(&b)
	return strings.SplitAfter(b.String(), "\n")
}
