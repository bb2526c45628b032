package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/dnsquery/dnstest"
)

// issueTime bounds the wait for a certificate of an authority on this machine.
const issueTime = 30 * time.Second

// useACME gives the world certificates of an authority of its own, for the hosts that DNS has.
func (w *world) useACME(t *testing.T, hosts ...string) {
	t.Helper()
	dns, err := dnstest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	dns.Zone("example")
	for _, host := range hosts {
		dns.Add(host + ". A 127.0.0.1")
	}
	ca, err := acmetest.Start(acmetest.Options{DNS: dns.Addr(), HTTPPort: w.http, TLSPort: w.https})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ca.Stop)
	if w.roots, err = ca.Issuers(); err != nil {
		t.Fatal(err)
	}
	w.write(t, "authority.pem", string(ca.Root))
	w.certificates = fmt.Sprintf("{acme: {email: ops@host.example, ca: %q, root: authority.pem, resolvers: [%q], preflight: {addresses: [127.0.0.1]}}}", ca.Directory, dns.Addr())
	w.writeMain(t)
}

// shake makes one handshake and gives the certificate that was shown.
func (w *world) shake(ctx context.Context, host string) (*x509.Certificate, error) {
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: w.roots}}
	c, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", w.https))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// sightings are the certificates that clients have seen, in the order in which they appeared.
type sightings struct {
	mu      sync.Mutex
	serials []string
	count   int
	failed  error
}

func (s *sightings) note(leaf *x509.Certificate, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if err != nil {
		s.failed = errors.Join(s.failed, err)
		return
	}
	serial := leaf.SerialNumber.Text(16)
	for _, known := range s.serials {
		if known == serial {
			return
		}
	}
	s.serials = append(s.serials, serial)
}

func (s *sightings) seen() (serials, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.serials), s.count
}

// TestRenewalUnderTraffic renews a certificate again and again while clients shake hands all the time: none fails, each
// sees a former certificate or the present one, and connections that are open stay so.
func TestRenewalUnderTraffic(t *testing.T) {
	const clients, renewals = 4, 3
	w := newWorld(t)
	w.useACME(t, "acme.example", "globex.example")
	w.start(t)
	eventually(t, issueTime, "there is a certificate", func() bool { _, err := w.shake(t.Context(), "globex.example"); return err == nil })
	kept := w.client(t, clientOfGlobex)
	get(t, kept, w.url("globex.example", "/"), 200)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var seen sightings
	var traffic sync.WaitGroup
	for range clients {
		traffic.Go(func() {
			for ctx.Err() == nil {
				seen.note(w.shake(t.Context(), "globex.example"))
			}
		})
	}
	for n := range renewals {
		if got := w.gatehouse(t, "certs", "renew", "globex.example"); got.code != 0 {
			t.Fatalf("certs renew = %d\n%s", got.code, got.stderr)
		}
		eventually(t, issueTime, "the new certificate is shown", func() bool { serials, _ := seen.seen(); return serials == n+2 })
		get(t, kept, w.url("globex.example", "/"), 200)
	}
	_, before := seen.seen()
	eventually(t, issueTime, "clients go on", func() bool { _, count := seen.seen(); return count >= before+10*clients })
	stop()
	traffic.Wait()
	serials, count := seen.seen()
	if seen.failed != nil || serials != renewals+1 {
		t.Errorf("%d certificates in %d handshakes, want %d; failed: %v", serials, count, renewals+1, seen.failed)
	}
	t.Logf("%d handshakes, %d certificates", count, serials)
}
