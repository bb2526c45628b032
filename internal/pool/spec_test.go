package pool

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/conf"
)

func at[T any](v T) conf.At[T] {
	return conf.At[T]{V: v, Pos: conf.Pos{File: "t.yaml", Line: 3, Col: 5}}
}

func noFile(string) ([]byte, error) { return nil, errors.New("no such file") }

func compileURL(url string) (*Backend, *conf.Report) {
	r := new(conf.Report)
	return CompileBackend(at(BackendSpec{URL: at(url)}), noFile, r), r
}

func TestCompileBackendURL(t *testing.T) {
	for _, c := range []struct {
		url, address, host string
		tls                bool
	}{
		{"http://10.4.1.10:8080", "10.4.1.10:8080", "10.4.1.10:8080", false},
		{"http://10.4.1.10", "10.4.1.10:80", "10.4.1.10", false},
		{"http://App.Internal:80/", "app.internal:80", "app.internal", false},
		{"https://app.internal", "app.internal:443", "app.internal", true},
		{"https://app.internal.:8443", "app.internal:8443", "app.internal:8443", true},
		{"http://[2001:DB8::1]", "[2001:db8::1]:80", "[2001:db8::1]", false},
		{"http://[::ffff:10.0.0.1]:81", "10.0.0.1:81", "10.0.0.1:81", false},
		{"http://web_1:8080", "web_1:8080", "web_1:8080", false},
		{"http://127.0.0.1:9", "127.0.0.1:9", "127.0.0.1:9", false},
	} {
		b, r := compileURL(c.url)
		if b == nil {
			t.Errorf("%s: %v", c.url, r.Findings())
			continue
		}
		if b.Address() != c.address || b.TLS() != c.tls || b.hostField != c.host {
			t.Errorf("%s: address %q, host %q, TLS %v; want %q, %q, %v", c.url, b.Address(), b.hostField, b.TLS(), c.address, c.host, c.tls)
		}
		if _, rewritten := b.RewrittenHost(); rewritten {
			t.Errorf("%s: Host is rewritten without being told to", c.url)
		}
	}
}

func TestCompileBackendFaults(t *testing.T) {
	for url, want := range map[string]string{
		"10.4.1.10:8080":              "is no URL of a backend",
		"http://":                     "is no URL of a backend",
		"ftp://10.0.0.1":              `has the scheme "ftp"`,
		"http://10.0.0.1/app":         "has a path",
		"http://10.0.0.1?x":           "has a query",
		"http://10.0.0.1/#x":          "has a fragment",
		"http://u:p@10.0.0.1":         "names a user",
		"http://10.0.0.1:":            "no port after the colon",
		"http://10.0.0.1:0":           `has the port "0"`,
		"http://10.0.0.1:70000":       `has the port "70000"`,
		"http://2130706433":           "names the host",
		"http://0x7f000001":           "names the host",
		"http://127.1":                "names the host",
		"http://-a.internal":          "names the host",
		"http://a..internal":          "names the host",
		"http://bücher.example":       "names the host",
		"http://169.254.169.254":      "link-local",
		"http://[fe80::1%25eth0]":     "has a zone",
		"http://[fe80::1]":            "link-local",
		"http://[::ffff:169.254.1.1]": "link-local",
		"http://[64:ff9b::a9fe:a9fe]": "link-local",
		"http://[fd00:ec2::254]":      "metadata",
		"http://168.63.129.16":        "metadata",
		"http://100.100.100.200:8080": "metadata",
		"http://0.0.0.0:8080":         "unspecified",
		"http://[::]:8080":            "unspecified",
		"http://[ff02::1]:8080":       "multicast",
		"http://255.255.255.255:8080": "broadcast",
	} {
		b, r := compileURL(url)
		if b != nil || r.Faults() != 1 || !strings.Contains(r.Findings()[0].Text, want) {
			t.Errorf("%s: backend %v, findings %v; want one fault with %q", url, b != nil, r.Findings(), want)
		}
	}
}

