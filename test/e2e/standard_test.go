package e2e

import (
	"crypto/tls"
	"fmt"
	"testing"
)

// TestStandardPlane: on the other data plane the same clients get the same.
func TestStandardPlane(t *testing.T) {
	t.Parallel()
	x := newTransfers(t, "data_plane: standard")
	whole := fmt.Sprintf("sum=%s bytes=%d", digest(x.app.file), len(x.app.file))
	for _, args := range [][]string{{"--http1.1"}, {"--http1.1", "-H", "Expect: 100-continue"}} {
		args = append(args, "-T", "-", x.url("acme.example", "/sum"))
		x.curlWith(t, string(x.app.file), args...).has(t, "HTTP/1.1 200", whole, "length=-1")
	}
	x.expectEarlyAnswers(t)

	got := x.curl(t, clientOfAcme, "--http1.0", x.url("acme.example", "/lines"))
	got.has(t, "HTTP/1.0 200", "line 0\nline 1\nline 2\n")
	got.hasNot(t, "transfer-encoding")
	x.curl(t, clientOfAcme, "--http1.1", "--head", x.url("acme.example", "/file")).has(t, "HTTP/1.1 200", "content-length: 1048576")
	x.webSocket(t, "acme.example", func() (*tls.Conn, error) { return x.dial(t, clientOfAcme, "acme.example") }).says(t, "hello")
}
