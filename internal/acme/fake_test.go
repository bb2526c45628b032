package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/tlsconfig"
)

// fakeCA issues what it is asked for, by the clock of the test. It counts as
// Let's Encrypt does, so that a test sees any order that one would refuse.
type fakeCA struct {
	shelf bundles
	now   func() time.Time
	key   *ecdsa.PrivateKey
	der   []byte // key, PKCS#8

	takes    time.Duration // an order
	lifetime time.Duration
	suggests func(b *bundle, leaf *x509.Certificate, now time.Time) ariWindow
	refuse   func(req request, tries int) error // tries: orders for that name so far
	staples  func(b *bundle) (staple, error)

	alike bool // mintAlike

	mu       sync.Mutex
	made     *bundle
	serial   int64
	orders   []fakeOrder
	byName   map[string]int
	running  int
	peak     int
	windows  int
	revoked  []string
	settings []*Settings
}

type fakeOrder struct {
	name, ca string
	at       time.Time
	replaces bool
	because  string
	failed   bool
	kinds    []string
}

// fakeEngine is a fakeCA as the Manager knows it.
type fakeEngine struct {
	*fakeCA
	pending map[string][]string
}

func newFakeCA(t testing.TB, s store.Store, now func() time.Time) *fakeCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeCA{
		shelf: bundles{s, slog.New(slog.DiscardHandler)}, now: now, key: key, der: der,
		takes: 5 * time.Second, lifetime: 90 * 24 * time.Hour, byName: make(map[string]int),
	}
}

func (c *fakeEngine) configure(s *Settings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settings = append(c.settings, s)
}

func (c *fakeEngine) close() {}

func (c *fakeEngine) obtain(ctx context.Context, req request) (*bundle, error) {
	c.mu.Lock()
	tries := c.byName[req.Name]
	c.byName[req.Name]++
	c.running++
	c.peak = max(c.peak, c.running)
	at := len(c.orders)
	c.orders = append(c.orders, fakeOrder{req.Name, req.CA.Name, c.now(), req.Replaces != nil, req.Because, false, req.Challenges})
	c.mu.Unlock()
	err := wait(ctx, c.takes)
	c.mu.Lock()
	c.running--
	c.mu.Unlock()
	if err != nil {
		return nil, localProblem("wait for the certificate", err)
	}
	c.mu.Lock()
	refuse := c.refuse
	c.mu.Unlock()
	if refuse != nil {
		if err := refuse(req, tries); err != nil {
			c.mu.Lock()
			c.orders[at].failed = true
			c.mu.Unlock()
			return nil, err
		}
	}
	b, err := c.mint(req)
	if err != nil {
		return nil, localProblem("make a certificate", err)
	}
	if err := c.shelf.put(ctx, b); err != nil {
		return nil, localProblem("store the certificate", err)
	}
	return b, nil
}

