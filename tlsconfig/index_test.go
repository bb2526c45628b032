package tlsconfig

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"
)

// hello returns a TLS 1.3 client that verifies only these signatures.
func hello(sni string, schemes ...tls.SignatureScheme) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName:        sni,
		SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes:  schemes,
		CipherSuites:      []uint16{tls.TLS_AES_128_GCM_SHA256},
		SupportedCurves:   []tls.CurveID{tls.X25519, tls.CurveP256},
		SupportedPoints:   []uint8{0},
	}
}

func TestIndex(t *testing.T) {
	var (
		ec       = certificate(t, ecdsaKey(), "both.example", "ec.example")
		rs       = certificate(t, rsaKey(), "both.example", "rsa.example")
		wild     = certificate(t, ecdsaKey(), "*.wild.example")
		exact    = certificate(t, ecdsaKey(), "x.wild.example")
		exactRSA = certificate(t, rsaKey(), "*.exact-ec.example")
		exactEC  = certificate(t, ecdsaKey(), "x.exact-ec.example")
		own      = certificate(t, ecdsaKey(), "own.example", "*.own.example")
		shared   = certificate(t, ecdsaKey(), "own.example", "x.own.example", "shared.example")
		theirs   = certificate(t, ecdsaKey(), "theirs.example")
	)
	x := NewIndex(map[string][]*Certificate{
		"":    {rs, ec, wild, exact, exactRSA, exactEC, shared},
		"one": {own},
		"two": {theirs},
	})
	any := []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256}
	onlyRSA := []tls.SignatureScheme{tls.PSSWithSHA256}
	for _, test := range []struct {
		tenant, sni string
		schemes     []tls.SignatureScheme
		want        *Certificate
	}{
		{"one", "both.example", any, ec},
		{"one", "both.example", onlyRSA, rs},
		{"one", "rsa.example", any, rs},
		{"one", "ec.example", onlyRSA, ec}, // crypto/tls then says handshake_failure
		{"one", "x.wild.example", any, exact},
		{"one", "y.wild.example", any, wild},
		{"one", "wild.example", any, nil},
		{"one", "x.y.wild.example", any, nil},
		{"one", ".wild.example", any, nil},
		{"one", "x.exact-ec.example", any, exactEC},
		{"one", "x.exact-ec.example", onlyRSA, exactRSA},
		{"one", "own.example", any, own},
		{"one", "x.own.example", any, own}, // the tenant's wildcard before a shared exact name
		{"one", "shared.example", any, shared},
		{"one", "theirs.example", any, nil},
		{"two", "theirs.example", any, theirs},
		{"two", "own.example", any, shared},
		{"two", "y.own.example", any, nil},
		{"three", "own.example", any, shared},
		{"", "theirs.example", any, nil},
		{"", "shared.example", any, shared},
		{"one", "", any, nil},
		{"one", "unknown.example", any, nil},
	} {
		var want *tls.Certificate
		if test.want != nil {
			want = test.want.TLS()
		}
		if got := x.Find(test.tenant, test.sni, hello(test.sni, test.schemes...)); got != want {
			t.Errorf("Find(%q, %q) with %v: %v, want %v", test.tenant, test.sni, test.schemes, names(got), names(want))
		}
	}
	if got := x.Find("one", "both.example", nil); got != ec.TLS() {
		t.Errorf("Find without a hello: %v, want the ECDSA one", names(got))
	}
	if got := (*Index)(nil).Find("one", "both.example", nil); got != nil {
		t.Errorf("a nil Index finds %v", names(got))
	}
}

func names(c *tls.Certificate) string {
	if c == nil {
		return "none"
	}
	return fmt.Sprint(c.Leaf.PublicKeyAlgorithm, c.Leaf.DNSNames)
}

func TestIndexPrefersTheRenewed(t *testing.T) {
	old := issue(root(), ecdsaKey(), hosts("a.example"))
	renewed := issue(root(), ecdsaKey(), hosts("a.example"))
	first := must(ParsePair("old", chainPEM(old), keyPEM(ecdsaKey()), time.Time{}))
	second := must(ParsePair("renewed", chainPEM(renewed), keyPEM(ecdsaKey()), time.Time{}))
	second.notAfter = first.notAfter + 3600
	for _, order := range [][]*Certificate{{first, second}, {second, first}} {
		x := NewIndex(map[string][]*Certificate{"": order})
		if got := x.Find("", "a.example", nil); got != second.TLS() {
			t.Error("the certificate that ends sooner is served")
		}
	}
}

// TestClientWithoutECDSA picks by a real handshake of TLS 1.2.
func TestClientWithoutECDSA(t *testing.T) {
	ec, rs := certificate(t, ecdsaKey(), "a.example"), certificate(t, rsaKey(), "a.example")
	d := newDoor(ec, rs)
	for suite, want := range map[uint16]*Certificate{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: ec,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   rs,
	} {
		client := d.client("a.example", tls.VersionTLS12, nil)
		client.CipherSuites = []uint16{suite}
		r := d.shake(t, client)
		if got := r.client.PeerCertificates[0]; !got.Equal(want.TLS().Leaf) {
			t.Errorf("%s: served %v", tls.CipherSuiteName(suite), got.PublicKeyAlgorithm)
		}
	}
}

func TestFindAllocatesNothing(t *testing.T) {
	x := NewIndex(map[string][]*Certificate{
		"one": {certificate(t, ecdsaKey(), "own.example")},
		"":    {certificate(t, ecdsaKey(), "*.wild.example")},
	})
	if n := testing.AllocsPerRun(100, func() {
		x.Find("one", "own.example", nil)
		x.Find("one", "x.wild.example", nil)
		x.Find("one", "unknown.example", nil)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		pair := certificate(b, ecdsaKey(), "a.example").pair
		certificates := make([]*Certificate, n)
		for i := range certificates {
			certificates[i] = &Certificate{pair: pair, names: []string{fmt.Sprintf("host%d.example", i), fmt.Sprintf("*.host%d.example", i)}}
		}
		x := NewIndex(map[string][]*Certificate{"": certificates})
		snis := make([]string, 1<<12)
		for i := range snis {
			snis[i] = fmt.Sprintf("host%d.example", i*7919%n)
			if i%2 == 0 {
				snis[i] = "x." + snis[i]
			}
		}
		b.Run(fmt.Sprintf("names=%d", 2*n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if x.Find("tenant", snis[i%len(snis)], nil) == nil {
					b.Fatal("not found")
				}
			}
		})
	}
}