func TestCompileBackendTLSKeys(t *testing.T) {
	ca := selfSigned(t)
	read := func(path string) ([]byte, error) {
		switch path {
		case "ca.pem":
			return ca, nil
		case "empty.pem":
			return []byte("nothing here"), nil
		case "slow.pem":
			return slowCA(t), nil
		}
		return nil, errors.New("no such file")
	}
	for _, c := range []struct {
		name string
		spec BackendSpec
		want string // "" = compiles
	}{
		{"ca", BackendSpec{URL: at("https://10.0.0.1"), CA: at("ca.pem"), ServerName: at("App.Internal")}, ""},
		{"ca missing", BackendSpec{URL: at("https://10.0.0.1"), CA: at("gone.pem")}, `ca "gone.pem" cannot be read`},
		{"ca empty", BackendSpec{URL: at("https://10.0.0.1"), CA: at("empty.pem")}, "holds no certificate"},
		{"ca too slow", BackendSpec{URL: at("https://10.0.0.1"), CA: at("slow.pem")}, "has an RSA key of 8193 bits; expected at most 8192"},
		{"ca on http", BackendSpec{URL: at("http://10.0.0.1"), CA: at("ca.pem")}, "reached by http"},
		{"name on http", BackendSpec{URL: at("http://10.0.0.1"), ServerName: at("a")}, "reached by http"},
		{"bad name", BackendSpec{URL: at("https://10.0.0.1"), ServerName: at("a b")}, "neither a host name"},
	} {
		r := new(conf.Report)
		b := CompileBackend(at(c.spec), read, r)
		if c.want == "" {
			if b == nil || b.serverName != "app.internal" || b.roots == nil {
				t.Errorf("%s: %v", c.name, r.Findings())
			}
			continue
		}
		if b != nil || r.Faults() != 1 || !strings.Contains(r.Findings()[0].Text, c.want) {
			t.Errorf("%s: findings %v; want %q", c.name, r.Findings(), c.want)
		}
	}
}

func TestBackendKey(t *testing.T) {
	key := func(s BackendSpec) string {
		r := new(conf.Report)
		b := CompileBackend(at(s), func(string) ([]byte, error) { return selfSigned(t), nil }, r)
		if b == nil {
			t.Fatalf("%+v: %v", s, r.Findings())
		}
		return b.Key()
	}
	base := key(BackendSpec{URL: at("https://app.internal")})
	same := []BackendSpec{
		{URL: at("https://APP.internal:443/")},
		{URL: at("https://app.internal"), ServerName: at("app.internal")},
		{URL: at("https://app.internal"), Shared: at(true)},
	}
	for _, s := range same {
		if got := key(s); got != base {
			t.Errorf("key %q, want %q", got, base)
		}
	}
	other := []BackendSpec{
		{URL: at("http://app.internal:443")},
		{URL: at("https://app.internal:444")},
		{URL: at("https://app.internal"), ServerName: at("b.internal")},
		{URL: at("https://app.internal"), CA: at("ca.pem")},
		{URL: at("https://app.internal"), Host: at("backend")},
	}
	for _, s := range other {
		if got := key(s); got == base {
			t.Errorf("%+v has the key of another backend: %q", s, got)
		}
	}
}

func TestForbiddenAddrAllows(t *testing.T) {
	for _, a := range []string{"10.0.0.1", "127.0.0.1", "::1", "192.168.1.1", "2001:db8::1", "fd00::1", "64:ff9b::a00:1", "100.64.0.1"} {
		if why, bad := ForbiddenAddr(netip.MustParseAddr(a)); bad {
			t.Errorf("ForbiddenAddr(%s) = %q, want allowed", a, why)
		}
	}
	if _, bad := ForbiddenAddr(netip.MustParseAddr("2002:a9fe:a9fe::1")); !bad {
		t.Error("a 6to4 form of 169.254.169.254 is allowed")
	}
}

// slowCA is an authority whose RSA key, of which nobody has the other half, has
// one bit too many.
func slowCA(t *testing.T) []byte {
	t.Helper()
	_, above, signer := newCA(t)
	n := new(big.Int).Lsh(big.NewInt(1), 8192)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "slow"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, above, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func selfSigned(t *testing.T) []byte {
	t.Helper()
	text, _, _ := newCA(t)
	return text
}

func newCA(t *testing.T) (text []byte, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert, key
}
