package acme

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A thousand certificates whose windows lie within two hours: each is renewed
// inside its window, once, with its predecessor named, and none of it counts
// against the budget.
func TestRenewByARI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hosts = 1_000
		k := keep(t)
		k.ca.lifetime, k.ca.alike = 25*time.Hour, true
		k.ca.suggests = windowAt(0.12, 0.2) // from two hours on, for two hours
		k.m.Configure(testSettings())
		k.stock(city(hosts))
		k.run()
		settle(119 * time.Minute)
		if n := len(k.ca.placed()); n != 0 {
			t.Fatalf("%d orders before the window", n)
		}
		settle(2*time.Hour + 5*time.Minute)
		seen := map[string]bool{}
		for _, o := range k.ca.placed() {
			if !o.replaces || seen[o.name] {
				t.Fatalf("order %+v: twice, or without its predecessor", o)
			}
			seen[o.name] = true
		}
		if len(seen) != hosts {
			t.Errorf("%d hosts renewed, want %d", len(seen), hosts)
		}
		if b := k.m.Budgets()[0]; b.Left != b.Of {
			t.Errorf("the budget has %d of %d left; renewals that the authority asks for cost none", b.Left, b.Of)
		}
		k.end()
	})
}

// Without windows a certificate is renewed after two thirds of its lifetime,
// those that were obtained together one after the other.
func TestRenewByLifetime(t *testing.T) {
	for name, life := range map[string]time.Duration{"six days": 144 * time.Hour, "thirty days": 30 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t)
				k.ca.lifetime = life
				k.m.Configure(lifted())
				k.m.SetHosts(fleet("acme", 10))
				k.run()
				settle(life / 3 * 2 * 99 / 100)
				if n := len(k.ca.placed()); n != 10 {
					t.Fatalf("%d orders before two thirds of the lifetime, want 10", n)
				}
				s := k.status("h00000-acme.example")
				if s.RenewFrom.Sub(s.NotBefore) != life/3*2 || s.RenewUntil.Sub(s.RenewFrom) != life/12 {
					t.Errorf("renewal from %s to %s of %s to %s", s.RenewFrom, s.RenewUntil, s.NotBefore, s.NotAfter)
				}
				settle(life / 10)
				placed := k.ca.placed()
				if len(placed) != 20 {
					t.Fatalf("%d orders after three quarters of the lifetime, want 20", len(placed))
				}
				if between := placed[19].at.Sub(placed[10].at); between < life/100 {
					t.Errorf("all renewals came within %s", between)
				}
				k.end()
			})
		})
	}
}

// A certificate of six days that is renewed for two months never ends.
func TestSixDaysForTwoMonths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.lifetime = 144 * time.Hour
		k.ca.suggests = windowAt(0.5, 0.6)
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Minute)
		for range 60 {
			settle(24 * time.Hour)
			if s := k.want("pa.acme.example", StateValid); s.NotAfter.Sub(k.now()) < 48*time.Hour || s.AttemptsLeft < 5 {
				t.Fatalf("at %s it ends at %s, with %d attempts left", k.now(), s.NotAfter, s.AttemptsLeft)
			}
		}
		if n := len(k.ca.placed()); n < 16 || n > 21 {
			t.Errorf("%d orders in two months, want one for each three to four days", n)
		}
		k.end()
	})
}

// An authority that will revoke moves its window into the past: the renewal
// comes with the next question, and once.
func TestWindowMovesIntoThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.suggests = windowAt(0.6, 0.7)
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(24 * time.Hour)
		k.ca.suggest(windowAt(-0.02, -0.01))
		settle(6*time.Hour + 2*time.Minute)
		if n := len(k.ca.placed()); n < 2 || n > 5 {
			t.Errorf("%d orders six hours after the window moved", n)
		}
		// A window that is always in the past costs what the limit of a name lets
		// through, and no more.
		settle(7 * 24 * time.Hour)
		if n := len(k.ca.placed()); n > 11 {
			t.Errorf("%d orders in a week", n)
		}
		k.end()
	})
}

