package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// maxPairBytes bounds each of the two files. A chain of four RSA-4096
	// certificates with text around them stays below 64 KiB.
	maxPairBytes = 1 << 20

	// maxChain bounds the certificates of one chain, which is sent in every full
	// handshake. Public chains have two to four; OpenSSL verifies up to ten.
	maxChain = 10

	// leastRSABits is what the CA/Browser Forum (Baseline Requirements 6.1.5)
	// and SSL Labs demand.
	leastRSABits = 2048

	// mostRSABits bounds the key of a leaf, because every full handshake signs
	// with it, on processors that all tenants share: with 4096 bits that takes
	// several milliseconds, and eight times as long with twice the bits. Let's
	// Encrypt takes no longer ones either.
	mostRSABits = 4096

	// mostIssuerRSABits bounds the keys of the chain, with which signatures are
	// verified: with a million bits one takes a minute (CVE-2023-29409, which
	// made clients refuse more than 8192).
	mostIssuerRSABits = 8192

	// maxKeyBytes bounds a private key before it is parsed, which computes with
	// its numbers: an RSA key of 8192 bits takes less than 5 KiB.
	maxKeyBytes = 16 << 10
)

// ParsePair reads a PEM chain, leaf first, and the leaf's PEM key, and checks
// all that can be known without asking anybody: that they belong together, that
// the chain is in order, the key strong, a host named and, unless now is zero,
// that the leaf is good at that instant. source is what errors call the pair.
func ParsePair(source string, certPEM, keyPEM []byte, now time.Time) (*Certificate, error) {
	c, err := parsePair(source, certPEM, keyPEM, now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return c, nil
}

func parsePair(source string, certPEM, keyPEM []byte, now time.Time) (*Certificate, error) {
	chain, err := parseChain(certPEM)
	if err == nil {
		err = checkStrength(chain)
	}
	if err != nil {
		return nil, err
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, err
	}
	if err := checkMatch(chain, key); err != nil {
		return nil, err
	}
	if err := checkOrder(chain); err != nil {
		return nil, err
	}
	if err := checkLeaf(chain[0], now); err != nil {
		return nil, err
	}
	pair := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return newCertificate(source, pair)
}

// parseChain reads all CERTIFICATE blocks and passes over others: some files
// hold the key as well, or Diffie-Hellman parameters.
func parseChain(text []byte) ([]*x509.Certificate, error) {
	if len(text) > maxPairBytes {
		return nil, fmt.Errorf("the certificate file has %d bytes; expected at most %d", len(text), maxPairBytes)
	}
	var chain []*x509.Certificate
	other := ""
	for block := range blocks(text) {
		if block.Type != "CERTIFICATE" {
			other = block.Type
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be parsed: %w", len(chain)+1, err)
		}
		chain = append(chain, c)
		if len(chain) > maxChain {
			return nil, fmt.Errorf("more than %d certificates; expected the leaf and the chain that signed it", maxChain)
		}
	}
	switch {
	case len(chain) > 0:
		return chain, nil
	case other != "":
		return nil, fmt.Errorf("the certificate file holds a %q and no certificate; are certificate and key exchanged?", other)
	}
	return nil, errors.New("the certificate file holds no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----" + derHint(text, "x509"))
}

// blocks iterates over the PEM blocks of a file.
func blocks(text []byte) func(yield func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if !yield(block) {
				return
			}
		}
	}
}

// derHint says how to convert binary files, which begin with an ASN.1 sequence.
func derHint(text []byte, command string) string {
	if len(text) > 1 && text[0] == 0x30 && text[1] >= 0x80 {
		return "; this looks like DER: convert it with openssl " + command + " -inform der"
	}
	return ""
}

