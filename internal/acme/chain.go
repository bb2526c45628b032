package acme

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	// chainCertificatesMax bounds a chain, as the files of certificates are
	// bounded: public ones have two to four.
	chainCertificatesMax = 10

	// certificateBytesMax bounds one certificate: with a hundred names and an
	// RSA key of 4096 bits it has less than 8 KiB.
	certificateBytesMax = 32 << 10
)

// decodeChain reads a PEM chain of an authority, leaf first.
func decodeChain(text []byte) (chain [][]byte, err error) {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		switch {
		case block.Type != "CERTIFICATE":
			return nil, fmt.Errorf("a %s stands among the certificates", clean(block.Type))
		case len(chain) == chainCertificatesMax:
			return nil, fmt.Errorf("the chain has more than %d certificates", chainCertificatesMax)
		case len(block.Bytes) > certificateBytesMax:
			return nil, fmt.Errorf("a certificate of the chain has more than %d bytes", certificateBytesMax)
		}
		chain = append(chain, block.Bytes)
	}
	if len(chain) == 0 {
		return nil, errors.New("the answer holds no certificate")
	}
	return chain, nil
}

// checkIssued looks whether a chain is the one that was asked for: our key, the
// name and no other, each certificate signed by the next. Dates are not judged:
// where our clock is wrong, the certificate is still good.
func checkIssued(chain [][]byte, name string, order *pendingOrder) (*x509.Certificate, error) {
	key, err := order.signer()
	if err != nil {
		return nil, err
	}
	var parsed []*x509.Certificate
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the chain cannot be read: %w", i+1, err)
		}
		parsed = append(parsed, c)
	}
	leaf := parsed[0]
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the certificate is for another key than ours")
	}
	if len(leaf.DNSNames) != 1 || !strings.EqualFold(leaf.DNSNames[0], name) || len(leaf.IPAddresses) > 0 {
		return nil, fmt.Errorf("the certificate is for %q, not for %q", clean(strings.Join(leaf.DNSNames, ", ")), name)
	}
	if !leaf.NotBefore.Before(leaf.NotAfter) {
		return nil, errors.New("the certificate ends before it begins")
	}
	for i, c := range parsed[1:] {
		if !bytes.Equal(parsed[i].RawIssuer, c.RawSubject) || parsed[i].CheckSignatureFrom(c) != nil {
			return nil, fmt.Errorf("certificate %d of the chain is not signed by the one after it", i+1)
		}
	}
	return leaf, nil
}
