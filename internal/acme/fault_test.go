package acme

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
)

// An authority that is down for three days costs a few attempts, not one for
// each host and minute; when it is back, all is well within the hour.
func TestAuthorityDownForThreeDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.refuse = func(request, int) error {
			p := said(causeAuthority, "", "connection refused")
			p.err = &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			return p
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 110))
		k.run()
		settle(72 * time.Hour)
		placed := k.ca.placed()
		if len(placed) > 300 {
			t.Errorf("%d attempts in three days", len(placed))
		}
		if b := k.m.Budgets()[0]; b.Down.IsZero() || !strings.Contains(b.Why, "connection refused") {
			t.Errorf("the budget does not say that the authority is down: %+v", b)
		}
		if s := k.status("h00105-acme.example"); !strings.Contains(s.Detail+s.LastError, "connection refused") {
			t.Errorf("a host does not say what it waits for: %+v", s)
		}
		k.ca.refusing(nil)
		settle(time.Hour)
		for _, s := range k.m.Hosts() {
			if s.State != StateValid {
				t.Fatalf("an hour later %s is %s: %s, next %s", s.Host, s.State, s.LastError, s.NextTry)
			}
		}
		k.end()
	})
}

// The second authority steps in, and the certificate says why.
func TestFallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		s := testSettings()
		s.authorities = append(s.authorities, &authority{ID: "two", Name: "two"})
		k.ca.refuse = func(req request, _ int) error {
			if req.CA.ID == "one" {
				return said(causeAccount, "externalAccountRequired", "bind your account")
			}
			return nil
		}
		k.m.Configure(s)
		k.m.SetHosts(fleet("acme", 20))
		k.run()
		settle(time.Minute)
		if s := k.want("h00003-acme.example", StateValid); s.CA != "two" || !strings.Contains(s.Because, "bind your account") {
			t.Errorf("from %q because %q", s.CA, s.Because)
		}
		for _, o := range k.ca.placed() {
			if o.ca == "one" && !o.at.Equal(k.ca.placed()[0].at) {
				t.Errorf("the first authority was asked again at %s", o.at)
			}
		}
		k.end()
	})
}

// What an owner must mend is tried ever more rarely, and never more often than
// the limit of failed validations lets it.
func TestFailingHostIsNotRetriedBlindly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.refuse = func(req request, _ int) error {
			if strings.HasPrefix(req.Name, "bad") {
				return said(causeHost, "unauthorized", "404 for the token")
			}
			return nil
		}
		k.m.Configure(testSettings())
		k.m.SetHosts([]Host{{Name: "bad.acme.example", Tenant: "acme"}, {Name: "good.acme.example", Tenant: "acme"}})
		k.run()
		settle(time.Minute)
		k.want("good.acme.example", StateValid)
		s := k.want("bad.acme.example", StateFailed)
		if !strings.Contains(s.LastError, "404 for the token") || s.NextTry.Sub(k.now()) < 9*time.Minute {
			t.Errorf("failed with %q, next try %s", s.LastError, s.NextTry)
		}
		settle(7 * 24 * time.Hour)
		if n := k.ca.count("bad.acme.example"); n < 5 || n > 10 {
			t.Errorf("%d orders in a week", n)
		}
		var failed []time.Time
		for _, o := range k.ca.placed() {
			if o.failed {
				failed = append(failed, o.at)
			}
		}
		within(t, "failures", failed, 5, time.Hour)
		within(t, "host", failed, 5, 7*24*time.Hour)
		k.end()
	})
}

