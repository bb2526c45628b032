package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// packedFor returns a leaf of the test intermediate as it is stored.
func packedFor(key crypto.Signer, names ...string) Packed {
	leaf := issue(middle(), key, hosts(names...))
	return Packed{
		Chain: [][]byte{leaf.cert.Raw, middle().cert.Raw},
		Key:   must(x509.MarshalPKCS8PrivateKey(key)),
	}
}

// TestCompactHandshake serves a compact certificate to a client that verifies
// it, with its OCSP answer.
func TestCompactHandshake(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		p := packedFor(ecdsaKey(), "a.example", "*.b.example")
		p.Staple = []byte("an OCSP answer")
		decoded := NewDecoded(1)
		c := must(Compact("acme", p, decoded))
		d := newDoor(c)
		d.tenants["x.b.example"] = "one"
		if got := decoded.Len(); got != 0 {
			t.Errorf("%d are decoded before the first handshake", got)
		}
		for _, name := range []string{"a.example", "x.b.example"} {
			client := d.client(name, version, nil)
			client.InsecureSkipVerify = false
			r := d.shake(t, client)
			if got := r.client.OCSPResponse; !bytes.Equal(got, p.Staple) {
				t.Errorf("%s: staple %q, want %q", name, got, p.Staple)
			}
		}
		if got := decoded.Len(); got != 1 {
			t.Errorf("%d are decoded after handshakes with one, want 1", got)
		}
		leaf := must(x509.ParseCertificate(p.Chain[0]))
		if c.Source() != "acme" || !c.NotAfter().Equal(leaf.NotAfter) || !c.NotBefore().Equal(leaf.NotBefore) || !c.Covers("x.b.example") {
			t.Errorf("it says of itself: %q, %s to %s, %q", c.Source(), c.NotBefore(), c.NotAfter(), c.Names())
		}
		if _, lone := c.LoneLeaf(); lone {
			t.Error("the intermediate is missing")
		}
	})
}

// TestCompactIsTheSame compares a compact certificate with the same from files.
func TestCompactIsTheSame(t *testing.T) {
	p := packedFor(rsaKey(), "a.example")
	leaf := must(x509.ParseCertificate(p.Chain[0]))
	files := must(ParsePair("files", chainPEM(&issued{cert: leaf}, middle()), keyPEM(rsaKey()), noon))
	c := must(Compact("acme", p, NewDecoded(1)))
	if c.Digest() != files.Digest() || c.rank != files.rank {
		t.Errorf("digest %x and rank %d, from files %x and %d", c.Digest(), c.rank, files.Digest(), files.rank)
	}
}

func TestCompactRefuses(t *testing.T) {
	good := packedFor(ecdsaKey(), "a.example")
	for _, test := range []struct {
		want string
		p    Packed
	}{
		{`x: 0 certificates; expected the leaf and the chain that signed it, at most 10`, Packed{Key: good.Key}},
		{`x: 11 certificates; expected the leaf`, Packed{Chain: make([][]byte, 11), Key: good.Key}},
		{`x: certificate 1 cannot be parsed: `, Packed{Chain: [][]byte{[]byte("no DER")}, Key: good.Key}},
		{`x: the private key cannot be parsed; expected PKCS #8`, Packed{Chain: good.Chain, Key: []byte("no DER")}},
		{`x: the private key has 16385 bytes; expected at most 16384`, Packed{Chain: good.Chain, Key: make([]byte, maxKeyBytes+1)}},
		{`x: the key does not match the certificate, "a.example"`, Packed{Chain: good.Chain, Key: must(x509.MarshalPKCS8PrivateKey(rootKey()))}},
		{`x: the certificate names no host`, packedFor(ecdsaKey())},
		{`x: the RSA key has 1024 bits`, packedFor(weakKey(), "a.example")},
	} {
		_, err := Compact("x", test.p, NewDecoded(1))
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// TestDecodedIsBounded has many handshakes at once with more certificates than
// are kept decoded: each gets its own, and no more are kept.
func TestDecodedIsBounded(t *testing.T) {
	const most, all = 3, 10
	decoded := NewDecoded(most)
	scoped := make(map[string][]*Certificate)
	for i := range all {
		name := fmt.Sprintf("host%d.example", i)
		scoped[name] = []*Certificate{must(Compact(name, packedFor(ecdsaKey(), name), decoded))}
	}
	x := NewIndex(scoped)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("host%d.example", (i*7+worker)%all)
				if got := x.Find(name, name, nil); got == nil || got.Leaf.DNSNames[0] != name {
					t.Errorf("%s: found %v", name, names(got))
				}
			}
		})
	}
	group.Wait()
	if got := decoded.Len(); got != most {
		t.Errorf("%d are decoded, want %d", got, most)
	}
	live := 0
	for _, certificates := range scoped {
		if certificates[0].packed.live.Load() != nil {
			live++
		}
	}
	if live != most {
		t.Errorf("%d hold what was decoded, want %d", live, most)
	}
}

// TestDecodedKeepsWhatIsUsed: one that is used all the time stays while others
// come and go.
func TestDecodedKeepsWhatIsUsed(t *testing.T) {
	decoded := NewDecoded(2)
	busy := must(Compact("busy", packedFor(ecdsaKey(), "busy.example"), decoded))
	first := busy.TLS()
	for i := range 10 {
		if busy.TLS() != first {
			t.Fatalf("decoded again after %d others", i)
		}
		name := fmt.Sprintf("host%d.example", i)
		must(Compact(name, packedFor(ecdsaKey(), name), decoded)).TLS()
	}
}

