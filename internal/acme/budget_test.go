package acme

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
	"gatehouse/tlsconfig"
)

// within fails if more than so many instants lie within any span of a length:
// what a token bucket of Let's Encrypt lets through at most is twice its size.
func within(t *testing.T, what string, at []time.Time, most int, span time.Duration) {
	t.Helper()
	slices.SortFunc(at, time.Time.Compare)
	full, last := time.Duration(most), time.Time{}
	each := span / full
	level := float64(most)
	for _, x := range at {
		if !last.IsZero() {
			level = min(float64(most), level+float64(x.Sub(last))/float64(each))
		}
		last = x
		if level -= 1; level < -0.01 {
			t.Fatalf("%s: an order at %s finds the authority's bucket of %d in %s empty", what, x, most, span)
		}
	}
}

func times(orders []fakeOrder, pick func(fakeOrder) bool) (out []time.Time) {
	for _, o := range orders {
		if pick(o) {
			out = append(out, o.at)
		}
	}
	return out
}

// A cold start takes 300 hosts at once and then one every 36 seconds, and the
// authority's own bucket is never empty.
func TestColdStartKeepsToTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 400))
		k.run()
		settle(5 * time.Minute)
		if n := len(k.ca.placed()); n < 300 || n > 310 {
			t.Errorf("%d orders in five minutes, want the 300 of a full budget and a few more", n)
		}
		eta := k.status("h00399-acme.example").ETA.Sub(k.now())
		if eta < 54*time.Minute || eta > 56*time.Minute {
			t.Errorf("the last host is expected in %s, want 55m: 92 times 36 s", eta)
		}
		settle(time.Hour)
		placed := k.ca.placed()
		if len(placed) != 400 {
			t.Errorf("%d orders, want 400", len(placed))
		}
		within(t, "account", times(placed, func(fakeOrder) bool { return true }), 300, 3*time.Hour)
		if k.ca.peak > issuingAtOnce {
			t.Errorf("%d orders ran at a time, want %d at most", k.ca.peak, issuingAtOnce)
		}
		k.end()
	})
}

// Hosts of one registered domain wait for its bucket; others pass them by.
func TestRegisteredDomainWaitsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.Configure(testSettings())
		hosts := fleet("acme", 20)
		for i := range 60 {
			hosts = append(hosts, Host{Name: fmt.Sprintf("a%02d.big.co.uk", i), Tenant: "big"})
		}
		k.m.SetHosts(hosts)
		k.run()
		settle(5 * time.Minute)
		if n := len(k.ca.placed()); n != 70 {
			t.Errorf("%d orders, want 20 and the 50 of one registered domain", n)
		}
		waiting := 0
		for _, s := range k.m.Hosts() {
			if s.State != StateQueued {
				continue
			}
			waiting++
			// One token in 201.6 minutes.
			slot := 168 * time.Hour / 50
			want := k.now().Add(time.Duration(waiting)*slot - 5*time.Minute)
			if s.Detail != "the budget of the registered domain big.co.uk is used up" || s.ETA.Sub(want).Abs() > 2*time.Minute {
				t.Errorf("%s: %q, expected %s; want %s", s.Host, s.Detail, s.ETA, want)
			}
		}
		if waiting != 10 {
			t.Errorf("%d hosts wait, want 10", waiting)
		}
		settle(34 * time.Hour)
		placed := k.ca.placed()
		if len(placed) != 80 {
			t.Errorf("%d orders, want 80", len(placed))
		}
		within(t, "domain", times(placed, func(o fakeOrder) bool { return registeredDomain(o.name) == "big.co.uk" }), 50, 168*time.Hour)
		k.end()
	})
}