// A 429 empties the bucket that it is about, until it says.
func TestTooManyRequests(t *testing.T) {
	tests := map[string]struct {
		detail string
		after  time.Duration
		others bool // hosts of other domains go on
	}{
		"account": {"too many new orders (300) from this account in the last 3h0m0s", 2 * time.Hour, false},
		"domain":  {`too many certificates (50) already issued for "acme.example" in the last 168h0m0s`, 30 * time.Hour, true},
		"name":    {"too many certificates (5) already issued for this exact set of identifiers", 30 * time.Hour, true},
		"failed":  {`too many failed authorizations (5) for "a.acme.example" in the last 1h0m0s`, time.Hour, true},
		"silent":  {"slow down", 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t)
				k.ca.refuse = func(req request, tries int) error {
					if req.Name != "a.acme.example" || tries > 0 {
						return nil
					}
					p := said(causeLimit, "rateLimited", test.detail)
					p.RetryAfter = test.after
					return p
				}
				k.m.Configure(testSettings())
				k.m.SetHosts(one("a.acme.example"))
				k.run()
				settle(time.Minute)
				k.m.SetHosts(append(one("a.acme.example"), Host{Name: "b.globex.example", Tenant: "globex"}))
				settle(5 * time.Minute)
				k.want("a.acme.example", StateFailed)
				want := StateQueued
				if test.others {
					want = StateValid
				}
				k.want("b.globex.example", want)
				settle(max(test.after, time.Hour)*11/10 - 5*time.Minute)
				if s := k.status("a.acme.example"); s.State != StateValid && test.after > 0 {
					t.Errorf("after %s: %s, %s, next %s, expected %s", test.after, s.State, s.Detail, s.NextTry, s.ETA)
				}
				k.want("b.globex.example", StateValid)
				if n := k.ca.count("a.acme.example"); n > 2 {
					t.Errorf("%d orders", n)
				}
				k.end()
			})
		})
	}
}

// A full disk stops renewals with a clear state; what is held is served, and
// all goes on when there is room again.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.lifetime = 144 * time.Hour
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 5))
		k.run()
		settle(48 * time.Hour)
		k.blobs.Fail(errFull)
		settle(60 * time.Hour)
		if n := len(k.ca.placed()); n != 5 {
			t.Errorf("%d orders, want none while the disk is full", n-5)
		}
		s := k.want("h00002-acme.example", StateQueued)
		if !strings.Contains(s.Detail, "no space left on device") || !strings.Contains(k.logged(), "the state cannot be written") {
			t.Errorf("detail %q, log %s", s.Detail, k.logged())
		}
		if got := strings.Count(k.serves("acme"), "acme.example"); got != 5 {
			t.Errorf("%d certificates are served, want 5", got)
		}
		// What an owner must do is said all the same.
		k.m.mu.Lock()
		k.m.hosts["h00003-acme.example"].check = &check{finding: finding{state: StatePendingDNS, detail: "no such name"}}
		k.m.mu.Unlock()
		if s := k.want("h00003-acme.example", StatePendingDNS); s.Detail != "no such name" {
			t.Errorf("detail %q", s.Detail)
		}
		k.m.mu.Lock()
		k.m.hosts["h00003-acme.example"].check = nil
		k.m.mu.Unlock()
		k.blobs.Fail(nil)
		settle(5 * time.Minute)
		k.want("h00002-acme.example", StateValid)
		k.end()
	})
}

// A certificate whose blob is damaged is set aside, named, and ordered again;
// the others are served.
func TestDamagedBundle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 3))
		k.run()
		settle(time.Minute)
		k.end()
		if err := k.blobs.Put(t.Context(), bundleKey("h00001-acme.example"), []byte("{")); err != nil {
			t.Fatal(err)
		}
		k.again()
		k.load()
		if got := k.serves("acme"); got != "h00000-acme.example h00002-acme.example" {
			t.Errorf("served: %s", got)
		}
		if !strings.Contains(k.logged(), "damaged state set aside") {
			t.Error("the log does not name what was damaged")
		}
		s := testSettings()
		s.budget.Orders.Count = 1 // it does not matter of how many one is left
		k.m.Configure(s)
		k.m.SetHosts(append(fleet("acme", 3), fleet("a-new", 1)...))
		k.run()
		settle(3 * time.Hour)
		k.want("h00000-a-new.example", StateQueued)
		k.want("h00001-acme.example", StateValid) // it was served before: it comes first
		k.end()
	})
}

