package http1

import "testing"

// browserHead is what a browser sends for a page: 12 fields.
var browserHead = []byte("GET /reports/2026/quarter?view=summary&tab=2 HTTP/1.1\r\n" +
	"Host: pa.acme.example\r\n" +
	"Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: same-origin\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9,lv;q=0.8\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n")

var serverHead = []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 01 Jun 2026 10:00:00 GMT\r\n" +
	"Content-Type: text/html; charset=utf-8\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n" +
	"ETag: \"6a1b2c3d-400\"\r\nCache-Control: no-cache\r\nAccept-Ranges: bytes\r\n\r\n")

// TestNothingIsAllocated runs each kind of message, refused ones too, with
// heads that have seen one of their kind.
func TestNothingIsAllocated(t *testing.T) {
	var request RequestHead
	var response ResponseHead
	var d ChunkDecoder
	lim, out := DefaultLimits(), make([]byte, 0, 4096)
	body := []byte("5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n")
	refused := []byte(get + host + "A : b\r\n\r\n")
	ipv6 := []byte("GET http://[2001:db8::1]:80/ HTTP/1.1\r\nHost: [2001:DB8::1]\r\nConnection: x, close\r\n\r\n")
	for name, run := range map[string]func(){
		"request": func() {
			_, _ = request.Parse(browserHead, lim)
			out = appendRequestLine(out[:0], &request)
			for _, f := range request.Fields {
				if !request.Nominated(f.Name) {
					out = AppendField(out, f.Name, f.Value)
				}
			}
		},
		"request in two": func() {
			_, _ = request.Parse(browserHead[:100], lim)
			_, _ = request.Parse(browserHead, lim)
			request.Reset()
		},
		"absolute request": func() { _, _ = request.Parse(ipv6, lim) },
		"refused request":  func() { _, _ = request.Parse(refused, lim) },
		"response": func() {
			_, _ = response.Parse(serverHead, request.Method, lim)
			out = AppendStatusLine(out[:0], response.Status)
			out = AppendFieldInt(out, "Content-Length", response.ContentLength)
			response.Reset()
		},
		"chunks": func() {
			d.Reset(lim)
			for rest, done := body, false; !done; {
				var n int
				var data []byte
				data, n, done, _ = d.Next(rest)
				out = AppendChunk(out[:0], data)
				rest = rest[n:]
			}
			out = AppendLastChunk(out[:0], d.Trailers)
		},
	} {
		if got := testing.AllocsPerRun(100, run); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func BenchmarkRequestHead(b *testing.B) {
	var h RequestHead
	lim := DefaultLimits()
	b.SetBytes(int64(len(browserHead)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Parse(browserHead, lim); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResponseHead(b *testing.B) {
	var h ResponseHead
	lim, method := DefaultLimits(), []byte("GET")
	b.SetBytes(int64(len(serverHead)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Parse(serverHead, method, lim); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunkDecoder(b *testing.B) {
	body := AppendLastChunk(AppendChunk(AppendChunk(nil, make([]byte, 16<<10)), make([]byte, 16<<10)), nil)
	var d ChunkDecoder
	lim := DefaultLimits()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(lim)
		for rest, done := body, false; !done; {
			_, n, ended, err := d.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest, done = rest[n:], ended
		}
	}
}
