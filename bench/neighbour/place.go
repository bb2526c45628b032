package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Where everything is.
const (
	proxyAddress = "127.0.0.1:18443"
	backendOfA   = "127.0.0.1:18444"
	backendOfB   = "127.0.0.1:18445"
	hostOfA      = "a.neighbour.test"
	hostOfB      = "b.neighbour.test"
)

// The configurations; {dir} in them is the folder.
var (
	//go:embed gatehouse.yaml
	gatehouseYAML string
	//go:embed nginx.conf
	nginxConf string
	//go:embed haproxy.cfg
	haproxyCfg string
)

// place is a folder with configurations, certificates and programs.
type place struct {
	dir       string
	cert      string
	self      string // this program
	gatehouse string
	log       *os.File // what the programs say
}

// furnish fills dir, and builds gatehouse.
func furnish(ctx context.Context, dir string) (*place, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &place{dir: dir, self: self, cert: filepath.Join(dir, "cert.pem"), gatehouse: filepath.Join(dir, "gatehouse")}
	if p.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	if err := p.writeCertificate(); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"gatehouse.yaml": gatehouseYAML, "nginx.conf": nginxConf, "haproxy.cfg": haproxyCfg} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "{dir}", dir)), 0o600); err != nil {
			return nil, err
		}
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.gatehouse, "./cmd/gatehouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build gatehouse: %w\n%s", err, said)
	}
	return p, nil
}

// writeCertificate makes one for both hosts that signs itself, and writes it as
// the proxies want it.
func (p *place) writeCertificate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "neighbour"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour),
		DNSNames: []string{hostOfA, hostOfB}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": secret, "both.pem": append(cert, secret...)} {
		if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
