package tenancy_test

import (
	"fmt"
	"strings"

	"gatehouse/tenancy"
)

// summary says in a few words what a compilation came to:
// "tenants: 1 added (globex), 2 changed (acme, initech)".
func summary(r *tenancy.Result) string {
	var quarantined []string
	for _, q := range r.Quarantined {
		if !q.Served {
			q.Tenant += ", not served"
		}
		quarantined = append(quarantined, q.Tenant)
	}
	var parts []string
	for _, part := range []struct {
		ids  []string
		verb string
	}{{r.Added, "added"}, {r.Changed, "changed"}, {r.Removed, "removed"}, {quarantined, "quarantined"}} {
		if len(part.ids) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(part.ids), part.verb, strings.Join(part.ids, ", ")))
		}
	}
	if len(parts) == 0 {
		return "tenants: nothing changed"
	}
	return "tenants: " + strings.Join(parts, ", ")
}
