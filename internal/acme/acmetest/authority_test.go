package acmetest_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"gatehouse/internal/acme/acmetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An authority answers once Start returns, over a server that its root vouches
// for, and leaves no process and no goroutine.
func TestAuthority(t *testing.T) {
	a, err := acmetest.Start(acmetest.Options{DNS: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	client := clientOf(t, a.Root)
	if got := directoryAt(t, client, a.Directory); got["newOrder"] == nil {
		t.Errorf("its directory is %v", got)
	}
	if _, err := a.Issuers(); err != nil {
		t.Errorf("its issuers: %v", err)
	}
	a.Stop()
	client.CloseIdleConnections()
	if res, err := client.Get(a.Directory); err == nil {
		_ = res.Body.Close()
		t.Error("it answers after it was stopped")
	}
}

// A proxy counts what is asked, and lets a test answer in the authority's place.
func TestProxy(t *testing.T) {
	a, err := acmetest.Start(acmetest.Options{DNS: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	p, err := a.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	client := clientOf(t, p.Root)
	if got := directoryAt(t, client, p.Directory); got["newOrder"] == nil {
		t.Errorf("through it the directory is %v", got)
	}
	p.Intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.WriteHeader(http.StatusTeapot)
		return true
	})
	res, err := client.Get(p.Directory)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusTeapot {
		t.Errorf("intercepted, it answers %s", res.Status)
	}
	if got := p.Count("/dir"); got != 2 {
		t.Errorf("%d questions were counted, want 2", got)
	}
	if p.Orders() != 0 || p.Certificates() != 0 {
		t.Errorf("%d orders, %d certificates; nobody ordered", p.Orders(), p.Certificates())
	}
	client.CloseIdleConnections()
}

func clientOf(t *testing.T, root []byte) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatal("the root is no certificate")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func directoryAt(t *testing.T, client *http.Client, url string) map[string]any {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var directory map[string]any
	if err := json.NewDecoder(res.Body).Decode(&directory); err != nil {
		t.Fatal(err)
	}
	return directory
}
