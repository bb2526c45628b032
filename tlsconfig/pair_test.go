package tlsconfig

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParsePair(t *testing.T) {
	leaf := issue(middle(), ecdsaKey(), hosts("A.Example", "*.a.example"))
	rsaLeaf := issue(root(), rsaKey(), hosts("a.example"))
	edLeaf := issue(root(), edKey(), hosts("a.example"))
	self := issue(nil, ecdsaKey(), hosts("a.example"))
	sec1 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(ecdsaKey().(*ecdsa.PrivateKey)))})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey().(*rsa.PrivateKey))})
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{1}})
	for _, test := range []struct {
		name      string
		cert, key []byte
		chain     int
	}{
		{"whole chain", chainPEM(leaf, middle(), root()), keyPEM(ecdsaKey()), 3},
		{"without the root", chainPEM(leaf, middle()), keyPEM(ecdsaKey()), 2},
		{"leaf alone", chainPEM(leaf), keyPEM(ecdsaKey()), 1},
		{"self-signed", chainPEM(self), keyPEM(ecdsaKey()), 1},
		{"SEC 1 after its parameters", chainPEM(leaf), slices.Concat(parameters, sec1), 1},
		{"RSA, PKCS #8", chainPEM(rsaLeaf), keyPEM(rsaKey()), 1},
		{"RSA, PKCS #1", chainPEM(rsaLeaf), pkcs1, 1},
		{"Ed25519", chainPEM(edLeaf), keyPEM(edKey()), 1},
		{"one file for both", slices.Concat(keyPEM(ecdsaKey()), chainPEM(leaf, middle())), slices.Concat(chainPEM(leaf), keyPEM(ecdsaKey())), 2},
		{"text around", slices.Concat([]byte("subject=a\n"), chainPEM(leaf), []byte("\nthe end\n")), slices.Concat([]byte("note\n"), keyPEM(ecdsaKey())), 1},
	} {
		c, err := ParsePair("tls/a.pem", test.cert, test.key, noon)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.TLS().Leaf == nil || len(c.TLS().Certificate) != test.chain || c.Source() != "tls/a.pem" {
			t.Errorf("%s: leaf %v, %d certificates from %q, want %d", test.name, c.TLS().Leaf, len(c.TLS().Certificate), c.Source(), test.chain)
		}
	}
	c := must(ParsePair("tls/a.pem", chainPEM(leaf), keyPEM(ecdsaKey()), noon))
	if want := []string{"a.example", "*.a.example"}; !slices.Equal(c.Names(), want) {
		t.Errorf("Names = %q, want %q", c.Names(), want)
	}
	if !c.NotAfter().Equal(leaf.cert.NotAfter) || !c.NotBefore().Equal(leaf.cert.NotBefore) {
		t.Errorf("good from %v to %v, want %v to %v", c.NotBefore(), c.NotAfter(), leaf.cert.NotBefore, leaf.cert.NotAfter)
	}
	if longer := must(ParsePair("b", chainPEM(leaf, middle()), keyPEM(ecdsaKey()), noon)); longer.Digest() == c.Digest() {
		t.Error("two chains have one digest")
	}
	if same := must(ParsePair("b", chainPEM(leaf), keyPEM(ecdsaKey()), noon)); same.Digest() != c.Digest() {
		t.Error("one chain has two digests")
	}
}

