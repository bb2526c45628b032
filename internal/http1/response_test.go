package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// tell writes down what a response head was understood to be.
func (h *ResponseHead) tell() string {
	var b strings.Builder
	fmt.Fprintf(&b, "1.%d %d %q %v %d", h.Minor, h.Status, h.Reason, h.Framing, h.ContentLength)
	if h.KeepAlive {
		b.WriteString(" keep")
	}
	if h.WebSocket {
		b.WriteString(" websocket")
	}
	return b.String()
}

const ok = "HTTP/1.1 200 OK\r\n"

// acceptedResponses are heads that must be understood, and as what. The method
// is GET unless why says HEAD.
var acceptedResponses = []struct{ why, rfc, head, want string }{
	{"with a length", "9112 6.2", ok + "Content-Length: 5\r\n" + end, `1.1 200 "OK" ContentLength 5 keep`},
	{"with length 0", "9112 6.2", ok + "Content-Length: 0\r\n" + end, `1.1 200 "OK" ContentLength 0 keep`},
	{"chunked", "9112 6.1", ok + "Transfer-Encoding: chunked\r\n" + end, `1.1 200 "OK" Chunked -1 keep`},
	{"chunked in capitals", "9112 7", ok + "Transfer-Encoding: Chunked\r\n" + end, `1.1 200 "OK" Chunked -1 keep`},
	{"until the end", "9112 6.3", ok + end, `1.1 200 "OK" UntilClose -1`},
	{"until the end, whatever Connection says", "9112 6.3", ok + "Connection: keep-alive\r\n" + end, `1.1 200 "OK" UntilClose -1`},
	{"close", "9112 9.6", ok + "Content-Length: 5\r\nConnection: close\r\n" + end, `1.1 200 "OK" ContentLength 5`},
	{"HTTP/1.0", "9112 9.3", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" + end, `1.0 200 "OK" ContentLength 5`},
	{"HTTP/1.0 keep-alive", "9112 9.3", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n" + end, `1.0 200 "OK" ContentLength 5 keep`},
	{"HTTP/1.0 until the end", "9112 6.3", "HTTP/1.0 200 OK\r\n" + end, `1.0 200 "OK" UntilClose -1`},
	{"no reason", "9112 4", "HTTP/1.1 200 \r\nContent-Length: 0\r\n" + end, `1.1 200 "" ContentLength 0 keep`},
	{"no reason and no blank", "9112 4", "HTTP/1.1 200\r\nContent-Length: 0\r\n" + end, `1.1 200 "" ContentLength 0 keep`},
	{"a long reason", "9112 4", "HTTP/1.1 404 No such thing, \x80 or\tso\r\nContent-Length: 0\r\n" + end, `1.1 404 "No such thing, \x80 or\tso" ContentLength 0 keep`},
	{"an unknown status", "9110 15", "HTTP/1.1 599 Eh\r\nContent-Length: 0\r\n" + end, `1.1 599 "Eh" ContentLength 0 keep`},
	{"HEAD with a length", "9110 9.3.2", ok + "Content-Length: 5\r\n" + end, `1.1 200 "OK" NoBody 0 keep`},
	{"HEAD chunked", "9110 9.3.2", ok + "Transfer-Encoding: chunked\r\n" + end, `1.1 200 "OK" NoBody 0 keep`},
	{"HEAD with nothing", "9110 9.3.2", ok + end, `1.1 200 "OK" NoBody 0 keep`},
	{"HEAD and close", "9110 9.3.2", ok + "Connection: close\r\n" + end, `1.1 200 "OK" NoBody 0`},
	{"100", "9110 15.2.1", "HTTP/1.1 100 Continue\r\n" + end, `1.1 100 "Continue" NoBody 0 keep`},
	{"103", "8297 2", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n" + end, `1.1 103 "Early Hints" NoBody 0 keep`},
	{"204", "9110 15.3.5", "HTTP/1.1 204 No Content\r\n" + end, `1.1 204 "No Content" NoBody 0 keep`},
	{"204 with length 0", "9110 8.6", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" + end, `1.1 204 "No Content" NoBody 0 keep`},
	{"204 with a length", "9110 8.6", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n" + end, `1.1 204 "No Content" NoBody 0`},
	{"204 with a coding", "9112 6.1", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n" + end, `1.1 204 "No Content" NoBody 0`},
	{"103 with length 0", "9110 8.6", "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n" + end, `1.1 103 "Early Hints" NoBody 0 keep`},
	{"101 with a coding", "9112 6.1", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n" + end, `1.1 101 "Switching Protocols" NoBody 0 websocket`},
	{"304 with a length", "9110 15.4.5", "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n" + end, `1.1 304 "Not Modified" NoBody 0 keep`},
	{"304 until nothing", "9112 6.3", "HTTP/1.1 304 Not Modified\r\n" + end, `1.1 304 "Not Modified" NoBody 0 keep`},
	{"205 has a length like others", "9110 15.3.6", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n" + end, `1.1 205 "Reset Content" ContentLength 0 keep`},
	{"101 websocket", "6455 4.2.2", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + end, `1.1 101 "Switching Protocols" NoBody 0 websocket`},
	{"101 h2c is no websocket", "9110 7.8", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + end, `1.1 101 "Switching Protocols" NoBody 0`},
	{"101 without Connection is no websocket", "9110 7.8", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" + end, `1.1 101 "Switching Protocols" NoBody 0`},
	{"101 of two protocols is no websocket", "9110 7.8", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n" + end, `1.1 101 "Switching Protocols" NoBody 0`},
	{"101 by HTTP/1.0 is no websocket", "9110 7.8", "HTTP/1.0 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + end, `1.0 101 "Switching Protocols" NoBody 0`},
	{"two Set-Cookie", "6265 3", ok + "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n" + end, `1.1 200 "OK" ContentLength 0 keep`},
	{"an empty value", "9110 5.5", ok + "Server:\r\nContent-Length: 0\r\n" + end, `1.1 200 "OK" ContentLength 0 keep`},
	{"an unknown Connection option", "9110 7.6.1", ok + "Content-Length: 1\r\nConnection: X-A\r\n" + end, `1.1 200 "OK" ContentLength 1 keep`},
	{"Expect means nothing here", "9110 10.1.1", ok + "Content-Length: 1\r\nExpect: wonder\r\n" + end, `1.1 200 "OK" ContentLength 1 keep`},
	{"Host means nothing here", "9110 7.2", ok + "Content-Length: 1\r\nHost: ?\r\nHost: !\r\n" + end, `1.1 200 "OK" ContentLength 1 keep`},
}

// refusedResponses are heads after which nobody knows where the body is.
var refusedResponses = []struct {
	why, rfc, head string
	want           *rule
}{
	{"length and coding", "9112 6.3", ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" + end, errLengthAndCode},
	{"HEAD with length and coding", "9112 6.3", ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" + end, errLengthAndCode},
	{"33 Connection options", "9110 7.6.1", ok + "Connection: a" + strings.Repeat(",b", 32) + "\r\n" + end, errOptionsMany},
	{"102 with a length", "9110 8.6", "HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n" + end, errInterimBody},
	{"100 with a coding", "9112 6.1", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n" + end, errInterimBody},
	{"two lengths", "9112 6.3", ok + "Content-Length: 5\r\nContent-Length: 6\r\n" + end, errLengthTwice},
	{"two equal lengths", "9112 6.3", ok + "Content-Length: 5\r\nContent-Length: 5\r\n" + end, errLengthTwice},
	{"a list of lengths", "9112 6.3", ok + "Content-Length: 5, 5\r\n" + end, errLengthForm},
	{"length -5", "9110 8.6", ok + "Content-Length: -5\r\n" + end, errLengthForm},
	{"length +5", "9110 8.6", ok + "Content-Length: +5\r\n" + end, errLengthForm},
	{"empty length", "9110 8.6", ok + "Content-Length:\r\n" + end, errLengthForm},
	{"length in hexadecimal", "9110 8.6", ok + "Content-Length: 1f\r\n" + end, errLengthForm},
	{"length of 19 digits", "9110 8.6", ok + "Content-Length: 9223372036854775807\r\n" + end, errLengthForm},
	{"a malformed length with 204", "9110 8.6", "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n" + end, errLengthForm},
	{"coding gzip", "9112 6.3", ok + "Transfer-Encoding: gzip\r\n" + end, errCoding},
	{"coding gzip, chunked", "9112 6.3", ok + "Transfer-Encoding: gzip, chunked\r\n" + end, errCoding},
	{"coding identity", "9112 7", ok + "Transfer-Encoding: identity\r\n" + end, errCoding},
	{"two codings", "9112 6.3", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + end, errCoding},
	{"empty coding", "9112 6.3", ok + "Transfer-Encoding: \r\n" + end, errCoding},
	{"coding with HTTP/1.0", "9112 6.1", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" + end, errCodingIn10},
	{"HTTP/2.0", "9112 2.3", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n" + end, errVersion},
	{"HTTP/1.2", "9112 2.3", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n" + end, errVersion},
	{"HTTP/2", "9112 2.3", "HTTP/2 200 OK\r\nContent-Length: 0\r\n" + end, errStatusLine},
	{"http/1.1", "9112 2.3", "http/1.1 200 OK\r\n" + end, errFirstByte},
	{"ICY", "9112 4", "ICY 200 OK\r\n" + end, errFirstByte},
	{"HTTQ", "9112 4", "HTTQ/1.1 200 OK\r\n" + end, errVersionForm},
	{"no head at all", "9112 4", "<html>", errFirstByte},
	{"an empty line before", "9112 2.2", "\r\n" + ok + end, errFirstByte},
	{"status 099", "9110 15", "HTTP/1.1 099 Eh\r\n" + end, errStatusCode},
	{"status 000", "9110 15", "HTTP/1.1 000 Eh\r\n" + end, errStatusCode},
	{"status 600", "9110 15", "HTTP/1.1 600 Eh\r\n" + end, errStatusCode},
	{"status 999", "9110 15", "HTTP/1.1 999 Eh\r\n" + end, errStatusCode},
	{"status 20", "9112 4", "HTTP/1.1 20 OK\r\n" + end, errStatusLine},
	{"status 2000", "9112 4", "HTTP/1.1 2000 OK\r\n" + end, errStatusLine},
	{"status -20", "9112 4", "HTTP/1.1 -20 OK\r\n" + end, errStatusLine},
	{"status 2x0", "9112 4", "HTTP/1.1 2x0 OK\r\n" + end, errStatusLine},
	{"no status", "9112 4", "HTTP/1.1\r\n" + end, errStatusLine},
	{"two blanks before the status", "9112 4", "HTTP/1.1  200 OK\r\n" + end, errStatusLine},
	{"a tab before the status", "9112 4", "HTTP/1.1\t200 OK\r\n" + end, errStatusLine},
	{"a tab after the status", "9112 4", "HTTP/1.1 200\tOK\r\n" + end, errStatusLine},
	{"NUL in the reason", "9112 4", "HTTP/1.1 200 O\x00K\r\n" + end, errStatusReason},
	{"CR in the reason", "9112 4", "HTTP/1.1 200 O\rK\r\n" + end, errStatusReason},
	{"bare LF after the status line", "9112 2.2", "HTTP/1.1 200 OK\nContent-Length: 0\r\n" + end, errBareLF},
	{"bare LF after a field", "9112 2.2", ok + "Content-Length: 0\n" + end, errBareLF},
	{"bare LF as the empty line", "9112 2.2", ok + "Content-Length: 0\r\n\n", errBareLF},
	{"bare CR in a value", "9112 2.2", ok + "A: b\rSet-Cookie: c\r\n" + end, errFieldValue},
	{"NUL in a value", "9110 5.5", ok + "A: b\x00\r\n" + end, errFieldValue},
	{"a control byte in a value", "9110 5.5", ok + "A: b\x1f\r\n" + end, errFieldValue},
	{"a blank before the colon", "9112 5.1", ok + "Content-Length : 5\r\n" + end, errBeforeColon},
	{"obs-fold", "9112 5.2", ok + "A: b\r\n c\r\n" + end, errFold},
	{"no colon", "9112 5", ok + "A\r\n" + end, errNoColon},
	{"a name that is no token", "9110 5.1", ok + "A(: b\r\n" + end, errFieldName},
	{"an empty name", "9110 5.1", ok + ": b\r\n" + end, errFieldName},
	{"Connection names Content-Length", "9110 7.6.1", ok + "Content-Length: 1\r\nConnection: content-length\r\n" + end, errNominated},
	{"Connection option that is no token", "9110 7.6.1", ok + "Content-Length: 1\r\nConnection: a b\r\n" + end, errConnection},
	{"too many fields", "9110 5.4", ok + strings.Repeat("A: b\r\n", 129) + end, errFieldsMany},
	{"head too large", "9110 5.4", ok + "A: " + strings.Repeat("b", 64<<10) + "\r\n" + end, errHeadLong},
	{"a reason without end", "9112 4", "HTTP/1.1 200 " + strings.Repeat("b", 64<<10), errHeadLong},
}

func methodFor(why string) []byte {
	if strings.HasPrefix(why, "HEAD") {
		return []byte("HEAD")
	}
	return []byte("GET")
}

func TestAcceptedResponses(t *testing.T) {
	if n := len(acceptedResponses) + len(refusedResponses); n < 60 {
		t.Errorf("%d responses in the tables, want at least 60", n)
	}
	var h ResponseHead
	for _, c := range acceptedResponses {
		n, err := h.Parse([]byte(c.head), methodFor(c.why), DefaultLimits())
		if got := h.tell(); err != nil || n != len(c.head) || got != c.want {
			t.Errorf("%s (RFC %s): %d of %d bytes, %v\n got %s\nwant %s", c.why, c.rfc, n, len(c.head), err, got, c.want)
		}
	}
}

func TestRefusedResponses(t *testing.T) {
	for _, c := range refusedResponses {
		var h ResponseHead
		head, method := []byte(c.head), methodFor(c.why)
		n, err := h.Parse(head, method, DefaultLimits())
		if n != 0 || err != &c.want.response {
			t.Errorf("%s (RFC %s): %d, %v, want %q", c.why, c.rfc, n, err, c.want.response.Text)
		}
		err = ErrIncomplete
		for i := 0; i <= len(c.head) && errors.Is(err, ErrIncomplete); i++ {
			_, err = h.Parse(head[:i], method, DefaultLimits())
		}
		if err != &c.want.response {
			t.Errorf("%s, byte by byte: %v, want %q", c.why, err, c.want.response.Text)
		}
	}
}

func TestInterimThenFinal(t *testing.T) {
	wire := "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi"
	var h ResponseHead
	rest, got := []byte(wire), ""
	for h.Status < 200 {
		n, err := h.Parse(rest, []byte("GET"), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprint(h.Status, len(h.Fields), ";")
		rest = rest[n:]
	}
	if want := "100 0;103 1;200 1;"; got != want || string(rest) != "hi" {
		t.Errorf("%s and %q left, want %s and %q", got, rest, want, "hi")
	}
}
