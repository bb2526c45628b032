package localca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the tests begin: a second sharp, as certificates count.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestIntermediateCannotMakeAuthorities plays the thief of its key.
func TestIntermediateCannotMakeAuthorities(t *testing.T) {
	ca := openCA(t, store.NewMem(), at(start))
	stolen := ca.current.Load().intermediate
	forged, err := newIntermediate(stolen, start)
	if err != nil {
		t.Fatal(err)
	}
	template, err := leafTemplate([]string{"bank.example"})
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = start, start.Add(time.Hour)
	leaf, err := sign(template, forged)
	if err != nil {
		t.Fatal(err)
	}
	cert := leafCertificate(leaf, forged)
	cert.Certificate = append(cert.Certificate, stolen.cert.Raw)
	var unknown x509.CertificateInvalidError
	if err := verify(ca, cert, "bank.example", start); !errors.As(err, &unknown) || unknown.Reason != x509.TooManyIntermediates {
		t.Errorf("verify = %v, want too many intermediates", err)
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	leaf, err = sign(template, stolen)
	if err != nil {
		t.Fatal(err)
	}
	_, err = leaf.cert.Verify(x509.VerifyOptions{
		Roots: pool(ca.current.Load().root.cert), Intermediates: pool(stolen.cert), CurrentTime: start,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err == nil {
		t.Errorf("the intermediate makes certificates for clients")
	}
}

func TestReopenKeepsTheAuthority(t *testing.T) {
	mem := store.NewMem()
	first := openCA(t, mem, at(start))
	later := openCA(t, mem, at(start.Add(200*24*time.Hour)))
	if !bytes.Equal(first.RootPEM(), later.RootPEM()) {
		t.Errorf("the root changed")
	}
	if !first.current.Load().intermediate.cert.Equal(later.current.Load().intermediate.cert) {
		t.Errorf("the intermediate changed before two thirds of its life")
	}
	last := openCA(t, mem, at(start.Add(250*24*time.Hour)))
	if !bytes.Equal(first.RootPEM(), last.RootPEM()) {
		t.Errorf("the root changed")
	}
	if first.current.Load().intermediate.cert.Equal(last.current.Load().intermediate.cert) {
		t.Errorf("the intermediate is the same after two thirds of its life")
	}
	block, rest := pem.Decode(first.RootPEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		t.Errorf("RootPEM is not one certificate: %s", first.RootPEM())
	}
}

func TestRootThatEnded(t *testing.T) {
	mem := store.NewMem()
	first := openCA(t, mem, at(start))
	var text bytes.Buffer
	near := start.Add(rootLife - 24*time.Hour)
	openLogged(t, mem, at(near), &text)
	if !strings.Contains(text.String(), "ends soon") {
		t.Errorf("no warning a day before the end: %s", &text)
	}
	text.Reset()
	second := openLogged(t, mem, at(start.Add(rootLife)), &text)
	if bytes.Equal(first.RootPEM(), second.RootPEM()) {
		t.Errorf("a root that ended goes on")
	}
	for _, want := range []string{"has ended", "moved_to=damaged/ca+root-1", "clients must trust it", "sha256="} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log does not say %q: %s", want, &text)
		}
	}
}

func TestOpenWithAnotherSealKey(t *testing.T) {
	mem := store.NewMem()
	openCA(t, sealed(t, mem, 1), at(start))
	_, err := Open(t.Context(), sealed(t, mem, 2), discard(), at(start))
	if !errors.Is(err, store.ErrForeign) {
		t.Errorf("Open = %v, want ErrForeign", err)
	}
	openCA(t, sealed(t, mem, 1), at(start))
	if keys, _ := mem.List(t.Context(), "ca/"); len(keys) != 2 {
		t.Errorf("keys %q, want root and intermediate untouched", keys)
	}
}

func TestOpenOnAFullDisk(t *testing.T) {
	full := errors.New("no space left on device")
	failing := &storetest.Failing{Store: store.NewMem()}
	failing.Fail(full)
	if _, err := Open(t.Context(), failing, discard(), at(start)); !errors.Is(err, full) {
		t.Errorf("Open without a root = %v, want the cause", err)
	}
	failing.Fail(nil)
	first := openCA(t, failing, at(start))
	failing.Fail(full)
	later := start.Add(300 * 24 * time.Hour)
	second := openCA(t, failing, at(later)) // the intermediate is due
	cert, err := second.Issue([]string{"a.example"})
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(first, cert, "a.example", later); err != nil {
		t.Errorf("verify: %v", err)
	}
}

// TestEveryStoreCallFails: Open fails with the cause or serves; afterwards a
// whole store opens with the same root or, where none was kept, a new one.
func TestEveryStoreCallFails(t *testing.T) {
	for failAt := range 10 {
		s := &countdown{Store: store.NewMem(), failAt: failAt}
		ca, err := Open(t.Context(), s, discard(), at(start))
		s.failAt = -1
		again := openCA(t, s, at(start))
		if err == nil && !bytes.Equal(ca.RootPEM(), again.RootPEM()) {
			t.Errorf("call %d fails: the root of a successful Open is not kept", failAt)
		}
		if err != nil && !errors.Is(err, errCountdown) {
			t.Errorf("call %d fails: Open = %v, want the cause", failAt, err)
		}
	}
}

var errCountdown = errors.New("the disk says no")

type countdown struct {
	store.Store
	failAt int
}

func (c *countdown) fails() bool { c.failAt--; return c.failAt == -1 }

func (c *countdown) Get(ctx context.Context, key string) ([]byte, error) {
	if c.fails() {
		return nil, errCountdown
	}
	return c.Store.Get(ctx, key)
}

func (c *countdown) Put(ctx context.Context, key string, value []byte) error {
	if c.fails() {
		return errCountdown
	}
	return c.Store.Put(ctx, key, value)
}

func openCA(t *testing.T, s store.Store, now func() time.Time) *CA {
	t.Helper()
	ca, err := Open(t.Context(), s, discard(), now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func openLogged(t *testing.T, s store.Store, now func() time.Time, text *bytes.Buffer) *CA {
	t.Helper()
	ca, err := Open(t.Context(), s, slog.New(slog.NewTextHandler(text, nil)), now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// verify does what a client does that trusts the root of ca.
func verify(ca *CA, cert *tls.Certificate, name string, now time.Time) error {
	intermediates := x509.NewCertPool()
	for _, raw := range cert.Certificate[1:] {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return err
		}
		intermediates.AddCert(c)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.RootPEM()) {
		return errors.New("RootPEM holds no certificate")
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return err
	}
	if !leaf.Equal(cert.Leaf) {
		return fmt.Errorf("Leaf is not the first certificate of the chain")
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates, CurrentTime: now})
	return err
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, cert := range certs {
		p.AddCert(cert)
	}
	return p
}

func sealed(t *testing.T, inner store.Store, seed byte) store.Store {
	t.Helper()
	key := bytes.Repeat([]byte{seed}, store.KeyBytes)
	s, err := store.Seal(inner, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func blob(t *testing.T, s store.Store, key string) string {
	t.Helper()
	value, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func put(t *testing.T, s store.Store, key, text string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(text)); err != nil {
		t.Fatal(err)
	}
}
