package acme

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func unknown() finding {
	return finding{detail: "look up A of pa.acme.example at 9.9.9.9:53: no answer in time", unsure: true}
}

// While DNS cannot be asked nothing is spent, it is said, and it is looked at
// again soon and a few times an hour at last.
func TestUnsureLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", unknown())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Second)
		s := k.want("pa.acme.example", StateQueued)
		if !strings.Contains(s.Detail, "DNS cannot be asked: look up A of pa.acme.example") || s.NextTry.Sub(k.now()) > 2*time.Minute || !s.ETA.IsZero() {
			t.Errorf("%+v", s)
		}
		settle(24 * time.Hour)
		k.want("pa.acme.example", StateQueued)
		looks := o.looks("pa.acme.example")
		if n := len(looks); n < 80 || n > 110 || len(k.ca.placed()) != 0 {
			t.Errorf("%d looks and %d orders in a day", n, len(k.ca.placed()))
		}
		if first, last := looks[1].Sub(looks[0]), looks[len(looks)-1].Sub(looks[len(looks)-2]); first > 3*time.Minute || last < 15*time.Minute {
			t.Errorf("the first looks are %s apart, the last %s", first, last)
		}
		if n := strings.Count(k.logged(), "DNS cannot be asked about a host"); n != 1 {
			t.Errorf("it is told %d times", n)
		}
		if b := k.m.Budgets()[0]; b.Left != b.Of {
			t.Errorf("%d of %d are left", b.Left, b.Of)
		}
		o.say("pa.acme.example", finding{})
		settle(18 * time.Minute)
		if s := k.want("pa.acme.example", StateValid); s.Detail != "" {
			t.Errorf("%+v", s)
		}
		k.end()
	})
}

// A look right before an order that has no answer gives back what was reserved.
func TestUnsureLookBeforeTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		s := testSettings()
		s.preflight.enabled = true
		s.budget.Orders.Count = 1
		k.m.Configure(s)
		k.m.SetHosts(fleet("acme", 2))
		k.run()
		settle(time.Minute) // both are looked at, and one is ordered for
		waits := "h00001-acme.example"
		if k.status(waits).State == StateValid {
			waits = "h00000-acme.example"
		}
		o.say(waits, unknown())
		settle(4 * time.Hour)
		if s := k.want(waits, StateQueued); !strings.Contains(s.Detail, "DNS cannot be asked") {
			t.Errorf("%+v", s)
		}
		if b := k.m.Budgets()[0]; b.Left != 1 || len(k.ca.placed()) != 1 {
			t.Errorf("%d orders are left after %d", b.Left, len(k.ca.placed()))
		}
		o.say(waits, finding{})
		settle(18 * time.Minute)
		k.want(waits, StateValid)
		k.end()
	})
}

// A renewal waits for the resolver as long as that is harmless, and then goes
// ahead: a resolver of ours lets no certificate end.
func TestUnsureLooksLetNothingExpire(t *testing.T) {
	for _, days := range []time.Duration{6, 45, 90} {
		synctest.Test(t, func(t *testing.T) {
			k, o := looking(t)
			lifetime := days * 24 * time.Hour
			k.ca.lifetime = lifetime
			k.m.SetHosts(one("pa.acme.example"))
			k.run()
			settle(time.Minute)
			first := k.want("pa.acme.example", StateValid)
			o.say("pa.acme.example", unknown())
			settle(lifetime*3/4 - time.Hour)
			if s := k.want("pa.acme.example", StateQueued); !strings.Contains(s.Detail, "DNS cannot be asked") || len(k.ca.placed()) != 1 {
				t.Errorf("%d days: %d orders, %+v", days, len(k.ca.placed()), s)
			}
			settle(lifetime/4 - lifetime/blindShare + time.Hour + 20*time.Minute)
			s := k.want("pa.acme.example", StateValid)
			if left := first.NotAfter.Sub(k.now()); !s.NotAfter.After(first.NotAfter) || len(k.ca.placed()) != 2 || left < lifetime/7 {
				t.Errorf("%d days: %d orders with %s left, %+v", days, len(k.ca.placed()), left, s)
			}
			k.end()
		})
	}
}

// What is known of a host counts until something else is, and what was found
// about a host of another owner is forgotten.
func TestUnsureLookAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", elsewhere())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Second)
		o.say("pa.acme.example", unknown())
		settle(time.Hour)
		if s := k.want("pa.acme.example", StatePendingDNS); s.Record == "" || len(k.ca.placed()) != 0 {
			t.Errorf("%+v", s)
		}
		k.end()
	})
}

// An order uses what the look found to work.
func TestChallengesOfALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", finding{kinds: []string{"tls-alpn-01"}})
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Minute)
		if got := k.ca.placed(); len(got) != 1 || !slices.Equal(got[0].kinds, []string{"tls-alpn-01"}) {
			t.Errorf("%+v", got)
		}
		k.end()
	})
}

// An authority that CAA forbids is passed over for one that it allows, and the
// reason stays with the certificate.
func TestForbiddenAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		s := testSettings()
		s.preflight.enabled = true
		s.authorities = append(s.authorities, &authority{ID: "two", Name: "two"}, &authority{ID: "three", Name: "three"})
		k.m.Configure(s)
		const why = "one: the CAA records of acme.example do not name this authority"
		o.say("pa.acme.example", finding{verdicts: map[string]verdict{
			"one": {why: why}, "two": {kinds: []string{"http-01"}}, "three": {why: "three: neither"},
		}})
		k.ca.refuse = func(req request, tries int) error {
			if tries < 2 {
				return said(causeAuthority, "serverInternal", "it is out of order")
			}
			return nil
		}
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Hour)
		if s := k.want("pa.acme.example", StateValid); s.CA != "two" || s.Because != why {
			t.Errorf("%+v", s)
		}
		for _, order := range k.ca.placed() {
			if order.ca != "two" || order.because != why || !slices.Equal(order.kinds, []string{"http-01"}) {
				t.Errorf("%+v", order)
			}
		}
		k.end()
	})
}

// An authority that was to be next is not waited for when CAA forbids it since.
func TestForbiddenNextAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		s := testSettings()
		s.preflight.enabled = true
		s.authorities = append(s.authorities, &authority{ID: "two", Name: "two"})
		k.m.Configure(s)
		k.ca.refuse = func(req request, _ int) error {
			if req.CA.ID == "one" && len(o.looks(req.Name)) < 3 {
				o.say(req.Name, finding{verdicts: map[string]verdict{"one": {}, "two": {why: "two: CAA forbids it"}}})
				return said(causeHost, "caa", "the record forbids it")
			}
			return nil
		}
		o.say("pa.acme.example", finding{verdicts: map[string]verdict{"one": {}}})
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(2 * time.Hour)
		if s := k.want("pa.acme.example", StateValid); s.CA != "one" || s.Because != "" {
			t.Errorf("%+v", s)
		}
		k.end()
	})
}

// Whoever names other resolvers does not wait for the next look.
func TestOtherResolvers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", unknown())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(24 * time.Hour)
		k.want("pa.acme.example", StateQueued)
		o.say("pa.acme.example", finding{})
		s := testSettings()
		s.preflight.enabled, s.resolvers = true, []string{"9.9.9.9:53"}
		k.m.Configure(s)
		settle(time.Minute)
		k.want("pa.acme.example", StateValid)
		k.end()
	})
}
