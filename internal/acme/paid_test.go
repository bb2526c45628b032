package acme

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

// An order that the authority certainly does not have leaves nothing behind
// that the next process would take for one that is paid for.
func TestNothingPlacedNothingUnfinished(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for name, c := range map[string]struct {
		from  string // the path that does not work
		cause cause
	}{
		"directory is out of order": {"/dir", causeAuthority},
		"no nonces":                 {acmetest.NewNonce, causeAuthority},
		"too many orders":           {acmetest.NewOrder, causeLimit},
	} {
		t.Run(name, func(t *testing.T) {
			proxy, s := w.behindProxy(t)
			proxy.Intercept(func(res http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.URL.Path != c.from {
					return false
				}
				status, kind := http.StatusServiceUnavailable, "serverInternal"
				if c.cause == causeLimit {
					status, kind = http.StatusTooManyRequests, "rateLimited"
				}
				tell(res, status, kind, "not now")
				return true
			})
			e := w.startEngine(t, store.NewMem(), s)
			_, err := e.obtain(t.Context(), ask(s, "unplaced.hosted.example"))
			if p := asProblem(err); p.Cause != c.cause || !p.unplaced() {
				t.Errorf("%v counts as placed", p)
			}
			if left, err := e.unfinished(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("unfinished %v, %v; want none", left, err)
			}
		})
	}
}

// An order that is under way outlives an authority that is down when the next
// process takes it up.
func TestOrderOutlivesOutage(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	blobs := store.NewMem()
	for _, broken := range []string{acmetest.Authz, "/dir"} {
		proxy.Intercept(func(res http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if !strings.HasPrefix(r.URL.Path, broken) {
				return false
			}
			tell(res, http.StatusServiceUnavailable, "serverInternal", "not now")
			return true
		})
		e := w.startEngine(t, blobs, s)
		if _, err := e.obtain(t.Context(), ask(s, "outlives.hosted.example")); err == nil {
			t.Fatalf("a certificate although %s does not work", broken)
		}
		if left, err := e.unfinished(t.Context()); err != nil || len(left) != 1 {
			t.Errorf("unfinished after %s failed: %v, %v; want the order", broken, left, err)
		}
	}
	proxy.Intercept(nil)
	mustObtain(t, w.startEngine(t, blobs, s), ask(s, "outlives.hosted.example"))
	if n := proxy.Orders(); n != 1 {
		t.Errorf("%d orders were placed, want 1", n)
	}
}

// What an authority refuses to count is not counted here, either: a name whose
// account is at its limit does not use up its own.
func TestRefusedOrdersAreNotPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.refuse = func(_ request, tries int) error {
			if tries > 7 {
				return nil
			}
			p := said(causeLimit, "rateLimited", "too many new orders (300) from this account in the last 3h0m0s")
			p.RetryAfter = time.Hour
			return p
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(5 * 24 * time.Hour)
		k.want("pa.acme.example", StateValid)
		k.end()
	})
}

// An order that is resumed for a day is given up and placed anew, and that is
// paid for.
func TestNewOrderAfterADayIsPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.refuse = func(request, int) error {
			return &problem{Doing: "answer dns-01", Cause: causeHere, Detail: "the provider does not answer", Kept: true}
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(50 * time.Hour)
		cost := purchase{account: "one", name: "pa.acme.example", domain: "acme.example"}
		now := k.now().UnixNano()
		k.m.budget.mu.Lock()
		host := k.m.budget.get(cost, scopeHost, now)
		left := host.left(rate{5, 7 * 24 * time.Hour}, now)
		k.m.budget.mu.Unlock()
		// Three were taken, and in 50 hours one came back.
		if left != 3 {
			t.Errorf("%d of 5 orders of the name are left after %d attempts in 50 hours, want 3", left, k.ca.count("pa.acme.example"))
		}
		k.end()
	})
}