func TestPlan(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	tests := map[string]struct {
		window ariWindow
		want   time.Time
	}{
		"inside":                  {ariWindow{Start: day(50), End: day(52), Chosen: day(51)}, day(51)},
		"past":                    {ariWindow{Start: day(-2), End: day(-1), Chosen: day(-1)}, day(-1)},
		"too late to fail":        {ariWindow{Start: day(50), End: day(90), Chosen: day(90)}, start.Add(90 * 24 * time.Hour / 12 * 11)},
		"after the end":           {ariWindow{Start: day(100), End: day(101), Chosen: day(100)}, day(60)},
		"the authority says none": {ariWindow{}, day(60)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &held{notBefore: start, notAfter: day(90)}
			h.setWindow(test.window)
			if !h.renewal.at.Equal(test.want) {
				t.Errorf("renewal at %s, want %s", h.renewal.at, test.want)
			}
		})
	}
}

func TestClock(t *testing.T) {
	for name, jump := range map[string]time.Duration{"a day behind": -24 * time.Hour, "a day ahead": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t)
				k.ca.lifetime = 144 * time.Hour
				k.m.Configure(testSettings())
				k.m.SetHosts(one("pa.acme.example"))
				k.run()
				settle(10 * time.Hour)
				k.jump(jump)
				settle(2 * time.Minute)
				s := k.want("pa.acme.example", StateValid)
				early := strings.Contains(s.Detail, "not good yet") && strings.Contains(k.logged(), "not good yet")
				if early != (jump < 0) {
					t.Errorf("detail %q, log %q", s.Detail, k.logged())
				}
				settle(time.Hour)
				k.jump(-jump)
				settle(70 * time.Hour)
				if n := len(k.ca.placed()); n != 1 {
					t.Errorf("%d orders, want 1: a wrong clock is no reason", n)
				}
				settle(30 * time.Hour)
				if n := len(k.ca.placed()); n != 2 {
					t.Errorf("%d orders after two thirds of the lifetime, want 2", n)
				}
				k.end()
			})
		})
	}
}

// A clock that was years ahead when something failed does not keep the host
// waiting for years once it is right.
func TestClockThatWasYearsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.jump(20 * 365 * 24 * time.Hour)
		k.ca.refuse = func(request, int) error {
			p := said(causeLimit, "rateLimited", "too many new orders recently from this account")
			p.RetryAfter = 3 * time.Hour
			return p
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Minute)
		k.want("pa.acme.example", StateFailed)
		k.ca.refusing(nil)
		k.jump(-20 * 365 * 24 * time.Hour)
		settle(3*time.Hour + 5*time.Minute)
		k.want("pa.acme.example", StateValid)
		k.end()
	})
}

// What a responder says is stapled, and asked for again in time; a certificate
// that it calls revoked is replaced at once.
func TestStaples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		var asked atomic.Int32
		var revoked atomic.Bool
		k.ca.staples = func(*bundle) (staple, error) {
			if revoked.Swap(false) {
				return staple{}, errRevoked
			}
			return staple{Response: []byte{byte(asked.Add(1))}, Until: k.now().Add(48 * time.Hour), Again: k.now().Add(24 * time.Hour)}, nil
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(36 * time.Hour)
		b, err := k.ca.shelf.get(t.Context(), "pa.acme.example")
		if err != nil || asked.Load() != 2 || len(b.Staple.Response) != 1 || b.Staple.Response[0] != 2 {
			t.Fatalf("asked %d times, stored %v, %v", asked.Load(), b, err)
		}
		if live := k.m.hosts["pa.acme.example"].held.certificate.TLS(); len(live.OCSPStaple) != 1 {
			t.Errorf("the certificate served has the staple %v", live.OCSPStaple)
		}
		revoked.Store(true)
		settle(24 * time.Hour)
		if n := len(k.ca.placed()); n != 2 {
			t.Errorf("%d orders, want another for the revoked certificate", n)
		}
		k.want("pa.acme.example", StateValid)
		k.end()
	})
}
