package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/dnsquery/dnstest"
	"gatehouse/internal/store"
)

// slowStore is a state folder each of whose calls takes a while, or for ever.
type slowStore struct {
	store.Store
	takes   atomic.Int64 // ns
	calls   atomic.Int64
	stuck   atomic.Pointer[chan struct{}] // no call returns before it is closed; nil: as long as it takes
	hanging atomic.Int64                  // calls in stuck
}

func (s *slowStore) wait(ctx context.Context) {
	s.calls.Add(1)
	if stuck := s.stuck.Load(); stuck != nil {
		s.hanging.Add(1)
		<-*stuck // whatever ctx says: a disk does not know it
		s.hanging.Add(-1)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.takes.Load()))
	defer cancel()
	<-ctx.Done()
}

func (s *slowStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.wait(ctx)
	return s.Store.Get(ctx, key)
}

func (s *slowStore) Put(ctx context.Context, key string, value []byte) error {
	s.wait(ctx)
	return s.Store.Put(ctx, key, value)
}

func (s *slowStore) Delete(ctx context.Context, key string) error {
	s.wait(ctx)
	return s.Store.Delete(ctx, key)
}

func (s *slowStore) List(ctx context.Context, prefix string) ([]string, error) {
	s.wait(ctx)
	return s.Store.List(ctx, prefix)
}

// issuing is a gateway with an authority of its own and a state folder that can
// be made slow.
type issuing struct {
	*running
	store slowStore
	roots *x509.CertPool
}

// startIssuing runs a gateway whose tenant "busy" has so many hosts, and "calm"
// one: calm.example.
func startIssuing(t *testing.T, busy int) *issuing {
	t.Helper()
	w := new(issuing)
	dir := tree(t, "tenants/calm.yaml", tenantOf(9, "calm.example"), "tenants/busy.yaml", tenantOf(10, busyHosts(busy)...))
	dns, err := dnstest.Listen("127.0.0.1:0")
	must(t, err)
	t.Cleanup(dns.Close)
	dns.Zone("example")
	dns.Add("calm.example. A 127.0.0.1", "*.busy.example. A 127.0.0.1")
	ports := [2]int{freePort(t), freePort(t)}
	ca, err := acmetest.Start(acmetest.Options{DNS: dns.Addr(), HTTPPort: ports[0], TLSPort: ports[1]})
	must(t, err)
	t.Cleanup(ca.Stop)
	w.roots, err = ca.Issuers()
	must(t, err)
	put(t, dir, "authority.pem", string(ca.Root))
	more := fmt.Sprintf(`tls:
  certificates:
    acme:
      {email: ops@host.example, ca: %q, root: authority.pem, resolvers: [%q], preflight: {addresses: [127.0.0.1]}, budget: {domain: 1000/7d}}
`, ca.Directory, dns.Addr())
	w.running = startWith(t, setUp{dir: dir, more: more, ports: ports, below: func(inner store.Store) store.Store {
		w.store.Store = inner
		return &w.store
	}})
	return w
}

func busyHosts(n int) (hosts []string) {
	for i := range n {
		hosts = append(hosts, fmt.Sprintf("h%d.busy.example", i))
	}
	return hosts
}

func tenantOf(backend int, hosts ...string) string {
	return fmt.Sprintf("hosts: [%s]\naccess: {public: \"a test\"}\nbackends: [\"http://127.0.0.1:%d\"]\n", strings.Join(hosts, ", "), backend)
}

