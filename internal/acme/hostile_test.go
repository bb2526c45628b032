package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

// TestHostileAuthority: whatever an authority answers, an attempt ends soon,
// with words of bounded length.
func TestHostileAuthority(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for name, c := range map[string]struct {
		path  string                                             // what is tampered with
		spoil func(res http.ResponseWriter, told map[string]any) // changes the answer; it may write itself and return nothing to send
		want  string                                             // in the error
	}{
		"endless answer": {acmetest.NewOrder, func(res http.ResponseWriter, _ map[string]any) {
			res.Header().Set("Content-Type", "application/json")
			for range answerBytesMax/1024 + 2 {
				_, _ = res.Write(bytes.Repeat([]byte(" "), 1024))
			}
		}, "more than 524288 bytes"},
		"redirect": {acmetest.NewOrder, func(res http.ResponseWriter, _ map[string]any) {
			res.Header().Set("Location", "https://169.254.169.254/")
			res.WriteHeader(http.StatusTemporaryRedirect)
		}, "307"},
		"many authorizations": {acmetest.NewOrder, func(_ http.ResponseWriter, told map[string]any) {
			told["authorizations"] = make([]string, 1000)
		}, "1000 authorizations"},
		"no authorization": {acmetest.NewOrder, func(_ http.ResponseWriter, told map[string]any) {
			told["authorizations"] = []string{}
		}, "0 authorizations"},
		"plain http": {acmetest.NewOrder, func(_ http.ResponseWriter, told map[string]any) {
			told["authorizations"] = []string{"http://127.0.0.1:9/authz"}
		}, "https alone"},
		"token out of the path": {acmetest.Authz, func(_ http.ResponseWriter, told map[string]any) {
			for _, one := range told["challenges"].([]any) {
				one.(map[string]any)["token"] = "../../admin"
			}
		}, "no challenge"},
		"unknown challenges": {acmetest.Authz, func(_ http.ResponseWriter, told map[string]any) {
			told["challenges"] = []any{map[string]any{"type": "carrier-pigeon-01\x1b[31m", "token": "x", "status": "pending"}}
		}, "it offers carrier-pigeon-01[31m"},
		"state of its own": {acmetest.Authz, func(_ http.ResponseWriter, told map[string]any) {
			told["status"] = "maybe\n"
		}, "the authorization is maybe"},
		"no JSON": {acmetest.Authz, func(res http.ResponseWriter, _ map[string]any) {
			res.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(res, "<html>")
		}, "read the authorization"},
		"a long problem": {acmetest.NewOrder, func(res http.ResponseWriter, _ map[string]any) {
			tell(res, 403, strings.Repeat("x", 5000), strings.Repeat("y", 50000))
		}, "yyy…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, s := w.behindProxy(t)
			proxy.Intercept(func(res http.ResponseWriter, r *http.Request, forward http.Handler) bool {
				if !strings.HasPrefix(r.URL.Path, c.path) {
					return false
				}
				spoilt(res, r, forward, c.spoil)
				return true
			})
			e := w.startEngine(t, store.NewMem(), s)
			_, err := e.obtain(t.Context(), ask(s, "hostile.hosted.example"))
			if err == nil {
				t.Fatal("it has a certificate")
			}
			text := err.Error()
			if !strings.Contains(text, c.want) || len(text) > 4*problemTextMax || strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("got %q, want %q in it", text, c.want)
			}
		})
	}
}

// spoilt lets the authority answer, and changes what it says.
func spoilt(res http.ResponseWriter, r *http.Request, forward http.Handler, spoil func(http.ResponseWriter, map[string]any)) {
	honest := httptest.NewRecorder()
	forward.ServeHTTP(honest, r)
	told := map[string]any{}
	_ = json.Unmarshal(honest.Body.Bytes(), &told) // an empty body is fine
	sent := httptest.NewRecorder()
	spoil(sent, told)
	if sent.Body.Len() == 0 && sent.Code == http.StatusOK {
		for key, values := range honest.Header() {
			res.Header()[key] = values
		}
		res.Header().Del("Content-Length")
		res.WriteHeader(honest.Code)
		_ = json.NewEncoder(res).Encode(told)
		return
	}
	for key, values := range sent.Header() {
		res.Header()[key] = values
	}
	res.WriteHeader(sent.Code)
	_, _ = res.Write(sent.Body.Bytes())
}

