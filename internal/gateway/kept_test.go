package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"gatehouse/tlsconfig"
)

// keptFleet is n pairs, each of a tenant of its own, whose host waits under it.
func keptFleet(tb testing.TB, n int) *keptPairs {
	k := &keptPairs{pairs: make(tenantPairs), waits: make(map[string]string), log: slog.New(slog.DiscardHandler)}
	key, sign := leafMaker(tb)
	for i := range n {
		tenant, host := fmt.Sprintf("t%d", i), fmt.Sprintf("www.t%d.example", i)
		c, err := tlsconfig.Compact(host, tlsconfig.Packed{Chain: [][]byte{sign(host)}, Key: key}, tlsconfig.NewDecoded(1))
		if err != nil {
			tb.Fatal(err)
		}
		k.pairs[tenant], k.waits[host] = []*tlsconfig.Certificate{c}, tenant
	}
	return k
}

// BenchmarkRelease is a fleet that moves from 10,000 pairs to ACME, when the
// certificate of one host has come.
func BenchmarkRelease(b *testing.B) {
	k := keptFleet(b, 10_000)
	came := tenantPairs{"t0": k.pairs["t0"]}
	b.ResetTimer()
	for b.Loop() {
		k.release(came)
	}
}

// A host waits no longer once a wildcard of its tenant serves it; another
// tenant's changes nothing.
func TestWildcardEndsTheWait(t *testing.T) {
	k := keptFleet(t, 2)
	key, sign := leafMaker(t)
	wildcard, err := tlsconfig.Compact("wildcard", tlsconfig.Packed{Chain: [][]byte{sign("*.t0.example")}, Key: key}, tlsconfig.NewDecoded(1))
	if err != nil {
		t.Fatal(err)
	}
	if changed := k.release(tenantPairs{"t1": {wildcard}}); len(changed) > 0 || len(k.pairs) != 2 {
		t.Errorf("changed %v, %d tenants have pairs; want none and 2", changed, len(k.pairs))
	}
	if changed := k.release(tenantPairs{"t0": {wildcard}}); len(changed) != 1 || len(k.pairs) != 1 {
		t.Errorf("changed %v, %d tenants have pairs; want t0 and 1", changed, len(k.pairs))
	}
}

// leafMaker returns a key, PKCS #8, and what signs certificates for it.
func leafMaker(tb testing.TB) (key []byte, sign func(host string) []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if key, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		tb.Fatal(err)
	}
	return key, func(host string) []byte {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &private.PublicKey, private)
		if err != nil {
			tb.Fatal(err)
		}
		return der
	}
}