// shake makes one full handshake and returns the serial number that it showed.
func (w *issuing) shake(t *testing.T, host string) (serial string, took time.Duration) {
	t.Helper()
	began := time.Now()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", fmt.Sprintf("127.0.0.1:%d", w.https), &tls.Config{ServerName: host, RootCAs: w.roots})
	if err != nil {
		return "", time.Since(began)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Text(16), time.Since(began)
}

// obtained counts the certificates that were obtained since the log was taken.
func (w *issuing) obtained() int { return strings.Count(w.said.String(), "certificate obtained") }

// quickest are the times of handshakes, sorted.
type quickest []time.Duration

func (q quickest) at(part float64) time.Duration { return q[int(part*float64(len(q)-1))] }

func (q quickest) String() string {
	return fmt.Sprintf("%d handshakes, p50 %s, p99 %s, longest %s", len(q), q.at(.5).Round(10*time.Microsecond), q.at(.99).Round(10*time.Microsecond), q.at(1).Round(10*time.Microsecond))
}

// shakeUntil shakes hands with the calm host until it is done, with a breath in
// between, and wants that each succeeds.
func (w *issuing) shakeUntil(t *testing.T, done func(n int) bool) quickest {
	t.Helper()
	var all quickest
	breath := time.NewTicker(time.Millisecond)
	defer breath.Stop()
	for ; !done(len(all)); <-breath.C {
		serial, took := w.shake(t, "calm.example")
		if serial == "" {
			t.Fatalf("handshake %d failed", len(all)+1)
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all
}

// TestHandshakesNeedNoState: while renewals wait for a state folder from which no
// call returns, handshakes of another host succeed. How long they take meanwhile,
// and beside 40 renewals on a quick folder and on one whose every call takes
// 100 ms, is told with -v; it depends on the machine.
func TestHandshakesNeedNoState(t *testing.T) {
	const busy, call = 40, 100 * time.Millisecond
	w := startIssuing(t, busy)
	defer w.stop()
	defer w.store.takes.Store(0)
	eventually(t, "all hosts have certificates", func() bool { return w.obtained() == busy+1 })
	eventually(t, "it is shown", func() bool { serial, _ := w.shake(t, "calm.example"); return serial != "" })
	rest := w.shakeUntil(t, func(n int) bool { return n == 300 })

	renewed := func(takes time.Duration) (during quickest, took time.Duration) {
		w.said.take()
		w.store.takes.Store(int64(takes))
		began := time.Now()
		for _, host := range busyHosts(busy) {
			must(t, w.client.RenewCertificate(t.Context(), host))
		}
		during = w.shakeUntil(t, func(int) bool { return w.obtained() == busy || time.Since(began) > 4*patience })
		return during, time.Since(began)
	}
	quick, quickTook := renewed(0)
	calls := w.store.calls.Load()
	slow, slowTook := renewed(call)
	calls = w.store.calls.Load() - calls
	hung := w.shakeWhileStuck(t, busy)
	t.Logf("at rest:                  %s", rest)
	t.Logf("40 renewals in %-8s:  %s", quickTook.Round(10*time.Millisecond), quick)
	t.Logf("the same, slow, %-8s: %s; %d calls of the store", slowTook.Round(10*time.Millisecond), slow, calls)
	t.Logf("the store hangs:          %s", hung)
	if calls < busy {
		t.Errorf("%d calls of the store for %d renewals: it was not slow", calls, busy)
	}
}

// shakeWhileStuck wants handshakes to succeed while renewals hang in the store.
func (w *issuing) shakeWhileStuck(t *testing.T, busy int) quickest {
	t.Helper()
	stuck := make(chan struct{})
	w.store.stuck.Store(&stuck)
	defer close(stuck)
	defer w.store.stuck.Store(nil)
	for _, host := range busyHosts(busy) {
		must(t, w.client.RenewCertificate(t.Context(), host))
	}
	eventually(t, "a call hangs in the store", func() bool { return w.store.hanging.Load() > 0 })
	w.said.take()
	during := w.shakeUntil(t, func(n int) bool { return n == 300 })
	if n := w.obtained(); w.store.hanging.Load() == 0 || n > 0 {
		t.Errorf("%d certificates were obtained, and %d calls hang: the store was not stuck", n, w.store.hanging.Load())
	}
	return during
}
