package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// useFile gives the world a certificate from a file instead of the internal CA's, signed by a root of the test's own.
func (w *world) useFile(t *testing.T, names ...string) {
	t.Helper()
	root, rootKey := issue(t, nil, nil)
	leaf, key := issue(t, root, rootKey, names...)
	w.write(t, "tls/cert.pem", pemOf("CERTIFICATE", leaf.Raw))
	w.write(t, "tls/key.pem", pemOf("PRIVATE KEY", pkcs8(t, key)))
	w.certificates = "{cert: tls/cert.pem, key: {file: tls/key.pem}}"
	w.writeMain(t)
	if err := os.WriteFile(filepath.Join(w.dir, "root.pem"), []byte(pemOf("CERTIFICATE", root.Raw)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// issue makes a certificate for names, or a root when it has no parent.
func issue(t *testing.T, parent *x509.Certificate, parentKey crypto.Signer, names ...string) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              names,
	}
	if parent == nil {
		template.Subject = pkix.Name{CommonName: "root of the end-to-end tests"}
		template.IsCA, template.KeyUsage, template.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
