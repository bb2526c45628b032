package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"gatehouse/internal/store"
)

// responder is an issuer with a certificate and an OCSP responder for it.
type responder struct {
	issuer *x509.Certificate
	key    crypto.Signer
	bundle *bundle
	leaf   *x509.Certificate
}

func newResponder(t *testing.T, answer func(r *responder, question *ocsp.Request) []byte) *responder {
	t.Helper()
	r := new(responder)
	server := httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		question, err := ocsp.ParseRequest(body)
		if err != nil || req.Header.Get("Content-Type") != "application/ocsp-request" {
			res.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = res.Write(answer(r, question))
	}))
	t.Cleanup(server.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"a.example"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		OCSPServer: []string{server.URL},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	r.key, r.bundle = key, &bundle{Name: "a.example", Chain: [][]byte{leafDER, caDER}}
	if r.issuer, err = x509.ParseCertificate(caDER); err != nil {
		t.Fatal(err)
	}
	r.leaf = mustLeaf(t, r.bundle)
	return r
}

// sign makes an answer.
func (r *responder) sign(status int, from, until time.Duration) []byte {
	now := time.Now()
	der, err := ocsp.CreateResponse(r.issuer, r.issuer, ocsp.Response{
		Status: status, SerialNumber: r.leaf.SerialNumber, ThisUpdate: now.Add(from), NextUpdate: now.Add(until), RevokedAt: now.Add(from),
	}, r.key)
	if err != nil {
		panic(err)
	}
	return der
}

func TestStaple(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(*responder, *ocsp.Request) []byte
		want   string // in the error; empty: good
	}{
		"good": {func(r *responder, _ *ocsp.Request) []byte {
			return r.sign(ocsp.Good, -time.Hour, 24*time.Hour)
		}, ""},
		"revoked": {func(r *responder, _ *ocsp.Request) []byte {
			return r.sign(ocsp.Revoked, -time.Hour, 24*time.Hour)
		}, errRevoked.Error()},
		"unknown": {func(r *responder, _ *ocsp.Request) []byte {
			return r.sign(ocsp.Unknown, -time.Hour, 24*time.Hour)
		}, "does not know"},
		"over": {func(r *responder, _ *ocsp.Request) []byte {
			return r.sign(ocsp.Good, -2*time.Hour, -time.Hour)
		}, "ended on"},
		"of the future": {func(r *responder, _ *ocsp.Request) []byte {
			return r.sign(ocsp.Good, 2*time.Hour, 3*time.Hour)
		}, "begins on"},
		"garbage":   {func(*responder, *ocsp.Request) []byte { return []byte("good, honestly") }, "OCSP answer"},
		"too large": {func(*responder, *ocsp.Request) []byte { return make([]byte, stapleBytesMax+1) }, "more than 16384 bytes"},
		"another certificate's": {func(r *responder, _ *ocsp.Request) []byte {
			other := *r
			other.leaf = &x509.Certificate{SerialNumber: big.NewInt(99)}
			return other.sign(ocsp.Good, -time.Hour, time.Hour)
		}, "OCSP answer"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newResponder(t, c.answer)
			e := newEngine(store.NewMem(), testLog(t), time.Now)
			got, err := e.staple(t.Context(), r.bundle)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, errRevoked) != (name == "revoked") {
					t.Errorf("got %v, want %q in it", err, c.want)
				}
				return
			}
			if err != nil || len(got.Response) == 0 {
				t.Fatalf("got %d bytes, %v", len(got.Response), err)
			}
			if d := time.Until(got.Again) - 12*time.Hour; d.Abs() > time.Minute {
				t.Errorf("it is asked again in %s, want half of what is left", time.Until(got.Again))
			}
		})
	}
}

func TestNoResponder(t *testing.T) {
	r := newResponder(t, nil)
	chain, err := decodeChain(selfMade(t, "a.example", r.leaf.PublicKey.(*ecdsa.PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(store.NewMem(), testLog(t), time.Now)
	got, err := e.staple(t.Context(), &bundle{Name: "a.example", Chain: chain})
	if err != nil || got.Response != nil {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
}

// TestMustStaple: of an authority without a responder one certificate is spent
// to find out, and not one more.
func TestMustStaple(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	s.mustStaple = true
	mem := store.NewMem()
	for range 2 {
		_, err := w.startEngine(t, mem, s).obtain(t.Context(), ask(s, "stapled.hosted.example"))
		p := wantProblem(t, err, causeRequest, "")
		if !strings.Contains(p.Error(), "remove must_staple") {
			t.Errorf("%q does not say what to do", p)
		}
	}
	if got := proxy.Orders(); got != 1 {
		t.Errorf("%d orders were placed, want 1", got)
	}
	if keys, _ := mem.List(t.Context(), bundlePrefix); len(keys) != 0 {
		t.Errorf("%q is stored", keys)
	}
}
