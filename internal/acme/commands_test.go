package acme

import (
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pemPair is a certificate of a name as an operator brings it.
func (k *keeping) pemPair(name string) (chain, key []byte) {
	b := must(k.ca.mint(request{Host: Host{Name: name}, CA: testSettings().authorities[0]}))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Chain[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b.Key})
}

// Somebody who moves here brings certificates: no order is spent before they
// are due.
func TestImportAndExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.SetHosts(one("pa.acme.example"))
		chain, key := k.pemPair("pa.acme.example")
		if err := k.m.Import(t.Context(), "pa.acme.example", chain, key); err != nil {
			t.Fatal(err)
		}
		k.m.Configure(testSettings())
		k.run()
		settle(time.Hour)
		if s := k.want("pa.acme.example", StateValid); s.CA != "imported" || k.serves("acme") != "pa.acme.example" {
			t.Errorf("%+v, served %q", s, k.serves("acme"))
		}
		gotChain, gotKey, err := k.m.Export(t.Context(), "pa.acme.example")
		if err != nil || !slices.Equal(gotChain, chain) || !slices.Equal(gotKey, key) {
			t.Errorf("exported %q, %v", gotChain, err)
		}
		if n := len(k.ca.placed()); n != 0 {
			t.Errorf("%d orders", n)
		}
		settle(70 * 24 * time.Hour)
		if s := k.want("pa.acme.example", StateValid); s.CA != "one" {
			t.Errorf("after two thirds of its lifetime it is from %q", s.CA)
		}
		k.end()
	})
}

func TestImportRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.SetHosts(one("pa.acme.example"))
		chain, key := k.pemPair("other.example")
		_, otherKey := keep(t).pemPair("pa.acme.example")
		ours, _ := k.pemPair("pa.acme.example")
		for name, test := range map[string]struct {
			host       string
			chain, key []byte
			want       string
		}{
			"another name": {"pa.acme.example", chain, key, `for other.example; expected "pa.acme.example"`},
			"another key":  {"pa.acme.example", ours, otherKey, "does not match"},
			"another host": {"nobody.example", chain, key, "nobody.example"},
			"no PEM":       {"pa.acme.example", []byte("x"), key, "no certificate"},
		} {
			err := k.m.Import(t.Context(), test.host, test.chain, test.key)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", name, err, test.want)
			}
		}
		if _, _, err := k.m.Export(t.Context(), "pa.acme.example"); err == nil {
			t.Error("something was exported")
		}
	})
}

// An operator's wish goes ahead of the queue, and no further than the budget.
func TestRenewCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		s := testSettings()
		s.budget.Orders.Count = 10
		k.m.Configure(s)
		k.m.SetHosts(fleet("acme", 20))
		k.run()
		settle(time.Minute)
		if err := k.m.Renew(t.Context(), "h00019-acme.example"); err != nil {
			t.Fatal(err)
		}
		if n := len(k.ca.placed()); n != 10 {
			t.Fatalf("%d orders, want the 10 of the budget", n)
		}
		settle(19 * time.Minute)
		if placed := k.ca.placed(); len(placed) != 11 || placed[10].name != "h00019-acme.example" {
			t.Errorf("after a token more: %v", placed[10:])
		}
		if err := k.m.Renew(t.Context(), "nobody.example"); err == nil {
			t.Error("a host that nobody has is renewed")
		}
		k.end()
	})
}

// A revoked certificate is replaced at once by one with another key, and served
// until then.
func TestRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(time.Minute)
		first := k.status("pa.acme.example").Serial
		if err := k.m.Revoke(t.Context(), "pa.acme.example", 1); err != nil {
			t.Fatal(err)
		}
		if got := k.serves("acme"); got != "pa.acme.example" {
			t.Errorf("serves %q", got)
		}
		settle(time.Minute)
		if s := k.want("pa.acme.example", StateValid); s.Serial == first || !slices.Equal(k.ca.revoked, []string{"pa.acme.example"}) {
			t.Errorf("serial %s after %s, revoked %v", s.Serial, first, k.ca.revoked)
		}
		k.end()
	})
}

// A reload with the same hosts does nothing at all; one that takes a host away
// stops its order; one that brings it back orders once.
func TestSetHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.Configure(testSettings())
		hosts := fleet("acme", 50)
		k.m.SetHosts(hosts)
		k.run()
		settle(time.Hour)
		calls := k.calls
		for range 10 {
			k.m.SetHosts(slices.Clone(hosts))
			k.m.Configure(testSettings())
			settle(10 * time.Second)
		}
		if len(k.ca.placed()) != 50 || k.calls != calls {
			t.Errorf("%d orders, %d calls of Publish", len(k.ca.placed()), k.calls-calls)
		}
		k.m.SetHosts(hosts[1:])
		settle(time.Second)
		if strings.Contains(k.serves("acme"), hosts[0].Name) {
			t.Error("a host that is gone is served")
		}
		k.m.SetHosts(hosts)
		settle(time.Minute)
		if !strings.Contains(k.serves("acme"), hosts[0].Name) || len(k.ca.placed()) != 50 {
			t.Errorf("after it is back %d orders; its certificate was in the store", len(k.ca.placed()))
		}
		// To another tenant it goes with its certificate.
		hosts[0].Tenant = "globex"
		k.m.SetHosts(hosts)
		settle(time.Minute)
		if strings.Contains(k.serves("acme"), hosts[0].Name) || k.serves("globex") != hosts[0].Name || len(k.ca.placed()) != 50 {
			t.Errorf("acme serves %q, globex %q", k.serves("acme"), k.serves("globex"))
		}
		k.end()
	})
}

