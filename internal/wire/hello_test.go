package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// said is a connection on which a client has said something and says no more.
type said struct{ left []byte }

func (s *said) Read(p []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

func (*said) Write(p []byte) (int, error)      { return len(p), nil }
func (*said) Close() error                     { return nil }
func (*said) LocalAddr() net.Addr              { return nil }
func (*said) RemoteAddr() net.Addr             { return nil }
func (*said) SetDeadline(time.Time) error      { return nil }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }

// asTLS is what crypto/tls finds in a hello; nil for nothing.
func asTLS(hello []byte) (found *tls.ClientHelloInfo) {
	_ = tls.Server(&said{hello}, &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		found = info
		return nil, errors.New("enough")
	}}).HandshakeContext(context.Background())
	return found
}

// helloOf is the hello of a client.
func helloOf(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, config).Handshake()
		_ = client.Close()
	}()
	buf := make([]byte, HelloBytesMax)
	n, err := server.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

var helloConfigs = map[string]*tls.Config{
	"a browser's":       {ServerName: "www.example.com", NextProtos: []string{"h2", "http/1.1"}, InsecureSkipVerify: true},
	"without a name":    {ServerName: "192.0.2.1", InsecureSkipVerify: true},
	"TLS 1.2":           {ServerName: "a.example", MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true},
	"of an authority":   {ServerName: "a.example", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true},
	"with a small part": {ServerName: "a.example", CurvePreferences: []tls.CurveID{tls.X25519}, InsecureSkipVerify: true},
}

// TestPeekHello: it finds what crypto/tls does, once all of it has come.
func TestPeekHello(t *testing.T) {
	for name, config := range helloConfigs {
		hello := helloOf(t, config)
		for n := range hello {
			if _, more, ok := PeekHello(hello[:n]); !more || ok {
				t.Fatalf("%s: after %d of %d bytes more is %v, ok %v", name, n, len(hello), more, ok)
			}
		}
		h, more, ok := PeekHello(hello)
		if more || !ok {
			t.Fatalf("%s: more is %v, ok %v", name, more, ok)
		}
		want := asTLS(hello)
		if string(h.Name) != want.ServerName {
			t.Errorf("%s: name %q, want %q", name, h.Name, want.ServerName)
		}
		for _, proto := range []string{"h2", "http/1.1", "acme-tls/1", ""} {
			if got := h.Offers(proto); got != slices.Contains(want.SupportedProtos, proto) {
				t.Errorf("%s: offers %q is %v", name, proto, got)
			}
		}
	}
}

// TestPeekHelloLeaves: what is not a ClientHello in one record is left to TLS.
func TestPeekHelloLeaves(t *testing.T) {
	hello := helloOf(t, helloConfigs["a browser's"])
	with := func(change func(b []byte) []byte) []byte { return change(slices.Clone(hello)) }
	for name, buf := range map[string][]byte{
		"HTTP":             []byte("GET / HTTP/1.1\r\n\r\n"),
		"an alert":         {21, 3, 3, 0, 2, 2, 40, 0, 0, 0},
		"another version":  with(func(b []byte) []byte { b[1] = 2; return b }),
		"a longer record":  with(func(b []byte) []byte { b[3] = 0x41; return b }),
		"another message":  with(func(b []byte) []byte { b[5] = 2; return b }),
		"two records":      with(func(b []byte) []byte { b[8]++; return b }),
		"a shorter record": with(func(b []byte) []byte { b[4]--; return b }),
	} {
		if _, more, ok := PeekHello(buf); more || ok {
			t.Errorf("%s: more is %v, ok %v, want neither", name, more, ok)
		}
	}
}

// FuzzPeekHello: where both understand a hello, both understand the same.
func FuzzPeekHello(f *testing.F) {
	for _, config := range helloConfigs {
		hello := helloOf(f, config)
		f.Add(hello)
		f.Add(hello[:len(hello)/2])
	}
	f.Fuzz(func(t *testing.T, buf []byte) {
		h, more, ok := PeekHello(buf)
		if more && ok {
			t.Fatal("both understood and not complete")
		}
		if !ok {
			return
		}
		if want := asTLS(buf); want != nil && (string(h.Name) != want.ServerName || h.Offers("acme-tls/1") != slices.Contains(want.SupportedProtos, "acme-tls/1")) {
			t.Fatalf("name %q, want %q; protocols %q, want %q", h.Name, want.ServerName, h.Protos, want.SupportedProtos)
		}
	})
}