// TestWrongCertificate: an authority that issues something else is not served.
func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	const name = "wrong.hosted.example"
	for what, c := range map[string]struct {
		chain func(t *testing.T) []byte
		want  string
	}{
		"another key": {func(t *testing.T) []byte {
			own, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			return selfMade(t, name, &own.PublicKey)
		}, "another key"},
		"no certificate": {func(*testing.T) []byte { return []byte("hello") }, "no certificate"},
		"a key": {func(*testing.T) []byte {
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})
		}, "PRIVATE KEY stands among"},
		"garbage": {func(*testing.T) []byte {
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1, 2, 3}})
		}, "certificate"},
		"a long chain": {func(t *testing.T) []byte {
			own, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			return bytes.Repeat(selfMade(t, name, &own.PublicKey), chainCertificatesMax+1)
		}, "more than 10 certificates"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			proxy, s := w.behindProxy(t)
			proxy.Intercept(func(res http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if !strings.HasPrefix(r.URL.Path, acmetest.Download) {
					return false
				}
				res.Header().Set("Content-Type", "application/pem-certificate-chain")
				res.Header().Set("Link", fmt.Sprintf("<https://%s%s>;rel=\"up\"", r.Host, r.URL.Path))
				_, _ = res.Write(c.chain(t))
				return true
			})
			mem := store.NewMem()
			_, err := w.startEngine(t, mem, s).obtain(t.Context(), ask(s, name))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if keys, _ := mem.List(t.Context(), bundlePrefix); len(keys) != 0 {
				t.Errorf("%q is stored", keys)
			}
			if n := proxy.Count(acmetest.Download); n != 1 {
				t.Errorf("it was fetched %d times: a link was followed", n)
			}
		})
	}
}

// selfMade is a certificate that nobody vouches for, as PEM.
func selfMade(t *testing.T, name string, public *ecdsa.PublicKey) []byte {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestCheckIssued(t *testing.T) {
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	order := &pendingOrder{Name: "a.example", Key: key}
	signer, err := order.signer()
	if err != nil {
		t.Fatal(err)
	}
	public := signer.Public().(*ecdsa.PublicKey)
	good, err := decodeChain(selfMade(t, "a.example", public))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkIssued(good, "a.example", order); err != nil {
		t.Error(err)
	}
	if _, err := checkIssued(good, "b.example", order); err == nil || !strings.Contains(err.Error(), `"a.example", not for "b.example"`) {
		t.Errorf("another name: %v", err)
	}
	other, err := decodeChain(selfMade(t, "a.example", public))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkIssued([][]byte{good[0], other[0]}, "a.example", order); err == nil || !strings.Contains(err.Error(), "not signed by") {
		t.Errorf("a stranger as issuer: %v", err)
	}
}

func FuzzDecodeChain(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("hello"))
	f.Fuzz(func(t *testing.T, text []byte) {
		chain, err := decodeChain(text)
		if (err == nil) != (len(chain) > 0) || len(chain) > chainCertificatesMax {
			t.Errorf("%d certificates and %v", len(chain), err)
		}
	})
}

// TestClockOfAuthority: a clock that is a day off is told, and costs no certificate.
func TestClockOfAuthority(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for name, off := range map[string]time.Duration{"behind": -24 * time.Hour, "ahead": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, s := w.behindProxy(t)
			e := w.startEngine(t, store.NewMem(), s)
			e.now = func() time.Time { return time.Now().Add(off) }
			mustObtain(t, e, ask(s, "clock-"+name+".hosted.example"))
			if hint := e.client(s.authorities[0]).guard.clockHint(); !strings.Contains(hint, "24h0m0s "+name) {
				t.Errorf("the hint is %q, want %q in it", hint, name)
			}
			if err := proxy.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := e.obtain(t.Context(), ask(s, "later.hosted.example"))
			if p := wantProblem(t, err, causeAuthority, ""); !strings.Contains(p.Detail, "the clock of this machine is 24h0m0s") {
				t.Errorf("%q does not hint at the clock", p.Detail)
			}
		})
	}
}
