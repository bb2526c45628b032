package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/store"
)

func TestIssue(t *testing.T) {
	ca := openCA(t, store.NewMem(), at(start))
	names := []string{"pa.acme.example", "*.acme.hosted.example", "192.0.2.1", "2001:db8::1", "_dmarc.x-1.example"}
	cert, err := ca.Issue(names)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pa.acme.example", "any.acme.hosted.example", "192.0.2.1", "2001:db8::1", "_dmarc.x-1.example"} {
		if err := verify(ca, cert, name, start); err != nil {
			t.Errorf("verify %s: %v", name, err)
		}
	}
	for _, name := range []string{"acme.hosted.example", "a.b.acme.hosted.example", "other.example", "192.0.2.2"} {
		if err := verify(ca, cert, name, start); err == nil {
			t.Errorf("the leaf serves %s too", name)
		}
	}
	leaf := cert.Leaf
	if !leaf.NotBefore.Equal(start.Add(-time.Hour)) || !leaf.NotAfter.Equal(start.Add(7*24*time.Hour)) {
		t.Errorf("life from %v to %v, want an hour ago to in seven days", leaf.NotBefore, leaf.NotAfter)
	}
	if leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("IsCA %v, key usage %v, extended %v; want a server's", leaf.IsCA, leaf.KeyUsage, leaf.ExtKeyUsage)
	}
	if key := cert.PrivateKey.(*ecdsa.PrivateKey); key.Curve != elliptic.P256() || !key.PublicKey.Equal(leaf.PublicKey) {
		t.Errorf("the key is not the leaf's, or not P-256")
	}
	if got, want := RenewAt(cert), leaf.NotBefore.Add(169*time.Hour/3*2); !got.Equal(want) {
		t.Errorf("RenewAt = %v, want %v", got, want)
	}
}

func TestSerials(t *testing.T) {
	ca := openCA(t, store.NewMem(), at(start))
	seen := make(map[string]bool)
	for range 50 {
		cert, err := ca.Issue([]string{"a.example"})
		if err != nil {
			t.Fatal(err)
		}
		serial := cert.Leaf.SerialNumber
		if serial.Sign() <= 0 || serial.BitLen() < 100 || serial.BitLen() > 128 || seen[serial.String()] {
			t.Errorf("serial %x: want a new one of 128 bits", serial)
		}
		seen[serial.String()] = true
	}
}

func TestIssueRefuses(t *testing.T) {
	ca := openCA(t, store.NewMem(), at(start))
	for _, names := range [][]string{
		nil,
		slices.Repeat([]string{"a.example"}, maxNames+1),
		{""},
		{"A.example"},
		{"a.example."},
		{".a.example"},
		{"a..example"},
		{"*"},
		{"*."},
		{"a.*.example"},
		{"*.*.example"},
		{"-a.example"},
		{"a-.example"},
		{"a b.example"},
		{"é.example"},
		{"a.example\x00.evil.example"},
		{strings.Repeat("a", 64) + ".example"},
		{strings.Repeat("a.", 127) + "example"},
		{"fe80::1%eth0"},
		{"::ffff:192.0.2.1"},
		{"2001:DB8::1"},
		{"2001:db8:0::1"},
		{"a.example", ""},
	} {
		if cert, err := ca.Issue(names); err == nil {
			t.Errorf("Issue(%.60q) = a leaf for %q, want an error", names, cert.Leaf.DNSNames)
		}
	}
}

func TestHandshake(t *testing.T) {
	ca := openCA(t, store.NewMem(), time.Now)
	cert, err := ca.Issue([]string{"pa.acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.RootPEM())
	hello := func(name string) error {
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*cert}}).Handshake() }()
		err := tls.Client(near, &tls.Config{RootCAs: roots, ServerName: name}).Handshake()
		near.Close()
		<-served
		return err
	}
	if err := hello("pa.acme.example"); err != nil {
		t.Errorf("handshake: %v", err)
	}
	if err := hello("pa.globex.example"); err == nil {
		t.Errorf("a client of another host accepts the leaf")
	}
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"a.example", "*.a.example", "192.0.2.1", "::1", "a..b", "-a", "fe80::1%a", "1.2.3.04"} {
		f.Add(seed)
	}
	ca, err := Open(f.Context(), store.NewMem(), discard(), at(start))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		cert, err := ca.Issue([]string{name})
		if err != nil {
			t.Fatalf("Issue(%q): %v", name, err)
		}
		if got := nameOf(authority{cert: cert.Leaf}); got != name {
			t.Fatalf("the leaf for %q is for %q", name, got)
		}
	})
}

func BenchmarkIssue(b *testing.B) {
	ca, err := Open(b.Context(), store.NewMem(), discard(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ca.Issue([]string{"pa.acme.example"}); err != nil {
			b.Fatal(err)
		}
	}
}
