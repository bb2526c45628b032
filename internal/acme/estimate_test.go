package acme

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A table of ten thousand new hosts with the default budget shows for each when
// its order begins: 300 now, then one every 36 seconds, the last in four days.
func TestTenThousandEstimates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.alike = true
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 10_000))
		k.run()
		synctest.Wait()
		hosts := k.m.Hosts()
		if len(hosts) != 10_000 {
			t.Fatalf("%d hosts", len(hosts))
		}
		now := k.now()
		issuing := 0
		var etas []time.Duration
		for _, s := range hosts {
			switch s.State {
			case StateIssuing:
				issuing++
			case StateQueued:
				if s.ETA.IsZero() {
					t.Fatalf("%s has no estimate", s.Host)
				}
				etas = append(etas, s.ETA.Sub(now))
			default:
				t.Fatalf("%s is %s", s.Host, s.State)
			}
		}
		if issuing != issuingAtOnce {
			t.Errorf("%d orders run, want %d", issuing, issuingAtOnce)
		}
		slices.Sort(etas)
		last := time.Duration(10_000-300) * 36 * time.Second // 4 days and an hour
		if got := etas[len(etas)-1]; (got - last).Abs() > 2*time.Minute {
			t.Errorf("the last is expected in %s, want %s", got, last)
		}
		if got := etas[300-issuing-1]; got > time.Minute {
			t.Errorf("the 300th is expected in %s, want at once", got)
		}
		// And they come true.
		tenth := etas[300-issuing+9]
		if (tenth - 360*time.Second).Abs() > time.Minute {
			t.Errorf("the tenth after those is expected in %s, want 6m", tenth)
		}
		settle(tenth + time.Second)
		if n := len(k.ca.placed()); n != 310 {
			t.Errorf("%d orders after %s, want 310", n, tenth)
		}
		k.end()
	})
}

// An estimate is worth what becomes of it: domains, hosts of several tenants
// and renewals among them.
func TestEstimatesComeTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.lifetime = 72 * time.Hour
		s := testSettings()
		s.budget.Orders.Count = 20 // in three hours: one in nine minutes
		s.budget.Domain.Count = 10
		k.m.Configure(s)
		k.stock(fleet("old", 10)) // due after two days
		k.run()
		settle(47 * time.Hour)
		hosts := append(fleet("old", 10), fleet("acme", 30)...)
		for i := range 15 {
			hosts = append(hosts, Host{Name: fmt.Sprintf("a%02d.big.example", i), Tenant: "big"})
		}
		k.m.SetHosts(hosts)
		settle(2 * time.Second)
		want := map[string]time.Time{}
		for _, s := range k.m.Hosts() {
			if s.State == StateQueued {
				want[s.Host] = s.ETA
			}
		}
		if len(want) < 25 || len(want) > 28 {
			t.Fatalf("%d hosts are queued, want some 25", len(want))
		}
		settle(100 * time.Hour)
		for _, o := range k.ca.placed() {
			eta, ok := want[o.name]
			// Renewals of the ten come in between, up to ten times nine minutes.
			if ok && (o.at.Before(eta.Add(-2*time.Minute)) || o.at.After(eta.Add(92*time.Minute))) {
				t.Errorf("%s was ordered at %s, expected at %s", o.name, o.at, eta)
			}
			delete(want, o.name)
		}
		for name, eta := range want {
			if eta.Before(k.now()) {
				t.Errorf("%s was never ordered, expected at %s", name, eta)
			}
		}
		k.end()
	})
}

// Expiring comes before live, live before new; tenants take turns.
func TestOrderOfUrgency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		s := testSettings()
		s.budget.Orders.Count, s.budget.Orders.Per = 1, s.budget.Orders.Per/3 // one in an hour
		k.m.Configure(s)
		soon, sooner := Host{Name: "soon.example", Tenant: "old"}, Host{Name: "sooner.example", Tenant: "old"}
		live := Host{Name: "live.example", Tenant: "old"}
		k.stock([]Host{soon, sooner, live})
		now := k.now()
		for name, left := range map[string]time.Duration{soon.Name: 20 * time.Hour, sooner.Name: 10 * time.Hour} {
			h := k.m.hosts[name].held
			h.notAfter, h.obtained = now.Add(left), now.Add(-24*time.Hour)
			h.notBefore = now.Add(-80 * time.Hour)
			h.setWindow(ariWindow{})
		}
		k.m.hosts[live.Name].held = nil
		hosts := slices.Concat([]Host{soon, sooner, live}, fleet("many", 3), fleet("few", 1))
		k.m.SetHosts(hosts)
		k.run()
		settle(6*time.Hour + 30*time.Minute)
		var got []string
		for _, o := range k.ca.placed() {
			got = append(got, o.name)
		}
		want := []string{"sooner.example", "soon.example", "live.example", "h00000-few.example", "h00000-many.example", "h00001-many.example", "h00002-many.example"}
		if !slices.Equal(got, want) {
			t.Errorf("ordered %v\nwant    %v", got, want)
		}
		k.end()
	})
}

func TestAttemptsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.suggests = windowAt(0.66, 0.67)
		k.m.Configure(testSettings())
		k.stock(one("pa.acme.example"))
		s := k.status("pa.acme.example")
		// Thirty days from the renewal on: seven steps, then one a day.
		if s.AttemptsLeft < 30 || s.AttemptsLeft > 40 {
			t.Errorf("%d attempts left, want some 35", s.AttemptsLeft)
		}
		k.ca.refuse = func(request, int) error { return said(causeHost, "unauthorized", "no") }
		k.run()
		settle(75 * 24 * time.Hour)
		before := k.want("pa.acme.example", StateFailed).AttemptsLeft
		settle(10 * 24 * time.Hour)
		after := k.want("pa.acme.example", StateFailed).AttemptsLeft
		if before <= after || after < 3 || after > 5 {
			t.Errorf("%d attempts left fifteen days before the end, %d five days before", before, after)
		}
		settle(6 * 24 * time.Hour)
		if s := k.want("pa.acme.example", StateExpired); s.AttemptsLeft != 0 || s.LastError == "" || s.NextTry.IsZero() {
			t.Errorf("after the end: %+v", s)
		}
		k.end()
	})
}