// A host that is taken away while its order runs is not tried again, and its
// retries do not add up when it comes and goes.
func TestHostComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.refuse = func(request, int) error { return said(causeHost, "dns", "NXDOMAIN") }
		k.m.Configure(testSettings())
		k.run()
		for range 20 {
			k.m.SetHosts(one("pa.acme.example"))
			settle(2 * time.Second) // the order takes five
			k.m.SetHosts(nil)
			settle(time.Second)
		}
		if len(k.m.Hosts()) != 0 || k.ca.running != 0 || len(k.m.hosts) != 0 {
			t.Errorf("%d hosts, %d orders run, %d entries", len(k.m.Hosts()), k.ca.running, len(k.m.hosts))
		}
		if n := len(k.ca.placed()); n > 5 {
			t.Errorf("%d orders, want no more than the budget of a name", n)
		}
		k.m.SetHosts(one("pa.acme.example"))
		settle(24 * time.Hour)
		if n := len(k.ca.placed()); n > 7 {
			t.Errorf("%d orders a day later", n)
		}
		k.end()
	})
}

// Certificates of an authority that left the settings are replaced: from a
// staging one nobody trusts them.
func TestAuthorityChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 3))
		k.run()
		settle(5 * time.Hour)
		s := testSettings()
		s.authorities = []*authority{{ID: "two", Name: "two"}}
		k.m.Configure(s)
		settle(time.Minute)
		for _, s := range k.m.Hosts() {
			if s.CA != "two" || s.State != StateValid {
				t.Errorf("%s is %s, from %q", s.Host, s.State, s.CA)
			}
		}
		if n := len(k.ca.placed()); n != 6 {
			t.Errorf("%d orders, want 6", n)
		}
		// Without settings nothing is ordered, and all is served.
		k.m.Configure(nil)
		settle(100 * 24 * time.Hour)
		if n := len(k.ca.placed()); n != 6 || strings.Count(k.serves("acme"), "example") != 3 {
			t.Errorf("%d orders, serves %q", n, k.serves("acme"))
		}
		if got, err := k.m.Accounts(t.Context()); got != nil || err != nil || k.m.Budgets() != nil {
			t.Errorf("accounts %v, %v; budgets %v", got, err, k.m.Budgets())
		}
		if err := k.m.RollAccountKey(t.Context(), "two"); err == nil {
			t.Error("a key was rolled over without settings")
		}
		k.end()
	})
}

// Orders that a killed process left are resumed before anything is spent.
func TestResumedOrdersArePaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.m.engine = &fakeEngine{fakeCA: k.ca, pending: map[string][]string{"one": {"pa.acme.example"}}}
		k.load()
		s := testSettings()
		k.m.Configure(s)
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(10 * time.Second) // not as long as the budget takes to gain a token
		k.want("pa.acme.example", StateValid)
		if b := k.m.Budgets()[0]; b.Left != b.Of {
			t.Errorf("%d of %d orders left", b.Left, b.Of)
		}
		k.end()
	})
}

// The certificate of a host that nobody wants is kept as long as it is good,
// and removed from the store afterwards.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.lifetime = 144 * time.Hour
		k.m.Configure(testSettings())
		k.m.SetHosts(fleet("acme", 2))
		k.run()
		settle(time.Minute)
		k.m.SetHosts(fleet("acme", 1))
		settle(10 * 24 * time.Hour)
		gone := "h00001-acme.example"
		if b, err := k.ca.shelf.get(t.Context(), gone); b == nil || err != nil {
			t.Errorf("four days after its end: %v, %v", b, err)
		}
		settle(4 * 24 * time.Hour)
		if b, err := k.ca.shelf.get(t.Context(), gone); b != nil || err != nil || len(k.m.hosts) != 1 {
			t.Errorf("eight days after its end: %v, %v; %d entries", b, err, len(k.m.hosts))
		}
		k.want("h00000-acme.example", StateValid)
		k.end()
	})
}

// Changes come in batches, whole tenants at a time.
func TestPublishInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.ca.takes, k.ca.alike = 2*time.Second, true
		k.m.Configure(lifted())
		k.m.SetHosts(fleet("acme", 600))
		k.run()
		settle(time.Minute)
		if k.calls > 14 {
			t.Errorf("%d calls for six hundred certificates in twelve seconds", k.calls)
		}
		if n := strings.Count(k.serves("acme"), "example"); n != 600 {
			t.Errorf("%d certificates are served", n)
		}
		k.end()
	})
}
