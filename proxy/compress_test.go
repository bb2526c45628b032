package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"gatehouse/internal/compress"
	"gatehouse/internal/metrics"
)

const compressing = `
hosts: [a.example]
access: {public: "a test"}
backends: ["{backend}"]
compression: [zstd, br, gzip]
routes:
  /plain/: {compression: off}
`

// protocols runs a test over each way to the exchange.
func protocols(t *testing.T, f func(t *testing.T, w *world, c *http.Client)) {
	for _, test := range []struct {
		name  string
		plane DataPlane
		http2 bool
	}{{"own", OwnPlane, false}, {"standard", StandardPlane, false}, {"http2", OwnPlane, true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, &world{tenants: map[string]string{"acme": compressing}}, test.plane)
			c := w.client("direct", "127.0.0.1", test.http2)
			c.Transport.(*http.Transport).DisableCompression = true
			f(t, w, c)
		})
	}
}

// TestProbesByAddress: who is admitted by address alone may be made to ask as well.
func TestProbesByAddress(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": strings.Replace(compressing, `public: "a test"`, "allow: [127.0.0.1]", 1)}, OwnPlane)
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, strings.Repeat("a page ", 1000))
	})
	c := w.client("direct", "127.0.0.1", false)
	for site, coding := range map[string]string{"cross-site": "", "same-origin": "gzip", "none": "gzip"} {
		if got := want(t, c, http.MethodGet, "/", "Accept-Encoding: gzip", "Sec-Fetch-Site: "+site).Header.Get("Content-Encoding"); got != coding {
			t.Errorf("%s: coding %q, want %q", site, got, coding)
		}
	}
}

// want sends a request and returns the answer with its body as it comes.
func want(t testing.TB, c *http.Client, method, path string, fields ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://a.example"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// decoder reads what an answer's Content-Encoding has made of its body.
func decoder(t testing.TB, answer *http.Response) io.Reader {
	t.Helper()
	switch coding := answer.Header.Get("Content-Encoding"); coding {
	case "gzip":
		r, err := gzip.NewReader(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r
	case "br":
		return brotli.NewReader(answer.Body)
	case "zstd":
		r, err := zstd.NewReader(answer.Body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		return r
	default:
		return answer.Body
	}
}

// page is what an application answers with, of n bytes.
func applicationPage(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "<tr><td>%d</td><td>customer %x</td></tr>\n", i, i*2654435761)
	}
	return b.Bytes()[:n]
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, w *world, c *http.Client) {
		text := applicationPage(300 << 10)
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			rw.Header().Set("ETag", `"v1"`)
			rw.Header().Set("Accept-Ranges", "bytes")
			if !strings.HasSuffix(r.URL.Path, "/chunks") {
				rw.Header().Set("Content-Length", fmt.Sprint(len(text)))
			}
			_, _ = rw.Write(text)
		})
		for _, test := range []struct{ accept, path, coding string }{
			{"gzip", "/", "gzip"},
			{"gzip, br", "/chunks", "br"},
			{"gzip, deflate, br, zstd", "/", "zstd"},
			{"zstd", "/chunks", "zstd"},
			{"deflate", "/", ""},
			{"gzip", "/plain/", ""},
		} {
			answer := want(t, c, "GET", test.path, "Accept-Encoding: "+test.accept)
			got, err := io.ReadAll(decoder(t, answer))
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%+v: %d bytes, %v; want %d", test, len(got), err, len(text))
			}
			vary, tag, length := "Accept-Encoding", `W/"v1"`, int64(-1)
			if test.coding == "" {
				tag, length = `"v1"`, int64(len(text))
			}
			if test.path == "/plain/" {
				vary = ""
			}
			h := answer.Header
			if h.Get("Content-Encoding") != test.coding || h.Get("Vary") != vary || h.Get("ETag") != tag || answer.ContentLength != length ||
				(h.Get("Accept-Ranges") == "") != (test.coding != "") {
				t.Errorf("%+v: length %d and %v", test, answer.ContentLength, h)
			}
		}
		head := want(t, c, "HEAD", "/", "Accept-Encoding: gzip")
		if h := head.Header; h.Get("Content-Encoding") != "gzip" || h.Get("ETag") != `W/"v1"` || head.ContentLength > 0 {
			t.Errorf("to HEAD: length %d and %v", head.ContentLength, h)
		}
		w.noEncoders()
		eventually(t, "the log tells the coding", func() bool {
			w.server.access.flush()
			return strings.Contains(w.log.String(), `,"coding":"zstd","duration_ms":`)
		})
	})
}

