package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// noon is when these tests happen unless they say otherwise.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// The keys of these tests. RSA keys take long to make, so each is made once.
var (
	rsaKey    = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	weakKey   = sync.OnceValue(func() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	ecdsaKey  = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	rootKey   = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	middleKey = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p224Key   = sync.OnceValue(func() crypto.Signer { return must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)) })
	edKey     = sync.OnceValue(func() crypto.Signer {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
)

// publicOnly is the public half of a key whose other half nobody has.
type publicOnly struct {
	crypto.Signer
	key crypto.PublicKey
}

func (p publicOnly) Public() crypto.PublicKey { return p.key }

// rsaNumber is an RSA key of so many bits that need not be a product of primes.
func rsaNumber(bits uint) crypto.Signer {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return publicOnly{key: &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// issued is a certificate of these tests and the key that belongs to it.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue has parent sign a certificate; a nil parent signs itself. edit changes
// the template.
func issue(parent *issued, key crypto.Signer, edit func(*x509.Certificate)) *issued {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    noon.AddDate(0, -1, 0),
		NotAfter:     noon.AddDate(0, 1, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	edit(template)
	signer, above := key, template
	if parent != nil {
		signer, above = parent.key, parent.cert
	}
	der := must(x509.CreateCertificate(rand.Reader, template, above, key.Public(), signer))
	return &issued{must(x509.ParseCertificate(der)), key}
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.BasicConstraintsValid = true, true
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageCertSign, nil
	}
}

func hosts(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

var root = sync.OnceValue(func() *issued { return issue(nil, rootKey(), authority("Test Root")) })

var middle = sync.OnceValue(func() *issued { return issue(root(), middleKey(), authority("Test Intermediate")) })

// chainPEM writes certificates in order.
func chainPEM(chain ...*issued) []byte {
	var text []byte
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
	}
	return text
}

func keyPEM(key crypto.Signer) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})
}

// certificate returns a leaf of the test root for names.
func certificate(t testing.TB, key crypto.Signer, names ...string) *Certificate {
	t.Helper()
	c, err := ParsePair("test", chainPEM(issue(root(), key, hosts(names...))), keyPEM(key), noon)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// counter is a key that counts its signatures.
type counter struct {
	crypto.Signer
	signatures atomic.Int64
}

func (c *counter) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	c.signatures.Add(1)
	return c.Signer.Sign(random, digest, opts)
}

// counted returns a leaf of the test root whose signatures are counted.
func counted(t testing.TB, names ...string) (*Certificate, *counter) {
	t.Helper()
	plain := certificate(t, ecdsaKey(), names...)
	key := &counter{Signer: ecdsaKey()}
	c, err := FromTLS("counted", &tls.Certificate{Certificate: plain.TLS().Certificate, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}
