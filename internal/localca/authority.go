package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	rootLife         = 10 * 365 * 24 * time.Hour
	intermediateLife = 365 * 24 * time.Hour

	// rootNotice is how long before the end of the root each start warns.
	rootNotice = 180 * 24 * time.Hour

	// backdate lets clients whose clock is slow accept a new certificate.
	backdate = time.Hour

	// serialBytes: CAB Forum Baseline Requirements 7.1 ask for 64 random
	// bits at least; twice that never meets itself.
	serialBytes = 16
)

// authority is a certificate that signs, with its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newRoot(now time.Time) (*authority, error) {
	template := authorityTemplate("root", now)
	template.NotAfter = now.Add(rootLife)
	template.MaxPathLen = 1
	return sign(template, nil)
}

// newIntermediate returns an authority that can sign leaves and nothing else
// (path length 0, RFC 5280 section 4.2.1.9), and those for servers only.
func newIntermediate(root *authority, now time.Time) (*authority, error) {
	template := authorityTemplate("intermediate", now)
	template.NotAfter = earlier(now.Add(intermediateLife), root.cert.NotAfter)
	template.MaxPathLenZero = true
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return sign(template, root)
}

// authorityTemplate gives each authority a name of its own: clients find
// issuers by name, and must not take a former root for the present one.
func authorityTemplate(role string, now time.Time) *x509.Certificate {
	id := make([]byte, 4)
	rand.Read(id)
	return &x509.Certificate{
		SerialNumber: newSerial(),
		Subject: pkix.Name{
			Organization: []string{"gatehouse"},
			CommonName:   "gatehouse internal CA " + role + " " + hex.EncodeToString(id),
		},
		NotBefore:             now.Add(-backdate),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
}

// sign makes a key and its certificate, signed by issuer or, where that is
// nil, by itself.
func sign(template *x509.Certificate, issuer *authority) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if issuer == nil {
		issuer = &authority{template, key}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, issuer.cert, key.Public(), issuer.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	return &authority{cert, key}, nil
}

// parseAuthority reads what CA.keep wrote.
func parseAuthority(text []byte) (*authority, error) {
	pairs, err := parsePairs(text)
	if err != nil {
		return nil, err
	}
	if len(pairs) != 1 {
		return nil, fmt.Errorf("it holds %d certificates, not 1", len(pairs))
	}
	a := pairs[0]
	if !a.cert.IsCA || a.cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, errors.New("its certificate is not that of an authority")
	}
	return &a, nil
}

// isSignedBy reports whether issuer made a.
func (a *authority) isSignedBy(issuer *authority) bool {
	return bytes.Equal(a.cert.RawIssuer, issuer.cert.RawSubject) && a.cert.CheckSignatureFrom(issuer.cert) == nil
}

func newSerial() *big.Int {
	serial := make([]byte, serialBytes)
	rand.Read(serial)
	serial[0] |= 0x01 // never zero, which RFC 5280 section 4.1.2.2 forbids
	return new(big.Int).SetBytes(serial)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
