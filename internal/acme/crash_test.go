package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

// errKilled is what everything ends with once a process is dead.
var errKilled = errors.New("killed")

// dying is a store whose process is killed at the nth change, before it or just
// after it.
type dying struct {
	store.Store
	kill  context.CancelFunc
	after bool
	mu    sync.Mutex
	left  int
	dead  bool
}

func (d *dying) change(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errKilled
	}
	if d.left--; d.left > 0 {
		return do()
	}
	d.dead = true
	d.kill()
	if d.after {
		_ = do()
	}
	return errKilled
}

func (d *dying) Put(ctx context.Context, key string, value []byte) error {
	return d.change(func() error { return d.Store.Put(ctx, key, value) })
}

func (d *dying) Delete(_ context.Context, key string) error {
	return d.change(func() error { return d.Store.Delete(context.Background(), key) })
}

func (d *dying) Get(ctx context.Context, key string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, errKilled
	}
	return d.Store.Get(ctx, key)
}

func (d *dying) die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	d.kill()
}

func (d *dying) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// TestKilledAtEachChange kills the process at each change of the store, before
// and after it takes effect, and starts another on what is left. Not one order
// more is placed, and the certificate is there.
func TestKilledAtEachChange(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	const whole = 1 << 30
	counted := &dying{Store: store.NewMem(), kill: func() {}, left: whole}
	_, s := w.behindProxy(t)
	mustObtain(t, w.startEngine(t, counted, s), ask(s, "changes.hosted.example"))
	changes := whole - counted.left
	if changes < 5 {
		t.Fatalf("an issuance has %d changes of the store; they are not seen", changes)
	}
	atEachPoint(t, changes, w.killAtChange)
}

// atEachPoint kills before and after each point, all at once: most of the time
// goes by waiting.
func atEachPoint(t *testing.T, points int, kill func(t *testing.T, point int, after bool)) {
	var all sync.WaitGroup
	for point := 1; point <= points; point++ {
		for _, after := range []bool{false, true} {
			all.Go(func() {
				t.Run(fmt.Sprintf("%d-%t", point, after), func(t *testing.T) { kill(t, point, after) })
			})
		}
	}
	all.Wait()
}

func (w *world) killAtChange(t *testing.T, point int, after bool) {
	name := fmt.Sprintf("change-%d-%t.hosted.example", point, after)
	mem := store.NewMem()
	proxy, s := w.behindProxy(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dying := &dying{Store: mem, kill: cancel, after: after, left: point}
	_, _ = w.startEngine(t, dying, s).obtain(ctx, ask(s, name)) // nobody is left to hear of it
	if !dying.isDead() {
		t.Fatal("the process was not killed")
	}
	w.wantCertificate(t, mem, proxy, s, name)
	if got := proxy.Orders(); got != 1 {
		t.Errorf("%d orders were placed, want 1", got)
	}
}

// TestKilledAtEachRequest kills the process at each request to the authority,
// before it arrives and after it had its effect.
func TestKilledAtEachRequest(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	mustObtain(t, w.startEngine(t, store.NewMem(), s), ask(s, "requests.hosted.example"))
	requests := proxy.Count("/")
	if requests < 8 {
		t.Fatalf("an issuance has %d requests; they are not seen", requests)
	}
	atEachPoint(t, requests, w.killAtRequest)
}

func (w *world) killAtRequest(t *testing.T, point int, after bool) {
	name := fmt.Sprintf("request-%d-%t.hosted.example", point, after)
	mem := store.NewMem()
	proxy, s := w.behindProxy(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dying := &dying{Store: mem, kill: cancel, left: 1 << 30}
	var requests atomic.Int64
	proxy.Intercept(func(_ http.ResponseWriter, r *http.Request, forward http.Handler) bool {
		n := requests.Add(1)
		if n < int64(point) {
			return false
		}
		if n == int64(point) && after {
			forward.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.Background()))
		}
		dying.die()
		panic(http.ErrAbortHandler)
	})
	_, _ = w.startEngine(t, dying, s).obtain(ctx, ask(s, name)) // nobody is left to hear of it
	// Pebble may have needed one poll less this time.
	told, verdict := proxy.Count(acmetest.Challenge) > 0, proxy.Count(acmetest.Order) > 0
	proxy.Intercept(nil)
	want := 1
	if told && !verdict {
		want = 2 // the authority looked while nobody answered: that order is dead
		w.meetVerdict(t, mem, s, name)
	}
	w.wantCertificate(t, mem, proxy, s, name)
	if got := proxy.Orders(); got > want {
		t.Errorf("%d orders were placed, want %d", got, want)
	}
}

// meetVerdict starts a new process where the authority may still be saying that
// nobody answered: that ends the attempt, and the next one has an order of its
// own.
func (w *world) meetVerdict(t *testing.T, mem store.Store, s *Settings, name string) {
	t.Helper()
	_, err := w.startEngine(t, mem, s).obtain(t.Context(), ask(s, name))
	var p *problem
	if err != nil && (!errors.As(err, &p) || p.Type != "unauthorized") {
		t.Fatalf("after the restart: %v", err)
	}
}

// behindProxy are settings for the shared authority behind a proxy that counts.
func (w *world) behindProxy(t testing.TB) (*acmetest.Proxy, *Settings) {
	t.Helper()
	proxy, err := w.ca.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	return proxy, w.settingsFor(authorityAt(t, proxy.Directory, proxy.Root))
}

// wantCertificate starts a new process on what is left, which must end with one
// certificate, and nothing lying about.
func (w *world) wantCertificate(t *testing.T, mem store.Store, proxy *acmetest.Proxy, s *Settings, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e := w.startEngine(t, mem, s)
	b, err := e.bundles.get(ctx, name)
	if b == nil && err == nil {
		b, err = e.obtain(ctx, ask(s, name))
	} else if left, bad := e.unfinished(ctx); len(left) > 0 || bad != nil {
		t.Errorf("orders are said to be unfinished: %v, %v", left, bad)
	}
	if err != nil {
		t.Fatalf("after the restart: %v", err)
	}
	if err := e.check(b); err != nil {
		t.Error(err)
	}
	if got := proxy.Certificates(); got != 1 {
		t.Errorf("%d certificates were issued, want 1", got)
	}
	keys, err := mem.List(ctx, "")
	if err != nil || len(keys) != 2 {
		t.Errorf("the store holds %q, %v; want an account and a certificate", keys, err)
	}
}

// check looks whether a bundle can be served.
func (e *engine) check(b *bundle) error {
	key, err := b.signer()
	if err != nil {
		return err
	}
	leaf, err := b.leaf()
	if err != nil {
		return err
	}
	if publicDigest(leaf.PublicKey) != publicDigest(key.Public()) {
		return errors.New("the certificate is for another key")
	}
	return nil
}
