package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/proxy"
)

// TestTenantLimits: what is counted and how long bodies may be, the tenant's own
// first, then those of hosts, then those of routes by their paths, as far as they
// are written.
func TestTenantLimits(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText+"defaults: {limits: {body: 1MiB}}\n", "tenants/acme.yaml", `
hosts:
  - acme.example
  - {host: z.acme.example, limits: {body: 2MiB, requests: 9/s}}
  - {host: a.acme.example, routes: {/b/: {limits: {body: off}}}}
access: {public: "a test"}
backends: ["http://127.0.0.1:9"]
routes:
  /c/: {limits: {in_flight: 3}}
  /b/: {limits: {body: 3MiB, requests: 1/s}}
  /a/: {limits: {body: 1MiB}}
`))
	uses := []proxy.LimitUse{
		{Level: `route "/c/"`, Limit: "in_flight", Used: 0.5},
		{Level: `route "/b/"`, Limit: "requests", Used: 0.25},
		{Level: `host "z.acme.example"`, Limit: "requests"},
		{Level: `tenant "acme"`, Limit: "retries"},
	}
	var got []string
	for _, l := range tenantLimits(h.current.Load().table.Tenant("acme"), uses) {
		line := l.Level + " " + l.Limit + " " + l.Is
		if (l.Used == nil) != (l.Limit == "body") {
			line += " used"
		}
		got = append(got, line)
	}
	want := []string{
		`tenant "acme" retries `,
		`tenant "acme" body 1MiB`,
		`host "z.acme.example" requests `,
		`host "z.acme.example" body 2MiB`,
		`route "/a/" body 1MiB`,
		`route "/b/" requests `,
		`route "/b/" body 3MiB`,
		`route "/b/" of host "a.acme.example" body off`,
		`route "/c/" in_flight `,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
}
