package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"gatehouse/internal/store"
)

// request asks for host at the first authority of the settings.
func ask(s *Settings, host string) request {
	return request{Host: Host{Name: host, Tenant: "acme"}, CA: s.authorities[0]}
}

func mustObtain(t *testing.T, e *engine, req request) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := e.obtain(ctx, req)
	if err != nil {
		t.Fatalf("obtain %s: %v", req.Name, err)
	}
	return b
}

func mustLeaf(t *testing.T, b *bundle) *x509.Certificate {
	t.Helper()
	leaf, err := b.leaf()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// wantProblem is the problem that an attempt must end with.
func wantProblem(t *testing.T, err error, c cause, kind string) *problem {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want a problem of %s", err, c)
	}
	if p.Cause != c || p.Type != kind {
		t.Errorf("got cause %s, type %q (%v); want %s, %q", p.Cause, p.Type, p, c, kind)
	}
	return p
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for _, kind := range []string{"http-01", "tls-alpn-01"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
			s.challenges = []string{kind}
			mem := store.NewMem()
			e := w.startEngine(t, mem, s)
			b := mustObtain(t, e, ask(s, kind+".hosted.example"))
			issuers, err := w.ca.Issuers()
			if err != nil {
				t.Fatal(err)
			}
			leaf := mustLeaf(t, b)
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: kind + ".hosted.example", Roots: issuers}); err != nil {
				t.Error(err)
			}
			if life := leaf.NotAfter.Sub(leaf.NotBefore); life.Round(time.Hour) != 90*24*time.Hour {
				t.Errorf("it lives for %s, want 90 days", life)
			}
			if b.CA != "pebble" || b.Profile != "classic" || b.Tenant != "acme" || b.Window.Chosen.IsZero() {
				t.Errorf("the bundle is %s, %s, %s, window %v", b.CA, b.Profile, b.Tenant, b.Window)
			}
			if keys, _ := mem.List(t.Context(), ""); len(keys) != 2 {
				t.Errorf("the store holds %q, want an account and a certificate", keys)
			}
			if stored, err := e.bundles.get(t.Context(), b.Name); err != nil || string(stored.Key) != string(b.Key) {
				t.Errorf("the stored one differs: %v", err)
			}
			if e.challenges.http.Load() != nil || e.challenges.alpn.Load() != nil {
				t.Error("an answer is left behind")
			}
		})
	}
}
