package acme

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// bundle is a certificate with everything that belongs to it. It is stored as
// one blob, so that a chain never stands beside another certificate's key.
type bundle struct {
	Name     string    `json:"name"`    // the host, or "*.x"
	Tenant   string    `json:"tenant"`  // who owned the host when it was asked for
	CA       string    `json:"ca"`      // as operators name the authority; "imported" for what an operator brought
	CAID     string    `json:"ca_id"`   // authority.ID; empty for an imported one
	Profile  string    `json:"profile"` // as asked for
	Account  string    `json:"account,omitempty"`
	Because  string    `json:"because,omitempty"` // why an authority before this one was not used
	Chain    [][]byte  `json:"chain"`             // DER, leaf first
	Key      []byte    `json:"key"`               // PKCS#8
	Obtained time.Time `json:"obtained"`
	Window   ariWindow `json:"window"`
	Staple   staple    `json:"staple"`
}

// staple is an OCSP answer about a certificate (RFC 6960).
type staple struct {
	Response []byte    `json:"response,omitempty"` // DER
	Until    time.Time `json:"until,omitzero"`     // the responder stands by it so long
	Again    time.Time `json:"again,omitzero"`     // when to ask for the next one
}

// ariWindow is when an authority wants a certificate renewed (RFC 9773). The
// zero value: it did not say.
type ariWindow struct {
	Start       time.Time `json:"start,omitzero"`
	End         time.Time `json:"end,omitzero"`
	Chosen      time.Time `json:"chosen,omitzero"` // at random between them; kept while they stay
	Again       time.Time `json:"again,omitzero"`  // when to ask again
	Explanation string    `json:"explanation,omitempty"`
}

// leaf parses the certificate itself.
func (b *bundle) leaf() (*x509.Certificate, error) {
	if len(b.Chain) == 0 {
		return nil, errors.New("a bundle without a certificate")
	}
	return x509.ParseCertificate(b.Chain[0])
}

// is reports whether the certificate is that one.
func (b *bundle) is(that *x509.Certificate) bool {
	return that != nil && len(b.Chain) > 0 && bytes.Equal(b.Chain[0], that.Raw)
}

// signer parses the private key.
func (b *bundle) signer() (crypto.Signer, error) { return parseKey(b.Key) }

// chainPEM is the chain as files have it.
func (b *bundle) chainPEM() []byte {
	var out []byte
	for _, der := range b.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// keyPEM is the private key as files have it.
func (b *bundle) keyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b.Key})
}

// marshal is the blob of the store.
func (b *bundle) marshal() ([]byte, error) { return json.Marshal(b) }

// parseBundle reads a blob of the store and refuses what cannot be served.
func parseBundle(name string, blob []byte) (*bundle, error) {
	b := new(bundle)
	if err := json.Unmarshal(blob, b); err != nil {
		return nil, fmt.Errorf("the certificate of %q: %w", name, err)
	}
	if b.Name != name || len(b.Chain) == 0 || len(b.Key) == 0 {
		return nil, fmt.Errorf("the certificate of %q is another one's or empty", name)
	}
	return b, nil
}

func parseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("a private key that cannot be read")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("a private key that cannot sign")
	}
	return signer, nil
}
