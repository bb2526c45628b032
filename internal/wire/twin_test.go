package wire

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/pires/go-proxyproto"
)

// The twin is github.com/pires/go-proxyproto: what is accepted here must mean
// the same there and end at the same byte. The other way round does not hold:
// it takes datagrams, Unix sockets and long headers, too.

// twinCannot reports accepted headers that the twin refuses: it wants sense in
// what the specification tells receivers to ignore (the block of LOCAL and of
// UNSPEC, the text behind UNKNOWN).
func twinCannot(h ProxyHeader) bool { return h.Local }

func compareTwin(t *testing.T, in []byte, h ProxyHeader, n int) {
	t.Helper()
	r := bufio.NewReaderSize(bytes.NewReader(in), len(in)+ProxyHeaderBytesMax)
	twin, err := proxyproto.Read(r)
	if err != nil {
		if !twinCannot(h) {
			t.Errorf("%q: the twin refuses it: %v", in, err)
		}
		return
	}
	if rest := r.Buffered(); len(in)-rest != n {
		t.Errorf("%q: %d bytes, the twin %d", in, n, len(in)-rest)
	}
	if h.Local {
		if !twin.Command.IsLocal() && !twin.TransportProtocol.IsUnspec() {
			t.Errorf("%q: local, the twin %v %v", in, twin.Command, twin.TransportProtocol)
		}
		return
	}
	source, destination, ok := twin.TCPAddrs()
	if !ok || unmapped(source) != h.Source || unmapped(destination) != h.Destination {
		t.Errorf("%q: %s, the twin %v %v", in, h.tell(), source, destination)
	}
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func TestTwinReadsTheSame(t *testing.T) {
	for _, c := range acceptedHeaders {
		in := []byte(c.header + "hello")
		h, n, err := ParseProxyHeader(in)
		if err != nil {
			t.Fatal(err)
		}
		compareTwin(t, in, h, n)
	}
}

// TestTwinWritesWhatWeRead and back.
func TestTwinWritesWhatWeRead(t *testing.T) {
	source, destination := netip.MustParseAddrPort("192.0.2.1:4660"), netip.MustParseAddrPort("198.51.100.2:443")
	want := ProxyHeader{Source: source, Destination: destination}
	for version := byte(1); version <= 2; version++ {
		twin := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(source), net.TCPAddrFromAddrPort(destination))
		out, err := twin.Format()
		if err != nil {
			t.Fatal(err)
		}
		if h, n, err := ParseProxyHeader(out); err != nil || n != len(out) || h != want {
			t.Errorf("version %d: %v, %d, %v", version, h, n, err)
		}
	}
	for _, out := range [][]byte{appendProxyV1(nil, want), appendProxyV2(nil, want)} {
		compareTwin(t, out, want, len(out))
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, c := range acceptedHeaders {
		f.Add([]byte(c.header + "hello"))
	}
	for _, c := range refusedHeaders {
		f.Add([]byte(c.header))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h, n, err := ParseProxyHeader(in)
		if err != nil {
			return
		}
		compareTwin(t, in, h, n)
		if _, _, err := ParseProxyHeader(in[:n-1]); err == nil {
			t.Fatalf("%q: accepted without its last byte", in)
		}
		for _, out := range [][]byte{appendProxyV1(nil, h), appendProxyV2(nil, h)} {
			if again, m, err := ParseProxyHeader(out); err != nil || m != len(out) || again != h {
				t.Fatalf("%q was written as %q and reads as %v, %v", in, out, again, err)
			}
		}
	})
}