// parseKey reads the first private key: PKCS #8, PKCS #1 or SEC 1.
func parseKey(text []byte) (crypto.Signer, error) {
	if len(text) > maxPairBytes {
		return nil, fmt.Errorf("the key file has %d bytes; expected at most %d", len(text), maxPairBytes)
	}
	other := ""
	for block := range blocks(text) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, errors.New("the key has a passphrase, and nobody is there to type it; write it without one, with openssl pkey")
		}
		if block.Type == "PRIVATE KEY" || strings.HasSuffix(block.Type, " PRIVATE KEY") {
			if n := len(block.Bytes); n > maxKeyBytes {
				return nil, fmt.Errorf("the private key has %d bytes; expected at most %d, more than an RSA key of 8192 bits takes", n, maxKeyBytes)
			}
			return decodeKey(block)
		}
		other = block.Type
	}
	if other != "" {
		return nil, fmt.Errorf("the key file holds a %q and no private key", other)
	}
	return nil, errors.New("the key file holds no private key; expected PEM, which begins with -----BEGIN PRIVATE KEY-----" + derHint(text, "pkey"))
}

func decodeKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("the key is a %q; expected ECDSA, RSA or Ed25519", block.Type)
	}
	if err != nil {
		// The parser's words may quote bytes of the key.
		return nil, errors.New("the private key cannot be parsed; expected PKCS #8, PKCS #1 or SEC 1 in PEM")
	}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		return k, nil
	case *rsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("the key is a %T, which cannot sign a handshake; expected ECDSA, RSA or Ed25519", key)
}

// checkMatch holds the key against the leaf.
func checkMatch(chain []*x509.Certificate, key crypto.Signer) error {
	for i, c := range chain {
		public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(key.Public()) {
			continue
		}
		if i > 0 {
			return fmt.Errorf("the key belongs to certificate %d, %s, which is not the first; expected the leaf first, then whoever signed it", i+1, describe(c))
		}
		return nil
	}
	return fmt.Errorf("the key does not match the certificate, %s", describe(chain[0]))
}

// checkOrder demands that each certificate is signed by the next.
func checkOrder(chain []*x509.Certificate) error {
	for i := range len(chain) - 1 {
		if err := chain[i].CheckSignatureFrom(chain[i+1]); err != nil {
			return fmt.Errorf("certificate %d, %s, is not signed by the one after it, %s; expected the leaf first, then whoever signed it",
				i+1, describe(chain[i]), describe(chain[i+1]))
		}
	}
	return nil
}

// checkStrength judges the keys of a chain before anything is computed with
// them: neither too weak to protect nor so large that they cost others their
// processor.
func checkStrength(chain []*x509.Certificate) error {
	switch key := chain[0].PublicKey.(type) {
	case *rsa.PublicKey:
		switch bits := key.N.BitLen(); {
		case bits < leastRSABits:
			return fmt.Errorf("the RSA key has %d bits; expected at least %d, or an ECDSA key", bits, leastRSABits)
		case bits > mostRSABits:
			return fmt.Errorf("the RSA key has %d bits; expected at most %d, or an ECDSA key", bits, mostRSABits)
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			return errors.New("the key is on the curve P-224, which no browser takes; expected P-256 or P-384")
		}
	}
	for i, c := range chain[1:] {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > mostIssuerRSABits {
			return fmt.Errorf("certificate %d, %s, has an RSA key of %d bits; expected at most %d", i+2, describe(c), key.N.BitLen(), mostIssuerRSABits)
		}
	}
	return nil
}

// checkLeaf judges signature, purpose and time.
func checkLeaf(leaf *x509.Certificate, now time.Time) error {
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return fmt.Errorf("the certificate is signed with %s, which clients refuse; expected SHA-256 or better", leaf.SignatureAlgorithm)
	}
	if len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return errors.New("the certificate is not for servers; expected serverAuth in its extendedKeyUsage")
	}
	return checkTime(leaf, now)
}

func checkTime(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.IsZero():
		return nil
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate, %s, expired on %s", describe(leaf), leaf.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate, %s, is not good before %s", describe(leaf), leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	return nil
}

// describe names a certificate as an operator would recognise it.
func describe(c *x509.Certificate) string {
	const most = 100 // names in certificates have no length that anyone keeps to
	name := c.Subject.String()
	if len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	if name == "" && bytes.Equal(c.RawIssuer, c.RawSubject) {
		name = "without a name"
	}
	if len(name) > most {
		name = name[:most] + "…"
	}
	return fmt.Sprintf("%q", name)
}
