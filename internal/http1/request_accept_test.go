package http1

import (
	"fmt"
	"strings"
	"testing"
)

// tell writes down what a request head was understood to be.
func (h *RequestHead) tell() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", h.Method, h.Path)
	if h.HasQuery {
		fmt.Fprintf(&b, " ?%s", h.Query)
	}
	if h.AbsoluteScheme != "" {
		fmt.Fprintf(&b, " %s//%s", h.AbsoluteScheme, h.Authority)
	}
	fmt.Fprintf(&b, " 1.%d %s:%d", h.Minor, h.HostName, h.Port)
	if h.Framing == ContentLength {
		fmt.Fprintf(&b, " length=%d", h.ContentLength)
	} else if h.Framing != NoBody {
		fmt.Fprintf(&b, " %v", h.Framing)
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{
		{h.KeepAlive, "keep"},
		{h.ExpectContinue, "expect"},
		{h.WebSocket, "websocket"},
		{h.AcceptsTrailers, "trailers"},
	} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	return b.String()
}

const (
	host = "Host: a.example\r\n"
	end  = "\r\n"
)

// acceptedRequests are heads that must be understood, and as what.
var acceptedRequests = []struct{ why, rfc, head, want string }{
	{"the simplest", "9112 3", "GET / HTTP/1.1\r\n" + host + end, "GET / 1.1 a.example:0 keep"},
	{"HTTP/1.0", "9112 2.3", "GET / HTTP/1.0\r\n" + host + end, "GET / 1.0 a.example:0"},
	{"HTTP/1.0 keep-alive", "9112 9.3", "GET / HTTP/1.0\r\n" + host + "Connection: keep-alive\r\n" + end, "GET / 1.0 a.example:0 keep"},
	{"HTTP/1.0 keep-alive and close", "9112 9.3", "GET / HTTP/1.0\r\n" + host + "Connection: keep-alive, close\r\n" + end, "GET / 1.0 a.example:0"},
	{"close", "9112 9.6", "GET / HTTP/1.1\r\n" + host + "Connection: close\r\n" + end, "GET / 1.1 a.example:0"},
	{"close in capitals", "9110 7.6.1", "GET / HTTP/1.1\r\n" + host + "Connection: CLOSE\r\n" + end, "GET / 1.1 a.example:0"},
	{"close in a second field", "9110 5.3", "GET / HTTP/1.1\r\n" + host + "Connection: x-a\r\nConnection: close\r\n" + end, "GET / 1.1 a.example:0"},
	{"empty elements in Connection", "9110 5.6.1", "GET / HTTP/1.1\r\n" + host + "Connection: , ,close,,\r\n" + end, "GET / 1.1 a.example:0"},
	{"32 Connection options", "9110 7.6.1", "GET / HTTP/1.1\r\n" + host + "Connection: a" + strings.Repeat(",b", 31) + "\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"empty Connection", "9110 7.6.1", "GET / HTTP/1.1\r\n" + host + "Connection:\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"Connection names TE", "9110 10.1.4", "GET / HTTP/1.1\r\n" + host + "TE: trailers\r\nConnection: TE\r\n" + end, "GET / 1.1 a.example:0 keep trailers"},
	{"TE with more than trailers", "9110 10.1.4", "GET / HTTP/1.1\r\n" + host + "TE: gzip;q=0.5, Trailers\r\n" + end, "GET / 1.1 a.example:0 keep trailers"},
	{"one empty line before", "9112 2.2", "\r\nGET / HTTP/1.1\r\n" + host + end, "GET / 1.1 a.example:0 keep"},
	{"path and query", "9112 3.2.1", "GET /a/b?c=d&e HTTP/1.1\r\n" + host + end, "GET /a/b ?c=d&e 1.1 a.example:0 keep"},
	{"empty query", "9112 3.2.1", "GET /a? HTTP/1.1\r\n" + host + end, "GET /a ? 1.1 a.example:0 keep"},
	{"question marks in the query", "3986 3.4", "GET /?a?b? HTTP/1.1\r\n" + host + end, "GET / ?a?b? 1.1 a.example:0 keep"},
	{"two slashes", "3986 3.3", "GET //a//b HTTP/1.1\r\n" + host + end, "GET //a//b 1.1 a.example:0 keep"},
	{"dot segments stay", "3986 3.3", "GET /a/../b HTTP/1.1\r\n" + host + end, "GET /a/../b 1.1 a.example:0 keep"},
	{"percent encoding stays", "3986 2.1", "GET /%2e%2F%00 HTTP/1.1\r\n" + host + end, "GET /%2e%2F%00 1.1 a.example:0 keep"},
	{"what browsers do not encode", "3986 3.4", "GET /a?b=[{|}]^`\"\\ HTTP/1.1\r\n" + host + end, "GET /a ?b=[{|}]^`\"\\ 1.1 a.example:0 keep"},
	{"bytes beyond ASCII in the target", "3986 2.1", "GET /\xc3\xa4 HTTP/1.1\r\n" + host + end, "GET /\xc3\xa4 1.1 a.example:0 keep"},
	{"semicolons and stars", "3986 3.3", "GET /a;b=*/* HTTP/1.1\r\n" + host + end, "GET /a;b=*/* 1.1 a.example:0 keep"},
	{"a colon in the path", "3986 3.3", "GET /http://b/ HTTP/1.1\r\n" + host + end, "GET /http://b/ 1.1 a.example:0 keep"},
	{"OPTIONS *", "9112 3.2.4", "OPTIONS * HTTP/1.1\r\n" + host + end, "OPTIONS * 1.1 a.example:0 keep"},
	{"OPTIONS /", "9112 3.2.1", "OPTIONS / HTTP/1.1\r\n" + host + end, "OPTIONS / 1.1 a.example:0 keep"},
	{"absolute form", "9112 3.2.2", "GET http://a.example/x HTTP/1.1\r\n" + host + end, "GET /x http//a.example 1.1 a.example:0 keep"},
	{"absolute form, https", "9112 3.2.2", "GET https://a.example/x HTTP/1.1\r\n" + host + end, "GET /x https//a.example 1.1 a.example:0 keep"},
	{"absolute form in capitals", "9110 4.2.3", "GET HTTP://A.Example/x HTTP/1.1\r\n" + host + end, "GET /x http//A.Example 1.1 a.example:0 keep"},
	{"absolute form without a path", "9112 3.2.1", "GET http://a.example HTTP/1.1\r\n" + host + end, "GET / http//a.example 1.1 a.example:0 keep"},
	{"absolute form, query without a path", "9112 3.2.1", "GET http://a.example?x HTTP/1.1\r\n" + host + end, "GET / ?x http//a.example 1.1 a.example:0 keep"},
	{"absolute OPTIONS without a path", "9112 3.2.4", "OPTIONS http://a.example HTTP/1.1\r\n" + host + end, "OPTIONS * http//a.example 1.1 a.example:0 keep"},
	{"absolute OPTIONS with a query", "9112 3.2.4", "OPTIONS http://a.example? HTTP/1.1\r\n" + host + end, "OPTIONS / ? http//a.example 1.1 a.example:0 keep"},
	{"absolute form, default port in the target", "9110 4.2.3", "GET http://a.example:80/ HTTP/1.1\r\n" + host + end, "GET / http//a.example:80 1.1 a.example:0 keep"},
	{"absolute form, default port in Host", "9110 4.2.3", "GET https://a.example/ HTTP/1.1\r\nHost: a.example:443\r\n" + end, "GET / https//a.example 1.1 a.example:443 keep"},
	{"absolute form, same other port", "9112 3.2.2", "GET https://a.example:8443/ HTTP/1.1\r\nHost: a.example:8443\r\n" + end, "GET / https//a.example:8443 1.1 a.example:8443 keep"},
	{"absolute form, trailing dot", "1034 3.1", "GET http://a.example./ HTTP/1.1\r\n" + host + end, "GET / http//a.example. 1.1 a.example:0 keep"},
	{"absolute form, IPv6", "9112 3.2.2", "GET http://[::A]/ HTTP/1.1\r\nHost: [::a]\r\n" + end, "GET / http//[::A] 1.1 [::a]:0 keep"},
	{"Host with a port", "9110 7.2", "GET / HTTP/1.1\r\nHost: a.example:8443\r\n" + end, "GET / 1.1 a.example:8443 keep"},
	{"Host with the last port", "9110 7.2", "GET / HTTP/1.1\r\nHost: a.example:65535\r\n" + end, "GET / 1.1 a.example:65535 keep"},
	{"Host in capitals", "3986 3.2.2", "GET / HTTP/1.1\r\nHOST: A.EXAMPLE\r\n" + end, "GET / 1.1 A.EXAMPLE:0 keep"},
	{"Host with a trailing dot", "1034 3.1", "GET / HTTP/1.1\r\nHost: a.example.\r\n" + end, "GET / 1.1 a.example.:0 keep"},
	{"Host is one label", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: localhost\r\n" + end, "GET / 1.1 localhost:0 keep"},
	{"Host is IPv4", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n" + end, "GET / 1.1 192.0.2.1:80 keep"},
	{"Host is IPv6", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n" + end, "GET / 1.1 [2001:db8::1]:0 keep"},
	{"Host is IPv6 with a port", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [::1]:8443\r\n" + end, "GET / 1.1 [::1]:8443 keep"},
	{"Host is IPv6 with IPv4", "4291 2.2", "GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n" + end, "GET / 1.1 [::ffff:192.0.2.1]:0 keep"},
	{"Host has a dash and an underscore", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: a_b-c.example\r\n" + end, "GET / 1.1 a_b-c.example:0 keep"},
	{"Host is an A-label", "5890 2.3.2.1", "GET / HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n" + end, "GET / 1.1 xn--bcher-kva.example:0 keep"},
	{"Host has the longest label", "1035 2.3.4", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 63) + ".b\r\n" + end, "GET / 1.1 " + strings.Repeat("a", 63) + ".b:0 keep"},
	{"blanks around Host", "9112 5.1", "GET / HTTP/1.1\r\nHost: \t a.example \t\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"no blank before Host", "9112 5.1", "GET / HTTP/1.1\r\nHost:a.example\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"Host comes last", "9110 5.3", "GET / HTTP/1.1\r\nA: b\r\n" + host + end, "GET / 1.1 a.example:0 keep"},
	{"Content-Length", "9112 6.2", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n" + end, "POST / 1.1 a.example:0 length=5 keep"},
	{"Content-Length 0", "9112 6.2", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n" + end, "POST / 1.1 a.example:0 length=0 keep"},
	{"Content-Length with leading zeros", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 005\r\n" + end, "POST / 1.1 a.example:0 length=5 keep"},
	{"the longest Content-Length", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "content-length: 999999999999999999\r\n" + end, "POST / 1.1 a.example:0 length=999999999999999999 keep"},
	{"Content-Length with HTTP/1.0", "9112 6.2", "POST / HTTP/1.0\r\n" + host + "Content-Length: 5\r\n" + end, "POST / 1.0 a.example:0 length=5"},
	{"a body with GET", "9110 9.3.1", "GET / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n" + end, "GET / 1.1 a.example:0 length=5 keep"},
	{"chunked", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n" + end, "POST / 1.1 a.example:0 Chunked keep"},
	{"chunked in capitals", "9112 7", "POST / HTTP/1.1\r\n" + host + "TRANSFER-ENCODING: CHUNKED\r\n" + end, "POST / 1.1 a.example:0 Chunked keep"},
	{"chunked and close", "9112 9.6", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nConnection: close\r\n" + end, "POST / 1.1 a.example:0 Chunked"},
	{"POST without a body", "9112 6.3", "POST / HTTP/1.1\r\n" + host + end, "POST / 1.1 a.example:0 keep"},
	{"Expect", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 5\r\n" + end, "POST / 1.1 a.example:0 length=5 keep expect"},
	{"Expect in capitals", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 5\r\n" + end, "POST / 1.1 a.example:0 length=5 keep expect"},
	{"Expect and chunks", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n" + end, "POST / 1.1 a.example:0 Chunked keep expect"},
	{"Expect without a body", "9110 10.1.1", "GET / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"Expect with an empty body", "9110 10.1.1", "PUT / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 0\r\n" + end, "PUT / 1.1 a.example:0 length=0 keep"},
	{"Expect with HTTP/1.0", "9110 10.1.1", "POST / HTTP/1.0\r\n" + host + "Expect: 100-continue\r\nContent-Length: 5\r\n" + end, "POST / 1.0 a.example:0 length=5"},
	{"another Expect with HTTP/1.0", "9110 10.1.1", "POST / HTTP/1.0\r\n" + host + "Expect: wonder\r\nContent-Length: 5\r\n" + end, "POST / 1.0 a.example:0 length=5"},
	{"websocket", "6455 4.1", "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\n" + end, "GET / 1.1 a.example:0 keep websocket"},
	{"websocket as Firefox asks", "6455 4.1", "GET / HTTP/1.1\r\n" + host + "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" + end, "GET / 1.1 a.example:0 keep websocket"},
	{"websocket with length 0", "9110 7.8", "GET / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n" + end, "GET / 1.1 a.example:0 length=0 keep websocket"},
	{"websocket with a body is none", "6455 4.1", "GET / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n" + end, "GET / 1.1 a.example:0 length=1 keep"},
	{"websocket by POST is none", "6455 4.1", "POST / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\n" + end, "POST / 1.1 a.example:0 keep"},
	{"websocket by HTTP/1.0 is none", "9110 7.8", "GET / HTTP/1.0\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\n" + end, "GET / 1.0 a.example:0"},
	{"websocket not in Connection is none", "9110 7.8", "GET / HTTP/1.1\r\n" + host + "Upgrade: websocket\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"websocket or h2c is none", "9110 7.8", "GET / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"two Upgrade fields are none", "9110 7.8", "GET / HTTP/1.1\r\n" + host + "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"h2c is no upgrade here", "9113 3.1", "GET / HTTP/1.1\r\n" + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"a method of its own", "9110 9.1", "M-SEARCH / HTTP/1.1\r\n" + host + end, "M-SEARCH / 1.1 a.example:0 keep"},
	{"a method in lower case is another", "9110 9.1", "get / HTTP/1.1\r\n" + host + end, "get / 1.1 a.example:0 keep"},
	{"connect in lower case is another", "9110 9.1", "connect / HTTP/1.1\r\n" + host + end, "connect / 1.1 a.example:0 keep"},
	{"a method of all token bytes", "9110 5.6.2", "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" + host + end, "!#$%&'*+-.^_`|~09azAZ / 1.1 a.example:0 keep"},
	{"the longest method", "9112 3", strings.Repeat("A", 32) + " / HTTP/1.1\r\n" + host + end, strings.Repeat("A", 32) + " / 1.1 a.example:0 keep"},
	{"an empty value", "9110 5.5", "GET / HTTP/1.1\r\n" + host + "A:\r\nB: \t \r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"a tab inside a value", "9110 5.5", "GET / HTTP/1.1\r\n" + host + "A: b\tc and more than eight bytes\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"bytes beyond ASCII in a value", "9110 5.5", "GET / HTTP/1.1\r\n" + host + "A: \x80\xff\xe4\xf6\xfc\xdf\xa0\x81\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"colons in a value", "9110 5.5", "GET / HTTP/1.1\r\n" + host + "A: :b:c:\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"a name with an underscore", "9110 5.1", "GET / HTTP/1.1\r\n" + host + "X_A.b: c\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"the same name twice", "9110 5.3", "GET / HTTP/1.1\r\n" + host + "A: b\r\na: c\r\n" + end, "GET / 1.1 a.example:0 keep"},
	{"pipelined bytes behind", "9112 9.3.2", "GET / HTTP/1.1\r\n" + host + end + "GET /two HTTP/1.1\r\n", "GET / 1.1 a.example:0 keep"},
	{"the longest target", "9112 3", "GET /" + strings.Repeat("a", 16<<10-1) + " HTTP/1.1\r\n" + host + end, "GET /" + strings.Repeat("a", 16<<10-1) + " 1.1 a.example:0 keep"},
	{"as many fields as allowed", "9110 5.4", "GET / HTTP/1.1\r\n" + host + strings.Repeat("A: b\r\n", 127) + end, "GET / 1.1 a.example:0 keep"},
}

func TestAcceptedRequests(t *testing.T) {
	var h RequestHead
	for _, c := range acceptedRequests {
		n, err := h.Parse([]byte(c.head), DefaultLimits())
		if err != nil {
			t.Errorf("%s (RFC %s): %v", c.why, c.rfc, err)
			continue
		}
		if want := strings.Index(c.head[1:], "\r\n\r\n") + 5; n != want {
			t.Errorf("%s: head of %d bytes, want %d", c.why, n, want)
		}
		if got := h.tell(); got != c.want {
			t.Errorf("%s (RFC %s):\n got %s\nwant %s", c.why, c.rfc, got, c.want)
		}
	}
}

func TestFieldsKeepOrderAndCase(t *testing.T) {
	head := "GET / HTTP/1.1\r\nhOsT:a.example\r\nX-B:  1 2 \r\nx-a:\r\nX-B: 3\r\n\r\n"
	var h RequestHead
	if _, err := h.Parse([]byte(head), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range h.Fields {
		fmt.Fprintf(&got, "%s=%s;", f.Name, f.Value)
	}
	if want := "hOsT=a.example;X-B=1 2;x-a=;X-B=3;"; got.String() != want {
		t.Errorf("fields %s, want %s", got.String(), want)
	}
}

func TestNominated(t *testing.T) {
	head := "GET / HTTP/1.1\r\n" + host + "Connection: X-One,keep-alive\r\nConnection:\tx-TWO , " + strings.Repeat("l", 70) + "\r\n\r\n"
	var h RequestHead
	if _, err := h.Parse([]byte(head), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"x-one": true, "X-Two": true, "Keep-Alive": true, "x-six": false, "x-on": false, "": false,
		strings.Repeat("L", 70): true, strings.Repeat("l", 71): false,
	} {
		if got := h.Nominated([]byte(name)); got != want {
			t.Errorf("Nominated(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestTargetSentOn(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"GET /a?b", "GET /a?b HTTP/1.1\r\n"},
		{"GET /a?", "GET /a? HTTP/1.1\r\n"},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n"},
		{"GET http://a.example/x?y", "GET /x?y HTTP/1.1\r\n"},
		{"GET http://a.example?y", "GET /?y HTTP/1.1\r\n"},
		{"OPTIONS http://a.example", "OPTIONS * HTTP/1.1\r\n"},
	} {
		var h RequestHead
		if _, err := h.Parse([]byte(c.line+" HTTP/1.0\r\n"+host+end), DefaultLimits()); err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if got := string(appendRequestLine(nil, &h)); got != c.want {
			t.Errorf("%s: sent on as %q, want %q", c.line, got, c.want)
		}
	}
}