func TestParsePairRefuses(t *testing.T) {
	leaf := issue(middle(), ecdsaKey(), hosts("a.example"))
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{0x30, 0}})
	procType := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: []byte{0x30, 0},
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	})
	edit := func(change func(*x509.Certificate)) []byte {
		return chainPEM(issue(root(), ecdsaKey(), func(c *x509.Certificate) {
			c.DNSNames = []string{"a.example"}
			change(c)
		}))
	}
	good, key := chainPEM(leaf, middle()), keyPEM(ecdsaKey())
	for _, test := range []struct {
		name      string
		cert, key []byte
		want      string
	}{
		{"empty certificate", nil, key, "the certificate file holds no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----"},
		{"DER certificate", leaf.cert.Raw, key, "the certificate file holds no certificate; expected PEM, which begins with -----BEGIN CERTIFICATE-----; this looks like DER: convert it with openssl x509 -inform der"},
		{"exchanged", key, good, `the certificate file holds a "PRIVATE KEY" and no certificate; are certificate and key exchanged?`},
		{"empty key", good, nil, "the key file holds no private key; expected PEM, which begins with -----BEGIN PRIVATE KEY-----"},
		{"DER key", good, must(x509.MarshalPKCS8PrivateKey(ecdsaKey())), "the key file holds no private key; expected PEM, which begins with -----BEGIN PRIVATE KEY-----; this looks like DER: convert it with openssl pkey -inform der"},
		{"certificate for a key", good, good, `the key file holds a "CERTIFICATE" and no private key`},
		{"passphrase", good, encrypted, "the key has a passphrase, and nobody is there to type it; write it without one, with openssl pkey"},
		{"old passphrase", good, procType, "the key has a passphrase, and nobody is there to type it; write it without one, with openssl pkey"},
		{"OpenSSH key", good, pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY"}), `the key is a "OPENSSH PRIVATE KEY"; expected ECDSA, RSA or Ed25519`},
		{"broken key", good, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1, 2}}), "the private key cannot be parsed; expected PKCS #8, PKCS #1 or SEC 1 in PEM"},
		{"other key", good, keyPEM(rsaKey()), `the key does not match the certificate, "a.example"`},
		{"leaf not first", chainPEM(middle(), leaf), key, `the key belongs to certificate 2, "a.example", which is not the first; expected the leaf first, then whoever signed it`},
		{"chain out of order", chainPEM(leaf, root(), middle()), key, `certificate 1, "a.example", is not signed by the one after it, "CN=Test Root"; expected the leaf first, then whoever signed it`},
		{"chain of another", chainPEM(leaf, middle(), leaf), key, `certificate 2, "CN=Test Intermediate", is not signed by the one after it, "a.example"; expected the leaf first, then whoever signed it`},
		{"broken certificate", slices.Concat(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}})), key, "certificate 3 cannot be parsed: "},
		{"long chain", chainPEM(slices.Repeat([]*issued{leaf}, maxChain+1)...), key, "more than 10 certificates; expected the leaf and the chain that signed it"},
		{"large certificate", make([]byte, maxPairBytes+1), key, "the certificate file has 1048577 bytes; expected at most 1048576"},
		{"large key", good, make([]byte, maxPairBytes+1), "the key file has 1048577 bytes; expected at most 1048576"},
		{"weak RSA", chainPEM(issue(root(), weakKey(), hosts("a.example"))), keyPEM(weakKey()), "the RSA key has 1024 bits; expected at least 2048, or an ECDSA key"},
		{"slow RSA", chainPEM(issue(root(), rsaNumber(4097), hosts("a.example"))), key, "the RSA key has 4097 bits; expected at most 4096, or an ECDSA key"},
		{"slow authority", chainPEM(leaf, issue(root(), rsaNumber(8193), authority("Slow"))), key, `certificate 2, "CN=Slow", has an RSA key of 8193 bits; expected at most 8192`},
		{"huge key", good, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: make([]byte, maxKeyBytes+1)}), "the private key has 16385 bytes; expected at most 16384, more than an RSA key of 8192 bits takes"},
		{"odd curve", chainPEM(issue(root(), p224Key(), hosts("a.example"))), keyPEM(p224Key()), "the key is on the curve P-224, which no browser takes; expected P-256 or P-384"},
		{"expired", edit(func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) }), key, `the certificate, "a.example", expired on 2026-06-01`},
		{"too early", edit(func(c *x509.Certificate) { c.NotBefore = noon.Add(24 * time.Hour) }), key, `the certificate, "a.example", is not good before 2026-06-02`},
		{"for clients", edit(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), key, "the certificate is not for servers; expected serverAuth in its extendedKeyUsage"},
		{"no name", edit(func(c *x509.Certificate) { c.DNSNames = nil; c.Subject.CommonName = "a.example" }), key, "the certificate names no host; expected a DNS name in its subjectAltName"},
		{"odd names", edit(func(c *x509.Certificate) { c.DNSNames = []string{"a*.example", "*.*.example", "*"} }), key, "the certificate names no host; expected a DNS name in its subjectAltName"},
	} {
		c, err := ParsePair("tls/a.pem", test.cert, test.key, noon)
		if err == nil || c != nil {
			t.Errorf("%s: accepted", test.name)
			continue
		}
		got, ok := strings.CutPrefix(err.Error(), "tls/a.pem: ")
		if !ok || got != test.want && !(strings.HasSuffix(test.want, ": ") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s:\n got %s\nwant tls/a.pem: %s", test.name, err, test.want)
		}
	}
}

