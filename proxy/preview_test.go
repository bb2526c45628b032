package proxy

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/wire"
)

// inPieces writes a few bytes at a time.
type inPieces struct{ *net.TCPConn }

func (c inPieces) Write(p []byte) (n int, err error) {
	const piece = 100
	for len(p) > 0 && err == nil {
		var wrote int
		wrote, err = c.TCPConn.Write(p[:min(piece, len(p))])
		n, p = n+wrote, p[wrote:]
	}
	return n, err
}

// TestPreview: handshakes succeed however their first message comes, and however
// long it is.
func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	many := []string{"http/1.1"}
	for i := range 400 {
		many = append(many, "protocol-"+strconv.Itoa(i))
	}
	if n := len(strings.Join(many, " ")); n < wire.HelloBytesMax {
		t.Fatalf("a hello of %d bytes is looked into", n)
	}
	for name, protos := range map[string][]string{"short": {"http/1.1"}, "long": many} {
		for _, pieces := range []bool{false, true} {
			c, err := from("127.0.0.1").Dial("tcp", w.addr("direct"))
			if err != nil {
				t.Fatal(err)
			}
			if pieces {
				c = inPieces{c.(*net.TCPConn)}
			}
			client := tls.Client(c, w.tlsConfig("a.example", protos...))
			if err := client.Handshake(); err != nil {
				t.Errorf("%s, in pieces %v: %v", name, pieces, err)
			}
			client.Close()
		}
	}
	w.nothingHeld()
}

// TestPreviewCloses: a client that leaves in the middle of its first message, or
// says something else, costs nothing.
func TestPreviewCloses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for _, said := range []string{"", "\x16", "\x16\x03\x01\x02\x00\x01\x00", "GET / HTTP/1.1\r\n\r\n"} {
		c, err := from("127.0.0.1").Dial("tcp", w.addr("direct"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(said)); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	w.nothingHeld()
}
