package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"weak"

	"gatehouse/tlsconfig"
)

// TestReloadUnderLoad: tables come and go, and no request fails.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(nil)
	changed := strings.Replace(twoTenants["acme"], "hosts: [", "hosts: [new.example, ", 1)
	done := make(chan struct{})
	var clients sync.WaitGroup
	for _, h2 := range []bool{false, true} {
		for _, url := range []string{"https://a.example/", "https://b.example/", "https://x.apps.example/"} {
			c := w.client("direct", "127.0.0.1", h2)
			clients.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					response, err := c.Get(url)
					if err != nil {
						t.Errorf("HTTP/2 %v: %v", h2, err)
						return
					}
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
					if err != nil || response.StatusCode != 200 {
						t.Errorf("HTTP/2 %v: GET %s = %d, %v", h2, url, response.StatusCode, err)
						return
					}
				}
			})
		}
	}
	for i := range 40 {
		text := twoTenants["acme"]
		if i%2 == 0 {
			text = changed
		}
		w.set("acme", text)
	}
	close(done)
	clients.Wait()
}

// TestCertificatesAreSwapped: handshakes that begin later get the new pair,
// connections that are open go on.
func TestCertificatesAreSwapped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	before := w.dial("127.0.0.1", "a.example")
	stillOpen(t, before)
	renewed, own := newPair(t, "*.example"), newPair(t, "a.example")
	w.roots = x509.NewCertPool()
	w.roots.AddCert(renewed.TLS().Leaf)
	w.roots.AddCert(own.TLS().Leaf)
	w.server.SetCertificates(tlsconfig.NewIndex(map[string][]*tlsconfig.Certificate{"": {renewed}, "acme": {own}}))
	stillOpen(t, before)
	for host, want := range map[string]*tlsconfig.Certificate{"a.example": own, "b.example": renewed} {
		c := w.dial("127.0.0.1", host)
		if got := c.ConnectionState().PeerCertificates[0]; !got.Equal(want.TLS().Leaf) {
			t.Errorf("%s shows a certificate for %q, want %q", host, got.DNSNames, want.TLS().Leaf.DNSNames)
		}
	}
}

// TestOldTablesGo: neither a tunnel nor an idle connection keeps a table alive
// that is not in use any more.
func TestOldTablesGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	idle, plain := w.dial("127.0.0.1", "a.example"), w.plain()
	stillOpen(t, idle)
	_ = ask(t, plain, get11("a.example", "/"))
	w.get(w.client("direct", "127.0.0.1", true), "https://a.example/")
	w.answerWith(echo)
	c := w.talk("127.0.0.1", "https://a.example/ws")
	old := weak.Make(w.table)
	for _, text := range []string{without(twoTenants["acme"], "127.0.0.2"), twoTenants["acme"]} {
		w.set("acme", text)
	}
	eventually(t, "the table of before is gone", func() bool {
		runtime.GC()
		return old.Value() == nil
	})
	say(t, c)
}

// BenchmarkHandshake is both sides of a full handshake and of the close.
func BenchmarkHandshake(b *testing.B) {
	w := newWorld(b, twoTenants)
	for name, config := range map[string]*tls.Config{
		"X25519MLKEM768": w.tlsConfig("a.example", "http/1.1"),
		"X25519":         {ServerName: "a.example", RootCAs: w.roots, CurvePreferences: []tls.CurveID{tls.X25519}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c, err := tls.Dial("tcp", w.addr("direct"), config)
				if err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
		})
	}
}