func (c *fakeCA) mint(req request) (*bundle, error) {
	c.mu.Lock()
	c.serial++
	serial := c.serial
	c.mu.Unlock()
	now := c.now()
	if c.alike {
		return c.mintAlike(req, now)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: req.Name}, DNSNames: []string{req.Name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(-time.Hour).Add(c.lifetime),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if c.staples != nil {
		leaf.OCSPServer = []string{"http://ocsp.example"}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &c.key.PublicKey, c.key)
	if err != nil {
		return nil, err
	}
	b := &bundle{
		Name: req.Name, Tenant: req.Tenant, CA: req.CA.Name, CAID: req.CA.ID, Profile: req.CA.profile(req.Host),
		Because: req.Because, Chain: [][]byte{der}, Key: c.der, Obtained: now,
	}
	c.mu.Lock()
	suggests := c.suggests
	c.mu.Unlock()
	if suggests != nil {
		b.Window = suggests(b, leaf, now)
	}
	return b, nil
}

// mintAlike hands the same certificate to all who come in the same hour,
// because to sign ten thousand takes longer than all the rest of a test.
func (c *fakeCA) mintAlike(req request, now time.Time) (*bundle, error) {
	c.mu.Lock()
	made := c.made
	c.mu.Unlock()
	if made == nil || now.Sub(made.Obtained) > time.Hour {
		own := &fakeCA{now: c.now, key: c.key, der: c.der, lifetime: c.lifetime, suggests: c.suggests}
		var err error
		if made, err = own.mint(req); err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.made = made
		c.mu.Unlock()
	}
	b := *made
	b.Name, b.Tenant, b.CA, b.CAID, b.Because = req.Name, req.Tenant, req.CA.Name, req.CA.ID, req.Because
	if c.suggests != nil {
		b.Window = c.suggests(&b, must(b.leaf()), now)
	}
	return &b, nil
}

func (c *fakeEngine) window(_ context.Context, b *bundle) (ariWindow, error) {
	c.mu.Lock()
	c.windows++
	suggests := c.suggests
	c.mu.Unlock()
	leaf, err := b.leaf()
	if err != nil || suggests == nil {
		return ariWindow{}, err
	}
	return suggests(b, leaf, c.now()), nil
}

func (c *fakeEngine) staple(_ context.Context, b *bundle) (staple, error) {
	if c.staples == nil {
		return staple{}, nil
	}
	return c.staples(b)
}

func (c *fakeEngine) revoke(_ context.Context, b *bundle, _ int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked = append(c.revoked, b.Name)
	return nil
}

func (c *fakeEngine) unfinished(context.Context) (map[string][]string, error) { return c.pending, nil }

func (c *fakeEngine) accounts(context.Context) ([]AccountStatus, error) {
	return []AccountStatus{{CA: "one"}}, nil
}

func (c *fakeEngine) rollKey(context.Context, *authority) error { return nil }

// refusing changes what orders end in, from now on.
func (c *fakeCA) refusing(f func(req request, tries int) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = f
}

// suggest changes the windows, from now on.
func (c *fakeCA) suggest(f func(*bundle, *x509.Certificate, time.Time) ariWindow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suggests = f
}

func (c *fakeCA) placed() []fakeOrder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.orders)
}

func (c *fakeCA) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byName[name]
}

// windowAt suggests renewal between two parts of the lifetime, 0 to 1.
func windowAt(from, to float64) func(*bundle, *x509.Certificate, time.Time) ariWindow {
	return func(b *bundle, leaf *x509.Certificate, now time.Time) ariWindow {
		life := leaf.NotAfter.Sub(leaf.NotBefore)
		w := ariWindow{
			Start: leaf.NotBefore.Add(time.Duration(from * float64(life))),
			End:   leaf.NotBefore.Add(time.Duration(to * float64(life))),
			Again: now.Add(6 * time.Hour),
		}
		w.Chosen = b.Window.Chosen
		if !w.Start.Equal(b.Window.Start) || w.Chosen.IsZero() {
			w.Chosen = w.Start.Add(time.Duration(spread(b.Name) * float64(w.End.Sub(w.Start))))
		}
		return w
	}
}

// keeping is a Manager under test, with what surrounds it.
type keeping struct {
	t     testing.TB
	m     *Manager
	ca    *fakeCA
	blobs *storetest.Failing
	shift time.Duration // of the clock of the wall
	log   bytes.Buffer

	mu        sync.Mutex
	logs      sync.Mutex
	published map[string][]string // names by tenant
	calls     int
	stop      context.CancelFunc
	done      chan struct{}
}

func (k *keeping) now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Add(k.shift)
}

func (k *keeping) jump(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.shift += d
}

// Write keeps the log.
func (k *keeping) Write(p []byte) (int, error) {
	k.logs.Lock()
	defer k.logs.Unlock()
	return k.log.Write(p)
}

func (k *keeping) logged() string {
	k.logs.Lock()
	defer k.logs.Unlock()
	return k.log.String()
}

// keep returns a Manager over a fake authority and an empty store, not loaded.
func keep(t testing.TB) *keeping {
	t.Helper()
	k := &keeping{t: t, blobs: &storetest.Failing{Store: store.NewMem()}, published: make(map[string][]string)}
	k.ca = newFakeCA(t, k.blobs, k.now)
	k.again()
	return k
}