func TestParsePairAtNoTime(t *testing.T) {
	old := issue(root(), ecdsaKey(), func(c *x509.Certificate) {
		c.DNSNames = []string{"a.example"}
		c.NotBefore, c.NotAfter = noon.AddDate(-9, 0, 0), noon.AddDate(-8, 0, 0)
	})
	if _, err := ParsePair("old", chainPEM(old), keyPEM(ecdsaKey()), time.Time{}); err != nil {
		t.Errorf("without an instant dates are judged: %v", err)
	}
}

func TestNamesIn(t *testing.T) {
	leaf := issue(middle(), ecdsaKey(), hosts("A.Example", "*.a.example", "x*.example"))
	for _, test := range []struct {
		name string
		text []byte
		want []string
	}{
		{"the leaf's", chainPEM(leaf, middle()), []string{"a.example", "*.a.example"}},
		{"after a key", slices.Concat(keyPEM(ecdsaKey()), chainPEM(leaf)), []string{"a.example", "*.a.example"}},
		{"no certificate", keyPEM(ecdsaKey()), nil},
		{"broken certificate", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}), nil},
		{"nothing", nil, nil},
	} {
		if got := NamesIn(test.text); !slices.Equal(got, test.want) {
			t.Errorf("%s: NamesIn = %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLoneLeaf(t *testing.T) {
	leaf := issue(middle(), ecdsaKey(), hosts("a.example"))
	self := issue(nil, ecdsaKey(), func(c *x509.Certificate) {
		c.Subject.CommonName = "a.example"
		c.DNSNames = []string{"a.example"}
	})
	for _, test := range []struct {
		name, issuer string
		chain        []*issued
	}{
		{"leaf alone", "CN=Test Intermediate", []*issued{leaf}},
		{"with its issuer", "", []*issued{leaf, middle()}},
		{"self-signed", "", []*issued{self}},
	} {
		c := must(ParsePair("a", chainPEM(test.chain...), keyPEM(ecdsaKey()), noon))
		if issuer, lone := c.LoneLeaf(); issuer != test.issuer || lone != (test.issuer != "") {
			t.Errorf("%s: LoneLeaf = %q, %v, want %q", test.name, issuer, lone, test.issuer)
		}
	}
}

func TestFromTLSRefuses(t *testing.T) {
	pair := *certificate(t, ecdsaKey(), "a.example").TLS()
	pair.PrivateKey = nil
	if _, err := FromTLS("ca", &pair); err == nil {
		t.Error("a pair without a key is accepted")
	}
	pair.PrivateKey, pair.Leaf, pair.Certificate = ecdsaKey(), nil, [][]byte{{1}}
	if _, err := FromTLS("ca", &pair); err == nil {
		t.Error("a certificate that cannot be parsed is accepted")
	}
}

func TestCovers(t *testing.T) {
	c := certificate(t, ecdsaKey(), "a.example", "*.b.example")
	for host, want := range map[string]bool{
		"a.example":     true,
		"x.a.example":   false,
		"b.example":     false,
		"x.b.example":   true,
		"x.y.b.example": false,
		"*.b.example":   true,
		"*.a.example":   false,
		"example":       false,
		"":              false,
	} {
		if got := c.Covers(host); got != want {
			t.Errorf("Covers(%q) = %v, want %v", host, got, want)
		}
	}
}

func FuzzParsePair(f *testing.F) {
	leaf := issue(middle(), ecdsaKey(), hosts("a.example"))
	f.Add(chainPEM(leaf, middle()), keyPEM(ecdsaKey()))
	f.Add(chainPEM(middle(), leaf), keyPEM(ecdsaKey()))
	f.Add(keyPEM(ecdsaKey()), chainPEM(leaf))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"))
	f.Add(leaf.cert.Raw, []byte{0x30, 0x82})
	f.Add(leaf.cert.Raw, must(x509.MarshalPKCS8PrivateKey(ecdsaKey())))
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		// Most of what is not PEM is tried inside of it.
		if len(cert) > 4 && cert[0] == 0x30 {
			cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
		}
		if len(key) > 4 && key[0] == 0x30 {
			key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
		}
		c, err := ParsePair("fuzz", cert, key, noon)
		if err != nil {
			if c != nil || !strings.HasPrefix(err.Error(), "fuzz: ") {
				t.Errorf("ParsePair = %v, %v", c, err)
			}
			return
		}
		if len(c.Names()) == 0 || c.TLS().Leaf == nil || c.TLS().PrivateKey == nil {
			t.Errorf("accepted without names, leaf or key: %q", c.Names())
		}
		for _, name := range c.Names() {
			if !c.Covers(name) {
				t.Errorf("does not cover its own name %q", name)
			}
		}
	})
}
