package acme

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// oracle is what DNS says about hosts.
type oracle struct {
	mu    sync.Mutex
	found map[string]finding
	asked map[string][]time.Time
}

func (o *oracle) look(_ context.Context, h Host, _ *authority, _ *Settings) finding {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked == nil {
		o.asked = make(map[string][]time.Time)
	}
	o.asked[h.Name] = append(o.asked[h.Name], time.Now())
	return o.found[h.Name]
}

func (o *oracle) say(name string, f finding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.found == nil {
		o.found = make(map[string]finding)
	}
	o.found[name] = f
}

func (o *oracle) looks(name string) []time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[name]
}

func elsewhere() finding {
	return finding{state: StatePendingDNS, detail: "pa.acme.example leads to 203.0.113.9", record: "pa.acme.example. A 192.0.2.1"}
}

// looking returns a Manager that looks at an oracle before each order.
func looking(t testing.TB) (*keeping, *oracle) {
	k := keep(t)
	o := new(oracle)
	k.m.look = o.look
	s := testSettings()
	s.preflight.enabled = true
	k.m.Configure(s)
	return k, o
}

// A host whose DNS is not ready spends nothing, says what to set, is looked at
// ever more rarely, and gets its certificate when it is ready.
func TestPendingDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", elsewhere())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Second)
		s := k.want("pa.acme.example", StatePendingDNS)
		if s.Record != "pa.acme.example. A 192.0.2.1" || !strings.Contains(s.Detail, "203.0.113.9") || s.NextTry.Sub(k.now()) > 2*time.Minute {
			t.Errorf("%+v", s)
		}
		settle(48 * time.Hour)
		if n := len(k.ca.placed()); n != 0 {
			t.Fatalf("%d orders", n)
		}
		looks := o.looks("pa.acme.example")
		if len(looks) < 10 || len(looks) > 20 {
			t.Errorf("%d looks in two days", len(looks))
		}
		if last := looks[len(looks)-1].Sub(looks[len(looks)-2]); last < 6*time.Hour {
			t.Errorf("the last looks are %s apart", last)
		}
		o.say("pa.acme.example", finding{})
		settle(8 * time.Hour)
		if s := k.want("pa.acme.example", StateValid); s.Record != "" || s.Detail != "" {
			t.Errorf("%+v", s)
		}
		k.end()
	})
}

func TestPendingCAA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", finding{state: StatePendingCAA, detail: "CAA allows other.example alone", record: `acme.example. CAA 0 issue "one.example"`})
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Second)
		if s := k.want("pa.acme.example", StatePendingCAA); s.Record == "" {
			t.Errorf("no record: %+v", s)
		}
		// An operator's word is an attempt at once: a look, and no order.
		if err := k.m.Renew(t.Context(), "pa.acme.example"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		if n, looks := len(k.ca.placed()), len(o.looks("pa.acme.example")); n != 0 || looks != 2 {
			t.Errorf("%d orders, %d looks, want 0 and 2", n, looks)
		}
		k.end()
	})
}

// A domain that leads elsewhere at so many looks in a row is no longer renewed,
// says so, and serves until its end. When it leads here again, it is renewed.
func TestLostDomain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		k.ca.lifetime = 30 * 24 * time.Hour
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(10 * 24 * time.Hour)
		o.say("pa.acme.example", elsewhere())
		settle(5 * 24 * time.Hour)
		k.want("pa.acme.example", StateValid) // it is not due: nobody looked
		settle(8 * 24 * time.Hour)
		s := k.want("pa.acme.example", StateParked)
		if !strings.Contains(s.Detail, "not renewed until it does") || s.Record == "" || !strings.Contains(k.logged(), "no longer leads here") {
			t.Errorf("%+v\n%s", s, k.logged())
		}
		if got := k.serves("acme"); got != "pa.acme.example" || len(k.ca.placed()) != 1 {
			t.Errorf("serves %q after %d orders", got, len(k.ca.placed()))
		}
		settle(20 * 24 * time.Hour)
		k.want("pa.acme.example", StateParked)
		o.say("pa.acme.example", finding{})
		settle(27 * time.Hour)
		k.want("pa.acme.example", StateValid)
		k.end()
	})
}

// What is known of a parked host outlives a restart.
func TestParkingSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		o.say("pa.acme.example", elsewhere())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(12 * time.Hour)
		before := k.status("pa.acme.example")
		looks := len(o.looks("pa.acme.example"))
		s := k.m.settings
		k.end()
		k.again()
		k.m.look = o.look
		k.load()
		k.m.Configure(s)
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Minute)
		after := k.status("pa.acme.example")
		if !after.NextTry.Equal(before.NextTry) || after.State != before.State || after.Record != before.Record || len(o.looks("pa.acme.example")) != looks {
			t.Errorf("before %+v\nafter  %+v\n%d looks at once", before, after, len(o.looks("pa.acme.example"))-looks)
		}
		k.end()
	})
}

// A wildcard that no provider covers is parked without being looked at.
func TestWildcardWithoutProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		k.m.SetHosts(one("*.acme.example"))
		k.run()
		settle(time.Hour)
		if s := k.want("*.acme.example", StateParked); !strings.Contains(s.Detail, "dns-01") {
			t.Errorf("%+v", s)
		}
		if len(o.looks("*.acme.example")) != 0 || len(k.ca.placed()) != 0 {
			t.Error("something was asked")
		}
		k.end()
	})
}

// Owners of ten thousand hosts learn within minutes what is missing, though the
// budget lets their hosts be ordered for in days.
func TestLooksDoNotWaitForTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, o := looking(t)
		last := "h01999-acme.example"
		o.say(last, elsewhere())
		k.m.SetHosts(fleet("acme", 2000))
		k.run()
		settle(3 * time.Minute)
		k.want(last, StatePendingDNS)
		k.end()
	})
}