// noEncoders waits until no encoder is in use.
func (w *world) noEncoders() {
	w.t.Helper()
	eventually(w.t, "encoders are given back", func() bool {
		taken, _ := w.server.encoding.places.Taken()
		return taken == 0
	})
}

// TestCompressedStream: what a backend says goes out when it pauses, coded or
// not; events are not coded.
func TestCompressedStream(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, w *world, c *http.Client) {
		next := make(chan struct{})
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", r.URL.Query().Get("type"))
			for range 3 {
				_, _ = io.WriteString(rw, "a line of text\n")
				_ = http.NewResponseController(rw).Flush()
				select {
				case <-next:
				case <-r.Context().Done():
				}
			}
		})
		for _, test := range []struct{ kind, coding string }{{"application/x-ndjson", "br"}, {"application/json", "gzip"}, {"text/plain", "zstd"}, {"text/event-stream", ""}} {
			accept := "Accept-Encoding: " + test.coding
			answer := want(t, c, "GET", "/?type="+test.kind, accept)
			if got := answer.Header.Get("Content-Encoding"); got != test.coding {
				t.Errorf("%s is coded as %q", test.kind, got)
			}
			r := decoder(t, answer)
			line := make([]byte, len("a line of text\n"))
			for n := range 3 {
				if _, err := io.ReadFull(r, line); err != nil {
					t.Fatalf("%s: line %d: %v", test.kind, n, err)
				}
				next <- struct{}{}
			}
			if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
				t.Errorf("%s ends with %q, %v", test.kind, rest, err)
			}
		}
		w.noEncoders()
	})
}

// TestCompressedCut: an answer that breaks off looks cut, coded or not.
func TestCompressedCut(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, w *world, c *http.Client) {
		w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			_, _ = rw.Write(applicationPage(100 << 10))
			_ = http.NewResponseController(rw).Flush()
			panic(http.ErrAbortHandler)
		})
		answer := want(t, c, "GET", "/", "Accept-Encoding: gzip")
		if n, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Errorf("an answer that broke off ends in order after %d bytes", n)
		}
		w.noEncoders()
	})
}

// TestCompressedForWhom: a page of another site learns no lengths.
func TestCompressedForWhom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"acme": compressing})
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write(applicationPage(5000))
	})
	c := w.client("direct", "127.0.0.1", false)
	for _, test := range []struct {
		fields []string
		coding string
	}{
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: same-origin"}, "gzip"},
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: cross-site"}, ""},
		{[]string{"Cookie: a=b"}, ""},
		{[]string{"Sec-Fetch-Site: cross-site"}, "gzip"},
		{[]string{"Range: bytes=0-10"}, ""},
	} {
		answer := want(t, c, "GET", "/", append(test.fields, "Accept-Encoding: gzip")...)
		if got := answer.Header.Get("Content-Encoding"); got != test.coding || answer.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: coded as %q, Vary %q", test.fields, got, answer.Header.Get("Vary"))
		}
		_, _ = io.Copy(io.Discard, answer.Body)
	}
}

// TestNotCompressedForHTTP10: a client of HTTP/1.0 could tell the end of a
// compressed answer by the end of the connection alone.
func TestNotCompressedForHTTP10(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newWorldOf(t, &world{tenants: map[string]string{"acme": compressing}}, plane)
		text := applicationPage(5000)
		w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			rw.Header().Set("Content-Length", "5000")
			_, _ = rw.Write(text)
		})
		answer := ask(t, w.dial("127.0.0.1", "a.example"), "GET / HTTP/1.0\r\nHost: a.example\r\nAccept-Encoding: gzip\r\n\r\n")
		if h := answer.Header; h.Get("Content-Encoding") != "" || h.Get("Vary") != "Accept-Encoding" || answer.ContentLength != int64(len(text)) {
			t.Errorf("length %d and %v", answer.ContentLength, h)
		}
	})
}

