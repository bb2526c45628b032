package tlsconfig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Certificate is a chain and its private key, checked. What it says never
// changes.
type Certificate struct {
	pair   *tls.Certificate // nil of a compact one
	packed *packed          // of a compact one, which is decoded on use

	names     []string
	source    string
	digest    [sha256.Size]byte
	notBefore int64 // Unix seconds, which is all that certificates tell
	notAfter  int64
	rank      uint8
}

// FromTLS takes over a pair that was made here, such as a leaf of the internal
// CA. The pair must have a chain and a key; nothing of it is judged but that the
// leaf can be parsed and names a host.
func FromTLS(source string, pair *tls.Certificate) (*Certificate, error) {
	if len(pair.Certificate) == 0 || pair.PrivateKey == nil {
		return nil, fmt.Errorf("%s: no certificate, or no key", source)
	}
	parsed := *pair
	if parsed.Leaf == nil {
		leaf, err := x509.ParseCertificate(parsed.Certificate[0])
		if err != nil {
			return nil, fmt.Errorf("%s: certificate: %w", source, err)
		}
		parsed.Leaf = leaf
	}
	c, err := newCertificate(source, &parsed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return c, nil
}

// newCertificate takes over a pair whose leaf is parsed.
func newCertificate(source string, pair *tls.Certificate) (*Certificate, error) {
	c, err := describeChain(source, pair.Leaf, pair.Certificate)
	if err != nil {
		return nil, err
	}
	c.pair = pair
	return c, nil
}

// describeChain returns a certificate that has no pair yet. It keeps nothing of
// leaf and chain.
func describeChain(source string, leaf *x509.Certificate, chain [][]byte) (*Certificate, error) {
	c := &Certificate{
		names: hostNames(leaf), source: source,
		notBefore: leaf.NotBefore.Unix(), notAfter: leaf.NotAfter.Unix(), rank: preference(leaf),
	}
	if len(c.names) == 0 {
		return nil, errors.New("the certificate names no host; expected a DNS name in its subjectAltName")
	}
	hash := sha256.New()
	for _, der := range chain {
		hash.Write(der)
	}
	hash.Sum(c.digest[:0])
	return c, nil
}

// TLS returns the pair for crypto/tls, its leaf parsed. It must not be changed.
func (c *Certificate) TLS() *tls.Certificate {
	if c.pair != nil {
		return c.pair
	}
	return c.packed.pair()
}

// Names returns the DNS names that the certificate carries: lower case, without
// a final dot; a wildcard as "*.x". It must not be changed.
func (c *Certificate) Names() []string { return c.names }

// NotBefore returns the first instant at which the certificate is good.
func (c *Certificate) NotBefore() time.Time { return time.Unix(c.notBefore, 0).UTC() }

// NotAfter returns the last instant at which the certificate is good.
func (c *Certificate) NotAfter() time.Time { return time.Unix(c.notAfter, 0).UTC() }

// Source returns where the certificate comes from, as operators know it.
func (c *Certificate) Source() string { return c.source }

// Digest identifies the chain.
func (c *Certificate) Digest() [sha256.Size]byte { return c.digest }

// Covers reports whether the certificate is good for host: a normalised name,
// or a wildcard "*.x", which only the same wildcard covers.
func (c *Certificate) Covers(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	for _, name := range c.names {
		if name == host || parent != "" && len(name) == len(parent)+2 && name[0] == '*' && name[2:] == parent {
			return true
		}
	}
	return false
}

// LoneLeaf returns who signed the leaf if nobody else stands in the chain. That
// is fine where a root that clients have signed it, as in a company's own CA;
// with a public CA the intermediate was forgotten, which some clients forgive
// and SSL Labs does not.
func (c *Certificate) LoneLeaf() (issuer string, lone bool) {
	pair := c.TLS()
	leaf := pair.Leaf
	if len(pair.Certificate) > 1 || bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return "", false
	}
	return leaf.Issuer.String(), true
}

// hostNames returns the usable DNS names of a certificate. A wildcard is one
// whole label, the first; everything else with a star is not for servers (RFC
// 6125 6.4.3) and crypto/x509 matches it with nothing.
func hostNames(leaf *x509.Certificate) []string {
	names := make([]string, 0, len(leaf.DNSNames))
	for _, name := range leaf.DNSNames {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		plain := strings.TrimPrefix(name, "*.")
		if plain != "" && !strings.ContainsAny(plain, "*\x00") {
			names = append(names, name)
		}
	}
	return names
}

// preference orders the certificates of one name, the best first: an ECDSA
// signature costs a fifth of an RSA one, and few browsers take others.
func preference(leaf *x509.Certificate) uint8 {
	switch leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return 0
	case *rsa.PublicKey:
		return 1
	}
	return 2
}