// again replaces the Manager, as a restart does.
func (k *keeping) again() {
	k.m = New(Options{
		Store: k.blobs, Log: slog.New(slog.NewTextHandler(k, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Now: k.now, Decoded: tlsconfig.NewDecoded(16), Publish: k.publish,
	})
	k.m.engine = &fakeEngine{fakeCA: k.ca}
}

func (k *keeping) publish(changed map[string][]*tlsconfig.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.calls++
	for tenant, list := range changed {
		names := []string{}
		for _, c := range list {
			names = append(names, c.Names()...)
		}
		k.published[tenant] = names
	}
}

func (k *keeping) serves(tenant string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.published[tenant], " ")
}

func (k *keeping) load() {
	k.t.Helper()
	if err := k.m.Load(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

// run starts the Manager.
func (k *keeping) run() {
	ctx, cancel := context.WithCancel(k.t.Context())
	k.stop, k.done = cancel, make(chan struct{})
	go func() {
		defer close(k.done)
		if err := k.m.Run(ctx); err != nil {
			k.t.Errorf("Run: %v", err)
		}
	}()
}

func (k *keeping) end() {
	k.stop()
	<-k.done
}

func (k *keeping) status(name string) HostStatus {
	k.t.Helper()
	for _, s := range k.m.Hosts() {
		if s.Host == name {
			return s
		}
	}
	k.t.Fatalf("%s is not among the hosts", name)
	return HostStatus{}
}

func (k *keeping) want(name string, state State) HostStatus {
	k.t.Helper()
	s := k.status(name)
	if s.State != state {
		k.t.Fatalf("%s is %s (%s, %s), want %s", name, s.State, s.Detail, s.LastError, state)
	}
	return s
}

// settle lets virtual time pass.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// city makes n hosts of n/100 tenants.
func city(n int) (out []Host) {
	for i := range n / 100 {
		out = append(out, fleet(fmt.Sprintf("t%03d", i), 100)...)
	}
	return out
}

// fleet makes n hosts of a tenant, each a registered domain of its own.
func fleet(tenant string, n int) []Host {
	out := make([]Host, n)
	for i := range out {
		out[i] = Host{Name: fmt.Sprintf("h%05d-%s.example", i, tenant), Tenant: tenant}
	}
	return out
}

func one(name string) []Host { return []Host{{Name: name, Tenant: "acme"}} }

// testSettings are those of one authority with the default budget, which looks
// at nothing before an order.
func testSettings() *Settings {
	return &Settings{
		authorities: []*authority{{ID: "one", Name: "one"}},
		budget:      new(tlsconfig.ACMESpec).CompileBudget(),
		challenges:  []string{"http-01", "tls-alpn-01"},
		preflight:   preflightSettings{lostAfter: tlsconfig.DefaultLostAfter},
	}
}

// lifted are settings without a budget to speak of.
func lifted() *Settings {
	s := testSettings()
	s.budget.Orders.Count, s.budget.Domain.Count, s.budget.Host.Count, s.budget.Failures.Count = 1e6, 1e6, 1e6, 1e6
	return s
}

// said is a problem as the engine returns it.
func said(c cause, kind, detail string) *problem {
	return &problem{Doing: "order", CA: "one", Type: kind, Detail: detail, Cause: c}
}

var errFull = errors.New("no space left on device")

// stock gives hosts certificates that were obtained just now, without orders
// and, because there are many, without certificates that anybody could serve.
func (k *keeping) stock(hosts []Host) {
	k.t.Helper()
	template, err := k.ca.mint(request{Host: hosts[0], CA: testSettings().authorities[0]})
	if err != nil {
		k.t.Fatal(err)
	}
	base, err := hold(template, k.m.o.Decoded)
	if err != nil {
		k.t.Fatal(err)
	}
	for i, h := range hosts {
		own := *base
		own.dice = uint32(i * 429_497)
		if k.ca.suggests != nil {
			template.Name = h.Name
			own.setWindow(k.ca.suggests(template, must(template.leaf()), k.now()))
		}
		e := k.m.newEntry(h)
		e.held, e.served = &own, true
		b := *template
		b.Name, b.Tenant = h.Name, h.Tenant
		if err := k.ca.shelf.put(k.t.Context(), &b); err != nil {
			k.t.Fatal(err)
		}
	}
	k.m.SetHosts(hosts)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// slowStore takes 100 ms for each call.
type slowStore struct{ store.Store }

func (s *slowStore) Put(ctx context.Context, key string, value []byte) error {
	if err := wait(ctx, 100*time.Millisecond); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, value)
}

func (s *slowStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := wait(ctx, 100*time.Millisecond); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}