// TestEncodersRunOut: who finds no encoder gets the answer as it comes.
func TestEncodersRunOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"acme": compressing})
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write(applicationPage(5000))
	})
	snap := w.server.snapshot()
	acme := snap.of(snap.table.Tenant("acme"))
	mine := &acme.party.encoders
	for w.server.encoding.places.Take(mine, 1, 1) {
	}
	c := w.client("direct", "127.0.0.1", false)
	answer := want(t, c, "GET", "/", "Accept-Encoding: gzip")
	if got := answer.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("an encoder that is not there codes %q", got)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	w.server.encoding.places.Give(mine, mine.Held())
	if got := want(t, c, "GET", "/", "Accept-Encoding: gzip").Header.Get("Content-Encoding"); got != "gzip" {
		t.Errorf("an encoder that is there again codes %q", got)
	}
	if got := counter(t, w.metrics, `gatehouse_compression_declined_total{tenant="acme"}`); got != 1 {
		t.Errorf("%v answers were declined, want 1", got)
	}
}

// TestEncodeInTurn: while processors are busy, a piece waits for its turn.
func TestEncodeInTurn(t *testing.T) {
	t.Parallel()
	const length = 64 << 10
	w := busyWorld(t, map[string]string{"acme": compressing}, 10)
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write(applicationPage(length))
	})
	c := w.client("direct", "127.0.0.1", false)
	body := make(chan []byte, 1)
	go func() {
		got, err := io.ReadAll(decoder(t, want(t, c, "GET", "/", "Accept-Encoding: gzip")))
		if err != nil {
			t.Error(err)
		}
		body <- got
	}()
	p := w.server.processors
	eventually(t, "the client is heard", func() bool { _, heard := p.hellos.Next(); return heard })
	for _, what := range []string{"its handshake", "a piece of its answer"} {
		eventually(t, what+" waits", func() bool { return p.fair.Waiting() == 1 })
		p.fair.Next()
	}
	if got := giveUntil(p, body); len(got) != length {
		t.Errorf("%d bytes of %d", len(got), length)
	}
}

// TestCodingNames: metrics know the codings by their numbers.
func TestCodingNames(t *testing.T) {
	for _, c := range compress.Codings() {
		if got := metrics.CodingNames[c]; got != c.String() {
			t.Errorf("coding %d is %q there and %q here", c, got, c)
		}
	}
	if got := len(metrics.CodingNames); got != len(compress.Codings())+1 {
		t.Errorf("%d names of codings", got)
	}
}

// TestEncoderPrice: an encoder holds what is accounted for it.
func TestEncoderPrice(t *testing.T) {
	text := applicationPage(copyRoom)
	for _, c := range compress.Codings() {
		var encoders compress.Encoders
		var taken [16]*compress.Encoder
		held := heap()
		for i := range taken {
			taken[i] = encoders.Take(c)
			for range 8 {
				if _, err := taken[i].Encode(text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if each := (heap() - held) / len(taken); each > encoderPrice {
			t.Errorf("%v holds %d KiB, %d are accounted for", c, each>>10, encoderPrice>>10)
		}
		runtime.KeepAlive(taken)
	}
}

// heap is how much lies on it.
func heap() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// benchmarkCompressed is a request with a page of 64 KiB, compressed by coding.
func benchmarkCompressed(b *testing.B, keys, coding string) {
	page := applicationPage(64 << 10)
	backend := answering(b, fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(page), page))
	g := startGateway(b, "hosts: [a.example]\naccess: {public: bench}\nbackends: [\"http://"+backend+"\"]\n"+keys, setup{})
	c := g.dial(b)
	request := []byte("GET / HTTP/1.1\r\nHost: a.example\r\nAccept-Encoding: " + coding + "\r\n\r\n")
	counted := &countingReader{r: c}
	answers := bufio.NewReader(counted)
	for b.Loop() {
		counted.n = 0
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(counted.n), "bytes")
}

func BenchmarkCompressed(b *testing.B) {
	b.Run("off", func(b *testing.B) { benchmarkCompressed(b, "", "gzip") })
	for _, coding := range []string{"none", "gzip", "br", "zstd"} {
		b.Run(coding, func(b *testing.B) { benchmarkCompressed(b, "compression: [zstd, br, gzip]\n", coding) })
	}
}