// A process that is killed at any write loses neither what it spent nor what it
// learnt: the authority sees no order that its limits do not allow.
func TestKilledAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.refuse = func(req request, _ int) error {
			if strings.HasPrefix(req.Name, "h00000") {
				return said(causeHost, "unauthorized", "no")
			}
			return nil
		}
		for i := range 40 {
			mortal := &mortalStore{Store: k.blobs.Store}
			mortal.left.Store(int32(i))
			k.again()
			k.m.o.Store, k.m.shelf.store, k.m.budget.store = mortal, mortal, mortal
			k.ca.shelf.store = mortal
			k.load()
			k.m.Configure(testSettings())
			k.m.SetHosts(fleet("acme", 8))
			k.run()
			settle(30 * time.Second)
			mortal.left.Store(0) // not even the last writes
			k.end()
		}
		var failed []time.Time
		for _, o := range k.ca.placed() {
			if strings.HasPrefix(o.name, "h00000") {
				failed = append(failed, o.at)
			}
		}
		if len(failed) == 0 {
			t.Error("nothing was tried")
		}
		within(t, "failures", failed, 5, time.Hour)
		for _, o := range k.ca.placed() {
			if n := k.ca.count(o.name); n > 5 {
				t.Fatalf("%s: %d orders", o.name, n)
			}
		}
	})
}

// mortalStore does so many writes and then none, as a process that was killed.
type mortalStore struct {
	store.Store
	left atomic.Int32
}

func (s *mortalStore) Put(ctx context.Context, key string, value []byte) error {
	if s.left.Add(-1) < 0 {
		return errFull
	}
	return s.Store.Put(ctx, key, value)
}

func (s *mortalStore) Delete(ctx context.Context, key string) error {
	if s.left.Add(-1) < 0 {
		return errFull
	}
	return s.Store.Delete(ctx, key)
}

// While the first authority has sent the account away, hosts that it never saw
// go to the second; those of one authority alone wait.
func TestSentAwayToTheSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		s := testSettings()
		s.authorities = append(s.authorities, &authority{ID: "two", Name: "two"})
		k.ca.refuse = func(req request, _ int) error {
			if req.CA.ID == "two" {
				return nil
			}
			p := said(causeLimit, "rateLimited", "too many new orders (300) from this account")
			p.RetryAfter = 2 * time.Hour
			return p
		}
		k.m.Configure(s)
		k.m.SetHosts(one("a.acme.example"))
		k.run()
		settle(time.Minute)
		k.ca.refusing(nil)
		k.m.SetHosts(append(one("a.acme.example"), one("b.acme.example")...))
		settle(time.Minute)
		for _, name := range []string{"a.acme.example", "b.acme.example"} {
			if s := k.want(name, StateValid); s.CA != "two" || s.Because == "" {
				t.Errorf("%s is from %q because %q", name, s.CA, s.Because)
			}
		}
		settle(2 * time.Hour)
		k.m.SetHosts(append(one("a.acme.example"), one("c.acme.example")...))
		settle(time.Minute)
		if s := k.want("c.acme.example", StateValid); s.CA != "one" || s.Because != "" {
			t.Errorf("two hours later the next is from %q because %q", s.CA, s.Because)
		}
		k.end()
	})
}

// A kill between an order and the next save costs no second order: what was
// spent is in the store before the authority hears of it.
func TestSpentBeforeItIsPlaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		limits := testSettings().budget
		k.ca.refuse = func(req request, _ int) error {
			b := newBudget(k.blobs, k.m.o.Log)
			b.setLimits(limits)
			if err := b.load(t.Context()); err != nil {
				t.Error(err)
			}
			p := purchase{account: "one", name: req.Name, domain: registeredDomain(req.Name), price: priceNew}
			now := k.now().UnixNano()
			if host := b.get(p, scopeHost, now); host.left(b.rate(scopeHost), now) != 4 {
				t.Errorf("%s: the store has %+v of its host", req.Name, host)
			}
			return nil
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 30))
		k.run()
		settle(time.Minute)
		k.end()
	})
}