func TestIssuersAreShared(t *testing.T) {
	decoded := NewDecoded(2)
	one := must(Compact("one", packedFor(ecdsaKey(), "one.example"), decoded)).TLS()
	two := must(Compact("two", packedFor(ecdsaKey(), "two.example"), decoded)).TLS()
	if &one.Certificate[1][0] != &two.Certificate[1][0] {
		t.Error("the intermediate is there twice")
	}
}

// TestIndexWith changes some tenants and leaves the others as they are. A
// tenant's certificate is found by nobody else.
func TestIndexWith(t *testing.T) {
	decoded := NewDecoded(8)
	acme := func(names ...string) *Certificate {
		return must(Compact("acme", packedFor(ecdsaKey(), names...), decoded))
	}
	var (
		shared = certificate(t, ecdsaKey(), "*.shared.example")
		one    = acme("one.example")
		two    = acme("two.example", "one.example")
		gone   = acme("gone.example")
	)
	x := NewIndex(map[string][]*Certificate{"": {shared}, "one": {one}, "gone": {gone}})
	y := x.With(map[string][]*Certificate{"two": {two}, "gone": nil})
	for _, test := range []struct {
		index       *Index
		tenant, sni string
		want        *Certificate
	}{
		{x, "one", "one.example", one},
		{x, "two", "two.example", nil},
		{x, "gone", "gone.example", gone},
		{y, "one", "one.example", one},
		{y, "two", "two.example", two},
		{y, "two", "one.example", two}, // whose the name is decides the table
		{y, "one", "two.example", nil},
		{y, "three", "two.example", nil},
		{y, "", "two.example", nil},
		{y, "gone", "gone.example", nil},
		{y, "two", "x.shared.example", shared},
		{(*Index)(nil).With(map[string][]*Certificate{"one": {one}}), "one", "one.example", one},
	} {
		var want *tls.Certificate
		if test.want != nil {
			want = test.want.TLS()
		}
		if got := test.index.Find(test.tenant, test.sni, nil); got != want {
			t.Errorf("Find(%q, %q): %v, want %v", test.tenant, test.sni, names(got), names(want))
		}
	}
}

func TestFindOfCompactAllocatesNothing(t *testing.T) {
	x := NewIndex(map[string][]*Certificate{"one": {must(Compact("acme", packedFor(ecdsaKey(), "a.example"), NewDecoded(1)))}})
	x.Find("one", "a.example", nil)
	if n := testing.AllocsPerRun(100, func() { x.Find("one", "a.example", nil) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// fleet makes certificates of so many hosts, each for a tenant of its own, from
// one that a public CA could have signed: its extensions take as much as two
// signed timestamps of certificate transparency.
func fleet(n int) (names []string, stored []Packed) {
	const pattern = "host-000000.customers.example"
	leaf := issue(middle(), ecdsaKey(), func(c *x509.Certificate) {
		c.DNSNames = []string{pattern}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: make([]byte, 420)}}
	})
	key := must(x509.MarshalPKCS8PrivateKey(ecdsaKey()))
	for i := range n {
		name := fmt.Sprintf("host-%06d.customers.example", i)
		der := bytes.Replace(leaf.cert.Raw, []byte(pattern), []byte(name), 1)
		names = append(names, name)
		stored = append(stored, Packed{Chain: [][]byte{der, middle().cert.Raw}, Key: key})
	}
	return names, stored
}

// heap returns how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkCompact loads certificates, each of a tenant of its own, and tells
// how much memory each takes in its index, compact and as a pair from files.
func BenchmarkCompact(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		names, stored := fleet(n)
		b.Run(fmt.Sprintf("hosts=%d", n), func(b *testing.B) {
			before := heap()
			var x *Index
			for b.Loop() {
				decoded := NewDecoded(1000)
				scoped := make(map[string][]*Certificate, n)
				for i, p := range stored {
					scoped[names[i]] = []*Certificate{must(Compact("acme", p, decoded))}
				}
				x = NewIndex(scoped)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/certificate")
			b.ReportMetric(float64(heap()-before)/float64(n), "B/certificate")
			runtime.KeepAlive(x)
		})
		runtime.KeepAlive(stored)
	}
	names, stored := fleet(10_000)
	b.Run("ready/hosts=10000", func(b *testing.B) {
		before := heap()
		scoped := make(map[string][]*Certificate)
		for i, p := range stored {
			pair := must(decodePair(bytes.Clone(p.Chain[0]), p.Key))
			pair.Certificate = [][]byte{bytes.Clone(p.Chain[0]), bytes.Clone(p.Chain[1])}
			scoped[names[i]] = []*Certificate{must(newCertificate("file", pair))}
		}
		x := NewIndex(scoped)
		b.ReportMetric(float64(heap()-before)/float64(len(stored)), "B/certificate")
		runtime.KeepAlive(x)
	})
	runtime.KeepAlive(stored)
}

// BenchmarkDecode is what the first handshake with a certificate costs more.
func BenchmarkDecode(b *testing.B) {
	p := must(Compact("acme", packedFor(ecdsaKey(), "a.example"), NewDecoded(1))).packed
	b.ReportAllocs()
	for b.Loop() {
		p.live.Store(nil)
		p.pair()
	}
}

// BenchmarkWith replaces the certificate of one tenant among many.
func BenchmarkWith(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		names, stored := fleet(1)
		c := must(Compact("acme", stored[0], NewDecoded(1)))
		scoped := make(map[string][]*Certificate, n)
		for i := range n {
			scoped[fmt.Sprint(i)] = []*Certificate{c}
		}
		x := NewIndex(scoped)
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			for b.Loop() {
				x.With(map[string][]*Certificate{names[0]: {c}})
			}
		})
	}
}
