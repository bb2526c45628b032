package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY" // PKCS #8, RFC 5958
)

// appendPair appends a certificate and its key to text, as PEM.
func appendPair(text, cert []byte, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: cert})...)
	return append(text, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der})...), nil
}

// parsePairs reads what appendPair wrote, any number of times. All must be
// there and fit together: a part that does not makes the whole suspect.
func parsePairs(text []byte) ([]authority, error) {
	var pairs []authority
	for len(text) > 0 {
		cert, rest := pem.Decode(text)
		if cert == nil || cert.Type != certificateBlock {
			return nil, errors.New("a certificate is missing")
		}
		key, rest := pem.Decode(rest)
		if key == nil || key.Type != keyBlock {
			return nil, errors.New("a key is missing")
		}
		pair, err := parsePair(cert.Bytes, key.Bytes)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair)
		text = bytes.TrimSpace(rest)
	}
	return pairs, nil
}

func parsePair(certDER, keyDER []byte) (authority, error) {
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return authority{}, fmt.Errorf("a certificate cannot be read: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return authority{}, fmt.Errorf("a key cannot be read: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return authority{}, errors.New("a key does not belong to its certificate")
	}
	return authority{cert, key}, nil
}
