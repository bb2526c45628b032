package acme

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestNewHostGetsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		k.load()
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.want("pa.acme.example", StateQueued)
		k.run()
		synctest.Wait()
		k.want("pa.acme.example", StateIssuing)
		settle(10 * time.Second)
		s := k.want("pa.acme.example", StateValid)
		if s.CA != "one" || s.Serial != "01" || s.NotAfter.Sub(s.NotBefore) != k.ca.lifetime {
			t.Errorf("the certificate is %+v", s)
		}
		if got := k.serves("acme"); got != "pa.acme.example" {
			t.Errorf("published for acme: %q", got)
		}
		k.end()

		// After a restart it is served at once, and nothing is ordered.
		k.published = map[string][]string{}
		k.again()
		k.load()
		if got := k.serves("acme"); got != "pa.acme.example" {
			t.Errorf("published by Load: %q", got)
		}
		k.m.Configure(testSettings())
		k.m.SetHosts(one("pa.acme.example"))
		k.run()
		settle(24 * time.Hour)
		if n := len(k.ca.placed()); n != 1 {
			t.Errorf("%d orders, want 1", n)
		}
		k.end()
	})
}
