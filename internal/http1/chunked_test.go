package http1

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decoded is what a body was decoded to.
type decoded struct {
	Data     string
	N        int
	Trailers [][2]string
}

// decodeBy decodes a body that arrives in reads of step bytes, each in memory
// of its own.
func decodeBy(d *ChunkDecoder, body []byte, step int, lim Limits) (out decoded, done bool, err error) {
	d.Reset(lim)
	for len(body) > 0 && !done {
		buf := bytes.Clone(body[:min(step, len(body))])
		body = body[len(buf):]
		for len(buf) > 0 && !done {
			var data []byte
			var n int
			data, n, done, err = d.Next(buf)
			out.Data += string(data)
			out.N += n
			if err != nil {
				return out, false, err
			}
			buf = buf[n:]
		}
	}
	out.Trailers = fieldsOf(d.Trailers)
	return out, done, nil
}

var acceptedBodies = []struct {
	why, rfc, body, data string
	trailers             [][2]string
}{
	{"empty", "9112 7.1", "0\r\n\r\n", "", nil},
	{"one chunk", "9112 7.1", "5\r\nhello\r\n0\r\n\r\n", "hello", nil},
	{"two chunks", "9112 7.1", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", nil},
	{"hexadecimal in both cases", "9112 7.1", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a", nil},
	{"leading zeros", "9112 7.1", "0000000000000001\r\nx\r\n0000\r\n\r\n", "x", nil},
	{"framing as data", "9112 7.1", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n", nil},
	{"an extension", "9112 7.1.1", "1;a\r\nx\r\n0\r\n\r\n", "x", nil},
	{"extensions with values", "9112 7.1.1", "1;a=b;c=\"d\";e=\"\"\r\nx\r\n0;f=g\r\n\r\n", "x", nil},
	{"a quoted pair", "9110 5.6.4", "1;a=\"\\\"; \\\\\t\x80\"\r\nx\r\n0\r\n\r\n", "x", nil},
	{"trailers", "9112 7.1.2", "1\r\nx\r\n0\r\nDigest: abc\r\nx-b:\t d \r\n\r\n", "x", [][2]string{{"Digest", "abc"}, {"x-b", "d"}}},
	{"gRPC trailers", "9110 6.5", "0\r\ngrpc-status: 0\r\ngrpc-message:\r\n\r\n", "", [][2]string{{"grpc-status", "0"}, {"grpc-message", ""}}},
	{"an extension and a trailer", "9112 7.1", "0;a=b\r\nA: b\r\n\r\n", "", [][2]string{{"A", "b"}}},
}

var refusedBodies = []struct {
	why, rfc, body string
	want           *rule
}{
	{"LF after the size", "9112 7.1", "1\nx\r\n0\r\n\r\n", errChunkLine},
	{"CR CR after the size", "9112 7.1", "1\r\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"CR x after the size", "9112 7.1", "1\rx\r\n0\r\n\r\n", errChunkLine},
	{"LF after the data", "9112 7.1", "1\r\nx\n0\r\n\r\n", errChunkEnd},
	{"CR without LF after the data", "9112 7.1", "1\r\nx\r0\r\n\r\n", errChunkEnd},
	{"nothing after the data", "9112 7.1", "1\r\nx0\r\n\r\n", errChunkEnd},
	{"more data than announced", "9112 7.1", "1\r\nxy\r\n0\r\n\r\n", errChunkEnd},
	{"LFs at the end (CVE-2025-22871)", "9112 7.1", "0\n\n", errChunkLine},
	{"LF as the last line", "9112 7.1", "0\r\n\n", errBareLF},
	{"no size", "9112 7.1", "\r\nx\r\n0\r\n\r\n", errChunkSize},
	{"a blank before the size", "9112 7.1", " 1\r\nx\r\n0\r\n\r\n", errChunkSize},
	{"a blank after the size", "9112 7.1", "1 \r\nx\r\n0\r\n\r\n", errChunkLine},
	{"a tab after the size", "9112 7.1", "1\t\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"0x before the size", "9112 7.1", "0x1\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"a sign before the size", "9112 7.1", "+1\r\nx\r\n0\r\n\r\n", errChunkSize},
	{"a negative size", "9112 7.1", "-1\r\nx\r\n0\r\n\r\n", errChunkSize},
	{"an underscore in the size", "9112 7.1", "1_0\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"letters beyond f", "9112 7.1", "g\r\nx\r\n0\r\n\r\n", errChunkSize},
	{"NUL in the size", "9112 7.1", "1\x00\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"17 digits", "9112 7.1", "00000000000000001\r\nx\r\n0\r\n\r\n", errChunkSize},
	{"beyond 1 TiB", "9112 7.1", "10000000001\r\n", errChunkLarge},
	{"beyond 64 bits", "9112 7.1", "ffffffffffffffff\r\n", errChunkLarge},
	{"a bare semicolon", "9112 7.1.1", "1;\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"two semicolons", "9112 7.1.1", "1;;a\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"a blank before the semicolon", "9112 7.1.1", "1 ;a\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"a blank after the semicolon", "9112 7.1.1", "1; a\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"a blank after the name", "9112 7.1.1", "1;a =b\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"a blank before the value", "9112 7.1.1", "1;a= b\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"an extension without a name", "9112 7.1.1", "1;=b\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"an extension with an empty value", "9112 7.1.1", "1;a=\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"an extension that is no token", "9112 7.1.1", "1;a(b)\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"an open quote", "9110 5.6.4", "1;a=\"b\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"something behind a quote", "9110 5.6.4", "1;a=\"b\"c\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"a line end in quotes", "9110 5.6.4", "1;a=\"b\nc\"\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"a quoted control byte", "9110 5.6.4", "1;a=\"\\\x01\"\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"LF in an extension (TERM.EXT)", "9112 7.1.1", "1;a\nx\r\n0\r\n\r\n", errChunkExtension},
	{"CR in an extension", "9112 7.1.1", "1;a\rb\r\nx\r\n0\r\n\r\n", errChunkLine},
	{"NUL in an extension", "9112 7.1.1", "1;a\x00\r\nx\r\n0\r\n\r\n", errChunkExtension},
	{"an extension too long", "9112 7.1.1", "1;" + strings.Repeat("a", 4<<10) + "\r\nx\r\n0\r\n\r\n", errChunkExtLong},
	{"extensions too long together (CVE-2023-39326)", "9112 7.1.1", strings.Repeat("1;abcdefghijkl\r\nx\r\n", 400) + "0\r\n\r\n", errChunkExtLong},
	{"a trailer with a blank before the colon", "9112 5.1", "0\r\nA : b\r\n\r\n", errBeforeColon},
	{"a folded trailer", "9112 5.2", "0\r\nA: b\r\n c\r\n\r\n", errFold},
	{"a trailer without a colon", "9112 5", "0\r\nA\r\n\r\n", errNoColon},
	{"a trailer with NUL", "9110 5.5", "0\r\nA: \x00\r\n\r\n", errFieldValue},
	{"a trailer with CR", "9110 5.5", "0\r\nA: b\rc\r\n\r\n", errFieldValue},
	{"a trailer ended by LF", "9112 2.2", "0\r\nA: b\n\r\n", errBareLF},
	{"a request as a trailer", "9112 5", "0\r\nGET / HTTP/1.1\r\n\r\n", errNoColon},
	{"Content-Length as a trailer", "9110 6.5.1", "0\r\nContent-Length: 5\r\n\r\n", errTrailerName},
	{"Transfer-Encoding as a trailer", "9110 6.5.1", "0\r\ntransfer-encoding: chunked\r\n\r\n", errTrailerName},
	{"Host as a trailer", "9110 6.5.1", "0\r\nHost: b.example\r\n\r\n", errTrailerName},
	{"Authorization as a trailer", "9110 6.5.1", "0\r\nAuthorization: x\r\n\r\n", errTrailerName},
	{"Cookie as a trailer", "9110 6.5.1", "0\r\nA: b\r\nCookie: x\r\n\r\n", errTrailerName},
	{"Set-Cookie as a trailer", "9110 6.5.1", "0\r\nSet-Cookie: x\r\n\r\n", errTrailerName},
	{"Connection as a trailer", "9110 6.5.1", "0\r\nConnection: close\r\n\r\n", errTrailerName},
	{"X-Forwarded-For as a trailer", "9110 6.5.1", "0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n", errTrailerName},
	{"Forwarded as a trailer", "7239 4", "0\r\nForwarded: for=192.0.2.1\r\n\r\n", errTrailerName},
	{"Content-Encoding as a trailer", "9110 6.5.1", "0\r\nContent-Encoding: gzip\r\n\r\n", errTrailerName},
	{"trailers too long", "9110 6.5", "0\r\nA: " + strings.Repeat("b", 8<<10) + "\r\n\r\n", errTrailerLong},
	{"too many trailers", "9110 6.5", "0\r\n" + strings.Repeat("A: b\r\n", 129) + "\r\n", errTrailerMany},
}

func TestAcceptedBodies(t *testing.T) {
	var d ChunkDecoder
	for _, c := range acceptedBodies {
		want := decoded{c.data, len(c.body), c.trailers}
		for _, next := range []string{"", "GET / HTTP/1.1\r\n"} {
			for step := 1; step <= len(c.body)+len(next); step++ {
				got, done, err := decodeBy(&d, []byte(c.body+next), step, DefaultLimits())
				if err != nil || !done || !reflect.DeepEqual(want, got) {
					t.Fatalf("%s (RFC %s), %d bytes at a time: done=%v, %v\n%s", c.why, c.rfc, step, done, err, cmp.Diff(want, got))
				}
			}
		}
	}
}

func TestRefusedBodies(t *testing.T) {
	var d ChunkDecoder
	for _, c := range refusedBodies {
		for _, step := range []int{1, 2, 3, 7, len(c.body)} {
			_, _, err := decodeBy(&d, []byte(c.body), step, DefaultLimits())
			if err != &c.want.request {
				t.Errorf("%s (RFC %s), %d bytes at a time: %v, want %q", c.why, c.rfc, step, err, c.want.request.Text)
			}
		}
		if _, n, done, err := d.Next([]byte("0\r\n\r\n")); n != 0 || done || err != &c.want.request {
			t.Errorf("%s: after the refusal %d, %v, %v", c.why, n, done, err)
		}
	}
}

func TestCutShortBodiesAreNotDone(t *testing.T) {
	var d ChunkDecoder
	for _, c := range acceptedBodies {
		for n := range len(c.body) {
			if _, done, err := decodeBy(&d, []byte(c.body[:n]), n+1, DefaultLimits()); done || err != nil {
				t.Errorf("%s, cut at %d: done=%v, %v", c.why, n, done, err)
			}
		}
	}
}

func TestDoneStaysDone(t *testing.T) {
	var d ChunkDecoder
	d.Reset(DefaultLimits())
	if _, n, done, err := d.Next([]byte("0\r\n\r\nGET")); n != 5 || !done || err != nil {
		t.Errorf("%d, %v, %v", n, done, err)
	}
	if _, n, done, err := d.Next([]byte("GET")); n != 0 || !done || err != nil {
		t.Errorf("called again: %d, %v, %v", n, done, err)
	}
}
