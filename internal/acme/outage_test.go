package acme

import (
	"testing"
	"time"
)

// An authority is out of order for all once enough attempts have failed there,
// but not for names about which no verdict comes: a tenant decides where those
// lead.
func TestOutageIsTheAuthoritys(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	ca, host := &authority{ID: "one", Name: "letsencrypt"}, Host{Name: "slow.acme.example", Tenant: "acme"}
	for _, tt := range []struct {
		name string
		p    problem
		want bool
	}{
		{"it is down", problem{Cause: causeAuthority}, true},
		{"no verdict comes", problem{Cause: causeAuthority, Stalled: true}, false},
		{"control is not proved", problem{Cause: causeHost}, false},
	} {
		o := make(outages)
		for range 2 * outageAfter {
			now = now.Add(time.Minute)
			o.failed(ca, host, &tt.p, span{now.Add(-time.Second), now})
		}
		until, _ := o.down(ca, Host{Name: "www.globex.example", Tenant: "globex"}, now)
		if got := until.After(now); got != tt.want {
			t.Errorf("%s: others wait until %v, want waiting %t", tt.name, until, tt.want)
		}
	}
}
