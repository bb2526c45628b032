package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// echoBackend answers every request with a body of n bytes, from one goroutine
// for each connection and without allocating.
func echoBackend(b testing.TB, n int) (addr string) {
	b.Helper()
	return answering(b, []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: test\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("x", n))))
}

// answering is such a backend with any answer.
func answering(b testing.TB, answer []byte) (addr string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 16<<10)
				for {
					// One read is one request: clients wait for each answer.
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	b.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

const browserRequest = "GET /index.html?q=1 HTTP/1.1\r\nHost: a.example\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en\r\nAccept-Encoding: gzip, br\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef\r\nCache-Control: max-age=0\r\nSec-Fetch-Mode: navigate\r\n\r\n"

// BenchmarkProxiedRequest is one request with a 1 KiB answer over a TLS
// connection that stays open: client, gateway and backend together.
func BenchmarkProxiedRequest(b *testing.B) { benchmarkProxied(b, OwnPlane) }

// BenchmarkProxiedRequestStandard is the same on the other data plane.
func BenchmarkProxiedRequestStandard(b *testing.B) { benchmarkProxied(b, StandardPlane) }

func benchmarkProxied(b *testing.B, plane DataPlane) {
	g := startGateway(b, "hosts: [a.example]\naccess: {public: bench}\nbackends: [\"http://"+echoBackend(b, 1024)+"\"]\n", setup{plane: plane})
	c := g.dial(b)
	request := []byte(browserRequest)
	size := exchangeOnce(b, c, request)
	answer := make([]byte, size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			b.Fatal(err)
		}
	}
}

// exchangeOnce returns the length of an answer.
func exchangeOnce(b testing.TB, c *tls.Conn, request []byte) int {
	b.Helper()
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	counted := &countingReader{r: c}
	reader := bufio.NewReader(counted)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	return counted.n
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// A request that is forwarded allocates nothing of its own, once its connections
// are warm.
func TestProxiedRequestDoesNotAllocate(t *testing.T) {
	g := startGateway(t, "hosts: [a.example]\naccess: {public: test}\nbackends: [\"http://"+echoBackend(t, 1024)+"\"]\n", setup{})
	c := g.dial(t)
	request := []byte(browserRequest)
	answer := make([]byte, exchangeOnce(t, c, request))
	allocs := testing.AllocsPerRun(200, func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > allocsMax {
		t.Errorf("a request allocates %v times, want at most %d", allocs, allocsMax)
	}
}