// Whatever a killed process did, the next one knows what was spent.
func TestBudgetSurvives(t *testing.T) {
	blobs := store.NewMem()
	quiet := slog.New(slog.DiscardHandler)
	limits := new(tlsconfig.ACMESpec).CompileBudget()
	p := purchase{account: "one", name: "www.acme.example", domain: "acme.example", price: priceNew}
	now := int64(1_000_000 * time.Hour)
	b := newBudget(blobs, quiet)
	b.setLimits(limits)
	for i := range 5 {
		if !b.reserve(p, now) {
			t.Fatalf("order %d is refused", i)
		}
		if err := b.commit(t.Context(), p, now); err != nil {
			t.Fatal(err)
		}
	}
	again := newBudget(blobs, quiet)
	again.setLimits(limits)
	if err := again.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again.reserve(p, now) {
		t.Error("after a restart the host has tokens again")
	}
	if got := again.status("one", now).Left; got != 295 {
		t.Errorf("%d orders left, want 295", got)
	}
	// Full buckets are forgotten, also in the store.
	later := now + int64(30*24*time.Hour)
	again.limited(p, scopeHost, later, later)
	again.limited(p, scopeAccount, later, later)
	if err := again.commit(t.Context(), p, later); err != nil {
		t.Fatal(err)
	}
	text, err := blobs.Get(t.Context(), budgetKey(p.shardOf(scopeHost)))
	if err != nil || string(text) != "{}" {
		t.Errorf("stored %s, %v; want nothing of full buckets", text, err)
	}
}

func TestDamagedBudgetIsSetAside(t *testing.T) {
	blobs := store.NewMem()
	if err := blobs.Put(t.Context(), budgetKey(accountShard), []byte("{")); err != nil {
		t.Fatal(err)
	}
	b := newBudget(blobs, slog.New(slog.DiscardHandler))
	if err := b.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := blobs.Get(t.Context(), budgetKey(accountShard)); err == nil {
		t.Error("the damaged blob is still there")
	}
}

// What is not stored is not ordered.
func TestNoOrderWithoutStoredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.blobs.Fail(errFull)
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Hour)
		if n := len(k.ca.placed()); n != 0 {
			t.Errorf("%d orders while the disk is full", n)
		}
		if b := k.m.Budgets()[0]; b.Left != b.Of {
			t.Errorf("the budget has %d of %d", b.Left, b.Of)
		}
		k.blobs.Fail(nil)
		settle(3 * time.Minute)
		k.want("pa.acme.example", StateValid)
		k.end()
	})
}

func TestBucket(t *testing.T) {
	r := rate{5, time.Hour} // one in 12 minutes
	var b bucket
	now := int64(10_000 * time.Hour)
	for i := range 5 {
		if at := b.next(r, now); at != now {
			t.Fatalf("token %d comes after %s", i, time.Duration(at-now))
		}
		b.take(r, now)
	}
	if wait := time.Duration(b.next(r, now) - now); wait != 12*time.Minute || b.left(r, now) != 0 {
		t.Errorf("the sixth comes after %s with %d left, want 12m", wait, b.left(r, now))
	}
	if n := b.until(r, now, now+int64(time.Hour)); n != 4 {
		t.Errorf("%d tokens in the next hour, want 4: its end does not count", n)
	}
	b.shut(now, now+int64(30*time.Minute))
	if wait := time.Duration(b.next(r, now) - now); wait != 30*time.Minute {
		t.Errorf("after a 429 the next comes after %s, want 30m", wait)
	}
	back := now - int64(24*time.Hour) // the clock was ahead
	b.heal(back)
	if wait := time.Duration(b.next(r, back) - back); wait != 30*time.Minute {
		t.Errorf("after the clock went back the next comes after %s, want 30m", wait)
	}
	b.giveBack(r)
	if !b.idle(now + int64(time.Hour)) {
		t.Error("an hour later it is not full")
	}
}

func TestRegisteredDomain(t *testing.T) {
	for name, want := range map[string]string{
		"pa.acme.example": "acme.example", "*.acme.example": "acme.example", "a.b.co.uk": "b.co.uk",
		"co.uk": "co.uk", "localhost": "localhost", "x.github.io": "x.github.io",
	} {
		if got := registeredDomain(name); got != want {
			t.Errorf("registeredDomain(%q) = %q, want %q", name, got, want)
		}
	}
}

// A slow store makes orders share writes, not wait for one another's.
func TestCommitsShareWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		slow := &slowStore{Store: k.blobs.Store}
		k.m.budget.store = slow
		k.m.Configure(lifted())
		k.m.SetHosts(fleet("acme", 400))
		k.run()
		settle(time.Minute)
		if n := len(k.ca.placed()); n != 400 {
			t.Errorf("%d of 400 orders in a minute with 100 ms for each write", n)
		}
		k.end()
	})
}
