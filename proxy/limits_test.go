package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// tightTenants are a tenant with tight limits, one host of which has wide ones.
var tightTenants = map[string]string{
	"acme": `
hosts:
  - a.example
  - {host: wide.example, limits: {head: 1MiB, answer_head: 1MiB, fields: 1024}}
access: {public: "a test"}
backends: ["{backend}"]
limits: {head: 4KiB, fields: 32, target: 1KiB, chunk_extensions: 8B, trailers: 256B, answer_head: 4KiB, interim: 2}
routes:
  /many/: {limits: {interim: 5}}
`,
}

// answerAtLength answers with a field as long as the path says, behind as many
// interim answers.
func answerAtLength(rw http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	var hints, length int
	_, _ = fmt.Sscanf(r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], "/%d-%d", &hints, &length)
	for range hints {
		rw.WriteHeader(http.StatusEarlyHints)
	}
	if length > 0 {
		rw.Header().Set("X-Long", strings.Repeat("x", length))
	}
	rw.WriteHeader(http.StatusOK)
}

func TestLimitsOfHTTP1(t *testing.T) {
	t.Parallel()
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, tightTenants, plane)
			w.answerWith(answerAtLength)
			body := func(text string) string { return "Transfer-Encoding: chunked\r\n\r\n" + text }
			for _, test := range []struct {
				name, host, path, rest string
				want                   int
			}{
				{"nothing long", "a.example", "/", "\r\n", 200},
				{"long head", "a.example", "/", "X: " + strings.Repeat("x", 4<<10) + "\r\n\r\n", 431},
				{"head in time", "a.example", "/", "X: " + strings.Repeat("x", 4000) + "\r\n\r\n", 200},
				{"many fields", "a.example", "/", strings.Repeat("X: 1\r\n", 32) + "\r\n", 431},
				{"all fields", "a.example", "/", strings.Repeat("X: 1\r\n", 31) + "\r\n", 200},
				{"long target", "a.example", "/" + strings.Repeat("x", 1<<10), "\r\n", 414},
				{"all of a target", "a.example", "/" + strings.Repeat("x", 1<<10-1), "\r\n", 200},
				{"long extensions", "a.example", "/", body("1;a=12345678\r\nx\r\n0\r\n\r\n"), 400},
				{"all of extensions", "a.example", "/", body("1;a=12345\r\nx\r\n0\r\n\r\n"), 200},
				{"long trailers", "a.example", "/", body("1\r\nx\r\n0\r\nX: " + strings.Repeat("x", 256) + "\r\n\r\n"), 431},
				{"all of trailers", "a.example", "/", body("1\r\nx\r\n0\r\nX: " + strings.Repeat("x", 240) + "\r\n\r\n"), 200},
				{"large answer", "a.example", "/0-5000", "\r\n", 502},
				{"hints", "a.example", "/2-0", "\r\n", 200},
				{"many hints", "a.example", "/3-0", "\r\n", 502},
				{"many hints on a route", "a.example", "/many/5-0", "\r\n", 200},
				{"wide head", "wide.example", "/", "X: " + strings.Repeat("x", 700<<10) + "\r\n\r\n", 200},
				{"too wide", "wide.example", "/", "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", 431},
				{"wide answer", "wide.example", "/0-700000", "\r\n", 200},
				{"too wide an answer", "wide.example", "/0-1100000", "\r\n", 502},
				{"narrow target of a wide host", "wide.example", "/" + strings.Repeat("x", 1<<10), "\r\n", 414},
			} {
				c := w.dial("127.0.0.1", test.host)
				got := finalStatus(t, c, "POST "+test.path+" HTTP/1.1\r\nHost: "+test.host+"\r\n"+test.rest)
				if got != test.want {
					t.Errorf("%s: %d, want %d", test.name, got, test.want)
				}
				c.Close()
			}
			for _, want := range []string{`"status":431,"reason":"bad_request"`, `"status":414,"reason":"bad_request"`} {
				eventually(t, "the log has "+want, func() bool { return strings.Contains(w.log.String(), want) })
			}
		})
	}
}

func TestLimitsOfHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tightTenants)
	w.answerWith(answerAtLength)
	many := func(n int) (fields []string) {
		for range n {
			fields = append(fields, "x", "1")
		}
		return fields
	}
	for _, test := range []struct {
		name, host, path string
		fields           []string
		want             string
	}{
		{"nothing long", "a.example", "/", nil, "200"},
		{"long head", "a.example", "/", []string{"x", strings.Repeat("x", 4<<10)}, "431"},
		{"head in time", "a.example", "/", []string{"x", strings.Repeat("x", 4000)}, "200"},
		{"many fields", "a.example", "/", many(33), "431"},
		{"long target", "a.example", "/" + strings.Repeat("x", 1<<10), nil, "414"},
		{"large answer", "a.example", "/0-5000", nil, "502"},
		{"many hints", "a.example", "/3-0", nil, "502"},
		{"wide head", "wide.example", "/", []string{"x", strings.Repeat("x", 700<<10)}, "200"},
		{"too wide", "wide.example", "/", []string{"x", strings.Repeat("x", 1<<20)}, "431"},
	} {
		f := w.frames("127.0.0.1", test.host)
		f.askLong(append([]string{":method", "GET", ":scheme", "https", ":authority", test.host, ":path", test.path}, test.fields...))
		if got := f.answer(1); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %.80s, want %s", test.name, got, test.want)
		}
		f.conn.Close()
	}
	for length, want := range map[int]string{200: "200", 300: "431"} {
		f := w.frames("127.0.0.1", "a.example")
		f.ask(1, false, ":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/", "trailer", "x")
		f.must(f.WriteData(1, false, []byte("abc")))
		f.ask(1, true, "x", strings.Repeat("x", length))
		if got := f.answer(1); !strings.HasPrefix(got, want) {
			t.Errorf("%d bytes of trailers: %.80s, want %s", length, got, want)
		}
	}
	eventually(t, "the log tells of refusals", func() bool {
		return strings.Contains(w.log.String(), `"status":431,"reason":"bad_request"`)
	})
}

// TestLimitsOfPlain: where no host is known, the defaults hold.
func TestLimitsOfPlain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {limits: {target: 1KiB, head: 4KiB}}\n"
	w.apply()
	for request, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n":                                          308,
		"GET /" + strings.Repeat("x", 2<<10) + " HTTP/1.1\r\nHost: a.example\r\n\r\n":        414,
		"GET / HTTP/1.1\r\nHost: a.example\r\nX: " + strings.Repeat("x", 5<<10) + "\r\n\r\n": 431,
	} {
		if got := finalStatus(t, w.plain(), request); got != want {
			t.Errorf("%.40s: %d, want %d", request, got, want)
		}
	}
}

// TestHeadRead: whatever a host admits, the library reads it, and servers are
// few.
func TestHeadRead(t *testing.T) {
	w := newWorld(t, tightTenants)
	for name, want := range map[string]int{"a.example": 8 << 10, "wide.example": 2 << 20} {
		if got := headRead(w.table.Lookup(name).Limits()); got != want {
			t.Errorf("%s: the library reads %d bytes, want %d", name, got, want)
		}
	}
	if got, want := headRead(w.table.Limits()), 128<<10; got != want {
		t.Errorf("where nothing is written the library reads %d bytes, want %d", got, want)
	}
}

// askLong sends a head that takes several frames on stream 1.
func (f *framed) askLong(fields []string) {
	f.t.Helper()
	f.head.Reset()
	for i := 0; i < len(fields); i += 2 {
		f.must(f.hpe.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	const most = 16 << 10
	block := f.head.Bytes()
	piece := block[:min(len(block), most)]
	block = block[len(piece):]
	f.must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: piece, EndStream: true, EndHeaders: len(block) == 0}))
	for len(block) > 0 {
		piece = block[:min(len(block), most)]
		block = block[len(piece):]
		if f.WriteContinuation(1, len(block) == 0, piece) != nil {
			return // the answer says why
		}
	}
}

// finalStatus sends a request, which may be answered before it has left, and
// returns the status behind interim ones.
func finalStatus(t *testing.T, c net.Conn, request string) int {
	t.Helper()
	go func() { _, _ = io.WriteString(c, request) }()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	answers := bufio.NewReaderSize(c, 64<<10)
	for {
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%.40q: %v", request, err)
		}
		if answer.StatusCode >= 200 {
			return answer.StatusCode
		}
	}
}
